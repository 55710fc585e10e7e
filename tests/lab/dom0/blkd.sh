# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What xpv-blkd has to do beyond moving data: die and come again, say what is wrong, be seen and
# be told things. Sourced by check.sh, whose verdict() it uses.
#
#   /dev/nullb0 -- vbd 51728 -- xvdb, the guest's own
#   a file, or an NBD server -- vbd 51744 -- xvdc
blkd_files=/tmp/blkd

# blkd_stat DISK COUNTER
blkd_stat() {
	xpv-blkctl stats --json "$domid/$1" >$lab/out/stats.json || return
	sed -n "s/^ *\"$2\": *\([0-9]*\),*$/\1/p" $lab/out/stats.json
}

# blkd_key KEY: of xvdc's node.
blkd_key() { xenstore-read "backend/vbd3/$domid/51744/$1" 2>/dev/null; }

# with_target TARGET COMMAND...: as xvdc of the guest, and gone afterwards.
with_target() {
	local status=0
	xl_attach block-attach guest "$(disk_line "$1" xvdc)" && disk_up xvdc || return
	"${@:2}" || status=1
	detach_disk || status=1
	return $status
}

# --- it dies, and comes again ---

# kill_blkd SIGNAL: its successor answers when this returns.
kill_blkd() {
	kill "-$1" "$blkd"
	wait "$blkd"
	start_blkd
}

# What was written is verified while COMMAND does something to the backend.
outlived() { # COMMAND...
	local GUEST_LIMIT=180
	guest_load verify "fio --name=v --filename=/dev/xvdb --ioengine=libaio --direct=1 --iodepth=32 --bs=4k --size=8m \
		--rw=randrw --verify=crc32c --verify_fatal=1 --verify_state_save=0 --time_based --runtime=$load_limit --rate_iops=400" || return
	"$@" || return
	sleep 3
	guest_load_runs verify || { guest 'tail -n 3 /tmp/verify.log'; echo "fio ended"; return 1; }
	guest_load_stop verify || { echo "fio hangs"; return 1; }
	guest 'grep -q "err= 0" /tmp/verify.log' || { echo "fio had errors"; return 1; }
	VERIFY_SIZE=4m guest_verify xvdb randwrite 4k || { echo "fio's verification failed afterwards"; return 1; }
}

blkd_killed() { # SIGNAL
	local i
	for i in 1 2 3 4; do
		sleep 2
		kill_blkd "$1" || return
	done
}

# The disk is attached while nobody serves, and taken up when somebody does.
blkd_late() {
	local attach
	stop_blkd || return
	timeout 60 xl block-attach guest "$(disk_line /dev/nullb1 xvdc)" &
	attach=$!
	sleep 2
	start_blkd || return
	wait $attach || { echo "xl block-attach failed"; return 1; }
	disk_up xvdc && detach_disk
}

# --- what hangs keeps nobody waiting ---

# soon SECONDS COMMAND...: succeeds, and within that time.
soon() {
	local begun=$EPOCHSECONDS
	"${@:2}" || return
	[ $((EPOCHSECONDS - begun)) -le "$1" ] || { echo "$2 took $((EPOCHSECONDS - begun)) s"; return 1; }
}

# The guest's own disk is served.
blkd_serves() { soon 10 guest 'dd if=/dev/xvdb of=/dev/null iflag=direct bs=4k count=20 2>/dev/null' || { echo "xvdb is not served"; return 1; }; }

blkd_comes() { [ "$(blkd_key state)" = 2 ]; }

