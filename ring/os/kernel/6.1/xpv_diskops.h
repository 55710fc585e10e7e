/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk's operations, flags and kind, in kernels whose getgeo() is given a block device. */
#ifndef XPV_DISKOPS_H
#define XPV_DISKOPS_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>

/* Merging has to be asked for. */
#define XPV_DISK_TAG_FLAGS	BLK_MQ_F_SHOULD_MERGE

typedef struct block_device xpv_getgeo_arg;

static inline struct gendisk *xpv_getgeo_disk(xpv_getgeo_arg *arg)
{
	return arg->bd_disk;
}

/* Whether it has a head that takes its time. */
static inline bool xpv_bdev_rot(struct block_device *bdev)
{
	return !bdev_nonrot(bdev);
}

#endif
