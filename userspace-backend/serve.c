// SPDX-License-Identifier: GPL-2.0-only
/*
 * A set of its own in the main loop: what is listened to, and the clients. One that is being
 * answered is not listened to.
 */
#include "serve.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon.h"

struct source {
	void (*ready)(struct source *s);
	int fd;
};

struct listener;

struct client {
	struct source source;
	struct listener *listener;
	u64 turn;		/* when it was last heard */
	size_t have;		/* bytes in @in */
	char *out;		/* being sent; NULL: listening */
	size_t out_bytes, sent;
	bool last;
	char in[SERVE_REQUEST + 1];
};

struct listener {
	struct source source;
	const struct service *service;
	struct client *client[SERVE_CLIENTS];
};

static int set = -1;		/* epoll's */
static int spare = -1;		/* given up for a moment to hang up on somebody when files run out */
static u64 turn;

static int watch(struct source *s, int op, u32 events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	return epoll_ctl(set, op, s->fd, &ev) ? -errno : 0;
}

static void hang_up(struct client *c)
{
	u32 i;

	for (i = 0; i < SERVE_CLIENTS; i++)
		if (c->listener->client[i] == c)
			c->listener->client[i] = NULL;
	close(c->source.fd);
	free(c->out);
	free(c);
}

/* The first request in @in is answered into @out. */
static int answer(struct client *c, size_t bytes)
{
	char behind = c->in[bytes];
	FILE *out = open_memstream(&c->out, &c->out_bytes);

	if (!out)
		return -ENOMEM;
	c->in[bytes] = 0;
	c->last = !c->listener->service->answer(c->in, out);
	c->in[bytes] = behind;
	memmove(c->in, c->in + bytes, c->have - bytes);
	c->have -= bytes;
	c->sent = 0;
	return fclose(out) || !c->out ? -ENOMEM : 0;
}

