// SPDX-License-Identifier: GPL-2.0-only
/*
 * xentop reads a disk's counters from /dev/shm/td3-PID/vbd-DOMAIN-DEVICE, PID being what `kthread-pid`
 * in the disk's node says. We hold a lease on each file: who opens one waits until we, told by
 * SIGIO, have written the counters and let go. So what is read is of now, and nobody wakes up for
 * counters at which nobody looks. As long as a lease can't be had, for somebody has the file open, they are
 * written every second.
 */
#include "xentop.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGAIN_MS	1000
#define DIR_OF		"/dev/shm/td3-"	/* and our PID */

/* As blktap defined it, and libxenstat reads it. Not ours: ticks, and requests that aren't answered. */
struct td3_stats {
	u32 version;
	u32 pad;
	u64 waits;
	u64 reads, reads_done, read_sectors, read_ticks;
	u64 writes, writes_done, write_sectors, write_ticks;
	u64 errors;
	u64 flags;
};

static_assert(sizeof(struct td3_stats) == 96, "what libxenstat reads");

struct shown {
	struct shown *next;
	const struct disk *disk;
	int fd;
	bool leased;
};

static struct shown *all;
static char dir[40];
static int dir_fd = -1;
static char link_name[256];	/* in the run directory: where dir is */
static int signals = -1;
static bool again;		/* tick() is to come */

static void name_file(char name[32], const struct disk *d)
{
	snprintf(name, 32, "vbd-%u-%u", d->domid, d->devid);
}

static void write_counters(const struct shown *s)
{
	struct disk_stats now;
	struct td3_stats to;

	disk_stats(s->disk, &now);
	to = (struct td3_stats){
		.version = 1,
		.waits = now.waits,
		.reads = now.reads, .reads_done = now.reads, .read_sectors = now.read_sectors,
		.writes = now.writes, .writes_done = now.writes, .write_sectors = now.write_sectors,
		.errors = now.errors,
	};
	if (pwrite(s->fd, &to, sizeof(to), 0) != sizeof(to))
		log_warning("%s: its counters can't be shown: %s", s->disk->name, strerror(errno));
}

static void tick(void *arg);

static void tick_later(void)
{
	again = again || !loop_after(AGAIN_MS, tick, NULL);
}

/* Have the lease, or write now and come again. */
static void lease(struct shown *s)
{
	s->leased = !fcntl(s->fd, F_SETLEASE, F_WRLCK);
	if (s->leased)
		return;
	write_counters(s);
	tick_later();
}

static void tick(void *arg)
{
	struct shown *s;

	(void)arg;
	again = false;
	for (s = all; s; s = s->next)
		if (!s->leased)
			lease(s);
}

/* Somebody looks at one of them, and most likely at the others next. */
static void looked_at(void *arg)
{
	struct signalfd_siginfo info;
	struct shown *s;

	(void)arg;
	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return;
	for (s = all; s; s = s->next) {
		if (!s->leased)
			continue;
		write_counters(s);
		fcntl(s->fd, F_SETLEASE, F_UNLCK);
		s->leased = false;
	}
	tick_later();
}

void xentop_add(const struct disk *d)
{
	struct shown *s = calloc(1, sizeof(*s));
	char name[32];

	name_file(name, d);
	if (!s || dir_fd < 0) {
		free(s);
		return;
	}
	s->disk = d;
	unlinkat(dir_fd, name, 0);
	s->fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (s->fd < 0) {
		log_warning("%s: %s/%s: %s", d->name, dir, name, strerror(errno));
		free(s);
		return;
	}
	write_counters(s);
	s->next = all;
	all = s;
	lease(s);
}

void xentop_remove(const struct disk *d)
{
	struct shown **at, *s;
	char name[32];

	for (at = &all; *at && (*at)->disk != d; at = &(*at)->next)
		;
	s = *at;
	if (!s)
		return;
	*at = s->next;
	name_file(name, d);
	unlinkat(dir_fd, name, 0);
	close(s->fd);
	free(s);
}

/* Only what is ours is taken out, so that nothing else goes. */
static void remove_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!strncmp(e->d_name, "vbd-", 4))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(path);
}

/* A link says where the process before us has left its own. */
static void clean_up(void)
{
	char was[sizeof(dir)];
	ssize_t n = readlink(link_name, was, sizeof(was) - 1);

	if (n < 0)
		return;
	was[n] = 0;
	if (!strncmp(was, DIR_OF, strlen(DIR_OF)))
		remove_dir(was);
	unlink(link_name);
}

/* Anybody may make the name, or a link of that name, before us: so it is looked who can write there. */
static int make_dir(void)
{
	struct stat st;

	snprintf(dir, sizeof(dir), DIR_OF "%d", getpid());
	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	if (!fstat(dir_fd, &st) && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	close(dir_fd);
	dir_fd = -1;
	return -EPERM;
}

int xentop_start(void)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return -errno;
	snprintf(link_name, sizeof(link_name), "%s/xentop", config.run_dir);
	clean_up();
	err = make_dir();
	/* That somebody does not want us to be seen there is no reason not to serve. */
	if (err)
		log_warning("%s: %s; xentop will not show our disks", dir, strerror(-err));
	else if (symlink(dir, link_name))
		log_warning("%s: %s", link_name, strerror(errno));
	return loop_add(signals, looked_at, NULL);
}

void xentop_stop(void)
{
	while (all)
		xentop_remove(all->disk);
	if (dir_fd < 0)
		return;
	close(dir_fd);
	dir_fd = -1;
	remove_dir(dir);
	unlink(link_name);
}
