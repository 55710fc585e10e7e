/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What a grant operation is to a program. Who links ring/ supplies what carries them out: the
 * userspace backend by libxengnttab, tests by a fake; a program that never maps needs only the copies.
 */
#ifndef XPV_GRANT_OS_H
#define XPV_GRANT_OS_H

typedef void *xpv_page;

struct xpv_map_ops {
	struct {
		xpv_page page;
		u32 gref;
		u32 handle;
		u16 domid;
		bool readonly;
	} op[XPV_BATCH_MAX];
};

/* One end of a copy. */
union xpv_copy_end {
	void *mem;
	struct {
		u32 gref;
		u16 offset;
		u16 domid;
	} peer;
};

/* Which end is the peer's. */
#define XPV_COPY_FROM_PEER	1u
#define XPV_COPY_TO_PEER	2u

/* As libxengnttab has it, so that a batch can be handed on as it is. */
struct xpv_copy_op {
	union xpv_copy_end source, dest;
	u16 len;
	u16 flags;
	s16 status;
};

struct xpv_batch;
struct xpv_copy_batch;

/* Submit the batch; each op has its handle afterwards, XPV_NO_HANDLE or XPV_NO_ROOM if it failed. */
void xpv_os_map(struct xpv_batch *b);
void xpv_os_unmap(struct xpv_batch *b);
void xpv_os_copy(struct xpv_copy_batch *b);

/* Somebody else still refers to a page. */
bool xpv_os_in_use(xpv_page page);

static inline void xpv_os_set_map(struct xpv_map_ops *ops, u32 i, xpv_page page,
				  u32 gref, u16 domid, bool readonly)
{
	ops->op[i].page = page;
	ops->op[i].gref = gref;
	ops->op[i].handle = XPV_NO_HANDLE;
	ops->op[i].domid = domid;
	ops->op[i].readonly = readonly;
}

static inline void xpv_os_set_unmap(struct xpv_map_ops *ops, u32 i, xpv_page page,
				    u32 handle)
{
	ops->op[i].page = page;
	ops->op[i].handle = handle;
}

static inline u32 xpv_os_handle(const struct xpv_map_ops *ops, u32 i)
{
	return ops->op[i].handle;
}

static inline void xpv_os_copy_from(struct xpv_copy_op *op, u16 domid, u32 gref,
				    u32 goff, void *mem, u32 len)
{
	*op = (struct xpv_copy_op){ .source.peer = { gref, (u16)goff, domid }, .dest.mem = mem, .len = (u16)len,
				    .flags = XPV_COPY_FROM_PEER, .status = -1 };
}

static inline void xpv_os_copy_to(struct xpv_copy_op *op, u16 domid, u32 gref,
				  u32 goff, void *mem, u32 len)
{
	*op = (struct xpv_copy_op){ .source.mem = mem, .dest.peer = { gref, (u16)goff, domid }, .len = (u16)len,
				    .flags = XPV_COPY_TO_PEER, .status = -1 };
}

static inline bool xpv_os_copy_ok(const struct xpv_copy_op *op)
{
	return op->status == 0;
}

#endif
