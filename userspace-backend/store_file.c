// SPDX-License-Identifier: GPL-2.0-only
/*
 * `/PATH` or `file:/PATH`: a file or a block device, by direct I/O where the file system can.
 *
 * It is held by a lock of the open file itself, which everything in flight refers to: so the kernel lets
 * go of it when the last request of a process that was killed has ended, and not before. That is when it
 * may be opened again.
 */
#include "store.h"

#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MOST_SECTOR	4096u
#define MOST_DISCARD	(1ull << 30)	/* bytes in one go: the rest may be stopped by then */
#define MOST_TRIES	16u	/* of what the kernel wants to be asked again */
/* Zeroes that are worth a hole: to make one, the file system waits for all else that is in flight on the file. */
#define LEAST_HOLE	65536u

/* A block device's own discard, for io_uring; younger than the headers of some machines that build. */
#ifndef BLOCK_URING_CMD_DISCARD
#define BLOCK_URING_CMD_DISCARD	_IO(0x12, 0)
#endif

struct file {
	int fd;
	bool bdev;
	bool commands;		/* the kernel takes that (from 6.12 on), as far as we know */
	bool sparse;		/* has holes, which zeroes are not to fill, as far as we know */
};

/* The kernel has few threads for what may wait: a lane takes one for flushes, and one for discards. */
struct lane {
	struct file *file;
	struct worker *worker;
	struct event flushed;
	struct io *flushing;	/* a list by buf, which they don't need: done by one fsync */
	struct io *to_flush;	/* by the next one, for they may be later than what this one saw */
	void *discards, **last;	/* a list of ios by buf: the first is on its way */
	struct io *zeroes, *last_zeroes;	/* a list by cookie: for the first one a hole is being made */
	bool commanded;		/* it is a command; that there is none, others may learn before it is back */
};

/* --- opening --- */

/* What sysfs says of a block device by @name, 0 if nothing that is of use. */
static u64 ask_sysfs(dev_t dev, const char *name)
{
	unsigned long long value = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(dev), minor(dev), name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	/* -1 is for what fits nowhere. */
	if (fscanf(f, "%llu", &value) != 1 || value == ~0ull)
		value = 0;
	fclose(f);
	return value;
}

/* A partition has its disk's. */
static u64 queue_limit(dev_t dev, const char *name)
{
	char path[64];
	u64 value;

	snprintf(path, sizeof(path), "queue/%s", name);
	value = ask_sysfs(dev, path);
	snprintf(path, sizeof(path), "../queue/%s", name);
	return value ?: ask_sysfs(dev, path);
}

static int measure(struct store *s)
{
	struct file *file = s->data;
	struct stat st;
	u64 bytes;

	if (file->bdev) {
		if (ioctl(file->fd, BLKGETSIZE64, &bytes))
			return -errno;
	} else {
		if (fstat(file->fd, &st))
			return -errno;
		bytes = (u64)st.st_size;
	}
	s->bytes = bytes - bytes % s->sector;
	return 0;
}

/*
 * The smallest piece that can be read: a file system does not say, on the kernels that we run on. Holes can
 * be read in any.
 */
static u32 try_sector(int fd)
{
	void *buf;
	u32 n;

	if (posix_memalign(&buf, MOST_SECTOR, MOST_SECTOR))
		return MOST_SECTOR;
	for (n = 512; n < MOST_SECTOR; n *= 2)
		if (pread(fd, buf, n, 0) >= 0 || errno != EINVAL)
			break;
	free(buf);
	return n;
}

static void learn_bdev(struct store *s, int fd, dev_t dev)
{
	unsigned int physical = 0;
	int logical = 0;

	ioctl(fd, BLKSSZGET, &logical);
	ioctl(fd, BLKPBSZGET, &physical);
	s->sector = logical > 512 ? (u32)logical : 512;
	s->physical = physical > s->sector ? physical : s->sector;
	if (queue_limit(dev, "discard_max_bytes")) {
		s->discard = (u32)queue_limit(dev, "discard_granularity");
		if (s->discard < s->sector)
			s->discard = s->sector;
		/* Its own, where it is a partition. */
		s->discard_offset = (u32)ask_sysfs(dev, "discard_alignment");
	}
}

static void learn_file(struct store *s, int fd, const struct stat *st)
{
	u32 sector = try_sector(fd), below = (u32)queue_limit(st->st_dev, "logical_block_size");

	/* Of the disk that the file system is on, where that is one. */
	if (fcntl(fd, F_GETFL) & O_DIRECT && below > sector)
		sector = below;
	s->sector = sector;
	s->physical = (u32)st->st_blksize > sector && st->st_blksize <= MOST_SECTOR ? (u32)st->st_blksize : sector;
	s->discard = s->physical;
}

/*
 * By the number of its inode, where that stays the same when the file system is mounted anew; not by that of its
 * device, which does not. Devices have names that others see to.
 */