# A store takes 15 s to be opened, and as long to be closed.
blkd_hangs() {
	local attach status=0
	truncate -s 16M $blkd_files.img
	timeout 60 xl block-attach guest "$(disk_line "fault:hang=15000:$blkd_files.img" xvdc)" &
	attach=$!
	until_ok 10 blkd_comes
	sleep 1
	blkd_serves || status=1
	! xpv-blkctl list | grep -E "^$domid/51744.*hang" || { echo "the disk did not hang"; status=1; }
	soon 5 xpv-blkctl limit "$domid/xvdb" iops=0 || status=1
	wait $attach && disk_up xvdc || return
	timeout 60 xl block-detach guest xvdc &
	attach=$!
	sleep 2
	blkd_serves && soon 5 xpv-blkctl list || status=1
	wait $attach || { echo "xl block-detach failed"; status=1; }
	return $status
}

# The script asks while the daemon is being started anew.
blkd_awaited() {
	local asks status=0
	stop_blkd || return
	xpv-blkctl open "backend/vbd3/$domid/51728" &
	asks=$!
	sleep 2
	kill -0 $asks || { echo "who asks does not wait"; status=1; }
	start_blkd || return
	wait $asks || { echo "xpv-blkctl open ended with code $?"; status=1; }
	blkd_serves || status=1
	return $status
}

# One that answers nothing for longer than the toolstack has patience: it says so.
blkd_silent() {
	! timeout 100 xl block-attach guest "$(disk_line "fault:hang=25000:null:16M" xvdc)" >$lab/out/silent.log 2>&1 || { echo "a disk that does not answer was attached"; return 1; }
	cat $lab/out/silent.log
	grep -q 'script: fault:hang=25000:null:16M: does not answer' $lab/out/silent.log || { echo "xl does not say why"; return 1; }
	blkd_serves || return
	# Now it does.
	sleep 8
	blkd_left xvdc
}

# A disk takes 1.5 s for a request, one after the other; behind them more wait in the kernel than it has
# threads for by itself.
blkd_stuck() {
	local status=0
	make_disk slow irqmode=2 completion_nsec=1500000000 hw_queue_depth=1 || return
	timeout 60 xl block-attach guest "$(disk_line /dev/slow xvdc)" && disk_up xvdc || return
	guest_load stuck "fio --name=h --filename=/dev/xvdc --rw=randread --bs=4k --iodepth=12 --ioengine=libaio --direct=1 \
		--size=64m --time_based --runtime=$load_limit" || return
	sleep 3
	soon 5 guest 'dd if=/dev/urandom of=/dev/xvdb bs=4k count=8 conv=fsync 2>/dev/null' || { echo "a flush waits for another disk"; status=1; }
	blkd_is_followed || status=1
	# What is on its way there, 1.5 s each: 12 that both daemons have asked for.
	guest 'kill $(cat /tmp/stuck.pid)'
	until_ok 60 eval '! guest_load_runs stuck' || { echo "fio hangs"; status=1; }
	guest 'grep -q "err= 0" /tmp/stuck.log' || { echo "fio had errors"; status=1; }
	until_ok 60 timeout 60 xl block-detach guest xvdc && until_ok 20 no_backend vbd 51744 || { echo "the disk can't be detached"; status=1; }
	until_ok 20 drop_disk slow || { echo "the disk is still in use"; status=1; }
	return $status
}

# The daemon is told to end while a disk has it wait: its successor serves the others soon, though the kernel may
# not have let the old one go yet.
blkd_is_followed() {
	local old=$blkd begun=$EPOCHSECONDS
	kill "$old"
	until_ok 20 flock -n /run/xpv-blkd/lock true || { echo "the daemon does not end"; return 1; }
	echo "it took $((EPOCHSECONDS - begun)) s to let go"
	[ $((EPOCHSECONDS - begun)) -le 9 ] || return
	start_blkd && blkd_serves || return
	wait "$old"
}

# --- what is wrong is said ---

