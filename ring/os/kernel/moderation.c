// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Fewer events: by a timer, or by looking. */
#include <xpv_moderation.h>

#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/sched.h>

#include <xpv_timer.h>

static enum hrtimer_restart look(struct hrtimer *timer)
{
	struct xpv_moderation *m = container_of(timer, struct xpv_moderation, timer);

	napi_schedule(m->napi);
	return HRTIMER_NORESTART;
}

void xpv_moderation_init(struct xpv_moderation *m, const struct xpv_coalesce *set,
			 struct napi_struct *napi)
{
	m->set = set;
	m->napi = napi;
	xpv_timer_init(&m->timer, look);
}
EXPORT_SYMBOL_GPL(xpv_moderation_init);

void xpv_moderation_stop(struct xpv_moderation *m)
{
	hrtimer_cancel(&m->timer);
	memset(&m->poll, 0, sizeof(m->poll));
}
EXPORT_SYMBOL_GPL(xpv_moderation_stop);

int xpv_coalesce_check(const struct xpv_coalesce *c, struct netlink_ext_ack *extack)
{
	if (c->usecs > (c->adaptive ? XPV_MODERATION_POLL : XPV_MODERATION_USECS)) {
		NL_SET_ERR_MSG_MOD(extack, "at most 10000 us, 1000 when adaptive");
		return -EINVAL;
	}
	if (c->frames > XPV_MODERATION_FRAMES) {
		NL_SET_ERR_MSG_MOD(extack, "at most 128 frames, half a ring");
		return -EINVAL;
	}
	if (!c->usecs && c->adaptive) {
		NL_SET_ERR_MSG_MOD(extack, "adaptive needs a bound in us");
		return -EINVAL;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(xpv_coalesce_check);

void __xpv_moderation_begin(struct xpv_moderation *m)
{
	m->begun = ktime_get_ns();
}
EXPORT_SYMBOL_GPL(__xpv_moderation_begin);

bool __xpv_moderation_linger(struct xpv_moderation *m, bool found)
{
	u64 now = ktime_get_ns(), most = READ_ONCE(m->set->usecs) * (u64)NSEC_PER_USEC;

	/* The pause was over when the poll began, not when it had done its work. */
	if (found)
		xpv_poll_work(&m->poll, max(m->begun, m->poll.since), most);
	xpv_poll_pause(&m->poll, now);
	return xpv_poll_on(&m->poll, now, most) && !need_resched();
}
EXPORT_SYMBOL_GPL(__xpv_moderation_linger);

u32 __xpv_moderation_ahead(struct xpv_moderation *m)
{
	const struct xpv_coalesce *set = m->set;
	u32 frames = READ_ONCE(set->frames) ?: XPV_MODERATION_FRAMES;

	if (frames == 1 || READ_ONCE(set->adaptive))
		return 1;
	/* It counts from the first message. */
	if (!hrtimer_is_queued(&m->timer))
		hrtimer_start(&m->timer, ns_to_ktime(READ_ONCE(set->usecs) * (u64)NSEC_PER_USEC),
			      HRTIMER_MODE_REL);
	return frames;
}
EXPORT_SYMBOL_GPL(__xpv_moderation_ahead);
