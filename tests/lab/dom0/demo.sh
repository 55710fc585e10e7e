#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The demo's part in dom0: fio and iperf3 in one guest, then which drivers did it.
# shellcheck source=tests/lab/dom0/lib.sh
. /run/lab/dom0/lib.sh

fail() {
	local died
	died=$(guest_died)
	say "fail $*${died:+; $died}"
	exit 1
}

block() { # NAME RW BS
	local rate
	rate=$(guest_fio xvdb "$2" "$3" 32 4) || fail "fio $1 gave no result"
	guest_verify xvdb "$2" "$3" || { tail -n 20 $lab/out/verify.log; fail "fio $1: verification failed"; }
	say "result $1 ${rate% *} ${rate#* } - ok"
}

net() { # NAME [IPERF OPTION]
	local rate
	rate=$(guest_iperf 0 4 "${2-}") || fail "iperf3 $1 gave no result"
	say "result $1 - - $rate -"
}

exec >$lab/out/demo.log 2>&1
load_back "$BACK" || fail "the $BACK backend modules do not load"
stage "starting a $GUEST guest, frontends $FRONT, backends $BACK"
start_guest "$GUEST" "$FRONT" "$BACK" >$lab/out/start.log ||
	fail "the guest did not start: $(tail -n 1 $lab/out/start.log)"
stage 'fio on xvdb, each job with a crc32c verify pass'
block 4k_randread randread 4k
block 4k_randwrite randwrite 4k
block 128k_read read 128k
block 128k_write write 128k
stage 'iperf3 over eth0'
net 'guest->dom0'
net 'dom0->guest' -R
stage 'collecting evidence and kernel logs'
evidence | while read -r line; do
	say "evidence $line"
done
dom0_log_clean || fail "dom0's kernel log is not clean"
guest_log_clean || fail "the guest's kernel log is not clean"
stop_guest || fail "the guest could not be destroyed"
unload_back "$BACK" || fail "the $BACK backend modules do not unload"
