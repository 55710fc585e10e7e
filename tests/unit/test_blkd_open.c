// SPDX-License-Identifier: GPL-2.0-only
/* What is no target, and how a file that is one is opened. */
#include "test.h"

#include <load.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void targets_that_are_none(void **state)
{
	static const char *const bad[] = { "", "nonsense", "nonsense:/x", "null:", "null:12x", "/nonexistent/file", "file:/dev/null" };
	char why[STORE_WHY];
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct store s = { 0 };

		assert_true(store_open(&s, bad[i], why) < 0);
		assert_true(why[0]);
		assert_null(s.ops);
	}
}

static void one_writer(void **state)
{
	struct store a = { 0 }, b = { 0 };
	char why[STORE_WHY];

	(void)state;
	assert_int_equal(store_open(&a, image, why), 0);
	assert_int_equal(store_open(&b, image, why), -EAGAIN);
	store_close(&a);
	a.readonly = b.readonly = true;
	assert_int_equal(store_open(&a, image, why), 0);
	assert_int_equal(store_open(&b, image, why), 0);
	store_close(&a);
	store_close(&b);
}

/* Else a device that can't say beforehand whether it has to wait would do nothing. */
static void files_may_wait(void **state)
{
	struct store s = { 0 };
	char why[STORE_WHY], name[64], to[80];
	int fd, found = 0;

	(void)state;
	assert_int_equal(store_open(&s, image, why), 0);
	for (fd = 0; fd < 256; fd++) {
		ssize_t n;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		n = readlink(name, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = 0;
		if (strcmp(to, image))
			continue;
		found++;
		assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFL) & O_NOATIME);
	}
	assert_int_equal(found, 1);
	store_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(targets_that_are_none, fresh_image),
		cmocka_unit_test_setup(one_writer, fresh_image),
		cmocka_unit_test_setup(files_may_wait, fresh_image),
	};
	int failed;

	load_begin();
	failed = cmocka_run_group_tests_name("blkd_open", tests, NULL, NULL);
	load_end();
	return failed;
}
