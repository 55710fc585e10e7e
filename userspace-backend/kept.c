// SPDX-License-Identifier: GPL-2.0-only
/* Pages of frontends that stay mapped: a cache of ring/'s for each queue, within limits that all share. */
#include "kept.h"
#include "daemon.h"
#include "world.h"

#define DOMAINS		0x10000u	/* whatever a u16 may say */
#define MOST_PIECES	32768u	/* of all guests: half of what vm.max_map_count lets a process have by default */
#define MOST_PAGES	65536u	/* of all guests: a half, in a PV dom0, of what its default maptrack frames are for */
#define RETRY		60u	/* seconds: what can't be mapped is not tried for so long */
#define YOUNG		2u	/* seconds: what was used since is not given up for others */
#define NONE		0xffffffffu

/* Each atomic. */
static u32 pages_of[DOMAINS], pieces_of[DOMAINS], pages, pieces;

static void give_back(u32 *count, u32 n)
{
	__atomic_sub_fetch(count, n, __ATOMIC_RELAXED);
}

/* @n more of what @count counts, if that is no more than @most. */
static bool claim(u32 *count, u32 n, u32 most)
{
	if (__atomic_add_fetch(count, n, __ATOMIC_RELAXED) <= most)
		return true;
	give_back(count, n);
	return false;
}

/* What a domain may have, in pieces of few pages: each costs as much as one of many. */
static u32 most_pieces(u32 most_pages)
{
	return most_pages / KEPT_PIECE + 64;
}

/* A piece of @n pages. */
static bool claim_piece(u16 domid, u32 n)
{
	/* May be set at any time. */
	u32 most = READ_ONCE(config.persistent_grants);

	if (!claim(&pages_of[domid], n, most))
		return false;
	if (!claim(&pieces_of[domid], 1, most_pieces(most)))
		goto err_pages_of;
	if (!claim(&pages, n, MOST_PAGES))
		goto err_pieces_of;
	if (claim(&pieces, 1, MOST_PIECES))
		return true;

	give_back(&pages, n);
err_pieces_of:
	give_back(&pieces_of[domid], 1);
err_pages_of:
	give_back(&pages_of[domid], n);
	return false;
}

static void give_back_piece(u16 domid, u32 n)
{
	give_back(&pieces, 1);
	give_back(&pages, n);
	give_back(&pieces_of[domid], 1);
	give_back(&pages_of[domid], n);
}

int kept_init(struct kept *k, u16 domid, u32 most)
{
	u32 i;
	int err;

	memset(k, 0, sizeof(*k));
	k->domid = domid;
	if (!most)
		return 0;
	k->piece = calloc(most, sizeof(*k->piece));
	if (!k->piece)
		return -ENOMEM;
	for (i = 0; i < most; i++)
		k->piece[i].next = i + 1 < most ? i + 1 : NONE;
	err = xpv_cache_init(&k->cache, most);
	if (err)
		free(k->piece);
	return err;
}

/* One page less of piece @n. */
static void leave(struct kept *k, u32 n)
{
	struct kept_piece *p = &k->piece[n];

	if (--p->left)
		return;
	world_unmap(p->base, p->pages);
	give_back_piece(k->domid, p->pages);
	k->pages -= p->pages;
	p->next = k->unused;
	k->unused = n;
}

/* Some pages last used before @before. Whether there may be more of them. */
static bool give_up(struct kept *k, u64 before)
{
	struct xpv_mapping out[KEPT_FRESH];
	u32 i, n = xpv_cache_evict(&k->cache, out, KEPT_FRESH, before);

	for (i = 0; i < n; i++)
		leave(k, out[i].handle);
	return n == KEPT_FRESH;
}

static void drop_fresh(struct kept *k)
{
	while (k->nr_fresh)
		xpv_cache_drop(&k->cache, k->fresh[--k->nr_fresh]);
}

void kept_destroy(struct kept *k)
{
	if (!k->cache.capacity)
		return;
	drop_fresh(k);
	while (give_up(k, ~0ull))
		;
	xpv_cache_destroy(&k->cache);
	free(k->piece);
}

u8 *__kept_page(struct kept *k, u32 gref, u64 now)
{
	struct xpv_cached *e = xpv_cache_get(&k->cache, gref);
	bool mapped;

	if (likely(e)) {
		mapped = xpv_mapped(&e->map);
		xpv_cache_put(&k->cache, e, now);
		return mapped ? e->map.page : NULL;
	}
	if (k->nr_fresh == KEPT_FRESH || now < k->again)
		return NULL;
	e = xpv_cache_add(&k->cache, gref);
	if (e)
		k->fresh[k->nr_fresh++] = e;
	else
		k->full = true;
	return NULL;
}

/* The last @n that are fresh as one piece: there is one to spare as long as there is an entry. */
static bool map_piece(struct kept *k, u32 n, u64 now)
{
	struct xpv_cached **e = &k->fresh[k->nr_fresh - n];
	struct kept_piece *p = &k->piece[k->unused];
	u32 gref[KEPT_PIECE], i;

	if (!claim_piece(k->domid, n)) {
		k->full = true;
		return false;
	}
	for (i = 0; i < n; i++)
		gref[i] = e[i]->map.gref;
	p->base = world_map(k->domid, gref, n);
	if (!p->base) {
		give_back_piece(k->domid, n);
		k->again = now + RETRY;
		return false;
	}
	for (i = 0; i < n; i++) {
		e[i]->map.page = (u8 *)p->base + i * XPV_PAGE_SIZE;
		e[i]->map.handle = k->unused;
		xpv_cache_put(&k->cache, e[i], now);
	}
	p->pages = p->left = n;
	k->unused = p->next;
	k->pages += n;
	k->nr_fresh -= n;
	return true;
}

bool kept_fill(struct kept *k, u64 now)
{
	bool mapped = false;

	if (likely(!k->nr_fresh && !k->full))
		return false;
	while (k->nr_fresh && map_piece(k, k->nr_fresh < KEPT_PIECE ? k->nr_fresh : KEPT_PIECE, now))
		mapped = true;
	drop_fresh(k);
	if (k->full && now > YOUNG)
		give_up(k, now - YOUNG);
	k->full = false;
	return mapped;
}

bool kept_age(struct kept *k, u64 before)
{
	return k->cache.capacity && give_up(k, before);
}
