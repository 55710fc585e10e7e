// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handshake: what is offered to a frontend, what it chose, and the states.
 *
 *   Initialising   the toolstack has made the node, and it is ours
 *   InitWait       features are published; the hotplug script may come, and has the store opened
 *   Connected      the frontend's rings are mapped and served; if they are replaced, when those before are drained
 *   Closing        the frontend is leaving, or something went wrong; what is in flight is answered
 *   Closed         disconnected; the frontend may start again, the store stays open until the
 *                  script closes it
 *
 * libxl removes the nodes, never we. Watches only say where to look: all that a disk's move depends on is
 * read when it is looked at, once for however many watches fired.
 */
#include "xenbus.h"
#include "access.h"
#include "adopt.h"
#include "disk.h"
#include "handshake.h"
#include "node.h"
#include "queue.h"
#include "xentop.h"

#include <stdarg.h>

#define COMPLAINTS	10u		/* and connections, told of for one disk in so many ns */
#define COMPLAINTS_NS	60000000000ull

static void (*drained)(void);		/* set once no more is to be served */

/* Not as often as a peer can make us. */
static bool may_say(struct disk *d)
{
	if (now_ns() - d->complained > COMPLAINTS_NS) {
		d->complained = now_ns();
		d->complaints = 0;
	}
	return d->complaints++ < COMPLAINTS;
}

void xenbus_complain(struct disk *d, const char *format, ...)
{
	char text[2 * STORE_WHY];
	va_list args;

	if (!may_say(d))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error("%s: %s", d->name, text);
	node_write(XBT_NULL, d->path, "error", "%s", text);
}

static void look(struct disk *d);

/* --- states --- */

static bool publish_state(struct disk *d, enum xpv_state state)
{
	return node_write(XBT_NULL, d->path, "state", "%u", state);
}

/* Is what the frontend could read last as large as the disk is? */
static bool size_told(const struct disk *d)
{
	char sectors[24];

	snprintf(sectors, sizeof(sectors), "%llu", (unsigned long long)d->limits.capacity);
	return node_says(d->path, "sectors", sectors);
}

/* A frontend keeps the sectors that it was told of by a process before us. */
static void check_sectors(const struct disk *d)
{
	u32 told = node_number_or(d->path, "sector-size", d->store.sector);

	if (told < d->store.sector)
		log_warning("%s: was told of sectors of %u bytes, but %s has %u: parts of them can't be had",
			    d->name, told, d->target, d->store.sector);
}

/* That the state is written again has the frontend look. The toolstack's Closing stays. */
static bool call_front(struct disk *d)
{
	return node_state(d->path, XPV_UNKNOWN) != XPV_CONNECTED || publish_state(d, XPV_CONNECTED);
}

/* Whoever has seen us Connected before it had rings does not look again by itself. */
static bool may_wait(const struct disk *d)
{
	return node_state(d->front, XPV_UNKNOWN) == XPV_INITIALISED;
}

/* @d is Connected already, as far as its frontend knows, or leaves again, or enter() says so afterwards. */
static int connect_disk(struct disk *d, bool recover)
{
	bool known = d->state >= XPV_CONNECTED;
	struct ring_info info[MAX_QUEUES];
	u32 queues;
	bool told;
	int err = handshake_read(d, info, &queues);

	d->came = false;
	/* Its store is there, and whoever was to be gone on with may have left meanwhile. */
	d->recovering = false;
	WRITE_ONCE(d->abandoned, false);
	if (err) {
		xenbus_complain(d, "%s can't be read: %s", d->front, strerror(-err));
		return -EIO;
	}
	disk_measure(d);
	if (known)
		check_sectors(d);
	err = disk_connect(d, info, queues, recover);
	/* What that means, who recovers knows. */
	if (err == -EPROTO && recover)
		return err;
	if (err) {
		xenbus_complain(d, "queue %u of %u can't be connected: %s", d->nr_queues, queues, strerror(-err));
		return err;
	}
	told = !known || (size_told(d) && !may_wait(d));
	if (!handshake_geometry(d) || (!told && !call_front(d))) {
		xenbus_complain(d, "xenstore: %s", strerror(errno));
		/* Who goes on has been told before. */
		return recover ? 0 : -EIO;
	}
	if (!may_say(d))
		return 0;
	log_info("%s: %s, %u queue%s of %u page%s, %s", d->name, recover ? "going on" : "connected", queues,
		 queues == 1 ? "" : "s", info[0].pages, info[0].pages == 1 ? "" : "s", d->target);
	return 0;
}

