// SPDX-License-Identifier: GPL-2.0-only
/* The ring, both ends, from index 0 and across the wrap. */
#include <xpv/ring.h>
#include "pair.h"
#include "test.h"

/* blkif x86_64 and x86_32, netif transmit and receive; slots of 1 << order pages. */
static const struct {
	u32 stride;
	u32 slots[XPV_RING_MAX_ORDER + 1];
} geometry[] = {
	{ 112, { 32, 64, 128, 256, 512 } },
	{ 108, { 32, 64, 128, 256, 512 } },
	{ 12, { 256, 512, 1024, 2048, 4096 } },
	{ 8, { 256, 512, 1024, 2048, 4096 } },
};

static struct pair p;

static u32 start(void **state)
{
	return *(const u32 *)*state;
}

/* A small ring: blkif in one page, 32 slots. */
static u32 setup(void **state)
{
	assert_int_equal(pair_init(&p, 1, 112, start(state)), 0);
	assert_int_equal(p.front.size, 32);
	return start(state);
}

static void send(u32 n)
{
	while (n--)
		xpv_front_next(&p.front);
	xpv_front_publish(&p.front);
}

static void take(u32 n)
{
	assert_true(xpv_back_pending(&p.back) >= n);
	p.back.cons += n;
}

static void answer(u32 n)
{
	while (n--)
		xpv_back_next(&p.back);
	xpv_back_publish(&p.back);
}

static void slots_are_the_power_of_two_that_fits(void **state)
{
	u32 g, order;

	(void)state;
	for (g = 0; g < ARRAY_SIZE(geometry); g++)
		for (order = 0; order <= XPV_RING_MAX_ORDER; order++)
			assert_int_equal(xpv_ring_slots(1u << order, geometry[g].stride),
					 geometry[g].slots[order]);
	assert_int_equal(xpv_ring_slots(3, 112), 64);
	/* 4032 bytes lie behind the indices of one page. */
	assert_int_equal(xpv_ring_slots(1, 4032), 1);
	assert_int_equal(xpv_ring_slots(1, 2016), 2);
	assert_int_equal(xpv_ring_slots(1, 2017), 1);
}

static void impossible_sizes_have_no_slots(void **state)
{
	static const struct {
		unsigned int pages;
		u32 stride;
	} t[] = {
		{ 0, 112 }, { 17, 112 }, { 32, 8 }, { 0x100000, 112 }, { 0xffffffff, 8 },
		{ 1, 0 }, { 16, 0 }, { 1, 4033 }, { 1, 4096 }, { 16, 65473 }, { 1, 0xffffffff },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(xpv_ring_slots(t[i].pages, t[i].stride), 0);
		assert_int_equal(xpv_back_attach(&p.back, p.page, t[i].pages, t[i].stride),
				 -EINVAL);
		assert_null(p.back.shared);
	}
}

static void slots_fill_the_pages_without_overlap(void **state)
{
	u32 g, order, i, at = start(state);

	for (g = 0; g < ARRAY_SIZE(geometry); g++) {
		for (order = 0; order <= XPV_RING_MAX_ORDER; order++) {
			u32 stride = geometry[g].stride, size = geometry[g].slots[order];
			u32 first = at & (size - 1);

			pair_init(&p, 1u << order, stride, at);
			for (i = 0; i < size; i++) {
				u8 *slot = xpv_ring_slot(&p.front, at + i);

				assert_ptr_equal(slot, p.page + 64 +
						 ((first + i) % size) * stride);
				assert_true(slot + stride <= p.page + (XPV_PAGE_SIZE << order));
				assert_ptr_equal(slot, xpv_ring_slot(&p.back, at + i));
				assert_ptr_equal(slot, xpv_ring_slot(&p.front, at + i + size));
			}
		}
	}
}

