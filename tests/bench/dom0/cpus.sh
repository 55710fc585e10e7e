#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What a second CPU, and with it a second queue, gains: both pairs, by guests of one CPU and of two, on a
# dom0 of two, in real time. Sends `result pv PAIR cpus-N RATE`: the best of several turns, for
# what else this machine does can only lower it.
# shellcheck source=tests/lab/dom0/lib.sh
. /run/lab/dom0/lib.sh
# shellcheck source=tests/bench/dom0/jobs.sh
. /run/lab/extra/jobs.sh

turns=5

exec >$lab/out/bench.log 2>&1
export GUEST_CPUS=0-1
for drivers in linux xpv; do
	stage "$drivers pair, guests of one CPU and of two"
	load_back $drivers || fail "the $drivers backends do not load"
	for cpus in 1 2; do
		GUEST_VCPUS=$cpus start_guest pv $drivers $drivers >&2 || fail "no guest of $cpus CPUs with the $drivers pair"
		guest 'ls /sys/block/xvdb/mq'
		rest
		for ((turn = 0; turn < turns; turn++)); do
			guest_fio xvdb randread 4k 32 $seconds "--numjobs=$cpus --group_reporting"
		done | sort -n | tail -n 1 | { read -r rate _ && say "result pv $drivers cpus-$cpus $rate"; }
		stop_guest >&2 || fail "the guest with the $drivers pair could not be destroyed"
	done
	unload_back $drivers || fail "the $drivers backends do not unload"
done
