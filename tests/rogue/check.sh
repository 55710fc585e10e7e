#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check.sh SECONDS [SEED]: all lying peers against all that can be lied to: those of the scripts, then for so
# many seconds each that lie at random; then README.md's tables, with what became of each row. A line per test, as
# make check has it. Fails if one of them does, or a row has a hole.
. "$(dirname "$0")/../lab/common.sh"
cd "$top"
host_packages+=("${user_packages[@]}" libcmocka-dev nbdkit qemu-utils)
rogue=$top/tests/rogue
results=build/rogue/results
stage_total=3
seed=${2:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}

# What the tables name, that is no script.
named() { grep -oE '`[a-z][a-z0-9_*-]+`' "$rogue/README.md" | tr -d '`' | sort -u; }

# The pairing in which each part is the victim, or any that has the test.
victims() { # PART
	case $1 in
	xpv-blkback | xpv-netback) echo pv:xpv:xpv ;;
	xpv-blkd) echo pv:xpv:blkd ;;
	*) echo pv:xpv:linux ;;
	esac
}

# became PATTERN PAIRING: the worst of all tests that it is for.
became() {
	awk -v name="$1" -v pair="$2" '
		BEGIN { gsub(/\*/, ".*", name) }
		{ test = $2; own = sub("^lab/" pair "/", "", test); sub("^lab/[^/]*/", "", test) }
		# Of another pairing, only what was not played in its own.
		test ~ "^" name "$" { if (own) seen[$1]++; else other[$1]++ }
		END {
			n = seen["pass"] + seen["fail"] + seen["skip"]
			if (n ? seen["fail"] : other["fail"]) print "FAIL"
			else if (n ? seen["pass"] : other["pass"]) print "pass"
			else print "HOLE"
		}' "$results"
}

# One cell of a table: what became of all it names. README.md says why it names none.
cell() { # TEXT PART
	local name all=''
	case $1 in -*) echo -; return ;; esac
	for name in $(grep -oE '`[^`]+`' <<<"$1" | tr -d '`'); do
		case $name in
		*/*) name=rogue-${name//\//-} ;;
		test_*) name="${name#test_}/*" ;;
		esac
		all+=" $(became "$name" "$(victims "$2")")"
	done
	case $all in *FAIL*) echo FAIL ;; *HOLE* | '') echo HOLE ;; *) echo pass ;; esac
}

tables() {
	local line i parts cells
	while IFS= read -r line; do
		IFS='|' read -ra cells <<<"$line"
		case $line in
		'| advisory |'*)
			parts=("${cells[@]// /}")
			printf '\n%-36s' advisory
			printf '%-14s' "${parts[@]:2}"
			;;
		'| '*)
			printf '%-36s' "${cells[1]# }"
			for ((i = 2; i < ${#parts[@]}; i++)); do
				printf '%-14s' "$(cell "${cells[i]# }" "${parts[i]}")"
			done
			;;
		*) continue ;;
		esac
		echo
	done <"$rogue/README.md"
}

mkdir -p build/rogue
: >"$results"
stage 'checking this machine'
need_host
need_packages
stage 'unit tests'
make -s -k -j2 unit 2>&1 | tee -a "$results" | grep -v '^pass' || true
stage "lab: lying peers; at random from seed $seed"
set -f
names=$(named)
LAB_LONG=1 LAB_PAIRS='pv:xpv:xpv pv:xpv:linux pv:xpv:blkd' LAB_RANDOM=$1 LAB_SEED=$seed \
	LAB_TESTS="drivers rogue-* logs* no-grant-left $names" "$lab/check.sh" | tee -a "$results" || true
tables | tee build/rogue/tables
printf '\nseed %s: %s passed, %s failed, %s skipped\n' "$seed" "$(grep -c '^pass ' "$results")" \
	"$(grep -c '^fail ' "$results")" "$(grep -c '^skip ' "$results")"
! grep -qE '^fail ' "$results" && ! grep -qE 'HOLE|FAIL' build/rogue/tables
