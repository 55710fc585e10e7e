// SPDX-License-Identifier: GPL-2.0-only
/* The userspace backend's handshake, with a xenstore and a guest in the same process. */
#include "test.h"

#include <disk.h>
#include <fake_store.h>
#include <loop.h>
#include <xenbus.h>
#include <xentop.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define BACK	"backend/vbd3/7/51712"
#define FRONT	"/local/domain/7/device/vbd/51712"
#define BYTES	(1u << 20)

struct config config = { .workers = 1 };

static char dir[] = "/tmp/xpv-xenbus.XXXXXX";
static char image[64];
static struct front front;
static u32 complaints;

void logf_(int priority, const char *format, ...)
{
	(void)format;
	complaints += priority <= 3;
}

void xentop_add(const struct disk *d)
{
	(void)d;
}

void xentop_remove(const struct disk *d)
{
	(void)d;
}

/* --- the toolstack, the guest, and the daemon --- */

static void stop_turn(void *arg)
{
	(void)arg;
	loop_end();
}

/* The main loop for so long. */
static void run(unsigned int ms)
{
	assert_int_equal(loop_after(ms, stop_turn, NULL), 0);
	loop_run();
}

static void write_number(const char *path, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	fake_store_write(path, text);
}

static unsigned int state_now(void)
{
	const char *text = fake_store_read(BACK "/state");

	return text ? (unsigned int)atoi(text) : 0;
}

static void wait_for(unsigned int state)
{
	int tries = 1000;

	while (state_now() != state && tries--)
		run(5);
	assert_int_equal(state_now(), state);
}

/* What libxl writes. */
static void make_node(unsigned int state)
{
	char params[80];

	snprintf(params, sizeof(params), "aio:%s", image);
	fake_store_write(BACK "/frontend", FRONT);
	fake_store_write(BACK "/frontend-id", "7");
	fake_store_write(BACK "/script", "/etc/xen/scripts/block-xpv");
	fake_store_write(BACK "/params", params);
	fake_store_write(BACK "/mode", "w");
	fake_store_write(BACK "/online", "1");
	write_number(BACK "/state", state);
	write_number(FRONT "/state", XPV_INITIALISING);
}

static void front_connects(void)
{
	loop_reset();
	front_make(&front, XPV_BLK_X86_64, 1, 1, 0);
	fake_store_write(FRONT "/protocol", "x86_64-abi");
	fake_store_write(FRONT "/ring-ref", "1");
	fake_store_write(FRONT "/event-channel", "0");
	write_number(FRONT "/state", XPV_INITIALISED);
}

static void open_by_script(void)
{
	char why[STORE_WHY];

	wait_for(XPV_INIT_WAIT);
	assert_int_equal(disk_open_store(disk_find(7, 51712), why), 0);
}

static void start_daemon(void)
{
	assert_int_equal(disks_start(), 0);
	assert_int_equal(xenbus_start(), 0);
	run(1);
}

/* Connected, from the start; the node is there. */
static void connect_node(void)
{
	start_daemon();
	open_by_script();
	front_connects();
	wait_for(XPV_CONNECTED);
	write_number(FRONT "/state", XPV_CONNECTED);
	run(5);
}

static void connect(void)
{
	make_node(XPV_INITIALISING);
	connect_node();
}

/* The toolstack takes the disk away, whatever state it is in. */
static void end_all(void)
{
	int tries = 1000;

	fake_store_remove(BACK);
	while (disk_next(NULL) && tries--)
		run(5);
	assert_null(disk_next(NULL));
	xenbus_stop();
	disks_stop();
}

/* --- tests --- */

static void life_of_a_disk(void **state)
{
	(void)state;
	connect();
	assert_string_equal(fake_store_read(BACK "/sectors"), "2048");
	write_number(FRONT "/state", XPV_CLOSING);
	wait_for(XPV_CLOSING);
	write_number(FRONT "/state", XPV_CLOSED);
	wait_for(XPV_CLOSED);
	end_all();
	assert_int_equal(complaints, 0);
}

