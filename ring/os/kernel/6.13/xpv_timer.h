/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A timer of high resolution: since 6.13, with its function from the start. */
#ifndef XPV_TIMER_H
#define XPV_TIMER_H

#include <linux/hrtimer.h>

static inline void xpv_timer_init(struct hrtimer *timer,
				  enum hrtimer_restart (*function)(struct hrtimer *))
{
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
}

#endif
