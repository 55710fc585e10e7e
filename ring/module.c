// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <linux/module.h>
#include <xpv/version.h>

MODULE_DESCRIPTION("Rings, grants and states shared by the xpv drivers");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_VERSION(XPV_VERSION);
