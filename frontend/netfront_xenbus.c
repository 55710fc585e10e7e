// SPDX-License-Identifier: GPL-2.0-only
/* The handshake with the backend: netif.h's, from the guest's side. */
#include "netfront.h"

#include <linux/delay.h>
#include <linux/rtnetlink.h>

#include <xpv_xenstore.h>

/* How long a backend may take to let go of a device that is removed. */
#define LET_GO_MS	5000

static unsigned int ask(struct xpv_netfront *np, const char *key)
{
	return xenbus_read_unsigned(np->xbdev->otherend, key, 0);
}

static void stop_queues(struct xpv_netfront *np)
{
	unsigned int i;

	xpv_netfront_stop_ctl(np);
	rtnl_lock();
	netif_carrier_off(np->netdev);
	for (i = 0; i < np->max_queues; i++)
		xpv_netfront_queue_stop(&np->queue[i]);
	/* A poll gives its EOI when it is over. */
	synchronize_net();
	for (i = 0; i < np->max_queues; i++)
		xpv_netfront_queue_deafen(&np->queue[i]);
	rtnl_unlock();
}

static void release_queues(struct xpv_netfront *np)
{
	unsigned int i;

	for (i = 0; i < np->max_queues; i++)
		xpv_netfront_queue_release(&np->queue[i]);
	xpv_netfront_release_ctl(np);
}

/* What the backend can do, as what the stack may hand us. */
static netdev_features_t read_features(struct xpv_netfront *np)
{
	netdev_features_t takes = 0;

	if (ask(np, "feature-sg"))
		takes |= NETIF_F_SG;
	if (!ask(np, "feature-no-csum-offload"))
		takes |= NETIF_F_IP_CSUM;
	if (ask(np, "feature-ipv6-csum-offload"))
		takes |= NETIF_F_IPV6_CSUM;
	if (ask(np, "feature-gso-tcpv4"))
		takes |= NETIF_F_TSO;
	if (ask(np, "feature-gso-tcpv6"))
		takes |= NETIF_F_TSO6;
	return takes;
}

static void adopt_features(struct xpv_netfront *np)
{
	netdev_features_t takes = read_features(np);

	rtnl_lock();
	np->takes = takes;
	/* Only when it is Connected can it be asked. */
	np->can_hash = false;
	netdev_update_features(np->netdev);
	rtnl_unlock();
}

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

static int publish(struct xpv_netfront *np)
{
	struct offer offer = {
		.np = np,
		.count = ask(np, "multi-queue-max-queues"),
		.filter = xpv_netfront_wants_filter(np),
		.headroom = ask(np, "feature-xdp-headroom") ? xpv_netfront_xdp_headroom(np) : 0,
	};

	return xpv_xenstore_commit(write_keys, &offer);
}

/*
 * As many as both ends allow, or fewer if it can't be: grants are limited, and one queue is as
 * good an interface as several.
 */
static int connect_queues(struct xpv_netfront *np)
{
	bool split = ask(np, "feature-split-event-channels");
	unsigned int i, n, offered = ask(np, "multi-queue-max-queues");
	int err = 0;

	rtnl_lock();
	np->offered = clamp(offered, 1u, np->max_queues);
	n = min(np->offered, np->wanted);
	rtnl_unlock();
	for (i = 0; i < n; i++) {
		err = xpv_netfront_queue_connect(&np->queue[i], split);
		if (err)
			break;
	}
	if (!i)
		return err;
	if (err)
		dev_warn_ratelimited(&np->xbdev->dev, "error %d: %u queues instead of %u\n", err, i, n);
	rtnl_lock();
	err = netif_set_real_num_queues(np->netdev, i, i);
	if (!err)
		np->queues = i;
	xpv_netfront_fit_table(np);
	/* More can't be had, until somebody asks for it again. */
	if (i < n)
		np->wanted = i;
	rtnl_unlock();
	return err;
}

/* Everything up to Connected, which the caller publishes. */
static int connect(struct xpv_netfront *np)
{
	struct xenbus_device *xbdev = np->xbdev;
	unsigned int i;
	int err;

	if (!ask(np, "feature-rx-copy")) {
		xenbus_dev_fatal(xbdev, -EOPNOTSUPP, "backend without feature-rx-copy");
		return -EOPNOTSUPP;
	}
	np->untrusted = !xpv_netfront_trusts(xbdev);
	np->why = 0;
	np->served = false;
	np->again = false;
	np->mcast_control = ask(np, "feature-multicast-control");
	np->mcast_dynamic = ask(np, "feature-dynamic-multicast-control");
	adopt_features(np);

	err = connect_queues(np);
	if (err) {
		xenbus_dev_fatal(xbdev, err, "setting up queues");
		goto err_release;
	}
	/* One can do without it. */
	if (ask(np, "feature-ctrl-ring") && xpv_netfront_connect_ctl(np))
		dev_warn_ratelimited(&xbdev->dev, "no control ring\n");
	err = publish(np);
	if (err) {
		xenbus_dev_fatal(xbdev, err, "writing our end of the handshake");
		goto err_release;
	}
	/* What is sent before the backend takes part waits in the ring. */
	rtnl_lock();
	for (i = 0; i < np->queues; i++)
		xpv_netfront_queue_start(&np->queue[i]);
	netif_carrier_on(np->netdev);
	rtnl_unlock();
	/* The first that it finds in the ring is what it is not to filter. */
	xpv_netfront_tell_mcast(np);
	if (np->untrusted)
		dev_info_ratelimited(&xbdev->dev, "backend is not trusted: all data is copied\n");
	return 0;

err_release:
	stop_queues(np);
	release_queues(np);
	return err;
}

