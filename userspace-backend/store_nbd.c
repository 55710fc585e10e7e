// SPDX-License-Identifier: GPL-2.0-only
/*
 * `nbd://HOST/EXPORT`, `nbd+unix:///EXPORT?socket=PATH`, and by TLS `nbds:...`: the export of an NBD
 * server, through libnbd.
 *
 *   worker                        the disk's thread
 *   submit --> [fresh] ---------> [waiting] --> a connection's [flight] ...
 *   done <---- [lane's done] <--------------------------------- answered
 *
 * The thread has all connections: what a server takes its time for, or a name server, delays this
 * disk alone. A server that says so gets several connections; then a flush by one covers
 * what was written by all. What was in flight on a connection that broke is issued again, by
 * another or by a new one, until it is due: then it has failed.
 */
#include "store.h"

#include <libnbd.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"

#define SECOND		1000000000ull
#define CONNECT_S	5	/* to the first connection, or to one that tells the size */
#define TICK_MS		1000	/* how often it is looked who is due */
#define PAUSE_LEAST	(SECOND / 5)	/* between tries to connect */
#define PAUSE_MOST	(5 * SECOND)
#define MOST_DISCARD	(1ull << 30)	/* bytes in one go */
#define MOST_PHYSICAL	4096u
#define MOST_UNIT	(1u << 20)	/* of discards */

struct lane;
struct conn;

/* An io on its way. */
struct job {
	TAILQ_ENTRY(job) link;	/* in the one list that it is in */
	struct io *io;
	u64 offset, left;	/* what is not done yet; libnbd has the first @piece of it */
	u64 piece;
	struct conn *conn;	/* in whose flight it is */
	u64 due;		/* ns: it has failed then */
	int err;
};

TAILQ_HEAD(jobs, job);

enum conn_state {
	CONN_DOWN,		/* no handle; to be tried again */
	CONN_COMING,		/* connecting, shaking hands */
	CONN_UP,
	CONN_LEAVING,		/* up, but gets nothing more: to be made anew */
};

struct conn {
	struct nbd *nbd;
	struct nbd_handle *handle;
	enum conn_state state;
	struct jobs flight;
	unsigned int load;	/* jobs in flight */
	u64 again;		/* ns: when to try to connect, or to give that up */
	u64 pause;		/* ns: after a try that failed */
	bool told;		/* of its being down */
};

/* What a server says of an export. */
struct export {
	u64 bytes;
	u32 sector, physical, unit;
	u64 most;		/* bytes of a read or write */
	bool readonly, flush, trim, several;
};

struct nbd {
	char *uri;
	pthread_t thread;
	int wake;		/* eventfd, of the thread */
	u64 timeout;		/* ns */
	unsigned int most_conns;

	/* The lock is for these, and for the lanes' done; never held for long. */
	pthread_mutex_t lock;
	pthread_cond_t changed;	/* export or err */
	struct jobs fresh, spare;
	struct export export;
	bool known;		/* export is of this connection, or */
	int err;		/* there is none, and why */
	char why[STORE_WHY];
	bool renew, end;	/* what the thread is to do */

	/* The thread's. */
	struct jobs waiting;
	unsigned int nr_conns;
	struct conn conn[MAX_NBD_CONNECTIONS];
	u64 ticked;		/* ns */
};

struct lane {
	struct nbd *nbd;
	struct worker *worker;
	struct event event;	/* a read of @fd */
	int fd;			/* eventfd: something is done */
	u64 count;		/* what is read */
	bool leaving;
	struct jobs done;
};

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * SECOND + (u64)t.tv_nsec;
}

/* --- the disk's thread: jobs --- */

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
	}
	if (*error == ESHUTDOWN)
		c->state = CONN_LEAVING;
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
	}
	if (cookie >= 0)
		return 0;
	take_off(job);
	return -1;
}

static struct conn *least_loaded(struct nbd *nbd)
{
	struct conn *c, *least = NULL;

	for (c = nbd->conn; c < nbd->conn + nbd->nr_conns; c++)
		if (c->state == CONN_UP && (!least || c->load < least->load))
			least = c;
	return least;
}

/* --- the disk's thread: connections --- */

