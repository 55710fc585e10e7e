# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The vocabulary of scenarios, run in dom0. One guest at a time is tried, named "guest":
#
#   dom0                                    guest
#   /dev/nullb0 -- vbd 51728 (back driver) -- xvdb      10.0.0.2 on the first vif
#   /dev/nullb1 -- vbd 51744, when attached -- xvdc     10.0.1.2 on the second
#   xenbr0 10.0.0.1, 10.0.1.1 -- vifN.0 (back driver) -- eth0
#
# dom0 speaks to the guest through xenstore alone (guest/agent), so that the
# devices under test never carry the report.
set -uo pipefail
lab=/run/lab
tracing=/sys/kernel/tracing
domid='' ready=0
# How many times as long everything may take.
slow=${LAB_SLOW:-1}
[ "$slow" = 1 ] || PATH=$lab/dom0/slow:$PATH
bad_log='WARNING:|BUG:|BUG |Oops|general protection|Call Trace|INFO: task|rcu.*stall|lockup|unable to handle|[Bb]ad page|still in use|leaking'

# fd 3 is the channel to the host.
say() { printf '%s\n' "$*" >&3; }
stage() { say "stage $*"; }

# until_ok SECONDS COMMAND...: succeeds as soon as COMMAND does.
until_ok() {
	local end=$((SECONDS + $1 * slow))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

# --- the guest as a place where commands run ---

# answered SEQ SECONDS: waits for the agent's answer to SEQ and leaves it in
# $answer as "SEQ CODE PIECES"; 124 after SECONDS, 125 when the guest has gone.
answered() {
	local path=/local/domain/$domid/data fd watcher status=124 end=$((SECONDS + $2 * slow))
	exec {fd}< <(exec xenstore-watch "$path/done" 3>&-)
	watcher=$!
	while read -r -t $((end - SECONDS > 0 ? end - SECONDS : 1)) -u "$fd" _; do
		answer=$(xenstore-read "$path/done" 2>/dev/null) || xenstore-exists "$path" || { status=125; break; }
		[ "${answer%% *}" != "$1" ] || { status=0; break; }
	done
	exec {fd}<&-
	kill "$watcher" 2>/dev/null
	return $status
}

# guest COMMAND: runs it by the guest's shell, prints its output, returns its
# code; 124 is no answer within $GUEST_LIMIT seconds, 125 a guest that has gone.
guest() {
	[ -z "${emulator_said-}" ] || return 125
	local path=/local/domain/$domid/data seq=$EPOCHREALTIME answer
	xenstore-write "$path/cmd" "$(base64 -w 0 <<<"$*")" "$path/seq" "$seq" 2>/dev/null || return 125
	answered "$seq" "${GUEST_LIMIT:-60}" || return
	# SEQ CODE PIECES
	# shellcheck disable=SC2086
	set -- $answer
	if [ "$3" -gt 0 ]; then
		eval "xenstore-read $path/out/{0..$(($3 - 1))}" | base64 -di
	fi
	return "$2"
}

# A guest that has gone said why on its console.
guest_died() {
	[ -n "$domid" ] && ! xenstore-exists "/local/domain/$domid/data" || return 0
	echo "the guest died: $(grep -m 1 -aE "$bad_log|Kernel panic" $lab/out/guest/guest-guest.log)"
}

# What QEMU does that no CPU does, and a guest dies of; said in one line. Its cmpxchg16b can leave part of an address in
# the flags, one of the ten highest bits among them: an interrupt right behind it dies of what it returns to. It can
# take the same interrupt twice when it enters a guest with one: the second begins where interrupts are off. The kernel
# says so when it panics; the domain may stay for a while. Of the guest, or of another domain by its name.
emulator_failed() {
	[ -n "$domid" ] && [ -e "$lab/out/guest/guest-${1-guest}.log" ] &&
		tac "$lab/out/guest/guest-${1-guest}.log" | sed '/lab: modules under test/q' | tac | awk '
			match($0, /EFLAGS: [0-9a-f]+/) {
				flags = substr($0, RSTART + 8, RLENGTH - 8)
				if (flags !~ /^00[0-3]/) said = "flags that no CPU has, " flags
				else if (callback && NR - callback < 5 && flags ~ /[014589cd]..$/) said = "an interrupt though they were off, EFLAGS " flags
			}
			/ asm_sysvec_xen_hvm_callback\+/ && !/RIP:/ { callback = NR }
			/Kernel panic/ { dead = 1 }
			END { if (said && dead) print said; exit !(said && dead) }'
}

# --- drivers ---

driver_files() { # END(back|front) KIND(xpv|linux) DEVICE(blk|net)
	case $2 in
	xpv) printf 'xpv-%s%s' "$3" "$1" ;;
	*) case $1 in back) printf 'xen-%sback' "$3" ;; front) printf 'xen-%sfront' "$3" ;; esac ;;
	esac
}

