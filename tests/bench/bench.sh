#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make bench: what an operation costs through our drivers and through the in-tree ones, on a clock
# that counts instructions, so that this machine's load does not show; and, in real time, what a second
# CPU gains. With BASE=FILE.json, of an earlier run, also the change since then.
. "$(dirname "$0")/common.sh"
host_packages+=(gcc libc6-dev jq libxen-dev)
out=build/bench.json
stage_total=26

[ -z "${BASE-}" ] || [ -s "$BASE" ] || die "BASE=$BASE: no such file; give the bench.json of an earlier run"

# Lines "result GUEST PAIR JOB VALUE" and, for each trace, the operations of its one second.
collect() {
	local line name
	results bench
	results bench-cpus
	for line in build/lab/bench/results/trace/*; do
		name=${line##*/}
		build/bench/traceops "$line" | while read -r cpu calls events _ grants; do
			printf 'trace %s %s %s %s %s\n' "$name" "$cpu" "$calls" "$events" "$grants"
		done
	done
}

to_json() {
	jq -Rn '
		[inputs | split(" ")] as $lines |
		{
			rates: [$lines[] | select(.[0] == "result") |
				{guest: .[1], pair: .[2], job: .[3], value: ((.[4] // "") | tonumber? // null)}],
			traces: [$lines[] | select(.[0] == "trace") | (.[1] | capture("^(?<guest>[^-]+)-(?<pair>[^-]+)-(?<job>.*)$")) +
				{cpu: (.[2] | tonumber), hypercalls: (.[3] | tonumber), events: (.[4] | tonumber), grants: (.[5] | tonumber)}]
		} |
		# Per operation: a second of both domains through the operations of a second.
		.rates as $rates |
		.per_operation = [.traces | group_by([.guest, .pair, .job])[] |
			. as $t | ($rates[] | select(.guest == $t[0].guest and .pair == $t[0].pair and .job == $t[0].job) | .value) as $v |
			# A stream is counted by the packet of 1500 bytes that its bytes would fill.
			(if ($t[0].job | startswith("tcp")) then $v * 1000000 / 8 / 1448 else $v end) as $ops |
			select($ops != null and $ops > 0) |
			{guest: $t[0].guest, pair: $t[0].pair, job: $t[0].job,
			 hypercalls: (([$t[].hypercalls] | add) / $ops), events: (([$t[].events] | add) / $ops),
			 grants: (([$t[].grants] | add) / $ops)}] |
		del(.traces)'
}

table() {
	local guest
	for guest in pv pvh; do
		printf '\n%-22s %12s %12s %12s %12s %8s\n' "${guest^^} guest" 'dom0 alone' 'guest alone' 'in-tree' 'xpv' 'ratio'
		jq -r --arg g $guest '
			.rates as $r |
			def v($guest; $pair; $job): ([$r[] | select(.guest == $guest and .pair == $pair and .job == $job) | .value] | first);
			[$r[] | select(.guest == $g and .pair == "xpv") | .job] | unique_by(.) | .[] as $job |
			[$job, v("dom0"; "limit"; $job), v($g; "limit"; $job), v($g; "linux"; $job), v($g; "xpv"; $job)] |
			. + [if .[3] and .[4] then .[4] / .[3] * 100 | round / 100 else null end] |
			map(. // "-" | tostring) | join(" ")' "$out" |
			while read -r job rates; do
				printf '%-22s' "$job"
				# shellcheck disable=SC2086
				printf ' %12s %12s %12s %12s %8s\n' $rates
			done
	done
	printf '\nfio in requests/s, tcp in Mbit/s, tcp-rr in bytes there and back per second, udp64 in packets/s at the\n'
	printf 'receiving driver; qd1-polled: our backend with poll_us=200; tcp-rr-polled: either pair with\n'
	printf 'net.core.busy_read=200 at both ends; cpus-N: 4k requests/s in real time, by guests of N CPUs; -: not measured\n'
	mixed
	transport
	printf '\n%-28s %-8s %12s %12s %12s\n' 'per operation, both sides' pair hypercalls events 'grant ops'
	jq -r '.per_operation | sort_by([.guest, .job, .pair])[] |
		[.guest + " " + .job, .pair, .hypercalls, .events, .grants] | @tsv' "$out" |
		while IFS=$'\t' read -r job pair calls events grants; do
			printf '%-28s %-8s %12.3f %12.3f %12.3f\n' "$job" "$pair" "$calls" "$events" "$grants"
		done
	printf '\nan operation is a request, a datagram, or 1448 bytes of a stream; grant ops of PVH guests are not seen\n'
}

# Our drivers with those of the kernel at the other end.
mixed() {
	printf '\n%-22s %12s %12s %8s %12s %8s\n' 'PV guest' 'in-tree' 'xpv frontend' ratio 'xpv backend' ratio
	jq -r '
		.rates as $r |
		def v($pair; $job): ([$r[] | select(.guest == "pv" and .pair == $pair and .job == $job) | .value] | first);
		$r[] | select(.pair == "xpv+linux") | .job as $job |
		[$job, v("linux"; $job), v("xpv+linux"; $job), v("linux+xpv"; $job)] | select(all) |
		[.[0], .[1], .[2], .[2] / .[1], .[3], .[3] / .[1]] | @tsv' "$out" |
		while IFS=$'\t' read -r job linux front front_ratio back back_ratio; do
			printf '%-22s %12.0f %12.0f %8.2f %12.0f %8.2f\n' "$job" "$linux" "$front" "$front_ratio" "$back" "$back_ratio"
		done
}

# What a request costs beyond what the guest does for it anyhow, which is its cost on a null_blk of
# the guest's own.
transport() {
	printf '\n%-28s %12s %12s %12s %8s\n' 'instructions per request' 'guest alone' 'in-tree' 'xpv' 'ratio'
	jq -r --argjson second $instructions_per_second '
		.rates as $r |
		def cost($guest; $pair; $job): ([$r[] | select(.guest == $guest and .pair == $pair and .job == $job) | .value] | first | if . then $second / . else null end);
		$r[] | select(.pair == "xpv" and (.job | test("qd[0-9]+$"))) | .guest as $g | .job as $job |
		cost($g; "limit"; $job) as $own | select($own) |
		[$own, cost($g; "linux"; $job) - $own, cost($g; "xpv"; $job) - $own] |
		. + [.[2] / .[1]] | [$g + " " + $job] + . | @tsv' "$out" |
		while IFS=$'\t' read -r job own linux xpv ratio; do
			printf '%-28s %12.0f %12.0f %12.0f %8.2f\n' "$job" "$own" "$linux" "$xpv" "$ratio"
		done
	printf '\nthe pairs without what the guest needs alone, on a null_blk of its own\n'
}

change() {
	printf '\n%-36s %12s %12s %8s\n' "since $BASE" before now ratio
	jq -r --slurpfile base "$BASE" '
		.rates[] | . as $n |
		($base[0].rates[] | select(.guest == $n.guest and .pair == $n.pair and .job == $n.job) | .value) as $was |
		select($was and .value) | [.guest + " " + .pair + " " + .job, $was, .value, .value / $was] | @tsv' "$out" |
		while IFS=$'\t' read -r what before now ratio; do
			printf '%-36s %12.0f %12.0f %8.2f\n' "$what" "$before" "$now" "$ratio"
		done
}

stage 'checking this machine'
need_host
need_packages
stage 'building'
mkdir -p build/bench
gcc -Wall -Wextra -Werror -O2 tests/bench/traceops.c -o build/bench/traceops
logged build/lab/image.log "$lab/image.sh" || die 'the image could not be built'
logged build/lab/build.log "$lab/build.sh" 6.12 || die 'the modules could not be built'
LAB_MODULES=$(tail -n 1 build/lab/build.log)
export LAB_MODULES
XPV_CLOCK=icount measure bench bench
LAB_DOM0_VCPUS=2 measure bench-cpus cpus
collect | to_json >"$out"
table
[ -z "${BASE-}" ] || change
printf '\nalso in %s; took %s\n' "$out" "$(elapsed)"
