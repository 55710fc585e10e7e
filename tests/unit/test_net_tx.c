// SPDX-License-Identifier: GPL-2.0-only
/* Packets off a backend's transmit ring: what is carried, refused, and fatal. */
#include "net_slots.h"

static struct pair p;
static struct xpv_net_txpkt tx;
static u16 next_id;

static void tx_setup(void **state)
{
	assert_int_equal(pair_init(&p, 1, XPV_NET_TX_STRIDE, *(const u32 *)*state), 0);
	next_id = 500;
}

static void tx_data(u32 size, u16 offset, u16 flags)
{
	struct xpv_net_txreq req = {
		.gref = 0x10000u + next_id, .offset = offset, .flags = flags,
		.id = next_id, .size = (u16)size,
	};

	next_id++;
	memcpy(xpv_front_next(&p.front), &req, sizeof(req));
}

static u32 tx_send(const struct slot *s)
{
	u32 n;

	for (n = 0; s[n].kind != END; n++) {
		if (s[n].kind == DATA) {
			tx_data((u32)s[n].size, s[n].offset, s[n].flags);
		} else {
			struct xpv_net_extra e = extra(&s[n]);

			memcpy(xpv_front_next(&p.front), &e, sizeof(e));
		}
	}
	xpv_front_publish(&p.front);
	return n;
}

/* Each slot has the response it should, in its place, and the ring is empty then. */
static void tx_check_answers(const struct slot *s, u16 first_id, s16 status)
{
	u16 id = first_id;

	xpv_back_publish(&p.back);
	for (; s->kind != END; s++) {
		struct xpv_net_txrsp rsp;

		assert_true(xpv_front_pending(&p.front) > 0);
		xpv_ring_copy(&p.front, p.front.cons++, &rsp, sizeof(rsp));
		if (s->kind == DATA) {
			assert_int_equal(rsp.id, id++);
			assert_int_equal(rsp.status, status);
		} else {
			assert_int_equal(rsp.status, XPV_NET_NULL);
		}
	}
	assert_int_equal(xpv_front_inflight(&p.front), 0);
	assert_int_equal(xpv_back_inflight(&p.back), 0);
	assert_int_equal(xpv_front_pending(&p.front), 0);
}

/* A broken ring gives no further packet. */
static void tx_check_broken(void)
{
	assert_true(xpv_ring_broken(&p.back));
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), -EPROTO);
}

static void tx_check_next_packet(void)
{
	static const struct slot good[] = { D(60, 0, 0), { 0 } };
	u16 id = next_id;

	tx_send(good);
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 1);
	assert_int_equal(tx.frag[0].id, id);
	xpv_net_answer_tx(&p.back, &tx, XPV_NET_OKAY);
	tx_check_answers(good, id, XPV_NET_OKAY);
}

