// SPDX-License-Identifier: GPL-2.0-only
/* What both lying ends do alike: words in xenstore, and giving up in good order. */
#include "rogue.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>


void die(struct rogue *r, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%u: ", r->file ? r->file : "rogue", r->line);
	if (r->seed)
		fprintf(stderr, "seed %llu: ", (unsigned long long)r->seed);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	/* The victim may be why closing fails as well. */
	if (!r->closing) {
		r->closing = true;
		script_stop();
		rogue_close(r);
	}
	exit(1);
}

u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static void write_node(struct rogue *r, const char *key, const char *value)
{
	char path[256];

	/* Kept for the offer that makes the device. */
	if (!r->own)
		return;
	snprintf(path, sizeof(path), "%s/%s", r->own, key);
	if (value ? !xs_write(r->xs, XBT_NULL, path, value, strlen(value)) :
		    !xs_rm(r->xs, XBT_NULL, path) && errno != ENOENT)
		die(r, "%s: %s", path, strerror(errno));
}

void say(struct rogue *r, const char *key, const char *format, ...)
{
	char value[128];
	va_list args;
	u32 i;

	for (i = 0; i < r->nr_said; i++)
		if (!strcmp(r->said[i].key, key)) {
			write_node(r, key, r->said[i].value);
			return;
		}
	va_start(args, format);
	if (format)
		vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	write_node(r, key, format ? value : NULL);
}

void say_rest(struct rogue *r)
{
	u32 i;

	for (i = 0; i < r->nr_said; i++)
		write_node(r, r->said[i].key, r->said[i].value);
}

void insist(struct rogue *r, const char *key, const char *value)
{
	u32 i;

	for (i = 0; i < r->nr_said && strcmp(r->said[i].key, key); i++)
		;
	if (i == ROGUE_KEYS)
		die(r, "more than %u keys", ROGUE_KEYS);
	if (i == r->nr_said)
		r->said[r->nr_said++].key = strdup(key);
	free(r->said[i].value);
	r->said[i].value = value ? strdup(value) : NULL;
	write_node(r, key, value);
}

void forget(struct rogue *r)
{
	while (r->nr_said) {
		r->nr_said--;
		write_node(r, r->said[r->nr_said].key, NULL);
		free(r->said[r->nr_said].key);
		free(r->said[r->nr_said].value);
		r->said[r->nr_said].value = NULL;
	}
}

long long ask(struct rogue *r, const char *key)
{
	long long value = -1;
	char path[256], *text;

	snprintf(path, sizeof(path), "%s/%s", r->other, key);
	text = xs_read(r->xs, XBT_NULL, path, NULL);
	if (text)
		value = strtoll(text, NULL, 10);
	free(text);
	return value;
}

void set_state(struct rogue *r, enum xpv_state state)
{
	char value[12];

	snprintf(value, sizeof(value), "%u", state);
	write_node(r, "state", value);
}

void await(struct rogue *r, u32 states)
{
	u64 end = now_ms() + r->limit_ms;
	long long state;

	do {
		state = ask(r, "state");
		/* The peer may write what it likes. */
		if (states & 1u << (state < 0 || state >= XPV_STATES ? XPV_UNKNOWN : state))
			return;
		usleep(5000);
	} while (now_ms() < end);
	die(r, "the peer's state stays %lld", state);
}

void write_frame(void *page)
{
	/* Broadcast, IPv4 of 1486 bytes with a TCP segment from 10.0.0.77 to 10.0.0.78. */
	static const u8 head[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x16, 0x3e, 0x77, 0x77, 0x77, 0x08, 0x00,
		0x45, 0x00, 0x05, 0xce, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00,
		10, 0, 0, 77, 10, 0, 0, 78,
		0x30, 0x39, 0x00, 0x09, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0x10, 0x00,
	};

	memset(page, 0, XPV_PAGE_SIZE);
	memcpy(page, head, sizeof(head));
}

int main(int argc, char **argv)
{
	struct rogue r = { .port = -1, .ctl_port = -1, .queues = 1, .limit_ms = 15000 };
	const char *limit = getenv("ROGUE_LIMIT");
	FILE *file;
	int used;

	if (argc < 2 || (strcmp(argv[1], "vbd") && strcmp(argv[1], "vif"))) {
		fprintf(stderr, "usage: %s\n", rogue_usage);
		return 2;
	}
	if (limit)
		r.limit_ms = 1000 * strtoul(limit, NULL, 0);
	r.vif = !strcmp(argv[1], "vif");
	r.xs = xs_open(0);
	r.evtchn = xenevtchn_open(NULL, 0);
	if (!r.xs || !r.evtchn) {
		fprintf(stderr, "no xenstore or /dev/xen/evtchn here: run it as root in a Xen domain\n");
		return 1;
	}
	used = rogue_open(&r, argc - 2, argv + 2);
	if (argc != used + 3) {
		fprintf(stderr, "usage: %s\n", rogue_usage);
		return 2;
	}
	r.file = argv[argc - 1];
	file = fopen(r.file, "r");
	if (!file)
		die(&r, "%s", strerror(errno));
	script_play(&r, file);
	r.closing = true;
	rogue_close(&r);
	return 0;
}