static void a_fresh_ring_is_empty_and_asks_for_the_first_message(void **state)
{
	(void)state;
	memset(&p, 0, sizeof(p));
	xpv_front_init(&p.front, p.page, 1, 112);
	assert_int_equal(p.shared.req_prod, 0);
	assert_int_equal(p.shared.rsp_prod, 0);
	assert_int_equal(p.shared.req_event, 1);
	assert_int_equal(p.shared.rsp_event, 1);
	assert_int_equal(xpv_front_free(&p.front), 32);
	assert_int_equal(xpv_front_inflight(&p.front), 0);
	assert_int_equal(xpv_front_pending(&p.front), 0);

	assert_int_equal(xpv_back_attach(&p.back, p.page, 1, 112), 0);
	assert_int_equal(xpv_back_pending(&p.back), 0);
	assert_int_equal(xpv_back_inflight(&p.back), 0);

	xpv_front_next(&p.front);
	assert_true(xpv_front_publish(&p.front));
	take(1);
	xpv_back_next(&p.back);
	assert_true(xpv_back_publish(&p.back));
	assert_int_equal(xpv_front_pending(&p.front), 1);
}

static void attach_offers_what_was_not_answered(void **state)
{
	static const u32 unanswered[] = { 0, 1, 2, 31, 32 };
	u32 i, at = start(state);

	for (i = 0; i < ARRAY_SIZE(unanswered); i++) {
		setup(state);
		p.shared.req_prod = at + unanswered[i];
		assert_int_equal(xpv_back_attach(&p.back, p.page, 1, 112), 0);
		assert_int_equal(xpv_back_pending(&p.back), unanswered[i]);
		assert_int_equal(xpv_back_inflight(&p.back), 0);
		assert_int_equal(p.back.cons, at);
		assert_int_equal(p.back.prod, at);
		assert_false(xpv_back_publish(&p.back));
	}
}

static void attach_refuses_impossible_indices(void **state)
{
	static const u32 ahead[] = { 33, 34, 0x7fffffff, 0x80000000, 0xffffffff };
	u32 i, at = start(state);

	for (i = 0; i < ARRAY_SIZE(ahead); i++) {
		setup(state);
		p.shared.req_prod = at + ahead[i];
		assert_int_equal(xpv_back_attach(&p.back, p.page, 1, 112), -EIO);
		assert_null(p.back.shared);
	}
}

static void detach_forgets_the_shared_page(void **state)
{
	setup(state);
	xpv_ring_detach(&p.back);
	assert_null(p.back.shared);
}

/* Three times round each ring, in steps that do not divide its size. */
static void messages_arrive_whole_and_in_order(void **state)
{
	u8 msg[112], got[112];
	u32 g, order, i, sent, answered, at = start(state);

	for (g = 0; g < ARRAY_SIZE(geometry); g++) {
		for (order = 0; order <= XPV_RING_MAX_ORDER; order += 2) {
			u32 stride = geometry[g].stride, size = geometry[g].slots[order];

			assert_int_equal(pair_init(&p, 1u << order, stride, at), 0);
			for (sent = answered = 0; answered < 3 * size;) {
				for (i = 0; i < 7 && xpv_front_free(&p.front); i++) {
					memset(msg, (int)(sent++ % 251), stride);
					memcpy(xpv_front_next(&p.front), msg, stride);
				}
				xpv_front_publish(&p.front);
				for (i = xpv_back_pending(&p.back); i; i--) {
					xpv_ring_copy(&p.back, p.back.cons++, got, stride);
					memset(msg, (int)((p.back.cons - 1 - at) % 251), stride);
					assert_memory_equal(got, msg, stride);
				}
				for (i = 0; i < 5 && xpv_back_inflight(&p.back); i++) {
					u8 *slot;

					memset(msg, ~(int)((p.back.prod - at) % 251), stride);
					slot = xpv_back_next(&p.back);
					memcpy(slot, msg, stride);
				}
				xpv_back_publish(&p.back);
				for (i = xpv_front_pending(&p.front); i; i--) {
					xpv_ring_copy(&p.front, p.front.cons++, got, stride);
					memset(msg, ~(int)(answered++ % 251), stride);
					assert_memory_equal(got, msg, stride);
				}
				assert_false(xpv_ring_broken(&p.front));
				assert_false(xpv_ring_broken(&p.back));
			}
		}
	}
}

