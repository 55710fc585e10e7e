/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A weakly ordered memory, of the words that two ends share.
 *
 * Each word keeps all that was written to it and may still be read, in order. What an end has to have
 * seen is its view: a number of a write for each word, before which it may not read. A read picks any
 * write from there on (one for each is tried) and moves the view. This is how C11 describes loads and stores
 * on CPUs that keep stores to themselves for a while, make them visible in any order, and read early:
 *
 *   release store    hands its writer's view to whom reads it by an acquire load
 *   relaxed store    hands over what its writer's last fence had seen
 *   relaxed load     has what it was handed count from the next fence on
 *   fence            of two, the later one's end sees all that the earlier one's had
 *
 * A load is not delayed beyond a later store of its own end: there the ring has a release.
 */
#ifndef XPV_MODEL_MEMORY_H
#define XPV_MODEL_MEMORY_H

#include <xpv/ring.h>

#define ENDS	2
#define SLOTS	4		/* of the ring, at most */
#define WORDS	(4 + SLOTS)	/* the indices, the events, and a word of each slot */
#define WRITES	16		/* of one word that may still be read */

/* Of each word, the number of the write that has to be seen, or a later one. */
struct view {
	u8 at[WORDS];
};

struct write {
	u32 value;
	struct view view;	/* handed to whom reads it */
};

struct memory {
	u8 writes[WORDS];
	struct write write[WORDS][WRITES];
	struct view fence;	/* of all fences until now */
	struct end_views {
		struct view now;
		struct view later;	/* its next fence makes it that */
		struct view fenced;	/* of its last fence */
	} end[ENDS];
};

/* Word @w holds @value, which everybody has seen. */
void memory_set(struct memory *m, u32 w, u32 value);

/* How many different writes @end might read now. */
u32 memory_choices(const struct memory *m, u32 end, u32 w);

/* The @choice-th of them, from the newest. */
u32 memory_load(struct memory *m, u32 end, u32 w, u32 choice, enum order order);

/* False: it is not known to be later than what the other end last wrote there. */
bool memory_store(struct memory *m, u32 end, u32 w, u32 value, enum order order);

void memory_fence(struct memory *m, u32 end);

/* @end's view is @view too from now on: it was woken by who had it. */
void memory_join(struct memory *m, u32 end, const struct view *view);

/* Forget what nobody may read any more, with @event's of what is under way. */
void memory_forget(struct memory *m, struct view event[ENDS]);

#endif
