/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The shared ring of blkif and netif: xen/include/public/io/ring.h in substance.
 *
 *   frontend                     shared page(s)                     backend
 *   prod --publish-->  req_prod | req_event  <--rearm--  consumes requests
 *   consumes responses  --rearm-->  rsp_event | rsp_prod  <--publish-- prod
 *
 * One array of slots serves both directions: a response is written where a
 * request was. Indices are u32, run free, wrap, and are only ever compared by
 * their unsigned difference. Each direction has exactly one producer and one
 * consumer; a struct xpv_ring is private to one end and is not locked: the
 * caller serialises everything that takes it non-const.
 *
 * Every read of shared memory is of an index, an event or what counts of one slot,
 * copied once. What the other end says is checked against what this end knows, and
 * an impossible index makes the ring broken: for good, and without a word. A
 * broken ring offers no work and asks for no notification; the caller tests
 * xpv_ring_broken() once per pass and closes the device.
 *
 * All functions may be called from any context and never sleep.
 */
#ifndef XPV_RING_H
#define XPV_RING_H

#include "xpv_os.h"

#define XPV_PAGE_SIZE		4096u	/* a granted page, whatever the kernel's own size */
#define XPV_RING_MAX_ORDER	4u	/* 16 pages: the most any known peer uses */

/* What lies at the start of the first shared page. */
struct xpv_sring {
	u32 req_prod;		/* written by the frontend */
	u32 req_event;		/* written by the backend: tell me at this req_prod */
	u32 rsp_prod;		/* written by the backend */
	u32 rsp_event;		/* written by the frontend: tell me at this rsp_prod */
	u8 pad[40];
	u64 mark;		/* xpv-blkd's: it serves this ring, see journal.h; 0 in a fresh one */
	u8 slots[];
};

static_assert(sizeof(struct xpv_sring) == 64, "slots begin at 64");

/* One end's private view of a ring. */
struct xpv_ring {
	struct xpv_sring *shared;	/* NULL while detached */
	u32 size;		/* slots, a power of two */
	u32 stride;		/* bytes from slot to slot */
	u32 prod;		/* next index this end fills */
	u32 published;		/* what the other end has been shown of prod */
	u32 cons;		/* next index of the other end's that we take */
	bool broken;		/* the other end has lied; it stays so */
};

/* ring.c APIs: */

/* Slots of @stride bytes that fit @pages shared pages: a power of two, 0 if none. */
u32 xpv_ring_slots(unsigned int pages, u32 stride);

/*
 * Make a fresh ring in @shared (@pages contiguous pages, zeroed by the caller
 * before they were granted) and set @r up as its frontend end. The page stays
 * the caller's. The ring asks for a notification at the first message each way.
 */
void xpv_front_init(struct xpv_ring *r, void *shared, unsigned int pages, u32 stride);

/*
 * Attach @r as the backend end of a ring a frontend made, fresh or in use:
 * whatever lies between rsp_prod and req_prod is still to be answered.
 * Returns 0, -EINVAL if no slot fits, -EIO if the indices cannot be true.
 */
int xpv_back_attach(struct xpv_ring *r, void *shared, unsigned int pages, u32 stride);

/* Forget the shared memory; the caller unmaps or frees it afterwards. */
void xpv_ring_detach(struct xpv_ring *r);

static inline bool xpv_ring_broken(const struct xpv_ring *r)
{
	return READ_ONCE(r->broken);
}

/* Declare the other end a liar, for what the caller found in a message. */
static inline void xpv_ring_break(struct xpv_ring *r)
{
	WRITE_ONCE(r->broken, true);
}

/* The slot that index @i names. */
static inline void *xpv_ring_slot(const struct xpv_ring *r, u32 i)
{
	return r->shared->slots + (size_t)(i & (r->size - 1)) * r->stride;
}

/* Copy @len bytes of what the other end may be changing, once. */
static inline void xpv_copy_once(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
	/* Keeps the compiler from reading there again in place of the copy. */
	barrier();
}

/*
 * Copy the slot of index @i to @dst, once. @len is at most the stride. The copy
 * is what the caller validates and uses; the slot is not looked at again.
 */
static inline void xpv_ring_copy(const struct xpv_ring *r, u32 i, void *dst, size_t len)
{
	xpv_copy_once(dst, xpv_ring_slot(r, i), len);
}

/* The engine under both ends. Only the functions below it call it. */

