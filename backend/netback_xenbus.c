// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vif's life in xenstore (netif.h and reference/netif.md 2.1):
 *
 *   probe            netdev, our features, InitWait
 *   hotplug script   sees InitWait, puts the netdev on its bridge, hotplug-status=connected
 *   frontend         sees InitWait, publishes its rings, Connected
 *   when both did    rings and channels are taken over, Connected
 *   Reconfiguring    its xdp-headroom may be another: Reconfigured, until it is Connected again
 *   Closing          they are given back
 *   remove           netdev gone
 */
#include "netback.h"

#include <linux/moduleparam.h>
#include <linux/net.h>
#include <linux/rtnetlink.h>

#include <xpv_bus.h>
#include <xpv_uevent.h>
#include <xpv_xenstore.h>

static bool provides_xdp_headroom = true;
module_param(provides_xdp_headroom, bool, 0644);
MODULE_PARM_DESC(provides_xdp_headroom, "Leave room in front of packets for guests' XDP programs, if they ask for it? For new interfaces (default: yes)");

static const struct {
	const char *name;
	unsigned int value;
} offers[] = {
	{ "feature-sg", 1 },
	{ "feature-gso-tcpv4", 1 },
	{ "feature-gso-tcpv6", 1 },
	{ "feature-ipv6-csum-offload", 1 },
	{ "feature-rx-copy", 1 },
	{ "feature-rx-flip", 0 },
	{ "feature-split-event-channels", 1 },
	{ "feature-multicast-control", 1 },
	{ "feature-dynamic-multicast-control", 1 },
	{ "feature-ctrl-ring", 1 },
};

static int write_offers(struct xenbus_transaction xbt, void *arg)
{
	struct xpv_netback *vif = arg;
	const char *dir = vif->xdev->nodename;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(offers); i++) {
		err = xenbus_printf(xbt, dir, offers[i].name, "%u", offers[i].value);
		if (err)
			return err;
	}
	err = xenbus_printf(xbt, dir, "feature-xdp-headroom", "%u",
			    READ_ONCE(provides_xdp_headroom));
	return err ? err : xenbus_printf(xbt, dir, "multi-queue-max-queues", "%u", vif->max_queues);
}

/* A guest can bring this about as often as it likes. */
static __printf(3, 4) void complain(struct xpv_netback *vif, int err, const char *format, ...)
{
	struct va_format what = { .fmt = format };
	va_list args;

	if (!net_ratelimit())
		return;
	va_start(args, format);
	what.va = &args;
	xenbus_dev_error(vif->xdev, err, "%pV", &what);
	va_end(args);
}

static int read_rings(const char *dir, struct xpv_netback_where *w)
{
	int err;

	err = xenbus_gather(XBT_NIL, dir, "tx-ring-ref", "%u", &w->tx_ref,
			    "rx-ring-ref", "%u", &w->rx_ref, NULL);
	if (err)
		return err;
	err = xenbus_gather(XBT_NIL, dir, "event-channel-tx", "%u", &w->tx_port,
			    "event-channel-rx", "%u", &w->rx_port, NULL);
	if (!err)
		return 0;
	err = xenbus_scanf(XBT_NIL, dir, "event-channel", "%u", &w->tx_port);
	if (err != 1)
		return err < 0 ? err : -EINVAL;
	w->rx_port = w->tx_port;
	return 0;
}

/* The only queue is found in the device's own folder, several have one each. */
static int read_where(struct xpv_netback *vif, u32 queues, u32 id, struct xpv_netback_where *w)
{
	const char *dir = vif->xdev->otherend;
	char *own = NULL;
	int err;

	if (queues > 1) {
		own = kasprintf(GFP_KERNEL, "%s/queue-%u", dir, id);
		if (!own)
			return -ENOMEM;
		dir = own;
	}
	err = read_rings(dir, w);
	if (err)
		complain(vif, err, "reading rings and event channels in %s", dir);
	kfree(own);
	return err;
}

static int connect_queue(struct xpv_netback *vif, u32 queues, u32 id)
{
	struct xpv_netback_where w;
	int err;

	err = read_where(vif, queues, id, &w);
	if (err)
		return err;
	err = xpv_netback_connect_queue(vif->queue[id], &w);
	if (err)
		complain(vif, err, "queue %u: taking over the guest's rings and event channels", id);
	return err;
}