static void remove_it(const char *path)
{
	if (strcmp(path, BACK "/xpv-blkd-opened"))
		return;
	fake_store_written = NULL;
	fake_store_remove(BACK);
}

/* The toolstack is faster than we are. */
static void removed_while_it_is_adopted(void **state)
{
	(void)state;
	make_node(XPV_INIT_WAIT);
	fake_store_write(BACK "/xpv-blkd-opened", "1");
	fake_store_written = remove_it;
	start_daemon();
	assert_null(disk_next(NULL));
	end_all();
}

/* What a daemon that has been killed leaves behind, its requests apart. */
static void end_daemon(void)
{
	int tries = 1000;

	while (disk_disconnect(disk_find(7, 51712), true) == -EAGAIN && tries--)
		run(1);
	xenbus_stop();
	disks_stop();
}

/* A guest whose disk's server is away has a slow disk, not none. */
static void a_store_that_is_away_is_waited_for(void **state)
{
	char hidden[80];

	(void)state;
	snprintf(hidden, sizeof(hidden), "%s.away", image);
	connect();
	end_daemon();
	assert_int_equal(rename(image, hidden), 0);
	start_daemon();
	run(500);
	assert_int_equal(state_now(), XPV_CONNECTED);
	assert_int_equal(disk_find(7, 51712)->nr_queues, 0);
	assert_int_equal(complaints, 1);
	assert_int_equal(rename(hidden, image), 0);
	run(500);
	assert_int_equal(state_now(), XPV_CONNECTED);
	assert_int_equal(disk_find(7, 51712)->nr_queues, 1);
	/* A guest that does not want to wait, and comes again. */
	end_daemon();
	assert_int_equal(rename(image, hidden), 0);
	start_daemon();
	run(20);
	write_number(FRONT "/state", XPV_CLOSING);
	write_number(FRONT "/state", XPV_CLOSED);
	wait_for(XPV_CLOSED);
	write_number(FRONT "/state", XPV_INITIALISING);
	wait_for(XPV_INIT_WAIT);
	front_connects();
	run(20);
	assert_int_equal(state_now(), XPV_INIT_WAIT);
	assert_int_equal(rename(hidden, image), 0);
	wait_for(XPV_CONNECTED);
	assert_int_equal(disk_find(7, 51712)->nr_queues, 1);
	end_all();
}

/* And it is not written again, whatever else happens to the disk. */
static void removed_is_removed(void **state)
{
	static const u32 news[] = { 1u << DISK_BROKEN, 1u << DISK_NO_FLUSH, 0 };
	char hidden[80];
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(news); i++) {
		connect();
		fake_store_remove(BACK);
		disk_news(disk_find(7, 51712), news[i]);
		run(20);
		assert_null(disk_next(NULL));
		assert_null(fake_store_read(BACK "/state"));
		assert_null(fake_store_read(BACK "/error"));
		assert_null(fake_store_read(BACK "/sectors"));
		end_all();
	}
	snprintf(hidden, sizeof(hidden), "%s.away", image);
	connect();
	end_daemon();
	assert_int_equal(rename(image, hidden), 0);
	start_daemon();
	run(20);
	fake_store_remove(BACK);
	run(200);
	assert_int_equal(rename(hidden, image), 0);
	assert_null(disk_next(NULL));
	assert_null(fake_store_read(BACK "/error"));
	end_all();
}

/* A frontend that does not wait for what it left in flight. */
static void it_comes_back_while_it_drains(void **state)
{
	struct xpv_blk_req req = { .op = XPV_BLK_READ, .nr_segs = 1, .seg[0] = { .gref = 100, .last = 7 } };
	static const unsigned int seen[] = { XPV_CLOSED, XPV_INITIALISING, XPV_INITIALISED };
	char params[128];
	u32 i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(seen); i++) {
		snprintf(params, sizeof(params), "aio:fault:delay=300:%s", image);
		make_node(XPV_INITIALISING);
		fake_store_write(BACK "/params", params);
		connect_node();
		front_add(&front, &req);
		front_publish(&front);
		run(50);
		write_number(FRONT "/state", XPV_CLOSING);
		run(10);
		assert_int_equal(state_now(), XPV_CLOSING);
		for (k = i; k < ARRAY_SIZE(seen); k++) {
			write_number(FRONT "/state", seen[k]);
			run(10);
		}
		assert_int_equal(state_now(), XPV_CLOSING);
		wait_for(XPV_CONNECTED);
		end_all();
	}
}

