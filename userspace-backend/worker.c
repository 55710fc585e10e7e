// SPDX-License-Identifier: GPL-2.0-only
/* The worker's thread. */
#include "worker.h"
#include "queue.h"
#include "spare.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SQ_ENTRIES	256u
#define CQ_ENTRIES	4096u
#define IO_THREADS	1024u	/* of the kernel's, for requests that wait in it: a store that hangs takes many */
#define PORTS		64u	/* events read at once */
#define WATCHES		2u	/* descriptors that are watched all the time */

/* --- submissions and completions --- */

struct io_uring_sqe *worker_sqe(struct worker *w, struct event *ev)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&w->ring)))
		io_uring_submit(&w->ring);
	/* What io_uring_prep_*() leaves alone. */
	sqe->user_data = (uintptr_t)ev;
	w->pending++;
	return sqe;
}

static bool completed(const struct worker *w)
{
	return io_uring_cq_ready(&w->ring) ||
	       (w->deferred && READ_ONCE(*w->ring.sq.kflags) & IORING_SQ_TASKRUN);
}

static void complete(struct worker *w)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(&w->ring, head, cqe) {
		struct event *ev = (struct event *)(uintptr_t)cqe->user_data;

		w->pending -= !(cqe->flags & IORING_CQE_F_MORE);
		ev->fn(ev, cqe->res, cqe->flags);
		n++;
	}
	io_uring_cq_advance(&w->ring, n);
}

/* --- queues --- */

void worker_ready(struct worker *w, struct queue *q)
{
	if (q->ready)
		return;
	q->ready = true;
	q->next_ready = NULL;
	*w->ready_tail = q;
	w->ready_tail = &q->next_ready;
}

static struct queue *take_ready(struct worker *w)
{
	struct queue *q = w->ready;

	w->ready = q->next_ready;
	if (!w->ready)
		w->ready_tail = &w->ready;
	q->ready = false;
	return q;
}

void worker_add_queue(struct worker *w, struct queue *q)
{
	q->next = w->queues;
	w->queues = q;
}

/* It is not in the ready list. */
void worker_remove_queue(struct worker *w, struct queue *q)
{
	struct queue **at;

	for (at = &w->queues; *at != q; at = &(*at)->next)
		;
	*at = q->next;
	for (at = &w->unarmed; *at && *at != q; at = &(*at)->next_unarmed)
		;
	if (*at)
		*at = q->next_unarmed;
}

int worker_set_port(struct worker *w, u32 port, struct queue *q)
{
	if (port >= w->ports) {
		u32 n = (port | 63) + 1;
		struct queue **by_port = realloc(w->by_port, n * sizeof(struct queue *));

		if (!by_port)
			return -ENOMEM;
		memset(by_port + w->ports, 0, (n - w->ports) * sizeof(struct queue *));
		w->by_port = by_port;
		w->ports = n;
	}
	w->by_port[port] = q;
	return 0;
}

/* A turn for each queue that is ready now. */
static void turns(struct worker *w)
{
	struct queue *q, *last = NULL;

	for (q = w->ready; q; q = q->next_ready)
		last = q;
	while (q != last) {
		q = take_ready(w);
		queue_turn(q);
		if (!q->ready && queue_let_go(q)) {
			/* @q may be gone, but as a number it still tells where the round ends. */
			continue;
		}
		if (!q->unarmed) {
			q->unarmed = true;
			q->next_unarmed = w->unarmed;
			w->unarmed = q;
		}
	}
}

/* All that had a turn ask for an event. Whether one of them need not wait for it. */
static bool arm(struct worker *w)
{
	struct queue *q;

	while ((q = w->unarmed)) {
		w->unarmed = q->next_unarmed;
		q->unarmed = false;
		if (queue_arm(q))
			worker_ready(w, q);
	}
	return w->ready;
}

/* --- pages that stay mapped --- */

void worker_keeps(struct worker *w)
{
	if (!w->keeps)
		w->aged = w->second;
	w->keeps = true;
}

/* When to look at them: half of the time that they may go unused after the last look. The setting may change at any time. */
static u64 age_at(const struct worker *w)
{
	unsigned int unused = READ_ONCE(config.persistent_unused_s);

	return w->keeps && unused ? w->aged + unused / 2 + 1 : WORKER_NEVER;
}

