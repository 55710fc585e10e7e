// SPDX-License-Identifier: GPL-2.0-only
/* The main thread's loop: descriptors in one epoll, one of them a timer for all that is to be done later. */
#include "daemon.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct source {
	void (*fn)(void *arg);
	void *arg;
};

struct later {
	struct later *next;
	struct source what;
	u64 at;			/* ns */
};

static struct source *source;	/* of each descriptor */
static int sources;
static struct later *laters;	/* the first to come first */
static int epoll_fd = -1, timer_fd = -1;
static bool ended;

static int make_room(int fd)
{
	int n = (fd | 63) + 1;
	struct source *more;

	if (fd < sources)
		return 0;
	more = realloc(source, (size_t)n * sizeof(*source));
	if (!more)
		return -ENOMEM;
	memset(more + sources, 0, (size_t)(n - sources) * sizeof(*source));
	source = more;
	sources = n;
	return 0;
}

int loop_add(int fd, void (*fn)(void *arg), void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
	int err;

	if (epoll_fd < 0)
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	err = make_room(fd);
	if (err)
		return err;
	source[fd] = (struct source){ fn, arg };
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

void loop_remove(int fd)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	source[fd].fn = NULL;
}

/* Setting the timer takes back what it has to tell. */
static void set_timer(void)
{
	struct itimerspec to = { 0 };

	if (laters) {
		to.it_value.tv_sec = (time_t)(laters->at / 1000000000u);
		to.it_value.tv_nsec = (long)(laters->at % 1000000000u);
	}
	timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &to, NULL);
}

/* One at a time: the timer goes off at once if it is time for another. */
static void late(void *arg)
{
	struct later *l = laters;
	struct source what;

	(void)arg;
	if (!l || l->at > now_ns()) {
		set_timer();
		return;
	}
	what = l->what;
	laters = l->next;
	free(l);
	set_timer();
	what.fn(what.arg);
}

static int make_timer(void)
{
	int err;

	if (timer_fd >= 0)
		return 0;
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer_fd < 0)
		return -errno;
	err = loop_add(timer_fd, late, NULL);
	if (err) {
		close(timer_fd);
		timer_fd = -1;
	}
	return err;
}

int loop_after(unsigned int ms, void (*fn)(void *arg), void *arg)
{
	struct later *l, **at;
	int err = make_timer();

	if (err)
		return err;
	l = malloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->what = (struct source){ fn, arg };
	l->at = now_ns() + ms * 1000000ull;
	for (at = &laters; *at && (*at)->at <= l->at; at = &(*at)->next)
		;
	l->next = *at;
	*at = l;
	set_timer();
	return 0;
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
