// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of a batch whose whole call fails in the kernel, part of it done: XSA-361, XSA-367. */
#include <xpv/grant.h>

#include "test.h"

#define DOMID	5
#define ITEMS	8u
#define DONE	3u	/* of these: mapped before the call failed */

static struct xpv_batch batch;
static struct xpv_copy_batch copies;
static struct xpv_mapping map[ITEMS];
static struct page pages[ITEMS];
static bool mapped[ITEMS];	/* by handle, with the hypervisor */
static int map_result, op_result;
unsigned int fake_warnings;

int gnttab_map_refs(struct gnttab_map_grant_ref *ops, void *kmap, struct page **page, unsigned int n)
{
	unsigned int i;

	(void)kmap;
	for (i = 0; i < (map_result ? DONE : n); i++) {
		assert_ptr_equal((void *)(uintptr_t)ops[i].host_addr, page[i]);
		assert_int_equal(ops[i].dom, DOMID);
		ops[i].status = i == 1 ? GNTST_no_device_space : GNTST_okay;
		ops[i].handle = i;
		mapped[i] = ops[i].status == GNTST_okay;
	}
	return map_result;
}

int gnttab_unmap_refs(struct gnttab_unmap_grant_ref *ops, void *kunmap, struct page **page, unsigned int n)
{
	(void)kunmap;
	(void)page;
	while (n--)
		mapped[ops[n].handle] = false;
	return 0;
}

int HYPERVISOR_grant_table_op(unsigned int op, void *arg, unsigned int n)
{
	struct gnttab_unmap_grant_ref *unmap = arg;
	unsigned int i;

	if (op == GNTTABOP_unmap_grant_ref) {
		for (i = 0; i < n; i++) {
			assert_in_range(unmap[i].handle, 0, ITEMS - 1);
			assert_true(mapped[unmap[i].handle]);
			assert_ptr_equal((void *)(uintptr_t)unmap[i].host_addr, &pages[unmap[i].handle]);
			mapped[unmap[i].handle] = false;
		}
		return 0;
	}
	assert_int_equal(op, GNTTABOP_copy);
	return op_result;
}

static int setup(void **state)
{
	u32 i;

	(void)state;
	map_result = op_result = 0;
	fake_warnings = 0;
	memset(mapped, 0, sizeof(mapped));
	xpv_batch_init(&batch, DOMID);
	for (i = 0; i < ITEMS; i++) {
		map[i] = (struct xpv_mapping){ .gref = 100 + i, .page = &pages[i] };
		xpv_batch_add_map(&batch, &map[i], false);
	}
	return 0;
}

static u32 still_mapped(void)
{
	u32 i, n = 0;

	for (i = 0; i < ITEMS; i++)
		n += mapped[i];
	return n;
}

static void one_that_fails_is_one(void **state)
{
	u32 i;

	(void)state;
	assert_int_equal(xpv_batch_map(&batch), -EIO);
	assert_int_equal(map[1].handle, XPV_NO_ROOM);
	for (i = 0; i < ITEMS; i++)
		assert_int_equal(xpv_mapped(&map[i]), i != 1);
	for (i = 0; i < ITEMS; i++)
		if (xpv_mapped(&map[i]))
			xpv_batch_add_unmap(&batch, &map[i]);
	xpv_batch_unmap(&batch);
	assert_int_equal(still_mapped(), 0);
}

static void a_call_that_fails_leaves_nothing_mapped(void **state)
{
	u32 i;

	(void)state;
	map_result = -ENOMEM;
	assert_int_equal(xpv_batch_map(&batch), -EIO);
	for (i = 0; i < ITEMS; i++)
		assert_false(xpv_mapped(&map[i]));
	assert_int_equal(still_mapped(), 0);
	assert_int_equal(fake_warnings, 0);
}

static void a_call_that_fails_has_copied_nothing(void **state)
{
	static u8 mem[64];
	u32 i;

	(void)state;
	xpv_copy_init(&copies, DOMID);
	for (i = 0; i < ITEMS; i++)
		xpv_copy_from(&copies, 100 + i, 0, mem, 8);
	op_result = -EFAULT;
	xpv_copy_submit(&copies);
	for (i = 0; i < ITEMS; i++)
		assert_int_equal(xpv_copy_status(&copies, i), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_that_fails_is_one, setup),
		cmocka_unit_test_setup(a_call_that_fails_leaves_nothing_mapped, setup),
		cmocka_unit_test_setup(a_call_that_fails_has_copied_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
