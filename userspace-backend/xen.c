// SPDX-License-Identifier: GPL-2.0-only
/* The world as Xen has it, by its libraries. */
#include "world.h"

#include <xpv/grant.h>

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xentoollog.h>

static xengnttab_handle *grants;
/* Of the libraries: what a guest makes fail is ours to tell, or not to, and they would tell it each time. */
static xentoollog_logger *silence;

#define SAME(field) static_assert(offsetof(struct xpv_copy_op, field) ==		\
				  offsetof(xengnttab_grant_copy_segment_t, field), #field)
SAME(source);
SAME(dest);
SAME(len);
SAME(flags);
SAME(status);
static_assert(sizeof(struct xpv_copy_op) == sizeof(xengnttab_grant_copy_segment_t), "size of a copy");

int world_open(void)
{
	silence = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	if (!silence)
		return -ENOMEM;
	grants = xengnttab_open(silence, 0);
	if (!grants) {
		int err = -errno;

		xtl_logger_destroy(silence);
		return err;
	}
	return 0;
}

void world_close(void)
{
	xengnttab_close(grants);
	xtl_logger_destroy(silence);
}

void *world_map(u16 domid, const u32 *gref, u32 n)
{
	return xengnttab_map_domain_grant_refs(grants, n, domid, (u32 *)gref, PROT_READ | PROT_WRITE);
}

void world_unmap(void *at, u32 n)
{
	xengnttab_unmap(grants, at, n);
}

/* Data is copied out of pages that are mapped, and nobody else gets to know of them. */
bool xpv_os_in_use(xpv_page page)
{
	(void)page;
	return false;
}

void xpv_os_copy(struct xpv_copy_batch *b)
{
	u32 i;

	if (!xengnttab_grant_copy(grants, b->n, (xengnttab_grant_copy_segment_t *)b->op))
		return;
	/* What was not tried, or not to the end, has not been done. */
	for (i = 0; i < b->n; i++)
		b->op[i].status = -1;
}

/* libxenevtchn's handle is the channels. */

static xenevtchn_handle *handle(struct channels *c)
{
	return (xenevtchn_handle *)c;
}

struct channels *channels_open(void)
{
	xenevtchn_handle *h = xenevtchn_open(silence, 0);

	if (h && fcntl(xenevtchn_fd(h), F_SETFL, O_NONBLOCK)) {
		xenevtchn_close(h);
		h = NULL;
	}
	return (struct channels *)h;
}

void channels_close(struct channels *c)
{
	xenevtchn_close(handle(c));
}

int channels_fd(struct channels *c)
{
	return xenevtchn_fd(handle(c));
}

int channel_bind(struct channels *c, u16 domid, u32 port)
{
	int own = xenevtchn_bind_interdomain(handle(c), domid, port);

	return own < 0 ? -errno : own;
}

void channel_unbind(struct channels *c, u32 port)
{
	xenevtchn_unbind(handle(c), port);
}

u32 channels_read(struct channels *c, u32 *port, u32 n)
{
	/* The library would read one at a time. */
	ssize_t got = read(channels_fd(c), port, n * sizeof(*port));

	return got > 0 ? (u32)((size_t)got / sizeof(*port)) : 0;
}

void channel_unmask(struct channels *c, u32 port)
{
	xenevtchn_unmask(handle(c), port);
}

void channel_notify(struct channels *c, u32 port)
{
	xenevtchn_notify(handle(c), port);
}
