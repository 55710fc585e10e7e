#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lab's part of make check: every pairing of GUEST:FRONT:BACK in LAB_PAIRS, one boot for
# our kernel pair, which is tried in depth, and one for all others, so that one broken driver
# cannot hide the others; the boots side by side, for each keeps about one CPU busy, and takes as long,
# but for LAB_SERIAL=1. Prints
# "pass NAME", "fail NAME why", "skip NAME why".
. "$(dirname "$0")/common.sh"

pairs=${LAB_PAIRS:-pv:xpv:xpv pvh:xpv:xpv pv:linux:xpv pv:xpv:linux pv:xpv:blkd pvh:xpv:blkd pv:linux:blkd pvh:linux:blkd}
series=6.12
if [ -n "${DEBUG_KERNEL-}" ]; then
	# Each end of ours once, with the rogues.
	pairs=${LAB_PAIRS:-pv:xpv:xpv pv:xpv:linux} series=debug
	[[ $pairs != *hvm* ]] || die 'LAB_PAIRS: the kernel with checks is for PV and PVH guests'
	# How many times as long it may take, with all of this machine for itself.
	export LAB_SLOW=${LAB_SLOW:-4} LAB_SERIAL=1
fi

# boots NAME PAIR...: a pairing that did not say "done" fails by its name.
boot() {
	local name=$1 line done=' '
	shift
	note "booting dom0 for $*"
	while read -r line; do
		case $line in
		pass\ * | fail\ * | skip\ *) printf '%s\n' "$line" ;;
		stage\ *) note "${line#stage }" ;;
		done\ *) done+="${line#done } " ;;
		esac
	done < <(LAB_PAIRS=$* "$lab/run.sh" "check-$name" check $(((180 + (${LAB_LONG:+9000 +} 2000 + 3 * ${LAB_RANDOM:-0} + 90 * ${LAB_SOAK:-0}) * $#) * ${LAB_SLOW:-1})) || echo "status $?")
	for line; do
		case $done in *" $line "*) continue ;; esac
		printf 'fail lab/%s dom0 stopped before its end, see %s\n' "$line" "$top/build/lab/check-$name/console.log"
		tail -n 15 "$top/build/lab/check-$name/console.log" | tr -d '\r' | sed 's/^/        | /'
	done
}

if [[ $pairs == *@(xpv|blkd)* ]]; then
	LAB_MODULES=$("$lab/build.sh" $series 2>/dev/null) || { echo "fail lab/build the modules do not build"; exit 1; }
	export LAB_MODULES
	make -s -C "$top" rogue xdp >&2 || { echo "fail lab/rogue the lying peers and XDP programs do not build"; exit 1; }
	export LAB_ROGUE=1
fi
if [[ $pairs == *blkd* ]]; then
	make -s -C "$top" user >&2 || { echo "fail lab/blkd the userspace backend does not build"; exit 1; }
	export LAB_BLKD=1
fi

# MiB of write cache, so that there is something to flush.
export LAB_DISK_CACHE=16
deep=() others=()
for pair in $pairs; do
	[[ $pair =~ ^(pv|pvh|hvm):(xpv|linux):(xpv|linux|qdisk|blkd)$ ]] || die "LAB_PAIRS: '$pair' is no GUEST:FRONT:BACK"
	case $pair in pv:xpv:xpv | pvh:xpv:xpv) deep+=("$pair") ;; *) others+=("$pair") ;; esac
done
mkdir -p "$top/build/lab"
rm -f "$top"/build/lab/check-*.results
[ ${#deep[@]} = 0 ] || boot deep "${deep[@]}" | tee "$top/build/lab/check-deep.results" &
[ -z "${LAB_SERIAL-}" ] || wait
[ ${#others[@]} = 0 ] || boot others "${others[@]}" | tee "$top/build/lab/check-others.results" &
wait
! grep -q '^fail ' "$top"/build/lab/check-*.results
