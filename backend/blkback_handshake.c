// SPDX-License-Identifier: GPL-2.0-only
/* What the frontend says in xenstore before the first request. */
#include "blkback.h"

#include <linux/slab.h>

#define NO_ORDER	INT_MAX		/* there is no `ring-page-order` */

/* The number of grant @i of the ring; @name is where it is. */
static int read_gref(const char *dir, const char *name, struct xpv_blkback_ring_info *info,
		     unsigned int i)
{
	return xenbus_scanf(XBT_NIL, dir, name, "%u", &info->gref[i]) == 1 ? 0 : -EINVAL;
}

/* `ring-ref`, or `ring-ref0` and on, or for a single page either. */
int xpv_blkback_read_ring(const char *dir, int order, struct xpv_blkback_ring_info *info)
{
	unsigned int i;
	int err;

	if (xenbus_scanf(XBT_NIL, dir, "event-channel", "%u", &info->event_channel) != 1)
		return -EINVAL;
	if (order == NO_ORDER) {
		info->pages = 1;
		return read_gref(dir, "ring-ref", info, 0);
	}
	info->pages = 1u << order;
	for (i = 0; i < info->pages; i++) {
		char name[sizeof("ring-ref") + 10];

		snprintf(name, sizeof(name), "ring-ref%u", i);
		err = read_gref(dir, name, info, i);
		if (err && !order)
			err = read_gref(dir, "ring-ref", info, 0);
		if (err)
			return err;
	}
	return 0;
}

/* The size of all its rings, NO_ORDER if the frontend says nothing of it, or -EINVAL. */
static int read_order(const char *front)
{
	unsigned int order;
	int err = xenbus_scanf(XBT_NIL, front, "ring-page-order", "%u", &order);

	if (err == -ENOENT)
		return NO_ORDER;
	return err == 1 && order <= xpv_blkback_max_ring_order ? (int)order : -EINVAL;
}

/* Each node is read once. */
int xpv_blkback_negotiate(struct xpv_blkback_device *dev, struct xpv_blkback_choice *choice)
{
	const char *front = dev->front_node;
	char *protocol = xenbus_read(XBT_NIL, front, "protocol", NULL);
	int err;

	if (IS_ERR(protocol)) {
		if (PTR_ERR(protocol) != -ENOENT)
			return PTR_ERR(protocol);
		protocol = NULL;
	}
	err = xpv_blk_abi(protocol, &dev->abi);
	kfree(protocol);
	if (err)
		return err;
	choice->queues = xenbus_read_unsigned(front, "multi-queue-num-queues", 1);
	if (!choice->queues || choice->queues > dev->max_queues)
		return -EINVAL;
	choice->persistent = READ_ONCE(xpv_blkback_persistent) &&
			     xenbus_read_unsigned(front, "feature-persistent", 0);
	choice->order = read_order(front);
	return choice->order < 0 ? choice->order : 0;
}
