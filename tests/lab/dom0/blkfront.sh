# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a disk can be negotiated to be, and what it lives through. Sourced by check.sh,
# whose verdict() it uses.
#
#   dom0                                              guest
#   /dev/nullb0 -- vbd 51728 -- the back driver -- xvdb
#   /dev/nullb/xpv (made here, takes discards) -- vbd 51744 -- xvdc

back_driver() { [ "$back" = xpv ] && echo xpv-vbd || echo vbd; }
front_node() { xenstore-read "/local/domain/$domid/device/vbd/$1" 2>/dev/null; }
back_node() { xenstore-read "/local/domain/0/backend/vbd/$domid/$1" 2>/dev/null; }
front_is() { [ "$(front_node 51728/state)" = "$1" ]; }

# The frontend anew, with module parameters.
reload_with() {
	guest "echo vbd-51728 >/sys/bus/xen/drivers/xpv-vbd/unbind; rmmod xpv-blkfront && cd /xpv && insmod xpv-blkfront.ko $*" ||
		{ echo "the frontend does not load with '$*'"; return 1; }
	disk_up xvdb
}

# A guest with two CPUs.
block_restart() {
	stop_guest && GUEST_VCPUS=2 start_guest "$kind" "$front" "$back"
}

# --- negotiation ---

# As many hardware queues as the backend takes, up to the CPUs; and each is used.
block_queues() {
	local offered want have
	leave_back && come_back max_queues=2 && reload_with || return
	offered=$(back_node 51728/multi-queue-max-queues) || offered=1
	want=$((offered < 2 ? 1 : 2))
	have=$(guest 'ls /sys/block/xvdb/mq | wc -l')
	[ "$have" = $want ] || { echo "$have hardware queues, not $want"; return 1; }
	if [ $want = 1 ]; then
		[ -n "$(front_node 51728/ring-ref0)$(front_node 51728/ring-ref)" ] && ! front_node 51728/multi-queue-num-queues ||
			{ echo "one queue, but no flat keys"; return 1; }
	else
		[ "$(front_node 51728/multi-queue-num-queues)" = 2 ] && ! front_node 51728/event-channel &&
			front_node 51728/queue-1/event-channel || { echo "two queues, but not two folders"; return 1; }
	fi
	verify_cpus xvdb || { tail -n 3 $lab/out/verify.log; return 1; }
	have=$(guest "grep ' xvdb\$' /proc/interrupts | awk '{ if (\$2 + \$3 > 20) n++ } END { print n }'")
	[ "$have" = $want ] || { echo "answers came by $have event channels, not $want"; return 1; }
	if [ $want = 2 ]; then
		have=$(guest "for i in \$(awk '\$NF == \"xvdb\" { print \$1 + 0 }' /proc/interrupts); do cat /proc/irq/\$i/smp_affinity_list; done" | tr '\n' ' ')
		[ "$have" = '0 1 ' ] || { echo "the queues' events go to CPUs $have"; return 1; }
		steered 0 3 && steered 1 2 || return
	fi
	reload_with max_queues=1 && [ "$(guest 'ls /sys/block/xvdb/mq | wc -l')" = 1 ] || { echo "max_queues=1 is not heeded"; return 1; }
	VERIFY_SIZE=1m guest_verify xvdb randwrite 4k
}

