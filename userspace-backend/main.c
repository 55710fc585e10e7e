// SPDX-License-Identifier: GPL-2.0-only
/* xpv-blkd: starts, reads its signals, and ends. */
#include "daemon.h"
#include "disk.h"
#include "notify.h"
#include "world.h"
#include "xenbus.h"
#include "xentop.h"

#include <xpv/version.h>

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_FILE	"/etc/xpv-blkd.conf"
#define HELD_S		5u	/* what a store has not answered for so long is not waited for */
#define DRAIN_MS	200u	/* between two looks at what is left */
#define LOCK_MS		20u	/* between two tries to lock the directory */
#define LOCK_TRIES	500u

struct config config;

static const char *file;		/* of the settings; NULL: the usual one, if it is there */
static int signals = -1;

static void usage(FILE *to)
{
	fprintf(to, "usage: xpv-blkd [--config FILE]\n"
		    "Serves disks to Xen guests, in the foreground; see xpv-blkd(8).\n"
		    "  -c, --config FILE  settings (" CONFIG_FILE " if it is there)\n"
		    "  -h, --help         this\n"
		    "  -V, --version      which one it is\n");
}

static int load(struct config *c)
{
	char why[CONFIG_WHY];
	const char *from = file ? file : access(CONFIG_FILE, F_OK) ? NULL : CONFIG_FILE;
	int err = config_load(c, from, why);

	if (err)
		log_error("%s", why);
	return err;
}

/* What holds from the next start only stays. */
static void reload(void)
{
	struct config new;

	notify("RELOADING=1");
	if (!load(&new)) {
		WRITE_ONCE(config.poll_us, new.poll_us);
		config.drain_s = new.drain_s;
		config.max_queues = new.max_queues;
		config.max_ring_order = new.max_ring_order;
		WRITE_ONCE(config.persistent_grants, new.persistent_grants);
		WRITE_ONCE(config.persistent_unused_s, new.persistent_unused_s);
		WRITE_ONCE(config.nbd_connections, new.nbd_connections);
		WRITE_ONCE(config.nbd_timeout_s, new.nbd_timeout_s);
		config_free(&new);
		disks_settings_changed();
		log_info("settings read again");
	}
	notify("READY=1");
}

static u64 in_flight(void)
{
	struct disk_stats s;
	struct disk *d;
	u64 n = 0;

	for (d = disk_next(NULL); d; d = disk_next(d)) {
		disk_stats(d, &s);
		n += s.inflight;
	}
	return n;
}

/* Has all that is in flight been so for HELD_S? Then its stores may never answer. */
static bool all_held(void)
{
	struct disk *d;
	bool any = false;

	for (d = disk_next(NULL); d; d = disk_next(d)) {
		u64 since = disk_youngest(d);

		if (since && now_ns() < since + HELD_S * 1000000000ull)
			return false;
		any |= since != 0;
	}
	return any;
}

/*
 * What is stuck, a request or a store that does not close, may keep the kernel from ending this process
 * for as long: then it is to hold no other's file, nor a socket or event channel.
 */
static void let_go(void)
{
	close_range(3, ~0u, 0);
}

/*
 * The guests of all disks wait for this end, also those whose requests have all been answered. So where
 * only what is stuck is left, it is as if we had been killed: who comes next finds in the journals what was
 * in flight.
 */
static void watch_drain(void *arg)
{
	static unsigned int ms = DRAIN_MS;

	(void)arg;
	if (ms < config.drain_s * 1000 && !all_held() && !loop_after(DRAIN_MS, watch_drain, NULL)) {
		ms += DRAIN_MS;
		return;
	}
	log_warning("%llu requests are still in flight, ending all the same", (unsigned long long)in_flight());
	/* What would fail for want of what is let go of is not to be answered. */
	disks_halt();
	let_go();
	_exit(0);
}

static void take_signal(void *arg)
{
	static bool stopping;
	struct signalfd_siginfo info;

	(void)arg;
	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		reload();
	} else if (!stopping) {
		stopping = true;
		notify("STOPPING=1");
		loop_after(DRAIN_MS, watch_drain, NULL);
		xenbus_drain(loop_end);
	}
}

/* Before there is a thread, so that none but this one ever gets them. */
static int take_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals < 0 ? -errno : loop_add(signals, take_signal, NULL);
}

/* The kernel may still be ending one that was killed, and what it had in flight. */
static int lock_file(int fd)
{
	unsigned int tries = LOCK_TRIES;
	int err;

	while ((err = flock(fd, LOCK_EX | LOCK_NB)) && errno == EWOULDBLOCK && tries--)
		poll(NULL, 0, LOCK_MS);
	return err;
}

/* One daemon for a directory: two would serve the same rings. */
static int lock(void)
{
	char path[256];
	int fd;

	if (mkdir(config.run_dir, 0700) && errno != EEXIST) {
		log_error("%s: %s", config.run_dir, strerror(errno));
		return -errno;
	}
	snprintf(path, sizeof(path), "%s/lock", config.run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || lock_file(fd)) {
		log_error("%s: %s", path, fd < 0 ? strerror(errno) : "another xpv-blkd is running");
		return -EBUSY;
	}
	return 0;
}

static int start(void)
{
	char why[STORE_WHY];
	int err = take_signals();

	if (err) {
		log_error("signals can't be taken: %s", strerror(-err));
		return err;
	}
	err = lock();
	if (err)
		return err;
	err = xentop_start();
	if (err) {
		log_error("xentop's signals can't be taken: %s", strerror(-err));
		return err;
	}
	err = world_open();
	if (err) {
		log_error("no grants (%s): is this dom0, and is xen-gntdev loaded?", strerror(-err));
		return err;
	}
	err = disks_start();
	if (err) {
		log_error("the threads can't be started: %s", strerror(-err));
		goto err_close_world;
	}
	err = control_start(why);
	if (err) {
		log_error("%s", why);
		goto err_stop_disks;
	}
	/* Disks are served all the same. */
	if (metrics_start(why))
		log_warning("no metrics: %s", why);
	err = xenbus_start();
	if (err) {
		log_error("no xenstore: %s", strerror(-err));
		goto err_stop_disks;
	}
	return 0;

err_stop_disks:
	disks_stop();
err_close_world:
	world_close();
	return err;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		if (option == 'c') {
			file = optarg;
		} else if (option == 'V') {
			puts("xpv-blkd " XPV_VERSION);
			return 0;
		} else {
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	if (load(&config) || start())
		return 1;
	notify("READY=1");
	notify_watchdog();
	log_info("serving, with %u thread%s", disks_workers(), disks_workers() == 1 ? "" : "s");
	loop_run();

	xentop_stop();
	xenbus_stop();
	disks_stop();
	world_close();
	let_go();
	return 0;
}
