// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control ring: one question at a time, by whoever holds its lock, who waits for the
 * answer. A backend without it, or that does not answer in time, is done without. It is of use
 * only while both ends are Connected.
 */
#include "netfront.h"

#include <linux/rtnetlink.h>
#include <linux/wait.h>

#include <xpv_event.h>

/*
 * To wait, for all the answers that a lock holder asks for, who may hold RTNL as well: a backend has grants
 * to map and CPUs to wait for, but no more.
 */
#define ANSWER_TIME	(3 * HZ)

/* No more come before its EOI. */
static irqreturn_t event(int irq, void *arg)
{
	struct xpv_netfront_ctl *ctl = arg;

	set_bit(0, &ctl->event);
	wake_up(&ctl->answered);
	return IRQ_HANDLED;
}

static void give_eoi(struct xpv_netfront_ctl *ctl, bool useful)
{
	if (test_and_clear_bit(0, &ctl->event))
		xpv_event_end(ctl->irq, useful);
}

static bool answered(struct xpv_netfront_ctl *ctl, const struct xpv_net_ctlreq *req, u32 *data,
		     int *err)
{
	*err = xpv_net_take_ctl_answer(&ctl->ring, req, data);
	if (*err != -EAGAIN || READ_ONCE(ctl->leaving))
		return true;
	/* An event so far is of an earlier answer, seen before it came; or of nothing at all. */
	give_eoi(ctl, false);
	return false;
}

void xpv_netfront_lock_ctl(struct xpv_netfront *np)
{
	mutex_lock(&np->ctl.lock);
	np->ctl.patience = ANSWER_TIME;
}

void xpv_netfront_unlock_ctl(struct xpv_netfront *np)
{
	mutex_unlock(&np->ctl.lock);
}

int xpv_netfront_ask_ctl(struct xpv_netfront *np, u16 type, u32 a, u32 b, u32 c, u32 *data)
{
	struct xpv_netfront_ctl *ctl = &np->ctl;
	struct xpv_net_ctlreq req = { .id = ctl->id++, .type = type, .data = { a, b, c } };
	u32 unused;
	int err;

	lockdep_assert_held(&ctl->lock);
	if (!ctl->up)
		return -ENOTCONN;
	give_eoi(ctl, true);
	xpv_front_rearm(&ctl->ring, 1);
	memcpy(xpv_front_next(&ctl->ring), &req, sizeof(req));
	if (xpv_front_publish(&ctl->ring))
		notify_remote_via_irq(ctl->irq);
	ctl->patience = wait_event_timeout(ctl->answered,
					   answered(ctl, &req, data ? data : &unused, &err),
					   ctl->patience);
	if (err == -EAGAIN || err == -EPROTO)
		ctl->up = false;
	if (err == -EPROTO)
		xpv_netfront_fail(np, "answered on the control ring what was not asked");
	else if (err == -EAGAIN && !READ_ONCE(ctl->leaving))
		dev_warn_ratelimited(&np->xbdev->dev, "backend leaves control request %u unanswered\n",
				     type);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

void *xpv_netfront_ctl_page(struct xpv_netfront *np)
{
	lockdep_assert_held(&np->ctl.lock);
	return np->ctl.up ? page_address(np->ctl.page) : NULL;
}

/* What a connection begins with. */
static void begin(struct work_struct *work)
{
	struct xpv_netfront *np = container_of(work, struct xpv_netfront, ctl.work);
	bool hashes;
	u32 i, size;

	xpv_netfront_lock_ctl(np);
	hashes = !xpv_netfront_ask_ctl(np, XPV_NET_CTL_GET_TABLE_SIZE, 0, 0, 0, &size) &&
		 size >= XPV_NET_TABLE_SIZE;
	xpv_netfront_unlock_ctl(np);
	for (i = 0; i < np->queues; i++) {
		xpv_netfront_lock_ctl(np);
		xpv_netfront_begin_static(&np->queue[i]);
		xpv_netfront_unlock_ctl(np);
	}
	/*
	 * If the hash is wanted, the backend is told before RTNL is taken: one that leaves us without an answer, and
	 * then comes anew, would have everybody wait. Nobody changes what it is told until it can be had.
	 */
	if (!hashes || (READ_ONCE(np->netdev->wanted_features) & NETIF_F_RXHASH && xpv_netfront_tell_hash(np)))
		return;
	rtnl_lock();
	np->can_hash = true;
	netdev_update_features(np->netdev);
	/* Meanwhile somebody may have changed his mind. */
	if (np->hash_told)
		xpv_netfront_set_hash(np, false);
	rtnl_unlock();
}

void xpv_netfront_init_ctl(struct xpv_netfront *np)
{
	mutex_init(&np->ctl.lock);
	init_waitqueue_head(&np->ctl.answered);
	INIT_WORK(&np->ctl.work, begin);
	np->ctl.page_ref = INVALID_GRANT_REF;
	np->ctl.ring_ref = INVALID_GRANT_REF;
}

int xpv_netfront_connect_ctl(struct xpv_netfront *np)
{
	struct xpv_netfront_ctl *ctl = &np->ctl;
	int err;

	err = xpv_netfront_show(np, &ctl->ring_page, &ctl->ring_ref, false);
	if (err)
		return err;
	err = xpv_netfront_show(np, &ctl->page, &ctl->page_ref, false);
	if (err)
		goto err_release;
	xpv_front_init(&ctl->ring, page_address(ctl->ring_page), 1, XPV_NET_CTL_STRIDE);
	err = xenbus_alloc_evtchn(np->xbdev, &ctl->port);
	if (err)
		goto err_release;
	ctl->event = 0;
	snprintf(ctl->name, sizeof(ctl->name), "%s-ctrl", np->netdev->name);
	err = bind_evtchn_to_irqhandler_lateeoi(ctl->port, event, 0, ctl->name, ctl);
	if (err < 0) {
		xenbus_free_evtchn(np->xbdev, ctl->port);
		goto err_release;
	}
	ctl->irq = err;
	mutex_lock(&ctl->lock);
	ctl->leaving = false;
	ctl->up = true;
	mutex_unlock(&ctl->lock);
	return 0;

err_release:
	xpv_netfront_release_ctl(np);
	return err;
}

void xpv_netfront_start_ctl(struct xpv_netfront *np)
{
	if (np->ctl.irq)
		schedule_work(&np->ctl.work);
}

void xpv_netfront_stop_ctl(struct xpv_netfront *np)
{
	struct xpv_netfront_ctl *ctl = &np->ctl;

	/* Whoever waits for an answer does not any more. */
	WRITE_ONCE(ctl->leaving, true);
	wake_up_all(&ctl->answered);
	cancel_work_sync(&ctl->work);
	mutex_lock(&ctl->lock);
	ctl->up = false;
	mutex_unlock(&ctl->lock);
	if (ctl->irq)
		unbind_from_irqhandler(ctl->irq, ctl);
	ctl->irq = 0;
}

void xpv_netfront_release_ctl(struct xpv_netfront *np)
{
	struct xpv_netfront_ctl *ctl = &np->ctl;

	xpv_ring_detach(&ctl->ring);
	if (ctl->page_ref != INVALID_GRANT_REF)
		xpv_netfront_end_grant(np, ctl->page_ref, ctl->page);
	if (ctl->ring_ref != INVALID_GRANT_REF)
		xpv_netfront_end_grant(np, ctl->ring_ref, ctl->ring_page);
	ctl->page_ref = INVALID_GRANT_REF;
	ctl->ring_ref = INVALID_GRANT_REF;
}
