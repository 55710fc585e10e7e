// SPDX-License-Identifier: GPL-2.0-only
/* The userspace backend's own code and real I/O, with a frontend in the same process. */
#include "test.h"

#include <load.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct xpv_blk_req request(u8 op, u64 sector, u32 gref, u8 first, u8 last)
{
	struct xpv_blk_req req = { .op = op, .sector = sector, .nr_segs = 1, .id = 42 };

	req.seg[0] = (struct xpv_blk_seg){ .gref = gref, .first = first, .last = last };
	return req;
}

static s16 status_of(struct front *f, const struct xpv_blk_req *req)
{
	struct front_response rsp;

	front_add(f, req);
	front_publish(f);
	assert_true(front_take(f, &rsp, LIMIT_MS));
	assert_int_equal(rsp.id, req->id);
	assert_int_equal(rsp.op, req->op);
	return rsp.status;
}

static void data_arrives(void **state)
{
	static const struct { unsigned int queues; u32 pages; enum xpv_blk_abi abi; } shape[] = {
		{ 1, 1, XPV_BLK_X86_64 }, { 1, 1, XPV_BLK_X86_32 }, { 4, 1, XPV_BLK_NATIVE }, { 2, 16, XPV_BLK_X86_32 },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(shape); i++) {
		begin(image, shape[i].queues, shape[i].pages, shape[i].abi);
		work(500);
		check_image();
		end();
	}
}

static void polling_serves(void **state)
{
	(void)state;
	config.poll_us = 200;
	begin(image, 2, 1, XPV_BLK_X86_64);
	work(500);
	check_image();
	end();
}

static void what_is_refused(void **state)
{
	struct xpv_blk_req req;
	struct disk_stats stats;

	(void)state;
	begin(image, 1, 1, XPV_BLK_X86_64);
	req = request(XPV_BLK_READ, DISK_BYTES / 512, DATA, 0, 0);
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_ERROR);
	req = request(XPV_BLK_READ, 0, LOOP_PAGES, 0, 0);
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_ERROR);
	req = request(XPV_BLK_WRITE, 0, LOOP_PAGES, 0, 7);
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_ERROR);
	req = request(XPV_BLK_WRITE, 0, DATA, 3, 2);
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_ERROR);
	req = request(77, 0, DATA, 0, 0);
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_EOPNOTSUPP);
	/* One page of several is not there, and a page of segments is not. */
	req = request(XPV_BLK_WRITE, 0, DATA, 0, 7);
	req.seg[1] = (struct xpv_blk_seg){ .gref = LOOP_PAGES + 1, .first = 0, .last = 7 };
	req.nr_segs = 2;
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_ERROR);
	req.indirect = true;
	req.ind[0] = LOOP_PAGES;
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_ERROR);
	check_image();
	disk_stats(disk, &stats);
	assert_int_equal(stats.errors, 7);
	end();
}

static void readonly_stays(void **state)
{
	struct xpv_blk_req req = request(XPV_BLK_WRITE, 0, DATA, 0, 7);

	(void)state;
	make_fronts(1, 1, XPV_BLK_X86_64);
	assert_int_equal(disks_start(), 0);
	open_disk(image);
	disk->readonly = true;
	disk_measure(disk);
	assert_int_equal(connect_disk(false), 0);
	memset(loop_page(DATA), 0xff, 4096);
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_ERROR);
	req = (struct xpv_blk_req){ .op = XPV_BLK_DISCARD, .nr_sectors = 8 };
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_ERROR);
	check_image();
	end();
}

static void flush_and_discard(void **state)
{
	struct xpv_blk_req req = request(XPV_BLK_FLUSH, 8, DATA, 0, 7);

	(void)state;
	begin(image, 1, 1, XPV_BLK_X86_64);
	memset(loop_page(DATA), 0x77, 4096);
	memset(model + 4096, 0x77, 4096);
	/* A flush that brings data. */
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_OK);
	check_image();
	req = (struct xpv_blk_req){ .op = XPV_BLK_FLUSH, .sector = ~0ull };
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_OK);
	req = (struct xpv_blk_req){ .op = XPV_BLK_DISCARD, .sector = 8, .nr_sectors = 8 };
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_OK);
	memset(model + 4096, 0, 4096);
	check_image();
	end();
}

