// SPDX-License-Identifier: GPL-2.0-only
/* Loading and unloading. */
#include "netback.h"

#include <linux/module.h>
#include <xen/xen.h>

static int __init load(void)
{
	return xen_domain() ? xpv_netback_register() : -ENODEV;
}
module_init(load);

static void __exit unload(void)
{
	xpv_netback_unregister();
}
module_exit(unload);

MODULE_DESCRIPTION("Xen network backend");
MODULE_LICENSE("GPL");
MODULE_ALIAS("xen-backend:vif");
