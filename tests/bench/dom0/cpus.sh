#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What a second CPU, and with it a second queue, gains: both pairs, by guests of one CPU and of two, on a
# dom0 of two, in real time. Sends `result pv PAIR cpus-N RATE`: the best of several turns, for
# what else this machine does can only lower it. The pairs take turns, for it may do so for minutes.
# shellcheck source=tests/lab/dom0/lib.sh
. /run/lab/dom0/lib.sh
# shellcheck source=tests/bench/dom0/jobs.sh
. /run/lab/extra/jobs.sh

rounds=2 turns=4

# A job on each CPU, by a process of its own: left to themselves, both may stay on one.
rate() { # CPUS
	guest "for c in \$(seq 0 $(($1 - 1))); do
			taskset -c \$c fio --name=j --filename=/dev/xvdb --rw=randread --bs=4k --iodepth=32 --ioengine=libaio --direct=1 \
				--size=256m --time_based --runtime=$seconds --output-format=terse --terse-version=3 >/tmp/fio.\$c 2>/dev/null &
		done; wait; cat /tmp/fio.*; rm /tmp/fio.*" | awk -F ';' '$1 == 3 && $5 == 0 { io += $8 } END { print io + 0 }'
}

exec >$lab/out/bench.log 2>&1
export GUEST_CPUS=0-1
declare -A best
for ((round = 1; round <= rounds; round++)); do
	for drivers in linux xpv; do
		stage "$drivers pair, guests of one CPU and of two, round $round of $rounds"
		load_back $drivers || fail "the $drivers backends do not load"
		for cpus in 1 2; do
			GUEST_VCPUS=$cpus start_guest pv $drivers $drivers >&2 || fail "no guest of $cpus CPUs with the $drivers pair"
			guest 'ls /sys/block/xvdb/mq'
			rest
			for ((turn = 0; turn < turns; turn++)); do
				now=$(rate $cpus)
				echo "$drivers $cpus $now"
				[ "$now" -gt 0 ] || fail "fio failed in a guest of $cpus CPUs with the $drivers pair"
				[ "$now" -le "${best[$drivers $cpus]:-0}" ] || best[$drivers $cpus]=$now
			done
			stop_guest >&2 || fail "the guest with the $drivers pair could not be destroyed"
		done
		unload_back $drivers || fail "the $drivers backends do not unload"
	done
done
for drivers in linux xpv; do
	for cpus in 1 2; do
		say "result pv $drivers cpus-$cpus ${best[$drivers $cpus]}"
	done
done
