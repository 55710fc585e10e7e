// SPDX-License-Identifier: GPL-2.0-only
/* The module, the names of disks, and the disks themselves. */
#include "blkfront.h"

#include <linux/hdreg.h>
#include <linux/major.h>
#include <linux/module.h>
#include <xen/interface/io/xenbus.h>
#include <xen/platform_pci.h>
#include <xen/xen.h>
#include <xpv/version.h>
#include <xpv_disk.h>
#include <xpv_diskops.h>

/* As many as an ordinary guest's table has grants for, with the other defaults. */
#define QUEUES	4u

unsigned int xpv_blkfront_max_queues;
module_param_named(max_queues, xpv_blkfront_max_queues, uint, 0444);
MODULE_PARM_DESC(max_queues, "Most rings of a disk, each a hardware queue, at most one for each CPU (default 0: one for each CPU, up to 4)");

unsigned int xpv_blkfront_poll_queues;
module_param_named(poll_queues, xpv_blkfront_poll_queues, uint, 0444);
MODULE_PARM_DESC(poll_queues, "Rings for polled I/O, on top of max_queues if the backend takes so many, else instead of others (default 0)");

unsigned int xpv_blkfront_max_order = 2;
module_param_named(max_ring_page_order, xpv_blkfront_max_order, uint, 0444);
MODULE_PARM_DESC(max_ring_page_order, "Largest ring, as the power of two of its pages, 0 to 4 (default 2)");

unsigned int xpv_blkfront_max_segs = 32;
module_param_named(max_indirect_segments, xpv_blkfront_max_segs, uint, 0644);
MODULE_PARM_DESC(max_indirect_segments, "Most segments of 4 KiB in one request, 11 to 256, for new connections (default 32)");

bool xpv_blkfront_persistent = true;
module_param_named(feature_persistent, xpv_blkfront_persistent, bool, 0644);
MODULE_PARM_DESC(feature_persistent, "Offer backends to keep grants mapped, for new connections (default Y)");

bool xpv_blkfront_trusted = true;
module_param_named(trusted, xpv_blkfront_trusted, bool, 0644);
MODULE_PARM_DESC(trusted, "Backends may see memory other than the data, for new connections (default Y, unless the toolstack denies it)");

#define XVD_MAJOR	XENVBD_MAJOR
#define XVD_MINORS	16u		/* of a disk with an old number */
#define XVD_MINORS_EXT	256u		/* of a disk with an extended number */
#define XVD_EXTENDED	28		/* bit that tells an extended number */

static DEFINE_MUTEX(claims_lock);	/* guards claims */
static LIST_HEAD(claims);

/*
 * Numbers from before xvd had one: a family of majors, @per of them in a row, with
 * disks of 2^@shift minors each. The first disk of @major is number @base.
 */
static const struct {
	u16 major, per, shift, base;
} families[] = {
	{ XENVBD_MAJOR,		1, 4, 0 },
	{ IDE0_MAJOR,		1, 6, 0 },
	{ IDE1_MAJOR,		1, 6, 2 },
	{ SCSI_DISK0_MAJOR,	1, 4, 0 },
	{ SCSI_DISK1_MAJOR,	7, 4, 16 },
	{ SCSI_DISK8_MAJOR,	8, 4, 128 },
};

/* Which disk, and which partition of it (0: all of it), device @vdev is. */
static int decode(unsigned int vdev, unsigned int *disk, unsigned int *part)
{
	unsigned int i, major = vdev >> 8, minor = vdev & 0xff;

	if (vdev >> XVD_EXTENDED == 1) {
		*disk = (vdev & GENMASK(XVD_EXTENDED - 1, 0)) / XVD_MINORS_EXT;
		*part = vdev % XVD_MINORS_EXT;
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		unsigned int nth = major - families[i].major;

		if (nth >= families[i].per)
			continue;
		*disk = families[i].base + ((nth << 8 | minor) >> families[i].shift);
		*part = minor & GENMASK(families[i].shift - 1, 0);
		/* An IDE disk had room for more partitions than xvd gives it. */
		return *part < XVD_MINORS ? 0 : -ENODEV;
	}
	return -ENODEV;
}

