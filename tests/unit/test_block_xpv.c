// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hotplug script, with a xenstore that is a file for each node, and programs that only write down how they
 * were called. Run from the top of the tree.
 */
#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODE	"backend/vbd3/7/51712"

static char dir[] = "/tmp/xpv-script.XXXXXX";

static void shell(const char *command)
{
	assert_int_equal(system(command), 0);
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* In the directory of its own that everything here is in. */
static void make_programs(void)
{
	put("xenstore-read", "[ \"$1\" = -R ] && cat \"$(echo \"$2\" | tr / _)\"\n");
	put("xenstore-write", "[ ! -e readonly ] || exit 1\n[ \"$1\" != -- ] || shift\necho \"write $*\" >>log\n");
	put("xenstore-rm", "echo \"rm $*\" >>log\n");
	put("xpv-blkctl", "echo \"ctl $*\" >>log\n[ ! -e away ] || exit 3\n"
	    "! grep -qx \"$3\" refused || { echo \"xpv-blkctl: no\"; exit 1; }\n");
	put("qemu-nbd", "printf '%s\\n' \"nbd $*\" >>log\n[ ! -e cached ] || [ \"${5-}\" = writeback ] || { echo \"no O_DIRECT\"; exit 1; }\nwhile [ -e serves ]; do sleep 0.1; done\n"
	    "[ ! -e broken ] || { echo 'it is broken'; exit 1; }\n");
	shell("for p in xenstore-read xenstore-write xenstore-rm xpv-blkctl qemu-nbd; do"
	      "	sed -i '1i #!/bin/sh' $p && chmod +x $p || exit; "
	      "done");
}

/* A guest's disk that it boots from, if @hvm. */
static int setup(void **state)
{
	(void)state;
	shell("rm -f log readonly broken cached refused away serves conf _* backend* && : >refused");
	put("backend_vbd3_7_51712_params", "aio:/image");
	put("backend_vbd3_7_51712_mode", "w");
	put("_local_domain_7_vm", "/vm/x");
	put("_vm_x_image_ostype", "hvm");
	return 0;
}

/* What the script ends with. */
static int call(const char *how)
{
	char command[128];

	snprintf(command, sizeof(command), "PATH=.:$PATH XENBUS_PATH=" NODE " sh ./block-xpv %s 2>said", how);
	return system(command) >> 8;
}

/* Is there a line in the log that begins so? */
static bool logged(const char *line)
{
	char command[256];

	snprintf(command, sizeof(command), "grep -q '^%s' log", line);
	return !system(command);
}

static void it_is_opened(void **state)
{
	(void)state;
	assert_int_equal(call("add"), 0);
	assert_true(logged("ctl --socket /run/xpv-blkd/control open " NODE "$"));
	assert_true(logged("nbd"));
	assert_true(logged("write " NODE "/hotplug-status connected$"));
	assert_false(logged("ctl .* close"));
	assert_int_equal(call("remove"), 0);
	assert_true(logged("ctl --socket /run/xpv-blkd/control close " NODE "$"));
}

/* By its name as it is, which options are not to be mistaken for; past the page cache where that can be. */
static void the_server_has_the_target(void **state)
{
	static const struct { const char *target, *options; } asked[] = {
		{ "file:/a,b \xc3\xa4\\c", "--cache none --image-opts -- driver=raw,file.driver=file,file.locking=off,file.filename=/a,,b \xc3\xa4\\\\c$" },
		{ "nbd://host/x", "--cache none --format raw -- nbd://host/x$" },
		{ "512:/a", "--cache none --image-opts -- driver=raw,file.driver=file,file.locking=off,file.filename=/a$" },
	};
	char line[256];
	uint32_t i;

	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		setup(state);
		snprintf(line, sizeof(line), "printf '%%s\n' '%s' >backend_vbd3_7_51712_params", asked[i].target);
		shell(line);
		assert_int_equal(call("add"), 0);
		snprintf(line, sizeof(line), "nbd .*%s", asked[i].options);
		assert_true(logged(line));
		assert_false(logged("nbd .*writeback"));
	}
	setup(state);
	put("cached", "yes\n");
	assert_int_equal(call("add"), 0);
	assert_true(logged("nbd .* --cache writeback "));
}

/* Whatever it was that failed: libxl calls nobody to take it away again. */
static void what_failed_is_closed(void **state)
{
	static const char *const reason[] = { "broken", "readonly", "refused" };
	uint32_t i;

	for (i = 0; i < sizeof(reason) / sizeof(reason[0]); i++) {
		setup(state);
		put(reason[i], "open\n");
		assert_int_equal(call("add"), 1);
		assert_true(logged("ctl --socket .* open " NODE "$"));
		assert_true(logged("ctl --socket .* close " NODE "$"));
		assert_int_equal(logged("write " NODE "/hotplug-error"), strcmp(reason[i], "readonly") != 0);
		assert_false(logged("write .*connected"));
	}
}

/* It is not to become a disk when the daemon comes: what the node says is taken back. */
static void nobody_answers(void **state)
{
	(void)state;
	put("away", "yes\n");
	assert_int_equal(call("add"), 1);
	assert_true(logged("rm " NODE "/xpv-blkd-opened$"));
	assert_true(logged("write " NODE "/hotplug-error"));
	assert_int_equal(call("remove"), 0);
}

/* A device model that runs connects to nothing more. */
static void attached_to_a_guest_that_runs(void **state)
{
	(void)state;
	put("_local_domain_0_device-model_7_state", "running");
	assert_int_equal(call("add"), 0);
	assert_false(logged("nbd"));
	assert_true(logged("write " NODE "/hotplug-status connected$"));
}

/* Of another disk, whose name begins with this one's. */
static void no_other_server_is_ended(void **state)
{
	(void)state;
	put("serves", "yes\n");
	shell("./qemu-nbd --socket /run/xpv-blkd/7-51712.nbd x & echo $! >mine\n"
	      "./qemu-nbd --socket /run/xpv-blkd/7-51712.nbd2 x & echo $! >other\nsleep 0.2");
	assert_int_equal(call("remove"), 0);
	shell("for i in $(seq 50); do kill -0 $(cat mine) 2>/dev/null || exit 0; sleep 0.1; done; exit 1");
	shell("kill -0 $(cat other) && rm serves mine other");
}

static void settings_say_where_the_daemon_is(void **state)
{
	(void)state;
	put("conf", "[daemon]\n#run_dir = /no\nrun_dir=/first\n  run_dir = /where ; it is\nworkers = 2\n");
	assert_int_equal(call("add"), 0);
	assert_true(logged("ctl --socket /where/control open"));
	assert_int_equal(call("remove"), 0);
	assert_true(logged("ctl --socket /where/control close"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_is_opened, setup),
		cmocka_unit_test_setup(the_server_has_the_target, setup),
		cmocka_unit_test_setup(what_failed_is_closed, setup),
		cmocka_unit_test_setup(nobody_answers, setup),
		cmocka_unit_test_setup(attached_to_a_guest_that_runs, setup),
		cmocka_unit_test_setup(no_other_server_is_ended, setup),
		cmocka_unit_test_setup(settings_say_where_the_daemon_is, setup),
	};
	char command[160];
	int failed;

	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "sed 's|/etc/xpv-blkd.conf|./conf|' %s/block-xpv >%s/block-xpv",
		 "userspace-backend", dir);
	shell(command);
	assert_int_equal(chdir(dir), 0);
	make_programs();
	failed = cmocka_run_group_tests_name("block_xpv", tests, NULL, NULL);
	assert_int_equal(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	shell(command);
	return failed;
}
