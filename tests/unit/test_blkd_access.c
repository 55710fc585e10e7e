// SPDX-License-Identifier: GPL-2.0-only
/* What outlives the userspace backend, and stores that do not answer: xenstore and guest are here as well. */
#include "test.h"

#include <toolstack.h>

#include <disk.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define OTHER	"backend/vbd3/7/51728"

static bool has_journal(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/7-51712.inflight", dir);
	return !access(path, F_OK);
}

/* A disk that goes while nobody serves it, or before it is gone on with. */
static void what_was_in_flight_is_forgotten(void **state)
{
	(void)state;
	connect_disk();
	assert_true(has_journal());
	end_daemon();
	assert_true(has_journal());
	start_daemon();
	goes_on();
	assert_true(has_journal());
	end_daemon();
	fake_store_remove(BACK);
	start_daemon();
	assert_false(has_journal());
	end_all();
	connect_disk();
	end_daemon();
	fake_store_write(BACK "/params", "aio:fault:hang=100:/nonexistent");
	start_daemon();
	run(10);
	assert_true(has_journal());
	end_all();
	assert_false(has_journal());
}

/* Dom0 has no room for its grants just then. */
static void room_is_waited_for(void **state)
{
	struct front_response rsp;

	(void)state;
	connect_disk();
	reads();
	end_daemon();
	front_add(&front, &a_read);
	front_publish(&front);
	loop_refuses = true;
	start_daemon();
	run(1500);
	assert_int_equal(state_now(), XPV_CONNECTED);
	assert_int_equal(disk_find(7, 51712)->nr_queues, 0);
	assert_true(has_journal());
	loop_refuses = false;
	goes_on();
	assert_true(front_take(&front, &rsp, 1000));
	assert_int_equal(rsp.status, XPV_BLK_OK);
	assert_int_equal(state_now(), XPV_CONNECTED);
	reads();
	end_all();
}

/* Somebody has put another file where the disk's was: what is in flight is not for that. */
static void another_file_is_not_the_disk(void **state)
{
	struct front_response rsp;
	char moved[96], path[96];
	int fd;

	(void)state;
	snprintf(moved, sizeof(moved), "%s.moved", image);
	snprintf(path, sizeof(path), "%s", image);
	connect_disk();
	reads();
	end_daemon();
	front_add(&front, &a_read);
	front_publish(&front);
	assert_int_equal(rename(path, moved), 0);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0 && !ftruncate(fd, BYTES));
	close(fd);
	start_daemon();
	run(300);
	assert_false(front_take(&front, &rsp, 0));
	assert_int_equal(rename(moved, path), 0);
	goes_on();
	assert_true(front_take(&front, &rsp, 1000));
	assert_int_equal(rsp.status, XPV_BLK_OK);
	end_all();
}

/* The same for the second queue alone: the first, which has a read in flight already, waits with it. */
static void all_queues_or_none(void **state)
{
	struct front_response rsp;
	char params[96];
	struct disk *d;
	int tries = 1000;

	(void)state;
	config.max_queues = 2;
	snprintf(params, sizeof(params), "aio:fault:delay=300:%s", image);
	make_node(XPV_INITIALISING);
	fake_store_write(BACK "/params", params);
	start_daemon();
	open_by_script();
	memset(loop_page(2), 0, XPV_PAGE_SIZE);
	write_number(FRONT "/multi-queue-num-queues", 2);
	write_number(FRONT "/queue-0/ring-ref", 1);
	write_number(FRONT "/queue-0/event-channel", 0);
	write_number(FRONT "/queue-1/ring-ref", 2);
	write_number(FRONT "/queue-1/event-channel", 1);
	front_connects();
	wait_for(XPV_CONNECTED);
	write_number(FRONT "/state", XPV_CONNECTED);
	run(5);
	reads();
	end_daemon();
	write_number(FRONT "/queue-1/ring-ref", 99999999);
	front_add(&front, &a_read);
	front_publish(&front);
	start_daemon();
	run(500);
	d = disk_find(7, 51712);
	assert_int_equal(state_now(), XPV_CONNECTED);
	assert_int_equal(d->nr_queues, 0);
	assert_true(has_journal());
	write_number(FRONT "/queue-1/ring-ref", 2);
	while (d->nr_queues < 2 && tries--)
		run(5);
	assert_int_equal(d->nr_queues, 2);
	assert_true(front_take(&front, &rsp, 1000));
	assert_int_equal(rsp.status, XPV_BLK_OK);
	reads();
	assert_int_equal(state_now(), XPV_CONNECTED);
	end_all();
	config.max_queues = 0;
}

