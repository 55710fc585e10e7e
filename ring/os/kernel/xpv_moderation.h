/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * When a NAPI asks its peer for the next event. By itself it does when it has found nothing more,
 * for the very next message. Moderated, it asks for a later one, and looks by itself when that
 * has not come in time; or, adaptive, it looks again and again for that time, as long as messages come
 * that soon (xpv/poll.h), and asks only then. An interface that is idle has no timer and is
 * told of the first message at once, however it is set.
 */
#ifndef XPV_MODERATION_H
#define XPV_MODERATION_H

#include <linux/hrtimer.h>
#include <linux/netdevice.h>

#include <xpv/poll.h>

#define XPV_MODERATION_USECS	10000u	/* at most; */
#define XPV_MODERATION_POLL	1000u	/* of which so many may be spent looking */
/* Half a ring: the peer can use the other half until we come. */
#define XPV_MODERATION_FRAMES	128u

struct netlink_ext_ack;

/* What ethtool -C says of one direction of an interface. Written under RTNL, read anywhere. */
struct xpv_coalesce {
	u32 usecs;		/* a message waits no longer for our attention; 0: not moderated */
	u32 frames;		/* nor for more than so many slots with it; 0: half a ring */
	bool adaptive;		/* the time is spent looking */
};

/* Of one NAPI, whose poll it belongs to. */
struct xpv_moderation {
	const struct xpv_coalesce *set;
	struct napi_struct *napi;
	struct hrtimer timer;	/* schedules it */
	u64 begun;		/* ns: the poll, if adaptive */
	struct xpv_poll poll;
};

/* moderation.c APIs: */

/* @set and @napi live as long as it does. */
void xpv_moderation_init(struct xpv_moderation *m, const struct xpv_coalesce *set,
			 struct napi_struct *napi);
/* The NAPI is disabled: nothing schedules it any more when this returns. May sleep. */
void xpv_moderation_stop(struct xpv_moderation *m);

/* Can that be? Returns 0, or -EINVAL and says in @extack why not. */
int xpv_coalesce_check(const struct xpv_coalesce *c, struct netlink_ext_ack *extack);

void __xpv_moderation_begin(struct xpv_moderation *m);
bool __xpv_moderation_linger(struct xpv_moderation *m, bool found);
u32 __xpv_moderation_ahead(struct xpv_moderation *m);

/* From now on it is @to. */
static inline void xpv_coalesce_set(struct xpv_coalesce *c, const struct xpv_coalesce *to)
{
	WRITE_ONCE(c->usecs, to->usecs);
	WRITE_ONCE(c->frames, to->frames);
	WRITE_ONCE(c->adaptive, to->adaptive);
}

/* A poll begins. */
static inline void xpv_moderation_begin(struct xpv_moderation *m)
{
	if (unlikely(READ_ONCE(m->set->adaptive)))
		__xpv_moderation_begin(m);
}

/* It has taken all there was, and @found: that was something. Is it to be called again at once? */
static inline bool xpv_moderation_linger(struct xpv_moderation *m, bool found)
{
	return unlikely(READ_ONCE(m->set->adaptive)) && __xpv_moderation_linger(m, found);
}

/*
 * It does not linger. Of how many messages ahead is it to be told? If of more than one, it is
 * scheduled in time though they don't come.
 */
static inline u32 xpv_moderation_ahead(struct xpv_moderation *m, bool found)
{
	return likely(!READ_ONCE(m->set->usecs)) || !found ? 1 : __xpv_moderation_ahead(m);
}

#endif
