// SPDX-License-Identifier: GPL-2.0-only
/* What the daemon and a guest tell each other of a disk, besides their states. */
#include "test.h"

#include <toolstack.h>

/* What kind of disk it is: a CD-ROM, which can't be written; one that can be taken out. */
static void the_kind_is_told(void **state)
{
	(void)state;
	make_node(XPV_INITIALISING);
	fake_store_write(BACK "/device-type", "cdrom");
	fake_store_write(BACK "/mode", "r");
	start_daemon();
	open_by_script();
	front_connects();
	wait_for(XPV_CONNECTED);
	assert_string_equal(fake_store_read(BACK "/info"), "5");
	end_all();
	make_node(XPV_INITIALISING);
	fake_store_write(BACK "/removable", "1");
	fake_store_write(BACK "/discard-enable", "0");
	start_daemon();
	open_by_script();
	front_connects();
	wait_for(XPV_CONNECTED);
	assert_string_equal(fake_store_read(BACK "/info"), "2");
	assert_string_equal(fake_store_read(BACK "/feature-discard"), "0");
	end_all();
}

/* Grants stay mapped if both ends are for it. */
static void persistence_takes_two(void **state)
{
	static const struct { unsigned int most; const char *front, *told; } cases[] = {
		{ 0, "1", "0" }, { 64, NULL, "0" }, { 64, "0", "0" }, { 64, "1", "1" },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		config.persistent_grants = cases[i].most;
		make_node(XPV_INITIALISING);
		fake_store_remove(FRONT "/feature-persistent");
		if (cases[i].front)
			fake_store_write(FRONT "/feature-persistent", cases[i].front);
		start_daemon();
		open_by_script();
		front_connects();
		wait_for(XPV_CONNECTED);
		assert_string_equal(fake_store_read(BACK "/feature-persistent"), cases[i].told);
		end_all();
	}
	config.persistent_grants = 0;
}

/* A frontend that is connected was told by the daemon before, or under other settings, and lets go of its grants. */
static void who_was_told_no_is_held_to_it(void **state)
{
	(void)state;
	config.persistent_grants = 0;
	make_node(XPV_INITIALISING);
	fake_store_write(FRONT "/feature-persistent", "1");
	start_daemon();
	open_by_script();
	front_connects();
	wait_for(XPV_CONNECTED);
	end_daemon();
	config.persistent_grants = 64;
	start_daemon();
	goes_on();
	assert_string_equal(fake_store_read(BACK "/feature-persistent"), "0");
	assert_false(disk_next(NULL)->persistent);
	end_all();
	config.persistent_grants = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_kind_is_told, fresh_store),
		cmocka_unit_test_setup(persistence_takes_two, fresh_store),
		cmocka_unit_test_setup(who_was_told_no_is_held_to_it, fresh_store),
	};
	int failed;

	toolstack_begin();
	failed = cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
	toolstack_end();
	return failed;
}
