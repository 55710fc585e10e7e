// SPDX-License-Identifier: GPL-2.0-only
/*
 * The script of a lying peer: a statement per line, words between spaces.
 *
 *   set KEY VALUE      say VALUE instead of an honest peer's; "=" and an expression is a number
 *   omit KEY           leave it out
 *   forget             say what an honest peer says, from here on
 *   order N            a vbd's ring has 2^N pages
 *   bits 64|32         (front) a vbd's slots are laid out as a guest's of so many bits
 *   queues N           there are N queues; rings and channel below are the first one's
 *   ctl                a vif has a control ring
 *   connect            the whole handshake
 *   offer              the handshake without waiting for the peer to agree
 *   return             (back) the whole handshake of the same device, whose peer is Initialising
 *   state N            write our state
 *   wait N...          until the peer's state is one of these
 *   gone               until the peer closes the device
 *   close              give up as an honest peer does
 *   on tx|rx|ctl       the ring that the next statements mean, of a vif
 *   put FIELD=EXPR...  fill the next slot, all other fields 0
 *   extra FIELD=EXPR.. fill the next slot with a vif's extra
 *   push [EXPR]        show all slots that were filled, and EXPR more; notify
 *   notify             send an event
 *   take FIELD=EXPR... wait for a message of the peer's; its fields have to be these, by FIELD!=EXPR not that
 *   find FIELD=EXPR... take messages until one has these
 *   try MS [STATEMENT] take a message if one comes in time, and then do that
 *   serve MS           (back) answer everything as an honest backend would, until the guest closes
 *   refuse EXPR...     (back) but a vbd's operations of these numbers: not supported
 *   grab EXPR          (back) map the page of this grant, write a frame to a vif's, and keep it
 *   clean EXPR         (back) the page of this grant has to be zeroes
 *   drop [all]         (back) unmap the page that was grabbed last, or all of them and the rings
 *   table EXPR FIELD=EXPR...  (front) so many segments, or a vif's grants, into the page named table
 *   entry EXPR FIELD=EXPR...  (front) write this one of them alone
 *   see EXPR FIELD=EXPR...    (front) its fields have to be these
 *   race [table] FIELD A B    write A and B in turns into the field of every slot, or entry, until
 *   calm                      (back) of the slot that was filled last: the others are the guest's
 *   sleep MS
 *   random SEED SECONDS  rounds of statements drawn by random.c, the first from this seed
 *   repeat N STATEMENT [; STATEMENT]...   with n counting up from 0
 *
 * An expression is numbers and names with + and - between them. Names are the
 * fields of the message taken last, n, and (front) pages; since the first offer also ringN
 * and portN, the grants and channels that were offered last.
 */
#include "rogue.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define WORDS	64

static struct {
	u64 n;			/* of the repeat we are in */
	struct ring *ring;
	u8 last[sizeof(struct xpv_blk_slot64)];	/* the message taken last */
	bool extras;		/* what comes next on a vif's tx ring is an extra */
	bool racing;
	pthread_t racer;
	const struct field *race;
	u8 *raced;		/* where the first one's field is, */
	u32 stride, raced_slots;	/* and the others */
	u64 value[2];
	u32 refused;		/* a bit for each operation */
} script;

void script_stop(void)
{
	if (!script.race)
		return;
	WRITE_ONCE(script.racing, false);
	pthread_join(script.racer, NULL);
	script.race = NULL;
}

void ring_up(struct rogue *r, u32 i, void *shared, u32 pages)
{
	const struct wire *w = &wires[r->vif ? 1 + i : r->narrow ? 4 : 0];
	struct ring *ring = &r->ring[i];

	ring->shared = shared;
	ring->stride = w->req_len > w->rsp_len ? w->req_len : w->rsp_len;
	for (ring->size = 1; ring->size * 2 * ring->stride + sizeof(*ring->shared) <=
			     pages * XPV_PAGE_SIZE; ring->size *= 2)
		;
	ring->out = rogue_is_front ? w->req : w->rsp;
	ring->out_len = rogue_is_front ? w->req_len : w->rsp_len;
	ring->in = rogue_is_front ? w->rsp : w->req;
	ring->in_len = rogue_is_front ? w->rsp_len : w->req_len;
	ring->shown = rogue_is_front ? &ring->shared->req_prod : &ring->shared->rsp_prod;
	ring->seen = rogue_is_front ? &ring->shared->rsp_prod : &ring->shared->req_prod;
	ring->prod = ring->cons = READ_ONCE(ring->shared->rsp_prod);
	script.extras = false;
}

