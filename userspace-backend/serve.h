/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Those who ask the daemon something: each connects, asks, is answered, and asks again or is
 * done. The main thread never waits for one of them, and none of them can keep another out: of
 * those that are too many, the one that was silent for longest is hung up on.
 */
#ifndef XPV_BLKD_SERVE_H
#define XPV_BLKD_SERVE_H

#include "xpv_os.h"

#include <stdio.h>

#define SERVE_WHY	256	/* bytes for a reason */
#define SERVE_REQUEST	4096	/* bytes of the longest request */
#define SERVE_CLIENTS	16	/* of a service, at once */

struct service {
	/* How long is the first request in @in, which has @len bytes? 0: it is not whole yet. */
	size_t (*whole)(const char *in, size_t len);

	/* Answer @request, behind which is a NUL, on @out. False: it was the last one. */
	bool (*answer)(char *request, FILE *out);
};

/* serve.c APIs, for the main thread: */

/*
 * From now on, at @address: the path of a socket, which only root may open, or ADDRESS:PORT. A
 * negative errno, and why in @why, SERVE_WHY bytes, if that can't be.
 */
int serve(const struct service *s, const char *address, char *why);

#endif