/* Give up some of those that have gone unused for too long. When nothing is left, nobody looks any more. */
static void age(struct worker *w, u64 second)
{
	u64 unused = READ_ONCE(config.persistent_unused_s);
	bool any = false, more = false;
	struct queue *q;

	for (q = w->queues; q; q = q->next) {
		more |= kept_age(&q->kept, second > unused ? second - unused : 0);
		any |= q->kept.pages;
		WRITE_ONCE(q->stats.kept, q->kept.pages);
	}
	w->keeps = any;
	/* The rest after a turn for everybody. */
	if (!more)
		w->aged = second;
}

/* --- what may be given back, when its time comes --- */

/* Seconds until then; -1: nothing is to come. */
static int until_due(const struct worker *w, u64 second)
{
	u64 kept = age_at(w), spare = spare_look_at(w), at = kept < spare ? kept : spare;

	if (at == WORKER_NEVER)
		return -1;
	return at > second ? (int)(at - second) : 0;
}

static void give_back(struct worker *w)
{
	u64 second = coarse_ns() / 1000000000u;

	if (age_at(w) <= second)
		age(w, second);
	if (spare_look_at(w) <= second)
		spare_look(w, second);
}

/* --- what wakes the worker --- */

static void channels_ready(struct event *ev, int res, u32 flags);
static void called(struct event *ev, int res, u32 flags);

static void watch(struct worker *w, struct event *ev, int fd)
{
	io_uring_prep_poll_multishot(worker_sqe(w, ev), fd, POLLIN);
}

static void channels_ready(struct event *ev, int res, u32 flags)
{
	struct worker *w = event_of(ev, struct worker, channel_event);
	u32 port[PORTS], i, n;

	(void)res;
	/*
	 * Until there are none: a further one is told of only if all before it had been read when it
	 * came.
	 */
	while ((n = channels_read(w->channels, port, PORTS))) {
		for (i = 0; i < n; i++) {
			struct queue *q = port[i] < w->ports ? w->by_port[port[i]] : NULL;

			if (!q)
				continue;
			q->event = true;
			stat_add(&q->stats.events, 1);
			worker_ready(w, q);
		}
	}
	if (!(flags & IORING_CQE_F_MORE))
		watch(w, ev, channels_fd(w->channels));
}

static void called(struct event *ev, int res, u32 flags)
{
	struct worker *w = event_of(ev, struct worker, call_event);
	eventfd_t n;

	(void)res;
	if (!(flags & IORING_CQE_F_MORE))
		watch(w, ev, w->call_fd);
	if (eventfd_read(w->call_fd, &n))
		return;
	w->call_result = w->call(w->call_arg);
	sem_post(&w->called);
}

int worker_call(struct worker *w, int (*fn)(void *arg), void *arg)
{
	w->call = fn;
	w->call_arg = arg;
	eventfd_write(w->call_fd, 1);
	while (sem_wait(&w->called))
		;
	return w->call_result;
}

/* --- the loop --- */

static bool any_peek(const struct worker *w)
{
	struct queue *q;
	bool any = false;

	for (q = w->queues; q; q = q->next) {
		if (q->stopping || queue_holds(q) || xpv_ring_broken(&q->ring) || !xpv_back_peek(&q->ring))
			continue;
		worker_ready(q->worker, q);
		any = true;
	}
	return any;
}

/* May be set at any time. */
static u64 poll_time(void)
{
	return READ_ONCE(config.poll_us) * 1000ull;
}

/* Look for work for a while, before anybody has to be asked to tell of it. Whether there is some. */
static bool look(struct worker *w)
{
	u64 now, most = poll_time();

	if (likely(!most))
		return false;
	io_uring_submit(&w->ring);
	now = now_ns();
	xpv_poll_pause(&w->poll, now);
	while (xpv_poll_on(&w->poll, now, most)) {
		if (completed(w) || any_peek(w))
			return true;
		now = now_ns();
	}
	return false;
}

/*
 * Only a watched descriptor can bring anything. Who sleeps in a ring with a watch on it counts as one who waits
 * for a disk: the time that a CPU has nothing to do would be shown as I/O wait.
 */
static void sleep_idle(struct worker *w)
{
	struct pollfd fds[WATCHES] = {
		{ .fd = channels_fd(w->channels), .events = POLLIN },
		{ .fd = w->call_fd, .events = POLLIN },
	};
	int seconds = until_due(w, coarse_ns() / 1000000000u);

	io_uring_submit(&w->ring);
	poll(fds, WATCHES, seconds < 0 ? -1 : seconds * 1000);
	io_uring_get_events(&w->ring);
}

