// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many requests and bytes per second a device may have of the disk, set in sysfs. All its
 * queues draw on the same account: what the ring holds beyond it waits there.
 */
#include "blkback.h"

#include <linux/ktime.h>

#define LONGEST_PAUSE	(100 * NSEC_PER_MSEC)	/* a limit may be lifted meanwhile */
#define LARGEST		(XPV_BLK_MAX_SEGS * XPV_PAGE_SIZE)

u32 xpv_blkback_allowed(struct xpv_blkback_queue *q)
{
	struct xpv_blkback_device *dev = q->dev;
	u64 now = ktime_get_ns(), requests, bytes, wait;

	spin_lock(&dev->rate_lock);
	requests = xpv_rate_room(&dev->requests, now);
	bytes = xpv_rate_room(&dev->bytes, now);
	wait = max(xpv_rate_wait(&dev->requests, now), xpv_rate_wait(&dev->bytes, now));
	spin_unlock(&dev->rate_lock);

	if (!requests || !bytes) {
		q->pause = nsecs_to_jiffies(min_t(u64, wait, LONGEST_PAUSE)) + 1;
		return 0;
	}
	/* Their size is not known yet: no more than fit, or one, whose excess is made up for. */
	return min3(requests, bytes / LARGEST + 1, (u64)XPV_BLKBACK_ROUND);
}

void xpv_blkback_charge(struct xpv_blkback_queue *q, u32 n, u64 sectors)
{
	struct xpv_blkback_device *dev = q->dev;
	u64 now = ktime_get_ns();

	spin_lock(&dev->rate_lock);
	xpv_rate_charge(&dev->requests, n, now);
	xpv_rate_charge(&dev->bytes, sectors << XPV_BLK_SECTOR_SHIFT, now);
	spin_unlock(&dev->rate_lock);
}

void xpv_blkback_limit(struct xpv_blkback_device *dev, struct xpv_rate *rate, u64 per_second)
{
	spin_lock(&dev->rate_lock);
	xpv_rate_set(rate, per_second, ktime_get_ns());
	WRITE_ONCE(dev->limited, dev->requests.per_second || dev->bytes.per_second);
	spin_unlock(&dev->rate_lock);
}
