// SPDX-License-Identifier: GPL-2.0-only
/* Loading and unloading. */
#include "netback.h"

#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <xen/xen.h>
#include <xpv/version.h>

/* What one interface makes use of, however many CPUs there are. */
#define USUAL_QUEUES	8u

static unsigned int max_queues;
module_param(max_queues, uint, 0644);
MODULE_PARM_DESC(max_queues, "Queues offered to a guest per interface, 1 to 64; for new interfaces (default: as many as CPUs, at most 8)");

u32 xpv_netback_max_queues(void)
{
	return clamp(READ_ONCE(max_queues), 1u, XPV_NET_MAX_QUEUES);
}

static int __init load(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	if (!max_queues)
		max_queues = min(num_online_cpus(), USUAL_QUEUES);
	xpv_netback_debugfs_init();
	err = xpv_netback_register();
	if (err)
		xpv_netback_debugfs_exit();
	return err;
}
module_init(load);

static void __exit unload(void)
{
	xpv_netback_unregister();
	xpv_netback_debugfs_exit();
}
module_exit(unload);

MODULE_DESCRIPTION("Xen network backend");
MODULE_LICENSE("GPL");
MODULE_VERSION(XPV_VERSION);
MODULE_ALIAS("xen-backend:vif");
