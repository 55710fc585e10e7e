# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a disk is told to forget. Sourced by check.sh, whose verdict() it uses, as it does blkback.sh's disks.
#
#   /dev/NAME, a null_blk by configfs -- vbd 51744 -- xvdc
#
# No disk of the lab's erases anything for good. A backend that says it does makes one for dom0:
#
#   rogue-back -- vbd (1 << 28) + (4 << 8) of domain 0 -- /dev/xvde -- vbd 51744 -- xvdc

zeroes() { cmp -n "$3" -i "$2:0" "$1" /dev/zero; }

# What the guest discards is gone, as asked and no more; the disk says how much at least.
disk_discard() {
	local id=51744 guest_queue=/sys/block/xvdc/queue requests
	[ "$(backend_key $id feature-discard)" = 1 ] || { echo "no discard is offered"; return 1; }
	[ "$(backend_key $id discard-granularity)" = "$(cat /sys/block/trim/queue/discard_granularity)" ] || { echo "another granularity than the disk's"; return 1; }
	[ "$(backend_key $id discard-secure)" = 0 ] || { echo "an erasure is offered that the disk does not do"; return 1; }
	guest "grep -qvx 0 $guest_queue/discard_max_bytes" || { echo "the guest does not discard"; return 1; }
	guest 'tr "\0" "\377" </dev/zero | dd of=/dev/xvdc bs=1M count=16 iflag=fullblock conv=fsync 2>/dev/null' || return
	guest 'fio --name=t --filename=/dev/xvdc --rw=trim --bs=1m --offset=4m --size=8m --ioengine=psync --direct=1' >/dev/null ||
		{ echo "discarding failed"; return 1; }
	[ "$(backend_stat $id ds_req)" -ge 8 ] || { echo "$(backend_stat $id ds_req) discards were counted"; return 1; }
	blockdev --flushbufs /dev/trim
	zeroes /dev/trim $((4 << 20)) $((8 << 20)) || { echo "what was discarded is still there"; return 1; }
	! zeroes /dev/trim $((3 << 20)) $((1 << 20)) && ! zeroes /dev/trim $((12 << 20)) $((1 << 20)) || { echo "what was not discarded is gone"; return 1; }
	# More than one piece.
	guest 'fio --name=t --filename=/dev/xvdc --rw=trim --bs=1536m --size=1536m --ioengine=psync --direct=1' >/dev/null ||
		{ echo "discarding the whole disk failed"; return 1; }
	blockdev --flushbufs /dev/trim
	zeroes /dev/trim 0 $((16 << 20)) || { echo "not all was discarded"; return 1; }
	# What was offered can be lost: the guest hears of it, and does not ask again.
	echo 0 >/sys/block/trim/queue/discard_max_bytes
	guest 'blkdiscard -l 1048576 /dev/xvdc'
	until_ok 10 no_discard $id || { echo "discard is still offered"; return 1; }
	requests=$(backend_stat $id ds_req)
	! guest 'blkdiscard -l 1048576 /dev/xvdc' 2>/dev/null && [ "$(backend_stat $id ds_req)" = "$requests" ] ||
		{ echo "the guest discards again"; return 1; }
	guest 'dd if=/dev/xvdc of=/dev/null bs=64k count=16 iflag=direct' || { echo "the disk cannot be read any more"; return 1; }
}

no_discard() { [ "$(backend_key "$1" feature-discard)" = 0 ]; }

disk_no_discard() {
	[ "$(backend_key 51744 feature-discard)" = 0 ] || { echo "discard is offered though the toolstack forbids it"; return 1; }
	guest 'grep -qx 0 /sys/block/xvdc/queue/discard_max_bytes' || { echo "the guest would discard"; return 1; }
}

discards() {
	with_disk trim 'discard=1 size=1536' disk_discard || return
	disk_more=no-discard, with_disk trim discard=1 disk_no_discard
}

discarded_sectors() { awk '{ print $14 }' "/sys/block/$1/stat"; }
discarding() { [ "$(discarded_sectors cut)" -gt 0 ]; }

