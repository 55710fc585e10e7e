# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What is measured of disks, and when. Sourced by the bench's scenarios, after lib.sh.
seconds=3

fail() {
	say "fail $*"
	exit 1
}

# name, fio's rw, block size, depth
block_jobs='
randread-4k-qd32 randread 4k 32
randwrite-4k-qd32 randwrite 4k 32
randread-4k-qd1 randread 4k 1
read-128k-qd32 read 128k 32
write-128k-qd32 write 128k 32'

# What still settles after a guest's start would be counted with the first job: wait until
# dom0 has been idle for 98 % of a second.
idle() {
	local from to
	from=$(awk '$1 == "cpu" { print $5 }' /proc/stat)
	sleep 1
	to=$(awk '$1 == "cpu" { print $5 }' /proc/stat)
	[ $((to - from)) -ge 98 ]
}

rest() { until_ok 60 idle || fail 'dom0 does not come to rest'; }
