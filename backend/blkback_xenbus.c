// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device in xenstore: what is offered to the frontend, what it chose, and the states.
 *
 *   Initialising   probed
 *   InitWait       features are published; the hotplug script may come, and names the disk
 *   Connected      the disk is open, the frontend's ring is mapped and served
 *   Closing        the frontend is leaving, or something went wrong; a ring is served still
 *   Closed         disconnected; the frontend may start again, the disk stays open until it is gone
 *
 * The frontend's states come by its watch, the disk by one on physical-device; either may be
 * first. libxl removes the nodes, never we.
 *
 * Watches are called by xenwatch, one thread for all devices of this machine. They leave word
 * for the device's own work, which may wait for the disk, and does all the rest.
 */
#include "blkback.h"

#include <linux/kdev_t.h>
#include <linux/slab.h>
#include <linux/timer.h>

#include <xpv_bus.h>

/* Where all devices' works run, side by side. */
static struct workqueue_struct *works;

/* How many there are, those that only wait for their disks among them; and who waits for the last to be freed. */
static atomic_t devices;
static DECLARE_WAIT_QUEUE_HEAD(all_freed);

/* To the log and to xenstore, but not as often as a peer can make us. */
#define complain(dev, err, ...)						\
	do {								\
		if (__ratelimit(&(dev)->complaints))			\
			xenbus_dev_error((dev)->xdev, err, __VA_ARGS__);	\
	} while (0)

/* Reclaim goes on for as long as it takes, and calls all the time. */
#define SQUEEZE_INTERVAL	(HZ / 10)

/* From one look whether the node of a device that is unbound is still there to the next. */
#define LOOK_INTERVAL	(HZ / 10)

/*
 * Connections that fail are tried once a second, but so many at once: those who map a ring log each
 * that can't be mapped, and a peer can say that it has one as often as it likes.
 */
#define RETRY_PACE	HZ
#define RETRY_BURST	16

static void disconnect(struct xpv_blkback_device *dev)
{
	unsigned int i;

	for (i = dev->nr_queues; i-- > 0;)
		xpv_blkback_queue_disconnect(dev->queue[i]);
	dev->nr_queues = 0;
	gnttab_page_cache_shrink(&dev->pages, 0);
}

/* Queue @i, of those in @choice. With several, each has a folder. */
static int connect_queue(struct xpv_blkback_device *dev, const struct xpv_blkback_choice *choice,
			 unsigned int i)
{
	struct xpv_blkback_ring_info info;
	char *dir = choice->queues == 1 ? kstrdup(dev->front_node, GFP_KERNEL) :
		    kasprintf(GFP_KERNEL, "%s/queue-%u", dev->front_node, i);
	int err = dir ? xpv_blkback_read_ring(dir, choice->order, &info) : -ENOMEM;

	kfree(dir);
	if (err)
		return err;
	if (!dev->queue[i]) {
		struct xpv_blkback_queue *q = xpv_blkback_queue_make(dev, i);

		if (!q)
			return -ENOMEM;
		/* Pairs with the acquire of those who read statistics. */
		smp_store_release(&dev->queue[i], q);
	}
	return xpv_blkback_queue_connect(dev->queue[i], &info);
}

static int connect_queues(struct xpv_blkback_device *dev, const struct xpv_blkback_choice *choice)
{
	int err = 0;

	dev->persistent = choice->persistent && READ_ONCE(xpv_blkback_domain_grants);
	while (!err && dev->nr_queues < choice->queues) {
		err = connect_queue(dev, choice, dev->nr_queues);
		if (!err)
			dev->nr_queues++;
	}
	return err;
}

static int connect(struct xpv_blkback_device *dev)
{
	struct xpv_blkback_choice choice;
	int err;

	err = xpv_blkback_negotiate(dev, &choice);
	if (err) {
		complain(dev, err, "reading %s", dev->front_node);
		return err;
	}
	/* What this kernel has cached of the disk, the guest would not see, nor may it be kept. */
	err = xpv_bdev_sync(&dev->disk);
	if (err) {
		complain(dev, err, "flushing the disk");
		return err;
	}
	/* That may have taken long enough for another device to have the node now, and its ring in it. */
	if (xpv_blkback_removed(dev))
		return -ENODEV;
	xpv_blkback_disk_measure(dev);
	err = connect_queues(dev, &choice);
	if (err) {
		complain(dev, err, "connecting to queue %u of %u", dev->nr_queues, choice.queues);
		goto err_disconnect;
	}
	err = xpv_blkback_disk_publish(dev);
	if (err) {
		complain(dev, err, "publishing the disk");
		goto err_disconnect;
	}
	return 0;

err_disconnect:
	disconnect(dev);
	return err;
}

