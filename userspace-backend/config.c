// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration file: settings in sections, all of which have a default. The file that is
 * installed shows them all.
 */
#include "daemon.h"

#include <ini.h>

enum kind { NUMBER, TEXT };

static const struct setting {
	const char *section, *name;
	enum kind kind;
	size_t at;			/* in struct config */
	unsigned int most, value;	/* of a number: upper limit and default */
	const char *text;		/* a text's default */
} settings[] = {
#define NUMBER_SETTING(section, name, field, most, value)		\
	{ section, name, NUMBER, offsetof(struct config, field), most, value, NULL }
#define TEXT_SETTING(section, name, field, text)			\
	{ section, name, TEXT, offsetof(struct config, field), 0, 0, text }
	TEXT_SETTING("daemon", "run_dir", run_dir, "/run/xpv-blkd"),
	TEXT_SETTING("daemon", "metrics", metrics, "/run/xpv-blkd/metrics"),
	NUMBER_SETTING("daemon", "workers", workers, MAX_WORKERS, 0),
	NUMBER_SETTING("daemon", "poll_us", poll_us, 1000, 0),
	NUMBER_SETTING("daemon", "drain_s", drain_s, 3600, 30),
	NUMBER_SETTING("disk", "max_queues", max_queues, MAX_QUEUES, 0),
	NUMBER_SETTING("disk", "max_ring_order", max_ring_order, XPV_RING_MAX_ORDER, 2),
	NUMBER_SETTING("disk", "persistent_grants", persistent_grants, 1 << 20, 4224),
	NUMBER_SETTING("disk", "persistent_unused_s", persistent_unused_s, 86400, 60),
	NUMBER_SETTING("nbd", "connections", nbd_connections, MAX_NBD_CONNECTIONS, 4),
	NUMBER_SETTING("nbd", "timeout_s", nbd_timeout_s, 3600, 30),
};

/* A file being read, and the first thing that is wrong with it. */
struct reading {
	struct config *config;
	char *why;
};

static char **text_of(struct config *c, const struct setting *s)
{
	return (char **)((char *)c + s->at);
}

static int set_text(struct config *c, const struct setting *s, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*text_of(c, s));
	*text_of(c, s) = copy;
	return 0;
}

static int set_number(struct config *c, const struct setting *s, const char *text)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value > s->most)
		return -EINVAL;
	*(unsigned int *)((char *)c + s->at) = value;
	return 0;
}

/* For inih: 1 if the line is good. Of several bad ones the first is told of. */
static int take(void *data, const char *section, const char *name, const char *text)
{
	struct reading *r = data;
	const struct setting *s;
	int err;

	for (s = settings; s < settings + ARRAY_SIZE(settings); s++)
		if (!strcmp(s->section, section) && !strcmp(s->name, name))
			break;
	if (s == settings + ARRAY_SIZE(settings)) {
		if (!*r->why)
			snprintf(r->why, CONFIG_WHY, "[%s] has no setting %s", section, name);
		return 0;
	}
	if (s->at == offsetof(struct config, run_dir) && text[0] != '/') {
		if (!*r->why)
			snprintf(r->why, CONFIG_WHY, "run_dir is an absolute path, not '%s'", text);
		return 0;
	}
	err = s->kind == TEXT ? set_text(r->config, s, text) : set_number(r->config, s, text);
	if (err && !*r->why && s->kind == NUMBER)
		snprintf(r->why, CONFIG_WHY, "%s is a number from 0 to %u, not '%s'", name, s->most, text);
	return !err;
}

static int set_defaults(struct config *c)
{
	const struct setting *s;
	int err = 0;

	memset(c, 0, sizeof(*c));
	for (s = settings; s < settings + ARRAY_SIZE(settings) && !err; s++)
		if (s->kind == TEXT)
			err = set_text(c, s, s->text);
		else
			*(unsigned int *)((char *)c + s->at) = s->value;
	return err;
}

int config_load(struct config *c, const char *file, char *why)
{
	struct reading r = { c, why };
	int line;

	*why = 0;
	if (set_defaults(c)) {
		snprintf(why, CONFIG_WHY, "no memory");
		goto err_free;
	}
	errno = 0;
	line = file ? ini_parse(file, take, &r) : 0;
	if (line < 0) {
		snprintf(why, CONFIG_WHY, "%s: %s", file, strerror(errno ?: ENOMEM));
		goto err_free;
	}
	if (line > 0) {
		char what[CONFIG_WHY];

		snprintf(what, sizeof(what), "%s", *why ? why : "not a setting: NAME = VALUE");
		snprintf(why, CONFIG_WHY, "%s, line %d: %.150s", file, line, what);
		goto err_free;
	}
	return 0;

err_free:
	config_free(c);
	return -EINVAL;
}

void config_free(struct config *c)
{
	const struct setting *s;

	for (s = settings; s < settings + ARRAY_SIZE(settings); s++)
		if (s->kind == TEXT) {
			free(*text_of(c, s));
			*text_of(c, s) = NULL;
		}
}
