// SPDX-License-Identifier: GPL-2.0-only
/* xpv-blkctl: asks xpv-blkd over its control socket, and shows the answer. See xpv-blkctl(8). */
#include "blkctl.h"

#include <xpv/version.h>

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SOCKET		"/run/xpv-blkd/control"
#define AGAIN_LEAST_MS	5	/* between two tries, and twice as long each time */
#define AGAIN_MOST_MS	200
#define PATIENCE_S	20	/* a hotplug script has 40 seconds */
#define CLOSE_S		5	/* what takes longer is done, but not waited for */
#define RESTART_S	10	/* in which a daemon that has just ended is there again */
#define ANSWER_S	5	/* to a question */

/* What this program ends with, besides 0. */
enum { REFUSED = 1, USAGE = 2, UNREACHABLE = 3 };

static const char usage[] =
	"usage: xpv-blkctl [--socket PATH] COMMAND\n"
	"  list [--json]                       the disks that xpv-blkd serves\n"
	"  stats [--json] [--watch[=SECONDS]] [DISK]\n"
	"                                      what they have done; with --watch, per second\n"
	"  limit DISK [iops=N] [bytes=N[KMGT]] at most so much per second; 0: no limit\n"
	"  resize DISK                         tell the guest how large the disk is now\n"
	"  detach DISK                         take it away from the guest\n"
	"  open PATH, close PATH               for the hotplug script: the disk of backend/vbd3/DOMAIN/DEVICE\n"
	"DISK is DOMAIN/DEVICE: 1/xvda or 1/51712. --version says which xpv-blkctl this is.\n";

static struct {
	const char *socket;
	bool json;
	double watch;		/* seconds between looks; 0: look once */
	bool persists;		/* waits for a daemon that is started anew */
	FILE *daemon;		/* the connection; NULL: there is none, and @why not */
	const char *why;
	bool denied;		/* that is why */
} ctl = { .socket = SOCKET };

static void wrong(const char *what)
{
	fprintf(stderr, "xpv-blkctl: %s\n%s", what, usage);
	exit(USAGE);
}

static void unreachable(void)
{
	fprintf(stderr, "xpv-blkctl: xpv-blkd does not answer on %s: %s; %s\n", ctl.socket, ctl.why,
		ctl.denied ? "only root may ask" : "systemctl start xpv-blkd");
	exit(UNREACHABLE);
}

static void call_daemon(void)
{
	/* The toolstack waits for who asks, and stops it in the end without a word. */
	static const struct timeval patience = { .tv_sec = ANSWER_S };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(ctl.socket) >= sizeof(sun.sun_path))
		wrong("the path of the socket is too long");
	strcpy(sun.sun_path, ctl.socket);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) && !connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		ctl.daemon = fdopen(fd, "r");
	if (ctl.daemon)
		return;
	ctl.why = strerror(errno);
	ctl.denied = errno == EACCES;
	if (fd >= 0)
		close(fd);
}

static struct json_object *no_answer(const char *why)
{
	fclose(ctl.daemon);
	ctl.daemon = NULL;
	ctl.why = why;
	return NULL;
}

/* The answer to @question, to be put by the caller; NULL: there is none, and ctl.why. */
static struct json_object *ask(struct json_object *question)
{
	struct json_object *answer;
	char *line = NULL;
	size_t size = 0;

	if (!ctl.daemon)
		call_daemon();
	if (!ctl.daemon)
		return NULL;
	if (dprintf(fileno(ctl.daemon), "%s\n", json_object_to_json_string_ext(question, JSON_C_TO_STRING_PLAIN)) < 0)
		return no_answer(strerror(errno));
	errno = 0;
	answer = getline(&line, &size, ctl.daemon) > 0 ? json_tokener_parse(line) : NULL;
	free(line);
	return answer ?: no_answer(errno == EAGAIN ? "it takes too long" : errno ? strerror(errno) : "it hung up");
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* The answer, once the daemon does not say `again`, in @patience seconds; ends the program if it refuses. */
static struct json_object *demand(struct json_object *question, u32 patience)
{
	double end = now() + patience, restarted = now() + RESTART_S;
	u32 ms = AGAIN_LEAST_MS;
	struct json_object *answer;