/* The backend takes part: let the neighbours know where we are now. */
static void announce(struct xpv_netfront *np)
{
	if (!np->served) {
		netdev_notify_peers(np->netdev);
		xpv_netfront_start_ctl(np);
	}
	np->served = true;
}

static int enter(void *dev, enum xpv_state next)
{
	struct xpv_netfront *np = dev;
	int err;

	switch (next) {
	case XPV_INITIALISING:
		return xenbus_switch_state(np->xbdev, XenbusStateInitialising);
	case XPV_CONNECTED:
		err = connect(np);
		return err ? err : xenbus_switch_state(np->xbdev, XenbusStateConnected);
	case XPV_CLOSING:
		stop_queues(np);
		return xenbus_switch_state(np->xbdev, XenbusStateClosing);
	case XPV_CLOSED:
		/* That one is for good: whoever waits for the device to be down is woken. */
		return np->again ? xenbus_switch_state(np->xbdev, XenbusStateClosed) :
				   xenbus_frontend_closed(np->xbdev);
	default:
		return -EINVAL;
	}
}

/* The device goes where it should, or is closed. */
static void set_state(struct xpv_netfront *np, enum xpv_state target)
{
	lockdep_assert_held(&np->state_lock);
	if (xpv_walk_state(&np->state, target, enter, np))
		xpv_walk_state(&np->state, XPV_CLOSED, enter, np);
}

void xpv_netfront_fail(struct xpv_netfront *np, const char *why)
{
	if (test_and_set_bit(XPV_NETFRONT_FAILED, &np->why))
		return;
	/* It may have been given another try, and another. */
	dev_err_ratelimited(&np->xbdev->dev, "backend %s: device is closed\n", why);
	netif_carrier_off(np->netdev);
	schedule_work(&np->close_work);
}

void xpv_netfront_renew(struct xpv_netfront *np)
{
	set_bit(XPV_NETFRONT_RENEW, &np->why);
	schedule_work(&np->close_work);
}

static void close_for(struct work_struct *work)
{
	struct xpv_netfront *np = container_of(work, struct xpv_netfront, close_work);

	mutex_lock(&np->state_lock);
	/* Unless it was connected anew in the meantime. */
	if (np->why && np->state == XPV_CONNECTED) {
		np->again = !test_bit(XPV_NETFRONT_FAILED, &np->why);
		set_state(np, XPV_CLOSED);
	}
	mutex_unlock(&np->state_lock);
}

/*
 * Does it offer all that we use? One that is replaced while we look elsewhere may be Connected
 * again, and the in-tree one says so though it has refused our queues.
 */
static bool serves_on(struct xpv_netfront *np)
{
	return max(ask(np, "multi-queue-max-queues"), 1u) >= np->queues &&
	       !(np->takes & ~read_features(np));
}

/*
 * A backend that has served us may have us again, when it goes and when another one begins in its
 * place, which need not offer the same. One that never came so far would fail again.
 */
static bool has_to_part(struct xpv_netfront *np, enum xpv_state back)
{
	if (np->state != XPV_CONNECTED || !np->served)
		return false;
	np->again = back == XPV_INIT_WAIT || back == XPV_CLOSING || back == XPV_CLOSED ||
		    (back == XPV_CONNECTED && !serves_on(np));
	return np->again;
}

/*
 * Both are closed, and may begin from the start. A backend that begins by itself is a new one: it
 * finds us closed, so it closes as well before that.
 */
static bool may_return(struct xpv_netfront *np, enum xpv_state back)
{
	if (np->state != XPV_CLOSED)
		return false;
	if (np->back == XPV_CLOSED && back == XPV_INIT_WAIT)
		np->again = true;
	if (!np->again || back != XPV_CLOSED || !ask(np, "online"))
		return false;
	/* What it has of ours it must have let go of before it is given more. */
	release_queues(np);
	return !xpv_netfront_is_held(np);
}

static void follow(struct xpv_netfront *np, enum xpv_state back)
{
	enum xpv_state target;

	lockdep_assert_held(&np->state_lock);
	if (has_to_part(np, back))
		set_state(np, XPV_CLOSED);
	if (may_return(np, back))
		set_state(np, XPV_INITIALISING);
	np->back = back;
	target = xpv_front_target(np->state, back);
	/*
	 * Our rings and Connected are published in one step, and to a backend in InitWait
	 * only: any later state is still that of an earlier connection.
	 */
	if (target == XPV_INITIALISED)
		target = back == XPV_INIT_WAIT ? XPV_CONNECTED : np->state;
	set_state(np, target);
	if (np->state == XPV_CONNECTED && back == XPV_CONNECTED)
		announce(np);
	/* Now it maps nothing of ours any more. */
	if (np->state == XPV_CLOSED && (back == XPV_CLOSED || back == XPV_UNKNOWN))
		release_queues(np);
}

