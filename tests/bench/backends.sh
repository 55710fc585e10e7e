#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make bench-backends: what a request costs through each block backend, beyond what the guest needs for
# it alone, in instructions of guest, dom0 and Xen together. LAB_BACKS='qdisk blkd' are all that is measured.
. "$(dirname "$0")/common.sh"
stage_total=10

stage 'checking this machine'
need_host
need_packages
stage 'building'
logged build/lab/image.log "$lab/image.sh" || die 'the image could not be built'
logged build/lab/build.log "$lab/build.sh" 6.12 || die 'the modules could not be built'
LAB_MODULES=$(tail -n 1 build/lab/build.log)
logged build/lab/user.log make user || die 'the userspace backend could not be built'
export LAB_MODULES LAB_BLKD=1
XPV_CLOCK=icount measure bench-backends backends
results bench-backends | awk -v second=$instructions_per_second '
	{ cost[$2, $3] = second / $4; rate[$2, $3] = $4; jobs[$3]; backs[$2] }
	END {
		printf "\n%-20s %-8s %10s %14s\n", "job", "backend", "requests/s", "instructions"
		fflush()
		for (j in jobs)
			for (b in backs)
				printf "%-20s %-8s %10d %14d\n", j, b, rate[b, j], b == "guest" ? cost[b, j] : cost[b, j] - cost["guest", j] | "sort"
	}'
printf '\nguest: alone, on a null_blk of its own; the others: beyond that; took %s\n' "$(elapsed)"