/* A connection has failed: it counts against those to come. */
static void pace(struct xpv_blkback_device *dev)
{
	unsigned long oldest = jiffies - RETRY_BURST * RETRY_PACE;

	if (time_before(dev->retry, oldest))
		dev->retry = oldest;
	dev->retry += RETRY_PACE;
}

static int publish_state(struct xpv_blkback_device *dev, enum xpv_state state)
{
	if (xpv_blkback_removed(dev))
		return -ENODEV;
	return xenbus_switch_state(dev->xdev, (enum xenbus_state)state);
}

/* Do what @next takes, and publish it. */
static int enter(void *data, enum xpv_state next)
{
	struct xpv_blkback_device *dev = data;
	int err = 0;

	if (next == XPV_CONNECTED) {
		err = xpv_blkback_removed(dev) ? -ENODEV : connect(dev);
		if (err)
			pace(dev);
	} else if (next == XPV_CLOSED) {
		disconnect(dev);
		if (dev->gone) {
			/* The toolstack's script may take the disk away as soon as we are Closed. */
			xpv_blkback_disk_close(dev);
			/* Pairs with the acquire in own_changed(), which this state calls. */
			smp_store_release(&dev->done, true);
		}
	}
	return err ?: publish_state(dev, next);
}

/* The device can't go on. The frontend sees it, and closes or starts again. */
static void fail(struct xpv_blkback_device *dev)
{
	publish_state(dev, XPV_CLOSING);
	dev->state = XPV_CLOSING;
}

/* Every change of the state goes this way, or by fail(). */
static void set_state(struct xpv_blkback_device *dev, enum xpv_state target)
{
	/* With no disk yet there is nothing to connect to: the script will come. Or it is too soon. */
	if (target == XPV_CONNECTED && dev->state != XPV_CONNECTED &&
	    (!dev->disk.bdev || time_after(dev->retry, jiffies)))
		target = XPV_INIT_WAIT;
	if (xpv_walk_state(&dev->state, target, enter, dev))
		fail(dev);
}

/* A queue's thread found its ring broken; it takes nothing more from it. */
static void close_broken(struct xpv_blkback_device *dev)
{
	unsigned int i;

	if (dev->state != XPV_CONNECTED)
		return;
	for (i = 0; i < dev->nr_queues; i++) {
		if (!xpv_ring_broken(&dev->queue[i]->ring))
			continue;
		complain(dev, -EPROTO, "the frontend's ring %u can't be true", i);
		fail(dev);
		return;
	}
}

/* The script has named the disk, if there is anything to read yet. */
static void find_disk(struct xpv_blkback_device *dev)
{
	unsigned int major, minor;
	int err;

	err = xenbus_scanf(XBT_NIL, dev->xdev->nodename, "physical-device", "%x:%x",
			   &major, &minor);
	if (err == -ENOENT)
		return;

	if (err != 2 || MAJOR(MKDEV(major, minor)) != major || MINOR(MKDEV(major, minor)) != minor) {
		complain(dev, -EINVAL, "no physical-device, or none that is a device, in the disk's node");
	} else if (dev->mode) {
		if (dev->number != MKDEV(major, minor))
			complain(dev, -EBUSY, "the disk can't be changed to %x:%x", major, minor);
	} else {
		err = xpv_blkback_disk_open(dev, MKDEV(major, minor));
		if (err) {
			complain(dev, err, "opening %x:%x", major, minor);
			fail(dev);
		} else {
			set_state(dev, xpv_back_target(dev->state, dev->front));
		}
	}
}

/* Where in the news its latest state is: taken apart from the others, they might not fit together. */
#define SEEN_SHIFT	24

