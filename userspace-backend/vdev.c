// SPDX-License-Identifier: GPL-2.0-only
#include "vdev.h"

#include <ctype.h>
#include <stdio.h>

#define EXTENDED	(1u << 28)	/* a disk of 256 partitions; xvdq and on have no other number */
#define DISKS		(1u << 20)	/* of that kind */

/* Disk numbers as Linux' majors once gave them: each major has @disks of @parts minors. */
static const struct family {
	const char *name;
	u32 major;
	u32 first;		/* disk of that name */
	u32 disks, parts;
} families[] = {
	{ "xvd", 202, 0, 16, 16 },
	{ "sd", 8, 0, 16, 16 },
	{ "hd", 3, 0, 2, 64 },
	{ "hd", 22, 2, 2, 64 },
};

/* a to z, aa to zz, and so on: digits without a zero. */
static void letters(u32 disk, char *to)
{
	char reversed[8];
	u32 n = 0;

	for (disk++; disk; disk = (disk - 1) / 26)
		reversed[n++] = 'a' + (disk - 1) % 26;
	while (n)
		*to++ = reversed[--n];
	*to = 0;
}

const char *vdev_name(u32 devid, char name[VDEV_NAME])
{
	const char *family = NULL;
	u32 disk = 0, part = 0, i;
	char letter[8];

	if (devid >= EXTENDED && (devid - EXTENDED) >> 8 < DISKS) {
		family = "xvd";
		disk = (devid - EXTENDED) >> 8;
		part = devid & 255;
	}
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		const struct family *f = &families[i];

		if (devid >> 8 != f->major || (devid & 255) >= f->disks * f->parts)
			continue;
		family = f->name;
		disk = f->first + (devid & 255) / f->parts;
		part = (devid & 255) % f->parts;
	}
	if (!family) {
		snprintf(name, VDEV_NAME, "%u", devid);
		return name;
	}
	letters(disk, letter);
	if (part)
		snprintf(name, VDEV_NAME, "%s%s%u", family, letter, part);
	else
		snprintf(name, VDEV_NAME, "%s%s", family, letter);
	return name;
}

/* A decimal number at *@s, which moves behind it. */
static int number(const char **s, u32 *n)
{
	u64 value = 0;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	for (; isdigit((unsigned char)**s); (*s)++) {
		value = value * 10 + (u32)(**s - '0');
		if (value > UINT32_MAX)
			return -EINVAL;
	}
	*n = value;
	return 0;
}

/* "xvda1" is device *@devid. */
static int device(const char *s, u32 *devid)
{
	u32 disk = 0, part = 0, i;
	size_t family = s[0] == 'x' ? strlen("xvd") : strlen("sd");
	const char *name = s;

	if (strlen(s) < family)
		return -EINVAL;
	for (s += family; *s >= 'a' && *s <= 'z' && disk < DISKS; s++)
		disk = disk * 26 + (u32)(*s - 'a') + 1;
	if (!disk-- || (*s && number(&s, &part)) || *s)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		const struct family *f = &families[i];

		if (strlen(f->name) != family || memcmp(name, f->name, family))
			continue;
		if (disk < f->first || disk - f->first >= f->disks || part >= f->parts)
			continue;
		*devid = f->major << 8 | ((disk - f->first) * f->parts + part);
		return 0;
	}
	if (memcmp(name, "xvd", family) || disk >= DISKS || part > 255)
		return -EINVAL;
	*devid = EXTENDED | disk << 8 | part;
	return 0;
}

int vdev_parse(const char *disk, u32 *domid, u32 *devid)
{
	if (number(&disk, domid) || *disk++ != '/')
		return -EINVAL;
	if (!isdigit((unsigned char)*disk))
		return device(disk, devid);
	return number(&disk, devid) || *disk ? -EINVAL : 0;
}