/* As many as a ring holds, of what the store does one by one. */
static void floods_are_answered(void **state)
{
	static const u8 ops[] = { XPV_BLK_FLUSH, XPV_BLK_DISCARD };
	struct front_response rsp;
	u32 i, round;

	(void)state;
	begin(image, 1, 4, XPV_BLK_X86_64);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 128; i++) {
			struct xpv_blk_req req = { .op = ops[i & 1], .sector = i * 8, .nr_sectors = i & 1 ? 8 : 0 };

			front_add(&front[0], &req);
		}
		front_publish(&front[0]);
		for (i = 0; i < 128; i++) {
			assert_true(front_take(&front[0], &rsp, LIMIT_MS));
			assert_int_equal(rsp.status, XPV_BLK_OK);
		}
	}
	check_image();
	end();
}

/* All write the same block: the last one's data are there in the end. */
static void barriers_keep_order(void **state)
{
	struct front_response rsp;
	u32 round, i, n = 32;

	(void)state;
	begin(image, 1, 1, XPV_BLK_X86_64);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < n; i++) {
			struct xpv_blk_req req = request(i & 1 ? XPV_BLK_BARRIER : XPV_BLK_WRITE, 64, DATA + i, 0, 7);

			req.id = i;
			memset(loop_page(DATA + i), (int)(round * n + i), 4096);
			front_add(&front[0], &req);
		}
		front_publish(&front[0]);
		for (i = 0; i < n; i++) {
			assert_true(front_take(&front[0], &rsp, LIMIT_MS));
			assert_int_equal(rsp.status, XPV_BLK_OK);
			assert_int_equal(rsp.id, i);
		}
		memset(model + 64 * 512, (int)(round * n + n - 1), 4096);
		check_image();
	}
	end();
}

/* What could not be flushed before it keeps data from being written; a barrier's have to be flushed as well. */
static void data_wait_for_what_was_before(void **state)
{
	/* A store of small sectors on other ones can't write to the medium at once. */
	static const struct { u8 op; const char *target; s16 status; bool written; } asked[] = {
		{ XPV_BLK_FLUSH, "fault:op=flush,nth=1,error=5:", XPV_BLK_ERROR, false },
		{ XPV_BLK_FLUSH, "fault:op=flush,nth=2,error=5:", XPV_BLK_OK, true },
		{ XPV_BLK_FLUSH, "fault:op=write,error=5:", XPV_BLK_ERROR, false },
		{ XPV_BLK_BARRIER, "fault:op=flush,nth=1,error=5:", XPV_BLK_ERROR, false },
		{ XPV_BLK_BARRIER, "fault:op=flush,nth=2,error=5:", XPV_BLK_OK, true },
		{ XPV_BLK_BARRIER, "fault:op=write,error=5:", XPV_BLK_ERROR, false },
		{ XPV_BLK_BARRIER, "512:fault:op=flush,nth=1,error=5:", XPV_BLK_ERROR, false },
		{ XPV_BLK_BARRIER, "512:fault:op=flush,nth=2,error=5:", XPV_BLK_ERROR, true },
		{ XPV_BLK_BARRIER, "512:fault:op=flush,nth=3,error=5:", XPV_BLK_OK, true },
	};
	char target[96];
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		struct xpv_blk_req req = request(asked[i].op, 64, DATA, 0, 7);

		snprintf(target, sizeof(target), "%s%s", asked[i].target, image);
		begin(target, 1, 1, XPV_BLK_X86_64);
		memset(loop_page(DATA), (int)i + 1, 4096);
		assert_int_equal(status_of(&front[0], &req), asked[i].status);
		if (asked[i].written)
			memset(model + 64 * 512, (int)i + 1, 4096);
		check_image();
		end();
	}
}

static u64 cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

