// SPDX-License-Identifier: GPL-2.0-only
#undef NDEBUG
#include "fake_store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xenstore.h>

#define NODES		256
#define WATCHES		32
#define EVENTS		256
#define PATH		128

struct xs_handle {
	int fd;
};

static struct node {
	char path[PATH], value[PATH * 4];
} node[NODES];

static struct watch {
	char path[PATH], token[32];
} watch[WATCHES], event[EVENTS];

static unsigned int events;
static struct xs_handle handle = { -1 };

void (*fake_store_written)(const char *path);
int fake_store_error;
bool fake_store_full;

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

static void fire(const char *path)
{
	struct watch *w;

	for (w = watch; w < watch + WATCHES; w++) {
		if (!w->path[0] || !(below(path, w->path) || below(w->path, path)))
			continue;
		assert(events < EVENTS);
		event[events] = *w;
		if (below(path, w->path))
			strncpy(event[events].path, path, PATH - 1);
		events++;
		eventfd_write(handle.fd, 1);
	}
}

static struct node *find(const char *path)
{
	struct node *n;

	for (n = node; n < node + NODES; n++)
		if (!strcmp(n->path, path))
			return n;
	return NULL;
}

void fake_store_clear(void)
{
	memset(node, 0, sizeof(node));
	memset(watch, 0, sizeof(watch));
	events = 0;
	fake_store_written = NULL;
	fake_store_error = 0;
	fake_store_full = false;
}

void fake_store_write(const char *path, const char *value)
{
	struct node *n = find(path) ?: find("");

	assert(n);
	snprintf(n->path, sizeof(n->path), "%s", path);
	snprintf(n->value, sizeof(n->value), "%s", value);
	fire(path);
}

const char *fake_store_read(const char *path)
{
	struct node *n = find(path);

	return n ? n->value : NULL;
}

void fake_store_remove(const char *path)
{
	struct node *n;

	for (n = node; n < node + NODES; n++)
		if (n->path[0] && below(n->path, path))
			n->path[0] = 0;
	fire(path);
}

/* --- libxenstore's --- */

struct xs_handle *xs_open(unsigned long flags)
{
	(void)flags;
	handle.fd = eventfd(0, EFD_NONBLOCK);
	return &handle;
}

void xs_close(struct xs_handle *h)
{
	close(h->fd);
	h->fd = -1;
	memset(watch, 0, sizeof(watch));
}

int xs_fileno(struct xs_handle *h)
{
	return h->fd;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
	const char *value = fake_store_error ? NULL : fake_store_read(path);

	(void)h, (void)t, (void)len;
	errno = fake_store_error ?: ENOENT;
	return value ? strdup(value) : NULL;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data, unsigned int len)
{
	char value[PATH * 4];

	(void)h, (void)t;
	if (fake_store_full && !find(path)) {
		errno = ENOSPC;
		return false;
	}
	snprintf(value, sizeof(value), "%.*s", (int)len, (const char *)data);
	fake_store_write(path, value);
	if (fake_store_written)
		fake_store_written(path);
	return true;
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
	(void)h, (void)t;
	fake_store_remove(path);
	return true;
}

/* One block, as libxenstore gives it. */
char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
	char **names = malloc(NODES * (sizeof(char *) + PATH)), *text = (char *)(names + NODES);
	size_t n = strlen(path);
	struct node *at;
	unsigned int i;

	(void)h, (void)t;
	*num = 0;
	for (at = node; at < node + NODES; at++) {
		if (!below(at->path, path) || !at->path[n])
			continue;
		snprintf(text, PATH, "%.*s", (int)strcspn(at->path + n + 1, "/"), at->path + n + 1);
		for (i = 0; i < *num && strcmp(names[i], text); i++)
			;
		if (i < *num)
			continue;
		names[(*num)++] = text;
		text += PATH;
	}
	return names;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
	struct watch *w;

	(void)h;
	for (w = watch; w->path[0]; w++)
		assert(w < watch + WATCHES - 1);
	snprintf(w->path, sizeof(w->path), "%s", path);
	snprintf(w->token, sizeof(w->token), "%s", token);
	/* A new one fires at once. */
	fire(path);
	return true;
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
	struct watch *w;

	(void)h;
	for (w = watch; w < watch + WATCHES; w++)
		if (!strcmp(w->path, path) && !strcmp(w->token, token))
			w->path[0] = 0;
	return true;
}

char **xs_check_watch(struct xs_handle *h)
{
	char **names, *text;
	eventfd_t n;

	if (!events) {
		eventfd_read(h->fd, &n);
		errno = EAGAIN;
		return NULL;
	}
	names = malloc(2 * sizeof(char *) + sizeof(struct watch));
	text = (char *)(names + 2);
	names[XS_WATCH_PATH] = strcpy(text, event[0].path);
	names[XS_WATCH_TOKEN] = strcpy(text + PATH, event[0].token);
	memmove(event, event + 1, --events * sizeof(event[0]));
	return names;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
	(void)h;
	return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abandon)
{
	(void)h, (void)t, (void)abandon;
	return true;
}