/* Its rings can't be had: once is enough, until it has tried something else. */
static void who_cannot_connect_does_not_spin(void **state)
{
	(void)state;
	make_node(XPV_INITIALISING);
	start_daemon();
	open_by_script();
	front_connects();
	fake_store_write(FRONT "/ring-ref", "99999999");
	wait_for(XPV_CLOSING);
	run(50);
	assert_int_equal(state_now(), XPV_CLOSING);
	assert_int_equal(complaints, 1);
	write_number(FRONT "/state", XPV_CLOSED);
	wait_for(XPV_CLOSED);
	front_connects();
	wait_for(XPV_CONNECTED);
	end_all();
}

static u32 times_connected;

static void count_connected(const char *path)
{
	times_connected += !strcmp(path, BACK "/state") && state_now() == XPV_CONNECTED;
}

/* Grown while nobody was there, or while somebody was: the guest is told, once. */
static void it_is_told_of_the_size(void **state)
{
	(void)state;
	connect();
	times_connected = 0;
	fake_store_written = count_connected;
	end_daemon();
	start_daemon();
	run(20);
	assert_int_equal(times_connected, 0);
	end_daemon();
	assert_int_equal(truncate(image, 2 * BYTES), 0);
	start_daemon();
	run(20);
	assert_string_equal(fake_store_read(BACK "/sectors"), "4096");
	assert_int_equal(times_connected, 1);
	assert_int_equal(disk_resize(disk_find(7, 51712)), 0);
	assert_int_equal(times_connected, 1);
	assert_int_equal(truncate(image, 4 * BYTES), 0);
	assert_int_equal(disk_resize(disk_find(7, 51712)), 0);
	assert_string_equal(fake_store_read(BACK "/sectors"), "8192");
	assert_int_equal(times_connected, 2);
	end_all();
}

static u32 came, last;

static void comes(void *arg)
{
	u32 i = (u32)(uintptr_t)arg;

	/* In the order of their times, not of the calls. */
	assert_true(!came || i >= last);
	last = i;
	came++;
}

/* More than a process may have files. */
static void much_is_done_later(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 3000; i++)
		assert_int_equal(loop_after(500 - i / 1000 * 200, comes, (void *)(uintptr_t)(3 - i / 1000)), 0);
	while (came < 3000)
		run(20);
	assert_int_equal(came, 3000);
}

static int setup(void **state)
{
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	(void)state;
	if (fd < 0 || ftruncate(fd, BYTES))
		return -1;
	close(fd);
	fake_store_clear();
	complaints = 0;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(much_is_done_later, setup),
		cmocka_unit_test_setup(life_of_a_disk, setup),
		cmocka_unit_test_setup(removed_while_it_is_adopted, setup),
		cmocka_unit_test_setup(removed_is_removed, setup),
		cmocka_unit_test_setup(it_comes_back_while_it_drains, setup),
		cmocka_unit_test_setup(who_cannot_connect_does_not_spin, setup),
		cmocka_unit_test_setup(it_is_told_of_the_size, setup),
		cmocka_unit_test_setup(a_store_that_is_away_is_waited_for, setup),
	};
	int failed;

	assert_non_null(mkdtemp(dir));
	config.run_dir = dir;
	snprintf(image, sizeof(image), "%s/image", dir);
	loop_make();
	failed = cmocka_run_group_tests_name("blkd_xenbus", tests, NULL, NULL);
	unlink(image);
	snprintf(image, sizeof(image), "%s/7-51712.inflight", dir);
	unlink(image);
	rmdir(dir);
	return failed;
}
