// SPDX-License-Identifier: GPL-2.0-only
/* Where a vif's queues stand: /sys/kernel/debug/xpv-netback/vif-<domid>-<handle>. */
#include "netback.h"

#include <linux/debugfs.h>

#include <xpv_show.h>

static struct dentry *root;

static void show_queue(struct seq_file *m, const struct xpv_netback_queue *q)
{
	seq_printf(m, "queue %u: need %u outs %u static grants %u events %#lx%s%s%s\n", q->id,
		   READ_ONCE(q->need), READ_ONCE(q->outs), READ_ONCE(q->statics),
		   READ_ONCE(q->events),
		   READ_ONCE(q->up) ? " up" : "", READ_ONCE(q->draining) ? " draining" : "",
		   READ_ONCE(q->dead) ? " dead" : "");
	xpv_show_ring(m, "tx", &q->tx);
	xpv_show_ring(m, "rx", &q->rx);
}

static int vif_show(struct seq_file *m, void *unused)
{
	struct xpv_netback *vif = m->private;
	u32 i;

	mutex_lock(&vif->lock);
	seq_printf(m, "%s: state %u guest %u queues %u of %u%s%s\n", vif->dev->name, vif->state,
		   vif->front, vif->queues, vif->max_queues, vif->plugged ? " plugged" : "",
		   vif->filtered ? " filtered" : "");
	for (i = 0; vif->connected && i < vif->queues; i++)
		show_queue(m, vif->queue[i]);
	if (vif->ctl)
		xpv_show_ring(m, "ctrl", &vif->ctl->ring);
	mutex_unlock(&vif->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vif);

void xpv_netback_expose(struct xpv_netback *vif)
{
	vif->debug = debugfs_create_file(dev_name(&vif->xdev->dev), 0400, root, vif, &vif_fops);
}

void xpv_netback_conceal(struct xpv_netback *vif)
{
	debugfs_remove(vif->debug);
}

void xpv_netback_debugfs_init(void)
{
	root = debugfs_create_dir("xpv-netback", NULL);
}

void xpv_netback_debugfs_exit(void)
{
	debugfs_remove(root);
}
