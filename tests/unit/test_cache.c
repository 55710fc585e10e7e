// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache of persistent grants. XPV_SEED in the environment repeats a random
 * sequence that failed.
 */
#include "fake.h"
#include "test.h"
#include <stdio.h>
#include <time.h>

#define ANY	0xffffffffffffffffull

static struct xpv_cache cache;
static struct xpv_mapping out[64];

static int setup(void **state)
{
	(void)state;
	fake_reset();
	return xpv_cache_init(&cache, 8);
}

static int teardown(void **state)
{
	(void)state;
	xpv_cache_destroy(&cache);
	return 0;
}

/* Cached and idle since @now. */
static struct xpv_cached *keep(u32 gref, u64 now)
{
	struct xpv_cached *e = xpv_cache_add(&cache, gref);

	assert_non_null(e);
	xpv_cache_put(&cache, e, now);
	return e;
}

static u32 evict(u32 most, u64 before)
{
	return xpv_cache_evict(&cache, out, most, before);
}

/* Looks without a pin left behind, and without a change to the order. */
static bool cached(u32 gref)
{
	struct xpv_cached *e = xpv_cache_get(&cache, gref);

	if (!e)
		return false;
	assert_int_equal(e->map.gref, gref);
	e->pins--;
	return true;
}

static void a_new_entry_is_pinned_and_not_mapped(void **state)
{
	struct xpv_cached *e = xpv_cache_add(&cache, 42);

	(void)state;
	assert_non_null(e);
	assert_int_equal(e->map.gref, 42);
	assert_false(xpv_mapped(&e->map));
	assert_int_equal(e->pins, 1);
	assert_int_equal(cache.count, 1);
	assert_int_equal(evict(8, ANY), 0);
	xpv_cache_put(&cache, e, 1);
	assert_int_equal(evict(8, ANY), 1);
}

static void what_was_added_is_found_and_nothing_else(void **state)
{
	static const u32 grefs[] = { 0, 1, 8, 0x7fffffff, 0xfffffffe, 0xffffffff };
	struct xpv_cached *e[ARRAY_SIZE(grefs)];
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(grefs); i++) {
		assert_null(xpv_cache_get(&cache, grefs[i]));
		e[i] = keep(grefs[i], i);
		e[i]->map.handle = 100 + i;
		e[i]->map.page = &e[i];
	}
	for (i = 0; i < ARRAY_SIZE(grefs); i++) {
		assert_ptr_equal(xpv_cache_get(&cache, grefs[i]), e[i]);
		assert_int_equal(e[i]->pins, 1);
		assert_int_equal(e[i]->map.handle, 100 + i);
	}
	assert_null(xpv_cache_get(&cache, 2));
}

static void a_full_cache_takes_no_more(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 8; i++)
		keep(i, i);
	assert_null(xpv_cache_add(&cache, 8));
	assert_int_equal(cache.count, 8);
	assert_int_equal(evict(1, ANY), 1);
	assert_non_null(xpv_cache_add(&cache, 8));
	assert_null(xpv_cache_add(&cache, 9));
}

static void one_place_is_a_cache_too(void **state)
{
	(void)state;
	xpv_cache_destroy(&cache);
	assert_int_equal(xpv_cache_init(&cache, 1), 0);
	keep(5, 1);
	assert_null(xpv_cache_add(&cache, 6));
	assert_int_equal(evict(8, ANY), 1);
	keep(6, 2);
	assert_false(cached(5));
	assert_true(cached(6));
}

static void a_dropped_entry_is_gone_and_its_place_free(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 100; i++) {
		struct xpv_cached *e = xpv_cache_add(&cache, i);

		assert_non_null(e);
		xpv_cache_drop(&cache, e);
		assert_false(cached(i));
		assert_int_equal(cache.count, 0);
	}
}

