// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decoding and answering in the three layouts. The slots are written here byte by
 * byte at offsets from the protocol, not through the structures under test.
 */
#include <xpv/blkif.h>
#include "test.h"

/* Where a layout has its fields; the first four bytes are the same in all. */
static const struct layout {
	enum xpv_blk_abi abi;
	u32 stride, id, sector, rest;	/* rest: segments, nr_sectors or the indirect part */
	u32 response, status;
} layouts[] = {
	{ XPV_BLK_NATIVE, 112, 8, 16, 24, 16, 10 },
	{ XPV_BLK_X86_64, 112, 8, 16, 24, 16, 10 },
	{ XPV_BLK_X86_32, 108, 4, 12, 20, 12, 10 },
};

#define ID	0x0102030405060708ull
#define SECTOR	0x1112131415161718ull

static const struct layout *layout(void **state)
{
	return *state;
}

static void put(u8 *at, u32 bytes, u64 value)
{
	while (bytes--) {
		*at++ = (u8)value;
		value >>= 8;
	}
}

/* A slot of exactly the layout's bytes on the heap, so that reading on is seen. */
static u8 *new_slot(const struct layout *l, u8 op, u8 second, u16 handle)
{
	u8 *slot = malloc(l->stride);

	memset(slot, 0xa5, l->stride);
	slot[0] = op;
	slot[1] = second;
	put(slot + 2, 2, handle);
	put(slot + l->id, 8, ID);
	put(slot + l->sector, 8, SECTOR);
	return slot;
}

static void decode(const struct layout *l, u8 *slot, struct xpv_blk_req *req)
{
	memset(req, 0x5a, sizeof(*req));
	xpv_blk_take(l->abi, slot, req);
	assert_true(req->id == ID);
	assert_true(req->sector == SECTOR);
	free(slot);
}

static void stride_is_the_size_of_a_request(void **state)
{
	assert_int_equal(xpv_blk_stride(layout(state)->abi), layout(state)->stride);
}

/* Reads, writes, barriers, flushes, and what is no operation at all. */
static void segments_are_decoded(void **state)
{
	static const u8 ops[] = { 0, 1, 2, 3, 4, 7, 255 };
	const struct layout *l = layout(state);
	struct xpv_blk_req req;
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		u8 *slot = new_slot(l, ops[i], 11, 0xbeef);

		for (j = 0; j < 11; j++) {
			put(slot + l->rest + 8 * j, 4, 0xc0de0000u + j);
			slot[l->rest + 8 * j + 4] = (u8)j;
			slot[l->rest + 8 * j + 5] = (u8)(0x80 + j);
		}
		decode(l, slot, &req);
		assert_int_equal(req.op, ops[i]);
		assert_int_equal(req.nr_segs, 11);
		assert_int_equal(req.handle, 0xbeef);
		assert_int_equal(req.flags, 0);
		assert_false(req.indirect);
		for (j = 0; j < 11; j++) {
			assert_int_equal(req.seg[j].gref, 0xc0de0000u + j);
			assert_int_equal(req.seg[j].first, j);
			assert_int_equal(req.seg[j].last, 0x80 + j);
		}
	}
}

/* What is not there does not cost a copy: ASan would see it. */
static void segments_beyond_the_last_are_not_read(void **state)
{
	const struct layout *l = layout(state);
	struct xpv_blk_req req;
	u32 n;

	for (n = 0; n <= 11; n++) {
		u8 *slot = new_slot(l, 1, (u8)n, 1);

		decode(l, realloc(slot, l->rest + 8 * (n ?: 1)), &req);
		assert_int_equal(req.nr_segs, n);
	}
}

static void no_field_is_checked(void **state)
{
	struct xpv_blk_req req;

	decode(layout(state), new_slot(layout(state), 1, 255, 0xffff), &req);
	assert_int_equal(req.nr_segs, 255);
	decode(layout(state), new_slot(layout(state), 6, 99, 0xffff), &req);
	assert_int_equal(req.op, 99);
	assert_int_equal(req.nr_segs, 0xffff);
}

static void a_flush_without_data_has_no_segments(void **state)
{
	struct xpv_blk_req req;

	decode(layout(state), new_slot(layout(state), 3, 0, 1), &req);
	assert_int_equal(req.op, XPV_BLK_FLUSH);
	assert_int_equal(req.nr_segs, 0);
	assert_true(req.nr_sectors == 0);
	assert_false(req.indirect);
}

