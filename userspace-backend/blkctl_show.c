// SPDX-License-Identifier: GPL-2.0-only
#include "blkctl.h"

#include <inttypes.h>
#include <stdio.h>

struct json_object *get(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(o, key, &value);
	return value;
}

const char *get_text(struct json_object *o, const char *key)
{
	struct json_object *value = get(o, key);

	return value ? json_object_get_string(value) : "-";
}

bool get_truth(struct json_object *o, const char *key)
{
	return json_object_get_boolean(get(o, key));
}

static u64 get_number(struct json_object *o, const char *key)
{
	return json_object_get_uint64(get(o, key));
}

s64 parse_number(const char *text)
{
	static const char unit[] = "KMGT";
	const char *at;
	char *end;
	s64 n;
	u32 i;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || n < 0)
		return -1;
	at = *end ? strchr(unit, *end) : NULL;
	if (at)
		end++;
	for (i = 0; at && i <= (u32)(at - unit); i++)
		if (__builtin_mul_overflow(n, 1024, &n))
			return -1;
	return *end ? -1 : n;
}

/* 0, 999, 1.0K, 97.7M: at most four characters up to 999E. Bytes are counted by 1024. */
static const char *brief(double n, u32 base, char text[16])
{
	static const char unit[] = " KMGTPE";
	const char *u = unit;

	for (; n >= 999.5 && u[1]; u++)
		n /= base;
	snprintf(text, 16, n < 99.95 && u > unit ? "%.1f%.1s" : "%.0f%.1s", n, u > unit ? u : "");
	return text;
}

void show_list(struct json_object *disks)
{
	char size[16];
	size_t i;

	printf("%-12s %-8s %-12s %-4s %6s %6s  %s\n", "DISK", "VDEV", "STATE", "MODE", "SIZE", "QUEUES", "TARGET");
	for (i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *d = json_object_array_get_idx(disks, i);

		printf("%-12s %-8s %-12s %-4s %6s %6s  %s\n", get_text(d, "disk"),
		       get_text(d, "vdev"), get_text(d, "state"), get_truth(d, "readonly") ? "r" : "w", brief(get_number(d, "bytes"), 1024, size),
		       get_text(d, "queues"), get_text(d, "target"));
	}
}

static const char *const columns[] = {
	"reads", "writes", "flushes", "discards", "read_bytes", "write_bytes", "errors", "waits",
};

static void show_head(const char *vdev)
{
	printf("%-12s %-8s %8s %8s %8s %8s %8s %8s %8s %8s %8s\n", "DISK", vdev, "READS", "WRITES", "FLUSHES",
	       "DISCARDS", "READ-B", "WRITE-B", "ERRORS", "WAITS", "INFLIGHT");
}

static void show_row(struct json_object *d, struct json_object *was, double seconds)
{
	struct json_object *s = get(d, "stats");
	char text[16];
	size_t i;

	printf("%-12s %-8s", get_text(d, "disk"), get_text(d, "vdev"));
	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		u64 now = get_number(s, columns[i]), then = get_number(was, columns[i]);
		u32 base = strstr(columns[i], "bytes") ? 1024 : 1000;

		/* Of a guest that left and came again the count is a new one. */
		printf(" %8s", brief(now >= then ? (now - then) / seconds : 0, base, text));
	}
	printf(" %8s\n", get_text(s, "inflight"));
}

void show_totals(struct json_object *disks)
{
	size_t i;

	show_head("VDEV");
	for (i = 0; i < json_object_array_length(disks); i++)
		show_row(json_object_array_get_idx(disks, i), NULL, 1);
}

void show_rates(struct json_object *disks, struct json_object *before, double seconds)
{
	size_t i, j;

	show_head("/s");
	for (i = 0; i < json_object_array_length(disks); i++) {
		struct json_object *d = json_object_array_get_idx(disks, i);

		for (j = 0; j < json_object_array_length(before); j++) {
			struct json_object *was = json_object_array_get_idx(before, j);

			if (!strcmp(get_text(d, "disk"), get_text(was, "disk")))
				show_row(d, get(was, "stats"), seconds);
		}
	}
	printf("\n");
}