static u8 *slot(const struct ring *ring, u32 i)
{
	return ring->shared->slots + (size_t)(i % ring->size) * ring->stride;
}

static struct ring *need_ring(struct rogue *r)
{
	if (!script.ring->shared)
		die(r, "there is no ring yet: connect first");
	return script.ring;
}

static void notify(struct rogue *r)
{
	int port = script.ring == &r->ring[ROGUE_CTL] ? r->ctl_port : r->port;

	if (port >= 0 && xenevtchn_notify(r->evtchn, port))
		die(r, "event channel %d: %s", port, strerror(errno));
}

static void push(struct rogue *r, u64 more)
{
	struct ring *ring = need_ring(r);

	/* Pairs with the acquire in __xpv_seen(). */
	virt_store_release(ring->shown, (u32)(ring->prod + more));
	notify(r);
}

/* Copies the next message to script.last; false when none came in time. */
static bool next(struct rogue *r, u32 limit_ms)
{
	struct ring *ring = need_ring(r);
	u64 end = now_ms() + limit_ms;

	/* Pairs with the release in __xpv_publish(). */
	while (virt_load_acquire(ring->seen) == ring->cons) {
		if (now_ms() >= end)
			return false;
		usleep(500);
	}
	memcpy(script.last, slot(ring, ring->cons++), ring->in_len);
	return true;
}

/* --- expressions --- */

static u64 get(const u8 *at, u32 size)
{
	u64 value = 0;

	memcpy(&value, at, size);
	return value;
}

static u64 term(struct rogue *r, const char *name)
{
	const struct field *f;
	char *end;
	u64 value = strtoull(name, &end, 0);
	u32 offset;

	if (end != name && !*end)
		return value;
	if (!strcmp(name, "n"))
		return script.n;
	if (rogue_symbol(r, name, &value))
		return value;
	f = script.ring->in ? find(script.ring->in, name, &offset) : NULL;
	if (!f)
		die(r, "what is '%s'?", name);
	return get(script.last + offset, f->size);
}

static u64 expr(struct rogue *r, const char *text)
{
	char sign = '+', name[32];
	u64 value = 0;

	for (;;) {
		size_t len = strcspn(text, "+-");

		/* "-1" begins with its sign. */
		if (len) {
			u64 t;

			snprintf(name, sizeof(name), "%.*s", (int)len, text);
			t = term(r, name);
			value = sign == '+' ? value + t : value - t;
		}
		if (!text[len])
			return value;
		sign = text[len];
		text += len + 1;
	}
}

/* Splits FIELD=EXPR; returns the field and where it lies. */
static const struct field *assign(struct rogue *r, const struct field *fields, const char *word,
				  u32 *offset, u64 *value)
{
	const char *equals = strchr(word, '=');
	const struct field *f;
	char name[32];

	if (!equals)
		die(r, "'%s' is no FIELD=VALUE", word);
	snprintf(name, sizeof(name), "%.*s", (int)(equals - word), word);
	f = find(fields, name, offset);
	if (!f)
		die(r, "no field '%s' here", name);
	*value = expr(r, equals + 1);
	return f;
}

/* --- statements --- */

static void fill(struct rogue *r, u8 *at, u32 len, const struct field *fields, char **word)
{
	u8 copy[sizeof(struct xpv_blk_slot64)] = {};
	const struct field *f;
	u32 offset;
	u64 value;

	for (; *word; word++) {
		f = assign(r, fields, *word, &offset, &value);
		memcpy(copy + offset, &value, f->size);
	}
	memcpy(at, copy, len);
}

static void put(struct rogue *r, const struct field *fields, u32 len, char **word)
{
	struct ring *ring = need_ring(r);

	fill(r, slot(ring, ring->prod), len, fields, word);
	ring->prod++;
}

