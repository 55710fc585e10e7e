// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores without a worker. The test is the kernel to those that have one, and the inner store to those that
 * have one of these: it says when what they submit has been done, and with what result.
 */
#include "test.h"

#include <store.h>

#include <fcntl.h>
#include <liburing.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
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
	s->holes = true;
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

static void write_sectors(struct store *s, void *lane, struct io *io, u32 first, u32 n)
{
	static u8 data[4 * 4096] __attribute__((aligned(4096)));

	*io = (struct io){ .op = IO_WRITE, .registered = -1, .offset = first * 4096, .bytes = n * 4096,
			   .buf = data, .done = done };
	s->ops->submit(lane, io);
}

/* Who waits for more than one goes on when the last of them has ended, and who comes after it still waits. */
static void who_waits_for_two_waits_for_both(void **state)
{
	struct io io[5];
	struct store s;
	void *lane;

	(void)state;
	open_it(&s, &store_512, "held");
	lane = s.ops->attach(&s, NULL);
	write_sectors(&s, lane, &io[0], 0, 1);
	write_sectors(&s, lane, &io[1], 3, 1);
	write_sectors(&s, lane, &io[2], 0, 4);
	write_sectors(&s, lane, &io[3], 1, 1);
	write_sectors(&s, lane, &io[4], 8, 1);
	assert_int_equal(nr_held, 3);
	held[0]->done(held[0], 0);
	assert_int_equal(nr_held, 3);
	held[1]->done(held[1], 0);
	assert_int_equal(nr_held, 4);
	assert_int_equal(held[3]->bytes, 4 * 4096);
	held[3]->done(held[3], 0);
	assert_int_equal(nr_held, 5);
	assert_int_equal(held[4]->offset, 4096);
	held[2]->done(held[2], 0);
	held[4]->done(held[4], 0);
	assert_int_equal(nr_done, 5);
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

/* What a shell's command says in one line; false: it can't be done on this machine, or not by us. */
static bool shell(const char *command, char *line, int n)
{
	FILE *f = popen(command, "r");
	bool said;

	assert_non_null(f);
	said = fgets(line, n, f);
	if (said)
		line[strcspn(line, "\n")] = 0;
	return !pclose(f) && said;
}

static void free_device(const char *device)
{
	char command[64];

	snprintf(command, sizeof(command), "losetup -d %s", device);
	assert_int_equal(system(command), 0);
}

/* A kernel that does not know one way to discard is asked another, by each queue that has just tried. */
static void all_queues_learn_how_to_discard(void **state)
{
	struct io io[2];
	struct store s;
	char device[32];
	void *lane[2];
	u32 i;

	(void)state;
	if (!shell("f=$(mktemp) && truncate -s 1M $f && losetup -f --show $f 2>/dev/null; rm $f", device,
		   sizeof(device)))
		skip();
	open_it(&s, &store_file, device);
	for (i = 0; i < 2; i++) {
		lane[i] = s.ops->attach(&s, NULL);
		io[i] = (struct io){ .op = IO_DISCARD, .offset = i * 4096, .bytes = 4096, .done = done };
		s.ops->submit(lane[i], &io[i]);
		assert_int_equal(sqes[i].opcode, IORING_OP_URING_CMD);
	}
	for (i = 0; i < 2; i++) {
		events[i]->fn(events[i], -EOPNOTSUPP, 0);
		assert_int_equal(nr_done, 0);
		assert_int_equal(nr_sqes, 3 + i);
		assert_int_equal(sqes[2 + i].opcode, IORING_OP_FALLOCATE);
		assert_int_equal(sqes[2 + i].off, i * 4096);
	}
	/* This is final. */
	events[2]->fn(events[2], -EOPNOTSUPP, 0);
	events[3]->fn(events[3], 0, 0);
	assert_int_equal(nr_sqes, 4);
	assert_int_equal(nr_done, 2);
	assert_int_equal(results[0], -EOPNOTSUPP);
	assert_int_equal(results[1], 0);
	for (i = 0; i < 2; i++)
		s.ops->detach(lane[i]);
	s.ops->close(&s);
	free_device(device);
}

/* When nobody waits for them any more, what is left of discards ends, those that wait for their turn too. */
static void discards_are_cut_short(void **state)
{
	const u64 piece = 1ull << 30;
	char path[] = "/tmp/discards-XXXXXX";
	int fd = mkstemp(path);
	struct io io[2];
	bool cut = false;
	struct store s;
	void *lane;
	u32 i;

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)(8 * piece)), 0);
	open_it(&s, &store_file, path);
	lane = s.ops->attach(&s, NULL);
	for (i = 0; i < 2; i++) {
		io[i] = (struct io){ .op = IO_DISCARD, .bytes = 8 * piece, .cut = &cut, .done = done };
		s.ops->submit(lane, &io[i]);
	}
	assert_int_equal(nr_sqes, 1);
	events[0]->fn(events[0], 0, 0);
	assert_int_equal(nr_sqes, 2);
	assert_int_equal(sqes[1].opcode, IORING_OP_FALLOCATE);
	assert_int_equal(sqes[1].off, piece);
	cut = true;
	for (i = 1; i < nr_sqes; i++) {
		assert_true(i == 1 || sqes[i].opcode == IORING_OP_NOP);
		events[i]->fn(events[i], 0, 0);
	}
	assert_int_equal(nr_done, 2);
	assert_int_equal(results[0], 0);
	assert_int_equal(results[1], 0);
	s.ops->detach(lane);
	s.ops->close(&s);
	close(fd);
	unlink(path);
}

