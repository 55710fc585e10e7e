# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a kernel with checks (debug-kernel.sh) has to say in the end, of dom0 and of the guest. It is
# not made to panic, so that all of it is heard. Sourced by check.sh, whose verdict() it uses.
debugging() { [ -n "${DEBUG_KERNEL-}" ]; }

# The guest's console is its log: it outlives the guest, and nobody clears it.
! debugging || GUEST_MEMORY=768 GUEST_CMDLINE+=' loglevel=7 kasan_multi_shot'

# As standard input has it: all since the first mark, other than what rogues make Xen's part say.
nothing_told() {
	! tr -d '\r' | sed "1,/lab: modules under test/d;$not_ours_in_dom0" | grep -av 'grant_table: WARNING: g.e. 0x[0-9a-f]* still in use' |
		grep -aE "${bad_log%|still in use*}|UBSAN|KASAN|ODEBUG"
}

dom0_told_nothing() { dmesg | nothing_told; }
guest_told_nothing() { nothing_told <$lab/out/guest/guest-guest.log; }

# After its first report lockdep is silent, as it is when it has no room left.
locks_watched='grep -qE "^ *debug_locks: *1$" /proc/lockdep_stats || { echo "lockdep has given up"; exit 1; }'
dom0_locks_watched() { bash -c "$locks_watched"; }
guest_locks_watched() { guest "$locks_watched"; }

# Somebody may be just moving a pointer: what is lost is so in two scans, and not younger than 5 s.
leaks='k=/sys/kernel/debug/kmemleak; [ -e $k ] || mount -t debugfs none /sys/kernel/debug
	sleep 6; echo scan >$k && echo scan >$k || { echo "kmemleak has given up"; exit 1; }'
# What the kernel lost while it booted is not for us to mend. Probes, and modules that are loaded, come again after this.
forget_leaks="$leaks; echo clear >\$k"
# show_leaks PATTERN: all but those that are like it.
show_leaks() { echo "$leaks; awk -v RS='unreferenced object' 'NR > 1 && !($1) { print; n++ } END { exit n > 0 }' \$k"; }
# The bus forgets the other end's path when a probe fails, as it is made to (fault.sh).
forgotten_path='/2f 6c 6f 63 61 6c 2f 64/ && /xenbus_thread/'

dom0_leaks_forgotten() { bash -c "$forget_leaks"; }
guest_leaks_forgotten() { guest "$forget_leaks"; }
dom0_no_leak() { bash -c "$(show_leaks "${1-$forgotten_path}")" || { echo "dom0 has lost memory"; return 1; }; }
guest_no_leak() { guest "$(show_leaks "${1-$forgotten_path}")" || { echo "the guest has lost memory"; return 1; }; }
no_leak_at_all() { dom0_no_leak 0 && guest_no_leak 0; }

debug_begin() {
	! debugging || verdict debug-begin dom0_leaks_forgotten
}

debug_guest_begin() {
	! debugging || verdict debug-guest-begin guest_leaks_forgotten
}

# Before memory is refused.
debug_unharmed() { verdict debug-unharmed-leaks no_leak_at_all; }

debug_guest_end() {
	debugging || return 0
	verdict debug-guest-locks guest_locks_watched
	verdict debug-guest-leaks guest_no_leak
}

debug_end() { # WHEN
	debugging || return 0
	verdict "debug-$1-locks" dom0_locks_watched
	verdict "debug-$1-leaks" dom0_no_leak
	verdict "debug-$1-log" dom0_told_nothing
}