/* All in one bucket: taken out from the head, the middle and the end of its chain. */
static void colliding_grefs_are_told_apart(void **state)
{
	u32 gone, i;

	(void)state;
	for (gone = 0; gone < 8; gone++) {
		struct xpv_cached *e[8];

		teardown(NULL);
		setup(NULL);
		cache.buckets = 1;
		for (i = 0; i < 8; i++)
			e[i] = xpv_cache_add(&cache, 100 + i);
		assert_int_not_equal(e[7]->chain, e[0]->chain);
		xpv_cache_drop(&cache, e[gone]);
		for (i = 0; i < 8; i++)
			assert_int_equal(cached(100 + i), i != gone);
		assert_ptr_equal(xpv_cache_add(&cache, 200), e[gone]);
		assert_true(cached(200));
		assert_false(cached(100 + gone));
	}
}

/* Entries in all chains, and in the longest. */
static u32 longest_chain(u32 *all)
{
	u32 i, n, len, most = 0;

	*all = 0;
	for (i = 0; i < cache.buckets; i++) {
		for (len = 0, n = cache.bucket[i]; n < cache.capacity; n = cache.entry[n].chain)
			len++;
		*all += len;
		most = len > most ? len : most;
	}
	return most;
}

/* Numbers that differ in bits the hash drops, each of which is searched for among all others. */
static void colliding_grefs_find_no_room(void **state)
{
	u32 i, all, taken = 0;

	(void)state;
	xpv_cache_destroy(&cache);
	assert_int_equal(xpv_cache_init(&cache, 4224), 0);
	for (i = 0; i < 4096; i++)
		taken += !!xpv_cache_add(&cache, i << 20);
	assert_int_equal(longest_chain(&all), XPV_CACHE_CHAIN);
	assert_int_equal(all, taken);
	assert_int_equal(taken, XPV_CACHE_CHAIN);
	/* Others do, and these again when some of them have gone. */
	assert_non_null(xpv_cache_add(&cache, 1));
	xpv_cache_drop(&cache, xpv_cache_get(&cache, 0));
	assert_non_null(xpv_cache_add(&cache, 4095u << 20));
	assert_null(xpv_cache_add(&cache, 4094u << 20));
}

/* As frontends number them: one after the other, or every other one, from anywhere. */
static void honest_grefs_fill_the_cache(void **state)
{
	static const u32 steps[] = { 1, 2, 3, 7, 33, 257 };
	u32 s, first, i, all;

	(void)state;
	for (s = 0; s < ARRAY_SIZE(steps); s++)
		for (first = 8; first < 40000; first += 4999) {
			xpv_cache_destroy(&cache);
			assert_int_equal(xpv_cache_init(&cache, 4224), 0);
			for (i = 0; i < 4224; i++)
				assert_non_null(xpv_cache_add(&cache, first + i * steps[s]));
			assert_true(longest_chain(&all) <= 4);
		}
}

static void an_entry_is_evicted_when_its_last_user_is_done(void **state)
{
	struct xpv_cached *e = xpv_cache_add(&cache, 7);

	(void)state;
	assert_ptr_equal(xpv_cache_get(&cache, 7), e);
	assert_int_equal(e->pins, 2);
	xpv_cache_put(&cache, e, 1);
	assert_int_equal(evict(8, ANY), 0);
	xpv_cache_put(&cache, e, 2);
	assert_int_equal(evict(8, ANY), 1);
	assert_int_equal(out[0].gref, 7);
	assert_false(cached(7));
}

static void the_least_recently_used_go_first(void **state)
{
	static const u32 order[] = { 1, 3, 4, 0, 2 };
	u32 i;

	(void)state;
	for (i = 0; i < 5; i++)
		keep(i, i)->map.handle = 50 + i;
	/* Used again; to be found is not yet to be used. */
	xpv_cache_put(&cache, xpv_cache_get(&cache, 0), 5);
	xpv_cache_put(&cache, xpv_cache_get(&cache, 2), 6);
	assert_true(cached(1));
	assert_int_equal(evict(8, ANY), 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(out[i].gref, order[i]);
		assert_int_equal(out[i].handle, 50 + order[i]);
	}
	assert_int_equal(cache.count, 0);
}

