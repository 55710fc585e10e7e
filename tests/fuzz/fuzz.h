/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fuzz target is one function, called with bytes that mean whatever it makes of them: by
 * libFuzzer, which finds bytes that lead somewhere new, or by replay.c, with files.
 */
#ifndef XPV_FUZZ_H
#define XPV_FUZZ_H

#undef NDEBUG
#include "xpv_os.h"

struct input {
	const u8 *at;
	size_t left;
};

/* Where there is no more, there are zeroes. */
static inline void eat(struct input *in, void *to, size_t n)
{
	size_t have = n < in->left ? n : in->left;

	memset(to, 0, n);
	if (have)
		memcpy(to, in->at, have);
	in->at += have;
	in->left -= have;
}

static inline u8 eat8(struct input *in)
{
	u8 v;

	eat(in, &v, sizeof(v));
	return v;
}

static inline u16 eat16(struct input *in)
{
	u16 v;

	eat(in, &v, sizeof(v));
	return v;
}

static inline u32 eat32(struct input *in)
{
	u32 v;

	eat(in, &v, sizeof(v));
	return v;
}

static inline u64 eat64(struct input *in)
{
	u64 v;

	eat(in, &v, sizeof(v));
	return v;
}

/* What is left, as text to be freed. */
static inline char *eat_text(struct input *in)
{
	char *text = malloc(in->left + 1);

	memcpy(text, in->at, in->left);
	text[in->left] = 0;
	in->left = 0;
	return text;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif
