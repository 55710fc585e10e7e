// SPDX-License-Identifier: GPL-2.0-only
/*
 * rr: answers each byte that comes to TCP port 5999 with a byte.
 * rr ADDRESS SECONDS: sends a byte there, waits for the answer, sends the next; prints how many
 * there and back again in a second.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PORT	5999

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* What is sent goes at once. */
static void dont_wait(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void serve(const struct sockaddr_in *at)
{
	int fd, on = 1, lfd = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(lfd, (const struct sockaddr *)at, sizeof(*at)) || listen(lfd, 1))
		err(1, "port %d", PORT);
	while ((fd = accept(lfd, NULL, NULL)) >= 0) {
		dont_wait(fd);
		while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
			;
		close(fd);
	}
	err(1, "accept");
}

static void ask(const struct sockaddr_in *at, double seconds)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	double begun, passed = 0;
	unsigned long n = 0;
	char byte = 0;

	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)))
		err(1, "connect");
	dont_wait(fd);
	for (begun = now(); passed < seconds; passed = now() - begun) {
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			err(1, "after %lu", n);
		n++;
	}
	printf("%.0f\n", n / passed);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	if (argc != 1 && (argc != 3 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1))
		errx(1, "usage: rr [ADDRESS SECONDS]");
	if (argc == 1)
		serve(&at);
	ask(&at, atof(argv[2]));
	return 0;
}
