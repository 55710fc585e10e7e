// SPDX-License-Identifier: GPL-2.0-only
/*
 * `nbd://HOST/EXPORT`, `nbd+unix:///EXPORT?socket=PATH`, and by TLS `nbds:...`: the export of an NBD
 * server, through libnbd. What workers submit goes to the disk's thread, and comes back by an
 * eventfd that their io_uring reads.
 */
#include "nbd.h"

#include <liburing.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define CONNECT_S	5	/* to the first connection, or to one that tells the size */

/* --- those who open, measure and close --- */

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
	/* Not the main thread's: it may read them anew. */
	nbd->most_conns = READ_ONCE(config.nbd_connections) ?: 1;
	nbd->timeout = (READ_ONCE(config.nbd_timeout_s) ?: 1) * SECOND;
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
	nbd->who = s->who ?: "nbd";
	if (asprintf(&nbd->uri, "%s:%s", s->ops->kind, target) < 0)
		goto err_uninit;
	nbd->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (nbd->wake < 0)
		goto err_free_uri;
	if (pthread_create(&nbd->thread, NULL, nbd_run, nbd))
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

/* As long as something is out. */
static void listen_to(struct lane *lane)
{
	if (lane->listens || !lane->out)
		return;
	lane->listens = true;
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
	return lane;
}

/* Nothing is out, so nobody listens. */
static void detach(void *arg)
{
	struct lane *lane = arg;

	close(lane->fd);
	free(lane);
}

static void some_done(struct event *ev, int res, u32 flags)
{
	struct lane *lane = event_of(ev, struct lane, event);
	struct nbd *nbd = lane->nbd;
	struct jobs done = TAILQ_HEAD_INITIALIZER(done);
	struct job *job;

	(void)res, (void)flags;
	lane->listens = false;
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
		lane->out--;
		io->done(io, err);
	}
	listen_to(lane);
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
	if (!job) {
		io->done(io, -ENOMEM);
		return;
	}
	lane->out++;
	listen_to(lane);
	if (first)
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
