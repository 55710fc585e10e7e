// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "load.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct config config = { .workers = 2 };

char image[64];
u8 *model;
struct disk *disk;
struct front front[MAX_QUEUES];
bool persistent;

static char dir[] = "/tmp/xpv-test.XXXXXX";
static unsigned int fronts;
static u32 seed = 1;

u32 number(u32 below)
{
	seed = seed * 1664525u + 1013904223u;
	return (u32)((u64)seed * below >> 32);
}

/* --- a disk, connected --- */

void open_disk(const char *target)
{
	char why[STORE_WHY];
	int i, err;

	disk = disk_add(LOOP_DOMID, 51712, "backend/vbd3/7/51712", "/local/domain/7/device/vbd/51712");
	assert_non_null(disk);
	/* A killed predecessor's last I/O may go on for a moment. */
	for (i = 0; i < 500; i++) {
		err = store_open(&disk->store, target, why);
		if (err != -EAGAIN)
			break;
		poll(NULL, 0, 10);
	}
	if (err)
		print_error("%s\n", why);
	assert_int_equal(err, 0);
	disk_measure(disk);
}

void make_fronts(unsigned int n, u32 pages, enum xpv_blk_abi abi)
{
	u32 i;

	loop_reset();
	/* Page 0 is what garbage names most often. */
	for (i = 0; i < n; i++)
		front_make(&front[i], abi, 1 + i * pages, pages, i);
	fronts = n;
}

int connect_disk(bool recover)
{
	struct ring_info info[MAX_QUEUES];
	unsigned int i;

	for (i = 0; i < fronts; i++)
		info[i] = front[i].info;
	disk->abi = front[0].abi;
	disk->persistent = persistent;
	return disk_connect(disk, info, fronts, recover);
}

void begin(const char *target, unsigned int n, u32 pages, enum xpv_blk_abi abi)
{
	make_fronts(n, pages, abi);
	assert_int_equal(disks_start(), 0);
	open_disk(target);
	assert_int_equal(connect_disk(false), 0);
}

void end(void)
{
	int tries = LIMIT_MS;

	while (disk_disconnect(disk, false) == -EAGAIN && tries--)
		poll(NULL, 0, 1);
	assert_int_equal(disk->nr_queues, 0);
	disk_free(disk);
	disks_stop();
}

/* --- many requests at once, against a model of the disk --- */

#define AREA_SECTORS	512u	/* each slot of a load has its own area of the disk */
#define AREAS		(DISK_BYTES / 512 / AREA_SECTORS)
#define AREA_PAGES	(AREA_SECTORS / 8 + 1)

static struct load {
	bool busy;
	struct xpv_blk_req req;
	u32 queue;
} load[AREAS];

static u32 area_page(u32 i)
{
	return DATA + i * (AREA_PAGES + 1);
}

/* Where @req's data is in the guest, a segment after the other. */
static void each_byte(const struct xpv_blk_req *req, void (*fn)(u8 *guest, u8 *model, u32 n))
{
	const struct xpv_blk_seg *seg = req->indirect ? loop_page(req->ind[0]) : req->seg;
	u64 at = req->sector * 512;
	u32 i;

	for (i = 0; i < req->nr_segs; i++) {
		u32 n = (seg[i].last - seg[i].first + 1u) * 512;

		fn((u8 *)loop_page(seg[i].gref) + seg[i].first * 512, model + at, n);
		at += n;
	}
}

static void write_model(u8 *guest, u8 *mod, u32 n)
{
	u32 i;

	for (i = 0; i < n; i += 4) {
		u32 v = number(~0u);

		memcpy(guest + i, &v, 4);
	}
	memcpy(mod, guest, n);
}

static void spoil(u8 *guest, u8 *mod, u32 n)
{
	(void)mod;
	memset(guest, 0x5a, n);
}

static void compare(u8 *guest, u8 *mod, u32 n)
{
	assert_memory_equal(guest, mod, n);
}

