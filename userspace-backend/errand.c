// SPDX-License-Identifier: GPL-2.0-only
#include "errand.h"
#include "daemon.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PATIENCE_NS	5000000000ull	/* for those that are out, at the end */
#define AGAIN_MS	100		/* to look for a thread, when there was none */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* for the next two */
static struct errand *returned;
static int bell = -1;

/* The main thread's: how many are out, and those of them that have no thread yet. */
static unsigned int out;
static struct errand *waiting, **last = &waiting;

static void *carry_out(void *arg)
{
	struct errand *e = arg;

	e->why[0] = 0;
	e->err = 0;
	if (e->kind == ERRAND_OPEN)
		e->err = store_open(&e->store, e->target, e->why);
	else if (e->kind == ERRAND_MEASURE)
		e->err = store_measure(&e->store);
	else
		store_close(&e->store);

	/* From here on it is the main thread's, which may free it; nor is the bell closed before. */
	pthread_mutex_lock(&lock);
	e->next = returned;
	returned = e;
	eventfd_write(bell, 1);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static bool start_thread(struct errand *e)
{
	pthread_attr_t detached;
	pthread_t thread;
	bool started;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	started = !pthread_create(&thread, &detached, carry_out, e);
	pthread_attr_destroy(&detached);
	return started;
}

/* In the order in which they were sent, as far as there are threads. */
static void start_waiting(void)
{
	struct errand *e, *next;

	for (e = waiting; e; e = next) {
		next = e->next;
		if (!start_thread(e))
			break;
	}
	waiting = e;
	if (!e)
		last = &waiting;
}

static void try_again(void *arg)
{
	bool *armed = arg;

	*armed = false;
	start_waiting();
	if (waiting)
		*armed = !loop_after(AGAIN_MS, try_again, armed);
}

void errand_send(struct errand *e, enum errand_kind kind)
{
	static bool armed;

	e->kind = kind;
	e->out = true;
	e->next = NULL;
	out++;
	*last = e;
	last = &e->next;
	start_waiting();
	if (waiting && !armed)
		armed = !loop_after(AGAIN_MS, try_again, &armed);
}

static void hear(void *arg)
{
	struct errand *e, *next;
	eventfd_t n;

	(void)arg;
	pthread_mutex_lock(&lock);
	eventfd_read(bell, &n);
	e = returned;
	returned = NULL;
	pthread_mutex_unlock(&lock);
	for (; e; e = next) {
		next = e->next;
		out--;
		e->out = false;
		e->back(e);
	}
}

int errands_start(void)
{
	int err;

	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bell < 0)
		return -errno;
	err = loop_add(bell, hear, NULL);
	if (err)
		close(bell);
	return err;
}

void errands_stop(void)
{
	struct pollfd p = { .fd = bell, .events = POLLIN };
	u64 now = now_ns(), end = now + PATIENCE_NS;

	for (; out && now < end; now = now_ns()) {
		start_waiting();
		poll(&p, 1, AGAIN_MS);
		hear(NULL);
	}
	loop_remove(bell);
	/* Who has not come back yet would ring it. */
	if (!out)
		close(bell);
}
