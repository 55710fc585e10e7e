// SPDX-License-Identifier: GPL-2.0-only
/* The main thread's loop: descriptors in one epoll, and things to be done later in one of them. */
#include "daemon.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MOST_FDS	1024

struct source {
	void (*fn)(void *arg);
	void *arg;
};

struct later {
	struct source what;
	int fd;
};

static struct source source[MOST_FDS];
static int epoll_fd = -1;
static bool ended;

int loop_add(int fd, void (*fn)(void *arg), void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_fd < 0)
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	if (fd >= MOST_FDS)
		return -EMFILE;
	source[fd] = (struct source){ fn, arg };
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

void loop_remove(int fd)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	source[fd].fn = NULL;
}

static void late(void *arg)
{
	struct later *l = arg;
	struct source what = l->what;

	loop_remove(l->fd);
	close(l->fd);
	free(l);
	what.fn(what.arg);
}

int loop_after(unsigned int ms, void (*fn)(void *arg), void *arg)
{
	struct itimerspec at = { .it_value = { ms / 1000, (long)(ms % 1000) * 1000000 + 1 } };
	struct later *l = malloc(sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->what = (struct source){ fn, arg };
	l->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->fd < 0) {
		err = -errno;
		goto err_free;
	}
	timerfd_settime(l->fd, 0, &at, NULL);
	err = loop_add(l->fd, late, l);
	if (err)
		goto err_close;
	return 0;

err_close:
	close(l->fd);
err_free:
	free(l);
	return err;
}

void loop_run(void)
{
	struct epoll_event ev;

	/* One at a time: what one does may remove another. */
	for (ended = false; !ended;)
		if (epoll_wait(epoll_fd, &ev, 1, -1) == 1 && source[ev.data.fd].fn)
			source[ev.data.fd].fn(source[ev.data.fd].arg);
}

void loop_end(void)
{
	ended = true;
}
