// SPDX-License-Identifier: GPL-2.0-only
/* Block requests of any content, against any disk: what is let through has to be possible. */
#include "fuzz.h"

#include <xpv/blkif.h>

static struct xpv_blk_limits limits(struct input *in)
{
	u8 flags = eat8(in), block = eat8(in);

	return (struct xpv_blk_limits){
		/* Some sizes near those of requests. */
		.capacity = flags & 0x80 ? eat64(in) : eat16(in),
		.max_segs = flags & 0x40 ? XPV_BLK_MAX_SEGS : block >> 4,
		.block_sectors = 1u << (block & 3),
		.blocks_join = flags & 1,
		.readonly = flags & 2,
		.flush = flags & 4,
		.barrier = flags & 8,
		.discard = flags & 16,
		.secure_erase = flags & 32,
	};
}

static void check_allowed(const struct xpv_blk_req *req, const struct xpv_blk_seg *seg,
			  const struct xpv_blk_limits *lim)
{
	u64 sum = 0;
	u32 i;

	assert(req->nr_segs <= (req->indirect ? lim->max_segs : XPV_BLK_DIRECT_SEGS));
	for (i = 0; i < req->nr_segs; i++) {
		assert(seg[i].first <= seg[i].last && seg[i].last <= 7);
		sum += seg[i].last - seg[i].first + 1u;
	}
	if (req->op != XPV_BLK_DISCARD)
		assert(sum == (req->nr_segs ? req->nr_sectors : 0));
	/* A flush without data says nothing of where. */
	if (!sum && req->op != XPV_BLK_DISCARD)
		return;
	assert(req->nr_sectors && req->sector <= lim->capacity);
	assert(req->nr_sectors <= lim->capacity - req->sector);
	assert(!(req->sector % lim->block_sectors) && !(req->nr_sectors % lim->block_sectors));
	assert(req->op == XPV_BLK_READ || !lim->readonly);
	assert(lim->blocks_join || xpv_blk_whole(req, seg, lim));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	enum xpv_blk_abi abi = eat8(&in) % 3;
	struct xpv_blk_limits lim = limits(&in);
	struct xpv_blk_seg seg[XPV_BLK_MAX_SEGS];
	u8 slot[sizeof(struct xpv_blk_slot64)];
	struct xpv_blk_req req;
	u8 rsp[sizeof(struct xpv_blk_rsp64)];
	int err;

	eat(&in, slot, sizeof(slot));
	eat(&in, seg, sizeof(seg));
	xpv_blk_take(abi, slot, &req);
	assert(req.indirect == (slot[0] == XPV_BLK_INDIRECT));
	err = xpv_blk_check(&req, &lim);
	if (!err && req.indirect)
		err = xpv_blk_check_segs(&req, seg, req.nr_segs, &lim);
	if (!err)
		check_allowed(&req, req.indirect ? seg : req.seg, &lim);
	assert(err <= 0 && !xpv_blk_status(err) == !err);
	xpv_blk_respond(abi, rsp, req.id, req.op, xpv_blk_status(err));
	assert(!memcmp(rsp, &req.id, sizeof(req.id)));
	return 0;
}
