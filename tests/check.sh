#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check.sh [long | soak MINUTES]: every test, cheapest first; or those that take too long for every
# day; or all that can happen to a guest, over and over (tests/lab/dom0/soak.sh). With
# DEBUG_KERNEL=1 the lab alone, on a kernel that has every check (tests/lab/debug-kernel.sh). A line
# per test, `pass NAME`, `fail NAME why` or `skip NAME why`, as it ends; their count last. Logs
# are under build/.
. "$(dirname "$0")/lab/common.sh"
cd "$top"
# NBD servers are for unit tests of disks on them.
host_packages+=("${user_packages[@]}" git libcmocka-dev nbdkit qemu-utils)
results=build/check/results
all_series=(6.1 6.12 7)
stage_total=10

# Lines of a verdict go to the screen and are counted; all else only to the screen.
verdicts() { tee -a "$results"; }

# one NAME COMMAND...: a step that is a test itself.
one() {
	local name=$1
	shift
	if "$@"; then echo "pass $name"; else echo "fail $name see above"; fi | verdicts
}

# many NAME COMMAND...: a step that prints verdicts. One that fails without saying which test did
# is a failure of its own: nothing may be missing in silence.
many() {
	local name=$1 before
	shift
	before=$(count fail)
	"$@" | verdicts && return
	[ "$(count fail)" -gt "$before" ] || echo "fail $name ended with an error, see above" | verdicts
}

count() { grep -c "^$1 " "$results" || true; }

# What the last steps need comes over the network, the first time: meanwhile the first ones run. Whoever
# needs it waits for it, or fails by it.
fetch() {
	local series
	# Which the shell lets what is in the background ignore: Ctrl-C is for it as well.
	trap - INT
	for series in "${all_series[@]}"; do
		"$lab/chroot.sh" "$series"
	done
	"$lab/image.sh"
}

modules_build() {
	logged "build/check/modules-$1.log" "$lab/build.sh" "$1" || { tail -n 15 "$stage_log"; return 1; }
}

mkdir -p build/check
: >"$results"

[ -z "${DEBUG_KERNEL-}" ] || stage_total=3
if [ "${1-}" = long ]; then
	stage_total=2
	# Each side of the block pair in depth, and a guest with firmware and a device model.
	export LAB_LONG=1 LAB_PAIRS='pv:xpv:xpv pvh:xpv:xpv pv:linux:xpv hvm:xpv:xpv pv:xpv:linux pv:xpv:qdisk pv:xpv:blkd pv:linux:blkd pvh:xpv:blkd pvh:linux:blkd'
fi
if [ "${1-}" = soak ]; then
	stage_total=2
	[[ ${2-} =~ ^[1-9][0-9]*$ ]] || die "MINUTES is how long to soak, not '${2-}'"
	export LAB_SOAK=$2 LAB_PAIRS=${LAB_PAIRS:-pv:xpv:xpv pv:xpv:blkd}
	export LAB_TESTS='drivers soak logs* destroy-under-load no-grant-left back-reload debug-*'
fi
stage 'checking this machine'
need_host
need_packages
if [ -n "${DEBUG_KERNEL-}" ]; then
	stage 'the kernel with checks (half an hour, cached afterwards)'
	logged build/check/debug-kernel.log "$lab/debug-kernel.sh" || die 'the kernel could not be built'
elif [ -z "${1-}" ]; then
	fetch >build/check/fetch.log 2>&1 </dev/null &
	stage 'lint'
	many lint tests/lint.sh
	stage 'unit tests'
	many unit make -s -k -j2 unit
	stage 'ring stress'
	one stress/ring make -s -j2 stress
	stage 'model of the ring'
	many model make -s model
	stage 'input that fuzzing has found'
	many fuzz make -s -k -j2 fuzz-replay
	for series in "${all_series[@]}"; do
		stage "building the modules for $series"
		one "build/$series" modules_build "$series"
	done
fi
stage 'lab: a Xen host with guests'
many lab "$lab/check.sh"
if [ "${1-}" = soak ]; then
	for pair in $LAB_PAIRS; do
		grep -q "^[pf]a[si][sl] lab/$pair/soak " "$results" || echo "fail lab/$pair/soak did not begin" | verdicts
	done
fi

if grep '^fail ' "$results" >/dev/null; then
	printf '\nfailed:\n'
	sed -n 's/^fail /  /p' "$results"
fi
printf '%s passed, %s failed, %s skipped\n' "$(count pass)" "$(count fail)" "$(count skip)"
[ "$(count fail)" = 0 ]
