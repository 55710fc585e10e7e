// SPDX-License-Identifier: GPL-2.0-only
/* The arenas that a worker has for those of its queues that have something to do. */
#include "spare.h"
#include "arena.h"

#include <sys/mman.h>

#define SPARES		4u	/* arenas kept for the next queue that has something to do */
#define TRIM_S		2u	/* in which none has needed those beyond, at least half of it */
#define LEAVINGS	4u	/* arenas, at most, that the kernel has yet to let go of */

/* Buffer @number is @base's memory, or none. With @gone that is called when it is none any more. */
static bool tell_kernel(struct worker *w, int number, void *base, struct event *gone)
{
	struct iovec vec = { base, base ? ARENA_BYTES : 0 };
	__u64 tag = (uintptr_t)gone;

	return io_uring_register_buffers_update_tag(&w->ring, (unsigned int)number, &vec, &tag, 1) == 1;
}

static void unmap(struct arena *a)
{
	munmap(a->base, ARENA_BYTES);
	free(a);
}

static void arena_gone(struct event *ev, int res, u32 flags);

static struct arena *make_arena(struct worker *w)
{
	struct arena *a = calloc(1, sizeof(*a));
	int i;

	if (!a)
		return NULL;
	a->base = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (a->base == MAP_FAILED) {
		free(a);
		return NULL;
	}
	a->registered = -1;
	a->worker = w;
	a->gone.fn = arena_gone;
	for (i = 0; w->has_buffers && i < (int)WORKER_ARENAS; i++) {
		if (w->arena_used[i])
			continue;
		if (tell_kernel(w, i, a->base, &a->gone)) {
			w->arena_used[i] = 1;
			a->registered = i;
		}
		break;
	}
	return a;
}

/* False: the kernel, short of memory, does not let go of it. */
static bool free_arena(struct worker *w, struct arena *a)
{
	if (a->registered < 0) {
		unmap(a);
		return true;
	}
	if (!tell_kernel(w, a->registered, NULL, NULL))
		return false;
	a->next = w->leaving;
	w->leaving = a;
	w->leavings++;
	w->arena_used[a->registered] = 0;
	w->pending++;
	return true;
}

struct arena *spare_take(struct worker *w)
{
	struct arena *a = w->spare;

	if (!a)
		return make_arena(w);
	w->spare = a->next;
	w->spares--;
	if (w->spares < w->spares_least)
		w->spares_least = w->spares;
	if (w->surplus > w->spares_least)
		w->surplus = w->spares_least;
	return a;
}

void spare_put(struct worker *w, struct arena *a)
{
	a->next = w->spare;
	w->spare = a;
	w->spares++;
}

/*
 * Before 6.13 the kernel lets go of no buffer, whoever's, while a request is stuck that is older: to go on
 * giving them up would pin ever more memory.
 */
static void trim(struct worker *w)
{
	while (w->surplus && w->spares > SPARES && w->leavings < LEAVINGS) {
		struct arena *a = spare_take(w);

		if (free_arena(w, a)) {
			w->surplus--;
			continue;
		}
		spare_put(w, a);
		w->surplus = 0;
	}
}

/*
 * Those that nobody has needed since the last time are given up: to make one takes as long as many requests do,
 * and others wait for it.
 */
void spare_look(struct worker *w, u64 second)
{
	w->surplus = w->spares_least;
	w->spares_least = w->spares;
	w->trimmed = second;
	trim(w);
}

static void arena_gone(struct event *ev, int res, u32 flags)
{
	struct arena *a = event_of(ev, struct arena, gone), **at;
	struct worker *w = a->worker;

	(void)res, (void)flags;
	for (at = &w->leaving; *at != a; at = &(*at)->next)
		;
	*at = a->next;
	w->leavings--;
	unmap(a);
	trim(w);
}

u64 spare_look_at(const struct worker *w)
{
	return w->spares > SPARES ? w->trimmed + TRIM_S : WORKER_NEVER;
}

void spare_unmap(struct worker *w)
{
	struct arena *a;

	while ((a = w->spare)) {
		w->spare = a->next;
		unmap(a);
	}
	while ((a = w->leaving)) {
		w->leaving = a->next;
		unmap(a);
	}
}
