// SPDX-License-Identifier: GPL-2.0-only
/* Packets off a frontend's receive ring: what is delivered, dropped, and fatal. */
#include "net_slots.h"

static struct pair p;
static struct xpv_net_rxpkt rx;

/* The guest has posted a whole ring of buffers and the backend has taken them. */
static void rx_setup(void **state)
{
	u32 i;

	assert_int_equal(pair_init(&p, 1, XPV_NET_RX_STRIDE, *(const u32 *)*state), 0);
	for (i = 0; i < XPV_NET_RING_SLOTS; i++)
		xpv_front_next(&p.front);
	xpv_front_publish(&p.front);
	assert_int_equal(xpv_back_pending(&p.back), XPV_NET_RING_SLOTS);
	p.back.cons += XPV_NET_RING_SLOTS;
}

static u32 rx_send(const struct slot *s)
{
	u32 n;

	for (n = 0; s[n].kind != END; n++) {
		if (s[n].kind == DATA) {
			struct xpv_net_rxrsp rsp = {
				.offset = s[n].offset, .flags = s[n].flags,
				.status = (s16)s[n].size,
			};

			memcpy(xpv_back_next(&p.back), &rsp, sizeof(rsp));
		} else {
			struct xpv_net_extra e = extra(&s[n]);

			memcpy(xpv_back_next(&p.back), &e, sizeof(e));
		}
	}
	xpv_back_publish(&p.back);
	return n;
}

static void rx_check_next_packet(void)
{
	static const struct slot good[] = { D(60, 2, 0), { 0 } };
	u32 at = p.front.cons;

	rx_send(good);
	assert_int_equal(xpv_net_take_rx(&p.front, &rx), 1);
	assert_int_equal(rx.first, at);
	assert_int_equal(rx.slots, 1);
	assert_int_equal(rx.size, 60);
	assert_int_equal(rx.error, 0);
	assert_int_equal(p.front.cons, at + 1);
}

