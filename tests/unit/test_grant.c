// SPDX-License-Identifier: GPL-2.0-only
/* Batches of grants on the fake OS: every status is read, and nothing stays mapped. */
#include "fake.h"
#include "test.h"

static struct xpv_batch batch;
static struct xpv_copy_batch copies;
static struct xpv_mapping map[XPV_BATCH_MAX];
static u8 pages[XPV_BATCH_MAX];	/* only their addresses matter */
static u8 local[2][FAKE_PAGE] __attribute__((aligned(FAKE_PAGE)));

static int setup(void **state)
{
	u32 i;

	(void)state;
	fake_reset();
	xpv_batch_init(&batch, FAKE_DOMID);
	xpv_copy_init(&copies, FAKE_DOMID);
	for (i = 0; i < XPV_BATCH_MAX; i++) {
		map[i].gref = 1000 + i;
		map[i].handle = 0x1111;
		map[i].page = &pages[i];
	}
	return 0;
}

static int map_first(u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		xpv_batch_add_map(&batch, &map[i], i % 3 == 0);
	return xpv_batch_map(&batch);
}

/* As a caller undoes: what did map, and only that. */
static void unmap_first(u32 n)
{
	while (n--)
		if (xpv_mapped(&map[n]))
			xpv_batch_add_unmap(&batch, &map[n]);
	xpv_batch_unmap(&batch);
}

static void a_handle_that_is_none_is_not_mapped(void **state)
{
	struct xpv_mapping m = { .handle = 0 };

	(void)state;
	assert_true(xpv_mapped(&m));
	m.handle = 0xfffffffd;
	assert_true(xpv_mapped(&m));
	m.handle = XPV_NO_ROOM;
	assert_false(xpv_mapped(&m));
	m.handle = XPV_NO_HANDLE;
	assert_false(xpv_mapped(&m));
}

static void a_batch_maps_what_was_added_in_one_call(void **state)
{
	u32 n, i;

	(void)state;
	for (n = 1; n <= XPV_BATCH_MAX; n++) {
		setup(NULL);
		assert_int_equal(map_first(n), 0);
		assert_int_equal(fake.map_calls, 1);
		assert_int_equal(fake.map_ops, n);
		assert_int_equal(fake.live, n);
		assert_int_equal(batch.n, 0);
		for (i = 0; i < n; i++) {
			const struct fake_mapping *m = fake_find(map[i].handle);

			assert_non_null(m);
			assert_int_equal(m->gref, 1000 + i);
			assert_int_equal(m->domid, FAKE_DOMID);
			assert_ptr_equal(m->page, &pages[i]);
			assert_int_equal(m->readonly, i % 3 == 0);
		}
		unmap_first(n);
		assert_int_equal(fake.unmap_calls, 1);
		assert_int_equal(fake.unmap_ops, n);
		assert_int_equal(fake.live, 0);
		assert_int_equal(batch.n, 0);
		for (i = 0; i < n; i++)
			assert_int_equal(map[i].handle, XPV_NO_HANDLE);
	}
}

static void a_batch_is_full_at_its_last_place(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < XPV_BATCH_MAX; i++) {
		assert_false(xpv_batch_full(&batch));
		xpv_batch_add_map(&batch, &map[i], false);
		assert_int_equal(map[i].handle, XPV_NO_HANDLE);
	}
	assert_true(xpv_batch_full(&batch));
	assert_int_equal(xpv_batch_map(&batch), 0);
	assert_false(xpv_batch_full(&batch));
	for (i = 0; i < XPV_BATCH_MAX; i++)
		xpv_batch_add_unmap(&batch, &map[i]);
	assert_true(xpv_batch_full(&batch));
	xpv_batch_unmap(&batch);
	assert_false(xpv_batch_full(&batch));
	assert_int_equal(fake.live, 0);
}

static void an_empty_batch_asks_the_hypervisor_nothing(void **state)
{
	(void)state;
	assert_int_equal(xpv_batch_map(&batch), 0);
	xpv_batch_unmap(&batch);
	xpv_copy_submit(&copies);
	assert_int_equal(fake.map_calls + fake.unmap_calls + fake.copy_calls, 0);
}

/* XSA-361: each item's own status decides, wherever the bad one stands. */
static void the_nth_map_fails_alone(void **state)
{
	static const u32 none[] = { XPV_NO_HANDLE, XPV_NO_ROOM };
	u32 size, k, n, i;

	(void)state;
	for (size = 1; size <= XPV_BATCH_MAX; size += 21) {
		for (k = 0; k < ARRAY_SIZE(none); k++) {
			for (n = 1; n <= size; n++) {
				setup(NULL);
				fake.fail_map = n;
				fake.fail_handle = none[k];
				assert_int_equal(map_first(size), -EIO);
				assert_int_equal(batch.n, 0);
				assert_int_equal(fake.live, size - 1);
				for (i = 0; i < size; i++) {
					if (i + 1 == n)
						assert_int_equal(map[i].handle, none[k]);
					else
						assert_non_null(fake_find(map[i].handle));
				}
				assert_int_equal(fake_mapped(FAKE_DOMID, 1000 + n - 1), 0);
				unmap_first(size);
				assert_int_equal(fake.live, 0);
				assert_int_equal(fake.unmap_ops, size - 1);
			}
		}
	}
}

