/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker: a thread with an io_uring, and the queues it serves. All that it waits for is told by
 * the ring: I/O, events of frontends, timers, calls of the main thread.
 *
 *   for all that is ready: a turn         (request.c: copies and I/O of a batch)
 *   look for more for a while             (only with poll_us)
 *   ask for events, and sleep             one io_uring_enter() submits and waits; with nothing in
 *                                         flight it is poll()
 */
#ifndef XPV_BLKD_WORKER_H
#define XPV_BLKD_WORKER_H

#include <liburing.h>
#include <semaphore.h>

#include <xpv/grant.h>
#include <xpv/poll.h>

#include "arena.h"
#include "daemon.h"
#include "store.h"
#include "world.h"

#define WORKER_ARENAS	256u	/* registered, at most */
#define WORKER_NEVER	(~0ull)	/* of seconds */

struct request;

struct worker {
	unsigned int index;
	pthread_t thread;
	struct io_uring ring;
	u32 pending;			/* submissions, and buffers given up, whose last completion is to come */
	bool has_buffers;		/* the kernel takes registered ones */
	bool deferred;			/* completions come only when they are asked for */
	bool ended;

	/* The main thread's calls, one at a time. */
	int call_fd;
	struct event call_event;
	int (*call)(void *arg);
	void *call_arg;
	int call_result;
	sem_t called;

	/* Event channels, and whose they are. */
	struct channels *channels;
	struct event channel_event;
	struct queue **by_port;
	u32 ports;

	struct queue *queues;		/* all */
	struct queue *ready, **ready_tail;	/* those to have a turn */
	struct queue *unarmed;		/* those that have not asked for an event since their last turn */
	struct xpv_poll poll;
	u64 now, second;		/* of the turn: coarse_ns(), and in seconds */
	bool keeps;			/* some queue may have pages that stay mapped */
	u64 aged;			/* second: when these were looked at */

	/* spare.c: memory to pass requests through. */
	struct arena *spare, *leaving;	/* for the next queue; given up, but the kernel still has it */
	unsigned int spares, leavings;
	unsigned int surplus;		/* of the spares: to be given up */
	unsigned int spares_least;	/* since the second of the last look whether there are too many */
	u64 trimmed;
	u8 arena_used[WORKER_ARENAS];

	/* The copies of a turn, and whose each is. */
	struct xpv_copy_batch copies;
	struct request *copy_of[XPV_COPY_MAX];
};

/* Main thread: start @w. Returns 0 or a negative errno. */
int worker_start(struct worker *w, unsigned int index);

/* @w does nothing any more, and can only be ended by the end of the process. What it has in flight goes on. */
void worker_halt(struct worker *w);

/* Main thread: it has no queues any more. */
void worker_stop(struct worker *w);

/* Main thread: have @w do @fn(@arg), and wait for what it returns. @fn does not wait. */
int worker_call(struct worker *w, int (*fn)(void *arg), void *arg);

/* The functions from here on are for the worker's own thread. */

/* @q is to have a turn. */
void worker_ready(struct worker *w, struct queue *q);

void worker_add_queue(struct worker *w, struct queue *q);
void worker_remove_queue(struct worker *w, struct queue *q);

/* @port has become @q's; NULL: nobody's. Returns 0 or -ENOMEM. */
int worker_set_port(struct worker *w, u32 port, struct queue *q);

/* A queue has pages that stay mapped: they are to be given back when they go unused. */
void worker_keeps(struct worker *w);

#endif