#define ON_LARGE_SECTORS								\
	"d=$(mktemp -d) && truncate -s 32M $d.disk && l=$(losetup -b 4096 -f --show $d.disk) && rm $d.disk &&"	\
	"mkfs.ext4 -q -b 4096 $l && mount $l $d && losetup -d $l && truncate -s 1M $d/image && echo $d"

/*
 * A hole can be read in smaller pieces than the disk below has. What is mounted, and what it is on, goes with
 * this process.
 */
static void holes_hide_no_sectors(void **state)
{
	char path[64], dir[48];
	struct store s;
	u32 sector;

	(void)state;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    !shell("{ " ON_LARGE_SECTORS "; } 2>/dev/null", dir, sizeof(dir)))
		skip();
	snprintf(path, sizeof(path), "%s/image", dir);
	open_it(&s, &store_file, path);
	sector = s.sector;
	s.ops->close(&s);
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(sector, 4096);
}

/* What is written to it goes to the kernel as this operation. */
static u8 written_as(struct store *s, const u8 *data, u32 bytes)
{
	struct io io = { .op = IO_WRITE, .registered = -1, .bytes = bytes, .buf = (void *)data, .done = done };
	void *lane = s->ops->attach(s, NULL);

	nr_sqes = nr_done = 0;
	s->ops->submit(lane, &io);
	assert_int_equal(nr_sqes, 1);
	if (sqes[0].opcode == IORING_OP_FALLOCATE && fails) {
		/* Then it is written. */
		events[0]->fn(events[0], -ENOSPC, 0);
		assert_int_equal(nr_done, 0);
		assert_int_equal(nr_sqes, 2);
		assert_int_equal(sqes[1].opcode, IORING_OP_WRITE);
		assert_ptr_equal((void *)(uintptr_t)sqes[1].addr, data);
		events[1]->fn(events[1], (int)bytes, 0);
	} else {
		events[0]->fn(events[0], sqes[0].opcode == IORING_OP_FALLOCATE ? 0 : (int)bytes, 0);
	}
	assert_int_equal(nr_done, 1);
	assert_int_equal(results[0], 0);
	s->ops->detach(lane);
	return sqes[0].opcode;
}

