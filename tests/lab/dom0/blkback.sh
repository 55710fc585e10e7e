# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a block backend has to do beyond moving data, on disks made for the purpose.
# Sourced by check.sh, whose verdict() it uses.
#
#   /dev/NAME, a null_blk by configfs -- vbd 51744 -- xvdc
#   /dev/nullb1 -- vbd 51776 -- xvde, another disk that comes meanwhile

disk_config=/sys/kernel/config/nullb

mount_configfs() { mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config; }

# make_disk NAME [ATTRIBUTE=VALUE...]
make_disk() {
	local dir=$disk_config/$1 set
	mount_configfs
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
closing() { [ "$(backend_key "$1" state)" = 5 ]; }
closed() { [ "$(backend_key "$1" state)" = 6 ]; }

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
	until_ok 20 closing 51744 || { echo "the disk is not asked to go"; status=1; }
	timeout 60 xl block-attach guest "$(disk_line /dev/nullb1 xvde)" &
	attach=$!
	until_ok 10 comes 51776 || { echo "no other disk comes"; status=1; }
	closing 51744 || { echo "the disk did not hang, or kept the other one waiting: $(backend_key 51744 state)"; status=1; }
	wait $attach || { echo "xl block-attach failed"; status=1; }
	# xl gives up after 10 s, which the disk may take longer than; asked again, it finds the device closed.
	wait $detach || { until_ok 40 closed 51744 && timeout 60 xl block-detach guest xvdc; } ||
		{ echo "xl block-detach failed"; status=1; }
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

# A disk of blocks of 4096, and buffers that begin within a page: blocks lie across segments.
disk_blocks() {
	guest 'grep -qx 4096 /sys/block/xvdc/queue/logical_block_size' || { echo "the guest does not see blocks of 4096"; return 1; }
	VERIFY_SIZE=2m guest_verify xvdc randwrite 4k --mem_align=512 && VERIFY_SIZE=8m guest_verify xvdc write 128k --mem_align=512 ||
		{ echo "fio's verification failed"; return 1; }
}

# The same shown as blocks of 512: several in one block are written at once, and none is lost.
disk_narrow() {
	guest 'cd /sys/block/xvdc/queue && grep -qx 512 logical_block_size && grep -qx 4096 physical_block_size' ||
		{ echo "the guest does not see blocks of 512"; return 1; }
	VERIFY_SIZE=256k guest_verify xvdc randwrite 512 && VERIFY_SIZE=2m guest_verify xvdc randwrite 4k --offset=512 &&
		VERIFY_SIZE=4m guest_verify xvdc write 128k --offset=2560 && VERIFY_SIZE=4m guest_verify xvdc randwrite 512 --bsrange=512-16k ||
		{ echo "fio's verification failed"; return 1; }
	# Eight who write a sector each of the same block.
	guest 'for n in $(seq 12); do
			dd if=/dev/urandom of=/tmp/r bs=512 count=8 2>/dev/null
			for i in 7 3 5 0 1 6 2 4; do
				dd if=/tmp/r of=/dev/xvdc bs=512 count=1 skip=$i seek=$i oflag=direct 2>/dev/null || touch /tmp/failed &
			done
			wait
			dd if=/dev/xvdc bs=512 count=8 iflag=direct 2>/dev/null | cmp -n 4096 /tmp/r - || exit
		done
		[ ! -e /tmp/failed ]' || { echo "not what was written is read"; return 1; }
}

disk_force_512() {
	local status=0 knob=/sys/module/xpv_blkback/parameters/force_512
	echo 1 >$knob
	with_disk narrow blocksize=4096 disk_narrow || status=1
	echo 0 >$knob
	return $status
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
	disk_info 4 fixed access=ro || status=1
	# A guest with a device model leaves these to that.
	[ "$kind" = hvm ] || disk_info 5 fixed devtype=cdrom,access=ro || status=1
	drop_disk fixed || { echo "the disk is still in use"; status=1; }
	return $status
}

# A disk that reads and writes the guest's pages itself, by the frames that it is told; the others copy them by their
# addresses. Two pages are one piece for it only where their frames follow each other (XSA-229).
disk_by_dma() {
	local data="if=/dev/urandom of=/tmp/r bs=128k count=24" theirs mine
	xl_attach block-attach guest "$(disk_line /dev/vdd xvdc)" && disk_up xvdc || { echo "xl block-attach failed"; return 1; }
	VERIFY_SIZE=4m guest_verify xvdc randwrite 4k && VERIFY_SIZE=16m guest_verify xvdc write 128k || { echo "fio's verification failed"; return 1; }
	theirs=$(guest "dd $data 2>/dev/null; dd if=/tmp/r of=/dev/xvdc bs=128k oflag=direct 2>/dev/null; md5sum </tmp/r; rm /tmp/r") || return
	mine=$(dd if=/dev/vdd iflag=direct bs=128k count=24 2>/dev/null | md5sum)
	[ "$theirs" = "$mine" ] || { echo "dom0 reads other data than the guest wrote"; return 1; }
	detach_disk
}

# A disk that can be taken out of its drive is one in the guest as well.
disk_removable() {
	local status=0
	modprobe sd_mod && modprobe scsi_debug removable=1 dev_size_mb=8 && until_ok 10 [ -b /dev/sda ] || { echo "no removable disk can be had"; return 1; }
	timeout 60 xl block-attach guest "$(disk_line /dev/sda xvdc)" && disk_up xvdc || { echo "xl block-attach failed"; status=1; }
	[ "$(backend_key 51744 info)" = 2 ] || { echo "info is $(backend_key 51744 info), not 2"; status=1; }
	guest 'grep -qx 1 /sys/block/xvdc/removable' || { echo "the guest's disk is none that is removable"; status=1; }
	detach_disk && modprobe -r scsi_debug && return $status
}

guest_sectors() { guest "grep -qx $2 /sys/block/$1/size"; }

# A loop device, which unlike null_blk can change its size, under load: up, down and up again.
disk_resize() {
	local file=/tmp/image loop size status=0
	modprobe loop
	truncate -s 32M $file && loop=$(losetup -f --show $file) || { echo "no loop device"; return 1; }
	xl_attach block-attach guest "$(disk_line "$loop" xvdc)" && disk_up xvdc || status=1
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

# What the disk has done so far, in all, of that statistic; and its time, in ns.
done_of() { echo "$(backend_stat 51728 "$1") $(date +%s%N)"; }

# rate_of STATISTIC RW BS: how much of it a busy guest gets per second, as dom0 counts it.
rate_of() {
	local before after
	guest_load busy "fio --name=b --filename=/dev/xvdb --rw=$2 --bs=$3 --iodepth=32 --ioengine=libaio --direct=1 --size=32m \
		--time_based --runtime=$load_limit" || return
	sleep 2
	before=$(done_of "$1")
	sleep 4
	after=$(done_of "$1")
	guest_load_stop busy || return
	awk '{ printf "%d\n", ($3 - $1) * 1e9 / ($4 - $2) }' <<<"$before $after"
}

# limited FILE RATE UNIT STATISTIC RW BS: within 5 % of it; a statistic counts in units of so much. It is
# never more; that it is not less takes a machine that does not stand still meanwhile.
limited() {
	local limit=/sys/bus/xen-backend/devices/vbd-$domid-51728/$1 got=0 tries=0
	echo "$2" >"$limit" || return
	while [ "$got" -lt $(($2 * 95 / 100)) ] && [ $((tries++)) -lt 3 ]; do
		got=$(rate_of "$4" "$5" "$6") || { echo "fio does not run"; return 1; }
		got=$((got * $3))
		echo "$got per second, at a limit of $2"
	done
	echo 0 >"$limit"
	[ $got -ge $(($2 * 95 / 100)) ] && [ $got -le $(($2 * 105 / 100)) ]
}

# Then none again: the disk is faster than that by far.
disk_limits() {
	local free
	limited limit_iops 100 1 rd_req randread 4k && limited limit_iops 300 1 wr_req randwrite 4k &&
		limited limit_bytes 4000000 512 wr_sect write 64k && limited limit_bytes 3000000 512 rd_sect randread 16k || return
	free=$(rate_of rd_req randread 4k)
	[ "${free:-0}" -gt 400 ] || { echo "${free:-0} requests per second once the limits are gone"; return 1; }
}

# xvdb has as much on its way as it can, which its limit holds up: xvdc does not notice.
disk_fair() {
	local alone beside status=0 limit=/sys/bus/xen-backend/devices/vbd-$domid-51728/limit_iops
	attach_disk || return
	alone=$(guest_fio xvdc randread 4k 4 3) || status=1
	echo 100 >"$limit"
	guest_load flood "fio --name=f --filename=/dev/xvdb --rw=randread --bs=4k --iodepth=128 --ioengine=libaio --direct=1 --size=64m --time_based --runtime=$load_limit" || status=1
	sleep 1
	beside=$(guest_fio xvdc randread 4k 4 3) || status=1
	echo 0 >"$limit"
	guest_load_stop flood && detach_disk || status=1
	alone=${alone%% *} beside=${beside%% *}
	[ $status = 0 ] && [ "$beside" -ge $((alone / 2)) ] || { echo "$beside requests per second beside a busy disk, $alone without"; return 1; }
}

# --- seen from outside ---

traced() { grep -cE "xpv_blkback_$1: domid=$domid vbd=51728 .*$2" $tracing/trace; }
traced_ids() { sed -n "s/.*xpv_blkback_$1: domid=$domid vbd=51728 queue=\([0-9]*\) id=\([0-9a-fx]*\) .*/\1 \2/p" $tracing/trace | sort; }

# one_by_one DISK RW BS N: requests, exactly.
one_by_one() {
	guest "fio --name=o --filename=/dev/$1 --rw=$2 --bs=$3 --number_ios=$4 --ioengine=psync --direct=1 --size=64m" >/dev/null ||
		{ echo "fio failed"; return 1; }
}

# Each request once when it goes to the disk and once when it is answered, and nothing when that is off.
disk_traced() {
	local status=0 lines
	echo >$tracing/trace
	echo 1 >$tracing/events/xpv_blkback/enable || return
	one_by_one xvdb randread 4k 200 && one_by_one xvdb randwrite 16k 100 || status=1
	echo 0 >$tracing/events/xpv_blkback/enable
	[ "$(traced submit 'op=read .* sectors=8 segments=1$')" = 200 ] || { echo "$(traced submit op=read) reads were submitted, not 200"; status=1; }
	[ "$(traced submit 'op=write .* sectors=32 segments=4$')" = 100 ] || { echo "$(traced submit op=write) writes were submitted, not 100"; status=1; }
	[ "$(traced answer 'op=(read|write) err=0$')" = 300 ] || { echo "$(traced answer '') requests were answered, not 300"; status=1; }
	[ "$(traced_ids submit)" = "$(traced_ids answer)" ] || { echo "others were answered than were submitted"; status=1; }
	lines=$(wc -l <$tracing/trace)
	one_by_one xvdb randread 4k 50 || status=1
	[ "$(wc -l <$tracing/trace)" = "$lines" ] || { echo "requests are traced though that is off"; status=1; }
	return $status
}

debug=/sys/kernel/debug/xpv-blkback
shown() { cat "$debug/vbd-$domid-$1"; }
# shown_sum DEVICE NAME: of the number that follows NAME, over all queues.
shown_sum() { shown "$1" | awk -v name="$2" '{ for (i = 1; i < NF; i++) if ($i == name) sum += $(i + 1) } END { print sum + 0 }'; }
shows() { shown "$1" | grep -qE "$2"; }
guest_shows() { guest "[ -d /sys/kernel/debug/xpv-blkfront ] || mount -t debugfs none /sys/kernel/debug; grep -qE '$2' /sys/kernel/debug/xpv-blkfront/$1"; }

# Requests that take a third of a second are seen at both ends while they do. The file is open when the
# device goes, and is read all the time.
debugfs_busy() {
	local status=0
	guest_load busy "fio --name=b --filename=/dev/xvdc --rw=randread --bs=16k --iodepth=8 --ioengine=libaio --direct=1 \
		--size=64m --time_based --runtime=$load_limit" || return
	until_ok 10 shows 51744 'inflight [1-8] ' || { echo "dom0 shows no requests in flight"; status=1; }
	shows 51744 'grants [1-9][0-9]* of' || { echo "dom0 shows no grants"; status=1; }
	shows 51744 'sectors 131072 block 512 segments 256' || { echo "dom0 shows other limits"; status=1; }
	if [ "$front" = xpv ]; then
		until_ok 10 guest_shows xvdc 'inflight [1-8]$' || { echo "the guest shows no requests in flight"; status=1; }
		guest_shows xvdc "slots $(shown_sum 51744 slots) " || { echo "the ends show rings of different sizes"; status=1; }
		guest_shows xvdc 'grants [1-9][0-9]* free' || { echo "the guest shows no grants"; status=1; }
	fi
	[ $status = 0 ] || shown 51744
	guest_load_stop busy
	exec {held}<"$debug/vbd-$domid-51744"
	while cat "$debug/vbd-$domid-51744"; do sleep 0.1; done >/dev/null 2>&1 3>&- &
	reader=$!
	return $status
}

disk_debugfs() {
	local held='' reader='' status=0
	with_disk slow 'irqmode=2 completion_nsec=300000000' debugfs_busy || status=1
	# It ends with the file.
	[ -z "$reader" ] || until_ok 5 eval '! kill -0 $reader' || { kill "$reader"; echo "a file that is gone can be opened"; status=1; }
	[ ! -e "$debug/vbd-$domid-51744" ] || { echo "dom0 still shows xvdc"; status=1; }
	if [ -n "$held" ]; then
		! cat <&"$held" 2>/dev/null || { echo "a file of a device that is gone can be read"; status=1; }
		exec {held}<&-
	fi
	[ "$front" != xpv ] || guest '! [ -e /sys/kernel/debug/xpv-blkfront/xvdc ] && [ -e /sys/kernel/debug/xpv-blkfront/xvdb ]' ||
		{ echo "the guest does not show the disks it has"; status=1; }
	return $status
}

# --- grants that stay mapped ---

parameters=/sys/module/xpv_blkback/parameters
kept() { echo $(($(shown_sum 51728 grants) + $(shown_sum 51744 grants))); }
# A queue may be giving some up between the looks.
kept_are_accounted_for() { [ "$(kept)" = "$(shown_sum 51728 domain_grants)" ]; }
kept_at_most() { [ "$(shown_sum 51728 domain_grants)" -le "$1" ]; }

# Two disks of one guest, which together keep no more than they may, while both are busy.
grants_shared() {
	local most=$1
	guest_load share "fio --ioengine=libaio --direct=1 --iodepth=8 --bs=16k --size=8m --loops=4 --verify=crc32c --verify_fatal=1 \
		--verify_state_save=0 --rw=randwrite --name=a --filename=/dev/xvdb --name=b --filename=/dev/xvdc" || return
	while guest_load_runs share; do
		kept_at_most "$most" || { echo "$(shown_sum 51728 domain_grants) grants stay mapped"; return 1; }
	done
	guest '[ $(grep -c "err= 0" /tmp/share.log) = 2 ]' || { echo "fio's verification failed"; return 1; }
	until_ok 5 kept_are_accounted_for || { echo "$(kept) grants stay mapped, $(shown_sum 51728 domain_grants) are accounted for"; return 1; }
	until_ok 5 shows 51728 'borrowed 0$' || { echo "$(shown_sum 51728 borrowed) are mapped for requests that are done"; return 1; }
	[ "$(shown_sum 51728 grants)" -gt 0 ] && [ "$(shown_sum 51744 grants)" -gt 0 ] || { echo "one of the disks keeps no grants"; return 1; }
}

disk_grants() {
	local most=$parameters/max_persistent_grants_per_domain was status=0
	was=$(cat $most)
	guest_fio xvdb read 128k 8 2 >/dev/null || { echo "fio failed"; return 1; }
	[ "$(shown_sum 51728 grants)" -gt 100 ] || { echo "only $(shown_sum 51728 grants) grants stay mapped"; return 1; }
	attach_disk || return
	echo 48 >$most
	# A queue that has nothing to do looks every 10 s.
	until_ok 25 kept_at_most 48 || { echo "$(shown_sum 51728 domain_grants) grants stay mapped"; status=1; }
	[ $status = 1 ] || grants_shared 48 || status=1
	echo "$was" >$most
	detach_disk || status=1
	[ "$(shown_sum 51728 grants)" = "$(shown_sum 51728 domain_grants)" ] || { echo "a disk that is gone is still accounted for"; status=1; }
	return $status
}

# What is not used is not kept.
disk_grants_age() {
	local age=$parameters/persistent_grant_unused_seconds was status=0
	guest_fio xvdb read 128k 8 1 >/dev/null && [ "$(shown_sum 51728 grants)" -gt 100 ] || { echo "only $(shown_sum 51728 grants) grants stay mapped"; return 1; }
	was=$(cat $age)
	sleep 2
	[ "$(shown_sum 51728 grants)" -gt 100 ] || { echo "grants go before their time"; return 1; }
	echo 1 >$age
	# A queue that has nothing to do looks every 10 s.
	until_ok 30 shows 51728 'grants 0 of' || { echo "$(shown_sum 51728 grants) grants stay mapped"; status=1; }
	echo "$was" >$age
	VERIFY_SIZE=2m guest_verify xvdb randwrite 4k || { echo "fio's verification failed"; return 1; }
	return $status
}

# Memory is short, or so the kernel says to those who may have some.
disk_squeezed() {
	guest_fio xvdb read 128k 8 1 >/dev/null || { echo "fio failed"; return 1; }
	[ "$(shown_sum 51728 grants)" -gt 0 ] || { echo "no grants stay mapped"; return 1; }
	echo 2 >/proc/sys/vm/drop_caches
	until_ok 5 shows 51728 'grants 0 of' || { echo "$(shown_sum 51728 grants) grants stay mapped"; return 1; }
	[ "$(shown_sum 51728 spare_pages)" = 0 ] || { echo "$(shown_sum 51728 spare_pages) spare pages are kept"; return 1; }
	VERIFY_SIZE=2m guest_verify xvdb randwrite 4k || { echo "fio's verification failed"; return 1; }
	[ "$(shown_sum 51728 grants)" -gt 0 ] || { echo "no grants stay mapped again"; return 1; }
}

# --- a disk on the network ---

nvmet=/sys/kernel/config/nvmet

# /dev/nvme0n1 is /dev/nullb1, by way of TCP.
serve_nvme() {
	mount_configfs && modprobe nvmet-tcp && modprobe nvme-tcp && mkdir $nvmet/subsystems/lab{,/namespaces/1} $nvmet/ports/1 || return
	echo 1 >$nvmet/subsystems/lab/attr_allow_any_host
	echo /dev/nullb1 >$nvmet/subsystems/lab/namespaces/1/device_path
	echo 1 >$nvmet/subsystems/lab/namespaces/1/enable
	echo tcp >$nvmet/ports/1/addr_trtype
	echo ipv4 >$nvmet/ports/1/addr_adrfam
	echo 127.0.0.1 >$nvmet/ports/1/addr_traddr
	echo 4420 >$nvmet/ports/1/addr_trsvcid
	ln -s $nvmet/subsystems/lab $nvmet/ports/1/subsystems/lab
	echo transport=tcp,traddr=127.0.0.1,trsvcid=4420,nqn=lab >/dev/nvme-fabrics || return
	until_ok 10 test -b /dev/nvme0n1
}

serve_nvme_no_more() {
	echo 1 >/sys/class/nvme/nvme0/delete_controller
	rm $nvmet/ports/1/subsystems/lab
	rmdir $nvmet/ports/1 $nvmet/subsystems/lab{/namespaces/1,}
	modprobe -r nvme-tcp nvmet-tcp
}

# Who listens to packets and does not read them keeps what they are made of.
listener='import socket, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("lo", 0))
open("/tmp/listening", "w")
time.sleep(60)'

# while_held COMMAND...: with a page that the network has not let go of, and a request that is written all the same in the end.
while_held() {
	local listens status=0
	python3 -c "$listener" &
	listens=$!
	until_ok 20 test -e /tmp/listening || { echo "nobody listens"; status=1; }
	guest 'dd if=/dev/urandom of=/tmp/r bs=32k count=1 2>/dev/null
		(dd if=/tmp/r of=/dev/xvdc oflag=direct bs=32k 2>/dev/null; echo >/tmp/written) >/dev/null 2>&1 & sleep 2'
	"$@" || status=1
	kill $listens
	wait $listens
	rm -f /tmp/listening
	guest 'for i in $(seq 50); do [ ! -e /tmp/written ] || break; sleep 0.2; done
		[ -e /tmp/written ] && dd if=/dev/xvdc of=/tmp/s bs=32k count=1 iflag=direct 2>/dev/null && cmp /tmp/r /tmp/s; status=$?
		rm -f /tmp/r /tmp/s /tmp/written; exit $status' || { echo "it is not written in the end"; status=1; }
	return $status
}

others_go_on() {
	GUEST_LIMIT=20 guest 'timeout 5 dd if=/dev/xvdc of=/dev/null iflag=direct bs=4k count=1 2>/dev/null' || { echo "another request waits as well"; return 1; }
}

# Such a page can't be unmapped: its own request waits for that, and no other one does.
held_for_one() {
	others_go_on && guest '[ ! -e /tmp/written ]' || { echo "nothing is held"; return 1; }
}

# Nor can one that stays mapped, when it is to be given up.
held_in_cache() {
	echo 2 >/proc/sys/vm/drop_caches
	sleep 1
	[ "$(shown_sum 51744 grants)" -gt 0 ] || { echo "nothing is held"; return 1; }
	others_go_on
}

# disk_on_network Y|N COMMAND: with grants that stay mapped, or without.
disk_on_network() {
	local status=0
	serve_nvme || { echo "no disk by NVMe over TCP"; return 1; }
	echo "$1" >$parameters/feature_persistent
	timeout 60 xl block-attach guest "$(disk_line /dev/nvme0n1 xvdc)" && disk_up xvdc || status=1
	[ $status = 1 ] || { VERIFY_SIZE=2m guest_verify xvdc randwrite 4k && while_held "$2"; } || status=1
	detach_disk || status=1
	echo Y >$parameters/feature_persistent
	serve_nvme_no_more || { echo "the disk is still in use"; status=1; }
	return $status
}

# --- polling ---

# How many events 1000 requests take, one after the other.
events_for_1000() {
	local count=/sys/bus/xen-backend/devices/vbd-$domid-51728/xenbus/events before
	before=$(cat "$count")
	guest 'dd if=/dev/xvdb of=/dev/null bs=4k count=1000 iflag=direct' >&2 || return
	echo $(($(cat "$count") - before))
}

thread_ticks() { awk '{ print $14 + $15 }' "/proc/$(pgrep -o "^xpv-blk\\.$domid\\.")/stat"; }

disk_polled() {
	local never polled again before ticks status=0
	never=$(events_for_1000) || return
	echo 1000 >$parameters/poll_us
	polled=$(events_for_1000) && VERIFY_SIZE=2m guest_verify xvdb randwrite 4k && VERIFY_SIZE=8m guest_verify xvdb read 128k ||
		{ echo "fio's verification failed"; status=1; }
	before=$(thread_ticks)
	sleep 2
	ticks=$(($(thread_ticks) - before))
	echo 0 >$parameters/poll_us
	again=$(events_for_1000) || status=1
	echo "events: $never without polling, $polled with it, $again without again; $ticks ticks in 2 s without work"
	[ "$never" -gt 800 ] && [ "$again" -gt 800 ] || { echo "$never and $again events for 1000 requests without polling"; status=1; }
	[ "$polled" -lt $((never / 2)) ] || { echo "$polled events for 1000 requests with polling"; status=1; }
	[ "$ticks" -lt 20 ] || { echo "polling goes on without work: $ticks ticks in 2 s"; status=1; }
	return $status
}

# Where the emulator has a CPU to itself only now and then, pauses are longer than polling lasts,
# and it is given up, as it should be.
polling() {
	wanted disk-polled || return 0
	local at_once
	read -r at_once _ <<<"$(guest_fio xvdb randread 4k 1 2)"
	if [ "${at_once:-0}" -ge 1500 ]; then
		verdict disk-polled disk_polled
	else
		say "skip lab/$pair/disk-polled with ${at_once:-0} requests per second this machine is too busy"
	fi
}

blkback_tests() {
	[ "$front" != linux ] || verdict disk-queues disk_queues
	verdict disk-hung disk_hung
	verdict disk-resize disk_resize
	discard_tests
	verdict disk-blocks with_disk big blocksize=4096 disk_blocks
	verdict disk-force-512 disk_force_512
	verdict disk-readonly disk_readonly
	verdict disk-removable disk_removable
	verdict disk-by-dma disk_by_dma
	verdict_timed disk-limits disk_limits
	verdict disk-traced disk_traced
	verdict disk-debugfs disk_debugfs
	verdict_timed disk-fair disk_fair
	verdict disk-grants disk_grants
	verdict disk-grants-age disk_grants_age
	verdict disk-squeezed disk_squeezed
	verdict disk-on-network disk_on_network N held_for_one
	verdict disk-on-network-kept disk_on_network Y held_in_cache
	polling
}