# steered CPU FIELD: no answer to what it asks for interrupts the other CPU, which has that field of /proc/interrupts.
steered() {
	local n
	n=$(guest "others() { awk '\$NF == \"xvdb\" { n += \$$2 } END { print n }' /proc/interrupts; }
		n=\$(others); taskset -c $1 dd if=/dev/xvdb of=/dev/null iflag=direct bs=4k count=200 2>/dev/null || exit; echo \$((\$(others) - n))") || return
	[ "$n" -lt 20 ] || { echo "$n of 200 answers to CPU $1 interrupt the other one"; return 1; }
}

interrupts() { guest "awk '\$NF == \"xvdb\" { n += \$2 + \$3 } END { print n + 0 }' /proc/interrupts"; }

# A ring of its own for those who look for their answers themselves: 512 of them, next to no interrupt.
block_poll() {
	local before after
	leave_back && come_back max_queues=2 && reload_with max_queues=1 poll_queues=1 || return
	[ "$(back_node 51728/multi-queue-max-queues)" = 2 ] || { echo "this backend takes a single ring"; return 0; }
	[ "$(guest 'ls /sys/block/xvdb/mq | wc -l')" = 2 ] || { echo "no ring for polling"; return 1; }
	before=$(interrupts)
	VERIFY_SIZE=1m guest_verify xvdb randwrite 4k "--ioengine=io_uring --hipri" || { tail -n 2 $lab/out/verify.log; return 1; }
	after=$(interrupts)
	[ $((after - before)) -lt 50 ] || { echo "$((after - before)) interrupts"; return 1; }
	# Everything else has interrupts still.
	VERIFY_SIZE=1m guest_verify xvdb randwrite 4k || { echo "fio's verification failed"; return 1; }
	reload_with
}

block_orders() {
	local order
	for order in 0 1 2 3 4; do
		reload_with max_ring_page_order=$order max_queues=1 || return
		# Of a single page nothing is said.
		[ "$(front_node 51728/ring-page-order)" = "${order#0}" ] || { echo "order $order was not negotiated"; return 1; }
		[ $order -gt 0 ] || front_node 51728/ring-ref || { echo "a single page without ring-ref"; return 1; }
		[ "$(guest 'cat /sys/block/xvdb/queue/nr_requests')" = $((32 << order)) ] || { echo "order $order has another depth"; return 1; }
		VERIFY_SIZE=1m guest_verify xvdb randwrite 4k && VERIFY_SIZE=4m guest_verify xvdb write 128k ||
			{ echo "fio's verification failed with order $order"; return 1; }
	done
}

# requests N BS: dd's writes of BS each cross as one request.
requests() {
	local before after
	before=$(written)
	guest "dd if=/dev/zero of=/dev/xvdb bs=$2 count=$1 oflag=direct 2>/dev/null" || return
	after=$(written)
	[ $((after - before)) = "$1" ] || { echo "$1 writes of $2 were $((after - before)) requests"; return 1; }
}

block_large() {
	reload_with || return
	requests 16 128k || return
	# As many segments as the backend takes.
	reload_with max_indirect_segments=256 || return
	requests 16 1M && VERIFY_SIZE=32m guest_verify xvdb write 1m && VERIFY_SIZE=32m guest_verify xvdb read 1m ||
		{ echo "1 MiB in a request does not work"; return 1; }
	reload_with max_indirect_segments=0 feature_persistent=0 && VERIFY_SIZE=8m guest_verify xvdb write 128k ||
		{ echo "no indirect requests: does not work"; return 1; }
	reload_with
}

# A disk that takes discards, and forgets what it is told to forget.
block_disk() {
	local dir=/sys/kernel/config/nullb/xpv
	[ -e /dev/nullb-xpv ] || mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
	[ -d $dir ] || { mkdir $dir && echo 64 >$dir/size && echo 1 >$dir/memory_backed && echo 1 >$dir/discard && echo 1 >$dir/power; }
	block_file=/dev/$(ls -t /sys/block | grep -m 1 -x -e 'nullb-xpv' -e xpv -e 'nullb[2-9]')
	[ -b "$block_file" ]
}

block_discard() {
	local sums
	block_disk || { echo "no disk with discards in dom0"; return 1; }
	timeout 60 xl block-attach guest "$(disk_line "$block_file" xvdc)" && disk_up xvdc || { echo "xl block-attach failed"; return 1; }
	if [ "$(back_node 51744/feature-discard)" != 1 ]; then
		echo "this backend has no discard"
		detach_disk
		[ "$back" != xpv ]
		return
	fi
	[ "$(guest 'cat /sys/block/xvdc/queue/discard_granularity')" = "$(back_node 51744/discard-granularity)" ] ||
		{ echo "another granularity than the backend's"; return 1; }
	# 4 MiB of noise; the third MiB is given up.
	guest 'dd if=/dev/urandom of=/tmp/r bs=1M count=4 2>/dev/null; dd if=/tmp/r of=/dev/xvdc bs=1M conv=fsync 2>/dev/null
		blkdiscard -o 2097152 -l 1048576 /dev/xvdc' || { echo "blkdiscard failed"; return 1; }
	sums=$(guest 'dd if=/dev/zero of=/tmp/r bs=1M seek=2 count=1 conv=notrunc 2>/dev/null; md5sum </tmp/r')
	[ "$sums" = "$(dd if="$block_file" iflag=direct bs=1M count=4 2>/dev/null | md5sum)" ] ||
		{ echo "not what was to be discarded is gone"; return 1; }
	detach_disk
}

# What a backend has offered it may refuse when asked: erasing, discarding and flushing each stop then,
# and the disk goes on.
block_revoked() {
	local disk=/sys/block/xvde/queue rogue_pid status=0
	guest 'echo 1 >/sys/bus/xen/drivers_autoprobe; dmesg -c >/dev/null; echo "lab: modules under test" >/dev/kmsg'
	timeout 90 "$rogue/rogue-back" vbd "$domid" $(((1 << 28) + (4 << 8))) "$rogue/back/asked/revokes" >$lab/out/rogue.log 2>&1 &
	rogue_pid=$!
	disk_up xvde || status=1
	guest "grep -qx 'write back' $disk/write_cache && grep -qvx 0 $disk/discard_max_bytes" || { echo "not all is offered"; status=1; }
	# A discard that is not supported is no error yet to who asked for it.
	guest '! blkdiscard -s /dev/xvde && blkdiscard /dev/xvde && dd if=/dev/zero of=/dev/xvde count=0 conv=fsync' ||
		{ echo "not as the backend answered"; status=1; }
	guest "grep -qx 'write through' $disk/write_cache && grep -qx 0 $disk/discard_max_bytes && ! blkdiscard -s /dev/xvde &&
		! blkdiscard /dev/xvde" || { echo "what was refused is asked for again"; status=1; }
	guest 'dd if=/dev/zero of=/dev/xvde bs=4k count=1 conv=fsync && dd if=/dev/xvde of=/dev/null bs=4k count=1 iflag=direct' ||
		{ echo "the disk does not go on"; status=1; }
	wait $rogue_pid || { cat $lab/out/rogue.log; status=1; }
	return $status
}

# What the backend sees is pages of the driver's own, not the guest's.
block_untrusted() {
	reload_with trusted=0 feature_persistent=0 || return
	guest 'dmesg | grep "xvdb: " | tail -n 1 | grep -q bounced' || { echo "not bounced"; return 1; }
	VERIFY_SIZE=1m guest_verify xvdb randwrite 4k && VERIFY_SIZE=4m guest_verify xvdb write 128k &&
		VERIFY_SIZE=128k guest_verify xvdb randwrite 512 || { echo "fio's verification failed"; return 1; }
	guest 'rm -f /tmp/r' && disk_seen_by_dom0 || return
	reload_with
}

# --- life ---

# Connected once more, with another size: the guest sees it, and hears of it.
block_resize() {
	local node=/local/domain/0/backend/vbd/$domid/51728 was sectors
	was=$(xenstore-read "$node/sectors")
	guest 'uevent sh -c "env >>/tmp/uevents" >/dev/null 2>&1 & echo $! >/tmp/uevent.pid; sleep 1'
	for sectors in 1048576 "$was"; do
		xenstore-write "$node/sectors" "$sectors" "$node/state" 4
		guest "for i in \$(seq 50); do [ \$(cat /sys/block/xvdb/size) = $sectors ] && exit; sleep 0.1; done; exit 1" ||
			{ echo "the guest sees another size than $sectors"; return 1; }
	done
	guest 'sleep 1; kill $(cat /tmp/uevent.pid); grep -c ^RESIZE=1 /tmp/uevents | grep -qx 2' || { echo "no uevent for each size"; return 1; }
	VERIFY_SIZE=1m guest_verify xvdb randwrite 4k
}

# The job whose disk loses its backend: it lasts longer than that, and checks what it wrote.
steady_job() { # DISK
	echo "fio --name=steady --filename=/dev/$1 --rw=randrw --bsrange=4k-256k --iodepth=16 --ioengine=libaio --direct=1 --size=32m \
		--rate_iops=60 --verify=crc32c --verify_fatal=1 --verify_state_save=0 --verify_backlog=64 --time_based --runtime=$load_limit"
}

written() { guest "awk '{ print \$5 }' /sys/block/${1:-xvdb}/stat"; }

# Requests complete again.
moves() {
	local before i
	before=$(written "${1:-xvdb}")
	for i in {1..40}; do
		sleep 0.5
		[ "$(written "${1:-xvdb}")" -le $((before + 20)) ] || return 0
	done
	echo "nothing more is written"
	return 1
}

steady_end() {
	guest_load_runs steady || { guest 'tail -n 3 /tmp/steady.log'; echo "fio ended: $(guest 'grep -m 1 -E "err=|verify" /tmp/steady.log')"; return 1; }
	guest_load_stop steady || { echo "fio hangs"; return 1; }
	guest 'grep -q "err= 0" /tmp/steady.log' || { echo "fio had errors"; return 1; }
	# All there is now was written by that job or is whole: read it through another time.
	VERIFY_SIZE=1m guest_verify xvdb randwrite 4k
}

leave_back() {
	local d
	for d in /sys/bus/xen-backend/drivers/"$(back_driver)"/vbd-*; do
		echo "${d##*/}" >/sys/bus/xen-backend/drivers/"$(back_driver)"/unbind
	done
	case $back in xpv) rmmod xpv-blkback ;; *) rmmod xen-blkback ;; esac || { echo "the backend does not unload"; return 1; }
}

