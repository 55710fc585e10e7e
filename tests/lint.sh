#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The house rules that a grep can hold. Prints `pass lint/RULE`, or `fail lint/RULE where`
# with all the places behind it on standard error.
set -u
cd "$(dirname "$0")/.."
status=0
code=(include ring backend frontend userspace-backend)

# rule NAME COMMAND...: every line the command prints offends.
rule() {
	local name=$1 found
	shift
	found=$("$@")
	if [ -z "$found" ]; then
		echo "pass lint/$name"
	else
		status=1
		echo "fail lint/$name $(head -n 1 <<<"$found")"
		sed 's/^/    /' <<<"$found" >&2
	fi
}

tracked() { git ls-files -co --exclude-standard -- "$@"; }

without_spdx() {
	tracked '*.c' '*.h' '*.sh' Kbuild Makefile | while read -r f; do
		head -n 2 "$f" | grep -q SPDX-License-Identifier || echo "$f"
	done
}

shared() { grep -rnE --include='*.[ch]' "$1" include ring | grep -v '^ring/os/'; }

# Within the five lines above a barrier of the ring stands whom it pairs with.
unpaired() {
	grep -rlE 'virt_(mb|store_release|load_acquire)\(' "${code[@]}" | grep -v '^ring/os/' | while read -r f; do
		awk -v f="$f" '
			{ line[NR] = $0 }
			/virt_(mb|store_release|load_acquire)\(/ && !/^[ \t]*\/?\*/ {
				ok = 0
				for (i = NR - 5; i < NR; i++)
					ok = ok || line[i] ~ /Pairs with/
				if (!ok)
					print f ":" NR ": " $0
			}' "$f"
	done
}

# In the lab a file that bash does not take is a file whose tests are not played.
bad_shell() { tracked '*.sh' | while read -r f; do bash -n "$f" 2>&1; done; }

# Where there is systemd to ask. It would look for the program, and for what starts others.
bad_service() {
	command -v systemd-analyze >/dev/null || return
	local dir
	dir=$(mktemp -d)
	sed 's|=/usr/sbin/xpv-blkd$|=/bin/true|' userspace-backend/xpv-blkd.service >"$dir/xpv-blkd.service"
	systemd-analyze verify --man=no "$dir/xpv-blkd.service" 2>&1 | grep xpv-blkd
	systemd-analyze security --offline=true --threshold=30 "$dir/xpv-blkd.service" >/dev/null 2>&1 || echo "xpv-blkd.service may do more than it needs"
	rm -r "$dir"
}

long_files() { tracked '*.c' '*.h' '*.sh' | xargs wc -l | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }'; }

# The lab's files are read by one shell: of two functions of a name, one would be lost.
same_name() { grep -noE '^[a-z_0-9]+\(\)' tests/lab/dom0/*.sh | awk -F: '{ if ($3 in at) print $1 ":" $2 ": " $3 " as in " at[$3]; at[$3] = $1 }'; }

other_version() {
	local version
	version=$(sed -n 's/.*XPV_VERSION\t"\(.*\)"/\1/p' include/xpv/version.h)
	grep -qx "PACKAGE_VERSION=$version" dkms.conf || echo "dkms.conf has not $version"
	grep -q "/xpv-$version\|xpv-$version/" README.md || echo "README.md has not $version"
}

rule spdx without_spdx
rule one-source shared __KERNEL__
rule virt-barriers shared '\bsmp_(mb|rmb|wmb|store_release|load_acquire)\('
rule barriers-paired unpaired
rule no-bug grep -rInE '\bBUG(_ON)?\(' "${code[@]}"
rule no-version-if grep -rInE 'LINUX_VERSION_CODE|KERNEL_VERSION' "${code[@]}"
rule no-updir-include grep -rIn '#include "\.\./' "${code[@]}"
rule backend-apart grep -rnE 'include [<"].*(netfront|blkfront)' backend
rule frontend-apart grep -rnE 'include [<"].*(netback|blkback)' frontend
rule lab-names same_name
rule userspace-apart grep -rnE 'include [<"](net|blk)(back|front)' userspace-backend
rule shell-syntax bad_shell
rule service bad_service
rule file-size long_files
rule version other_version
exit $status