static void copy_takes_no_more_than_asked(void **state)
{
	u8 buf[16];
	u32 at = setup(state);

	memset(buf, 0x11, sizeof(buf));
	xpv_ring_copy(&p.back, at, buf, 12);
	assert_int_equal(buf[11], 0xa5);
	assert_int_equal(buf[12], 0x11);
}

static void a_full_ring_is_full_and_not_broken(void **state)
{
	setup(state);
	send(32);
	assert_int_equal(xpv_front_free(&p.front), 0);
	assert_int_equal(xpv_front_inflight(&p.front), 32);
	assert_int_equal(xpv_back_pending(&p.back), 32);
	take(32);
	assert_int_equal(xpv_back_pending(&p.back), 0);
	assert_int_equal(xpv_back_inflight(&p.back), 32);
	answer(32);
	assert_int_equal(xpv_front_pending(&p.front), 32);
	p.front.cons += 32;
	assert_int_equal(xpv_front_free(&p.front), 32);
	assert_int_equal(xpv_front_pending(&p.front), 0);
	assert_false(xpv_ring_broken(&p.front));
	assert_false(xpv_ring_broken(&p.back));
}

/* What a broken ring may do is nothing, even when the index is put right again. */
static void check_back_broken(u32 good)
{
	u32 event = p.shared.req_event;

	assert_true(xpv_ring_broken(&p.back));
	p.shared.req_prod = good;
	assert_int_equal(xpv_back_pending(&p.back), 0);
	assert_int_equal(xpv_back_rearm(&p.back, 5), 0);
	assert_int_equal(p.shared.req_event, event);
	assert_true(xpv_ring_broken(&p.back));
}

static void check_front_broken(u32 good)
{
	u32 event = p.shared.rsp_event;

	assert_true(xpv_ring_broken(&p.front));
	p.shared.rsp_prod = good;
	assert_int_equal(xpv_front_pending(&p.front), 0);
	assert_int_equal(xpv_front_rearm(&p.front, 5), 0);
	assert_int_equal(p.shared.rsp_event, event);
	assert_true(xpv_ring_broken(&p.front));
}

/* @inflight taken and unanswered: their slots can hold no new request. */
static void requests_beyond_the_free_slots_break_the_ring(void **state)
{
	static const u32 inflight[] = { 0, 1, 16, 31, 32 };
	u32 i, at;

	for (i = 0; i < ARRAY_SIZE(inflight); i++) {
		u32 n = inflight[i];

		at = setup(state);
		send(n);
		take(n);
		p.shared.req_prod = at + 32;
		assert_int_equal(xpv_back_pending(&p.back), 32 - n);
		assert_false(xpv_ring_broken(&p.back));
		p.shared.req_prod = at + 33;
		assert_int_equal(xpv_back_pending(&p.back), 0);
		check_back_broken(at + n);
	}
}

static void an_answer_makes_room_for_one_request(void **state)
{
	u32 at = setup(state);

	send(32);
	take(32);
	answer(1);
	p.shared.req_prod = at + 33;
	assert_int_equal(xpv_back_pending(&p.back), 1);
	p.shared.req_prod = at + 34;
	assert_int_equal(xpv_back_pending(&p.back), 0);
	check_back_broken(at + 33);
}

static void requests_that_go_backwards_break_the_ring(void **state)
{
	u32 at = setup(state);

	send(3);
	take(3);
	p.shared.req_prod = at + 2;
	assert_int_equal(xpv_back_rearm(&p.back, 1), 0);
	check_back_broken(at + 4);
}