/* Do what @next takes, and publish it. -EAGAIN: not all is answered yet. */
static int enter(void *data, enum xpv_state next)
{
	struct disk *d = data;
	int err = 0;

	if (next == XPV_INIT_WAIT && !handshake_offer(d)) {
		xenbus_complain(d, "%s can't be written: %s", d->path, strerror(errno));
		d->no_offer = true;
		return -EIO;
	}
	if (next == XPV_CONNECTED)
		err = connect_disk(d, false);
	else if (next == XPV_CLOSED)
		err = disk_disconnect(d, false);
	if (!err && !publish_state(d, next))
		err = -EIO;
	return err;
}

/* The device can't go on. The frontend sees it, and closes or starts again. */
static void fail(struct disk *d)
{
	publish_state(d, XPV_CLOSING);
	d->state = XPV_CLOSING;
}

/* Every change of the state goes this way, or by fail(), or is the toolstack's. */
static void set_state(struct disk *d, enum xpv_state target)
{
	int err;

	/* With no store yet there is nothing to connect to: the script will come. */
	if (target == XPV_CONNECTED && !disk_has_store(d))
		target = XPV_INIT_WAIT;
	err = xpv_walk_state(&d->state, target, enter, d);
	if (err && err != -EAGAIN)
		fail(d);
}

static void forget(struct disk *d)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/state", d->front);
	xs_unwatch(node_store, path, XENBUS_FRONT);
	log_info("%s: gone", d->name);
	/* If it was never gone on with. */
	journal_forget(d->name);
	xentop_remove(d);
	disk_free(d);
}

/*
 * Is @front, as far as it can know, connected to a process before us? Else it has nothing in flight. One that
 * leaves, or is told to, may use the disk for as long as it likes, if it was served before.
 */
static bool waits_for_us(const struct disk *d, enum xpv_state front)
{
	if (front != XPV_INITIALISED && front != XPV_CONNECTED && front != XPV_CLOSING)
		return false;
	return (d->state == XPV_CONNECTED && front != XPV_CLOSING) ||
	       ((d->state == XPV_CONNECTED || d->state == XPV_CLOSING) && journal_left(d->name));
}

/* --- what is seen --- */

/* Has the frontend left and come back between two looks of ours, with rings that we don't serve? */
static bool rings_replaced(const struct disk *d, enum xpv_state front)
{
	struct ring_info first;

	if (d->state != XPV_CONNECTED || !d->nr_queues || (front != XPV_INITIALISED && front != XPV_CONNECTED))
		return false;
	if (d->stopping || (front == XPV_INITIALISED && d->came))
		return true;
	return !handshake_first(d, &first) && first.gref[0] != d->queue[0]->gref;
}

/* It goes on by the Connected that it has seen of us, and is to see nothing else. */
static void serve_others(struct disk *d)
{
	WRITE_ONCE(d->abandoned, true);
	if (disk_disconnect(d, false) != -EAGAIN && connect_disk(d, false))
		fail(d);
}

static void follow(struct disk *d, enum xpv_state front)
{
	enum xpv_state target;

	if (rings_replaced(d, front)) {
		serve_others(d);
		return;
	}
	/* It had come further before: it has left and come back, and what was connected is no more. */
	if (d->state == XPV_CLOSING && front == XPV_INITIALISED && d->came)
		d->anew = true;
	d->came |= front != XPV_INITIALISED;
	d->no_offer &= front == XPV_INITIALISING || front == XPV_INITIALISED;
	/* One that is Closed may wait for answers still, until we are. */
	if (d->anew || front == XPV_INITIALISING)
		WRITE_ONCE(d->abandoned, true);
	if (d->anew) {
		set_state(d, XPV_CLOSED);
		if (d->state != XPV_CLOSED)
			return;
		d->anew = false;
	}
	target = xpv_back_target(d->state, front);
	/* It has not seen yet that we are leaving. */
	if (d->state == XPV_CLOSING && target == XPV_CONNECTED)
		return;
	/* What was taken away stays away, and what could not be offered is not offered to the same again. */
	if (target != d->state && (target == XPV_INIT_WAIT || target == XPV_CONNECTED) &&
	    (!d->online || d->no_offer))
		target = XPV_CLOSED;
	set_state(d, target);
}

