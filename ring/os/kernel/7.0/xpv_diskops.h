/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk's operations, flags and kind, in kernels whose getgeo() is given the disk. */
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

/* Whether it has a head that takes its time. */
static inline bool xpv_bdev_rot(struct block_device *bdev)
{
	return bdev_rot(bdev);
}

#endif
