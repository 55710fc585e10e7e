/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a disk is called: "1/51712" is device 51712 of domain 1, which may also be said "1/xvda".
 * Pure functions.
 */
#ifndef XPV_BLKD_VDEV_H
#define XPV_BLKD_VDEV_H

#include "xpv_os.h"

#define VDEV_NAME	24	/* bytes that vdev_name() needs at most */

/* vdev.c APIs: */

/* The name libxl gives device @devid: xvda, xvda1, hdc, sdb; or the number itself. */
const char *vdev_name(u32 devid, char name[VDEV_NAME]);

/* "DOMID/DEVID" or "DOMID/NAME" taken apart, or -EINVAL. */
int vdev_parse(const char *disk, u32 *domid, u32 *devid);

#endif