static void responses_to_nothing_break_the_ring(void **state)
{
	static const u32 sent[] = { 0, 1, 31, 32 };
	u32 i, at;

	for (i = 0; i < ARRAY_SIZE(sent); i++) {
		at = setup(state);
		send(sent[i]);
		p.shared.rsp_prod = at + sent[i];
		assert_int_equal(xpv_front_pending(&p.front), sent[i]);
		p.shared.rsp_prod = at + sent[i] + 1;
		assert_int_equal(xpv_front_pending(&p.front), 0);
		check_front_broken(at + sent[i]);
	}
}

static void a_response_to_a_request_not_yet_published_breaks_the_ring(void **state)
{
	u32 at = setup(state);

	send(2);
	xpv_front_next(&p.front);
	p.shared.rsp_prod = at + 3;
	assert_int_equal(xpv_front_pending(&p.front), 0);
	check_front_broken(at + 2);
}

static void responses_that_go_backwards_break_the_ring(void **state)
{
	u32 at = setup(state);

	send(4);
	take(4);
	answer(4);
	p.front.cons += xpv_front_pending(&p.front);
	p.shared.rsp_prod = at + 3;
	assert_int_equal(xpv_front_rearm(&p.front, 1), 0);
	check_front_broken(at + 4);
}

static void a_peek_sees_whatever_is_shown(void **state)
{
	setup(state);
	assert_false(xpv_back_peek(&p.back));
	send(2);
	assert_true(xpv_back_peek(&p.back));
	take(2);
	assert_false(xpv_back_peek(&p.back));
	/* Not true, but that is not for it to find out. */
	p.back.shared->req_prod -= 7;
	assert_true(xpv_back_peek(&p.back));
	assert_false(xpv_ring_broken(&p.back));
}

static void a_ring_declared_broken_offers_nothing(void **state)
{
	u32 at = setup(state);

	send(2);
	take(1);
	answer(1);
	xpv_ring_break(&p.back);
	xpv_ring_break(&p.front);
	check_back_broken(at + 2);
	check_front_broken(at + 1);
}

/* Publishing (old, new] is told when the event lies in it. */
static void a_notification_is_due_when_the_event_is_passed(void **state)
{
	static const struct {
		u32 n;		/* messages published */
		int event;	/* relative to the old index */
		bool due;
	} t[] = {
		{ 1, -1, false }, { 1, 0, false }, { 1, 1, true }, { 1, 2, false },
		{ 3, -1, false }, { 3, 0, false }, { 3, 1, true }, { 3, 2, true },
		{ 3, 3, true }, { 3, 4, false }, { 3, 17, false },
		{ 32, 0, false }, { 32, 1, true }, { 32, 32, true }, { 32, 33, false },
		{ 32, -32, false }, { 1, -0x7fffffff, false }, { 1, 0x7fffffff, false },
		/* From 0xfffffff0 the range itself crosses 0: */
		{ 20, 15, true }, { 20, 16, true }, { 20, 17, true }, { 20, 21, false },
	};
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		u32 at = setup(state);

		p.shared.req_event = at + (u32)t[i].event;
		p.shared.rsp_event = at + (u32)t[i].event;
		for (j = 0; j < t[i].n; j++)
			xpv_front_next(&p.front);
		if (xpv_front_publish(&p.front) != t[i].due)
			ROW_FAILED("request, row %u", i);
		assert_int_equal(p.shared.req_prod, at + t[i].n);

		take(t[i].n);
		for (j = 0; j < t[i].n; j++)
			xpv_back_next(&p.back);
		if (xpv_back_publish(&p.back) != t[i].due)
			ROW_FAILED("response, row %u", i);
		assert_int_equal(p.shared.rsp_prod, at + t[i].n);
	}
}

