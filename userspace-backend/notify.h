/* SPDX-License-Identifier: GPL-2.0-only */
/* Word to systemd, if it started us. */
#ifndef XPV_BLKD_NOTIFY_H
#define XPV_BLKD_NOTIFY_H

/* "READY=1", "STOPPING=1", ... */
void notify(const char *state);

/* Tell it from now on that the main thread's loop turns, as often as it asks for. */
void notify_watchdog(void);

#endif
