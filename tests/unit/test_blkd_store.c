// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores without a worker. The test is the kernel to those that have one, and the inner store to those that
 * have one of these: it says when what they submit has been done, and with what result.
 */
#include "test.h"

#include <store.h>

#include <liburing.h>
#include <linux/fs.h>
#include <stdio.h>
#include <unistd.h>

#define MOST	16u

/* --- the kernel --- */

static struct io_uring_sqe sqes[MOST];
static struct event *events[MOST];
static u32 nr_sqes;

struct io_uring_sqe *worker_sqe(struct worker *w, struct event *ev)
{
	(void)w;
	assert_true(nr_sqes < MOST);
	memset(&sqes[nr_sqes], 0, sizeof(sqes[0]));
	events[nr_sqes] = ev;
	return &sqes[nr_sqes++];
}

/* --- an inner store of large sectors, whose requests wait until it fails them at once --- */

static struct io *held[MOST];
static u32 nr_held;
static bool fails;

static void *held_attach(struct store *s, struct worker *w)
{
	(void)w;
	return s;
}

static void held_detach(void *lane)
{
	(void)lane;
}

static void held_submit(void *lane, struct io *io)
{
	(void)lane;
	assert_true(nr_held < MOST);
	if (fails)
		io->done(io, -EIO);
	else
		held[nr_held++] = io;
}

static const struct store_ops held_ops = {
	.kind = "held", .attach = held_attach, .detach = held_detach, .submit = held_submit,
};

int store_open(struct store *s, const char *target, char *why)
{
	(void)target, (void)why;
	s->ops = &held_ops;
	s->bytes = 1 << 20;
	s->sector = 4096;
	s->physical = 4096;
	s->one_worker = true;
	return 0;
}

int store_measure(struct store *s)
{
	(void)s;
	return 0;
}

void store_close(struct store *s)
{
	(void)s;
}

/* --- who submits --- */

static int results[MOST];
static u32 nr_done;

static void done(struct io *io, int err)
{
	(void)io;
	results[nr_done++] = err;
}

static void open_it(struct store *s, const struct store_ops *ops, const char *target)
{
	char why[STORE_WHY];

	memset(s, 0, sizeof(*s));
	s->ops = ops;
	assert_int_equal(ops->open(s, target, why), 0);
}

static int setup(void **state)
{
	(void)state;
	nr_sqes = nr_held = nr_done = 0;
	fails = false;
	return 0;
}

/* Each of those that waited for a write ends as soon as it begins, and lets the next one go on. */
static void who_waited_may_fail_at_once(void **state)
{
	static u8 data[4096] __attribute__((aligned(4096)));
	struct io io[6];
	struct store s;
	void *lane;
	u32 i, failed = 0;

	(void)state;
	open_it(&s, &store_512, "held");
	lane = s.ops->attach(&s, NULL);
	for (i = 0; i < ARRAY_SIZE(io); i++) {
		io[i] = (struct io){ .op = IO_WRITE, .registered = -1, .bytes = 4096, .buf = data, .done = done };
		s.ops->submit(lane, &io[i]);
	}
	assert_int_equal(nr_held, 1);
	fails = true;
	held[0]->done(held[0], 0);
	assert_int_equal(nr_done, ARRAY_SIZE(io));
	for (i = 0; i < nr_done; i++)
		failed += results[i] == -EIO;
	assert_int_equal(failed, ARRAY_SIZE(io) - 1);
	s.ops->detach(lane);
	s.ops->close(&s);
}

/* What shares something between its queues, without a lock, is no less so behind faults. */
static void faults_are_one_workers_too(void **state)
{
	struct store s;

	(void)state;
	open_it(&s, &store_fault, "error=5:512:held");
	assert_true(s.one_worker);
	s.ops->close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_waited_may_fail_at_once, setup),
		cmocka_unit_test_setup(faults_are_one_workers_too, setup),
	};

	return cmocka_run_group_tests_name("blkd_store", tests, NULL, NULL);
}
