# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Everything that can happen to a guest, in any order and over and over, for $LAB_SOAK minutes, while
# it writes and verifies its disk and exchanges blocks with their sums. Sourced by check.sh, whose
# functions it uses.
#
#   xvdb   a fio that verifies, from the first minute to the last
#   vif 0  two connections that last as long: blocks from the guest, and blocks to it
#   xvdc, vif 1, what rogues make   come and go
#
# $LAB_SEED makes it the same order again.

# --- what must not notice ---

# Standard output gets blocks, each after its sum; or standard input has such, and a line is said of each.
blocks_out='while dd if=/dev/urandom of=/tmp/block bs=64k count=4 2>/dev/null; do md5sum </tmp/block && cat /tmp/block || exit; sleep 0.3; done'
blocks_in='while read -r sum _; do
	[ "$(dd bs=256k count=1 iflag=fullblock 2>/dev/null | md5sum)" = "$sum  -" ] && echo whole || echo broken; done'

soak_begin() {
	load_limit=$((LAB_SOAK * 60 * slow * 2 + 3600))
	guest_load steady "$(steady_job xvdb)" || return
	# Who has nothing to say must not say so: nc would end with that.
	sleep $load_limit 3>&- | busybox nc -l -p 5601 3>&- | bash -c "$blocks_in" >/tmp/blocks 3>&- &
	bash -c "$blocks_out" 3>&- | busybox nc -l -p 5602 3>&- &
	sleep 1
	guest "($blocks_out) | nc 10.0.0.1 5601 >/dev/null 2>&1 &
		sleep $load_limit | nc 10.0.0.1 5602 2>/dev/null | ($blocks_in) >/tmp/blocks &"
	both_ways
}

# Each connection has brought another block since.
blocks_here() { wc -l </tmp/blocks; }
blocks_there() { guest 'wc -l </tmp/blocks'; }

both_ways() {
	local here there
	here=$(blocks_here) there=$(blocks_there) || return
	until_ok 90 eval '[ "$(blocks_here)" -gt '"$here"' ]' || { echo "no more blocks come from the guest"; return 1; }
	until_ok 90 eval '[ "$(blocks_there)" -gt '"$there"' ]' || { echo "no more blocks come to the guest"; return 1; }
}

soak_unnoticed() {
	guest_load_runs steady || { guest 'tail -n 3 /tmp/steady.log'; echo "fio ended"; return 1; }
	moves && both_ways || return
	! grep broken /tmp/blocks && ! guest 'grep broken /tmp/blocks' || { echo "a block was not whole"; return 1; }
}

# --- what happens ---

soak_attach_disk() { attach_disk && VERIFY_SIZE=1m guest_verify xvdc randwrite 4k && detach_disk; }
soak_attach_vif() { attach_net && net_ping 1 && detach_net; }
soak_reload_blkback() { leave_back && sleep 1 && come_back max_queues=2; }
soak_reload_netback() { replace_netback xpv xpv $((RANDOM % 4 + 1)); }
soak_save() { save_and_restore; }
soak_kill() { kill_blkd KILL; }

soak_resize() {
	if [ "$back" = blkd ]; then blkd_resize; else disk_resize; fi
}

soak_rates() {
	local limit=/sys/bus/xen-backend/devices/vbd-$domid-51728/limit_iops vif=/local/domain/0/backend/vif/$domid/0/rate
	if [ "$back" = blkd ]; then xpv-blkctl limit "$domid/xvdb" iops=30; else echo 30 >"$limit"; fi || return
	xenstore-write "$vif" 100000,50000 || return
	sleep 3
	if [ "$back" = blkd ]; then xpv-blkctl limit "$domid/xvdb" iops=0; else echo 0 >"$limit"; fi || return
	# As much as there is to say "none" with.
	xenstore-write "$vif" 4294967295,50000
}

# some END KIND: three scripts, in $scripts. A subshell's random numbers are others.
some() {
	local seed=$RANDOM
	scripts=$(cd "$rogue/$1/$2" && shuf -n 3 -e --random-source=<(yes $seed) -- * | paste -s -d ' ')
}

# soak_rogues_played SCRIPTS: of each what it was to find, has been found.
soak_rogues_played() {
	local script
	cat $lab/out/rogue.log
	for script; do
		rogue_said "$script" >/dev/null || { grep "^$script " $lab/out/rogue.log; echo "the rogue $script failed"; return 1; }
	done
}

