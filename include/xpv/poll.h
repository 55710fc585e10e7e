/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Whether to look for work again and again, or to sleep until somebody tells of it. To look pays
 * when work is never far; so it is done as long as the last pauses were shorter, on average,
 * than the longest time that one would look. A pause is measured however it was spent: long ones
 * end the looking, and short ones let it begin again.
 *
 * Time is the caller's, in ns, and never goes back. Pure functions, any context; the caller
 * serialises.
 */
#ifndef XPV_POLL_H
#define XPV_POLL_H

#include "xpv_os.h"

struct xpv_poll {
	bool idle;		/* there is a pause now, */
	u64 since;		/* from then on */
	u64 pause;		/* average of the last ones, of which a newer one counts more */
};

/* There is no work. Nothing if that is known already. */
static inline void xpv_poll_pause(struct xpv_poll *p, u64 now)
{
	if (p->idle)
		return;
	p->idle = true;
	p->since = now;
}

/* During a pause: look once more, rather than sleep? For up to @most ns after its beginning. */
static inline bool xpv_poll_on(const struct xpv_poll *p, u64 now, u64 most)
{
	return p->pause <= most && now - p->since < most;
}

/* There is work. One long pause among short ones, however long, does not count for more than two. */
static inline void xpv_poll_work(struct xpv_poll *p, u64 now, u64 most)
{
	u64 pause = now - p->since;

	if (!p->idle)
		return;
	p->idle = false;
	if (pause > 2 * most)
		pause = 2 * most;
	p->pause = (3 * p->pause + pause) / 4;
}

#endif
