// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The Toeplitz hash: each bit of the input that is 1 adds (XOR) the 32 bits of the key that begin
 * at the same place. So each half byte adds one of 16 values, which are worked out
 * once per key.
 */
#include <xpv/netctl.h>

/* The 32 bits of the key from bit @at on, the first octet's highest being bit 0. */
static u32 window(const u8 *key, u32 at)
{
	u64 bits = 0;
	u32 i;

	for (i = 0; i < 5; i++)
		bits = bits << 8 | key[at / 8 + i];
	return (u32)(bits >> (8 - at % 8));
}

void xpv_toeplitz_init(struct xpv_toeplitz *t, const u8 *key, u32 len)
{
	u8 whole[XPV_NET_KEY_BYTES] = {};
	u32 half, value, bit;

	static_assert(XPV_TOEPLITZ_BYTES + 4 == XPV_NET_KEY_BYTES, "a window at any bit");
	memcpy(whole, key, len);
	for (half = 0; half < 2 * XPV_TOEPLITZ_BYTES; half++) {
		for (value = 0; value < 16; value++) {
			u32 sum = 0;

			for (bit = 0; bit < 4; bit++)
				if (value & 8u >> bit)
					sum ^= window(whole, 4 * half + bit);
			t->part[half][value] = sum;
		}
	}
}
EXPORT_SYMBOL_GPL(xpv_toeplitz_init);

u32 xpv_toeplitz(const struct xpv_toeplitz *t, const u8 *data, u32 len)
{
	u32 i, hash = 0;

	for (i = 0; i < len; i++)
		hash ^= t->part[2 * i][data[i] >> 4] ^ t->part[2 * i + 1][data[i] & 15];
	return hash;
}
EXPORT_SYMBOL_GPL(xpv_toeplitz);
