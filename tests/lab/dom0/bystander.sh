# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Another guest of the same dom0, that neither attacks nor is attacked: it verifies its disk and has a stream to
# dom0, through the same drivers, and must not notice. Sourced by check.sh, whose functions it uses.
#
#   /dev/bystander -- vbd 51728 -- its xvdb
#   xenbr0 10.0.2.1 -- its vif 0, 10.0.2.2
bystander=''

# beside FUNCTION...: with the bystander where the guest would be.
beside() {
	local domid=$bystander who=bystander
	"$@"
}

# What those have to do who are not to notice, without taking the CPUs: when those are short, a guest's xenwatch
# needs 100 ms for each change of a state.
verified_job() { echo "$(steady_job xvdb) --bsrange=4k-64k --rate_iops=10"; }
slow_stream() { net_job "$1" 2M; }

bystander_start() {
	[ ! -e $disk_config/bystander ] || drop_disk bystander
	make_disk bystander size=32 || return
	sed 's/^name = .*/name = "bystander"/; s,/dev/nullb0,/dev/bystander,' $lab/guest.cfg >$lab/bystander.cfg
	: >$lab/out/guest/guest-bystander.log
	patient create_guest bystander >>$lab/out/xl.log 2>&1 || { tail -n 3 $lab/out/xl.log; echo "no bystander"; return 1; }
	bystander=$(xl domid bystander)
	beside bring_up 2
}

bystander_load() { beside guest_load steady "$(verified_job)" && beside slow_stream 2; }

# What it finds wrong.
bystander_works() {
	beside guest_load_runs steady || { echo "fio ended"; return 1; }
	beside guest_load_runs net || { echo "iperf3 ended"; return 1; }
	beside moves && { until_ok 60 beside net_moves 0 || { echo "iperf3 stands still"; return 1; }; }
}

bystander_end() {
	beside guest_load_stop steady || { echo "the bystander's fio hangs"; return 1; }
	beside guest 'grep -q "err= 0" /tmp/steady.log' || { echo "the bystander's fio had errors"; return 1; }
	beside net_job_stop || { echo "the bystander's iperf3 hangs"; return 1; }
	beside guest_log_clean || return
	! debugging || nothing_told <$lab/out/guest/guest-bystander.log
}

bystander_stop() {
	local domid=$bystander who=bystander
	bystander=''
	net_server_stop
	mv $lab/out/guest/guest-bystander.log "$lab/out/guest/$pair-bystander.log"
	# It may have gone by itself.
	xl destroy bystander 2>/dev/null
	until_ok 20 gone "$domid" || { echo "the bystander stays as a zombie"; return 1; }
	until_ok 20 no_backend vbd 51728 && until_ok 20 no_backend vif 0 && drop_disk bystander || { echo "the bystander's backends stay"; return 1; }
}
