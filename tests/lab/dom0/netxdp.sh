# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# XDP programs (tests/xdp) on the guest's second vif: what becomes of pings from dom0.
# Sourced by check.sh, whose verdict() it uses.

# xdp_try WHAT...: attaches such a program, natively.
xdp_try() {
	guest "/xpv/xdp $guest_name $* >/tmp/xdp.log 2>&1 & echo \$! >/tmp/xdp.pid
		for i in \$(seq 50); do grep -q attached /tmp/xdp.log && exit; kill -0 \$! || break; sleep 0.1; done
		cat /tmp/xdp.log; exit 1"
}

# And until the backend has heard of it: the frontend asks for room, and ours for nothing a program can't see.
xdp_on() {
	xdp_try "$@" || { echo "no program to $1"; return 1; }
	until_ok 20 front_says xdp-headroom 256 || { echo "no headroom is asked for"; return 1; }
	[ "$front" != xpv ] || until_ok 20 front_says feature-gso-tcpv4 0 || { echo "segments are still asked for"; return 1; }
}

xdp_off() {
	guest 'kill $(cat /tmp/xdp.pid) || exit; for i in $(seq 50); do kill -0 $(cat /tmp/xdp.pid) 2>/dev/null || exit 0; sleep 0.1; done; exit 1' || { echo "the program stays"; return 1; }
	until_ok 20 xdp_forgotten || { echo "headroom is asked for without a program"; return 1; }
	until_ok 20 guest 'ping -q -c 1 -W 1 10.0.1.1' || { echo "no ping without the program"; return 1; }
}

xdp_forgotten() { [ "$(front_key 1/xdp-headroom || echo 0)" = 0 ] && [ "$(back_key 1/state)" != 5 ]; }

# pinged WHO SIZE...: pings of all sizes are answered whole, by the guest's stack or before it.
pinged() {
	local who=$1 size seen
	shift
	for size; do
		seen=$(echos) || return
		ping -q -c 40 -i 0.02 -s "$size" 10.0.1.2 | grep -q ' 0% packet loss' || { echo "pings of $size bytes are lost"; return 1; }
		seen=$(($(echos) - seen))
		case $who in
		stack) [ "$seen" -ge 40 ] || { echo "the guest's stack saw $seen of 40 pings of $size bytes"; return 1; } ;;
		program) [ "$seen" = 0 ] || { echo "the guest's stack saw $seen pings of $size bytes"; return 1; } ;;
		esac
	done
}

echos() { guest "awk '/^Icmp:/ { if (!n) { for (i = 1; i <= NF; i++) if (\$i == \"InEchos\") n = i } else print \$n }' /proc/net/snmp"; }
verdicts() { guest "ethtool -S $guest_name" | awk -v name="rx_queue_0_xdp_$1:" '$1 == name { print $2 }'; }

xdp_begin() { queues 1 1 && attach_net && guest_name=$(guest 'ls /sys/bus/xen/devices/vif-1/net'); }

# What most programs say.
net_xdp() {
	local guest_name sizes='56 1400' pings
	[ -z "${LAB_LONG-}" ] || sizes='20 56 200 300 1400'
	pings=$((40 * $(wc -w <<<"$sizes")))
	xdp_begin && pinged stack 56 || return
	# shellcheck disable=SC2086
	xdp_on pass && pinged stack $sizes && net_payload 1 || return
	[ -z "${LAB_LONG-}" ] || { guest_iperf 1 2 && guest_iperf 1 2 -R; } || return
	xdp_off || return
	xdp_on drop || return
	! ping -q -c 20 -i 0.02 -W 1 10.0.1.2 >/dev/null || { echo "a dropped ping is answered"; return 1; }
	[ "$(verdicts drops)" -ge 20 ] || { echo "$(verdicts drops) drops are counted of 20"; return 1; }
	guest 'ping -q -c 3 10.0.1.1' >/dev/null || { echo "what is not dropped does not come"; return 1; }
	xdp_off || return
	# shellcheck disable=SC2086
	xdp_on tx && pinged program $sizes || return
	[ "$(verdicts tx)" -ge $pings ] || { echo "$(verdicts tx) are counted as sent back, of $pings"; return 1; }
	xdp_off && pinged stack 56 && detach_net
}

# And what is written before a packet, or sent elsewhere.
net_xdp_redirect() {
	local guest_name other before
	xdp_begin && xdp_on meta && pinged stack 56 300 1400 && xdp_off || return
	other=$(guest 'ls /sys/bus/xen/devices/vif-0/net')
	before=$(guest "cat /sys/class/net/$other/statistics/tx_packets")
	xdp_on redirect "$other" && pinged program 20 56 200 300 1400 || return
	[ "$(verdicts redirects)" -ge 200 ] || { echo "$(verdicts redirects) are counted as redirected, of 200"; return 1; }
	[ $(($(guest "cat /sys/class/net/$other/statistics/tx_packets") - before)) -ge 200 ] || { echo "the other interface has not sent them"; return 1; }
	xdp_off && pinged stack 56 && detach_net
}

