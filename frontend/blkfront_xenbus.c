// SPDX-License-Identifier: GPL-2.0-only
/* Coming and going: the device's states, and what the backend's mean for them. */
#include "blkfront.h"

#include <linux/delay.h>
#include <linux/major.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <xen/platform_pci.h>
#include <xen/xen.h>

/* How long a device that goes away waits for its backend to let go of the memory. */
#define GOODBYE_MS	5000
#define GOODBYE_STEP_MS	10

/* How long the guest is kept from being suspended, by all disks, while requests are on their way. xl waits for a minute. */
#define LAST_ANSWERS	(10 * HZ)

#define RETIRE_STEP	(HZ / 10)	/* from one look at the backend to the next, while the disk is retired */

/* From one connection to the next: a backend that comes and goes all the time doesn't keep us busy. */
#define PACE	(2 * HZ)

#define MAJOR_OF(vdev)	((vdev) >> 8)

/* From any state. Requests fail from here on, and no one waits for the backend. */
static void disconnect(struct xpv_blkfront_dev *dev)
{
	xpv_blkfront_stop(dev, false);
	xpv_blkfront_disk_kill(dev);
}

/*
 * Memory that was granted goes when the backend has let go of it, or has had its time for that. Returns
 * whether it has.
 */
static bool give_back(struct xpv_blkfront_dev *dev)
{
	struct xpv_blkfront_queue *q;
	bool ended = true;

	for (q = dev->queue; q < dev->queue + dev->nr_queues; q++)
		ended &= xpv_blkfront_queue_close(q);
	return ended;
}

/*
 * The backend has let go of everything: ask it for another connection, which what is unanswered waits for. One
 * that has not is asked for none, each of which would cost us more memory.
 */
static int start_again(struct xpv_blkfront_dev *dev)
{
	xpv_blkfront_stop(dev, true);
	if (!give_back(dev)) {
		dev_warn(&dev->xb->dev, "backend keeps pages mapped\n");
		return -EBUSY;
	}
	dev->begun = jiffies;
	return xenbus_switch_state(dev->xb, XenbusStateInitialising);
}

static int enter(void *arg, enum xpv_state next)
{
	struct xpv_blkfront_dev *dev = arg;

	switch (next) {
	case XPV_INITIALISING:
		return start_again(dev);
	case XPV_INITIALISED:
		return xpv_blkfront_offer(dev);
	case XPV_CONNECTED:
		return xpv_blkfront_connect(dev);
	case XPV_CLOSING:
		if (dev->over)
			disconnect(dev);
		else
			xpv_blkfront_halt(dev);
		/* Whether or not the store takes it: this connection is at its end. */
		xenbus_switch_state(dev->xb, XenbusStateClosing);
		return 0;
	case XPV_CLOSED:
		xenbus_switch_state(dev->xb, XenbusStateClosed);
		return 0;
	default:
		return -EINVAL;
	}
}

/* Close the device for good. Idempotent. */
static void finish(struct xpv_blkfront_dev *dev)
{
	unsigned int noio;

	lockdep_assert_held(&dev->lock);
	if (dev->over)
		return;
	dev->over = true;
	noio = memalloc_noio_save();
	/* While it waits for a backend it is Closed already. */
	if (dev->state == XPV_CLOSED)
		disconnect(dev);
	xpv_walk_state(&dev->state, XPV_CLOSED, enter, dev);
	memalloc_noio_restore(noio);
	/* Whoever shuts the machine down waits for this. */
	xenbus_frontend_closed(dev->xb);
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
		finish(dev);
	}
	memalloc_noio_restore(noio);
}

