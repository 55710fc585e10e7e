// SPDX-License-Identifier: GPL-2.0-only
/* The code behind the events of blkback_trace.h. */
#define CREATE_TRACE_POINTS
#include "blkback_trace.h"
