# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a vif can do beyond carrying packets, each a test of its own. All but a few are tried on
# the guest's second vif, made for the purpose, and gone afterwards.
# Sourced by check.sh, whose verdict() it uses.

# --- how many queues ---

# queues BACK FRONT: the most that either end's driver wants, for vifs to come.
queues() {
	local module=netback
	echo "$1" >/sys/module/"$(driver_name "$back")_$module"/parameters/max_queues || return
	guest "echo $2 >/sys/module/$(driver_name "$front")_netfront/parameters/max_queues"
}

driver_name() { case $1 in xpv | blkd) echo xpv ;; *) echo xen ;; esac; }

front_key() { xenstore-read "/local/domain/$domid/device/vif/$1" 2>/dev/null; }
back_key() { xenstore-read "/local/domain/0/backend/vif/$domid/$1" 2>/dev/null; }

# The guest said so, and both netdevs and dom0's event channels agree.
has_queues() { # VIF N
	local n
	n=$(front_key "$1/multi-queue-num-queues")
	[ "${n:-1}" = "$2" ] || { echo "the guest asked for $n queues"; return 1; }
	n=$(compgen -G "/sys/class/net/vif$domid.$1/queues/tx-*" | wc -l)
	[ "$n" = "$2" ] || { echo "the vif in dom0 has $n queues, not $2"; return 1; }
	n=$(guest "ls -d /sys/bus/xen/devices/vif-$1/net/*/queues/tx-* | wc -l")
	[ "$n" = "$2" ] || { echo "the guest's interface has $n queues, not $2"; return 1; }
	n=$(irqs_of "vif$domid.$1" 0 </proc/interrupts)
	[ "$n" = "$2" ] || { echo "dom0 has event channels of $n queues, not $2"; return 1; }
}

# irqs_of NAME MORE: how many of NAME's queues had more than so many interrupts; 0: how many there are.
irqs_of() {
	awk -v name="$1-q" -v more="$2" '
		index($NF, name) == 1 {
			queue = substr($NF, length(name) + 1)
			sub(/-.*/, "", queue)
			for (i = 2; i < NF; i++)
				if ($i ~ /^[0-9]+$/)
					count[queue] += $i
			seen[queue] = 1
		}
		END { for (queue in seen) n += !more || count[queue] > more; print n + 0 }'
}

# cpus_of NAME: how many CPUs had its queues' interrupts.
cpus_of() {
	awk -v name="$1-q" '
		index($NF, name) == 1 { for (i = 2; i < NF; i++) if ($i ~ /^[0-9]+$/ && $i > 8) cpus[i] = 1 }
		END { for (i in cpus) n++; print n + 0 }'
}

# Many flows, hashed to queues: most of those have work, on both sides.
spread() { # VIF QUEUES
	local name used
	guest_iperf "$1" 2 '-P 16' && guest_iperf "$1" 2 '-P 16 -R' || { echo "iperf3 with 16 flows failed"; return 1; }
	used=$(irqs_of "vif$domid.$1" 8 </proc/interrupts)
	[ "$used" -ge $(($2 - 1)) ] || { echo "$used of $2 queues had work in dom0"; return 1; }
	case $front in
	xpv) name=$(guest "ls /sys/bus/xen/devices/vif-$1/net") ;;
	*) name=vif$1 ;;
	esac
	guest 'cat /proc/interrupts' >/tmp/interrupts
	used=$(irqs_of "$name" 8 </tmp/interrupts)
	[ "$used" -ge $(($2 - 1)) ] || { echo "$used of $2 queues had work in the guest"; return 1; }
	used=$(cpus_of "$name" </tmp/interrupts)
	[ "$used" -ge $((${LAB_VCPUS:-1} < $2 ? ${LAB_VCPUS:-1} : $2)) ] || { echo "the queues' work was done by $used of the guest's CPUs"; return 1; }
}

net_queues() {
	queues 4 4 && attach_net && has_queues 1 4 && spread 1 4 && detach_net
}

