// SPDX-License-Identifier: GPL-2.0-only
/*
 * Both ends of a ring, in every order in which their accesses to shared memory can happen, on a memory
 * that is only as ordered as the barriers make it (memory.h). The code under test is ring/ring.c and
 * <xpv/ring.h> themselves.
 *
 *   frontend                                   backend
 *   fill some, publish, notify if told to      attach
 *   take what is answered                      take some, hold them, answer some, publish, notify
 *   none: rearm for one or several, look,      none: rearm, look, sleep if nothing is held
 *   sleep
 *
 * All of it holds in every order: each message is taken once, whole and in order; no slot is overwritten
 * before it was read; no ring is found broken; and both ends rest only when all is answered, so no
 * wake-up is lost. Otherwise the steps that led there are printed, and the program ends with 1.
 *
 * An end's code is taken apart into operations of a few accesses. To make its next access the operation
 * is run from its beginning, what it read before is read again from a list, and behind the access it is left by
 * longjmp(). So an end is no more than its struct, its operation and that list, and two ways to one state are
 * gone on with once.
 */
#undef NDEBUG
#include "memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#define READS	16		/* accesses of one operation */
#define DEPTH	4096		/* steps from the beginning to the end */

enum { FRONT, BACK };
enum { REQ_PROD, REQ_EVENT, RSP_PROD, RSP_EVENT, SLOT };

enum op { FILL, PUBLISH, LOOK, REARM, TAKE, SLEEP, DONE, ATTACH, ANSWER, ANSWER_MORE };

static const char *const op_name[] = {
	"fill", "publish", "look", "rearm", "take", "sleep", "done", "attach", "answer", "answer",
};

/* All that an end knows. */
struct own {
	struct xpv_ring ring;
	enum op op;
	u32 left;		/* seen and not taken yet */
	u32 out, in;		/* messages written, and read */
};

struct end {
	struct own own;		/* at the beginning of its operation */
	u32 reads;
	u32 read[READS];	/* what the operation has got from its accesses until now */
};

struct world {
	struct memory memory;
	struct end end[ENDS];
	bool event[ENDS];	/* is on its way to that end, with what its sender had seen */
	struct view event_view[ENDS];
};

/* What is tried: so many messages over a ring of so many slots, from index @start on. */
static u32 messages, slots, start;

/* The step that is being made. */
static struct {
	struct world *world;
	struct own own;
	u32 end, replayed;
	bool made;		/* the access of this step */
	u32 choice, choices;
	char what[64];
	jmp_buf out;
} now;

/* --- what went before, for who wants to know --- */

struct frame {
	struct world world;
	u32 end, choice, choices;
	char what[80];
};

static struct frame frame[DEPTH];
static u32 depth;
static u64 states, steps;

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list args;
	u32 i;

	printf("ring of %u, %u messages from %#x:\n", slots, messages, start);
	for (i = 0; i < depth; i++)
		if (frame[i].what[0])
			printf("%4u %s\n", i, frame[i].what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	exit(1);
}

/* --- accesses --- */

static u8 page[XPV_PAGE_SIZE] __attribute__((aligned(4096)));

static bool shared(const void *at)
{
	return (const u8 *)at >= page && (const u8 *)at < page + sizeof(page);
}

static u32 word_of(const void *at)
{
	u32 offset = (u32)((const u8 *)at - page);
	u32 stride = now.own.ring.stride;

	if (offset < sizeof(struct xpv_sring))
		return offset / (u32)sizeof(u32);
	return SLOT + (offset - (u32)sizeof(struct xpv_sring)) / stride;
}

/* True: this access was made before, and is only to be remembered. */
static bool was_made(u32 *value)
{
	const struct end *e = &now.world->end[now.end];

	if (now.replayed < e->reads) {
		*value = e->read[now.replayed++];
		return true;
	}
	if (now.made)
		longjmp(now.out, 1);
	now.made = true;
	return false;
}

static u32 made(u32 value)
{
	struct end *e = &now.world->end[now.end];

	assert(e->reads < READS);
	e->read[e->reads++] = value;
	now.replayed++;
	return value;
}

