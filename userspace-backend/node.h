/* SPDX-License-Identifier: GPL-2.0-only */
/* Values in xenstore. Directories may be relative to this domain's. */
#ifndef XPV_BLKD_NODE_H
#define XPV_BLKD_NODE_H

#include "xpv_os.h"

#include <xenstore.h>
#include <xpv/state.h>

extern struct xs_handle *node_store;

/* The text of @dir/@key, to be freed; NULL: errno ENOENT if there is none, else why it can't be read. */
char *node_read(const char *dir, const char *key);

/* A number, written as the protocol has it. 0, -EINVAL if it is none, -ENOENT or why it can't be read. */
int node_number(const char *dir, const char *key, u32 *value);

/* The same, or @missing if there is none that can be read. */
u32 node_number_or(const char *dir, const char *key, u32 missing);

/* Is there such a text? */
bool node_says(const char *dir, const char *key, const char *what);

/*
 * @dir's state; XPV_UNKNOWN if there is none, for then @dir is gone; @junk for what is no state, or can't be read, neither
 * of which says that.
 */
enum xpv_state node_state(const char *dir, enum xpv_state junk);

/*
 * A transaction on a backend's @dir, 0 if there is no such: what the toolstack has removed must not
 * be made anew by writing to it. The end of it: false and errno EAGAIN says to do it again.
 */
xs_transaction_t node_begin(const char *dir);
bool node_end(xs_transaction_t t, bool keep);

/* Part of @t, or of one of its own, by XBT_NULL. */
bool node_write(xs_transaction_t t, const char *dir, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