static const struct {
	const char *what;
	int want;
	u32 size;		/* of the packet, if want is 1 */
	u32 first;		/* bytes in its first slot */
	struct slot slot[SLOTS];
} tx_packets[] = {
	{ "one slot", 1, 60, 60, { D(60, 0, 0) } },
	{ "the shortest", 1, 14, 14, { D(14, 0, 0) } },
	{ "too short", -EINVAL, 0, 0, { D(13, 0, 0) } },
	{ "no byte at all", -EINVAL, 0, 0, { D(0, 0, 0) } },
	{ "a whole page", 1, 4096, 4096, { D(4096, 0, 0) } },
	{ "the end of a page", 1, 96, 96, { D(96, 4000, 0) } },
	{ "over the end of a page", -EPROTO, 0, 0, { D(97, 4000, 0) } },
	{ "more than a page", -EPROTO, 0, 0, { D(4097, 0, 0) } },
	{ "the most over a page", -EPROTO, 0, 0, { D(65535, 65535, 0) } },
	{ "offset and size that wrap in 16 bits", -EPROTO, 0, 0, { D(20, 65530, 0) } },
	{ "checksum flags", 1, 60, 60, { D(60, 0, 3) } },

	{ "two slots", 1, 5000, 1000, { D(5000, 0, MORE), D(4000, 96, 0) } },
	{ "a short first slot", 1, 14, 1, { D(14, 0, MORE), D(13, 0, 0) } },
	{ "the first slot's part over its page", -EPROTO, 0, 0,
	  { D(200, 4000, MORE), D(100, 0, 0) } },
	{ "the second over its page", -EPROTO, 0, 0, { D(5000, 0, MORE), D(4000, 97, 0) } },
	{ "the second over its page, and the sum too", -EPROTO, 0, 0,
	  { D(60, 0, MORE), D(4097, 0, 0) } },
	{ "all in the second slot", 1, 100, 0, { D(100, 0, MORE), D(100, 0, 0) } },
	{ "size smaller than the sum", -EINVAL, 0, 0, { D(100, 0, MORE), D(101, 0, 0) } },
	{ "size 0 and a sum", -EINVAL, 0, 0, { D(0, 0, MORE), D(100, 0, 0) } },
	{ "zero-length slots among others", 1, 60, 40,
	  { D(60, 0, MORE), D(0, 0, MORE), D(20, 0, MORE), D(0, 4096, 0) } },
	{ "only zero-length slots", -EINVAL, 0, 0,	/* XSA-448 */
	  { D(0, 0, MORE), D(0, 0, MORE), D(0, 0, 0) } },
	{ "the largest", 1, 65535, 4095,
	  { D(65535, 0, MORE), D4, D4, D4, D(4096, 0, MORE), D(4096, 0, MORE), D(4096, 0, 0) } },
	{ "a sum that wraps at 64 KiB", -EINVAL, 0, 0,
	  { D(100, 0, MORE), D4, D4, D4, D(4096, 0, MORE), D(4096, 0, MORE), D(4096, 0, MORE),
	    D(4096, 0, 0) } },
	{ "more data past the last", -EPROTO, 0, 0, { D(60, 0, MORE) } },
	{ "more data past the last of two", -EPROTO, 0, 0, { D(60, 0, MORE), D(10, 0, MORE) } },

	{ "GSO v4", 1, 4000, 4000, { D(4000, 0, EXTRA), GSO(1448, XPV_NET_GSO_TCPV4) } },
	{ "GSO v6", 1, 4000, 4000, { D(4000, 0, EXTRA), GSO(8, XPV_NET_GSO_TCPV6) } },
	{ "GSO of size 7", -EINVAL, 60, 60, { D(60, 0, EXTRA), GSO(7, XPV_NET_GSO_TCPV4) } },
	{ "extras, then data", 1, 5000, 1000,
	  { D(5000, 0, EXTRA | MORE), GSO_MORE(1448, XPV_NET_GSO_TCPV4), X(XPV_NET_EXTRA_HASH),
	    D(4000, 0, 0) } },
	{ "three extras", 1, 60, 60,
	  { D(60, 0, EXTRA), X_MORE(XPV_NET_EXTRA_HASH), X_MORE(XPV_NET_EXTRA_XDP),
	    GSO(9, XPV_NET_GSO_TCPV6) } },
	{ "the flag of extras on a later slot means nothing", 1, 60, 40,
	  { D(60, 0, MORE), D(20, 0, EXTRA) } },
	{ "extras do not count as slots", 1, 58, 24,
	  { D(58, 0, EXTRA | MORE), X_MORE(4), X_MORE(4), X(4),
	    D(2, 0, MORE), D(2, 0, MORE), D(2, 0, MORE), D(2, 0, MORE), D(2, 0, MORE),
	    D(2, 0, MORE), D(2, 0, MORE), D(2, 0, MORE), D(2, 0, MORE), D(2, 0, MORE),
	    D(2, 0, MORE), D(2, 0, MORE), D(2, 0, MORE), D(2, 0, MORE), D(2, 0, MORE),
	    D(2, 0, MORE), D(2, 0, 0) } },
	{ "a missing extra", -EPROTO, 0, 0, { D(60, 0, EXTRA) } },
	{ "a missing extra of two", -EPROTO, 0, 0,
	  { D(60, 0, EXTRA), GSO_MORE(1448, XPV_NET_GSO_TCPV4) } },
	{ "data missing behind the extra", -EPROTO, 0, 0,
	  { D(60, 0, EXTRA | MORE), X(XPV_NET_EXTRA_HASH) } },
	{ "extra of type 0", -EPROTO, 0, 0, { D(60, 0, EXTRA), X(0) } },
	{ "extra of type 6", -EPROTO, 0, 0, { D(60, 0, EXTRA), X(XPV_NET_EXTRA_TYPES) } },
	{ "extra of type 255", -EPROTO, 0, 0, { D(60, 0, EXTRA), X_MORE(4), X(255) } },
	{ "GSO of size 0", -EPROTO, 0, 0, { D(60, 0, EXTRA), GSO(0, XPV_NET_GSO_TCPV4) } },
	{ "GSO of type 0", -EPROTO, 0, 0, { D(60, 0, EXTRA), GSO(1448, XPV_NET_GSO_NONE) } },
	{ "GSO of type 3", -EPROTO, 0, 0, { D(60, 0, EXTRA), GSO(1448, 3) } },

	{ "multicast address added", 1, 0, 0, { D(0, 0, EXTRA), X(XPV_NET_EXTRA_MCAST_ADD) } },
	{ "multicast address removed", 1, 0, 0, { D(0, 0, EXTRA), X(XPV_NET_EXTRA_MCAST_DEL) } },
	{ "multicast address with data", -EINVAL, 0, 0,
	  { D(100, 0, EXTRA | MORE), X(XPV_NET_EXTRA_MCAST_ADD), D(60, 0, 0) } },
};

