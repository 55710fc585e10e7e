// SPDX-License-Identifier: GPL-2.0-only
/* What ethtool shows of the interface, and changes. */
#include "netfront.h"

#include <linux/ethtool.h>

#include <xpv_rxfh.h>

/* Of a queue, each for both directions. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{ "packets", offsetof(struct xpv_netfront_sum, packets) },
	{ "bytes", offsetof(struct xpv_netfront_sum, bytes) },
	{ "dropped", offsetof(struct xpv_netfront_sum, dropped) },
	{ "errors", offsetof(struct xpv_netfront_sum, errors) },
	{ "grants", offsetof(struct xpv_netfront_sum, grants) },
	{ "statics", offsetof(struct xpv_netfront_sum, statics) },
};

/* What programs said of what a queue has received. */
static const struct {
	const char *name;
	size_t offset;
} verdicts[] = {
	{ "drops", offsetof(struct xpv_netfront_sum, xdp_drops) },
	{ "tx", offsetof(struct xpv_netfront_sum, xdp_tx) },
	{ "redirects", offsetof(struct xpv_netfront_sum, xdp_redirects) },
};

/* Of all the queues there can be: the number must not change between two questions. */
static int get_sset_count(struct net_device *dev, int set)
{
	const struct xpv_netfront *np = netdev_priv(dev);

	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return (int)(1 + np->max_queues * (2 * ARRAY_SIZE(counters) + ARRAY_SIZE(verdicts)));
}

static void get_strings(struct net_device *dev, u32 set, u8 *data)
{
	const struct xpv_netfront *np = netdev_priv(dev);
	unsigned int i, way, c;

	if (set != ETH_SS_STATS)
		return;
	ethtool_sprintf(&data, "rx_gso_checksum_fixup");
	for (i = 0; i < np->max_queues; i++) {
		for (way = 0; way < 2; way++)
			for (c = 0; c < ARRAY_SIZE(counters); c++)
				ethtool_sprintf(&data, "%s_queue_%u_%s", way ? "tx" : "rx", i,
						counters[c].name);
		for (c = 0; c < ARRAY_SIZE(verdicts); c++)
			ethtool_sprintf(&data, "rx_queue_%u_xdp_%s", i, verdicts[c].name);
	}
}

static void get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	const struct xpv_netfront *np = netdev_priv(dev);
	u64 *fixups = data++;
	unsigned int i, way, c;

	*fixups = 0;
	for (i = 0; i < np->max_queues; i++) {
		struct xpv_netfront_sum sum[2] = {};

		xpv_netfront_add_count(&sum[0], &np->queue[i].rx.count);
		xpv_netfront_add_count(&sum[1], &np->queue[i].tx.count);
		*fixups += sum[0].gso_fixups;
		for (way = 0; way < 2; way++)
			for (c = 0; c < ARRAY_SIZE(counters); c++)
				*data++ = *(u64 *)((u8 *)&sum[way] + counters[c].offset);
		for (c = 0; c < ARRAY_SIZE(verdicts); c++)
			*data++ = *(u64 *)((u8 *)&sum[0] + verdicts[c].offset);
	}
}

static void get_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	const struct xpv_netfront *np = netdev_priv(dev);

	channels->max_combined = np->offered;
	/* Also while the handshake for them is still going on. */
	channels->combined_count = min(np->wanted, np->offered);
}

/* The backend learns of it by a new handshake, for which RTNL is not to be held. */
static int set_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	struct xpv_netfront *np = netdev_priv(dev);

	np->wanted = channels->combined_count;
	xpv_netfront_renew(np);
	return 0;
}

static int get_coalesce(struct net_device *dev, struct ethtool_coalesce *c,
			struct kernel_ethtool_coalesce *kernel, struct netlink_ext_ack *extack)
{
	const struct xpv_netfront *np = netdev_priv(dev);

	c->rx_coalesce_usecs = np->rx_coalesce.usecs;
	c->rx_max_coalesced_frames = np->rx_coalesce.frames;
	c->use_adaptive_rx_coalesce = np->rx_coalesce.adaptive;
	c->tx_coalesce_usecs = np->tx_coalesce.usecs;
	c->tx_max_coalesced_frames = np->tx_coalesce.frames;
	return 0;
}

