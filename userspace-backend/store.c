// SPDX-License-Identifier: GPL-2.0-only
/* The kinds of stores, found by what a target begins with. */
#include "store.h"

#include <stdio.h>

static const struct store_ops *const kinds[] = {
	&store_file, &store_null, &store_fault, &store_512, &store_nbd, &store_nbds, &store_nbd_unix, &store_nbds_unix,
};

int store_open(struct store *s, const char *target, char *why)
{
	size_t i, n = strcspn(target, ":");
	int err;

	why[0] = 0;
	if (target[0] == '/')
		s->ops = &store_file;
	for (i = 0; !s->ops && i < ARRAY_SIZE(kinds); i++)
		if (target[n] && strlen(kinds[i]->kind) == n && !memcmp(kinds[i]->kind, target, n))
			s->ops = kinds[i];
	if (!s->ops) {
		snprintf(why, STORE_WHY, "%.100s: no such kind of target; a file's begins with a slash",
			 target);
		return -EINVAL;
	}
	err = s->ops->open(s, target[0] == '/' ? target : target + n + 1, why);
	if (err)
		s->ops = NULL;
	return err;
}

int store_measure(struct store *s)
{
	return s->ops->measure ? s->ops->measure(s) : -EOPNOTSUPP;
}

void store_close(struct store *s)
{
	if (s->ops)
		s->ops->close(s);
	memset(s, 0, sizeof(*s));
}
