// SPDX-License-Identifier: GPL-2.0-only
/* What is asked of the daemon on its control socket: whatever it is, one line of JSON is the answer. */
#include "fuzz.h"

#include <daemon.h>
#include <json-c/json.h>
#include <serve.h>

struct config config = { .run_dir = "/run" };

static struct service control;
static struct disk disk = {
	.domid = 1, .devid = 51712, .name = "1/51712", .path = "backend/vbd3/1/51712", .front = "/local/domain/1/device/vbd/51712",
	.target = "/srv/disk", .state = XPV_CONNECTED,
};
static int err_next;

int serve(const struct service *s, const char *address, char *why)
{
	(void)address, (void)why;
	control = *s;
	return 0;
}

struct disk *disk_next(struct disk *d)
{
	return d ? NULL : &disk;
}

struct disk *disk_find(u16 domid, u32 devid)
{
	return domid == disk.domid && devid == disk.devid ? &disk : NULL;
}

void disk_stats(const struct disk *d, struct disk_stats *sum)
{
	*sum = (struct disk_stats){ .reads = d->devid };
}

int disk_open_store(struct disk *d, char *why)
{
	(void)d;
	if (err_next)
		snprintf(why, STORE_WHY, "no \"such\" file");
	return err_next;
}

int disk_close_store(struct disk *d)
{
	(void)d;
	return err_next;
}

int disk_limit(struct disk *d, u64 iops, u64 bytes)
{
	d->rate_requests.per_second = iops;
	d->rate_bytes.per_second = bytes;
	return 0;
}

int disk_resize(struct disk *d)
{
	(void)d;
	return err_next;
}

int disk_detach(struct disk *d)
{
	(void)d;
	return err_next;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	char *request, *said, why[SERVE_WHY];
	struct json_object *answer;
	size_t n;
	FILE *out;

	if (!control.answer)
		assert(!control_start(why));
	err_next = eat8(&in) == '!' ? -EAGAIN : 0;
	request = eat_text(&in);
	if (strlen(request) >= SERVE_REQUEST)
		request[SERVE_REQUEST - 1] = 0;
	out = open_memstream(&said, &n);
	control.whole(request, strlen(request));
	control.answer(request, out);
	fclose(out);
	assert(n && said[n - 1] == '\n' && strchr(said, '\n') == said + n - 1);
	answer = json_tokener_parse(said);
	assert(json_object_is_type(answer, json_type_object) && json_object_object_get_ex(answer, "ok", NULL));
	json_object_put(answer);
	free(said);
	free(request);
	return 0;
}