static void pinned_entries_are_passed_over(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 6; i++)
		keep(i, i);
	xpv_cache_get(&cache, 0);
	xpv_cache_get(&cache, 3);
	xpv_cache_get(&cache, 5);
	assert_int_equal(evict(2, ANY), 2);
	assert_int_equal(out[0].gref, 1);
	assert_int_equal(out[1].gref, 2);
	assert_int_equal(evict(8, ANY), 1);
	assert_int_equal(out[0].gref, 4);
	assert_true(cached(0) && cached(3) && cached(5));
}

static void a_page_that_somebody_refers_to_is_passed_over(void **state)
{
	static u8 page[3];
	u32 i;

	(void)state;
	for (i = 0; i < 3; i++)
		keep(i, i)->map.page = &page[i];
	fake.in_use = &page[1];
	assert_int_equal(evict(8, ANY), 2);
	assert_int_equal(out[0].gref, 0);
	assert_int_equal(out[1].gref, 2);
	assert_true(cached(1));
	fake.in_use = NULL;
	assert_int_equal(evict(8, ANY), 1);
}

static void eviction_keeps_to_its_limits(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < 6; i++)
		keep(i, 10 * i);
	assert_int_equal(evict(0, ANY), 0);
	assert_int_equal(evict(8, 0), 0);
	assert_int_equal(evict(8, 20), 2);	/* used at 20 is not before 20 */
	assert_int_equal(out[1].gref, 1);
	assert_int_equal(evict(8, 20), 0);
	assert_int_equal(evict(8, 21), 1);
	assert_int_equal(out[0].gref, 2);
	assert_int_equal(evict(1, 41), 1);
	assert_int_equal(out[0].gref, 3);
	assert_int_equal(cache.count, 2);
}

/* LeakSanitizer says whether the first allocation was given back. */
static void the_nth_allocation_fails_cleanly(void **state)
{
	u32 n;

	(void)state;
	for (n = 1; n <= 3; n++) {
		xpv_cache_destroy(&cache);
		fake.fail_alloc = n;
		assert_int_equal(xpv_cache_init(&cache, 8), n <= 2 ? -ENOMEM : 0);
	}
	assert_int_equal(fake.fail_alloc, 1);
	fake.fail_alloc = 0;
	keep(1, 1);
}

/* The model: what is cached in an array in order of use, all searched in full. */
struct naive {
	u32 gref, pins;
	u64 used;
};

static struct naive model[64];
static u32 models;
static u64 seed;

static u32 rnd(u32 below)
{
	/* xorshift64 */
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 32) % below;
}

static u32 model_find(u32 gref)
{
	u32 i;

	for (i = 0; i < models && model[i].gref != gref; i++)
		;
	return i;
}

static void model_remove(u32 i)
{
	models--;
	memmove(&model[i], &model[i + 1], (models - i) * sizeof(model[0]));
}

static void random_get_or_add(u32 capacity, u32 gref)
{
	struct xpv_cached *e = xpv_cache_get(&cache, gref);
	u32 i = model_find(gref);

	assert_int_equal(!e, i == models);
	if (e) {
		model[i].pins++;
		assert_int_equal(e->pins, model[i].pins);
		return;
	}
	e = xpv_cache_add(&cache, gref);
	assert_int_equal(!e, models == capacity);
	if (!e)
		return;
	if (rnd(8)) {
		e->map.handle = gref ^ 0x5555;
		model[models++] = (struct naive){ .gref = gref, .pins = 1 };
	} else {
		xpv_cache_drop(&cache, e);
	}
}