/* States of a frontend that has left, or is leaving, its connection. */
#define LEFT (BIT(XPV_UNKNOWN) | BIT(XPV_INITIALISING) | BIT(XPV_CLOSING) | BIT(XPV_CLOSED))

static bool gone_for_good(struct xpv_blkback_device *dev)
{
	return dev->front == XPV_UNKNOWN ||
	       (dev->front == XPV_CLOSED && !xenbus_dev_is_online(dev->xdev));
}

/* The frontend was in the states of @news, and then in the one above them. */
static void follow(struct xpv_blkback_device *dev, unsigned long news)
{
	enum xpv_state target;

	dev->front = (enum xpv_state)(news >> SEEN_SHIFT);
	dev->gone = gone_for_good(dev);
	target = xpv_back_target(dev->state, dev->front);
	/* While we were busy it left and came back: what is connected is no more. */
	if ((news & LEFT) && target == XPV_CONNECTED && dev->state == XPV_CONNECTED)
		set_state(dev, XPV_CLOSED);
	set_state(dev, target);
}

/*
 * Closed before the device was to go: the toolstack has written Closing now, and waits for
 * Closed.
 */
static void leave(struct xpv_blkback_device *dev)
{
	if (dev->state != XPV_CLOSED || dev->done || !gone_for_good(dev))
		return;
	dev->gone = true;
	fail(dev);
	set_state(dev, XPV_CLOSED);
}

/* A frontend that has its rings ready waits for nothing but the time. */
static void retry(struct xpv_blkback_device *dev)
{
	long left = dev->retry - jiffies;

	if (dev->state != XPV_INIT_WAIT || !dev->disk.bdev ||
	    xpv_back_target(dev->state, dev->front) != XPV_CONNECTED)
		return;
	if (left > 0)
		queue_delayed_work(works, &dev->work, left);
	else
		set_state(dev, XPV_CONNECTED);
}

static void put_farewell(struct xpv_blkback_farewell *farewell)
{
	if (refcount_dec_and_test(&farewell->users))
		kfree(farewell);
}

static void free_device(struct xpv_blkback_device *dev)
{
	struct xenbus_device *xdev = dev->xdev;
	struct xpv_blkback_farewell *farewell = dev->farewell;
	unsigned int i;

	/* Another's news may have brought us here while remove() was still telling. */
	wait_for_completion(&farewell->told);
	disconnect(dev);
	/* A thread may have told us something, or what we were told of late; none is left. */
	cancel_delayed_work(&dev->work);
	for (i = 0; i < dev->max_queues; i++)
		kvfree(dev->queue[i]);
	xpv_blkback_domain_put(dev->domain);
	xpv_blkback_disk_close(dev);
	kfree(dev->mode);
	kfree(dev->front_node);
	kvfree(dev);
	complete(&farewell->freed);
	put_farewell(farewell);
	put_device(&xdev->dev);
	if (atomic_dec_and_test(&devices))
		wake_up(&all_freed);
}

#define REVOKED (BIT(XPV_BLKBACK_NO_FLUSH) | BIT(XPV_BLKBACK_NO_DISCARD) |	\
		 BIT(XPV_BLKBACK_NO_SECURE_ERASE))

static void see_to_news(struct work_struct *work)
{
	struct xpv_blkback_device *dev =
		container_of(to_delayed_work(work), struct xpv_blkback_device, work);
	/* What comes from now on queues the work again. */
	unsigned long news = xchg(&dev->news, 0);

	if (news & BIT(XPV_BLKBACK_REMOVED)) {
		free_device(dev);
		return;
	}
	/*
	 * Closed for good: own_changed() is about to let go of it. A frontend that comes back meanwhile
	 * would have a state written that nobody moves on from.
	 */
	if (dev->done)
		return;
	if (dev->state == XPV_INITIALISING)
		set_state(dev, XPV_INIT_WAIT);
	if (news & BIT(XPV_BLKBACK_BROKEN))
		close_broken(dev);
	if (news & REVOKED)
		xpv_blkback_disk_revoke(dev, news);
	if (news & BIT(XPV_BLKBACK_DISK))
		find_disk(dev);
	if (news & (BIT(XPV_STATES) - 1))
		follow(dev, news);
	leave(dev);
	retry(dev);
	if (dev->state == XPV_CONNECTED) {
		xpv_blkback_disk_resize(dev);
		/* Nobody tells us. All devices look at once, so that the CPU wakes once. */
		queue_delayed_work(works, &dev->work, round_jiffies_relative(HZ));
	}
}