/* xvda to xvdz, xvdaa and so on, and the partition's number if it is one. */
static void name_disk(struct xpv_blkfront_dev *dev, unsigned int disk, unsigned int part)
{
	char letters[8], *p = letters + sizeof(letters) - 1;

	*p = '\0';
	for (disk++; disk && p > letters; disk /= 26) {
		disk--;
		*--p = 'a' + disk % 26;
	}
	if (part)
		snprintf(dev->name, sizeof(dev->name), "xvd%s%u", p, part);
	else
		snprintf(dev->name, sizeof(dev->name), "xvd%s", p);
}

int xpv_blkfront_claim(struct xpv_blkfront_dev *dev, unsigned int vdev)
{
	unsigned int per = vdev >> XVD_EXTENDED ? XVD_MINORS_EXT : XVD_MINORS;
	struct xpv_blkfront_dev *other;
	unsigned int disk, part;
	int err;

	err = decode(vdev, &disk, &part);
	if (err)
		return err;
	dev->minor = disk * per + part;
	dev->nr_minors = part ? 1 : per;
	if (dev->minor + dev->nr_minors > 1u << MINORBITS)
		return -ENODEV;
	name_disk(dev, disk, part);

	mutex_lock(&claims_lock);
	list_for_each_entry(other, &claims, list)
		if (dev->minor < other->minor + other->nr_minors &&
		    other->minor < dev->minor + dev->nr_minors)
			err = -EBUSY;
	if (!err)
		list_add(&dev->list, &claims);
	mutex_unlock(&claims_lock);
	return err;
}

void xpv_blkfront_unclaim(struct xpv_blkfront_dev *dev)
{
	mutex_lock(&claims_lock);
	list_del(&dev->list);
	mutex_unlock(&claims_lock);
}

bool xpv_blkfront_sane_size(u64 sectors)
{
	return sectors <= LLONG_MAX >> SECTOR_SHIFT;
}

/* There is no geometry; what partitioning tools ask for is derived from the size. */
static int getgeo(xpv_getgeo_arg *arg, struct hd_geometry *geo)
{
	enum { HEADS = 255, TRACK = 63 };	/* the most that there can be */
	u64 cylinders = div_u64(get_capacity(xpv_getgeo_disk(arg)), HEADS * TRACK);

	/* Where it begins is there already. */
	geo->cylinders = (u16)min_t(u64, cylinders, U16_MAX);
	geo->heads = HEADS;
	geo->sectors = TRACK;
	return 0;
}

/*
 * No operation looks at the disk's private data: a disk that somebody holds
 * open outlives its device.
 */
static const struct block_device_operations disk_ops = {
	.owner = THIS_MODULE,
	.getgeo = getgeo,
};

int xpv_blkfront_disk_make(struct xpv_blkfront_dev *dev, const struct xpv_blkfront_geometry *geo,
			   unsigned int depth)
{
	struct blk_mq_tag_set *tags = &dev->tags;
	struct gendisk *disk;
	int err;

	memset(tags, 0, sizeof(*tags));
	tags->ops = &xpv_blkfront_mq_ops;
	/* Interrupts serve the first, and all I/O that isn't polled. */
	dev->nr_polled = min(xpv_blkfront_poll_queues, dev->nr_queues - 1);
	tags->nr_hw_queues = dev->nr_queues;
	tags->nr_maps = dev->nr_polled ? HCTX_MAX_TYPES : 1;
	tags->queue_depth = depth;
	tags->numa_node = NUMA_NO_NODE;
	tags->cmd_size = sizeof(struct xpv_blkfront_outcome);
	/* The disk that has an order worth keeping is the backend's, and so is its scheduler. */
	tags->flags = XPV_DISK_TAG_FLAGS | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	tags->driver_data = dev;
	err = blk_mq_alloc_tag_set(tags);
	if (err)
		return err;

	disk = xpv_disk_alloc(tags, NULL, &dev->limits);
	if (IS_ERR(disk)) {
		err = PTR_ERR(disk);
		goto err_tags;
	}
	strscpy(disk->disk_name, dev->name, sizeof(disk->disk_name));
	disk->major = XVD_MAJOR;
	disk->first_minor = dev->minor;
	disk->minors = dev->nr_minors;
	disk->fops = &disk_ops;
	if (geo->info & XPV_VDISK_REMOVABLE)
		disk->flags |= GENHD_FL_REMOVABLE;
	if (geo->info & XPV_VDISK_READONLY)
		set_disk_ro(disk, true);
	set_capacity(disk, geo->sectors);
	dev->disk = disk;
	return 0;

err_tags:
	blk_mq_free_tag_set(tags);
	return err;
}