soak_rogue_guest() {
	local scripts kind devid status=0
	guest 'cd /lib/modules && for m in xen-gntalloc xen-evtchn; do for f in $(cat $m.order); do lsmod | grep -q "^$(basename $f .ko | tr - _) " || insmod $f || exit; done; done
		echo 0 >/sys/bus/xen/drivers_autoprobe' || { echo "the guest cannot run a rogue"; return 1; }
	rogue_attach || return
	for kind in vbd:51760 vbd-ro:51808 vif:6; do
		devid=${kind#*:} kind=${kind%:*}
		[ "$back:$kind" != blkd:vbd-ro ] || continue
		some front $kind
		GUEST_LIMIT=400 guest "cd /xpv/rogue/front/$kind && for s in $scripts; do
				why=\$(ROGUE_LIMIT=$ROGUE_LIMIT /xpv/rogue/rogue-front ${kind%-*} $devid \$s 2>&1)
				echo \"\$s \$? \$why\"
			done" >$lab/out/rogue.log
		# shellcheck disable=SC2086
		soak_rogues_played $scripts || status=1
	done
	rogue_detach || status=1
	guest 'echo 1 >/sys/bus/xen/drivers_autoprobe; rmmod xen-gntalloc' || { echo "pages that were shared with a backend are still in use"; status=1; }
	return $status
}

# Numbers of devices are not used twice.
rogue_devices=0
soak_rogue_back() {
	local status
	victims_up && rogue_back_some
	status=$?
	victims_down && return $status
}

rogue_back_some() {
	local scripts script kind devid why
	for kind in vbd:256:$(((1 << 28) + (4 << 8))) vif:1:16; do
		IFS=: read -r kind step devid <<<"$kind"
		some back "$kind"
		for script in $scripts; do
			why=$(timeout 60 "$rogue/rogue-back" "$kind" "$domid" $((devid + 32 * step * (rogue_devices++ % 1000))) "$rogue/back/$kind/$script" 2>&1)
			echo "$script $? $why"
		done >$lab/out/rogue.log
		# shellcheck disable=SC2086
		soak_rogues_played $scripts || return
	done
}

# What can happen to this pairing.
soak_faults() {
	echo attach_disk attach_vif resize rates
	[ "$kind" != pv ] || echo save
	[ "$front:$back" != xpv:xpv ] || echo reload_blkback
	[ "$back" = linux ] || echo reload_netback rogue_guest
	[ "$back" != blkd ] || echo kill
	[ "$front" != xpv ] || echo rogue_back
}

# --- from the first minute to the last ---

soak_end() {
	guest_load_stop steady || { echo "fio hangs"; return 1; }
	guest 'grep -q "err= 0" /tmp/steady.log' || { guest 'tail -n 5 /tmp/steady.log'; echo "fio had errors"; return 1; }
	echo "$(blocks_here) blocks from the guest and $(blocks_there) to it, all whole"
}

soak() {
	local seed=${LAB_SEED:-$((EPOCHSECONDS % 32768))} until_second faults fault n=0 before=$lab/out/held status=0
	RANDOM=$seed
	say "stage $pair: $LAB_SOAK minutes, LAB_SEED=$seed"
	read -r -d '' -a faults < <(soak_faults)
	soak_begin || return
	until_second=$((SECONDS + LAB_SOAK * 60))
	while [ $SECONDS -lt $until_second ]; do
		# Each once, and then as it comes.
		fault=${faults[n < ${#faults[@]} ? n : RANDOM % ${#faults[@]}]}
		# The first ones fill what the kernel keeps.
		[ $n != ${#faults[@]} ] || held >$before
		n=$((n + 1))
		printf -- '--- %d %s\n' $n "$fault"
		"soak_$fault" && soak_unnoticed || { echo "after $n things: $fault"; status=1; break; }
		survived[$fault]=$((${survived[$fault]-0} + 1))
	done
	[ $status = 0 ] || return
	[ $n -gt ${#faults[@]} ] || { echo "in $LAB_SOAK minutes not all has happened"; return 1; }
	soak_end && nothing_grew $before
}

declare -A survived=()

soak_test() {
	local fault
	verdict soak soak
	for fault in "${!survived[@]}"; do
		say "pass lab/$pair/soak-${fault//_/-} ${survived[$fault]} times"
	done
}
