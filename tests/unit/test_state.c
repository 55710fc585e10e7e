// SPDX-License-Identifier: GPL-2.0-only
/* The table of state.h, walked in full against the drawing written down again as edges. */
#include <xpv/state.h>
#include "test.h"

#define X XPV_UNKNOWN
#define I XPV_INITIALISING
#define W XPV_INIT_WAIT
#define D XPV_INITIALISED
#define C XPV_CONNECTED
#define G XPV_CLOSING
#define Z XPV_CLOSED
#define R XPV_RECONFIGURING
#define S XPV_RECONFIGURED

struct edge {
	u8 from, to;
};

static const struct edge backend[] = {
	{ I, W }, { W, C }, { C, S }, { S, C },
	{ I, G }, { W, G }, { C, G }, { S, G },
	{ G, Z }, { Z, I }, { Z, W },
};

static const struct edge frontend[] = {
	{ I, D }, { D, C }, { I, C }, { C, R }, { R, C },
	{ I, G }, { D, G }, { C, G }, { R, G },
	{ G, Z }, { Z, I },
};

/* Targets to which there is no way from each state. Unknown is never one, nor left. */
static const char *const no_way[XPV_STATES] = {
	[X] = "XIWDCGZRS",
	[I] = "XRS",
	[W] = "XIDRS",		/* a backend's own state */
	[D] = "XWRS",		/* a frontend's own */
	[C] = "X",
	[G] = "XRS",		/* only Connected is reconfigured */
	[Z] = "XRS",
	[R] = "XWDS",
	[S] = "XIDR",
};

/* Where the walk to @target ends: what is Closed has no more to close. */
static u8 end_of(u8 cur, u8 target)
{
	return cur == Z && target == G ? Z : target;
}

static const char letters[] = "XIWDCGZRS";

static bool legal(const struct edge *e, u32 n, u8 from, u8 to)
{
	while (n--)
		if (e[n].from == from && e[n].to == to)
			return true;
	return false;
}

static bool legal_back(u8 from, u8 to)
{
	return legal(backend, ARRAY_SIZE(backend), from, to);
}

static bool legal_front(u8 from, u8 to)
{
	return legal(frontend, ARRAY_SIZE(frontend), from, to);
}

/* The fewest steps by @ok's edges, XPV_STATES if there is no way. */
static u32 distance(bool (*ok)(u8, u8), u8 from, u8 to)
{
	u32 d[XPV_STATES], round, a, b;

	for (a = 0; a < XPV_STATES; a++)
		d[a] = a == from ? 0 : XPV_STATES;
	for (round = 0; round < XPV_STATES; round++)
		for (a = 0; a < XPV_STATES; a++)
			for (b = 0; b < XPV_STATES; b++)
				if (ok((u8)a, (u8)b) && d[a] + 1 < d[b])
					d[b] = d[a] + 1;
	return d[to];
}

/* All steps belong to one half, and there are as few as that half allows. */
static void check_walk(u8 from, u8 to)
{
	bool back = true, front = true;
	u32 steps = 0, shortest;
	u8 cur = from;

	while (cur != to) {
		u8 step = xpv_next_state(cur, to);

		back = back && legal_back(cur, step);
		front = front && legal_front(cur, step);
		if ((!back && !front) || ++steps == XPV_STATES)
			ROW_FAILED("%c to %c: %c goes to %c", letters[from], letters[to],
				   letters[cur], letters[step]);
		if (step == Z && cur != G)
			ROW_FAILED("%c to %c: Closing is skipped", letters[from], letters[to]);
		cur = step;
	}
	shortest = distance(back ? legal_back : legal_front, from, to);
	if (steps != shortest)
		ROW_FAILED("%c to %c: %u steps, not %u", letters[from], letters[to], steps,
			   shortest);
}

static void every_pair_goes_the_shortest_legal_way(void **state)
{
	u8 cur, target;

	(void)state;
	for (cur = 0; cur < XPV_STATES; cur++) {
		for (target = 0; target < XPV_STATES; target++) {
			bool way = xpv_next_state(cur, target) != X;

			if (way != !strchr(no_way[cur], letters[target]))
				ROW_FAILED("%c to %c", letters[cur], letters[target]);
			if (way)
				check_walk(cur, end_of(cur, target));
		}
	}
}

static void closed_has_nothing_to_close(void **state)
{
	(void)state;
	assert_int_equal(xpv_next_state(Z, G), Z);
}

static void a_state_stays_when_it_is_the_target(void **state)
{
	u8 s;

	(void)state;
	for (s = I; s < XPV_STATES; s++)
		assert_int_equal(xpv_next_state(s, s), s);
}

static void every_state_closes_through_closing(void **state)
{
	u8 s;

	(void)state;
	for (s = I; s < XPV_STATES; s++)
		if (s != Z)
			assert_int_equal(xpv_next_state(s, Z), s == G ? Z : G);
}

