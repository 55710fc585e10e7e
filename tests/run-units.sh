#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run-units.sh PROGRAM...: runs cmocka programs, two at a time, for many mostly wait; prints `pass PROGRAM/TEST` or
# `fail ...` for each test, and what a failing program said on standard error.
set -u

run() {
	local name=${1##*/test_} out rc lines
	out=$(CMOCKA_MESSAGE_OUTPUT=TAP timeout 60 "$1" 2>&1)
	rc=$?
	lines=$(sed -n "s|^ok [0-9]* - |pass $name/|p; s|^not ok [0-9]* - |fail $name/|p" <<<"$out")
	[ -z "$lines" ] || printf '%s\n' "$lines"
	[ $rc = 0 ] && return
	# A sanitizer ends the program without a verdict for the test that it was in.
	grep -q '^not ok' <<<"$out" || echo "fail $name ended with code $rc"
	tail -n 40 <<<"$out" >&2
	return 1
}

export -f run
printf '%s\0' "$@" | xargs -0 -n 1 -P 2 bash -c 'run "$1"' run
