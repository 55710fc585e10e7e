// SPDX-License-Identifier: GPL-2.0-only
/* Coming and going: the handshake with the backend, and the device's states. */
#include "blkfront.h"

#include <linux/delay.h>
#include <linux/log2.h>
#include <linux/major.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <xen/interface/io/protocols.h>
#include <xen/platform_pci.h>
#include <xen/xen.h>

/* How long a device that goes away waits for its backend to let go of the memory. */
#define GOODBYE_MS	5000
#define GOODBYE_STEP_MS	10

#define MAJOR_OF(vdev)	((vdev) >> 8)

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
static int write_offer(struct xpv_blkfront_dev *dev, struct xenbus_transaction xbt)
{
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

/* Make the rings and tell the backend of them. */
static int offer(struct xpv_blkfront_dev *dev)
{
	struct xenbus_device *xb = dev->xb;
	struct xpv_blkfront_queue *q;
	struct xenbus_transaction xbt;
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

	do {
		err = xenbus_transaction_start(&xbt);
		if (err)
			return err;
		err = write_offer(dev, xbt);
		if (err) {
			xenbus_transaction_end(xbt, 1);
			return err;
		}
		err = xenbus_transaction_end(xbt, 0);
	} while (err == -EAGAIN);
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

	segs = min(xpv_blkfront_max_segs,
		   xenbus_read_unsigned(back, "feature-max-indirect-segments", 0));
	dev->max_segs = max(segs, XPV_BLK_DIRECT_SEGS);
	dev->limits.segs = dev->max_segs;

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
}

/* Each hardware queue gets its ring, in turns. */
static void assign_lanes(struct xpv_blkfront_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->tags.nr_hw_queues; i++) {
		dev->lane[i].q = &dev->queue[i % dev->nr_queues];
		dev->lane[i].first = i / dev->nr_queues * dev->tags.queue_depth;
	}
}

/* The backend has our rings: start them, and make the disk or wake up the one there is. */
static int connect(struct xpv_blkfront_dev *dev)
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

/* From any state. Requests fail from here on, and no one waits for the backend. */
static void disconnect(struct xpv_blkfront_dev *dev)
{
	xpv_blkfront_stop(dev, false);
	xpv_blkfront_disk_kill(dev);
}

/* Memory that was granted goes when the backend has let go of it, or has had its time for that. */
static void give_back(struct xpv_blkfront_dev *dev)
{
	struct xpv_blkfront_queue *q;

	for (q = dev->queue; q < dev->queue + dev->nr_queues; q++)
		xpv_blkfront_queue_close(q);
}

static int enter(void *arg, enum xpv_state next)
{
	struct xpv_blkfront_dev *dev = arg;

	switch (next) {
	case XPV_INITIALISED:
		return offer(dev);
	case XPV_CONNECTED:
		return connect(dev);
	case XPV_CLOSING:
		disconnect(dev);
		/* Whether or not the store takes it: there is no way back. */
		xenbus_switch_state(dev->xb, XenbusStateClosing);
		return 0;
	case XPV_CLOSED:
		xenbus_frontend_closed(dev->xb);
		return 0;
	default:
		return -EINVAL;
	}
}

static void set_state(struct xpv_blkfront_dev *dev, enum xpv_state target)
{
	unsigned int noio;
	int err;

	lockdep_assert_held(&dev->lock);
	/* The memory to connect with may have to be won by writing to this very disk. */
	noio = memalloc_noio_save();
	err = xpv_walk_state(&dev->state, target, enter, dev);
	if (err) {
		xenbus_dev_fatal(dev->xb, err, "cannot connect");
		xpv_walk_state(&dev->state, XPV_CLOSED, enter, dev);
	}
	memalloc_noio_restore(noio);
}

static void fail_work(struct work_struct *work)
{
	struct xpv_blkfront_dev *dev = container_of(work, struct xpv_blkfront_dev, fail);

	mutex_lock(&dev->lock);
	if (dev->state != XPV_CLOSED) {
		xenbus_dev_fatal(dev->xb, -EPROTO, "%s", dev->complaint);
		set_state(dev, XPV_CLOSED);
	}
	mutex_unlock(&dev->lock);
}

void xpv_blkfront_fail(struct xpv_blkfront_dev *dev, const char *complaint)
{
	if (!cmpxchg(&dev->complaint, NULL, complaint))
		schedule_work(&dev->fail);
}

/* Connected once more is how a backend says that the disk has another size. */
static void resize(struct xpv_blkfront_dev *dev)
{
	u64 sectors;

	if (xenbus_scanf(XBT_NIL, dev->xb->otherend, "sectors", "%llu", &sectors) != 1 ||
	    !xpv_blkfront_sane_size(sectors))
		return;
	set_capacity_and_notify(dev->disk, sectors);
}

static void otherend_changed(struct xenbus_device *xb, enum xenbus_state state)
{
	struct xpv_blkfront_dev *dev = dev_get_drvdata(&xb->dev);
	enum xpv_state back = (enum xpv_state)state;

	mutex_lock(&dev->lock);
	if (dev->state == XPV_CONNECTED && back == XPV_CONNECTED)
		resize(dev);
	else
		set_state(dev, xpv_front_target(dev->state, back));
	if (dev->state == XPV_CLOSED && (back == XPV_CLOSED || back == XPV_UNKNOWN))
		give_back(dev);
	mutex_unlock(&dev->lock);
}

