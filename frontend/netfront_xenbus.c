// SPDX-License-Identifier: GPL-2.0-only
/* Coming and going: the device's states, and what the backend's mean for them. */
#include "netfront.h"

#include <linux/delay.h>
#include <linux/rtnetlink.h>

/* How long a backend may take to let go of a device that is removed. */
#define LET_GO_MS	5000

/* From one connection to the next: a backend that comes and goes all the time doesn't keep us, or the log, busy. */
#define PACE	HZ

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

	if (xpv_netfront_says(np, "feature-sg"))
		takes |= NETIF_F_SG;
	if (!xpv_netfront_says(np, "feature-no-csum-offload"))
		takes |= NETIF_F_IP_CSUM;
	if (xpv_netfront_says(np, "feature-ipv6-csum-offload"))
		takes |= NETIF_F_IPV6_CSUM;
	if (xpv_netfront_says(np, "feature-gso-tcpv4"))
		takes |= NETIF_F_TSO;
	if (xpv_netfront_says(np, "feature-gso-tcpv6"))
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
 * As many as both ends allow, or fewer if it can't be: grants are limited, and one queue is as
 * good an interface as several.
 */
static int connect_queues(struct xpv_netfront *np)
{
	bool split = xpv_netfront_says(np, "feature-split-event-channels");
	unsigned int i, n, offered = xpv_netfront_says(np, "multi-queue-max-queues");
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

	if (!xpv_netfront_says(np, "feature-rx-copy")) {
		xenbus_dev_fatal(xbdev, -EOPNOTSUPP, "backend without feature-rx-copy");
		return -EOPNOTSUPP;
	}
	np->untrusted = !xpv_netfront_trusts(xbdev);
	np->why = 0;
	np->served = false;
	np->again = false;
	np->mcast_control = xpv_netfront_says(np, "feature-multicast-control");
	np->mcast_dynamic = xpv_netfront_says(np, "feature-dynamic-multicast-control");
	adopt_features(np);

	err = connect_queues(np);
	if (err) {
		xenbus_dev_fatal(xbdev, err, "setting up queues");
		goto err_release;
	}
	/* One can do without it. */
	if (xpv_netfront_says(np, "feature-ctrl-ring") && xpv_netfront_connect_ctl(np))
		dev_warn_ratelimited(&xbdev->dev, "no control ring\n");
	err = xpv_netfront_publish(np);
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
	queue_work(system_freezable_wq, &np->close_work);
}

void xpv_netfront_renew(struct xpv_netfront *np)
{
	set_bit(XPV_NETFRONT_RENEW, &np->why);
	queue_work(system_freezable_wq, &np->close_work);
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
	return max(xpv_netfront_says(np, "multi-queue-max-queues"), 1u) >= np->queues &&
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
	if (!np->again || back != XPV_CLOSED || !xpv_netfront_says(np, "online"))
		return false;
	/* What it has of ours it must have let go of before it is given more. */
	release_queues(np);
	return !xpv_netfront_is_held(np);
}

static void begin(struct xpv_netfront *np)
{
	unsigned long due = np->begun + PACE;

	if (time_before(jiffies, due)) {
		queue_delayed_work(system_freezable_wq, &np->return_work, due - jiffies);
		return;
	}
	np->begun = jiffies;
	set_state(np, XPV_INITIALISING);
}

static void follow(struct xpv_netfront *np, enum xpv_state back)
{
	enum xpv_state target;

	lockdep_assert_held(&np->state_lock);
	if (has_to_part(np, back))
		set_state(np, XPV_CLOSED);
	if (may_return(np, back))
		begin(np);
	np->back = back;
	target = xpv_front_target(np->state, back);
	/*
	 * Our rings and Connected are published in one step, and to a backend in InitWait
	 * only: any later state is still that of an earlier connection.
	 */
	if (target == XPV_INITIALISED)
		target = back == XPV_INIT_WAIT ? XPV_CONNECTED : np->state;
	/* Taken away before it was connected, as may be right after a resume. */
	if (np->state == XPV_INITIALISING && (back == XPV_CLOSING || back == XPV_CLOSED) &&
	    !xpv_netfront_says(np, "online"))
		target = XPV_CLOSED;
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

/* The backend has let go of the last page, or enough time has passed. */
static void return_late(struct work_struct *work)
{
	struct xpv_netfront *np = container_of(work, struct xpv_netfront, return_work.work);

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
	INIT_DELAYED_WORK(&np->return_work, return_late);
	np->begun = jiffies - PACE;
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
		state = xpv_netfront_says(np, "state");
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