/* A file that has holes keeps them when zeroes are written, but for a few of them. One that has none gets none. */
static void zeroes_fill_no_holes(void **state)
{
	static u8 data[1 << 17] __attribute__((aligned(4096)));
	char path[] = "/tmp/xpv-sparse.XXXXXX";
	struct store s;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	open_it(&s, &store_file, path);
	assert_int_equal(written_as(&s, data, sizeof(data)), IORING_OP_FALLOCATE);
	assert_int_equal(sqes[0].len, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
	assert_int_equal(written_as(&s, data, 4096), IORING_OP_WRITE);
	data[sizeof(data) - 1] = 1;
	assert_int_equal(written_as(&s, data, sizeof(data)), IORING_OP_WRITE);
	data[sizeof(data) - 1] = 0;
	fails = true;
	assert_int_equal(written_as(&s, data, sizeof(data)), IORING_OP_FALLOCATE);
	assert_int_equal(written_as(&s, data, sizeof(data)), IORING_OP_WRITE);
	fails = false;
	s.ops->close(&s);
	assert_int_equal(posix_fallocate(fd, 0, 1 << 20), 0);
	open_it(&s, &store_file, path);
	assert_int_equal(written_as(&s, data, sizeof(data)), IORING_OP_WRITE);
	s.ops->close(&s);
	close(fd);
	unlink(path);
}

/* A file that is nothing but a hole, and has no name any more. */
static void open_hole(struct store *s)
{
	char path[] = "/tmp/xpv-hole.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	open_it(s, &store_file, path);
	close(fd);
	unlink(path);
}

/* Each waits for the one before it. */
static void holes_are_made_one_by_one(void **state)
{
	static u8 data[1 << 16] __attribute__((aligned(4096)));
	struct io io[3];
	struct store s;
	void *lane;
	u32 i;

	(void)state;
	open_hole(&s);
	lane = s.ops->attach(&s, NULL);
	for (i = 0; i < ARRAY_SIZE(io); i++) {
		io[i] = (struct io){ .op = IO_WRITE, .registered = -1, .offset = i << 16, .bytes = sizeof(data), .buf = data, .done = done };
		s.ops->submit(lane, &io[i]);
	}
	for (i = 0; i < ARRAY_SIZE(io); i++) {
		assert_int_equal(nr_sqes, i + 1);
		assert_int_equal(sqes[i].opcode, IORING_OP_FALLOCATE);
		assert_int_equal(sqes[i].off, i << 16);
		events[i]->fn(events[i], 0, 0);
		assert_int_equal(nr_done, i + 1);
	}
	s.ops->detach(lane);
	s.ops->close(&s);
}

/* Also what is left of one, or has to be tried again; what is only to be written is not. */
static void fua_writes_are_on_the_medium(void **state)
{
	static u8 data[8192] __attribute__((aligned(4096)));
	static const int results_of[] = { 512, -EAGAIN, sizeof(data) - 512 };
	struct io io = { .op = IO_WRITE_FUA, .registered = -1, .bytes = sizeof(data), .buf = data, .done = done };
	struct store s;
	void *lane;
	u32 i;

	(void)state;
	open_hole(&s);
	assert_true(s.fua);
	lane = s.ops->attach(&s, NULL);
	s.ops->submit(lane, &io);
	for (i = 0; i < ARRAY_SIZE(results_of); i++) {
		assert_int_equal(nr_done, 0);
		assert_int_equal(nr_sqes, i + 1);
		assert_int_equal(sqes[i].opcode, IORING_OP_WRITE);
		assert_int_equal(sqes[i].off, i ? 512 : 0);
		assert_int_equal(sqes[i].rw_flags, RWF_DSYNC);
		events[i]->fn(events[i], results_of[i], 0);
	}
	assert_int_equal(nr_done, 1);
	assert_int_equal(results[0], 0);
	io = (struct io){ .op = IO_WRITE, .registered = -1, .bytes = sizeof(data), .buf = data, .done = done };
	s.ops->submit(lane, &io);
	assert_int_equal(sqes[nr_sqes - 1].rw_flags, 0);
	s.ops->detach(lane);
	s.ops->close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_waited_may_fail_at_once, setup),
		cmocka_unit_test_setup(who_waits_for_two_waits_for_both, setup),
		cmocka_unit_test_setup(faults_are_one_workers_too, setup),
		cmocka_unit_test_setup(all_queues_learn_how_to_discard, setup),
		cmocka_unit_test_setup(discards_are_cut_short, setup),
		cmocka_unit_test_setup(holes_hide_no_sectors, setup),
		cmocka_unit_test_setup(fua_writes_are_on_the_medium, setup),
		cmocka_unit_test_setup(zeroes_fill_no_holes, setup),
		cmocka_unit_test_setup(holes_are_made_one_by_one, setup),
	};

	return cmocka_run_group_tests_name("blkd_store", tests, NULL, NULL);
}
