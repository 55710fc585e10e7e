// SPDX-License-Identifier: GPL-2.0-only
/* The code behind the events of netback_trace.h. */
#define CREATE_TRACE_POINTS
#include "netback_trace.h"