# The guest has no memory to speak of: it never comes so far as to need some.
blkd_no_target() {
	cat >/tmp/no-target.cfg <<-END
		name = "no-target"
		type = "pv"
		memory = 128
		kernel = "/boot/vmlinux"
		disk = [ '$(disk_line /nonexistent/disk.img xvda)' ]
	END
	if timeout 120 xl create /tmp/no-target.cfg >$lab/out/no-target.log 2>&1; then
		xl destroy no-target
		echo "a guest without its disk was started"
		return 1
	fi
	cat $lab/out/no-target.log
	grep -q 'script: /nonexistent/disk.img: No such file or directory' $lab/out/no-target.log || { echo "xl does not say why"; return 1; }
	! xpv-blkctl list | grep nonexistent || { echo "the disk stays"; return 1; }
	# It said so at once: 20 s are for what may yet come.
	truncate -s 16M $blkd_files.img
	with_target $blkd_files.img true
}

# blkd_left VDEV: what xl leaves where a disk could not be attached is no disk, and can be detached.
blkd_left() {
	guest "! [ -b /dev/$1 ]" || { echo "the guest has $1"; return 1; }
	timeout 60 xl block-detach guest "$1" || { echo "what is left of $1 can't be detached"; return 1; }
}

# One writer, or none.
blkd_in_use() {
	truncate -s 16M $blkd_files.img
	with_target $blkd_files.img blkd_second_is_refused
}

blkd_second_is_refused() {
	! timeout 100 xl block-attach guest "$(disk_line $blkd_files.img xvde)" >$lab/out/in-use.log 2>&1 || { echo "two disks write to one file"; return 1; }
	cat $lab/out/in-use.log
	grep -q "script: $blkd_files.img: in use" $lab/out/in-use.log || { echo "xl does not say why"; return 1; }
	blkd_left xvde
}

# Another's daemon that takes the same disks, and ours not there: the script says so.
blkd_tapback() {
	local node=backend/vbd3/0/51712 tapback status=0
	stop_blkd || return
	cp "$(command -v sleep)" /tmp/tapback
	/tmp/tapback 100 &
	tapback=$!
	xenstore-write $node/params aio:/dev/nullb1
	! XENBUS_PATH=$node XENBUS_TYPE=vbd3 /etc/xen/scripts/block-xpv add || status=1
	xenstore-read $node/hotplug-error | grep "tapback (process $tapback)" || { echo "$(xenstore-read $node/hotplug-error)"; status=1; }
	kill $tapback
	wait $tapback
	! XENBUS_PATH=$node XENBUS_TYPE=vbd3 /etc/xen/scripts/block-xpv add || status=1
	xenstore-read $node/hotplug-error | grep 'does not answer' || status=1
	XENBUS_PATH=$node XENBUS_TYPE=vbd3 /etc/xen/scripts/block-xpv remove || { echo "a disk can't be removed without the daemon"; status=1; }
	xenstore-rm backend/vbd3/0
	start_blkd && return $status
}

# --- it is seen, and told things ---

blkd_seen() {
	local before reads
	before=$(blkd_stat xvdb reads) || return
	guest 'dd if=/dev/xvdb of=/dev/null iflag=direct bs=4k count=500 2>/dev/null' || return
	reads=$(($(blkd_stat xvdb reads) - before))
	[ $reads -ge 500 ] && [ $reads -le 600 ] || { echo "$reads reads were counted, 500 were made"; return 1; }
	xpv-blkctl list | grep -E "^$domid/51728 +xvdb +connected +w +1.0G +[0-9]+ +/dev/nullb0$" || { xpv-blkctl list; echo "the list is wrong"; return 1; }
	xpv-blkctl stats "$domid/51728"
	# It has to be ended: it watches on.
	timeout 5 xpv-blkctl stats --watch=0.5 "$domid/xvdb" >$lab/out/watched
	[ "$(grep -c "^$domid/51728" $lab/out/watched)" -ge 2 ] || { cat $lab/out/watched; echo "nothing to watch"; return 1; }
}

