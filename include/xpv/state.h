/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The xenbus states (xen/include/public/io/xenbus.h) and the moves between
 * them that a device of ours makes.
 *
 *              backend                              frontend
 *
 *           Initialising <--------+              Initialising <---+
 *                |                |               |        |      |
 *             InitWait <------+   |           Initialised  |      |
 *                |            |   |               |        |      |
 *            Connected        |   |              Connected<+      |
 *                |            |   |               |               |
 *             Closing         |   |            Closing            |
 *                |            |   |               |               |
 *              Closed --------+---+             Closed -----------+
 *
 * A driver names the state it wants to end in; xpv_next_state() gives the next
 * step of the shortest way there, from one table (state.c) that holds both
 * halves. Closed is reached through Closing from everywhere, so that each
 * state has one way to be left and one piece of undoing.
 *
 * Pure functions, any context.
 */
#ifndef XPV_STATE_H
#define XPV_STATE_H

#include "xpv_os.h"

enum xpv_state {
	XPV_UNKNOWN,		/* the node is gone */
	XPV_INITIALISING,
	XPV_INIT_WAIT,		/* backend: features published, waiting for the frontend */
	XPV_INITIALISED,	/* frontend: rings published, waiting for the backend */
	XPV_CONNECTED,
	XPV_CLOSING,
	XPV_CLOSED,
	XPV_RECONFIGURING,
	XPV_RECONFIGURED,
	XPV_STATES
};

/*
 * The state to enter next on the way from @cur to @target: @cur itself when
 * nothing is to be done, XPV_UNKNOWN when no move leads there (a target that is
 * not a state to rest in, or a value that is no state).
 */
enum xpv_state xpv_next_state(enum xpv_state cur, enum xpv_state target);

/*
 * Where a backend in state @self belongs, seeing its frontend in @front;
 * and a frontend, seeing its backend in @back. @self where it should stay.
 * Watches coalesce: every state may be seen twice, or only its successor.
 */
enum xpv_state xpv_back_target(enum xpv_state self, enum xpv_state front);
enum xpv_state xpv_front_target(enum xpv_state self, enum xpv_state back);

/*
 * The same for a frontend that outlives its backend. @online: the toolstack wants the device,
 * so a backend that closes, or starts anew, without being told to, will be back. The frontend
 * closes too, and starts again from Closed when the backend has closed as well and so lets
 * go of all that was granted to it.
 */
enum xpv_state xpv_front_outlive(enum xpv_state self, enum xpv_state back, bool online);

/*
 * Go from *@cur to @target a step at a time. @enter does what entering @next
 * takes and publishes it in xenstore; on 0, *@cur becomes @next. Stops at the first
 * error and returns it, -EINVAL if there is no way.
 * The caller serialises; runs in @enter's context.
 */
int xpv_walk_state(enum xpv_state *cur, enum xpv_state target,
		   int (*enter)(void *dev, enum xpv_state next), void *dev);

#endif