static void identify(struct store *s, int fd, const struct stat *st)
{
	static const u32 stays[] = {
		EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, NFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC,
	};
	struct statfs fs;
	u32 i;

	if (fstatfs(fd, &fs))
		return;
	for (i = 0; i < ARRAY_SIZE(stays); i++)
		if ((u32)fs.f_type == stays[i])
			snprintf(s->id, sizeof(s->id), "%llu", (unsigned long long)st->st_ino);
}

static int refuse(char *why, const char *path, int err, const char *what)
{
	snprintf(why, STORE_WHY, "%.160s: %s", path, what);
	return err;
}

static int file_open(struct store *s, const char *path, char *why)
{
	int err, flags = (s->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
	struct file *file = calloc(1, sizeof(*file));
	struct stat st;

	if (!file)
		return refuse(why, path, -ENOMEM, "no memory");
	/*
	 * When it was last read is nobody's concern, and costs something for each read; only its owner may say so,
	 * which the service is of what belongs to root.
	 */
	file->fd = open(path, flags | O_DIRECT | O_NOATIME);
	if (file->fd < 0 && errno == EPERM)
		file->fd = open(path, flags | O_DIRECT);
	/* Some file systems have no direct I/O: their cache is as good, flushed when the guest asks. */
	if (file->fd < 0 && errno == EINVAL)
		file->fd = open(path, flags);
	if (file->fd < 0) {
		err = refuse(why, path, -errno, strerror(errno));
		goto err_free;
	}
	err = refuse(why, path, -EINVAL, "neither a file nor a block device");
	if (fstat(file->fd, &st) || (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode)))
		goto err_close;
	/* Only opening was not to wait. I/O on devices that always may could not be done at all. */
	if (fcntl(file->fd, F_SETFL, fcntl(file->fd, F_GETFL) & ~O_NONBLOCK)) {
		err = refuse(why, path, -errno, strerror(errno));
		goto err_close;
	}
	file->bdev = S_ISBLK(st.st_mode);
	file->commands = file->bdev;
	if (flock(file->fd, (s->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB)) {
		err = refuse(why, path, -EAGAIN, "in use by another disk or process that writes to it");
		goto err_close;
	}
	if (file->bdev) {
		learn_bdev(s, file->fd, st.st_rdev);
	} else {
		learn_file(s, file->fd, &st);
		identify(s, file->fd, &st);
		file->sparse = s->holes && st.st_blocks < st.st_size / 512;
	}
	if (s->sector > MOST_SECTOR) {
		err = refuse(why, path, -EINVAL, "its sectors are larger than 4096 bytes");
		goto err_close;
	}
	s->flush = true;
	s->fua = true;
	s->data = file;
	err = measure(s);
	if (err) {
		refuse(why, path, err, strerror(-err));
		goto err_close;
	}
	why[0] = 0;
	return 0;

err_close:
	close(file->fd);
err_free:
	free(file);
	return err;
}

static void file_close(struct store *s)
{
	struct file *file = s->data;

	close(file->fd);
	free(file);
}

/* --- lanes --- */

static void flushed(struct event *ev, int res, u32 flags);

static void *attach(struct store *s, struct worker *w)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->file = s->data;
	lane->worker = w;
	lane->flushed.fn = flushed;
	lane->last = &lane->discards;
	return lane;
}

static void detach(void *lane)
{
	free(lane);
}

static void moved(struct event *ev, int res, u32 flags);
static void discarded(struct event *ev, int res, u32 flags);

/* What is left of @io, which is at most 1 MiB; cookie is how often that has moved nothing. */
static void move(struct lane *lane, struct io *io)
{
	struct io_uring_sqe *sqe = worker_sqe(lane->worker, &io->ev);
	u32 n = (u32)io->bytes;
	int fd = lane->file->fd;

	if (io->registered >= 0 && io->op == IO_READ)
		io_uring_prep_read_fixed(sqe, fd, io->buf, n, io->offset, io->registered);
	else if (io->registered >= 0)
		io_uring_prep_write_fixed(sqe, fd, io->buf, n, io->offset, io->registered);
	else if (io->op == IO_READ)
		io_uring_prep_read(sqe, fd, io->buf, n, io->offset);
	else
		io_uring_prep_write(sqe, fd, io->buf, n, io->offset);
	/* Not by an fsync linked to it: that is as much work as one that isn't. */
	if (unlikely(io->op == IO_WRITE_FUA))
		sqe->rw_flags = RWF_DSYNC;
	io->ev.fn = moved;
}

static void moved(struct event *ev, int res, u32 flags)
{
	struct io *io = event_of(ev, struct io, ev);

	(void)flags;
	if (likely(res == (int)io->bytes)) {
		io->done(io, 0);
	} else if ((res == -EINTR || res == -EAGAIN) && ++io->cookie < MOST_TRIES) {
		move(io->lane, io);
	} else if (res <= 0) {
		/* Nothing moved, and no error: it has become smaller than it was. */
		io->done(io, res ? res : -EIO);
	} else {
		io->buf = (u8 *)io->buf + res;
		io->offset += (u32)res;
		io->bytes -= (u32)res;
		io->cookie = 0;
		move(io->lane, io);
	}
}