load_blkback() { # PARAMETER...
	case $back in xpv) insmod $lab/modules/xpv-blkback.ko "$@" ;; *) modprobe xen-blkback "$@" ;; esac || { echo "the backend does not load"; return 1; }
}

come_back() { # PARAMETER...
	load_blkback "$@" || return
	until_ok 20 front_is 4 || { echo "frontend in state $(front_node 51728/state), backend in $(back_node 51728/state)"; return 1; }
}

block_back_returns() {
	guest_load steady "$(steady_job xvdb)" || return
	sleep 2
	leave_back && sleep 3 && come_back && moves && steady_end
}

waits_for_room() { [ "$(shown_sum 51744 inflight)" -gt 64 ]; }

# The disk stands still for longer than the backend, which is unbound meanwhile, has patience: 128 large requests, of
# which half wait for room that only the others' end gives. null_blk gives requests up after 5 s.
block_back_stalled() {
	local device=vbd-$domid-51744 drivers status=0
	drivers=/sys/bus/xen-backend/drivers/$(back_driver)
	guest_load stalled 'fio --name=s --filename=/dev/xvdc --rw=write --bs=128k --iodepth=128 --ioengine=libaio --direct=1 --size=16m' || return
	until_ok 90 waits_for_room || { echo "none of $(shown_sum 51744 inflight) requests waits for room"; status=1; }
	echo "$device" >"$drivers/unbind"
	[ ! -e "$drivers/$device" ] || { echo "it is still bound"; status=1; }
	echo "$device" >"$drivers/bind" || { echo "it is not bound again"; status=1; }
	until_ok 180 eval '! guest_load_runs stalled' || { echo "fio hangs"; status=1; }
	guest 'grep -q "err= 0" /tmp/stalled.log' || { guest 'grep -m 1 err /tmp/stalled.log'; echo "fio had errors"; return 1; }
	return $status
}