# Whoever has the disk next may be writing there: what a guest that is gone was discarding is left at
# the piece that was on its way. 16 GiB, by requests of up to four of them, 3 s for each.
disk_discard_cut() {
	local all=$((16384 * 2048)) done status=0
	make_disk cut discard=1 size=16384 irqmode=2 completion_nsec=3000000000 || return
	timeout 60 xl block-attach guest "$(disk_line /dev/cut xvdc)" && disk_up xvdc || return
	guest_load cut 'blkdiscard /dev/xvdc' || return
	until_ok 30 discarding || { echo "nothing is discarded"; status=1; }
	timeout 60 xl block-detach guest xvdc || { echo "xl block-detach failed"; status=1; }
	until_ok 20 no_backend vbd 51744 || { echo "dom0 still has the backend of xvdc"; status=1; }
	done=$(discarded_sectors cut)
	echo "$done sectors of $all were discarded"
	[ "$done" -lt $((all * 3 / 4)) ] || { echo "all was discarded though the guest was gone"; status=1; }
	guest_load_stop cut || { echo "blkdiscard hangs on the disk that is gone"; status=1; }
	drop_disk cut || { echo "the disk is still in use"; status=1; }
	return $status
}

# Each piece is a request: 16 of them, 4 a second.
disk_discard_limited() {
	local begun took
	echo 4 >"/sys/bus/xen-backend/devices/vbd-$domid-51744/limit_iops" || return
	begun=$EPOCHSECONDS
	guest 'blkdiscard /dev/xvdc' || { echo "discarding failed"; return 1; }
	took=$((EPOCHSECONDS - begun))
	[ $took -ge 3 ] || { echo "16 GiB were discarded in $took s"; return 1; }
}

# The sectors that dom0's own disk has been done with, by a kind of request as the kernel writes it: D to discard, DE to erase.
done_by() {
	awk -v kind="$1" '/ block_rq_complete: 202,/ && match($0, / 202,[0-9]+ [A-Z]+ .*/) {
		split(substr($0, RSTART + 1), word, " ")
		if (word[2] ~ "^" kind "S?$" && $NF == "[0]") sum += word[6]
	} END { print sum + 0 }' $tracing/trace
}

erase() {
	local requests=0
	timeout 60 xl block-attach guest "$(disk_line /dev/xvde xvdc)" && disk_up xvdc || return
	[ "$(backend_key 51744 discard-secure)" = 1 ] || { echo "no erasure is offered"; return 1; }
	requests=$(backend_stat 51744 ds_req)
	echo >$tracing/trace
	guest 'blkdiscard -s /dev/xvdc' || { echo "erasing failed"; return 1; }
	# Pieces of a gigabyte, and whole.
	[ "$(done_by DE) $(done_by D)" = "4194304 0" ] || { echo "of 4194304 sectors $(done_by DE) were erased, $(done_by D) only discarded"; return 1; }
	[ "$(backend_stat 51744 ds_req)" -gt "$requests" ] || { echo "it was not counted"; return 1; }
	echo >$tracing/trace
	guest 'blkdiscard -s -o 1048576 -l 65536 /dev/xvdc && blkdiscard -o 4194304 -l 131072 /dev/xvdc' || { echo "erasing a part or discarding failed"; return 1; }
	[ "$(done_by DE) $(done_by D)" = "128 256" ] || { echo "$(done_by DE) sectors were erased and $(done_by D) discarded, not 128 and 256"; return 1; }
	[ "$(backend_key 51744 discard-secure)" = 1 ] || { echo "no erasure is offered any more"; return 1; }
}

disk_erase() {
	local rogue_pid status=0 own=$(((1 << 28) + (4 << 8)))
	insmod $lab/modules/xpv-blkfront.ko || return
	timeout 90 "$rogue/rogue-back" vbd 0 $own "$rogue/back/asked/erases" >$lab/out/rogue.log 2>&1 &
	rogue_pid=$!
	echo 1 >$tracing/events/block/block_rq_complete/enable || status=1
	until_ok 20 test -b /dev/xvde && erase || { cat /proc/partitions; status=1; }
	echo 0 >$tracing/events/block/block_rq_complete/enable
	[ $status = 0 ] || grep -E ' 202,' $tracing/trace
	detach_disk || status=1
	echo vbd-$own >/sys/bus/xen/devices/vbd-$own/driver/unbind
	wait $rogue_pid || { cat $lab/out/rogue.log; status=1; }
	rmmod xpv-blkfront || { echo "xpv-blkfront does not unload"; status=1; }
	return $status
}

discard_tests() {
	[ "$front" != linux ] || verdict disk-discard discards
	[ "$front" != xpv ] || verdict disk-discard-cut disk_discard_cut
	verdict disk-discard-limited with_disk wide 'discard=1 size=16384' disk_discard_limited
	verdict disk-erase disk_erase
}