static const char *word_name(u32 w)
{
	static const char *const names[] = { "req_prod", "req_event", "rsp_prod", "rsp_event" };
	static char slot[16];

	if (w < SLOT)
		return names[w];
	snprintf(slot, sizeof(slot), "slot %u", w - SLOT);
	return slot;
}

static void say(const char *verb, u32 w, u32 value)
{
	snprintf(now.what, sizeof(now.what), "%s %s = %#x", verb, word_name(w), value);
}

u32 model_load(const void *at, size_t size, enum order order)
{
	u32 value = 0;

	if (!now.world || !shared(at)) {
		__builtin_memcpy(&value, at, size);
		return value;
	}
	if (was_made(&value))
		return value;
	now.choices = memory_choices(&now.world->memory, now.end, word_of(at));
	value = memory_load(&now.world->memory, now.end, word_of(at), now.choice, order);
	say("reads", word_of(at), value);
	return made(value);
}

void model_store(void *at, size_t size, u32 value, enum order order)
{
	u32 unused;

	if (!now.world || !shared(at)) {
		__builtin_memcpy(at, &value, size);
		return;
	}
	if (was_made(&unused))
		return;
	say("writes", word_of(at), value);
	if (!memory_store(&now.world->memory, now.end, word_of(at), value, order))
		wrong("%s was written over what may still come", word_name(word_of(at)));
	made(0);
}

void model_fence(void)
{
	u32 unused;

	if (was_made(&unused))
		return;
	memory_fence(&now.world->memory, now.end);
	snprintf(now.what, sizeof(now.what), "fence");
	made(0);
}

void model_copy(void *dst, const void *src, size_t n)
{
	u32 value;

	if (!shared(src)) {
		__builtin_memcpy(dst, src, n);
		return;
	}
	value = model_load(src, sizeof(value), PLAIN);
	__builtin_memcpy(dst, &value, sizeof(value));
}

/* One of @n ways to go on, which the ends are free to choose from. */
static u32 choose(u32 n)
{
	u32 value;

	if (n < 2)
		return 0;
	if (was_made(&value))
		return value;
	now.choices = n;
	snprintf(now.what, sizeof(now.what), "chooses %u of %u", now.choice, n);
	return made(now.choice);
}

static void notify(u32 end)
{
	struct view *v = &now.world->event_view[end];
	u32 unused, w;

	if (was_made(&unused))
		return;
	for (w = 0; w < WORDS; w++)
		if (v->at[w] < now.world->memory.end[now.end].now.at[w])
			v->at[w] = now.world->memory.end[now.end].now.at[w];
	now.world->event[end] = true;
	snprintf(now.what, sizeof(now.what), "sends an event");
	made(0);
}

/* --- the ends, an operation at a time --- */

static u32 request(u32 i) { return 0x100 + i; }
static u32 response(u32 i) { return 0x200 + i; }

static void take(struct own *o, u32 expected)
{
	u32 got;

	xpv_ring_copy(&o->ring, o->ring.cons++, &got, sizeof(got));
	if (got != expected)
		wrong("%#x was taken, %#x was to come", got, expected);
	o->in++;
	o->left--;
}

static void put(u32 *slot, u32 value)
{
	WRITE_ONCE(*slot, value);
}

static void front(struct own *o)
{
	struct xpv_ring *r = &o->ring;
	u32 ahead;

	switch (o->op) {
	case FILL:
		/* Who has nothing in flight has nothing to wait for. */
		if (o->out < messages && xpv_front_free(r) && (!xpv_front_inflight(r) || !choose(2)))
			put(xpv_front_next(r), request(o->out++));
		else
			o->op = PUBLISH;
		return;
	case PUBLISH:
		if (xpv_front_publish(r))
			notify(BACK);
		o->op = LOOK;
		return;
	case LOOK:
		o->left = xpv_front_pending(r);
		o->op = o->left ? TAKE : xpv_front_inflight(r) ? REARM : o->out < messages ? FILL : DONE;
		return;
	case REARM:
		ahead = 1 + choose(xpv_front_inflight(r));
		o->left = xpv_front_rearm(r, ahead);
		o->op = o->left < ahead ? SLEEP : TAKE;
		return;
	case TAKE:
		take(o, response(o->in));
		if (!o->left)
			o->op = FILL;
		return;
	default:
		return;
	}
}