# Both ends show the rings of each queue, as they stand, while they come and go.
net_debugfs() {
	queues 2 2 && attach_net && net_job 1 && until_ok 20 net_moves 1 || return
	if [ "$back" = xpv ]; then
		net_shows 2 </sys/kernel/debug/xpv-netback/vif-"$domid"-1 || return
	fi
	if [ "$front" = xpv ]; then
		guest 'mount -t debugfs debugfs /sys/kernel/debug; cat /sys/kernel/debug/xpv-netfront/vif-1' | net_shows 2 || return
		guest '(while cat /sys/kernel/debug/xpv-netfront/vif-1; do :; done) >/dev/null 2>&1 &'
	fi
	net_job_stop
	detach_net || return
	[ ! -e "/sys/kernel/debug/xpv-netback/vif-$domid-1" ] || { echo "shown in dom0 though it is gone"; return 1; }
}

# net_shows QUEUES: each with two rings that have been used.
net_shows() { awk -v queues="$1" '/^queue / { n++ } /req_prod [1-9]/ { used++ } { print } END { exit !(n == queues && used >= queues) }'; }

# The lower number counts, and a single queue is written flat, without folders of an earlier time.
net_queues_fewer() {
	queues 4 2 && attach_net && has_queues 1 2 && net_ping 1 && detach_net &&
		queues 1 4 && attach_net && has_queues 1 1 && net_ping 1 || return
	! front_key 1/queue-0/tx-ring-ref || { echo "a folder for the only queue"; return 1; }
	front_key 1/tx-ring-ref >/dev/null || { echo "no ring outside the folders"; return 1; }
	detach_net
}

# More queues than the guest has grants for: it has what it can, and its other devices are served.
net_queues_scarce() {
	local n
	queues 64 64 && guest 'echo 0 >/sys/module/xpv_netfront/parameters/trusted' && attach_net || return
	n=$(front_key 1/multi-queue-num-queues)
	[ "$n" -gt 8 ] && [ "$n" -lt 64 ] || { echo "$n queues, whatever grants there are"; return 1; }
	has_queues 1 "$n" && net_ping 1 && spread 1 2 && net_ping 0 && VERIFY_SIZE=1m guest_verify xvdb randwrite 4k || return
	guest 'echo 1 >/sys/module/xpv_netfront/parameters/trusted'
	detach_net && queues 4 4 && attach_net && has_queues 1 4 && detach_net
}

# The number changes while the interface is in use: its sockets notice a pause at most.
net_channels() {
	local n name
	queues 4 4 && attach_net && net_job 1 || return
	name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	for n in 2 1 3 4; do
		guest "ethtool -L $name combined $n" || { echo "ethtool -L $name combined $n failed"; return 1; }
		until_ok 20 has_queues 1 $n || { has_queues 1 $n; return 1; }
		guest "ethtool -l $name" | tail -n 2 | grep -q "Combined:.*$n" || { echo "ethtool -l does not say $n"; return 1; }
		until_ok 20 net_moves 1 || { echo "no traffic with $n queues"; return 1; }
	done
	counted "$name" || return
	guest_load_runs net || { echo "iperf3 ended early"; return 1; }
	net_job_stop
	detach_net
}

# net_moves VIF: the load's packets go through, right now.
net_moves() {
	local stat=/sys/class/net/vif$domid.$1/statistics/rx_bytes from
	from=$(cat "$stat") && sleep 1 && [ $(($(cat "$stat") - from)) -gt 100000 ]
}

# One handshake after the other, faster than any is done, with packets under way: nothing is left of them.
net_renewals() {
	local name mine theirs
	queues 4 4 && attach_net && net_job 1 && until_ok 20 net_moves 1 || return
	name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	mine=$(free_kib) theirs=$(guest "$(declare -f free_kib); free_kib")
	guest "for i in \$(seq 80); do ethtool -L $name combined \$((i % 4 + 1)); sleep 0.\$((i % 3)); done; ethtool -L $name combined 4; true" >/dev/null
	until_ok 20 has_queues 1 4 || { has_queues 1 4; return 1; }
	until_ok 40 net_moves 1 || { echo "no traffic afterwards"; return 1; }
	guest_load_runs net || { echo "iperf3 ended early"; return 1; }
	net_job_stop
	mine=$((mine - $(free_kib))) theirs=$((theirs - $(guest "$(declare -f free_kib); free_kib")))
	echo "dom0 has $mine KiB less than before, the guest $theirs"
	[ $mine -lt 24576 ] && [ $theirs -lt 24576 ] || return
	detach_net
}

