/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What a xenbus driver's .uevent is given. */
#ifndef XPV_UEVENT_H
#define XPV_UEVENT_H

#include <xen/xenbus.h>

typedef struct xenbus_device xpv_uevent_dev;

#endif
