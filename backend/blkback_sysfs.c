// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's attributes, where xentop and scripts look for them, and its limits. A reader needs no lock:
 * counters live as long as the device, and remove waits for readers before it goes.
 */
#include "blkback.h"

#include <linux/kdev_t.h>
#include <linux/sysfs.h>

/* NULL as long as there is no disk. Pairs with the release in xpv_blkback_disk_open(): number is set before. */
static const char *mode(const struct xpv_blkback_device *dev)
{
	return smp_load_acquire(&dev->mode);
}

static ssize_t physical_device_show(struct device *d, struct device_attribute *attr, char *buf)
{
	const struct xpv_blkback_device *dev = dev_get_drvdata(d);

	if (!mode(dev))
		return -ENODEV;
	return sysfs_emit(buf, "%x:%x\n", MAJOR(dev->number), MINOR(dev->number));
}
static DEVICE_ATTR_RO(physical_device);

static ssize_t mode_show(struct device *d, struct device_attribute *attr, char *buf)
{
	const struct xpv_blkback_device *dev = dev_get_drvdata(d);

	if (!mode(dev))
		return -ENODEV;
	return sysfs_emit(buf, "%s\n", mode(dev));
}
static DEVICE_ATTR_RO(mode);

/* Limits, per second and over all queues; 0 is none. */
#define LIMIT(name, rate)								\
	static ssize_t name##_show(struct device *d, struct device_attribute *attr,	\
				   char *buf)						\
	{										\
		const struct xpv_blkback_device *dev = dev_get_drvdata(d);		\
											\
		return sysfs_emit(buf, "%llu\n", READ_ONCE(dev->rate.per_second));	\
	}										\
	static ssize_t name##_store(struct device *d, struct device_attribute *attr,	\
				    const char *buf, size_t count)			\
	{										\
		struct xpv_blkback_device *dev = dev_get_drvdata(d);			\
		u64 limit;								\
		int err = kstrtou64(buf, 0, &limit);					\
											\
		if (err)								\
			return err;							\
		xpv_blkback_limit(dev, &dev->rate, limit);				\
		return count;								\
	}										\
	static DEVICE_ATTR_RW(name)

LIMIT(limit_iops, requests);
LIMIT(limit_bytes, bytes);

/* The sum over all queues of what lies @var bytes into their statistics. */
static ssize_t show_sum(struct device *d, struct device_attribute *attr, char *buf)
{
	size_t offset = (size_t)container_of(attr, struct dev_ext_attribute, attr)->var;
	const struct xpv_blkback_device *dev = dev_get_drvdata(d);
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < dev->max_queues; i++) {
		/* Pairs with the release in connect_queue(). */
		const struct xpv_blkback_queue *q = smp_load_acquire(&dev->queue[i]);

		if (q)
			sum += READ_ONCE(*(const u64 *)((const char *)&q->stats + offset));
	}
	return sysfs_emit(buf, "%llu\n", sum);
}

/* By the names that xentop looks for. */
#define COUNTER(file, member)								\
	static struct dev_ext_attribute file = {					\
		__ATTR(file, 0444, show_sum, NULL),					\
		(void *)offsetof(struct xpv_blkback_stats, member)			\
	}
COUNTER(rd_req, reads);
COUNTER(rd_sect, sectors_read);
COUNTER(wr_req, writes);
COUNTER(wr_sect, sectors_written);
COUNTER(f_req, flushes);
COUNTER(ds_req, discards);
COUNTER(oo_req, crowded);

static struct attribute *counters[] = {
	&rd_req.attr.attr, &rd_sect.attr.attr, &wr_req.attr.attr, &wr_sect.attr.attr,
	&f_req.attr.attr, &ds_req.attr.attr, &oo_req.attr.attr, NULL
};

static struct attribute *disk_attrs[] = {
	&dev_attr_physical_device.attr,
	&dev_attr_mode.attr,
	&dev_attr_limit_iops.attr,
	&dev_attr_limit_bytes.attr,
	NULL
};

static const struct attribute_group disk_group = { .attrs = disk_attrs };
static const struct attribute_group counter_group = { .name = "statistics", .attrs = counters };

static const struct attribute_group *groups[] = { &disk_group, &counter_group, NULL };

int xpv_blkback_sysfs_add(struct xpv_blkback_device *dev)
{
	return sysfs_create_groups(&dev->xdev->dev.kobj, groups);
}

void xpv_blkback_sysfs_remove(struct xpv_blkback_device *dev)
{
	sysfs_remove_groups(&dev->xdev->dev.kobj, groups);
}