static void what_is_no_state_leads_nowhere(void **state)
{
	static const int odd[] = { -1, 9, 10, 255, 256, 256 + C, 0x7fffffff, -0x7fffffff };
	u32 i;
	u8 s;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		for (s = 0; s < XPV_STATES; s++) {
			assert_int_equal(xpv_next_state((enum xpv_state)odd[i], s), X);
			assert_int_equal(xpv_next_state(s, (enum xpv_state)odd[i]), X);
			assert_int_equal(xpv_back_target(s, (enum xpv_state)odd[i]), s);
			assert_int_equal(xpv_front_target(s, (enum xpv_state)odd[i]), s);
			assert_int_equal(xpv_front_outlive(s, (enum xpv_state)odd[i], true), s);
		}
	}
}

/* Rows: own state. Columns: what the other end shows. */
static const u8 back_target[XPV_STATES][XPV_STATES] = {
	/*	  X  I  W  D  C  G  Z  R  S */
	[X] = {	  Z, W, X, C, C, G, Z, X, X },
	[I] = {	  Z, W, I, C, C, G, Z, I, I },
	[W] = {	  Z, W, W, C, C, G, Z, W, W },
	[D] = {	  Z, W, D, C, C, G, Z, D, D },
	[C] = {	  Z, W, C, C, C, G, Z, C, C },
	[G] = {	  Z, W, G, C, C, G, Z, G, G },
	[Z] = {	  Z, W, Z, C, C, G, Z, Z, Z },
	[R] = {	  Z, W, R, C, C, G, Z, R, R },
	[S] = {	  Z, W, S, C, C, G, Z, S, S },
};

static const u8 front_target[XPV_STATES][XPV_STATES] = {
	/*	  X  I  W  D  C  G  Z  R  S */
	[X] = {	  Z, X, X, X, X, Z, Z, X, X },
	[I] = {	  I, I, D, D, D, I, I, I, I },
	[W] = {	  Z, W, W, W, W, Z, Z, W, W },
	[D] = {	  Z, D, D, C, C, Z, Z, D, D },
	[C] = {	  Z, C, C, C, C, Z, Z, C, C },
	[G] = {	  Z, G, G, G, G, Z, Z, G, G },
	[Z] = {	  Z, Z, Z, Z, Z, Z, Z, Z, Z },
	[R] = {	  Z, R, R, R, R, Z, Z, R, R },
	[S] = {	  Z, S, S, S, S, Z, Z, S, S },
};

/* A frontend that outlives its backend: while the toolstack wants the device, and when it doesn't. */
static const u8 front_online[XPV_STATES][XPV_STATES] = {
	/*	  X  I  W  D  C  G  Z  R  S */
	[X] = {	  Z, X, X, X, X, Z, Z, X, X },
	[I] = {	  Z, I, D, D, D, I, I, I, I },
	[W] = {	  Z, W, W, W, W, Z, Z, W, W },
	[D] = {	  Z, D, D, C, C, Z, Z, D, D },
	[C] = {	  Z, C, Z, C, C, Z, Z, C, C },
	[G] = {	  Z, G, G, G, G, Z, Z, G, G },
	[Z] = {	  Z, Z, Z, Z, Z, Z, I, Z, Z },
	[R] = {	  Z, R, R, R, R, Z, Z, R, R },
	[S] = {	  Z, S, S, S, S, Z, Z, S, S },
};

static const u8 front_offline[XPV_STATES][XPV_STATES] = {
	/*	  X  I  W  D  C  G  Z  R  S */
	[X] = {	  Z, X, X, X, X, Z, Z, X, X },
	[I] = {	  Z, I, D, D, D, Z, Z, I, I },
	[W] = {	  Z, W, W, W, W, Z, Z, W, W },
	[D] = {	  Z, D, D, C, C, Z, Z, D, D },
	[C] = {	  Z, C, Z, C, C, Z, Z, C, C },
	[G] = {	  Z, G, G, G, G, Z, Z, G, G },
	[Z] = {	  Z, Z, Z, Z, Z, Z, Z, Z, Z },
	[R] = {	  Z, R, R, R, R, Z, Z, R, R },
	[S] = {	  Z, S, S, S, S, Z, Z, S, S },
};

static void a_frontend_outlives_a_backend_that_is_wanted(void **state)
{
	u8 self, other;

	(void)state;
	for (self = 0; self < XPV_STATES; self++) {
		for (other = 0; other < XPV_STATES; other++) {
			if (xpv_front_outlive(self, other, true) != front_online[self][other])
				ROW_FAILED("online: frontend %c, backend %c", letters[self],
					   letters[other]);
			if (xpv_front_outlive(self, other, false) != front_offline[self][other])
				ROW_FAILED("offline: frontend %c, backend %c", letters[self],
					   letters[other]);
		}
	}
}

