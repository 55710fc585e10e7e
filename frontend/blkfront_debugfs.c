// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a disk's queues are, for somebody who wonders why it waits: a file for each disk in
 * debugfs, by its name.
 */
#include "blkfront.h"

#include <linux/debugfs.h>
#include <linux/seq_file.h>

static struct dentry *folder;

/* A queue's ring, ours and as the backend has it, and its grants. */
struct view {
	struct xpv_ring ring;
	u32 inflight;
	u32 req_prod, req_event, rsp_prod, rsp_event;
	bool live;
	struct xpv_blkfront_pool data, tables;
};

/* Returns whether the queue has a ring. The device's lock keeps that where it is. */
static bool look(struct xpv_blkfront_queue *q, struct view *v)
{
	const struct xpv_sring *shared;

	lockdep_assert_held(&q->dev->lock);
	spin_lock_irq(&q->lock);
	shared = q->ring.shared;
	if (shared) {
		v->ring = q->ring;
		v->inflight = xpv_front_inflight(&q->ring);
		v->req_prod = READ_ONCE(shared->req_prod);
		v->req_event = READ_ONCE(shared->req_event);
		v->rsp_prod = READ_ONCE(shared->rsp_prod);
		v->rsp_event = READ_ONCE(shared->rsp_event);
		v->live = q->live;
		v->data = q->data;
		v->tables = q->tables;
	}
	spin_unlock_irq(&q->lock);
	return shared;
}

static void show_queue(struct seq_file *m, struct xpv_blkfront_queue *q, unsigned int index)
{
	struct view v;

	if (!look(q, &v)) {
		seq_printf(m, "queue %u: not connected\n", index);
		return;
	}
	seq_printf(m, "queue %u: %s%s%s\n", index, v.live ? "live" : "halted",
		   q->polled ? ", polled" : "", v.ring.broken ? ", broken" : "");
	seq_printf(m, "\tslots %u composed %u req_prod %u req_event %u rsp_prod %u taken %u rsp_event %u\n",
		   v.ring.size, v.ring.prod, v.req_prod, v.req_event, v.rsp_prod, v.ring.cons,
		   v.rsp_event);
	seq_printf(m, "\tinflight %u\n", v.inflight);
	seq_printf(m, "\tgrants %u free %u of %u\n", v.data.total, v.data.nr_free, v.data.max);
	seq_printf(m, "\ttables %u free %u of %u\n", v.tables.total, v.tables.nr_free,
		   v.tables.max);
}

static int disk_show(struct seq_file *m, void *unused)
{
	struct xpv_blkfront_dev *dev = m->private;
	unsigned int i;
	int err;

	err = mutex_lock_interruptible(&dev->lock);
	if (err)
		return err;
	seq_printf(m, "%s, segments %u, %s%s\n", xenbus_strstate((enum xenbus_state)dev->state),
		   dev->max_segs,
		   dev->persistent ? "persistent grants" : dev->bounce ? "bounced" : "direct",
		   dev->frozen ? ", requests wait" : "");
	for (i = 0; i < dev->nr_queues; i++)
		show_queue(m, &dev->queue[i], i);
	mutex_unlock(&dev->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(disk);

void xpv_blkfront_debugfs_add(struct xpv_blkfront_dev *dev)
{
	/* Without it there is just nothing to see. */
	dev->debug = debugfs_create_file(dev->name, 0400, folder, dev, &disk_fops);
}

void xpv_blkfront_debugfs_remove(struct xpv_blkfront_dev *dev)
{
	debugfs_remove(dev->debug);
}

void xpv_blkfront_debugfs_init(void)
{
	folder = debugfs_create_dir("xpv-blkfront", NULL);
}

void xpv_blkfront_debugfs_exit(void)
{
	debugfs_remove(folder);
}