	for (;;) {
		answer = ask(question);
		if (answer)
			restarted = now() + RESTART_S;
		if (!answer && (!ctl.persists || now() > restarted))
			unreachable();
		if (answer && get_truth(answer, "ok"))
			return answer;
		if (answer && (!get_truth(answer, "again") || now() > end))
			break;
		json_object_put(answer);
		usleep(ms * 1000);
		ms = ms * 2 < AGAIN_MOST_MS ? ms * 2 : AGAIN_MOST_MS;
	}
	fprintf(stderr, "xpv-blkctl: %s\n", get_text(answer, "error"));
	exit(REFUSED);
}

static struct json_object *question(const char *cmd, const char *key, const char *value)
{
	struct json_object *q = json_object_new_object();

	json_object_object_add(q, "cmd", json_object_new_string(cmd));
	if (key)
		json_object_object_add(q, key, json_object_new_string(value));
	return q;
}

static void show_json(struct json_object *disks)
{
	const int how = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE;

	printf("%s\n", json_object_to_json_string_ext(disks, how));
}

static int list(int argc, char **argv)
{
	struct json_object *answer;

	(void)argv;
	if (argc)
		wrong("list takes no disk");
	answer = demand(question("list", NULL, NULL), 0);
	if (ctl.json)
		show_json(get(answer, "disks"));
	else
		show_list(get(answer, "disks"));
	return 0;
}

static int stats(int argc, char **argv)
{
	struct json_object *q, *answer, *before = NULL;
	double looked = now(), was;

	if (argc > 1)
		wrong("stats takes one disk, or none for all");
	q = argc ? question("stats", "disk", argv[0]) : question("stats", NULL, NULL);
	for (;;) {
		answer = demand(q, 0);
		was = looked;
		looked = now();
		if (ctl.json)
			show_json(get(answer, "disks"));
		else if (!ctl.watch)
			show_totals(get(answer, "disks"));
		else if (before)
			show_rates(get(answer, "disks"), get(before, "disks"), looked - was);
		fflush(stdout);
		if (!ctl.watch)
			return 0;
		json_object_put(before);
		before = answer;
		/* A daemon that is restarted comes back. */
		ctl.persists = true;
		usleep(ctl.watch * 1e6);
	}
}

static int limit(int argc, char **argv)
{
	struct json_object *q;
	int i;

	if (argc < 2)
		wrong("limit takes a disk, and iops=N or bytes=N");
	q = question("limit", "disk", argv[0]);
	for (i = 1; i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		s64 n = equals ? parse_number(equals + 1) : -1;

		if (equals)
			*equals = 0;
		if (n < 0 || (strcmp(argv[i], "iops") && strcmp(argv[i], "bytes")))
			wrong("a limit is iops=N or bytes=N, N as in 500, 100M, 2G");
		json_object_object_add(q, argv[i], json_object_new_int64(n));
	}
	demand(q, 0);
	return 0;
}

static int resize(int argc, char **argv)
{
	if (argc != 1)
		wrong("resize takes a disk");
	printf("%s bytes\n", get_text(demand(question("resize", "disk", argv[0]), PATIENCE_S), "bytes"));
	return 0;
}

static int detach(int argc, char **argv)
{
	if (argc != 1)
		wrong("detach takes a disk");
	demand(question("detach", "disk", argv[0]), CLOSE_S);
	return 0;
}

static int open_store(int argc, char **argv)
{
	if (argc != 1)
		wrong("open takes a path");
	ctl.persists = true;
	demand(question("open", "path", argv[0]), PATIENCE_S);
	return 0;
}

static int close_store(int argc, char **argv)
{
	if (argc != 1)
		wrong("close takes a path");
	demand(question("close", "path", argv[0]), CLOSE_S);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(int argc, char **argv);
} commands[] = {
	{ "list", list }, { "stats", stats }, { "limit", limit }, { "resize", resize },
	{ "detach", detach }, { "open", open_store }, { "close", close_store },
};

static void options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1)
		switch (option) {
		case 's':
			ctl.socket = optarg;
			break;
		case 'j':
			ctl.json = true;
			break;
		case 'w':
			ctl.watch = optarg ? atof(optarg) : 1;
			if (!(ctl.watch >= 0.1 && ctl.watch <= 3600))
				wrong("--watch takes seconds, from 0.1 to 3600");
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'V':
			puts("xpv-blkctl " XPV_VERSION);
			exit(0);
		default:
			wrong("that is no option");
		}
}

int main(int argc, char **argv)
{
	u32 i;

	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	argc -= optind;
	argv += optind;
	for (i = 0; argc && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[0], commands[i].name))
			return commands[i].fn(argc - 1, argv + 1);
	wrong(argc ? "that is no command" : "what to do?");
}