static void tx_packets_are_carried_refused_or_fatal(void **state)
{
	u32 i, j, k, n, data;

	for (i = 0; i < ARRAY_SIZE(tx_packets); i++) {
		const struct slot *s = tx_packets[i].slot;
		u16 id;
		int got;

		tx_setup(state);
		id = next_id;
		n = tx_send(s);
		got = xpv_net_take_tx(&p.back, &tx);
		if (got != tx_packets[i].want)
			ROW_FAILED("%s: %d, not %d", tx_packets[i].what, got, tx_packets[i].want);
		if (got == -EPROTO) {
			tx_check_broken();
			continue;
		}

		/* Carried or refused, each slot is known, to be answered. */
		for (j = k = data = 0; j < n; j++) {
			if (s[j].kind != DATA)
				continue;
			assert_int_equal(tx.frag[k].id, id + k);
			assert_int_equal(tx.frag[k].gref, 0x10000 + id + k);
			assert_int_equal(tx.frag[k].offset, s[j].offset);
			if (k)
				assert_int_equal(tx.frag[k].size, s[j].size);
			k++;
		}
		assert_int_equal(tx.slots, n);
		assert_int_equal(tx.frags, k);
		assert_int_equal(tx.extras, n - k);
		assert_int_equal(tx.flags, s[0].flags);
		if (got == 1) {
			if (tx.size != tx_packets[i].size || tx.frag[0].size != tx_packets[i].first)
				ROW_FAILED("%s: %u bytes, %u in the first", tx_packets[i].what,
					   tx.size, tx.frag[0].size);
			for (j = 0; j < tx.frags && !tx.mcast; j++)
				data += tx.frag[j].size;
			assert_int_equal(data, tx.size);
		}
		xpv_net_answer_tx(&p.back, &tx, got == 1 ? XPV_NET_OKAY : XPV_NET_ERROR);
		tx_check_answers(s, id, got == 1 ? XPV_NET_OKAY : XPV_NET_ERROR);
		tx_check_next_packet();
	}
}

static void tx_offers_nothing_of_an_empty_ring(void **state)
{
	tx_setup(state);
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 0);
	tx_check_next_packet();
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 0);
}

static void tx_tells_what_the_extras_say(void **state)
{
	static const struct slot gso[] = {
		D(60, 0, EXTRA), X_MORE(XPV_NET_EXTRA_HASH), GSO(1448, XPV_NET_GSO_TCPV6), { 0 }
	};
	static const struct slot add[] = { D(0, 0, EXTRA), X(XPV_NET_EXTRA_MCAST_ADD), { 0 } };
	static const struct slot del[] = { D(0, 0, EXTRA), X(XPV_NET_EXTRA_MCAST_DEL), { 0 } };
	static const struct slot plain[] = { D(60, 0, 0), { 0 } };
	static const struct slot hash[] = { D(60, 0, EXTRA), HASH(XPV_NET_HASH_IPV6_TCP), { 0 } };
	static const struct slot odd[] = { D(60, 0, EXTRA), HASH(XPV_NET_HASH_TYPES + 1), { 0 } };

	tx_setup(state);
	tx_send(gso);
	tx_send(add);
	tx_send(del);
	tx_send(plain);
	tx_send(hash);
	tx_send(odd);
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 1);
	assert_int_equal(tx.gso_type, XPV_NET_GSO_TCPV6);
	assert_int_equal(tx.gso_size, 1448);
	assert_int_equal(tx.mcast, 0);
	assert_int_equal(tx.hash_type, XPV_NET_HASH_IPV4);
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 1);
	assert_int_equal(tx.mcast, XPV_NET_EXTRA_MCAST_ADD);
	assert_memory_equal(tx.mcast_addr, addr, 6);
	assert_int_equal(tx.gso_type, XPV_NET_GSO_NONE);
	assert_int_equal(tx.gso_size, 0);
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 1);
	assert_int_equal(tx.mcast, XPV_NET_EXTRA_MCAST_DEL);
	/* Nothing of one packet is left in the next. */
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 1);
	assert_int_equal(tx.mcast, 0);
	assert_int_equal(tx.gso_type, XPV_NET_GSO_NONE);
	assert_int_equal(tx.extras, 0);
	assert_int_equal(tx.hash_type, XPV_NET_HASH_TYPES);
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 1);
	assert_int_equal(tx.hash_type, XPV_NET_HASH_IPV6_TCP);
	assert_int_equal(tx.hash, 0x04030201);
	/* A type that is none is no hash. */
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 1);
	assert_int_equal(tx.hash_type, XPV_NET_HASH_TYPES);
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 0);
}