/* The next piece of a discard, or nothing more of one that is cut short; cookie is its size. */
static void discard(struct lane *lane, struct io *io)
{
	struct io_uring_sqe *sqe = worker_sqe(lane->worker, &io->ev);
	u64 n = io->bytes < MOST_DISCARD ? io->bytes : MOST_DISCARD;
	int fd = lane->file->fd;

	lane->commanded = READ_ONCE(lane->file->commands);
	if (io_cut(io)) {
		n = io->bytes;
		io_uring_prep_nop(sqe);
	} else if (lane->commanded) {
		io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, (void *)(uintptr_t)io->offset, 0, 0);
		sqe->cmd_op = BLOCK_URING_CMD_DISCARD;
		sqe->addr3 = n;
	} else {
		io_uring_prep_fallocate(sqe, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)io->offset, (off_t)n);
	}
	io->cookie = n;
	io->ev.fn = discarded;
}

static void discarded(struct event *ev, int res, u32 flags)
{
	struct io *io = event_of(ev, struct io, ev);
	struct lane *lane = io->lane;

	(void)flags;
	if ((res == -EINVAL || res == -EOPNOTSUPP) && lane->commanded) {
		/* Not on this kernel: what does the same, where the device can. */
		WRITE_ONCE(lane->file->commands, false);
		discard(lane, io);
		return;
	}
	io->offset += io->cookie;
	io->bytes -= io->cookie;
	if (!res && io->bytes) {
		discard(lane, io);
		return;
	}
	lane->discards = io->buf;
	if (lane->discards)
		discard(lane, lane->discards);
	else
		lane->last = &lane->discards;
	io->done(io, res);
}

static void add_discard(struct lane *lane, struct io *io)
{
	io->buf = NULL;
	*lane->last = io;
	lane->last = &io->buf;
	if (lane->discards == io)
		discard(lane, io);
}

/* Nothing but zeroes, of a length that is worth it. */
static bool makes_hole(const struct io *io)
{
	const u8 *buf = io->buf;

	return io->bytes >= LEAST_HOLE && !((io->offset | io->bytes) % MOST_SECTOR) &&
	       !buf[0] && !memcmp(buf, buf + 1, io->bytes - 1);
}

static void holed(struct event *ev, int res, u32 flags);

static void make_hole(struct lane *lane, struct io *io)
{
	io_uring_prep_fallocate(worker_sqe(lane->worker, &io->ev), lane->file->fd,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)io->offset, (off_t)io->bytes);
	io->ev.fn = holed;
}

static void holed(struct event *ev, int res, u32 flags)
{
	struct io *io = event_of(ev, struct io, ev), *next = (struct io *)(uintptr_t)io->cookie;
	struct lane *lane = io->lane;

	(void)flags;
	lane->zeroes = next;
	if (next)
		make_hole(lane, next);
	if (!res) {
		io->done(io, 0);
		return;
	}
	/* Whatever it is, a file system that has no room for that even: what was asked for was to write. */
	WRITE_ONCE(lane->file->sparse, false);
	io->cookie = 0;
	move(lane, io);
}

static void add_hole(struct lane *lane, struct io *io)
{
	io->cookie = 0;
	if (lane->zeroes)
		lane->last_zeroes->cookie = (uintptr_t)io;
	else
		make_hole(lane, lane->zeroes = io);
	lane->last_zeroes = io;
}

static void flush(struct lane *lane)
{
	io_uring_prep_fsync(worker_sqe(lane->worker, &lane->flushed), lane->file->fd, IORING_FSYNC_DATASYNC);
	lane->flushing = lane->to_flush;
	lane->to_flush = NULL;
}

static void flushed(struct event *ev, int res, u32 flags)
{
	struct lane *lane = event_of(ev, struct lane, flushed);
	struct io *io = lane->flushing, *next;

	(void)flags;
	lane->flushing = NULL;
	if (lane->to_flush)
		flush(lane);
	for (; io; io = next) {
		next = io->buf;
		io->done(io, res);
	}
}

static void add_flush(struct lane *lane, struct io *io)
{
	io->buf = lane->to_flush;
	lane->to_flush = io;
	if (!lane->flushing)
		flush(lane);
}

static void submit(void *arg, struct io *io)
{
	struct lane *lane = arg;

	io->lane = lane;
	switch (io->op) {
	case IO_WRITE:
		if (unlikely(READ_ONCE(lane->file->sparse)) && makes_hole(io)) {
			add_hole(lane, io);
			break;
		}
		/* fallthrough */
	case IO_READ:
	case IO_WRITE_FUA:
		io->cookie = 0;
		move(lane, io);
		break;
	case IO_FLUSH:
		add_flush(lane, io);
		break;
	case IO_DISCARD:
		add_discard(lane, io);
		break;
	}
}

const struct store_ops store_file = {
	.kind = "file",
	.open = file_open,
	.close = file_close,
	.measure = measure,
	.attach = attach,
	.detach = detach,
	.submit = submit,
};
