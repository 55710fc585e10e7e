# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# How packets are told of, polled for, and seen on their way. On the guest's second vif, as in net.sh.
# Sourced by check.sh, whose verdict() it uses.

# --- moderation ---

# vif_interrupts NAME <FILE: of all lines of /proc/interrupts that end so.
vif_interrupts() { awk -v name="$1" '$NF == name { for (i = 2; i < NF; i++) if ($i ~ /^[0-9]+$/) n += $i } END { print n + 0 }'; }

# events COUNT [OPTION]: leaves in $to_dom0, $to_guest and $answered how many events so many pings, 2 ms apart, took:
# dom0's for what the guest sends, the guest's for what it receives, and for answers to what it sent.
# The in-tree frontend's names are different, and it is not asked.
events() {
	local name=$guest_name dom0 rx tx
	guest 'cat /proc/interrupts' >/tmp/before || return
	dom0=$(vif_interrupts "vif$domid.1-q0-tx" </proc/interrupts)
	ping -q -c "$1" "${2--i0.002}" -s 1400 10.0.1.2 >/tmp/ping || { cat /tmp/ping; echo "pings are lost"; return 1; }
	to_dom0=$(($(vif_interrupts "vif$domid.1-q0-tx" </proc/interrupts) - dom0))
	guest 'cat /proc/interrupts' >/tmp/after || return
	rx=$(vif_interrupts "$name-q0-rx" </tmp/before) tx=$(vif_interrupts "$name-q0-tx" </tmp/before)
	to_guest=$(($(vif_interrupts "$name-q0-rx" </tmp/after) - rx)) answered=$(($(vif_interrupts "$name-q0-tx" </tmp/after) - tx))
	tail -n 1 /tmp/ping
	echo "$1 pings: $to_dom0 events in dom0, in the guest $to_guest and $answered for answers"
}

few() { [ "$2" -lt 200 ] || { echo "$2 events $1 for 400 pings"; return 1; }; }
many() { [ "$2" -gt 200 ] || { echo "$2 events $1 for 400 pings, though each may have one"; return 1; }; }

# Fewer events when they are put off, and as many as ever when not.
coalesced() {
	local guest_name
	queues 1 1 && attach_net || return
	guest_name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	events 400 || return
	if [ "$back" = xpv ]; then
		many 'in dom0' "$to_dom0" && ethtool -C "vif$domid.1" rx-usecs 10000 && events 400 && few 'in dom0' "$to_dom0" || return
		! ethtool -C "vif$domid.1" rx-usecs 10001 2>/dev/null || { echo "more than 10 ms are taken"; return 1; }
		ethtool -C "vif$domid.1" rx-usecs 10000 rx-frames 1 && events 400 && many 'in dom0 of one frame each' "$to_dom0" || return
		ethtool -C "vif$domid.1" rx-usecs 0 rx-frames 0 && events 400 && many 'in dom0 again' "$to_dom0" || return
	fi
	if [ "$front" = xpv ]; then
		many 'in the guest' "$to_guest" && many 'for answers' "$answered" || return
		guest "grep -vx 0 /sys/class/net/$guest_name/queues/tx-0/byte_queue_limits/limit" || { echo "bytes on their way are not accounted for"; return 1; }
		guest "ethtool -C $guest_name rx-usecs 10000" && events 400 && few 'in the guest' "$to_guest" && many 'for answers' "$answered" || return
		guest "ethtool -C $guest_name rx-usecs 0 tx-usecs 10000" && events 400 && many 'in the guest again' "$to_guest" && few 'for answers' "$answered" || return
		guest "ethtool -C $guest_name tx-usecs 0" && net_ping 1 || return
	fi
	detach_net
}

# Nobody waits for an answer to what goes by pages that stay mapped: for this there are none.
net_coalesce() {
	local status=0
	[ "$front" != xpv ] || static_option 0 || return
	coalesced || status=1
	[ "$front" != xpv ] || static_option 768 || return
	return $status
}

# Looking for packets takes the place of events, as long as they come; without any it ends.
net_adaptive() {
	local guest_name ticks status=0
	queues 1 1 && attach_net || return
	guest_name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	events 500 -f || return
	[ "$back" != xpv ] || ethtool -C "vif$domid.1" rx-usecs 1000 adaptive-rx on || return
	[ "$front" != xpv ] || guest "ethtool -C $guest_name rx-usecs 1000 adaptive-rx on" || return
	! ethtool -C "vif$domid.1" rx-usecs 0 2>/dev/null || { echo "polling without a bound"; return 1; }
	events 500 -f || return
	net_ping 1 && guest_iperf 1 2 && guest_iperf 1 2 -R || { echo "no traffic while polling"; return 1; }
	sleep 1
	ticks=$(polls) && sleep 2 && ticks=$(($(polls) - ticks)) || return
	[ "$ticks" -lt 500 ] || { echo "$ticks softirqs in 2 s without a packet"; return 1; }
	detach_net
}

polls() { awk '/NET_RX/ { print $2 }' /proc/softirqs; }

