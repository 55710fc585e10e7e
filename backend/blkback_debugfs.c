// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a device's queues are, for somebody who wonders why a guest waits: a file for each device
 * in debugfs, named as in sysfs. What a queue's lock guards is seen as it was at one moment, the
 * rest as it comes.
 */
#include "blkback.h"

#include <linux/debugfs.h>
#include <linux/seq_file.h>

static struct dentry *folder;

/* A queue's ring, ours and as the frontend has it, and what requests are held to. */
struct view {
	enum xpv_blk_abi abi;
	u32 slots, prod, cons;
	u32 req_prod, req_event, rsp_prod, rsp_event;
	bool broken;
	struct xpv_blk_limits limits;
};

/* Returns whether the queue is connected. */
static bool look(struct xpv_blkback_queue *q, struct view *v)
{
	const struct xpv_sring *shared;

	spin_lock_irq(&q->lock);
	shared = q->ring.shared;
	if (shared) {
		v->abi = q->dev->abi;
		v->slots = q->ring.size;
		v->prod = q->ring.prod;
		v->cons = READ_ONCE(q->ring.cons);
		v->req_prod = READ_ONCE(shared->req_prod);
		v->req_event = READ_ONCE(shared->req_event);
		v->rsp_prod = READ_ONCE(shared->rsp_prod);
		v->rsp_event = READ_ONCE(shared->rsp_event);
		v->broken = xpv_ring_broken(&q->ring);
		v->limits = q->offered;
	}
	spin_unlock_irq(&q->lock);
	return shared;
}

static const char *const abis[] = {
	[XPV_BLK_NATIVE] = "native",
	[XPV_BLK_X86_32] = "x86_32",
	[XPV_BLK_X86_64] = "x86_64",
};

static void show_limits(struct seq_file *m, const struct xpv_blk_limits *lim)
{
	seq_printf(m, "\tsectors %llu block %u segments %u%s%s%s%s%s\n", lim->capacity,
		   lim->block_sectors << XPV_BLK_SECTOR_SHIFT, lim->max_segs,
		   lim->flush ? " flush" : "", lim->barrier ? " barrier" : "",
		   lim->discard ? " discard" : "", lim->secure_erase ? " secure_erase" : "",
		   lim->readonly ? " readonly" : "");
}

static void show_queue(struct seq_file *m, struct xpv_blkback_queue *q)
{
	struct view v;

	if (!look(q, &v)) {
		seq_printf(m, "queue %u: not connected\n", q->index);
		return;
	}
	seq_printf(m, "queue %u: %s%s\n", q->index, abis[v.abi], v.broken ? ", broken" : "");
	seq_printf(m, "\tslots %u req_prod %u taken %u req_event %u answered %u rsp_prod %u rsp_event %u\n",
		   v.slots, v.req_prod, v.cons, v.req_event, v.prod, v.rsp_prod, v.rsp_event);
	seq_printf(m, "\tinflight %d starved %u\n", atomic_read(&q->inflight),
		   !chain_empty(&q->starved));
	seq_printf(m, "\tgrants %u of %u\n", READ_ONCE(q->grants.count),
		   READ_ONCE(q->grants.capacity));
	show_limits(m, &v.limits);
}

static int device_show(struct seq_file *m, void *unused)
{
	struct xpv_blkback_device *dev = m->private;
	unsigned int i;

	seq_printf(m, "domain_grants %d of %u borrowed %d\n", atomic_read(&dev->domain->grants),
		   READ_ONCE(xpv_blkback_domain_grants), atomic_read(&dev->domain->borrowed));
	seq_printf(m, "limit_iops %llu limit_bytes %llu spare_pages %u\n",
		   READ_ONCE(dev->requests.per_second), READ_ONCE(dev->bytes.per_second),
		   READ_ONCE(dev->pages.num_pages));
	for (i = 0; i < dev->max_queues; i++) {
		/* Pairs with the release in connect_queue(). */
		struct xpv_blkback_queue *q = smp_load_acquire(&dev->queue[i]);

		if (q)
			show_queue(m, q);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(device);

void xpv_blkback_debugfs_add(struct xpv_blkback_device *dev)
{
	/* Without it there is just nothing to see. */
	dev->debug = debugfs_create_file(dev_name(&dev->xdev->dev), 0400, folder, dev,
					 &device_fops);
}

void xpv_blkback_debugfs_remove(struct xpv_blkback_device *dev)
{
	debugfs_remove(dev->debug);
}

void xpv_blkback_debugfs_init(void)
{
	folder = debugfs_create_dir("xpv-blkback", NULL);
}

void xpv_blkback_debugfs_exit(void)
{
	debugfs_remove(folder);
}
