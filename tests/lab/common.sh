# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The host side of the lab: stages with elapsed time, failure in one line plus
# the tail of the log that matters, and a cache keyed by what goes into it.
set -euo pipefail

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$lab/../.." && pwd)
cache=${XPV_CACHE:-/var/cache/xpv}
host_packages=(mmdebstrap qemu-system-x86 e2fsprogs cpio xz-utils zstd)
# What `make user` needs.
user_packages=(gcc libc6-dev make libxen-dev liburing-dev libinih-dev libjson-c-dev libnbd-dev)
space_needed_gib=8

stage_total=0 stage_number=0 stage_name='' stage_log=''

elapsed() { printf '%02d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }

# stage NAME: one line per step; die() repeats the name.
stage() {
	stage_name=$1 stage_log=''
	stage_number=$((stage_number + 1))
	printf '[%2d/%d] %s %s ...\n' "$stage_number" "$stage_total" "$(elapsed)" "$stage_name"
}

note() { printf '        %s %s\n' "$(elapsed)" "$*"; }

die() {
	if [ -n "$stage_log" ] && [ -s "$stage_log" ]; then
		printf -- '--- end of %s\n' "$stage_log" >&2
		tail -n 30 "$stage_log" | tr -d '\r' >&2
		printf -- '---\n' >&2
	fi
	printf '%s%s\n' "${stage_name:+failed while $stage_name: }" "$*" >&2
	exit 1
}

# logged FILE COMMAND...: output goes to FILE; its last line is shown now and
# then, so that a step of minutes is seen to move.
logged() {
	local pid status=0
	stage_log=$1
	shift
	mkdir -p "$(dirname "$stage_log")"
	"$@" >"$stage_log" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		for _ in {1..50}; do
			kill -0 "$pid" 2>/dev/null || break 2
			sleep 0.2
		done
		[ ! -s "$stage_log" ] || note "$(tail -n 1 "$stage_log" | tr -d '\r' | cut -c 1-90)"
	done
	wait "$pid" || status=$?
	return $status
}

need_host() {
	[ "$(id -u)" = 0 ] || die "the lab needs root (chroots, apt): run it with sudo"
	[ "$(uname -m)" = x86_64 ] || die "the lab needs an x86-64 machine; this is $(uname -m)"
	command -v apt-get >/dev/null || die "the lab needs apt-get: run it on Debian 12 or 13"
	mkdir -p "$cache" || die "cannot write $cache: set XPV_CACHE to a directory with ${space_needed_gib} GiB free"
	local free
	free=$(df --output=avail -B1G "$cache" | tail -n 1)
	# A filled cache needs far less than the first run.
	if [ "$free" -lt "$space_needed_gib" ] && ! compgen -G "$cache/image-*" >/dev/null; then
		die "$cache has $free GiB free, the lab needs $space_needed_gib: free some or set XPV_CACHE to another disk"
	fi
}

need_packages() {
	local missing=() p
	for p in "${host_packages[@]}"; do
		dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	note "apt-get install ${missing[*]}"
	logged "$top/build/lab/apt.log" env DEBIAN_FRONTEND=noninteractive sh -c \
		'apt-get -q update && exec apt-get -qy install --no-install-recommends "$@"' sh "${missing[@]}" ||
		die "apt-get could not install: ${missing[*]}"
}

# key FILE...: names a cache entry by the content of everything it is made from.
key() { cat "$@" | sha256sum | cut -c 1-16; }

# cached NAME FUNCTION: runs FUNCTION DIR once, and moves DIR into place only
# when it is whole. The lock makes a second caller wait for the first. Not to
# be called as a condition: that would switch off errexit inside FUNCTION.
cached() {
	local entry=$cache/$1
	if ! [ -d "$entry" ]; then
		mkdir -p "$cache"
		(
			flock 9
			[ ! -d "$entry" ] || exit 0
			part=$(mktemp -d "$entry.part.XXXXXX")
			trap 'rm -rf "$part"' EXIT
			chmod 755 "$part"
			"$2" "$part"
			mv -T "$part" "$entry"
			trap - EXIT
		) 9>"$cache/$1.lock"
	fi
}