static void a_discard_is_decoded(void **state)
{
	const struct layout *l = layout(state);
	u8 *slot = new_slot(l, 5, 1, 0x1234);
	struct xpv_blk_req req;

	put(slot + l->rest, 8, 0x2122232425262728ull);
	decode(l, slot, &req);
	assert_int_equal(req.op, XPV_BLK_DISCARD);
	assert_int_equal(req.flags, 1);
	assert_int_equal(req.nr_segs, 0);
	assert_true(req.nr_sectors == 0x2122232425262728ull);
	assert_false(req.indirect);
}

static void an_indirect_request_is_decoded(void **state)
{
	const struct layout *l = layout(state);
	struct xpv_blk_req req;
	u32 op, j;

	for (op = 0; op < 2; op++) {
		u8 *slot = new_slot(l, 6, (u8)op, 256);

		put(slot + l->rest, 2, 0xbeef);
		for (j = 0; j < 8; j++)
			put(slot + l->rest + 4 + 4 * j, 4, 0xc0de0000u + j);
		decode(l, slot, &req);
		assert_int_equal(req.op, op);
		assert_true(req.indirect);
		assert_int_equal(req.nr_segs, 256);
		assert_int_equal(req.handle, 0xbeef);
		assert_int_equal(req.flags, 0);
		for (j = 0; j < 8; j++)
			assert_int_equal(req.ind[j], 0xc0de0000u + j);
	}
}

/* XSA-216: what the response does not say must not be what the slot or a stack held. */
static void a_response_is_written_whole_and_no_further(void **state)
{
	static const s16 statuses[] = { 0, -1, -2 };
	const struct layout *l = layout(state);
	u8 slot[112], want[112];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		memset(slot, 0xa5, sizeof(slot));
		memset(want, 0xa5, sizeof(want));
		memset(want, 0, l->response);
		put(want, 8, ID);
		want[8] = 6;
		put(want + l->status, 2, (u16)statuses[i]);
		xpv_blk_respond(l->abi, slot, ID, 6, statuses[i]);
		assert_memory_equal(slot, want, sizeof(slot));
	}
}

static void the_protocol_names_the_layout(void **state)
{
	static const char *const unknown[] = {
		"", "x86_64", "x86_32", "x86_64-abi ", " x86_32-abi", "X86_64-ABI", "arm-abi",
		"powerpc64-abi", "ia64-abi", "x86_32-abix",
	};
	enum xpv_blk_abi abi = XPV_BLK_NATIVE;
	u32 i;

	(void)state;
	assert_int_equal(xpv_blk_abi("x86_64-abi", &abi), 0);
	assert_int_equal(abi, XPV_BLK_X86_64);
	assert_int_equal(xpv_blk_abi("x86_32-abi", &abi), 0);
	assert_int_equal(abi, XPV_BLK_X86_32);
	abi = XPV_BLK_NATIVE;
	assert_int_equal(xpv_blk_abi(NULL, &abi), 0);
	assert_int_equal(abi, XPV_BLK_X86_32);
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		abi = XPV_BLK_NATIVE;
		assert_int_equal(xpv_blk_abi(unknown[i], &abi), -EINVAL);
		assert_int_equal(abi, XPV_BLK_NATIVE);
	}
}

#define IN_EACH_LAYOUT(f)							\
	{ #f " native", f, NULL, NULL, (void *)&layouts[0] },			\
	{ #f " x86_64", f, NULL, NULL, (void *)&layouts[1] },			\
	{ #f " x86_32", f, NULL, NULL, (void *)&layouts[2] }

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_EACH_LAYOUT(stride_is_the_size_of_a_request),
		IN_EACH_LAYOUT(segments_are_decoded),
		IN_EACH_LAYOUT(segments_beyond_the_last_are_not_read),
		IN_EACH_LAYOUT(no_field_is_checked),
		IN_EACH_LAYOUT(a_flush_without_data_has_no_segments),
		IN_EACH_LAYOUT(a_discard_is_decoded),
		IN_EACH_LAYOUT(an_indirect_request_is_decoded),
		IN_EACH_LAYOUT(a_response_is_written_whole_and_no_further),
		cmocka_unit_test(the_protocol_names_the_layout),
	};

	return cmocka_run_group_tests_name("blkif", tests, NULL, NULL);
}
