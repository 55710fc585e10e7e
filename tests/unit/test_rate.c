// SPDX-License-Identifier: GPL-2.0-only
/* How much a rate lets happen, by a clock of the test's own. */
#include <xpv/rate.h>
#include "test.h"

#define MS	1000000ull
#define SECOND	(1000 * MS)
#define START	(5 * SECOND)

/*
 * Let as much happen in pieces of @piece as may, looking every @step ns, for @ns from *now on.
 * Returns how much it was.
 */
static u64 run(struct xpv_rate *r, u64 *now, u64 ns, u64 step, u64 piece)
{
	u64 end = *now + ns, done = 0;

	for (; *now < end; *now += step)
		while (xpv_rate_room(r, *now)) {
			xpv_rate_charge(r, piece, *now);
			done += piece;
		}
	return done;
}

static void no_limit(void **state)
{
	struct xpv_rate r;

	(void)state;
	xpv_rate_set(&r, 0, START);
	assert_true(xpv_rate_room(&r, START) == ~0ull);
	xpv_rate_charge(&r, 1ull << 32, START);
	assert_true(xpv_rate_room(&r, START) == ~0ull);
	assert_true(xpv_rate_wait(&r, START) == 0);
}

/* Within 5 % over any second, whatever the rate, the size of a piece and how late one looks. */
static void a_second_holds_what_it_should(void **state)
{
	static const struct {
		u64 rate, step, piece;
	} t[] = {
		{ 100, MS, 1 }, { 1000, MS, 1 }, { 1000, 8 * MS, 1 }, { 50000, MS / 50, 1 },
		{ 777, 3 * MS, 1 }, { 3000017, MS, 512 }, { 10000000, 4 * MS, 4096 },
		{ 10000000, 20 * MS, 65536 }, { 100000000, 4 * MS, 1048576 },
		{ 3000000019ull, MS, 4096 }, { XPV_RATE_MAX, MS, 1ull << 32 },
	};
	u32 i, second;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct xpv_rate r;
		u64 now = START;

		xpv_rate_set(&r, t[i].rate, now);
		for (second = 0; second < 5; second++) {
			u64 done = run(&r, &now, SECOND, t[i].step, t[i].piece);

			if (done < t[i].rate - t[i].rate / 20 || done > t[i].rate + t[i].rate / 20)
				ROW_FAILED("row %u: %llu", i, (unsigned long long)done);
		}
	}
}

/* No error adds up, however badly the rate divides a second. */
static void a_long_run_is_exact(void **state)
{
	struct xpv_rate r;
	u64 now = START, done;

	(void)state;
	xpv_rate_set(&r, 999999937, now);
	/* The last look is a millisecond before the end. */
	done = run(&r, &now, 100 * SECOND, MS, 511);
	assert_true(done >= 99999993700ull - 1000000 && done <= 99999993700ull - 1000000 + 1022);
}

static void idle_time_is_saved_but_not_for_long(void **state)
{
	struct xpv_rate r;
	u64 now = START;

	(void)state;
	xpv_rate_set(&r, 1000, now);
	assert_true(xpv_rate_room(&r, now) == 1);
	assert_true(xpv_rate_room(&r, now + 10 * MS) == 11);
	assert_true(xpv_rate_room(&r, now + 3600 * SECOND) == 41);
	xpv_rate_charge(&r, 41, now + 3600 * SECOND);
	assert_true(xpv_rate_room(&r, now + 3600 * SECOND) == 0);
}

/* Taken on credit, and all of it paid for. */
static void a_large_one_is_paid_for(void **state)
{
	struct xpv_rate r;

	(void)state;
	xpv_rate_set(&r, 1000, START);
	xpv_rate_charge(&r, 5000, START);
	assert_true(xpv_rate_wait(&r, START) == 5 * SECOND);
	assert_true(xpv_rate_room(&r, START + 5 * SECOND - 1) == 0);
	assert_true(xpv_rate_room(&r, START + 5 * SECOND) == 1);
	assert_true(xpv_rate_wait(&r, START + 5 * SECOND) == 0);
	/* A new rate forgets the debt. */
	xpv_rate_set(&r, 10, START + MS);
	assert_true(xpv_rate_room(&r, START + MS) == 1);
}

static void the_first_moments_of_a_clock(void **state)
{
	struct xpv_rate r;

	(void)state;
	xpv_rate_set(&r, 1000, 0);
	assert_true(xpv_rate_room(&r, 0) == 1);
	xpv_rate_charge(&r, 1, 0);
	assert_true(xpv_rate_wait(&r, 0) == MS);
}

static void the_largest_rate_does_not_overflow(void **state)
{
	struct xpv_rate r;

	(void)state;
	xpv_rate_set(&r, ~0ull, START);
	assert_true(r.per_second == XPV_RATE_MAX);
	assert_true(xpv_rate_room(&r, START + SECOND) == XPV_RATE_MAX / (SECOND / XPV_RATE_SAVED) + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit),
		cmocka_unit_test(a_second_holds_what_it_should),
		cmocka_unit_test(a_long_run_is_exact),
		cmocka_unit_test(idle_time_is_saved_but_not_for_long),
		cmocka_unit_test(a_large_one_is_paid_for),
		cmocka_unit_test(the_first_moments_of_a_clock),
		cmocka_unit_test(the_largest_rate_does_not_overflow),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
