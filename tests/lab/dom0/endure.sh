# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What comes and goes many times, and many of a kind at once: nothing may stay behind. Sourced by
# check.sh, whose functions it uses. $LAB_CYCLES says how many times.

cycles=${LAB_CYCLES:-200}

# What one end holds that a device gives back: a line each, "NAME NUMBER SLACK". Memory is in KiB; what
# the kernel keeps for itself comes and goes by some of it.
held_here='sync; echo 3 >/proc/sys/vm/drop_caches
	echo "interrupts $(wc -l </proc/interrupts) 0"
	echo "threads $(ps -o comm | grep -c "^xpv-") 0"
	echo "modules-in-use $(lsmod | awk "/^xpv_|^xen_/ { n += \$3 } END { print n + 0 }") 0"
	awk "/^SUnreclaim/ { print \"slab\", \$2, 1536 } /^VmallocUsed/ { print \"vmalloc\", \$2, 512 }
		/^(MemFree|Buffers|Cached):/ { free += \$2 } END { print \"memory-free\", -free, 4096 }" /proc/meminfo'

held() {
	bash -c "${held_here/ps -o/ps -eo}" | sed 's/^/dom0-/'
	guest "$held_here" | sed 's/^/guest-/'
	echo "grants-mapped $(grants | grep -cE '0x[0-9a-f]+ 0x') 64"
	[ "$back" != blkd ] || blkd_held
}

blkd_held() {
	echo "blkd-files $(ls /proc/$blkd/fd | wc -l) 0"
	# Of the memory that data passes through, what was used stays a while.
	awk '/^VmRSS/ { print "blkd-memory", $2, 8192 }' /proc/$blkd/status
}

# nothing_grew BEFORE: and says what there is.
nothing_grew() {
	join <(sort "$1") <(held | sort) | awk '{ printf "%s %d %d%s\n", $1, $2, $4, ($4 > $2 + $3) ? " grew" : ""; bad += ($4 > $2 + $3) }
		END { exit bad > 0 || NR < 12 }' || { echo "something stays behind"; return 1; }
}

# Somebody reads whatever disk is there, so that each goes while it is in use.
reader='while :; do dd if=/dev/xvdc of=/dev/null bs=64k iflag=direct; sleep 0.05; done'

disk_cycles() {
	local i before=$lab/out/held status=0
	# The disk is in dom0's memory: as much as the load writes is to be there from the start.
	guest 'dd if=/dev/zero of=/dev/xvdb bs=1M count=64 oflag=direct 2>/dev/null' || return
	guest_load disk "$(disk_job xvdb)" && guest_load reader "$reader" || return
	for ((i = 0; i < cycles; i++)); do
		# The first ones fill what the kernel keeps.
		[ $i != 20 ] || held >$before
		timeout 60 xl block-attach guest "$(disk_line /dev/nullb1 xvdc)" >>$lab/out/xl.log 2>&1 &&
			until_ok 20 connected 51744 || { echo "cycle $i: the disk does not come"; status=1; break; }
		[ $((i % 4)) = 0 ] || sleep 0.$((i % 4))
		timeout 60 xl block-detach guest xvdc >>$lab/out/xl.log 2>&1 || { echo "cycle $i: xl block-detach failed"; status=1; break; }
		until_ok 20 no_backend vbd 51744 || { echo "cycle $i: dom0 still has its backend"; status=1; break; }
	done
	guest_load_stop reader
	[ $status = 1 ] || { guest_load_runs disk && nothing_grew $before; } || status=1
	guest_load_stop disk
	guest 'grep -q "err= 0" /tmp/disk.log' || { echo "fio on xvdb had errors"; return 1; }
	return $status
}

connected() { [ "$(xenstore-read "/local/domain/0/backend/vbd/$domid/$1/state")" = 4 ]; }

# As many as xvdc to xvdr, all verified at once, and all gone again.
disks_at_once() {
	local GUEST_LIMIT=300 i name before=$lab/out/held status=0 jobs=''
	held >$before
	for i in {0..15}; do
		name=$(printf "\\x$(printf %x $((99 + i)))")
		make_disk "many$i" size=8 && timeout 60 xl block-attach guest "$(disk_line "/dev/many$i" "xvd$name")" && disk_up "xvd$name" ||
			{ echo "disk $i does not come"; status=1; break; }
		jobs+=" --name=xvd$name --filename=/dev/xvd$name"
	done
	[ $status = 1 ] || guest "fio --rw=randwrite --bs=4k --iodepth=8 --ioengine=libaio --direct=1 --size=1m --verify=crc32c --minimal $jobs" >$lab/out/many.log 2>&1 ||
		{ tail -n 3 $lab/out/many.log; echo "fio's verification failed"; status=1; }
	for i in {0..15}; do
		name=$(printf "\\x$(printf %x $((99 + i)))")
		timeout 60 xl block-detach guest "xvd$name" || status=1
		until_ok 20 no_backend vbd $((51712 + 16 * (2 + i))) && drop_disk "many$i" || { echo "disk $i stays"; status=1; }
	done
	nothing_grew $before && return $status
}

# Somebody sends to whatever interface is there, so that each goes while it is in use.
pinger='while :; do ping -q -c 50 -s 5000 -i 0.01 -W 1 10.0.1.1; sleep 0.05; done >/dev/null 2>&1'

vif_receives() {
	local stat=/sys/class/net/vif$domid.$1/statistics/rx_packets from
	from=$(cat "$stat") && sleep 0.2 && [ "$(cat "$stat")" -gt "$from" ]
}

net_cycles() {
	local i before=$lab/out/held status=0
	net_job 0 && guest_load pinger "$pinger" || return
	for ((i = 0; i < cycles; i++)); do
		[ $i != 20 ] || held >$before
		attach_net >>$lab/out/xl.log 2>&1 || { echo "cycle $i: the interface does not come"; status=1; break; }
		[ $((i % 4)) != 3 ] || until_ok 20 vif_receives 1 || { echo "cycle $i: nobody uses it"; status=1; break; }
		[ $((i % 4)) = 0 ] || sleep 0.$((i % 4))
		detach_net >>$lab/out/xl.log 2>&1 || { echo "cycle $i: it does not go"; status=1; break; }
	done
	guest_load_stop pinger
	[ $status = 1 ] || { guest_load_runs net && net_moves 0 && nothing_grew $before; } || status=1
	net_job_stop || { echo "iperf3 hangs"; return 1; }
	return $status
}

# A million packets and more, half of them each way, of a length that takes a page.
net_million() {
	local before=$lab/out/held stat=/sys/class/net/vif$domid.0/statistics from to way round in=0 out=0
	for round in {0..40}; do
		# The first ones fill what the kernel keeps.
		[ "$round" != 2 ] || { held >$before && from=$(cat $stat/rx_packets) to=$(cat $stat/tx_packets); } || return
		for way in '' -R; do
			guest "iperf3 -c 10.0.0.1 -u -l 1000 -b 0 -t 8 $way" >/dev/null || { echo "iperf3 failed"; return 1; }
		done
		[ "$round" -lt 2 ] || in=$(($(cat $stat/rx_packets) - from)) out=$(($(cat $stat/tx_packets) - to))
		[ $in -lt 500000 ] || [ $out -lt 500000 ] || break
	done
	echo "$in packets from the guest and $out to it"
	[ $in -ge 500000 ] && [ $out -ge 500000 ] && nothing_grew $before
}

endure_nets() {
	verdict net-million net_million
	verdict net-cycles net_cycles
}

endure_disks() {
	verdict disks-at-once disks_at_once
	verdict disk-cycles disk_cycles
}
