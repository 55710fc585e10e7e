# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Peers that lie (tests/rogue), one script after the other, each a test of its own.
# Sourced by check.sh, whose verdict() it uses.
#
#   guest: rogue-front -- vbd 51760, vif 6 -- dom0: the backends under test
#   dom0:  rogue-back  -- vbds from (1 << 28) + (4 << 8) and vifs from 16 on -- guest: the frontends under test
#
# After the scripts, with $LAB_RANDOM, each kind is attacked at random for so many seconds, from seed
# $LAB_SEED on.
#
# The guest's own disk and vif, and those of another guest (bystander.sh), are busy all the time, through the same
# drivers, and must not notice.
rogue=$lab/rogue
# Lines a driver may write to the log for a script, on average: each lie once, and rate-limited.
rogue_lines=6
# KiB that dom0's kernel may need for all scripts that attack a device.
rogue_slab=4096
# With what a kernel with checks keeps of each object, and of those that are gone.
! debugging || rogue_slab=$((4 * rogue_slab))
# Seconds that a rogue waits for whatever its victim has to do next.
export ROGUE_LIMIT=$((15 * slow))
# Interrupts that one device may bring of 20000 events for nothing.
rogue_interrupts=1000
rogue_persistent=/sys/module/xpv_blkback/parameters/max_persistent_grants_per_domain
rogue_static_grants=/sys/module/xpv_netback/parameters/static_grants

rogue_begin() {
	# From here on its log is cleared between attacks.
	guest_log_clean || return
	bystander_start || return
	# The guest's kernel is to leave new devices alone.
	guest 'cd /lib/modules && for m in xen-gntalloc xen-evtchn; do for f in $(cat $m.order); do insmod $f || exit; done; done
		echo 0 >/sys/bus/xen/drivers_autoprobe' || { echo "the guest cannot run a rogue"; return 1; }
}

# From here on CPUs are short, and the toolstack's scripts have 40 s.
rogue_load() { guest_load steady "$(verified_job)" && slow_stream 0 && bystander_load; }

rogue_end() {
	guest_load_stop steady || { echo "fio on xvdb hangs"; return 1; }
	guest 'grep -q "err= 0" /tmp/steady.log' || { echo "fio on xvdb had errors"; return 1; }
	net_job_stop || { echo "iperf3 on vif 0 hangs"; return 1; }
	guest 'echo 1 >/sys/bus/xen/drivers_autoprobe; rmmod xen-gntalloc' ||
		{ echo "pages that were shared with a backend are still in use"; return 1; }
	bystander_end && bystander_stop
}

# What those who are to notice nothing have noticed: lines that quiet() finds.
noticed() {
	local said
	guest 'kill -0 $(cat /tmp/steady.pid) || echo "rogue: fio on xvdb ended"
		kill -0 $(cat /tmp/net.pid) || echo "rogue: iperf3 on vif 0 ended"
		ping -q -c 1 -W 5 10.0.0.1 >/dev/null || echo "rogue: vif 0 does not reach dom0"'
	said=$(bystander_works) || echo "rogue: beside it: $said"
}

# What the victim has logged, on standard input, for that many scripts: nothing bad, and not much.
quiet() {
	local lines n
	# What Xen's part of the kernel says by itself: each time a ring can't be mapped, and of a page that
	# is kept.
	lines=$(sed "$not_ours" | grep -vE 'mapping in shared page|grant_table: WARNING: g.e. 0x[0-9a-f]+ still in use')
	printf '%s\n' "$lines"
	! grep -E "$bad_log|^rogue: " <<<"$lines" || return
	n=$(grep -cE 'v(bd|if)-[0-9]' <<<"$lines")
	[ "$n" -le $(($1 * rogue_lines)) ] || { echo "$n lines in the log after $1 scripts"; return 1; }
}

# The scripts of one kind that are wanted, the honest one first.
rogue_scripts() { # END KIND
	local script
	for script in honest $(cd "$rogue/$1/$2" && ls -I honest); do
		! wanted "rogue-$1-$2-$script" || echo "$script"
	done
}

# rogue.log's lines "SCRIPT STATUS WHY" become verdicts; a script without a line has failed.
rogue_verdicts() { # END KIND SCRIPT...
	local end=$1 kind=$2 script
	shift 2
	for script; do
		verdict "rogue-$end-$kind-$script" rogue_said "$script"
	done
}

rogue_said() {
	local status why
	read -r _ status why < <(grep "^$1 " $lab/out/rogue.log) || { echo "was not played to its end"; return 1; }
	echo "$why"
	return "$status"
}

