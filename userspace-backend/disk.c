// SPDX-License-Identifier: GPL-2.0-only
/* The disks, and their queues spread over the workers. */
#include "disk.h"
#include "queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

static struct disk *disks;
static struct worker workers[MAX_WORKERS];
static unsigned int nr_workers, next_worker;
static int news_fd = -1;

/* --- the workers' words --- */

void disk_tell(struct disk *d, enum disk_news news)
{
	/* Pairs with the acquire in hear(): what a worker did before, the main thread sees. */
	__atomic_fetch_or(&d->news, 1u << news, __ATOMIC_RELEASE);
	eventfd_write(news_fd, 1);
}

void disks_drained(void)
{
	eventfd_write(news_fd, 1);
}

static void hear(void *arg)
{
	struct disk *d, *next;
	eventfd_t n;

	(void)arg;
	eventfd_read(news_fd, &n);
	for (d = disks; d; d = next) {
		/* Pairs with the release in disk_tell(). */
		u32 news = __atomic_exchange_n(&d->news, 0, __ATOMIC_ACQUIRE);

		next = d->next;
		if (news || d->stopping)
			disk_news(d, news);
	}
}

int disks_start(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int want = config.workers;
	int err;

	if (!want)
		want = cpus < 1 ? 1 : cpus < 4 ? (unsigned int)cpus : 4;
	news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (news_fd < 0)
		return -errno;
	err = loop_add(news_fd, hear, NULL);
	if (!err)
		err = errands_start();
	if (err) {
		close(news_fd);
		return err;
	}
	while (!err && nr_workers < want) {
		err = worker_start(&workers[nr_workers], nr_workers);
		nr_workers += !err;
	}
	if (err)
		disks_stop();
	return err;
}

void disks_stop(void)
{
	while (nr_workers)
		worker_stop(&workers[--nr_workers]);
	errands_stop();
	loop_remove(news_fd);
	close(news_fd);
	news_fd = -1;
}

void disks_halt(void)
{
	unsigned int i;

	for (i = 0; i < nr_workers; i++)
		worker_halt(&workers[i]);
}

unsigned int disks_workers(void)
{
	return nr_workers;
}

static int wake(void *arg)
{
	(void)arg;
	return 0;
}

void disks_settings_changed(void)
{
	unsigned int i;

	for (i = 0; i < nr_workers; i++)
		worker_call(&workers[i], wake, NULL);
}

/* --- the list --- */

static void store_back(struct errand *e);

struct disk *disk_add(u16 domid, u32 devid, const char *path, const char *front)
{
	struct disk *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->path = strdup(path);
	d->front = strdup(front);
	if (!d->path || !d->front) {
		free(d->path);
		free(d->front);
		free(d);
		return NULL;
	}
	d->domid = domid;
	d->devid = devid;
	snprintf(d->name, sizeof(d->name), "%u/%u", domid, devid);
	d->state = XPV_INITIALISING;
	d->discard_enabled = true;
	d->errand.back = store_back;
	pthread_mutex_init(&d->rate_lock, NULL);
	pthread_mutex_init(&d->failed_lock, NULL);
	d->next = disks;
	disks = d;
	return d;
}

static void release(struct disk *d)
{
	pthread_mutex_destroy(&d->failed_lock);
	pthread_mutex_destroy(&d->rate_lock);
	free(d->errand.target);
	free(d->target);
	free(d->front);
	free(d->path);
	free(d);
}

void disk_free(struct disk *d)
{
	struct disk **at;

	for (at = &disks; *at != d; at = &(*at)->next)
		;
	*at = d->next;
	d->gone = true;
	disk_leave_store(d);
	if (!d->errand.out)
		release(d);
}

struct disk *disk_find(u16 domid, u32 devid)
{
	struct disk *d;

	for (d = disks; d; d = d->next)
		if (d->domid == domid && d->devid == devid)
			return d;
	return NULL;
}

struct disk *disk_next(struct disk *d)
{
	return d ? d->next : disks;
}

/* --- the store --- */

void disk_send(struct disk *d, enum errand_kind kind)
{
	struct errand *e = &d->errand;

	if (kind == ERRAND_OPEN) {
		memset(&e->store, 0, sizeof(e->store));
		e->store.who = d->name;
		e->store.readonly = d->readonly;
		e->store.holes = d->discard_enabled;
	} else {
		e->store = d->store;
	}
	/* Nobody is to find it any more. */
	if (kind == ERRAND_CLOSE)
		memset(&d->store, 0, sizeof(d->store));
	errand_send(e, kind);
}

void disk_leave_store(struct disk *d)
{
	d->unwanted = d->errand.out;
	if (!d->errand.out && d->store.ops)
		disk_send(d, ERRAND_CLOSE);
}

