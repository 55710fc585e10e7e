# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a vif's control ring is for: the hash that chooses queues, and grants that stay mapped. Tried
# on the guest's second vif.
# Sourced by check.sh, whose verdict() it uses.

# count END PATTERN: the sum of those counters of the second vif, in dom0 (back) or in the guest (front).
count() {
	local all
	case $1 in
	back) all=$(ethtool -S "vif$domid.1") ;;
	front) all=$(guest 'ethtool -S $(ls /sys/bus/xen/devices/vif-1/net)') ;;
	esac
	awk -v pattern="^$2:\$" '$1 ~ pattern { n += $2 } END { printf "%d\n", n }' <<<"$all"
}

# grown END PATTERN COMMAND...: by how much it grows meanwhile.
grown() {
	local end=$1 pattern=$2 before
	shift 2
	before=$(count "$end" "$pattern")
	"$@" >/dev/null || return
	echo $(($(count "$end" "$pattern") - before))
}

# --- the hash ---

# Network cards are verified with this key.
hash_key=6d:5a:56:da:25:5b:0e:c2:41:67:25:3d:43:a3:8f:b0:d0:ca:2b:cb:ae:7b:30:b4:77:cb:2d:a3:80:30:f2:0c:6a:42:b7:3b:be:ac:01:fa

# queue_of PORT: the guest's queue with most of a stream from dom0 to that port of its second vif, called $name.
queue_of() {
	guest "now() { ethtool -S $name | awk '/rx_queue_[0-9]+_bytes/ { print \$2 }'; }
		now; iperf3 -c 10.0.1.1 -n 512K -R --cport $1 >/dev/null || exit; now" |
		awk '{ n[NR] = $1 } END { for (i = 1; i <= NR / 2; i++) if (n[i + NR / 2] - n[i] > most) { most = n[i + NR / 2] - n[i]; queue = i - 1 } print queue }'
}

