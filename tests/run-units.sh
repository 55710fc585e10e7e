#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run-units.sh PROGRAM...: runs cmocka programs, prints `pass PROGRAM/TEST` or `fail ...` for
# each test, and what a failing program said on standard error.
set -u
status=0
for program; do
	name=${program##*/test_}
	out=$(CMOCKA_MESSAGE_OUTPUT=TAP timeout 60 "$program" 2>&1)
	rc=$?
	sed -n "s|^ok [0-9]* - |pass $name/|p; s|^not ok [0-9]* - |fail $name/|p" <<<"$out"
	[ $rc = 0 ] && continue
	status=1
	# A sanitizer ends the program without a verdict for the test that it was in.
	grep -q '^not ok' <<<"$out" || echo "fail $name ended with code $rc"
	tail -n 40 <<<"$out" >&2
done
exit $status