static void back(struct own *o)
{
	struct xpv_ring *r = &o->ring;

	switch (o->op) {
	case ATTACH:
		if (xpv_back_attach(r, page, 1, now.own.ring.stride))
			wrong("the ring can't be attached to");
		o->op = LOOK;
		return;
	case LOOK:
		/* Who polls has only a peek. */
		if (choose(2) && !xpv_back_peek(r)) {
			o->op = REARM;
			return;
		}
		o->left = xpv_back_pending(r);
		o->left = o->left ? 1 + choose(o->left) : 0;
		o->op = o->left ? TAKE : REARM;
		return;
	case REARM:
		o->left = xpv_back_rearm(r, 1);
		/* What is held is done some time, and that wakes as well. */
		o->op = o->left ? TAKE : xpv_back_inflight(r) ? ANSWER : SLEEP;
		return;
	case TAKE:
		take(o, request(o->in));
		if (!o->left)
			o->op = ANSWER_MORE;
		return;
	case ANSWER:
		put(xpv_back_next(r), response(o->out++));
		o->op = ANSWER_MORE;
		return;
	case ANSWER_MORE:
		if (xpv_back_inflight(r) && !choose(2))
			o->op = ANSWER;
		else
			o->op = PUBLISH;
		return;
	case PUBLISH:
		if (xpv_back_publish(r))
			notify(FRONT);
		o->op = LOOK;
		return;
	default:
		return;
	}
}

/* --- one step --- */

static bool rests(const struct world *w, u32 end)
{
	enum op op = w->end[end].own.op;

	return op == DONE || (op == SLEEP && !w->event[end]);
}

static void wake(struct world *w, u32 end)
{
	memory_join(&w->memory, end, &w->event_view[end]);
	memset(&w->event_view[end], 0, sizeof(w->event_view[end]));
	w->event[end] = false;
	w->end[end].own.op = end == FRONT ? FILL : LOOK;
	snprintf(now.what, sizeof(now.what), "wakes up");
}

/* @end's next access in @w, of @choice. Returns how many choices there are. */
static u32 step(struct world *w, u32 end, u32 choice)
{
	struct end *e = &w->end[end];

	now.world = w;
	now.end = end;
	now.choice = choice;
	now.choices = 1;
	now.made = false;
	now.what[0] = 0;
	if (e->own.op == SLEEP) {
		wake(w, end);
		return 1;
	}
	while (!now.made && !rests(w, end) && e->own.op != SLEEP) {
		now.replayed = 0;
		now.own = e->own;
		if (setjmp(now.out))
			break;
		(end == FRONT ? front : back)(&now.own);
		if (xpv_ring_broken(&now.own.ring))
			wrong("the %s finds the ring broken", end == FRONT ? "frontend" : "backend");
		e->own = now.own;
		e->reads = 0;
		memset(e->read, 0, sizeof(e->read));
	}
	memory_forget(&w->memory, w->event_view);
	return now.choices;
}

/* --- all of them --- */

struct known {
	u64 a, b;
};

static struct known *known;
static u64 known_size, known_count;

/* 128 bits of a state stand for it: that two of them share these is left out of account. */
static struct known digest(const struct world *w)
{
	const u64 *at = (const u64 *)w;
	struct known k = { 0x9e3779b97f4a7c15ull, 0xc2b2ae3d27d4eb4full };
	size_t i;

	for (i = 0; i < sizeof(*w) / sizeof(u64); i++) {
		k.a = (k.a ^ at[i]) * 0xff51afd7ed558ccdull;
		k.a ^= k.a >> 32;
		k.b = (k.b + at[i]) * 0xc4ceb9fe1a85ec53ull;
		k.b ^= k.b >> 29;
	}
	return k;
}

static struct known *place(struct known k)
{
	u64 i;

	for (i = k.a & (known_size - 1); known[i].a || known[i].b; i = (i + 1) & (known_size - 1))
		if (known[i].a == k.a && known[i].b == k.b)
			break;
	return &known[i];
}

static void grow(void)
{
	struct known *old = known;
	u64 i, n = known_size;

	known_size = n ? 2 * n : 1 << 16;
	known = calloc(known_size, sizeof(*known));
	assert(known);
	for (i = 0; i < n; i++)
		if (old[i].a || old[i].b)
			*place(old[i]) = old[i];
	free(old);
}

