#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# build.sh SERIES: builds the modules against Debian's headers of 6.1, 6.12 or 7, or against the
# lab's own kernel, debug, with W=1 and sparse, from a copy of the tree. Any warning fails. Leaves
# build/lab/modules-SERIES/*.ko and prints that directory; an unchanged tree is not built again.
. "$(dirname "$0")/common.sh"

sources=(Kbuild Makefile include ring backend frontend compat)

series=${1-}
if [ "$series" = debug ]; then
	kernel=$("$lab/debug-kernel.sh")
	root=$(readlink "$kernel/root")
	kdir=/kernel/build
else
	kernel=''
	root=$("$lab/chroot.sh" "$series")
	kdir=$(cd "$root" && set -- usr/src/linux-headers-*-amd64 && printf '/%s' "$1")
fi
out=$top/build/lab/modules-$series
mkdir -p "$out"
exec 9>"$out.lock"
flock 9

cd "$top"
for i in "${!sources[@]}"; do
	[ -e "${sources[i]}" ] || unset "sources[i]"
done
list() { find "${sources[@]}" -type f \( -name '*.[chS]' -o -name 'Kbuild*' -o -name Makefile \) | LC_ALL=C sort; }
want=$(list | xargs sha256sum | cat - "$lab/build.sh" <(echo "$root $kernel") | sha256sum)
[ "$want" != "$(cat "$out/key" 2>/dev/null)" ] || { printf '%s\n' "$out"; exit; }

copy=$out/tree
rm -rf "$out"
mkdir -p "$copy"
list | cpio --quiet -pdm "$copy"

# Debian's sparse is older than the words of 7.x: it is told that one is another, and its
# opinion of MODULE_LICENSE() and its like, which check a string's length there, is dropped.
complaints() { grep -iE 'warning:|error:' "$out/log" | grep -v 'error: bad constant expression$'; }

# The mounts live in a namespace of this one command. The kernel's objtool reads /proc.
status=0
unshare --mount --propagation private sh -e -c '
	mount -t proc proc "$1/proc"
	mount --bind "$2" "$1/xpv"
	[ -z "$4" ] || mount --bind "$4" "$1/kernel"
	chroot "$1" make -C "$3" M=/xpv W=1 C=2 CF=-D__typeof_unqual__=__typeof__ -j2 modules
	# Debug information would only slow down the lab.
	exec chroot "$1" find /xpv -name "xpv-*.ko" -exec strip -g {} +
' sh "$root" "$copy" "$kdir" "$kernel" 2>&1 </dev/null | tee "$out/log" >&2 || status=$?
if [ $status != 0 ] || complaints; then
	die "the modules do not build cleanly against $series, see $out/log"
fi >&2
grep -q '^ *CHECK ' "$out/log" || die "sparse did not run against $series"
find "$copy" -name 'xpv-*.ko' -exec cp {} "$out/" \;
compgen -G "$out/*.ko" >/dev/null || die "the build against $series made no module"
printf '%s\n' "$want" >"$out/key"
printf '%s\n' "$out"
