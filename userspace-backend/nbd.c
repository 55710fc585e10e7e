// SPDX-License-Identifier: GPL-2.0-only
/*
 * The thread that has a disk's connections to its NBD server: what the server takes its time for, or
 * a name server, delays this disk alone. A server that says so gets several connections; then
 * a flush by one covers what was written by all. What was in flight on a connection that
 * broke is issued again, by another or by a new one, until it is due: then it has failed.
 */
#include "nbd.h"

#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS		1000	/* how often it is looked who is due */
#define PAUSE_MOST	(5 * SECOND)	/* between tries to connect */
#define MOST_DISCARD	(1ull << 30)	/* bytes in one go */
#define MOST_PHYSICAL	4096u
#define MOST_UNIT	(1u << 20)	/* of discards */

/* --- jobs --- */

static void finish(struct nbd *nbd, struct job *job, int err)
{
	struct lane *lane = job->io->lane;

	job->err = err;
	pthread_mutex_lock(&nbd->lock);
	/* The worker, woken once, takes all. Told under the lock: without it the lane may be gone. */
	if (TAILQ_EMPTY(&lane->done))
		eventfd_write(lane->fd, 1);
	TAILQ_INSERT_TAIL(&lane->done, job, link);
	pthread_mutex_unlock(&nbd->lock);
}

static void take_off(struct job *job)
{
	TAILQ_REMOVE(&job->conn->flight, job, link);
	job->conn->load--;
	job->conn = NULL;
}

/*
 * libnbd's word on a job, with the handle locked. ENOTCONN is of its own, when the connection ends;
 * ESHUTDOWN a server's that is about to end it.
 */
static int answered(void *data, int *error)
{
	struct job *job = data;
	struct conn *c = job->conn;
	struct nbd *nbd = c->nbd;

	take_off(job);
	if (!*error) {
		job->offset += job->piece;
		job->left -= job->piece;
		job->due = now_ns() + nbd->timeout;
	}
	if (*error == ESHUTDOWN) {
		c->state = CONN_LEAVING;
		c->shut = true;
	}
	if ((!*error && job->left) || *error == ENOTCONN || *error == ESHUTDOWN)
		TAILQ_INSERT_HEAD(&nbd->waiting, job, link);
	else
		finish(nbd, job, -*error);
	return 1;
}

/* 0, or -1 if libnbd doesn't take it. */
static int issue(struct conn *c, struct job *job)
{
	const nbd_completion_callback done = { .callback = answered, .user_data = job };
	const struct io *io = job->io;
	u64 most = io->op == IO_DISCARD ? MOST_DISCARD : c->nbd->export.most;
	u8 *buf = (u8 *)io->buf + (job->offset - io->offset);
	s64 cookie = -1;

	job->piece = job->left < most ? job->left : most;
	job->conn = c;
	TAILQ_INSERT_TAIL(&c->flight, job, link);
	c->load++;
	switch (io->op) {
	case IO_READ:
		cookie = nbd_aio_pread(c->handle, buf, job->piece, job->offset, done, 0);
		break;
	case IO_WRITE:
		cookie = nbd_aio_pwrite(c->handle, buf, job->piece, job->offset, done, 0);
		break;
	case IO_FLUSH:
		cookie = nbd_aio_flush(c->handle, done, 0);
		break;
	case IO_DISCARD:
		cookie = nbd_aio_trim(c->handle, job->piece, job->offset, done, 0);
		break;
	case IO_WRITE_FUA:	/* which the store has not */
		break;
	}
	if (cookie >= 0)
		return 0;
	take_off(job);
	return -1;
}

/* How many of the connections are to be used. */
static unsigned int used(const struct nbd *nbd)
{
	return nbd->alone ? 1 : nbd->nr_conns;
}

static struct conn *least_loaded(struct nbd *nbd)
{
	struct conn *c, *least = NULL;

