#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make demo: from an ordinary machine to fio and iperf3 inside a Xen guest.
# GUEST=pv|pvh|hvm, FRONT=xpv|linux and BACK=xpv|linux|qdisk|blkd choose the pairing;
# with qdisk the disk is served by QEMU and the network by the in-tree netback, with blkd
# the disk by xpv-blkd and the network by xpv-netback.
. "$(dirname "$0")/common.sh"

GUEST=${GUEST:-pv} FRONT=${FRONT:-xpv} BACK=${BACK:-xpv}
case $GUEST in pv | pvh | hvm) ;; *) die "GUEST is pv, pvh or hvm, not '$GUEST'" ;; esac
case $FRONT in xpv | linux) ;; *) die "FRONT is xpv or linux, not '$FRONT'" ;; esac
case $BACK in xpv | linux | qdisk | blkd) ;; *) die "BACK is xpv, linux, qdisk or blkd, not '$BACK'" ;; esac
export GUEST FRONT BACK

dir=$top/build/lab/demo
stage_total=9

# The rows that dom0 sends: "result JOB IOPS MB/s VERIFY" and "result JOB - Mbit/s -".
table() {
	printf '\n%-18s %10s %10s %12s   %s\n' "$GUEST $FRONT/$BACK" IOPS MB/s Mbit/s verify
	printf '%s\n' "$1" | while read -r _ job iops mb mbit verify; do
		printf '%-18s %10s %10s %12s   %s\n' "${job//_/ }" "$iops" "$mb" "$mbit" "$verify"
	done
	printf '\n'
}

scenario() {
	local line results='' evidence='' failed=''
	while read -r line; do
		case $line in
		stage\ *) stage "${line#stage }" ;;
		result\ *) results+=$line$'\n' ;;
		evidence\ *) evidence+=${line#evidence }$'\n' ;;
		fail\ *) failed=${line#fail } ;;
		verdict\ success)
			table "${results%$'\n'}"
			printf '%s' "$evidence"
			printf '\ndone in %s; logs are in %s\n' "$(elapsed)" "$dir"
			return
			;;
		esac
	done
	# Where a kernel complained, that is what to show; else the end of the console.
	if grep -A 25 -m 1 -ahE 'WARNING:|BUG:|Oops|Kernel panic' "$dir"/results/guest/*.log \
		"$dir/results/dom0.log" "$dir/console.log" >"$dir/complaint" 2>/dev/null; then
		stage_log=$dir/complaint
	fi
	die "${failed:-dom0 gave no verdict}; all logs are in $dir"
}

stage 'checking this machine'
need_host
stage 'installing missing packages'
[ "$BACK" != blkd ] || host_packages+=("${user_packages[@]}")
need_packages
stage 'building the lab image (cached afterwards)'
logged "$top/build/lab/image.log" "$lab/image.sh" || die 'the image could not be built'
LAB_MODULES=''
stage 'building the modules for Linux 6.12'
if [ "$FRONT" != xpv ] && [[ $BACK != @(xpv|blkd) ]]; then
	note 'not needed: only the in-tree drivers were asked for'
else
	logged "$top/build/lab/build.log" "$lab/build.sh" 6.12 || die 'the modules could not be built'
	LAB_MODULES=$(tail -n 1 "$stage_log")
fi
export LAB_MODULES
if [ "$BACK" = blkd ]; then
	logged "$top/build/lab/user.log" make -C "$top" user || die 'the userspace backend could not be built'
	export LAB_BLKD=1
fi
stage 'booting QEMU, Xen and dom0'
stage_log=$dir/console.log
# lastpipe keeps the stage counter in this shell.
shopt -s lastpipe
set +o pipefail
"$lab/run.sh" demo demo 900 | scenario
