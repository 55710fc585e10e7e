// SPDX-License-Identifier: GPL-2.0-only
/*
 * A backend that lies, in dom0. It makes the device itself, with its own half
 * outside backend/, so that no driver of dom0's takes it. Each offer is of another device: a guest
 * takes one that comes back at once for the one that went.
 */
#include "rogue.h"

#include <stdio.h>
#include <sys/mman.h>
#include <xengnttab.h>

#define MAPPINGS	64u

const char *const rogue_usage = "rogue-back vbd|vif DOMID DEVID SCRIPT";
const bool rogue_is_front = false;

static struct {
	xengnttab_handle *gnttab;
	u32 devid;		/* of the next device */
	bool made;		/* the device's nodes are there */
	struct {
		void *page;
		u32 pages;
	} mapped[MAPPINGS];
	u32 nr_mapped;
} back;

static void *map(struct rogue *r, u32 n, u32 *refs, int prot)
{
	void *pages = xengnttab_map_domain_grant_refs(back.gnttab, n, r->domid, refs, prot);

	if (!pages)
		return NULL;
	if (back.nr_mapped == MAPPINGS)
		die(r, "more than %u mappings", MAPPINGS);
	back.mapped[back.nr_mapped].page = pages;
	back.mapped[back.nr_mapped++].pages = n;
	return pages;
}

static void unmap_last(void)
{
	back.nr_mapped--;
	xengnttab_unmap(back.gnttab, back.mapped[back.nr_mapped].page,
			back.mapped[back.nr_mapped].pages);
}

int rogue_open(struct rogue *r, int argc, char **argv)
{
	if (argc < 2)
		return 0;
	back.gnttab = xengnttab_open(NULL, 0);
	if (!back.gnttab)
		die(r, "/dev/xen/gntdev: %s", strerror(errno));
	r->domid = strtoul(argv[0], NULL, 0);
	back.devid = strtoul(argv[1], NULL, 0);
	return 2;
}

/* Its directories, and what the next one is called. */
static void name_device(struct rogue *r)
{
	const char *kind = r->vif ? "vif" : "vbd";
	char path[96];

	snprintf(path, sizeof(path), "/local/domain/0/rogue/%s/%u/%u", kind, r->domid, back.devid);
	r->own = strdup(path);
	snprintf(path, sizeof(path), "/local/domain/%u/device/%s/%u", r->domid, kind, back.devid);
	r->other = strdup(path);
}

static void make_dir(struct rogue *r, const char *path, u32 owner, u32 reader)
{
	struct xs_permissions perms[] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = reader, .perms = XS_PERM_READ },
	};

	xs_rm(r->xs, XBT_NULL, path);
	if (!xs_mkdir(r->xs, XBT_NULL, path) ||
	    !xs_set_permissions(r->xs, XBT_NULL, path, perms, ARRAY_SIZE(perms)))
		die(r, "%s: %s", path, strerror(errno));
}

/* What the toolstack would write for the guest; the state comes last, and starts its driver. */
static void write_front(struct rogue *r)
{
	char id[12];
	const char *const keys[][2] = {
		{ "backend", r->own }, { "backend-id", "0" },
		{ "virtual-device", id }, { "device-type", "disk" }, { "handle", id }, { "mac", "00:16:3e:66:66:66" }, { "state", "1" },
	};
	char path[128];
	u32 i;

	snprintf(id, sizeof(id), "%u", back.devid);
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(path, sizeof(path), "%s/%s", r->other, keys[i][0]);
		if (!xs_write(r->xs, XBT_NULL, path, keys[i][1], strlen(keys[i][1])))
			die(r, "%s: %s", path, strerror(errno));
	}
}

static void say_vbd(struct rogue *r)
{
	say(r, "sectors", "131072");
	say(r, "sector-size", "512");
	say(r, "physical-sector-size", "512");
	say(r, "info", "0");
	say(r, "feature-flush-cache", "1");
	say(r, "feature-max-indirect-segments", "64");
	say(r, "max-ring-page-order", "2");
	say(r, "feature-persistent", "0");
}

