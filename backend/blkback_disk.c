// SPDX-License-Identifier: GPL-2.0-only
/*
 * The disk below: opening it, what it can do, and what the frontend is told of that. All by the
 * device's work.
 */
#include "blkback.h"

#include <linux/cdrom.h>

#include <xpv_xenstore.h>

int xpv_blkback_disk_open(struct xpv_blkback_device *dev, dev_t number)
{
	char *mode = xenbus_read(XBT_NIL, dev->xdev->nodename, "mode", NULL);
	int err;

	if (IS_ERR(mode))
		return PTR_ERR(mode);
	dev->limits.readonly = !strchr(mode, 'w');
	err = xpv_bdev_open(&dev->disk, number, dev->limits.readonly);
	if (err)
		goto err_free;
	if (!dev->limits.readonly && bdev_read_only(dev->disk.bdev)) {
		err = -EROFS;
		goto err_close;
	}
	/* "!" is the toolstack's word for a disk that other devices write to as well. */
	err = xpv_blkback_narrow_init(dev, strchr(mode, '!'));
	if (err)
		goto err_close;
	dev->number = number;
	/* Pairs with the acquire of those who read the device's attributes. */
	smp_store_release(&dev->mode, mode);
	return 0;

err_close:
	xpv_bdev_close(&dev->disk);
err_free:
	kfree(mode);
	return err;
}

void xpv_blkback_disk_close(struct xpv_blkback_device *dev)
{
	xpv_blkback_narrow_exit(dev);
	xpv_bdev_close(&dev->disk);
}

/* Sectors, in whole blocks: of a file, a loop device may show a rest that can't be reached. */
static u64 capacity(const struct xpv_blkback_device *dev)
{
	u32 block = dev->narrow.disk.block_sectors;
	u64 sectors = bdev_nr_sectors(dev->disk.bdev);

	return block ? round_down(sectors, block) : sectors;
}

void xpv_blkback_disk_measure(struct xpv_blkback_device *dev)
{
	struct block_device *bdev = dev->disk.bdev;
	u32 block = bdev_logical_block_size(bdev);

	dev->limits.capacity = capacity(dev);
	dev->limits.max_segs = XPV_BLK_MAX_SEGS;
	dev->limits.block_sectors = block >> XPV_BLK_SECTOR_SHIFT;
	/* A block that begins within a page, at any sector of it. */
	dev->limits.blocks_join =
		bdev_dma_alignment(bdev) < SECTOR_SIZE &&
		queue_max_segments(bdev_get_queue(bdev)) > DIV_ROUND_UP(block, XPV_PAGE_SIZE);
	dev->limits.flush = bdev_write_cache(bdev);
	dev->limits.barrier = dev->limits.flush;
	/* The toolstack may not want an image to lose what was allocated for it. */
	dev->limits.discard = bdev_max_discard_sectors(bdev) &&
			      xenbus_read_unsigned(dev->xdev->nodename, "discard-enable", 1);
	dev->limits.secure_erase = dev->limits.discard && bdev_max_secure_erase_sectors(bdev);
	if (dev->narrow.disk.block_sectors) {
		dev->narrow.disk.blocks_join = dev->limits.blocks_join;
		dev->limits.block_sectors = 1;
		dev->limits.secure_erase = false;
	}
}

/* Whether the frontend is told of discards, which there are none of on a read-only disk. */
static bool discards(const struct xpv_blkback_device *dev)
{
	return dev->limits.discard && !dev->limits.readonly;
}

static unsigned int vdisk_info(struct xpv_blkback_device *dev)
{
	struct gendisk *disk = dev->disk.bdev->bd_disk;
	unsigned int info = dev->limits.readonly ? XPV_VDISK_READONLY : 0;
	char *type = xenbus_read(XBT_NIL, dev->xdev->nodename, "device-type", NULL);

	if (disk_to_cdi(disk) || (!IS_ERR(type) && !strcmp(type, "cdrom")))
		info |= XPV_VDISK_CDROM;
	if (disk->flags & GENHD_FL_REMOVABLE)
		info |= XPV_VDISK_REMOVABLE;
	if (!IS_ERR(type))
		kfree(type);
	return info;
}

