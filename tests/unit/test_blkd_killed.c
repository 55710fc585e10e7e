// SPDX-License-Identifier: GPL-2.0-only
/* The userspace backend as a process that is killed, and followed by another, while a frontend waits. */
#include "test.h"

#include <journal.h>
#include <load.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t spawn(bool recover)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (disks_start())
			_exit(1);
		open_disk(image);
		if (connect_disk(recover))
			_exit(2);
		if (write(ready[1], "x", 1) != 1)
			_exit(3);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

/* What the journal of the one that was killed holds. */
static u32 in_flight(void)
{
	struct journal *j = journal_find("7/51712", 2, front[0].ring.size);
	u32 q, i, n = 0;

	assert_non_null(j);
	for (q = 0; q < 2; q++) {
		struct journal_ring *r = journal_ring(j, q);

		for (i = 0; i < j->slots; i++)
			n += journal_inflight(r, &r->entry[i], front[q].ring.shared->rsp_prod);
	}
	journal_close(j, false);
	return n;
}

static void killed_and_followed(void **state)
{
	u32 i, left, total = 0, caught = 0;
	pid_t pid;

	(void)state;
	make_fronts(2, 4, XPV_BLK_X86_64);
	pid = spawn(false);
	for (i = 0; i < 40; i++) {
		u32 until = 50 + number(300);

		for (left = until; left;) {
			add_some(&left);
			if (!take_ready())
				wait_any();
		}
		usleep(number(300));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		loop_reset();
		caught += in_flight();
		pid = spawn(true);
		total += until;
	}
	settle();
	check_image();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(total > 2000);
	/* It was not idle whenever it was killed. */
	assert_true(caught > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(killed_and_followed, fresh_image),
	};
	int failed;

	load_begin();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	load_end();
	return failed;
}