/*
 * The toolstack has removed it: nothing is written, for that would make it anew. If it is there @again, that
 * is another disk, for which there is room when this one is gone.
 */
static void leave(struct disk *d, bool again)
{
	u16 domid = d->domid;
	u32 devid = d->devid;

	d->removed = true;
	WRITE_ONCE(d->abandoned, true);
	d->state = XPV_CLOSING;
	if (disk_disconnect(d, false) == -EAGAIN)
		return;
	forget(d);
	if (again)
		adopt(domid, devid);
}

/* The toolstack has removed it, perhaps to make another one there: that has no mark of ours. */
static bool was_removed(const struct disk *d, enum xpv_state own)
{
	u32 pid;

	return own == XPV_UNKNOWN || d->removed || (d->marked && node_number(d->path, ADOPT_MARK, &pid) == -ENOENT);
}

/* Look at @d anew, and make the moves that follow. @d may be gone afterwards. */
static void look(struct disk *d)
{
	enum xpv_state own = node_state(d->path, d->state), front = node_state(d->front, XPV_STATES);
	bool leaves;

	d->dirty = false;
	if (drained)
		return;
	if (was_removed(d, own)) {
		leave(d, own != XPV_UNKNOWN);
		return;
	}
	if (front == XPV_STATES)
		return;
	if (d->recovering && waits_for_us(d, front)) {
		/* It may wait for that before it goes on to leave. */
		if (front == XPV_CLOSING && d->state == XPV_CONNECTED)
			fail(d);
		return;
	}
	d->online = node_number_or(d->path, "online", 1);
	/* The toolstack says Closing with that. We may not have seen it before we wrote over it. */
	if (!d->online && d->state == XPV_CONNECTED && !d->stopping) {
		if (own == XPV_CONNECTED)
			fail(d);
		else if (own == XPV_CLOSING)
			d->state = XPV_CLOSING;
	}
	/* The frontend that would follow is not there. */
	leaves = !d->online && (front == XPV_UNKNOWN || front == XPV_CLOSED || d->state < XPV_CONNECTED);
	if (leaves && own == XPV_CLOSING && d->state == XPV_CLOSED)
		fail(d);
	follow(d, leaves ? XPV_UNKNOWN : front);
}

/* What could not be gone on with is tried again, when those of its queues that have begun are drained. */
static void recover_later(struct disk *d)
{
	if (disk_disconnect(d, true) != -EAGAIN)
		access_recover_later(d);
}

static void say_what_failed(struct disk *d)
{
	static const char *const what[] = {
		[XPV_BLK_READ] = "read", [XPV_BLK_WRITE] = "write", [XPV_BLK_FLUSH] = "flush",
		[XPV_BLK_BARRIER] = "barrier", [XPV_BLK_DISCARD] = "discard",
	};
	struct disk_failed failed;

	pthread_mutex_lock(&d->failed_lock);
	failed = d->failed;
	pthread_mutex_unlock(&d->failed_lock);
	log_error("%s: %s at sector %llu failed: %s", d->name, what[failed.op],
		  (unsigned long long)failed.sector, strerror(-failed.err));
}

void disk_news(struct disk *d, u32 news)
{
	unsigned int i;

	if (news & 1u << DISK_FAILED)
		say_what_failed(d);
	if (news == 1u << DISK_FAILED && !d->stopping)
		return;
	if (news & (1u << DISK_NO_FLUSH | 1u << DISK_NO_DISCARD) && !d->removed) {
		d->limits.flush &= !(news & 1u << DISK_NO_FLUSH);
		d->limits.barrier &= d->limits.flush;
		d->limits.discard &= !(news & 1u << DISK_NO_DISCARD);
		handshake_geometry(d);
		for (i = 0; i < d->nr_queues; i++)
			queue_set_limits(d->queue[i], &d->limits);
	}
	if (news & 1u << DISK_BROKEN && d->state == XPV_CONNECTED &&
	    !rings_replaced(d, node_state(d->front, XPV_UNKNOWN))) {
		xenbus_complain(d, "the frontend's ring can't be true");
		fail(d);
	}
	if (drained) {
		xenbus_drain(drained);
		return;
	}
	if (d->recovering && d->stopping)
		recover_later(d);
	look(d);
}

/* --- watches --- */

