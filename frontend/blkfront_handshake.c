// SPDX-License-Identifier: GPL-2.0-only
/* What each end tells the other by xenstore before the first request. */
#include "blkfront.h"

#include <linux/interrupt.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <xen/interface/io/protocols.h>
#include <xpv_xenstore.h>

/* One ring, in the device's own folder or a folder of the queue's. */
static int write_ring(struct xpv_blkfront_queue *q, struct xenbus_transaction xbt,
		      const char *folder)
{
	unsigned int i;
	int err = 0;

	if (q->nr_pages == 1)
		err = xenbus_printf(xbt, folder, "ring-ref", "%u", q->gref[0]);
	else
		xenbus_rm(xbt, folder, "ring-ref");
	for (i = 0; i < q->nr_pages && q->nr_pages > 1 && !err; i++) {
		char key[sizeof("ring-ref") + 10];

		snprintf(key, sizeof(key), "ring-ref%u", i);
		err = xenbus_printf(xbt, folder, key, "%u", q->gref[i]);
	}
	return err ? err : xenbus_printf(xbt, folder, "event-channel", "%u", q->evtchn);
}

/* A single queue lives in the device's own folder, several have folders of their own and leave that alone. */
static int write_queues(struct xpv_blkfront_dev *dev, struct xenbus_transaction xbt)
{
	const char *node = dev->xb->nodename;
	unsigned int i;
	int err;

	if (dev->nr_queues == 1) {
		xenbus_rm(xbt, node, "multi-queue-num-queues");
		return write_ring(dev->queue, xbt, node);
	}
	xenbus_rm(xbt, node, "ring-ref");
	xenbus_rm(xbt, node, "event-channel");
	err = xenbus_printf(xbt, node, "multi-queue-num-queues", "%u", dev->nr_queues);
	for (i = 0; i < dev->nr_queues && !err; i++) {
		char *folder = kasprintf(GFP_KERNEL, "%s/queue-%u", node, i);

		if (!folder)
			return -ENOMEM;
		err = write_ring(&dev->queue[i], xbt, folder);
		kfree(folder);
	}
	return err;
}

/* This or another driver may have left other keys from an earlier life: those that count are removed. */
static int write_offer(struct xenbus_transaction xbt, void *arg)
{
	struct xpv_blkfront_dev *dev = arg;
	const char *node = dev->xb->nodename;
	int err = 0;

	/* Of a single page's ring nothing is said, for backends differ in what they expect then. */
	if (dev->queue->nr_pages == 1)
		xenbus_rm(xbt, node, "ring-page-order");
	else
		err = xenbus_printf(xbt, node, "ring-page-order", "%u",
				    ilog2(dev->queue->nr_pages));
	if (!err)
		err = write_queues(dev, xbt);
	if (!err)
		err = xenbus_printf(xbt, node, "protocol", "%s", XEN_IO_PROTO_ABI_NATIVE);
	if (!err)
		err = xenbus_printf(xbt, node, "feature-persistent", "%u", dev->persistent);
	return err;
}

int xpv_blkfront_offer(struct xpv_blkfront_dev *dev)
{
	struct xenbus_device *xb = dev->xb;
	struct xpv_blkfront_queue *q;
	unsigned int order;
	int err;

	/* More rings than the disk has hardware queues would be idle. */
	dev->nr_queues = min(dev->disk ? dev->tags.nr_hw_queues : dev->max_queues,
			     xenbus_read_unsigned(xb->otherend, "multi-queue-max-queues", 1));
	dev->nr_queues = max(dev->nr_queues, 1u);
	order = min(xpv_blkfront_max_order,
		    xenbus_read_unsigned(xb->otherend, "max-ring-page-order", 0));
	dev->persistent = xpv_blkfront_persistent;
	dev->bounce = !(xpv_blkfront_trusted && xenbus_read_unsigned(xb->nodename, "trusted", 1));
	for (q = dev->queue; q < dev->queue + dev->nr_queues; q++) {
		err = xpv_blkfront_queue_open(q, order);
		if (err)
			return err;
	}

	err = xpv_xenstore_commit(write_offer, dev);
	if (err)
		return err;
	return xenbus_switch_state(xb, XenbusStateInitialised);
}

/* What the backend says of the disk, or -EINVAL if that can't be a disk, or not the one it was. */
static int read_geometry(struct xpv_blkfront_dev *dev, struct xpv_blkfront_geometry *geo)
{
	const char *back = dev->xb->otherend;
	unsigned int logical, physical;

	if (xenbus_scanf(XBT_NIL, back, "sectors", "%llu", &geo->sectors) != 1 ||
	    xenbus_scanf(XBT_NIL, back, "info", "%u", &geo->info) != 1 ||
	    xenbus_scanf(XBT_NIL, back, "sector-size", "%u", &logical) != 1)
		return -EINVAL;
	physical = xenbus_read_unsigned(back, "physical-sector-size", logical);

	if (!is_power_of_2(logical) || logical < SECTOR_SIZE || logical > PAGE_SIZE ||
	    !xpv_blkfront_sane_size(geo->sectors))
		return -EINVAL;
	/* This one is only advice. */
	if (!is_power_of_2(physical) || physical < logical || physical > SZ_1M)
		physical = logical;
	if (!dev->disk) {
		dev->limits.logical = logical;
		dev->limits.physical = physical;
	}
	/* Its users go on writing the blocks that they know. */
	return logical <= dev->limits.logical ? 0 : -EINVAL;
}

