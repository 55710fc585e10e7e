/* SPDX-License-Identifier: GPL-2.0-only */
/* What xpv-blkctl makes of the daemon's answers. */
#ifndef XPV_BLKCTL_H
#define XPV_BLKCTL_H

#include "xpv_os.h"

#include <json-c/json.h>

/* blkctl_show.c APIs: */

/* A member of @o, with a harmless value where there is none. A number is text as well. */
struct json_object *get(struct json_object *o, const char *key);
const char *get_text(struct json_object *o, const char *key);
bool get_truth(struct json_object *o, const char *key);

/* "500", "100M": the number, K being 1024, or -1. */
s64 parse_number(const char *text);

/* Tables of @disks, an array, on standard output. */
void show_list(struct json_object *disks);
void show_totals(struct json_object *disks);

/* What each has done since @before, which may have had others, @seconds ago. */
void show_rates(struct json_object *disks, struct json_object *before, double seconds);

#endif
