// SPDX-License-Identifier: GPL-2.0-only
/* Disks on NBD servers that live, die, hang and come again. Skipped where there is no such server. */
#include "test.h"

#include <load.h>
#include <queue.h>

#include <endian.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char place[32];		/* of the server's socket */
static char target[80];
static pid_t server;

static bool listens(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool yes;

	strcpy(sun.sun_path, place);
	yes = !connect(fd, (struct sockaddr *)&sun, sizeof(sun));
	close(fd);
	return yes;
}

/* A server by a shell's command; it listens when this returns. */
static void start_server(const char *command)
{
	char line[400];
	int tries = 500;

	unlink(place);
	snprintf(line, sizeof(line), "exec %s", command);
	server = fork();
	if (!server) {
		execl("/bin/sh", "sh", "-c", line, NULL);
		_exit(127);
	}
	while (!listens() && tries--)
		poll(NULL, 0, 10);
	assert_true(tries > 0);
}

static void stop_server(int signal)
{
	kill(server, signal);
	waitpid(server, NULL, 0);
	server = 0;
}

static void need(const char *program)
{
	char line[128];

	snprintf(line, sizeof(line), "command -v %s >/dev/null", program);
	if (system(line))
		skip();
}

static void start_nbdkit(const char *more)
{
	char line[320];

	need("nbdkit");
	snprintf(line, sizeof(line), "nbdkit -f -U %s %s", place, more);
	start_server(line);
}

static void start_file(void)
{
	char line[128];

	snprintf(line, sizeof(line), "file %s", image);
	start_nbdkit(line);
}

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

/* One request's status, and how long it took. */
static s16 status_of(u8 op, u64 *ms)
{
	struct xpv_blk_req req = { .op = op, .nr_segs = op != XPV_BLK_FLUSH && op != XPV_BLK_DISCARD, .id = 1 };
	struct front_response rsp;
	u64 begun = now_ms();

	req.seg[0] = (struct xpv_blk_seg){ .gref = DATA, .first = 0, .last = 7 };
	if (op == XPV_BLK_FLUSH)
		req.sector = ~0ull;
	if (op == XPV_BLK_DISCARD)
		req.nr_sectors = 8;
	front_add(&front[0], &req);
	front_publish(&front[0]);
	assert_true(front_take(&front[0], &rsp, LIMIT_MS));
	if (ms)
		*ms = now_ms() - begun;
	return rsp.status;
}

static void data_arrives(void **state)
{
	static const unsigned int connections[] = { 1, 4 };
	u32 i;

	(void)state;
	start_file();
	for (i = 0; i < ARRAY_SIZE(connections); i++) {
		config.nbd_connections = connections[i];
		begin(target, 2, 2, XPV_BLK_X86_64);
		work(500);
		assert_int_equal(status_of(XPV_BLK_FLUSH, NULL), XPV_BLK_OK);
		check_image();
		end();
	}
	stop_server(SIGTERM);
}

static void holes_are_made(void **state)
{
	(void)state;
	start_file();
	begin(target, 1, 1, XPV_BLK_X86_64);
	memset(loop_page(DATA), 0x77, 4096);
	assert_int_equal(status_of(XPV_BLK_WRITE, NULL), XPV_BLK_OK);
	assert_true(disk->limits.discard);
	assert_int_equal(status_of(XPV_BLK_DISCARD, NULL), XPV_BLK_OK);
	check_image();
	end();
	stop_server(SIGTERM);
}

/* An image in a format that the daemon knows nothing of. */
static void qcow2_by_qemu_nbd(void **state)
{
	char line[256];

	(void)state;
	need("qemu-nbd");
	need("qemu-img");
	snprintf(line, sizeof(line), "qemu-img create -q -f qcow2 %s.qcow2 %u", image, DISK_BYTES);
	assert_int_equal(system(line), 0);
	snprintf(line, sizeof(line), "qemu-nbd --shared 8 --persistent -f qcow2 -k %s %s.qcow2", place, image);
	start_server(line);
	config.nbd_connections = 4;
	begin(target, 2, 2, XPV_BLK_X86_64);
	work(500);
	assert_int_equal(status_of(XPV_BLK_FLUSH, NULL), XPV_BLK_OK);
	end();
	stop_server(SIGTERM);
	snprintf(line, sizeof(line), "qemu-img convert -f qcow2 -O raw %s.qcow2 %s && rm %s.qcow2", image, image, image);
	assert_int_equal(system(line), 0);
	check_image();
}

/* Killed again and again, with requests in flight: each is answered, once, and well. */
static void a_server_that_dies_is_waited_for(void **state)
{
	u64 until;
	pid_t killer;
	u32 rounds = 0;

	(void)state;
	need("nbdkit");
	config.nbd_connections = 4;
	start_file();
	killer = fork();
	if (!killer) {
		while (rounds++ < 5) {
			poll(NULL, 0, 300);
			kill(server, SIGKILL);
			poll(NULL, 0, 300);
			start_file();
		}
		poll(NULL, 0, 3000);
		kill(server, SIGKILL);
		_exit(0);
	}
	begin(target, 2, 2, XPV_BLK_X86_64);
	for (until = now_ms() + 3500; now_ms() < until;)
		work(50);
	check_image();
	end();
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	waitpid(killer, NULL, 0);
}

