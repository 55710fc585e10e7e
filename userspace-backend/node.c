// SPDX-License-Identifier: GPL-2.0-only
#include "node.h"

#include <stdarg.h>
#include <stdio.h>

#define PATH_BYTES	512

struct xs_handle *node_store;

static bool join(char path[PATH_BYTES], const char *dir, const char *key)
{
	if (snprintf(path, PATH_BYTES, "%s/%s", dir, key) < PATH_BYTES)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

char *node_read(const char *dir, const char *key)
{
	char path[PATH_BYTES];

	return join(path, dir, key) ? xs_read(node_store, XBT_NULL, path, NULL) : NULL;
}

int node_number(const char *dir, const char *key, u32 *value)
{
	char *end, *text = node_read(dir, key);
	unsigned long n;
	int err = 0;

	if (!text)
		return -errno;
	errno = 0;
	n = strtoul(text, &end, 10);
	/* strtoul() would take a sign, and blanks. */
	if (*text < '0' || *text > '9' || *end || errno || n > 0xffffffffu)
		err = -EINVAL;
	else
		*value = (u32)n;
	free(text);
	return err;
}

u32 node_number_or(const char *dir, const char *key, u32 missing)
{
	u32 value;

	return node_number(dir, key, &value) ? missing : value;
}

bool node_says(const char *dir, const char *key, const char *what)
{
	char *text = node_read(dir, key);
	bool same = text && !strcmp(text, what);

	free(text);
	return same;
}

enum xpv_state node_state(const char *dir, enum xpv_state junk)
{
	u32 state;
	int err = node_number(dir, "state", &state);

	if (err == -ENOENT)
		return XPV_UNKNOWN;
	return err || state >= XPV_STATES ? junk : (enum xpv_state)state;
}

xs_transaction_t node_begin(const char *dir)
{
	xs_transaction_t t = xs_transaction_start(node_store);
	char path[PATH_BYTES];
	void *front;

	if (!t)
		return XBT_NULL;
	front = join(path, dir, "frontend") ? xs_read(node_store, t, path, NULL) : NULL;
	free(front);
	if (front)
		return t;
	xs_transaction_end(node_store, t, true);
	errno = ENOENT;
	return XBT_NULL;
}

bool node_end(xs_transaction_t t, bool keep)
{
	int err = errno;

	if (keep)
		return xs_transaction_end(node_store, t, false);
	xs_transaction_end(node_store, t, true);
	errno = err;
	return false;
}

static bool write_alone(const char *dir, const char *path, const char *value)
{
	do {
		xs_transaction_t t = node_begin(dir);

		if (!t)
			return false;
		if (node_end(t, xs_write(node_store, t, path, value, (unsigned int)strlen(value))))
			return true;
	} while (errno == EAGAIN);
	return false;
}

bool node_write(xs_transaction_t t, const char *dir, const char *key, const char *format, ...)
{
	char path[PATH_BYTES], value[PATH_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	if (!join(path, dir, key))
		return false;
	return t ? xs_write(node_store, t, path, value, (unsigned int)strlen(value)) :
		   write_alone(dir, path, value);
}
