# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Memory that is not to be had, one allocation of so many, wherever one of our modules asks for some or
# somebody asks on its behalf: in dom0, then in the guest. On a kernel that can do so (debug-kernel.sh).
# Sourced by check.sh, whose functions it uses.

# starve PERCENT PERCENT: from now on, of objects and of pages. Runs at either end, like sated. The disk of dom0
# is left alone: it is in memory, and fails a write for which it has none.
starve() {
	local attribute percent=$1 d=/sys/kernel/debug
	[ -e $d/failslab ] || mount -t debugfs none $d
	for attribute in $d/failslab $d/fail_page_alloc; do
		text xpv_ $attribute/require
		text null_blk $attribute/reject
		echo 32 >$attribute/stacktrace-depth
		echo 0 >$attribute/verbose
		echo N >$attribute/ignore-gfp-wait
		echo 1000000 >$attribute/times
		[ ! -e $attribute/min-order ] || echo 0 >$attribute/min-order
		echo "$percent" >$attribute/probability
		percent=$2
	done
}

# sated: no more of that; prints how many objects and pages were refused.
sated() {
	local attribute
	for attribute in /sys/kernel/debug/failslab /sys/kernel/debug/fail_page_alloc; do
		echo 0 >$attribute/probability
		echo $((1000000 - $(cat $attribute/times)))
	done
}

# add OBJECTS PAGES: to all that were refused.
add() {
	[ $# = 2 ] || { echo "nobody says how many were refused"; return 1; }
	objects=$((objects + $1)) pages=$((pages + $2))
}

# text MODULES FILES: where these are, which were loaded one after the other.
text() {
	local end
	for end in "start 1" "end \$"; do
		grep -E " [tT] .*\\[$1" /proc/kallsyms | sort | sed -n "${end#* }p" | sed 's/^\([0-9a-f]*\) .*/0x\1/' >/tmp/text
		[ ! -s /tmp/text ] || cat /tmp/text >$2-${end% *}
	done
}

# at END starve|sated...: at dom0's end or the guest's.
at() {
	local end=$1
	shift
	case $end in
	dom0) "$@" ;;
	guest) guest "$(declare -f starve sated text); $*" ;;
	esac
}

# Devices that come at such a time, or do not. What is left of them has to be cleared away. Objects and pages in turn: pages
# are asked for late, by devices that had all objects until then.
fault_attach() { # END
	local n objects=0 pages=0 come=0
	for n in {1..8}; do
		at "$1" starve $((n % 2 * n * 2)) $(((n + 1) % 2 * n * 5)) || { echo "nothing can be refused"; return 1; }
		{
			timeout 30 xl block-attach guest "$(disk_line /dev/nullb1 xvdc)" && disk_comes 51744 && come=$((come + 1))
			timeout 30 xl network-attach guest type=vif bridge=xenbr0 devid=1 && sleep 2
		} >>$lab/out/xl.log 2>&1
		# shellcheck disable=SC2046
		add $(at "$1" sated) || return
		fault_cleared vbd 51744 && fault_cleared vif 1 || return
	done
	echo "$objects objects and $pages pages were refused, $come of 8 disks came all the same"
	[ $objects -gt 0 ] && [ $pages -gt 0 ] || return
	attach_disk && VERIFY_SIZE=2m guest_verify xvdc randwrite 4k && detach_disk && attach_net && net_ping 1 && detach_net
}

disk_comes() { until_ok 5 connected "$1"; }

# no_answer TYPE DEVID: away with a device whose backend was never there to say so. For a vif xl has no word for that.
no_answer() {
	local node
	if [ "$1" = vbd ]; then
		timeout 60 xl block-detach --force guest "$2"
		return
	fi
	for node in "/local/domain/0/backend/vif/$domid/$2" "/local/domain/$domid/device/vif/$2" "/libxl/$domid/device/vif/$2"; do
		xenstore-rm "$node"
	done
}

# fault_cleared TYPE DEVID: neither end has the device any more.
fault_cleared() {
	local detach=block-detach
	[ "$1" = vbd ] || detach=network-detach
	if ! { timeout 60 xl $detach guest "$2" && until_ok 10 no_backend "$1" "$2"; }; then
		no_answer "$1" "$2"
	fi >>$lab/out/xl.log 2>&1
	until_ok 20 no_backend "$1" "$2" || { echo "dom0 still has the backend of $1 $2"; return 1; }
	until_ok 20 guest "! [ -e /sys/bus/xen/devices/$1-$2 ]" || { echo "the guest still has $1 $2"; return 1; }
}

# Requests and packets wait, or are lost as packets are; none is answered with an error.
fault_load() { # END
	local objects=0 pages=0 percent
	guest_load steady "$(steady_job xvdb)" && net_job 0 || return
	for percent in 1 10 50; do
		at "$1" starve $percent $percent || return
		sleep 8
		# shellcheck disable=SC2046
		add $(at "$1" sated) || return
		until_ok 60 net_moves 0 || { echo "no more packets after $percent % were refused"; return 1; }
		moves || { echo "no more requests after $percent % were refused"; return 1; }
	done
	echo "$objects objects and $pages pages were refused"
	[ $objects -gt 0 ] && [ $pages -gt 0 ] || return
	guest_load_runs net || { echo "iperf3 ended early"; return 1; }
	net_job_stop
	steady_end
}

fault_tests() {
	if [ "$back" = xpv ]; then
		verdict fault-alloc-load fault_load dom0
		verdict fault-alloc-attach fault_attach dom0
	fi
	[ "$front" = xpv ] || return 0
	verdict fault-alloc-guest-load fault_load guest
	verdict fault-alloc-guest-attach fault_attach guest
}
