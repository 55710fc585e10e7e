// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores are opened, measured and closed by errands. Who asked asks again until the errand is
 * back, and is then told what came of it: so nothing here waits, and nobody is kept in mind.
 */
#include "access.h"
#include "disk.h"
#include "node.h"
#include "xenbus.h"

#define PARAMS		"aio:"		/* libxl's word for "raw" */
#define OPENED		"xpv-blkd-opened"	/* the script has been here */
#define STORE		"xpv-blkd-store"	/* what it was that was opened */
#define RETRY_MS	50u		/* to open a store again that can't be opened yet */
#define RETRY_MOST_NS	5000000000ull	/* no longer than this between two tries */
#define RECOVER_NS	1000000000ull	/* until what was short may be there */
#define PATIENCE_NS	30000000000ull	/* a process before us may still use it for so long */
#define NEWS_NS		1000000000ull	/* who has not asked by then does not want to know */

bool access_was_open(const struct disk *d)
{
	return node_number_or(d->path, OPENED, 0);
}

static int begin_to_open(struct disk *d)
{
	char *params = node_read(d->path, "params");
	const char *target = params;

	if (!params) {
		snprintf(d->why, sizeof(d->why), "%s has no params", d->path);
		return -ENOENT;
	}
	if (!strncmp(params, PARAMS, strlen(PARAMS)))
		target += strlen(PARAMS);
	free(d->errand.target);
	d->errand.target = strdup(target);
	free(params);
	if (!d->errand.target) {
		snprintf(d->why, sizeof(d->why), "no memory");
		return -ENOMEM;
	}
	disk_send(d, ERRAND_OPEN);
	return 0;
}

static int say_why(const struct disk *d, char *why, int err)
{
	if (d->why[0])
		memcpy(why, d->why, STORE_WHY);
	else
		snprintf(why, STORE_WHY, "%.160s: does not answer", d->errand.target ?: "the store before");
	return err;
}

/* --- going on where a process before us was --- */

static void retry(void *arg);

static void retry_later(void)
{
	static bool waits;

	if (!waits)
		waits = !loop_after(RETRY_MS, retry, &waits);
}

/* Once, and not of what may yet come right by itself. */
static void complain(struct disk *d, int err)
{
	char why[STORE_WHY];

	if (d->told || (err == -EAGAIN && now_ns() - d->recovering_since < PATIENCE_NS))
		return;
	say_why(d, why, 0);
	xenbus_complain(d, "can't go on yet: %s", why);
	d->told = true;
}

/* The longer it has taken, the longer until the next try. */
static void not_yet(struct disk *d, int err)
{
	u64 now = now_ns(), pause = (now - d->recovering_since) / 4;

	complain(d, err);
	d->retry_at = now + (pause < RETRY_MOST_NS ? pause : RETRY_MOST_NS);
	retry_later();
}

static void try_again(struct disk *d)
{
	int err = begin_to_open(d);

	if (err)
		not_yet(d, err);
	else if (!d->told)
		retry_later();
}

static void retry(void *arg)
{
	bool *waits = arg;
	struct disk *d;

	*waits = false;
	for (d = disk_next(NULL); d; d = disk_next(d)) {
		if (!d->recovering || d->stopping)
			continue;
		if (!d->errand.out && now_ns() >= d->retry_at) {
			try_again(d);
			continue;
		}
		/* One that does not answer comes back by itself, if ever. */
		complain(d, -EAGAIN);
		if (!d->errand.out || !d->told)
			retry_later();
	}
}

void access_recover(struct disk *d)
{
	d->recovering = true;
	d->recovering_since = now_ns();
	try_again(d);
}

void access_recover_later(struct disk *d)
{
	u64 now = now_ns(), pause = (now - d->recovering_since) / 4;

	d->recovering = true;
	d->retry_at = now + (pause < RECOVER_NS ? RECOVER_NS : pause < RETRY_MOST_NS ? pause : RETRY_MOST_NS);
	disk_leave_store(d);
	retry_later();
}

/* --- errands that are back --- */

/* Requests in flight are not carried out on something else than they were meant for. */
static bool is_another(const struct disk *d)
{
	char *id = d->recovering ? node_read(d->path, STORE) : NULL;
	bool other = id && d->store.id[0] && strcmp(id, d->store.id);

	free(id);
	return other;
}

static void opened(struct disk *d)
{
	struct errand *e = &d->errand;
	char why[STORE_WHY];

	if (e->err) {
		memcpy(d->why, e->why, sizeof(d->why));
		if (d->recovering)
			not_yet(d, e->err);
		return;
	}
	if (is_another(d)) {
		snprintf(why, sizeof(why), "%.120s is not the file that was in use: put that back, or detach the disk by force",
			 e->target);
		/* It may have been told already that there was none. */
		d->told &= !strcmp(d->why, why);
		memcpy(d->why, why, sizeof(d->why));
		not_yet(d, -ESTALE);
		disk_leave_store(d);
		return;
	}
	d->why[0] = 0;
	d->told = false;
	free(d->target);
	d->target = e->target;
	e->target = NULL;
	disk_measure(d);
	node_write(XBT_NULL, d->path, STORE, "%s", d->store.id);
	node_write(XBT_NULL, d->path, OPENED, "1");
	xenbus_opened(d);
}

void disk_back(struct disk *d)
{
	struct errand *e = &d->errand;

	d->back_at = now_ns();
	if (e->kind == ERRAND_MEASURE && !e->err)
		e->err = xenbus_measured(d);
	if (e->kind == ERRAND_OPEN)
		opened(d);
	else if (d->recovering)
		retry_later();
}

/* --- what is asked from outside --- */

/* Has an errand of this kind come back, and has nobody heard of it yet? */
static bool is_news(struct disk *d, enum errand_kind kind)
{
	u64 since = d->back_at;

	if (d->errand.out || d->errand.kind != kind)
		return false;
	d->back_at = 0;
	return since && now_ns() - since < NEWS_NS;
}

int disk_open_store(struct disk *d, char *why)
{
	int err = 0;

	if (d->removed) {
		snprintf(why, STORE_WHY, "the disk that was there before still has requests in flight");
		return -EAGAIN;
	}
	if (disk_has_store(d))
		return 0;
	if (is_news(d, ERRAND_OPEN))
		return say_why(d, why, d->errand.err);
	if (!d->errand.out && !d->recovering)
		err = begin_to_open(d);
	return say_why(d, why, err ?: -EAGAIN);
}

int disk_close_store(struct disk *d)
{
	char path[128];

	if (d->nr_queues)
		return -EBUSY;
	d->recovering = false;
	d->why[0] = 0;
	snprintf(path, sizeof(path), "%s/" OPENED, d->path);
	xs_rm(node_store, XBT_NULL, path);
	disk_leave_store(d);
	return d->errand.out ? -EAGAIN : 0;
}

int disk_resize(struct disk *d)
{
	if (!disk_has_store(d))
		return -ENODEV;
	if (is_news(d, ERRAND_MEASURE))
		return d->errand.err;
	if (!d->errand.out)
		disk_send(d, ERRAND_MEASURE);
	return -EAGAIN;
}
