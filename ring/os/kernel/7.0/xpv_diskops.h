/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk's operations and flags, in kernels whose getgeo() is given the disk. */
#ifndef XPV_DISKOPS_H
#define XPV_DISKOPS_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>

/* Merging goes without saying. */
#define XPV_DISK_TAG_FLAGS	0

typedef struct gendisk xpv_getgeo_arg;

static inline struct gendisk *xpv_getgeo_disk(xpv_getgeo_arg *arg)
{
	return arg;
}

#endif