static const struct {
	const char *what;
	int want;
	u32 size;		/* if want is 1 */
	struct slot slot[SLOTS];
} rx_packets[] = {
	{ "one slot", 1, 60, { D(60, 2, 0) } },
	{ "the shortest", 1, 14, { D(14, 0, 0) } },
	{ "too short", -EINVAL, 0, { D(13, 0, 0) } },	/* CVE-2026-98375 */
	{ "nothing", -EINVAL, 0, { D(0, 0, 0) } },
	{ "a short first slot of two", -EINVAL, 0, { D(13, 0, MORE), D(100, 0, 0) } },
	{ "a whole page", 1, 4096, { D(4096, 0, 0) } },
	{ "the end of a page", 1, 96, { D(96, 4000, 0) } },
	{ "over the end of a page", -EINVAL, 0, { D(97, 4000, 0) } },
	{ "more than a page", -EINVAL, 0, { D(4097, 0, 0) } },
	{ "the most over a page", -EINVAL, 0, { D(32767, 65535, 0) } },
	{ "offset and status that wrap in 16 bits", -EINVAL, 0, { D(20, 65530, 0) } },
	{ "an error", -EINVAL, 0, { D(XPV_NET_ERROR, 0, 0) } },
	{ "dropped", -EINVAL, 0, { D(XPV_NET_DROPPED, 0, 0) } },
	{ "the lowest status", -EINVAL, 0, { D(-32768, 0, 0) } },
	/* Added as unsigned numbers these would lie in the page. */
	{ "an error and an offset", -EINVAL, 0, { D(-1, 100, 0) } },
	{ "the lowest status and an offset", -EINVAL, 0, { D(-32768, 33000, 0) } },
	{ "two slots", 1, 4196, { D(4096, 0, MORE), D(100, 0, 0) } },
	{ "an error in the second slot", -EINVAL, 0,
	  { D(100, 0, MORE), D(-1, 0, MORE), D(100, 0, 0) } },
	{ "the second over its page", -EINVAL, 0, { D(100, 0, MORE), D(100, 3997, 0) } },
	{ "a zero-length slot", 1, 100, { D(60, 0, MORE), D(0, 0, MORE), D(40, 0, 0) } },
	{ "the largest", 1, 65535,
	  { D4, D4, D4, D(4096, 0, MORE), D(4096, 0, MORE), D(4096, 0, MORE), D(4095, 0, 0) } },
	{ "one byte over 65535", -EINVAL, 0,
	  { D4, D4, D4, D(4096, 0, MORE), D(4096, 0, MORE), D(4096, 0, MORE), D(4096, 0, 0) } },
	{ "more data past the last", -EPROTO, 0, { D(60, 0, MORE) } },
	{ "more data past the last of two", -EPROTO, 0, { D(60, 0, MORE), D(60, 0, MORE) } },
	{ "more data past the last, and an error", -EPROTO, 0, { D(-1, 0, MORE) } },

	{ "GSO", 1, 4000, { D(4000, 0, EXTRA), GSO(1448, XPV_NET_GSO_TCPV4) } },
	{ "extras, then data", 1, 5000,
	  { D(1000, 0, EXTRA | MORE), GSO_MORE(1448, XPV_NET_GSO_TCPV4), X(XPV_NET_EXTRA_HASH),
	    D(4000, 0, 0) } },
	{ "all the extras there are", 1, 60,
	  { D(60, 256, EXTRA), X_MORE(XPV_NET_EXTRA_XDP), X_MORE(XPV_NET_EXTRA_HASH),
	    GSO(1448, XPV_NET_GSO_TCPV6) } },
	{ "a missing extra", -EPROTO, 0, { D(60, 0, EXTRA) } },
	{ "a missing extra of two", -EPROTO, 0, { D(60, 0, EXTRA), X_MORE(4) } },
	{ "data missing behind the extra", -EPROTO, 0, { D(60, 0, EXTRA | MORE), X(4) } },
	{ "extra of type 0", -EINVAL, 0, { D(60, 0, EXTRA), X(0) } },
	{ "extra of type 6, then data", -EINVAL, 0,
	  { D(60, 0, EXTRA | MORE), X(XPV_NET_EXTRA_TYPES), D(60, 0, 0) } },
	{ "extra of type 255 among others", -EINVAL, 0,
	  { D(60, 0, EXTRA), X_MORE(255), GSO(1448, XPV_NET_GSO_TCPV4) } },
	{ "a multicast address", -EINVAL, 0, { D(60, 0, EXTRA), X(XPV_NET_EXTRA_MCAST_ADD) } },
	{ "GSO of size 8", 1, 60, { D(60, 0, EXTRA), GSO(8, XPV_NET_GSO_TCPV4) } },
	{ "GSO of size 7", -EINVAL, 0, { D(60, 0, EXTRA), GSO(7, XPV_NET_GSO_TCPV4) } },
	{ "GSO of size 0", -EINVAL, 0, { D(60, 0, EXTRA), GSO(0, XPV_NET_GSO_TCPV4) } },
	{ "GSO of type 0", -EINVAL, 0, { D(60, 0, EXTRA), GSO(1448, XPV_NET_GSO_NONE) } },
	{ "GSO of type 3", -EINVAL, 0, { D(60, 0, EXTRA), GSO(1448, 3) } },
};