static void store_back(struct errand *e)
{
	struct disk *d = (struct disk *)((char *)e - offsetof(struct disk, errand));

	if (!e->err && e->kind == ERRAND_OPEN)
		d->store = e->store;
	/* All else of it the workers read. */
	if (!e->err && e->kind == ERRAND_MEASURE)
		d->store.bytes = e->store.bytes;
	if (d->unwanted && d->store.ops) {
		disk_leave_store(d);
		return;
	}
	d->unwanted = false;
	if (d->gone)
		release(d);
	else
		disk_back(d);
}

/* --- connections --- */

void disk_measure(struct disk *d)
{
	const struct store *s = &d->store;

	d->limits = (struct xpv_blk_limits){
		.capacity = s->bytes >> XPV_BLK_SECTOR_SHIFT,
		.max_segs = XPV_BLK_MAX_SEGS,
		.block_sectors = s->sector >> XPV_BLK_SECTOR_SHIFT,
		/* Data passes through memory of ours that is contiguous. */
		.blocks_join = true,
		.readonly = d->readonly,
		.flush = s->flush,
		.barrier = s->flush,
		.discard = s->discard && d->discard_enabled,
	};
}

/* Queues of one disk go to different workers, and disks begin at different ones. */
static int start_queues(struct disk *d, const struct ring_info *info, unsigned int n, bool recover)
{
	unsigned int first = next_worker;
	int err = 0;

	next_worker = (next_worker + n) % nr_workers;
	while (d->nr_queues < n) {
		unsigned int i = d->nr_queues;
		unsigned int w = d->store.one_worker ? first : (first + i) % nr_workers;

		d->queue[i] = queue_start(d, i, &workers[w], &info[i], recover, &err);
		if (!d->queue[i])
			return err;
		d->nr_queues++;
	}
	return 0;
}

int disk_connect(struct disk *d, const struct ring_info *info, unsigned int n, bool recover)
{
	u32 slots = xpv_ring_slots(info->pages, xpv_blk_stride(d->abi));
	int err;

	d->journal = recover ? journal_find(d->name, n, slots) : NULL;
	/* It may not have come so far that there was one. */
	if (!d->journal && recover && errno != ENOENT && errno != EINVAL)
		return -errno;
	if (!d->journal)
		d->journal = journal_make(d->name, n, slots);
	if (!d->journal)
		return -errno;
	err = start_queues(d, info, n, recover);
	if (!err)
		return 0;
	/* Those that were started drain on their own; the caller closes the device. */
	if (!d->nr_queues) {
		journal_close(d->journal, !recover || err == -EPROTO);
		d->journal = NULL;
	}
	return err;
}

static void add_stats(struct disk_stats *sum, const struct disk_stats *s)
{
	u64 *to = (u64 *)sum;
	u64 *from = (u64 *)s;
	size_t i;

	for (i = 0; i < sizeof(*s) / sizeof(u64); i++)
		to[i] += READ_ONCE(from[i]);
}

int disk_disconnect(struct disk *d, bool keep)
{
	unsigned int i;

	if (!d->nr_queues)
		return 0;
	if (!d->stopping)
		for (i = 0; i < d->nr_queues; i++)
			queue_stop(d->queue[i]);
	d->stopping = true;
	for (i = 0; i < d->nr_queues; i++)
		/* Pairs with the release in queue_let_go(). */
		if (!__atomic_load_n(&d->queue[i]->drained, __ATOMIC_ACQUIRE))
			return -EAGAIN;
	while (d->nr_queues) {
		struct queue *q = d->queue[--d->nr_queues];

		add_stats(&d->past, &q->stats);
		queue_free(q);
	}
	journal_close(d->journal, !keep);
	d->journal = NULL;
	d->stopping = false;
	/* What they had to say of their rings is no news any more. */
	__atomic_fetch_and(&d->news, ~(1u << DISK_BROKEN), __ATOMIC_RELAXED);
	return 0;
}

/* --- what is asked from outside --- */

void disk_set_limits(struct disk *d, u64 iops, u64 bytes)
{
	pthread_mutex_lock(&d->rate_lock);
	xpv_rate_set(&d->rate_requests, iops, now_ns());
	xpv_rate_set(&d->rate_bytes, bytes, now_ns());
	WRITE_ONCE(d->limited, iops || bytes);
	pthread_mutex_unlock(&d->rate_lock);
}

void disk_stats(const struct disk *d, struct disk_stats *sum)
{
	unsigned int i;

	*sum = d->past;
	for (i = 0; i < d->nr_queues; i++)
		add_stats(sum, &d->queue[i]->stats);
}

u64 disk_youngest(struct disk *d)
{
	u64 youngest = 0;
	unsigned int i;

	for (i = 0; i < d->nr_queues; i++) {
		u64 since = queue_youngest(d->queue[i]);

		youngest = since > youngest ? since : youngest;
	}
	return youngest;
}
