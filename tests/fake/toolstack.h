/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A toolstack, with its xenstore, and a guest with a disk, for cmocka programs that drive the userspace
 * backend's main thread: they are that thread.
 */
#ifndef XPV_FAKE_TOOLSTACK_H
#define XPV_FAKE_TOOLSTACK_H

#include <fake_store.h>
#include <loop.h>

#define BACK	"backend/vbd3/7/51712"
#define FRONT	"/local/domain/7/device/vbd/51712"
#define BYTES	(1u << 20)	/* of the image */

extern char dir[];		/* where the image is, and what is in flight */
extern char image[64];
extern struct front front;	/* of the disk at BACK */
extern u32 complaints;		/* lines in the log that are errors */

/* Before, and after, all tests. */
void toolstack_begin(void);
void toolstack_end(void);

/* A setup: the image is zeroes, and nothing is in xenstore. */
int fresh_store(void **state);

/* The main loop for so long. */
void run(unsigned int ms);

void write_number(const char *path, unsigned int value);
unsigned int state_now(void);
void wait_for(unsigned int state);

/* What libxl writes for the disk, and the guest when it connects. */
void make_node(unsigned int state);
void front_connects(void);

/* As xpv-blkctl does: ask until there is an answer. */
int open_disk(u32 devid, char *why);
int resize(u32 devid);

/* The script opens the disk when it is time to. */
void open_by_script(void);

void start_daemon(void);

/* A sector, and the guest's one read of it, which succeeds. */
extern const struct xpv_blk_req a_read;
void reads(void);

/* The daemon has been started anew, and goes on with the disk's queue. */
void goes_on(void);

/* The disk connected, from the start; or from where libxl has written its node. */
void connect_disk(void);
void connect_node(void);

/* What a daemon that has been killed leaves behind, its requests apart. */
void end_daemon(void);

/* The toolstack takes the disk away, whatever state it is in. */
void end_all(void);

#endif
