// SPDX-License-Identifier: GPL-2.0-only
/* A frontend that lies, in a guest: nobody else may drive the device. */
#include "rogue.h"

#include <stdio.h>
#include <sys/mman.h>
#include <xengnttab.h>

const char *const rogue_usage = "rogue-front vbd|vif DEVID SCRIPT";
const bool rogue_is_front = true;

static struct {
	xengntshr_handle *gntshr;
	u8 *pages, *read_only, *rings;
	u32 nr_rings;		/* pages */
	u32 page_ref[ROGUE_PAGES], ro_ref, ring_ref[(ROGUE_QUEUES << XPV_RING_MAX_ORDER) + 1];
	xenevtchn_port_or_error_t port[ROGUE_QUEUES];	/* the first is r->port */
	u32 nr_ports;
	u32 data_rings;		/* pages before the control ring's */
} front;

static void *share(struct rogue *r, u32 n, u32 *refs, bool writable)
{
	void *pages = xengntshr_share_pages(front.gntshr, r->domid, n, refs, writable);

	if (!pages)
		die(r, "sharing %u pages: %s", n, strerror(errno));
	return pages;
}

int rogue_open(struct rogue *r, int argc, char **argv)
{
	char path[64], *backend;
	u32 i;

	if (argc < 1)
		return 0;
	front.gntshr = xengntshr_open(NULL, 0);
	if (!front.gntshr)
		die(r, "/dev/xen/gntalloc: %s", strerror(errno));
	snprintf(path, sizeof(path), "device/%s/%s", r->vif ? "vif" : "vbd", argv[0]);
	r->own = strdup(path);
	snprintf(path, sizeof(path), "%s/backend", r->own);
	backend = xs_read(r->xs, XBT_NULL, path, NULL);
	if (!backend)
		die(r, "%s: %s", path, strerror(errno));
	r->other = backend;
	r->domid = 0;
	front.pages = share(r, ROGUE_PAGES, front.page_ref, true);
	front.read_only = share(r, 1, &front.ro_ref, false);
	for (i = 0; i < ROGUE_PAGES; i++)
		write_frame(front.pages + i * XPV_PAGE_SIZE);
	return 1;
}

/* The only queue is said flat, several have a folder each. */
static void say_queue(struct rogue *r, u32 i, const char *name, u32 value)
{
	char key[40];

	snprintf(key, sizeof(key), "queue-%u/%s", i, name);
	say(r, r->queues > 1 ? key : name, "%u", value);
}

static void say_queues(struct rogue *r)
{
	u32 i;

	if (r->queues > 1)
		say(r, "multi-queue-num-queues", "%u", r->queues);
	else
		say(r, "multi-queue-num-queues", NULL);
	for (i = 0; i < r->queues; i++)
		say_queue(r, i, "event-channel", front.port[i]);
}

static void say_vbd(struct rogue *r)
{
	u32 i, in_ring = front.data_rings / r->queues;
	char name[16];

	say_queues(r);
	if (!r->order)
		say(r, "ring-page-order", NULL);
	else
		say(r, "ring-page-order", "%u", r->order);
	for (i = 0; i < front.data_rings; i++) {
		snprintf(name, sizeof(name), r->order ? "ring-ref%u" : "ring-ref", i % in_ring);
		say_queue(r, i / in_ring, name, front.ring_ref[i]);
	}
	say(r, "protocol", r->narrow ? "x86_32-abi" : "x86_64-abi");
}

static void say_vif(struct rogue *r)
{
	static const char *const features[] = {
		"request-rx-copy", "feature-rx-notify", "feature-sg",
		"feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload",
	};
	u32 i;

	say_queues(r);
	for (i = 0; i < r->queues; i++) {
		say_queue(r, i, "tx-ring-ref", front.ring_ref[2 * i]);
		say_queue(r, i, "rx-ring-ref", front.ring_ref[2 * i + 1]);
	}
	for (i = 0; i < ARRAY_SIZE(features); i++)
		say(r, features[i], "1");
	say(r, "ctrl-ring-ref", r->ctl ? "%u" : NULL, front.ring_ref[front.data_rings]);
	say(r, "event-channel-ctrl", r->ctl ? "%d" : NULL, r->ctl_port);
}

