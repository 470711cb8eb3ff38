# SPDX-License-Identifier: Apache-2.0
# Reloading takes nothing from anybody, and a wrong configuration is not taken.
. ./lib
plan 17

drop=/etc/zhouyid/zhouyid.json.d/test.json
old=$(main_pid)
ok "the service can be reloaded" systemctl reload zhouyid
ok "it is the same daemon" test "$(main_pid)" = "$old"
ok "which works" reads_an_a alice

# A daemon that stands still reads nothing.
stands_still()
{
	kill -STOP "$old"
	systemctl reload zhouyid &
	reload=$!
	sleep 4
	kill -0 $reload && [ "$(systemctl is-active zhouyid)" = reloading ]
	r=$?
	kill -CONT "$old"
	wait $reload && return $r
}
ok "a reload is not over before the daemon has read the configuration" stands_still
at_once()
{
	for weight in 101 102 103 104 105; do
		echo '{ "access": { "user:root": { "weight": '$weight' } } }' >$drop
		systemctl reload zhouyid && zhouyi-cli --json whoami | grep "\"weight\": $weight" || return 1
	done
}
ok "when it is over, what was written is in effect" at_once

printf '{\n  "limits": { "sessions": "many" }\n}\n' >$drop
mark=$(now)
ok "a wrong configuration fails the reload" sh -c "! systemctl reload zhouyid"
named() { said_since "$mark" -o cat MESSAGE_ID="$(event 'The configuration was refused')" | grep "$drop:2: limits.sessions: "; }
ok "the journal names file, line and key" named
kill -HUP "$old"
degraded() { property StatusText | grep "^degraded: the configuration is refused"; }
ok "a daemon that is told to read it all the same says so in its status" eventually 20 degraded
ok "and to health checks" sh -c "! zhouyi-cli health && zhouyi-cli health | grep 'the configuration is refused'"
ok "the daemon keeps what it has" sh -c "zhouyi-cli --json whoami | grep '\"weight\": 105'"
ok "is the same" test "$(main_pid)" = "$old"
ok "and works" reads_an_a alice

restarts=$(property NRestarts)
ok "it does not start with it" sh -c "! systemctl restart zhouyid"
sleep 1
ok "and does not try again and again" test "$(property NRestarts)" = "$restarts"
rm $drop
systemctl reset-failed zhouyid.service zhouyid.socket
systemctl start zhouyid
ok "corrected, it starts" reads_an_a alice
ok "and all is well" test "$(property StatusText)" = ready
ok "for health checks, too" zhouyi-cli health
