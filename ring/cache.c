// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Grants that stay mapped. Entries live in one array and are linked by their
 * numbers: by hash of the gref to be found, and in order of use to be given up.
 */
#include <xpv/grant.h>

#define NONE	0xffffffffu

static u32 number(const struct xpv_cache *c, const struct xpv_cached *e)
{
	return (u32)(e - c->entry);
}

/* Frontends number their grants in sequence. Those a peer chooses to fall into one bucket, it has no room for. */
static u32 *bucket(const struct xpv_cache *c, u32 gref)
{
	return &c->bucket[(gref * 0x9e3779b1u >> 7) & (c->buckets - 1)];
}

static bool bucket_full(const struct xpv_cache *c, u32 n)
{
	u32 count;

	for (count = 0; n != NONE; n = c->entry[n].chain)
		count++;
	return count >= XPV_CACHE_CHAIN;
}

static void link_newest(struct xpv_cache *c, struct xpv_cached *e)
{
	u32 n = number(c, e);

	e->newer = NONE;
	e->older = c->newest;
	if (c->newest != NONE)
		c->entry[c->newest].newer = n;
	else
		c->oldest = n;
	c->newest = n;
}

static void unlink_use(struct xpv_cache *c, struct xpv_cached *e)
{
	if (e->newer != NONE)
		c->entry[e->newer].older = e->older;
	else
		c->newest = e->older;
	if (e->older != NONE)
		c->entry[e->older].newer = e->newer;
	else
		c->oldest = e->newer;
}

static void take_out(struct xpv_cache *c, struct xpv_cached *e)
{
	u32 n = number(c, e);
	u32 *link = bucket(c, e->map.gref);

	while (*link != n)
		link = &c->entry[*link].chain;
	*link = e->chain;
	unlink_use(c, e);
	e->chain = c->unused;
	c->unused = n;
	c->count--;
}

int xpv_cache_init(struct xpv_cache *c, u32 capacity)
{
	u32 i;

	memset(c, 0, sizeof(*c));
	for (c->buckets = 16; c->buckets < capacity && c->buckets < 1u << 20;)
		c->buckets *= 2;
	c->entry = xpv_alloc(capacity, sizeof(*c->entry));
	if (!c->entry)
		return -ENOMEM;
	c->bucket = xpv_alloc(c->buckets, sizeof(*c->bucket));
	if (!c->bucket) {
		xpv_free(c->entry);
		c->entry = NULL;
		return -ENOMEM;
	}
	for (i = 0; i < c->buckets; i++)
		c->bucket[i] = NONE;
	for (i = 0; i < capacity; i++)
		c->entry[i].chain = i + 1 < capacity ? i + 1 : NONE;
	c->capacity = capacity;
	c->newest = NONE;
	c->oldest = NONE;
	return 0;
}
EXPORT_SYMBOL_GPL(xpv_cache_init);

void xpv_cache_destroy(struct xpv_cache *c)
{
	xpv_free(c->bucket);
	xpv_free(c->entry);
	memset(c, 0, sizeof(*c));
}
EXPORT_SYMBOL_GPL(xpv_cache_destroy);

struct xpv_cached *xpv_cache_get(struct xpv_cache *c, u32 gref)
{
	u32 n;

	for (n = *bucket(c, gref); n != NONE; n = c->entry[n].chain) {
		if (c->entry[n].map.gref != gref)
			continue;
		c->entry[n].pins++;
		return &c->entry[n];
	}
	return NULL;
}
EXPORT_SYMBOL_GPL(xpv_cache_get);

struct xpv_cached *xpv_cache_add(struct xpv_cache *c, u32 gref)
{
	struct xpv_cached *e;
	u32 *head = bucket(c, gref);

	if (c->count == c->capacity || bucket_full(c, *head))
		return NULL;
	e = &c->entry[c->unused];
	c->unused = e->chain;
	c->count++;

	memset(e, 0, sizeof(*e));
	e->map.gref = gref;
	e->map.handle = XPV_NO_HANDLE;
	e->pins = 1;
	e->chain = *head;
	*head = number(c, e);
	link_newest(c, e);
	return e;
}
EXPORT_SYMBOL_GPL(xpv_cache_add);

void xpv_cache_drop(struct xpv_cache *c, struct xpv_cached *e)
{
	take_out(c, e);
}
EXPORT_SYMBOL_GPL(xpv_cache_drop);

void xpv_cache_put(struct xpv_cache *c, struct xpv_cached *e, u64 now)
{
	e->pins--;
	/* Used in one moment, which came first does not matter. */
	if (e->used == now)
		return;
	e->used = now;
	if (c->newest == number(c, e))
		return;
	unlink_use(c, e);
	link_newest(c, e);
}
EXPORT_SYMBOL_GPL(xpv_cache_put);

u32 xpv_cache_evict(struct xpv_cache *c, struct xpv_mapping *out, u32 most, u64 before)
{
	u32 n = c->oldest, got = 0;

	while (n != NONE && got < most) {
		struct xpv_cached *e = &c->entry[n];

		n = e->newer;
		/* One that is in use was last put before it was taken again. */
		if (e->pins || unlikely(xpv_os_in_use(e->map.page)))
			continue;
		if (e->used >= before)
			break;
		out[got++] = e->map;
		take_out(c, e);
	}
	return got;
}
EXPORT_SYMBOL_GPL(xpv_cache_evict);
