#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every pairing of $LAB_PAIRS in turn, all in this one dom0; only the tests
# that a pattern in $LAB_TESTS matches, where that is set.
# shellcheck source=tests/lab/dom0/lib.sh
. /run/lab/dom0/lib.sh
# What the guest's kernel does not clear, a driver has to.
GUEST_CMDLINE=init_on_alloc=0
# shellcheck source=tests/lab/dom0/debug.sh
. /run/lab/dom0/debug.sh
# shellcheck source=tests/lab/dom0/bystander.sh
. /run/lab/dom0/bystander.sh
# shellcheck source=tests/lab/dom0/rogue.sh
. /run/lab/dom0/rogue.sh
# shellcheck source=tests/lab/dom0/endure.sh
. /run/lab/dom0/endure.sh
# shellcheck source=tests/lab/dom0/fault.sh
. /run/lab/dom0/fault.sh
# shellcheck source=tests/lab/dom0/soak.sh
. /run/lab/dom0/soak.sh
# shellcheck source=tests/lab/dom0/blkback.sh
. /run/lab/dom0/blkback.sh
# shellcheck source=tests/lab/dom0/discard.sh
. /run/lab/dom0/discard.sh
# shellcheck source=tests/lab/dom0/blkfront.sh
. /run/lab/dom0/blkfront.sh
# shellcheck source=tests/lab/dom0/blkd.sh
. /run/lab/dom0/blkd.sh
# shellcheck source=tests/lab/dom0/service.sh
. /run/lab/dom0/service.sh
# shellcheck source=tests/lab/dom0/net.sh
. /run/lab/dom0/net.sh
# shellcheck source=tests/lab/dom0/netpath.sh
. /run/lab/dom0/netpath.sh
# shellcheck source=tests/lab/dom0/netplug.sh
. /run/lab/dom0/netplug.sh
# shellcheck source=tests/lab/dom0/netxdp.sh
. /run/lab/dom0/netxdp.sh
# shellcheck source=tests/lab/dom0/netctl.sh
. /run/lab/dom0/netctl.sh

failed=0
# dom0 has one CPU here.
BACK_OPTIONS=max_queues=2
printf '[disk]\nmax_queues = 2\n' >/etc/xpv-blkd.conf
# Loads are stopped, never waited for: this only ends what was forgotten.
load_limit=14400
wanted() {
	local - pattern
	[ -n "${LAB_TESTS-}" ] || return 0
	# Without these none can be played, or nothing else can be tried after them.
	[[ $1 != rogue-@(begin|front-attach|load|front-detach|end) || $LAB_TESTS != *rogue-* ]] || return 0
	# The patterns are for names of tests, not of files.
	set -f
	for pattern in $LAB_TESTS start back-load back-reload; do
		# shellcheck disable=SC2053
		[[ $1 != $pattern ]] || return 0
	done
	return 1
}

# Set from a guest's death by the emulator until it is destroyed: nothing can be tried on it, or waited for. Then the
# same is in $lost, for what looks at its end.
emulator_said='' lost=''
skip_dead() { say "skip lab/$1 the emulator killed the guest: $(tr -cd '[:print:]' <<<"$emulator_said")"; }

verdict() { # NAME FUNCTION...: the last line a failing test prints is why.
	wanted "$1" || return
	local name=$pair/$1 why=$lab/out/why begun=$EPOCHSECONDS
	shift
	[ -z "$emulator_said" ] || { skip_dead "$name"; return 0; }
	printf '=== %s\n' "$name" >>$lab/out/check.log
	! debugging || echo "lab: $name" >/dev/kmsg
	if "$@" >$why 2>&1; then
		say "pass lab/$name"
	elif emulator_said=$(emulator_failed || emulator_failed bystander); then
		skip_dead "$name"
	else
		failed=1
		guest_died >>$why
		# The load that rogues are not to disturb goes on.
		[[ $name == */rogue-* ]] || tidy
		say "fail lab/$name $(tail -n 1 $why | tr -cd '[:print:]')"
	fi
	{ cat $why; printf -- '--- %d s\n' $((EPOCHSECONDS - begun)); } >>$lab/out/check.log
}