# The stack's own ways to poll: a thread for each queue, busy sockets, and interrupts put off.
net_napi() {
	local guest_name found
	queues 1 1 && attach_net || return
	guest_name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	echo 1 >"/sys/class/net/vif$domid.1/threaded" && guest "echo 1 >/sys/class/net/$guest_name/threaded" || return
	pgrep "napi/vif$domid.1" >/dev/null || { echo "no thread in dom0"; return 1; }
	guest "ps | grep '[n]api/$guest_name'" >/dev/null || { echo "no thread in the guest"; return 1; }
	net_ping 1 && guest_iperf 1 2 && guest_iperf 1 2 -R || { echo "no traffic by threads"; return 1; }
	echo 0 >"/sys/class/net/vif$domid.1/threaded" && guest "echo 0 >/sys/class/net/$guest_name/threaded" || return
	guest 'echo 500 >/proc/sys/net/core/busy_read; echo 500 >/proc/sys/net/core/busy_poll'
	guest_iperf 1 2 -R && guest_iperf 1 2 || { echo "no traffic with busy sockets"; return 1; }
	guest 'echo 0 >/proc/sys/net/core/busy_read; echo 0 >/proc/sys/net/core/busy_poll'
	found=$(guest "awk '/^TcpExt:/ { if (!n) { for (i = 1; i <= NF; i++) if (\$i == \"BusyPollRxPackets\") n = i } else print \$n }' /proc/net/netstat")
	[ "$found" -gt 0 ] || { echo "busy sockets found no packet"; return 1; }
	if [ "$back" = xpv ]; then
		eval "$(later_polls 3 "vif$domid.1")" && events 400 && few 'in dom0, put off by the stack' "$to_dom0" && eval "$(later_polls 0 "vif$domid.1")" || return
	fi
	net_ping 1 && detach_net
}

# merged yes|no: do frames of one stream go up to the bridge as fewer, longer ones?
merged() {
	local stat=/sys/class/net/xenbr0/statistics/rx bytes packets
	bytes=$(cat ${stat}_bytes) packets=$(cat ${stat}_packets)
	guest_iperf 1 2 >/dev/null || { echo "no TCP stream"; return 1; }
	bytes=$(($(cat ${stat}_bytes) - bytes)) packets=$(($(cat ${stat}_packets) - packets))
	echo "$bytes bytes in $packets packets"
	case $1 in
	yes) [ $bytes -gt $((packets * 2500)) ] || { echo "nothing was merged: $bytes bytes in $packets packets"; return 1; } ;;
	no) [ $bytes -le $((packets * 1514)) ] || { echo "merged with GRO off: $bytes bytes in $packets packets"; return 1; } ;;
	esac
}

# A guest that sends frame by frame costs dom0's stack less with GRO, which can be switched off.
net_gro() {
	attach_net && guest 'ethtool -K $(ls /sys/bus/xen/devices/vif-1/net) tso off' || return
	merged yes && ethtool -K "vif$domid.1" gro off && merged no && ethtool -K "vif$domid.1" gro on && merged yes && detach_net
}

# --- tracing ---

packets_traced() { grep -cE "xpv_netback_$1: vif$domid\.1 .*$2" $tracing/trace; }

# seen EVENT COUNT PATTERN
seen() {
	local lines
	lines=$(packets_traced "$1" "$3")
	[ "$lines" -ge "$2" ] || { grep -m 3 "xpv_netback_$1" $tracing/trace; echo "$1: $lines of $2 were seen"; return 1; }
}

trace_packets() {
	local floods
	ping -q -c 50 -i 0.02 -s 1400 10.0.1.2 || return
	# It has posted 256 buffers, and one socket of the sender's may have less than that under way. What
	# waits for that long may be dropped before it comes to us.
	xl pause guest
	flood 300 &
	floods=$!
	flood 300 &
	floods+=" $!"
	sleep 1
	xl unpause guest
	# shellcheck disable=SC2086
	wait $floods
	until_ok 20 guest 'ping -q -c 1 -W 1 10.0.1.1' || { echo "no ping after the pause"; return 1; }
}

# Each packet is seen, both ways, and one that waits for a guest which posts nothing.
net_traced() {
	local lines status=0
	queues 1 1 && attach_net || return
	ip neighbour replace 10.0.1.2 lladdr "$(front_key 1/mac)" dev xenbr0 nud permanent
	echo >$tracing/trace
	echo 1 >$tracing/events/xpv_netback/enable || return
	trace_packets || status=1
	echo 0 >$tracing/events/xpv_netback/enable
	ip neighbour delete 10.0.1.2 dev xenbr0
	[ $status = 0 ] || return
	seen from_guest 50 'queue=0 .* size=1442 .* status=0$' && seen to_guest 350 'queue=0 .* slots=1 size=1442 gso_size=0$' &&
		seen wait 1 'queue=0 need=1' || return
	lines=$(wc -l <$tracing/trace)
	net_ping 1 && [ "$(wc -l <$tracing/trace)" = "$lines" ] || { echo "packets are traced though that is off"; return 1; }
	detach_net
}

# For those a minute each is not too much.
net_path() {
	verdict_timed net-coalesce net_coalesce
	[ "$back" != xpv ] || verdict net-traced net_traced
	[ "$back" != xpv ] || verdict net-gro net_gro
	verdict_timed net-adaptive net_adaptive
	verdict net-napi net_napi
	queues 1 1 >/dev/null
}
