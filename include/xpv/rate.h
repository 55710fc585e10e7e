/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * So much per second, and no more: a clock that whatever happens pushes on by the time it may
 * take. While it is ahead of the real one, nothing more may happen. What is too large for the
 * moment may happen all the same, and is paid for afterwards, so that the rate is exact in the end
 * without knowing sizes in advance.
 *
 * Time is the caller's, in ns, and never goes back. Pure functions, any context; the caller
 * serialises those that take a rate non-const.
 */
#ifndef XPV_RATE_H
#define XPV_RATE_H

#include "xpv_os.h"

#define XPV_RATE_MAX	(1ull << 37)	/* per second; more is as good as no limit */
#define XPV_RATE_SAVED	40000000ull	/* ns: unused time counts for later up to this */

struct xpv_rate {
	u64 per_second;		/* 0: no limit */
	u64 due;		/* ns: when all that has happened is paid for */
	u64 rest;		/* of the last division, in units of 1/per_second ns */
};

/* rate.c APIs: */

/* From @now on, @per_second, 0 for no limit. What went before is forgotten. */
void xpv_rate_set(struct xpv_rate *r, u64 per_second, u64 now);

/* How much may happen at once at @now: 0 for nothing yet, U64_MAX without a limit. */
u64 xpv_rate_room(const struct xpv_rate *r, u64 now);

/* @n of it happens at @now, room or not. At most 2^32. */
void xpv_rate_charge(struct xpv_rate *r, u64 n, u64 now);

/* ns from @now until there is room. */
u64 xpv_rate_wait(const struct xpv_rate *r, u64 now);

#endif
