/* SPDX-License-Identifier: GPL-2.0-only */
/* Event channels whose next event comes when the work of the last one is done. */
#ifndef XPV_EVENT_H
#define XPV_EVENT_H

#include <linux/preempt.h>
#include <xen/events.h>

/*
 * End an event that brought work, or none, where its thread may be moved to another CPU: what comes of an EOI that
 * is put off, the kernel keeps with the CPU that it is given on. Polls of the network are not moved. Any context.
 */
static inline void xpv_event_end(unsigned int irq, bool useful)
{
	preempt_disable();
	xen_irq_lateeoi(irq, useful ? 0 : XEN_EOI_FLAG_SPURIOUS);
	preempt_enable();
}

#endif
