// SPDX-License-Identifier: GPL-2.0-only
#include "notify.h"
#include "daemon.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify(const char *state)
{
	const char *where = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = where ? strlen(where) : 0;
	int fd;

	if (!n || n >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, where, n);
	/* A name that begins so is none of a file. */
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), 0, (struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_warning("systemd can't be told %s: %s", state, strerror(errno));
	close(fd);
}

static void alive(void *arg)
{
	(void)arg;
	notify("WATCHDOG=1");
	notify_watchdog();
}

void notify_watchdog(void)
{
	const char *us = getenv("WATCHDOG_USEC");
	unsigned long long n = us ? strtoull(us, NULL, 10) : 0;

	if (n)
		loop_after((unsigned int)(n / 2000), alive, NULL);
}