# Its own numbers, and that of the file it reads, agree.
blkd_xentop() {
	local top mine
	guest 'dd if=/dev/xvdb of=/dev/null iflag=direct bs=4k count=100 2>/dev/null' || return
	xentop -b -x -i 1 >$lab/out/xentop
	cat $lab/out/xentop
	top=$(awk '$1 == "VBD" && $3 ~ /51728/ { for (i = 1; i <= NF; i++) if ($i == "RD:") print $(i + 1) }' $lab/out/xentop | tr -d ,)
	mine=$(blkd_stat xvdb reads)
	[ -n "$top" ] && [ "$top" = "$mine" ] || { echo "xentop shows $top reads, there were $mine"; return 1; }
}

blkd_limited() {
	local iops status=0
	xpv-blkctl limit "$domid/xvdb" iops=100 || return
	iops=$(guest_fio xvdb randread 4k 16 4) || status=1
	xpv-blkctl limit "$domid/xvdb" iops=0 || status=1
	[ $status = 0 ] && [ "${iops% *}" -ge 90 ] && [ "${iops% *}" -le 115 ] || { echo "$iops requests a second with a limit of 100"; return 1; }
	iops=$(guest_fio xvdb randread 4k 16 2) && [ "${iops% *}" -ge 200 ] || { echo "$iops requests a second without a limit"; return 1; }
}

blkd_size_is() { guest "for i in \$(seq 50); do [ \$(cat /sys/block/xvdc/size) = $1 ] && exit; sleep 0.2; done; cat /sys/block/xvdc/size; exit 1"; }

blkd_grows() {
	blkd_size_is 32768 || return
	truncate -s 24M $blkd_files.img
	[ "$(xpv-blkctl resize "$domid/xvdc")" = "25165824 bytes" ] || { echo "the new size is not seen"; return 1; }
	blkd_size_is 49152 || { echo "the guest does not see the new size"; return 1; }
	guest 'echo hello | dd of=/dev/xvdc bs=512 seek=49151 conv=sync oflag=direct 2>/dev/null' || { echo "the new end can't be written"; return 1; }
	tail -c 512 $blkd_files.img | grep -q hello || { echo "the file does not have it"; return 1; }
}

blkd_resize() {
	rm -f $blkd_files.img
	truncate -s 16M $blkd_files.img
	with_target $blkd_files.img blkd_grows
}

# Holes of a file stay, and are made by who discards.
blkd_holes() {
	rm -f $blkd_files.img
	truncate -s 16M $blkd_files.img
	with_target $blkd_files.img blkd_punches
}

blkd_punches() {
	local full left
	guest 'dd if=/dev/urandom of=/dev/xvdc bs=1M count=8 oflag=direct 2>/dev/null' || return
	full=$(du -k $blkd_files.img | cut -f 1)
	guest 'fio --name=t --filename=/dev/xvdc --rw=trim --bs=1m --size=8m --ioengine=psync --direct=1' >/dev/null || { echo "discarding failed"; return 1; }
	left=$(du -k $blkd_files.img | cut -f 1)
	[ "$full" -ge 8192 ] && [ "$left" -le 1024 ] || { echo "the file has $left KiB after discarding, of $full"; return 1; }
}

# The other end sees its disk go, and the toolstack can still clear up.
blkd_detach() {
	truncate -s 16M $blkd_files.img
	xl_attach block-attach guest "$(disk_line $blkd_files.img xvdc)" && disk_up xvdc || return
	xpv-blkctl detach "$domid/xvdc" || return
	# The in-tree frontend keeps a disk of no size until the node goes.
	guest 'for i in $(seq 100); do [ "$(cat /sys/block/xvdc/size || echo 0)" != 0 ] || exit 0; sleep 0.2; done; exit 1' 2>/dev/null ||
		{ echo "the guest still has xvdc"; return 1; }
	timeout 60 xl block-detach guest xvdc || { echo "xl block-detach failed"; return 1; }
	until_ok 20 no_backend vbd 51744 || { echo "dom0 still has the backend of xvdc"; return 1; }
}

