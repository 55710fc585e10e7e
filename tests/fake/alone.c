// SPDX-License-Identifier: GPL-2.0-only
/* The data path of the userspace backend alone: nobody hears what it has to say. */
#include <daemon.h>

void disk_news(struct disk *d, u32 news)
{
	(void)d;
	(void)news;
}

void disk_back(struct disk *d)
{
	(void)d;
}

void logf_(int priority, const char *format, ...)
{
	(void)priority;
	(void)format;
}
