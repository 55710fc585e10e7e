#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every test, cheapest first. A line per test, `pass NAME`, `fail NAME why` or `skip NAME why`, as
# it ends; their count last. Logs are under build/.
. "$(dirname "$0")/lab/common.sh"
cd "$top"
host_packages+=(gcc make git libcmocka-dev libxen-dev)
results=build/check/results
stage_total=8

# Lines of a verdict go to the screen and are counted; all else only to the screen.
verdicts() { tee -a "$results"; }

# one NAME COMMAND...: a step that is a test itself.
one() {
	local name=$1
	shift
	if "$@"; then echo "pass $name"; else echo "fail $name see above"; fi | verdicts
}

modules_build() {
	"$lab/build.sh" "$1" >/dev/null
}

mkdir -p build/check
: >"$results"

stage 'checking this machine'
need_host
need_packages
stage 'lint'
tests/lint.sh | verdicts || true
stage 'unit tests'
make -s -k -j2 unit | verdicts || true
stage 'ring stress'
one stress/ring make -s stress
for series in 6.1 6.12 7; do
	stage "building the modules for $series"
	one "build/$series" modules_build "$series"
done
stage 'lab: a Xen host with guests'
"$lab/check.sh" | verdicts || true

count() { grep -c "^$1 " "$results" || true; }
if grep '^fail ' "$results" >/dev/null; then
	printf '\nfailed:\n'
	sed -n 's/^fail /  /p' "$results"
fi
printf '%s passed, %s failed, %s skipped\n' "$(count pass)" "$(count fail)" "$(count skip)"
[ "$(count fail)" = 0 ]