# HTTP by the shell's own means. The settings are read on the way.
blkd_metrics() {
	local reads status=0
	printf '[daemon]\nmetrics = 127.0.0.1:9118\nworkers = 1\n' >/tmp/blkd.conf
	stop_blkd && start_blkd --config /tmp/blkd.conf || return
	exec {reads}<>/dev/tcp/127.0.0.1/9118 && printf 'GET /metrics HTTP/1.1\r\n\r\n' >&$reads && cat <&$reads >$lab/out/metrics
	exec {reads}>&-
	grep -q "^xpv_blkd_connected{domain=\"$domid\",device=\"xvdb\"} 1" $lab/out/metrics && [ "$(tail -n 1 $lab/out/metrics)" = '# EOF' ] ||
		{ echo "the metrics are not those of xvdb"; status=1; }
	stop_blkd && start_blkd && return $status
}

# Settings are read again when it is told so; what they concern is offered to the next disk.
blkd_reread() {
	local status=0
	cp /etc/xpv-blkd.conf /tmp/blkd.conf
	printf '[disk]\nmax_queues = 7\nmax_ring_order = 1\n' >/etc/xpv-blkd.conf
	kill -HUP "$blkd" && until_ok 5 grep 'settings read again' $lab/out/blkd.log || { echo "it does not say that it read them"; status=1; }
	truncate -s 16M $blkd_files.img
	with_target $blkd_files.img blkd_offers 7 1 || status=1
	# What is wrong changes nothing.
	printf '[disk]\nmax_queues = 1000\n' >/etc/xpv-blkd.conf
	kill -HUP "$blkd" && sleep 1
	with_target $blkd_files.img blkd_offers 7 1 || status=1
	cp /tmp/blkd.conf /etc/xpv-blkd.conf
	kill -HUP "$blkd" && sleep 1
	with_target $blkd_files.img blkd_offers 2 2 || status=1
	return $status
}

blkd_offers() { # QUEUES ORDER
	[ "$(blkd_key multi-queue-max-queues)" = "$1" ] && [ "$(blkd_key max-ring-page-order)" = "$2" ] ||
		{ echo "it offers $(blkd_key multi-queue-max-queues) queues of order $(blkd_key max-ring-page-order)"; return 1; }
}

# Limits stay, whether the disk is connected or not, and whoever serves it.
blkd_limits_stay() {
	xpv-blkctl limit "$domid/xvdb" iops=5000 bytes=1G && kill_blkd TERM || return
	until_ok 10 blkd_has_limits || { xpv-blkctl list --json; echo "the limits are gone"; return 1; }
	xpv-blkctl limit "$domid/xvdb" iops=0 bytes=0
}

blkd_has_limits() { xpv-blkctl list --json | grep -q '"limit_iops": *5000' && xpv-blkctl list --json | grep -q '"limit_bytes": *1073741824'; }

# A partition that does not begin where its disk's units do says where they do.
blkd_aligned() {
	local loop want status=0
	truncate -s 16M $blkd_files.parts
	printf '\0\0\0\0\203\0\0\0\077\0\0\0\0\100\0\0' | dd of=$blkd_files.parts bs=1 seek=446 conv=notrunc 2>/dev/null
	printf '\125\252' | dd of=$blkd_files.parts bs=1 seek=510 conv=notrunc 2>/dev/null
	modprobe loop max_part=4 && loop=$(losetup -f) && losetup -P "$loop" $blkd_files.parts || { echo "no loop device"; return 1; }
	want=$(cat "/sys/class/block/${loop##*/}p1/discard_alignment")
	[ "${want:-0}" != 0 ] || { echo "the partition is aligned"; status=1; }
	with_target "${loop}p1" blkd_says_alignment "$want" || status=1
	losetup -d "$loop"
	return $status
}