static void say_vif(struct rogue *r)
{
	static const char *const features[] = {
		"feature-rx-copy", "feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6",
		"feature-ipv6-csum-offload",
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		say(r, features[i], "1");
	say(r, "multi-queue-max-queues", "%u", r->queues);
	if (r->ctl)
		say(r, "feature-ctrl-ring", "1");
}

static void ring_of(struct rogue *r, u32 i, u32 *refs, u32 n)
{
	void *pages = map(r, n, refs, PROT_READ | PROT_WRITE);

	if (!pages)
		die(r, "the guest's ring is no grant of its own: %s", strerror(errno));
	ring_up(r, i, pages, n);
}

/* Where the guest says it, of its first queue if it has several. */
static const char *of_queue(struct rogue *r, const char *key, char name[32])
{
	if (!r->vif || ask(r, "multi-queue-num-queues") < 2)
		return key;
	snprintf(name, 32, "queue-0/%s", key);
	return name;
}

static void rings(struct rogue *r)
{
	u32 i, refs[1u << XPV_RING_MAX_ORDER];
	long long order = ask(r, "ring-page-order");
	char key[32];

	if (r->vif) {
		refs[0] = ask(r, of_queue(r, "tx-ring-ref", key));
		ring_of(r, 0, refs, 1);
		refs[0] = ask(r, of_queue(r, "rx-ring-ref", key));
		ring_of(r, 1, refs, 1);
		if (r->ctl) {
			refs[0] = ask(r, "ctrl-ring-ref");
			ring_of(r, ROGUE_CTL, refs, 1);
		}
		return;
	}
	if (order > XPV_RING_MAX_ORDER)
		die(r, "the guest asks for a ring of order %lld", order);
	refs[0] = ask(r, "ring-ref");
	for (i = 0; order > 0 && i < 1u << order; i++) {
		snprintf(key, sizeof(key), "ring-ref%u", i);
		refs[i] = ask(r, key);
	}
	ring_of(r, 0, refs, order > 0 ? 1u << order : 1);
}

/* The rings and channels that the guest offers. */
static void take_over(struct rogue *r)
{
	char key[32];

	rings(r);
	r->port = xenevtchn_bind_interdomain(r->evtchn, r->domid,
					     ask(r, of_queue(r, "event-channel", key)));
	if (r->port < 0)
		die(r, "the guest's event channel: %s", strerror(errno));
	if (!r->ctl)
		return;
	r->ctl_port = xenevtchn_bind_interdomain(r->evtchn, r->domid,
						 ask(r, "event-channel-ctrl"));
	if (r->ctl_port < 0)
		die(r, "the control ring's event channel: %s", strerror(errno));
}

/* Those, and whatever was grabbed. */
static void let_go(struct rogue *r)
{
	memset(r->ring, 0, sizeof(r->ring));
	while (back.nr_mapped)
		unmap_last();
	if (r->port >= 0)
		xenevtchn_unbind(r->evtchn, r->port);
	r->port = -1;
	if (r->ctl_port >= 0)
		xenevtchn_unbind(r->evtchn, r->ctl_port);
	r->ctl_port = -1;
}

void rogue_offer(struct rogue *r)
{
	if (back.made)
		die(r, "already offered: close first");
	name_device(r);
	make_dir(r, r->own, 0, r->domid);
	say(r, "frontend", "%s", r->other);
	say(r, "frontend-id", "%u", r->domid);
	say(r, "online", "1");
	(r->vif ? say_vif : say_vbd)(r);
	say_rest(r);
	set_state(r, XPV_INIT_WAIT);
	make_dir(r, r->other, r->domid, 0);
	back.made = true;
	write_front(r);
	back.devid += r->vif ? 1 : 256;

	await(r, 1u << XPV_INITIALISED | 1u << XPV_CONNECTED |
		 1u << XPV_CLOSING | 1u << XPV_CLOSED);
	/* It may want nothing of what it reads. */
	if (ask(r, "state") >= XPV_CLOSING)
		return;
	take_over(r);
	set_state(r, XPV_CONNECTED);
}

void rogue_return(struct rogue *r)
{
	if (!back.made)
		die(r, "no device to return to: connect first");
	let_go(r);
	set_state(r, XPV_INIT_WAIT);
	await(r, 1u << XPV_INITIALISED | 1u << XPV_CONNECTED);
	take_over(r);
	set_state(r, XPV_CONNECTED);
}

void rogue_connect(struct rogue *r)
{
	await(r, 1u << XPV_CONNECTED);
}

bool rogue_symbol(struct rogue *r, const char *name, u64 *value)
{
	(void)r, (void)name, (void)value;
	return false;
}

void rogue_grab(struct rogue *r, u32 gref)
{
	void *page = map(r, 1, &gref, PROT_READ | PROT_WRITE);

	if (page && r->vif)
		write_frame(page);
	if (!page && !map(r, 1, &gref, PROT_READ))
		die(r, "grant %u: %s", gref, strerror(errno));
}

void rogue_look_clean(struct rogue *r, u32 gref)
{
	const u8 *page = map(r, 1, &gref, PROT_READ);
	u32 i;

	if (!page)
		die(r, "grant %u: %s", gref, strerror(errno));
	for (i = 0; i < XPV_PAGE_SIZE; i++)
		if (page[i])
			die(r, "grant %u shows what was in its page before: byte %u is %02x", gref, i, page[i]);
	unmap_last();
}

void rogue_drop(struct rogue *r, bool all)
{
	if (all) {
		let_go(r);
		return;
	}
	/* The rings were mapped first. */
	if (back.nr_mapped <= (r->vif ? 2u + r->ctl : 1u))
		die(r, "nothing was grabbed");
	unmap_last();
}

void rogue_close(struct rogue *r)
{
	if (!back.made)
		return;
	back.made = false;
	let_go(r);
	set_state(r, XPV_CLOSED);
	/* A frontend that never came this far has nothing to close. */
	await(r, 1u << XPV_CLOSED | 1u << XPV_INITIALISING | 1u << XPV_UNKNOWN);
	xs_rm(r->xs, XBT_NULL, r->other);
	xs_rm(r->xs, XBT_NULL, r->own);
	free(r->other);
	free(r->own);
	r->own = r->other = NULL;
}