free_kib() { echo 3 >/proc/sys/vm/drop_caches; awk '/MemFree/ { print $2 }' /proc/meminfo; }

# As many interfaces as a guest has, each with its queues, all at once.
net_many() {
	local vif status=0
	queues 2 2 || return
	for vif in {1..7}; do
		ip address replace "10.0.$vif.1/24" dev xenbr0
		timeout 60 xl network-attach guest type=vif bridge=xenbr0 || { echo "xl network-attach failed for vif $vif"; return 1; }
	done
	for vif in {1..7}; do
		net_up "$vif" && has_queues "$vif" 2 || return
	done
	for vif in {0..7}; do
		guest "ping -q -c 3 -i 0.2 -s 8000 10.0.$vif.1" || { echo "vif $vif does not reach dom0"; return 1; }
	done
	for vif in {1..7}; do
		timeout 60 xl network-detach guest "$vif" || status=1
		[ "$vif" = 1 ] || ip address delete "10.0.$vif.1/24" dev xenbr0
	done
	[ $status = 0 ] || { echo "xl network-detach failed"; return 1; }
	until_ok 20 no_backend vif 7
}

# The queues' counters are the interface's, in the guest and, where it counts them, in dom0.
counted() { # NAME
	local queues all
	guest "ip link set $1 down" || return
	queues=$(guest "ethtool -S $1" | awk '/tx_queue_[0-9]+_packets/ { n += $2 } END { print n }')
	all=$(guest "cat /sys/class/net/$1/statistics/tx_packets")
	guest "ip link set $1 up" || return
	[ "$queues" = "$all" ] || { echo "$all packets left the guest, $queues by its queues"; return 1; }
}

# --- the backend goes and comes back ---

# As a toolstack does for a new vif: on the bridge, and "connected".
plug() { # VIF
	until_ok 20 test -e "/sys/class/net/vif$domid.$1" || { echo "no netdev for vif $1"; return 1; }
	XENBUS_TYPE=vif XENBUS_PATH=backend/vif/$domid/$1 XENBUS_BASE_PATH=backend vif=vif$domid.$1 \
		/etc/xen/scripts/vif-bridge online type_if=vif || { echo "vif-bridge failed for vif $1"; return 1; }
}

# replace_netback OLD NEW QUEUES: dom0's half of all vifs goes away for some seconds. xpv or linux.
replace_netback() {
	local vif
	for vif in /sys/bus/xen-backend/devices/vif-*; do
		echo "${vif##*/}" >"$vif/driver/unbind"
	done
	rmmod "$(driver_name "$1")-netback" && sleep 3 || return
	case $2 in
	xpv) insmod $lab/modules/xpv-netback.ko max_queues="$3" ;;
	*) modprobe xen-netback max_queues="$3" ;;
	esac || { echo "the $2 backend does not load"; return 1; }
	for vif in /sys/bus/xen-backend/devices/vif-*; do
		plug "${vif##*-}" || return
	done
}

# The guest keeps its interfaces, its addresses and its connections, and says where it is now.
net_back_reload() {
	local announced
	queues 4 4 && attach_net && net_job 1 && sleep 1 || return
	timeout 60 tcpdump -n -i xenbr0 -c 1 'arp and src 10.0.1.2 and dst 10.0.1.2' >/dev/null 2>&1 3>&- &
	announced=$!
	sleep 1
	replace_netback "$back" "$back" 4 || return
	until_ok 40 net_moves 1 || { echo "no traffic after the reload"; return 1; }
	has_queues 1 4 || return
	net_ping 0 || return
	if [ "$front" = xpv ]; then
		wait $announced || { echo "the guest did not announce its address"; return 1; }
		# A backend that offers less.
		if [ -n "${LAB_LONG-}" ]; then
			replace_netback "$back" "$back" 2 || return
			until_ok 40 net_moves 1 || { echo "no traffic with a backend of two queues"; return 1; }
			has_queues 1 2 || return
		fi
	else
		kill $announced
	fi
	guest_load_runs net || { echo "iperf3 ended early"; return 1; }
	net_job_stop
	detach_net
}

