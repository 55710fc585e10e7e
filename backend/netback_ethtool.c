// SPDX-License-Identifier: GPL-2.0-only
/* What ethtool shows of a vif. Its directions are the host's: received is what the guest sent. */
#include "netback.h"

#include <linux/ethtool.h>

static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{ "packets", offsetof(struct xpv_netback_sum, packets) },
	{ "bytes", offsetof(struct xpv_netback_sum, bytes) },
	{ "dropped", offsetof(struct xpv_netback_sum, dropped) },
	{ "errors", offsetof(struct xpv_netback_sum, errors) },
	{ "grant_copies", offsetof(struct xpv_netback_sum, copies) },
	{ "static_copies", offsetof(struct xpv_netback_sum, statics) },
};

/* Of all the queues there can be: the number must not change between two questions. */
static int get_sset_count(struct net_device *dev, int set)
{
	const struct xpv_netback *vif = netdev_priv(dev);

	return set == ETH_SS_STATS ? (int)(vif->max_queues * 2 * ARRAY_SIZE(counters)) : -EOPNOTSUPP;
}

static void get_strings(struct net_device *dev, u32 set, u8 *data)
{
	const struct xpv_netback *vif = netdev_priv(dev);
	u32 i, way, c;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < vif->max_queues; i++)
		for (way = 0; way < 2; way++)
			for (c = 0; c < ARRAY_SIZE(counters); c++)
				ethtool_sprintf(&data, "%s_queue_%u_%s", way ? "tx" : "rx", i,
						counters[c].name);
}

static void get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	const struct xpv_netback *vif = netdev_priv(dev);
	u32 i, way, c;

	for (i = 0; i < vif->max_queues; i++) {
		const struct xpv_netback_queue *q = vif->queue[i];
		struct xpv_netback_sum sum[2] = {};

		if (q) {
			xpv_netback_add_count(&sum[0], &q->from_guest);
			xpv_netback_add_count(&sum[1], &q->to_guest);
		}
		for (way = 0; way < 2; way++)
			for (c = 0; c < ARRAY_SIZE(counters); c++)
				*data++ = *(u64 *)((u8 *)&sum[way] + counters[c].offset);
	}
}

/* How many there are is the guest's choice. */
static void get_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	const struct xpv_netback *vif = netdev_priv(dev);

	channels->max_combined = vif->max_queues;
	channels->combined_count = vif->connected ? vif->queues : 0;
}

/* Of what the guest sends. What it receives is copied at once, and never waited for. */
static int get_coalesce(struct net_device *dev, struct ethtool_coalesce *c,
			struct kernel_ethtool_coalesce *kernel, struct netlink_ext_ack *extack)
{
	const struct xpv_netback *vif = netdev_priv(dev);

	c->rx_coalesce_usecs = vif->coalesce.usecs;
	c->rx_max_coalesced_frames = vif->coalesce.frames;
	c->use_adaptive_rx_coalesce = vif->coalesce.adaptive;
	return 0;
}

static int set_coalesce(struct net_device *dev, struct ethtool_coalesce *c,
			struct kernel_ethtool_coalesce *kernel, struct netlink_ext_ack *extack)
{
	struct xpv_netback *vif = netdev_priv(dev);
	struct xpv_coalesce rx = {
		.usecs = c->rx_coalesce_usecs,
		.frames = c->rx_max_coalesced_frames,
		.adaptive = c->use_adaptive_rx_coalesce,
	};
	int err = xpv_coalesce_check(&rx, extack);

	if (!err)
		xpv_coalesce_set(&vif->coalesce, &rx);
	return err;
}

const struct ethtool_ops xpv_netback_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_RX_USECS | ETHTOOL_COALESCE_RX_MAX_FRAMES |
				     ETHTOOL_COALESCE_USE_ADAPTIVE_RX,
	.get_link		= ethtool_op_get_link,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_sset_count		= get_sset_count,
	.get_strings		= get_strings,
	.get_ethtool_stats	= get_ethtool_stats,
	.get_channels		= get_channels,
	.get_coalesce		= get_coalesce,
	.set_coalesce		= set_coalesce,
};
