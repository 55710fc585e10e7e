/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One disk of the userspace backend over the loop, and a load on it: random requests, some with
 * pages of segments, whose data is compared with a model of the disk. For cmocka programs.
 */
#ifndef XPV_FAKE_LOAD_H
#define XPV_FAKE_LOAD_H

#include <disk.h>
#include <loop.h>

#define DISK_BYTES	(8u << 20)
#define DATA		1024u		/* first page of the guest's data */
#define LIMIT_MS	20000

extern char image[64];		/* a file of DISK_BYTES */
extern u8 *model;		/* what it holds */
extern struct disk *disk;
extern struct front front[MAX_QUEUES];
extern bool persistent;		/* the guest uses the same grants again and again, and says so */

/* Before, and after, all tests. */
void load_begin(void);
void load_end(void);

/* A setup: the image is zeroes, nothing is set. */
int fresh_image(void **state);

u32 number(u32 below);

/* The disk and @n queues' ends, in steps or at once. */
void open_disk(const char *target);
void make_fronts(unsigned int n, u32 pages, enum xpv_blk_abi abi);
int connect_disk(bool recover);
void begin(const char *target, unsigned int n, u32 pages, enum xpv_blk_abi abi);
void end(void);

/* Start requests until *@left is 0 or there is no room; take all answers there are; wait for one. */
void add_some(u32 *left);
u32 take_ready(void);
void wait_any(void);

/* Nothing is in flight any more. */
void settle(void);

/* So many of them, to the end. */
void work(u32 requests);

void check_image(void);

#endif
