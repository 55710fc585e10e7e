// SPDX-License-Identifier: GPL-2.0-only
/*
 * `512:TARGET`: a store of larger sectors, shown as one of 512 bytes, for guests and images that know no
 * others. What begins or ends within a sector is read, changed and written; meanwhile other
 * writes to the same sectors wait. All queues are served by one worker, so nothing here locks.
 *
 *   write    [wait for its sectors] -> read the first -> read the last -> write all -> let others go on
 *   read     read all sectors -> copy what was asked for
 *
 * What is whole sectors passes through.
 */
#include "store.h"

#include <stdio.h>

struct job {
	struct io io;		/* to the inner store */
	struct io *outer;
	struct lane *lane;
	struct job *next;
	u64 from, to;		/* whole sectors of the inner store's, in bytes */
	u8 *mem;		/* all of them; NULL: the outer buffer is */
	unsigned int stage;
};

struct small {
	struct store inner;
	struct job *writing;	/* any order */
	struct job *waiting;	/* in order */
	bool beginning;		/* they are being looked through: */
	bool more;		/* once more, for */
	u64 from, to;		/* who waits for what lies here, in bytes */
};

struct lane {
	struct small *small;
	void *inner;
};

static int small_open(struct store *s, const char *target, char *why)
{
	struct small *small = calloc(1, sizeof(*small));
	int err;

	if (!small) {
		snprintf(why, STORE_WHY, "no memory");
		return -ENOMEM;
	}
	small->inner.who = s->who;
	small->inner.readonly = s->readonly;
	small->inner.holes = s->holes;
	err = store_open(&small->inner, target, why);
	if (err) {
		free(small);
		return err;
	}
	s->data = small;
	s->bytes = small->inner.bytes;
	s->flush = small->inner.flush;
	s->sector = 512;
	s->physical = small->inner.physical;
	s->discard = small->inner.discard;
	s->discard_offset = small->inner.discard_offset;
	s->one_worker = true;
	memcpy(s->id, small->inner.id, sizeof(s->id));
	return 0;
}

static void small_close(struct store *s)
{
	struct small *small = s->data;

	store_close(&small->inner);
	free(small);
}

static int small_measure(struct store *s)
{
	struct small *small = s->data;
	int err = store_measure(&small->inner);

	s->bytes = small->inner.bytes;
	return err;
}

static void *small_attach(struct store *s, struct worker *w)
{
	struct small *small = s->data;
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->small = small;
	lane->inner = small->inner.ops->attach(&small->inner, w);
	if (lane->inner)
		return lane;
	free(lane);
	return NULL;
}

static void small_detach(void *arg)
{
	struct lane *lane = arg;

	lane->small->inner.ops->detach(lane->inner);
	free(lane);
}

static void go(struct job *j);

static bool overlap(const struct job *a, const struct job *b)
{
	return a->from < b->to && b->from < a->to;
}

/* Does one in @list, before @until, use sectors of @j's? */
static bool in_use(const struct job *list, const struct job *until, const struct job *j)
{
	for (; list && list != until; list = list->next)
		if (overlap(list, j))
			return true;
	return false;
}

static void remove_job(struct job **list, struct job *j)
{
	while (*list != j)
		list = &(*list)->next;
	*list = j->next;
}

static void begin(struct small *small, struct job *j)
{
	j->next = small->writing;
	small->writing = j;
	go(j);
}

/*
 * Of those who wait for @ended, all that can. One that ends at once leaves it to this loop to see who can
 * by then. Those who wait for others are passed by: to find out for whom takes long where many wait.
 */
static void begin_waiting(struct small *small, const struct job *ended)
{
	struct job *j, *next;

	if (small->beginning) {
		small->more = true;
		small->from = small->from < ended->from ? small->from : ended->from;
		small->to = small->to > ended->to ? small->to : ended->to;
		return;
	}
	small->beginning = true;
	small->from = ended->from;
	small->to = ended->to;
	for (j = small->waiting; j; j = next) {
		next = j->next;
		if (j->from >= small->to || j->to <= small->from ||
		    in_use(small->writing, NULL, j) || in_use(small->waiting, j, j))
			continue;
		remove_job(&small->waiting, j);
		small->more = false;
		begin(small, j);
		if (small->more)
			next = small->waiting;
	}
	small->beginning = false;
}

