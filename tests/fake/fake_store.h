/* SPDX-License-Identifier: GPL-2.0-only */
/* A xenstore in this process: libxenstore's calls, and the toolstack's and the guest's side of it. */
#ifndef XPV_FAKE_STORE_H
#define XPV_FAKE_STORE_H

#include <stdbool.h>

/* Nothing is in it, and nobody watches. */
void fake_store_clear(void);

/* Write and read as somebody else does; what is read is static, NULL: there is none. */
void fake_store_write(const char *path, const char *value);
const char *fake_store_read(const char *path);

/* @path and all below it. */
void fake_store_remove(const char *path);

/* What the backend's reads fail with; 0: they don't. */
extern int fake_store_error;

/* The backend may have no more nodes than there are. */
extern bool fake_store_full;

/* Called after each write by the backend. */
extern void (*fake_store_written)(const char *path);

#endif