blkd_says_alignment() {
	[ "$(blkd_key discard-alignment)" = "$1" ] || { echo "discard-alignment is $(blkd_key discard-alignment), not $1"; return 1; }
	guest 'fio --name=t --filename=/dev/xvdc --rw=trim --bs=64k --size=4m --ioengine=psync --direct=1' >/dev/null || { echo "discarding failed"; return 1; }
}

# A file system that is full is an error, and not for ever.
blkd_full() {
	local status=0
	mount -t tmpfs -o size=4m full /mnt && truncate -s 16M /mnt/full.img || return
	with_target /mnt/full.img blkd_is_told || status=1
	umount /mnt || { echo "the file stays open"; status=1; }
	return $status
}

blkd_is_told() {
	! soon 20 guest 'dd if=/dev/urandom of=/dev/xvdc bs=64k count=128 oflag=direct 2>/dev/null' || { echo "a full disk took all"; return 1; }
	[ "$(blkd_stat xvdc errors)" -gt 0 ] || { echo "no error was counted"; return 1; }
	guest 'fio --name=t --filename=/dev/xvdc --rw=trim --bs=1m --size=4m --ioengine=psync --direct=1' >/dev/null || return
	guest 'dd if=/dev/urandom of=/dev/xvdc bs=64k count=4 oflag=direct 2>/dev/null' || { echo "it stays full"; return 1; }
}

# The kernel's backends in the same dom0, with a disk of their own.
blkd_beside() {
	local status=0
	insmod $lab/modules/xpv-blkback.ko && blkd_beside_one || status=1
	rmmod xpv-blkback || status=1
	modprobe xen-blkback && blkd_beside_one || status=1
	rmmod xen-blkback || status=1
	return $status
}

blkd_beside_one() {
	local status=0
	timeout 60 xl block-attach guest format=raw,vdev=xvdd,access=rw,target=/dev/nullb1 && disk_up xvdd || return
	VERIFY_SIZE=2m guest_verify xvdd randwrite 4k && VERIFY_SIZE=2m guest_verify xvdb randwrite 4k || { echo "fio's verification failed"; status=1; }
	timeout 60 xl block-detach guest xvdd && until_ok 20 no_backend vbd 51760 || { echo "xvdd stays"; status=1; }
	return $status
}

# As many queues as the guest has CPUs, all at work.
blkd_queues() {
	local node=/local/domain/$domid/device/vbd/51728
	[ "$(xenstore-read "$node/multi-queue-num-queues")" = 2 ] || { echo "the frontend does not use two queues"; return 1; }
	[ "$(xpv-blkctl list | awk -v d="$domid/51728" '$1 == d { print $6 }')" = 2 ] || { xpv-blkctl list; echo "two queues are not listed"; return 1; }
	VERIFY_SIZE=2m guest_verify xvdb randwrite 4k --cpus_allowed=0 && VERIFY_SIZE=2m guest_verify xvdb randwrite 4k --cpus_allowed=1 ||
		{ echo "fio's verification failed"; return 1; }
	verify_cpus xvdb || { echo "fio's verification failed with both queues busy"; return 1; }
}

# --- disks of dom0's own ---

# dom0 is a guest of its own backend, for as long as somebody has to look into an image.
blkd_local() {
	local status=0
	rm -f $blkd_files.img
	dd if=/dev/urandom of=$blkd_files.img bs=64k count=64 2>/dev/null
	insmod $lab/modules/xpv-blkfront.ko || return
	timeout 60 xl block-attach 0 "$(disk_line $blkd_files.img xvdf)" && until_ok 20 test -b /dev/xvdf || { echo "dom0 has no xvdf"; status=1; }
	xpv-blkctl list
	cmp /dev/xvdf $blkd_files.img || { echo "dom0 reads other data than the file has"; status=1; }
	timeout 60 xl block-detach 0 xvdf || { echo "xl block-detach failed"; status=1; }
	blkd_loader || status=1
	rmmod xpv-blkfront || { echo "xpv-blkfront does not unload"; status=1; }
	return $status
}

