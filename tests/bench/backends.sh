#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make bench-backends: what a request costs through each block backend, beyond what the guest needs for
# it alone, in instructions of guest, dom0 and Xen together. LAB_BACKS='qdisk blkd' are all that is measured.
. "$(dirname "$0")/../lab/common.sh"
cd "$top"
dir=build/lab/bench-backends
stage_total=10
# The clock it runs on counts them, 2 ns each.
instructions_per_second=500000000

progress() {
	while read -r line; do
		case $line in
		stage\ *) stage "${line#stage }" ;;
		result\ *) note "${line#result }"; printf '%s\n' "${line#result }" >>build/bench-backends ;;
		fail\ *) failed=${line#fail } ;;
		verdict\ success) return ;;
		esac
	done
	die "${failed:-dom0 gave no verdict}; all logs are in $dir"
}

stage 'checking this machine'
need_host
need_packages
stage 'building'
logged build/lab/image.log "$lab/image.sh" || die 'the image could not be built'
logged build/lab/build.log "$lab/build.sh" 6.12 || die 'the modules could not be built'
LAB_MODULES=$(tail -n 1 build/lab/build.log)
logged build/lab/user.log make user || die 'the userspace backend could not be built'
export LAB_MODULES LAB_BLKD=1 LAB_EXTRA=$top/tests/bench/dom0 LAB_DISK_MEMORY=0 XPV_CLOCK=icount
stage 'booting QEMU, Xen and dom0 on the instruction clock'
stage_log=$dir/console.log
failed=''
: >build/bench-backends
shopt -s lastpipe
set +o pipefail
"$lab/run.sh" bench-backends backends 3600 | progress
awk -v second=$instructions_per_second '
	{ cost[$1, $2] = second / $3; rate[$1, $2] = $3; jobs[$2]; backs[$1] }
	END {
		printf "\n%-20s %-8s %10s %14s\n", "job", "backend", "requests/s", "instructions"
		fflush()
		for (j in jobs)
			for (b in backs)
				printf "%-20s %-8s %10d %14d\n", j, b, rate[b, j], b == "guest" ? cost[b, j] : cost[b, j] - cost["guest", j] | "sort"
	}' build/bench-backends
printf '\nguest: alone, on a null_blk of its own; the others: beyond that; took %s\n' "$(elapsed)"
