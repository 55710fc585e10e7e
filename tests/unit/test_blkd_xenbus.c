// SPDX-License-Identifier: GPL-2.0-only
/* The userspace backend's handshake, with a xenstore and a guest in the same process. */
#include "test.h"

#include <toolstack.h>

#include <disk.h>
#include <journal.h>

#include <unistd.h>

static void life_of_a_disk(void **state)
{
	(void)state;
	connect_disk();
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
	while (fake_store_written)
		run(5);
	run(20);
	assert_null(disk_next(NULL));
	end_all();
}

/* A guest whose disk's server is away has a slow disk, not none. */
static void a_store_that_is_away_is_waited_for(void **state)
{
	char hidden[80];

	(void)state;
	snprintf(hidden, sizeof(hidden), "%s.away", image);
	connect_disk();
	end_daemon();
	assert_int_equal(rename(image, hidden), 0);
	start_daemon();
	run(500);
	assert_int_equal(state_now(), XPV_CONNECTED);
	assert_int_equal(disk_find(7, 51712)->nr_queues, 0);
	assert_int_equal(complaints, 1);
	assert_int_equal(rename(hidden, image), 0);
	goes_on();
	assert_int_equal(state_now(), XPV_CONNECTED);
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
		connect_disk();
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
	connect_disk();
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

/* A disk that takes its time, and a read that it has not answered. */
static void leave_in_flight(void)
{
	char params[128];

	snprintf(params, sizeof(params), "aio:fault:delay=300:%s", image);
	make_node(XPV_INITIALISING);
	fake_store_write(BACK "/params", params);
	connect_node();
	front_add(&front, &a_read);
	front_publish(&front);
	run(50);
}

/*
 * What comes where a disk was that still drains is another disk: it has what its own node says, and nothing is
 * written there for the old one.
 */
static void made_anew_while_it_drains(void **state)
{
	char why[STORE_WHY];
	struct disk *old;

	(void)state;
	leave_in_flight();
	fake_store_remove(BACK);
	run(10);
	make_node(XPV_INITIALISING);
	fake_store_write(BACK "/params", "aio:null:64K");
	run(10);
	old = disk_find(7, 51712);
	assert_int_equal(old->nr_queues, 1);
	disk_news(old, 1u << DISK_BROKEN | 1u << DISK_NO_FLUSH);
	assert_int_equal(disk_open_store(old, why), -EAGAIN);
	assert_non_null(strstr(why, "in flight"));
	assert_int_equal(disk_close_store(old), -EBUSY);
	assert_int_equal(disk_resize(old), -EAGAIN);
	assert_int_equal(disk_limit(old, 5, 5), -EIO);
	assert_int_equal(disk_detach(old), -ENOTCONN);
	run(20);
	assert_int_equal(state_now(), XPV_INITIALISING);
	assert_null(fake_store_read(BACK "/error"));
	assert_null(fake_store_read(BACK "/sectors"));
	open_by_script();
	assert_string_equal(disk_find(7, 51712)->target, "null:64K");
	front_connects();
	wait_for(XPV_CONNECTED);
	assert_string_equal(fake_store_read(BACK "/sectors"), "128");
	end_all();
	assert_int_equal(complaints, 0);
}

/* It may be when we next look: what is there then is the other one all the same. */
static void made_anew_unseen(void **state)
{
	(void)state;
	connect_disk();
	fake_store_remove(BACK);
	make_node(XPV_INITIALISING);
	fake_store_write(BACK "/params", "aio:null:64K");
	fake_store_write(BACK "/mode", "r");
	run(20);
	open_by_script();
	assert_string_equal(disk_find(7, 51712)->target, "null:64K");
	assert_true(disk_find(7, 51712)->readonly);
	front_connects();
	wait_for(XPV_CONNECTED);
	assert_string_equal(fake_store_read(BACK "/sectors"), "128");
	end_all();
	assert_int_equal(complaints, 0);
}

/* Nothing is gone because it can't be read. */
static void who_cannot_be_seen_stays(void **state)
{
	(void)state;
	connect_disk();
	fake_store_error = EIO;
	disk_news(disk_find(7, 51712), 0);
	run(20);
	fake_store_error = 0;
	assert_non_null(disk_find(7, 51712));
	assert_int_equal(disk_find(7, 51712)->nr_queues, 1);
	assert_int_equal(state_now(), XPV_CONNECTED);
	end_all();
}

/* A frontend that does not wait for what it left in flight. */
static void it_comes_back_while_it_drains(void **state)
{
	static const unsigned int seen[] = { XPV_CLOSED, XPV_INITIALISING, XPV_INITIALISED };
	u32 i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(seen); i++) {
		leave_in_flight();
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

static void offer_queues(unsigned int n, unsigned int ring, unsigned int port)
{
	loop_reset();
	front_make(&front, XPV_BLK_X86_64, 1, 1, 0);
	memset(loop_page(2), 0, XPV_PAGE_SIZE);
	fake_store_write(FRONT "/protocol", "x86_64-abi");
	write_number(FRONT "/multi-queue-num-queues", n);
	write_number(FRONT "/queue-0/ring-ref", 1);
	write_number(FRONT "/queue-0/event-channel", 0);
	write_number(FRONT "/queue-1/ring-ref", ring);
	write_number(FRONT "/queue-1/event-channel", port);
	write_number(FRONT "/state", XPV_INITIALISED);
}

static void leave(void)
{
	write_number(FRONT "/state", XPV_CLOSED);
	wait_for(XPV_CLOSED);
	write_number(FRONT "/state", XPV_INITIALISING);
	wait_for(XPV_INIT_WAIT);
}

/* As many as any may have; and what one of them has, another can't have as well. */
static void queues_of_their_own(void **state)
{
	u32 i;

	(void)state;
	make_node(XPV_INITIALISING);
	start_daemon();
	open_by_script();
	offer_queues(2, 2, 1);
	wait_for(XPV_CONNECTED);
	assert_int_equal(disk_find(7, 51712)->nr_queues, 2);
	leave();
	offer_queues(MAX_QUEUES + 1, 2, 1);
	wait_for(XPV_CLOSING);
	leave();
	/* One channel. */
	offer_queues(2, 2, 0);
	wait_for(XPV_CLOSING);
	leave();
	/* One ring, which is answered from two ends: that is the frontend's own affair. */
	offer_queues(2, 1, 1);
	wait_for(XPV_CONNECTED);
	for (i = 0; i < 30; i++)
		front_add(&front, &a_read);
	front_publish(&front);
	loop_kick(1);
	run(100);
	leave();
	offer_queues(2, 2, 1);
	wait_for(XPV_CONNECTED);
	assert_int_equal(disk_find(7, 51712)->nr_queues, 2);
	end_all();
}

/* The settings are read again between our offer and its choice. */
static void an_offer_is_kept(void **state)
{
	(void)state;
	config.max_queues = 2;
	config.max_ring_order = 1;
	make_node(XPV_INITIALISING);
	start_daemon();
	open_by_script();
	assert_string_equal(fake_store_read(BACK "/multi-queue-max-queues"), "2");
	assert_string_equal(fake_store_read(BACK "/max-ring-page-order"), "1");
	config.max_queues = 1;
	config.max_ring_order = 0;
	fake_store_write(FRONT "/ring-page-order", "1");
	write_number(FRONT "/queue-0/ring-ref0", 1);
	write_number(FRONT "/queue-0/ring-ref1", 2);
	write_number(FRONT "/queue-1/ring-ref0", 3);
	write_number(FRONT "/queue-1/ring-ref1", 4);
	offer_queues(2, 3, 1);
	wait_for(XPV_CONNECTED);
	assert_int_equal(disk_find(7, 51712)->nr_queues, 2);
	end_all();
	config.max_queues = 0;
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
	connect_disk();
	times_connected = 0;
	fake_store_written = count_connected;
	end_daemon();
	start_daemon();
	goes_on();
	assert_int_equal(times_connected, 0);
	end_daemon();
	assert_int_equal(truncate(image, 2 * BYTES), 0);
	start_daemon();
	goes_on();
	assert_string_equal(fake_store_read(BACK "/sectors"), "4096");
	assert_int_equal(times_connected, 1);
	assert_int_equal(resize(51712), 0);
	assert_int_equal(times_connected, 1);
	assert_int_equal(truncate(image, 4 * BYTES), 0);
	assert_int_equal(resize(51712), 0);
	assert_string_equal(fake_store_read(BACK "/sectors"), "8192");
	assert_int_equal(times_connected, 2);
	end_all();
}

/* A connected guest has made its disk with them, and does not look again. */
static void its_sectors_stay(void **state)
{
	(void)state;
	connect_disk();
	assert_string_equal(fake_store_read(BACK "/sector-size"), "512");
	end_daemon();
	fake_store_write(BACK "/sector-size", "4096");
	start_daemon();
	goes_on();
	assert_int_equal(truncate(image, 2 * BYTES), 0);
	assert_int_equal(resize(51712), 0);
	assert_string_equal(fake_store_read(BACK "/sectors"), "4096");
	assert_string_equal(fake_store_read(BACK "/sector-size"), "4096");
	/* One that comes again looks. */
	leave();
	front_connects();
	wait_for(XPV_CONNECTED);
	assert_string_equal(fake_store_read(BACK "/sector-size"), "512");
	end_all();
}

/* A new ring, made while nobody was there, or while somebody was who did not look. */
static void comes_anew(u32 gref, enum xpv_state seen)
{
	loop_reset();
	front_make(&front, XPV_BLK_X86_64, gref, 1, 0);
	write_number(FRONT "/ring-ref", gref);
	write_number(FRONT "/state", seen);
}

/* Its ring is not the one that a process before us served: what that one left is not for it. */
static void it_comes_anew_while_nobody_is_there(void **state)
{
	static const enum xpv_state seen[] = { XPV_INITIALISED, XPV_CONNECTED };
	struct front_response rsp;
	struct journal *j;
	u32 i, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(seen); i++) {
		for (n = 0; n < 2; n++) {
			connect_disk();
			if (n)
				reads();
			end_daemon();
			/* As if the only request that was ever taken had not been answered. */
			j = journal_find("7/51712", 1, front.ring.size);
			assert_non_null(j);
			journal_ring(j, 0)->cons = 1;
			journal_ring(j, 0)->entry[0].state = ENTRY_TAKEN;
			journal_ring(j, 0)->entry[0].taken = 0;
			journal_close(j, false);
			comes_anew(1, seen[i]);
			times_connected = 0;
			fake_store_written = count_connected;
			start_daemon();
			goes_on();
			assert_int_equal(times_connected, seen[i] == XPV_INITIALISED);
			fake_store_written = NULL;
			assert_false(front_take(&front, &rsp, 50));
			reads();
			assert_int_equal(state_now(), XPV_CONNECTED);
			assert_int_equal(complaints, 0);
			end_all();
		}
	}
}

/* It has been served, but what is in flight there nobody knows. */
static void a_ring_of_unknown_past(void **state)
{
	char path[80];

	(void)state;
	connect_disk();
	reads();
	end_daemon();
	snprintf(path, sizeof(path), "%s/7-51712.inflight", dir);
	assert_int_equal(unlink(path), 0);
	start_daemon();
	wait_for(XPV_CLOSING);
	assert_int_equal(complaints, 1);
	end_all();
}

/* It has left and come back between two looks of ours. */
static void it_comes_anew_unseen(void **state)
{
	static const enum xpv_state seen[] = { XPV_INITIALISED, XPV_CONNECTED };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(seen); i++) {
		connect_disk();
		reads();
		times_connected = 0;
		fake_store_written = count_connected;
		comes_anew(2, seen[i]);
		run(50);
		reads();
		assert_int_equal(state_now(), XPV_CONNECTED);
		/* Who waits for that has seen it already. */
		assert_int_equal(times_connected, seen[i] == XPV_INITIALISED);
		fake_store_written = NULL;
		end_all();
	}
	assert_int_equal(complaints, 0);
}

