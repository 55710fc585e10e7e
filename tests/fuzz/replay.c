// SPDX-License-Identifier: GPL-2.0-only
/* replay DIRECTORY...: what once led somewhere is done again, file by file. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>

#define LONGEST	(1u << 20)

static void replay(const char *dir, const char *name)
{
	static u8 data[LONGEST];
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert(f);
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* On a heap of its own size, so that it is seen when somebody reads beyond it. */
	u8 *exact = malloc(n + !n);

	memcpy(exact, data, n);
	/* Said before it may be the last that is said. */
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

int main(int argc, char **argv)
{
	struct dirent *e;
	u32 files = 0;
	DIR *d;
	int i;

	for (i = 1; i < argc; i++) {
		d = opendir(argv[i]);
		assert(d);
		while ((e = readdir(d)))
			if (e->d_name[0] != '.') {
				replay(argv[i], e->d_name);
				files++;
			}
		closedir(d);
	}
	printf("%u\n", files);
	return !files;
}
