# SPDX-License-Identifier: Apache-2.0
# With the driver and a device, the node is the daemon's, and the service as it is installed drives it.
. ./lib
plan 12

extra=/lib/modules/$(uname -r)/extra
if [ ! -e modules/zhouyi.ko ]; then
	skip 12 "there are no headers of the guest's kernel to build the driver with"
	exit
fi
backend() { zhouyi-cli --json device | grep "\"backend\": \"$1\""; }
ok "without a device the daemon has a software NPU" backend soft

# As from a package: only the device is loaded here, and udev finds the driver for it.
mkdir -p "$extra"
cp modules/*.ko "$extra"
depmod
ok "a device appears" modprobe zhouyi_sim iommu=1
ok "with a node" eventually 20 test -c /dev/accel/accel0
udevadm settle
ok "that is the daemon's and nobody else's" test "$(stat -c '%U:%G %a' /dev/accel/accel0)" = "zhouyid:zhouyi 600"
udevadm test /sys/class/accel/accel0 >/tmp/udev 2>&1
ok "because of our rule" grep "60-zhouyi.rules:[0-9]* OWNER" /tmp/udev
ok "in which udev finds nothing wrong" sh -c "! grep -iE '60-zhouyi.rules.*(invalid|unknown|fail|ignor)' /tmp/udev"
opens() { as alice sh -c ': <>/dev/accel/accel0'; }
fails "who may use the NPU may not open it" 2 "ermission denied" opens

systemctl restart zhouyid
ok "the daemon takes it" backend drm
ok "and an unprivileged user runs a network on it" reads_an_a alice
has_it() { readlink "/proc/$(main_pid)/fd"/* | grep -x /dev/accel/accel0; }
ok "through the node" has_it

systemctl stop zhouyid
# Its IOMMU keeps the simulator's module as long as the device is plugged in.
unplugged() { echo 1 >/sys/kernel/debug/zhouyi_sim/unplug && eventually 10 test ! -e /dev/accel/accel0; }
ok "with the device its node goes" unplugged
modprobe -r zhouyi zhouyi_sim
rm -r "$extra"
depmod
systemctl start zhouyid
ok "and without a device there is the software NPU again" backend soft
