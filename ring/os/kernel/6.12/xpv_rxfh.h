/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Key and table of a hash as ethtool asks for them: since 6.8 in a structure.
 * Whoever includes this defines get_hash() and set_hash().
 */
#ifndef XPV_RXFH_H
#define XPV_RXFH_H

#include <linux/ethtool.h>
#include <linux/netdevice.h>

/* Each pointer may be NULL. Under RTNL. */
static int get_hash(struct net_device *dev, u32 *table, u8 *key, u8 *function);
static int set_hash(struct net_device *dev, const u32 *table, const u8 *key, u8 function);

static inline int xpv_get_rxfh(struct net_device *dev, struct ethtool_rxfh_param *p)
{
	return get_hash(dev, p->indir, p->key, &p->hfunc);
}

static inline int xpv_set_rxfh(struct net_device *dev, struct ethtool_rxfh_param *p,
			       struct netlink_ext_ack *extack)
{
	return set_hash(dev, p->indir, p->key, p->hfunc);
}

#endif
