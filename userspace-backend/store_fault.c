// SPDX-License-Identifier: GPL-2.0-only
/*
 * `fault:KEY=VALUE,...:TARGET`: another store, with something wrong with it, for tests.
 *
 *   every=N    of the requests meant, each N-th (default 1)
 *   nth=N      only the N-th of a queue
 *   op=OP      only read, write, flush or discard
 *   error=N    fails with errno N
 *   short=1    the first half of its data moves before it fails
 *   delay=MS   is begun so much later
 *   stuck=1    is begun ten minutes later
 *   hang=MS    not a request: it takes so long to open, to measure and to close
 */
#include "store.h"

#include <liburing.h>
#include <poll.h>
#include <stdio.h>

#define STUCK_MS	600000ul

struct fault {
	struct store inner;
	unsigned long every, nth, error, part, delay, stuck, hang, op;	/* op: plus 1; 0: any */
};

struct lane {
	struct fault *fault;
	struct worker *worker;
	void *inner;
	unsigned long n;
};

/* One that is held up. */
struct held {
	struct event ev;
	struct __kernel_timespec at;
	struct io *io;
	struct lane *lane;
};

/* The half of one that moves before that fails. */
struct half {
	struct io io;
	struct io *whole;
	int err;
};

static int option(struct fault *f, char *text)
{
	static const char *const ops[] = { "read", "write", "flush", "discard" };
	const struct { const char *key; unsigned long *value; } keys[] = {
		{ "every", &f->every }, { "nth", &f->nth }, { "error", &f->error }, { "short", &f->part },
		{ "delay", &f->delay }, { "stuck", &f->stuck }, { "hang", &f->hang },
	};
	char *value = strchr(text, '='), *end;
	size_t i;

	if (!value)
		return -EINVAL;
	*value++ = 0;
	if (!strcmp(text, "op"))
		for (i = 0; i < ARRAY_SIZE(ops); i++)
			if (!strcmp(value, ops[i])) {
				f->op = i + 1;
				return 0;
			}
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(text, keys[i].key)) {
			*keys[i].value = strtoul(value, &end, 10);
			return *value && !*end ? 0 : -EINVAL;
		}
	return -EINVAL;
}

static int options(struct fault *f, char *text)
{
	char *save, *one;
	int err = 0;

	for (one = strtok_r(text, ",", &save); one && !err; one = strtok_r(NULL, ",", &save))
		err = option(f, one);
	/* What moves only in part has failed. */
	if (f->part && !f->error)
		f->error = EIO;
	return err || !f->every ? -EINVAL : 0;
}

static int fault_open(struct store *s, const char *target, char *why)
{
	struct fault *f = calloc(1, sizeof(*f));
	const char *rest = strchr(target, ':');
	char *text = strndup(target, strcspn(target, ":"));
	int err = -ENOMEM;

	snprintf(why, STORE_WHY, "no memory");
	if (!f || !text)
		goto err_free;
	f->every = 1;
	err = rest ? options(f, text) : -EINVAL;
	if (err) {
		snprintf(why, STORE_WHY, "fault:%.100s: say fault:every=10,op=read,error=5:TARGET", target);
		goto err_free;
	}
	poll(NULL, 0, (int)f->hang);
	f->inner.who = s->who;
	f->inner.readonly = s->readonly;
	f->inner.holes = s->holes;
	err = store_open(&f->inner, rest + 1, why);
	if (err)
		goto err_free;
	free(text);
	/* All that it is, but for whose it is. */
	f->inner.readonly = s->readonly;
	s->bytes = f->inner.bytes;
	s->flush = f->inner.flush;
	s->fua = f->inner.fua;
	s->sector = f->inner.sector;
	s->physical = f->inner.physical;
	s->discard = f->inner.discard;
	s->discard_offset = f->inner.discard_offset;
	s->one_worker = f->inner.one_worker;
	memcpy(s->id, f->inner.id, sizeof(s->id));
	s->data = f;
	return 0;

err_free:
	free(text);
	free(f);
	return err;
}

static void fault_close(struct store *s)
{
	struct fault *f = s->data;

	poll(NULL, 0, (int)f->hang);
	store_close(&f->inner);
	free(f);
}

static int fault_measure(struct store *s)
{
	struct fault *f = s->data;
	int err;

	poll(NULL, 0, (int)f->hang);
	err = store_measure(&f->inner);
	s->bytes = f->inner.bytes;
	return err;
}

static void *fault_attach(struct store *s, struct worker *w)
{
	struct fault *f = s->data;
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->fault = f;
	lane->worker = w;
	lane->inner = f->inner.ops->attach(&f->inner, w);
	if (lane->inner)
		return lane;
	free(lane);
	return NULL;
}

static void fault_detach(void *arg)
{
	struct lane *lane = arg;

	lane->fault->inner.ops->detach(lane->inner);
	free(lane);
}

static void half_done(struct io *io, int err)
{
	struct half *half = (struct half *)io;

	half->whole->done(half->whole, err ?: half->err);
	free(half);
}

static void move_half(struct lane *lane, struct io *io)
{
	const struct store *inner = &lane->fault->inner;
	u64 bytes = io->bytes / 2 - io->bytes / 2 % inner->sector;
	struct half *half = bytes ? malloc(sizeof(*half)) : NULL;

	if (!half) {
		io->done(io, -(int)lane->fault->error);
		return;
	}
	*half = (struct half){ .io = *io, .whole = io, .err = -(int)lane->fault->error };
	half->io.bytes = bytes;
	half->io.done = half_done;
	inner->ops->submit(lane->inner, &half->io);
}

static void carry_out(struct lane *lane, struct io *io)
{
	const struct fault *f = lane->fault;

	if (f->part && (io->op == IO_READ || io->op == IO_WRITE || io->op == IO_WRITE_FUA))
		move_half(lane, io);
	else if (f->error)
		io->done(io, -(int)f->error);
	else
		f->inner.ops->submit(lane->inner, io);
}

static void held_long_enough(struct event *ev, int res, u32 flags)
{
	struct held *h = (struct held *)ev;

	(void)res;
	(void)flags;
	carry_out(h->lane, h->io);
	free(h);
}

static void hold(struct lane *lane, struct io *io, unsigned long ms)
{
	struct held *h = malloc(sizeof(*h));

	if (!h) {
		io->done(io, -ENOMEM);
		return;
	}
	*h = (struct held){ .ev.fn = held_long_enough, .io = io, .lane = lane,
			    .at = { (long long)(ms / 1000), (long long)(ms % 1000) * 1000000 } };
	io_uring_prep_timeout(worker_sqe(lane->worker, &h->ev), &h->at, 0, 0);
}

static void fault_submit(void *arg, struct io *io)
{
	struct lane *lane = arg;
	struct fault *f = lane->fault;
	enum io_op op = io->op == IO_WRITE_FUA ? IO_WRITE : io->op;

	if ((f->op && f->op != (unsigned long)op + 1) || ++lane->n % f->every || (f->nth && lane->n != f->nth))
		f->inner.ops->submit(lane->inner, io);
	else if (f->stuck || f->delay)
		hold(lane, io, f->stuck ? STUCK_MS : f->delay);
	else
		carry_out(lane, io);
}

const struct store_ops store_fault = {
	.kind = "fault",
	.open = fault_open,
	.close = fault_close,
	.measure = fault_measure,
	.attach = fault_attach,
	.detach = fault_detach,
	.submit = fault_submit,
};