# A socket of user space has the packets, and sends.
net_xdp_socket() {
	local guest_name
	xdp_begin && xdp_on xsk && pinged program 20 56 300 1400 && xdp_off && pinged stack 56 && detach_net
}

# Packets of several pages, for programs that know of them; others are not attached, nor the MTU set.
net_xdp_jumbo() {
	local guest_name other
	xdp_begin && set_mtu "$guest_name" 9000 || return
	other=$(guest 'ls /sys/bus/xen/devices/vif-0/net')
	! xdp_try pass >/dev/null || { echo "a program without frags with an MTU of 9000"; return 1; }
	# About what fits a page, in each case one more than a multiple.
	xdp_on pass-frags && pinged stack 1400 3470 3490 3900 4100 8900 && net_payload 1 && xdp_off || return
	xdp_on tx-frags && pinged program 1400 3470 3490 3900 4100 8900 && xdp_off || return
	guest "ip link set $other mtu 9000" && ip link set "vif$domid.0" mtu 9000 || return
	xdp_on redirect-frags "$other" && pinged program 1400 8900 && xdp_off || return
	guest "ip link set $other mtu 1500" && ip link set "vif$domid.0" mtu 1500 || return
	set_mtu "$guest_name" 65517 && xdp_on tx-frags && pinged program 60000 65400 && xdp_off || return
	set_mtu "$guest_name" 1500 && xdp_on pass || return
	! guest "ip link set $guest_name mtu 9000" 2>/dev/null || { echo "an MTU of 9000 with a program without frags"; return 1; }
	xdp_off && detach_net
}

# Nothing is left of many packets that went back, nor of an interface that goes with a program on it.
net_xdp_many() {
	local guest_name mine theirs i
	xdp_begin && xdp_on tx || return
	mine=$(free_kib) theirs=$(guest "$(declare -f free_kib); free_kib")
	ping -q -f -c 6000 -s 1400 10.0.1.2 | grep -E ' 0(\.[0-9]+)?% packet loss' || { echo "pings are lost"; return 1; }
	mine=$((mine - $(free_kib))) theirs=$((theirs - $(guest "$(declare -f free_kib); free_kib")))
	echo "dom0 has $mine KiB less than before, the guest $theirs"
	# They had 24000 KiB of pages.
	[ $mine -lt 12288 ] && [ $theirs -lt 12288 ] || return
	# On and off, with packets under way.
	for i in {1..5}; do
		xdp_off && xdp_on "$([ $((i % 2)) = 0 ] && echo tx || echo pass)" || return
	done
	ping -q -f -c 2000 -s 1400 10.0.1.2 >/dev/null &
	sleep 0.5
	detach_net && wait $!
	guest 'kill $(cat /tmp/xdp.pid)'
	attach_net && net_ping 1 && detach_net
}

# With a backend that is not trusted all is copied, both ways.
net_xdp_untrusted() {
	local guest_name
	guest 'echo 0 >/sys/module/xpv_netfront/parameters/trusted'
	xdp_begin && xdp_on tx && pinged program 56 1400 && xdp_off && xdp_on pass && pinged stack 56 1400 && xdp_off && detach_net || return
	guest 'echo 1 >/sys/module/xpv_netfront/parameters/trusted'
}

# A backend that leaves no room: programs have it all the same.
net_xdp_no_room() {
	local guest_name parameter=/sys/module/$(driver_name "$back")_netback/parameters/provides_xdp_headroom
	echo 0 >"$parameter"
	xdp_begin && xdp_try meta && until_ok 20 front_says feature-gso-tcpv4 0 && pinged stack 56 300 1400 && xdp_off || { echo 1 >"$parameter"; return 1; }
	echo 1 >"$parameter"
	detach_net
}

back_is() { [ "$(back_key 1/state)" = "$1" ]; }

# The in-tree frontend takes one page, and asks by Reconfiguring. It is told each time, not once.
net_xdp_peer() {
	local guest_name i
	xdp_begin || return
	for i in 1 2; do
		xdp_on room && until_ok 20 back_is 4 || { echo "the backend is in state $(back_key 1/state)"; return 1; }
		pinged stack 56 300 1400 && xdp_off && pinged stack 56 1400 || return
	done
	detach_net
}

net_xdp_tests() {
	if [ "$front" = xpv ]; then
		verdict net-xdp net_xdp
		if [ -n "${LAB_LONG-}" ]; then
			verdict net-xdp-redirect net_xdp_redirect
			verdict net-xdp-socket net_xdp_socket
			verdict net-xdp-jumbo net_xdp_jumbo
			verdict net-xdp-many net_xdp_many
			verdict net-xdp-untrusted net_xdp_untrusted
			verdict net-xdp-no-room net_xdp_no_room
		fi
	elif [ "$back" = xpv ]; then
		verdict net-xdp-peer net_xdp_peer
	fi
	queues 1 1 >/dev/null
}
