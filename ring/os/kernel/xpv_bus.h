/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A backend's device and its bus. */
#ifndef XPV_BUS_H
#define XPV_BUS_H

#include <linux/device.h>
#include <xen/xenbus.h>

/*
 * Have the bus let go of a device whose frontend has gone for good. From a watch: whoever unbinds the
 * device meanwhile holds its lock, and waits until no watch is being served. Then he is left to it, and the bus sees
 * the node go later. Between the look at the lock and the bus's own there is a moment left, as there is when the bus
 * itself sees a node go.
 */
static inline void xpv_bus_unregister(struct xenbus_device *xdev)
{
	if (!device_trylock(&xdev->dev))
		return;
	device_unlock(&xdev->dev);
	device_unregister(&xdev->dev);
}

#endif