mark() { echo 'lab: modules under test' >/dev/kmsg; }

# From here on a WARN ends the run, but where all there is to say is wanted. Not earlier:
# emulated CPUs make a kernel warn at boot.
panic_on_warn=1
[ -z "${DEBUG_KERNEL-}" ] || panic_on_warn=0

load_back() {
	mark
	sysctl -q kernel.panic_on_warn=$panic_on_warn
	case $1 in
	xpv) insmod $lab/modules/xpv-ring.ko && insmod $lab/modules/xpv-blkback.ko ${BACK_OPTIONS-} && insmod $lab/modules/xpv-netback.ko ;;
	blkd) insmod $lab/modules/xpv-ring.ko && insmod $lab/modules/xpv-netback.ko && install_blkd && start_blkd ;;
	linux | qdisk) modprobe xen-blkback && modprobe xen-netback ;;
	esac
}

unload_back() {
	case $1 in
	xpv) rmmod xpv-blkback && rmmod xpv-netback && rmmod xpv-ring ;;
	blkd) stop_blkd && rmmod xpv-netback && rmmod xpv-ring ;;
	linux | qdisk) rmmod xen-blkback && rmmod xen-netback ;;
	esac
}

# --- the userspace backend ---

install_blkd() {
	install -m 755 -t /usr/sbin $lab/blkd/xpv-blkd $lab/blkd/xpv-blkctl &&
		install -m 755 -t /etc/xen/scripts $lab/blkd/block-xpv
}

# start_blkd [ARGUMENT...]: returns when it answers.
start_blkd() {
	# With as little of root's power as the service has.
	setpriv --bounding-set=-all,+dac_override --inh-caps=-all --no-new-privs xpv-blkd "$@" 3>&- >>$lab/out/blkd.log 2>&1 &
	blkd=$!
	until_ok 20 xpv-blkctl list || { tail -n 1 $lab/out/blkd.log; return 1; }
}

stop_blkd() {
	kill "$blkd" && wait "$blkd" || { echo "xpv-blkd ended with code $?"; return 1; }
}

load_front() {
	case $1 in
	xpv) guest 'cd /xpv && insmod xpv-ring.ko && insmod xpv-blkfront.ko && insmod xpv-netfront.ko' ;;
	linux) guest 'cd /lib/modules && for m in xen-blkfront xen-netfront; do for f in $(cat $m.order); do insmod $f '"${FRONT_OPTIONS-}"' || exit; done; done' ;;
	esac
}

# A bound device holds its driver's module.
unload_front() {
	guest 'for d in /sys/bus/xen/devices/v[bi][df]-*; do echo "${d##*/}" >$d/driver/unbind; done'
	case $1 in
	xpv) guest 'rmmod xpv-blkfront && rmmod xpv-netfront && rmmod xpv-ring' ;;
	linux) guest 'rmmod xen-blkfront && rmmod xen-netfront' ;;
	esac
}

# --- the guest's life ---

# xl's disk line for /dev/nullbN as VDEV.
disk_line() {
	case $back in
	qdisk) printf 'backendtype=qdisk,format=raw,vdev=%s,access=rw,target=%s' "$2" "$1" ;;
	blkd) printf 'backendtype=tap,script=block-xpv,format=raw,vdev=%s,access=rw,target=%s' "$2" "$1" ;;
	*) printf 'format=raw,vdev=%s,access=rw,target=%s' "$2" "$1" ;;
	esac
}

guest_config() {
	local kernel=vmlinux
	# A device model loads a guest the way a boot loader does.
	[ "$kind" != hvm ] || kernel=vmlinuz
	cat <<-END
		name = "guest"
		type = "$kind"
		memory = ${GUEST_MEMORY:-512}
		vcpus = ${GUEST_VCPUS:-1}
		cpus = "${GUEST_CPUS:-1}"
		# Emulated CPUs do not report an intercepted RDTSCP as one; and without an
		# invariant TSC the guest would ask the hypervisor for every time stamp.
		tsc_mode = "native"
		on_crash = "destroy"
		on_reboot = "destroy"
		kernel = "/boot/$kernel"
		ramdisk = "$lab/guest.cpio"
		cmdline = "console=hvc0 net.ifnames=0 quiet panic=-1 tsc=reliable clocksource=tsc ${GUEST_CMDLINE-}"
		disk = [ '$(disk_line /dev/nullb0 xvdb)' ]
		vif = [ 'type=vif,bridge=xenbr0' ]
	END
	# No display to emulate; its console is the paravirtual one as well, which is logged.
	[ "$kind" != hvm ] || printf 'vga = "none"\nnographic = 1\n'
}

