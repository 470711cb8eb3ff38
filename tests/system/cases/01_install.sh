# SPDX-License-Identifier: Apache-2.0
# The packages are installed, and everything is where a service has it.
. ./lib
plan 13

# What is there now has to be all that is there at the end: see 99_purge.sh.
find / -xdev | sort >/root/files.before
udmabuf_group=$(stat -c %G /dev/udmabuf)

ok "the packages can be installed" dpkg -i debs/*.deb
ok "the service runs at once" is_active
ok "and will after the next start of the machine" systemctl is-enabled zhouyid.service zhouyid.socket
has_user() { getent passwd zhouyid | grep ':/usr/sbin/nologin$' && getent group zhouyi; }
ok "the daemon has a user who cannot log in, and clients have a group" has_user
ok "that is whom it runs as" test "$(stat -c %U "/proc/$(main_pid)")" = zhouyid
ok "members of the group may connect, others not" \
	test "$(stat -c '%U:%G %a' /run/zhouyid/zhouyid.sock)" = "root:zhouyi 660"
ok "the daemon cannot replace the socket" test "$(stat -c '%U:%G %a' /run/zhouyid)" = "root:zhouyid 1775"
ok "memory can be shared with other devices" \
	test "$(stat -c '%U:%G %a' /dev/udmabuf)" = "zhouyid:$udmabuf_group 660"

ok "it can be stopped" systemctl stop zhouyid.socket zhouyid.service
fails "and then is" 3 inactive is_active
ok "it can be started" systemctl start zhouyid
ok "and then is ready" is_active

# The next version, as far as dpkg can tell.
reinstalled() { old=$(main_pid); inode=$(stat -c %i /run/zhouyid/zhouyid.sock); dpkg -i debs/zhouyid_*.deb && is_another "$old" &&
	[ "$(stat -c %i /run/zhouyid/zhouyid.sock)" = "$inode" ]; }
ok "an update restarts it, and keeps the socket" reinstalled

useradd -G zhouyi alice
useradd mallory
mkdir -p $models
chmod 755 $models
zhouyi-cc $examples/glyphs.tflite -o $models/glyphs.elf
install inflight $models