static void read_discard(struct xpv_blkfront_dev *dev)
{
	const char *back = dev->xb->otherend;
	struct xpv_disk_limits *lim = &dev->limits;

	lim->discard = xenbus_read_unsigned(back, "feature-discard", 0);
	lim->secure = lim->discard && xenbus_read_unsigned(back, "discard-secure", 0);
	lim->granularity = xenbus_read_unsigned(back, "discard-granularity", lim->physical);
	lim->alignment = xenbus_read_unsigned(back, "discard-alignment", 0);
	/* Advice as well. */
	if (!is_power_of_2(lim->granularity) || lim->granularity < lim->logical)
		lim->granularity = lim->physical;
	if (lim->alignment >= lim->granularity || lim->alignment % lim->logical)
		lim->alignment = 0;
}

static void read_features(struct xpv_blkfront_dev *dev)
{
	const char *back = dev->xb->otherend;
	u32 segs;

	segs = min(READ_ONCE(xpv_blkfront_max_segs),
		   xenbus_read_unsigned(back, "feature-max-indirect-segments", 0));
	dev->max_segs = clamp(segs, XPV_BLK_DIRECT_SEGS, XPV_BLK_MAX_SEGS);
	dev->limits.pages = dev->max_segs;

	if (xenbus_read_unsigned(back, "feature-flush-cache", 0))
		dev->flush_op = XPV_BLK_FLUSH;
	else if (xenbus_read_unsigned(back, "feature-barrier", 0))
		dev->flush_op = XPV_BLK_BARRIER;
	else
		dev->flush_op = 0;
	dev->limits.write_cache = dev->flush_op;
	read_discard(dev);

	dev->persistent = dev->persistent &&
			  xenbus_read_unsigned(back, "feature-persistent", 0);
	dev->bounce = dev->bounce || dev->persistent;
	dev->limits.packed = dev->bounce;
}

/* Each hardware queue gets its ring, in turns. */
static void assign_lanes(struct xpv_blkfront_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->tags.nr_hw_queues; i++) {
		WRITE_ONCE(dev->lane[i].q, &dev->queue[i % dev->nr_queues]);
		dev->lane[i].first = i / dev->nr_queues * dev->tags.queue_depth;
	}
	/* A ring that serves both kinds of hardware queue needs interrupts. */
	for (i = 0; i < dev->nr_queues; i++)
		dev->queue[i].polled = dev->nr_queues == dev->tags.nr_hw_queues &&
				       i >= dev->nr_queues - dev->nr_polled;
}

/* Answers come to the CPUs that ask, so that nobody has to be woken on another one. */
static void steer_interrupts(struct xpv_blkfront_dev *dev)
{
	const unsigned int *lane_of = dev->tags.map[HCTX_TYPE_DEFAULT].mq_map;
	unsigned int cpu, i;
	cpumask_var_t cpus;

	/* Without memory for it they come to where they do. */
	if (!alloc_cpumask_var(&cpus, GFP_NOIO))
		return;
	for (i = 0; i < dev->nr_queues; i++) {
		cpumask_clear(cpus);
		for_each_possible_cpu(cpu)
			if (lane_of[cpu] % dev->nr_queues == i)
				cpumask_set_cpu(cpu, cpus);
		if (cpumask_intersects(cpus, cpu_online_mask))
			irq_set_affinity(dev->queue[i].irq, cpus);
	}
	free_cpumask_var(cpus);
}

int xpv_blkfront_connect(struct xpv_blkfront_dev *dev)
{
	struct xpv_blkfront_geometry geo;
	struct xpv_blkfront_queue *q;
	unsigned int depth, lanes = 1;
	bool fresh = false;
	int err;

	err = read_geometry(dev, &geo);
	if (err)
		return err;
	read_features(dev);
	depth = dev->queue->ring.size;
	if (dev->disk) {
		depth = dev->tags.queue_depth;
		lanes = DIV_ROUND_UP(dev->tags.nr_hw_queues, dev->nr_queues);
	}
	for (q = dev->queue; q < dev->queue + dev->nr_queues; q++) {
		err = xpv_blkfront_queue_start(q, lanes * depth);
		if (err)
			return err;
	}

	if (dev->disk) {
		set_disk_ro(dev->disk, geo.info & XPV_VDISK_READONLY);
		set_capacity_and_notify(dev->disk, geo.sectors);
	} else {
		err = xpv_blkfront_disk_make(dev, &geo, depth);
		if (err)
			return err;
		fresh = true;
	}
	assign_lanes(dev);
	steer_interrupts(dev);
	if (fresh)
		schedule_work(&dev->add);
	dev_info(&dev->xb->dev, "%s: %u x %u requests of %u pages, %s%s%s%s\n", dev->name,
		 dev->nr_queues, dev->queue->ring.size, dev->max_segs,
		 dev->persistent ? "persistent grants" : dev->bounce ? "bounced" : "direct",
		 dev->flush_op == XPV_BLK_FLUSH ? ", flush" : "",
		 dev->flush_op == XPV_BLK_BARRIER ? ", barrier" : "",
		 dev->limits.secure ? ", discard and erase" : dev->limits.discard ? ", discard" : "");
	err = xenbus_switch_state(dev->xb, XenbusStateConnected);
	xpv_blkfront_thaw(dev);
	if (!fresh)
		schedule_work(&dev->adapt);
	return err;
}