static int set_coalesce(struct net_device *dev, struct ethtool_coalesce *c,
			struct kernel_ethtool_coalesce *kernel, struct netlink_ext_ack *extack)
{
	struct xpv_netfront *np = netdev_priv(dev);
	struct xpv_coalesce rx = {
		.usecs = c->rx_coalesce_usecs,
		.frames = c->rx_max_coalesced_frames,
		.adaptive = c->use_adaptive_rx_coalesce,
	};
	struct xpv_coalesce tx = {
		.usecs = c->tx_coalesce_usecs,
		.frames = c->tx_max_coalesced_frames,
	};
	int err;

	err = xpv_coalesce_check(&rx, extack) ?: xpv_coalesce_check(&tx, extack);
	if (err)
		return err;
	xpv_coalesce_set(&np->rx_coalesce, &rx);
	xpv_coalesce_set(&np->tx_coalesce, &tx);
	return 0;
}

static int get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *info, u32 *rules)
{
	const struct xpv_netfront *np = netdev_priv(dev);

	if (info->cmd != ETHTOOL_GRXRINGS)
		return -EOPNOTSUPP;
	info->data = np->queues;
	return 0;
}

static u32 get_key_size(struct net_device *dev)
{
	return XPV_NET_KEY_BYTES;
}

static u32 get_table_size(struct net_device *dev)
{
	return XPV_NET_TABLE_SIZE;
}

/* No function: the backend chooses as it likes. */
static int get_hash(struct net_device *dev, u32 *table, u8 *key, u8 *function)
{
	const struct xpv_netfront *np = netdev_priv(dev);

	if (table)
		memcpy(table, np->hash_table, sizeof(np->hash_table));
	if (key)
		memcpy(key, np->hash_key, sizeof(np->hash_key));
	if (function)
		*function = dev->features & NETIF_F_RXHASH ? ETH_RSS_HASH_TOP : ETH_RSS_HASH_UNKNOWN;
	return 0;
}

/* Whoever sets one of them wants it to be used. */
static int set_hash(struct net_device *dev, const u32 *table, const u8 *key, u8 function)
{
	struct xpv_netfront *np = netdev_priv(dev);
	u32 old_table[XPV_NET_TABLE_SIZE];
	u8 old_key[XPV_NET_KEY_BYTES];
	int err = 0;

	if (!np->can_hash || (function != ETH_RSS_HASH_NO_CHANGE && function != ETH_RSS_HASH_TOP))
		return -EOPNOTSUPP;
	get_hash(dev, old_table, old_key, NULL);
	if (table)
		memcpy(np->hash_table, table, sizeof(np->hash_table));
	if (key)
		memcpy(np->hash_key, key, sizeof(np->hash_key));
	if (dev->features & NETIF_F_RXHASH) {
		err = xpv_netfront_set_hash(np, true);
	} else {
		dev->wanted_features |= NETIF_F_RXHASH;
		netdev_update_features(dev);
		if (!(dev->features & NETIF_F_RXHASH))
			err = -EIO;
	}
	if (err) {
		memcpy(np->hash_table, old_table, sizeof(np->hash_table));
		memcpy(np->hash_key, old_key, sizeof(np->hash_key));
	}
	return err;
}

const struct ethtool_ops xpv_netfront_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_USECS | ETHTOOL_COALESCE_MAX_FRAMES |
				     ETHTOOL_COALESCE_USE_ADAPTIVE_RX,
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_sset_count		= get_sset_count,
	.get_strings		= get_strings,
	.get_ethtool_stats	= get_ethtool_stats,
	.get_channels		= get_channels,
	.set_channels		= set_channels,
	.get_coalesce		= get_coalesce,
	.set_coalesce		= set_coalesce,
	.get_rxnfc		= get_rxnfc,
	.get_rxfh_key_size	= get_key_size,
	.get_rxfh_indir_size	= get_table_size,
	.get_rxfh		= xpv_get_rxfh,
	.set_rxfh		= xpv_set_rxfh,
};
