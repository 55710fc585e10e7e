# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a block backend has to do beyond moving data, on disks made for the purpose.
# Sourced by check.sh, whose verdict() it uses.
#
#   /dev/NAME, a null_blk by configfs -- vbd 51744 -- xvdc
#   /dev/nullb1 -- vbd 51776 -- xvde, another disk that comes meanwhile

disk_config=/sys/kernel/config/nullb

# make_disk NAME [ATTRIBUTE=VALUE...]
make_disk() {
	local dir=$disk_config/$1 set
	[ -d "$disk_config" ] || mount -t configfs none /sys/kernel/config
	mkdir "$dir" || { echo "no null_blk $1"; return 1; }
	for set in size=64 memory_backed=1 queue_mode=2 irqmode=0 "${@:2}"; do
		echo "${set#*=}" >"$dir/${set%%=*}" || { echo "null_blk does not take $set"; return 1; }
	done
	echo 1 >"$dir/power"
}

drop_disk() { rmdir "$disk_config/$1"; }

# with_disk NAME ATTRIBUTES COMMAND...: as xvdc of the guest, and gone afterwards. $disk_more is
# what else xl is to know of it.
with_disk() {
	local name=$1 status=0
	# shellcheck disable=SC2086
	make_disk "$name" $2 || return
	timeout 60 xl block-attach guest "${disk_more-}$(disk_line "/dev/$name" xvdc)" && disk_up xvdc || status=1
	[ $status = 1 ] || "${@:3}" || status=1
	detach_disk || status=1
	drop_disk "$name" || { echo "$name is still in use"; status=1; }
	return $status
}

backend_node() { echo "/local/domain/0/backend/vbd/$domid/$1"; }
backend_key() { xenstore-read "$(backend_node "$1")/$2"; }
backend_stat() { cat "/sys/bus/xen-backend/devices/vbd-$domid-$1/statistics/$2"; }

comes() { [[ $(backend_key "$1" state) == [24] ]]; }

# A disk that hangs is waited for by its own device alone: 12 requests, one after the other,
# take 18 s, and another disk's backend comes meanwhile.
disk_hung() {
	local attach detach status=0
	make_disk slow irqmode=2 completion_nsec=1500000000 hw_queue_depth=1 || return
	timeout 60 xl block-attach guest "$(disk_line /dev/slow xvdc)" && disk_up xvdc || return
	guest_load hung "fio --name=h --filename=/dev/xvdc --rw=randread --bs=4k --iodepth=12 --ioengine=libaio --direct=1 \
		--size=64m --time_based --runtime=$load_limit" || return
	sleep 3
	timeout 60 xl block-detach guest xvdc &
	detach=$!
	sleep 1
	timeout 60 xl block-attach guest "$(disk_line /dev/nullb1 xvde)" &
	attach=$!
	until_ok 10 comes 51776 || { echo "no other disk comes"; status=1; }
	[ "$(backend_key 51744 state)" = 5 ] || { echo "the disk did not hang, or kept the other one waiting"; status=1; }
	wait $attach || { echo "xl block-attach failed"; status=1; }
	wait $detach || { echo "xl block-detach failed"; status=1; }
	until_ok 40 no_backend vbd 51744 || { echo "dom0 still has the backend of xvdc"; status=1; }
	timeout 60 xl block-detach guest xvde || status=1
	until_ok 20 no_backend vbd 51776 || { echo "dom0 still has the backend of xvde"; status=1; }
	guest_load_stop hung || { echo "fio hangs on the disk that is gone"; status=1; }
	drop_disk slow || { echo "the disk is still in use"; status=1; }
	return $status
}

# A queue per CPU of the guest, each with a ring of 8 pages and a thread; the counters are of all.
disk_queues() {
	local node=/local/domain/$domid/device/vbd/51728 before
	[ "$(backend_key 51728 multi-queue-max-queues)" -ge 2 ] || { echo "the backend offers one queue"; return 1; }
	[ "$(xenstore-read "$node/multi-queue-num-queues")" = 2 ] || { echo "the frontend does not use two queues"; return 1; }
	[ "$(xenstore-read "$node/ring-page-order")" = 3 ] || { echo "the rings are not of 8 pages"; return 1; }
	[ "$(pgrep -c "^xpv-blk\\.$domid\\.")" = 2 ] || { echo "$(pgrep -c "^xpv-blk") threads serve two queues"; return 1; }
	before=$(backend_stat 51728 wr_sect)
	VERIFY_SIZE=2m guest_verify xvdb randwrite 4k --cpus_allowed=0 && VERIFY_SIZE=2m guest_verify xvdb randwrite 4k --cpus_allowed=1 ||
		{ echo "fio's verification failed"; return 1; }
	verify_cpus xvdb || { echo "fio's verification failed with both queues busy"; return 1; }
	[ $(($(backend_stat 51728 wr_sect) - before)) -ge 16384 ] || { echo "not all writes were counted"; return 1; }
	guest 'for c in /sys/block/xvdb/mq/*; do cat $c/cpu_list; done | sort -u | wc -l | grep -qx 2' || { echo "the guest has no two hardware queues"; return 1; }
}

zeroes() { cmp -n "$3" -i "$2:0" "$1" /dev/zero; }

# What the guest discards is gone, as asked and no more; the disk says how much at least.
disk_discard() {
	local id=51744 guest_queue=/sys/block/xvdc/queue
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
}

disk_no_discard() {
	[ "$(backend_key 51744 feature-discard)" = 0 ] || { echo "discard is offered though the toolstack forbids it"; return 1; }
	guest 'grep -qx 0 /sys/block/xvdc/queue/discard_max_bytes' || { echo "the guest would discard"; return 1; }
}

