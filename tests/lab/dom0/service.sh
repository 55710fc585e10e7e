# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# xpv-blkd as systemd runs it, which is PID 1 of a namespace with nothing but the service. Sourced by check.sh, after
# blkd.sh.

in_systemd() { nsenter -t "$systemd" --pid --mount "$@"; }
service_pid() { in_systemd systemctl show -P MainPID xpv-blkd; }

begin_systemd() {
	local drop_in=/run/systemd/system/xpv-blkd.service.d
	install -m 644 -t /usr/lib/systemd/system $lab/blkd/xpv-blkd.service && mkdir -p $drop_in || return
	# Nothing else of a system is there; the watchdog is not waited for a minute.
	printf '%s\n' '[Unit]' DefaultDependencies=no '[Service]' WatchdogSec=$((5 * slow)) \
		"StandardOutput=append:$lab/out/blkd.log" StandardError=inherit >$drop_in/lab.conf
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup || return
	unshare --pid --uts --fork --mount --propagation private sh -c 'mount -t proc proc /proc && mount -t xenfs xenfs /proc/xen &&
		container=lab exec /usr/lib/systemd/systemd --unit=xpv-blkd.service' >$lab/out/systemd.log 2>&1 </dev/null 3>&- &
	until_ok 20 pgrep -P $! || { cat $lab/out/systemd.log; return 1; }
	systemd=$(pgrep -P $!)
	until_ok 60 in_systemd systemctl -q is-active xpv-blkd
}

# another_than PID: the service has been started again, and said that it is ready.
another_than() { [ "$(service_pid)" != "$1" ] && in_systemd systemctl -q is-active xpv-blkd; }

service_cared_for() {
	local what pid
	for what in 'systemctl restart xpv-blkd' 'kill -KILL' 'kill -STOP'; do
		sleep 2
		pid=$(service_pid) && [ "$pid" -gt 0 ] || { echo "the service does not run"; return 1; }
		[ "${what% *}" = kill ] && what+=" $pid"
		# shellcheck disable=SC2086
		in_systemd $what && until_ok 40 another_than "$pid" || { echo "after $what nobody serves"; return 1; }
	done
	in_systemd systemctl reload xpv-blkd && in_systemd systemctl -q is-active xpv-blkd
}

blkd_service() {
	local status=0 systemd=''
	stop_blkd || return
	begin_systemd && outlived service_cared_for && in_systemd systemctl stop xpv-blkd || status=1
	if [ -n "$systemd" ]; then
		[ $status = 0 ] || in_systemd systemctl --no-pager status xpv-blkd
		kill -KILL "$systemd"
	fi
	start_blkd && blkd_serves && return $status
}
