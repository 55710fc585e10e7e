// SPDX-License-Identifier: GPL-2.0-only
/*
 * A peer that lies at random: rounds of a handshake, moves and a close, as statements of a script that a generator
 * writes. Each round has a seed of its own, one more than the round's before, so that one
 * can be played again alone. What differs then is only the time that things take.
 *
 * Nothing is expected of the victim but that it can always be closed and connected to again.
 */
#include "rogue.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define CONNECT_MS	1500u	/* for a victim that may not want to */

static struct {
	u64 state;
	u32 wild;		/* one in so many values is any; 0: none */
	char line[1024];
	size_t used;
} gen;

/* --- drawing --- */

static void start(u64 seed)
{
	gen.state = seed * 0x9e3779b97f4a7c15ull + 1;
}

static u64 bits(void)
{
	u64 x = gen.state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static u32 draw(u32 below)
{
	return (u32)(bits() % below);
}

static bool one_in(u32 n)
{
	return n && !draw(n);
}

/* --- a statement --- */

static void __attribute__((format(printf, 1, 2))) word(const char *format, ...)
{
	size_t room = sizeof(gen.line) - gen.used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(gen.line + gen.used, room, format, args);
	va_end(args);
	if ((size_t)n < room)
		gen.used += n;
	gen.line[gen.used] = 0;
}

static void play(struct rogue *r)
{
	script_line(r, gen.line);
	gen.used = 0;
}

#define DO(r, ...) do { word(__VA_ARGS__); play(r); } while (0)

/* --- values --- */

static u64 any(void)
{
	static const u64 edges[] = {
		0, 1, 2, 3, 7, 8, 11, 12, 13, 14, 18, 19, 20, 31, 32, 33, 255, 256, 257, 511, 512, 513, 1500, 4095, 4096, 4097,
		0x7fff, 0x8000, 0xfffe, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, ~0ull,
	};

	switch (draw(4)) {
	case 0:
		return bits();
	case 1:
		return bits() >> draw(64);
	default:
		return edges[draw(ARRAY_SIZE(edges))];
	}
}

/* A number as a field's value, in general one below @below. */
static void number(const char *field, u32 below)
{
	if (one_in(gen.wild))
		word(" %s=%llu", field, (unsigned long long)any());
	else
		word(" %s=%u", field, draw(below));
}

/* A page of the guest's, in general one that is granted. */
static void page(const char *field)
{
	if (one_in(gen.wild))
		word(" %s=%u", field, (u32)any());
	else if (one_in(gen.wild))
		word(" %s=ro", field);
	else
		word(" %s=page%u", field, draw(ROGUE_PAGES - 1));
}

static void indexed(const char *field, u32 i, u32 below)
{
	char name[16];

	snprintf(name, sizeof(name), "%s%u", field, i);
	number(name, below);
}

static void indexed_page(const char *field, u32 i)
{
	char name[16];

	snprintf(name, sizeof(name), "%s%u", field, i);
	page(name);
}

/* --- messages --- */

static void blk_request(struct rogue *r)
{
	static const u8 ops[] = { 0, 0, 0, 1, 1, 1, 2, 3, 5, 6, 6 };
	u8 op = ops[draw(ARRAY_SIZE(ops))];
	u32 i, segs = draw(XPV_BLK_DIRECT_SEGS + 1);

	if (op == 6) {
		word("table %u", draw(one_in(gen.wild) ? XPV_BLK_SEGS_PER_PAGE + 1 : 64));
		page("gref");
		number("first", 2);
		/* To the end of its page. */
		word(one_in(gen.wild) ? " last=%u" : " last=7", draw(256));
		play(r);
	}
	word("put op=%u", one_in(gen.wild) ? draw(256) : op);
	number("id", 64);
	number("sector", one_in(2) ? 64 : 131072);
	if (op == 5) {
		number("segs", 2);
		number("sectors", 4096);
	} else if (op == 6) {
		number("segs", 2);
		number("handle", 64);
		word(one_in(gen.wild) ? " list0=ro" : " list0=table");
	} else {
		number("segs", segs + 1);
		for (i = 0; i < segs; i++) {
			indexed_page("gref", i);
			indexed("first", i, 2);
			word(" last%u=%u", i, one_in(gen.wild) ? draw(256) : 7);
		}
	}
	play(r);
}

static void tx_request(struct rogue *r)
{
	u32 flags = draw(one_in(4) ? 16 : 4), extras = 0;
	bool more;

	word("put");
	number("id", 256);
	page("gref");
	number("offset", one_in(2) ? 1 : 3000);
	number("size", 1515);
	word(" flags=%u", flags);
	play(r);
	for (more = flags & XPV_NET_TX_EXTRA; more && !one_in(gen.wild) && extras < 4; extras++) {
		more = one_in(3);
		word("extra flags=%u", more);
		number("type", 6);
		number("size", 1500);
		number("gso", 3);
		word(" addr=%llu", (unsigned long long)bits() & 0xffffffffffff);
		play(r);
	}
}

static void rx_request(struct rogue *r)
{
	word("put");
	number("id", 256);
	page("gref");
	play(r);
}

static void ctl_request(struct rogue *r)
{
	u32 type = 1 + draw(10);

	/* A list of grants, a table or a key. */
	word("table %u", 1 + draw(16));
	page("gref");
	number("flags", 3);
	play(r);
	word("put");
	number("id", 256);
	word(" type=%u", one_in(gen.wild) ? draw(65536) : type);
	switch (type) {
	case XPV_NET_CTL_SET_KEY:
		word(" data0=%s", one_in(gen.wild) ? "ro" : "table");
		number("data1", XPV_NET_KEY_BYTES + 2);
		break;
	case XPV_NET_CTL_SET_TABLE:
		word(" data0=%s", one_in(gen.wild) ? "ro" : "table");
		number("data1", 40);
		number("data2", XPV_NET_TABLE_SIZE + 1);
		break;
	case XPV_NET_CTL_ADD_GREFS:
	case XPV_NET_CTL_DEL_GREFS:
		number("data0", 2);
		word(" data1=%s", one_in(gen.wild) ? "ro" : "table");
		number("data2", 16);
		break;
	default:
		number("data0", type == XPV_NET_CTL_SET_TABLE_SIZE ? XPV_NET_TABLE_SIZE + 2 : 4);
		break;
	}
	play(r);
}

static void ctl_response(struct rogue *r)
{
	word("put id=%s%u", one_in(gen.wild) ? "" : "id+", one_in(gen.wild) ? draw(300) : 0);
	word(one_in(gen.wild) ? " type=%u" : " type=type", draw(12));
	number("status", one_in(2) ? 1 : 4);
	number("data", 600);
	play(r);
}

/* In general for what was asked last. */
static void response(struct rogue *r)
{
	bool rx = r->vif && script_ring() == &r->ring[1];

	word("put id=%s%u", one_in(gen.wild) ? "" : "id+", one_in(gen.wild) ? draw(300) : 0);
	if (!r->vif) {
		word(one_in(gen.wild) ? " op=%u" : " op=op", draw(8));
		word(" status=%d", one_in(4) ? (int)draw(4) - 2 : 0);
	} else if (rx) {
		number("offset", one_in(2) ? 1 : 3000);
		number("flags", 16);
		number("status", 1515);
	} else {
		word(" status=%d", one_in(4) ? (int)draw(6) - 3 : 0);
	}
	if (one_in(gen.wild))
		word(rx ? " status=%d" : " id=%d", (int)any());
	play(r);
	if (rx && one_in(8)) {
		word("extra flags=%u", one_in(4));
		number("type", 6);
		number("size", 1500);
		number("gso", 3);
		play(r);
	}
}

static bool is_ctl(const struct rogue *r)
{
	return script_ring() == &r->ring[ROGUE_CTL];
}

static void messages(struct rogue *r)
{
	u32 n = 1 + draw(one_in(8) ? 40 : 6);

	while (n--) {
		if (!rogue_is_front) {
			/* What was asked is not always waited for. */
			if (!one_in(4))
				DO(r, "try 5");
			(is_ctl(r) ? ctl_response : response)(r);
		} else if (is_ctl(r)) {
			ctl_request(r);
		} else if (!r->vif) {
			blk_request(r);
		} else if (script_ring() == &r->ring[0]) {
			tx_request(r);
		} else {
			rx_request(r);
		}
	}
	DO(r, "push");
}

/* --- nodes --- */

static const char *const front_vbd[] = {
	"protocol", "ring-ref", "ring-ref0", "ring-ref1", "ring-ref3", "ring-page-order", "event-channel",
	"multi-queue-num-queues", "queue-0/ring-ref", "queue-0/event-channel", "queue-1/ring-ref", "queue-1/ring-ref0",
	"queue-1/event-channel", "feature-persistent", NULL
};

static const char *const front_vif[] = {
	"tx-ring-ref", "rx-ring-ref", "event-channel", "event-channel-tx", "event-channel-rx", "multi-queue-num-queues",
	"queue-0/tx-ring-ref", "queue-0/rx-ring-ref", "queue-0/event-channel", "queue-1/tx-ring-ref", "queue-1/rx-ring-ref",
	"queue-1/event-channel", "request-rx-copy", "feature-rx-notify", "feature-sg", "feature-gso-tcpv4",
	"feature-gso-tcpv6", "feature-no-csum-offload", "feature-ipv6-csum-offload", "request-multicast-control",
	"xdp-headroom", "ctrl-ring-ref", "event-channel-ctrl", NULL
};

static const char *const back_vbd[] = {
	"sectors", "sector-size", "physical-sector-size", "info", "feature-flush-cache", "feature-barrier", "feature-discard",
	"discard-granularity", "discard-alignment", "discard-secure", "feature-max-indirect-segments", "max-ring-page-order",
	"feature-persistent", NULL
};

static const char *const back_vif[] = {
	"feature-rx-copy", "feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload",
	"feature-multicast-control", "feature-dynamic-multicast-control", "feature-xdp-headroom",
	"multi-queue-max-queues", NULL
};

static void lie(struct rogue *r)
{
	static const char *const texts[] = { "junk", "-1", "0x1", "1e9", "x86_32-abi", "x86_64-abi", "4294967296", "99999999999999999999" };
	const char *const *keys = rogue_is_front ? r->vif ? front_vif : front_vbd : r->vif ? back_vif : back_vbd;
	const char *key;
	u32 n;

	for (n = 0; keys[n]; n++)
		;
	key = keys[draw(n)];
	switch (draw(rogue_is_front ? 7 : 5)) {
	case 0:
		DO(r, "omit %s", key);
		break;
	case 1:
		DO(r, "set %s %s", key, texts[draw(ARRAY_SIZE(texts))]);
		break;
	case 2:
		DO(r, "set %s %llu", key, (unsigned long long)any());
		break;
	case 3:
	case 4:
		DO(r, "set %s %u", key, draw(10));
		break;
	case 5:
		DO(r, "set %s =ring%u", key, draw(4));
		break;
	case 6:
		DO(r, "set %s =port%u", key, draw(2));
		break;
	}
}

/* --- a round --- */

static bool connected(struct rogue *r)
{
	u64 end = now_ms() + CONNECT_MS;
	long long state;

	do {
		state = ask(r, "state");
		if (state != XPV_INIT_WAIT && state != XPV_INITIALISED && state != XPV_INITIALISING)
			return state == XPV_CONNECTED;
		usleep(5000);
	} while (now_ms() < end);
	return false;
}

/* As long as there are rings: the victim may not have come that far. */
static void move(struct rogue *r)
{
	const struct field *f = script_ring()->out;
	u32 n;

	switch (draw(32)) {
	case 0:
		DO(r, "push %llu", (unsigned long long)any());
		break;
	case 1:
		lie(r);
		break;
	case 2:
		/* To say that it is not there would take the device away for good. */
		DO(r, "state %u", 1 + draw(XPV_STATES));
		break;
	case 3:
		for (n = 0; f[n].name; n++)
			;
		f += draw(n);
		DO(r, "race %s%s %llu %llu", f->name, f->count > 1 ? "0" : "", (unsigned long long)any(), (unsigned long long)any());
		messages(r);
		DO(r, "sleep %u", draw(30));
		DO(r, "calm");
		break;
	case 4:
		DO(r, "repeat %u notify", 1 + draw(200));
		break;
	case 5:
	case 6:
		DO(r, "sleep %u", draw(30));
		break;
	case 7 ... 9:
		DO(r, "repeat %u try 1", 1 + draw(20));
		break;
	case 10 ... 13:
		if (r->ring[ROGUE_CTL].shared && one_in(4))
			DO(r, "on ctl");
		else if (r->vif)
			DO(r, "on %s", one_in(2) ? "tx" : "rx");
		break;
	case 14 ... 16:
		/* Its answers are a vbd's or a transmit ring's. */
		if (!rogue_is_front && script_ring() == &r->ring[0])
			DO(r, "serve %u", draw(60));
		break;
	default:
		messages(r);
		break;
	}
}

static void play_round(struct rogue *r)
{
	static const u32 wildness[] = { 0, 3, 8, 20, 60, 60 };
	u32 n;

	gen.wild = wildness[draw(ARRAY_SIZE(wildness))];
	DO(r, "forget");
	DO(r, "on tx");
	DO(r, "queues %u", 1 + draw(2));
	r->ctl = r->vif && one_in(2);
	if (!r->vif && rogue_is_front) {
		DO(r, "order %u", draw(4));
		DO(r, "bits %u", one_in(4) ? 32 : 64);
	}
	for (n = one_in(3) ? draw(4) : 0; n; n--)
		lie(r);
	DO(r, "offer");
	if (connected(r) && rogue_is_front)
		DO(r, "state 4");
	for (n = draw(60); n && r->ring[0].shared; n--)
		move(r);
	DO(r, "close");
}

void random_attack(struct rogue *r, u64 seed, u32 seconds)
{
	u64 end = now_ms() + seconds * 1000ull;
	u32 rounds = 0;

	do {
		r->seed = seed + rounds++;
		start(r->seed);
		play_round(r);
	} while (now_ms() < end);
	printf("%u rounds\n", rounds);
	r->seed = 0;
}
