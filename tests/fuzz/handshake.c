// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon's handshake with a guest that writes any node, to any value, at any time, and a toolstack that
 * adds, opens, resizes and removes meanwhile. At the end, the toolstack removes the disk: nothing of it is left.
 */
#include "fuzz.h"

#include <disk.h>
#include <fake_store.h>
#include <loop.h>
#include <xenbus.h>
#include <xentop.h>

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define BACK		"backend/vbd3/7/51712"
#define FRONT		"/local/domain/7/device/vbd/51712"
#define RINGS		8u	/* the guest's first pages, which may be in a ring */
#define LIMIT_MS	10000

struct config config = { .workers = 1, .max_queues = 2, .max_ring_order = 2 };

void logf_(int priority, const char *format, ...)
{
	(void)priority, (void)format;
}

void xentop_add(const struct disk *d)
{
	(void)d;
}

void xentop_remove(const struct disk *d)
{
	(void)d;
}

static void stop_turn(void *arg)
{
	(void)arg;
	loop_end();
}

/* The main loop, for all that is there by now. */
static void run(unsigned int ms)
{
	assert(!loop_after(ms, stop_turn, NULL));
	loop_run();
}

/* What is in it goes with the disks. */
static void end_all(void)
{
	rmdir(config.run_dir);
}

static void begin_once(void)
{
	static char dir[] = "/dev/shm/xpv-fuzz.XXXXXX";

	if (config.run_dir)
		return;
	config.run_dir = mkdtemp(dir);
	assert(config.run_dir && !atexit(end_all));
	loop_make();
	fake_store_clear();
	assert(!disks_start() && !xenbus_start());
	run(1);
}

/* What libxl writes. */
static void make_node(u8 shape)
{
	fake_store_write(BACK "/frontend", FRONT);
	fake_store_write(BACK "/frontend-id", shape & 1 ? "8" : "7");
	fake_store_write(BACK "/script", "/etc/xen/scripts/block-xpv");
	fake_store_write(BACK "/params", shape & 2 ? "aio:fault:delay=1:null:64K" : "aio:null:64K");
	fake_store_write(BACK "/mode", shape & 4 ? "r" : "w");
	fake_store_write(BACK "/online", "1");
	fake_store_write(BACK "/state", "1");
	fake_store_write(FRONT "/state", "1");
}

static const char *const keys[] = {
	"state", "protocol", "ring-page-order", "event-channel", "ring-ref", "ring-ref0", "ring-ref1", "ring-ref2",
	"ring-ref3", "multi-queue-num-queues", "queue-0/ring-ref", "queue-0/event-channel", "queue-1/ring-ref",
	"queue-1/event-channel", "queue-0/ring-ref0", "queue-0/ring-ref1", "queue-1/ring-ref0", "queue-1/ring-ref1",
};

static const char *const values[] = {
	"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "x86_64-abi", "x86_32-abi", "", "-1", "4294967295", "4294967296",
	"32767", "32768", " 1", "1 ", "0x1", "native", "99999999999999999999999999",
};

static void write_node(struct input *in)
{
	char path[80], text[24];
	u8 key = eat8(in), value = eat8(in);

	snprintf(path, sizeof(path), FRONT "/%s", keys[key % ARRAY_SIZE(keys)]);
	if (value == 0xff) {
		fake_store_remove(path);
	} else if (value == 0xfe) {
		eat(in, text, sizeof(text));
		text[sizeof(text) - 1] = 0;
		fake_store_write(path, text);
	} else {
		fake_store_write(path, values[value % ARRAY_SIZE(values)]);
	}
}

/* As an honest frontend does: a ring, and all that leads to Connected. */
static void connects(void)
{
	static struct front front;

	front_make(&front, XPV_BLK_X86_64, 1, 1, 0);
	fake_store_write(FRONT "/protocol", "x86_64-abi");
	fake_store_write(FRONT "/ring-ref", "1");
	fake_store_write(FRONT "/event-channel", "0");
	fake_store_write(FRONT "/state", "3");
}

static void scribble(struct input *in)
{
	u8 *at = loop_page(1 + eat8(in) % RINGS);

	eat(in, at + eat8(in) * 4, 16);
	loop_kick(0);
	loop_kick(1);
}

/* What the store is asked for takes a thread's time, which is not the input's to choose. */
static void wait_for_store(void)
{
	struct disk *d = disk_find(7, 51712);
	u32 ms;

	for (ms = 0; d && d->errand.out; ms++, d = disk_find(7, 51712)) {
		assert(ms < LIMIT_MS);
		run(1);
	}
}

static void do_something(struct input *in)
{
	struct disk *d = disk_find(7, 51712);
	char why[STORE_WHY];
	u8 op = eat8(in);

	switch (op % 16) {
	case 0 ... 5:
		write_node(in);
		break;
	case 6:
	case 7:
		if (d)
			disk_open_store(d, why);
		break;
	case 8:
		connects();
		break;
	case 9:
		scribble(in);
		break;
	case 10:
		fake_store_write(BACK "/online", op & 16 ? "0" : "1");
		fake_store_write(BACK "/state", op & 16 ? "5" : "1");
		break;
	case 11:
		fake_store_remove(op & 16 ? BACK : FRONT);
		break;
	case 12:
		make_node(op >> 4);
		break;
	case 13:
		if (d && op & 16)
			disk_detach(d);
		else if (d && op & 32)
			disk_resize(d);
		else if (d && op & 64)
			disk_news(d, op >> 5);
		else if (d)
			disk_close_store(d);
		break;
	default:
		break;
	}
	wait_for_store();
	run(op == 0xff);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	u32 ms, steps = 0;

	begin_once();
	loop_reset();
	memset(loop_page(1), 0, RINGS * XPV_PAGE_SIZE);
	make_node(eat8(&in) & 6);
	run(0);
	while (in.left && steps++ < 200)
		do_something(&in);
	fake_store_remove(BACK);
	fake_store_remove(FRONT);
	for (ms = 0; disk_next(NULL); ms++) {
		assert(ms < LIMIT_MS);
		run(1);
	}
	assert(!fake_store_read(BACK "/state"));
	return 0;
}
