// SPDX-License-Identifier: GPL-2.0-only
/* The interface as the guest's network stack sees it. */
#include "netfront.h"

#include <linux/rtnetlink.h>
#include <xpv_xdp.h>

/* What depends on the backend: how it may be sent packets. */
#define OFFLOADS (NETIF_F_SG | NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM | NETIF_F_TSO | NETIF_F_TSO6)
/* What the backend has to know: how it may send them. */
#define TAKEN (NETIF_F_RXCSUM | NETIF_F_GRO_HW)

static int open(struct net_device *dev)
{
	struct xpv_netfront *np = netdev_priv(dev);
	unsigned int i;

	netif_tx_start_all_queues(dev);
	/* From now on the polls post buffers. */
	local_bh_disable();
	for (i = 0; i < np->queues; i++)
		if (np->queue[i].started)
			napi_schedule(&np->queue[i].rx.napi);
	local_bh_enable();
	return 0;
}

static int stop(struct net_device *dev)
{
	struct xpv_netfront *np = netdev_priv(dev);
	unsigned int i;

	/* A poll that begins now sees that the device is down, and drops. */
	for (i = 0; i < np->queues; i++)
		if (np->queue[i].started)
			napi_synchronize(&np->queue[i].rx.napi);
	return 0;
}

static netdev_features_t fix_features(struct net_device *dev, netdev_features_t features)
{
	struct xpv_netfront *np = netdev_priv(dev);

	features &= ~(OFFLOADS & ~np->takes);
	if (!np->can_hash)
		features &= ~NETIF_F_RXHASH;
	/* Of what these bring, a program can be shown nothing. */
	return rcu_access_pointer(np->xdp_prog) ? features & ~TAKEN : features;
}

static int set_features(struct net_device *dev, netdev_features_t features)
{
	netdev_features_t changed = dev->features ^ features;
	struct xpv_netfront *np = netdev_priv(dev);
	int err = 0;

	if (changed & NETIF_F_RXHASH && xpv_netfront_set_hash(np, features & NETIF_F_RXHASH)) {
		/* Until the next connection it is not to be had, which is not to keep the others waiting. */
		np->can_hash = false;
		features &= ~NETIF_F_RXHASH;
		dev->features = features;
		err = 1;
	}
	if (changed & TAKEN)
		xpv_netfront_renew(np);
	if (features & NETIF_F_SG || dev->mtu <= ETH_DATA_LEN)
		return err;
	netdev_info(dev, "no scatter-gather: MTU reduced to %u\n", ETH_DATA_LEN);
	return dev_set_mtu(dev, ETH_DATA_LEN) ?: err;
}

static int change_mtu(struct net_device *dev, int mtu)
{
	/* One slot holds a page at most. Before it is connected, the device may hope. */
	if (mtu > ETH_DATA_LEN && !(dev->features & NETIF_F_SG))
		return -EINVAL;
	if (xpv_netfront_xdp_forbids(netdev_priv(dev), mtu))
		return -EINVAL;
	WRITE_ONCE(dev->mtu, mtu);
	return 0;
}

static void get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	const struct xpv_netfront *np = netdev_priv(dev);
	struct xpv_netfront_sum rx = {}, tx = {};
	unsigned int i;

	for (i = 0; i < np->max_queues; i++) {
		xpv_netfront_add_count(&rx, &np->queue[i].rx.count);
		xpv_netfront_add_count(&tx, &np->queue[i].tx.count);
	}
	stats->rx_packets = rx.packets;
	stats->rx_bytes = rx.bytes;
	stats->rx_dropped = rx.dropped;
	stats->rx_errors = rx.errors;
	stats->tx_packets = tx.packets;
	stats->tx_bytes = tx.bytes;
	stats->tx_dropped = tx.dropped;
	stats->tx_errors = tx.errors;
}

static const struct net_device_ops netdev_ops = {
	.ndo_open		= open,
	.ndo_stop		= stop,
	.ndo_start_xmit		= xpv_netfront_xmit,
	.ndo_set_rx_mode	= xpv_netfront_set_rx_mode,
	.ndo_fix_features	= fix_features,
	.ndo_set_features	= set_features,
	.ndo_change_mtu		= change_mtu,
	.ndo_get_stats64	= get_stats64,
	.ndo_bpf		= xpv_netfront_bpf,
	.ndo_xdp_xmit		= xpv_netfront_xdp_xmit,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

struct net_device *xpv_netfront_create(struct xenbus_device *xbdev)
{
	struct xpv_netfront *np;
	struct net_device *dev;
	unsigned int i, max_queues = xpv_netfront_max_queues();

	dev = alloc_etherdev_mqs(sizeof(*np), max_queues, max_queues);
	if (!dev)
		return NULL;
	np = netdev_priv(dev);
	np->max_queues = max_queues;
	np->queues = 1;
	np->offered = max_queues;
	np->wanted = max_queues;
	np->queue = kvcalloc(max_queues, sizeof(*np->queue), GFP_KERNEL);
	if (!np->queue || netif_set_real_num_queues(dev, 1, 1)) {
		kvfree(np->queue);
		free_netdev(dev);
		return NULL;
	}
	np->netdev = dev;
	np->xbdev = xbdev;
	np->takes = OFFLOADS;
	xpv_netfront_init_mcast(np);
	xpv_netfront_init_ctl(np);
	xpv_netfront_init_hash(np);
	for (i = 0; i < max_queues; i++)
		xpv_netfront_queue_init(np, &np->queue[i], i);

	SET_NETDEV_DEV(dev, &xbdev->dev);
	dev->netdev_ops = &netdev_ops;
	dev->ethtool_ops = &xpv_netfront_ethtool_ops;
	dev->hw_features = OFFLOADS | TAKEN | NETIF_F_RXHASH;
	/* Blank checksums and unchecked headers of others' packets pass through as they are. */
	dev->features = OFFLOADS | TAKEN | NETIF_F_GSO_ROBUST;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = XPV_NET_MAX_PACKET - ETH_HLEN;
	/* While it is answered a packet is ours alone: it carries our count of its slots. */
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	netif_set_tso_max_size(dev, XPV_NET_MAX_PACKET);
	xpv_xdp_features(dev);
	netif_carrier_off(dev);
	return dev;
}

void xpv_netfront_destroy(struct net_device *dev)
{
	struct xpv_netfront *np = netdev_priv(dev);
	unsigned int i;

	xpv_netfront_free_hash(np);
	for (i = 0; i < np->max_queues; i++)
		xpv_netfront_queue_destroy(&np->queue[i]);
	kvfree(np->queue);
	free_netdev(dev);
}