/* The first of the conditions that the message taken last does not meet, and in @came what it has there; or NULL. */
static const char *unmet(struct rogue *r, char **word, u64 *came)
{
	const struct field *f;
	char *text, *bang;
	u32 offset;
	u64 value;

	for (; *word; word++) {
		text = strdup(*word);
		bang = strstr(text, "!=");
		if (bang)
			memmove(bang, bang + 1, strlen(bang));
		f = assign(r, script.ring->in, text, &offset, &value);
		free(text);
		*came = get(script.last + offset, f->size);
		if (!memcmp(script.last + offset, &value, f->size) == !!bang)
			return *word;
	}
	return NULL;
}

static void take(struct rogue *r, char **word)
{
	const char *wrong;
	u64 came;

	if (!next(r, r->limit_ms))
		die(r, "nothing came from the peer");
	wrong = unmet(r, word, &came);
	if (wrong)
		die(r, "%s was expected, %#llx came", wrong, (unsigned long long)came);
}

static void find_message(struct rogue *r, char **word)
{
	u64 came;

	do {
		if (!next(r, r->limit_ms))
			die(r, "nothing like that came from the peer");
	} while (unmet(r, word, &came));
}

static void answer_vbd(struct rogue *r)
{
	struct xpv_blk_slot64 *req = (void *)script.last;
	struct xpv_blk_rsp64 rsp = {
		.id = req->id,
		.op = req->op == XPV_BLK_INDIRECT ? req->nr_segs : req->op,
	};

	if (rsp.op < 32 && script.refused & 1u << rsp.op)
		rsp.status = XPV_BLK_EOPNOTSUPP;

	memcpy(slot(script.ring, script.ring->prod++), &rsp, sizeof(rsp));
	push(r, 0);
}

static void answer_vif(struct rogue *r)
{
	struct xpv_net_txreq *req = (void *)script.last;
	struct xpv_net_extra *extra = (void *)script.last;
	struct xpv_net_txrsp rsp = { .id = req->id };

	/* An extra has no id: its slot's answer says that it is none. */
	if (script.extras) {
		rsp = (struct xpv_net_txrsp){ .status = XPV_NET_NULL };
		script.extras = extra->flags & XPV_NET_EXTRA_MORE;
	} else {
		script.extras = req->flags & XPV_NET_TX_EXTRA;
	}
	memcpy(slot(script.ring, script.ring->prod++), &rsp, sizeof(rsp));
	push(r, 0);
}

static void serve(struct rogue *r, u32 ms)
{
	u64 end = now_ms() + ms;

	while (now_ms() < end) {
		if (next(r, 20))
			(r->vif ? answer_vif : answer_vbd)(r);
		else if (ask(r, "state") >= XPV_CLOSING)
			break;
	}
}

static u8 *entry_of(struct rogue *r, u64 i)
{
	u64 page;

	if (!rogue_symbol(r, "table_address", &page) || i >= XPV_BLK_SEGS_PER_PAGE)
		die(r, "no table with an entry %llu", (unsigned long long)i);
	return (u8 *)(uintptr_t)page + i * sizeof(struct xpv_blk_seg);
}

static void write_table(struct rogue *r, char **word)
{
	u64 n = expr(r, *word++);
	u32 i;

	static_assert(sizeof(struct xpv_blk_seg) == sizeof(struct xpv_net_gref), "entries of a table");
	if (n > XPV_BLK_SEGS_PER_PAGE)
		die(r, "no room for a table of %llu entries", (unsigned long long)n);
	for (i = 0; i < n; i++) {
		script.n = i;
		fill(r, entry_of(r, i), sizeof(struct xpv_blk_seg), r->vif ? grant : segment, word);
	}
}

static void write_entry(struct rogue *r, char **word)
{
	fill(r, entry_of(r, expr(r, word[0])), sizeof(struct xpv_blk_seg), r->vif ? grant : segment,
	     word + 1);
}