# What dom0's kernel has allocated for itself, in KiB: to $slab.
slab_kib() {
	local key value
	while read -r key value _; do
		[ "$key" != SUnreclaim: ] || slab=$value
	done </proc/meminfo
}

# Until it is ended: leaves the most that this ever was in the file. No process is made for it.
watch_slab() { # FILE
	local slab most=0
	while ! read -r -t 0.05 <&"$never"; do
		slab_kib
		[ "$slab" -le "$most" ] || echo $((most = slab)) >"$1"
	done
}

# Some queues, rings and packets, but no more of what a guest may ask for by just asking.
modest() { # KIB
	echo "at most $1 KiB more than before"
	[ "$1" -lt $rogue_slab ] || { echo "dom0 had $1 KiB more than before"; return 1; }
}

# Events that bring nothing were noticed, so that more of them wait ever longer: XSA-332, XSA-391.
put_off() { # DEVICE
	[ "$(cat "/sys/bus/xen-backend/devices/$1/xenbus/spurious_events")" -gt 0 ] || { echo "no event of $1 was spurious"; return 1; }
}

# The same of a frontend, which nobody counts that for: of all that was sent but few interrupts came of it. Its
# devices have gone by now, but somebody looked (victims_up).
put_off_there() {
	local most
	most=$(guest "awk '\$2 > most { most = \$2 } END { print most + 0 }' /tmp/interrupts")
	echo "at most $most interrupts of a device"
	[ "$most" -gt 0 ] && [ "$most" -lt $rogue_interrupts ]
}

# What the vif under test gives to dom0's stack, as the kernel traces it.
trace_vif() { # 1|0
	echo "name ~ \"vif$domid.6*\"" >$tracing/events/net/napi_gro_receive_entry/filter
	: >$tracing/trace
	echo "$1" >$tracing/events/net/napi_gro_receive_entry/enable
}

# Whether what a guest writes is left out while something of it waits to be looked at, as the function is asked
# that says so.
watches=$tracing/instances/watches
has_kprobes() { [ -e $tracing/kprobe_events ]; }
trace_watches() { # 1|0
	has_kprobes || return 0
	mkdir -p $watches
	[ "$1" = 0 ] || echo 'r:xpv/pending xpv_netback:none_pending none=$retval:u8' >$tracing/kprobe_events
	echo "$1" >$watches/events/xpv/pending/enable
	[ "$1" = 1 ] || echo >$tracing/kprobe_events
}

# Of 500 changes of a watched node, XSA-349.
left_out() {
	local n
	n=$(grep -c 'none=0$' $watches/trace)
	echo "$n of $(grep -c none= $watches/trace) were left out"
	[ "$n" -gt 0 ]
}

# Of a packet that has more than its linear part, all headers are in that: less its 14 bytes, 256. XSA-423.
headers_whole() {
	sed -n 's/.* len=\([0-9]*\) data_len=\([0-9]*\) .*/\1 \2/p' $tracing/trace |
		awk '$2 > 0 { n++; if ($1 - $2 < 242) bad = $1 - $2 + 14 } END { if (!n) print "no packet in pieces was seen"; if (bad) print "a packet begins with no more than " bad " bytes"; exit !n || bad }'
}

# All scripts by one command: to ask the guest takes as long as a script.
rogue_front() { # SCRIPTS DEVID: the kind is what comes before a dash
	local scripts slab watcher never
	scripts=$(rogue_scripts front "$1" | paste -s -d ' ')
	mark_front
	slab_kib
	echo "$slab" >/tmp/slab
	[ "$1" != vif ] || { trace_vif 1 && trace_watches 1; }
	exec {never}<> <(:)
	watch_slab /tmp/slab 3>&- &
	watcher=$!
	GUEST_LIMIT=1200 guest "cd /xpv/rogue/front/$1 && for s in $scripts; do
			echo \"lab: \$s\" >/dev/kmsg
			why=\$(ROGUE_LIMIT=$ROGUE_LIMIT /xpv/rogue/rogue-front ${1%-*} $2 \$s 2>&1)
			echo \"\$s \$? \$why\"
		done" >$lab/out/rogue.log
	kill $watcher
	wait $watcher
	exec {never}<&-
	# shellcheck disable=SC2086
	rogue_verdicts front "$1" $scripts
	case "$1 $scripts" in "vif "*xsa-423*) verdict rogue-front-vif-headers headers_whole ;; esac
	case "$1 $scripts" in
	"vif "*multicast*)
		if has_kprobes; then
			verdict rogue-front-vif-left-out left_out
		else
			say "skip lab/$pair/rogue-front-vif-left-out nothing to see it by: the kernel has no kprobes"
		fi
		;;
	esac
	[ "$1" != vif ] || { trace_vif 0 && trace_watches 0; }
	verdict "rogue-front-$1-modest" modest $(($(cat /tmp/slab) - slab))
	case "$back $scripts" in "xpv "*xsa-332*) verdict "rogue-front-$1-put-off" put_off "$1-$domid-$2" ;; esac
	front_said >$lab/out/rogue.log
	verdict "rogue-front-$1-unnoticed" quiet "$(wc -w <<<"$scripts")" <$lab/out/rogue.log
}