/* A request may be stuck for longer than others' pages are to be kept. */
static void sleep_busy(struct worker *w)
{
	int seconds = until_due(w, coarse_ns() / 1000000000u);
	struct __kernel_timespec most = { .tv_sec = seconds };
	struct io_uring_cqe *cqe;

	if (seconds < 0)
		io_uring_submit_and_wait(&w->ring, 1);
	else
		io_uring_submit_and_wait_timeout(&w->ring, &cqe, 1, &most, NULL);
}

static void serve(struct worker *w)
{
	while (!w->ended) {
		bool wait;

		turns(w);
		wait = !w->ready && !look(w) && !arm(w);
		if (wait && w->pending == WATCHES)
			sleep_idle(w);
		else if (wait)
			sleep_busy(w);
		else if (io_uring_sq_ready(&w->ring) || completed(w))
			io_uring_submit_and_get_events(&w->ring);
		complete(w);
		if (w->keeps || spare_look_at(w) != WORKER_NEVER)
			give_back(w);
		if (unlikely(w->poll.idle) && w->ready)
			xpv_poll_work(&w->poll, now_ns(), poll_time());
	}
}

/* A ring as good as this kernel has it. Only its own thread submits to it. */
static int make_ring(struct worker *w)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG,
		.cq_entries = CQ_ENTRIES,
	};
	unsigned int threads[2] = { IO_THREADS, 0 };
	int err = io_uring_queue_init_params(SQ_ENTRIES, &w->ring, &p);

	w->deferred = !err;
	if (err == -EINVAL) {
		p = (struct io_uring_params){ .flags = IORING_SETUP_CQSIZE, .cq_entries = CQ_ENTRIES };
		err = io_uring_queue_init_params(SQ_ENTRIES, &w->ring, &p);
	}
	if (err)
		return err;
	w->has_buffers = !io_uring_register_buffers_sparse(&w->ring, WORKER_ARENAS);
	/* Else those of one store, as few as the CPUs times four, would keep all others' flushes waiting. */
	io_uring_register_iowq_max_workers(&w->ring, threads);
	io_uring_register_ring_fd(&w->ring);
	if (!w->index)
		log_info("io_uring: %s, registered buffers: %s",
			 w->deferred ? "completions on demand" : "completions at any time",
			 w->has_buffers ? "yes" : "no");
	return 0;
}

static void *run(void *arg)
{
	struct worker *w = arg;

	w->call_result = make_ring(w);
	if (w->call_result) {
		sem_post(&w->called);
		return NULL;
	}
	w->channel_event.fn = channels_ready;
	watch(w, &w->channel_event, channels_fd(w->channels));
	w->call_event.fn = called;
	watch(w, &w->call_event, w->call_fd);
	sem_post(&w->called);
	serve(w);

	io_uring_queue_exit(&w->ring);
	spare_unmap(w);
	return NULL;
}

int worker_start(struct worker *w, unsigned int index)
{
	int err;

	memset(w, 0, sizeof(*w));
	w->index = index;
	w->ready_tail = &w->ready;
	sem_init(&w->called, 0, 0);
	w->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->call_fd < 0)
		return -errno;
	w->channels = channels_open();
	if (!w->channels) {
		err = -errno;
		goto err_close;
	}
	err = -pthread_create(&w->thread, NULL, run, w);
	if (err)
		goto err_close_channels;
	while (sem_wait(&w->called))
		;
	err = w->call_result;
	if (err)
		goto err_join;
	return 0;

err_join:
	pthread_join(w->thread, NULL);
err_close_channels:
	channels_close(w->channels);
err_close:
	close(w->call_fd);
	return err;
}

static int end(void *arg)
{
	struct worker *w = arg;

	w->ended = true;
	return 0;
}

/* It stays here. */
static int halt(void *arg)
{
	struct worker *w = arg;

	sem_post(&w->called);
	while (pause())
		;
	return 0;
}

void worker_halt(struct worker *w)
{
	worker_call(w, halt, w);
}

void worker_stop(struct worker *w)
{
	worker_call(w, end, w);
	pthread_join(w->thread, NULL);
	channels_close(w->channels);
	close(w->call_fd);
	free(w->by_port);
}
