# SPDX-License-Identifier: Apache-2.0
# The socket is there before the daemon, and stays when that goes.
. ./lib
plan 7

inode() { stat -c %i /run/zhouyid/zhouyid.sock; }
before=$(inode)
mark=$(now)

systemctl stop zhouyid.service 2>/dev/null
fails "the daemon does not run" 3 inactive is_active
ok "the socket is there" is_active zhouyid.socket
ok "a client starts the daemon and gets its answer" reads_an_a alice
ok "it runs now" is_active
passed() { said_since "$mark" -o cat | grep "listening on /run/zhouyid/zhouyid.sock" && [ ! -e /run/zhouyid/zhouyid.sock.lock ]; }
ok "it took the socket it was passed" passed
systemctl restart zhouyid.service
ok "a restart leaves the socket in place" test "$(inode)" = "$before"

# Each connects while there is no daemon, or while it starts.
waits()
{
	systemctl stop zhouyid.service 2>/dev/null
	for i in 1 2 3; do
		reads_an_a alice >/tmp/waits.$i 2>&1 &
		eval "pid$i=$!"
	done
	wait $pid1 && wait $pid2 && wait $pid3 || { cat /tmp/waits.*; return 1; }
}
ok "clients that come together while it is away are all served" waits