/* A watch has fired: whom does it concern? */
static void note(const char *path, const char *token)
{
	unsigned int domid, devid;
	struct disk *d;

	if (!strcmp(token, XENBUS_FRONT)) {
		size_t n = strlen(path) - strlen("/state");

		for (d = disk_next(NULL); d; d = disk_next(d))
			if (!strncmp(path, d->front, n) && !d->front[n])
				d->dirty = true;
	} else if (sscanf(path, ADOPT_KIND "/%u/%u", &domid, &devid) != 2) {
		/* Of a folder that is removed with all that is in it nothing more is said. */
		for (d = disk_next(NULL); d; d = disk_next(d))
			d->dirty = true;
		adopt_all();
	} else {
		d = disk_find((u16)domid, devid);
		if (d)
			d->dirty = true;
		else
			adopt((u16)domid, devid);
	}
}

static void watched(void *arg)
{
	struct disk *d, *next;
	char **event;

	(void)arg;
	while ((event = xs_check_watch(node_store))) {
		note(event[XS_WATCH_PATH], event[XS_WATCH_TOKEN]);
		free(event);
	}
	for (d = disk_next(NULL); d; d = next) {
		next = disk_next(d);
		if (d->dirty)
			look(d);
	}
}

int xenbus_start(void)
{
	int err;

	node_store = xs_open(0);
	if (!node_store)
		return -errno;
	if (!xs_watch(node_store, ADOPT_KIND, "disks")) {
		err = -errno;
		goto err_close;
	}
	err = loop_add(xs_fileno(node_store), watched, NULL);
	if (err)
		goto err_close;
	/* Before anybody is answered that a disk is none of ours. */
	adopt_all();
	return 0;

err_close:
	xs_close(node_store);
	return err;
}

void xenbus_drain(void (*done)(void))
{
	struct disk *d;
	bool waits = false;

	drained = done;
	for (d = disk_next(NULL); d; d = disk_next(d))
		waits |= disk_disconnect(d, true) == -EAGAIN;
	if (!waits)
		done();
}

void xenbus_stop(void)
{
	while (disk_next(NULL))
		disk_free(disk_next(NULL));
	loop_remove(xs_fileno(node_store));
	xs_close(node_store);
}

/* --- what follows from the store --- */

/* Its frontend waits, connected to a process before us or, as far as it can know, to us. */
static void go_on(struct disk *d)
{
	int err = connect_disk(d, true);

	if (!err)
		return;
	/* For want of memory, or of room for a grant: there may be some soon. */
	if (err != -EPROTO && err != -EIO) {
		d->recovering = true;
		recover_later(d);
		return;
	}
	if (err == -EPROTO)
		xenbus_complain(d, "its rings don't agree with what was in flight");
	fail(d);
}

void xenbus_offer(struct disk *d)
{
	set_state(d, XPV_INIT_WAIT);
}

void xenbus_opened(struct disk *d)
{
	enum xpv_state front = node_state(d->front, XPV_STATES);
	bool recovers = d->recovering;

	d->recovering = false;
	if (drained)
		return;
	if (recovers && node_state(d->path, d->state) != XPV_UNKNOWN && waits_for_us(d, front))
		go_on(d);
	look(d);
}

int xenbus_measured(struct disk *d)
{
	unsigned int i;

	d->limits.capacity = d->store.bytes >> XPV_BLK_SECTOR_SHIFT;
	if (d->state != XPV_CONNECTED || !d->nr_queues || size_told(d))
		return 0;
	for (i = 0; i < d->nr_queues; i++)
		queue_set_limits(d->queue[i], &d->limits);
	if (!handshake_geometry(d) || !call_front(d))
		return -EIO;
	log_info("%s: %llu sectors now", d->name, (unsigned long long)d->limits.capacity);
	return 0;
}

/* --- what is asked from outside --- */

int disk_limit(struct disk *d, u64 iops, u64 bytes)
{
	if (d->removed || !node_write(XBT_NULL, d->path, ADOPT_LIMITS, "%llu %llu", (unsigned long long)iops,
				      (unsigned long long)bytes))
		return -EIO;
	disk_set_limits(d, iops, bytes);
	return 0;
}

int disk_detach(struct disk *d)
{
	if (d->state != XPV_CONNECTED)
		return -ENOTCONN;
	/* It is about to be served by other rings, and would not leave without. */
	if (d->stopping)
		return -EAGAIN;
	/* A frontend that outlives its backend would else wait for it to come again. */
	if (!node_write(XBT_NULL, d->path, "online", "0"))
		return -EIO;
	fail(d);
	return 0;
}
