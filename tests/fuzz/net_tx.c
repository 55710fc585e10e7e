// SPDX-License-Identifier: GPL-2.0-only
/* A guest's transmit ring, written by a guest that writes anything. */
#include "fuzz.h"

#include <pair.h>
#include <xpv/netif.h>

static struct pair p;

static void check_sizes(const struct xpv_net_txpkt *pkt)
{
	u32 i, sum = 0;

	for (i = 0; i < pkt->frags; i++) {
		assert(pkt->frag[i].offset + (u32)pkt->frag[i].size <= XPV_PAGE_SIZE);
		sum += pkt->frag[i].size;
	}
	assert(pkt->frags <= XPV_NET_MAX_SLOTS);
	assert(sum == pkt->size && sum >= XPV_NET_MIN_PACKET && sum <= XPV_NET_MAX_PACKET);
	assert((pkt->gso_type == XPV_NET_GSO_NONE) == !pkt->gso_size);
}

/* All that can be taken. Each slot of it is answered once. */
static void consume(void)
{
	struct xpv_net_txpkt pkt;
	u32 cons = p.back.cons, prod;
	int n;

	while ((n = xpv_net_take_tx(&p.back, &pkt))) {
		if (n == -EPROTO) {
			assert(xpv_ring_broken(&p.back));
			assert(xpv_net_take_tx(&p.back, &pkt) == -EPROTO);
			return;
		}
		assert(n == 1 || n == -EINVAL);
		assert(pkt.frags && pkt.frags <= XPV_NET_FATAL_SLOTS && pkt.slots == pkt.frags + pkt.extras);
		assert(p.back.cons - cons == pkt.slots);
		cons = p.back.cons;
		if (n == 1 && !pkt.mcast)
			check_sizes(&pkt);
		prod = p.back.prod;
		xpv_net_answer_tx(&p.back, &pkt, n == 1 ? XPV_NET_OKAY : XPV_NET_ERROR);
		assert(p.back.prod - prod == pkt.slots && !xpv_back_inflight(&p.back));
	}
	xpv_back_publish(&p.back);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	u32 i, n, at = eat8(&in) & 1 ? 0xfffffff0u : 0;
	u32 shown = at;

	pair_init(&p, 1, XPV_NET_TX_STRIDE, at);
	while (in.left) {
		u8 op = eat8(&in);

		/* So many slots; or an index that is not true. */
		n = op & 31;
		for (i = 0; i < n; i++)
			eat(&in, xpv_ring_slot(&p.front, shown++), XPV_NET_TX_STRIDE);
		WRITE_ONCE(p.shared.req_prod, op & 0x80 ? eat32(&in) : shown);
		WRITE_ONCE(p.shared.rsp_event, op & 0x40 ? eat32(&in) : p.shared.rsp_prod + 1);
		consume();
	}
	return 0;
}