static int connect_queues(struct xpv_netback *vif)
{
	u32 i, queues = xenbus_read_unsigned(vif->xdev->otherend, "multi-queue-num-queues", 1);
	int err;

	if (!queues || queues > vif->max_queues) {
		complain(vif, -EINVAL, "guest asks for %u queues, offered were %u",
			 queues, vif->max_queues);
		return -EINVAL;
	}
	err = xpv_netback_make_queues(vif, queues);
	if (err)
		return err;
	for (i = 0; i < queues; i++) {
		err = connect_queue(vif, queues, i);
		if (err)
			goto err_queues;
	}
	err = xpv_netback_start(vif, queues);
	if (err)
		goto err_queues;
	return 0;

err_queues:
	while (i--)
		xpv_netback_disconnect_queue(vif->queue[i]);
	return err;
}

static bool wants_filter(const struct xpv_netback *vif)
{
	return xenbus_read_unsigned(vif->xdev->otherend, "request-multicast-control", 0);
}

/* One that asks for more than we have gets what we have: each packet says how much that is. */
static void read_headroom(struct xpv_netback *vif)
{
	u32 i, headroom = xenbus_read_unsigned(vif->xdev->otherend, "xdp-headroom", 0);

	if (!READ_ONCE(provides_xdp_headroom))
		headroom = 0;
	rtnl_lock();
	vif->headroom = (u16)min(headroom, XPV_NETBACK_HEADROOM);
	for (i = 0; vif->connected && i < vif->queues; i++)
		xpv_netback_refresh(vif->queue[i]);
	rtnl_unlock();
}

/* The offloads that packets to the guest may have. */
static netdev_features_t read_takes(const char *dir)
{
	static const struct {
		const char *key;
		bool refuses;		/* it says that they are not taken */
		netdev_features_t offloads;
	} said[] = {
		{ "feature-no-csum-offload", true, NETIF_F_IP_CSUM },
		{ "feature-ipv6-csum-offload", false, NETIF_F_IPV6_CSUM },
		{ "feature-gso-tcpv4", false, NETIF_F_TSO },
		{ "feature-gso-tcpv6", false, NETIF_F_TSO6 },
		{ "feature-sg", false, NETIF_F_SG | NETIF_F_FRAGLIST },
	};
	netdev_features_t takes = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(said); i++)
		if (!!xenbus_read_unsigned(dir, said[i].key, 0) != said[i].refuses)
			takes |= said[i].offloads;
	return takes;
}

static int read_wishes(struct xpv_netback *vif)
{
	netdev_features_t takes;
	bool notify, filter;
	const char *dir = vif->xdev->otherend;

	/* Not under the lock: who answers may take his time, and all of the network would wait. */
	if (!xenbus_read_unsigned(dir, "request-rx-copy", 0)) {
		complain(vif, -EOPNOTSUPP, "guest wants its pages exchanged, not copied");
		return -EOPNOTSUPP;
	}
	takes = read_takes(dir);
	notify = xenbus_read_unsigned(dir, "feature-rx-notify", 0);
	filter = wants_filter(vif);

	rtnl_lock();
	vif->takes = takes;
	vif->rx_notify = notify;
	xpv_netback_forget_mcast(vif);
	xpv_netback_set_filter(vif, filter);
	rtnl_unlock();
	read_headroom(vif);
	return 0;
}

/* A guest need not have one. */
static int connect_ctl(struct xpv_netback *vif)
{
	const char *dir = vif->xdev->otherend;
	unsigned int ref, port;
	int err;

	if (xenbus_scanf(XBT_NIL, dir, "ctrl-ring-ref", "%u", &ref) != 1)
		return 0;
	err = xenbus_scanf(XBT_NIL, dir, "event-channel-ctrl", "%u", &port);
	err = err == 1 ? xpv_netback_connect_ctl(vif, ref, port) : err < 0 ? err : -EINVAL;
	if (err)
		complain(vif, err, "taking over the guest's control ring");
	return err;
}

static void disconnect(struct xpv_netback *vif)
{
	u32 i = vif->queues;

	if (!vif->connected)
		return;
	xpv_netback_stop(vif);
	xpv_netback_disconnect_ctl(vif);
	while (i--)
		xpv_netback_disconnect_queue(vif->queue[i]);
}

static int connect(struct xpv_netback *vif)
{
	int err = read_wishes(vif);

	if (!err)
		err = connect_queues(vif);
	if (err)
		return err;
	/* Last: what it asks for is about the queues. */
	err = connect_ctl(vif);
	if (err)
		disconnect(vif);
	return err;
}