# The backend was closed when it went, and is less able when it is back.
block_back_returns_with_less() {
	local queues
	leave_back && come_back max_queues=2 && reload_with max_ring_page_order=4 max_indirect_segments=256 poll_queues=1 || return
	queues=$(guest 'ls /sys/block/xvdb/mq | wc -l')
	guest_load steady "$(steady_job xvdb)" || return
	sleep 2
	leave_back || return
	xenstore-write "/local/domain/0/backend/vbd/$domid/51728/state" 6
	until_ok 10 front_is 1 || { echo "frontend in state $(front_node 51728/state)"; return 1; }
	# Requests made for 256 segments have to go in pieces of 11.
	guest 'echo 0 >/sys/module/xpv_blkfront/parameters/max_indirect_segments'
	come_back max_ring_page_order=0 max_queues=1 feature_persistent=0 && moves || return
	[ "$(guest 'cat /sys/block/xvdb/queue/max_hw_sectors_kb')" = 44 ] || { echo "the disk still takes large requests"; return 1; }
	[ "$(guest 'ls /sys/block/xvdb/mq | wc -l')" = "$queues" ] || { echo "the disk has another number of hardware queues"; return 1; }
	! front_node 51728/multi-queue-num-queues || { echo "more rings than the backend takes"; return 1; }
	! front_node 51728/ring-page-order || { echo "the ring is larger than the backend takes"; return 1; }
	steady_end && leave_back && come_back && reload_with
}

