// SPDX-License-Identifier: GPL-2.0-only
/*
 * Multicast control: the backend is told which multicasts the interface wants, so that it
 * need not bring the others. It keeps 64 addresses; who wants more of them, or all,
 * has the filter switched off.
 */
#include "netfront.h"

/* When the ring had no room for a message. */
#define RETRY_DELAY	(HZ / 10)

/* Fills @list with what is wanted and returns how many; more than there is room for: everything. */
static unsigned int want(struct xpv_netfront *np, u64 list[XPV_NETFRONT_MCASTS])
{
	struct net_device *dev = np->netdev;
	struct netdev_hw_addr *ha;
	unsigned int n = 0;

	netif_addr_lock_bh(dev);
	if (dev->flags & (IFF_PROMISC | IFF_ALLMULTI) ||
	    netdev_mc_count(dev) > XPV_NETFRONT_MCASTS)
		n = XPV_NETFRONT_MCASTS + 1;
	else
		netdev_for_each_mc_addr(ha, dev)
			list[n++] = ether_addr_to_u64(ha->addr);
	netif_addr_unlock_bh(dev);
	return READ_ONCE(np->mcast_refused) ? XPV_NETFRONT_MCASTS + 1 : n;
}

static bool holds(const u64 *list, unsigned int n, u64 addr)
{
	while (n--)
		if (list[n] == addr)
			return true;
	return false;
}

/* Have the backend's list be @list. Returns 0, or -EAGAIN when it has not heard all of it. */
static int tell_list(struct xpv_netfront *np, const u64 *list, unsigned int n)
{
	unsigned int i;
	int err;

	for (i = np->mcasts; i--; ) {
		if (holds(list, n, np->mcast[i]))
			continue;
		err = xpv_netfront_send_mcast(&np->queue[0], XPV_NET_EXTRA_MCAST_DEL, np->mcast[i]);
		if (err)
			return err;
		np->mcast[i] = np->mcast[--np->mcasts];
	}
	for (i = 0; i < n; i++) {
		if (holds(np->mcast, np->mcasts, list[i]))
			continue;
		err = xpv_netfront_send_mcast(&np->queue[0], XPV_NET_EXTRA_MCAST_ADD, list[i]);
		if (err)
			return err;
		np->mcast[np->mcasts++] = list[i];
	}
	return 0;
}

/* A backend that reads the key but once needs a new handshake. */
static void tell_filter(struct xpv_netfront *np, bool on)
{
	if (np->filtered == on)
		return;
	if (!np->mcast_dynamic) {
		xpv_netfront_renew(np);
		return;
	}
	if (!xenbus_printf(XBT_NIL, np->xbdev->nodename, "request-multicast-control", "%u", on))
		np->filtered = on;
}

void xpv_netfront_tell_mcast(struct xpv_netfront *np)
{
	u64 list[XPV_NETFRONT_MCASTS];
	unsigned int n;

	lockdep_assert_held(&np->state_lock);
	if (!np->mcast_control)
		return;
	n = want(np, list);
	/* Nothing wanted is ever filtered: the list comes before the filter, and stays after it. */
	if (n > XPV_NETFRONT_MCASTS)
		tell_filter(np, false);
	else if (tell_list(np, list, n))
		schedule_delayed_work(&np->mcast_work, RETRY_DELAY);
	else
		tell_filter(np, true);
}

static void tell_change(struct work_struct *work)
{
	struct xpv_netfront *np = container_of(to_delayed_work(work), struct xpv_netfront,
					       mcast_work);

	mutex_lock(&np->state_lock);
	if (np->state == XPV_CONNECTED)
		xpv_netfront_tell_mcast(np);
	mutex_unlock(&np->state_lock);
}

bool xpv_netfront_wants_filter(struct xpv_netfront *np)
{
	u64 list[XPV_NETFRONT_MCASTS];

	lockdep_assert_held(&np->state_lock);
	np->mcasts = 0;
	np->filtered = np->mcast_control && want(np, list) <= XPV_NETFRONT_MCASTS;
	return np->filtered;
}

void xpv_netfront_set_rx_mode(struct net_device *dev)
{
	struct xpv_netfront *np = netdev_priv(dev);

	schedule_delayed_work(&np->mcast_work, 0);
}

void xpv_netfront_init_mcast(struct xpv_netfront *np)
{
	INIT_DELAYED_WORK(&np->mcast_work, tell_change);
}
