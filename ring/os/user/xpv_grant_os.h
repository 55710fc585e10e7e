/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What a grant operation is to a program: libxengnttab's words, carried out in grant_os.c. */
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

struct xpv_copy_op {
	void *mem;
	u32 gref;
	u32 len;
	u16 goff;
	u16 domid;
	s16 status;
	bool to_peer;
};

struct xpv_batch;
struct xpv_copy_batch;

/* Submit the batch; each op has its handle afterwards, XPV_NO_HANDLE or XPV_NO_ROOM if it failed. */
void xpv_os_map(struct xpv_batch *b);
void xpv_os_unmap(struct xpv_batch *b);
void xpv_os_copy(struct xpv_copy_batch *b);

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
	*op = (struct xpv_copy_op){ .mem = mem, .gref = gref, .len = len,
				    .goff = (u16)goff, .domid = domid, .status = -1 };
}

static inline void xpv_os_copy_to(struct xpv_copy_op *op, u16 domid, u32 gref,
				  u32 goff, void *mem, u32 len)
{
	*op = (struct xpv_copy_op){ .mem = mem, .gref = gref, .len = len, .goff = (u16)goff,
				    .domid = domid, .status = -1, .to_peer = true };
}

static inline bool xpv_os_copy_ok(const struct xpv_copy_op *op)
{
	return op->status == 0;
}

#endif
