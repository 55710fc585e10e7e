// SPDX-License-Identifier: GPL-2.0-only
/* What the daemon answers on its sockets, over real sockets, about disks that the test makes up. */
#include "test.h"
#include <daemon.h>
#include <serve.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <json-c/json.h>
#include <unistd.h>

struct config config;
static struct disk *disks;
static void (*ready)(void *arg);
static int err_next;		/* what the next call of a disk's function returns */
static char called[128];	/* the last such call */

int loop_add(int fd, void (*fn)(void *arg), void *arg)
{
	(void)fd, (void)arg;
	ready = fn;
	return 0;
}

struct disk *disk_next(struct disk *d)
{
	return d ? d->next : disks;
}

struct disk *disk_find(u16 domid, u32 devid)
{
	struct disk *d;

	for (d = disks; d && (d->domid != domid || d->devid != devid); d = d->next)
		;
	return d;
}

void disk_stats(const struct disk *d, struct disk_stats *sum)
{
	*sum = (struct disk_stats){ .reads = 7, .writes = d->devid, .read_sectors = 3, .inflight = 2 };
}

int disk_open_store(struct disk *d, char *why)
{
	snprintf(called, sizeof(called), "open %s", d->name);
	if (err_next)
		strcpy(why, "/x: No such file or directory");
	return err_next;
}

int disk_close_store(struct disk *d)
{
	snprintf(called, sizeof(called), "close %s", d->name);
	return err_next;
}

int disk_limit(struct disk *d, u64 iops, u64 bytes)
{
	d->rate_requests.per_second = iops;
	d->rate_bytes.per_second = bytes;
	return err_next;
}

int disk_resize(struct disk *d)
{
	snprintf(called, sizeof(called), "resize %s", d->name);
	return err_next;
}

int disk_detach(struct disk *d)
{
	snprintf(called, sizeof(called), "detach %s", d->name);
	return err_next;
}

static struct disk *make_disks(u32 n)
{
	struct disk *all = calloc(n, sizeof(*all));
	u32 i;

	for (i = 0; i < n; i++) {
		all[i].domid = 1;
		all[i].devid = 51712 + 16 * i;
		snprintf(all[i].name, sizeof(all[i].name), "1/%u", all[i].devid);
		assert_true(asprintf(&all[i].path, "backend/vbd3/1/%u", all[i].devid) > 0);
		all[i].state = XPV_INIT_WAIT;
		all[i].target = "/srv/\"disk\".img";
		all[i].next = i + 1 < n ? &all[i + 1] : NULL;
	}
	return disks = all;
}