/* It is of no use any more; what it had is issued again. */
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
		log_warning("%s: %s; %u requests in flight, trying again", nbd->uri, why, c->load);
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
	/* A read that fails is answered without data: nobody looks into the buffer. */
	nbd_set_pread_initialize(c->handle, false);
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
	c->pause = PAUSE_LEAST;
	if (c->told)
		log_info("%s: connected again", nbd->uri);
	c->told = false;
	if (c != nbd->conn)
		return;
	/* What was promised to the guest stays as it was, but for the size. */
	first = nbd->export;
	if (first.sector) {
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

/* --- the disk's thread: its loop --- */

static void hand_out(struct nbd *nbd)
{
	struct conn *c;
	struct job *job;

	while ((c = least_loaded(nbd)) && (job = TAILQ_FIRST(&nbd->waiting))) {
		TAILQ_REMOVE(&nbd->waiting, job, link);
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
	for (i = 0; i < nr; i++)
		if (fds[i + 1].revents)
			happened(&nbd->conn[i], fds[i + 1].revents);
}

static void *run(void *data)
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

/* --- the main thread --- */

/* *@e is of the first connection, if that is up, or not known to fail, before CONNECT_S have passed. */
static int wait_until_known(struct nbd *nbd, struct export *e, char *why)
{
	struct timespec end;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += CONNECT_S;
	pthread_mutex_lock(&nbd->lock);
	while (!nbd->known && !nbd->err && !err)
		err = -pthread_cond_timedwait(&nbd->changed, &nbd->lock, &end);
	if (!nbd->known && nbd->err)
		err = nbd->err;
	*e = nbd->export;
	snprintf(why, STORE_WHY, "%.120s: %.120s", nbd->uri, nbd->err ? nbd->why : "no answer");
	pthread_mutex_unlock(&nbd->lock);
	return err;
}

static void init(struct nbd *nbd)
{
	pthread_condattr_t monotonic;
	struct conn *c;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&nbd->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&nbd->lock, NULL);
	TAILQ_INIT(&nbd->fresh);
	TAILQ_INIT(&nbd->spare);
	TAILQ_INIT(&nbd->waiting);
	for (c = nbd->conn; c < nbd->conn + MAX_NBD_CONNECTIONS; c++) {
		c->nbd = nbd;
		c->pause = PAUSE_LEAST;
		TAILQ_INIT(&c->flight);
	}
	nbd->nr_conns = 1;
	nbd->most_conns = config.nbd_connections ?: 1;
	nbd->timeout = (config.nbd_timeout_s ?: 1) * SECOND;
}

static void uninit(struct nbd *nbd)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&nbd->spare))) {
		TAILQ_REMOVE(&nbd->spare, job, link);
		free(job);
	}
	pthread_mutex_destroy(&nbd->lock);
	pthread_cond_destroy(&nbd->changed);
}

static void end_thread(struct nbd *nbd)
{
	pthread_mutex_lock(&nbd->lock);
	nbd->end = true;
	pthread_mutex_unlock(&nbd->lock);
	eventfd_write(nbd->wake, 1);
	pthread_join(nbd->thread, NULL);
}

static int fit(struct store *s, struct nbd *nbd, const struct export *e, char *why)
{
	if (e->readonly && !s->readonly) {
		snprintf(why, STORE_WHY, "%.120s: the server lets nobody write; say access=ro", nbd->uri);
		return -EROFS;
	}
	s->bytes = e->bytes;
	s->flush = e->flush;
	s->sector = e->sector;
	s->physical = e->physical;
	s->discard = e->trim ? e->unit : 0;
	return 0;
}

/* The part before the colon belongs to the server's address as well. */
static int nbd_open(struct store *s, const char *target, char *why)
{
	struct nbd *nbd = calloc(1, sizeof(*nbd));
	struct export e;
	int err = -ENOMEM;

	if (!nbd)
		goto err_no_memory;
	init(nbd);
	if (asprintf(&nbd->uri, "%s:%s", s->ops->kind, target) < 0)
		goto err_uninit;
	nbd->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (nbd->wake < 0)
		goto err_free_uri;
	if (pthread_create(&nbd->thread, NULL, run, nbd))
		goto err_close_wake;
	err = wait_until_known(nbd, &e, why);
	if (!err)
		err = fit(s, nbd, &e, why);
	if (err)
		goto err_end_thread;
	s->data = nbd;
	return 0;

err_end_thread:
	end_thread(nbd);
err_close_wake:
	close(nbd->wake);
err_free_uri:
	free(nbd->uri);
err_uninit:
	uninit(nbd);
	free(nbd);
err_no_memory:
	if (err == -ENOMEM)
		snprintf(why, STORE_WHY, "no memory");
	return err;
}