discards() {
	with_disk trim 'discard=1 size=1536' disk_discard || return
	disk_more=no-discard, with_disk trim discard=1 disk_no_discard
}

# A disk of blocks of 4096, and buffers that begin within a page: blocks lie across segments.
disk_blocks() {
	guest 'grep -qx 4096 /sys/block/xvdc/queue/logical_block_size' || { echo "the guest does not see blocks of 4096"; return 1; }
	VERIFY_SIZE=2m guest_verify xvdc randwrite 4k --mem_align=512 && VERIFY_SIZE=8m guest_verify xvdc write 128k --mem_align=512 ||
		{ echo "fio's verification failed"; return 1; }
}

# info's bits, and that what is read-only stays as it is.
disk_info() { # INFO DISK OPTIONS
	local status=0 was
	was=$(md5sum <"/dev/$2")
	timeout 60 xl block-attach guest "format=raw,vdev=xvdc,$3,target=/dev/$2" && disk_up xvdc || { echo "xl block-attach failed"; status=1; }
	[ "$(backend_key 51744 info)" = "$1" ] || { echo "info is $(backend_key 51744 info), not $1"; status=1; }
	[ "$(backend_key 51744 feature-discard)" = 0 ] || { echo "discard is offered on a disk that may only be read"; status=1; }
	guest 'grep -qx 1 /sys/block/xvdc/ro' || { echo "the guest's disk is not read-only"; status=1; }
	guest 'dd if=/dev/xvdc of=/dev/null bs=64k count=16 iflag=direct' || { echo "the guest cannot read it"; status=1; }
	! guest 'dd if=/dev/urandom of=/dev/xvdc bs=4k count=1 oflag=direct' || { echo "the guest could write"; status=1; }
	detach_disk || status=1
	[ "$(md5sum <"/dev/$2")" = "$was" ] || { echo "the disk was written to"; status=1; }
	return $status
}

disk_readonly() {
	local status=0
	make_disk fixed discard=1 || return
	disk_info 4 fixed access=ro && disk_info 5 fixed devtype=cdrom,access=ro || status=1
	drop_disk fixed || { echo "the disk is still in use"; status=1; }
	return $status
}

guest_sectors() { guest "grep -qx $2 /sys/block/$1/size"; }

# A loop device, which unlike null_blk can change its size, under load: up, down and up again.
disk_resize() {
	local file=/tmp/image loop size status=0
	modprobe loop
	truncate -s 32M $file && loop=$(losetup -f --show $file) || { echo "no loop device"; return 1; }
	timeout 60 xl block-attach guest "$(disk_line "$loop" xvdc)" && disk_up xvdc || status=1
	[ $status = 1 ] || guest_load resize "fio --name=r --filename=/dev/xvdc --rw=randrw --bs=4k --iodepth=8 --ioengine=libaio \
		--direct=1 --size=16m --rate_iops=40 --time_based --runtime=$load_limit" || status=1
	for size in 48 24 64; do
		[ $status = 0 ] || break
		truncate -s ${size}M $file && losetup -c "$loop"
		until_ok 10 guest_sectors xvdc $((size * 2048)) || { echo "the guest does not see $size MiB"; status=1; }
		[ "$(backend_key 51744 sectors)" = $((size * 2048)) ] || { echo "sectors is not of $size MiB"; status=1; }
	done
	if [ $status = 0 ]; then
		guest 'dd if=/dev/urandom of=/dev/xvdc bs=1M seek=63 count=1 oflag=direct 2>/dev/null' || { echo "the guest cannot write to the new end"; status=1; }
		guest_load_runs resize || { echo "fio ended early"; status=1; }
	fi
	guest_load_stop resize || status=1
	guest 'grep -q "err= 0" /tmp/resize.log' || { echo "fio had errors"; status=1; }
	detach_disk || status=1
	losetup -d "$loop"
	rm -f $file
	return $status
}

# within RATE VALUE: 5 % of it.
within() { [ "$2" -ge $(($1 * 95 / 100)) ] && [ "$2" -le $(($1 * 105 / 100)) ] || { echo "$2 per second, not $1"; return 1; }; }

# limited FILE RATE RW BS COLUMN: what a busy guest gets under that limit.
limited() {
	local limit=/sys/bus/xen-backend/devices/vbd-$domid-51728/$1 got status=0
	echo "$2" >"$limit" || return
	got=$(guest_fio xvdb "$3" "$4" 32 4) || { echo "fio failed"; status=1; }
	echo 0 >"$limit"
	[ $status = 0 ] || return 1
	# fio's megabytes are thousands of KiB.
	got=$(awk -v c="$5" '{ printf "%d", $c * (c == 2 ? 1024000 : 1) }' <<<"$got")
	within "$2" "$got"
}

# Then none again: the disk is faster than that by far.
disk_limits() {
	limited limit_iops 150 randread 4k 1 && limited limit_iops 400 randwrite 4k 1 &&
		limited limit_bytes 4000000 write 64k 2 && limited limit_bytes 5000000 randread 16k 2 || return
	set -- $(guest_fio xvdb randread 4k 8 2)
	[ "${1-0}" -gt 600 ] || { echo "${1-0} requests per second once the limits are gone"; return 1; }
}

blkback_tests() {
	[ "$front" != linux ] || verdict disk-queues disk_queues
	verdict disk-hung disk_hung
	verdict disk-resize disk_resize
	[ "$front" != linux ] || verdict disk-discard discards
	verdict disk-blocks with_disk big blocksize=4096 disk_blocks
	verdict disk-readonly disk_readonly
	verdict disk-limits disk_limits
}