static inline bool __xpv_publish(struct xpv_ring *r, u32 *index, const u32 *event)
{
	u32 old = r->published, new = r->prod;

	if (old == new)
		return false;
	r->published = new;
	/* Pairs with the acquire in __xpv_seen(): a slot is complete before the index shows it. */
	virt_store_release(index, new);
	/*
	 * Pairs with the virt_mb() in __xpv_rearm(): either we see the event the
	 * other end armed, or it sees the index we published.
	 */
	virt_mb();
	return new - READ_ONCE(*event) < new - old;
}

/* How many messages the other end shows; more than @most can't be true. */
static inline u32 __xpv_seen(struct xpv_ring *r, const u32 *index, u32 most)
{
	u32 n;

	if (r->broken)
		return 0;
	/* Pairs with the release in __xpv_publish() of the other end. */
	n = virt_load_acquire(index) - r->cons;
	if (unlikely(n > most)) {
		xpv_ring_break(r);
		return 0;
	}
	return n;
}

static inline void __xpv_rearm(const struct xpv_ring *r, u32 *event, u32 at)
{
	if (r->broken)
		return;
	WRITE_ONCE(*event, at);
	/* Pairs with the virt_mb() in __xpv_publish() of the other end. */
	virt_mb();
}

/* Frontend: requests out, responses in. */

/* Free slots: how many more requests may be filled before responses are taken. */
static inline u32 xpv_front_free(const struct xpv_ring *r)
{
	return r->size - (r->prod - r->cons);
}

/* Requests filled (published or not) whose response has not been taken. */
static inline u32 xpv_front_inflight(const struct xpv_ring *r)
{
	return r->prod - r->cons;
}

/* The slot for the next request; the caller made sure of xpv_front_free(). */
static inline void *xpv_front_next(struct xpv_ring *r)
{
	return xpv_ring_slot(r, r->prod++);
}

/* Show the backend all filled requests. True: the caller must send the event. */
static inline bool xpv_front_publish(struct xpv_ring *r)
{
	return __xpv_publish(r, &r->shared->req_prod, &r->shared->req_event);
}

/* Responses waiting. Each is taken by copying index r->cons and adding 1 to it. */
static inline u32 xpv_front_pending(struct xpv_ring *r)
{
	return __xpv_seen(r, &r->shared->rsp_prod, r->published - r->cons);
}

/*
 * Ask to be told after @ahead more responses (1: at the next one; at most the
 * number in flight, else it is never reached), then look once more: returns
 * what is waiting by now, for which no event may come.
 */
static inline u32 xpv_front_rearm(struct xpv_ring *r, u32 ahead)
{
	__xpv_rearm(r, &r->shared->rsp_event, r->cons + ahead);
	return xpv_front_pending(r);
}

/* Backend: requests in, responses out. */

/* Requests waiting. Each is taken by copying index r->cons and adding 1 to it. */
static inline u32 xpv_back_pending(struct xpv_ring *r)
{
	/* A slot not yet answered can't hold a new request. */
	return __xpv_seen(r, &r->shared->req_prod, r->size - (r->cons - r->prod));
}

/*
 * There may be requests. Only xpv_back_pending() finds out whether that can be true. Nothing
 * is serialised, but that nobody else takes requests meanwhile.
 */
static inline bool xpv_back_peek(const struct xpv_ring *r)
{
	return READ_ONCE(r->shared->req_prod) != r->cons;
}

/* Requests taken and not yet answered. */
static inline u32 xpv_back_inflight(const struct xpv_ring *r)
{
	return r->cons - r->prod;
}

/*
 * The slot for the next response. At most as many as were taken: the caller
 * answers each request once. All bytes of the response are the caller's to
 * write, padding too: the slot may hold what the peer must not see mixed in.
 */
static inline void *xpv_back_next(struct xpv_ring *r)
{
	return xpv_ring_slot(r, r->prod++);
}

/* Show the frontend all filled responses. True: the caller must send the event. */
static inline bool xpv_back_publish(struct xpv_ring *r)
{
	return __xpv_publish(r, &r->shared->rsp_prod, &r->shared->rsp_event);
}

/* As xpv_front_rearm(), for requests. @ahead is at most the ring's size. */
static inline u32 xpv_back_rearm(struct xpv_ring *r, u32 ahead)
{
	__xpv_rearm(r, &r->shared->req_event, r->cons + ahead);
	return xpv_back_pending(r);
}

#endif
