/* SPDX-License-Identifier: GPL-2.0-only */
/* Disks that come. The main thread's. */
#ifndef XPV_BLKD_ADOPT_H
#define XPV_BLKD_ADOPT_H

#include "xpv_os.h"

#define ADOPT_KIND	"backend/vbd3"
#define ADOPT_MARK	"kthread-pid"	/* whose the node is, as the kernel's backends say by the same name */
#define ADOPT_LIMITS	"xpv-blkd-limits"	/* requests and bytes per second: they outlive us */

/* If there is such a disk and it is ours, it is added, offered to its frontend, and to be looked at. */
void adopt(u16 domid, u32 devid);

/* The same for all that are there and not added yet. What was in flight on disks that are gone is forgotten. */
void adopt_all(void);

#endif
