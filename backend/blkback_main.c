// SPDX-License-Identifier: GPL-2.0-only
/* Module parameters, where named as the in-tree driver's then meant so too; loading and unloading. */
#include "blkback.h"

#include <linux/module.h>
#include <xen/xen.h>
#include <xpv/version.h>

unsigned int xpv_blkback_max_queues;
module_param_named(max_queues, xpv_blkback_max_queues, uint, 0644);
MODULE_PARM_DESC(max_queues, "Queues offered to a frontend, 1 to 64, for devices to come; 0: one per online CPU");

unsigned int xpv_blkback_max_ring_order = XPV_RING_MAX_ORDER;
module_param_named(max_ring_page_order, xpv_blkback_max_ring_order, uint, 0444);
MODULE_PARM_DESC(max_ring_page_order, "Largest ring offered, as the power of two of its pages, 0 to 4 (default 4)");

bool xpv_blkback_persistent = true;
module_param_named(feature_persistent, xpv_blkback_persistent, bool, 0644);
MODULE_PARM_DESC(feature_persistent, "Offer to keep grants mapped; for connections made from now on (default Y)");

/* All that a disk of xpv-blkfront's uses when it is busiest: 4 queues of 128 requests of 33 pages. */
unsigned int xpv_blkback_domain_grants = 16896;
module_param_named(max_persistent_grants_per_domain, xpv_blkback_domain_grants, uint, 0644);
MODULE_PARM_DESC(max_persistent_grants_per_domain, "Grants of one domain kept mapped, all its disks together (default 16896; holds within 10 s, but raised from 0 for new connections alone); 0: none");

unsigned int xpv_blkback_unused_seconds = 60;
module_param_named(persistent_grant_unused_seconds, xpv_blkback_unused_seconds, uint, 0644);
MODULE_PARM_DESC(persistent_grant_unused_seconds, "How long an unused grant stays mapped (default 60); 0: for ever");

unsigned int xpv_blkback_poll_us;
module_param_named(poll_us, xpv_blkback_poll_us, uint, 0644);
MODULE_PARM_DESC(poll_us, "Microseconds, up to 1000, that a queue's thread looks for the next request before it sleeps, as long as requests come that soon; 0: never (default)");

bool xpv_blkback_force_512;
module_param_named(force_512, xpv_blkback_force_512, bool, 0644);
MODULE_PARM_DESC(force_512, "Show disks of larger blocks as disks of 512 bytes, for guests that know no other; for disks to come (default N)");

static int __init init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	xpv_blkback_max_ring_order = min(xpv_blkback_max_ring_order, XPV_RING_MAX_ORDER);
	xpv_blkback_debugfs_init();
	err = xpv_blkback_register();
	if (err)
		xpv_blkback_debugfs_exit();
	return err;
}
module_init(init);

static void __exit quit(void)
{
	xpv_blkback_unregister();
	xpv_blkback_debugfs_exit();
}
module_exit(quit);

MODULE_DESCRIPTION("Xen paravirtual block backend");
MODULE_LICENSE("GPL");
MODULE_VERSION(XPV_VERSION);
MODULE_ALIAS("xen-backend:vbd");
