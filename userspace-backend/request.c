// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue's turn. What has been read is copied to the frontend, what is to be written from it: by
 * ourselves where its pages stay mapped, by one call for all others. Then the answers, with at most
 * one event for all, and the store gets the new ones, which go to the kernel with the worker's next
 * io_uring_enter().
 *
 * A request is copied off the ring once, into the journal; an indirect one's segments are copied
 * once into memory of ours. Both are checked there and then trusted.
 */
#include "queue.h"
#include "spare.h"

#define DISCARD_PIECE	(1u << 21)	/* sectors that count as a request of their own: what the file store does at once */
#define LARGEST		(XPV_BLK_MAX_SEGS * XPV_PAGE_SIZE)
#define FAILED_NS	6000000000ull	/* no more lines in the log than one in so long */
#define LONGEST_WAIT	100000000ull	/* ns: a limit may be lifted meanwhile */

static void finish(struct request *r, int err)
{
	if (!r->err)
		r->err = err;
	list_add(&r->q->done, r);
}

static u32 data_bytes(const struct xpv_blk_req *req)
{
	return req->nr_segs ? (u32)req->nr_sectors << XPV_BLK_SECTOR_SHIFT : 0;
}

/* --- copies: all of a turn's are to and from one domain --- */

/* Do them. A request that had one fail has failed; the first error stays. */
static void copy_all(struct worker *w)
{
	struct xpv_copy_batch *b = &w->copies;
	u32 i;

	xpv_copy_submit(b);
	for (i = 0; i < b->n; i++)
		if (unlikely(xpv_copy_status(b, i)) && !w->copy_of[i]->err)
			w->copy_of[i]->err = -EFAULT;
	xpv_copy_reset(b);
}

/* @len bytes at @off of the frontend's page, to or from @mem, which may cross pages of ours. */
static void copy(struct request *r, bool to, u32 gref, u32 off, u8 *mem, u32 len)
{
	struct worker *w = r->q->worker;
	u8 *page = kept_page(&r->q->kept, gref, w->second);

	if (page) {
		memcpy(to ? page + off : mem, to ? mem : page + off, len);
		return;
	}
	while (len) {
		u32 left = XPV_PAGE_SIZE - ((uintptr_t)mem & (XPV_PAGE_SIZE - 1));
		u32 n = len < left ? len : left;
		u32 i;

		if (!xpv_copy_room(&w->copies))
			copy_all(w);
		i = to ? xpv_copy_to(&w->copies, gref, off, mem, n) :
			 xpv_copy_from(&w->copies, gref, off, mem, n);
		w->copy_of[i] = r;
		stat_add(&r->q->stats.grant_copies, 1);
		off += n;
		mem += n;
		len -= n;
	}
}

static void copy_data(struct request *r, bool to)
{
	u8 *mem = r->data;
	u32 i;

	for (i = 0; i < r->entry->req.nr_segs; i++) {
		const struct xpv_blk_seg *seg = &r->seg[i];
		u32 n = (seg->last - seg->first + 1u) << XPV_BLK_SECTOR_SHIFT;

		copy(r, to, seg->gref, (u32)seg->first << XPV_BLK_SECTOR_SHIFT, mem, n);
		mem += n;
	}
}

/* --- limits --- */

static void waited(struct event *ev, int res, u32 flags)
{
	struct queue *q = event_of(ev, struct queue, timer);

	(void)res;
	(void)flags;
	q->waits = false;
	worker_ready(q->worker, q);
}

static void wait_ns(struct queue *q, u64 ns)
{
	if (q->waits)
		return;
	q->timer.fn = waited;
	q->timer_at.tv_sec = 0;
	q->timer_at.tv_nsec = (long long)(ns < LONGEST_WAIT ? ns : LONGEST_WAIT);
	q->waits = true;
	io_uring_prep_timeout(worker_sqe(q->worker, &q->timer), &q->timer_at, 0, 0);
}

/*
 * How many requests may be taken now; if none, a turn will come when it is time. Their size is not
 * known yet: no more than fit, or one, whose excess is made up for.
 */
static u32 allowed(struct queue *q)
{
	struct disk *d = q->disk;
	u64 now = now_ns(), requests, bytes, wait, wait_bytes;

	if (q->waits)
		return 0;
	pthread_mutex_lock(&d->rate_lock);
	requests = xpv_rate_room(&d->rate_requests, now);
	bytes = xpv_rate_room(&d->rate_bytes, now);
	wait = xpv_rate_wait(&d->rate_requests, now);
	wait_bytes = xpv_rate_wait(&d->rate_bytes, now);
	pthread_mutex_unlock(&d->rate_lock);

	if (!requests || !bytes) {
		/* Not for the sake of nothing. */
		if (xpv_back_peek(&q->ring))
			wait_ns(q, wait > wait_bytes ? wait : wait_bytes);
		return 0;
	}
	bytes = bytes / LARGEST + 1;
	requests = requests < bytes ? requests : bytes;
	return requests < QUEUE_ROUND ? (u32)requests : QUEUE_ROUND;
}

