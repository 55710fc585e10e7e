/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Of all modules and programs; dkms.conf has it as well. */
#ifndef XPV_VERSION_H
#define XPV_VERSION_H

#define XPV_VERSION	"0.1"

#endif
