// SPDX-License-Identifier: GPL-2.0-only
/*
 * xpv_os_map() and its sisters on books of our own, and the allocator that can
 * fail: link with -Wl,--wrap=calloc to have fake.fail_alloc obeyed.
 */
#undef NDEBUG
#include "fake.h"

#define BAD_DOMAIN	-2	/* GNTST_bad_domain */
#define BAD_GNTREF	-3	/* GNTST_bad_gntref */

struct fake fake;

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.fail_handle = XPV_NO_HANDLE;
}

/* True once: when the countdown set by the test reaches its end. */
static bool fails_now(u32 *countdown)
{
	return *countdown && !--*countdown;
}

static struct fake_mapping *find(u32 handle)
{
	u32 i;

	assert(handle);
	for (i = 0; i < FAKE_MAPPINGS; i++)
		if (fake.mapping[i].handle == handle)
			return &fake.mapping[i];
	return NULL;
}

static struct fake_mapping *unused(void)
{
	u32 i;

	for (i = 0; i < FAKE_MAPPINGS; i++)
		if (!fake.mapping[i].handle)
			return &fake.mapping[i];
	return NULL;
}

const struct fake_mapping *fake_find(u32 handle)
{
	return find(handle);
}

u32 fake_mapped(u16 domid, u32 gref)
{
	u32 i, n = 0;

	for (i = 0; i < FAKE_MAPPINGS; i++)
		n += fake.mapping[i].handle && fake.mapping[i].domid == domid &&
		     fake.mapping[i].gref == gref;
	return n;
}

bool xpv_os_in_use(xpv_page page)
{
	return page && page == fake.in_use;
}

void xpv_os_map(struct xpv_batch *b)
{
	u32 i;

	fake.map_calls++;
	assert(b->n && b->n <= XPV_BATCH_MAX);
	for (i = 0; i < b->n; i++) {
		struct fake_mapping *m = unused();

		fake.map_ops++;
		assert(b->page[i] == b->ops.op[i].page);
		if (fails_now(&fake.fail_map)) {
			b->ops.op[i].handle = fake.fail_handle;
			continue;
		}
		assert(m);
		m->handle = ++fake.last_handle;
		m->gref = b->ops.op[i].gref;
		m->page = b->ops.op[i].page;
		m->domid = b->ops.op[i].domid;
		m->readonly = b->ops.op[i].readonly;
		b->ops.op[i].handle = m->handle;
		fake.live++;
	}
}

void xpv_os_unmap(struct xpv_batch *b)
{
	u32 i;

	fake.unmap_calls++;
	assert(b->n && b->n <= XPV_BATCH_MAX);
	for (i = 0; i < b->n; i++) {
		struct fake_mapping *m = find(b->ops.op[i].handle);

		fake.unmap_ops++;
		assert(m);
		assert(m->domid == b->domid);
		assert(m->page == b->ops.op[i].page && m->page == b->page[i]);
		memset(m, 0, sizeof(*m));
		fake.live--;
	}
}

static s16 copy(const struct xpv_copy_op *op)
{
	bool to_peer = op->flags == XPV_COPY_TO_PEER;
	const union xpv_copy_end *theirs = to_peer ? &op->dest : &op->source;
	void *mem = to_peer ? op->source.mem : op->dest.mem;
	u8 *peer;

	assert(to_peer || op->flags == XPV_COPY_FROM_PEER);
	assert(theirs->peer.offset + op->len <= FAKE_PAGE);
	assert(((uintptr_t)mem & (FAKE_PAGE - 1)) + op->len <= FAKE_PAGE);
	if (theirs->peer.domid != FAKE_DOMID)
		return BAD_DOMAIN;
	if (theirs->peer.gref >= FAKE_PAGES || fails_now(&fake.fail_copy))
		return BAD_GNTREF;
	peer = fake.peer[theirs->peer.gref] + theirs->peer.offset;
	memcpy(to_peer ? peer : mem, to_peer ? mem : peer, op->len);
	return 0;
}

void xpv_os_copy(struct xpv_copy_batch *b)
{
	u32 i;

	fake.copy_calls++;
	assert(b->n && b->n <= XPV_COPY_MAX);
	for (i = 0; i < b->n; i++) {
		fake.copy_ops++;
		b->op[i].status = copy(&b->op[i]);
	}
}

/* Weak: a program linked without --wrap=calloc has no __real_calloc and never comes here. */
void *__real_calloc(size_t n, size_t size) __attribute__((weak));
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now(&fake.fail_alloc) ? NULL : __real_calloc(n, size);
}