/* What is on the ring behind a barrier that waits is looked at when its time has come. */
static void who_waits_sleeps(void **state)
{
	struct front_response rsp;
	struct xpv_blk_req req;
	char target[96];
	u64 before;
	u32 i;

	(void)state;
	snprintf(target, sizeof(target), "fault:op=write,delay=500:%s", image);
	for (i = 0; i < 2; i++) {
		config.poll_us = i;
		begin(target, 1, 1, XPV_BLK_X86_64);
		req = request(XPV_BLK_WRITE, 0, DATA, 0, 7);
		front_add(&front[0], &req);
		req = (struct xpv_blk_req){ .op = XPV_BLK_BARRIER };
		front_add(&front[0], &req);
		front_publish(&front[0]);
		poll(NULL, 0, 100);
		req = request(XPV_BLK_READ, 0, DATA + 1, 0, 7);
		front_add(&front[0], &req);
		front_publish(&front[0]);
		before = cpu_ms();
		poll(NULL, 0, 300);
		assert_in_range(cpu_ms() - before, 0, 60);
		while (xpv_front_inflight(&front[0].ring)) {
			assert_true(front_take(&front[0], &rsp, LIMIT_MS));
			assert_int_equal(rsp.status, XPV_BLK_OK);
		}
		end();
	}
}

/* A loop device on the image; false: not on this machine, or not for us. */
static bool make_device(char *device, int n, const char *options)
{
	char command[160];
	bool made;
	FILE *f;

	snprintf(command, sizeof(command), "losetup %s -f --show %s 2>/dev/null", options, image);
	f = popen(command, "r");
	assert_non_null(f);
	made = fgets(device, n, f);
	pclose(f);
	if (made)
		device[strcspn(device, "\n")] = 0;
	return made;
}

static void free_device(const char *device)
{
	char command[64];

	snprintf(command, sizeof(command), "losetup -d %s", device);
	assert_int_equal(system(command), 0);
}

/* Writes of different sectors of the same blocks, all in flight at once on two queues. */
static void share_blocks(void)
{
	struct front_response rsp;
	u32 round, i, n = 16;

	for (round = 0; round < 50; round++) {
		for (i = 0; i < n; i++) {
			struct xpv_blk_req req = request(XPV_BLK_WRITE, 64 + i, DATA + i, 0, 0);

			memset(loop_page(DATA + i), (int)(round * n + i), 512);
			memcpy(model + (64 + i) * 512, loop_page(DATA + i), 512);
			front_add(&front[i & 1], &req);
		}
		front_publish(&front[0]);
		front_publish(&front[1]);
		for (i = 0; i < n; i++) {
			assert_true(front_take(&front[i & 1], &rsp, LIMIT_MS));
			assert_int_equal(rsp.status, XPV_BLK_OK);
		}
	}
}

/* The same on a block device, which has other ways to say it. */
static void block_device(void **state)
{
	struct xpv_blk_req req = request(XPV_BLK_FLUSH, 8, DATA, 0, 7);
	char device[32];

	(void)state;
	if (!make_device(device, sizeof(device), "--direct-io=on"))
		skip();
	begin(device, 2, 1, XPV_BLK_X86_64);
	work(200);
	memset(loop_page(DATA), 0x77, 4096);
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_OK);
	req = (struct xpv_blk_req){ .op = XPV_BLK_DISCARD, .sector = 8, .nr_sectors = 8 };
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_OK);
	memset(model + 4096, 0, 4096);
	end();
	check_image();
	free_device(device);
}

/* Sectors of 4096 bytes under a guest that writes any 512: neighbours stay. */
static void small_sectors(void **state)
{
	char device[32], target[40];

	(void)state;
	if (!make_device(device, sizeof(device), "--sector-size 4096"))
		skip();
	snprintf(target, sizeof(target), "512:%s", device);
	begin(target, 2, 1, XPV_BLK_X86_64);
	assert_int_equal(disk->store.sector, 512);
	assert_int_equal(disk->store.physical, 4096);
	work(500);
	share_blocks();
	end();
	check_image();
	free_device(device);
}