# The kernel's log, and the daemon's since it was marked as well.
front_said() {
	noticed
	log_since_mark attacks
	[ "$back" != blkd ] || sed "1,${blkd_mark}d; s/^/vbd-0 /" $lab/out/blkd.log
}

mark_front() {
	echo 'lab: attacks' >/dev/kmsg
	[ "$back" != blkd ] || blkd_mark=$(wc -l <$lab/out/blkd.log)
}

rogue_back() { # KIND FIRST-DEVID STEP: a script makes fewer than 32 devices
	local script why scripts devid=$2
	scripts=$(rogue_scripts back "$1")
	guest 'dmesg -c >/dev/null; echo "lab: modules under test" >/dev/kmsg'
	for script in $scripts; do
		why=$(timeout 60 "$rogue/rogue-back" "$1" "$domid" "$devid" "$rogue/back/$1/$script" 2>&1)
		echo "$script $? ${why##*$'\n'}"
		devid=$((devid + 32 * $3))
		xenstore-exists "/local/domain/$domid/data" || break
	done >$lab/out/rogue.log
	# shellcheck disable=SC2086
	rogue_verdicts back "$1" $scripts
	case $scripts in *xsa-391-event*) verdict "rogue-back-$1-put-off" put_off_there ;; esac
	{ noticed; guest dmesg; } >$lab/out/rogue.log
	verdict "rogue-back-$1-unnoticed" quiet "$(wc -w <<<"$scripts")" <$lab/out/rogue.log
	# The page that one of them kept is in the log, and is no leak.
	guest 'dmesg -c >/dev/null; echo "lab: modules under test" >/dev/kmsg'
}

# --- at random ---

# By commands of so many seconds each. The seed that one begins with is on the channel before it
# does, whatever becomes of the victim; each round has one of its own, counting up.
random_seconds=20 random_rounds=0

random_front() { # KIND DEVID
	guest "echo 'random $seed $random_seconds' >/tmp/random && ROGUE_LIMIT=$ROGUE_LIMIT /xpv/rogue/rogue-front $1 $2 /tmp/random 2>&1"
}

# Devices that were there a moment ago do not come again at once.
random_back() { # KIND FIRST-DEVID STEP
	echo "random $seed $random_seconds" >$lab/random
	timeout $((random_seconds + 60)) "$rogue/rogue-back" "$1" "$domid" $(($2 + seed % 2 * 1024 * $3)) $lab/random 2>&1
}

at_random() { # random_front|random_back KIND...
	local seed=$LAB_SEED end=$((SECONDS + LAB_RANDOM)) said GUEST_LIMIT=$((random_seconds + 60))
	random_rounds=0
	while [ $SECONDS -lt $end ]; do
		stage "$pair: ${1/_/ } $2, seed $seed"
		said=$("$@") || { echo "$said" | tail -n 1; return 1; }
		echo "$said from seed $seed"
		said=${said% rounds}
		random_rounds=$((random_rounds + said)) seed=$((seed + said))
	done
}

random_fronts() {
	local kind=$1
	mark_front
	verdict "rogue-random-front-$kind" at_random random_front "$@"
	front_said >$lab/out/rogue.log
	verdict "rogue-random-front-$kind-unnoticed" quiet $((random_rounds + 1)) <$lab/out/rogue.log
}

random_backs() {
	local kind=$1
	verdict "rogue-random-back-$kind" at_random random_back "$@"
	{ noticed; guest dmesg; } >$lab/out/rogue.log
	verdict "rogue-random-back-$kind-unnoticed" quiet $((random_rounds + 1)) <$lab/out/rogue.log
	guest 'dmesg -c >/dev/null; echo "lab: modules under test" >/dev/kmsg'
}

# --- the attacks ---

