// SPDX-License-Identifier: GPL-2.0-only
/* A queue's life. The main thread maps its ring; all else is done on its worker's thread. */
#include "queue.h"
#include "disk.h"

static void list_all(struct queue *q)
{
	u32 i;

	list_init(&q->free);
	list_init(&q->again);
	list_init(&q->done);
	for (i = 0; i < q->ring.size; i++) {
		struct request *r = &q->request[i];

		r->q = q;
		r->entry = &q->journal->entry[i];
		r->seg = r->entry->req.seg;
	}
}

/* In the order in which they came off the ring: a barrier may be among them. */
static void list_in_order(struct queue *q, struct request *r)
{
	struct request **at = &q->again.first;

	while (*at && (s32)((*at)->entry->taken - r->entry->taken) < 0)
		at = &(*at)->next;
	r->next = *at;
	*at = r;
	if (!r->next)
		q->again.last = &r->next;
}

/* What is in the journal is about this ring, from here on. */
static void mark(struct queue *q)
{
	barrier();
	/* No other's since this machine was started, which is when journals begin. */
	WRITE_ONCE(q->journal->mark, now_ns());
	barrier();
	WRITE_ONCE(q->ring.shared->mark, q->journal->mark);
}

static void begin(struct queue *q)
{
	u32 i;

	q->journal->cons = q->ring.cons;
	for (i = 0; i < q->ring.size; i++) {
		q->request[i].entry->state = ENTRY_FREE;
		list_add(&q->free, &q->request[i]);
	}
	mark(q);
}

/*
 * Go on from the journal. What the frontend shows of our own index can't do more than make us carry out
 * again what was done, or find that it can't be true.
 */
static int recover(struct queue *q)
{
	u64 seen = READ_ONCE(q->ring.shared->mark);
	u32 i, rsp_prod = q->ring.prod, n = 0;

	if (!seen && q->journal->mark) {
		begin(q);
		return 0;
	}
	if (seen != q->journal->mark)
		return -EPROTO;
	q->ring.cons = READ_ONCE(q->journal->cons);
	for (i = 0; i < q->ring.size; i++) {
		struct request *r = &q->request[i];

		if (journal_inflight(q->journal, r->entry, rsp_prod)) {
			r->entry->state = ENTRY_TAKEN;
			r->since = coarse_ns();
			list_in_order(q, r);
			n++;
		} else {
			r->entry->state = ENTRY_FREE;
			list_add(&q->free, r);
		}
	}
	q->inflight = n;
	if (n != xpv_back_inflight(&q->ring))
		return -EPROTO;
	/* Who was there before us left none. */
	if (!seen)
		mark(q);
	return 0;
}

/* On the worker's thread. */
static int start(void *arg)
{
	struct queue *q = arg;
	struct store *store = &q->disk->store;
	int port, err = -ENOMEM;

	q->lane = store->ops->attach(store, q->worker);
	if (!q->lane)
		return err;
	port = channel_bind(q->worker->channels, q->domid, q->front_port);
	if (port < 0) {
		err = port;
		goto err_detach;
	}
	err = worker_set_port(q->worker, (u32)port, q);
	if (err)
		goto err_unbind;
	q->port = port;
	worker_add_queue(q->worker, q);
	/* What we were told while nobody listened, and what they were not told when the listener died. */
	channel_notify(q->worker->channels, (u32)port);
	worker_ready(q->worker, q);
	return 0;

err_unbind:
	channel_unbind(q->worker->channels, (u32)port);
err_detach:
	store->ops->detach(q->lane);
	return err;
}

/* As many pages as its requests may have at once, if they are of a usual size: a page of segments, and 32 for data. */
static u32 most_kept(const struct queue *q)
{
	u32 most = q->ring.size * (1 + 32);

	return most < config.persistent_grants ? most : config.persistent_grants;
}