# verdict_timed NAME FUNCTION...: of a test that counts what happens within some time.
verdict_timed() {
	! wanted "$1" || ! debugging || { say "skip lab/$pair/$1 time does not count on a kernel with checks"; return 0; }
	verdict "$@"
}

# A failed test must not fail the next one with what it left running.
tidy() {
	[ "$ready" = 1 ] && xenstore-exists "/local/domain/$domid/data" || return 0
	guest 'killall -9 fio iperf3' >/dev/null 2>&1
	no_backend vbd 51744 || timeout 30 xl block-detach guest xvdc
	[ ! -e "/sys/bus/xen-backend/devices/vif-$domid-1" ] || timeout 30 xl network-detach guest 1
} >/dev/null 2>&1

# --- disk ---

# By one fio, which takes as long to start as to do any of it.
disk_verify() {
	local GUEST_LIMIT=180 small='--bs=4k --size=4m' large='--bs=128k --size=8m' unseeded=--verify_header_seed=0
	[ -z "${LAB_LONG-}" ] || large='--bs=128k --size=32m'
	guest "fio --name=global --filename=/dev/xvdb --ioengine=libaio --direct=1 --iodepth=32 --stonewall \
		--verify=crc32c --verify_fatal=1 --verify_state_save=0 \
		--name=randwrite --rw=randwrite $small --do_verify=1 \
		--name=laid --rw=write $small --do_verify=0 $unseeded --name=randread --rw=randread $small $unseeded \
		--name=write --rw=write $large --do_verify=1 \
		--name=laid-large --rw=write $large --do_verify=0 $unseeded --name=read --rw=read $large $unseeded" \
		>$lab/out/verify.log || { echo "fio's verification failed"; return 1; }
}