static int enter(void *arg, enum xpv_state next)
{
	struct xpv_netback *vif = arg;
	int err = 0;

	/* From Reconfigured only the headroom is new. */
	if (next == XPV_CONNECTED && vif->state == XPV_RECONFIGURED)
		read_headroom(vif);
	else if (next == XPV_CONNECTED)
		err = connect(vif);
	else if (next == XPV_CLOSING)
		disconnect(vif);
	return err ? err : xenbus_switch_state(vif->xdev, (enum xenbus_state)next);
}

/* One that fails to connect, or to keep to the protocol, ends in Closing. */
static void set_state(struct xpv_netback *vif, enum xpv_state target)
{
	lockdep_assert_held(&vif->lock);
	if (xpv_walk_state(&vif->state, target, enter, vif))
		xpv_walk_state(&vif->state, XPV_CLOSING, enter, vif);
}

/* Go where the guest's state, and the hotplug script's, say that we belong. */
static void follow(struct xpv_netback *vif)
{
	enum xpv_state target = xpv_back_target(vif->state, vif->front);

	/*
	 * Each time, if it was Connected in between or not. The in-tree frontend writes its new
	 * headroom only now, so it is read again when it says Connected.
	 */
	if (vif->front == XPV_RECONFIGURING && vif->connected) {
		read_headroom(vif);
		target = XPV_RECONFIGURED;
	}
	/* We said Closing, so it has to close too before it may come again. */
	if (target == XPV_CONNECTED && (!vif->plugged || vif->state == XPV_CLOSING))
		return;
	set_state(vif, target);
}

static void frontend_changed(struct xenbus_device *xdev, enum xenbus_state front)
{
	struct xpv_netback *vif = dev_get_drvdata(&xdev->dev);

	mutex_lock(&vif->lock);
	vif->front = (enum xpv_state)front;
	follow(vif);
	mutex_unlock(&vif->lock);

	if (front == XenbusStateUnknown ||
	    (front == XenbusStateClosed && !xenbus_dev_is_online(xdev)))
		xpv_bus_unregister(xdev);
}

static void hotplug_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct xpv_netback *vif = container_of(watch, struct xpv_netback, hotplug_watch);
	char *status = xenbus_read(XBT_NIL, vif->xdev->nodename, "hotplug-status", NULL);

	if (IS_ERR(status))
		return;
	if (!strcmp(status, "connected")) {
		mutex_lock(&vif->lock);
		vif->plugged = true;
		follow(vif);
		mutex_unlock(&vif->lock);
	}
	kfree(status);
}

static void rate_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct xpv_netback *vif = container_of(watch, struct xpv_netback, rate_watch);
	unsigned int usec;
	u64 bytes;

	if (xenbus_scanf(XBT_NIL, vif->xdev->nodename, "rate", "%llu,%u", &bytes, &usec) != 2)
		bytes = usec = 0;
	xpv_netback_set_rate(vif, min_t(u64, bytes, U32_MAX), usec);
}

/* The guest may write faster than we read: its last word counts. */
static bool none_pending(struct xenbus_watch *watch, const char *path, const char *token)
{
	return !watch->nr_pending;
}

static void filter_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct xpv_netback *vif = container_of(watch, struct xpv_netback, mcast_watch);
	bool filter = wants_filter(vif);

	rtnl_lock();
	if (vif->connected)
		xpv_netback_set_filter(vif, filter);
	rtnl_unlock();
}

static void close_broken(struct work_struct *work)
{
	struct xpv_netback *vif = container_of(work, struct xpv_netback, broken_work);
	bool broken;
	u32 i;

	mutex_lock(&vif->lock);
	/* It may be another connection by now. */
	broken = xpv_netback_ctl_broken(vif);
	for (i = 0; vif->connected && i < vif->queues; i++)
		broken |= xpv_ring_broken(&vif->queue[i]->tx) ||
			  xpv_ring_broken(&vif->queue[i]->rx);
	if (broken) {
		complain(vif, -EPROTO, "guest broke the ring protocol, vif closed");
		set_state(vif, XPV_CLOSING);
	}
	mutex_unlock(&vif->lock);
}

static int watch_own(struct xpv_netback *vif, struct xenbus_watch *watch, const char *node,
		     void (*changed)(struct xenbus_watch *, const char *, const char *))
{
	return xenbus_watch_pathfmt(vif->xdev, watch, NULL, changed, "%s/%s",
				    vif->xdev->nodename, node);
}

static void unwatch(struct xenbus_watch *watch)
{
	if (!watch->node)
		return;
	unregister_xenbus_watch(watch);
	kfree(watch->node);
	watch->node = NULL;
}

