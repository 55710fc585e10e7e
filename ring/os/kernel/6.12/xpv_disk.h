/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk with its limits, from kernels that take them all at once. */
#ifndef XPV_DISK_H
#define XPV_DISK_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>

/* A disk for requests of at most @segs segments, each within one page. ERR_PTR() on failure. */
static inline struct gendisk *xpv_disk_alloc(struct blk_mq_tag_set *tags, void *data,
					     unsigned int logical, unsigned int physical,
					     unsigned int segs, bool write_cache)
{
	struct queue_limits lim = {
		.logical_block_size = logical,
		.physical_block_size = physical,
		.max_hw_sectors = segs << (PAGE_SHIFT - SECTOR_SHIFT),
		.max_segments = segs,
		.max_segment_size = PAGE_SIZE,
		.seg_boundary_mask = PAGE_SIZE - 1,
		.dma_alignment = SECTOR_SIZE - 1,
		.features = write_cache ? BLK_FEAT_WRITE_CACHE : 0,
	};

	return blk_mq_alloc_disk(tags, &lim, data);
}

#endif
