// SPDX-License-Identifier: GPL-2.0-only
/* Many disks at once: what they cost while nothing happens, and that one that is stuck costs no other. */
#include "test.h"

#include <load.h>
#include <queue.h>

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MANY	100u

static struct disk *disks[MANY];
static struct front fronts[MANY];

static struct xpv_blk_req request(u32 i)
{
	struct xpv_blk_req req = { .op = XPV_BLK_READ, .id = i, .nr_segs = 8 };
	u32 k;

	for (k = 0; k < 8; k++)
		req.seg[k] = (struct xpv_blk_seg){ .gref = DATA + i * 8 + k, .last = 7 };
	return req;
}

/* Disk @i on @target, which as many as like may read at once. */
static void connect_one(u32 i, const char *target, const struct store_ops *ops)
{
	struct disk *d = disk_add(LOOP_DOMID, i, "backend", "frontend");
	char why[STORE_WHY];

	assert_non_null(d);
	d->readonly = true;
	d->store.readonly = true;
	assert_int_equal(store_open(&d->store, target, why), 0);
	if (ops)
		d->store.ops = ops;
	disk_measure(d);
	front_make(&fronts[i], XPV_BLK_NATIVE, 1 + i, 1, i);
	d->abi = fronts[i].abi;
	assert_int_equal(disk_connect(d, &fronts[i].info, 1, false), 0);
	disks[i] = d;
}

static void ask(u32 i)
{
	struct xpv_blk_req req = request(i);

	front_add(&fronts[i], &req);
	front_publish(&fronts[i]);
}

static void take(u32 i)
{
	struct front_response rsp;

	assert_true(front_take(&fronts[i], &rsp, LIMIT_MS));
	assert_int_equal(rsp.status, XPV_BLK_OK);
}

static void disconnect_one(u32 i)
{
	int tries = LIMIT_MS;

	while (disk_disconnect(disks[i], false) == -EAGAIN && tries--)
		poll(NULL, 0, 1);
	assert_int_equal(disks[i]->nr_queues, 0);
	disk_free(disks[i]);
}

static void disconnect_all(u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		disconnect_one(i);
	disks_stop();
}

/* KiB, of a line of /proc/self/status. */
static u64 memory(const char *key)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long long kib = 0;
	char line[128];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), ": %llu", &kib);
	fclose(f);
	return kib;
}

/* How often the threads of this process, but for this one, have gone to sleep. */
static u64 sleeps(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	u64 sum = 0;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		unsigned long long n;
		char path[300], line[128];
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
		f = e->d_name[0] == '.' || atoi(e->d_name) == getpid() ? NULL : fopen(path, "r");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1)
				sum += n;
		if (f)
			fclose(f);
	}
	closedir(dir);
	return sum;
}

/* Is every thread of the workers asleep where the kernel sees nobody who waits for a disk? */
static bool idle(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int in_poll = 0;
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		char path[300];
		long nr;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/syscall", e->d_name);
		f = e->d_name[0] == '.' || atoi(e->d_name) == getpid() ? NULL : fopen(path, "r");
		if (!f)
			continue;
		in_poll += fscanf(f, "%ld", &nr) == 1 && nr == SYS_poll;
		fclose(f);
	}
	closedir(dir);
	return in_poll == config.workers;
}

/* The guest's memory is in this process, and is not what is measured. */
static void use_memory(void)
{
	u32 i;

	for (i = 0; i < MANY; i++)
		memset(loop_page(DATA + i * 8), 0, 8 * XPV_PAGE_SIZE);
}

/* Each time all have something to do, they have the memory that they had the last time. */
static void memory_stays_where_it_is_needed(void **state)
{
	struct rusage before, after;
	u32 i, round, n = 24;

	(void)state;
	loop_reset();
	config.workers = 1;
	assert_int_equal(disks_start(), 0);
	for (i = 0; i < n; i++)
		connect_one(i, image, NULL);
	for (round = 0; round < 60; round++) {
		if (round == 10)
			getrusage(RUSAGE_SELF, &before);
		for (i = 0; i < n; i++)
			ask(i);
		for (i = 0; i < n; i++)
			take(i);
	}
	getrusage(RUSAGE_SELF, &after);
	print_message("# %ld pages were made in 50 rounds\n", after.ru_minflt - before.ru_minflt);
	assert_in_range(after.ru_minflt - before.ru_minflt, 0, 10 * ARENA_PAGES);
	disconnect_all(n);
	config.workers = 2;
}

