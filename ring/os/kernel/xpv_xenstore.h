/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Several nodes of xenstore written as one. */
#ifndef XPV_XENSTORE_H
#define XPV_XENSTORE_H

#include <xen/xenbus.h>

/*
 * Call @write(xbt, @arg) in a transaction, and again if somebody else's came in between, for
 * what it has read may be old then. Returns 0, or the first error, @write's or xenstore's, and
 * nothing is written. Process context.
 */
int xpv_xenstore_commit(int (*write)(struct xenbus_transaction xbt, void *arg), void *arg);

#endif