/* 1: all of it is sent; 0: not yet. */
static int send_out(struct client *c)
{
	ssize_t n;

	while (c->sent < c->out_bytes) {
		n = send(c->source.fd, c->out + c->sent, c->out_bytes - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		c->sent += n;
	}
	free(c->out);
	c->out = NULL;
	return c->last ? -ESHUTDOWN : 1;
}

/* What has come is answered, one request after the other, as far as the client takes it. */
static int go_on(struct client *c)
{
	size_t bytes;
	int err;

	for (;;) {
		if (c->out) {
			err = send_out(c);
			if (err <= 0)
				return err ?: watch(&c->source, EPOLL_CTL_MOD, EPOLLOUT);
		}
		bytes = c->listener->service->whole(c->in, c->have);
		if (!bytes)
			return c->have == SERVE_REQUEST ? -EMSGSIZE : watch(&c->source, EPOLL_CTL_MOD, EPOLLIN);
		err = answer(c, bytes);
		if (err)
			return err;
	}
}

static int hear(struct client *c)
{
	ssize_t n = recv(c->source.fd, c->in + c->have, SERVE_REQUEST - c->have, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -ESHUTDOWN;
	c->have += n;
	return go_on(c);
}

static void client_ready(struct source *s)
{
	struct client *c = (struct client *)s;

	c->turn = ++turn;
	if (c->out ? go_on(c) : hear(c))
		hang_up(c);
}

/* A free place, for which somebody may have to go. */
static struct client **make_room(struct listener *l)
{
	struct client **oldest = &l->client[0];
	u32 i;

	for (i = 0; i < SERVE_CLIENTS; i++) {
		if (!l->client[i])
			return &l->client[i];
		if (l->client[i]->turn < (*oldest)->turn)
			oldest = &l->client[i];
	}
	hang_up(*oldest);
	return oldest;
}

/* With no file left, the one who waits would wake us for ever. */
static void turn_away(struct listener *l)
{
	close(spare);
	close(accept(l->source.fd, NULL, NULL));
	spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listener_ready(struct source *s)
{
	struct listener *l = (struct listener *)s;
	struct client **place, *c;
	int fd = accept4(l->source.fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(l);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		goto err_close;
	c->source = (struct source){ client_ready, fd };
	c->listener = l;
	c->turn = ++turn;
	if (watch(&c->source, EPOLL_CTL_ADD, EPOLLIN))
		goto err_free;
	place = make_room(l);
	*place = c;
	return;

err_free:
	free(c);
err_close:
	close(fd);
}

/* One at a time: the rest of what epoll had to say may be about a client that it ended. */
static void set_ready(void *arg)
{
	struct epoll_event ev;

	(void)arg;
	if (epoll_wait(set, &ev, 1, 0) == 1)
		((struct source *)ev.data.ptr)->ready(ev.data.ptr);
}

static int say(char *why, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, SERVE_WHY, format, args);
	va_end(args);
	return err;
}

/* The socket of a daemon that has died is in the way, that of one that lives is not ours. */
static int listen_path(const char *path, char *why)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat there;
	int fd, err;
	mode_t mask;

	if (strlen(path) >= sizeof(sun.sun_path))
		return say(why, -EINVAL, "%.100s...: a socket's path has at most %zu bytes", path,
			   sizeof(sun.sun_path) - 1);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return say(why, -errno, "%s: %s", path, strerror(errno));
	if (!connect(fd, (struct sockaddr *)&sun, sizeof(sun)) || errno == EAGAIN) {
		close(fd);
		return say(why, -EADDRINUSE, "%s: another xpv-blkd answers there", path);
	}
	if (lstat(path, &there)) {
		if (errno != ENOENT)
			goto err_close;
	} else if (!S_ISSOCK(there.st_mode)) {
		close(fd);
		return say(why, -EEXIST, "%s: is there, and is no socket: remove it, or name another path", path);
	} else if (unlink(path)) {
		goto err_close;
	}
	mask = umask(0077);
	err = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (!err && !listen(fd, SERVE_CLIENTS))
		return fd;

err_close:
	err = -errno;
	close(fd);
	return say(why, err, "%s: %s", path, strerror(-err));
}

static int listen_host(const char *address, char *why)
{
	const struct addrinfo want = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM,
	};
	const char *colon = strrchr(address, ':');
	struct addrinfo *found;
	char host[64];
	int fd, one = 1, err;

	if (!colon)
		return say(why, -EINVAL, "%.100s: neither a path nor ADDRESS:PORT", address);
	/* [::1]:80 */
	if (address[0] == '[' && colon > address && colon[-1] == ']')
		snprintf(host, sizeof(host), "%.*s", (int)(colon - address - 2), address + 1);
	else
		snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	if (getaddrinfo(host, colon + 1, &want, &found))
		return say(why, -EINVAL, "%.100s: neither a path nor ADDRESS:PORT, in numbers", address);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    /* The network may not be up yet. */
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)) ||
	    bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, SERVE_CLIENTS)) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		fd = say(why, err, "%.100s: %s", address, strerror(-err));
	}
	freeaddrinfo(found);
	return fd;
}

/* For the first service. */
static int make_set(void)
{
	int err;

	if (set >= 0)
		return 0;
	spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (spare < 0)
		return -errno;
	set = epoll_create1(EPOLL_CLOEXEC);
	if (set < 0) {
		err = -errno;
		goto err_close_spare;
	}
	err = loop_add(set, set_ready, NULL);
	if (!err)
		return 0;
	close(set);
	set = -1;

err_close_spare:
	close(spare);
	return err;
}

int serve(const struct service *s, const char *address, char *why)
{
	struct listener *l;
	int fd, err;

	fd = address[0] == '/' ? listen_path(address, why) : listen_host(address, why);
	if (fd < 0)
		return fd;
	err = make_set();
	if (err)
		goto err_close;
	err = -ENOMEM;
	l = calloc(1, sizeof(*l));
	if (!l)
		goto err_close;
	l->source = (struct source){ listener_ready, fd };
	l->service = s;
	err = watch(&l->source, EPOLL_CTL_ADD, EPOLLIN);
	if (!err)
		return 0;
	free(l);

err_close:
	close(fd);
	return say(why, err, "%.100s: %s", address, strerror(-err));
}