	for (c = nbd->conn; c < nbd->conn + used(nbd); c++)
		if (c->state == CONN_UP && (!least || c->load < least->load))
			least = c;
	return least;
}

/* --- connections --- */

/*
 * It is of no use any more; what it had is issued again. The server may still be at work on that: the data
 * is the same, so the one who could be overtaken is a guest that writes there again after the
 * answer. No client that connects again can rule that out; servers end what a connection left behind.
 */
static void drop(struct conn *c)
{
	struct job *job;

	/* Ends what libnbd would still do with the buffers. */
	nbd_close(c->handle);
	c->handle = NULL;
	while ((job = TAILQ_FIRST(&c->flight))) {
		take_off(job);
		TAILQ_INSERT_HEAD(&c->nbd->waiting, job, link);
	}
	c->state = CONN_DOWN;
	/* A server that hangs up as soon as it is asked is not asked all the time. */
	if (c->since && now_ns() - c->since > c->pause)
		c->pause = PAUSE_LEAST;
	c->since = 0;
	c->again = now_ns() + c->pause;
	c->pause = c->pause * 2 < PAUSE_MOST ? c->pause * 2 : PAUSE_MOST;
}

static void tell(struct nbd *nbd, const struct export *export, int err, const char *why)
{
	pthread_mutex_lock(&nbd->lock);
	if (export)
		nbd->export = *export;
	nbd->known = export;
	nbd->err = err;
	snprintf(nbd->why, sizeof(nbd->why), "%s", why);
	pthread_cond_broadcast(&nbd->changed);
	pthread_mutex_unlock(&nbd->lock);
}

/* It broke, or does not come up. A log line for each time it was up. */
static void broken(struct conn *c, const char *why)
{
	struct nbd *nbd = c->nbd;

	if (!c->told)
		log_warning("%s: %s: %s; trying again", nbd->who, nbd->uri, why);
	c->told = true;
	if (c == nbd->conn)
		tell(nbd, NULL, -EIO, why);
	drop(c);
}

static const char *nbd_why(void)
{
	return nbd_get_error() ?: "the server hung up";
}

static void start_connecting(struct conn *c)
{
	c->handle = nbd_create();
	if (!c->handle) {
		c->again = now_ns() + c->pause;
		return;
	}
	c->state = CONN_COMING;
	c->again = now_ns() + c->nbd->timeout;
	/* Of keys, for TLS. */
	nbd_set_uri_allow_local_file(c->handle, true);
	if (nbd_aio_connect_uri(c->handle, c->nbd->uri))
		broken(c, nbd_why());
}

static u32 power_of_two(s64 n, u32 least, u32 most)
{
	u32 p = least;

	while (p < n && p < most)
		p *= 2;
	return p;
}

/* What the server says; NULL and why not in @why if it can't be used. */
static struct export *learn(struct conn *c, struct export *e, const char **why)
{
	struct nbd_handle *h = c->handle;
	s64 least = nbd_get_block_size(h, LIBNBD_SIZE_MINIMUM), most = nbd_get_block_size(h, LIBNBD_SIZE_MAXIMUM);
	s64 preferred = nbd_get_block_size(h, LIBNBD_SIZE_PREFERRED), bytes = nbd_get_size(h);

	*e = (struct export){
		.sector = power_of_two(least, 512, 4096),
		.physical = power_of_two(preferred, 512, MOST_PHYSICAL),
		.unit = power_of_two(preferred, 512, MOST_UNIT),
		/* More than any request, and less than any server's limit. */
		.most = most > 0 && most < 1 << 20 ? most : 1 << 20,
		.readonly = nbd_is_read_only(h) > 0,
		.flush = nbd_can_flush(h) > 0,
		.trim = nbd_can_trim(h) > 0,
		.several = nbd_can_multi_conn(h) > 0,
	};
	e->physical = e->physical < e->sector ? e->sector : e->physical;
	e->unit = e->unit < e->physical ? e->physical : e->unit;
	*why = bytes < 0 ? "the server does not say how large it is" :
	       least > 4096 || e->most % e->sector ? "its blocks don't fit sectors of 512 to 4096 bytes" : NULL;
	e->bytes = bytes - bytes % e->sector;
	return *why ? NULL : e;
}

