# SPDX-License-Identifier: Apache-2.0
# Without the NPU that was asked for there is no service; when one appears, there is.
. ./lib
plan 8

mark=$(now)
drop_in <<-END
	[Service]
	ExecStart=
	ExecStart=/usr/sbin/zhouyid --device drm
END
ok "it ends, and says by its status why" test "$(property ExecMainStatus)" = 5
ok "and in the journal" sh -c "journalctl -q --since='$mark' MESSAGE_ID=$(event 'There is no device to use') | grep 'device .drm. cannot be opened'"
sleep 1
ok "it is not tried again and again" test "$(property NRestarts)" = 0
drop_out
ok "with the usual device it is back" reads_an_a alice

# A device node like any other, under the name that the NPU has.
systemctl stop zhouyid.service
mkdir -p /run/udev/rules.d
echo 'SUBSYSTEM=="mem", KERNEL=="null", SYMLINK+="accel/accel0", TAG+="systemd"' >/run/udev/rules.d/99-test.rules
udevadm control --reload
ok "without a client and an NPU it stays down" sh -c '! systemctl is-active zhouyid.service'
udevadm trigger --settle /sys/class/mem/null
ok "a node appears where the NPU's would" test -c /dev/accel/accel0
ok "the service manager sees it" eventually 5 is_active dev-accel-accel0.device
ok "and starts the service" eventually 10 is_active
rm /run/udev/rules.d/99-test.rules
udevadm control --reload
udevadm trigger --settle /sys/class/mem/null
