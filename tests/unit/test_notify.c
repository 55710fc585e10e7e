// SPDX-License-Identifier: GPL-2.0-only
/* What the daemon tells systemd, which listens here. */
#include "test.h"

#include <daemon.h>
#include <notify.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void (*later)(void *arg);
static unsigned int later_ms;
static u32 warnings;

int loop_after(unsigned int ms, void (*fn)(void *arg), void *arg)
{
	(void)arg;
	later = fn;
	later_ms = ms;
	return 0;
}

void logf_(int priority, const char *format, ...)
{
	(void)priority, (void)format;
	warnings++;
}

/* A socket of that name, which begins with @ if it is none of a file. */
static int listen_at(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(at.sun_path, name, n);
	if (*name == '@')
		at.sun_path[0] = 0;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void heard(int fd, const char *what)
{
	char text[64] = "";

	assert_true(recv(fd, text, sizeof(text) - 1, 0) >= 0);
	assert_string_equal(text, what);
}

static void it_is_told(void **state)
{
	char name[64];
	u32 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		int fd;

		snprintf(name, sizeof(name), "%s/xpv-notify-%d", i ? "/tmp" : "@", getpid());
		fd = listen_at(name);
		notify("READY=1");
		heard(fd, "READY=1");
		close(fd);
		notify("STOPPING=1");
		assert_int_equal(warnings, i + 1);
	}
	unlink(name);
}

/* Twice as often as it wants to hear of it, and only if it does. */
static void it_hears_that_we_are_alive(void **state)
{
	char name[64];
	int fd, i;

	(void)state;
	notify_watchdog();
	assert_null(later);
	snprintf(name, sizeof(name), "@xpv-notify-%d", getpid());
	fd = listen_at(name);
	setenv("WATCHDOG_USEC", "60000000", 1);
	notify_watchdog();
	for (i = 0; i < 3; i++) {
		assert_int_equal(later_ms, 30000);
		later(NULL);
		heard(fd, "WATCHDOG=1");
	}
	close(fd);
}

static void nobody_listens(void **state)
{
	char name[200];

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	notify("READY=1");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	setenv("NOTIFY_SOCKET", name, 1);
	warnings = 0;
	notify("READY=1");
	assert_int_equal(warnings, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_told),
		cmocka_unit_test(it_hears_that_we_are_alive),
		cmocka_unit_test(nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