static void check_entry(struct rogue *r, char **word)
{
	const u8 *entry = entry_of(r, expr(r, *word++));
	const struct field *f;
	u32 offset;
	u64 value;

	for (; *word; word++) {
		f = assign(r, r->vif ? grant : segment, *word, &offset, &value);
		if (memcmp(entry + offset, &value, f->size))
			die(r, "%s was expected, %#llx is there", *word,
			    (unsigned long long)get(entry + offset, f->size));
	}
}

static void *race(void *unused)
{
	u32 i, turn;

	(void)unused;
	for (turn = 0; READ_ONCE(script.racing); turn ^= 1)
		for (i = 0; i < script.raced_slots; i++)
			memcpy(script.raced + (size_t)i * script.stride, &script.value[turn],
			       script.race->size);
	return NULL;
}

static void start_race(struct rogue *r, char **word)
{
	const struct field *fields;
	u32 offset;

	if (!strcmp(word[0], "table")) {
		word++;
		fields = r->vif ? grant : segment;
		script.raced = entry_of(r, 0);
		script.stride = sizeof(struct xpv_blk_seg);
		script.raced_slots = XPV_BLK_SEGS_PER_PAGE;
	} else {
		fields = need_ring(r)->out;
		script.raced = slot(script.ring, rogue_is_front ? 0 : script.ring->prod - 1);
		script.stride = script.ring->stride;
		script.raced_slots = rogue_is_front ? script.ring->size : 1;
	}
	script.race = find(fields, word[0], &offset);
	if (!script.race)
		die(r, "no field '%s' here", word[0]);
	script.raced += offset;
	script.value[0] = expr(r, word[1]);
	script.value[1] = expr(r, word[2]);
	script.racing = true;
	if (pthread_create(&script.racer, NULL, race, NULL))
		die(r, "no thread for the race");
}

static void set(struct rogue *r, const char *key, const char *value)
{
	char number[24];

	if (*value == '=') {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)expr(r, value + 1));
		value = number;
	}
	insist(r, key, value);
}

/* One statement; its words are @word[0] to a NULL. */
static void statement(struct rogue *r, char **word);

static void repeat(struct rogue *r, char **word)
{
	u64 i, times = expr(r, word[0]);
	char **from, **to, *end;

	for (i = 0; i < times; i++) {
		for (from = word + 1; *from; from = end ? to + 1 : to) {
			for (to = from; *to && strcmp(*to, ";"); to++)
				;
			end = *to;
			*to = NULL;
			script.n = i;
			statement(r, from);
			*to = end;
		}
	}
}