# A running guest is handed from the in-tree backend to ours, and back: they do not offer the same.
net_back_swap() {
	queues 4 4 && attach_net && net_job 1 && sleep 1 || return
	replace_netback xpv linux 2 && until_ok 40 net_moves 1 || { echo "no traffic with the in-tree backend"; return 1; }
	has_queues 1 2 || return
	replace_netback linux xpv 4 && until_ok 40 net_moves 1 || { echo "no traffic with ours"; return 1; }
	has_queues 1 4 && net_ping 0 || return
	guest_load_runs net || { echo "iperf3 ended early"; return 1; }
	net_job_stop
	detach_net
}

# Both ends' interfaces go up and down, each in a rhythm of its own, with packets under way.
net_up_and_down() {
	local i name
	queues 2 2 && attach_net && net_job 1 || return
	name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	guest_load updown "for i in \$(seq 30); do ip link set $name down; sleep 0.1; ip link set $name up; sleep 0.4; done" || return
	for i in {1..30}; do
		ip link set "vif$domid.1" down && sleep 0.2 && ip link set "vif$domid.1" up || return
		sleep 0.$((i % 5 + 1))
	done
	until_ok 60 guest '! kill -0 $(cat /tmp/updown.pid)' || { echo "the guest's loop does not end"; return 1; }
	until_ok 60 net_moves 1 || { echo "no traffic afterwards"; return 1; }
	guest_load_runs net || { echo "iperf3 ended early"; return 1; }
	net_job_stop
	detach_net
}

# --- one event channel ---

# later_polls 3|0: polls go on without an event as long as there are packets each 10 ms, or not.
later_polls() { echo "echo $1 >/sys/class/net/$2/napi_defer_hard_irqs && echo $(($1 * 3333333)) >/sys/class/net/$2/gro_flush_timeout"; }

# Where both directions share a channel, neither waits for a pause in what the other brings.
net_one_channel() {
	local name vif=vif$domid.1 job
	queues 1 1 && attach_net || return
	name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	xenstore-write "/local/domain/0/backend/vif/$domid/1/feature-split-event-channels" 0
	guest "ethtool -K $name rx-gro-hw off" && until_ok 20 front_key 1/event-channel && until_ok 20 guest 'ping -q -c 1 -W 1 10.0.1.1' ||
		{ echo "no connection with one channel"; return 1; }
	if [ "$back" = xpv ]; then
		eval "$(later_polls 3 "$vif")" || return
		timeout -k 1 60 iperf3 -s -1 -p 5202 >/dev/null 2>&1 3>&- &
		guest_load steady 'iperf3 -c 10.0.1.1 -p 5202 -u -b 1M -l 200 -t 60' && sleep 1
		# An address that the guest does not answer for.
		ip neighbour replace 10.0.1.3 lladdr "$(front_key 1/mac)" dev xenbr0 nud permanent
		flood 2000 8 10.0.1.3 || { echo "dom0's packets wait for a pause in the guest's"; return 1; }
		ip neighbour delete 10.0.1.3 dev xenbr0
		guest_load_stop steady
		eval "$(later_polls 0 "$vif")"
	fi
	guest "$(later_polls 3 "$name")" || return
	ping -q -i 0.005 -w 60 10.0.1.2 >/dev/null 2>&1 3>&- &
	job=$!
	guest "timeout 20 iperf3 -c 10.0.1.1 -u -b 0 -l 1400 -n 2000000" || { echo "the guest's packets wait for a pause in dom0's"; return 1; }
	kill $job
	guest "$(later_polls 0 "$name")" && net_ping 1 && detach_net
}

# --- rate= ---

# rate_is VIF BYTES: what the guest sends in some seconds, for each of which so many are allowed.
rate_is() {
	local stat=/sys/class/net/vif$domid.$1/statistics/rx_bytes from to begin end all
	from=$(cat "$stat") begin=${EPOCHREALTIME/./}
	sleep 4
	to=$(cat "$stat") end=${EPOCHREALTIME/./}
	all=$(($2 * (end - begin) / 1000000))
	echo "$((to - from)) bytes of $all"
	[ $(((to - from) * 100)) -le $((all * 105)) ] || { echo "$((to - from)) bytes went through where $all may"; return 1; }
	[ $(((to - from) * 100)) -ge $((all * 95)) ] || { echo "$((to - from)) bytes went through where $all may: too few"; return 1; }
}