static void idle_disks_cost_little(void **state)
{
	u64 first, all, slept;
	u32 i;

	(void)state;
	loop_reset();
	use_memory();
	assert_int_equal(disks_start(), 0);
	connect_one(0, image, NULL);
	ask(0);
	take(0);
	first = memory("VmRSS");
	for (i = 1; i < MANY; i++)
		connect_one(i, image, NULL);
	/* All at once. */
	for (i = 0; i < MANY; i++)
		ask(i);
	for (i = 0; i < MANY; i++)
		take(i);
	/* What they were asked for has been answered. Memory is given back, and threads of the kernel's end, some seconds later. */
	for (i = 0; i < 5; i++) {
		slept = sleeps();
		poll(NULL, 0, 2000);
		slept -= sleeps();
		if (!slept)
			break;
	}
	assert_int_equal(slept, 0);
	assert_true(idle());
	all = memory("VmRSS");
	print_message("# %llu KiB for each further disk\n", (unsigned long long)(all - first) / (MANY - 1));
	assert_in_range(all - first, 0, (MANY - 1) * 4096);
	disconnect_all(MANY);
}

/* --- a store of which the kernel does not give a request back --- */

static int stuck_pipe[2];

struct stuck_lane {
	struct store *store;
	struct worker *worker;
};

static void *stuck_attach(struct store *s, struct worker *w)
{
	struct stuck_lane *lane = malloc(sizeof(*lane));

	*lane = (struct stuck_lane){ s, w };
	return lane;
}

static void stuck_done(struct event *ev, int res, u32 flags)
{
	struct io *io = event_of(ev, struct io, ev);

	(void)flags;
	io->done(io, res < 0 ? res : 0);
}

static void stuck_submit(void *arg, struct io *io)
{
	struct stuck_lane *lane = arg;

	assert_true(io->registered >= 0);
	io->ev.fn = stuck_done;
	io_uring_prep_read_fixed(worker_sqe(lane->worker, &io->ev), stuck_pipe[0], io->buf, 4096, (u64)-1, io->registered);
}

static void stuck_close(struct store *s)
{
	store_file.close(s);
}

static const struct store_ops stuck = {
	.kind = "stuck", .attach = stuck_attach, .detach = free, .submit = stuck_submit, .close = stuck_close,
};

/* A disk that comes, is used and goes while another is stuck holds its target no longer than itself. */
static void come_and_go(u32 i)
{
	char target[] = "/tmp/target-XXXXXX";
	int tries = LIMIT_MS, fd = mkstemp(target);

	assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
	connect_one(i, target, NULL);
	ask(i);
	take(i);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	disconnect_one(i);
	while (flock(fd, LOCK_EX | LOCK_NB) && tries--)
		poll(NULL, 0, 1);
	assert_true(tries >= 0);
	close(fd);
	unlink(target);
}

/* However long it takes, and whatever the others do meanwhile, there is no more and more memory in use. */
static void one_is_stuck(void **state)
{
	u64 pinned = 0, youngest;
	u32 i, round, n = 24;

	(void)state;
	loop_reset();
	assert_int_equal(pipe(stuck_pipe), 0);
	config.workers = 1;
	assert_int_equal(disks_start(), 0);
	for (i = 0; i < n; i++)
		connect_one(i, image, i ? NULL : &stuck);
	ask(0);
	for (round = 0; round < 50; round++) {
		for (i = 1; i < n; i++)
			ask(i);
		for (i = 1; i < n; i++)
			take(i);
		/* All have been in use at once by then. */
		if (round == 10)
			pinned = memory("VmPin");
	}
	assert_true(pinned);
	/* A worker on a busy machine may have some to give back still. */
	for (i = 0; i < LIMIT_MS && memory("VmPin") > pinned + 4 * ARENA_BYTES / 1024; i++)
		poll(NULL, 0, 1);
	assert_in_range(memory("VmPin"), 0, pinned + 4 * ARENA_BYTES / 1024);
	/* It is known since when it is. */
	youngest = disk_youngest(disks[0]);
	assert_in_range(now_ns() - youngest, 10000000, LIMIT_MS * 1000000ull);
	assert_int_equal(disk_youngest(disks[1]), 0);
	come_and_go(n);
	assert_int_equal(write(stuck_pipe[1], model, 4096), 4096);
	take(0);
	disconnect_all(n);
	config.workers = 2;
	close(stuck_pipe[0]);
	close(stuck_pipe[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(memory_stays_where_it_is_needed, fresh_image),
		cmocka_unit_test_setup(idle_disks_cost_little, fresh_image),
		cmocka_unit_test_setup(one_is_stuck, fresh_image),
	};
	char path[80];
	int failed;
	u32 i;

	load_begin();
	failed = cmocka_run_group_tests_name("blkd_many", tests, NULL, NULL);
	for (i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "%s/%u-%u.inflight", config.run_dir, LOOP_DOMID, i);
		unlink(path);
	}
	load_end();
	return failed;
}
