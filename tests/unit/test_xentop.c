// SPDX-License-Identifier: GPL-2.0-only
/* Counters in the files that xentop reads, by a reader that is a process of its own. */
#include "test.h"
#include <xentop.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct config config;
static void (*ready)(void *arg), (*late)(void *arg);
static int signals;
static u64 counter = 5;
static u32 asked, warnings;
static bool may_warn;

int loop_add(int fd, void (*fn)(void *arg), void *arg)
{
	(void)arg;
	signals = fd;
	ready = fn;
	return 0;
}

int loop_after(unsigned int ms, void (*fn)(void *arg), void *arg)
{
	(void)ms, (void)arg;
	late = fn;
	return 0;
}

void logf_(int priority, const char *format, ...)
{
	(void)priority;
	if (!may_warn)
		fail_msg("%s", format);
	warnings++;
}

void disk_stats(const struct disk *d, struct disk_stats *sum)
{
	asked++;
	*sum = (struct disk_stats){ .reads = counter, .write_sectors = d->devid, .errors = 3 };
}

static void name_of(char name[96], const struct disk *d)
{
	snprintf(name, 96, "/dev/shm/td3-%d/vbd-%u-%u", getpid(), d->domid, d->devid);
}

/* Its u64 number @n as another process reads it; the daemon's loop runs meanwhile. */
static u64 read_by_another(const struct disk *d, u32 n)
{
	struct pollfd waiting = { signals, POLLIN, 0 };
	int from[2];
	u64 value;
	char name[96];
	pid_t pid;

	name_of(name, d);
	assert_int_equal(pipe(from), 0);
	pid = fork();
	if (!pid) {
		u64 file[12] = { 0 };
		int fd = open(name, O_RDONLY);

		if (read(fd, file, sizeof(file)) != sizeof(file))
			_exit(1);
		close(fd);
		_exit(write(from[1], &file[n], sizeof(u64)) != sizeof(u64));
	}
	close(from[1]);
	while (poll(&waiting, 1, 300) == 1)
		ready(NULL);
	assert_int_equal(read(from[0], &value, sizeof(value)), sizeof(value));
	close(from[0]);
	waitpid(pid, NULL, 0);
	return value;
}

static void what_is_read_is_of_now(void **state)
{
	struct disk a = { .domid = 1, .devid = 51712 }, b = { .domid = 1, .devid = 51728 };

	(void)state;
	xentop_add(&a);
	xentop_add(&b);
	counter = 1000;
	asked = 0;
	assert_int_equal(read_by_another(&a, 2), 1000);
	/* With one wake-up for all that are looked at. */
	assert_int_equal(asked, 2);
	assert_int_equal(read_by_another(&b, 2), 1000);
	assert_int_equal(read_by_another(&b, 8), 51728);
	assert_int_equal(read_by_another(&a, 10), 3);
	assert_int_equal(read_by_another(&a, 0), 1);
	assert_int_equal(asked, 2);
	/* A second later all is as it was. */
	late(NULL);
	counter = 2000;
	assert_int_equal(read_by_another(&b, 2), 2000);
	late(NULL);
	xentop_remove(&a);
	xentop_remove(&b);
	xentop_remove(&b);
}

/* While somebody keeps one open, there is no lease to be had. */
static void a_file_kept_open_is_written_all_the_same(void **state)
{
	struct disk a = { .domid = 2, .devid = 51712 };
	char name[96];
	u64 file[12];
	int fd;

	(void)state;
	xentop_add(&a);
	assert_int_equal(read_by_another(&a, 2), counter);
	name_of(name, &a);
	fd = open(name, O_RDONLY);
	counter = 3000;
	late(NULL);
	assert_int_equal(pread(fd, file, sizeof(file), 0), sizeof(file));
	assert_int_equal(file[2], 3000);
	close(fd);
	late(NULL);
	asked = 0;
	counter = 4000;
	assert_int_equal(read_by_another(&a, 2), 4000);
	assert_int_equal(asked, 1);
	xentop_remove(&a);
}

static void what_was_left_is_removed(void **state)
{
	char link[96];
	struct stat st;

	(void)state;
	xentop_stop();
	snprintf(link, sizeof(link), "%s/xentop", config.run_dir);
	assert_int_equal(lstat(link, &st), -1);
	assert_int_equal(mkdir("/dev/shm/td3-xpv-test", 0755), 0);
	close(open("/dev/shm/td3-xpv-test/vbd-1-2", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(symlink("/dev/shm/td3-xpv-test", link), 0);
	assert_int_equal(xentop_start(), 0);
	assert_int_equal(stat("/dev/shm/td3-xpv-test", &st), -1);
	assert_int_equal(stat(link, &st), 0);
	xentop_stop();
	/* Not ours to touch. */
	assert_int_equal(mkdir("/dev/shm/xpv-test", 0755), 0);
	assert_int_equal(symlink("/dev/shm/xpv-test", link), 0);
	assert_int_equal(xentop_start(), 0);
	assert_int_equal(rmdir("/dev/shm/xpv-test"), 0);
	xentop_stop();
}

/* Others may write in /dev/shm: what they leave under our name is not used. */
static void nobody_leads_us_elsewhere(void **state)
{
	static const char victim[] = "/dev/shm/xpv-test";
	struct disk a = { .domid = 1, .devid = 2 };
	struct stat st;
	char name[96];

	(void)state;
	snprintf(name, sizeof(name), "/dev/shm/td3-%d", getpid());
	assert_int_equal(mkdir(victim, 0755), 0);
	assert_int_equal(symlink(victim, name), 0);
	may_warn = true;
	assert_int_equal(xentop_start(), 0);
	xentop_add(&a);
	assert_int_equal(rmdir(victim), 0);
	xentop_stop();
	unlink(name);
	assert_int_equal(mkdir(name, 0755), 0);
	assert_int_equal(chmod(name, 0777), 0);
	assert_int_equal(xentop_start(), 0);
	xentop_add(&a);
	assert_int_equal(rmdir(name), 0);
	xentop_stop();
	assert_int_equal(warnings, 2);
	/* A link in a folder of our own. */
	may_warn = false;
	assert_int_equal(xentop_start(), 0);
	name_of(name, &a);
	assert_int_equal(symlink(victim, name), 0);
	xentop_add(&a);
	assert_int_equal(stat(victim, &st), -1);
	assert_int_equal(lstat(name, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	xentop_remove(&a);
	xentop_stop();
}

static int begin(void **state)
{
	static char dir[] = "/tmp/xpv-xentop-XXXXXX";

	(void)state;
	config.run_dir = mkdtemp(dir);
	return xentop_start();
}

static int end(void **state)
{
	(void)state;
	return rmdir(config.run_dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_of_now),
		cmocka_unit_test(a_file_kept_open_is_written_all_the_same),
		cmocka_unit_test(what_was_left_is_removed),
		cmocka_unit_test(nobody_leads_us_elsewhere),
	};

	return cmocka_run_group_tests_name("xentop", tests, begin, end);
}