static void backend_changed(struct xenbus_device *xbdev, enum xenbus_state state)
{
	struct xpv_netfront *np = dev_get_drvdata(&xbdev->dev);

	mutex_lock(&np->state_lock);
	follow(np, (enum xpv_state)state);
	mutex_unlock(&np->state_lock);
}

/* The backend has let go of the last page. */
static void return_late(struct work_struct *work)
{
	struct xpv_netfront *np = container_of(work, struct xpv_netfront, held_work);

	mutex_lock(&np->state_lock);
	follow(np, np->back);
	mutex_unlock(&np->state_lock);
}

static int read_mac(struct net_device *dev, struct xenbus_device *xbdev)
{
	u8 mac[ETH_ALEN];
	int n;

	n = xenbus_scanf(XBT_NIL, xbdev->nodename, "mac", "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx",
			 &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]);
	if (n < 0)
		return n;
	if (n != ETH_ALEN || !is_valid_ether_addr(mac))
		return -EINVAL;
	eth_hw_addr_set(dev, mac);
	return 0;
}

static int probe(struct xenbus_device *xbdev, const struct xenbus_device_id *id)
{
	struct xpv_netfront *np;
	struct net_device *dev;
	int err;

	dev = xpv_netfront_create(xbdev);
	if (!dev) {
		xenbus_dev_fatal(xbdev, -ENOMEM, "creating the interface");
		return -ENOMEM;
	}
	np = netdev_priv(dev);
	mutex_init(&np->state_lock);
	INIT_WORK(&np->close_work, close_for);
	INIT_WORK(&np->held_work, return_late);
	dev_set_drvdata(&xbdev->dev, np);
	err = read_mac(dev, xbdev);
	if (err) {
		xenbus_dev_fatal(xbdev, err, "reading mac");
		goto err_destroy;
	}
	err = register_netdev(dev);
	if (err) {
		xenbus_dev_fatal(xbdev, err, "registering the interface");
		goto err_destroy;
	}
	/* Another driver may have left it closed. The backend's answer comes by its watch. */
	np->state = XPV_INITIALISING;
	err = xenbus_switch_state(xbdev, XenbusStateInitialising);
	if (err)
		goto err_unregister;
	xpv_netfront_expose(np);
	return 0;

err_unregister:
	unregister_netdev(dev);
	cancel_delayed_work_sync(&np->mcast_work);
	cancel_work_sync(&np->close_work);
err_destroy:
	dev_set_drvdata(&xbdev->dev, NULL);
	xpv_netfront_destroy(dev);
	return err;
}

/* Ask the backend to unmap what is ours, and give it a while. It may be gone, or hostile. */
static void take_leave(struct xpv_netfront *np)
{
	unsigned int ms, state;

	xenbus_switch_state(np->xbdev, XenbusStateClosing);
	for (ms = 0; ms < LET_GO_MS; ms += 10) {
		state = ask(np, "state");
		if (state == XPV_UNKNOWN || state == XPV_CLOSING || state == XPV_CLOSED)
			return;
		msleep(10);
	}
	dev_warn(&np->xbdev->dev, "backend does not let go of the device\n");
}

/* The watch on the backend is gone: nobody calls us any more but the netdev's users. */
static void remove(struct xenbus_device *xbdev)
{
	struct xpv_netfront *np = dev_get_drvdata(&xbdev->dev);

	xpv_netfront_conceal(np);
	mutex_lock(&np->state_lock);
	stop_queues(np);
	if (np->state == XPV_CONNECTED)
		take_leave(np);
	np->state = XPV_CLOSED;
	np->again = false;
	release_queues(np);
	mutex_unlock(&np->state_lock);

	unregister_netdev(np->netdev);
	/* No poll, no sender, no user to schedule them again; they find nothing to do. */
	cancel_delayed_work_sync(&np->mcast_work);
	cancel_work_sync(&np->close_work);
	xpv_netfront_disown(np);
	dev_set_drvdata(&xbdev->dev, NULL);
	xpv_netfront_destroy(np->netdev);
}

/*
 * We wake up in front of another backend, with none of the old grants and channels. The
 * interface stays, without a link; the new backend's InitWait starts the handshake.
 */
static int resume(struct xenbus_device *xbdev)
{
	struct xpv_netfront *np = dev_get_drvdata(&xbdev->dev);

	mutex_lock(&np->state_lock);
	stop_queues(np);
	release_queues(np);
	np->why = 0;
	np->state = XPV_INITIALISING;
	mutex_unlock(&np->state_lock);
	return 0;
}

static const struct xenbus_device_id ids[] = {
	{ "vif" },
	{ "" }
};

struct xenbus_driver xpv_netfront_driver = {
	.name			= "xpv-vif",
	.ids			= ids,
	.probe			= probe,
	.remove			= remove,
	.resume			= resume,
	.otherend_changed	= backend_changed,
};
