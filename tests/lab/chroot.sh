#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# chroot.sh SERIES: a small Debian with the headers and the compiler that belong
# to one kernel series (6.1, 6.12, or 7 for the newest backport). Prints its directory.
. "$(dirname "$0")/common.sh"

packages='gcc make libc6-dev sparse'

# The backport's headers come with objtool and dependencies from backports too;
# their source line is the first one that mmdebstrap wrote, under the other name.
backport() {
	sed -n '1s/ trixie / trixie-backports /p' "$1/etc/apt/sources.list" >"$1/etc/apt/sources.list.d/backports.list"
	chroot "$1" apt-get -q update
	chroot "$1" apt-get -qy install --no-install-recommends -t trixie-backports linux-headers-amd64
	chroot "$1" apt-get clean
	# The headers' Makefile asks a script that the package forgot whether sparse is fit.
	local valid
	valid=$(echo "$1"/usr/src/linux-headers-*-common/scripts)/checker-valid.sh
	[ -e "$valid" ] || install -m 755 /dev/stdin "$valid" <<<$'#!/bin/sh\necho 1'
}

make_chroot() {
	printf 'installing compiler and headers of %s\n' "$series"
	case $series in
	6.1) mmdebstrap --variant=minbase --include="$packages linux-headers-amd64" bookworm "$1" ;;
	6.12) mmdebstrap --variant=minbase --include="$packages linux-headers-amd64" trixie "$1" ;;
	7)
		mmdebstrap --variant=minbase --include="$packages" trixie "$1"
		backport "$1"
		;;
	esac
	mkdir "$1/xpv"
}

series=${1-}
case $series in
6.1 | 6.12 | 7) ;;
*) die "chroot.sh: the kernel series is 6.1, 6.12 or 7, not '$series'" ;;
esac
name=chroot-$series-$(key "$lab/chroot.sh")
cached "$name" make_chroot >&2
printf '%s\n' "$cache/$name"