static void statement(struct rogue *r, char **word)
{
	static const struct {
		const char *name;
		u32 words;	/* at least */
	} verbs[] = {
		{ "set", 2 }, { "omit", 1 }, { "forget", 0 }, { "order", 1 },
		{ "bits", 1 }, { "queues", 1 }, { "connect", 0 }, { "offer", 0 }, { "return", 0 },
		{ "state", 1 }, { "wait", 1 }, { "gone", 0 }, { "close", 0 }, { "on", 1 },
		{ "put", 0 }, { "extra", 0 }, { "push", 0 }, { "notify", 0 },
		{ "take", 0 }, { "find", 1 }, { "try", 1 }, { "serve", 1 }, { "refuse", 0 }, { "grab", 1 }, { "clean", 1 }, { "drop", 0 },
		{ "table", 1 }, { "entry", 2 }, { "see", 2 }, { "ctl", 0 },
		{ "race", 3 }, { "calm", 0 }, { "sleep", 1 }, { "random", 2 }, { "repeat", 2 },
	};
	const char *verb = *word++;
	u32 i, states = 0, words = 0;

	while (word[words])
		words++;
	for (i = 0; i < ARRAY_SIZE(verbs) && strcmp(verb, verbs[i].name); i++)
		;
	if (i == ARRAY_SIZE(verbs) || words < verbs[i].words)
		die(r, "%s: %s", verb, i == ARRAY_SIZE(verbs) ? "no such statement" : "more words");

	if (!strcmp(verb, "set")) {
		set(r, word[0], word[1]);
	} else if (!strcmp(verb, "omit")) {
		insist(r, word[0], NULL);
	} else if (!strcmp(verb, "forget")) {
		forget(r);
	} else if (!strcmp(verb, "order")) {
		r->order = expr(r, word[0]);
	} else if (!strcmp(verb, "bits")) {
		r->narrow = expr(r, word[0]) == 32;
	} else if (!strcmp(verb, "queues")) {
		r->queues = expr(r, word[0]);
		if (!r->queues || r->queues > ROGUE_QUEUES)
			die(r, "%u queues", r->queues);
	} else if (!strcmp(verb, "connect")) {
		rogue_offer(r);
		rogue_connect(r);
	} else if (!strcmp(verb, "offer")) {
		rogue_offer(r);
	} else if (!strcmp(verb, "return")) {
		rogue_return(r);
		rogue_connect(r);
	} else if (!strcmp(verb, "state")) {
		set_state(r, expr(r, word[0]));
	} else if (!strcmp(verb, "wait")) {
		while (*word)
			states |= 1u << (expr(r, *word++) & 31);
		await(r, states);
	} else if (!strcmp(verb, "gone")) {
		await(r, 1u << XPV_CLOSING | 1u << XPV_CLOSED);
	} else if (!strcmp(verb, "close")) {
		rogue_close(r);
	} else if (!strcmp(verb, "on")) {
		script.ring = &r->ring[!strcmp(word[0], "ctl") ? ROGUE_CTL : !strcmp(word[0], "rx")];
	} else if (!strcmp(verb, "put")) {
		put(r, need_ring(r)->out, script.ring->out_len, word);
	} else if (!strcmp(verb, "extra")) {
		put(r, net_extra, sizeof(struct xpv_net_extra), word);
	} else if (!strcmp(verb, "push")) {
		push(r, words ? expr(r, word[0]) : 0);
	} else if (!strcmp(verb, "notify")) {
		notify(r);
	} else if (!strcmp(verb, "take")) {
		take(r, word);
	} else if (!strcmp(verb, "find")) {
		find_message(r, word);
	} else if (!strcmp(verb, "try")) {
		if (next(r, expr(r, word[0])) && word[1])
			statement(r, word + 1);
	} else if (!strcmp(verb, "serve")) {
		serve(r, expr(r, word[0]));
	} else if (!strcmp(verb, "refuse")) {
		for (script.refused = 0; *word; word++)
			script.refused |= 1u << (expr(r, *word) & 31);
	} else if (!strcmp(verb, "grab")) {
		rogue_grab(r, expr(r, word[0]));
	} else if (!strcmp(verb, "clean")) {
		rogue_look_clean(r, expr(r, word[0]));
	} else if (!strcmp(verb, "drop")) {
		rogue_drop(r, words && !strcmp(word[0], "all"));
	} else if (!strcmp(verb, "table")) {
		write_table(r, word);
	} else if (!strcmp(verb, "entry")) {
		write_entry(r, word);
	} else if (!strcmp(verb, "see")) {
		check_entry(r, word);
	} else if (!strcmp(verb, "ctl")) {
		r->ctl = true;
	} else if (!strcmp(verb, "race")) {
		start_race(r, word);
	} else if (!strcmp(verb, "calm")) {
		script_stop();
	} else if (!strcmp(verb, "sleep")) {
		usleep(expr(r, word[0]) * 1000);
	} else if (!strcmp(verb, "random")) {
		random_attack(r, expr(r, word[0]), expr(r, word[1]));
	} else if (!strcmp(verb, "repeat")) {
		repeat(r, word);
	}
}

const struct ring *script_ring(void)
{
	return script.ring;
}

void script_line(struct rogue *r, char *line)
{
	char *word[WORDS + 1], *rest;
	u32 n = 0;

	line[strcspn(line, "#\n")] = '\0';
	for (rest = strtok(line, " \t"); rest && n < WORDS; rest = strtok(NULL, " \t"))
		word[n++] = rest;
	word[n] = NULL;
	if (n)
		statement(r, word);
}

void script_play(struct rogue *r, FILE *file)
{
	char line[1024];

	script.ring = &r->ring[0];
	while (fgets(line, sizeof(line), file)) {
		r->line++;
		script_line(r, line);
	}
	script_stop();
}
