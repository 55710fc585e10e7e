// SPDX-License-Identifier: GPL-2.0-only
/* The hash against its definition, and against the values that hardware is tested with. */
#include <xpv/netctl.h>
#include "test.h"

/* The key and the packets that network cards are verified with. */
static const u8 key[XPV_NET_KEY_BYTES] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static void known_packets(void **state)
{
	static const struct {
		u8 data[XPV_TOEPLITZ_BYTES];
		u32 len, addresses;	/* bytes of it */
		u32 of_addresses, of_all;
	} t[] = {
		{ { 66, 9, 149, 187, 161, 142, 100, 80, 2794 >> 8, 2794 & 255, 1766 >> 8, 1766 & 255 },
		  12, 8, 0x323e8fc2, 0x51ccc178 },
		{ { 199, 92, 111, 2, 65, 69, 140, 83, 14230 >> 8, 14230 & 255, 4739 >> 8, 4739 & 255 },
		  12, 8, 0xd718262a, 0xc626b0ea },
		{ { 0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, 7,
		    0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 1,
		    2794 >> 8, 2794 & 255, 1766 >> 8, 1766 & 255 },
		  36, 32, 0x2cc18cd5, 0x40207d3d },
	};
	struct xpv_toeplitz h;
	u32 i;

	(void)state;
	xpv_toeplitz_init(&h, key, sizeof(key));
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		if (xpv_toeplitz(&h, t[i].data, t[i].addresses) != t[i].of_addresses ||
		    xpv_toeplitz(&h, t[i].data, t[i].len) != t[i].of_all)
			ROW_FAILED("row %u", i);
	}
}

/* Shift the key by a bit per bit of the input, as the protocol has it. */
static u32 by_definition(const u8 *k, u32 klen, const u8 *data, u32 len)
{
	u32 bit, i, hash = 0;

	for (bit = 0; bit < 8 * len; bit++) {
		if (!(data[bit / 8] >> (7 - bit % 8) & 1))
			continue;
		for (i = 0; i < 32; i++) {
			u32 at = bit + i;

			if (at / 8 < klen && k[at / 8] >> (7 - at % 8) & 1)
				hash ^= 0x80000000u >> i;
		}
	}
	return hash;
}

static void any_key(void **state)
{
	u8 data[XPV_TOEPLITZ_BYTES], k[XPV_NET_KEY_BYTES];
	struct xpv_toeplitz h;
	u32 klen, len, i, seed = 1;

	(void)state;
	for (klen = 0; klen <= XPV_NET_KEY_BYTES; klen++) {
		for (i = 0; i < sizeof(k); i++)
			k[i] = (u8)((seed = seed * 1103515245 + 12345) >> 16);
		for (i = 0; i < sizeof(data); i++)
			data[i] = (u8)((seed = seed * 1103515245 + 12345) >> 16);
		xpv_toeplitz_init(&h, k, klen);
		for (len = 0; len <= sizeof(data); len++)
			if (xpv_toeplitz(&h, data, len) != by_definition(k, klen, data, len))
				ROW_FAILED("%u bytes, key of %u", len, klen);
	}
}

/* Without a key all packets are alike, and each bit of the input counts with one. */
static void empty_and_single_bits(void **state)
{
	u8 data[XPV_TOEPLITZ_BYTES];
	struct xpv_toeplitz h;
	u32 bit;

	(void)state;
	memset(data, 0xff, sizeof(data));
	xpv_toeplitz_init(&h, key, 0);
	assert_int_equal(xpv_toeplitz(&h, data, sizeof(data)), 0);
	xpv_toeplitz_init(&h, key, sizeof(key));
	for (bit = 0; bit < 8 * sizeof(data); bit++) {
		memset(data, 0, sizeof(data));
		data[bit / 8] = (u8)(0x80 >> bit % 8);
		assert_int_equal(xpv_toeplitz(&h, data, sizeof(data)),
				 by_definition(key, sizeof(key), data, sizeof(data)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_packets),
		cmocka_unit_test(any_key),
		cmocka_unit_test(empty_and_single_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
