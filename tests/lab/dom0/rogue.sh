# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Peers that lie (tests/rogue), one script after the other, each a test of its own.
# Sourced by check.sh, whose verdict() it uses.
#
#   guest: rogue-front -- vbd 51760, vif 6 -- dom0: the backends under test
#   dom0:  rogue-back  -- vbd 51776, vif 7 -- guest: the frontends under test
#
# The guest's own disk and vif are busy all the time, through the same drivers, and
# must not notice.
rogue=$lab/rogue
# Lines a driver may write to the log for one script: each lie once, and rate-limited.
rogue_lines=24

rogue_begin() {
	guest_load disk "$(disk_job xvdb)" && net_job 0 || return
	# The guest's kernel is to leave new devices alone.
	guest 'cd /lib/modules && for m in xen-gntalloc xen-evtchn; do for f in $(cat $m.order); do insmod $f || exit; done; done
		echo 0 >/sys/bus/xen/drivers_autoprobe' || { echo "the guest cannot run a rogue"; return 1; }
}

rogue_end() {
	guest_load_stop disk || { echo "fio on xvdb hangs"; return 1; }
	guest 'grep -q "err= 0" /tmp/disk.log' || { echo "fio on xvdb had errors"; return 1; }
	net_job_stop || { echo "iperf3 on vif 0 hangs"; return 1; }
	guest 'echo 1 >/sys/bus/xen/drivers_autoprobe; rmmod xen-gntalloc' ||
		{ echo "pages that were shared with a backend are still in use"; return 1; }
}

undisturbed='kill -0 $(cat /tmp/disk.pid) || echo "rogue: fio on xvdb ended"
	kill -0 $(cat /tmp/net.pid) || echo "rogue: iperf3 on vif 0 ended"
	ping -q -c 1 -W 5 10.0.0.1 >/dev/null || echo "rogue: vif 0 does not reach dom0"'

# What the victim has logged, on standard input: nothing bad, and not much.
quiet() {
	local lines
	# What Xen's part of the kernel says by itself: each time a ring can't be mapped, and of a page that
	# is kept.
	lines=$(grep -vE 'mapping in shared page|grant_table: WARNING: g.e. 0x[0-9a-f]+ still in use')
	printf '%s\n' "$lines"
	! grep -E "$bad_log|^rogue: " <<<"$lines" || return
	[ "$(grep -cE 'v(bd|if)-[0-9]' <<<"$lines")" -le $rogue_lines ] || { echo "more than $rogue_lines lines in the log: $(tail -n 1 <<<"$lines")"; return 1; }
}

rogue_front() { # KIND DEVID SCRIPT
	echo "lab: $3" >/dev/kmsg
	guest "/xpv/rogue/rogue-front $1 $2 /xpv/rogue/front/$1/$3 || exit; $undisturbed" >$lab/out/rogue.log ||
		{ cat $lab/out/rogue.log; return 1; }
	{ cat $lab/out/rogue.log; dmesg | tac | sed "/lab: $3\$/q" | tac; } | quiet
}

rogue_back() { # KIND DEVID SCRIPT
	local status=0
	guest "echo 'lab: $3' >/dev/kmsg"
	timeout 60 "$rogue/rogue-back" "$1" "$domid" "$2" "$rogue/back/$1/$3" || status=$?
	guest "dmesg | tac | sed '/lab: $3\$/q' | tac; $undisturbed" | quiet || return
	return $status
}

rogue_attach() {
	timeout 60 xl block-attach guest "$(disk_line /dev/nullb1 xvdd)" || { echo "xl block-attach failed"; return 1; }
	timeout 60 xl network-attach guest type=vif bridge=xenbr0 devid=6 || { echo "xl network-attach failed"; return 1; }
}

rogue_detach() {
	timeout 60 xl block-detach guest xvdd || { echo "xl block-detach failed"; return 1; }
	timeout 60 xl network-detach guest 6 || { echo "xl network-detach failed"; return 1; }
	until_ok 20 no_backend vbd 51760 && until_ok 20 no_backend vif 6 || { echo "the rogue's backends stay"; return 1; }
}

rogue_scripts() { # END KIND: the honest one first
	echo honest
	(cd "$rogue/$1/$2" && ls) | grep -vx honest
}

# Broadcasts, which the bridge brings to every vif.
rogue_noise() { exec ping -q -b -i 0.05 10.0.0.255 >/dev/null 2>&1 3>&-; }

attack_backends() {
	local script
	verdict rogue-front-attach rogue_attach
	rogue_noise &
	for script in $(rogue_scripts front vbd); do
		verdict "rogue-front-vbd-$script" rogue_front vbd 51760 "$script"
	done
	for script in $(rogue_scripts front vif); do
		verdict "rogue-front-vif-$script" rogue_front vif 6 "$script"
	done
	kill $!
	verdict rogue-front-detach rogue_detach
}

# The interface is brought up whenever there is one, so that the guest sends.
attack_frontends() {
	local script
	guest 'echo 1 >/sys/bus/xen/drivers_autoprobe
		(while sleep 0.2; do n=$(ls /sys/bus/xen/devices/vif-7/net) && ip link set $n up; done) >/dev/null 2>&1 &
		echo $! >/tmp/up.pid'
	for script in $(rogue_scripts back vbd); do
		verdict "rogue-back-vbd-$script" rogue_back vbd 51776 "$script"
	done
	for script in $(rogue_scripts back vif); do
		verdict "rogue-back-vif-$script" rogue_back vif 7 "$script"
	done
	guest 'kill $(cat /tmp/up.pid); dmesg -c >/dev/null; echo "lab: modules under test" >/dev/kmsg'
}

attacks() { # attack_backends|attack_frontends
	verdict rogue-begin rogue_begin
	$1
	verdict rogue-end rogue_end
}
