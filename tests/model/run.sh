#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh PROGRAM: plays the model of the ring's protocol; then with each of `faults` in <xpv/ring.h>, which
# it has to find. Prints `pass model/NAME` or `fail model/NAME why`; how a fault was found is under build/.
set -u
model=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$model/../.." && pwd)
dir=$(dirname "$1")
status=0

# With status 1 the model says what is wrong; any other failure is its own.
found() { # NAME SED
	local at=$dir/$1
	mkdir -p "$at/xpv"
	sed "$2" "$top/include/xpv/ring.h" >"$at/xpv/ring.h"
	! cmp -s "$top/include/xpv/ring.h" "$at/xpv/ring.h" || { echo "is in no line of ring.h"; return 1; }
	${CC:-cc} -std=gnu11 -O1 -w -I"$model" -I"$at" -I"$top/include" -I"$top/ring/os/user" "$model"/*.c "$top/ring/ring.c" -o "$at/ring" || return
	timeout 600 "$at/ring" >"$at/found"
	[ $? = 1 ] || { echo "was not found"; return 1; }
}

verdict() { # NAME COMMAND...
	local name=$1 why
	shift
	if why=$("$@" 2>&1); then
		echo "pass model/$name"
	else
		status=1
		echo "fail model/$name $(tail -n 1 <<<"$why")"
		printf '%s\n' "$why" >&2
	fi
}

verdict ring timeout 600 "$1"
while read -r name script; do
	case $name in '#' | '') ;; *) verdict "found-$name" found "$name" "$script" ;; esac
done <"$model/faults"
exit $status
