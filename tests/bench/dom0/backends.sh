#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The block backends next to each other: the same frontend, jobs and device. Sends
# `result BACK JOB RATE`, where BACK `guest` is the guest by itself, on a null_blk of its own.
# shellcheck source=tests/lab/dom0/lib.sh
. /run/lab/dom0/lib.sh
# shellcheck source=tests/bench/dom0/jobs.sh
. /run/lab/extra/jobs.sh

jobs() { # BACK DISK
	local job rw bs depth
	rest
	while read -r job rw bs depth; do
		# Those in which the backend, not the data, is what costs.
		[[ $job != *-4k-* ]] || say "result $1 $job $(guest_fio "$2" "$rw" "$bs" "$depth" $seconds | cut -d ' ' -f 1)"
	done <<<"$block_jobs"
}

guest_alone() {
	guest 'cd /lib/modules && for f in $(cat null_blk.order); do insmod $f gb=1 memory_backed=0 queue_mode=2 irqmode=0 || exit; done' ||
		fail "no null_blk in the guest"
	jobs guest nullb0
	guest 'rmmod null_blk'
}

exec >$lab/out/bench.log 2>&1
export GUEST_BOOT_LIMIT=400 GUEST_LIMIT=300
for back in ${LAB_BACKS:-linux qdisk xpv blkd}; do
	stage "$back"
	load_back "$back" || fail "the $back backends do not load"
	start_guest pv xpv "$back" >&2 || fail "no guest with $back"
	[ -n "${alone-}" ] || guest_alone
	alone=measured
	jobs "$back" xvdb
	stop_guest >&2 || fail "the guest with $back could not be destroyed"
	unload_back "$back" || fail "the $back backends do not unload"
done
