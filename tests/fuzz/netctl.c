// SPDX-License-Identifier: GPL-2.0-only
/*
 * netif's control ring from both ends: a backend that is asked anything, and does what passes its checks to a
 * table, a key and a list; and a frontend that is answered anything.
 */
#include "fuzz.h"

#include <pair.h>
#include <xpv/netctl.h>

static struct pair p;

static u32 table[XPV_NET_TABLE_SIZE], table_size = XPV_NET_TABLE_SIZE;

/* As a backend obeys, with a page of the guest's in @in. */
static u32 obey(struct input *in, const struct xpv_net_ctlreq *req)
{
	struct xpv_net_gref list[XPV_NET_GREFS_MAX];
	u32 entry[XPV_NET_TABLE_SIZE], i;
	struct xpv_toeplitz t;
	u8 key[XPV_NET_KEY_BYTES], data[XPV_TOEPLITZ_BYTES];

	switch (req->type) {
	case XPV_NET_CTL_SET_KEY:
		if (req->data[1] > XPV_NET_KEY_BYTES)
			return XPV_NET_CTL_OVERFLOW;
		eat(in, key, sizeof(key));
		eat(in, data, sizeof(data));
		xpv_toeplitz_init(&t, key, req->data[1]);
		xpv_toeplitz(&t, data, eat8(in) % (XPV_TOEPLITZ_BYTES + 1));
		return XPV_NET_CTL_SUCCESS;
	case XPV_NET_CTL_SET_TABLE_SIZE:
		if (req->data[0] > XPV_NET_TABLE_SIZE)
			return XPV_NET_CTL_INVALID;
		table_size = req->data[0];
		memset(table, 0, sizeof(table));
		return XPV_NET_CTL_SUCCESS;
	case XPV_NET_CTL_SET_TABLE:
		if (xpv_net_check_table_place(req->data[2], req->data[1], table_size))
			return XPV_NET_CTL_INVALID;
		eat(in, entry, req->data[1] * sizeof(*entry));
		if (xpv_net_check_table(entry, req->data[1], 4))
			return XPV_NET_CTL_INVALID;
		memcpy(table + req->data[2], entry, req->data[1] * sizeof(*entry));
		for (i = 0; i < table_size; i++)
			assert(table[i] < 4);
		return XPV_NET_CTL_SUCCESS;
	case XPV_NET_CTL_ADD_GREFS:
		eat(in, list, sizeof(list));
		if (xpv_net_check_grefs(list, req->data[2]))
			return XPV_NET_CTL_INVALID;
		assert(req->data[2] <= XPV_NET_GREFS_MAX);
		return XPV_NET_CTL_SUCCESS;
	default:
		return XPV_NET_CTL_NOT_SUPPORTED;
	}
}

static void serve(struct input *in)
{
	struct xpv_net_ctlreq req;
	int n;

	while ((n = xpv_net_take_ctl(&p.back, &req))) {
		if (n == -EPROTO) {
			assert(xpv_ring_broken(&p.back));
			return;
		}
		xpv_net_answer_ctl(&p.back, &req, obey(in, &req), eat32(in));
		assert(!xpv_back_inflight(&p.back));
	}
	xpv_back_publish(&p.back);
}

/* One question, answered by whatever comes. */
static void ask(struct input *in)
{
	struct xpv_net_ctlreq req = { .id = eat8(in), .type = eat8(in) };
	u32 data;
	int err;

	if (!xpv_front_free(&p.front))
		return;
	memcpy(xpv_front_next(&p.front), &req, sizeof(req));
	xpv_front_publish(&p.front);
	eat(in, xpv_ring_slot(&p.front, p.front.cons), XPV_NET_CTL_STRIDE);
	WRITE_ONCE(p.shared.rsp_prod, p.front.cons + eat8(in));
	err = xpv_net_take_ctl_answer(&p.front, &req, &data);
	assert(!err || err == -EAGAIN || err == -EPROTO || err == -EOPNOTSUPP || err == -EINVAL || err == -ENOSPC);
	assert((err == -EPROTO) == xpv_ring_broken(&p.front));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	u8 shape = eat8(&in);
	u32 n, at = shape & 1 ? 0xfffffff0u : 0, shown = at;

	pair_init(&p, 1, XPV_NET_CTL_STRIDE, at);
	table_size = XPV_NET_TABLE_SIZE;
	memset(table, 0, sizeof(table));
	while (in.left) {
		if (shape & 2) {
			ask(&in);
			continue;
		}
		for (n = eat8(&in) & 7; n; n--)
			eat(&in, xpv_ring_slot(&p.front, shown++), XPV_NET_CTL_STRIDE);
		WRITE_ONCE(p.shared.req_prod, shown + (eat8(&in) == 0x80 ? eat32(&in) : 0));
		serve(&in);
	}
	return 0;
}