/* A guest that leaves while its store is away does not wait for that. */
static void who_leaves_need_not_wait(void **state)
{
	char hidden[80];

	(void)state;
	connect_disk();
	reads();
	end_daemon();
	snprintf(hidden, sizeof(hidden), "%s.away", image);
	assert_int_equal(rename(image, hidden), 0);
	start_daemon();
	run(50);
	write_number(FRONT "/state", XPV_CLOSING);
	wait_for(XPV_CLOSING);
	write_number(FRONT "/state", XPV_CLOSED);
	wait_for(XPV_CLOSED);
	assert_int_equal(rename(hidden, image), 0);
	end_all();
}

/* Set while it was connected, or before: the disk has them for as long as it is there. */
static void limits_outlive_it(void **state)
{
	struct disk *d;

	(void)state;
	make_node(XPV_INITIALISING);
	start_daemon();
	open_by_script();
	assert_int_equal(disk_limit(disk_find(7, 51712), 5000, 1ull << 33), 0);
	end_daemon();
	start_daemon();
	d = disk_find(7, 51712);
	assert_int_equal(d->rate_requests.per_second, 5000);
	assert_int_equal(d->rate_bytes.per_second, 1ull << 33);
	front_connects();
	wait_for(XPV_CONNECTED);
	write_number(FRONT "/state", XPV_CONNECTED);
	run(5);
	assert_true(d->limited);
	assert_int_equal(disk_limit(d, 0, 1 << 20), 0);
	end_daemon();
	start_daemon();
	goes_on();
	d = disk_find(7, 51712);
	assert_int_equal(d->rate_requests.per_second, 0);
	assert_int_equal(d->rate_bytes.per_second, 1 << 20);
	assert_int_equal(disk_limit(d, 0, 0), 0);
	assert_false(d->limited);
	end_all();
}

/* --- stores that do not answer --- */

static void make_other(const char *params)
{
	fake_store_write(OTHER "/frontend", FRONT "-other");
	fake_store_write(OTHER "/frontend-id", "7");
	fake_store_write(OTHER "/script", "block-xpv");
	fake_store_write(OTHER "/params", params);
	fake_store_write(OTHER "/mode", "w");
	write_number(OTHER "/state", XPV_INITIALISING);
	write_number(FRONT "-other/state", XPV_INITIALISING);
	run(20);
	assert_non_null(disk_find(7, 51728));
}

/* The main loop goes round, and the first disk is served, for so long. */
static void all_else_goes_on(unsigned int ms)
{
	struct xpv_blk_req req = { .op = XPV_BLK_READ, .nr_segs = 1, .seg[0] = { .gref = 100, .last = 7 } };
	struct front_response rsp;
	u64 begun = now_ns();
	u32 turns;

	for (turns = 0; now_ns() - begun < ms * 1000000ull; turns++) {
		front_add(&front, &req);
		front_publish(&front);
		assert_true(front_take(&front, &rsp, 1000));
		assert_int_equal(rsp.status, XPV_BLK_OK);
		run(1);
	}
	/* Few, for a machine that is busy; who waits for what hangs makes one. */
	assert_in_range(turns, 3, UINT32_MAX);
}

static void who_hangs_keeps_nobody_waiting(void **state)
{
	char params[128], why[STORE_WHY];
	struct disk *other;
	u64 begun;

	(void)state;
	connect_disk();
	snprintf(params, sizeof(params), "aio:fault:hang=2000:%s.other", image);
	make_other(params);
	other = disk_find(7, 51728);
	/* It is not there. */
	begun = now_ns();
	assert_int_equal(disk_open_store(other, why), -EAGAIN);
	assert_non_null(strstr(why, "does not answer"));
	all_else_goes_on(1000);
	assert_int_equal(disk_open_store(other, why), -EAGAIN);
	assert_int_equal(open_disk(51728, why), -ENOENT);
	assert_non_null(strstr(why, "No such file"));
	assert_true(now_ns() - begun > 2000000000);
	/* Now it is, and what is asked of it later takes as long. */
	snprintf(params, sizeof(params), "aio:fault:hang=2000:null:1M");
	fake_store_write(OTHER "/params", params);
	assert_int_equal(open_disk(51728, why), 0);
	assert_int_equal(disk_resize(other), -EAGAIN);
	all_else_goes_on(1000);
	assert_int_equal(resize(51728), -EOPNOTSUPP);
	assert_int_equal(disk_close_store(other), -EAGAIN);
	assert_int_equal(disk_open_store(other, why), -EAGAIN);
	all_else_goes_on(1000);
	assert_int_equal(open_disk(51728, why), 0);
	/* It goes while it is looked at. */
	assert_int_equal(disk_resize(other), -EAGAIN);
	fake_store_remove(OTHER);
	run(20);
	assert_null(disk_find(7, 51728));
	all_else_goes_on(1000);
	/* And while it is opened, for a script that does not wait. */
	make_other(params);
	other = disk_find(7, 51728);
	assert_int_equal(disk_open_store(other, why), -EAGAIN);
	assert_int_equal(disk_close_store(other), -EAGAIN);
	fake_store_remove(OTHER);
	run(20);
	assert_null(disk_find(7, 51728));
	end_all();
	assert_int_equal(complaints, 0);
}

