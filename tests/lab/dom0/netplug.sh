# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# How a host plugs a vif in: by the distribution's scripts, by a name of its own, or from a domain that
# is not dom0. On the guest's second vif, as in net.sh.
# Sourced by check.sh, whose verdict() it uses.

# plugged NAME NET OPTION...: a vif that xl attaches so is there by that name, was told of, and carries.
plugged() {
	local name=$1 net=$2 uevents status=0
	shift 2
	: >/tmp/uevents
	busybox uevent sh -c 'echo "$ACTION $SUBSYSTEM $INTERFACE" >>/tmp/uevents' 3>&- &
	uevents=$!
	sleep 1
	timeout 60 xl network-attach guest type=vif "$@" || status=1
	sleep 1
	kill $uevents
	[ $status = 0 ] || { echo "xl network-attach failed"; return 1; }
	grep -x "add net vif$domid.1" /tmp/uevents || { cat /tmp/uevents; echo "no uevent tells of vif$domid.1"; return 1; }
	[ -e "/sys/class/net/$name" ] || { echo "no $name in dom0"; return 1; }
	net_up 1 "$net" && net_ping "$net" && guest_iperf "$net" 2 && guest_iperf "$net" 2 -R
}

unplugged() { # NAME
	detach_net && [ ! -e "/sys/class/net/$1" ] || { echo "dom0 still has $1"; return 1; }
}

net_vif_name() {
	plugged outside 1 bridge=xenbr0 vifname=outside || return
	[[ $(readlink /sys/class/net/outside/master) == */xenbr0 ]] || { echo "not on the bridge"; return 1; }
	unplugged outside
}

# No bridge: the script makes a route to the guest's address, and dom0 answers for its own.
net_vif_route() {
	local status=0
	[ -e /usr/sbin/ifconfig ] || ln -s /usr/bin/busybox /usr/sbin/ifconfig
	ip address add 10.0.9.1/32 dev lo
	plugged "vif$domid.1" 9 script=vif-route ip=10.0.9.2 gatewaydev=lo || status=1
	ip route show 10.0.9.2 | tee /tmp/route
	[ $status = 0 ] && grep -q "dev vif$domid.1" /tmp/route || { echo "no route to the guest"; status=1; }
	unplugged "vif$domid.1" || status=1
	ip address del 10.0.9.1/32 dev lo
	return $status
}

net_vif_openvswitch() {
	local status=0 ovs=/usr/share/openvswitch/scripts/ovs-ctl
	$ovs --system-id=lab --no-monitor start && ovs-vsctl add-br ovsbr0 && ip address add 10.0.8.1/24 dev ovsbr0 && ip link set ovsbr0 up ||
		{ echo "Open vSwitch does not start"; return 1; }
	plugged "vif$domid.1" 8 script=vif-openvswitch bridge=ovsbr0 || status=1
	ovs-vsctl list-ports ovsbr0 | grep -qx "vif$domid.1" || { echo "no port of the switch"; status=1; }
	unplugged "vif$domid.1" || status=1
	[ -z "$(ovs-vsctl list-ports ovsbr0)" ] || { echo "the switch still has a port"; status=1; }
	ovs-vsctl del-br ovsbr0
	$ovs stop
	return $status
}

# --- a driver domain ---
#
#   guest 10.0.7.2 -- driver's netback 10.0.7.1 | 10.0.0.7 driver's netfront -- dom0 10.0.0.1, 10.0.6.1

# in_driver COMMAND: in the driver domain, as guest() in the guest.
in_driver() {
	local domid=$driver
	guest "$@"
}

# Another guest, with both of our network drivers, which forwards.
driver_start() {
	sed 's/^name = .*/name = "driver"/; s/^memory = .*/memory = 256/; /^disk = /d' $lab/guest.cfg >$lab/driver.cfg
	echo 'driver_domain = 1' >>$lab/driver.cfg
	xl create $lab/driver.cfg >>$lab/out/xl.log 2>&1 || { tail -n 3 $lab/out/xl.log; echo "no second guest"; return 1; }
	driver=$(xl domid driver)
	domid=$driver answered 0 400 || { echo "the driver domain did not come up"; return 1; }
	in_driver 'echo "<1>lab: modules under test" >/dev/kmsg; cd /xpv && insmod xpv-ring.ko && insmod xpv-netfront.ko && insmod xpv-netback.ko && echo 1 >/proc/sys/net/ipv4/ip_forward
		for i in $(seq 200); do n=$(ls /sys/bus/xen/devices/vif-0/net) && [ "$n" ] && break; sleep 0.2; done
		ip addr add 10.0.0.7/24 dev $n && ip link set $n up && ip route add 10.0.6.1 via 10.0.0.1' || { echo "the driver domain has no network"; return 1; }
}