/* Something to read or write in area @i. */
static void invent(u32 i, bool indirect)
{
	struct xpv_blk_req *req = &load[i].req;
	struct xpv_blk_seg *seg = req->seg;
	u32 k, n, sectors = 0, room = AREA_SECTORS;

	memset(req, 0, sizeof(*req));
	req->id = i;
	req->op = number(2) ? XPV_BLK_WRITE : XPV_BLK_READ;
	n = 1 + number(XPV_BLK_DIRECT_SEGS);
	if (indirect && number(2)) {
		req->indirect = true;
		req->ind[0] = area_page(i) + AREA_PAGES;
		seg = loop_page(req->ind[0]);
		n = 1 + number(AREA_SECTORS / 8);
	}
	for (k = 0; k < n; k++) {
		seg[k].gref = area_page(i) + k;
		seg[k].first = number(3) ? 0 : (u8)number(8);
		seg[k].last = number(3) ? 7 : (u8)(seg[k].first + number(8u - seg[k].first));
		sectors += seg[k].last - seg[k].first + 1u;
	}
	req->nr_segs = (u16)n;
	req->sector = (u64)i * AREA_SECTORS + number(room - sectors + 1);
	each_byte(req, req->op == XPV_BLK_WRITE ? write_model : spoil);
}

void add_some(u32 *left)
{
	u32 i;

	for (i = 0; i < AREAS && *left; i++) {
		u32 q = i % fronts;

		if (load[i].busy || !xpv_front_free(&front[q].ring))
			continue;
		invent(i, true);
		load[i].busy = true;
		load[i].queue = q;
		front_add(&front[q], &load[i].req);
		--*left;
	}
	for (i = 0; i < fronts; i++)
		front_publish(&front[i]);
}

static void take_one(struct front *f, int ms)
{
	struct front_response rsp;

	assert_true(front_take(f, &rsp, ms));
	assert_in_range(rsp.id, 0, AREAS - 1);
	assert_true(load[rsp.id].busy);
	assert_int_equal(rsp.status, XPV_BLK_OK);
	assert_int_equal(rsp.op, load[rsp.id].req.op);
	each_byte(&load[rsp.id].req, compare);
	load[rsp.id].busy = false;
}

u32 take_ready(void)
{
	u32 q, n = 0;

	for (q = 0; q < fronts; q++)
		while (xpv_front_inflight(&front[q].ring) &&
		       (xpv_front_pending(&front[q].ring) || xpv_front_rearm(&front[q].ring, 1))) {
			take_one(&front[q], 0);
			n++;
		}
	return n;
}

void wait_any(void)
{
	u32 q;

	for (q = 0; q < fronts; q++)
		if (xpv_front_inflight(&front[q].ring)) {
			loop_wait(front[q].info.port, 10);
			return;
		}
}

/* Nothing is in flight any more. */
void settle(void)
{
	struct timespec a, b;
	u32 q, left;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		take_ready();
		for (q = left = 0; q < fronts; q++)
			left += xpv_front_inflight(&front[q].ring);
		if (left)
			wait_any();
		clock_gettime(CLOCK_MONOTONIC, &b);
		assert_true(b.tv_sec - a.tv_sec < LIMIT_MS / 1000);
	} while (left);
}

void work(u32 requests)
{
	u32 left = requests;

	while (left) {
		add_some(&left);
		if (!take_ready())
			wait_any();
	}
	settle();
}

void check_image(void)
{
	u8 *map;
	int fd = open(image, O_RDONLY);

	map = mmap(NULL, DISK_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_memory_equal(map, model, DISK_BYTES);
	munmap(map, DISK_BYTES);
	close(fd);
}

int fresh_image(void **state)
{
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);

	(void)state;
	if (fd < 0 || ftruncate(fd, DISK_BYTES))
		return -1;
	close(fd);
	memset(model, 0, DISK_BYTES);
	memset(load, 0, sizeof(load));
	config.poll_us = 0;
	return 0;
}

void load_begin(void)
{
	assert_non_null(mkdtemp(dir));
	config.run_dir = dir;
	snprintf(image, sizeof(image), "%s/image", dir);
	model = malloc(DISK_BYTES);
	loop_make();
}

void load_end(void)
{
	unlink(image);
	snprintf(image, sizeof(image), "%s/%u-%u.inflight", dir, LOOP_DOMID, 51712);
	unlink(image);
	rmdir(dir);
	free(model);
}