/* The same while the old ring has a request in flight. */
static void it_comes_anew_and_does_not_wait(void **state)
{
	struct front_response rsp;

	(void)state;
	leave_in_flight();
	comes_anew(2, XPV_CONNECTED);
	run(20);
	assert_int_equal(disk_find(7, 51712)->stopping, 1);
	front_add(&front, &a_read);
	front_publish(&front);
	assert_false(front_take(&front, &rsp, 50));
	run(500);
	assert_true(front_take(&front, &rsp, 1000));
	assert_int_equal(rsp.status, XPV_BLK_OK);
	assert_int_equal(state_now(), XPV_CONNECTED);
	/* The page of the old one may be anything by now: no answer has come there. */
	assert_int_equal(((u32 *)loop_page(1))[2], 0);
	end_all();
	/* Or goes away. What it had granted for what is in flight is somebody else's by now. */
	leave_in_flight();
	comes_anew(2, XPV_CONNECTED);
	run(20);
	assert_int_equal(disk_detach(disk_find(7, 51712)), -EAGAIN);
	disk_news(disk_find(7, 51712), 1u << DISK_BROKEN);
	assert_int_equal(state_now(), XPV_CONNECTED);
	memset(loop_page(100), 0xaa, XPV_PAGE_SIZE);
	write_number(FRONT "/state", XPV_CLOSED);
	wait_for(XPV_CLOSED);
	assert_int_equal(((u8 *)loop_page(100))[5], 0xaa);
	/* One that closes in order, and waits. */
	front_connects();
	wait_for(XPV_CONNECTED);
	front_add(&front, &a_read);
	front_publish(&front);
	run(50);
	write_number(FRONT "/state", XPV_CLOSING);
	write_number(FRONT "/state", XPV_CLOSED);
	wait_for(XPV_CLOSED);
	assert_int_equal(((u8 *)loop_page(100))[5], 0);
	write_number(FRONT "/state", XPV_INITIALISING);
	wait_for(XPV_INIT_WAIT);
	front_connects();
	wait_for(XPV_CONNECTED);
	reads();
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(much_is_done_later, fresh_store),
		cmocka_unit_test_setup(life_of_a_disk, fresh_store),
		cmocka_unit_test_setup(removed_while_it_is_adopted, fresh_store),
		cmocka_unit_test_setup(removed_is_removed, fresh_store),
		cmocka_unit_test_setup(made_anew_while_it_drains, fresh_store),
		cmocka_unit_test_setup(made_anew_unseen, fresh_store),
		cmocka_unit_test_setup(who_cannot_be_seen_stays, fresh_store),
		cmocka_unit_test_setup(it_comes_back_while_it_drains, fresh_store),
		cmocka_unit_test_setup(who_cannot_connect_does_not_spin, fresh_store),
		cmocka_unit_test_setup(queues_of_their_own, fresh_store),
		cmocka_unit_test_setup(an_offer_is_kept, fresh_store),
		cmocka_unit_test_setup(it_is_told_of_the_size, fresh_store),
		cmocka_unit_test_setup(its_sectors_stay, fresh_store),
		cmocka_unit_test_setup(it_comes_anew_while_nobody_is_there, fresh_store),
		cmocka_unit_test_setup(a_ring_of_unknown_past, fresh_store),
		cmocka_unit_test_setup(it_comes_anew_unseen, fresh_store),
		cmocka_unit_test_setup(it_comes_anew_and_does_not_wait, fresh_store),
		cmocka_unit_test_setup(a_store_that_is_away_is_waited_for, fresh_store),
	};
	int failed;

	toolstack_begin();
	failed = cmocka_run_group_tests_name("blkd_xenbus", tests, NULL, NULL);
	toolstack_end();
	return failed;
}
