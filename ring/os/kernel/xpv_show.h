/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A ring's state in words, for debugfs. */
#ifndef XPV_SHOW_H
#define XPV_SHOW_H

#include <linux/seq_file.h>
#include <xpv/ring.h>

/* One line of @r: our end, then what both share. The caller keeps it attached. */
static inline void xpv_show_ring(struct seq_file *m, const char *name, const struct xpv_ring *r)
{
	const struct xpv_sring *s = r->shared;

	if (!s)
		return;
	seq_printf(m, "  %s: size %u prod %u published %u cons %u;", name, r->size,
		   READ_ONCE(r->prod), READ_ONCE(r->published), READ_ONCE(r->cons));
	seq_printf(m, " req_prod %u req_event %u rsp_prod %u rsp_event %u%s\n",
		   READ_ONCE(s->req_prod), READ_ONCE(s->req_event),
		   READ_ONCE(s->rsp_prod), READ_ONCE(s->rsp_event),
		   xpv_ring_broken(r) ? " broken" : "");
}

#endif
