/* SPDX-License-Identifier: GPL-2.0-only */
/* What a disk of ours can do, in no kernel's own words: xpv_disk.h translates. */
#ifndef XPV_DISK_LIMITS_H
#define XPV_DISK_LIMITS_H

#include <linux/types.h>

struct xpv_disk_limits {
	unsigned int logical, physical;	/* block sizes in bytes */
	unsigned int pages;		/* of a request's data, at most */
	bool packed;			/* data is copied: how it lies in memory does not matter */
	bool write_cache;		/* that can be flushed */
	bool discard, secure;		/* blocks can be given up, and be erased for good */
	unsigned int granularity, alignment;	/* of both, in bytes */
};

/* Sectors that a request which carries no data may name. */
#define XPV_DISK_MOST_SECTORS	(UINT_MAX >> SECTOR_SHIFT)

#endif
