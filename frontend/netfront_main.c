// SPDX-License-Identifier: GPL-2.0-only
/* Loading, unloading, and what is asked of the module as a whole. */
#include "netfront.h"

#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <xen/platform_pci.h>
#include <xen/xen.h>
#include <xpv/version.h>

/* What one interface makes use of, however many CPUs there are. */
#define USUAL_QUEUES	8u

static bool trusted = true;
module_param(trusted, bool, 0644);
MODULE_PARM_DESC(trusted, "May backends see what lies beside the data they are sent? For new connections (default: yes, unless the toolstack denies it)");

static unsigned int max_queues;
module_param(max_queues, uint, 0644);
MODULE_PARM_DESC(max_queues, "Queues per interface, 1 to 64, if the backend offers them; for new interfaces (default: as many as CPUs, at most 8)");

bool xpv_netfront_trusts(struct xenbus_device *xbdev)
{
	return READ_ONCE(trusted) && xenbus_read_unsigned(xbdev->nodename, "trusted", 1);
}

unsigned int xpv_netfront_max_queues(void)
{
	return clamp(READ_ONCE(max_queues), 1u, XPV_NET_MAX_QUEUES);
}

static int __init load(void)
{
	int err;

	/* Not while the same are emulated. */
	if (!xen_domain() || !xen_has_pv_nic_devices())
		return -ENODEV;
	if (!max_queues)
		max_queues = min(num_online_cpus(), USUAL_QUEUES);
	xpv_netfront_debugfs_init();
	err = xenbus_register_frontend(&xpv_netfront_driver);
	if (err)
		xpv_netfront_debugfs_exit();
	return err;
}
module_init(load);

static void __exit unload(void)
{
	xenbus_unregister_driver(&xpv_netfront_driver);
	xpv_netfront_debugfs_exit();
	xpv_netfront_held_exit();
}
module_exit(unload);

MODULE_DESCRIPTION("Xen paravirtual network interface");
MODULE_LICENSE("GPL");
MODULE_VERSION(XPV_VERSION);
MODULE_ALIAS("xen:vif");
MODULE_ALIAS("xennet");
