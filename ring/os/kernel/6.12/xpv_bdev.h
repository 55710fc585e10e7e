/* SPDX-License-Identifier: GPL-2.0-only */
/* A whole block device or partition, held open by its number. */
#ifndef XPV_BDEV_H
#define XPV_BDEV_H

#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/pagemap.h>

struct xpv_bdev {
	struct block_device *bdev;	/* NULL while not open */
	struct file *file;		/* what holds it open */
};

/* Open @number, not exclusively. Returns 0 or -errno. Process context. */
static inline int xpv_bdev_open(struct xpv_bdev *b, dev_t number, bool readonly)
{
	blk_mode_t mode = readonly ? BLK_OPEN_READ : BLK_OPEN_READ | BLK_OPEN_WRITE;
	struct file *file = bdev_file_open_by_dev(number, mode, NULL, NULL);

	if (IS_ERR(file))
		return PTR_ERR(file);
	b->bdev = file_bdev(file);
	b->file = file;
	return 0;
}

/* Nothing if it is not open. It is closed when this returns. No lock is held. */
static inline void xpv_bdev_close(struct xpv_bdev *b)
{
	if (!b->bdev)
		return;
	/* Nobody claimed it. What a kernel's thread puts otherwise is closed at some later time. */
	__fput_sync(b->file);
	b->bdev = NULL;
}

/* Write back what this kernel cached of the device, then forget it. */
static inline int xpv_bdev_sync(struct xpv_bdev *b)
{
	int err = sync_blockdev(b->bdev);

	if (!err)
		invalidate_inode_pages2(b->file->f_mapping);
	return err;
}

#endif
