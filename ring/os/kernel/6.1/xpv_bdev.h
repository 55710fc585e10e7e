/* SPDX-License-Identifier: GPL-2.0-only */
/* A whole block device or partition, held open by its number. */
#ifndef XPV_BDEV_H
#define XPV_BDEV_H

#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/pagemap.h>

struct xpv_bdev {
	struct block_device *bdev;	/* NULL while not open */
	fmode_t mode;			/* as it was opened */
};

/* Open @number, not exclusively. Returns 0 or -errno. Process context. */
static inline int xpv_bdev_open(struct xpv_bdev *b, dev_t number, bool readonly)
{
	fmode_t mode = readonly ? FMODE_READ : FMODE_READ | FMODE_WRITE;
	struct block_device *bdev = blkdev_get_by_dev(number, mode, NULL);

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	b->bdev = bdev;
	b->mode = mode;
	return 0;
}

/* Nothing if it is not open. */
static inline void xpv_bdev_close(struct xpv_bdev *b)
{
	if (b->bdev)
		blkdev_put(b->bdev, b->mode);
	b->bdev = NULL;
}

/* Write back what this kernel cached of the device, then forget it. */
static inline int xpv_bdev_sync(struct xpv_bdev *b)
{
	int err = sync_blockdev(b->bdev);

	if (!err)
		invalidate_inode_pages2(b->bdev->bd_inode->i_mapping);
	return err;
}

#endif
