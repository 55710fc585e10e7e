// SPDX-License-Identifier: GPL-2.0-only
/* The daemon's configuration file, of any content: all of it is right, or nothing is set. */
#include "fuzz.h"

#include <daemon.h>

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static int fd = -1;
	struct config c;
	char why[CONFIG_WHY], path[32];

	if (fd < 0)
		fd = memfd_create("config", 0);
	assert(!ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (config_load(&c, path, why)) {
		assert(why[0] && strlen(why) < sizeof(why));
		return 0;
	}
	assert(!why[0] && c.run_dir && c.metrics);
	assert(c.workers <= MAX_WORKERS && c.poll_us <= 1000 && c.max_queues <= MAX_QUEUES &&
	       c.max_ring_order <= XPV_RING_MAX_ORDER && c.nbd_connections <= MAX_NBD_CONNECTIONS);
	config_free(&c);
	return 0;
}