/* What the others were told when they were made holds no more: libnbd lets nothing through that is beyond it. */
static void renew_others(struct nbd *nbd)
{
	struct conn *c;

	for (c = nbd->conn + 1; c < nbd->conn + nbd->nr_conns; c++) {
		if (c->state == CONN_UP) {
			c->state = CONN_LEAVING;
		} else if (c->state == CONN_COMING) {
			drop(c);
			c->again = 0;
		}
	}
}

static void come_up(struct conn *c)
{
	struct nbd *nbd = c->nbd;
	struct export e, first;
	const char *why;

	if (!learn(c, &e, &why)) {
		broken(c, why);
		return;
	}
	c->state = CONN_UP;
	c->since = now_ns();
	c->shut = false;
	if (c->told)
		log_info("%s: %s: connected again", nbd->who, nbd->uri);
	c->told = false;
	/* A flush by one covers no other's writes, by the word of the server that is there now. */
	if (!e.several && nbd->nr_conns > 1) {
		nbd->alone = true;
		renew_others(nbd);
	}
	if (c != nbd->conn)
		return;
	nbd->alone = !e.several;
	/* What was promised to the guest stays as it was, but for the size. */
	first = nbd->export;
	if (first.sector) {
		if (first.bytes != e.bytes)
			renew_others(nbd);
		first.bytes = e.bytes;
		e = first;
	}
	tell(nbd, &e, 0, "");
	nbd->nr_conns = e.several ? nbd->most_conns : 1;
}

/* The connection after something has happened to it. */
static void look_at(struct conn *c)
{
	if (nbd_aio_is_dead(c->handle) || nbd_aio_is_closed(c->handle)) {
		broken(c, nbd_why());
	} else if (c->state == CONN_COMING && nbd_aio_is_ready(c->handle)) {
		come_up(c);
	} else if (c->state == CONN_LEAVING && !c->load) {
		nbd_aio_disconnect(c->handle, 0);
		drop(c);
		if (!c->shut)
			c->again = 0;
	}
}

static void happened(struct conn *c, short events)
{
	unsigned int direction = nbd_aio_get_direction(c->handle);

	if (events & (POLLIN | POLLHUP | POLLERR) && direction & LIBNBD_AIO_DIRECTION_READ)
		nbd_aio_notify_read(c->handle);
	else if (events & (POLLOUT | POLLERR | POLLHUP) && direction & LIBNBD_AIO_DIRECTION_WRITE)
		nbd_aio_notify_write(c->handle);
	look_at(c);
}

/* --- the loop --- */

static void hand_out(struct nbd *nbd)
{
	struct conn *c;
	struct job *job;

	while ((c = least_loaded(nbd)) && (job = TAILQ_FIRST(&nbd->waiting))) {
		TAILQ_REMOVE(&nbd->waiting, job, link);
		if (io_cut(job->io)) {
			finish(nbd, job, 0);
			continue;
		}
		if (!issue(c, job))
			continue;
		if (nbd_aio_is_ready(c->handle) || nbd_aio_is_processing(c->handle)) {
			finish(nbd, job, -(nbd_get_errno() ?: EIO));
		} else {
			TAILQ_INSERT_HEAD(&nbd->waiting, job, link);
			broken(c, nbd_why());
		}
	}
}

static bool any_due(const struct jobs *jobs, u64 now)
{
	struct job *job;

	TAILQ_FOREACH(job, jobs, link)
		if (job->due <= now)
			return true;
	return false;
}

