// SPDX-License-Identifier: GPL-2.0-only
/* The daemon's settings: what is installed, what is said, and what is wrong. */
#include "test.h"
#include <daemon.h>
#include <unistd.h>

static const char *const installed = "userspace-backend/xpv-blkd.conf";

static char *temporary(const char *text)
{
	static char name[32];
	int fd;

	strcpy(name, "/tmp/xpv-config-XXXXXX");
	fd = mkstemp(name);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	return name;
}

/* What @text makes of @c; the file is gone afterwards. */
static int load(struct config *c, const char *text, char *why)
{
	char *name = temporary(text);
	int err = config_load(c, name, why);

	unlink(name);
	return err;
}

static void assert_same(const struct config *a, const struct config *b)
{
	struct config x = *a, y = *b;

	assert_string_equal(a->run_dir, b->run_dir);
	assert_string_equal(a->metrics, b->metrics);
	x.run_dir = y.run_dir = x.metrics = y.metrics = NULL;
	assert_memory_equal(&x, &y, sizeof(x));
}

static void the_installed_file_changes_nothing(void **state)
{
	struct config said, unsaid;
	char why[CONFIG_WHY];

	(void)state;
	assert_int_equal(config_load(&unsaid, NULL, why), 0);
	if (config_load(&said, installed, why))
		fail_msg("%s", why);
	assert_same(&said, &unsaid);
	config_free(&said);
	config_free(&unsaid);
}

/* Each setting is there, with its default behind it, as a comment. */
static void the_installed_file_shows_every_default(void **state)
{
	struct config said, unsaid;
	char text[8192] = "", line[512], why[CONFIG_WHY];
	unsigned int shown = 0;
	FILE *f = fopen(installed, "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		bool setting = line[0] == '#' && line[1] != ' ' && line[1] != '\n';

		shown += setting;
		strcat(text, setting ? line + 1 : line);
	}
	fclose(f);
	assert_int_equal(config_load(&unsaid, NULL, why), 0);
	if (load(&said, text, why))
		fail_msg("%s", why);
	assert_same(&said, &unsaid);
	assert_int_equal(shown, 11);
	config_free(&said);
	config_free(&unsaid);
}

static void what_is_said_holds(void **state)
{
	struct config c;
	char why[CONFIG_WHY];

	(void)state;
	assert_int_equal(load(&c, "[daemon]\nworkers=3\nrun_dir = /x\npoll_us : 1000\nmetrics=\n"
				  "[disk]\n; nothing\nmax_ring_order = 4\n[nbd]\ntimeout_s=1\n", why), 0);
	assert_int_equal(c.workers, 3);
	assert_int_equal(c.poll_us, 1000);
	assert_int_equal(c.max_ring_order, 4);
	assert_int_equal(c.nbd_timeout_s, 1);
	assert_string_equal(c.metrics, "");
	config_free(&c);
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "[daemon]\nworkers = 17\n", "line 2: workers is a number from 0 to 16, not '17'" },
		{ "[daemon]\n\nworkers = -1\n", "line 3: workers is a number from 0 to 16, not '-1'" },
		{ "[daemon]\nworkers = 1x\n", "line 2: workers is a number from 0 to 16, not '1x'" },
		{ "[daemon]\nworkers =\n", "line 2: workers is a number from 0 to 16, not ''" },
		{ "[daemon]\nworkers = 99999999999999999999\n", "line 2: workers is a number" },
		{ "[disk]\nworkers = 1\n", "line 2: [disk] has no setting workers" },
		{ "workers = 1\n", "line 1: [] has no setting workers" },
		{ "[daemon]\nrun_dir =\n", "line 2: run_dir is an absolute path, not ''" },
		{ "[daemon]\nrun_dir = x\n", "line 2: run_dir is an absolute path, not 'x'" },
		{ "[daemon]\nnonsense\n", "line 2: not a setting: NAME = VALUE" },
		{ "[daemon]\na = 1\nb = 2\n", "line 2: [daemon] has no setting a" },
	};
	struct config c;
	char why[CONFIG_WHY];
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (load(&c, bad[i].text, why) != -EINVAL || !strstr(why, bad[i].why))
			ROW_FAILED("row %u: %s", i, why);
}

static void a_missing_file_is_an_error(void **state)
{
	struct config c;
	char why[CONFIG_WHY];

	(void)state;
	assert_int_equal(config_load(&c, "/nonexistent/x.conf", why), -EINVAL);
	assert_string_equal(why, "/nonexistent/x.conf: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_installed_file_changes_nothing),
		cmocka_unit_test(the_installed_file_shows_every_default),
		cmocka_unit_test(what_is_said_holds),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(a_missing_file_is_an_error),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