void xpv_blkback_tell(struct xpv_blkback_device *dev, unsigned int news)
{
	set_bit(news, &dev->news);
	mod_delayed_work(works, &dev->work, 0);
}

/* Watches, all on one thread that is everybody's: nothing here waits. */

static void front_changed(struct xenbus_device *xdev, enum xenbus_state state)
{
	struct xpv_blkback_device *dev = dev_get_drvdata(&xdev->dev);
	unsigned long old, new;

	/* The frontend may write any number. */
	if ((unsigned int)state >= XPV_STATES)
		return;
	do {
		old = READ_ONCE(dev->news);
		new = (old & (BIT(SEEN_SHIFT) - 1)) | (unsigned long)state << SEEN_SHIFT;
	} while (cmpxchg(&dev->news, old, new | BIT(state)) != old);
	mod_delayed_work(works, &dev->work, 0);
}

static void disk_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	xpv_blkback_tell(container_of(watch, struct xpv_blkback_device, disk_watch),
			 XPV_BLKBACK_DISK);
}

/*
 * Devices of this bus are unregistered here and by the bus itself when a node goes, and since
 * both is done by this one thread, never twice.
 */
static void own_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct xpv_blkback_device *dev =
		container_of(watch, struct xpv_blkback_device, own_watch);

	/* Pairs with the release in enter(). @dev is freed by what follows. */
	if (smp_load_acquire(&dev->done))
		xpv_bus_unregister(dev->xdev);
	else
		xpv_blkback_tell(dev, XPV_BLKBACK_OWN);
}

static void unwatch(struct xenbus_watch *watch)
{
	unregister_xenbus_watch(watch);
	kfree(watch->node);
}

static void remove(struct xenbus_device *xdev)
{
	struct xpv_blkback_device *dev = dev_get_drvdata(&xdev->dev);
	struct xpv_blkback_farewell *farewell = dev->farewell;

	/* The frontend's watch is gone already. Then, but for its threads, nobody knows @dev. */
	unwatch(&dev->own_watch);
	unwatch(&dev->disk_watch);
	xpv_blkback_debugfs_remove(dev);
	xpv_blkback_sysfs_remove(dev);
	dev_set_drvdata(&xdev->dev, NULL);

	get_device(&xdev->dev);
	refcount_inc(&farewell->users);
	xpv_blkback_tell(dev, XPV_BLKBACK_REMOVED);
	complete(&farewell->told);
	/*
	 * With its node gone, nobody can bind the device again, or has to wait for its disk: not xenwatch,
	 * which takes the lock that is held here when it sees the node go.
	 */
	while (xenbus_exists(XBT_NIL, xdev->nodename, "") &&
	       !wait_for_completion_timeout(&farewell->freed, LOOK_INTERVAL))
		;
	put_farewell(farewell);
}