/* As at a limit on their number. */
static bool no_threads;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	return no_threads ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}

/* Nobody does it instead who has something else to do. */
static void no_thread_is_waited_for(void **state)
{
	struct disk *other;
	char why[STORE_WHY];

	(void)state;
	connect_disk();
	make_other("aio:null:1M");
	other = disk_find(7, 51728);
	no_threads = true;
	assert_int_equal(disk_open_store(other, why), -EAGAIN);
	run(250);
	assert_true(other->errand.out);
	assert_int_equal(disk_open_store(other, why), -EAGAIN);
	no_threads = false;
	assert_int_equal(open_disk(51728, why), 0);
	no_threads = true;
	assert_int_equal(disk_resize(other), -EAGAIN);
	run(250);
	assert_true(other->errand.out);
	no_threads = false;
	assert_int_equal(resize(51728), -EOPNOTSUPP);
	/* To be closed, of one that is gone: by the end, if not before. */
	no_threads = true;
	fake_store_remove(OTHER);
	run(20);
	assert_null(disk_find(7, 51728));
	no_threads = false;
	end_all();
	assert_int_equal(complaints, 0);
}

/* A server that takes a connection, and says nothing. */
static void who_says_nothing_keeps_nobody_waiting(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char params[160], why[STORE_WHY];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/socket", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 4), 0);
	connect_disk();
	snprintf(params, sizeof(params), "aio:nbd+unix:///?socket=%s", sun.sun_path);
	make_other(params);
	assert_int_equal(disk_open_store(disk_find(7, 51728), why), -EAGAIN);
	all_else_goes_on(4500);
	assert_true(open_disk(51728, why) < 0);
	assert_non_null(strstr(why, "no answer"));
	fake_store_remove(OTHER);
	end_all();
	close(fd);
	unlink(sun.sun_path);
}

/* Nor does a disk that goes on with what a process before us served. */
static void who_goes_on_may_hang(void **state)
{
	char params[128];

	(void)state;
	connect_disk();
	end_daemon();
	snprintf(params, sizeof(params), "aio:fault:hang=500:%s", image);
	fake_store_write(BACK "/params", params);
	start_daemon();
	run(100);
	assert_int_equal(state_now(), XPV_CONNECTED);
	assert_int_equal(disk_find(7, 51712)->nr_queues, 0);
	goes_on();
	all_else_goes_on(1000);
	end_all();
	assert_int_equal(complaints, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_in_flight_is_forgotten, fresh_store),
		cmocka_unit_test_setup(room_is_waited_for, fresh_store),
		cmocka_unit_test_setup(another_file_is_not_the_disk, fresh_store),
		cmocka_unit_test_setup(all_queues_or_none, fresh_store),
		cmocka_unit_test_setup(who_leaves_need_not_wait, fresh_store),
		cmocka_unit_test_setup(limits_outlive_it, fresh_store),
		cmocka_unit_test_setup(who_hangs_keeps_nobody_waiting, fresh_store),
		cmocka_unit_test_setup(no_thread_is_waited_for, fresh_store),
		cmocka_unit_test_setup(who_says_nothing_keeps_nobody_waiting, fresh_store),
		cmocka_unit_test_setup(who_goes_on_may_hang, fresh_store),
	};
	int failed;

	toolstack_begin();
	failed = cmocka_run_group_tests_name("blkd_access", tests, NULL, NULL);
	toolstack_end();
	return failed;
}
