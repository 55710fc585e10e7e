// SPDX-License-Identifier: GPL-2.0-only
/* The control ring: who may say what, and what a liar's messages come to. */
#include <xpv/netctl.h>
#include "pair.h"
#include "test.h"

static struct pair p;

static void setup(void **state)
{
	assert_int_equal(pair_init(&p, 1, XPV_NET_CTL_STRIDE, *(const u32 *)*state), 0);
}

static void ask(const struct xpv_net_ctlreq *req)
{
	memcpy(xpv_front_next(&p.front), req, sizeof(*req));
	xpv_front_publish(&p.front);
}

static void answer(struct xpv_net_ctlrsp rsp)
{
	memcpy(xpv_back_next(&p.back), &rsp, sizeof(rsp));
	xpv_back_publish(&p.back);
}

static void question_and_answer(void **state)
{
	struct xpv_net_ctlreq asked = { 7, XPV_NET_CTL_SET_TABLE, { 1, 2, 3 } }, req;
	u32 i, data = 0;

	setup(state);
	assert_int_equal(p.front.size, 128);
	for (i = 0; i < 300; i++) {
		asked.id = (u16)(0xff00 + i);
		assert_int_equal(xpv_net_take_ctl(&p.back, &req), 0);
		ask(&asked);
		assert_int_equal(xpv_net_take_ctl_answer(&p.front, &asked, &data), -EAGAIN);
		assert_int_equal(xpv_net_take_ctl(&p.back, &req), 1);
		assert_memory_equal(&req, &asked, sizeof(req));
		xpv_net_answer_ctl(&p.back, &req, XPV_NET_CTL_SUCCESS, i);
		xpv_back_publish(&p.back);
		assert_int_equal(xpv_net_take_ctl_answer(&p.front, &asked, &data), 0);
		assert_int_equal(data, i);
	}
}

static void statuses(void **state)
{
	static const struct {
		u32 status;
		int err;
	} t[] = {
		{ XPV_NET_CTL_SUCCESS, 0 }, { XPV_NET_CTL_NOT_SUPPORTED, -EOPNOTSUPP },
		{ XPV_NET_CTL_INVALID, -EINVAL }, { XPV_NET_CTL_OVERFLOW, -ENOSPC },
		{ 4, -EINVAL }, { 0xffffffff, -EINVAL },
	};
	struct xpv_net_ctlreq asked = { 1, XPV_NET_CTL_GET_FLAGS, {} };
	u32 i, data;

	setup(state);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		ask(&asked);
		xpv_net_take_ctl(&p.back, &asked);
		answer((struct xpv_net_ctlrsp){ 1, XPV_NET_CTL_GET_FLAGS, t[i].status, 0 });
		if (xpv_net_take_ctl_answer(&p.front, &asked, &data) != t[i].err)
			ROW_FAILED("status %u", t[i].status);
	}
}

/* An answer to what was not asked breaks the ring for good. */
static void wrong_answers(void **state)
{
	static const struct xpv_net_ctlrsp t[] = {
		{ 2, XPV_NET_CTL_GET_GREFS, 0, 0 }, { 1, XPV_NET_CTL_ADD_GREFS, 0, 0 }, {},
	};
	struct xpv_net_ctlreq asked = { 1, XPV_NET_CTL_GET_GREFS, {} };
	u32 i, data;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		setup(state);
		ask(&asked);
		xpv_net_take_ctl(&p.back, &asked);
		answer(t[i]);
		assert_int_equal(xpv_net_take_ctl_answer(&p.front, &asked, &data), -EPROTO);
		assert_true(xpv_ring_broken(&p.front));
		assert_int_equal(xpv_net_take_ctl_answer(&p.front, &asked, &data), -EPROTO);
	}
}

/* XSA-39's kind: more requests, or answers, than there can be. */
static void index_ahead(void **state)
{
	struct xpv_net_ctlreq req;
	u32 data;

	setup(state);
	p.shared.req_prod += 129;
	assert_int_equal(xpv_net_take_ctl(&p.back, &req), -EPROTO);
	assert_true(xpv_ring_broken(&p.back));
	p.shared.rsp_prod += 1;
	assert_int_equal(xpv_net_take_ctl_answer(&p.front, &req, &data), -EPROTO);
}

static void lists_of_grants(void **state)
{
	static struct xpv_net_gref list[XPV_NET_GREFS_MAX + 1];

	(void)state;
	assert_int_equal(XPV_NET_GREFS_MAX, 512);
	assert_int_equal(xpv_net_check_grefs(list, 0), -EINVAL);
	assert_int_equal(xpv_net_check_grefs(list, 1), 0);
	assert_int_equal(xpv_net_check_grefs(list, 512), 0);
	assert_int_equal(xpv_net_check_grefs(list, 513), -EINVAL);
	assert_int_equal(xpv_net_check_grefs(list, 0xffffffff), -EINVAL);
	list[511].flags = XPV_NET_GREF_READONLY;
	list[511].status = 0xffff;
	assert_int_equal(xpv_net_check_grefs(list, 512), 0);
	list[511].flags = 2;
	assert_int_equal(xpv_net_check_grefs(list, 512), -EINVAL);
	assert_int_equal(xpv_net_check_grefs(list, 511), 0);
	list[0].flags = 0x8001;
	assert_int_equal(xpv_net_check_grefs(list, 1), -EINVAL);
}

/* XSA-270: a place whose end overflows, and queues that are none. */
static void tables(void **state)
{
	static const struct {
		u32 first, n, size;
		int err;
	} t[] = {
		{ 0, 0, 0, 0 }, { 0, 128, 128, 0 }, { 127, 1, 128, 0 }, { 128, 0, 128, 0 },
		{ 128, 1, 128, -EINVAL }, { 0, 129, 128, -EINVAL }, { 1, 128, 128, -EINVAL },
		{ 0xffffffff, 1, 128, -EINVAL }, { 0xfffffff0, 0x10, 128, -EINVAL },
		{ 0xfffffff0, 0x20, 128, -EINVAL }, { 1, 0xffffffff, 128, -EINVAL },
		{ 0, 0xffffffff, 128, -EINVAL }, { 0, 1, 0, -EINVAL },
	};
	static const u32 entry[] = { 0, 3, 4, 0xffffffff };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(t); i++)
		if (xpv_net_check_table_place(t[i].first, t[i].n, t[i].size) != t[i].err)
			ROW_FAILED("row %u", i);
	assert_int_equal(xpv_net_check_table(entry, 0, 1), 0);
	assert_int_equal(xpv_net_check_table(entry, 2, 4), 0);
	assert_int_equal(xpv_net_check_table(entry, 2, 3), -EINVAL);
	assert_int_equal(xpv_net_check_table(entry, 3, 4), -EINVAL);
	assert_int_equal(xpv_net_check_table(entry, 4, 5), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FROM_BOTH_STARTS(question_and_answer),
		FROM_BOTH_STARTS(statuses),
		FROM_BOTH_STARTS(wrong_answers),
		FROM_BOTH_STARTS(index_ahead),
		cmocka_unit_test(lists_of_grants),
		cmocka_unit_test(tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