/* More than there is memory for at once: they wait, and all are done. */
static void memory_is_shared_out(void **state)
{
	struct front_response rsp;
	struct xpv_blk_seg *seg = loop_page(DATA);
	struct disk_stats stats;
	u32 i;

	(void)state;
	begin(image, 1, 4, XPV_BLK_X86_64);
	for (i = 0; i < 256; i++)
		seg[i] = (struct xpv_blk_seg){ .gref = DATA + 1 + i, .first = 0, .last = 7 };
	for (i = 0; i < 128; i++) {
		struct xpv_blk_req req = { .op = XPV_BLK_READ, .indirect = true, .nr_segs = 256, .id = i };

		req.ind[0] = DATA;
		front_add(&front[0], &req);
	}
	front_publish(&front[0]);
	for (i = 0; i < 128; i++) {
		assert_true(front_take(&front[0], &rsp, LIMIT_MS));
		assert_int_equal(rsp.status, XPV_BLK_OK);
	}
	disk_stats(disk, &stats);
	assert_true(stats.waits > 0);
	assert_int_equal(stats.reads, 128);
	assert_int_equal(stats.read_sectors, 128 * 2048);
	end();
}

static void limits_hold(void **state)
{
	struct timespec a, b;
	struct disk_stats stats;
	double s;

	(void)state;
	begin(image, 2, 1, XPV_BLK_X86_64);
	disk_set_limits(disk, 1000, 0);
	clock_gettime(CLOCK_MONOTONIC, &a);
	work(300);
	clock_gettime(CLOCK_MONOTONIC, &b);
	s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	assert_true(s > 0.25 && s < 10);
	/* As many bytes as these take half a second for. */
	disk_stats(disk, &stats);
	disk_set_limits(disk, 0, (stats.read_sectors + stats.write_sectors) * 512 * 2);
	clock_gettime(CLOCK_MONOTONIC, &a);
	work(300);
	clock_gettime(CLOCK_MONOTONIC, &b);
	s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	assert_true(s > 0.3 && s < 10);
	disk_set_limits(disk, 0, 0);
	work(300);
	check_image();
	end();
}

static void lies_end_it(void **state)
{
	struct xpv_blk_req req = request(XPV_BLK_READ, 0, DATA, 0, 7);
	int tries = LIMIT_MS;

	(void)state;
	begin(image, 1, 1, XPV_BLK_X86_64);
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_OK);
	WRITE_ONCE(front[0].ring.shared->req_prod, 1000);
	loop_kick(0);
	while (!(READ_ONCE(disk->news) & 1u << DISK_BROKEN) && tries--)
		poll(NULL, 0, 1);
	assert_true(READ_ONCE(disk->news) & 1u << DISK_BROKEN);
	end();
}

/* Slots of anything: each is answered, and what is beside the disk's data stays. */
static void garbage_is_answered(void **state)
{
	struct front_response rsp;
	u32 round, i, n, queue, k;

	(void)state;
	begin(image, 2, 4, XPV_BLK_X86_64);
	for (round = 0; round < 300; round++) {
		queue = number(2);
		n = 1 + number(xpv_front_free(&front[queue].ring));
		for (i = 0; i < n; i++) {
			u32 *slot = xpv_front_next(&front[queue].ring);

			for (k = 0; k < sizeof(struct xpv_blk_slot64) / 4; k++)
				slot[k] = number(4) ? number(~0u) : DATA + number(1000);
			/* Else hardly any would get further than the first check. */
			if (number(4)) {
				struct xpv_blk_slot64 *s = (void *)slot;

				s->op = (u8)number(7);
				s->nr_segs = (u8)number(13);
				s->handle = (u16)number(300);
				s->sector = number(DISK_BYTES / 512 + 8);
				for (k = 0; k < XPV_BLK_DIRECT_SEGS; k++) {
					s->seg[k].first &= 7;
					s->seg[k].last &= 7;
				}
			}
		}
		front_publish(&front[queue]);
		while (n--)
			assert_true(front_take(&front[queue], &rsp, LIMIT_MS));
	}
	end();
}

