/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk on an NBD server, between its workers (store_nbd.c) and the thread that has its
 * connections (nbd.c).
 *
 *   worker                        the disk's thread
 *   submit --> [fresh] ---------> [waiting] --> a connection's [flight] ...
 *   done <---- [lane's done] <--------------------------------- answered
 */
#ifndef XPV_BLKD_NBD_H
#define XPV_BLKD_NBD_H

#include <libnbd.h>
#include <pthread.h>
#include <sys/queue.h>

#include "daemon.h"

#define SECOND		1000000000ull	/* ns */
#define PAUSE_LEAST	(SECOND / 5)	/* between tries to connect */

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
	u64 pause;		/* ns: after a try that failed, or did not hold */
	u64 since;		/* ns: when it came up; 0: it has not */
	bool shut;		/* the server wants it to end, and may want the same of the next one */
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
	const char *who;	/* whose it is */
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
	bool alone;		/* the server that is there now wants but one */
	struct conn conn[MAX_NBD_CONNECTIONS];
	u64 ticked;		/* ns */
};

struct lane {
	struct nbd *nbd;
	struct worker *worker;
	struct event event;	/* a read of @fd, while anything is out */
	int fd;			/* eventfd: something is done */
	u64 count;		/* what is read */
	bool listens;
	u32 out;		/* jobs that have not come back */
	struct jobs done;
};

/* nbd.c APIs: */

/* The thread of a disk, @data: it ends when nbd.end is set. */
void *nbd_run(void *data);

#endif
