#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make bench-blkd: the userspace backend's data path on this machine, without Xen: CPU time per request
# on a store that does nothing, and requests per second on a file, next to fio's io_uring engine on the
# same file. Both take turns, and the best of each counts: this machine has other things to do as well.
. "$(dirname "$0")/../lab/common.sh"
cd "$top"
host_packages+=("${user_packages[@]}" fio)
bench=build/bench/blkd
file=build/bench/loopback.img
rounds=${ROUNDS:-5}

through_blkd() { "$bench" "$1" 32 4096 3 | awk -v field="$2" '{ print $field }'; }

through_fio() {
	fio --name=j --filename=$file --ioengine=io_uring --direct=1 --rw=randread --bs=4k --iodepth=32 --registerfiles=1 \
		--fixedbufs=1 --time_based --runtime=3 --output-format=terse --terse-version=3 | cut -d ';' -f 8
}

# row NAME VALUE UNIT GOAL COMPARISON
row() { awk -v n="$1" -v v="$2" -v u="$3" -v g="$4" -v c="$5" 'BEGIN { printf "%-44s %10.2f %-3s goal: %s %.2f: %s\n", n, v, u, c, g, (c == "<" ? v < g : v >= g) ? "met" : "missed" }'; }

need_packages
make -s "$bench" >&2
mkdir -p build/bench
trap 'rm -f $file' EXIT
head -c 256M /dev/urandom >$file
sync
cpu=1000 ours=0 theirs=0
for ((i = 0; i < rounds; i++)); do
	n=$(through_blkd null:1G 4) && cpu=$(printf '%s\n' "$cpu" "$n" | sort -n | head -n 1)
	n=$(through_blkd "$PWD/$file" 2) && ours=$(printf '%s\n' "$ours" "$n" | sort -n | tail -n 1)
	n=$(through_fio) && theirs=$(printf '%s\n' "$theirs" "$n" | sort -n | tail -n 1)
done
[ "$theirs" != 0 ] && [ "$ours" != 0 ] || die 'nothing was measured'
row 'null store, CPU time per request' "$cpu" us 1 '<'
row '4k random reads of a file, depth 32, of fio' "$(awk "BEGIN { print $ours / $theirs }")" '' 0.95 '>='
printf '%s requests/s, fio %s\n' "$ours" "$theirs"