static void fail_work(struct work_struct *work)
{
	struct xpv_blkfront_dev *dev = container_of(work, struct xpv_blkfront_dev, fail);

	mutex_lock(&dev->lock);
	if (!dev->over) {
		xenbus_dev_fatal(dev->xb, -EPROTO, "%s", dev->complaint);
		finish(dev);
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
	unsigned int noio;
	u64 sectors;

	if (xenbus_scanf(XBT_NIL, dev->xb->otherend, "sectors", "%llu", &sectors) != 1 ||
	    !xpv_blkfront_sane_size(sectors))
		return;
	/* Who waits for this disk while it tells of it could not be told that its backend has gone. */
	noio = memalloc_noio_save();
	set_capacity_and_notify(dev->disk, sectors);
	memalloc_noio_restore(noio);
}

/*
 * Go where the backend sends us. A disk outlives it as long as the toolstack wants the
 * device, and says so by the backend's `online`; with no disk there is nothing to keep.
 */
static void go(struct xpv_blkfront_dev *dev, enum xpv_state back)
{
	bool online = xenbus_read_unsigned(dev->xb->otherend, "online", 0);
	enum xpv_state target = xpv_front_outlive(dev->state, back, online);
	unsigned long due = dev->begun + PACE;

	if (target == XPV_CLOSED) {
		if (!online || !dev->disk) {
			finish(dev);
			return;
		}
		set_state(dev, target);
		target = xpv_front_outlive(dev->state, back, online);
	}
	if (target == XPV_INITIALISING && dev->state == XPV_CLOSED && time_before(jiffies, due))
		/* Not while the system sleeps: the other end may be another one then. */
		queue_delayed_work(system_freezable_wq, &dev->again, due - jiffies);
	else
		set_state(dev, target);
}

static void follow(struct xpv_blkfront_dev *dev, enum xpv_state back)
{
	mutex_lock(&dev->lock);
	if (dev->state == XPV_CONNECTED && back == XPV_CONNECTED)
		resize(dev);
	else if (!dev->over)
		go(dev, back);
	if (dev->over && (back == XPV_CLOSED || back == XPV_UNKNOWN))
		give_back(dev);
	mutex_unlock(&dev->lock);
}

static void again_work(struct work_struct *work)
{
	struct xpv_blkfront_dev *dev = container_of(work, struct xpv_blkfront_dev, again.work);

	follow(dev, xenbus_read_unsigned(dev->xb->otherend, "state", XPV_UNKNOWN));
}

static void otherend_changed(struct xenbus_device *xb, enum xenbus_state state)
{
	follow(dev_get_drvdata(&xb->dev), (enum xpv_state)state);
}

/* An IDE or SCSI name, and the device model has not been told to let go of those. */
static bool is_legacy(unsigned int vdev)
{
	return !(vdev >> 28) && MAJOR_OF(vdev) != XENVBD_MAJOR && xen_has_pv_and_legacy_disk_devices();
}

/* Is @vdev one that no device model emulates as well? PVH guests have none. */
static int check_hvm(struct xenbus_device *xb, unsigned int vdev)
{
	bool emulated = true;
	char *kind;

	if (!xen_hvm_domain() || xen_pvh_domain())
		return 0;
	kind = xenbus_read(XBT_NIL, xb->nodename, "device-type", NULL);
	if (!IS_ERR(kind)) {
		emulated = !strcmp(kind, "cdrom") || is_legacy(vdev);
		kfree(kind);
	}
	return emulated ? -ENODEV : 0;
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
	dev->begun = jiffies - PACE;
	/* The last part of the path, a number in 16 bits for all but extended devices. */
	dev->handle = simple_strtoul(kbasename(xb->nodename), NULL, 0);
	mutex_init(&dev->lock);
	INIT_WORK(&dev->add, xpv_blkfront_disk_add);
	INIT_DELAYED_WORK(&dev->again, again_work);
	INIT_WORK(&dev->retire, xpv_blkfront_disk_retire);
	init_completion(&dev->retired);
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
	xpv_blkfront_debugfs_add(dev);
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

static unsigned int back_state(struct xpv_blkfront_dev *dev)
{
	/* There is none, if the other end of a resume could not be found. */
	if (!dev->xb->otherend)
		return XPV_UNKNOWN;
	return xenbus_read_unsigned(dev->xb->otherend, "state", XPV_UNKNOWN);
}

/*
 * A disk that works is taken from its users in peace: what they have written goes to the backend before
 * we leave it. That may last, and ends early if the backend leaves, of which no watch tells any more, or
 * if whoever waits here is killed. Nobody has the time if the toolstack has removed the node.
 */
static void retire(struct xpv_blkfront_dev *dev)
{
	bool works;

	mutex_lock(&dev->lock);
	works = dev->state == XPV_CONNECTED && !dev->over &&
		xenbus_exists(XBT_NIL, dev->xb->nodename, "state");
	if (works)
		queue_work(system_long_wq, &dev->retire);
	mutex_unlock(&dev->lock);

	while (works && back_state(dev) == XPV_CONNECTED &&
	       !wait_for_completion_killable_timeout(&dev->retired, RETIRE_STEP))
		;
}

/* Until the backend has unmapped everything, so that it all can be freed now, and not for ever. */
static void wait_goodbye(struct xpv_blkfront_dev *dev)
{
	unsigned int ms;

	for (ms = 0; ms < GOODBYE_MS; ms += GOODBYE_STEP_MS) {
		unsigned int back = back_state(dev);

		if (back == XPV_CLOSED || back == XPV_UNKNOWN)
			break;
		msleep(GOODBYE_STEP_MS);
	}
}

static void remove(struct xenbus_device *xb)
{
	struct xpv_blkfront_dev *dev = dev_get_drvdata(&xb->dev);

	xpv_blkfront_debugfs_remove(dev);
	retire(dev);
	mutex_lock(&dev->lock);
	finish(dev);
	mutex_unlock(&dev->lock);
	/* No interrupt, no watch and no disk is left to schedule them again. */
	cancel_delayed_work_sync(&dev->again);
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
 * The guest is about to stop, and will run elsewhere while this backend still does what it finds on the
 * ring: later than what is issued there again, if the backend takes its time, as it does by a limit. So
 * nothing is to be found, if it can be had; users are frozen already. Requests that come all the same
 * are not halted: should the guest not be suspended after all, nobody would tell us.
 */
static int suspend(struct xenbus_device *xb)
{
	struct xpv_blkfront_dev *dev = dev_get_drvdata(&xb->dev);
	/* Of this suspend, whose devices come one right after the other. */
	static unsigned long end, last;
	bool idle;

	if (!end || time_after(jiffies, last + HZ / 10))
		end = jiffies + LAST_ANSWERS;
	for (;;) {
		mutex_lock(&dev->lock);
		idle = xpv_blkfront_idle(dev);
		mutex_unlock(&dev->lock);
		if (idle || time_after(jiffies, end))
			break;
		msleep(GOODBYE_STEP_MS);
	}
	last = jiffies;
	return 0;
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
	if (dev->over) {
		xenbus_frontend_closed(xb);
	} else {
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
	.suspend = suspend,
	.resume = resume,
	.otherend_changed = otherend_changed,
	.is_ready = is_ready,
};
