/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What may take long, or for ever, where a server or a disk does not answer: opening, measuring and
 * closing a store. A thread of its own does it, for nobody else may wait.
 *
 *   main thread    errand_send() ... serves all others ... back()
 *   its thread          store_open(), _measure() or _close()
 *
 * One that is out is its thread's, but for @out and @back; before and after that it is the main
 * thread's. Those that never come back hold a thread each.
 */
#ifndef XPV_BLKD_ERRAND_H
#define XPV_BLKD_ERRAND_H

#include "store.h"

enum errand_kind { ERRAND_OPEN, ERRAND_MEASURE, ERRAND_CLOSE };

struct errand {
	struct errand *next;
	enum errand_kind kind;
	bool out;
	void (*back)(struct errand *e);	/* on the main thread, which may send it again */
	struct store store;
	char *target;		/* of what is to be opened */
	int err;		/* what came of it, and why */
	char why[STORE_WHY];
};

/* errand.c APIs, for the main thread: */

/* From now on they can be sent. Returns 0 or a negative errno. */
int errands_start(void);

/* None is sent any more, but by one that comes back: wait for those that are out, for a while. */
void errands_stop(void);

/* What is to be done with @e->store. Where there can't be a thread, it is out until there can. */
void errand_send(struct errand *e, enum errand_kind kind);

#endif
