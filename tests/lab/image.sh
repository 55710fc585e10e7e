#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lab's image: a Debian with Xen as dom0's root disk, and the guest's base
# initramfs, made of files from it. Scenarios, modules and both inits travel in
# the payload instead (run.sh), so that this is rebuilt only when the package
# list or the boot stub changes. With DEBUG_KERNEL=1 the kernel of both is the lab's own, which
# debug-kernel.sh builds. Prints the directory that holds:
#   root.img xen vmlinux initrd    what QEMU loads
#   guest.cpio                     on the root disk as well, as /boot/guest.cpio
. "$(dirname "$0")/common.sh"

dom0_packages=(
	xen-hypervisor-4.20-amd64 xen-utils-4.20 xenstore-utils linux-image-amd64
	qemu-system-xen seabios ipxe-qemu qemu-system-data qemu-utils
	busybox-static kmod iproute2 procps ethtool iputils-ping e2fsprogs
	fio iperf3 tcpdump strace systemd openvswitch-switch
)
guest_programs=(fio iperf3 ip ethtool xenstore-read xenstore-write xenstore-watch xenstore-ls xenstore-rm)
guest_modules=(xen-blkfront xen-netfront null_blk xen-gntalloc xen-evtchn netconsole)
boot_modules=(virtio_pci virtio_blk ext4)

# modules ROOT DESTINATION NAME...: copies the modules and all they depend on,
# unpacked, and lists them in load order in DESTINATION/NAME.order.
modules() {
	local root=$1 to=$2 name file
	shift 2
	mkdir -p "$to"
	for name in "$@"; do
		chroot "$root" modprobe -S "$kver" --show-depends "$name" | awk '$1 == "insmod" { print $2 }' |
			while read -r file; do
				xz -dc "$root/$file" >"$to/$(basename "$file" .xz)"
				basename "$file" .xz
			done >"$to/$name.order"
	done
}

pack() { (cd "$1" && find . -mindepth 1 -printf '%P\0' | cpio --quiet -0 -o -H newc -R 0:0); }

skeleton() {
	mkdir -p "$1"/{bin,dev,proc,sys,run,tmp,mnt,etc,lib}
	cp "$root/usr/bin/busybox" "$1/bin/busybox"
	ln -s busybox "$1/bin/sh"
}

boot_initrd() {
	skeleton "$1"
	modules "$root" "$1/lib/modules" "${boot_modules[@]}"
	install -m 755 "$lab/boot-init" "$1/init"
}

guest_base() {
	local program
	skeleton "$1"
	for program in "${guest_programs[@]}"; do
		cp "$root/$(chroot "$root" sh -c "command -v $program")" "$1/bin/"
		chroot "$root" sh -c "ldd \$(command -v $program)" | grep -o '/[^ ]*'
	done | sort -u | while read -r file; do
		install -D -m 755 "$root/$file" "$1/$file"
	done
	modules "$root" "$1/lib/modules" "${guest_modules[@]}"
}

# Under emulation Xen and xl take long over a packed kernel; the hardware-virtualised
# guest kinds with firmware need the packed one. zstd complains of what follows its frame.
unpack_kernel() {
	local offset
	offset=$(LC_ALL=C grep -obUaP -m 1 '\x28\xb5\x2f\xfd' "$1" | head -n 1 | cut -d : -f 1)
	tail -c +$((offset + 1)) "$1" | zstd -dc 2>/dev/null || :
}

# Guests with firmware are left with the distribution's.
own_kernel() {
	rm -r "$root"/lib/modules/*
	cp -r "$kernel/lib/modules" "$root/usr/lib/"
	cp "$kernel/vmlinux" "$out/"
}

make_image() {
	local out=$1 root=$1/root
	printf 'installing Debian with Xen\n'
	# The distribution's initramfs is not used: boot-init is a smaller one.
	INITRD=No mmdebstrap --variant=minbase --include="${dom0_packages[*]}" trixie "$root"
	zcat "$root"/boot/xen-4.20-amd64.gz >"$out/xen"
	unpack_kernel "$root"/boot/vmlinuz-* >"$out/vmlinux"
	[ -z "$kernel" ] || own_kernel
	kver=$(basename "$root"/lib/modules/*)
	printf 'packing dom0 and guest initramfs\n'
	boot_initrd "$out/boot"
	pack "$out/boot" | gzip -1 >"$out/initrd"
	guest_base "$out/guest"
	pack "$out/guest" >"$out/guest.cpio"
	mv "$root"/boot/vmlinuz-* "$out/guest.vmlinuz"
	rm -r "$root"/boot/*
	mv "$out/guest.vmlinuz" "$root/boot/vmlinuz"
	cp "$out/vmlinux" "$out/guest.cpio" "$root/boot/"
	printf 'making the root disk\n'
	mke2fs -q -t ext4 -O ^has_journal -d "$root" "$out/root.img" 3G
	rm -r "$root" "${out:?}/boot" "$out/guest"
}

kernel=${DEBUG_KERNEL:+$("$lab/debug-kernel.sh")}
name=image-$(key "$lab/image.sh" "$lab/boot-init" <(printf '%s' "$kernel"))
cached "$name" make_image >&2
printf '%s\n' "$cache/$name"