static void nbd_close_store(struct store *s)
{
	struct nbd *nbd = s->data;

	end_thread(nbd);
	close(nbd->wake);
	free(nbd->uri);
	uninit(nbd);
	free(nbd);
}

/* Servers tell the size when they are connected to, so that is what is done. */
static int nbd_measure(struct store *s)
{
	struct nbd *nbd = s->data;
	char why[STORE_WHY];
	struct export e;
	int err;

	pthread_mutex_lock(&nbd->lock);
	nbd->known = false;
	nbd->err = 0;
	nbd->renew = true;
	pthread_mutex_unlock(&nbd->lock);
	eventfd_write(nbd->wake, 1);
	err = wait_until_known(nbd, &e, why);
	if (!err)
		s->bytes = e.bytes;
	return err;
}

/* --- workers --- */

static void some_done(struct event *ev, int res, u32 flags);

static void listen_to(struct lane *lane)
{
	io_uring_prep_read(worker_sqe(lane->worker, &lane->event), lane->fd, &lane->count, sizeof(lane->count), 0);
}

static void *attach(struct store *s, struct worker *w)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->nbd = s->data;
	lane->worker = w;
	lane->event.fn = some_done;
	TAILQ_INIT(&lane->done);
	lane->fd = eventfd(0, EFD_CLOEXEC);
	if (lane->fd < 0) {
		free(lane);
		return NULL;
	}
	listen_to(lane);
	return lane;
}

/* The kernel has its memory until the read has ended. */
static void detach(void *arg)
{
	struct lane *lane = arg;

	lane->leaving = true;
	eventfd_write(lane->fd, 1);
}

static void some_done(struct event *ev, int res, u32 flags)
{
	struct lane *lane = (struct lane *)((char *)ev - offsetof(struct lane, event));
	struct nbd *nbd = lane->nbd;
	struct jobs done = TAILQ_HEAD_INITIALIZER(done);
	struct job *job;

	(void)res, (void)flags;
	if (lane->leaving) {
		close(lane->fd);
		free(lane);
		return;
	}
	listen_to(lane);
	pthread_mutex_lock(&nbd->lock);
	TAILQ_CONCAT(&done, &lane->done, link);
	pthread_mutex_unlock(&nbd->lock);
	while ((job = TAILQ_FIRST(&done))) {
		struct io *io = job->io;
		int err = job->err;

		TAILQ_REMOVE(&done, job, link);
		pthread_mutex_lock(&nbd->lock);
		TAILQ_INSERT_HEAD(&nbd->spare, job, link);
		pthread_mutex_unlock(&nbd->lock);
		io->done(io, err);
	}
}

/* With the lock held. */
static struct job *new_job(struct nbd *nbd)
{
	struct job *job = TAILQ_FIRST(&nbd->spare);

	if (!job)
		return calloc(1, sizeof(*job));
	TAILQ_REMOVE(&nbd->spare, job, link);
	return job;
}

static void submit(void *arg, struct io *io)
{
	struct lane *lane = arg;
	struct nbd *nbd = lane->nbd;
	struct job *job;
	bool first = false;

	io->lane = lane;
	pthread_mutex_lock(&nbd->lock);
	job = new_job(nbd);
	if (job) {
		*job = (struct job){ .io = io, .offset = io->offset, .left = io->op == IO_FLUSH ? 0 : io->bytes };
		first = TAILQ_EMPTY(&nbd->fresh);
		TAILQ_INSERT_TAIL(&nbd->fresh, job, link);
	}
	pthread_mutex_unlock(&nbd->lock);
	if (!job)
		io->done(io, -ENOMEM);
	else if (first)
		eventfd_write(nbd->wake, 1);
}

#define NBD_STORE(name, scheme)			\
	const struct store_ops name = {		\
		.kind = scheme,			\
		.open = nbd_open,		\
		.close = nbd_close_store,	\
		.measure = nbd_measure,		\
		.attach = attach,		\
		.detach = detach,		\
		.submit = submit,		\
	}

NBD_STORE(store_nbd, "nbd");
NBD_STORE(store_nbds, "nbds");
NBD_STORE(store_nbd_unix, "nbd+unix");
NBD_STORE(store_nbds_unix, "nbds+unix");