static void publishing_nothing_notifies_nobody(void **state)
{
	int d;

	for (d = -1; d <= 2; d++) {
		u32 at = setup(state);

		p.shared.req_event = at + (u32)d;
		p.shared.rsp_event = at + (u32)d;
		assert_false(xpv_front_publish(&p.front));
		assert_false(xpv_back_publish(&p.back));
		send(1);
		assert_false(xpv_front_publish(&p.front));
	}
}

/* The peer publishes one by one: exactly the @ahead-th wakes. */
static void rearm_is_told_at_the_message_it_asked_for(void **state)
{
	static const u32 ahead[] = { 1, 2, 7, 32 };
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(ahead); i++) {
		u32 at = setup(state);

		assert_int_equal(xpv_back_rearm(&p.back, ahead[i]), 0);
		assert_int_equal(p.shared.req_event, at + ahead[i]);
		for (j = 1; j <= 32; j++) {
			xpv_front_next(&p.front);
			assert_int_equal(xpv_front_publish(&p.front), j == ahead[i]);
		}
		take(32);
		assert_int_equal(xpv_front_rearm(&p.front, ahead[i]), 0);
		assert_int_equal(p.shared.rsp_event, at + ahead[i]);
		for (j = 1; j <= 32; j++) {
			xpv_back_next(&p.back);
			assert_int_equal(xpv_back_publish(&p.back), j == ahead[i]);
		}
	}
}

static void rearm_finds_work_for_which_no_event_comes(void **state)
{
	setup(state);
	/* Both have been told of their first message, and have armed nothing since. */
	send(1);
	take(1);
	answer(1);
	p.front.cons += xpv_front_pending(&p.front);

	assert_int_equal(xpv_back_pending(&p.back), 0);
	xpv_front_next(&p.front);
	xpv_front_next(&p.front);
	assert_false(xpv_front_publish(&p.front));
	assert_int_equal(xpv_back_rearm(&p.back, 1), 2);

	assert_int_equal(xpv_front_pending(&p.front), 0);
	p.back.cons += 2;
	xpv_back_next(&p.back);
	assert_false(xpv_back_publish(&p.back));
	assert_int_equal(xpv_front_rearm(&p.front, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_the_power_of_two_that_fits),
		cmocka_unit_test(impossible_sizes_have_no_slots),
		cmocka_unit_test(a_fresh_ring_is_empty_and_asks_for_the_first_message),
		FROM_BOTH_STARTS(slots_fill_the_pages_without_overlap),
		FROM_BOTH_STARTS(attach_offers_what_was_not_answered),
		FROM_BOTH_STARTS(attach_refuses_impossible_indices),
		FROM_BOTH_STARTS(detach_forgets_the_shared_page),
		FROM_BOTH_STARTS(messages_arrive_whole_and_in_order),
		FROM_BOTH_STARTS(copy_takes_no_more_than_asked),
		FROM_BOTH_STARTS(a_full_ring_is_full_and_not_broken),
		FROM_BOTH_STARTS(requests_beyond_the_free_slots_break_the_ring),
		FROM_BOTH_STARTS(an_answer_makes_room_for_one_request),
		FROM_BOTH_STARTS(requests_that_go_backwards_break_the_ring),
		FROM_BOTH_STARTS(responses_to_nothing_break_the_ring),
		FROM_BOTH_STARTS(a_response_to_a_request_not_yet_published_breaks_the_ring),
		FROM_BOTH_STARTS(responses_that_go_backwards_break_the_ring),
		FROM_BOTH_STARTS(a_peek_sees_whatever_is_shown),
		FROM_BOTH_STARTS(a_ring_declared_broken_offers_nothing),
		FROM_BOTH_STARTS(a_notification_is_due_when_the_event_is_passed),
		FROM_BOTH_STARTS(publishing_nothing_notifies_nobody),
		FROM_BOTH_STARTS(rearm_is_told_at_the_message_it_asked_for),
		FROM_BOTH_STARTS(rearm_finds_work_for_which_no_event_comes),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
