# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the benches of this folder share.
. "$(dirname "${BASH_SOURCE[0]}")/../lab/common.sh"
cd "$top"

# With XPV_CLOCK=icount the lab's clock counts them, 2 ns each: this machine's load does not show.
instructions_per_second=500000000

# measure NAME SCENARIO: boots dom0, on the clock that XPV_CLOCK says, and shows how it gets on. Its
# lines "result ..." are in build/lab/NAME/channel then, for results() to print.
measure() {
	local line failed='' done=''
	stage "booting QEMU, Xen and dom0 for $1"
	stage_log=build/lab/$1/console.log
	mkdir -p build/bench/dom0
	cp tests/bench/dom0/* build/bench/dom0/
	gcc -Wall -Wextra -Werror -static -O2 tests/bench/rr.c -o build/bench/dom0/rr
	# The disk keeps nothing, in dom0 as in the guest: what it does itself is not the point.
	export LAB_EXTRA=$top/build/bench/dom0 LAB_DISK_MEMORY=0
	while read -r line; do
		case $line in
		stage\ *) stage "${line#stage }" ;;
		result\ *) note "${line#result }" ;;
		fail\ *) failed=${line#fail } ;;
		verdict\ success) done=1 ;;
		esac
	done < <("$lab/run.sh" "$1" "$2" 7200)
	[ -n "$done" ] || die "${failed:-dom0 gave no verdict}; all logs are in build/lab/$1"
}

results() { # NAME
	grep '^result ' "build/lab/$1/channel" | tr -d '\r'
}