rogue_attach() {
	queues 2 1 || return
	xl_attach block-attach guest "$(disk_line /dev/nullb1 xvdd)" && make_disk rogue-ro size=4 discard=1 &&
		dd if=/dev/urandom of=/dev/rogue-ro bs=1M count=4 oflag=direct 2>/dev/null && rogue_ro=$(ro_sum) &&
		xl_attach block-attach guest "$(disk_line /dev/rogue-ro xvdg | sed s/access=rw/access=ro/)" ||
		{ echo "xl block-attach failed"; return 1; }
	# More can't be had, and rogues have but few pages.
	echo 5 >$rogue_static_grants
	[ "$back" != xpv ] || { rogue_kept=$(cat $rogue_persistent) && echo 8 >$rogue_persistent; } || return
	xl_attach network-attach guest type=vif bridge=xenbr0 devid=6 || { echo "xl network-attach failed"; return 1; }
}

ro_sum() { dd if=/dev/rogue-ro bs=1M iflag=direct 2>/dev/null | md5sum; }
ro_intact() { [ "$(ro_sum)" = "${rogue_ro-}" ] || { echo "somebody has written to it"; return 1; }; }

rogue_detach() {
	echo 1024 >$rogue_static_grants
	[ "$back" != xpv ] || echo "$rogue_kept" >$rogue_persistent
	timeout 60 xl block-detach guest xvdd && timeout 60 xl block-detach guest xvdg || { echo "xl block-detach failed"; return 1; }
	timeout 60 xl network-detach guest 6 || { echo "xl network-detach failed"; return 1; }
	until_ok 20 no_backend vbd 51760 && until_ok 20 no_backend vbd 51808 && until_ok 20 no_backend vif 6 && drop_disk rogue-ro ||
		{ echo "the rogue's backends stay"; return 1; }
}

# Broadcasts, which the bridge brings to every vif; and somebody who looks at all that is shown, while
# it comes and goes (CVE-2026-100082).
rogue_noise() {
	ping -q -b -i 0.05 10.0.0.255 &
	trap 'kill $!' EXIT
	trap exit TERM
	while sleep 0.1; do
		cat /sys/bus/xen-backend/devices/*/statistics/* /sys/kernel/debug/xpv-*/* /sys/class/net/vif*/statistics/*
		[ "$back" != blkd ] || xpv-blkctl stats
	done
} >/dev/null 2>&1 3>&-

attack_backends() {
	local noise
	verdict rogue-front-attach rogue_attach
	verdict rogue-load rogue_load
	rogue_noise &
	noise=$!
	rogue_front vbd 51760
	rogue_front vbd-ro 51808
	verdict rogue-front-vbd-ro-intact ro_intact
	rogue_front vif 6
	if [ -n "${LAB_RANDOM-}" ]; then
		random_fronts vbd 51760
		[ "$back" = blkd ] || random_fronts vif 6
	fi
	# There is nothing of the disk after that but its nodes.
	rogue_front vbd-gone 51808
	kill $noise
	wait $noise
	verdict rogue-front-detach rogue_detach
}

# The interface is brought up whenever there is one, so that the guest sends: also what fills most of a frame.
# Interfaces that rogues make may have two queues, and are used; and somebody looks at all that is shown.
victims_up() {
	queues 1 2
	guest 'mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
		(while sleep '"$(awk "BEGIN { print 0.2 * $slow }")"'; do cat /sys/kernel/debug/xpv-*/*; for d in /sys/bus/xen/devices/vif-??*/net/*; do
				n=${d##*/}; ip link set $n up; /bin/ip address add 10.0.9.2/24 dev $n; /bin/ip neighbour replace 10.0.9.1 lladdr 02:00:00:00:09:01 dev $n
				ping -q -c 1 -W 1 -s 1400 -I $n 10.0.9.1 & done
			grep lateeoi /proc/interrupts | grep -vE "hvc|xvdb|eth0" >>/tmp/interrupts; done) >/dev/null 2>&1 &
		echo $! >/tmp/up.pid'
}
victims_down() { guest 'kill $(cat /tmp/up.pid)'; }

attack_frontends() {
	guest 'echo 1 >/sys/bus/xen/drivers_autoprobe'
	verdict rogue-load rogue_load
	victims_up
	rogue_back vbd $(((1 << 28) + (4 << 8))) 256
	rogue_back vif 16 1
	if [ -n "${LAB_RANDOM-}" ]; then
		random_backs vbd $(((1 << 28) + (1024 << 8))) 256
		random_backs vif 4096 1
	fi
	victims_down
}

attacks() { # attack_backends|attack_frontends
	wanted rogue-begin || return 0
	verdict rogue-begin rogue_begin
	$1
	verdict rogue-end rogue_end
	# Not if something was wrong with it.
	[ -z "$bystander" ] || bystander_stop
}
