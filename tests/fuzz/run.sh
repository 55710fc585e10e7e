#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh SECONDS|replay TARGET...: looks for input that harms, so many seconds a target, and says which lines
# all that was found reaches; or replays what is in corpus/. What is found is under build/fuzz/. Prints
# `pass fuzz/TARGET` or `fail fuzz/TARGET why`.
. "$(dirname "$0")/../lab/common.sh"
cd "$top"
set +e
host_packages=("${user_packages[@]}" clang libclang-rt-dev)
fuzz=tests/fuzz
dir=build/fuzz
what=$1
status=0
shift

verdict() { # TARGET STATUS WHY
	if [ "$2" = 0 ]; then
		echo "pass fuzz/$1"
	else
		status=1
		echo "fail fuzz/$1 $3"
		tail -n 40 "$dir/$1.log" >&2
	fi
}

# Of each file under test, how many of its lines.
lines() { # TARGET
	rm -f "$dir/$1-lines"*.gcda
	"$dir/$1-lines" "$fuzz/corpus/$1" "$dir/$1.found" >/dev/null 2>&1 || return
	gcov -n "$dir/$1-lines"*.gcda 2>/dev/null | awk -F"[':% ]" '
		/^File/ { file = $3 }
		/^Lines/ && file ~ /^(ring|include|userspace-backend)\// { sub(/.*\//, "", file); printf "        %-24s %6.1f %% of %d lines\n", file, $3 + 0, $NF; file = "" }'
}

search() { # TARGET
	local log=$dir/$1.log
	mkdir -p "$dir/$1.found"
	"$dir/$1" -max_total_time="$what" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$dir/$1-" \
		"$dir/$1.found" "$fuzz/corpus/$1" >"$log" 2>&1
	verdict "$1" $? "$(grep -aoE 'Test unit written to .*' "$log" || echo "see $log")"
	sed -n 's/^stat::number_of_executed_units: */        inputs tried: /p' "$log"
	lines "$1"
}

if [ "$what" != replay ]; then
	need_packages
	make -s -j2 $(printf "$dir/%s " "$@" "${@/%/-lines}") || die "the fuzz targets do not build"
fi
for target; do
	if [ "$what" = replay ]; then
		timeout 600 "$dir/$target-replay" "$fuzz/corpus/$target" >"$dir/$target.log" 2>&1
		verdict "$target" $? "$(grep -a "corpus/" "$dir/$target.log" | tail -n 1)"
	else
		search "$target"
	fi
done
exit $status
