// SPDX-License-Identifier: GPL-2.0-only
/* The names that scripts have for what lies in a slot, or in a table. */
#include "rogue.h"

#define FIELD(type, member, name_) \
	{ name_, offsetof(type, member), sizeof(((type *)0)->member), 0, 1 }
#define FIELDS(type, array, member, name_) \
	{ name_, offsetof(type, array[0] member), sizeof(((type *)0)->array[0] member), \
	  sizeof(((type *)0)->array[0]), ARRAY_SIZE(((type *)0)->array) }

#define BLK_REQUEST(slot) \
	FIELD(slot, op, "op"), \
	FIELD(slot, nr_segs, "segs"), \
	FIELD(slot, handle, "handle"), \
	FIELD(slot, id, "id"), \
	FIELD(slot, sector, "sector"), \
	FIELD(slot, nr_sectors, "sectors"), \
	FIELDS(slot, seg, .gref, "gref"), \
	FIELDS(slot, seg, .first, "first"), \
	FIELDS(slot, seg, .last, "last"), \
	FIELDS(slot, ind.gref, , "list")
#define BLK_RESPONSE(rsp) \
	FIELD(rsp, id, "id"), FIELD(rsp, op, "op"), FIELD(rsp, status, "status"), FIELD(rsp, pad, "pad")

static const struct field blk_request[] = { BLK_REQUEST(struct xpv_blk_slot64), {} };
static const struct field blk_request32[] = { BLK_REQUEST(struct xpv_blk_slot32), {} };
static const struct field blk_response[] = {
	BLK_RESPONSE(struct xpv_blk_rsp64),
	FIELD(struct xpv_blk_rsp64, pad2, "padding"),
	{}
};
static const struct field blk_response32[] = { BLK_RESPONSE(struct xpv_blk_rsp32), {} };

const struct field segment[] = {
	FIELD(struct xpv_blk_seg, gref, "gref"),
	FIELD(struct xpv_blk_seg, first, "first"),
	FIELD(struct xpv_blk_seg, last, "last"),
	{}
};

const struct field grant[] = {
	FIELD(struct xpv_net_gref, gref, "gref"),
	FIELD(struct xpv_net_gref, flags, "flags"),
	FIELD(struct xpv_net_gref, status, "status"),
	{}
};

static const struct field ctl_request[] = {
	FIELD(struct xpv_net_ctlreq, id, "id"),
	FIELD(struct xpv_net_ctlreq, type, "type"),
	FIELDS(struct xpv_net_ctlreq, data, , "data"),
	{}
};

static const struct field ctl_response[] = {
	FIELD(struct xpv_net_ctlrsp, id, "id"),
	FIELD(struct xpv_net_ctlrsp, type, "type"),
	FIELD(struct xpv_net_ctlrsp, status, "status"),
	FIELD(struct xpv_net_ctlrsp, data, "data"),
	{}
};

static const struct field tx_request[] = {
	FIELD(struct xpv_net_txreq, gref, "gref"),
	FIELD(struct xpv_net_txreq, offset, "offset"),
	FIELD(struct xpv_net_txreq, flags, "flags"),
	FIELD(struct xpv_net_txreq, id, "id"),
	FIELD(struct xpv_net_txreq, size, "size"),
	{}
};

static const struct field tx_response[] = {
	FIELD(struct xpv_net_txrsp, id, "id"),
	FIELD(struct xpv_net_txrsp, status, "status"),
	{}
};

static const struct field rx_request[] = {
	FIELD(struct xpv_net_rxreq, id, "id"),
	FIELD(struct xpv_net_rxreq, gref, "gref"),
	{}
};

static const struct field rx_response[] = {
	FIELD(struct xpv_net_rxrsp, id, "id"),
	FIELD(struct xpv_net_rxrsp, offset, "offset"),
	FIELD(struct xpv_net_rxrsp, flags, "flags"),
	FIELD(struct xpv_net_rxrsp, status, "status"),
	{}
};

const struct field net_extra[] = {
	FIELD(struct xpv_net_extra, type, "type"),
	FIELD(struct xpv_net_extra, flags, "flags"),
	FIELD(struct xpv_net_extra, gso.size, "size"),
	FIELD(struct xpv_net_extra, gso.type, "gso"),
	FIELD(struct xpv_net_extra, mcast.addr, "addr"),
	{}
};

/* What each ring carries, requests and responses. */
const struct wire wires[] = {
	{ blk_request, blk_response, sizeof(struct xpv_blk_slot64), sizeof(struct xpv_blk_rsp64) },
	{ tx_request, tx_response, sizeof(struct xpv_net_txreq), sizeof(struct xpv_net_txrsp) },
	{ rx_request, rx_response, sizeof(struct xpv_net_rxreq), sizeof(struct xpv_net_rxrsp) },
	{ ctl_request, ctl_response, sizeof(struct xpv_net_ctlreq), sizeof(struct xpv_net_ctlrsp) },
	{ blk_request32, blk_response32, sizeof(struct xpv_blk_slot32), sizeof(struct xpv_blk_rsp32) },
};

const struct field *find(const struct field *fields, const char *name, u32 *offset)
{
	size_t stem = strcspn(name, "0123456789");
	u32 i = strtoul(name + stem, NULL, 10);

	for (; fields->name; fields++) {
		if (strncmp(fields->name, name, stem) || fields->name[stem] || i >= fields->count)
			continue;
		*offset = fields->offset + i * fields->stride;
		return fields;
	}
	return NULL;
}
