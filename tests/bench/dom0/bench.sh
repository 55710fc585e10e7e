#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The bench's part in dom0: the same jobs on dom0 itself, in a guest without any transport,
# and through each pair of drivers. Sends `result GUEST PAIR JOB VALUE`, where JOB names
# the unit, and leaves a trace of hypercalls per job in the results.
# shellcheck source=tests/lab/dom0/lib.sh
. /run/lab/dom0/lib.sh

# shellcheck source=tests/bench/dom0/jobs.sh
. /run/lab/extra/jobs.sh

# name, direction as the guest sees it, iperf3's options
net_jobs='
tcp-guest-to-dom0 tx
tcp-dom0-to-guest rx -R
udp64-guest-to-dom0 tx -u -b 0 -l 64
udp64-dom0-to-guest rx -u -b 0 -l 64 -R'

fio_here() { # DEVICE RW BS DEPTH
	fio --name=j --filename="$1" --rw="$2" --bs="$3" --iodepth="$4" --ioengine=libaio --direct=1 --size=256m \
		--time_based --runtime=$seconds --output-format=terse --terse-version=3 2>/dev/null |
		awk -F ';' '$1 == 3 { print $8 + $49 }'
}

# Mbit/s, as the receiver has it.
iperf_rate() { awk '/receiver/ { print $(NF - 2) }'; }

# Datagrams per second, by the packet counter that the first command prints.
udp_rate() { # COUNTER COMMAND...
	local counter=$1 before
	shift
	before=$($counter)
	"$@" -t $seconds >/dev/null || return
	echo $((($($counter) - before) / seconds))
}

packets_in() { # DIRECTION: packets that arrived over the vif so far
	case $1 in
	tx) cat "/sys/class/net/vif$domid.0/statistics/rx_packets" ;;
	rx) guest 'cat /sys/bus/xen/devices/vif-0/net/*/statistics/rx_packets' ;;
	esac
}

# Mbit/s of a stream; of datagrams, those that reached the other driver per second.
net_rate() { # DIRECTION ADDRESS OPTION...
	local direction=$1 before after
	shift
	case "$*" in
	*-u*)
		before=$(packets_in "$direction")
		guest "iperf3 -c $* -t $seconds" >/dev/null || return
		after=$(packets_in "$direction")
		echo $(((after - before) / seconds))
		;;
	*) guest "iperf3 -c $* -t $seconds -f m" | iperf_rate ;;
	esac
}

# A byte there and back again, times per second.
round_trips() {
	local server
	/run/lab/extra/rr 3>&- &
	server=$!
	timeout 60 busybox nc -l -p 5998 -e cat /run/lab/extra/rr 3>&- &
	guest "sleep 1; nc 10.0.0.1 5998 </dev/null >/tmp/rr && chmod +x /tmp/rr && /tmp/rr 10.0.0.1 $seconds"
	kill $server
}

# Whoever reads looks for so many microseconds, by himself, before he sleeps; both ends.
busy_readers() {
	echo "$1" >/proc/sys/net/core/busy_read
	guest "echo $1 >/proc/sys/net/core/busy_read"
}

# Through the bridge to another guest with the same frontend, which shares a CPU with the first.
guest_to_guest() {
	local first=$domid second
	guest_config | sed 's/^name = .*/name = "peer"/; /^disk = /d' >$lab/peer.cfg
	xl create $lab/peer.cfg >>$lab/out/xl.log 2>&1 || fail "no second guest"
	second=$(xl domid peer)
	domid=$second
	answered 0 $GUEST_BOOT_LIMIT && load_front "$front" &&
		guest 'for i in $(seq 200); do n=$(ls /sys/bus/xen/devices/vif-0/net) && [ "$n" ] && break; sleep 0.2; done
			ip addr add 10.0.0.3/24 dev $n && ip link set $n up && iperf3 -s -D >/dev/null' || fail "the second guest has no network"
	domid=$first
	until_ok 20 guest 'ping -q -c 1 -W 1 10.0.0.3' || fail "the guests do not reach each other"
	rest
	guest "iperf3 -c 10.0.0.3 -t $seconds -f m" | iperf_rate
	xl destroy peer
	until_ok 20 gone "$second" || fail "the second guest stays"
}

# traced FILE COMMAND...: with Xen's record of the hypercalls of one second of it.
traced() {
	local file=$lab/out/trace/$1 tracer mask=0x00201000
	shift
	# A PVH guest's hypercalls are exits of another class.
	[ "$kind" = pv ] || mask=0x00283000
	(sleep 0.7; exec xentrace -D -S 1024 -e $mask -T 1 "$file") >/dev/null 2>&1 &
	tracer=$!
	"$@"
	wait $tracer
}