# Two ends that are wrong in the same way still agree with each other; dom0's own
# view of the disk is the arbiter. conv=fsync makes the guest send a flush.
disk_seen_by_dom0() {
	local theirs mine
	theirs=$(guest 'dd if=/dev/urandom of=/tmp/r bs=4k count=257 2>/dev/null
		dd if=/tmp/r of=/dev/xvdb bs=4k seek=1283 conv=fsync 2>/dev/null && md5sum </tmp/r') || return
	mine=$(dd if=/dev/nullb0 iflag=direct bs=4k skip=1283 count=257 2>/dev/null | md5sum)
	[ "$theirs" = "$mine" ] || { echo "dom0 reads other data than the guest wrote"; return 1; }
	dd if=/dev/urandom of=/tmp/r bs=4k count=257 2>/dev/null
	mine=$(md5sum </tmp/r)
	dd if=/tmp/r of=/dev/nullb0 oflag=direct bs=4k seek=4099 2>/dev/null || return
	theirs=$(guest 'dd if=/dev/xvdb iflag=direct bs=4k skip=4099 count=257 2>/dev/null | md5sum') || return
	[ "$theirs" = "$mine" ] || { echo "the guest reads other data than dom0 wrote"; return 1; }
}

# A write is safe when the guest's fsync returns: the disk has a cache, so the backend has to be
# asked to empty it. Backends in dom0's kernel count that.
disk_flush() {
	local count=/sys/bus/xen-backend/devices/vbd-$domid-51728/statistics/f_req before
	if [ "$back" = blkd ]; then
		before=$(blkd_stat xvdb flushes)
		VERIFY_SIZE=1m guest_verify xvdb randwrite 4k --fsync=4 || { echo "fio's verification failed"; return 1; }
		[ $(($(blkd_stat xvdb flushes) - before)) -ge 60 ] || { echo "$(($(blkd_stat xvdb flushes) - before)) flushes came, 64 were asked for"; return 1; }
		return
	fi
	if [ "$back" = qdisk ]; then
		guest 'grep -q "write back" /sys/block/xvdb/queue/write_cache' || { echo "the disk has no cache to flush"; return 1; }
		return
	fi
	before=$(cat "$count") || return
	VERIFY_SIZE=1m guest_verify xvdb randwrite 4k --fsync=4 || { echo "fio's verification failed"; return 1; }
	# 256 writes, and a flush after each fourth.
	[ $(($(cat "$count") - before)) -ge 60 ] || { echo "$(($(cat "$count") - before)) flushes came, 64 were asked for"; return 1; }
}

# Paced: dom0's one emulated CPU also has to run the hotplug scripts, which have 40 s.
# A busy device has requests in flight all the time, just not as many as it could.
disk_job() {
	echo "fio --name=load --filename=/dev/$1 --rw=randrw --bs=16k --iodepth=16 --ioengine=libaio --direct=1 --size=64m \
		--rate_iops=40 --time_based --runtime=$load_limit"
}

# --- net ---

# segments rx|tx COMMAND...: what the vif in dom0 receives, or sends, meanwhile is more than a frame
# a packet: stacks hand down several at once, which cross the ring as one. A stream that a busy machine
# did not let begin, of less than 4 MB, says nothing of that and is tried again. On a kernel with checks none may
# get that far: that one of three comes through is all that can be asked for there.
segments() {
	local stat=/sys/class/net/vif$domid.0/statistics/$1 turn bytes packets through=''
	shift
	for turn in 1 2 3; do
		bytes=$(cat "${stat}_bytes") packets=$(cat "${stat}_packets")
		if ! "$@"; then
			debugging && continue
			echo "failed: $*"
			return 1
		fi
		through=1
		bytes=$(($(cat "${stat}_bytes") - bytes)) packets=$(($(cat "${stat}_packets") - packets))
		[ "$packets" = 0 ] || [ "$bytes" -lt $((packets * 4000)) ] || return 0
		[ "$bytes" -lt 4000000 ] || break
	done
	! debugging || [ -z "$through" ] || return 0
	echo "$bytes bytes in $packets packets: nothing was segmented late"
	return 1
}

net_rates() { segments rx guest_iperf 0 3 && segments tx guest_iperf 0 3 -R; }

# The same again over IPv6, which has its own segmentation and checksum offloads.
net_ipv6() {
	ip -6 address replace fd00::1/64 dev xenbr0 nodad
	# The shell would take busybox's own ip, which does not know nodad.
	guest '/bin/ip -6 address replace fd00::2/64 dev $(ls /sys/bus/xen/devices/vif-0/net) nodad' || { echo "the guest has no IPv6"; return 1; }
	segments rx guest 'iperf3 -6 -c fd00::1 -t 2' && segments tx guest 'iperf3 -6 -c fd00::1 -t 2 -R'
}

net_ping() {
	guest "for s in 0 56 1472 8000 60000; do ping -q -c 4 -i $(awk "BEGIN { print 0.2 * $slow }") -s \$s 10.0.$1.1 | grep ' 0% packet loss' || { echo \"lost with -s \$s\"; exit 1; }; done"
}

# Checksum offload, or a program that rewrites packets, means that nobody would notice a wrong payload.
net_payload() { # VIF
	local theirs mine data='if=/dev/urandom of=/tmp/r bs=64k count=32'
	timeout 60 busybox nc -l -p 5555 -e md5sum &
	theirs=$(guest "dd $data 2>/dev/null; md5sum </tmp/r; nc 10.0.$1.1 5555 </tmp/r") || return
	[ "$(uniq <<<"$theirs" | wc -l)" = 1 ] || { echo "dom0 received other data than the guest sent"; return 1; }
	# shellcheck disable=SC2086
	dd $data 2>/dev/null
	mine=$(md5sum </tmp/r)
	timeout 60 busybox nc -l -p 5556 -e cat /tmp/r &
	theirs=$(guest "sleep 1; nc 10.0.$1.1 5556 </dev/null | md5sum") || return
	[ "$theirs" = "$mine" ] || { echo "the guest received other data than dom0 sent"; return 1; }
}

# The load has a server of its own: one that lost its client stays busy.
declare -A net_server=()
who=guest
net_job() { # NET [RATE]
	net_server_stop
	timeout -k 1 $load_limit iperf3 -s -1 -B "10.0.$1.1" -p 5202 >/dev/null 2>&1 3>&- &
	net_server[$who]=$!
	guest_load net "iperf3 -c 10.0.$1.1 -p 5202 -b ${2:-5M} -t $load_limit"
}

net_server_stop() {
	[ -n "${net_server[$who]-}" ] || return 0
	kill "${net_server[$who]}" 2>/dev/null
	wait "${net_server[$who]}"
	unset "net_server[$who]"
}

net_job_stop() {
	local status=0
	guest_load_stop net || status=1
	net_server_stop
	return $status
}

# xentop, as it is, counts what the guest reads and what its interface carries.
seen_by_xentop() {
	local stat=/sys/class/net/vif$domid.0/statistics reads rx tx
	guest 'dd if=/dev/xvdb of=/dev/null iflag=direct bs=4k count=100 2>/dev/null; ping -q -c 3 10.0.0.1 >/dev/null' || return
	rx=$(cat $stat/rx_bytes) tx=$(cat $stat/tx_bytes)
	xentop -b -x -n -i 1 | tee $lab/out/xentop
	reads=$(awk '$1 == "VBD" && $3 ~ /51728/ { for (i = 1; i <= NF; i++) if ($i == "RD:") print $(i + 1) }' $lab/out/xentop | tr -d ,)
	[ "${reads:-0}" -ge 100 ] && [ "$reads" = "$(cat "/sys/bus/xen-backend/devices/vbd-$domid-51728/statistics/rd_req")" ] ||
		{ echo "xentop shows ${reads:-no} reads"; return 1; }
	sed 's/[,:]/ /g' $lab/out/xentop | awk -v a="$rx" -v b="$tx" '$1 == "Net0" { for (i = 2; i <= NF; i++) if ($i ~ /bytes$/) n[++k] = $i + 0 }
		END { exit !((n[1] >= a && n[2] >= b) || (n[1] >= b && n[2] >= a)) }' || { echo "xentop does not show $rx and $tx bytes"; return 1; }
}

# --- coming and going, under load ---

xl_attach() { patient timeout 60 xl "$@"; }

attach_disk() {
	xl_attach block-attach guest "$(disk_line /dev/nullb1 xvdc)" || { echo "xl block-attach failed"; return 1; }
	disk_up xvdc
}

detach_disk() {
	timeout 60 xl block-detach guest xvdc || { echo "xl block-detach failed"; return 1; }
	guest 'for i in $(seq '$((100 * slow))'); do [ -e /sys/bus/xen/devices/vbd-51744 ] || exit 0; sleep 0.2; done; exit 1' || { echo "the guest still has xvdc"; return 1; }
	until_ok 20 no_backend vbd 51744 || { echo "dom0 still has the backend of xvdc"; return 1; }
}

attach_net() {
	xl_attach network-attach guest type=vif bridge=xenbr0 || { echo "xl network-attach failed"; return 1; }
	net_up 1
}

detach_net() {
	timeout 60 xl network-detach guest 1 || { echo "xl network-detach failed"; return 1; }
	guest 'for i in $(seq '$((100 * slow))'); do [ -e /sys/bus/xen/devices/vif-1 ] || exit 0; sleep 0.2; done; exit 1' || { echo "the guest still has vif 1"; return 1; }
	until_ok 20 no_backend vif 1 || { echo "dom0 still has the backend of vif 1"; return 1; }
}

no_backend() {
	local kind
	for kind in "$1" qdisk vbd3; do
		[ ! -e "/sys/bus/xen-backend/devices/$kind-$domid-$2" ] || return
	done
}

# Both devices busy while two more come, work and go.
attach_under_load() {
	guest_load disk "$(disk_job xvdb)" || return
	net_job 0 || return
	attach_disk && VERIFY_SIZE=2m guest_verify xvdc randwrite 4k && detach_disk &&
		attach_net && net_ping 1 && detach_net || return
	guest_load_runs disk || { echo "fio on xvdb ended early"; return 1; }
	guest_load_runs net || { echo "iperf3 on vif 0 ended early"; return 1; }
	guest_load_stop disk
	guest 'grep -q "err= 0" /tmp/disk.log' || { echo "fio on xvdb had errors"; return 1; }
	net_job_stop
}

# The device that goes is the busy one. What ran on it may fail, nothing else.
detach_busy_disk() {
	attach_disk && guest_load busy "$(disk_job xvdc)" || return
	sleep 2
	detach_disk || return
	guest_load_stop busy || { echo "fio hangs on the disk that is gone"; return 1; }
	attach_disk && VERIFY_SIZE=2m guest_verify xvdc randwrite 4k && detach_disk
}

detach_busy_net() {
	attach_net && net_job 1 || return
	sleep 2
	detach_net || return
	net_job_stop || { echo "iperf3 hangs on the vif that is gone"; return 1; }
	attach_net && net_ping 1 && detach_net
}

reload_front() {
	unload_front "$front" || { echo "the frontends do not unload"; return 1; }
	load_front "$front" || { echo "the frontends do not load again"; return 1; }
	disk_up xvdb && net_up 0 && net_ping 0 && VERIFY_SIZE=4m guest_verify xvdb randwrite 4k
}

destroy_under_load() {
	guest_load disk "$(disk_job xvdb)" || return
	net_job 0 || return
	sleep 2
	stop_guest || return
	net_server_stop
	until_ok 20 no_backend_at_all || { echo "backends stay: $(ls /sys/bus/xen-backend/devices)"; return 1; }
}

no_backend_at_all() { ! compgen -G '/sys/bus/xen-backend/devices/*'; }

# --- one pairing from start to end ---

kernel_logs() {
	dom0_log_clean || return
	# A guest that was destroyed has left its console, where one that the emulator killed says so.
	if [ -z "$domid" ]; then
		[ -n "$lost" ] || ! tr -d '\r' <$lab/out/guest/guest-guest.log | sed "1,/lab: modules under test/d;$not_ours" | grep -aE "$bad_log"
	else
		guest_log_clean
	fi
}

bound_drivers() {
	local drivers
	evidence >$lab/out/evidence
	cat $lab/out/evidence
	drivers=$(awk '$2 ~ /^v(bd3?|if)-/ { print $1 "-" $4 }' $lab/out/evidence | sort | tr '\n' ' ')
	[ "$drivers" = "$(expected_drivers)" ] || { echo "bound: $drivers"; return 1; }
}

expected_drivers() {
	local back_blk=dom0-vbd back_net=dom0-vif front_blk=guest-vbd front_net=guest-vif
	[ "$back" != xpv ] || back_blk=dom0-xpv-vbd back_net=dom0-xpv-vif
	[ "$front" != xpv ] || front_blk=guest-xpv-vbd front_net=guest-xpv-vif
	[ "$back" != qdisk ] || back_blk=''
	[ "$back" != blkd ] || back_blk=dom0-xpv-blkd back_net=dom0-xpv-vif
	printf '%s\n' $back_blk $back_net $front_blk $front_net | sort | tr '\n' ' '
}

# Every day one pairing is tried in depth, in the long run all of them.
in_depth() { [ "$pair" = pv:xpv:xpv ] || [ -n "${LAB_LONG-}" ]; }
# The same of the userspace backend.
blkd_in_depth() { [ "$back" = blkd ] && { [ "$pair" = pv:xpv:blkd ] || [ -n "${LAB_LONG-}" ]; }; }

net_tests() {
	verdict net-rates net_rates
	verdict net-payload net_payload 0
	verdict net-ipv6 net_ipv6
	in_depth || return 0
	# With checks each takes minutes; most of what they reach the rogues do as well.
	! debugging || [ -n "${LAB_LONG-}" ] || return 0
	net_features
	net_xdp_tests
	net_control
	if [ -n "${LAB_LONG-}" ]; then
		net_path
		net_plugs
		verdict net-debugfs net_debugfs
	fi
	queues 1 1 >/dev/null
}

pairing() {
	local IFS=:
	# shellcheck disable=SC2086
	set -- $1
	unset IFS
	stage "$pair: starting the guest"
	: >$lab/out/guest/guest-guest.log
	# In-tree blkfront is who asks for several queues by itself, and for larger rings when told to.
	GUEST_VCPUS=${LAB_VCPUS:-1} FRONT_OPTIONS=''
	[[ $2:$3 != linux:@(xpv|blkd) ]] || GUEST_VCPUS=2 FRONT_OPTIONS=max_ring_page_order=3
	verdict start start_guest "$1" "$2" "$3"
	if [ -n "$domid" ] && [ "$ready" = 1 ]; then
		debug_guest_begin
		verdict drivers bound_drivers
		verdict disk-verify disk_verify
		verdict disk-seen-by-dom0 disk_seen_by_dom0
		verdict disk-flush disk_flush
		verdict net-ping net_ping 0
		# Their vif is a kernel's, which other pairings try.
		[[ $back = @(qdisk|blkd) ]] || net_tests
		[ "$back" != xpv ] || verdict xentop seen_by_xentop
		! in_depth || verdict attach-under-load attach_under_load
		if in_depth || blkd_in_depth; then
			verdict detach-busy-disk detach_busy_disk
		fi
		if in_depth && [[ $back != @(qdisk|blkd) ]]; then
			verdict detach-busy-net detach_busy_net
		fi
		! blkd_in_depth || blkd_tests
		# Each side once, and shared out between the two boots.
		case $1:$2:$3 in
		pv:xpv:xpv) attacks attack_backends ;;
		pv:xpv:blkd) [ -z "${LAB_LONG-}" ] || attacks attack_backends ;;
		pv:xpv:linux) attacks attack_frontends ;;
		esac
		if debugging; then
			debug_unharmed
			fault_tests
		fi
		[ -z "${LAB_SOAK-}" ] || soak_test
		# Too long for every day.
		if [ -n "${LAB_LONG-}" ]; then
			[ "$back" != blkd ] || blkd_long_tests
			[ "$back" != xpv ] || blkback_tests
			[ "$front" != xpv ] || [ "$back" = qdisk ] || blkfront_tests
			[ "$2:$3" != xpv:xpv ] || { endure_nets; endure_disks; }
		fi
		# In-tree blkfront never asks for Initialising, so its disk stays closed.
		if [ "$front" = xpv ]; then
			verdict reload-front reload_front
		else
			say "skip lab/$pair/reload-front the in-tree blkfront does not come back"
		fi
		verdict logs kernel_logs
		debug_guest_end
		verdict destroy-under-load destroy_under_load
	else
		say "skip lab/$pair/rest no working guest to test"
	fi
	[ -z "$domid" ] || stop_guest
	lost=$emulator_said emulator_said=''
	verdict logs-after-destroy kernel_logs
	verdict no-grant-left grants_clean
	! debugging || [ -n "$lost" ] || verdict debug-guest-log guest_told_nothing
	debug_end dom0
	cp $lab/out/guest/guest-guest.log "$lab/out/guest/$pair.log"
}

back_modules() {
	local kind=$1
	stage "back=$kind: unloading and loading the backends"
	unload_back "$kind" && load_back "$kind" && unload_back "$kind" && ! lsmod | grep -E '^xpv_|^xen_(blk|net)back'
}

loaded=''
for pair in $LAB_PAIRS; do
	want=${pair##*:}
	# qdisk takes its network from the in-tree backend.
	[ "$want" != qdisk ] || want=linux
	if [ "$want" != "$loaded" ]; then
		[ -z "$loaded" ] || verdict "back-reload" back_modules "$loaded"
		verdict back-load load_back "$want"
		loaded=$want
	fi
	mark
	debug_begin
	pairing "$pair"
	# What the emulator took from a run of hours is tried once more.
	[ -z "$lost" ] || [ -z "${LAB_LONG-}${LAB_SOAK-}" ] || pairing "$pair"
	say "done $pair"
done
verdict back-reload back_modules "$loaded"
debug_end unloaded
exit $failed