# patient COMMAND...: the toolstack gives its scripts 40 s. What a soak does beside, and a kernel with checks, may be too
# much for that, once.
patient() { "$@" || { [ -n "${LAB_SOAK-}${DEBUG_KERNEL-}" ] && sleep 5 && "$@"; }; }

create_guest() { # NAME
	# What is left of one that could not be made.
	xl destroy "$1" 2>/dev/null
	xl create "$lab/$1.cfg"
}

# bring_up NET: until the new domain's agent answers, with the frontends loaded and both devices in use.
bring_up() {
	answered 0 "${GUEST_BOOT_LIMIT:-400}" ||
		{ echo "the guest did not come up"; return 1; }
	guest 'echo "<1>lab: modules under test" >/dev/kmsg; sysctl -w kernel.panic_on_warn='$panic_on_warn >/dev/null
	load_front "$front" || { echo "the $front frontends do not load"; return 1; }
	disk_up xvdb && net_up 0 "$1"
}

# start_guest KIND FRONT BACK: and brings it up. The backends are loaded already.
start_guest() {
	kind=$1 front=$2 back=$3 domid='' ready=0
	guest_config >$lab/guest.cfg
	patient create_guest guest >$lab/out/xl.log 2>&1 || { tail -n 3 $lab/out/xl.log; return 1; }
	domid=$(xl domid guest)
	bring_up 0 && ready=1
}

disk_up() {
	guest "for i in \$(seq $((200 * slow))); do [ -b /dev/$1 ] && [ \$(cat /sys/block/$1/size) -gt 0 ] && exit; sleep 0.2; done; exit 1" ||
		{ echo "no $1 in the guest"; return 1; }
}

# net_up VIF [NET]: the address, 10.0.NET.2, goes to whatever name the vif has; it counts once dom0's answers.
net_up() {
	local net=${2-$1}
	guest "for i in \$(seq $((200 * slow))); do n=\$(ls /sys/bus/xen/devices/vif-$1/net 2>/dev/null) && [ \"\$n\" ] && break; sleep 0.2; done
		ip addr flush dev \$n; ip addr add 10.0.$net.2/24 dev \$n && ip link set \$n up
		for i in \$(seq $((20 * slow))); do ping -q -c 1 -W 1 10.0.$net.1 && exit; done; exit 1" >/dev/null ||
		{ echo "vif $1 does not reach 10.0.$net.1"; return 1; }
}

gone() { ! xl list | awk -v d="$1" '$2 == d { found = 1 } END { exit !found }'; }

# Also waits for a domain that only its grants keep alive ("(null)" in xl list).
stop_guest() {
	local was=$domid
	xl destroy guest >>$lab/out/xl.log 2>&1 || { echo "xl destroy failed"; return 1; }
	domid=''
	until_ok 20 gone "$was" || { echo "domain $was stays as a zombie"; return 1; }
}

# --- load ---

# guest_fio DISK RW BS DEPTH SECONDS [MORE]: prints IOPS and MB/s.
guest_fio() {
	guest "fio --name=j --filename=/dev/$1 --rw=$2 --bs=$3 --iodepth=$4 --ioengine=libaio --direct=1 --size=256m \
		--time_based --runtime=$5 --output-format=terse --terse-version=3 ${6-} 2>/dev/null" |
		awk -F ';' '$1 == 3 && $5 == 0 { io = $8 + $49; kb = $7 + $48 } END { if (!io) exit 1; printf "%d %.1f\n", io, kb / 1000 }'
}

# guest_verify DISK RW BS [MORE]: every block is written with a crc32c and checked
# when read back. A read job lays the blocks down first.
guest_verify() {
	local GUEST_LIMIT=${GUEST_LIMIT:-180}
	local all="fio --name=v --filename=/dev/$1 --ioengine=libaio --direct=1 --iodepth=32 --bs=$3 --size=${VERIFY_SIZE:-32m} \
		--verify=crc32c --verify_fatal=1 --verify_state_save=0 ${4-}"
	case $2 in
	*write) guest "$all --rw=$2 --do_verify=1" >"$lab/out/verify.log" ;;
	*read) guest "$all --rw=write --do_verify=0 --verify_header_seed=0 && $all --rw=$2 --verify_header_seed=0" >"$lab/out/verify.log" ;;
	esac
}

