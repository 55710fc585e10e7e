// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket: a line of JSON in, a line of JSON out, as xpv-blkd(8) has it.
 *
 *   {"cmd":"list"}                                      {"ok":true,"disks":[...]}
 *   {"cmd":"limit","disk":"1/xvda","iops":100}          {"ok":true}
 *   {"cmd":"open","path":"backend/vbd3/1/51712"}        {"ok":false,"error":"...","again":true}
 *
 * Only root can open it, so what it asks for is done; what it says may still be wrong.
 */
#include "daemon.h"
#include "serve.h"
#include "vdev.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>

static const char *const states[XPV_STATES] = {
	[XPV_UNKNOWN] = "gone",
	[XPV_INITIALISING] = "initialising",
	[XPV_INIT_WAIT] = "waiting",
	[XPV_INITIALISED] = "initialised",
	[XPV_CONNECTED] = "connected",
	[XPV_CLOSING] = "closing",
	[XPV_CLOSED] = "closed",
	[XPV_RECONFIGURING] = "reconfiguring",
	[XPV_RECONFIGURED] = "reconfigured",
};

/* What is asked, and what becomes the answer. */
struct question {
	struct json_object *in, *out;
};

static void put_number(struct json_object *o, const char *key, u64 value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static void put_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

static void put_truth(struct json_object *o, const char *key, bool truth)
{
	json_object_object_add(o, key, json_object_new_boolean(truth));
}

static int refuse(struct question *q, int err, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* It is on its way: worth asking again soon. */
	if (err == -EAGAIN)
		put_truth(q->out, "again", true);
	put_text(q->out, "error", text);
	return err;
}

static const char *get_text(struct question *q, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(q->in, key, &value) || !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

/* The disk that is asked about; it is said if there is none. */
static struct disk *get_disk(struct question *q)
{
	const char *name = get_text(q, "disk");
	struct disk *d = NULL;
	u32 domid, devid;

	if (!name)
		refuse(q, 0, "no disk is named: \"disk\" is DOMAIN/DEVICE");
	else if (vdev_parse(name, &domid, &devid) || domid > UINT16_MAX)
		refuse(q, 0, "%s is no disk: say DOMAIN/DEVICE, in numbers or as 1/xvda", name);
	else if (!(d = disk_find(domid, devid)))
		refuse(q, 0, "there is no disk %s; list shows which there are", name);
	return d;
}

/* The disk of the node that the hotplug script was called for. */
static struct disk *get_node(struct question *q)
{
	const char *path = get_text(q, "path");
	struct disk *d;

	for (d = disk_next(NULL); path && d; d = disk_next(d))
		if (!strcmp(d->path, path))
			return d;
	refuse(q, 0, "%s is not a disk of xpv-blkd's: its disk line needs backendtype=tap,script=block-xpv",
	       path ?: "nothing");
	return NULL;
}

static struct json_object *describe(struct disk *d)
{
	struct json_object *o = json_object_new_object();
	char name[VDEV_NAME];

	put_text(o, "disk", d->name);
	put_number(o, "domain", d->domid);
	put_number(o, "device", d->devid);
	put_text(o, "vdev", vdev_name(d->devid, name));
	put_text(o, "state", states[d->state]);
	put_text(o, "target", d->target);
	put_truth(o, "open", d->store.ops);
	put_truth(o, "readonly", d->readonly);
	put_number(o, "bytes", d->store.bytes);
	put_number(o, "sector", d->store.sector);
	put_number(o, "queues", d->nr_queues);
	put_number(o, "limit_iops", d->rate_requests.per_second);
	put_number(o, "limit_bytes", d->rate_bytes.per_second);
	return o;
}

static struct json_object *count(struct disk *d)
{
	struct json_object *o = json_object_new_object();
	struct disk_stats s;

	disk_stats(d, &s);
	put_number(o, "reads", s.reads);
	put_number(o, "writes", s.writes);
	put_number(o, "flushes", s.flushes);
	put_number(o, "discards", s.discards);
	put_number(o, "read_bytes", s.read_sectors * 512);
	put_number(o, "write_bytes", s.write_sectors * 512);
	put_number(o, "errors", s.errors);
	put_number(o, "waits", s.waits);
	put_number(o, "events", s.events);
	put_number(o, "notifies", s.notifies);
	put_number(o, "grant_copies", s.grant_copies);
	put_number(o, "inflight", s.inflight);
	put_number(o, "mapped_pages", s.kept);
	return o;
}

static int list(struct question *q)
{
	struct json_object *disks = json_object_new_array();
	struct disk *d;

	for (d = disk_next(NULL); d; d = disk_next(d))
		json_object_array_add(disks, describe(d));
	json_object_object_add(q->out, "disks", disks);
	return 0;
}

/* As list, with what was counted; of one disk, where one is named. */
static int stats(struct question *q)
{
	struct json_object *disks, *one;
	struct disk *d, *only = NULL;

	if (json_object_object_get_ex(q->in, "disk", NULL)) {
		only = get_disk(q);
		if (!only)
			return -ENOENT;
	}
	disks = json_object_new_array();
	for (d = disk_next(NULL); d; d = disk_next(d)) {
		if (only && d != only)
			continue;
		one = describe(d);
		json_object_object_add(one, "stats", count(d));
		json_object_array_add(disks, one);
	}
	json_object_object_add(q->out, "disks", disks);
	return 0;
}

/* A limit that is not said stays as it is. */
static int get_limit(struct question *q, const char *key, u64 *limit)
{
	struct json_object *value;
	int64_t n;

	if (!json_object_object_get_ex(q->in, key, &value))
		return 0;
	n = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : -1;
	if (n < 0)
		return refuse(q, -EINVAL, "%s is a number, 0 for no limit", key);
	*limit = n;
	return 0;
}

static int limit(struct question *q)
{
	struct disk *d = get_disk(q);
	u64 iops, bytes;
	int err;

	if (!d)
		return -ENOENT;
	iops = d->rate_requests.per_second;
	bytes = d->rate_bytes.per_second;
	if (get_limit(q, "iops", &iops) || get_limit(q, "bytes", &bytes))
		return -EINVAL;
	err = disk_limit(d, iops, bytes);
	return err ? refuse(q, err, "%s: xenstore does not take its limits", d->name) : 0;
}

static int resize(struct question *q)
{
	struct disk *d = get_disk(q);
	int err;

	if (!d)
		return -ENOENT;
	err = disk_resize(d);
	if (err == -EAGAIN)
		return refuse(q, err, "%s: its target has not said yet how large it is", d->name);
	if (err)
		return refuse(q, err, "%s: its size can't be read: %s", d->name, strerror(-err));
	put_number(q->out, "bytes", d->store.bytes);
	return 0;
}

static int detach(struct question *q)
{
	struct disk *d = get_disk(q);
	int err;

	if (!d)
		return -ENOENT;
	err = disk_detach(d);
	return err ? refuse(q, err, "%s can't be detached: %s", d->name, strerror(-err)) : 0;
}

static int open_store(struct question *q)
{
	struct disk *d = get_node(q);
	char why[STORE_WHY] = "";
	int err;

	if (!d)
		return -ENOENT;
	err = disk_open_store(d, why);
	return err ? refuse(q, err, "%s", *why ? why : strerror(-err)) : 0;
}

static int close_store(struct question *q)
{
	struct disk *d = get_node(q);
	int err;

	if (!d)
		return -ENOENT;
	err = disk_close_store(d);
	if (err == -EAGAIN)
		return refuse(q, err, "%s: its target is not closed yet", d->name);
	return err ? refuse(q, err, "%s can't be closed: %s", d->name, strerror(-err)) : 0;
}

static const struct {
	const char *name;
	int (*fn)(struct question *q);
} commands[] = {
	{ "list", list }, { "stats", stats }, { "limit", limit }, { "resize", resize },
	{ "detach", detach }, { "open", open_store }, { "close", close_store },
};

static int obey(struct question *q)
{
	const char *cmd;
	u32 i;

	if (!q->in || !json_object_is_type(q->in, json_type_object))
		return refuse(q, -EINVAL, "a request is a line with one JSON object");
	cmd = get_text(q, "cmd");
	for (i = 0; cmd && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(cmd, commands[i].name))
			return commands[i].fn(q);
	return refuse(q, -EINVAL, "\"cmd\" is list, stats, limit, resize, detach, open or close");
}

static size_t whole_line(const char *in, size_t len)
{
	const char *end = memchr(in, '\n', len);

	return end ? (size_t)(end - in) + 1 : 0;
}

static bool answer(char *request, FILE *out)
{
	const int how = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
	struct question q = { .in = json_tokener_parse(request), .out = json_object_new_object() };

	put_truth(q.out, "ok", true);
	if (obey(&q))
		put_truth(q.out, "ok", false);
	fprintf(out, "%s\n", json_object_to_json_string_ext(q.out, how));
	json_object_put(q.in);
	json_object_put(q.out);
	return true;
}

int control_start(char *why)
{
	static const struct service service = { whole_line, answer };
	char path[128];

	snprintf(path, sizeof(path), "%s/control", config.run_dir);
	return serve(&service, path, why);
}