/*
 * Not done by whoever connects, which is the one thread that hears of all backends: reading
 * the partitions waits for this backend's answers, and it may give none.
 */
void xpv_blkfront_disk_add(struct work_struct *work)
{
	struct xpv_blkfront_dev *dev = container_of(work, struct xpv_blkfront_dev, add);

	if (device_add_disk(&dev->xb->dev, dev->disk, NULL))
		xpv_blkfront_fail(dev, "cannot register the disk");
	else
		dev->added = true;
	WRITE_ONCE(dev->settled, true);
}

/*
 * Not done by whoever unbinds the device: it waits for this backend's answers as well, until the queues
 * are stopped.
 */
void xpv_blkfront_disk_retire(struct work_struct *work)
{
	struct xpv_blkfront_dev *dev = container_of(work, struct xpv_blkfront_dev, retire);

	flush_work(&dev->add);
	if (dev->added)
		del_gendisk(dev->disk);
	dev->added = false;
	complete_all(&dev->retired);
}

/*
 * Not done by whoever finds that the backend gave something up, nor by whoever connects: it
 * waits for requests. Until it is done, requests beyond the limits still come.
 */
void xpv_blkfront_disk_adapt(struct work_struct *work)
{
	struct xpv_blkfront_dev *dev = container_of(work, struct xpv_blkfront_dev, adapt);

	xpv_disk_update(dev->disk, &dev->limits);
}

void xpv_blkfront_disk_kill(struct xpv_blkfront_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	WRITE_ONCE(dev->settled, true);
	if (!dev->disk)
		return;
	flush_work(&dev->retire);
	cancel_work_sync(&dev->add);
	cancel_work_sync(&dev->adapt);
	if (dev->added) {
		blk_mark_disk_dead(dev->disk);
		del_gendisk(dev->disk);
		dev->added = false;
	}
	put_disk(dev->disk);
	blk_mq_free_tag_set(&dev->tags);
	dev->disk = NULL;
}

static int __init init(void)
{
	int err;

	if (!xen_domain() || !xen_has_pv_disk_devices())
		return -ENODEV;
	if (!xpv_blkfront_max_queues)
		xpv_blkfront_max_queues = min(num_online_cpus(), QUEUES);
	xpv_blkfront_max_queues = min(xpv_blkfront_max_queues, nr_cpu_ids);
	xpv_blkfront_poll_queues = min(xpv_blkfront_poll_queues, nr_cpu_ids);
	xpv_blkfront_max_queues += xpv_blkfront_poll_queues;
	xpv_blkfront_max_order = min(xpv_blkfront_max_order, XPV_RING_MAX_ORDER);

	err = register_blkdev(XVD_MAJOR, "xvd");
	if (err)
		return err;
	xpv_blkfront_debugfs_init();
	err = xenbus_register_frontend(&xpv_blkfront_driver);
	if (err)
		goto err_debugfs;
	return 0;

err_debugfs:
	xpv_blkfront_debugfs_exit();
	unregister_blkdev(XVD_MAJOR, "xvd");
	return err;
}
module_init(init);

static void __exit fini(void)
{
	xenbus_unregister_driver(&xpv_blkfront_driver);
	xpv_blkfront_debugfs_exit();
	unregister_blkdev(XVD_MAJOR, "xvd");
}
module_exit(fini);

MODULE_DESCRIPTION("Xen virtual disks, the guest's end");
MODULE_LICENSE("GPL");
MODULE_VERSION(XPV_VERSION);
MODULE_ALIAS("xen:vbd");
MODULE_ALIAS("xenblk");
MODULE_ALIAS_BLOCKDEV_MAJOR(XVD_MAJOR);
