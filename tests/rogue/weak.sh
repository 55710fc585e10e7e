#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weak.sh [PATTERN]: leaves one check of a driver out at a time, as `weak` says, of those whose script's name is
# like PATTERN; builds that driver from a copy of the tree, and plays the one script against it in the lab, after the
# honest one, which that driver has to stand. Prints
# `pass weak/SCRIPT` if the script failed, or its victim died, and `fail weak/SCRIPT why` if nothing was noticed.
. "$(dirname "$0")/../lab/common.sh"
cd "$top"
host_packages+=("${user_packages[@]}")
stage_total=2
status=0

# weaken TREE FILE SED
weaken() {
	rm -rf "$1"
	mkdir -p "$1/build"
	git ls-files -coz --exclude-standard | cpio --quiet -pdm0 "$1"
	cp -a build/rogue build/xdp "$1/build/"
	sed -i "$3" "$1/$2"
	! cmp -s "$2" "$1/$2"
}

# noticed SCRIPT: in the copy's lab, which says so by a test that fails or a dom0 that panics.
noticed() {
	local tree=$1 name=rogue-${2//\//-} kind=rogue-$(dirname "$2" | tr / -) pair=pv:xpv:xpv why
	case $2 in back/*) pair=pv:xpv:linux ;; esac
	LAB_PAIRS=$pair LAB_TESTS="rogue-begin rogue-front-attach rogue-load $name $kind-honest $kind-headers $kind-left-out $kind-put-off $kind-unnoticed $kind-modest" \
		"$tree/tests/lab/check.sh" >"$tree/said" 2>&1 || true
	why=$(grep -m 1 -E "^fail lab/$pair(/$name|/rogue-|  *dom0 stopped)" "$tree/said") || return
	case $why in
	*'dom0 stopped'*) grep -qaE "Kernel panic|Oops|BUG" "$tree"/build/lab/check-*/console.log ;;
	*rogue-begin* | *rogue-front-attach* | *rogue-load* | *rogue-front-detach* | *rogue-end* | *-honest*) return 1 ;;
	esac && note "${why#fail }"
}

stage 'the lying peers'
need_host
need_packages
make -s rogue xdp
stage 'the lab, with one check less at a time'
while read -r script file sed; do
	case $script in '#') continue ;; esac
	# shellcheck disable=SC2254
	case $script in ${1:-*}) ;; *) continue ;; esac
	tree=$top/build/weak/${script//\//-}
	if ! weaken "$tree" "$file" "$sed"; then
		status=1
		echo "fail weak/$script is in no line of $file"
	elif noticed "$tree" "$script" </dev/null; then
		echo "pass weak/$script"
	else
		status=1
		echo "fail weak/$script was not noticed, see $tree/said"
	fi
done <tests/rogue/weak
exit $status
