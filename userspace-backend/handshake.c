// SPDX-License-Identifier: GPL-2.0-only
/* What backend and frontend tell each other by nodes of xenstore, besides their states. */
#include "handshake.h"
#include "node.h"

#include <unistd.h>

#define NO_ORDER	0xffu	/* there is no `ring-page-order` */

/* --- what is offered --- */

static u32 max_queues(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (config.max_queues)
		return config.max_queues;
	return cpus < 1 ? 1 : cpus < 4 ? (u32)cpus : 4;
}

bool handshake_offer(struct disk *d)
{
	return node_write(XBT_NULL, d->path, "feature-max-indirect-segments", "%u", XPV_BLK_MAX_SEGS) &&
	       node_write(XBT_NULL, d->path, "max-ring-page-order", "%u", config.max_ring_order) &&
	       node_write(XBT_NULL, d->path, "multi-queue-max-queues", "%u", max_queues());
}

static bool write_geometry(struct disk *d, xs_transaction_t t)
{
	const struct store *s = &d->store;
	u32 info = (d->cdrom ? XPV_VDISK_CDROM : 0) | (d->removable ? XPV_VDISK_REMOVABLE : 0) |
		   (d->readonly ? XPV_VDISK_READONLY : 0);
	bool ok;

	ok = node_write(t, d->path, "sectors", "%llu", (unsigned long long)d->limits.capacity) &&
	     node_write(t, d->path, "info", "%u", info) &&
	     node_write(t, d->path, "feature-flush-cache", "%u", d->limits.flush) &&
	     node_write(t, d->path, "feature-barrier", "%u", d->limits.barrier) &&
	     node_write(t, d->path, "feature-discard", "%u", d->limits.discard) &&
	     node_write(t, d->path, "feature-persistent", "%u", d->persistent);
	/* Who is connected has made its disk with these, whatever the store says by now. */
	if (ok && d->state < XPV_CONNECTED)
		ok = node_write(t, d->path, "sector-size", "%u", s->sector) &&
		     node_write(t, d->path, "physical-sector-size", "%u", s->physical);
	if (ok && d->limits.discard)
		ok = node_write(t, d->path, "discard-granularity", "%u", s->discard) &&
		     node_write(t, d->path, "discard-alignment", "%u", s->discard_offset) &&
		     node_write(t, d->path, "discard-secure", "0");
	return ok;
}

/* All at once, so that a frontend never reads half of it. */
bool handshake_geometry(struct disk *d)
{
	xs_transaction_t t;

	do {
		t = node_begin(d->path);
		if (!t)
			return false;
		if (node_end(t, write_geometry(d, t)))
			return true;
	} while (errno == EAGAIN);
	return false;
}

/* --- what the frontend chose --- */

/* What it chose for the disk as a whole. */
struct choice {
	enum xpv_blk_abi abi;
	u32 queues;
	u32 order;		/* of each ring, or NO_ORDER */
	bool persistent;
};

/* A queue's ring: `ring-ref`, or `ring-ref0` and on, or for a single page either. */
static int read_ring(const char *dir, u32 order, struct ring_info *info)
{
	u32 i;
	int err = node_number(dir, "event-channel", &info->port);

	info->pages = order == NO_ORDER ? 1 : 1u << order;
	for (i = 0; !err && i < info->pages; i++) {
		char name[sizeof("ring-ref") + 10];

		snprintf(name, sizeof(name), "ring-ref%u", i);
		err = order == NO_ORDER ? -ENOENT : node_number(dir, name, &info->gref[i]);
		if (err && info->pages == 1)
			err = node_number(dir, "ring-ref", &info->gref[i]);
	}
	return err;
}

/*
 * Each node is read once. What was offered when the frontend chose, nobody knows: the settings may be others
 * by now, and one that resumes has read what was offered before.
 */
static int negotiate(const struct disk *d, struct choice *choice)
{
	char *protocol = node_read(d->front, "protocol");
	int err = protocol || errno == ENOENT ? xpv_blk_abi(protocol, &choice->abi) : -errno;

	free(protocol);
	if (err)
		return err;
	choice->queues = node_number_or(d->front, "multi-queue-num-queues", 1);
	if (!choice->queues || choice->queues > MAX_QUEUES)
		return -EINVAL;
	err = node_number(d->front, "ring-page-order", &choice->order);
	if (err == -ENOENT)
		choice->order = NO_ORDER;
	else if (err || choice->order > XPV_RING_MAX_ORDER)
		return -EINVAL;
	choice->persistent = node_number_or(d->front, "feature-persistent", 0);
	return 0;
}

static int read_queue(const struct disk *d, const struct choice *choice, u32 i, struct ring_info *info)
{
	char dir[300];

	if (choice->queues == 1)
		return read_ring(d->front, choice->order, info);
	snprintf(dir, sizeof(dir), "%s/queue-%u", d->front, i);
	return read_ring(dir, choice->order, info);
}

int handshake_read(struct disk *d, struct ring_info *info, u32 *queues)
{
	struct choice choice;
	u32 i;
	int err = negotiate(d, &choice);

	if (err)
		return err;
	d->abi = choice.abi;
	/* Who is connected goes by what it was told, if that was before this process, or that setting. */
	d->persistent = choice.persistent && config.persistent_grants &&
			(d->state < XPV_CONNECTED || node_number_or(d->path, "feature-persistent", 0));
	*queues = choice.queues;
	for (i = 0; !err && i < choice.queues; i++)
		err = read_queue(d, &choice, i, &info[i]);
	return err;
}

int handshake_first(const struct disk *d, struct ring_info *info)
{
	struct choice choice;
	int err = negotiate(d, &choice);

	return err ? err : read_queue(d, &choice, 0, info);
}