static void a_batch_serves_again_after_a_failure(void **state)
{
	(void)state;
	fake.fail_map = 2;
	assert_int_equal(map_first(3), -EIO);
	unmap_first(3);
	assert_int_equal(map_first(3), 0);
	assert_int_equal(fake.live, 3);
	unmap_first(3);
	assert_int_equal(fake.live, 0);
}

static void the_same_grant_may_be_mapped_twice(void **state)
{
	(void)state;
	map[1].gref = map[0].gref;
	assert_int_equal(map_first(2), 0);
	assert_int_equal(fake_mapped(FAKE_DOMID, map[0].gref), 2);
	assert_int_not_equal(map[0].handle, map[1].handle);
	xpv_batch_add_unmap(&batch, &map[0]);
	xpv_batch_unmap(&batch);
	assert_int_equal(fake_mapped(FAKE_DOMID, map[1].gref), 1);
	unmap_first(2);
	assert_int_equal(fake.live, 0);
}

static void copies_move_the_bytes_asked_for_and_no_others(void **state)
{
	u32 i;

	(void)state;
	memset(fake.peer, 0x11, sizeof(fake.peer));
	memset(fake.peer[3] + 100, 0x33, 50);
	memset(local, 0x22, sizeof(local));
	assert_int_equal(xpv_copy_from(&copies, 3, 100, local[0] + 7, 50), 0);
	assert_int_equal(xpv_copy_to(&copies, 4, 4095, local[1], 1), 1);
	assert_int_equal(xpv_copy_to(&copies, 5, 0, local[1], FAKE_PAGE), 2);
	xpv_copy_submit(&copies);
	assert_int_equal(fake.copy_calls, 1);
	assert_int_equal(fake.copy_ops, 3);
	for (i = 0; i < 3; i++)
		assert_int_equal(xpv_copy_status(&copies, i), 0);
	for (i = 0; i < FAKE_PAGE; i++) {
		assert_int_equal(local[0][i], i >= 7 && i < 57 ? 0x33 : 0x22);
		assert_int_equal(fake.peer[4][i], i == 4095 ? 0x22 : 0x11);
		assert_int_equal(fake.peer[5][i], 0x22);
	}
}

static void a_copy_batch_has_room_for_as_many_as_it_says(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < XPV_COPY_MAX; i++) {
		assert_int_equal(xpv_copy_room(&copies), XPV_COPY_MAX - i);
		xpv_copy_from(&copies, i % FAKE_PAGES, i, local[0] + i, 1);
	}
	assert_int_equal(xpv_copy_room(&copies), 0);
	xpv_copy_submit(&copies);
	assert_int_equal(fake.copy_ops, XPV_COPY_MAX);
	assert_int_equal(xpv_copy_room(&copies), 0);
	xpv_copy_reset(&copies);
	assert_int_equal(xpv_copy_room(&copies), XPV_COPY_MAX);
}

static void the_nth_copy_fails_alone(void **state)
{
	u32 n, i;

	(void)state;
	for (n = 1; n <= XPV_COPY_MAX; n++) {
		setup(NULL);
		fake.fail_copy = n;
		for (i = 0; i < XPV_COPY_MAX; i++)
			xpv_copy_from(&copies, 1, i, local[0] + i, 1);
		/* Not done yet is not done. */
		assert_int_equal(xpv_copy_status(&copies, n - 1), -EIO);
		xpv_copy_submit(&copies);
		for (i = 0; i < XPV_COPY_MAX; i++)
			assert_int_equal(xpv_copy_status(&copies, i), i + 1 == n ? -EIO : 0);
	}
}

static void a_bad_gref_or_domain_fails_its_copy(void **state)
{
	(void)state;
	xpv_copy_from(&copies, FAKE_PAGES, 0, local[0], 8);
	xpv_copy_to(&copies, 0, 0, local[0], 8);
	xpv_copy_submit(&copies);
	assert_int_equal(xpv_copy_status(&copies, 0), -EIO);
	assert_int_equal(xpv_copy_status(&copies, 1), 0);

	xpv_copy_init(&copies, FAKE_DOMID + 1);
	xpv_copy_to(&copies, 0, 0, local[0], 8);
	xpv_copy_submit(&copies);
	assert_int_equal(xpv_copy_status(&copies, 0), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_handle_that_is_none_is_not_mapped, setup),
		cmocka_unit_test_setup(a_batch_maps_what_was_added_in_one_call, setup),
		cmocka_unit_test_setup(a_batch_is_full_at_its_last_place, setup),
		cmocka_unit_test_setup(an_empty_batch_asks_the_hypervisor_nothing, setup),
		cmocka_unit_test_setup(the_nth_map_fails_alone, setup),
		cmocka_unit_test_setup(a_batch_serves_again_after_a_failure, setup),
		cmocka_unit_test_setup(the_same_grant_may_be_mapped_twice, setup),
		cmocka_unit_test_setup(copies_move_the_bytes_asked_for_and_no_others, setup),
		cmocka_unit_test_setup(a_copy_batch_has_room_for_as_many_as_it_says, setup),
		cmocka_unit_test_setup(the_nth_copy_fails_alone, setup),
		cmocka_unit_test_setup(a_bad_gref_or_domain_fails_its_copy, setup),
	};

	return cmocka_run_group_tests_name("grant", tests, NULL, NULL);
}
