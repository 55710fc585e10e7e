/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A peer that lies by script. script.c reads what to do, in the words of fields.c, or random.c makes
 * it up; rogue.c does what both ends do alike; front.c or back.c, whichever is linked, is the end that is played.
 *
 *   open --> offer --> (rings and channel are there) --> close
 *    ^          the script may go round this            |
 *    '--------------------------------------------------'
 */
#ifndef ROGUE_H
#define ROGUE_H

#include <xpv/blkif.h>
#include <xpv/netif.h>
#include <xpv/ring.h>
#include <xpv/state.h>
#include <stdio.h>
#include <xenevtchn.h>
#include <xenstore.h>

#define ROGUE_RINGS	3u
#define ROGUE_CTL	2u	/* of a vif: the control ring */
#define ROGUE_QUEUES	4u	/* only the first one's rings are played on */
#define ROGUE_PAGES	32u	/* with data, which the peer may map */
#define ROGUE_KEYS	32u

/* A named place in a slot; with @count above 1, NAME0 to NAME(count-1), @stride apart. */
struct field {
	const char *name;
	u8 offset, size, stride, count;
};

/* What a ring carries, requests and responses. */
struct wire {
	const struct field *req, *rsp;
	u32 req_len, rsp_len;
};

/* One ring as this end drives it: without any of the checks of <xpv/ring.h>. */
struct ring {
	struct xpv_sring *shared;	/* NULL while there is none */
	u32 size, stride;
	u32 prod, cons;
	u32 *shown, *seen;	/* the shared index that we write, and the one that we read */
	const struct field *out, *in;
	u32 out_len, in_len;
};

struct rogue {
	bool vif;		/* else vbd */
	struct xs_handle *xs;
	char *own, *other;	/* directories in xenstore, NULL while there is no device */
	u32 domid;		/* the victim's */
	struct ring ring[ROGUE_RINGS];	/* vbd: one; vif: transmit, receive and control */
	u32 order;		/* of a vbd's ring */
	bool narrow;		/* its slots are laid out as a 32-bit guest's */
	u32 queues;
	bool ctl;		/* a vif has a control ring */
	xenevtchn_handle *evtchn;
	xenevtchn_port_or_error_t port;	/* -1 while there is none */
	xenevtchn_port_or_error_t ctl_port;	/* of the control ring; the same */

	u32 limit_ms;		/* for whatever the peer has to do next: $ROGUE_LIMIT seconds, or 15 */
	const char *file;	/* the script, and where we are in it */
	u32 line;
	u64 seed;		/* of the round being played at random; 0: of none */
	bool closing;		/* nothing that fails now is tried again */

	/* What the script says in place of what an honest peer would: NULL values are left out. */
	struct {
		char *key, *value;
	} said[ROGUE_KEYS];
	u32 nr_said;
};

/* rogue.c APIs: */

/* Say why on standard error, give everything back, and exit with 1. */
void die(struct rogue *r, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* Write @key as an honest peer would, no @format: remove it; unless the script has said otherwise. */
void say(struct rogue *r, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Write what only the script says; before the state that makes the peer read it. */
void say_rest(struct rogue *r);

/* Say @value whatever an honest peer says; NULL leaves @key out. At once too, if there is a device. */
void insist(struct rogue *r, const char *key, const char *value);

/* Of all that was insisted on. */
void forget(struct rogue *r);

/* A number out of the victim's directory; -1 when it isn't there. */
long long ask(struct rogue *r, const char *key);

void set_state(struct rogue *r, enum xpv_state state);

/* Wait until the victim's state is one of the bits in @states; dies when it never is. */
void await(struct rogue *r, u32 states);

u64 now_ms(void);

/* A frame that asks for segmentation and checksums, into a page of a vif. */
void write_frame(void *page);

/* fields.c APIs: */

extern const struct wire wires[];	/* a vbd's ring, a vif's three, a 32-bit vbd's */
extern const struct field segment[], grant[], net_extra[];

/* The field called @name, its number included, and where it lies; NULL if there is none. */
const struct field *find(const struct field *fields, const char *name, u32 *offset);

/* script.c APIs: */

/* Do what @file says, to its end; dies when the victim does something else than it says. */
void script_play(struct rogue *r, FILE *file);

/* One statement, whose text is taken apart. */
void script_line(struct rogue *r, char *line);

/* The one that statements mean now. */
const struct ring *script_ring(void);

/* End what goes on in the background. */
void script_stop(void);

/* Take @shared pages as ring @i; the indices are where the frontend left them. */
void ring_up(struct rogue *r, u32 i, void *shared, u32 pages);

/* random.c APIs: */

/* Rounds of anything for so long, and one at least; then say on standard output how many they were. */
void random_attack(struct rogue *r, u64 seed, u32 seconds);

/* What an end has to offer: */

extern const char *const rogue_usage;
/* True for the frontend: it puts requests and takes responses. */
extern const bool rogue_is_front;

/* Read the arguments behind the kind; returns how many were read. Sets domid. */
int rogue_open(struct rogue *r, int argc, char **argv);
/* The handshake up to where rings and channel exist on this end. */
void rogue_offer(struct rogue *r);
/* The same of the same device, whose peer is Initialising again. */
void rogue_return(struct rogue *r);
/* The last step of an honest one. */
void rogue_connect(struct rogue *r);
/* A name in an expression that only this end knows, such as the grant of a page. */
bool rogue_symbol(struct rogue *r, const char *name, u64 *value);
/* Map the victim's page behind @gref and keep it until the close. */
void rogue_grab(struct rogue *r, u32 gref);
/* The victim's page behind @gref has to be zeroes. */
void rogue_look_clean(struct rogue *r, u32 gref);
/* Unmap the page that was grabbed last, or @all there is, rings too. */
void rogue_drop(struct rogue *r, bool all);
/* Rings, channel and pages back, Closed said. May be called in any state. */
void rogue_close(struct rogue *r);

#endif