/* Up to 18 are carried, 19 and 20 dropped, the 21st breaks the ring. */
static void tx_slots_have_two_limits(void **state)
{
	struct slot s[32];
	u32 n, i;

	for (n = 1; n <= 30; n++) {
		u16 id;
		int want = n <= 18 ? 1 : n <= 20 ? -EINVAL : -EPROTO;

		tx_setup(state);
		id = next_id;
		memset(s, 0, sizeof(s));
		for (i = 0; i < n; i++) {
			s[i].kind = DATA;
			s[i].size = i ? 100 : (int)(100 * n);
			s[i].flags = i + 1 < n ? MORE : 0;
		}
		tx_send(s);
		assert_int_equal(xpv_net_take_tx(&p.back, &tx), want);
		if (want == -EPROTO) {
			tx_check_broken();
			continue;
		}
		assert_int_equal(tx.slots, n);
		assert_int_equal(tx.frags, n);
		xpv_net_answer_tx(&p.back, &tx, XPV_NET_ERROR);
		tx_check_answers(s, id, XPV_NET_ERROR);
		tx_check_next_packet();
	}
}

/* XSA-432: what is cut into as many and as small pieces as can be. */
static void tx_takes_the_smallest_pieces(void **state)
{
	struct slot s[19];
	u32 i;

	tx_setup(state);
	memset(s, 0, sizeof(s));
	for (i = 0; i < 18; i++)
		s[i] = (struct slot){ DATA, i ? 1 : 18, 4095, i < 17 ? MORE : 0, 0, false };
	tx_send(s);
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 1);
	for (i = 0; i < 18; i++)
		assert_int_equal(tx.frag[i].size, 1);
}

/* Extras to the end of the ring: bounded by what was shown, and then fatal. */
static void tx_endless_extras_end_with_the_ring(void **state)
{
	struct xpv_net_extra e = { .type = XPV_NET_EXTRA_HASH, .flags = XPV_NET_EXTRA_MORE };
	u32 i;

	tx_setup(state);
	tx_data(60, 0, EXTRA);
	for (i = 1; i < XPV_NET_RING_SLOTS; i++) {
		e.flags = i + 1 < XPV_NET_RING_SLOTS;
		memcpy(xpv_front_next(&p.front), &e, sizeof(e));
	}
	xpv_front_publish(&p.front);
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), 1);
	assert_int_equal(tx.extras, 255);

	tx_setup(state);
	tx_data(60, 0, EXTRA);
	e.flags = XPV_NET_EXTRA_MORE;
	for (i = 1; i < XPV_NET_RING_SLOTS; i++)
		memcpy(xpv_front_next(&p.front), &e, sizeof(e));
	xpv_front_publish(&p.front);
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), -EPROTO);
	tx_check_broken();
}

static void tx_overflow_is_fatal(void **state)
{
	u32 i;

	tx_setup(state);
	for (i = 0; i < XPV_NET_RING_SLOTS; i++)
		tx_data(60, 0, 0);
	xpv_front_publish(&p.front);
	p.shared.req_prod++;
	assert_int_equal(xpv_net_take_tx(&p.back, &tx), -EPROTO);
	tx_check_broken();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FROM_BOTH_STARTS(tx_packets_are_carried_refused_or_fatal),
		FROM_BOTH_STARTS(tx_offers_nothing_of_an_empty_ring),
		FROM_BOTH_STARTS(tx_tells_what_the_extras_say),
		FROM_BOTH_STARTS(tx_slots_have_two_limits),
		FROM_BOTH_STARTS(tx_takes_the_smallest_pieces),
		FROM_BOTH_STARTS(tx_endless_extras_end_with_the_ring),
		FROM_BOTH_STARTS(tx_overflow_is_fatal),
	};

	return cmocka_run_group_tests_name("net_tx", tests, NULL, NULL);
}
