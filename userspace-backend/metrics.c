// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is counted, in the text format of OpenMetrics 1.0, by as much of HTTP as those need who
 * collect it: GET, answered once, and goodbye.
 */
#include "daemon.h"
#include "serve.h"
#include "vdev.h"

#include <inttypes.h>

enum from { STATS, SIZE, CONNECTED };

/* A family's lines stand together, a line for each disk and, where it has several, each label. */
static const struct line {
	const char *family;	/* NULL: the one above */
	const char *type, *unit, *help;
	const char *label;	/* besides those that name the disk */
	enum from from;
	size_t at;		/* in struct disk_stats */
	unsigned int times;
} lines[] = {
#define OF(field, times) STATS, offsetof(struct disk_stats, field), times
	{ "xpv_blkd_requests", "counter", NULL, "Requests of the guest that were in order.", "op=\"read\"", OF(reads, 1) },
	{ NULL, NULL, NULL, NULL, "op=\"write\"", OF(writes, 1) },
	{ NULL, NULL, NULL, NULL, "op=\"flush\"", OF(flushes, 1) },
	{ NULL, NULL, NULL, NULL, "op=\"discard\"", OF(discards, 1) },
	{ "xpv_blkd_transferred_bytes", "counter", "bytes", "Data of these requests.",
	  "op=\"read\"", OF(read_sectors, 512) },
	{ NULL, NULL, NULL, NULL, "op=\"write\"", OF(write_sectors, 512) },
	{ "xpv_blkd_errors", "counter", NULL, "Requests answered with an error.", NULL, OF(errors, 1) },
	{ "xpv_blkd_waits", "counter", NULL, "Times that requests waited for a buffer.", NULL, OF(waits, 1) },
	{ "xpv_blkd_events", "counter", NULL, "Wake-ups by the guest.", NULL, OF(events, 1) },
	{ "xpv_blkd_notifies", "counter", NULL, "Wake-ups of the guest.", NULL, OF(notifies, 1) },
	{ "xpv_blkd_inflight_requests", "gauge", "requests", "Requests taken and not answered yet.",
	  NULL, OF(inflight, 1) },
	{ "xpv_blkd_grant_copies", "counter", NULL, "Copies of data whose pages were not mapped.", NULL, OF(grant_copies, 1) },
	{ "xpv_blkd_mapped_pages", "gauge", NULL, "Pages of the guest that stay mapped.", NULL, OF(kept, 1) },
	{ "xpv_blkd_size_bytes", "gauge", "bytes", "Size of the disk.", NULL, SIZE, 0, 1 },
	{ "xpv_blkd_connected", "gauge", NULL, "1 if the guest's driver is connected.", NULL, CONNECTED, 0, 1 },
};

static u64 value_of(const struct line *l, const struct disk *d, const struct disk_stats *s)
{
	switch (l->from) {
	case SIZE:
		return d->store.bytes;
	case CONNECTED:
		return d->state == XPV_CONNECTED;
	default:
		return *(const u64 *)((const char *)s + l->at) * l->times;
	}
}

static void write_line(FILE *out, const char *family, const char *type, const struct line *l)
{
	struct disk_stats s;
	char name[VDEV_NAME];
	struct disk *d;

	for (d = disk_next(NULL); d; d = disk_next(d)) {
		disk_stats(d, &s);
		fprintf(out, "%s%s{domain=\"%u\",device=\"%s\"%s%s} %" PRIu64 "\n", family,
			strcmp(type, "counter") ? "" : "_total", d->domid, vdev_name(d->devid, name),
			l->label ? "," : "", l->label ?: "", value_of(l, d, &s));
	}
}

static void write_metrics(FILE *out)
{
	const char *family = NULL, *type = NULL;
	const struct line *l;

	for (l = lines; l < lines + ARRAY_SIZE(lines); l++) {
		if (l->family) {
			family = l->family;
			type = l->type;
			fprintf(out, "# TYPE %s %s\n", family, type);
			if (l->unit)
				fprintf(out, "# UNIT %s %s\n", family, l->unit);
			fprintf(out, "# HELP %s %s\n", family, l->help);
		}
		write_line(out, family, type, l);
	}
	fputs("# EOF\n", out);
}

static size_t whole_head(const char *in, size_t len)
{
	const char *end = memmem(in, len, "\r\n\r\n", 4);

	return end ? (size_t)(end - in) + 4 : 0;
}

static bool answer(char *request, FILE *out)
{
	if (strncmp(request, "GET ", 4)) {
		fputs("HTTP/1.1 405 Method Not Allowed\r\n"
		      "Allow: GET\r\n"
		      "Content-Length: 0\r\n"
		      "Connection: close\r\n\r\n", out);
		return false;
	}
	fputs("HTTP/1.1 200 OK\r\n"
	      "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"
	      "Connection: close\r\n\r\n", out);
	write_metrics(out);
	return false;
}

int metrics_start(char *why)
{
	static const struct service service = { whole_head, answer };

	return *config.metrics ? serve(&service, config.metrics, why) : 0;
}
