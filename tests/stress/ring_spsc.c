// SPDX-License-Identifier: GPL-2.0-only
/*
 * Both ends of a ring in two threads over one page:
 *
 *	ring_spsc [thousands of requests [seed]]
 *
 * Each round is a ring that starts a little before index 2^32. The frontend sends
 * requests whose every word follows from their number; the backend checks them,
 * answers in any order over the slots, and both wait for their event channel whenever the
 * ring gives them nothing to do. A message changed or lost ends the program, and so does a
 * wake-up that never comes.
 *
 * No order between the threads comes from an event, only from the ring, as under Xen. In
 * even rounds the channels are eventfds, reached by syscall(), which ThreadSanitizer does not
 * know. In odd rounds they are counters that the other end spins on: an event is there within
 * the time of a store, and a missing virt_mb() shows: not under ThreadSanitizer, which is too
 * slow for that and does not model fences, but in a plain build at -O2. Run both.
 */
#include <stdio.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xpv/ring.h>

#define ROUND		20000u	/* requests on one ring */
#define PATIENCE	10	/* seconds without progress */
#define MAX_SLOTS	256u
#define WORDS		28u	/* of the largest slot */

static const u32 strides[] = { 112, 108, 12, 8 };

/* One end, in a thread of its own. */
struct end {
	struct xpv_ring *ring;
	int wait_fd, kick_fd;
	u32 events;		/* to this end; counted by the other */
	u32 events_seen;
	struct end *other;
	u32 progress;		/* read by the watchdog */
	u64 seed;
	u64 kicks, sleeps;
};

static struct xpv_ring front_ring, back_ring;
static union {
	struct xpv_sring ring;
	u8 page[XPV_PAGE_SIZE];
} shared __attribute__((aligned(4096)));
static struct end front, back;
static u32 words;		/* in a slot */
static bool spins;		/* this round */

static void __attribute__((noreturn)) die(const char *what, u32 got, u32 want)
{
	fprintf(stderr, "FAILED: %s: %#x, not %#x\n", what, got, want);
	fprintf(stderr, "req_prod %#x req_event %#x rsp_prod %#x rsp_event %#x\n",
		READ_ONCE(shared.ring.req_prod), READ_ONCE(shared.ring.req_event),
		READ_ONCE(shared.ring.rsp_prod), READ_ONCE(shared.ring.rsp_event));
	fflush(NULL);
	_exit(1);
}

static void expect(const char *what, u32 got, u32 want)
{
	if (unlikely(got != want))
		die(what, got, want);
}

static u32 rnd(struct end *e, u32 below)
{
	/* xorshift64 */
	e->seed ^= e->seed << 13;
	e->seed ^= e->seed >> 7;
	e->seed ^= e->seed << 17;
	return (u32)(e->seed >> 32) % below;
}

static void kick(struct end *e)
{
	u64 one = 1;

	e->kicks++;
	if (spins)
		WRITE_ONCE(e->other->events, e->other->events + 1);
	else if (syscall(SYS_write, e->kick_fd, &one, sizeof(one)) != sizeof(one))
		die("eventfd write", 0, sizeof(one));
}

static void wait_for_event(struct end *e)
{
	u32 turns = 0;
	u64 n;

	e->sleeps++;
	if (spins) {
		while (READ_ONCE(e->events) == e->events_seen)
			if (!(++turns % 1024))
				sched_yield();
		e->events_seen = READ_ONCE(e->events);
		return;
	}
	if (syscall(SYS_read, e->wait_fd, &n, sizeof(n)) != sizeof(n))
		die("eventfd read", 0, sizeof(n));
}

/* In spinning rounds: lets one end's publishing fall on the other's last look. */
static void dawdle(struct end *e)
{
	u32 n;

	for (n = spins ? rnd(e, 256) : 0; n; n--)
		barrier();
}

/* Word @i of what message number @seq says; a response says something else. */
static u32 word(u32 seq, u32 i, bool response)
{
	return (seq + i) * 0x9e3779b1u ^ (response ? 0xffffffffu : i);
}

/* A message is its sender's name for it, its number, and words that follow from that. */
static void fill(u32 *slot, u32 id, u32 seq, bool response)
{
	u32 i;

	slot[0] = id;
	slot[1] = response ? word(seq, 1, true) : seq;
	for (i = 2; i < words; i++)
		slot[i] = word(seq, i, response);
}

static void check(const u32 *msg, u32 seq, bool response)
{
	u32 i;

	expect("number of a message", msg[1], response ? word(seq, 1, true) : seq);
	for (i = 2; i < words; i++)
		expect("content of a message", msg[i], word(seq, i, response));
}

