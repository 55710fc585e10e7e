// SPDX-License-Identifier: GPL-2.0-only
/* What somebody calls a disk: what is understood has a name, and that is understood as well. */
#include "fuzz.h"

#include <stdio.h>
#include <vdev.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	char *text, name[VDEV_NAME], name2[VDEV_NAME], again[VDEV_NAME + 16];
	u32 domid, devid, domid2, devid2;

	/* Any number has a name. */
	vdev_name(eat32(&in), name);
	assert(strlen(name) < sizeof(name));
	text = eat_text(&in);
	if (!vdev_parse(text, &domid, &devid)) {
		snprintf(again, sizeof(again), "%u/%s", domid, vdev_name(devid, name));
		assert(!vdev_parse(again, &domid2, &devid2));
		/* xvdb has two numbers. */
		assert(domid2 == domid && !strcmp(vdev_name(devid2, name2), name));
	}
	free(text);
	return 0;
}