# What xl devd does there for a vif that is new, by the host's script: this end gets what it needs, and that is told.
driver_plugs() {
	in_driver "for i in \$(seq 200); do [ -e /sys/class/net/vif$domid.1 ] && break; sleep 0.2; done
		ip addr add 10.0.7.1/24 dev vif$domid.1 && ip link set vif$domid.1 up &&
		xenstore-write backend/vif/$domid/1/hotplug-status connected"
}

driver_attach() {
	driver_plugs >/tmp/driver.plug 2>&1 &
	timeout 60 xl network-attach guest type=vif backend=driver || { echo "xl network-attach failed"; return 1; }
	wait $! || { cat /tmp/driver.plug; echo "the driver domain has no vif$domid.1"; return 1; }
	net_up 1 7 && guest 'ip route add 10.0.6.1 via 10.0.7.1'
}

# And for one that goes: what is in xenstore of its end is the driver domain's to remove.
driver_unplugs() {
	in_driver "for i in \$(seq 200); do [ \"\$(xenstore-read backend/vif/$domid/1/state)\" = 6 ] && [ ! -e /sys/class/net/vif$domid.1 ] && break; sleep 0.2; done
		[ ! -e /sys/class/net/vif$domid.1 ] && xenstore-rm backend/vif/$domid/1"
}

driver_detach() {
	timeout 60 xl network-detach guest 1 || { echo "xl network-detach failed"; return 1; }
	until_ok 20 guest '[ ! -e /sys/bus/xen/devices/vif-1 ]' || { echo "the guest still has vif 1"; return 1; }
}

driver_dies() {
	local was=$driver
	xl destroy driver || return
	until_ok 20 gone "$was" || { echo "the driver domain stays as a zombie"; return 1; }
	until_ok 20 guest '[ "$(cat /sys/bus/xen/devices/vif-1/net/*/carrier)" = 0 ]' || { echo "the guest's link stays up"; return 1; }
	net_ping 0 || { echo "the other vif does not carry"; return 1; }
}

driver_carries() {
	local stat=/sys/class/net/vif$driver.0/statistics/rx_bytes from
	from=$(cat "$stat") && sleep 1 && [ $(($(cat "$stat") - from)) -gt 100000 ]
}

# When it dies the guest loses this link and nothing else; by the next one its connections go on.
driver_restarts() {
	local unplugs
	driver_start && driver_attach && net_ping 7 || return
	in_driver 'readlink /sys/bus/xen-backend/devices/vif-*/driver' | grep xpv-vif || { echo "the driver domain has another backend"; return 1; }
	net_job 6 && until_ok 20 driver_carries || { echo "no traffic through the driver domain"; return 1; }
	driver_dies && driver_detach && driver_start && driver_attach || return
	# Meanwhile TCP tries ever less often, in the end each two minutes.
	until_ok 240 driver_carries || { echo "no traffic through the second driver domain"; return 1; }
	guest_load_runs net || { echo "iperf3 ended early"; return 1; }
	net_job_stop
	driver_unplugs >/tmp/driver.plug 2>&1 &
	unplugs=$!
	driver_detach || return
	wait $unplugs || { cat /tmp/driver.plug; echo "the driver domain still has vif$domid.1"; return 1; }
}

net_driver_domain() {
	local driver='' turn status=1
	ip address add 10.0.6.1/32 dev lo
	ip route add 10.0.7.0/24 via 10.0.0.7
	# Again, if one of them died of the emulator.
	for turn in 1 2 3; do
		driver_restarts && status=0 && break
		emulator_failed driver || break
		driver_cleanup || break
	done
	driver_cleanup || status=1
	ip route del 10.0.7.0/24
	ip address del 10.0.6.1/32 dev lo
	return $status
}

driver_cleanup() {
	tidy
	net_server_stop
	! xl domid driver >/dev/null 2>&1 || xl destroy driver
	until_ok 20 gone "$driver" || { echo "the driver domain stays as a zombie"; return 1; }
	guest '[ ! -e /sys/bus/xen/devices/vif-1 ]' || driver_detach
}

# For those a minute each is not too much.
net_plugs() {
	verdict net-vif-name net_vif_name
	verdict net-vif-route net_vif_route
	verdict net-vif-openvswitch net_vif_openvswitch
	[ "$front:$back:$kind" != xpv:xpv:pv ] || verdict net-driver-domain net_driver_domain
}