static void open_channels(struct rogue *r)
{
	u32 i;

	for (i = 0; i < r->queues; i++) {
		front.port[i] = xenevtchn_bind_unbound_port(r->evtchn, r->domid);
		if (front.port[i] < 0)
			die(r, "no event channel: %s", strerror(errno));
		front.nr_ports = i + 1;
	}
	r->port = front.port[0];
	if (!r->ctl)
		return;
	r->ctl_port = xenevtchn_bind_unbound_port(r->evtchn, r->domid);
	if (r->ctl_port < 0)
		die(r, "no event channel: %s", strerror(errno));
}

void rogue_offer(struct rogue *r)
{
	u32 i, pages;

	if (front.rings)
		die(r, "already offered: close first");
	set_state(r, XPV_INITIALISING);
	await(r, 1u << XPV_INIT_WAIT);

	front.data_rings = r->queues * (r->vif ? 2 : 1u << r->order);
	front.nr_rings = front.data_rings + r->ctl;
	front.rings = share(r, front.nr_rings, front.ring_ref, true);
	memset(front.rings, 0, front.nr_rings * XPV_PAGE_SIZE);
	pages = r->vif ? 1 : 1u << r->order;
	for (i = 0; i < front.nr_rings / pages; i++) {
		struct xpv_sring *shared = (void *)(front.rings + i * pages * XPV_PAGE_SIZE);

		shared->req_event = 1;
		shared->rsp_event = 1;
		if (i < (r->vif ? ROGUE_CTL : 1))
			ring_up(r, i, shared, pages);
		else if (r->vif && i == front.data_rings)
			ring_up(r, ROGUE_CTL, shared, 1);
	}
	open_channels(r);
	(r->vif ? say_vif : say_vbd)(r);
	say_rest(r);
	set_state(r, r->vif ? XPV_CONNECTED : XPV_INITIALISED);
}

void rogue_connect(struct rogue *r)
{
	await(r, 1u << XPV_CONNECTED);
	set_state(r, XPV_CONNECTED);
}

bool rogue_symbol(struct rogue *r, const char *name, u64 *value)
{
	u32 i;

	(void)r;
	if (!strcmp(name, "ro"))
		*value = front.ro_ref;
	else if (!strcmp(name, "table"))
		*value = front.page_ref[ROGUE_PAGES - 1];
	else if (!strcmp(name, "table_address"))
		*value = (uintptr_t)(front.pages + (ROGUE_PAGES - 1) * XPV_PAGE_SIZE);
	else if (sscanf(name, "page%u", &i) == 1 && i < ROGUE_PAGES)
		*value = front.page_ref[i];
	else if (sscanf(name, "ring%u", &i) == 1 && i < ARRAY_SIZE(front.ring_ref))
		*value = front.ring_ref[i];
	else if (!strcmp(name, "ctlring"))
		*value = front.ring_ref[front.data_rings];
	else if (!strcmp(name, "ctlport"))
		*value = r->ctl_port;
	else if (sscanf(name, "port%u", &i) == 1 && i < ROGUE_QUEUES)
		*value = front.port[i];
	else
		return false;
	return true;
}

void rogue_return(struct rogue *r)
{
	die(r, "a frontend connects by its own offer");
}

void rogue_grab(struct rogue *r, u32 gref)
{
	die(r, "a frontend has no grant %u to map", gref);
}

void rogue_look_clean(struct rogue *r, u32 gref)
{
	die(r, "a frontend has no grant %u to look at", gref);
}

void rogue_drop(struct rogue *r, bool all)
{
	die(r, "a frontend has nothing mapped%s", all ? " at all" : "");
}

void rogue_close(struct rogue *r)
{
	if (!r->own)
		return;
	set_state(r, XPV_CLOSED);
	await(r, 1u << XPV_CLOSED | 1u << XPV_UNKNOWN);
	memset(r->ring, 0, sizeof(r->ring));
	while (front.nr_ports)
		xenevtchn_unbind(r->evtchn, front.port[--front.nr_ports]);
	r->port = -1;
	if (r->ctl_port >= 0)
		xenevtchn_unbind(r->evtchn, r->ctl_port);
	r->ctl_port = -1;
	if (front.rings)
		xengntshr_unshare(front.gntshr, front.rings, front.nr_rings);
	front.rings = NULL;
}