static void random_put(u64 now)
{
	u32 i = models ? rnd(models) : 0;
	struct xpv_cached *e;
	struct naive n;

	if (!models || !model[i].pins)
		return;
	e = xpv_cache_get(&cache, model[i].gref);
	assert_non_null(e);
	e->pins--;
	xpv_cache_put(&cache, e, now);
	model[i].pins--;
	assert_int_equal(e->pins, model[i].pins);
	/* What is used in one moment keeps its order. */
	if (model[i].used == now)
		return;
	n = model[i];
	n.used = now;
	model_remove(i);
	model[models++] = n;
}

static void random_evict(u64 before)
{
	u32 most = rnd(6), got = evict(most, before), i = 0, k = 0;

	while (i < models && k < most) {
		if (model[i].pins) {
			i++;
			continue;
		}
		if (model[i].used >= before)
			break;
		assert_true(k < got);
		assert_int_equal(out[k].gref, model[i].gref);
		assert_int_equal(out[k].handle, model[i].gref ^ 0x5555);
		k++;
		model_remove(i);
	}
	assert_int_equal(got, k);
}

static void any_sequence_agrees_with_a_naive_model(void **state)
{
	const char *given = getenv("XPV_SEED");
	u64 first = given ? strtoull(given, NULL, 0) : (u64)time(NULL) * 2654435761u;
	u32 round, step, i;

	(void)state;
	print_message("XPV_SEED=%llu\n", (unsigned long long)first);
	seed = first ? first : 1;
	for (round = 0; round < 200; round++) {
		u32 capacity = 1 + rnd(rnd(3) ? 40 : XPV_CACHE_CHAIN), grefs = 1 + rnd(80);
		u64 now = 1;

		xpv_cache_destroy(&cache);
		assert_int_equal(xpv_cache_init(&cache, capacity), 0);
		/* All fit one bucket then. */
		if (capacity <= XPV_CACHE_CHAIN)
			cache.buckets = 1u << rnd(4);
		models = 0;
		for (step = 0; step < 1000; step++) {
			now += rnd(3);
			switch (rnd(8)) {
			case 0: case 1: case 2:
				random_get_or_add(capacity, rnd(grefs) * 0x10001);
				break;
			case 3: case 4: case 5: case 6:
				random_put(now);
				break;
			default:
				random_evict(rnd(2) ? ANY : now - rnd(20));
			}
			assert_int_equal(cache.count, models);
			assert_true(models <= capacity);
		}
		for (i = 0; i < models; i++)
			assert_true(cached(model[i].gref));

		/* Given back one by one, all can be evicted. */
		while (models) {
			for (i = 0; i < models; i++)
				while (model[i].pins) {
					struct xpv_cached *e = xpv_cache_get(&cache, model[i].gref);

					e->pins--;
					xpv_cache_put(&cache, e, now);
					model[i].pins--;
				}
			models -= evict(ARRAY_SIZE(out), ANY);
		}
		assert_int_equal(cache.count, 0);
		for (i = 0; i < capacity; i++)
			assert_non_null(xpv_cache_add(&cache, i));
		assert_null(xpv_cache_add(&cache, capacity));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_entry_is_pinned_and_not_mapped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_was_added_is_found_and_nothing_else, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_full_cache_takes_no_more, setup, teardown),
		cmocka_unit_test_setup_teardown(one_place_is_a_cache_too, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dropped_entry_is_gone_and_its_place_free, setup,
						teardown),
		cmocka_unit_test_setup_teardown(colliding_grefs_are_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(colliding_grefs_find_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(honest_grefs_fill_the_cache, setup, teardown),
		cmocka_unit_test_setup_teardown(an_entry_is_evicted_when_its_last_user_is_done,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_least_recently_used_go_first, setup, teardown),
		cmocka_unit_test_setup_teardown(pinned_entries_are_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_page_that_somebody_refers_to_is_passed_over, setup,
						teardown),
		cmocka_unit_test_setup_teardown(eviction_keeps_to_its_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(the_nth_allocation_fails_cleanly, setup, teardown),
		cmocka_unit_test_setup_teardown(any_sequence_agrees_with_a_naive_model, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