static void store_errors_are_told(void **state)
{
	struct xpv_blk_req req = request(XPV_BLK_READ, 0, DATA, 0, 7);

	(void)state;
	begin(image, 1, 1, XPV_BLK_X86_64);
	/* The file shrinks under the disk. */
	assert_int_equal(truncate(image, 4096), 0);
	req.sector = 16;
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_ERROR);
	/* The administrator hears of the first. */
	assert_true(READ_ONCE(disk->news) & 1u << DISK_FAILED);
	assert_int_equal(disk->failed.err, -EIO);
	assert_int_equal(disk->failed.op, XPV_BLK_READ);
	assert_int_equal(disk->failed.sector, 16);
	req.sector = 0;
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_OK);
	end();
}

/* Which one fails, and how much of it is done all the same. */
static void faults_are_as_asked(void **state)
{
	struct xpv_blk_req req = request(XPV_BLK_WRITE, 0, DATA, 0, 7);
	u8 there[3 * 4096];
	char target[128];
	u32 i;
	int fd;

	(void)state;
	fd = open(image, O_RDWR);
	assert_true(fd >= 0);
	memset(there, 0x11, sizeof(there));
	assert_int_equal(pwrite(fd, there, sizeof(there), 0), (ssize_t)sizeof(there));
	snprintf(target, sizeof(target), "fault:op=write,nth=2,short=1,error=28:%s", image);
	begin(target, 1, 1, XPV_BLK_X86_64);
	memset(loop_page(DATA), 0x77, 4096);
	for (i = 0; i < 3; i++) {
		req.sector = 8 * i;
		assert_int_equal(status_of(&front[0], &req), i == 1 ? XPV_BLK_ERROR : XPV_BLK_OK);
	}
	assert_int_equal(disk->failed.err, -ENOSPC);
	end();
	assert_int_equal(pread(fd, there, sizeof(there), 0), (ssize_t)sizeof(there));
	assert_int_equal(there[4095], 0x77);
	assert_int_equal(there[4096 + 2047], 0x77);
	assert_int_equal(there[4096 + 2048], 0x11);
	assert_int_equal(there[8192], 0x77);
	close(fd);
}

/* One discard of a large disk is no way round a limit. */
static void long_discards_count(void **state)
{
	struct xpv_blk_req req = { .op = XPV_BLK_DISCARD, .id = 42, .nr_sectors = 64ull << 21 };
	struct timespec a, b;
	double s;

	(void)state;
	begin("null:64G", 1, 1, XPV_BLK_X86_64);
	disk_set_limits(disk, 100, 0);
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_OK);
	clock_gettime(CLOCK_MONOTONIC, &a);
	req.nr_sectors = 8;
	assert_int_equal(status_of(&front[0], &req), XPV_BLK_OK);
	clock_gettime(CLOCK_MONOTONIC, &b);
	s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	assert_true(s > 0.3 && s < 10);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(data_arrives, fresh_image),
		cmocka_unit_test_setup(polling_serves, fresh_image),
		cmocka_unit_test_setup(what_is_refused, fresh_image),
		cmocka_unit_test_setup(readonly_stays, fresh_image),
		cmocka_unit_test_setup(flush_and_discard, fresh_image),
		cmocka_unit_test_setup(floods_are_answered, fresh_image),
		cmocka_unit_test_setup(barriers_keep_order, fresh_image),
		cmocka_unit_test_setup(data_wait_for_what_was_before, fresh_image),
		cmocka_unit_test_setup(who_waits_sleeps, fresh_image),
		cmocka_unit_test_setup(block_device, fresh_image),
		cmocka_unit_test_setup(small_sectors, fresh_image),
		cmocka_unit_test_setup(memory_is_shared_out, fresh_image),
		cmocka_unit_test_setup(limits_hold, fresh_image),
		cmocka_unit_test_setup(lies_end_it, fresh_image),
		cmocka_unit_test_setup(garbage_is_answered, fresh_image),
		cmocka_unit_test_setup(store_errors_are_told, fresh_image),
		cmocka_unit_test_setup(faults_are_as_asked, fresh_image),
		cmocka_unit_test_setup(long_discards_count, fresh_image),
	};
	int failed;

	load_begin();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	load_end();
	return failed;
}