dom0_limits() {
	local job rw bs depth
	stage "dom0's own limit"
	rest
	while read -r job rw bs depth; do
		[ -z "$job" ] || say "result dom0 limit $job $(fio_here /dev/nullb0 "$rw" "$bs" "$depth")"
	done <<<"$block_jobs"
	ip netns add peer
	ip link add veth0 type veth peer name veth1 netns peer
	ip link set veth0 master xenbr0 up
	ip -n peer address add 10.0.0.9/24 dev veth1
	ip -n peer link set veth1 up
	sleep 1
	say "result dom0 limit tcp-guest-to-dom0 $(ip netns exec peer iperf3 -c 10.0.0.1 -t $seconds -f m | iperf_rate)"
	say "result dom0 limit tcp-dom0-to-guest $(ip netns exec peer iperf3 -c 10.0.0.1 -t $seconds -f m -R | iperf_rate)"
	say "result dom0 limit udp64-guest-to-dom0 $(udp_rate 'cat /sys/class/net/veth0/statistics/rx_packets' ip netns exec peer iperf3 -c 10.0.0.1 -u -b 0 -l 64)"
	say "result dom0 limit udp64-dom0-to-guest $(udp_rate 'ip netns exec peer cat /sys/class/net/veth1/statistics/rx_packets' ip netns exec peer iperf3 -c 10.0.0.1 -u -b 0 -l 64 -R)"
	ip netns del peer
}

guest_disk() { # PAIR DISK
	local job rw bs depth
	rest
	while read -r job rw bs depth; do
		[ -n "$job" ] || continue
		say "result $kind $1 $job $(guest_fio "$2" "$rw" "$bs" "$depth" $seconds | cut -d ' ' -f 1)"
		traced "$kind-$1-$job" guest_fio "$2" "$rw" "$bs" "$depth" 2 >/dev/null
	done <<<"$block_jobs"
}

guest_limits() {
	stage "$kind guest's own limit"
	guest 'cd /lib/modules && for f in $(cat null_blk.order); do insmod $f gb=1 memory_backed=0 queue_mode=2 irqmode=0 || exit; done
		iperf3 -s -D >/dev/null' || fail "no null_blk in the guest"
	guest_disk limit nullb0
	say "result $kind limit tcp-guest-to-dom0 $(guest "iperf3 -c 127.0.0.1 -t $seconds -f m" | iperf_rate)"
	say "result $kind limit udp64-guest-to-dom0 $(udp_rate "guest cat /sys/class/net/lo/statistics/rx_packets" guest iperf3 -c 127.0.0.1 -u -b 0 -l 64)"
	guest 'killall iperf3; rmmod null_blk'
}

net_results() { # PAIR
	local job direction options rate
	stage "$kind guest, $1 pair: network"
	rest
	while read -r job direction options; do
		[ -n "$job" ] || continue
		say "result $kind $1 $job $(net_rate "$direction" "10.0.0.1 $options")"
		seconds=2 traced "$kind-$1-$job" net_rate "$direction" "10.0.0.1 $options" >/dev/null
	done <<<"$net_jobs"
	say "result $kind $1 tcp-rr $(round_trips)"
	busy_readers 200
	say "result $kind $1 tcp-rr-polled $(round_trips)"
	busy_readers 0
	rate=$(guest_to_guest) || exit
	say "result $kind $1 tcp-guest-to-guest $rate"
}

block_results() { # PAIR
	local patience=/sys/module/xpv_blkback/parameters/poll_us
	stage "$kind guest, $1 pair: block"
	guest_disk "$1" xvdb
	# Where a backend can be told to look for the next request before it sleeps.
	[ ! -e $patience ] || echo 200 >$patience
	say "result $kind $1 randread-4k-qd1-polled $(guest_fio xvdb randread 4k 1 $seconds | cut -d ' ' -f 1)"
	[ ! -e $patience ] || echo 0 >$patience
}

# measure KIND FRONT BACK RESULTS...: a guest with these drivers, and what is asked of it.
measure() {
	local name=$2 results
	[ "$2" = "$3" ] || name=$2+$3
	stage "$1 guest, $name pair"
	load_back "$3" || fail "the $3 backends do not load"
	start_guest "$1" "$2" "$3" >&2 || fail "no $1 guest with the $name pair"
	shift 3
	for results; do $results "$name"; done
	stop_guest >&2 || fail "the $kind guest with the $name pair could not be destroyed"
	unload_back "$back" || fail "the $back backends do not unload"
}

exec >$lab/out/bench.log 2>&1
mkdir -p $lab/out/trace
export GUEST_BOOT_LIMIT=400 GUEST_LIMIT=300
dom0_limits
for kind in pv pvh; do
	measure $kind linux linux guest_limits block_results net_results
	measure $kind xpv xpv block_results net_results
done
measure pv xpv linux net_results
measure pv linux xpv net_results