# Of all its queues together, and changed while it runs.
net_rate() {
	queues 4 4 || return
	timeout 60 xl network-attach guest type=vif bridge=xenbr0 rate=8Mb/s || { echo "xl network-attach failed"; return 1; }
	net_up 1 && has_queues 1 4 || return
	guest_load rate "iperf3 -c 10.0.1.1 -t $load_limit -P 8" || return
	sleep 2
	rate_is 1 1000000 || return
	xenstore-write "/local/domain/0/backend/vif/$domid/1/rate" 100000,50000
	sleep 1
	rate_is 1 2000000 || return
	# A window that does not end, until another rate is set.
	xenstore-write "/local/domain/0/backend/vif/$domid/1/rate" 1000,600000000
	sleep 1
	xenstore-write "/local/domain/0/backend/vif/$domid/1/rate" 100000,50000
	until_ok 20 net_moves 1 || { echo "a rate that was raised is not had before the old window ends"; return 1; }
	# 2^32 bytes and 1000.
	xenstore-write "/local/domain/0/backend/vif/$domid/1/rate" 4294968296,50000
	sleep 1
	net_moves 1 || { echo "of a rate above 4 GiB the low half counts"; return 1; }
	guest_load_stop rate
	detach_net
}

# --- another host ---

# Saved to dom0's memory and woken up, as another domain, before another backend; connections go on.
net_save_restore() {
	local was=$domid
	queues 2 2 && attach_net && net_job 1 && until_ok 20 net_moves 1 || return
	xl save -c guest /tmp/guest.save >>$lab/out/xl.log 2>&1 || { echo "xl save -c failed"; return 1; }
	until_ok 20 net_moves 1 || { echo "no traffic after xl save -c"; return 1; }
	xl save guest /tmp/guest.save >>$lab/out/xl.log 2>&1 || { echo "xl save failed"; return 1; }
	domid=''
	until_ok 20 gone "$was" || { echo "domain $was stays as a zombie"; return 1; }
	xl restore /tmp/guest.save >>$lab/out/xl.log 2>&1 || { echo "xl restore failed"; return 1; }
	rm /tmp/guest.save
	domid=$(xl domid guest)
	guest true || { echo "the guest does not answer"; return 1; }
	until_ok 60 net_moves 1 || { echo "no traffic after xl restore"; return 1; }
	has_queues 1 2 && net_ping 0 || return
	# Each host maps the guest's pages for itself.
	[ "$front:$back" != xpv:xpv ] || static_is_used "after xl restore" || return
	guest_load_runs net || { echo "iperf3 ended early"; return 1; }
	net_job_stop
	detach_net
}

# --- a guest that takes nothing ---

# carrier VIF 0|1
carrier() { [ "$(cat "/sys/class/net/vif$domid.$1/carrier")" = "$2" ]; }

# What is sent to it must not pile up in dom0; its link goes down, and up when it is back.
net_stall() {
	local mac before kept status=0 flood_size=8900
	local drain stall parameters=/sys/module/xpv_netback/parameters
	drain=$(cat $parameters/rx_drain_timeout_msecs) stall=$(cat $parameters/rx_stall_timeout_msecs)
	# A slot is left of the ring, which is less than such a packet takes (XSA-392).
	queues 1 1 && attach_net && set_mtu "$(guest 'ls /sys/bus/xen/devices/vif-1/net')" 9000 || return
	echo 1000 >$parameters/rx_drain_timeout_msecs
	echo 4000 >$parameters/rx_stall_timeout_msecs
	mac=$(front_key 1/mac)
	ip neighbour replace 10.0.1.2 lladdr "$mac" dev xenbr0 nud permanent
	xl pause guest
	before=$(awk '/MemAvailable/ { print $2 }' /proc/meminfo)
	flood 20000 &
	kept=$(sleep 2; awk '/MemAvailable/ { print $2 }' /proc/meminfo)
	until_ok 20 carrier 1 0 || { echo "the link of a paused guest stays up"; status=1; }
	wait $!
	xl unpause guest
	ip neighbour delete 10.0.1.2 dev xenbr0
	echo "$drain" >$parameters/rx_drain_timeout_msecs
	echo "$stall" >$parameters/rx_stall_timeout_msecs
	[ $status = 0 ] || return 1
	[ $((before - kept)) -lt 32768 ] || { echo "$((before - kept)) KiB are kept for a paused guest"; return 1; }
	until_ok 20 carrier 1 1 || { echo "the link stays down"; return 1; }
	net_ping 1 && stalls_twice && stalls_before_drain && ip link set xenbr0 mtu 1500 && detach_net
}

