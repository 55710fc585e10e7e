/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk with its limits, from kernels that take them all at once. */
#ifndef XPV_DISK_H
#define XPV_DISK_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <xpv_disk_limits.h>

static inline void xpv_disk_translate(struct queue_limits *lim, const struct xpv_disk_limits *l)
{
	lim->logical_block_size = l->logical;
	lim->physical_block_size = l->physical;
	lim->max_hw_sectors = l->pages << (PAGE_SHIFT - SECTOR_SHIFT);
	lim->max_segments = l->packed ? USHRT_MAX : l->pages;
	lim->max_segment_size = l->packed ? UINT_MAX : PAGE_SIZE;
	lim->seg_boundary_mask = l->packed ? BLK_SEG_BOUNDARY_MASK : PAGE_SIZE - 1;
	lim->dma_alignment = (l->packed ? SECTOR_SIZE : l->logical) - 1;
	lim->max_hw_discard_sectors = l->discard ? XPV_DISK_MOST_SECTORS : 0;
	lim->max_secure_erase_sectors = l->secure ? XPV_DISK_MOST_SECTORS : 0;
	lim->discard_granularity = l->granularity;
	lim->discard_alignment = l->alignment;
	if (l->write_cache)
		lim->features |= BLK_FEAT_WRITE_CACHE;
	else
		lim->features &= ~BLK_FEAT_WRITE_CACHE;
}

/* A disk without a name. ERR_PTR() on failure. Process context. */
static inline struct gendisk *xpv_disk_alloc(struct blk_mq_tag_set *tags, void *data,
					     const struct xpv_disk_limits *l)
{
	struct queue_limits lim = {};

	xpv_disk_translate(&lim, l);
	return blk_mq_alloc_disk(tags, &lim, data);
}

/* Other limits from now on. Waits for all requests on their way. Process context. */
static inline void xpv_disk_update(struct gendisk *disk, const struct xpv_disk_limits *l)
{
	struct queue_limits lim = queue_limits_start_update(disk->queue);

	xpv_disk_translate(&lim, l);
	if (queue_limits_commit_update_frozen(disk->queue, &lim))
		pr_warn_ratelimited("%s: new limits are refused\n", disk->disk_name);
}

#endif
