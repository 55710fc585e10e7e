// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a request through the daemon: a guest that writes what it likes into its ring and its pages, and
 * a worker that serves it. Whatever that was, the queue drains, and the next guest is served.
 */
#include "fuzz.h"

#include <disk.h>
#include <loop.h>
#include <queue.h>

#include <stdio.h>
#include <unistd.h>

#define DATA		64u	/* first page of the guest's data */
#define PAGES		64u	/* of it */
#define TURNS		100000u	/* of the worker's, until a queue has drained for certain */

struct config config = { .workers = 1 };

static const struct {
	const char *target;
	bool readonly, limited;
} kinds[] = {
	{ .target = "null:64K" },
	{ .target = "null:64K", .readonly = true },
	/* To more than anybody can do: none is to be waited for here. */
	{ .target = "null:64K", .limited = true },
	{ .target = "fault:every=3,error=5:null:64K" },
	/* EOPNOTSUPP */
	{ .target = "fault:every=2,error=95:null:64K" },
	{ .target = "512:null:64K" },
};

static struct disk *disks[ARRAY_SIZE(kinds)], *disk;
static struct front front;

/* What is in it goes with the disks. */
static void end_all(void)
{
	rmdir(config.run_dir);
}

static void begin_once(void)
{
	static char dir[] = "/dev/shm/xpv-fuzz.XXXXXX";
	char why[STORE_WHY];
	u32 i;

	if (disks[0])
		return;
	config.run_dir = mkdtemp(dir);
	assert(config.run_dir && !atexit(end_all));
	loop_make();
	assert(!disks_start());
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		disks[i] = disk_add(LOOP_DOMID, i, "backend/vbd3/7/0", "/local/domain/7/device/vbd/0");
		disks[i]->readonly = kinds[i].readonly;
		if (kinds[i].limited)
			disk_set_limits(disks[i], 1000000000, 1ull << 40);
		assert(!store_open(&disks[i]->store, kinds[i].target, why));
		disk_measure(disks[i]);
	}
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* What the worker has been told of until now, it has done: the first call comes after that, the next after a turn. */
static void settle(void)
{
	u32 i;

	for (i = 0; i < 3; i++)
		worker_call(disk->queue[0]->worker, nothing, NULL);
}

/* Between two turns the queue holds no more than its ring does, and all that it has answered is shown. */
static int check_books(void *arg)
{
	struct queue *q = arg;

	assert(q->inflight <= q->ring.size && xpv_back_inflight(&q->ring) == q->inflight);
	assert(q->ring.shared->rsp_prod == q->ring.prod);
	return 0;
}

static u32 page(struct input *in)
{
	u32 n = eat8(in);

	/* Some that the guest has not granted. */
	return n == 0xff ? LOOP_PAGES : DATA + n % PAGES;
}

/* A request as a driver would write it, more or less. */
static void add_request(struct input *in)
{
	struct xpv_blk_req req = { .op = eat8(in) & 7, .id = eat8(in) };
	u8 shape = eat8(in);
	u32 i;

	req.indirect = shape & 0x80;
	req.nr_segs = shape & 0x0f;
	req.sector = eat8(in);
	if (shape & 0x40) {
		req.nr_segs = eat16(in);
		req.sector = eat64(in);
	}
	if (req.op == XPV_BLK_DISCARD)
		req.nr_sectors = eat8(in);
	for (i = 0; !req.indirect && i < req.nr_segs && i < XPV_BLK_DIRECT_SEGS; i++) {
		req.seg[i].gref = page(in);
		req.seg[i].first = shape & 0x20 ? eat8(in) : 0;
		req.seg[i].last = shape & 0x20 ? eat8(in) : 7;
	}
	for (i = 0; req.indirect && i < XPV_BLK_INDIRECT_PAGES; i++)
		req.ind[i] = page(in);
	if (xpv_front_free(&front.ring))
		front_add(&front, &req);
}

/* Segments, most of them good, into one of the pages. */
static void write_table(struct input *in)
{
	struct xpv_blk_seg *seg = loop_page(DATA + eat8(in) % PAGES);
	u32 i, n = eat8(in) * 2u;

	for (i = 0; i < n; i++) {
		u8 ends = eat8(in);

		seg[i].gref = DATA + i % PAGES;
		seg[i].first = ends >> 4;
		seg[i].last = 7 - (ends & 0x0f);
	}
}

static void do_something(struct input *in)
{
	struct xpv_sring *shared = front.ring.shared;
	u32 at;

	switch (eat8(in) % 9) {
	case 0:
	case 1:
		add_request(in);
		break;
	case 2:
		write_table(in);
		break;
	case 3:
		/* Any bytes in a slot; without an honest end to know how many there are. */
		at = eat8(in);
		eat(in, xpv_ring_slot(&front.ring, at), front.ring.stride);
		break;
	case 4:
		front_publish(&front);
		loop_kick(front.info.port);
		break;
	case 5:
		virt_store_release(&shared->req_prod, shared->req_prod + (u32)(s8)eat8(in));
		loop_kick(front.info.port);
		break;
	case 6:
		WRITE_ONCE(shared->rsp_event, eat32(in));
		break;
	case 7:
		front.ring.cons += xpv_front_pending(&front.ring);
		break;
	case 8:
		settle();
		break;
	}
}

static void end(void)
{
	struct worker *w = disk->queue[0]->worker;
	u32 turns;

	for (turns = 0; disk_disconnect(disk, false) == -EAGAIN; turns++) {
		assert(turns < TURNS);
		worker_call(w, nothing, NULL);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	u8 shape = eat8(&in);

	begin_once();
	disk = disks[(shape & 7) % ARRAY_SIZE(disks)];
	disk->abi = shape & 8 ? XPV_BLK_X86_32 : XPV_BLK_X86_64;
	disk->discard_enabled = !(shape & 0x80);
	disk_measure(disk);
	disk->limits.block_sectors = shape & 0x40 ? 8 : 1;
	loop_reset();
	memset(loop_page(DATA), 0, PAGES * XPV_PAGE_SIZE);
	front_make(&front, disk->abi, 1, 1u << (shape >> 4 & 3), 0);
	assert(!disk_connect(disk, &front.info, 1, false));
	while (in.left)
		do_something(&in);
	front_publish(&front);
	loop_kick(front.info.port);
	settle();
	worker_call(disk->queue[0]->worker, check_books, disk->queue[0]);
	end();
	return 0;
}