/* Requests as they are taken, whatever becomes of them; bytes when it is known how many they are. */
static void charge(struct disk *d, u64 requests, u64 bytes)
{
	u64 now = now_ns();

	pthread_mutex_lock(&d->rate_lock);
	xpv_rate_charge(&d->rate_requests, requests, now);
	xpv_rate_charge(&d->rate_bytes, bytes, now);
	pthread_mutex_unlock(&d->rate_lock);
}

/* --- from the ring --- */

static void count(struct disk_stats *s, const struct xpv_blk_req *req)
{
	switch (req->op) {
	case XPV_BLK_READ:
		stat_add(&s->reads, 1);
		stat_add(&s->read_sectors, req->nr_sectors);
		break;
	case XPV_BLK_WRITE:
		stat_add(&s->writes, 1);
		stat_add(&s->write_sectors, req->nr_sectors);
		break;
	case XPV_BLK_FLUSH:
	case XPV_BLK_BARRIER:
		stat_add(&s->flushes, 1);
		if (req->nr_segs)
			stat_add(&s->write_sectors, req->nr_sectors);
		break;
	case XPV_BLK_DISCARD:
		stat_add(&s->discards, 1);
		break;
	}
}

/* Take what the ring shows to the end of @batch. Returns how many. */
static u32 take(struct queue *q, struct request_list *batch)
{
	bool limited = READ_ONCE(q->disk->limited);
	u32 i, n, most = unlikely(limited) ? allowed(q) : QUEUE_ROUND;

	n = xpv_back_pending(&q->ring);
	if (n > most)
		n = most;
	if (!n)
		return 0;
	/* Slots not answered and requests not free are equally many, so there are @n. */
	for (i = 0; i < n; i++) {
		struct request *r = list_take(&q->free);

		r->since = q->worker->now;
		r->entry->taken = q->ring.cons;
		xpv_blk_take(q->abi, xpv_ring_slot(&q->ring, q->ring.cons++), &r->entry->req);
		/* A process killed here leaves an entry that is whole. */
		barrier();
		WRITE_ONCE(r->entry->state, ENTRY_TAKEN);
		list_add(batch, r);
	}
	/* Now they are ours: from here on they would be found in the journal. */
	barrier();
	WRITE_ONCE(q->journal->cons, q->ring.cons);
	q->inflight += n;
	if (unlikely(limited))
		charge(q->disk, n, 0);
	return n;
}

/* Memory for @r's segments, if they don't fit its slot, and their copy on its way. */
static bool fetch_segments(struct request *r)
{
	const struct xpv_blk_req *req = &r->entry->req;

	r->page = arena_alloc(r->q->arena, XPV_PAGE_SIZE);
	if (!r->page)
		return false;
	r->seg = r->page;
	copy(r, false, req->ind[0], 0, (u8 *)r->page, req->nr_segs * (u32)sizeof(*r->seg));
	return true;
}

/*
 * Check all of @batch that is new. Those with pages of segments have these copied, by one call for
 * all. What is refused is done; what finds no memory, and all behind it, is left in q->again.
 */
static void check(struct queue *q, struct request_list *batch)
{
	struct request_list checked;
	struct request *r;
	bool fetch = false, full = false;

	list_init(&checked);
	while ((r = list_take(batch))) {
		int err = xpv_blk_check(&r->entry->req, &q->limits);

		if (unlikely(err)) {
			finish(r, err);
			continue;
		}
		if (r->entry->req.indirect && !full) {
			full = !fetch_segments(r);
			fetch |= !full;
		}
		list_add(unlikely(full) ? &q->again : &checked, r);
	}
	if (fetch)
		copy_all(q->worker);
	while ((r = list_take(&checked))) {
		if (r->page && !r->err)
			r->err = xpv_blk_check_segs(&r->entry->req, r->seg, r->entry->req.nr_segs, &q->limits);
		list_add(r->err ? &q->done : batch, r);
	}
}

/*
 * Nothing that waits for memory holds any: so when nothing else is in flight, all of it is there. Its
 * segments are copied, and checked, anew.
 */
static void postpone(struct request *r)
{
	if (r->page)
		arena_free(r->q->arena, r->page, XPV_PAGE_SIZE);
	r->page = NULL;
	r->seg = r->entry->req.seg;
}