/* InitWait only when the script that it starts finds all it needs. */
static int introduce(struct xpv_netback *vif)
{
	struct xenbus_device *xdev = vif->xdev;
	int err;

	err = xpv_xenstore_commit(write_offers, vif);
	if (err)
		return err;
	err = register_netdev(vif->dev);
	if (err)
		return err;
	kobject_uevent(&xdev->dev.kobj, KOBJ_ONLINE);

	mutex_lock(&vif->lock);
	set_state(vif, XPV_INIT_WAIT);
	mutex_unlock(&vif->lock);
	return 0;
}

static int probe(struct xenbus_device *xdev, const struct xenbus_device_id *id)
{
	struct xpv_netback *vif;
	unsigned int handle;
	int err;

	if (xenbus_scanf(XBT_NIL, xdev->nodename, "handle", "%u", &handle) != 1) {
		xenbus_dev_fatal(xdev, -EINVAL, "no handle in the interface's node");
		return -EINVAL;
	}
	vif = xpv_netback_create(xdev, handle);
	if (!vif) {
		xenbus_dev_fatal(xdev, -ENOMEM, "allocating the vif");
		return -ENOMEM;
	}
	INIT_WORK(&vif->broken_work, close_broken);
	vif->script = xenbus_read(XBT_NIL, xdev->nodename, "script", NULL);
	if (IS_ERR(vif->script)) {
		err = (int)PTR_ERR(vif->script);
		xenbus_dev_fatal(xdev, err, "no script in the interface's node");
		goto err_vif;
	}
	dev_set_drvdata(&xdev->dev, vif);

	err = introduce(vif);
	if (err) {
		xenbus_dev_fatal(xdev, err, "introducing the vif");
		goto err_script;
	}
	err = watch_own(vif, &vif->rate_watch, "rate", rate_changed);
	if (!err)
		err = xenbus_watch_pathfmt(xdev, &vif->mcast_watch, none_pending, filter_changed,
					   "%s/request-multicast-control", xdev->otherend);
	if (!err)
		err = watch_own(vif, &vif->hotplug_watch, "hotplug-status", hotplug_changed);
	if (err)
		goto err_watch;
	xpv_netback_expose(vif);
	return 0;

err_watch:
	unwatch(&vif->mcast_watch);
	unwatch(&vif->rate_watch);
	unregister_netdev(vif->dev);
err_script:
	dev_set_drvdata(&xdev->dev, NULL);
	kfree(vif->script);
err_vif:
	xpv_netback_free(vif);
	return err;
}

/*
 * The states are left as they are: a driver that is loaded again carries on with the guest's rings.
 */
static void remove(struct xenbus_device *xdev)
{
	struct xpv_netback *vif = dev_get_drvdata(&xdev->dev);

	xpv_netback_conceal(vif);
	unwatch(&vif->mcast_watch);
	unwatch(&vif->hotplug_watch);
	unwatch(&vif->rate_watch);
	mutex_lock(&vif->lock);
	disconnect(vif);
	mutex_unlock(&vif->lock);
	/* With the rings gone nobody queues it any more. */
	cancel_work_sync(&vif->broken_work);

	kobject_uevent(&xdev->dev.kobj, KOBJ_OFFLINE);
	/* Another netdev will need the script again. */
	xenbus_rm(XBT_NIL, xdev->nodename, "hotplug-status");
	unregister_netdev(vif->dev);
	dev_set_drvdata(&xdev->dev, NULL);
	kfree(vif->script);
	xpv_netback_free(vif);
}

/* What udev gives a hotplug script in its environment. */
static int uevent(xpv_uevent_dev *xdev, struct kobj_uevent_env *env)
{
	const struct xpv_netback *vif = dev_get_drvdata(&xdev->dev);

	if (!vif)
		return 0;
	return add_uevent_var(env, "script=%s", vif->script) ?:
	       add_uevent_var(env, "vif=%s", vif->dev->name);
}

static const struct xenbus_device_id ids[] = {
	{ "vif" },
	{ "" },
};

static struct xenbus_driver driver = {
	.name			= "xpv-vif",
	.ids			= ids,
	.allow_rebind		= true,
	.probe			= probe,
	.remove			= remove,
	.uevent			= uevent,
	.otherend_changed	= frontend_changed,
};

int xpv_netback_register(void)
{
	return xenbus_register_backend(&driver);
}

void xpv_netback_unregister(void)
{
	xenbus_unregister_driver(&driver);
}
