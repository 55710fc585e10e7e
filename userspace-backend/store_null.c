// SPDX-License-Identifier: GPL-2.0-only
/* `null:SIZE[KMGT]`: forgets what is written and reads as zeroes, for measurements. */
#include "store.h"

#include <stdio.h>

static int null_open(struct store *s, const char *target, char *why)
{
	static const char unit[] = "KMGT";
	const char *at;
	char *end;
	u64 bytes = strtoull(target, &end, 10);

	at = *end ? strchr(unit, *end) : NULL;
	if (at) {
		bytes <<= 10 * (at - unit + 1);
		end++;
	}
	if (!bytes || *end || bytes % 512) {
		snprintf(why, STORE_WHY, "null:%.100s: not a size; say null:10G", target);
		return -EINVAL;
	}
	s->bytes = bytes;
	s->sector = 512;
	s->physical = 512;
	s->discard = 512;
	s->flush = true;
	return 0;
}

static void null_close(struct store *s)
{
	(void)s;
}

static void *null_attach(struct store *s, struct worker *w)
{
	(void)w;
	return s;
}

static void null_detach(void *lane)
{
	(void)lane;
}

static void null_submit(void *lane, struct io *io)
{
	(void)lane;
	/* What the buffer held before may be another guest's. */
	if (io->op == IO_READ)
		memset(io->buf, 0, io->bytes);
	io->done(io, 0);
}

const struct store_ops store_null = {
	.kind = "null",
	.open = null_open,
	.close = null_close,
	.attach = null_attach,
	.detach = null_detach,
	.submit = null_submit,
};