static void rx_packets_are_delivered_dropped_or_fatal(void **state)
{
	u32 i, j, k, n, at;

	for (i = 0; i < ARRAY_SIZE(rx_packets); i++) {
		const struct slot *s = rx_packets[i].slot;
		int got;

		rx_setup(state);
		at = p.front.cons;
		n = rx_send(s);
		got = xpv_net_take_rx(&p.front, &rx);
		if (got != rx_packets[i].want)
			ROW_FAILED("%s: %d, not %d", rx_packets[i].what, got, rx_packets[i].want);
		if (got == -EPROTO) {
			assert_true(xpv_ring_broken(&p.front));
			assert_int_equal(xpv_net_take_rx(&p.front, &rx), -EPROTO);
			continue;
		}

		/* Delivered or dropped, each buffer comes back. */
		assert_int_equal(rx.first, at);
		assert_int_equal(rx.slots, n);
		assert_int_equal(p.front.cons, at + n);
		assert_int_equal(rx.flags, s[0].flags);
		assert_int_equal(rx.error, got == 1 ? 0 : -EINVAL);
		for (j = k = 0; j < n; j++) {
			if (s[j].kind != DATA)
				continue;
			assert_int_equal(rx.frag[k].index, at + j);
			assert_int_equal(rx.frag[k].offset, s[j].offset);
			/* What is out of bounds is never given as a length. */
			assert_true(rx.frag[k].offset + rx.frag[k].size <= 4096 ||
				    !rx.frag[k].size);
			if (got == 1)
				assert_int_equal(rx.frag[k].size, s[j].size);
			k++;
		}
		assert_int_equal(rx.frags, k);
		if (got == 1 && rx.size != rx_packets[i].size)
			ROW_FAILED("%s: %u bytes", rx_packets[i].what, rx.size);
		rx_check_next_packet();
	}
}

static void rx_offers_nothing_of_an_empty_ring(void **state)
{
	rx_setup(state);
	assert_int_equal(xpv_net_take_rx(&p.front, &rx), 0);
	rx_check_next_packet();
	assert_int_equal(xpv_net_take_rx(&p.front, &rx), 0);
}

static void rx_tells_what_the_extras_say(void **state)
{
	static const struct slot all[] = {
		D(60, 256, EXTRA), X_MORE(XPV_NET_EXTRA_XDP), X_MORE(XPV_NET_EXTRA_HASH),
		GSO(1448, XPV_NET_GSO_TCPV6), { 0 }
	};
	static const struct slot plain[] = { D(60, 0, 0), { 0 } };

	rx_setup(state);
	rx_send(all);
	rx_send(plain);
	assert_int_equal(xpv_net_take_rx(&p.front, &rx), 1);
	assert_int_equal(rx.gso_type, XPV_NET_GSO_TCPV6);
	assert_int_equal(rx.gso_size, 1448);
	assert_int_equal(rx.headroom, 256);
	assert_int_equal(rx.hash_type, XPV_NET_HASH_IPV4);
	assert_int_equal(rx.hash, 0x04030201);
	assert_int_equal(xpv_net_take_rx(&p.front, &rx), 1);
	assert_int_equal(rx.gso_type, XPV_NET_GSO_NONE);
	assert_int_equal(rx.gso_size, 0);
	assert_int_equal(rx.headroom, 0);
	assert_int_equal(rx.hash_type, XPV_NET_HASH_TYPES);
}