# Time and again, and not always politely.
block_back_comes_and_goes() {
	local i node=/local/domain/0/backend/vbd/$domid/51728
	guest_load steady "$(steady_job xvdb)" || return
	for i in 1 2 3; do
		leave_back || return
		[ $i != 2 ] || xenstore-write "$node/state" 5
		sleep 1
		come_back && moves || return
	done
	steady_end
}

# Nobody will come back: the toolstack's word counts, and what waits fails.
block_detach_without_back() {
	local begun
	attach_disk && guest_load steady "$(steady_job xvdc)" || return
	sleep 2
	leave_back || return
	begun=$SECONDS
	timeout 60 xl block-detach guest xvdc
	guest 'for i in $(seq 50); do [ -e /sys/block/xvdc ] || exit 0; sleep 0.2; done; exit 1' || { echo "the guest still has xvdc"; return 1; }
	guest 'for i in $(seq 50); do kill -0 $(cat /tmp/steady.pid) || exit 0; sleep 0.2; done; exit 1' || { echo "fio hangs on the disk that is gone"; return 1; }
	come_back && VERIFY_SIZE=1m guest_verify xvdb randwrite 4k
}

# A device that never connects goes as soon as it is told to.
block_detach_unconnected() {
	local own=/local/domain/0/rogue/vbd/$domid/51824 other=/local/domain/$domid/device/vbd/51824 status=0
	xenstore-write $own/frontend $other $own/frontend-id "$domid" $own/online 1 $own/state 1
	xenstore-chmod -r $own n0 "r$domid"
	xenstore-write "$other/backend" $own
	xenstore-chmod -r "$other" "n$domid" r0
	xenstore-write "$other/backend-id" 0 "$other/virtual-device" 51824 "$other/device-type" disk "$other/state" 1
	guest 'for i in $(seq 25); do [ -e /sys/bus/xen/devices/vbd-51824/driver ] && exit; sleep 0.2; done; exit 1' || { echo "no device"; status=1; }
	xenstore-write $own/state 6
	sleep 1
	[ "$(front_node 51824/state)" = 1 ] || { echo "it does not wait for a backend that is wanted"; status=1; }
	xenstore-write $own/online 0 $own/state 5
	until_ok 3 unconnected_closed || { echo "state $(front_node 51824/state)"; status=1; }
	xenstore-rm "$other"
	xenstore-rm $own
	return $status
}

unconnected_closed() { [ "$(front_node 51824/state)" = 6 ]; }

suspended() { xl list | awk '$1 == "guest" && substr($5, 4, 1) == "s" { found = 1 } END { exit !found }'; }

# Nothing is on the ring when the guest has stopped, though a limit holds it up.
ring_left_empty() {
	until_ok 60 suspended || { echo "the guest was not seen suspended"; return 1; }
	[ "$(shown_sum 51728 req_prod)" = "$(shown_sum 51728 answered)" ] || { shown 51728; return 1; }
}

# save_and_restore [COMMAND]: that is run while the guest is being saved, and fails the whole in the end.
save_and_restore() {
	local saving status=0
	timeout 200 xl save guest /tmp/guest.save >>$lab/out/xl.log 2>&1 &
	saving=$!
	"${1-true}" || status=1
	wait $saving || { tail -n 3 $lab/out/xl.log; echo "xl save failed"; return 1; }
	timeout 200 xl restore /tmp/guest.save >>$lab/out/xl.log 2>&1 || { tail -n 3 $lab/out/xl.log; echo "xl restore failed"; return 1; }
	rm -f /tmp/guest.save
	domid=$(xl domid guest)
	until_ok 20 front_is 4 || { echo "frontend in state $(front_node 51728/state)"; return 1; }
	# The guest's agent has lost its watch: it starts with a new one.
	GUEST_LIMIT=30 guest true || { echo "the agent does not answer"; return 1; }
	return $status
}

block_save() {
	local seen=true
	guest_load steady "$(steady_job xvdb)" || return
	if [ "$back" = xpv ]; then
		echo 20 >/sys/bus/xen-backend/devices/vbd-$domid-51728/limit_iops || return
		seen=ring_left_empty
	fi
	sleep 2
	save_and_restore $seen && moves && steady_end
}