static void each_end_goes_where_the_other_sends_it(void **state)
{
	u8 self, other;

	(void)state;
	for (self = 0; self < XPV_STATES; self++) {
		for (other = 0; other < XPV_STATES; other++) {
			if (xpv_back_target(self, other) != back_target[self][other])
				ROW_FAILED("backend %c, frontend %c", letters[self],
					   letters[other]);
			if (xpv_front_target(self, other) != front_target[self][other])
				ROW_FAILED("frontend %c, backend %c", letters[self],
					   letters[other]);
		}
	}
}

/* A state seen twice, or the target reached: nothing more to do. */
static void seeing_the_same_again_changes_nothing(void **state)
{
	u8 self, other;

	(void)state;
	for (self = I; self < XPV_STATES; self++) {
		for (other = 0; other < XPV_STATES; other++) {
			u8 once = xpv_back_target(self, other);

			assert_int_equal(xpv_back_target(once, other), once);
		}
		assert_int_equal(xpv_front_target(xpv_front_target(self, Z), Z),
				 xpv_front_target(self, Z));
	}
}

/* What xpv_walk_state() enters, and the step at which it is refused. */
struct trip {
	u8 entered[XPV_STATES + 1];
	u32 n, fail_at;
};

static int enter(void *dev, enum xpv_state next)
{
	struct trip *t = dev;

	assert_true(t->n < ARRAY_SIZE(t->entered));
	t->entered[t->n++] = next;
	return t->n == t->fail_at ? -ENOMEM : 0;
}

static void a_walk_enters_each_state_on_its_way(void **state)
{
	static const u8 want[] = { G, Z, W };
	enum xpv_state cur = C;
	struct trip t = { .n = 0 };

	(void)state;
	assert_int_equal(xpv_walk_state(&cur, W, enter, &t), 0);
	assert_int_equal(cur, W);
	assert_int_equal(t.n, 3);
	assert_memory_equal(t.entered, want, 3);

	t.n = 0;
	assert_int_equal(xpv_walk_state(&cur, W, enter, &t), 0);
	assert_int_equal(t.n, 0);
}

static void a_walk_without_a_way_enters_nothing(void **state)
{
	struct trip t = { .n = 0 };
	enum xpv_state cur;
	u8 from, i;

	(void)state;
	for (from = 0; from < XPV_STATES; from++) {
		for (i = 0; no_way[from][i]; i++) {
			u8 target = (u8)(strchr(letters, no_way[from][i]) - letters);

			cur = from;
			/* Where one is already is no walk, Unknown too. */
			assert_int_equal(xpv_walk_state(&cur, target, enter, &t),
					 from == target ? 0 : -EINVAL);
			assert_int_equal(cur, from);
			assert_int_equal(t.n, 0);
		}
	}
	cur = C;
	assert_int_equal(xpv_walk_state(&cur, (enum xpv_state)99, enter, &t), -EINVAL);
	assert_int_equal(cur, C);
	cur = (enum xpv_state)99;
	assert_int_equal(xpv_walk_state(&cur, Z, enter, &t), -EINVAL);
	assert_int_equal(t.n, 0);
}

/* Every walk, refused at each of its steps. */
static void a_refused_step_leaves_the_state_before_it(void **state)
{
	u8 from, target;
	u32 fail;

	(void)state;
	for (from = I; from < XPV_STATES; from++) {
		for (target = I; target < XPV_STATES; target++) {
			if (xpv_next_state(from, target) == X)
				continue;
			for (fail = 1;; fail++) {
				struct trip t = { .fail_at = fail };
				enum xpv_state cur = from;
				int err = xpv_walk_state(&cur, target, enter, &t);

				if (!err) {
					assert_int_equal(cur, end_of(from, target));
					assert_int_equal(t.n, fail - 1);
					break;
				}
				assert_int_equal(err, -ENOMEM);
				assert_int_equal(t.n, fail);
				assert_int_equal(cur, fail == 1 ? from : t.entered[fail - 2]);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_goes_the_shortest_legal_way),
		cmocka_unit_test(closed_has_nothing_to_close),
		cmocka_unit_test(a_state_stays_when_it_is_the_target),
		cmocka_unit_test(every_state_closes_through_closing),
		cmocka_unit_test(what_is_no_state_leads_nowhere),
		cmocka_unit_test(each_end_goes_where_the_other_sends_it),
		cmocka_unit_test(a_frontend_outlives_a_backend_that_is_wanted),
		cmocka_unit_test(seeing_the_same_again_changes_nothing),
		cmocka_unit_test(a_walk_enters_each_state_on_its_way),
		cmocka_unit_test(a_walk_without_a_way_enters_nothing),
		cmocka_unit_test(a_refused_step_leaves_the_state_before_it),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
