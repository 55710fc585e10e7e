// SPDX-License-Identifier: GPL-2.0-only
/* Where an interface's queues stand: /sys/kernel/debug/xpv-netfront/vif-<handle>. */
#include "netfront.h"

#include <linux/debugfs.h>

#include <xpv_show.h>

static struct dentry *root;

static void show_queue(struct seq_file *m, const struct xpv_netfront_queue *q)
{
	const struct xpv_netfront_lot *lot = READ_ONCE(q->rx.lot);

	seq_printf(m, "queue %u: waiting %u extras %u free_ids %u ready %u bare %u", q->id,
		   READ_ONCE(q->tx.waiting), READ_ONCE(q->tx.extras), READ_ONCE(q->tx.free_ids),
		   READ_ONCE(q->rx.ready), READ_ONCE(q->rx.bare));
	seq_printf(m, " kept %u of %u idle%s%s\n", lot ? READ_ONCE(lot->nr_idle) : 0,
		   lot ? lot->n : 0, READ_ONCE(q->tx.mapped) ? " mapped" : "",
		   q->started ? " started" : "");
	xpv_show_ring(m, "tx", &q->tx.ring);
	xpv_show_ring(m, "rx", &q->rx.ring);
}

static int vif_show(struct seq_file *m, void *unused)
{
	struct xpv_netfront *np = m->private;
	unsigned int i;

	mutex_lock(&np->state_lock);
	seq_printf(m, "%s: state %u backend %u queues %u of %u multicasts %u%s%s%s\n",
		   np->netdev->name, np->state, np->back, np->queues, np->max_queues, np->mcasts,
		   np->filtered ? " filtered" : "", np->untrusted ? " untrusted" : "",
		   np->served ? " served" : "");
	for (i = 0; np->state == XPV_CONNECTED && i < np->queues; i++)
		show_queue(m, &np->queue[i]);
	if (np->ctl.irq)
		xpv_show_ring(m, "ctrl", &np->ctl.ring);
	mutex_unlock(&np->state_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vif);

void xpv_netfront_expose(struct xpv_netfront *np)
{
	np->debug = debugfs_create_file(dev_name(&np->xbdev->dev), 0400, root, np, &vif_fops);
}

void xpv_netfront_conceal(struct xpv_netfront *np)
{
	debugfs_remove(np->debug);
}

void xpv_netfront_debugfs_init(void)
{
	root = debugfs_create_dir("xpv-netfront", NULL);
}

void xpv_netfront_debugfs_exit(void)
{
	debugfs_remove(root);
}
