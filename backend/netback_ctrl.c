// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control ring: what the guest asks for is done by work that may sleep, a request at a time, and
 * the event that brought it has its EOI when nothing is left to do. A guest that asks
 * without end takes as much of a CPU as its requests need, which is shared with other work after
 * each ring full.
 */
#include "netback.h"

#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <xen/events.h>

#include <xpv_event.h>

static unsigned int static_grants = 1024;
module_param(static_grants, uint, 0644);
MODULE_PARM_DESC(static_grants, "Grants of each queue that a guest may have kept mapped, 0 to 4096; for new connections (default: 1024)");

#define MOST_STATIC_GRANTS	4096u

void *xpv_netback_fetch(struct xpv_netback *vif, u32 gref, u32 len)
{
	struct xpv_netback_ctl *ctl = vif->ctl;
	int err = 0;

	if (len) {
		xpv_copy_from(&ctl->copy, gref, 0, ctl->page, len);
		xpv_copy_submit(&ctl->copy);
		err = xpv_copy_status(&ctl->copy, 0);
		xpv_copy_reset(&ctl->copy);
	}
	return err ? NULL : ctl->page;
}

int xpv_netback_store(struct xpv_netback *vif, u32 gref, u32 len)
{
	struct xpv_netback_ctl *ctl = vif->ctl;
	int err;

	xpv_copy_to(&ctl->copy, gref, 0, ctl->page, len);
	xpv_copy_submit(&ctl->copy);
	err = xpv_copy_status(&ctl->copy, 0);
	xpv_copy_reset(&ctl->copy);
	return err;
}

static u32 do_request(struct xpv_netback *vif, const struct xpv_net_ctlreq *req, u32 *data)
{
	switch (req->type) {
	case XPV_NET_CTL_GET_FLAGS:
	case XPV_NET_CTL_SET_FLAGS:
	case XPV_NET_CTL_SET_KEY:
	case XPV_NET_CTL_GET_TABLE_SIZE:
	case XPV_NET_CTL_SET_TABLE_SIZE:
	case XPV_NET_CTL_SET_TABLE:
	case XPV_NET_CTL_SET_ALGORITHM:
		return xpv_netback_set_hash(vif, req, data);
	case XPV_NET_CTL_GET_GREFS:
	case XPV_NET_CTL_ADD_GREFS:
	case XPV_NET_CTL_DEL_GREFS:
		return xpv_netback_change_grefs(vif, req, data);
	default:
		return XPV_NET_CTL_NOT_SUPPORTED;
	}
}

/* Single consumer: the work is never run twice at a time. */
static void serve(struct work_struct *work)
{
	struct xpv_netback_ctl *ctl = container_of(work, struct xpv_netback_ctl, work);
	struct xpv_net_ctlreq req;
	u32 n;

	for (n = 0; n < ctl->ring.size; n++) {
		u32 status, data = 0;

		/* Each may take its time, and who ends this is not to wait for all of them. */
		if (READ_ONCE(ctl->leaving))
			return;
		if (xpv_net_take_ctl(&ctl->ring, &req) != 1)
			break;
		status = do_request(ctl->vif, &req, &data);
		xpv_net_answer_ctl(&ctl->ring, &req, status, data);
		if (xpv_back_publish(&ctl->ring))
			notify_remote_via_irq(ctl->irq);
		ctl->worked = true;
		cond_resched();
	}
	if (n == ctl->ring.size || xpv_back_rearm(&ctl->ring, 1)) {
		schedule_work(&ctl->work);
		return;
	}
	if (xpv_ring_broken(&ctl->ring)) {
		/* No EOI: we don't want to hear of this guest again. */
		schedule_work(&ctl->vif->broken_work);
		return;
	}
	if (test_and_clear_bit(0, &ctl->event))
		xpv_event_end(ctl->irq, ctl->worked);
	ctl->worked = false;
}

/* An event channel stays masked until its EOI. */
static irqreturn_t event(int irq, void *arg)
{
	struct xpv_netback_ctl *ctl = arg;

	/* It may come before whoever binds it knows the number. */
	ctl->irq = irq;
	set_bit(0, &ctl->event);
	schedule_work(&ctl->work);
	return IRQ_HANDLED;
}

static struct xpv_netback_ctl *make(struct xpv_netback *vif)
{
	struct xpv_netback_ctl *ctl = kvzalloc(sizeof(*ctl), GFP_KERNEL);

	if (!ctl)
		return NULL;
	ctl->page = (void *)__get_free_page(GFP_KERNEL);
	if (!ctl->page) {
		kvfree(ctl);
		return NULL;
	}
	ctl->vif = vif;
	ctl->most_grefs = min(READ_ONCE(static_grants), MOST_STATIC_GRANTS);
	xpv_copy_init(&ctl->copy, (u16)vif->xdev->otherend_id);
	xpv_batch_init(&ctl->batch, (u16)vif->xdev->otherend_id);
	INIT_WORK(&ctl->work, serve);
	snprintf(ctl->name, sizeof(ctl->name), "%s-ctrl", vif->dev->name);
	return ctl;
}

static void destroy(struct xpv_netback_ctl *ctl)
{
	free_page((unsigned long)ctl->page);
	kvfree(ctl);
}

int xpv_netback_connect_ctl(struct xpv_netback *vif, grant_ref_t ref, evtchn_port_t port)
{
	struct xpv_netback_ctl *ctl = make(vif);
	int err;

	if (!ctl)
		return -ENOMEM;
	err = xpv_netback_attach(vif, &ctl->ring, &ctl->map, ref, XPV_NET_CTL_STRIDE);
	if (err)
		goto err_ctl;
	vif->ctl = ctl;
	err = bind_interdomain_evtchn_to_irqhandler_lateeoi(vif->xdev, port, event, 0, ctl->name,
							    ctl);
	if (err < 0)
		goto err_ring;
	ctl->irq = err;
	/* What was asked before we listened. */
	schedule_work(&ctl->work);
	return 0;

err_ring:
	vif->ctl = NULL;
	xpv_netback_detach(vif, &ctl->ring, &ctl->map);
err_ctl:
	destroy(ctl);
	return err;
}

/* The queues are down: nobody looks for a hash or a grant any more. */
void xpv_netback_disconnect_ctl(struct xpv_netback *vif)
{
	struct xpv_netback_ctl *ctl = vif->ctl;
	u32 i;

	if (!ctl)
		return;
	WRITE_ONCE(ctl->leaving, true);
	/* Who began before that still answers, and gives the EOI, by an irq that is ours. */
	cancel_work_sync(&ctl->work);
	unbind_from_irqhandler(ctl->irq, ctl);
	/* Events until now have queued it again, but it does nothing any more. */
	cancel_work_sync(&ctl->work);
	for (i = 0; i < vif->queues; i++)
		xpv_netback_drop_grefs(vif->queue[i]);
	xpv_netback_forget_hash(vif);
	vif->ctl = NULL;
	xpv_netback_detach(vif, &ctl->ring, &ctl->map);
	destroy(ctl);
}

bool xpv_netback_ctl_broken(const struct xpv_netback *vif)
{
	return vif->ctl && xpv_ring_broken(&vif->ctl->ring);
}