# Leaves in $tx and $rx how many slots of the second vif's rings a hundred pings take, by the guest's books.
slots_of_pings() {
	read -r tx rx < <(guest "now() { awk '/^ +[tr]x:/ { n[\$1] += \$5 } END { print n[\"tx:\"], n[\"rx:\"] }' /sys/kernel/debug/xpv-netfront/vif-1; }
		now; ping -q -c 100 -i 0.01 10.0.1.1 >/dev/null || exit; now" | awk '{ tx = $1 - tx; rx = $2 - rx } END { if (NR == 2) print tx, rx }')
	echo "a hundred pings: $tx slots out, $rx in"
	[ "$rx" ]
}

# The guest chooses the queues of what it receives, by key and table, and both tell each other the hash.
net_hash() {
	local name port used tx rx
	queues 4 4 && attach_net || return
	name=$(guest 'ls /sys/bus/xen/devices/vif-1/net; mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null')
	until_ok 20 hash_offered "$name" || { echo "the interface has no hash"; return 1; }
	guest "ethtool -x $name" | grep -q 'with 4 RX ring' || { echo "ethtool -x does not tell the rings"; return 1; }
	! hash_is_on "$name" || { echo "the hash is on unasked"; return 1; }
	slots_of_pings || return
	[ "$tx" -lt 150 ] || { echo "a hash goes with packets though it is off"; return 1; }

	guest "ethtool -X $name equal 4 hkey $hash_key" || { echo "ethtool -X fails"; return 1; }
	hash_is_on "$name" || { echo "the hash stays off"; return 1; }
	guest "ethtool -x $name" | grep -qi "$hash_key" || { echo "ethtool -x shows another key"; return 1; }
	# By the hash of 10.0.1.1:5201 to 10.0.1.2 and these ports, its last two bits.
	for port in 40000:0 40004:2 40008:3 40012:1; do
		used=$(queue_of "${port%:*}") || return
		[ "$used" = "${port#*:}" ] || { echo "port ${port%:*} came on queue $used, not ${port#*:}"; return 1; }
	done
	slots_of_pings || return
	[ "$tx" -ge 200 ] || { echo "no hash goes out: $tx slots for a hundred pings"; return 1; }
	[ "$rx" -ge 200 ] || { echo "no hash comes in: $rx slots for a hundred pings"; return 1; }
	detach_net
}

# Everything to one queue, also after another handshake, and then as the backend likes.
net_hash_kept() {
	local name tx rx
	queues 4 4 && attach_net || return
	name=$(guest 'ls /sys/bus/xen/devices/vif-1/net; mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null')
	until_ok 20 hash_offered "$name" || { echo "the interface has no hash"; return 1; }
	guest "ethtool -X $name weight 0 0 1 0" && [ "$(queue_of 40000)" = 2 ] || { echo "the table is not obeyed"; return 1; }
	guest "ethtool -K $name rx-gro-hw off" && until_ok 20 front_says feature-gso-tcpv4 0 || { echo "no other handshake"; return 1; }
	until_ok 20 hash_is_on "$name" || { echo "no hash after another handshake"; return 1; }
	[ "$(queue_of 40008)" = 2 ] || { echo "the table is forgotten"; return 1; }
	guest "ethtool -K $name rxhash off" && slots_of_pings || return
	[ "$tx" -lt 150 ] || { echo "a hash goes with packets though it was switched off"; return 1; }
	detach_net
}

hash_offered() { guest "ethtool -K $1 rxhash on && ethtool -K $1 rxhash off"; }
hash_is_on() { guest "ethtool -k $1" | grep -q 'receive-hashing: on$'; }

# --- grants that stay mapped ---

static_option() { guest "echo $1 >/sys/module/xpv_netfront/parameters/static_grants"; }
both_streams() { guest_iperf 1 1 && guest_iperf 1 1 -R; }

# by_static COMMAND...: leaves in $static and $granted by which pages dom0 copies meanwhile, in the way that is called $way.
by_static() {
	local before
	before=$(count back "${way}_queue_[0-9]+_grant_copies")
	static=$(grown back "${way}_queue_[0-9]+_static_copies" "$@") || return
	granted=$(($(count back "${way}_queue_[0-9]+_grant_copies") - before))
	echo "$way: $static slots by grants that stay, $granted copies by others"
}

# What comes to the guest comes by pages that stay mapped, and so goes all it sends.
static_is_used() { # [WHEN]
	local way static granted
	until_ok 20 has_static || { echo "no grants stay mapped ${1-}"; return 1; }
	# Till all that was posted before has been used.
	guest_iperf 1 1 -R >/dev/null || return
	for way in tx rx; do
		if [ $way = tx ]; then by_static guest_iperf 1 1 -R; else by_static guest_iperf 1 1; fi || return
		[ "$static" -gt 100 ] && [ $((granted * 50)) -lt "$static" ] || { echo "$way: $granted copies by hypercalls ${1-}"; return 1; }
	done
}

has_static() { [ "$(static_count)" -gt 0 ]; }
static_count() { sed -n 's/^queue .* static grants \([0-9]*\).*/\1/p' "/sys/kernel/debug/xpv-netback/vif-$domid-1" | awk '{ n += $1 } END { print n + 0 }'; }

# A receiver that is slow to begin: more is under way than pages stay granted.
slow_payload() {
	local theirs mine
	dd if=/dev/urandom of=/tmp/r bs=64k count=128 2>/dev/null
	mine=$(md5sum </tmp/r)
	timeout 60 busybox nc -l -p 5558 -e cat /tmp/r &
	theirs=$(guest 'sleep 1; nc 10.0.1.1 5558 </dev/null | (sleep 2; md5sum)') || return
	[ "$theirs" = "$mine" ] || { echo "the guest received other data than dom0 sent"; return 1; }
}

# All the pages that were with the stack are idle again, or posted.
all_idle() {
	guest 'cat /sys/kernel/debug/xpv-netfront/vif-1' |
		awk '/^queue / { for (i = 1; i < NF; i++) if ($i == "kept") { idle += $(i + 1); all += $(i + 3) } n++ } END { exit !(n && all == n * 512 && idle >= all - 256 * n) }'
}

net_static() {
	mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
	guest 'mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null'
	queues 2 2 && attach_net && static_is_used && net_payload 1 || return
	until_ok 20 all_idle || { guest 'cat /sys/kernel/debug/xpv-netfront/vif-1'; echo "pages stay away"; return 1; }
	[ "$(static_count)" = 1536 ] || { echo "$(static_count) grants stay mapped, not 2 times 768"; return 1; }
	detach_net
}

# Either end can do without, and with fewer.
net_static_fewer() {
	queues 2 2 && static_option 0 && attach_net && net_payload 1 && both_streams >/dev/null || return
	[ "$(static_count)" = 0 ] || { echo "grants stay mapped unasked"; return 1; }
	[ "$(count back '.x_queue_[0-9]+_static_copies')" = 0 ] && [ "$(count back '.x_queue_[0-9]+_grant_copies')" -gt 1000 ] || { echo "no copies by hypercalls"; return 1; }
	detach_net && static_option 768 || return
	echo 0 >/sys/module/xpv_netback/parameters/static_grants
	attach_net && net_payload 1 && both_streams >/dev/null || return
	[ "$(count back '.x_queue_[0-9]+_static_copies')" = 0 ] || { echo "grants stay mapped though none may"; return 1; }
	# Few are as good, and no more than dom0 allows.
	echo 300 >/sys/module/xpv_netback/parameters/static_grants
	detach_net && attach_net && until_ok 20 has_static && net_payload 1 && slow_payload && both_streams >/dev/null || return
	[ "$(static_count)" = 600 ] || { echo "$(static_count) grants stay mapped, not 2 times 300"; return 1; }
	[ "$(count back '.x_queue_[0-9]+_static_copies')" -gt 1000 ] || { echo "few grants are not used"; return 1; }
	echo 1024 >/sys/module/xpv_netback/parameters/static_grants
	detach_net
}

# A backend that isn't trusted sees nothing but copies, and may write to no page that the guest's stack
# reads: none is granted for a packet, or lent.
net_static_untrusted() {
	local grants
	guest 'mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null; echo 0 >/sys/module/xpv_netfront/parameters/trusted' && queues 2 2 && attach_net && static_is_used && net_payload 1 && slow_payload || return
	[ "$(guest 'cat /sys/kernel/debug/xpv-netfront/vif-1' | grep -c untrusted)" = 1 ] || { echo "the backend is trusted"; return 1; }
	grants=$(grown front '.x_queue_[0-9]+_grants' both_streams) || return
	[ "$grants" = 0 ] || { echo "$grants pages are granted for packets"; return 1; }
	guest 'echo 1 >/sys/module/xpv_netfront/parameters/trusted'
	detach_net
}

# Each connection has its own.
net_static_again() {
	local name
	queues 2 2 && attach_net && static_is_used && net_job 1 || return
	name=$(guest 'ls /sys/bus/xen/devices/vif-1/net')
	guest "ethtool -L $name combined 1" && until_ok 20 has_queues 1 1 || { has_queues 1 1; return 1; }
	until_ok 40 net_moves 1 || { echo "no traffic after ethtool -L"; return 1; }
	static_is_used "after ethtool -L" || return
	[ "$(static_count)" = 768 ] || { echo "$(static_count) grants stay mapped for one queue"; return 1; }
	replace_netback xpv xpv 2 && until_ok 40 net_moves 1 || { echo "no traffic after the backend was loaded again"; return 1; }
	static_is_used "after the backend was loaded again" || return
	guest_load_runs net || { echo "iperf3 ended early"; return 1; }
	net_job_stop
	detach_net
}

net_control() {
	[ "$front" = xpv ] || return 0
	if [ "$back" = xpv ]; then
		verdict net-static net_static
		[ -z "${LAB_LONG-}" ] || {
			verdict net-static-fewer net_static_fewer
			verdict net-static-untrusted net_static_untrusted
			verdict net-static-again net_static_again
		}
	fi
	[ -z "${LAB_LONG-}" ] || {
		verdict net-hash net_hash
		verdict net-hash-kept net_hash_kept
	}
	queues 1 1 >/dev/null
}