/* No answer is an error in time, and not for longer than the server is away. */
static void what_has_no_answer_fails_in_time(void **state)
{
	static const int away[] = { SIGSTOP, SIGKILL };
	u64 ms;
	u32 i;

	(void)state;
	config.nbd_timeout_s = 1;
	for (i = 0; i < ARRAY_SIZE(away); i++) {
		start_file();
		begin(target, 1, 1, XPV_BLK_X86_64);
		assert_int_equal(status_of(XPV_BLK_READ, NULL), XPV_BLK_OK);
		kill(server, away[i]);
		/* Until then a thread of its own may still answer. */
		assert_int_equal(waitpid(server, NULL, WUNTRACED), server);
		assert_int_equal(status_of(XPV_BLK_READ, &ms), XPV_BLK_ERROR);
		assert_in_range(ms, 900, 4000);
		if (away[i] == SIGSTOP) {
			kill(server, SIGCONT);
		} else {
			start_file();
		}
		config.nbd_timeout_s = 30;
		for (ms = now_ms(); status_of(XPV_BLK_READ, NULL) != XPV_BLK_OK;)
			assert_in_range(now_ms() - ms, 0, 10000);
		config.nbd_timeout_s = 1;
		end();
		stop_server(SIGTERM);
	}
}

/* What the server says is an error is one, and not tried again. */
static void errors_are_the_guests(void **state)
{
	(void)state;
	start_nbdkit("--filter=error memory 8M error-pwrite=ENOSPC error-pwrite-rate=1");
	begin(target, 1, 1, XPV_BLK_X86_64);
	assert_int_equal(status_of(XPV_BLK_WRITE, NULL), XPV_BLK_ERROR);
	assert_int_equal(status_of(XPV_BLK_READ, NULL), XPV_BLK_OK);
	end();
	stop_server(SIGTERM);
}

/* --- a server that answers a read without its data, and says that this was all --- */

static void receive(int fd, void *to, size_t n)
{
	if (n && recv(fd, to, n, MSG_WAITALL) != (ssize_t)n)
		_exit(0);
}

static void say(int fd, const void *what, size_t n)
{
	if (send(fd, what, n, MSG_NOSIGNAL) != (ssize_t)n)
		_exit(0);
}

/* Only what the simplest of handshakes takes: structured replies, and the export by its name. */
static void shake_hands(int fd)
{
	struct __attribute__((packed)) { u64 magic; u32 option, bytes; } asked;
	struct __attribute__((packed)) { u64 magic; u32 option, type, bytes; } reply = {
		.magic = htobe64(0x3e889045565a9ull),
	};
	struct __attribute__((packed)) { u64 bytes; u16 flags; } export = { htobe64(DISK_BYTES), htobe16(1) };
	u8 skipped[4096];
	u32 client;

	say(fd, "NBDMAGICIHAVEOPT\0\3", 18);
	receive(fd, &client, sizeof(client));
	for (;;) {
		receive(fd, &asked, sizeof(asked));
		receive(fd, skipped, be32toh(asked.bytes));
		if (be32toh(asked.option) == 1)
			break;
		reply.option = asked.option;
		reply.type = htobe32(be32toh(asked.option) == 8 ? 1 : 0x80000001u);
		say(fd, &reply, sizeof(reply));
	}
	say(fd, &export, sizeof(export));
}

static void serve_nothing(int listener)
{
	struct __attribute__((packed)) { u32 magic; u16 flags, type; u64 cookie, offset; u32 bytes; } asked;
	struct __attribute__((packed)) { u32 magic; u16 flags, type; u64 cookie; u32 bytes; } reply = {
		.magic = htobe32(0x668e33ef), .flags = htobe16(1),
	};
	static u8 data[1 << 20];
	int fd;

	/* The first has only looked whether somebody listens. */
	close(accept(listener, NULL, NULL));
	fd = accept(listener, NULL, NULL);
	shake_hands(fd);
	for (;;) {
		receive(fd, &asked, sizeof(asked));
		if (be16toh(asked.type) == 1)
			receive(fd, data, be32toh(asked.bytes));
		reply.cookie = asked.cookie;
		say(fd, &reply, sizeof(reply));
	}
}

static void start_false_server(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(place);
	strcpy(sun.sun_path, place);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 4), 0);
	server = fork();
	if (!server)
		serve_nothing(fd);
	close(fd);
	assert_true(listens());
}

/* A guest sees nothing of what passed through the same memory before. */
static void memory_is_nobody_elses(void **state)
{
	u8 *page = loop_page(DATA);
	u32 i;

	(void)state;
	start_false_server();
	begin(target, 1, 1, XPV_BLK_X86_64);
	memset(page, 0x77, 4096);
	assert_int_equal(status_of(XPV_BLK_WRITE, NULL), XPV_BLK_OK);
	memset(page, 0, 4096);
	status_of(XPV_BLK_READ, NULL);
	for (i = 0; i < 4096; i++)
		assert_int_not_equal(page[i], 0x77);
	end();
	stop_server(SIGKILL);
}