/* A server that takes a request and never answers is as good as one that is gone. */
static void tick(struct nbd *nbd, u64 now)
{
	struct job *job, *next;
	struct conn *c;

	if (now - nbd->ticked < TICK_MS * 1000000ull)
		return;
	nbd->ticked = now;
	for (c = nbd->conn; c < nbd->conn + nbd->nr_conns; c++)
		if (c->handle && any_due(&c->flight, now))
			broken(c, "no answer in time");
	for (job = TAILQ_FIRST(&nbd->waiting); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->due > now)
			continue;
		TAILQ_REMOVE(&nbd->waiting, job, link);
		finish(nbd, job, -ETIMEDOUT);
	}
}

/* What others have left; false: it is time to end. */
static bool take_fresh(struct nbd *nbd, u64 now)
{
	struct job *job;
	bool end;

	pthread_mutex_lock(&nbd->lock);
	TAILQ_FOREACH(job, &nbd->fresh, link)
		job->due = now + nbd->timeout;
	TAILQ_CONCAT(&nbd->waiting, &nbd->fresh, link);
	if (nbd->renew && nbd->conn->state == CONN_UP)
		nbd->conn->state = CONN_LEAVING;
	nbd->renew = false;
	end = nbd->end;
	pthread_mutex_unlock(&nbd->lock);
	return !end;
}

/* Connect those whose time has come. ms until the next one's, or until the next tick; -1: none. */
static int connect_all(struct nbd *nbd, u64 now)
{
	bool busy = !TAILQ_EMPTY(&nbd->waiting);
	u64 next = UINT64_MAX;
	struct conn *c;

	for (c = nbd->conn; c < nbd->conn + nbd->nr_conns; c++) {
		if (c->state == CONN_COMING && c->again <= now)
			broken(c, "no answer in time");
		if (c->state == CONN_DOWN && c >= nbd->conn + used(nbd))
			continue;
		if (c->state == CONN_DOWN && c->again <= now)
			start_connecting(c);
		if ((c->state == CONN_DOWN || c->state == CONN_COMING) && c->again < next)
			next = c->again;
		busy = busy || c->load;
	}
	if (next != UINT64_MAX)
		next = next > now ? (next - now) / 1000000 + 1 : 0;
	if (busy && next > TICK_MS)
		next = TICK_MS;
	return next == UINT64_MAX ? -1 : (int)next;
}

static void wait_for_news(struct nbd *nbd, int ms)
{
	struct pollfd fds[1 + MAX_NBD_CONNECTIONS] = { { nbd->wake, POLLIN, 0 } };
	unsigned int i, nr = nbd->nr_conns;
	eventfd_t n;

	for (i = 0; i < nr; i++) {
		struct conn *c = &nbd->conn[i];
		unsigned int direction = c->handle ? nbd_aio_get_direction(c->handle) : 0;

		fds[i + 1].fd = c->handle ? nbd_aio_get_fd(c->handle) : -1;
		fds[i + 1].events = (direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
				    (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0);
	}
	if (poll(fds, nr + 1, ms) < 0)
		return;
	if (fds[0].revents)
		eventfd_read(nbd->wake, &n);
	/* What happens to the first may end others. */
	for (i = 0; i < nr; i++)
		if (fds[i + 1].revents && nbd->conn[i].handle)
			happened(&nbd->conn[i], fds[i + 1].revents);
}

void *nbd_run(void *data)
{
	struct nbd *nbd = data;
	struct conn *c;
	u64 now = now_ns();

	while (take_fresh(nbd, now)) {
		tick(nbd, now);
		hand_out(nbd);
		/* What went wrong with handing out is seen here, what was left to do before a new connection too. */
		for (c = nbd->conn; c < nbd->conn + nbd->nr_conns; c++)
			if (c->handle)
				look_at(c);
		wait_for_news(nbd, connect_all(nbd, now));
		now = now_ns();
	}
	for (c = nbd->conn; c < nbd->conn + nbd->nr_conns; c++)
		if (c->handle) {
			nbd_aio_disconnect(c->handle, 0);
			drop(c);
		}
	return NULL;
}
