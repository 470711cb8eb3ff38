# SPDX-License-Identifier: Apache-2.0
# Metrics under the unit as it is installed: from the daemon's own socket, and from those that systemd makes for it.
. ./lib
plan 20

url=http://127.0.0.1:9464/metrics
loopback() { busybox wget -q -O - $url; }
answered() { zhouyi-cli metrics | sed -n 's/^zhouyid_requests_answered_total //p'; }
silent() { "$@" 2>&1 | { ! grep .; } && "$@"; }

reads_an_a alice >/dev/null
ok "nothing was added to the unit" test -z "$(property DropInPaths)"
ok "systemd finds nothing wrong with the socket's unit" silent systemd-analyze --man=no verify zhouyid-metrics.socket
ok "there is a socket for the daemon's own group" \
	test "$(stat -c '%U:%G %a' /run/zhouyid/metrics.sock)" = "zhouyid:zhouyid 660"
ok "root gets metrics from it" sh -c 'zhouyi-cli metrics | grep "^zhouyid_build_info{"'
fails "a member of the group zhouyi does not" 3 "no permission" as alice zhouyi-cli metrics
before=$(answered)
reads_an_a alice >/dev/null
ok "a request counts" test "$(answered)" = $((before + 1))

fails "there is nothing on the loopback" 1 "refused" loopback
ok "unless the socket's unit is enabled" systemctl enable zhouyid-metrics.socket
ok "and the daemon restarted" systemctl restart zhouyid
ok "then they are together" sh -c 'systemctl is-active zhouyid.service zhouyid-metrics.socket'
there() { loopback | grep '^zhouyid_health{state="ready"} 1'; }
ok "then the loopback has them" there
ok "although the daemon has no network of its own" test "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$(main_pid)/ns/net")"
ok "and the socket is still there" sh -c 'zhouyi-cli metrics | grep "^zhouyid_build_info{"'

# The socket's unit is stopped after it.
systemctl stop zhouyid.service 2>/dev/null
eventually 20 sh -c '! systemctl -q is-active zhouyid-metrics.socket'
fails "looking at them does not start a daemon that was stopped" 1 "refused" loopback
fails "so it stays down" 3 inactive is_active
ok "a client does" reads_an_a alice
ok "and they are there again" there

# Somebody else may have a socket of their own.
mkdir -p /run/systemd/system/zhouyid-metrics.socket.d
cat >/run/systemd/system/zhouyid-metrics.socket.d/test.conf <<'END'
[Socket]
ListenStream=
ListenStream=/run/zhouyid/metrics.sock
SocketGroup=zhouyi
SocketMode=0660
END
systemctl daemon-reload
systemctl restart zhouyid
ok "another group may be given a socket" sh -c 'runuser -u alice -- zhouyi-cli metrics | grep "^zhouyid_build_info{"'
ok "others still may not" sh -c '! runuser -u mallory -- zhouyi-cli metrics'

# First: systemd forgets what it listens on when it is told to listen elsewhere, and leaves the file.
systemctl stop zhouyid-metrics.socket 2>/dev/null
systemctl disable zhouyid-metrics.socket 2>/dev/null
rm -r /run/systemd/system/zhouyid-metrics.socket.d
systemctl daemon-reload
systemctl restart zhouyid
as_before() { is_active && ! loopback && [ "$(stat -c '%U:%G' /run/zhouyid/metrics.sock)" = zhouyid:zhouyid ]; }
ok "all is as it was" as_before
