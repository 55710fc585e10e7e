#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A kernel that tells what is wrong: Debian's source of the lab's series, with the checks that
# debug-kernel/config asks for. Built once for each version of the source and of what is in
# that folder. Prints the directory that holds:
#   vmlinux lib/modules    what the image takes
#   build source           what modules are built against, when it is mounted on /kernel
#   root                   in this chroot
. "$(dirname "$0")/common.sh"

minutes=30
asked=$lab/debug-kernel/config
packages='gcc make libc6-dev sparse flex bison bc libelf-dev kmod xz-utils patch linux-source-6.12'

make_root() {
	printf 'installing compiler and source\n'
	mmdebstrap --variant=minbase --include="$packages" trixie "$1"
	mkdir "$1/xpv" "$1/kernel"
}

# inside COMMAND...: in the chroot, where the directory that is being filled is /kernel. The mounts
# live in a namespace of this one command.
inside() {
	unshare --mount --propagation private sh -e -c '
		mount -t proc proc "$1/proc"
		mount --bind "$2" "$1/kernel"
		cd /
		root=$1
		shift 2
		exec chroot "$root" "$@"
	' sh "$root" "$out" "$@" </dev/null
}

# What does not hold of what was asked for; an option that is not there is as good as one that is not set.
denied() {
	grep -E '^CONFIG_' "$asked" | grep -vxFf "$out/build/.config" || :
	sed -n 's/^# \(CONFIG_[^ ]*\) is not set$/\1=/p' "$asked" | grep -f - "$out/build/.config" || :
}

make_kernel() {
	local out=$1 file left
	printf 'unpacking the source of %s\n' "$version"
	mkdir "$out/source" "$out/build"
	tar -C "$out/source" --strip-components=1 -xf "$root/usr/src/linux-source-6.12.tar.xz"
	cp -r "$lab/debug-kernel" "$out/asked"
	for file in "$out"/asked/*.patch; do
		inside patch -d /kernel/source -p 1 -s -i "/kernel/asked/${file##*/}"
	done
	inside make -s -C /kernel/source O=/kernel/build KCONFIG_ALLCONFIG=/kernel/asked/config allnoconfig
	left=$(denied)
	[ -z "$left" ] || { printf 'this kernel cannot have: %s\n' "$left"; return 1; }
	printf 'building it: about %d minutes on two idle CPUs\n' "$minutes"
	inside make -C /kernel/build -j2 vmlinux modules
	inside make -s -C /kernel/build modules_install INSTALL_MOD_PATH=/kernel
	inside strip -s -o /kernel/vmlinux /kernel/build/vmlinux
	rm -f "$out"/lib/modules/*/{build,source}
	# Modules are built with its headers and tools alone.
	ln -s "$root" "$out/root"
	rm -r "$out/asked" "$out/build/vmlinux" "$out/build/vmlinux.o"
	find "$out/source" "$out/build" -type d \( -name scripts -o -name tools \) -prune -o -type f -name '*.[acoS]' -exec rm -f {} +
}

name=source-debug-$(printf '%s' "$packages" | key)
cached "$name" make_root >&2
root=$cache/$name
version=$(chroot "$root" dpkg-query -W -f '${Version}' linux-source-6.12)
name=kernel-debug-$version-$(key "$lab/debug-kernel.sh" "$lab"/debug-kernel/*)
[ -d "$cache/$name" ] || printf 'a kernel with checks has to be built: about %d minutes, once; it is kept in %s\n' "$minutes" "$cache" >&2
cached "$name" make_kernel >&2
printf '%s\n' "$cache/$name"