/* Give each of @batch the memory its data passes through, and copy in what is to be written. */
static void prepare(struct queue *q, struct request_list *batch)
{
	struct request_list prepared, rest;
	struct request *r;

	list_init(&prepared);
	list_init(&rest);
	while ((r = list_take(batch))) {
		u32 bytes = data_bytes(&r->entry->req);
		bool barrier = r->entry->req.op == XPV_BLK_BARRIER;

		bool held = rest.first;

		/* What came before a barrier is done before it, what came after it begins after it. */
		held |= q->barrier || (barrier && (q->stored || prepared.first));
		if (likely(!held) && bytes) {
			r->data = arena_alloc(q->arena, bytes);
			held = !r->data;
			stat_add(&q->stats.waits, held);
		}
		if (unlikely(held)) {
			postpone(r);
			list_add(&rest, r);
			continue;
		}
		r->io.registered = q->arena->registered;
		if (bytes && r->entry->req.op != XPV_BLK_READ)
			copy_data(r, false);
		list_add(&prepared, r);
		q->barrier |= barrier;
	}
	list_move(batch, &prepared);
	list_prepend(&q->again, &rest);
}

/* --- to the store, and back --- */

static void stored(struct io *io, int err);

/*
 * What the store is to do for @r in its present stage; -1: it is done. A flush is followed by the data it
 * brings, if any, a barrier's data by another flush, where the store can't write them to the medium at once.
 *
 * The stages are not linked in the kernel: io_uring begins what is linked to an fsync also when that has failed,
 * and then what a barrier brings would be on the medium without what came before it.
 */
static int step(const struct request *r)
{
	bool brings = r->entry->req.nr_segs, fua;

	switch (r->entry->req.op) {
	case XPV_BLK_READ:
		return r->stage ? -1 : IO_READ;
	case XPV_BLK_WRITE:
		return r->stage ? -1 : IO_WRITE;
	case XPV_BLK_DISCARD:
		return r->stage ? -1 : IO_DISCARD;
	case XPV_BLK_FLUSH:
		return !r->stage ? IO_FLUSH : r->stage == 1 && brings ? IO_WRITE : -1;
	default:
		fua = r->q->disk->store.fua;
		if (r->stage == 1 && brings)
			return fua ? IO_WRITE_FUA : IO_WRITE;
		return !r->stage || (r->stage == 2 && brings && !fua) ? IO_FLUSH : -1;
	}
}

static void submit(struct request *r, enum io_op op)
{
	struct xpv_blk_req *req = &r->entry->req;
	struct io *io = &r->io;

	io->buf = r->data;
	io->op = op;
	/* What a flush says of where was not checked. */
	io->offset = io->op == IO_FLUSH ? 0 : req->sector << XPV_BLK_SECTOR_SHIFT;
	io->bytes = io->op == IO_FLUSH ? 0 : req->nr_sectors << XPV_BLK_SECTOR_SHIFT;
	io->cut = &r->q->stopping;
	io->done = stored;
	r->q->disk->store.ops->submit(r->q->lane, io);
}

/* Whether the store does not do what it said it could: nor do we offer it any more. */
static bool take_back(const struct request *r, int err)
{
	if (err != -EOPNOTSUPP || (r->io.op != IO_FLUSH && r->io.op != IO_DISCARD))
		return false;
	disk_tell(r->q->disk, r->io.op == IO_FLUSH ? DISK_NO_FLUSH : DISK_NO_DISCARD);
	return true;
}

/* The guest is told of each, the administrator of one in a while. */
static void report(const struct request *r, int err)
{
	struct disk *d = r->q->disk;
	u64 now = now_ns();
	bool tell;

	pthread_mutex_lock(&d->failed_lock);
	tell = now - d->failed.at > FAILED_NS;
	if (tell)
		d->failed = (struct disk_failed){ now, err, r->entry->req.op,
						  r->io.op == IO_FLUSH ? 0 : r->entry->req.sector };
	pthread_mutex_unlock(&d->failed_lock);
	if (tell)
		disk_tell(d, DISK_FAILED);
}

static void stored(struct io *io, int err)
{
	struct request *r = (struct request *)io;
	struct queue *q = r->q;
	int next;

	if (unlikely(err) && !take_back(r, err))
		report(r, err);
	r->stage++;
	next = err ? -1 : step(r);
	if (unlikely(next >= 0)) {
		submit(r, (enum io_op)next);
		return;
	}
	q->stored--;
	/* If there is one, it was this. */
	q->barrier = false;
	finish(r, err);
	worker_ready(q->worker, q);
}

