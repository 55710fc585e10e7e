// SPDX-License-Identifier: GPL-2.0-only
/* Loading, unloading, and what is asked of the module as a whole. */
#include "netfront.h"

#include <linux/module.h>
#include <xen/xen.h>

static bool trusted = true;
module_param(trusted, bool, 0644);
MODULE_PARM_DESC(trusted, "May backends see what lies beside the data they are sent? (default: yes, unless the toolstack denies it)");

bool xpv_netfront_trusts(struct xenbus_device *xbdev)
{
	return READ_ONCE(trusted) && xenbus_read_unsigned(xbdev->nodename, "trusted", 1);
}

static int __init load(void)
{
	if (!xen_domain())
		return -ENODEV;
	return xenbus_register_frontend(&xpv_netfront_driver);
}
module_init(load);

static void __exit unload(void)
{
	xenbus_unregister_driver(&xpv_netfront_driver);
	xpv_netfront_linger_end();
}
module_exit(unload);

MODULE_DESCRIPTION("Xen paravirtual network interface");
MODULE_LICENSE("GPL");
MODULE_ALIAS("xen:vif");
MODULE_ALIAS("xennet");