/* What a disk may turn out not to do. */
static int publish_features(struct xpv_blkback_device *dev, struct xenbus_transaction xbt)
{
	const char *node = dev->xdev->nodename;
	int err = xenbus_printf(xbt, node, "feature-flush-cache", "%u", dev->limits.flush);

	if (!err)
		err = xenbus_printf(xbt, node, "feature-barrier", "%u", dev->limits.barrier);
	if (!err)
		err = xenbus_printf(xbt, node, "feature-discard", "%u", discards(dev));
	if (!err)
		err = xenbus_printf(xbt, node, "discard-secure", "%u",
				    discards(dev) && dev->limits.secure_erase);
	return err;
}

static int publish_discard(struct xpv_blkback_device *dev, struct xenbus_transaction xbt)
{
	struct block_device *bdev = dev->disk.bdev;
	const char *node = dev->xdev->nodename;
	int err = xenbus_printf(xbt, node, "discard-granularity", "%u",
				bdev_discard_granularity(bdev));

	if (!err)
		err = xenbus_printf(xbt, node, "discard-alignment", "%d",
				    bdev_discard_alignment(bdev));
	return err;
}

static int write_disk(struct xenbus_transaction xbt, void *arg)
{
	struct xpv_blkback_device *dev = arg;
	struct block_device *bdev = dev->disk.bdev;
	const char *node = dev->xdev->nodename;
	int err;

	if (xpv_blkback_removed(dev))
		return -ENODEV;
	err = publish_features(dev, xbt);
	if (!err)
		err = xenbus_printf(xbt, node, "feature-persistent", "%u", dev->persistent);
	if (!err && discards(dev))
		err = publish_discard(dev, xbt);
	if (!err)
		err = xenbus_printf(xbt, node, "sectors", "%llu", dev->limits.capacity);
	if (!err)
		err = xenbus_printf(xbt, node, "info", "%u", vdisk_info(dev));
	if (!err)
		err = xenbus_printf(xbt, node, "sector-size", "%u",
				    dev->limits.block_sectors << XPV_BLK_SECTOR_SHIFT);
	if (!err)
		err = xenbus_printf(xbt, node, "physical-sector-size", "%u",
				    bdev_physical_block_size(bdev));
	return err;
}

int xpv_blkback_disk_publish(struct xpv_blkback_device *dev)
{
	return xpv_xenstore_commit(write_disk, dev);
}

static void limit_queues(struct xpv_blkback_device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_queues; i++)
		xpv_blkback_queue_limit(dev->queue[i]);
}

/* Not if the toolstack has written another state meanwhile, or the node has gone. */
static bool still_connected(struct xpv_blkback_device *dev, struct xenbus_transaction xbt)
{
	int state;

	return !xpv_blkback_removed(dev) &&
	       xenbus_scanf(xbt, dev->xdev->nodename, "state", "%d", &state) == 1 &&
	       state == XenbusStateConnected;
}

/* Connected once more, which is how a frontend learns of it. */
static int write_size(struct xenbus_transaction xbt, void *arg)
{
	struct xpv_blkback_device *dev = arg;
	const char *node = dev->xdev->nodename;
	int err;

	if (!still_connected(dev, xbt))
		return 0;
	err = xenbus_printf(xbt, node, "sectors", "%llu", dev->limits.capacity);
	return err ? err : xenbus_printf(xbt, node, "state", "%d", XenbusStateConnected);
}

/* What is in flight beyond the end of a disk that has shrunk, the block layer refuses. */
void xpv_blkback_disk_resize(struct xpv_blkback_device *dev)
{
	u64 sectors = capacity(dev);

	if (sectors == dev->limits.capacity)
		return;
	dev_info(&dev->xdev->dev, "the disk has %llu sectors now, it had %llu\n", sectors,
		 dev->limits.capacity);
	dev->limits.capacity = sectors;
	limit_queues(dev);
	if (xpv_xenstore_commit(write_size, dev))
		dev_warn(&dev->xdev->dev, "the frontend can't be told of it\n");
}

static int write_features(struct xenbus_transaction xbt, void *arg)
{
	struct xpv_blkback_device *dev = arg;

	return still_connected(dev, xbt) ? publish_features(dev, xbt) : 0;
}

void xpv_blkback_disk_revoke(struct xpv_blkback_device *dev, unsigned long news)
{
	if (dev->state != XPV_CONNECTED)
		return;
	if (news & BIT(XPV_BLKBACK_NO_FLUSH))
		dev->limits.flush = dev->limits.barrier = false;
	if (news & BIT(XPV_BLKBACK_NO_DISCARD))
		dev->limits.discard = false;
	if (news & BIT(XPV_BLKBACK_NO_SECURE_ERASE))
		dev->limits.secure_erase = false;
	limit_queues(dev);
	xpv_xenstore_commit(write_features, dev);
}