static int probe(struct xenbus_device *xdev, const struct xenbus_device_id *id)
{
	struct xpv_blkback_device *dev = kvzalloc(sizeof(*dev), GFP_KERNEL);
	int err;

	if (!dev)
		return -ENOMEM;
	dev->xdev = xdev;
	dev->vbd = simple_strtoul(kbasename(xdev->nodename), NULL, 10);
	dev->state = XPV_INITIALISING;
	dev->front = XPV_INITIALISING;
	dev->squeezed = jiffies;
	dev->retry = jiffies;
	INIT_DELAYED_WORK(&dev->work, see_to_news);
	ratelimit_state_init(&dev->complaints, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	spin_lock_init(&dev->rate_lock);
	init_rwsem(&dev->narrow.lock);
	mutex_init(&dev->narrow.buffer_lock);
	init_waitqueue_head(&dev->narrow.wq);
	gnttab_page_cache_init(&dev->pages);
	dev->max_queues = min(READ_ONCE(xpv_blkback_max_queues) ?: num_online_cpus(),
			      XPV_BLKBACK_MAX_QUEUES);
	dev_set_drvdata(&xdev->dev, dev);

	err = -ENOMEM;
	dev->farewell = kmalloc(sizeof(*dev->farewell), GFP_KERNEL);
	if (!dev->farewell)
		goto err_free;
	init_completion(&dev->farewell->told);
	init_completion(&dev->farewell->freed);
	refcount_set(&dev->farewell->users, 1);
	dev->front_node = kstrdup(xdev->otherend, GFP_KERNEL);
	if (!dev->front_node)
		goto err_free;
	dev->domain = xpv_blkback_domain_get(xdev->otherend_id);
	if (!dev->domain)
		goto err_free;
	err = xenbus_printf(XBT_NIL, xdev->nodename, "feature-max-indirect-segments", "%u",
			    XPV_BLK_MAX_SEGS);
	if (!err)
		err = xenbus_printf(XBT_NIL, xdev->nodename, "max-ring-page-order", "%u",
				    xpv_blkback_max_ring_order);
	if (!err)
		err = xenbus_printf(XBT_NIL, xdev->nodename, "multi-queue-max-queues", "%u",
				    dev->max_queues);
	if (err)
		goto err_put_domain;
	err = xpv_blkback_sysfs_add(dev);
	if (err)
		goto err_put_domain;
	err = xenbus_watch_pathfmt(xdev, &dev->own_watch, NULL, own_changed, "%s/state",
				   xdev->nodename);
	if (err)
		goto err_remove_sysfs;
	/* This fires once for nothing, and so starts the work. The script may even have come before. */
	err = xenbus_watch_pathfmt(xdev, &dev->disk_watch, NULL, disk_changed,
				   "%s/physical-device", xdev->nodename);
	if (err)
		goto err_unwatch;
	xpv_blkback_debugfs_add(dev);
	atomic_inc(&devices);
	return 0;

err_unwatch:
	unwatch(&dev->own_watch);
	cancel_delayed_work_sync(&dev->work);
err_remove_sysfs:
	xpv_blkback_sysfs_remove(dev);
err_put_domain:
	xpv_blkback_domain_put(dev->domain);
err_free:
	dev_set_drvdata(&xdev->dev, NULL);
	kfree(dev->front_node);
	kfree(dev->farewell);
	kvfree(dev);
	return err;
}

/*
 * Memory is being reclaimed, by anybody who wants some: what we have to give, the queues' own threads
 * give. The bus does not call this while a device is bound or unbound, nor twice at a time.
 */
static void reclaim_memory(struct xenbus_device *xdev)
{
	struct xpv_blkback_device *dev = dev_get_drvdata(&xdev->dev);
	unsigned int i;

	if (!dev || time_before(jiffies, dev->squeezed + SQUEEZE_INTERVAL))
		return;
	dev->squeezed = jiffies;
	for (i = 0; i < dev->max_queues; i++) {
		/* Pairs with the release in connect_queue(). */
		struct xpv_blkback_queue *q = smp_load_acquire(&dev->queue[i]);

		if (q)
			xpv_blkback_queue_squeeze(q);
	}
}

static const struct xenbus_device_id ids[] = {
	{ "vbd" },
	{ "" }
};

/* Unbound, the device keeps its state in xenstore, so that a driver can be bound again. */
static struct xenbus_driver driver = {
	.name = "xpv-vbd",
	.ids = ids,
	.allow_rebind = true,
	.probe = probe,
	.remove = remove,
	.otherend_changed = front_changed,
	.reclaim_memory = reclaim_memory,
};

int xpv_blkback_register(void)
{
	int err;

	works = alloc_workqueue("xpv-blkback", WQ_UNBOUND, 0);
	if (!works)
		return -ENOMEM;
	err = xenbus_register_backend(&driver);
	if (err)
		destroy_workqueue(works);
	return err;
}

void xpv_blkback_unregister(void)
{
	xenbus_unregister_driver(&driver);
	/* Devices may still wait for their disks, see remove(), and be told of things meanwhile. */
	wait_event(all_freed, !atomic_read(&devices));
	destroy_workqueue(works);
}
