// SPDX-License-Identifier: GPL-2.0-only
/* A frontend's receive ring, answered by a backend that answers anything. */
#include "fuzz.h"

#include <pair.h>
#include <xpv/netif.h>

static struct pair p;

/* Each buffer comes back once. */
static u32 consume(void)
{
	struct xpv_net_rxpkt pkt;
	u32 i, sum, cons = p.front.cons, first = cons;
	int n;

	while ((n = xpv_net_take_rx(&p.front, &pkt))) {
		if (n == -EPROTO) {
			assert(xpv_ring_broken(&p.front));
			break;
		}
		assert(n == 1 || n == -EINVAL);
		assert(pkt.first == cons && p.front.cons - cons == pkt.slots);
		assert(pkt.frags && pkt.frags <= XPV_NET_FATAL_SLOTS && pkt.frags <= pkt.slots);
		for (i = sum = 0; n == 1 && i < pkt.frags; i++) {
			assert(pkt.frag[i].index - cons < pkt.slots);
			assert(pkt.frag[i].offset + (u32)pkt.frag[i].size <= XPV_PAGE_SIZE);
			sum += pkt.frag[i].size;
		}
		assert(n != 1 || (sum == pkt.size && pkt.frag[0].size >= XPV_NET_MIN_PACKET &&
				  sum <= XPV_NET_MAX_PACKET));
		cons = p.front.cons;
	}
	assert(p.front.cons - first <= p.front.size);
	return p.front.cons - first;
}

static void post(u32 n)
{
	while (n-- && xpv_front_free(&p.front))
		xpv_front_next(&p.front);
	xpv_front_publish(&p.front);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	u32 i, n, at = eat8(&in) & 1 ? 0xfffffff0u : 0;
	u32 shown = at;

	pair_init(&p, 1, XPV_NET_RX_STRIDE, at);
	post(eat8(&in) + 1u);
	while (in.left) {
		u8 op = eat8(&in);

		n = op & 31;
		for (i = 0; i < n; i++)
			eat(&in, xpv_ring_slot(&p.back, shown++), XPV_NET_RX_STRIDE);
		WRITE_ONCE(p.shared.rsp_prod, op & 0x80 ? eat32(&in) : shown);
		WRITE_ONCE(p.shared.req_event, op & 0x40 ? eat32(&in) : p.shared.req_prod + 1);
		n = consume();
		post(op & 0x20 ? n : 0);
	}
	return 0;
}
