// SPDX-License-Identifier: GPL-2.0-only
/* Disks that the toolstack takes away from a guest that does not want to let go of them, or gives up itself. */
#include "test.h"

#include <toolstack.h>

#include <disk.h>

static u32 states_told;

static void count_states(const char *path)
{
	states_told += !strcmp(path, BACK "/state");
}

/* The state is @state, and nothing moves any more. */
static void stays(unsigned int state)
{
	wait_for(state);
	run(50);
	states_told = 0;
	fake_store_written = count_states;
	run(50);
	fake_store_written = NULL;
	assert_int_equal(states_told, 0);
	assert_int_equal(state_now(), state);
}

static void xl_detaches(void)
{
	fake_store_write(BACK "/online", "0");
	write_number(BACK "/state", XPV_CLOSING);
}

/* Whatever the guest says then. */
static void taken_away_stays_away(void **state)
{
	static const unsigned int said[][4] = {
		{ XPV_INITIALISED },
		{ XPV_CLOSED, XPV_INITIALISING, XPV_INITIALISED },
		{ XPV_CLOSED, XPV_INITIALISED },
		{ XPV_INITIALISING, XPV_INITIALISED, XPV_CONNECTED },
	};
	u32 i, k, by_xl;

	(void)state;
	for (i = 0; i < 2 * ARRAY_SIZE(said); i++) {
		by_xl = i % 2;
		connect_disk();
		if (by_xl)
			xl_detaches();
		else
			assert_int_equal(disk_detach(disk_find(7, 51712)), 0);
		stays(XPV_CLOSING);
		/* With rings of its own, as one that comes anew. */
		write_number(FRONT "/ring-ref", 2);
		for (k = 0; said[i / 2][k]; k++) {
			write_number(FRONT "/state", said[i / 2][k]);
			stays(XPV_CLOSED);
		}
		assert_int_equal(disk_find(7, 51712)->nr_queues, 0);
		end_all();
	}
	assert_int_equal(complaints, 0);
}

/* By xl, which waits for Closed and then removes the node. */
static void no_frontend_has_come(void **state)
{
	static const enum xpv_state seen[] = { XPV_INITIALISING, XPV_INITIALISED };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(seen); i++) {
		make_node(XPV_INITIALISING);
		start_daemon();
		wait_for(XPV_INIT_WAIT);
		write_number(FRONT "/state", seen[i]);
		stays(XPV_INIT_WAIT);
		xl_detaches();
		stays(XPV_CLOSED);
		end_all();
	}
}

static void detach_meanwhile(const char *path)
{
	if (strcmp(path, BACK "/feature-flush-cache") || state_now() == XPV_CLOSING)
		return;
	fake_store_written = NULL;
	xl_detaches();
}

/* Between our look at the state and our next one. */
static void asked_while_it_connects(void **state)
{
	(void)state;
	make_node(XPV_INITIALISING);
	start_daemon();
	open_by_script();
	fake_store_written = detach_meanwhile;
	front_connects();
	stays(XPV_CLOSING);
	write_number(FRONT "/state", XPV_CLOSED);
	stays(XPV_CLOSED);
	end_all();
}

/* It does not let go, and may not: the disk is in use there. A daemon that comes meanwhile serves it as the one before did. */
static void served_for_as_long_as_it_stays(void **state)
{
	(void)state;
	connect_disk();
	assert_int_equal(disk_detach(disk_find(7, 51712)), 0);
	reads();
	end_daemon();
	start_daemon();
	goes_on();
	reads();
	stays(XPV_CLOSING);
	write_number(FRONT "/state", XPV_CLOSING);
	end_daemon();
	start_daemon();
	goes_on();
	reads();
	write_number(FRONT "/state", XPV_CLOSED);
	stays(XPV_CLOSED);
	end_all();
	/* By itself, while nobody was there. */
	connect_disk();
	reads();
	end_daemon();
	write_number(FRONT "/state", XPV_CLOSING);
	start_daemon();
	goes_on();
	reads();
	stays(XPV_CLOSING);
	write_number(FRONT "/state", XPV_CLOSED);
	stays(XPV_CLOSED);
	end_all();
	assert_int_equal(complaints, 0);
}

/* A driver domain may have only so many nodes. */
static void what_cannot_be_offered(void **state)
{
	(void)state;
	complaints = 0;
	make_node(XPV_INITIALISING);
	fake_store_full = true;
	start_daemon();
	stays(XPV_CLOSED);
	assert_int_equal(complaints, 1);
	write_number(FRONT "/state", XPV_INITIALISED);
	stays(XPV_CLOSED);
	assert_int_equal(complaints, 1);
	fake_store_full = false;
	write_number(FRONT "/state", XPV_CLOSED);
	stays(XPV_CLOSED);
	write_number(FRONT "/state", XPV_INITIALISING);
	wait_for(XPV_INIT_WAIT);
	end_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(taken_away_stays_away, fresh_store),
		cmocka_unit_test_setup(no_frontend_has_come, fresh_store),
		cmocka_unit_test_setup(asked_while_it_connects, fresh_store),
		cmocka_unit_test_setup(served_for_as_long_as_it_stays, fresh_store),
		cmocka_unit_test_setup(what_cannot_be_offered, fresh_store),
	};
	int failed;

	toolstack_begin();
	failed = cmocka_run_group_tests_name("blkd_leave", tests, NULL, NULL);
	toolstack_end();
	return failed;
}
