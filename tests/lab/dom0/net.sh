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

driver_name() { case $1 in xpv) echo xpv ;; *) echo xen ;; esac; }

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

# Many flows, hashed to queues: most of those have work, on both sides.
spread() { # VIF QUEUES
	local name used
	guest_iperf "$1" 2 '-P 16' && guest_iperf "$1" 2 '-P 16 -R' || { echo "iperf3 with 16 flows failed"; return 1; }
	used=$(irqs_of "vif$domid.$1" 8 </proc/interrupts)
	[ "$used" -ge $(($2 - 1)) ] || { echo "$used of $2 queues had work in dom0"; return 1; }
	name=$(guest "ls /sys/bus/xen/devices/vif-$1/net")
	used=$(guest 'cat /proc/interrupts' | irqs_of "$name" 8)
	[ "$used" -ge $(($2 - 1)) ] || { echo "$used of $2 queues had work in the guest"; return 1; }
}

net_queues() {
	queues 4 4 && attach_net && has_queues 1 4 && spread 1 4 && detach_net
}

# The lower number counts, and a single queue is written flat, without folders of an earlier time.
net_queues_fewer() {
	queues 4 2 && attach_net && has_queues 1 2 && net_ping 1 && detach_net &&
		queues 1 4 && attach_net && has_queues 1 1 && net_ping 1 || return
	! front_key 1/queue-0/tx-ring-ref || { echo "a folder for the only queue"; return 1; }
	front_key 1/tx-ring-ref >/dev/null || { echo "no ring outside the folders"; return 1; }
	detach_net
}

net_queues_reset() { queues 1 1; }

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
	guest_load_stop rate
	detach_net
}

net_features() {
	verdict net-queues net_queues
	verdict net-queues-fewer net_queues_fewer
	# The in-tree backend gives each queue the whole rate.
	[ "$back" != xpv ] || verdict net-rate net_rate
	net_queues_reset >/dev/null
}
