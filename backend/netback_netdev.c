// SPDX-License-Identifier: GPL-2.0-only
/* The vif as the host's network stack sees it. */
#include "netback.h"

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/overflow.h>
#include <linux/rtnetlink.h>

/* What a guest may take, or not. */
#define OFFLOADS (NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM | NETIF_F_TSO | NETIF_F_TSO6)

/* The one that Xen's hotplug scripts give to ports of a bridge: it is never the lowest, which the bridge makes its own. */
static const u8 vif_addr[ETH_ALEN] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };

static int open(struct net_device *dev)
{
	struct xpv_netback *vif = netdev_priv(dev);
	u32 i;

	/* Else the queues come up when the guest connects. */
	for (i = 0; vif->connected && i < vif->queues; i++)
		xpv_netback_up(vif->queue[i]);
	return 0;
}

static int stop(struct net_device *dev)
{
	struct xpv_netback *vif = netdev_priv(dev);
	u32 i;

	for (i = 0; vif->connected && i < vif->queues; i++)
		xpv_netback_down(vif->queue[i]);
	return 0;
}

static netdev_features_t fix_features(struct net_device *dev, netdev_features_t features)
{
	const struct xpv_netback *vif = netdev_priv(dev);

	return features & (vif->takes | ~OFFLOADS);
}

static void get_stats64(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	const struct xpv_netback *vif = netdev_priv(dev);
	struct xpv_netback_sum rx = {}, tx = {};
	const struct xpv_netback_queue *q;
	u32 i;

	for (i = 0; i < vif->max_queues; i++) {
		/* One that is made meanwhile has counted nothing. */
		q = READ_ONCE(vif->queue[i]);
		if (!q)
			break;
		xpv_netback_add_count(&rx, &q->from_guest);
		xpv_netback_add_count(&tx, &q->to_guest);
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
	.ndo_select_queue	= xpv_netback_select_queue,
	.ndo_start_xmit		= xpv_netback_start_xmit,
	.ndo_get_stats64	= get_stats64,
	.ndo_fix_features	= fix_features,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

static void set_up_netdev(struct net_device *dev)
{
	dev->netdev_ops = &netdev_ops;
	dev->ethtool_ops = &xpv_netback_ethtool_ops;
	dev->hw_features = OFFLOADS;
	dev->features = dev->hw_features | NETIF_F_RXCSUM;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = XPV_NET_MAX_PACKET - VLAN_ETH_HLEN;
	netif_set_tso_max_size(dev, XPV_NET_MAX_PACKET);
	eth_hw_addr_set(dev, vif_addr);
	netif_carrier_off(dev);
	netif_tx_stop_all_queues(dev);
}

struct xpv_netback *xpv_netback_create(struct xenbus_device *xdev, u32 handle)
{
	struct xpv_netback *vif;
	struct net_device *dev;
	char name[IFNAMSIZ];
	u32 max_queues = xpv_netback_max_queues();

	snprintf(name, sizeof(name), "vif%d.%u", xdev->otherend_id, handle);
	dev = alloc_netdev_mqs((int)struct_size(vif, queue, max_queues), name, NET_NAME_UNKNOWN,
			       ether_setup, max_queues, max_queues);
	if (!dev)
		return NULL;
	SET_NETDEV_DEV(dev, &xdev->dev);
	set_up_netdev(dev);

	vif = netdev_priv(dev);
	vif->xdev = xdev;
	vif->dev = dev;
	mutex_init(&vif->lock);
	xpv_batch_init(&vif->batch, (u16)xdev->otherend_id);
	spin_lock_init(&vif->link_lock);
	spin_lock_init(&vif->credit_lock);
	spin_lock_init(&vif->mcast_lock);
	vif->state = XPV_INITIALISING;
	vif->front = XPV_INITIALISING;
	/* Until the guest has spoken nothing is refused: the MTU is often set before. */
	vif->takes = OFFLOADS;
	/* A packet may come before the guest: there is a queue to drop it. */
	vif->queues = 1;
	vif->max_queues = max_queues;
	if (xpv_netback_make_queues(vif, 1) || netif_set_real_num_queues(dev, 1, 1))
		goto err_netdev;
	return vif;

err_netdev:
	xpv_netback_free_queues(vif);
	free_netdev(dev);
	return NULL;
}

void xpv_netback_free(struct xpv_netback *vif)
{
	struct net_device *dev = vif->dev;

	xpv_netback_free_queues(vif);
	free_netdev(dev);
}

int xpv_netback_start(struct xpv_netback *vif, u32 queues)
{
	struct net_device *dev = vif->dev;
	int err;

	rtnl_lock();
	err = netif_set_real_num_queues(dev, queues, queues);
	if (err)
		goto out;
	vif->queues = queues;
	/* A guest without scatter-gather has one page for a packet. */
	dev->max_mtu = vif->takes & NETIF_F_SG ? XPV_NET_MAX_PACKET - VLAN_ETH_HLEN : ETH_DATA_LEN;
	if (dev->mtu > dev->max_mtu)
		dev_set_mtu(dev, (int)dev->max_mtu);
	netdev_update_features(dev);
	vif->connected = true;
	netif_carrier_on(dev);
	if (netif_running(dev))
		open(dev);
out:
	rtnl_unlock();
	return err;
}

void xpv_netback_stop(struct xpv_netback *vif)
{
	struct net_device *dev = vif->dev;

	rtnl_lock();
	if (netif_running(dev))
		stop(dev);
	/* After that: a queue that is up, or goes down, may turn it on. */
	netif_carrier_off(dev);
	vif->connected = false;
	rtnl_unlock();
}