static void end(struct job *j, int err)
{
	struct small *small = j->lane->small;
	struct io *outer = j->outer;

	if (outer->op == IO_WRITE) {
		remove_job(&small->writing, j);
		begin_waiting(small, j);
	} else if (!err) {
		memcpy(outer->buf, j->mem + (outer->offset - j->from), outer->bytes);
	}
	free(j->mem);
	free(j);
	outer->done(outer, err);
}

static void done(struct io *io, int err)
{
	struct job *j = (struct job *)io;

	if (err || j->outer->op == IO_READ || j->stage == 3)
		end(j, err);
	else
		go(j);
}

static void submit(struct job *j, enum io_op op, u8 *mem, u64 from, u64 to)
{
	const struct lane *lane = j->lane;

	j->io = (struct io){ .op = op, .registered = j->mem ? -1 : j->outer->registered,
			     .offset = from, .bytes = to - from, .buf = mem, .done = done };
	lane->small->inner.ops->submit(lane->inner, &j->io);
}

/* The next thing to do for it. */
static void go(struct job *j)
{
	const struct io *outer = j->outer;
	u32 sector = j->lane->small->inner.sector;
	u64 end_of_data = outer->offset + outer->bytes;

	if (outer->op == IO_READ) {
		submit(j, IO_READ, j->mem, j->from, j->to);
		return;
	}
	switch (j->stage) {
	case 0:
		j->stage = 1;
		if (outer->offset != j->from) {
			submit(j, IO_READ, j->mem, j->from, j->from + sector);
			return;
		}
		/* fall through */
	case 1:
		j->stage = 2;
		/* The first may be the last. */
		if (end_of_data != j->to && (j->to - j->from > sector || outer->offset == j->from)) {
			submit(j, IO_READ, j->mem + (j->to - sector - j->from), j->to - sector, j->to);
			return;
		}
		/* fall through */
	default:
		j->stage = 3;
		if (j->mem)
			memcpy(j->mem + (outer->offset - j->from), outer->buf, outer->bytes);
		submit(j, IO_WRITE, j->mem ? j->mem : outer->buf, j->from, j->to);
	}
}

static struct job *make_job(struct lane *lane, struct io *outer)
{
	u32 sector = lane->small->inner.sector;
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->outer = outer;
	j->lane = lane;
	j->from = outer->offset / sector * sector;
	j->to = (outer->offset + outer->bytes + sector - 1) / sector * sector;
	if (j->to - j->from != outer->bytes && posix_memalign((void **)&j->mem, sector, j->to - j->from)) {
		free(j);
		return NULL;
	}
	return j;
}

/* Only whole sectors of the inner store's: nobody is promised that what is discarded is gone. */
static void discard(struct lane *lane, struct io *io)
{
	u32 sector = lane->small->inner.sector;
	u64 from = (io->offset + sector - 1) / sector * sector;
	u64 to = (io->offset + io->bytes) / sector * sector;

	if (from >= to) {
		io->done(io, 0);
		return;
	}
	io->offset = from;
	io->bytes = to - from;
	lane->small->inner.ops->submit(lane->inner, io);
}

static void small_submit(void *arg, struct io *io)
{
	struct lane *lane = arg;
	struct small *small = lane->small;
	u32 mask = small->inner.sector - 1;
	struct job *j, **at;

	if (io->op == IO_DISCARD) {
		discard(lane, io);
		return;
	}
	if (io->op == IO_FLUSH || (io->op == IO_READ && !((io->offset | io->bytes) & mask))) {
		small->inner.ops->submit(lane->inner, io);
		return;
	}
	j = make_job(lane, io);
	if (!j) {
		io->done(io, -ENOMEM);
	} else if (io->op == IO_READ) {
		go(j);
	} else if (in_use(small->writing, NULL, j) || in_use(small->waiting, NULL, j)) {
		for (at = &small->waiting; *at; at = &(*at)->next)
			;
		*at = j;
	} else {
		begin(small, j);
	}
}

const struct store_ops store_512 = {
	.kind = "512",
	.open = small_open,
	.close = small_close,
	.measure = small_measure,
	.attach = small_attach,
	.detach = small_detach,
	.submit = small_submit,
};
