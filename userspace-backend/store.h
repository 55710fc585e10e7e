/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a disk's bytes are. A kind of store is one table of functions in one file, and a line in
 * store.c.
 *
 *   a thread of their own          worker thread, for each queue that uses the store
 *   open, measure ...              attach -> lane;  submit(lane, io) ... io->done;  detach(lane)
 *   ... close, when no lane is left
 *
 * Opening, measuring and closing may take as long as they do: errand.h. They are done one at a time.
 *
 * A target is `KIND:REST`; one that begins with a slash is `file:`. The image's format is never
 * guessed: what a store shows is what lies there.
 */
#ifndef XPV_BLKD_STORE_H
#define XPV_BLKD_STORE_H

#include "xpv_os.h"

struct worker;
struct io_uring_sqe;

/* --- worker.c: what a store may ask of the thread it is called on --- */

/* What is to be done when something that was submitted has come to pass; @res as io_uring has it. */
struct event {
	void (*fn)(struct event *ev, int res, u32 flags);
};

/* The @type that @ev is @member of. */
#define event_of(ev, type, member)	((type *)((char *)(ev) - offsetof(type, member)))

/*
 * An empty submission, to be filled by io_uring_prep_*(); it goes to the kernel at the end of
 * the turn, all in one call. The completion calls @ev on this thread. Never NULL.
 */
struct io_uring_sqe *worker_sqe(struct worker *w, struct event *ev);

/* --- one piece of work --- */

enum io_op {
	IO_READ,
	IO_WRITE,
	IO_FLUSH,		/* what was done before is on the medium when this is done */
	IO_DISCARD,		/* reads as zeroes or as before, and is no longer kept */
	IO_WRITE_FUA,		/* on the medium when it is done; of stores that have it */
};

/*
 * The submitter fills it and keeps it, with the buffer, until @done. Offset and bytes are whole
 * sectors of the store's and on it, checked by the submitter; a flush has neither. The store may
 * change all but @done and what is the submitter's.
 */
struct io {
	struct event ev;	/* the store's, for its own completions */
	enum io_op op;
	int registered;		/* number of the registered buffer that @buf is in, -1 for none */
	u64 offset;
	u64 bytes;
	void *buf;		/* contiguous; aligned to a page */
	const bool *cut;	/* once this is set, the rest of a discard need not be done; or NULL */
	void *lane;		/* the store's */
	u64 cookie;		/* the store's */
	/* All of it is done, or @err (negative errno) says why not. Called on the worker, perhaps by submit. */
	void (*done)(struct io *io, int err);
};

/* Nobody waits for what is left of this: it may end as if it were done. */
static inline bool io_cut(const struct io *io)
{
	return io->op == IO_DISCARD && io->cut && READ_ONCE(*io->cut);
}

/* --- the store itself --- */

#define STORE_WHY	256	/* bytes for a reason */
#define STORE_ID	64

struct store {
	const struct store_ops *ops;
	void *data;		/* the kind's own */

	/* Asked for by who opens it: */
	const char *who;	/* the disk that it is for, in messages; stays until it is closed */
	bool readonly;
	bool holes;		/* what is allocated may be given up */

	/* Found by open; the first again by measure: */
	u64 bytes;
	bool flush;		/* has a cache to flush */
	bool fua;		/* has IO_WRITE_FUA */
	u32 sector;		/* bytes; offsets and lengths are multiples */
	u32 physical;		/* bytes; multiples of this are not read before they are written */
	u32 discard;		/* bytes of the unit that is given back; 0: none is */
	u32 discard_offset;	/* of the first such unit */
	bool one_worker;	/* all lanes are to be one worker's */
	char id[STORE_ID];	/* another thing at the same target has another one; empty: nobody can tell */
};

struct store_ops {
	const char *kind;	/* what stands before the colon in a target */

	/*
	 * @target is what follows the colon. @s is zeroed but for what is asked for. Returns 0, or a
	 * negative errno and in @why (STORE_WHY bytes) one line for the administrator: what, and what
	 * to do. -EAGAIN: somebody else's use of it is ending, try again soon.
	 */
	int (*open)(struct store *s, const char *target, char *why);

	/* No lane is left. */
	void (*close)(struct store *s);

	/* How large is it now? Lanes may be in use. Returns 0 or a negative errno. Optional. */
	int (*measure)(struct store *s);

	/* A way to it for one queue, whose worker calls. NULL: no memory. */
	void *(*attach)(struct store *s, struct worker *w);

	/* Nothing is in flight on it. The worker calls. */
	void (*detach)(void *lane);

	/* Do @io. The worker calls; never waits. */
	void (*submit)(void *lane, struct io *io);
};

/* --- store.c --- */

/* As store_ops.open, for a whole target. */
int store_open(struct store *s, const char *target, char *why);
/* As store_ops.measure; -EOPNOTSUPP where there is none. */
int store_measure(struct store *s);
void store_close(struct store *s);

extern const struct store_ops store_file, store_null, store_fault, store_512;
extern const struct store_ops store_nbd, store_nbds, store_nbd_unix, store_nbds_unix;

#endif