# A stall that is shorter than the drain is not put off by it.
stalls_before_drain() {
	local status=0
	local drain stall parameters=/sys/module/xpv_netback/parameters
	drain=$(cat $parameters/rx_drain_timeout_msecs) stall=$(cat $parameters/rx_stall_timeout_msecs)
	echo 60000 >$parameters/rx_drain_timeout_msecs
	echo 2000 >$parameters/rx_stall_timeout_msecs
	ip neighbour replace 10.0.1.2 lladdr "$(front_key 1/mac)" dev xenbr0 nud permanent
	xl pause guest
	flood 2000 30 &
	until_ok 15 carrier 1 0 || { echo "the link stays up until the drain's time is over"; status=1; }
	xl unpause guest
	wait $!
	ip neighbour delete 10.0.1.2 dev xenbr0
	echo "$drain" >$parameters/rx_drain_timeout_msecs
	echo "$stall" >$parameters/rx_stall_timeout_msecs
	[ $status = 0 ] && until_ok 20 carrier 1 1 && net_ping 1
}

# Whoever sends to a guest that has stalled, come back and stalled again, is held up but for a moment.
stalls_twice() {
	local turn status=0
	local drain stall parameters=/sys/module/xpv_netback/parameters
	drain=$(cat $parameters/rx_drain_timeout_msecs) stall=$(cat $parameters/rx_stall_timeout_msecs)
	echo 1000 >$parameters/rx_drain_timeout_msecs
	echo 0 >$parameters/rx_stall_timeout_msecs
	ip neighbour replace 10.0.1.2 lladdr "$(front_key 1/mac)" dev xenbr0 nud permanent
	for turn in first second; do
		xl pause guest
		flood 2000 10 || { echo "the $turn time, packets for a paused guest are kept"; status=1; }
		xl unpause guest
		until_ok 20 guest 'ping -q -c 1 -W 1 10.0.1.1' || { echo "no ping after the $turn pause"; status=1; }
	done
	ip neighbour delete 10.0.1.2 dev xenbr0
	echo "$drain" >$parameters/rx_drain_timeout_msecs
	echo "$stall" >$parameters/rx_stall_timeout_msecs
	return $status
}

# flood COUNT [SECONDS [ADDRESS]]: so many datagrams to the guest's second vif, in that time.
flood() { timeout "${2:-600}" dd if=/dev/zero bs="${flood_size:-1400}" count="$1" 2>/dev/null >"/dev/udp/${3:-10.0.1.2}/9"; }

# --- MTU ---

# The smallest there is, and the largest that any frontend and backend agree on, through the bridge.
net_mtu() {
	local name
	attach_net || return
	name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	set_mtu "$name" 68 && guest 'ping -q -c 3 -s 40 10.0.1.1 && ping -q -c 3 -s 1000 10.0.1.1' >/dev/null || { echo "no ping with an MTU of 68"; return 1; }
	set_mtu "$name" 9000 && frames_of 9014 || return
	set_mtu "$name" 65517 && frames_of 65531 || return
	! guest "ip link set $name mtu 65536" 2>/dev/null || { echo "an MTU of 65536 is taken"; return 1; }
	set_mtu "$name" 1500 && net_ping 1 && detach_net
}

set_mtu() { # NAME MTU
	ip link set "vif$domid.1" mtu "$2" && ip link set xenbr0 mtu "$2" && guest "ip link set $1 mtu $2" || { echo "no MTU of $2"; return 1; }
}

# --- multicasts ---

