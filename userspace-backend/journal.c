// SPDX-License-Identifier: GPL-2.0-only
/* The files of what is in flight. Their place is lost with the machine, as the requests are. */
#include "journal.h"
#include "daemon.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC	0x31667078u	/* changes with the layout of what follows */

struct head {
	u32 magic;
	u32 entry_bytes;
	u32 queues;
	u32 slots;
	u32 pad[12];
};

static size_t ring_bytes(u32 slots)
{
	return sizeof(struct journal_ring) + slots * sizeof(struct journal_entry);
}

static char *path_of(const char *name)
{
	char *path, *c;

	if (asprintf(&path, "%s/%s.inflight", config.run_dir, name) < 0)
		return NULL;
	for (c = path + strlen(config.run_dir) + 1; *c; c++)
		if (*c == '/')
			*c = '-';
	return path;
}

static struct journal *map(const char *name, u32 queues, u32 slots, int flags)
{
	struct journal *j = calloc(1, sizeof(*j));
	struct stat st;
	int fd, err;

	if (!j)
		return NULL;
	j->queues = queues;
	j->slots = slots;
	j->bytes = sizeof(struct head) + queues * ring_bytes(slots);
	j->path = path_of(name);
	if (!j->path)
		goto err_free;
	if (flags & O_CREAT)
		unlink(j->path);
	fd = open(j->path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		goto err_free_path;
	/* Allocated now: to find no room at a store would be a signal. */
	if (flags & O_CREAT)
		errno = posix_fallocate(fd, 0, (off_t)j->bytes);
	else
		errno = fstat(fd, &st) || (size_t)st.st_size != j->bytes ? EINVAL : 0;
	if (errno)
		goto err_close;
	j->map = mmap(NULL, j->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (j->map == MAP_FAILED)
		goto err_close;
	close(fd);
	return j;

err_close:
	err = errno;
	close(fd);
	errno = err;
err_free_path:
	free(j->path);
err_free:
	free(j);
	return NULL;
}

struct journal *journal_make(const char *name, u32 queues, u32 slots)
{
	struct journal *j = map(name, queues, slots, O_CREAT | O_EXCL);

	if (j)
		*(struct head *)j->map = (struct head){ .magic = MAGIC, .queues = queues, .slots = slots,
							.entry_bytes = sizeof(struct journal_entry) };
	return j;
}

struct journal *journal_find(const char *name, u32 queues, u32 slots)
{
	struct journal *j = map(name, queues, slots, 0);
	struct head *head;

	if (!j)
		return NULL;
	head = j->map;
	if (head->magic == MAGIC && head->entry_bytes == sizeof(struct journal_entry) &&
	    head->queues == queues && head->slots == slots)
		return j;
	journal_close(j, false);
	errno = EINVAL;
	return NULL;
}

bool journal_left(const char *name)
{
	char *path = path_of(name);
	bool left = path && !access(path, F_OK);

	free(path);
	return left;
}

struct journal_ring *journal_ring(struct journal *j, u32 queue)
{
	return (void *)((u8 *)j->map + sizeof(struct head) + queue * ring_bytes(j->slots));
}

void journal_close(struct journal *j, bool remove)
{
	if (!j)
		return;
	if (remove)
		unlink(j->path);
	munmap(j->map, j->bytes);
	free(j->path);
	free(j);
}

void journal_forget(const char *name)
{
	char *path = path_of(name);

	if (path)
		unlink(path);
	free(path);
}

void journal_sweep(bool (*gone)(u16 domid, u32 devid))
{
	DIR *dir = opendir(config.run_dir);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		u32 domid, devid;
		int end = 0;
		char name[24];

		if (sscanf(e->d_name, "%u-%u.inflight%n", &domid, &devid, &end) != 2 || !end || e->d_name[end] ||
		    domid > UINT16_MAX || !gone((u16)domid, devid))
			continue;
		snprintf(name, sizeof(name), "%u/%u", domid, devid);
		journal_forget(name);
	}
	if (dir)
		closedir(dir);
}