static void *run_front(void *arg)
{
	struct end *e = arg;
	struct xpv_ring *r = e->ring;
	u32 number[MAX_SLOTS], unused[MAX_SLOTS], free_ids, sent = 0, answered = 0, n, i;
	bool busy[MAX_SLOTS] = { false };
	u32 msg[WORDS];

	for (free_ids = 0; free_ids < r->size; free_ids++)
		unused[free_ids] = free_ids;
	while (answered < ROUND) {
		n = 1 + (spins ? rnd(e, 2) : rnd(e, r->size));
		while (n-- && sent < ROUND && xpv_front_free(r)) {
			u32 id = unused[--free_ids];

			busy[id] = true;
			number[id] = sent++;
			fill(xpv_front_next(r), id, number[id], false);
		}
		dawdle(e);
		if (xpv_front_publish(r))
			kick(e);

		n = xpv_front_pending(r);
		if (!n && xpv_front_inflight(r))
			n = xpv_front_rearm(r, 1 + rnd(e, xpv_front_inflight(r)));
		if (xpv_ring_broken(r))
			die("frontend found the ring broken", 1, 0);
		if (!n) {
			wait_for_event(e);
			continue;
		}
		for (i = 0; i < n; i++) {
			xpv_ring_copy(r, r->cons++, msg, r->stride);
			if (msg[0] >= r->size || !busy[msg[0]])
				die("response to what was not asked", msg[0], r->size);
			check(msg, number[msg[0]], true);
			busy[msg[0]] = false;
			unused[free_ids++] = msg[0];
		}
		answered += n;
		WRITE_ONCE(e->progress, answered);
	}
	return NULL;
}

static void *run_back(void *arg)
{
	struct end *e = arg;
	struct xpv_ring *r = e->ring;
	struct {
		u32 id, seq;
	} held[MAX_SLOTS], h;
	u32 msg[WORDS], holds = 0, seen = 0, answered = 0, n, i;

	while (answered < ROUND) {
		n = xpv_back_pending(r);
		/* The frontend may wait for its answers before it sends more: hold none asleep. */
		if (!n && !holds) {
			dawdle(e);
			n = xpv_back_rearm(r, 1);
		}
		if (xpv_ring_broken(r))
			die("backend found the ring broken", 1, 0);
		if (!n && !holds) {
			wait_for_event(e);
			continue;
		}
		if (n)
			n = 1 + rnd(e, n);
		for (i = 0; i < n; i++) {
			xpv_ring_copy(r, r->cons++, msg, r->stride);
			check(msg, seen++, false);
			held[holds].id = msg[0];
			held[holds++].seq = msg[1];
		}

		for (n = rnd(e, holds + 1); n; n--) {
			i = rnd(e, holds);
			h = held[i];
			held[i] = held[--holds];
			fill(xpv_back_next(r), h.id, h.seq, true);
			answered++;
		}
		if (xpv_back_publish(r))
			kick(e);
		WRITE_ONCE(e->progress, answered);
	}
	return NULL;
}

/* Ends the program when neither end has moved for too long. */
static void *watch(void *arg)
{
	u32 f = 0, b = 0, still = 0;

	(void)arg;
	for (;;) {
		sleep(1);
		still = f == READ_ONCE(front.progress) && b == READ_ONCE(back.progress) ?
			still + 1 : 0;
		f = READ_ONCE(front.progress);
		b = READ_ONCE(back.progress);
		if (still >= PATIENCE)
			die("a wake-up was lost: answers taken and given", f, b);
	}
	return NULL;
}

/* A ring that was used, and drained, until all its indices were @at. */
static void start_at(u32 stride, u32 at)
{
	memset(&shared, 0, sizeof(shared));
	xpv_front_init(&front_ring, &shared, 1, stride);
	shared.ring.req_prod = at;
	shared.ring.rsp_prod = at;
	shared.ring.req_event = at + 1;
	shared.ring.rsp_event = at + 1;
	front_ring.prod = at;
	front_ring.published = at;
	front_ring.cons = at;
	if (xpv_back_attach(&back_ring, &shared, 1, stride))
		die("attach", 1, 0);
}

static void one_round(u32 round)
{
	u32 stride = strides[round / 2 % ARRAY_SIZE(strides)];
	u32 at = 0xfffffff0u - (round % 3 ? rnd(&front, 1000) : 0);
	pthread_t f, b;

	words = stride / sizeof(u32);
	spins = round % 2;
	start_at(stride, at);
	if (pthread_create(&b, NULL, run_back, &back))
		die("pthread_create", 1, 0);
	if (pthread_create(&f, NULL, run_front, &front))
		die("pthread_create", 1, 0);
	pthread_join(f, NULL);
	pthread_join(b, NULL);
	expect("requests published", READ_ONCE(shared.ring.req_prod), at + ROUND);
	expect("responses published", READ_ONCE(shared.ring.rsp_prod), at + ROUND);
}

int main(int argc, char **argv)
{
	u32 thousands = argc > 1 ? (u32)strtoul(argv[1], NULL, 0) : 1000;
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	u32 rounds = (thousands * 1000 + ROUND - 1) / ROUND, i;
	pthread_t dog;

	front.other = &back;
	back.other = &front;
	front.ring = &front_ring;
	back.ring = &back_ring;
	front.seed = seed ? seed : 1;
	back.seed = ~front.seed;
	front.wait_fd = back.kick_fd = eventfd(0, 0);
	back.wait_fd = front.kick_fd = eventfd(0, 0);
	if (front.wait_fd < 0 || back.wait_fd < 0 || pthread_create(&dog, NULL, watch, NULL))
		die("set-up", 1, 0);
	for (i = 0; i < rounds; i++)
		one_round(i);
	printf("ring_spsc: %u requests over %u rings; frontend waited %llu times, backend %llu; "
	       "events %llu and %llu\n", rounds * ROUND, rounds,
	       (unsigned long long)front.sleeps, (unsigned long long)back.sleeps,
	       (unsigned long long)front.kicks, (unsigned long long)back.kicks);
	return 0;
}