/* As many reads at once as go to all connections. */
static void read_from(u64 sector)
{
	struct front_response rsp;
	u32 i, n = 16;

	for (i = 0; i < n; i++) {
		struct xpv_blk_req req = { .op = XPV_BLK_READ, .sector = sector + i * 8, .nr_segs = 1, .id = i };

		req.seg[0] = (struct xpv_blk_seg){ .gref = DATA + i, .last = 7 };
		front_add(&front[0], &req);
	}
	front_publish(&front[0]);
	for (i = 0; i < n; i++) {
		assert_true(front_take(&front[0], &rsp, LIMIT_MS));
		assert_int_equal(rsp.status, XPV_BLK_OK);
	}
}

/* Whatever its connections were told when they were made, and while they are. */
static void it_grows(void **state)
{
	char line[128];
	u32 size;

	(void)state;
	start_file();
	begin(target, 1, 1, XPV_BLK_X86_64);
	for (size = 2; size < 8; size++) {
		snprintf(line, sizeof(line), "truncate -s %u %s", size * DISK_BYTES, image);
		assert_int_equal(system(line), 0);
		assert_int_equal(disk->store.ops->measure(&disk->store), 0);
		assert_int_equal(disk->store.bytes, size * DISK_BYTES);
		disk_measure(disk);
		queue_set_limits(disk->queue[0], &disk->limits);
		read_from((size - 1) * (DISK_BYTES / 512));
		/* Now and then all are there, and not still to come. */
		if (size & 1)
			poll(NULL, 0, 100);
	}
	end();
	stop_server(SIGTERM);
}

/* A server that does not promise that a flush covers what came by others, where one did that did. */
static void one_connection_is_enough_for_it(void **state)
{
	char line[256], log[64];
	int i;

	(void)state;
	start_file();
	begin(target, 1, 1, XPV_BLK_X86_64);
	read_from(0);
	stop_server(SIGKILL);
	snprintf(log, sizeof(log), "%s.log", place);
	snprintf(line, sizeof(line), "--filter=log eval logfile=%s get_size='echo %u' "
		 "pread='dd if=%s bs=4k iflag=skip_bytes,count_bytes skip=$4 count=$3 2>/dev/null'", log, DISK_BYTES, image);
	start_nbdkit(line);
	for (i = 0; i < 10; i++) {
		read_from(0);
		poll(NULL, 0, 10);
	}
	end();
	stop_server(SIGTERM);
	snprintf(line, sizeof(line), "[ $(grep -o 'connection=[0-9]* Read' %s | sort -u | wc -l) = 1 ]", log);
	i = system(line);
	unlink(log);
	assert_int_equal(i, 0);
}

static void what_cannot_be_opened(void **state)
{
	struct store s = { 0 };
	char why[STORE_WHY];

	(void)state;
	unlink(place);
	assert_true(store_open(&s, target, why) < 0);
	assert_non_null(strstr(why, target));
	assert_non_null(strstr(why, "No such file or directory"));
	assert_true(store_open(&s, "nbd://127.0.0.1:1/x", why) < 0);
	assert_non_null(strstr(why, "refused"));
	start_nbdkit("-r memory 8M");
	assert_int_equal(store_open(&s, target, why), -EROFS);
	s.readonly = true;
	assert_int_equal(store_open(&s, target, why), 0);
	assert_int_equal(s.bytes, 8 << 20);
	store_close(&s);
	stop_server(SIGTERM);
}

static int setup(void **state)
{
	config.nbd_connections = 4;
	config.nbd_timeout_s = 30;
	return fresh_image(state);
}

/* A worker that ends may leave the wake-up of a queue that it does not serve any more unread. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:^attach$\n";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(data_arrives, setup),
		cmocka_unit_test_setup(holes_are_made, setup),
		cmocka_unit_test_setup(qcow2_by_qemu_nbd, setup),
		cmocka_unit_test_setup(a_server_that_dies_is_waited_for, setup),
		cmocka_unit_test_setup(what_has_no_answer_fails_in_time, setup),
		cmocka_unit_test_setup(errors_are_the_guests, setup),
		cmocka_unit_test_setup(memory_is_nobody_elses, setup),
		cmocka_unit_test_setup(it_grows, setup),
		cmocka_unit_test_setup(one_connection_is_enough_for_it, setup),
		cmocka_unit_test_setup(what_cannot_be_opened, setup),
	};
	int failed;

	snprintf(place, sizeof(place), "/tmp/xpv-nbd-%d", getpid());
	snprintf(target, sizeof(target), "nbd+unix:///?socket=%s", place);
	load_begin();
	failed = cmocka_run_group_tests_name("blkd_nbd", tests, NULL, NULL);
	load_end();
	if (server)
		kill(server, SIGKILL);
	unlink(place);
	return failed;
}
