// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "toolstack.h"

#include <disk.h>
#include <xenbus.h>
#include <xentop.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct config config = { .workers = 1 };

char dir[] = "/tmp/xpv-xenbus.XXXXXX";
char image[64];
struct front front;
u32 complaints;
const struct xpv_blk_req a_read = { .op = XPV_BLK_READ, .nr_segs = 1, .seg[0] = { .gref = 100, .last = 7 } };

void logf_(int priority, const char *format, ...)
{
	(void)format;
	complaints += priority <= 3;
}

void xentop_add(const struct disk *d)
{
	(void)d;
}

void xentop_remove(const struct disk *d)
{
	(void)d;
}

/* --- the toolstack, the guest, and the daemon --- */

static void stop_turn(void *arg)
{
	(void)arg;
	loop_end();
}

/* The main loop for so long. */
void run(unsigned int ms)
{
	assert_int_equal(loop_after(ms, stop_turn, NULL), 0);
	loop_run();
}

void write_number(const char *path, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	fake_store_write(path, text);
}

unsigned int state_now(void)
{
	const char *text = fake_store_read(BACK "/state");

	return text ? (unsigned int)atoi(text) : 0;
}

void wait_for(unsigned int state)
{
	int tries = 1000;

	while (state_now() != state && tries--)
		run(5);
	assert_int_equal(state_now(), state);
}

/* What libxl writes. */
void make_node(unsigned int state)
{
	char params[80];

	snprintf(params, sizeof(params), "aio:%s", image);
	fake_store_write(BACK "/frontend", FRONT);
	fake_store_write(BACK "/frontend-id", "7");
	fake_store_write(BACK "/script", "/etc/xen/scripts/block-xpv");
	fake_store_write(BACK "/params", params);
	fake_store_write(BACK "/mode", "w");
	fake_store_write(BACK "/online", "1");
	write_number(BACK "/state", state);
	write_number(FRONT "/state", XPV_INITIALISING);
}

void front_connects(void)
{
	loop_reset();
	front_make(&front, XPV_BLK_X86_64, 1, 1, 0);
	fake_store_write(FRONT "/protocol", "x86_64-abi");
	fake_store_write(FRONT "/ring-ref", "1");
	fake_store_write(FRONT "/event-channel", "0");
	write_number(FRONT "/state", XPV_INITIALISED);
}

void reads(void)
{
	struct front_response rsp;

	front_add(&front, &a_read);
	front_publish(&front);
	assert_true(front_take(&front, &rsp, 1000));
	assert_int_equal(rsp.status, XPV_BLK_OK);
}

/* As xpv-blkctl does: ask until there is an answer. */
int open_disk(u32 devid, char *why)
{
	int err;

	while ((err = disk_open_store(disk_find(7, devid), why)) == -EAGAIN)
		run(5);
	return err;
}

int resize(u32 devid)
{
	int err;

	while ((err = disk_resize(disk_find(7, devid))) == -EAGAIN)
		run(5);
	return err;
}

void open_by_script(void)
{
	char why[STORE_WHY];

	wait_for(XPV_INIT_WAIT);
	assert_int_equal(open_disk(51712, why), 0);
}

void start_daemon(void)
{
	assert_int_equal(disks_start(), 0);
	assert_int_equal(xenbus_start(), 0);
	run(1);
}

/* One is there, and it goes on with its queue. */
void goes_on(void)
{
	int tries = 1000;

	while (!disk_find(7, 51712)->nr_queues && tries--)
		run(5);
	assert_int_equal(disk_find(7, 51712)->nr_queues, 1);
}

void connect_node(void)
{
	start_daemon();
	open_by_script();
	front_connects();
	wait_for(XPV_CONNECTED);
	write_number(FRONT "/state", XPV_CONNECTED);
	run(5);
}

void connect_disk(void)
{
	make_node(XPV_INITIALISING);
	connect_node();
}

/* The toolstack takes the disk away, whatever state it is in. */
void end_all(void)
{
	int tries = 1000;

	fake_store_remove(BACK);
	while (disk_next(NULL) && tries--)
		run(5);
	assert_null(disk_next(NULL));
	xenbus_stop();
	disks_stop();
}

/* What a daemon that has been killed leaves behind, its requests apart. */
void end_daemon(void)
{
	int tries = 1000;

	while (disk_disconnect(disk_find(7, 51712), true) == -EAGAIN && tries--)
		run(1);
	xenbus_stop();
	disks_stop();
}

int fresh_store(void **state)
{
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	(void)state;
	if (fd < 0 || ftruncate(fd, BYTES))
		return -1;
	close(fd);
	fake_store_clear();
	complaints = 0;
	return 0;
}

void toolstack_begin(void)
{
	assert_non_null(mkdtemp(dir));
	config.run_dir = dir;
	snprintf(image, sizeof(image), "%s/image", dir);
	loop_make();
}

void toolstack_end(void)
{
	unlink(image);
	snprintf(image, sizeof(image), "%s/7-51712.inflight", dir);
	unlink(image);
	rmdir(dir);
}
