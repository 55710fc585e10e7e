// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* How much may happen per second. */
#include <xpv/rate.h>

#define SECOND	1000000000ull

/* No more than this was saved. */
static u64 paid_until(const struct xpv_rate *r, u64 now)
{
	u64 oldest = now > XPV_RATE_SAVED ? now - XPV_RATE_SAVED : 0;

	return r->due > oldest ? r->due : oldest;
}

void xpv_rate_set(struct xpv_rate *r, u64 per_second, u64 now)
{
	r->per_second = per_second < XPV_RATE_MAX ? per_second : XPV_RATE_MAX;
	r->due = now;
	r->rest = 0;
}
EXPORT_SYMBOL_GPL(xpv_rate_set);

u64 xpv_rate_room(const struct xpv_rate *r, u64 now)
{
	u64 paid = paid_until(r, now);

	if (!r->per_second)
		return ~0ull;
	if (paid > now)
		return 0;
	/* At most XPV_RATE_SAVED times XPV_RATE_MAX, which is less than 2^63. */
	return (now - paid) * r->per_second / SECOND + 1;
}
EXPORT_SYMBOL_GPL(xpv_rate_room);

void xpv_rate_charge(struct xpv_rate *r, u64 n, u64 now)
{
	u64 time;

	if (!r->per_second)
		return;
	time = n * SECOND + r->rest;
	r->due = paid_until(r, now) + time / r->per_second;
	r->rest = time % r->per_second;
}
EXPORT_SYMBOL_GPL(xpv_rate_charge);

u64 xpv_rate_wait(const struct xpv_rate *r, u64 now)
{
	return r->per_second && r->due > now ? r->due - now : 0;
}
EXPORT_SYMBOL_GPL(xpv_rate_wait);
