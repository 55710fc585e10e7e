/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk with its limits, from kernels that set them one by one on the queue. */
#ifndef XPV_DISK_H
#define XPV_DISK_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <xpv_disk_limits.h>

/* Other limits from now on; not all at the same moment. Process context. */
static inline void xpv_disk_update(struct gendisk *disk, const struct xpv_disk_limits *l)
{
	struct request_queue *q = disk->queue;

	blk_queue_logical_block_size(q, l->logical);
	blk_queue_physical_block_size(q, l->physical);
	blk_queue_max_hw_sectors(q, l->pages << (PAGE_SHIFT - SECTOR_SHIFT));
	blk_queue_max_segments(q, l->packed ? USHRT_MAX : l->pages);
	blk_queue_max_segment_size(q, l->packed ? UINT_MAX : PAGE_SIZE);
	blk_queue_segment_boundary(q, l->packed ? BLK_SEG_BOUNDARY_MASK : PAGE_SIZE - 1);
	blk_queue_dma_alignment(q, (int)(l->packed ? SECTOR_SIZE : l->logical) - 1);
	blk_queue_max_discard_sectors(q, l->discard ? XPV_DISK_MOST_SECTORS : 0);
	blk_queue_max_secure_erase_sectors(q, l->secure ? XPV_DISK_MOST_SECTORS : 0);
	q->limits.discard_granularity = l->granularity;
	q->limits.discard_alignment = l->alignment;
	blk_queue_write_cache(q, l->write_cache, false);
}

/* A disk without a name. ERR_PTR() on failure. Process context. */
static inline struct gendisk *xpv_disk_alloc(struct blk_mq_tag_set *tags, void *data,
					     const struct xpv_disk_limits *l)
{
	struct gendisk *disk = blk_mq_alloc_disk(tags, data);
	struct request_queue *q;

	if (IS_ERR(disk))
		return disk;
	q = disk->queue;
	blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	xpv_disk_update(disk, l);
	return disk;
}

#endif
