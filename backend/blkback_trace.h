/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests as they pass, in tracefs under events/xpv_blkback: when one is given to the disk, and
 * when it is answered. One that is refused is only answered. The id is the frontend's own.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xpv_blkback

#if !defined(XPV_BLKBACK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define XPV_BLKBACK_TRACE_H

#include <linux/tracepoint.h>

#include "blkback.h"

TRACE_DEFINE_ENUM(XPV_BLK_READ);
TRACE_DEFINE_ENUM(XPV_BLK_WRITE);
TRACE_DEFINE_ENUM(XPV_BLK_BARRIER);
TRACE_DEFINE_ENUM(XPV_BLK_FLUSH);
TRACE_DEFINE_ENUM(XPV_BLK_DISCARD);

/* A frontend may ask for any number: one without a name is shown as it is. */
#define xpv_blkback_op_name(op)					\
	__print_symbolic(op,					\
			 { XPV_BLK_READ, "read" },		\
			 { XPV_BLK_WRITE, "write" },		\
			 { XPV_BLK_BARRIER, "barrier" },	\
			 { XPV_BLK_FLUSH, "flush" },		\
			 { XPV_BLK_DISCARD, "discard" })

TRACE_EVENT(xpv_blkback_submit,
	TP_PROTO(const struct xpv_blkback_request *req),
	TP_ARGS(req),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, sector)
		__field(u64, sectors)
		__field(u32, vbd)
		__field(u16, domid)
		__field(u16, queue)
		__field(u16, segments)
		__field(u8, op)
	),
	TP_fast_assign(
		__entry->id = req->req.id;
		__entry->sector = req->req.sector;
		__entry->sectors = req->req.nr_sectors;
		__entry->vbd = req->queue->dev->vbd;
		__entry->domid = req->queue->dev->xdev->otherend_id;
		__entry->queue = req->queue->index;
		__entry->segments = req->req.nr_segs;
		__entry->op = req->req.op;
	),
	TP_printk("domid=%u vbd=%u queue=%u id=%#llx op=%s sector=%llu sectors=%llu segments=%u",
		  __entry->domid, __entry->vbd, __entry->queue, __entry->id,
		  xpv_blkback_op_name(__entry->op), __entry->sector, __entry->sectors,
		  __entry->segments)
);

TRACE_EVENT(xpv_blkback_answer,
	TP_PROTO(const struct xpv_blkback_request *req),
	TP_ARGS(req),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, vbd)
		__field(int, err)
		__field(u16, domid)
		__field(u16, queue)
		__field(u8, op)
	),
	TP_fast_assign(
		__entry->id = req->req.id;
		__entry->vbd = req->queue->dev->vbd;
		__entry->err = req->err;
		__entry->domid = req->queue->dev->xdev->otherend_id;
		__entry->queue = req->queue->index;
		__entry->op = req->req.op;
	),
	TP_printk("domid=%u vbd=%u queue=%u id=%#llx op=%s err=%d",
		  __entry->domid, __entry->vbd, __entry->queue, __entry->id,
		  xpv_blkback_op_name(__entry->op), __entry->err)
);

#endif

/* Found by the -I that Kbuild gives the one file which makes the events. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE blkback_trace
#include <trace/define_trace.h>
