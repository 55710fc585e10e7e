// SPDX-License-Identifier: GPL-2.0-only
/* What the tool reads from its command line, and shows of an answer. */
#include "test.h"
#include <blkctl.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void numbers(void **state)
{
	static const struct {
		const char *text;
		s64 n;
	} t[] = {
		{ "0", 0 }, { "500", 500 }, { "1K", 1024 }, { "100M", 104857600 }, { "2G", 2147483648 }, { "8T", 8796093022208 },
		{ "", -1 }, { "-1", -1 }, { "1k", -1 }, { "K", -1 }, { "1KB", -1 }, { "1.5G", -1 },
		{ "9223372036854775807", INT64_MAX }, { "9223372036854775808", -1 }, { "9007199254740992K", -1 },
		{ "8388608T", -1 },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(t); i++)
		if (parse_number(t[i].text) != t[i].n)
			ROW_FAILED("%s", t[i].text);
}

/* What @fn prints, in one line of its own for each line. */
static char *printed(void (*fn)(void))
{
	static char text[4096];
	int out = dup(1), fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ssize_t n;

	fflush(stdout);
	dup2(fd, 1);
	fn();
	fflush(stdout);
	dup2(out, 1);
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	close(out);
	return text;
}

static struct json_object *disks, *before;

static void print_list(void)
{
	show_list(disks);
}

static void print_totals(void)
{
	show_totals(disks);
}

static void print_rates(void)
{
	show_rates(disks, before, 2);
}

static void tables(void **state)
{
	(void)state;
	disks = json_tokener_parse("[{\"disk\":\"1/51712\",\"vdev\":\"xvda\",\"state\":\"connected\",\"readonly\":true,"
		"\"bytes\":10737418240,\"queues\":2,\"target\":\"/srv/a.img\",\"stats\":{\"reads\":3000,\"writes\":7,"
		"\"read_bytes\":409600,\"inflight\":12}},"
		"{\"disk\":\"2/51712\",\"target\":null,\"stats\":{\"reads\":9}}]");
	before = json_tokener_parse("[{\"disk\":\"1/51712\",\"stats\":{\"reads\":1000,\"writes\":8,\"read_bytes\":0}}]");
	assert_string_equal(printed(print_list),
		"DISK         VDEV     STATE        MODE   SIZE QUEUES  TARGET\n"
		"1/51712      xvda     connected    r     10.0G      2  /srv/a.img\n"
		"2/51712      -        -            w         0      -  -\n");
	assert_string_equal(printed(print_totals),
		"DISK         VDEV        READS   WRITES  FLUSHES DISCARDS   READ-B  WRITE-B   ERRORS    WAITS INFLIGHT\n"
		"1/51712      xvda         3.0K        7        0        0     400K        0        0        0       12\n"
		"2/51712      -               9        0        0        0        0        0        0        0        -\n");
	/* Only of those there were; a count that went back is of another guest. */
	assert_string_equal(printed(print_rates),
		"DISK         /s          READS   WRITES  FLUSHES DISCARDS   READ-B  WRITE-B   ERRORS    WAITS INFLIGHT\n"
		"1/51712      xvda         1.0K        0        0        0     200K        0        0        0       12\n\n");
	json_object_put(disks);
	json_object_put(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(tables),
	};

	return cmocka_run_group_tests_name("blkctl", tests, NULL, NULL);
}