static int call(const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", config.run_dir, name);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* As often as anything there might be takes. */
static void let_it_work(u32 times)
{
	while (times--)
		ready(NULL);
}

/* What has come until nothing comes any more; "!" at the end if it was hung up on. */
static char *hear(int fd)
{
	static char heard[1 << 20];
	size_t have = 0;
	ssize_t n;
	u32 idle = 0;

	while (idle < 20) {
		let_it_work(1);
		n = recv(fd, heard + have, sizeof(heard) - have - 2, 0);
		if (n > 0)
			have += n;
		if (!n) {
			heard[have++] = '!';
			break;
		}
		idle = n > 0 ? 0 : idle + 1;
	}
	heard[have] = 0;
	return heard;
}

static char *ask(const char *question)
{
	char *heard;
	int fd = call("control");

	assert_int_equal(send(fd, question, strlen(question), 0), strlen(question));
	heard = hear(fd);
	close(fd);
	let_it_work(3);
	return heard;
}

static void assert_answer(const char *question, const char *answer)
{
	char *heard = ask(question);

	if (strcmp(heard, answer))
		fail_msg("%s: %s, not %s", question, heard, answer);
}

static void list_and_stats(void **state)
{
	struct json_object *o, *all, *one, *value;

	(void)state;
	make_disks(3);
	disks->state = XPV_CONNECTED;
	o = json_tokener_parse(ask("{\"cmd\":\"stats\"}\n"));
	assert_true(json_object_object_get_ex(o, "disks", &all));
	assert_int_equal(json_object_array_length(all), 3);
	one = json_object_array_get_idx(all, 1);
	assert_true(json_object_object_get_ex(one, "vdev", &value));
	assert_string_equal(json_object_get_string(value), "xvdb");
	assert_true(json_object_object_get_ex(one, "target", &value));
	assert_string_equal(json_object_get_string(value), "/srv/\"disk\".img");
	assert_true(json_object_object_get_ex(one, "stats", &value));
	assert_true(json_object_object_get_ex(value, "read_bytes", &value));
	assert_int_equal(json_object_get_int(value), 1536);
	json_object_put(o);
	assert_null(strstr(ask("{\"cmd\":\"list\"}\n"), "read_bytes"));
	o = json_tokener_parse(ask("{\"cmd\":\"stats\",\"disk\":\"1/xvdc\"}\n"));
	assert_true(json_object_object_get_ex(o, "disks", &all));
	assert_int_equal(json_object_array_length(all), 1);
	json_object_put(o);
	disks = NULL;
	assert_answer("{\"cmd\":\"list\"}\n", "{\"ok\":true,\"disks\":[]}\n");
}

static void what_is_asked_for_is_done(void **state)
{
	(void)state;
	make_disks(2);
	assert_answer("{\"cmd\":\"limit\",\"disk\":\"1/xvdb\",\"iops\":5,\"bytes\":1000000000000}\n", "{\"ok\":true}\n");
	assert_int_equal(disks[1].rate_requests.per_second, 5);
	assert_int_equal(disks[1].rate_bytes.per_second, 1000000000000);
	assert_answer("{\"cmd\":\"limit\",\"disk\":\"1/xvdb\",\"iops\":0}\n", "{\"ok\":true}\n");
	assert_int_equal(disks[1].rate_requests.per_second, 0);
	assert_int_equal(disks[1].rate_bytes.per_second, 1000000000000);
	assert_answer("{\"cmd\":\"detach\",\"disk\":\"1/51712\"}\n", "{\"ok\":true}\n");
	assert_string_equal(called, "detach 1/51712");
	disks->store.bytes = 4096;
	assert_answer("{\"cmd\":\"resize\",\"disk\":\"1/51712\"}\n", "{\"ok\":true,\"bytes\":4096}\n");
	assert_answer("{\"cmd\":\"open\",\"path\":\"backend/vbd3/1/51728\"}\n", "{\"ok\":true}\n");
	assert_string_equal(called, "open 1/51728");
	assert_answer("{\"cmd\":\"close\",\"path\":\"backend/vbd3/1/51728\"}\n", "{\"ok\":true}\n");
	err_next = -ENOENT;
	assert_answer("{\"cmd\":\"open\",\"path\":\"backend/vbd3/1/51728\"}\n",
		      "{\"ok\":false,\"error\":\"/x: No such file or directory\"}\n");
	err_next = -EAGAIN;
	assert_answer("{\"cmd\":\"open\",\"path\":\"backend/vbd3/1/51728\"}\n",
		      "{\"ok\":false,\"again\":true,\"error\":\"/x: No such file or directory\"}\n");
	assert_answer("{\"cmd\":\"close\",\"path\":\"backend/vbd3/1/51728\"}\n",
		      "{\"ok\":false,\"again\":true,\"error\":\"1/51728: its target is not closed yet\"}\n");
	assert_answer("{\"cmd\":\"resize\",\"disk\":\"1/51712\"}\n",
		      "{\"ok\":false,\"again\":true,\"error\":\"1/51712: its target has not said yet how large it is\"}\n");
	err_next = -EBUSY;
	assert_answer("{\"cmd\":\"close\",\"path\":\"backend/vbd3/1/51728\"}\n",
		      "{\"ok\":false,\"error\":\"1/51728 can't be closed: Device or resource busy\"}\n");
	err_next = 0;
}

static void nonsense_is_refused(void **state)
{
	static const char *const bad[] = {
		"\n", "x\n", "[]\n", "{}\n", "\"list\"\n", "{\"cmd\":1}\n", "{\"cmd\":\"lists\"}\n", "{\"cmd\":\"detach\"}\n",
		"{\"cmd\":\"detach\",\"disk\":7}\n", "{\"cmd\":\"detach\",\"disk\":\"65537/51712\"}\n",
		"{\"cmd\":\"detach\",\"disk\":\"1/9\"}\n", "{\"cmd\":\"open\"}\n", "{\"cmd\":\"open\",\"path\":\"backend/vbd3/1/9\"}\n",
		"{\"cmd\":\"limit\",\"disk\":\"1/51712\",\"iops\":-1}\n", "{\"cmd\":\"limit\",\"disk\":\"1/51712\",\"iops\":\"1\"}\n",
		"{\"cmd\":\"limit\",\"disk\":\"1/51712\",\"bytes\":1.5}\n", "{\"cmd\":\"list\"\n",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
	};
	u32 i;

	(void)state;
	make_disks(1);
	called[0] = 0;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (strncmp(ask(bad[i]), "{\"ok\":false,\"error\":\"", 21))
			ROW_FAILED("%s", bad[i]);
	assert_string_equal(called, "");
}

static void one_connection_asks_often(void **state)
{
	static const char two[] = "{\"cmd\":\"list\"}\n{\"cmd\":\"list\"}\n{\"cmd\":";
	const char *one = "{\"ok\":true,\"disks\":[]}\n";
	char both[64];
	int fd = call("control");

	(void)state;
	disks = NULL;
	snprintf(both, sizeof(both), "%s%s", one, one);
	send(fd, two, strlen(two), 0);
	assert_string_equal(hear(fd), both);
	send(fd, "\"list\"}\n", 8, 0);
	assert_string_equal(hear(fd), one);
	close(fd);
}

/* More than a socket holds: sent as the client takes it, and others are served meanwhile. */
static void a_slow_reader_keeps_nobody_out(void **state)
{
	int fd = call("control"), small = 1, i;

	(void)state;
	make_disks(1000);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (i = 0; i < 4; i++)
		send(fd, "{\"cmd\":\"stats\"}\n", 16, 0);
	let_it_work(50);
	assert_answer("{\"cmd\":\"detach\",\"disk\":\"1/51712\"}\n", "{\"ok\":true}\n");
	assert_true(strlen(hear(fd)) > 4 * 1000 * 200);
	close(fd);
}

static void too_much_is_hung_up_on(void **state)
{
	char much[SERVE_REQUEST + 1];
	int fd[SERVE_CLIENTS + 1], i;

	(void)state;
	disks = NULL;
	memset(much, 'x', sizeof(much));
	fd[0] = call("control");
	send(fd[0], much, sizeof(much), 0);
	assert_string_equal(hear(fd[0]), "!");
	close(fd[0]);
	for (i = 0; i < (int)ARRAY_SIZE(fd); i++) {
		fd[i] = call("control");
		let_it_work(3);
		if (i != SERVE_CLIENTS - 1)
			continue;
		/* All places are taken. The first says something, so the second was silent for longest. */
		send(fd[0], "{", 1, 0);
		let_it_work(3);
	}
	assert_string_equal(hear(fd[1]), "!");
	send(fd[0], "}\n", 2, 0);
	assert_true(!strncmp(hear(fd[0]), "{\"ok\":false", 11));
	for (i = 0; i < (int)ARRAY_SIZE(fd); i++)
		close(fd[i]);
	let_it_work(2 * SERVE_CLIENTS);
}

static void metrics_as_the_format_has_it(void **state)
{
	int fd = call("metrics");
	char *heard;

	(void)state;
	make_disks(2);
	disks->state = XPV_CONNECTED;
	disks[1].store.bytes = 1 << 20;
	send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 34, 0);
	heard = hear(fd);
	assert_non_null(strstr(heard, "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
	assert_non_null(strstr(heard, "\n# TYPE xpv_blkd_transferred_bytes counter\n# UNIT xpv_blkd_transferred_bytes bytes\n"
			"# HELP xpv_blkd_transferred_bytes Data of these requests.\n"
			"xpv_blkd_transferred_bytes_total{domain=\"1\",device=\"xvda\",op=\"read\"} 1536\n"
			"xpv_blkd_transferred_bytes_total{domain=\"1\",device=\"xvdb\",op=\"read\"} 1536\n"
			"xpv_blkd_transferred_bytes_total{domain=\"1\",device=\"xvda\",op=\"write\"} 0\n"));
	assert_non_null(strstr(heard, "\nxpv_blkd_size_bytes{domain=\"1\",device=\"xvdb\"} 1048576\n"));
	assert_non_null(strstr(heard, "\nxpv_blkd_connected{domain=\"1\",device=\"xvda\"} 1\n"));
	assert_non_null(strstr(heard, "\n# EOF\n!"));
	close(fd);
	fd = call("metrics");
	send(fd, "POST / HTTP/1.1\r\n\r\n", 19, 0);
	assert_true(!strncmp(hear(fd), "HTTP/1.1 405 ", 13));
	close(fd);
}

static void addresses(void **state)
{
	static const struct service none;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char why[SERVE_WHY], path[64], longer[200];
	struct stat st;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/control", config.run_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(serve(&none, path, why), -EADDRINUSE);
	assert_non_null(strstr(why, "another xpv-blkd"));
	assert_int_equal(serve(&none, "/nonexistent/x", why), -ENOENT);
	memset(longer, '/', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(serve(&none, longer, why), -EINVAL);
	assert_int_equal(serve(&none, "x", why), -EINVAL);
	assert_int_equal(serve(&none, "localhost:80", why), -EINVAL);
	assert_int_equal(serve(&none, "127.0.0.1:x", why), -EINVAL);
	assert_int_equal(serve(&none, "[::1:80", why), -EINVAL);
	assert_int_equal(serve(&none, "127.0.0.1:0", why), 0);
	/* Not this machine's yet. */
	assert_int_equal(serve(&none, "192.0.2.1:0", why), 0);
	/* Of a daemon that has died. */
	snprintf(path, sizeof(path), "%s/left", config.run_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(serve(&none, path, why) < 0);
	rmdir(path);
	fclose(fopen(path, "w"));
	assert_int_equal(serve(&none, path, why), -EEXIST);
	assert_int_equal(unlink(path), 0);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	assert_int_equal(serve(&none, path, why), 0);
	unlink(path);
}

static int start(void **state)
{
	static char dir[] = "/tmp/xpv-control-XXXXXX", path[64];
	char why[SERVE_WHY];

	(void)state;
	config.run_dir = mkdtemp(dir);
	snprintf(path, sizeof(path), "%s/metrics", dir);
	config.metrics = path;
	return control_start(why) || metrics_start(why);
}

static int end(void **state)
{
	char path[64];

	(void)state;
	unlink(config.metrics);
	snprintf(path, sizeof(path), "%s/control", config.run_dir);
	unlink(path);
	return rmdir(config.run_dir);
}

/* The daemon ends with what it listens to, and the disks are the test's. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_and_stats),
		cmocka_unit_test(what_is_asked_for_is_done),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(one_connection_asks_often),
		cmocka_unit_test(a_slow_reader_keeps_nobody_out),
		cmocka_unit_test(too_much_is_hung_up_on),
		cmocka_unit_test(metrics_as_the_format_has_it),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests_name("control", tests, start, end);
}
