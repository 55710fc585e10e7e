// SPDX-License-Identifier: GPL-2.0-only
/* States that the other end may say in any order: wherever it leads, it is by steps that are in the table. */
#include "fuzz.h"

#include <xpv/state.h>

struct end {
	enum xpv_state at;
	struct input *in;
	u32 steps;
};

static int enter(void *dev, enum xpv_state next)
{
	struct end *e = dev;

	assert(next > XPV_UNKNOWN && next < XPV_STATES);
	assert(xpv_next_state(e->at, next) == next && e->steps++ < XPV_STATES);
	return eat8(e->in) == 0x55 ? -EAGAIN : 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct end back = { XPV_INITIALISING, &in, 0 }, front = back;
	enum xpv_state other, target;
	u8 op;
	int err;

	while (in.left) {
		op = eat8(&in);
		/* Values that are no state, too. */
		other = (enum xpv_state)(op & 0x0f);
		if (op & 0x40)
			other = (enum xpv_state)eat32(&in);
		back.steps = front.steps = 0;
		err = xpv_walk_state(&back.at, xpv_back_target(back.at, other), enter, &back);
		assert(back.at > XPV_UNKNOWN && back.at < XPV_STATES);
		assert(!err || err == -EAGAIN || err == -EINVAL);
		target = op & 0x80 ? xpv_front_outlive(front.at, other, op & 0x20) : xpv_front_target(front.at, other);
		err = xpv_walk_state(&front.at, target, enter, &front);
		assert(front.at > XPV_UNKNOWN && front.at < XPV_STATES);
		assert(!err || err == -EAGAIN || err == -EINVAL);
	}
	return 0;
}
