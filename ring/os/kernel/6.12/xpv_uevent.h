/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What a xenbus driver's .uevent is given: since 6.3, one it can't change. */
#ifndef XPV_UEVENT_H
#define XPV_UEVENT_H

#include <xen/xenbus.h>

typedef const struct xenbus_device xpv_uevent_dev;

#endif