/* Is @vdev one that this guest's firmware does not emulate as well? */
static int check_hvm(struct xenbus_device *xb, unsigned int vdev)
{
	bool cdrom;
	char *type;

	if (!xen_hvm_domain())
		return 0;
	if (xen_has_pv_and_legacy_disk_devices() && !(vdev >> 28) &&
	    MAJOR_OF(vdev) != XENVBD_MAJOR)
		return -ENODEV;
	type = xenbus_read(XBT_NIL, xb->nodename, "device-type", NULL);
	if (IS_ERR(type))
		return -ENODEV;
	cdrom = !strcmp(type, "cdrom");
	kfree(type);
	return cdrom ? -ENODEV : 0;
}

static int make_queues(struct xpv_blkfront_dev *dev)
{
	struct xpv_blkfront_queue *q;

	dev->max_queues = xpv_blkfront_max_queues;
	dev->queue = kcalloc(dev->max_queues, sizeof(*dev->queue), GFP_KERNEL);
	dev->lane = kcalloc(dev->max_queues, sizeof(*dev->lane), GFP_KERNEL);
	if (!dev->queue || !dev->lane)
		return -ENOMEM;
	for (q = dev->queue; q < dev->queue + dev->max_queues; q++) {
		q->dev = dev;
		q->refuse = BLK_STS_IOERR;
		spin_lock_init(&q->lock);
	}
	return 0;
}

static int probe(struct xenbus_device *xb, const struct xenbus_device_id *id)
{
	struct xpv_blkfront_dev *dev;
	unsigned int vdev;
	int err;

	if (xenbus_scanf(XBT_NIL, xb->nodename, "virtual-device", "%i", &vdev) != 1 &&
	    xenbus_scanf(XBT_NIL, xb->nodename, "virtual-device-ext", "%i", &vdev) != 1)
		return -EINVAL;
	err = check_hvm(xb, vdev);
	if (err)
		return err;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return -ENOMEM;
	dev->xb = xb;
	dev->state = XPV_INITIALISING;
	/* The last part of the path, a number in 16 bits for all but extended devices. */
	dev->handle = simple_strtoul(kbasename(xb->nodename), NULL, 0);
	mutex_init(&dev->lock);
	INIT_WORK(&dev->add, xpv_blkfront_disk_add);
	INIT_WORK(&dev->adapt, xpv_blkfront_disk_adapt);
	INIT_WORK(&dev->fail, fail_work);
	err = make_queues(dev);
	if (err)
		goto err_queues;
	err = xpv_blkfront_claim(dev, vdev);
	if (err)
		goto err_queues;
	dev_set_drvdata(&xb->dev, dev);
	/* A device that another driver, or this one, has closed before: ask for a new start. */
	err = xenbus_switch_state(xb, XenbusStateInitialising);
	if (err)
		goto err_claim;
	return 0;

err_claim:
	dev_set_drvdata(&xb->dev, NULL);
	xpv_blkfront_unclaim(dev);
err_queues:
	kfree(dev->lane);
	kfree(dev->queue);
	kfree(dev);
	return err;
}

/* Until the backend has unmapped everything, so that it all can be freed now, and not for ever. */
static void wait_goodbye(struct xpv_blkfront_dev *dev)
{
	unsigned int ms;

	for (ms = 0; ms < GOODBYE_MS; ms += GOODBYE_STEP_MS) {
		unsigned int back = xenbus_read_unsigned(dev->xb->otherend, "state", XPV_UNKNOWN);

		if (back == XPV_CLOSED || back == XPV_UNKNOWN)
			break;
		msleep(GOODBYE_STEP_MS);
	}
}

static void remove(struct xenbus_device *xb)
{
	struct xpv_blkfront_dev *dev = dev_get_drvdata(&xb->dev);

	mutex_lock(&dev->lock);
	set_state(dev, XPV_CLOSED);
	mutex_unlock(&dev->lock);
	/* No interrupt, and no disk, is left to schedule it again. */
	cancel_work_sync(&dev->fail);

	if (dev->queue->page)
		wait_goodbye(dev);
	give_back(dev);
	dev_set_drvdata(&xb->dev, NULL);
	xpv_blkfront_unclaim(dev);
	kfree(dev->lane);
	kfree(dev->queue);
	kfree(dev);
}

/*
 * The guest runs again, elsewhere or from a file: backend, grants and event channels are new
 * ones. The disk stays, its requests wait, and those the old backend has not answered
 * are issued to the new one.
 */
static int resume(struct xenbus_device *xb)
{
	struct xpv_blkfront_dev *dev = dev_get_drvdata(&xb->dev);

	mutex_lock(&dev->lock);
	if (dev->state != XPV_CLOSED) {
		xpv_blkfront_stop(dev, true);
		give_back(dev);
		/* xenbus has put its own idea of the state there already. */
		dev->state = XPV_INITIALISING;
	}
	mutex_unlock(&dev->lock);
	return 0;
}

/* Those who load the module wait for the disks; a disk that failed is not waited for. */
static int is_ready(struct xenbus_device *xb)
{
	struct xpv_blkfront_dev *dev = dev_get_drvdata(&xb->dev);

	return !dev || READ_ONCE(dev->settled);
}

static const struct xenbus_device_id ids[] = {
	{ "vbd" },
	{ "" }
};

struct xenbus_driver xpv_blkfront_driver = {
	.name = "xpv-vbd",
	.ids = ids,
	.probe = probe,
	.remove = remove,
	.resume = resume,
	.otherend_changed = otherend_changed,
	.is_ready = is_ready,
};
