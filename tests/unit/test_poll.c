// SPDX-License-Identifier: GPL-2.0-only
/* When to look and when to sleep, by a clock of the test's own. */
#include <xpv/poll.h>
#include "test.h"

#define US	1000ull
#define MOST	(100 * US)
#define START	(5000 * US)

/* A pause of @ns from *now on. Returns for how long of it one would have looked. */
static u64 pause_of(struct xpv_poll *p, u64 *now, u64 ns)
{
	u64 end = *now + ns, looked = 0;

	xpv_poll_pause(p, *now);
	for (; *now < end && xpv_poll_on(p, *now, MOST); *now += US)
		looked += US;
	*now = end;
	xpv_poll_work(p, *now, MOST);
	return looked;
}

static void short_pauses_are_looked_through(void **state)
{
	struct xpv_poll p = {};
	u64 now = START;
	u32 i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_true(pause_of(&p, &now, 30 * US) == 30 * US);
}

static void a_look_ends(void **state)
{
	struct xpv_poll p = {};
	u64 now = START;

	(void)state;
	assert_true(pause_of(&p, &now, 1000 * US) == MOST);
}

/* Pauses that are a little longer than one would look are the worst there is. */
static void what_does_not_pay_is_given_up(void **state)
{
	static const u64 pauses[] = { MOST + 10 * US, 2 * MOST, 1000000 * US };
	u32 i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(pauses); i++) {
		struct xpv_poll p = {};
		u64 now = START, looked = 0;

		for (j = 0; j < 100; j++)
			looked += pause_of(&p, &now, pauses[i]);
		if (looked > 12 * MOST)
			ROW_FAILED("pauses of %llu ns: looked for %llu", pauses[i], looked);
		if (pause_of(&p, &now, pauses[i]))
			ROW_FAILED("pauses of %llu ns are still looked through", pauses[i]);
	}
}

static void short_pauses_begin_it_again(void **state)
{
	struct xpv_poll p = {};
	u64 now = START;
	u32 i;

	(void)state;
	for (i = 0; i < 100; i++)
		pause_of(&p, &now, 1000000 * US);
	for (i = 0; i < 4; i++)
		pause_of(&p, &now, 20 * US);
	assert_true(pause_of(&p, &now, 20 * US) == 20 * US);
}

static void a_single_long_pause_changes_nothing(void **state)
{
	struct xpv_poll p = {};
	u64 now = START;
	u32 i;

	(void)state;
	for (i = 0; i < 100; i++)
		pause_of(&p, &now, 20 * US);
	pause_of(&p, &now, 1000000 * US);
	assert_true(pause_of(&p, &now, 20 * US) == 20 * US);
}

/* It is known already, and must not begin anew each time that somebody says so. */
static void a_pause_begins_once(void **state)
{
	struct xpv_poll p = {};

	(void)state;
	xpv_poll_pause(&p, START);
	xpv_poll_pause(&p, START + MOST);
	assert_false(xpv_poll_on(&p, START + MOST, MOST));
	xpv_poll_work(&p, START + MOST, MOST);
	assert_true(p.pause == MOST / 4);
	/* Work during work. */
	xpv_poll_work(&p, START + 3 * MOST, MOST);
	assert_true(p.pause == MOST / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_pauses_are_looked_through),
		cmocka_unit_test(a_look_ends),
		cmocka_unit_test(what_does_not_pay_is_given_up),
		cmocka_unit_test(short_pauses_begin_it_again),
		cmocka_unit_test(a_single_long_pause_changes_nothing),
		cmocka_unit_test(a_pause_begins_once),
	};

	return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