static void submit_all(struct queue *q, struct request_list *batch)
{
	u64 bytes = 0, pieces = 0;
	struct request *r;

	while ((r = list_take(batch))) {
		count(&q->stats, &r->entry->req);
		bytes += data_bytes(&r->entry->req);
		/* A long discard is as much work as many. */
		if (r->entry->req.op == XPV_BLK_DISCARD)
			pieces += r->entry->req.nr_sectors / DISCARD_PIECE;
		if (unlikely(r->err)) {
			q->barrier &= r->entry->req.op != XPV_BLK_BARRIER;
			finish(r, 0);
		} else {
			q->stored++;
			submit(r, (enum io_op)step(r));
		}
	}
	if (unlikely(READ_ONCE(q->disk->limited)) && (bytes || pieces))
		charge(q->disk, pieces, bytes);
}

/* --- to the ring --- */

/* What its frontend has granted may be somebody else's by now. */
static bool abandoned(const struct queue *q)
{
	return q->stopping && READ_ONCE(q->disk->abandoned);
}

static void copy_out(struct queue *q)
{
	bool lost = abandoned(q);
	struct request *r;

	for (r = q->done.first; r; r = r->next) {
		if (r->entry->req.op != XPV_BLK_READ || r->err)
			continue;
		if (unlikely(lost))
			r->err = -ECANCELED;
		else
			copy_data(r, true);
	}
}

static void cancel(struct request_list *batch)
{
	struct request *r;

	while ((r = list_take(batch)))
		finish(r, -ECANCELED);
}

/* What was one request's is nobody's; a killed process's successor has nothing to do for it. */
static void release(struct request *r)
{
	struct queue *q = r->q;

	WRITE_ONCE(r->entry->state, ENTRY_FREE);
	if (r->data)
		arena_free(q->arena, r->data, data_bytes(&r->entry->req));
	if (r->page)
		arena_free(q->arena, r->page, XPV_PAGE_SIZE);
	r->data = NULL;
	r->page = NULL;
	r->seg = r->entry->req.seg;
	r->err = 0;
	r->stage = 0;
	list_add(&q->free, r);
}

/* Answer all that is done, and then one event if the frontend asked for it. Returns how many. */
static u32 answer(struct queue *q)
{
	struct request *r;
	u32 n = 0;
	bool lost = abandoned(q), notify;

	if (!q->done.first)
		return 0;
	for (r = q->done.first; r; r = r->next) {
		struct journal_entry *e = r->entry;

		if (unlikely(r->err))
			stat_add(&q->stats.errors, 1);
		e->answer = q->ring.prod;
		barrier();
		WRITE_ONCE(e->state, ENTRY_ANSWERED);
		barrier();
		/* The operation meant, not INDIRECT: it is what frontends compare. */
		if (likely(!lost))
			xpv_blk_respond(q->abi, xpv_back_next(&q->ring), e->req.id, e->req.op, xpv_blk_status(r->err));
		n++;
	}
	notify = !lost && xpv_back_publish(&q->ring);
	barrier();
	while ((r = list_take(&q->done)))
		release(r);
	q->inflight -= n;
	if (notify) {
		stat_add(&q->stats.notifies, 1);
		channel_notify(q->worker->channels, (u32)q->port);
	}
	return n;
}

/*
 * Carry out the copies, and answer. A frontend looks, when it is answered, whether the grant is in use still: what is
 * to stay mapped has to be by then.
 */
static u32 give(struct queue *q)
{
	if (unlikely(kept_fill(&q->kept, q->worker->second)))
		worker_keeps(q->worker);
	WRITE_ONCE(q->stats.kept, q->kept.pages);
	copy_all(q->worker);
	return answer(q);
}

void queue_turn(struct queue *q)
{
	struct worker *w = q->worker;
	struct request_list batch;
	u32 taken = 0, answered;

	list_init(&batch);
	list_move(&batch, &q->again);
	if (unlikely(abandoned(q)))
		cancel(&batch);
	w->now = coarse_ns();
	w->second = w->now / 1000000000u;
	xpv_copy_init(&w->copies, q->domid);
	copy_out(q);
	if (!q->stopping && !batch.first)
		taken = take(q, &batch);
	if (batch.first && !q->arena)
		q->arena = spare_take(w);
	if (batch.first && likely(q->arena)) {
		check(q, &batch);
		prepare(q, &batch);
	} else if (batch.first) {
		list_move(&q->again, &batch);
		wait_ns(q, LONGEST_WAIT);
	}
	answered = give(q);
	submit_all(q, &batch);
	/* What the store had at once, and what could not be copied. */
	if (q->done.first) {
		copy_out(q);
		answered += give(q);
	}
	WRITE_ONCE(q->stats.inflight, q->inflight);
	if (!q->inflight && q->arena) {
		spare_put(w, q->arena);
		q->arena = NULL;
	}
	/* There may be more than fits a turn; and what waits for memory may have it now. */
	if (taken == QUEUE_ROUND || (q->again.first && answered))
		worker_ready(w, q);
}