# What pygrub does, without what it understands: a boot loader in dom0 reads the guest's kernel off its disk.
blkd_loader() {
	local status=0
	{ printf 'xpv-boots'; head -c 1048567 /dev/zero; } >$blkd_files.boot
	cat >/tmp/loader <<-'END'
		#!/bin/sh
		for arg; do
			case $arg in --output=*) output=${arg#*=} ;; esac
			disk=$arg
		done
		echo "reads $disk" >/tmp/loader.log
		[ "$(head -c 9 "$disk")" = xpv-boots ] || exit 1
		echo "has read $disk" >/tmp/loader.log
		cp /boot/vmlinux /tmp/loaded
		printf 'kernel /tmp/loaded\0args panic=-1\0' >"$output"
	END
	chmod 755 /tmp/loader
	cat >/tmp/loads.cfg <<-END
		name = "loads"
		type = "pv"
		memory = 128
		bootloader = "/tmp/loader"
		on_crash = "destroy"
		on_reboot = "destroy"
		disk = [ '$(disk_line $blkd_files.boot xvda)' ]
	END
	timeout 120 xl create -p /tmp/loads.cfg >$lab/out/loads.log 2>&1 || { tail -n 3 $lab/out/loads.log; echo "the guest was not created"; status=1; }
	grep 'has read /dev/xvd' /tmp/loader.log || { cat /tmp/loader.log; echo "the boot loader did not read dom0's own disk"; status=1; }
	[ $status = 1 ] || xl destroy loads
	rm -f /tmp/loaded
	! xpv-blkctl list | grep "^0/" || { echo "dom0's disk stays"; status=1; }
	return $status
}

# --- images that others understand ---

blkd_qcow2_works() {
	VERIFY_SIZE=4m guest_verify xvdc randwrite 4k || { echo "fio's verification failed"; return 1; }
	guest 'echo hello | dd of=/dev/xvdc bs=512 conv=sync,fsync 2>/dev/null'
}

blkd_qcow2() {
	local server status=0
	qemu-img create -q -f qcow2 $blkd_files.qcow2 64M || return
	qemu-nbd --persistent --shared 8 -f qcow2 -k $blkd_files.sock $blkd_files.qcow2 3>&- &
	server=$!
	until_ok 10 test -S $blkd_files.sock
	with_target "nbd+unix:///?socket=$blkd_files.sock" blkd_qcow2_works || status=1
	kill $server
	wait $server
	qemu-img convert -f qcow2 -O raw $blkd_files.qcow2 $blkd_files.raw && head -c 5 $blkd_files.raw | grep -q hello || { echo "the image does not have it"; status=1; }
	return $status
}

# A boot sector that writes a word to the serial port and then waits for ever: what a guest's firmware reads, before it has drivers.
blkd_firmware_boots() {
	local status=0
	{
		printf '\xfa\xfc\x31\xc0\x8e\xd8\xbe\x18\x7c\xba\xf8\x03\xac\x84\xc0\x74\x03\xee\xeb\xf8\xfb\xf4\xeb\xfcxpv-boots\n\0'
		head -c 510 /dev/zero
	} | head -c 510 >$blkd_files.boot
	printf '\x55\xaa' >>$blkd_files.boot
	truncate -s 16M $blkd_files.boot
	cat >/tmp/boots.cfg <<-END
		name = "boots"
		type = "hvm"
		memory = 64
		vga = "none"
		nographic = 1
		serial = "file:$lab/out/boots"
		on_crash = "destroy"
		disk = [ '$(disk_line $blkd_files.boot xvda)' ]
	END
	timeout 120 xl create /tmp/boots.cfg >$lab/out/boots.log 2>&1 || { tail -n 3 $lab/out/boots.log; echo "the guest was not created"; return 1; }
	until_ok 120 grep -a xpv-boots $lab/out/boots || { echo "its firmware does not boot from the disk"; status=1; }
	xl destroy boots || status=1
	until_ok 20 blkd_no_server || { echo "the server for the device model stays"; status=1; }
	return $status
}