# Devices that are taken away right after the guest has come back, before they are connected again (XSA-465).
restore_detached() {
	local own
	attach_disk && attach_net && timeout 200 xl save guest /tmp/guest.save >>$lab/out/xl.log 2>&1 || { echo "xl save failed"; return 1; }
	timeout 200 xl restore -p /tmp/guest.save >>$lab/out/xl.log 2>&1 || { tail -n 3 $lab/out/xl.log; echo "xl restore failed"; return 1; }
	rm -f /tmp/guest.save
	domid=$(xl domid guest)
	for own in $(xenstore-read "/local/domain/$domid/device/vbd/51744/backend" "/local/domain/$domid/device/vif/1/backend"); do
		xenstore-write "$own/online" 0 "$own/state" 5
	done
	xl unpause guest
	until_ok 20 front_is 4 || { echo "the other disk's frontend is in state $(front_node 51728/state)"; return 1; }
	GUEST_LIMIT=30 guest true || { echo "the agent does not answer"; return 1; }
	for own in vbd/51744 vif/1; do
		until_ok 20 front_closed $own || { echo "the frontend of $own is not closed"; return 1; }
	done
	VERIFY_SIZE=1m guest_verify xvdb randwrite 4k && net_ping 0 || { echo "the other devices do not work"; return 1; }
	timeout 60 xl block-detach guest xvdc
	timeout 60 xl network-detach guest 1
	until_ok 20 no_backend vbd 51744 && until_ok 20 no_backend vif 1 || { echo "dom0 still has a backend"; return 1; }
}

front_closed() { [ "$(xenstore-read "/local/domain/$domid/device/$1/state" 2>/dev/null || echo 6)" = 6 ]; }

unbind_xvdb='echo vbd-51728 >/sys/bus/xen/drivers/xpv-vbd/unbind'
bind_xvdb() { guest 'echo vbd-51728 >/sys/bus/xen/drivers/xpv-vbd/bind' && disk_up xvdb; }

# The disk is taken from who has it open: what is only in the guest's cache reaches it all the same.
block_unbind() {
	local theirs mine
	theirs=$(guest "dd if=/dev/urandom of=/tmp/r bs=64k count=64 2>/dev/null; exec 3</dev/xvdb
		dd if=/tmp/r of=/dev/xvdb bs=64k 2>/dev/null; $unbind_xvdb; md5sum </tmp/r; rm /tmp/r") || { echo "it cannot be unbound"; return 1; }
	mine=$(dd if=/dev/nullb0 iflag=direct bs=64k count=64 2>/dev/null | md5sum)
	bind_xvdb || return
	[ "$theirs" = "$mine" ] || { echo "what was written is lost"; return 1; }
}

# That waits for the backend as long as it is there, and as long as somebody waits for that.
block_unbind_alone() {
	leave_back || return
	guest "exec 3</dev/xvdb; dd if=/dev/urandom of=/dev/xvdb bs=64k count=4 2>/dev/null
		$unbind_xvdb & sleep 2; [ -e /sys/block/xvdb ] || exit; kill -9 \$!; wait; ! [ -e /sys/block/xvdb ]" ||
		{ echo "it does not wait, or for ever"; return 1; }
	load_blkback && bind_xvdb && VERIFY_SIZE=1m guest_verify xvdb randwrite 4k
}

# With a backend that is a module, and does not mind who writes its nodes: a daemon is tried by its own tests.
module_tests() {
	verdict block-resize block_resize
	verdict block-poll block_poll
	verdict block-orders block_orders
	verdict block-unbind-alone block_unbind_alone
	verdict block-back-returns block_back_returns
	[ "$back" != xpv ] || verdict block-back-stalled with_disk slow 'irqmode=2 completion_nsec=4500000000 hw_queue_depth=256' block_back_stalled
	verdict block-back-returns-with-less block_back_returns_with_less
	verdict block-back-comes-and-goes block_back_comes_and_goes
	verdict block-detach-without-back block_detach_without_back
}

blkfront_tests() {
	verdict block-large block_large
	verdict block-discard block_discard
	verdict block-revoked block_revoked
	verdict block-untrusted block_untrusted
	verdict block-unbind block_unbind
	[ "$back" = blkd ] || module_tests
	verdict block-detach-unconnected block_detach_unconnected
	verdict block-save block_save
	verdict restore-detached restore_detached
	verdict block-restart block_restart
	[ "$back" = blkd ] || verdict block-queues block_queues
}
