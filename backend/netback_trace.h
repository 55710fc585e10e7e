/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets as they pass, in tracefs under events/xpv_netback: one of the guest's when it is
 * answered, one for the guest when it is shown, and when one waits for buffers. The id is the guest's own.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xpv_netback

#if !defined(XPV_NETBACK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define XPV_NETBACK_TRACE_H

#include <linux/skbuff.h>
#include <linux/tracepoint.h>

#include "netback.h"

TRACE_EVENT(xpv_netback_from_guest,
	TP_PROTO(const struct xpv_netback_queue *q, const struct xpv_netback_job *job),
	TP_ARGS(q, job),
	TP_STRUCT__entry(
		__array(char, vif, IFNAMSIZ)
		__field(u32, size)
		__field(u16, queue)
		__field(u16, id)
		__field(u16, slots)
		__field(u16, flags)
		__field(u16, gso_size)
		__field(s16, status)
	),
	TP_fast_assign(
		strscpy(__entry->vif, q->vif->dev->name, IFNAMSIZ);
		__entry->size = job->pkt.size;
		__entry->queue = q->id;
		__entry->id = job->pkt.frag[0].id;
		__entry->slots = job->pkt.slots;
		__entry->flags = job->pkt.flags;
		__entry->gso_size = job->pkt.gso_size;
		__entry->status = job->status;
	),
	TP_printk("%s queue=%u id=%u slots=%u size=%u flags=%#x gso_size=%u status=%d",
		  __entry->vif, __entry->queue, __entry->id, __entry->slots, __entry->size,
		  __entry->flags, __entry->gso_size, __entry->status)
);

TRACE_EVENT(xpv_netback_to_guest,
	TP_PROTO(const struct xpv_netback_queue *q, const struct xpv_netback_out *out),
	TP_ARGS(q, out),
	TP_STRUCT__entry(
		__array(char, vif, IFNAMSIZ)
		__field(u32, first)
		__field(u32, slots)
		__field(u32, size)
		__field(u16, queue)
		__field(u16, gso_size)
		__field(bool, failed)
	),
	TP_fast_assign(
		strscpy(__entry->vif, q->vif->dev->name, IFNAMSIZ);
		__entry->first = out->first;
		__entry->slots = out->slots;
		__entry->size = out->skb->len;
		__entry->queue = q->id;
		__entry->gso_size = skb_shinfo(out->skb)->gso_size;
		__entry->failed = out->failed;
	),
	TP_printk("%s queue=%u first=%u slots=%u size=%u gso_size=%u%s",
		  __entry->vif, __entry->queue, __entry->first, __entry->slots, __entry->size,
		  __entry->gso_size, __entry->failed ? " failed" : "")
);

TRACE_EVENT(xpv_netback_wait,
	TP_PROTO(const struct xpv_netback_queue *q, u32 need),
	TP_ARGS(q, need),
	TP_STRUCT__entry(
		__array(char, vif, IFNAMSIZ)
		__field(u32, need)
		__field(u16, queue)
		__field(bool, draining)
	),
	TP_fast_assign(
		strscpy(__entry->vif, q->vif->dev->name, IFNAMSIZ);
		__entry->need = need;
		__entry->queue = q->id;
		__entry->draining = q->draining;
	),
	TP_printk("%s queue=%u need=%u%s", __entry->vif, __entry->queue, __entry->need,
		  __entry->draining ? " draining" : "")
);

#endif

/* Found by the -I that Kbuild gives the one file which makes the events. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE netback_trace
#include <trace/define_trace.h>