# multicasts GROUP: how many of 200 datagrams to it the guest's second vif receives.
multicasts() {
	local i stat before
	stat=$(guest 'echo /sys/class/net/$(ls /sys/bus/xen/devices/vif-1/net)/statistics/rx_packets')
	before=$(guest "cat $stat") || return
	for i in {1..200}; do
		echo "$i"
	done >"/dev/udp/$1/9"
	sleep 1
	echo $(($(guest "cat $stat") - before))
}

come() { [ "$(multicasts "$1")" -ge 200 ] || { echo "multicasts to $1 do not come"; return 1; }; }
# The in-tree backend filters what it forwards, not what dom0 itself sends.
stay() { [ "$back" = linux ] || [ "$(multicasts "$1")" -lt 100 ] || { echo "multicasts to $1 come unasked"; return 1; }; }

# Those that the guest has not asked for stay in dom0, unless it asks for too many, or for all.
net_multicast() {
	local name
	attach_net || return
	name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	ip route replace 239.0.0.0/8 dev xenbr0
	stay 239.17.34.51 || return
	guest "/bin/ip maddress add 01:00:5e:11:22:33 dev $name" && sleep 1 && come 239.17.34.51 && stay 239.17.34.52 || return
	guest "/bin/ip maddress del 01:00:5e:11:22:33 dev $name" && sleep 1 && stay 239.17.34.51 || return
	guest "/bin/ip link set $name allmulticast on" && sleep 1 && come 239.17.34.51 || return
	guest "/bin/ip link set $name allmulticast off" && sleep 1 && stay 239.17.34.51 || return
	guest "for i in \$(seq 10 75); do /bin/ip maddress add 01:00:5e:00:00:\$i dev $name || exit; done" && sleep 1 && come 239.17.34.51 || return
	guest "for i in \$(seq 10 75); do /bin/ip maddress del 01:00:5e:00:00:\$i dev $name || exit; done" && sleep 1 && stay 239.17.34.51 || return
	# The next handshake begins with an empty list.
	guest "/bin/ip maddress add 01:00:5e:11:22:33 dev $name; ethtool -K $name rx-gro-hw off" && until_ok 20 front_says feature-gso-tcpv4 0 &&
		come 239.17.34.51 && stay 239.17.34.52 || return
	ip route delete 239.0.0.0/8 dev xenbr0
	detach_net
}

# mean rx|tx VIF: the mean length of what the vif received, or sent, during a TCP stream.
mean() {
	local stat=/sys/class/net/vif$domid.$2/statistics/$1 bytes packets reverse=''
	[ "$1" = rx ] || reverse=-R
	bytes=$(cat "${stat}_bytes") packets=$(cat "${stat}_packets")
	guest_iperf "$2" 2 $reverse >/dev/null || return
	echo $((($(cat "${stat}_bytes") - bytes) / ($(cat "${stat}_packets") - packets)))
}

# large VIF rx|tx yes|no: are packets longer than a frame?
large() {
	local mean
	mean=$(mean "$2" "$1") || { echo "no TCP stream"; return 1; }
	case $3 in
	yes) [ "$mean" -gt 4000 ] || { echo "$2: a mean of $mean bytes, though longer ones were allowed"; return 1; } ;;
	no) [ "$mean" -le 1514 ] || { echo "$2: a mean of $mean bytes, though longer ones were forbidden"; return 1; } ;;
	esac
}

# Each offload is switched off, and does not happen; and on again.
net_offloads() {
	local name vif=vif$domid.1
	attach_net || return
	name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	guest "ethtool -K $name tso off" && large 1 rx no && guest "ethtool -K $name tx off sg off" && large 1 rx no &&
		guest "ethtool -K $name tx on sg on tso on" && large 1 rx yes || return
	ethtool -K "$vif" tso off && large 1 tx no && ethtool -K "$vif" tx off sg off && large 1 tx no &&
		ethtool -K "$vif" tx on sg on tso on && large 1 tx yes || return
	if [ "$front" = xpv ]; then
		guest "ethtool -K $name rx-gro-hw off" && until_ok 20 front_says feature-gso-tcpv4 0 && large 1 tx no &&
			guest "ethtool -K $name rx off" && until_ok 20 front_says feature-no-csum-offload 1 && large 1 tx no || return
		[ "$(features "$vif" | grep -c 'on$')" = 0 ] || { echo "dom0 still has: $(features "$vif" | grep 'on$')"; return 1; }
		guest "ethtool -K $name rx on rx-gro-hw on" && until_ok 20 front_says feature-gso-tcpv4 1 && large 1 tx yes || return
	fi
	detach_net
}

