// SPDX-License-Identifier: GPL-2.0-only
/* What we say to the backend of a new connection: where its rings and channels are, and what we ask of it. */
#include "netfront.h"

#include <linux/slab.h>

#include <xpv_xenstore.h>

/*
 * Keys that another driver or connection may have left in our node, and a backend would obey: where
 * its queues were, and what we don't ask for.
 */
static const char *const leftovers[] = {
	"tx-ring-ref", "rx-ring-ref", "event-channel", "event-channel-tx", "event-channel-rx",
	"multi-queue-num-queues",
	"ctrl-ring-ref", "event-channel-ctrl",
	"request-multicast-control", "xdp-headroom",
};

/* What we ask of every backend and let it send us, the latter while the feature is on. */
static const struct {
	const char *key;
	netdev_features_t feature;	/* 0: always */
	bool off;			/* the key says that it is off */
} offers[] = {
	{ "request-rx-copy" },
	{ "feature-rx-notify" },
	{ "feature-sg" },
	{ "feature-no-csum-offload", NETIF_F_RXCSUM, true },
	{ "feature-ipv6-csum-offload", NETIF_F_RXCSUM },
	{ "feature-gso-tcpv4", NETIF_F_GRO_HW },
	{ "feature-gso-tcpv6", NETIF_F_GRO_HW },
};

/* The folder of queue @id, where there are several. NULL without memory. */
static char *name_folder(const char *node, unsigned int id)
{
	return kasprintf(GFP_KERNEL, "%s/queue-%u", node, id);
}

static int write_rings(struct xenbus_transaction xbt, const char *node,
		       const struct xpv_netfront_queue *q)
{
	int err;

	err = xenbus_printf(xbt, node, "tx-ring-ref", "%u", q->tx.ring_ref);
	if (err)
		return err;
	err = xenbus_printf(xbt, node, "rx-ring-ref", "%u", q->rx.ring_ref);
	if (err)
		return err;
	if (q->tx.channel == q->rx.channel)
		return xenbus_printf(xbt, node, "event-channel", "%u", q->tx.channel->port);
	err = xenbus_printf(xbt, node, "event-channel-tx", "%u", q->tx.channel->port);
	if (err)
		return err;
	return xenbus_printf(xbt, node, "event-channel-rx", "%u", q->rx.channel->port);
}

static int write_queues(struct xenbus_transaction xbt, struct xpv_netfront *np)
{
	const char *node = np->xbdev->nodename;
	unsigned int i;
	int err = 0;

	if (np->queues == 1)
		return write_rings(xbt, node, &np->queue[0]);
	for (i = 0; !err && i < np->queues; i++) {
		char *folder = name_folder(node, i);

		err = folder ? write_rings(xbt, folder, &np->queue[i]) : -ENOMEM;
		kfree(folder);
	}
	return err;
}

static int remove_folders(struct xenbus_transaction xbt, const char *node)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err; i++) {
		char folder[16];

		snprintf(folder, sizeof(folder), "queue-%u", i);
		if (!xenbus_exists(xbt, node, folder))
			return 0;
		err = xenbus_rm(xbt, node, folder);
	}
	return err;
}

static int write_ctl(struct xenbus_transaction xbt, const struct xpv_netfront *np)
{
	const char *node = np->xbdev->nodename;
	int err;

	if (!np->ctl.irq)
		return 0;
	err = xenbus_printf(xbt, node, "ctrl-ring-ref", "%u", np->ctl.ring_ref);
	if (err)
		return err;
	return xenbus_printf(xbt, node, "event-channel-ctrl", "%u", np->ctl.port);
}

/* What is published is decided before, for it may be written more than once. */
struct offer {
	struct xpv_netfront *np;
	bool count;	/* the backend looks for the number of queues */
	bool filter;	/* it shall bring no multicasts but those it is told of */
	u32 headroom;	/* it shall leave in front of a packet */
};

static int write_keys(struct xenbus_transaction xbt, void *arg)
{
	const struct offer *offer = arg;
	struct xpv_netfront *np = offer->np;
	const char *node = np->xbdev->nodename;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(leftovers); i++) {
		err = xenbus_rm(xbt, node, leftovers[i]);
		if (err && err != -ENOENT)
			return err;
	}
	err = remove_folders(xbt, node);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(offers); i++) {
		bool on = !offers[i].feature || np->netdev->features & offers[i].feature;

		err = xenbus_printf(xbt, node, offers[i].key, "%u", on != offers[i].off);
		if (err)
			return err;
	}
	if (np->mcast_control) {
		err = xenbus_printf(xbt, node, "request-multicast-control", "%u",
				    offer->filter);
		if (err)
			return err;
	}
	if (offer->headroom) {
		err = xenbus_printf(xbt, node, "xdp-headroom", "%u", offer->headroom);
		if (err)
			return err;
	}
	/* A single queue is written flat, but whoever offers more looks for the number. */
	if (offer->count) {
		err = xenbus_printf(xbt, node, "multi-queue-num-queues", "%u", np->queues);
		if (err)
			return err;
	}
	err = write_ctl(xbt, np);
	return err ? err : write_queues(xbt, np);
}

int xpv_netfront_publish(struct xpv_netfront *np)
{
	struct offer offer = {
		.np = np,
		.count = xpv_netfront_says(np, "multi-queue-max-queues"),
		.filter = xpv_netfront_wants_filter(np),
		.headroom = xpv_netfront_says(np, "feature-xdp-headroom") ? xpv_netfront_xdp_headroom(np) : 0,
	};

	return xpv_xenstore_commit(write_keys, &offer);
}
