// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The moves of state.h's drawing, as one table, and who goes where upon what. */
#include <xpv/state.h>

#define X XPV_UNKNOWN
#define I XPV_INITIALISING
#define W XPV_INIT_WAIT
#define D XPV_INITIALISED
#define C XPV_CONNECTED
#define G XPV_CLOSING
#define Z XPV_CLOSED
#define R XPV_RECONFIGURING
#define S XPV_RECONFIGURED

/*
 * next[current][target]. A backend never asks for Initialising or Initialised, a
 * frontend never for InitWait, so one table holds both. No device of ours rests in a
 * Reconfigur* state for its own sake: they are entered from Connected and left for it.
 */
static const u8 next[XPV_STATES][XPV_STATES] = {
	/* target:   Unk  Ini  Wai  Ised Con  Cing Ced  Ring Red */
	[X] = {	      X,   X,   X,   X,   X,   X,   X,   X,   X },
	[I] = {	      X,   I,   W,   D,   C,   G,   G,   X,   X },
	[W] = {	      X,   X,   W,   X,   C,   G,   G,   X,   X },
	[D] = {	      X,   G,   X,   D,   C,   G,   G,   X,   X },
	[C] = {	      X,   G,   G,   G,   C,   G,   G,   R,   S },
	[G] = {	      X,   Z,   Z,   Z,   Z,   G,   Z,   X,   X },
	[Z] = {	      X,   I,   W,   I,   W,   Z,   Z,   X,   X },
	[R] = {	      X,   G,   X,   X,   C,   G,   G,   R,   X },
	[S] = {	      X,   X,   G,   X,   C,   G,   G,   X,   S },
};

enum xpv_state xpv_next_state(enum xpv_state cur, enum xpv_state target)
{
	if ((unsigned int)cur >= XPV_STATES || (unsigned int)target >= XPV_STATES)
		return X;
	return next[cur][target];
}
EXPORT_SYMBOL_GPL(xpv_next_state);

enum xpv_state xpv_back_target(enum xpv_state self, enum xpv_state front)
{
	switch (front) {
	case I:
		/* A new frontend, or one that starts again. */
		return W;
	case D:
	case C:
		return C;
	case G:
		return G;
	case Z:
	case X:
		return Z;
	default:
		return self;
	}
}
EXPORT_SYMBOL_GPL(xpv_back_target);

enum xpv_state xpv_front_target(enum xpv_state self, enum xpv_state back)
{
	switch (back) {
	case W:
		/* Only the first InitWait of a connection starts one. */
		return self == I ? D : self;
	case D:
	case C:
		/* A backend may skip InitWait; it connects when it sees our rings. */
		return self == I ? D : self == D ? C : self;
	case G:
	case Z:
	case X:
		return self == I ? self : Z;
	default:
		return self;
	}
}
EXPORT_SYMBOL_GPL(xpv_front_target);

enum xpv_state xpv_front_outlive(enum xpv_state self, enum xpv_state back, bool online)
{
	switch (back) {
	case W:
		/* Another backend than the one we are connected to: it knows nothing of us. */
		return self == C ? Z : xpv_front_target(self, back);
	case G:
		return online && self == I ? I : Z;
	case Z:
		return online && (self == I || self == Z) ? I : Z;
	case X:
		return Z;
	default:
		return xpv_front_target(self, back);
	}
}
EXPORT_SYMBOL_GPL(xpv_front_outlive);

int xpv_walk_state(enum xpv_state *cur, enum xpv_state target,
		   int (*enter)(void *dev, enum xpv_state next), void *dev)
{
	unsigned int steps;

	/* The longest way has fewer steps than there are states. */
	for (steps = 0; *cur != target; steps++) {
		enum xpv_state step = xpv_next_state(*cur, target);
		int err;

		if (step == X || steps == XPV_STATES)
			return -EINVAL;
		if (step == *cur)
			return 0;
		err = enter(dev, step);
		if (err)
			return err;
		*cur = step;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(xpv_walk_state);
