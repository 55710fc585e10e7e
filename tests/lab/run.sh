#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh NAME SCENARIO SECONDS: boots QEMU -> Xen -> dom0 once and lets dom0 run
# dom0/SCENARIO.sh. The environment's GUEST FRONT BACK and LAB_* reach it.
#
#   disk 1  root.img, written to a snapshot that is thrown away
#   disk 2  the payload: a tar of scripts, modules and the guest's overlay
#   disk 3  results come back: a tar of logs
#   disk 4  empty, for who wants a disk that is no memory of dom0's
#   ttyS0   the console of Xen and dom0, kept in console.log, never parsed
#   ttyS1   the channel: lines "stage", "pass", "fail", "skip", "result",
#           "evidence", "verdict", passed on to stdout as they come
#
# Everything stays under build/lab/NAME/. Exits 0 only after "verdict success".
. "$(dirname "$0")/common.sh"

name=$1 scenario=$2 limit=$3
dir=$top/build/lab/$name
image=$("$lab/image.sh")

payload() {
	local p=$dir/payload
	mkdir -p "$p/modules" "$p/overlay/xpv"
	cp -r "$lab/dom0" "$top/xpv-blacklist.conf" "$p/"
	# Whoever has a scenario of his own elsewhere in tests/ names its folder.
	[ -z "${LAB_EXTRA-}" ] || cp -r "$LAB_EXTRA" "$p/extra"
	if [ -n "${LAB_MODULES-}" ]; then
		cp "$LAB_MODULES"/*.ko "$p/modules/"
		cp "$LAB_MODULES"/*.ko "$p/overlay/xpv/"
	fi
	# The peers that lie, and what they say: a frontend in the guest, a backend in dom0. And programs.
	if [ -n "${LAB_ROGUE-}" ]; then
		mkdir "$p/rogue"
		cp -r "$top"/build/rogue/rogue-{front,back} "$top"/tests/rogue/{front,back} "$p/rogue/"
		cp -r "$p/rogue" "$top/build/xdp/xdp" "$p/overlay/xpv/"
	fi
	# The userspace backend, its tool and its script.
	if [ -n "${LAB_BLKD-}" ]; then
		mkdir "$p/blkd"
		cp "$top"/build/xpv-blk{d,ctl} "$top"/userspace-backend/{block-xpv,xpv-blkd.service} "$p/blkd/"
	fi
	cp "$lab"/guest/* "$p/overlay/xpv/"
	ln -s xpv/init "$p/overlay/init"
	(cd "$p/overlay" && find . -mindepth 1 -printf '%P\0' | cpio --quiet -0 -o -H newc -R 0:0) >"$p/overlay.cpio"
	rm -rf "$p/overlay"
	printf 'SCENARIO=%q\n' "$scenario" >"$p/env"
	local v
	for v in GUEST FRONT BACK DEBUG_KERNEL "${!LAB_@}"; do
		[ -z "${!v-}" ] || printf '%s=%q\n' "$v" "${!v}"
	done >>"$p/env"
	tar -C "$p" -cf "$dir/payload.img" .
	rm -rf "$p"
}

# A boot sector that reports through a debug port: the firmware before it and it
# have to run, which a /dev/kvm that only exists does not survive. Guests other
# than PV need nesting as well.
kvm_works() {
	local status=0
	grep -qsx '[Y1]' /sys/module/kvm_{intel,amd}/parameters/nested || return 1
	{ printf '\xb0\x10\xe6\xf4\xf4'; head -c 505 /dev/zero; printf '\x55\xaa'; } >"$dir/probe.img"
	timeout 10 qemu-system-x86_64 -accel kvm -cpu host -m 32 -nodefaults -display none -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=4 \
		-drive file="$dir/probe.img",format=raw,if=ide,snapshot=on >/dev/null 2>&1 </dev/null || status=$?
	# The device exits with 2 * 0x10 + 1.
	[ $status = 33 ]
}

# -smap: with it TCG faults a PV dom0 in its first page.
# -rdtscp: TCG reports an intercepted one as RDTSC and Xen kills the guest.
# xsave=0, for Xen: with it TCG loses registers when two CPUs of a guest take turns on one.
# -erms,-fsrm: else memcpy is a rep movsb that TCG runs byte by byte.
machine() {
	if [ "${XPV_CLOCK-}" = icount ]; then
		# Guest time counts instructions, 2 ns each: independent of this machine's load.
		printf '%s\n' -accel tcg,thread=single -icount shift=1,sleep=on -rtc clock=vm
		printf '%s\n' -cpu max,-smap,-rdtscp,-erms,-fsrm
	elif kvm_works; then
		printf '%s\n' -accel kvm -cpu host
	else
		printf '%s\n' -accel tcg,thread=multi -cpu max,-smap,-rdtscp,-erms,-fsrm
	fi
}

boot() {
	local disk=disable-legacy=on,iommu_platform=on machine=4096 dom0=2048 tells=''
	# An eighth of its memory is about the rest, and what it finds is not to be the last.
	[ -z "${DEBUG_KERNEL-}" ] || machine=5120 dom0=2560 tells=' kasan_multi_shot'
	mapfile -t accel < <(machine)
	printf 'clock %s\n' "${accel[*]}" >"$dir/machine"
	timeout -k 5 "$limit" qemu-system-x86_64 "${accel[@]}" -smp 2 -m $machine -nodefaults -no-user-config \
		-display none -monitor none -no-reboot \
		-serial "file:$dir/console.log" -serial "file:$dir/channel" \
		-kernel "$image/xen" \
		-append "console=com1 xsave=0 dom0_mem=${dom0}M,max:${dom0}M dom0_max_vcpus=${LAB_DOM0_VCPUS:-1} dom0_vcpus_pin loglvl=warning guest_loglvl=warning conring_size=512k" \
		-initrd "$image/vmlinux console=hvc0 net.ifnames=0 quiet$tells,$image/initrd" \
		-drive "file=$image/root.img,if=none,id=d0,format=raw,snapshot=on" -device "virtio-blk-pci,drive=d0,$disk" \
		-drive "file=$dir/payload.img,if=none,id=d1,format=raw,read-only=on" -device "virtio-blk-pci,drive=d1,$disk" \
		-drive "file=$dir/results.img,if=none,id=d2,format=raw" -device "virtio-blk-pci,drive=d2,$disk" \
		-drive "file=$dir/spare.img,if=none,id=d3,format=raw" -device "virtio-blk-pci,drive=d3,$disk" \
		</dev/null >"$dir/qemu.log" 2>&1 &
	qemu=$!
}

stop() {
	trap - EXIT INT TERM
	kill "$qemu" 2>/dev/null || :
	wait "$qemu" || [ $? != 124 ] || printf 'fail lab no verdict within %d s\n' "$limit"
}

rm -rf "$dir"
mkdir -p "$dir"
payload
truncate -s 64M "$dir/results.img" "$dir/spare.img"
touch "$dir/channel" "$dir/console.log"
boot
trap stop EXIT
trap 'exit 130' INT TERM
# QEMU runs under timeout, which passes our signals on; tail ends with it. Waited for in the
# background: in the foreground it would keep a trap from running.
tail -n +1 -s 0.3 -f --pid="$qemu" "$dir/channel" | sed -u "s/\r//" &
wait $!
stop

mkdir "$dir/results"
tar -C "$dir/results" -xf "$dir/results.img" 2>/dev/null || :
rm -f "$dir/results.img" "$dir/payload.img"
tr -d '\r' <"$dir/channel" | grep -qx 'verdict success'