static bool is_new(const struct world *w)
{
	struct known k = digest(w), *at;

	if (2 * known_count >= known_size)
		grow();
	at = place(k);
	if (at->a || at->b)
		return false;
	*at = k;
	known_count++;
	return true;
}

static void check_rest(const struct world *w)
{
	if (w->end[FRONT].own.op != DONE)
		wrong("a wake-up was lost: %s and %s, %u of %u answered", op_name[w->end[FRONT].own.op],
		      op_name[w->end[BACK].own.op], w->end[FRONT].own.in, messages);
	if (w->end[BACK].own.op != SLEEP || w->end[BACK].own.in != messages)
		wrong("the backend rests in %s with %u of %u", op_name[w->end[BACK].own.op],
		      w->end[BACK].own.in, messages);
}

/* The next choice of the frame on top; false: it has no more. */
static bool advance(struct frame *f)
{
	if (f->choice + 1 < f->choices) {
		f->choice++;
		return true;
	}
	f->choice = 0;
	f->choices = 0;
	do
		f->end++;
	while (f->end < ENDS && rests(&f->world, f->end));
	return f->end < ENDS;
}

static void push(const struct world *w)
{
	struct frame *f = &frame[depth];

	assert(depth < DEPTH - 1);
	f->world = *w;
	f->end = ~0u;
	f->choice = 0;
	f->choices = 0;
	f->what[0] = 0;
	depth++;
	states++;
	if (rests(w, FRONT) && rests(w, BACK))
		check_rest(w);
}

static void explore(void)
{
	static struct world next;

	while (depth) {
		struct frame *f = &frame[depth - 1];
		enum op op;

		if (!advance(f)) {
			depth--;
			continue;
		}
		next = f->world;
		op = next.end[f->end].own.op;
		snprintf(f->what, sizeof(f->what), "%s, %s", f->end == FRONT ? "frontend" : "    backend", op_name[op]);
		f->choices = step(&next, f->end, f->choice);
		snprintf(f->what, sizeof(f->what), "%s, %s: %s", f->end == FRONT ? "frontend" : "    backend",
			 op_name[op], now.what);
		steps++;
		if (is_new(&next))
			push(&next);
	}
}

static void run(u32 ring_slots, u32 n, u32 at)
{
	static struct world w;
	struct xpv_sring *sring = (void *)page;
	u32 stride = (XPV_PAGE_SIZE - (u32)sizeof(*sring)) / ring_slots, i;
	u64 before = states;

	slots = ring_slots;
	messages = n;
	start = at;
	memset(&w, 0, sizeof(w));
	now.world = NULL;
	/* As a ring that was used and drained until its indices were @at. */
	xpv_front_init(&w.end[FRONT].own.ring, page, 1, stride);
	assert(w.end[FRONT].own.ring.size == ring_slots);
	w.end[FRONT].own.ring.prod = w.end[FRONT].own.ring.published = w.end[FRONT].own.ring.cons = at;
	w.end[FRONT].own.op = FILL;
	w.end[BACK].own.ring.stride = stride;
	w.end[BACK].own.op = ATTACH;
	memory_set(&w.memory, REQ_PROD, at);
	memory_set(&w.memory, RSP_PROD, at);
	memory_set(&w.memory, REQ_EVENT, at + sring->req_event);
	memory_set(&w.memory, RSP_EVENT, at + sring->rsp_event);
	for (i = 0; i < SLOTS; i++)
		memory_set(&w.memory, SLOT + i, 0);

	is_new(&w);
	push(&w);
	explore();
	printf("ring of %u, %u messages: %llu states\n", slots, messages, (unsigned long long)(states - before));
	memset(known, 0, known_size * sizeof(*known));
	known_count = 0;
}

int main(void)
{
	static const u32 shape[][2] = { { 1, 2 }, { 1, 3 }, { 2, 2 }, { 2, 3 }, { 2, 4 }, { 4, 3 } };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(shape); i++)
		/* The last of them goes across the wrap. */
		run(shape[i][0], shape[i][1], 0u - shape[i][1] + 1);
	return 0;
}
