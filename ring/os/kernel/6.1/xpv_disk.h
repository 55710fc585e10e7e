/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk with its limits, from kernels that set them one by one on the queue. */
#ifndef XPV_DISK_H
#define XPV_DISK_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>

/* A disk for requests of at most @segs segments, each within one page. ERR_PTR() on failure. */
static inline struct gendisk *xpv_disk_alloc(struct blk_mq_tag_set *tags, void *data,
					     unsigned int logical, unsigned int physical,
					     unsigned int segs, bool write_cache)
{
	struct gendisk *disk = blk_mq_alloc_disk(tags, data);
	struct request_queue *q;

	if (IS_ERR(disk))
		return disk;
	q = disk->queue;
	blk_queue_logical_block_size(q, logical);
	blk_queue_physical_block_size(q, physical);
	blk_queue_max_hw_sectors(q, segs << (PAGE_SHIFT - SECTOR_SHIFT));
	blk_queue_max_segments(q, segs);
	blk_queue_max_segment_size(q, PAGE_SIZE);
	blk_queue_segment_boundary(q, PAGE_SIZE - 1);
	blk_queue_dma_alignment(q, SECTOR_SIZE - 1);
	blk_queue_write_cache(q, write_cache, false);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	return disk;
}

#endif