struct queue *queue_start(struct disk *d, unsigned int index, struct worker *w,
			  const struct ring_info *info, bool recovers, int *err)
{
	struct queue *q = calloc(1, sizeof(*q));
	void *shared;

	*err = -ENOMEM;
	if (!q)
		return NULL;
	q->disk = d;
	q->worker = w;
	q->index = index;
	q->domid = d->domid;
	q->abi = d->abi;
	q->limits = d->limits;
	q->pages = info->pages;
	q->gref = info->gref[0];
	q->front_port = info->port;
	q->port = -1;
	q->journal = journal_ring(d->journal, index);

	shared = world_map(d->domid, info->gref, info->pages);
	if (!shared) {
		*err = -errno;
		goto err_free;
	}
	*err = xpv_back_attach(&q->ring, shared, info->pages, xpv_blk_stride(d->abi));
	if (*err)
		goto err_unmap;
	q->request = calloc(q->ring.size, sizeof(*q->request));
	if (!q->request) {
		*err = -ENOMEM;
		goto err_unmap;
	}
	list_all(q);
	*err = kept_init(&q->kept, d->domid, d->persistent ? most_kept(q) : 0);
	if (*err)
		goto err_free_requests;
	if (recovers)
		*err = recover(q);
	else
		begin(q);
	if (!*err)
		*err = worker_call(w, start, q);
	if (*err)
		goto err_destroy_kept;
	return q;

err_destroy_kept:
	kept_destroy(&q->kept);
err_free_requests:
	free(q->request);
err_unmap:
	world_unmap(shared, info->pages);
err_free:
	free(q);
	return NULL;
}

static int stop(void *arg)
{
	struct queue *q = arg;

	WRITE_ONCE(q->stopping, true);
	worker_ready(q->worker, q);
	return 0;
}

void queue_stop(struct queue *q)
{
	/* Pairs with the release in queue_let_go(). */
	if (!__atomic_load_n(&q->drained, __ATOMIC_ACQUIRE))
		worker_call(q->worker, stop, q);
}

bool queue_let_go(struct queue *q)
{
	struct disk *d = q->disk;

	if (likely(!q->stopping) || q->inflight || q->waits)
		return false;
	worker_remove_queue(q->worker, q);
	worker_set_port(q->worker, (u32)q->port, NULL);
	channel_unbind(q->worker->channels, (u32)q->port);
	d->store.ops->detach(q->lane);
	WRITE_ONCE(q->stats.kept, 0);
	/* Pairs with the acquire in queue_stop() and in the disk's: from now on @q and @d may be freed. */
	__atomic_store_n(&q->drained, true, __ATOMIC_RELEASE);
	disks_drained();
	return true;
}

void queue_free(struct queue *q)
{
	void *shared = q->ring.shared;

	kept_destroy(&q->kept);
	xpv_ring_detach(&q->ring);
	world_unmap(shared, q->pages);
	free(q->request);
	free(q);
}

struct limits_call {
	struct queue *q;
	const struct xpv_blk_limits *limits;
};

static int set_limits(void *arg)
{
	struct limits_call *c = arg;

	c->q->limits = *c->limits;
	return 0;
}

void queue_set_limits(struct queue *q, const struct xpv_blk_limits *limits)
{
	struct limits_call c = { q, limits };

	worker_call(q->worker, set_limits, &c);
}

struct youngest_call {
	struct queue *q;
	u64 since;
};

static int find_youngest(void *arg)
{
	struct youngest_call *c = arg;
	u32 i;

	for (i = 0; i < c->q->ring.size; i++) {
		const struct request *r = &c->q->request[i];

		if (r->entry->state != ENTRY_FREE && r->since > c->since)
			c->since = r->since;
	}
	return 0;
}

u64 queue_youngest(struct queue *q)
{
	struct youngest_call c = { .q = q };

	/* Pairs with the release in queue_let_go(). */
	if (!__atomic_load_n(&q->drained, __ATOMIC_ACQUIRE))
		worker_call(q->worker, find_youngest, &c);
	return c.since;
}

/*
 * An event is acknowledged only when all that it announced has been taken, so that the peer can't have us
 * woken more often than we can, or may, serve it; a broken ring is never acknowledged again.
 */
bool queue_arm(struct queue *q)
{
	if (q->stopping || queue_holds(q))
		return false;
	if (xpv_back_rearm(&q->ring, 1))
		return true;
	if (unlikely(xpv_ring_broken(&q->ring))) {
		if (!q->reported)
			disk_tell(q->disk, DISK_BROKEN);
		q->reported = true;
		return false;
	}
	if (q->event)
		channel_unmask(q->worker->channels, (u32)q->port);
	q->event = false;
	return false;
}