front_says() { [ "$(front_key "1/$1")" = "$2" ] && [ "$(back_key 1/state)" = 4 ] && guest 'ping -q -c 1 -W 1 10.0.1.1'; }
features() { ethtool -k "$1" | grep -E '^.tx-(checksum-ipv[46]|tcp-segmentation|tcp6-segmentation):' | sed 's/ \[.*//'; }

# frames_of BYTES: twenty pings of that size cross each way whole, among few packets of other kinds.
frames_of() {
	local stat=/sys/class/net/vif$domid.1/statistics way
	local -A before
	for way in {rx,tx}_{bytes,packets}; do
		before[$way]=$(cat "$stat/$way")
	done
	guest "ping -q -c 20 -i 0.1 -s $(($1 - 42)) 10.0.1.1" >/dev/null || { echo "no ping with frames of $1"; return 1; }
	for way in rx tx; do
		set -- "$1" $(($(cat "$stat/${way}_bytes") - before[${way}_bytes])) $(($(cat "$stat/${way}_packets") - before[${way}_packets]))
		# The in-tree backend does not count the header of what it receives.
		[ "$2" -ge $((20 * ($1 - 14))) ] && [ "$3" -le 60 ] || { echo "$way: $2 bytes in $3 packets, expected 20 of $1"; return 1; }
	done
}

# netpoll sends with interrupts off: the kernel's log, from the guest to dom0 and the other way. Nobody
# reads it, which is what counts it.
unread() { awk '/^Udp: [0-9]/ { print $3 }' /proc/net/snmp; }
net_netpoll() {
	local name before log='for i in $(seq 500); do echo "<1>netpoll $i" >/dev/kmsg; done'
	name=$(guest 'ls /sys/bus/xen/devices/vif-0/net') && before=$(unread) || return
	guest "cd /lib/modules && for f in \$(cat netconsole.order); do
			insmod \$f \$([ \$f != netconsole.ko ] || echo netconsole=@10.0.0.2/$name,6666@10.0.0.1/$(cat /sys/class/net/xenbr0/address)) || exit
		done; $log; rmmod netconsole; sleep 1" || { echo "the guest has no netconsole"; return 1; }
	[ $(($(unread) - before)) -ge 400 ] || { echo "$(($(unread) - before)) of 500 lines came from the guest"; return 1; }
	before=$(guest "$(declare -f unread); unread") || return
	modprobe netconsole "netconsole=@10.0.0.1/xenbr0,6666@10.0.0.2/$(guest "cat /sys/class/net/$name/address")" || { echo "dom0 has no netconsole"; return 1; }
	bash -c "$log"
	modprobe -r netconsole
	guest "$(declare -f unread); n=\$((\$(unread) - $before)); [ \$n -ge 400 ] || { echo \$n of 500 lines came to the guest; exit 1; }"
}

net_features() {
	verdict net-queues net_queues
	verdict net-mtu net_mtu
	verdict net-netpoll net_netpoll
	verdict net-back-reload net_back_reload
	[ -z "${LAB_LONG-}" ] || net_features_long
	queues 1 1 >/dev/null
}

# For those a minute each is not too much.
net_features_long() {
	verdict net-queues-fewer net_queues_fewer
	verdict net-offloads net_offloads
	verdict net-up-and-down net_up_and_down
	verdict net-many net_many
	if [ "$back" = xpv ]; then
		# The in-tree backend gives each queue the whole rate, and can't be told other timeouts.
		verdict_timed net-rate net_rate
		verdict net-stall net_stall
	fi
	if [ "$front" = xpv ]; then
		# The in-tree frontend has no multicast control, and one handshake in its life.
		verdict net-multicast net_multicast
		verdict net-channels net_channels
		verdict net-one-channel net_one_channel
		verdict net-renewals net_renewals
		verdict net-queues-scarce net_queues_scarce
	fi
	[ "$front:$back" != xpv:xpv ] || verdict net-back-swap net_back_swap
	[ "$kind" != pv ] || verdict net-save-restore net_save_restore
}
