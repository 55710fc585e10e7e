// SPDX-License-Identifier: GPL-2.0-only
/* Pages that stay mapped, with the daemon's own code around them and a guest that uses them again and again. */
#include "test.h"

#include <load.h>

#include <poll.h>

#define ENOUGH	(1u << 20)

static int setup(void **state)
{
	persistent = true;
	loop_refuses = false;
	config.persistent_grants = ENOUGH;
	config.persistent_unused_s = 60;
	return fresh_image(state);
}

static u32 mapped(void)
{
	return __atomic_load_n(&loop_mapped, __ATOMIC_RELAXED);
}

/* Besides its rings. */
static struct disk_stats counted(void)
{
	struct disk_stats s;

	disk_stats(disk, &s);
	return s;
}

static void over(void)
{
	check_image();
	end();
	assert_int_equal(mapped(), 0);
}

/* What has been seen is not copied by its grant again, nor mapped twice. */
static void what_was_seen_is_mapped(void **state)
{
	u64 first;
	u32 i;

	(void)state;
	begin(image, 2, 16, XPV_BLK_X86_64);
	for (i = 0; i < 8; i++)
		work(500);
	first = counted().grant_copies;
	assert_true(counted().kept > 100);
	assert_int_equal(mapped(), counted().kept + 2 * 16);
	for (i = 0; i < 8; i++)
		work(500);
	/* There are pages that only large requests come to. */
	assert_in_range(counted().grant_copies - first, 0, first / 4);
	over();
}

/* Who is answered may give up a grant that is not in use: it is then, if it is to stay. */
static void what_stays_is_mapped_before_the_answer(void **state)
{
	const char *target[] = { image, "null:8M" };
	struct front_response rsp;
	u32 i, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(target); i++) {
		begin(target[i], 1, 1, XPV_BLK_X86_64);
		for (k = 0; k < 2; k++) {
			struct xpv_blk_req req = { .op = k ? XPV_BLK_READ : XPV_BLK_WRITE, .nr_segs = 1 };

			req.seg[0] = (struct xpv_blk_seg){ .gref = DATA + k, .last = 7 };
			front_add(&front[0], &req);
			front_publish(&front[0]);
			assert_true(front_take(&front[0], &rsp, LIMIT_MS));
			assert_int_equal(mapped(), 1 + k + 1);
		}
		end();
		assert_int_equal(mapped(), 0);
	}
}

/* A frontend that does not say so has nothing mapped but its ring. */
static void who_does_not_ask_is_copied(void **state)
{
	(void)state;
	persistent = false;
	begin(image, 1, 4, XPV_BLK_X86_64);
	work(500);
	assert_int_equal(mapped(), 4);
	assert_true(counted().grant_copies > 500);
	over();
}

/* All of a domain's queues together; what goes beyond is served all the same. */
static void no_more_than_a_domain_may(void **state)
{
	u32 i, most = 0;

	(void)state;
	config.persistent_grants = 300;
	begin(image, 4, 4, XPV_BLK_X86_64);
	for (i = 0; i < 40; i++) {
		work(50);
		most = mapped() > most ? mapped() : most;
	}
	assert_in_range(most, 4 * 4 + 100, 4 * 4 + 300);
	over();
}

/* What can't be mapped is copied, and not tried again and again. */
static void what_cant_be_mapped_is_copied(void **state)
{
	(void)state;
	begin(image, 1, 4, XPV_BLK_X86_64);
	__atomic_store_n(&loop_refuses, true, __ATOMIC_RELAXED);
	work(500);
	__atomic_store_n(&loop_refuses, false, __ATOMIC_RELAXED);
	work(500);
	assert_int_equal(mapped(), 4);
	assert_int_equal(counted().kept, 0);
	over();
}

/* Also while nothing happens; then nobody looks any more. */
static void what_goes_unused_is_given_back(void **state)
{
	int tries;

	(void)state;
	config.persistent_unused_s = 1;
	begin(image, 2, 4, XPV_BLK_X86_64);
	work(500);
	assert_true(mapped() > 2 * 4);
	for (tries = 0; tries < LIMIT_MS && mapped() > 2 * 4; tries++)
		poll(NULL, 0, 1);
	assert_int_equal(mapped(), 2 * 4);
	work(500);
	over();
}

/* Reads of @n pages from @gref on, one by one. How often the last one was copied by its grant. */
static u64 read_pages(u32 gref, u32 n)
{
	struct front_response rsp;
	u64 copies = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		struct xpv_blk_req req = { .op = XPV_BLK_READ, .nr_segs = 1 };

		copies = counted().grant_copies;
		req.seg[0] = (struct xpv_blk_seg){ .gref = gref + i, .last = 7 };
		front_add(&front[0], &req);
		front_publish(&front[0]);
		assert_true(front_take(&front[0], &rsp, LIMIT_MS));
	}
	return counted().grant_copies - copies;
}

/* The first uses leave no room; when they are not young any more, those that come later have it. */
static void who_is_unused_makes_room(void **state)
{
	u32 i;

	(void)state;
	config.persistent_grants = 16;
	begin("null:8M", 1, 1, XPV_BLK_X86_64);
	read_pages(DATA, 15);
	assert_int_equal(read_pages(DATA, 15), 0);
	read_pages(DATA + 100, 15);
	assert_int_equal(read_pages(DATA + 100, 15), 1);
	poll(NULL, 0, 3500);
	for (i = 0; i < 4; i++)
		read_pages(DATA + 100, 15);
	assert_int_equal(read_pages(DATA + 100, 15), 0);
	end();
	assert_int_equal(mapped(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_seen_is_mapped, setup),
		cmocka_unit_test_setup(what_stays_is_mapped_before_the_answer, setup),
		cmocka_unit_test_setup(who_does_not_ask_is_copied, setup),
		cmocka_unit_test_setup(no_more_than_a_domain_may, setup),
		cmocka_unit_test_setup(what_cant_be_mapped_is_copied, setup),
		cmocka_unit_test_setup(what_goes_unused_is_given_back, setup),
		cmocka_unit_test_setup(who_is_unused_makes_room, setup),
	};
	int failed;

	load_begin();
	failed = cmocka_run_group_tests_name("kept", tests, NULL, NULL);
	load_end();
	return failed;
}