/* Of slots behind an extra that says 256: what they are to hold, and where. */
static const struct {
	const char *what;
	int want;
	u32 size;
	struct slot slot[4];
	struct { u16 offset, size; } frag[3];
} rx_rooms[] = {
	{ "told by the slot", 1, 60, { D(60, 256, EXTRA), X(XPV_NET_EXTRA_XDP) }, { { 256, 60 } } },
	{ "more than promised", 1, 60, { D(60, 300, EXTRA), X(XPV_NET_EXTRA_XDP) }, { { 300, 60 } } },
	{ "told by the first slot", 1, 4840,
	  { D(3840, 256, EXTRA | MORE), X(XPV_NET_EXTRA_XDP), D(1000, 0, 0) },
	  { { 256, 3840 }, { 0, 1000 } } },
	{ "counted", 1, 60, { D(316, 0, EXTRA), X(XPV_NET_EXTRA_XDP) }, { { 256, 60 } } },
	{ "counted in each slot", 1, 4840,
	  { D(4096, 0, EXTRA | MORE), X(XPV_NET_EXTRA_XDP), D(1256, 0, 0) },
	  { { 256, 3840 }, { 256, 1000 } } },
	{ "counted, and not there", -EINVAL, 0, { D(255, 0, EXTRA), X(XPV_NET_EXTRA_XDP) }, {} },
	{ "counted, and nothing else", -EINVAL, 0, { D(256, 0, EXTRA), X(XPV_NET_EXTRA_XDP) }, {} },
	{ "counted, and not there in the second", -EINVAL, 0,
	  { D(4096, 0, EXTRA | MORE), X(XPV_NET_EXTRA_XDP), D(100, 0, 0) }, {} },
	{ "counted, and an error", -EINVAL, 0,
	  { D(4096, 0, EXTRA | MORE), X(XPV_NET_EXTRA_XDP), D(-1, 0, 0) }, {} },
	{ "promised in part", 1, 60, { D(316, 100, EXTRA), X(XPV_NET_EXTRA_XDP) }, { { 356, 60 } } },
};

static void rx_finds_the_data_behind_the_headroom(void **state)
{
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(rx_rooms); i++) {
		int got;

		rx_setup(state);
		rx_send(rx_rooms[i].slot);
		got = xpv_net_take_rx(&p.front, &rx);
		if (got != rx_rooms[i].want)
			ROW_FAILED("%s: %d, not %d", rx_rooms[i].what, got, rx_rooms[i].want);
		for (j = 0; got == 1 && j < rx.frags; j++) {
			if (rx.frag[j].offset != rx_rooms[i].frag[j].offset ||
			    rx.frag[j].size != rx_rooms[i].frag[j].size)
				ROW_FAILED("%s: %u bytes at %u in slot %u", rx_rooms[i].what,
					   rx.frag[j].size, rx.frag[j].offset, j);
		}
		if (got == 1)
			assert_int_equal(rx.size, rx_rooms[i].size);
		rx_check_next_packet();
	}
}

static void rx_takes_20_slots_and_no_more(void **state)
{
	struct slot s[32];
	u32 n, i;

	for (n = 1; n <= 30; n++) {
		rx_setup(state);
		memset(s, 0, sizeof(s));
		for (i = 0; i < n; i++)
			s[i] = (struct slot){ DATA, 100, 0, i + 1 < n ? MORE : 0, 0, false };
		rx_send(s);
		assert_int_equal(xpv_net_take_rx(&p.front, &rx), n <= 20 ? 1 : -EPROTO);
		if (n > 20) {
			assert_true(xpv_ring_broken(&p.front));
			continue;
		}
		assert_int_equal(rx.slots, n);
		assert_int_equal(rx.size, 100 * n);
		rx_check_next_packet();
	}
}

static void rx_more_responses_than_buffers_are_fatal(void **state)
{
	static const struct slot good[] = { D(60, 0, 0), { 0 } };
	u32 i;

	rx_setup(state);
	for (i = 0; i < XPV_NET_RING_SLOTS; i++)
		rx_send(good);
	p.shared.rsp_prod++;
	assert_int_equal(xpv_net_take_rx(&p.front, &rx), -EPROTO);
	assert_true(xpv_ring_broken(&p.front));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FROM_BOTH_STARTS(rx_packets_are_delivered_dropped_or_fatal),
		FROM_BOTH_STARTS(rx_offers_nothing_of_an_empty_ring),
		FROM_BOTH_STARTS(rx_tells_what_the_extras_say),
		FROM_BOTH_STARTS(rx_finds_the_data_behind_the_headroom),
		FROM_BOTH_STARTS(rx_takes_20_slots_and_no_more),
		FROM_BOTH_STARTS(rx_more_responses_than_buffers_are_fatal),
	};

	return cmocka_run_group_tests_name("net_rx", tests, NULL, NULL);
}
