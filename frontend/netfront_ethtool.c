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

/* Of all the queues there can be: the number must not change between two questions. */
static int get_sset_count(struct net_device *dev, int set)
{
	const struct xpv_netfront *np = netdev_priv(dev);

	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return (int)(1 + np->max_queues * 2 * ARRAY_SIZE(counters));
}

static void get_strings(struct net_device *dev, u32 set, u8 *data)
{
	const struct xpv_netfront *np = netdev_priv(dev);
	unsigned int i, way, c;

	if (set != ETH_SS_STATS)
		return;
	ethtool_sprintf(&data, "rx_gso_checksum_fixup");
	for (i = 0; i < np->max_queues; i++)
		for (way = 0; way < 2; way++)
			for (c = 0; c < ARRAY_SIZE(counters); c++)
				ethtool_sprintf(&data, "%s_queue_%u_%s", way ? "tx" : "rx", i,
						counters[c].name);
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

	if (!np->can_hash || (function != ETH_RSS_HASH_NO_CHANGE && function != ETH_RSS_HASH_TOP))
		return -EOPNOTSUPP;
	if (table)
		memcpy(np->hash_table, table, sizeof(np->hash_table));
	if (key)
		memcpy(np->hash_key, key, sizeof(np->hash_key));
	if (dev->features & NETIF_F_RXHASH)
		return xpv_netfront_set_hash(np, true);
	dev->wanted_features |= NETIF_F_RXHASH;
	netdev_update_features(dev);
	return dev->features & NETIF_F_RXHASH ? 0 : -EIO;
}

const struct ethtool_ops xpv_netfront_ethtool_ops = {
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_sset_count		= get_sset_count,
	.get_strings		= get_strings,
	.get_ethtool_stats	= get_ethtool_stats,
	.get_channels		= get_channels,
	.set_channels		= set_channels,
	.get_rxnfc		= get_rxnfc,
	.get_rxfh_key_size	= get_key_size,
	.get_rxfh_indir_size	= get_table_size,
	.get_rxfh		= xpv_get_rxfh,
	.set_rxfh		= xpv_set_rxfh,
};
