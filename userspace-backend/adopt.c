// SPDX-License-Identifier: GPL-2.0-only
/* Disks that come: which nodes are ours, and what the toolstack has written there. */
#include "adopt.h"
#include "access.h"
#include "disk.h"
#include "journal.h"
#include "node.h"
#include "xenbus.h"
#include "xentop.h"

#include <unistd.h>

#define SCRIPT		"block-xpv"	/* of a node that is ours, its script's name begins with that */

static bool is_ours(const char *path)
{
	char *script = node_read(path, "script"), *name;
	bool ours;

	if (!script)
		return false;
	name = strrchr(script, '/');
	name = name ? name + 1 : script;
	ours = !strncmp(name, SCRIPT, strlen(SCRIPT));
	free(script);
	return ours;
}

static void adopt_limits(struct disk *d)
{
	char *text = node_read(d->path, ADOPT_LIMITS);
	unsigned long long requests, bytes;

	if (text && sscanf(text, "%llu %llu", &requests, &bytes) == 2)
		disk_set_limits(d, requests, bytes);
	free(text);
}

void adopt(u16 domid, u32 devid)
{
	char path[64], *front, watch[300];
	struct disk *d;

	snprintf(path, sizeof(path), ADOPT_KIND "/%u/%u", domid, devid);
	if (!is_ours(path) || node_number_or(path, "frontend-id", 0xffffffff) != domid)
		return;
	front = node_read(path, "frontend");
	d = front && strlen(front) < 256 ? disk_add(domid, devid, path, front) : NULL;
	free(front);
	if (!d)
		return;
	d->readonly = !node_says(path, "mode", "w");
	d->cdrom = node_says(path, "device-type", "cdrom");
	d->removable = node_number_or(path, "removable", 0);
	d->discard_enabled = node_number_or(path, "discard-enable", 1);
	d->state = node_state(path, XPV_INITIALISING);
	if (d->state == XPV_UNKNOWN)
		d->state = XPV_INITIALISING;
	adopt_limits(d);
	snprintf(watch, sizeof(watch), "%s/state", d->front);
	if (!xs_watch(node_store, watch, XENBUS_FRONT))
		log_error("%s: what its frontend does is not seen: %s: detach it", d->name, strerror(errno));
	d->marked = node_write(XBT_NULL, path, ADOPT_MARK, "%d", getpid());
	xentop_add(d);
	/* To be looked at once more by watched(). */
	d->dirty = true;
	if (d->state == XPV_INITIALISING)
		xenbus_offer(d);
	else if (access_was_open(d))
		access_recover(d);
}

/* Not only not ours, or not to be read. */
static bool is_gone(u16 domid, u32 devid)
{
	char path[64], *state;
	bool gone;

	snprintf(path, sizeof(path), ADOPT_KIND "/%u/%u", domid, devid);
	state = node_read(path, "state");
	gone = !state && errno == ENOENT;
	free(state);
	return gone;
}

void adopt_all(void)
{
	unsigned int nr_domains, nr_devices, i, k;
	char path[64], **domain, **device;

	domain = xs_directory(node_store, XBT_NULL, ADOPT_KIND, &nr_domains);
	for (i = 0; domain && i < nr_domains; i++) {
		snprintf(path, sizeof(path), ADOPT_KIND "/%.20s", domain[i]);
		device = xs_directory(node_store, XBT_NULL, path, &nr_devices);
		for (k = 0; device && k < nr_devices; k++) {
			u16 domid = (u16)atoi(domain[i]);
			u32 devid = (u32)strtoul(device[k], NULL, 10);

			if (!disk_find(domid, devid))
				adopt(domid, devid);
		}
		free(device);
	}
	free(domain);
	/* What was in flight on disks that went while nobody served them. */
	journal_sweep(is_gone);
}