# verify_cpus DISK: from both CPUs at once, by a process each: a fio that pins several jobs crashes.
verify_cpus() {
	local GUEST_LIMIT=${GUEST_LIMIT:-180}
	local all="fio --filename=/dev/$1 --ioengine=libaio --direct=1 --iodepth=32 --bs=4k --size=2m --rw=randwrite \
		--verify=crc32c --verify_fatal=1 --verify_state_save=0 --do_verify=1"
	guest "$all --name=a --cpus_allowed=0 & $all --name=b --offset=8m --cpus_allowed=1 && wait \$!" >"$lab/out/verify.log"
}

# guest_iperf N SECONDS [MORE]: Mbit/s as the receiver counts; -R is dom0 to guest.
guest_iperf() {
	local out
	# On a busy machine the server may not have noticed yet that the client before has gone.
	out=$(guest "for i in 1 2 3 4 5; do
			iperf3 -c 10.0.$1.1 -t $2 -f m ${3-} >/tmp/iperf 2>&1; status=\$?
			grep -q 'server is busy' /tmp/iperf && sleep 1 || break
		done; cat /tmp/iperf; exit \$status") || { tail -n 1 <<<"$out" >&2; return 1; }
	awk '/receiver/ { m = $(NF - 2) } END { if (!(m > 0)) exit 1; print m }' <<<"$out"
}

# guest_load NAME COMMAND: leaves it running in the guest; its output goes to /tmp/NAME.log there.
guest_load() { guest "$2 >/tmp/$1.log 2>&1 & echo \$! >/tmp/$1.pid"; }
guest_load_runs() { guest "kill -0 \$(cat /tmp/$1.pid)"; }
guest_load_stop() {
	guest "p=\$(cat /tmp/$1.pid); kill \$p 2>/dev/null
		for i in \$(seq 75); do kill -0 \$p 2>/dev/null || exit 0; sleep 0.2; done; kill -9 \$p; exit 1"
}

# --- what is left behind ---

log_since_mark() { dmesg | tac | sed "/lab: ${1-modules under test}/q" | tac; }
# A kernel that was refused memory for part of an interrupt's folder (fault.sh) says so when it removes it. And one with checks,
# after more than an hour, that it has no room for more different stacks: what it finds then it tells without them.
not_ours='/WARNING:.* remove_proc_entry/,/end trace/d;/WARNING:.* stack_depot_save/,/end trace/d'
# In-tree blkback waits for its pages by a work item on its stack, which the kernel with checks was not told of.
not_ours_in_dom0=$not_ours';/ODEBUG: object .* on stack/{:more;N;/end trace/!bmore;/\[xen_blkback\]/d}'
dom0_log_clean() { ! log_since_mark | sed "$not_ours_in_dom0" | grep -E "$bad_log"; }
guest_log_clean() { guest "! dmesg | sed '1,/lab: modules under test/d;$not_ours' | grep -E '$bad_log'"; }

# The hypervisor's own list of grants in use.
grants() {
	xl dmesg -c >/dev/null
	xl debug-keys g
	xl dmesg
}

# No domain but dom0 has a grant table left, and nobody maps a page of dom0's.
grants_clean() {
	local left
	left=$(grants | grep -E 'grant-table for remote d|0x[0-9a-f]+ 0x' | grep -v 'remote d0 ')
	[ -z "$left" ] || { printf '%s\n' "$left"; echo "grants in use: $(grep -c '0x' <<<"$left")"; return 1; }
}

# One line per device and side, as sysfs has it. QEMU as a backend has no driver
# in the kernel, so its place in xenstore is shown; nor has xpv-blkd, which tells itself.
evidence() {
	local device
	for device in /sys/bus/xen-backend/devices/v{bd,if}-"$domid"-*; do
		[ -e "$device" ] || continue
		set -- "$(readlink "$device/driver")" "$(readlink "$device/driver/module")"
		echo "dom0   ${device##*/} -> ${1##*/} (${2##*/})"
	done
	[ "$back" != qdisk ] ||
		echo "dom0   $(xenstore-read "/local/domain/$domid/device/vbd/51728/backend") -> $(ps -o comm= -p "$(pgrep -o qemu)")"
	[ "$back" != blkd ] || xpv-blkctl list |
		awk -v d="$domid/" 'index($1, d) == 1 { sub("/", "-", $1); print "dom0   vbd3-" $1 " -> xpv-blkd (" $3 ")" }'
	guest 'for d in /sys/bus/xen/devices/v[bi][df]-*; do
		set -- $(readlink $d/driver) $(readlink $d/driver/module)
		echo "guest  ${d##*/} -> ${1##*/} (${2##*/})"
	done'
}