blkd_no_server() { ! pgrep qemu-nbd; }

iowait() { awk '$1 == "cpu" { print $6 }' /proc/stat; }

# Who has nothing to do is not shown as waiting for a disk.
blkd_idle() {
	local before
	sleep 1
	before=$(iowait)
	sleep 2
	[ $(($(iowait) - before)) -lt 40 ] || { echo "$(($(iowait) - before)) ticks of I/O wait in 2 s without a request"; return 1; }
}

# Pages that our frontend uses again and again are copied by their grants once, and no more of them stay mapped than
# may; in-tree blkfront asks for the same.
blkd_grants() {
	local before reads status=0
	guest_fio xvdb randread 4k 32 1 >/dev/null || return
	before=$(blkd_stat xvdb grant_copies) reads=$(blkd_stat xvdb reads)
	[ "$(blkd_stat xvdb mapped_pages)" -ge 16 ] || { echo "$(blkd_stat xvdb mapped_pages) pages are mapped"; return 1; }
	guest_fio xvdb randread 4k 32 1 >/dev/null || return
	before=$(($(blkd_stat xvdb grant_copies) - before)) reads=$(($(blkd_stat xvdb reads) - reads))
	echo "$before copies by grants for $reads reads"
	[ $((before * 10)) -lt "$reads" ] || { echo "what is mapped is copied by grants"; return 1; }
	cp /etc/xpv-blkd.conf $lab/conf
	sed -i 's/^max_queues.*/&\npersistent_grants = 20\npersistent_unused_s = 2/' /etc/xpv-blkd.conf
	kill -HUP "$blkd"
	until_ok 20 blkd_maps_at_most 0 || { echo "pages stay mapped though they are not used"; status=1; }
	guest_fio xvdb randread 4k 32 1 >/dev/null && blkd_maps_at_most 20 || { echo "$(blkd_stat xvdb mapped_pages) pages are mapped, 20 may be"; status=1; }
	cp $lab/conf /etc/xpv-blkd.conf
	kill -HUP "$blkd"
	return $status
}

blkd_maps_at_most() { [ "$(blkd_stat xvdb mapped_pages)" -le "$1" ]; }

blkd_tests() {
	verdict blkd-idle blkd_idle
	verdict blkd-grants blkd_grants
	verdict blkd-killed outlived blkd_killed KILL
	verdict blkd-no-target blkd_no_target
	verdict blkd-seen blkd_seen
	verdict blkd-xentop blkd_xentop
	verdict blkd-hangs blkd_hangs
}

blkd_long_tests() {
	verdict blkd-restarted outlived blkd_killed TERM
	verdict blkd-service blkd_service
	verdict blkd-late blkd_late
	verdict blkd-awaited blkd_awaited
	verdict blkd-in-use blkd_in_use
	verdict blkd-tapback blkd_tapback
	verdict blkd-limited blkd_limited
	verdict blkd-resize blkd_resize
	verdict blkd-holes blkd_holes
	verdict blkd-detach blkd_detach
	verdict blkd-metrics blkd_metrics
	verdict blkd-silent blkd_silent
	verdict blkd-stuck blkd_stuck
	verdict blkd-reread blkd_reread
	verdict blkd-limits-stay blkd_limits_stay
	verdict blkd-aligned blkd_aligned
	verdict blkd-full blkd_full
	verdict blkd-beside blkd_beside
	[ "$front" != linux ] || verdict blkd-queues blkd_queues
	verdict blkd-local blkd_local
	verdict blkd-qcow2 blkd_qcow2
	verdict blkd-firmware-boots blkd_firmware_boots
}
