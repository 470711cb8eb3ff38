# SPDX-License-Identifier: Apache-2.0
# Reloading takes nothing from anybody, and a wrong configuration is not taken.
. ./lib
plan 10

drop=/etc/zhouyid/zhouyid.json.d/test.json
old=$(main_pid)
ok "the service can be reloaded" systemctl reload zhouyid
ok "it is the same daemon" test "$(main_pid)" = "$old"
ok "which works" reads_an_a alice

printf '{\n  "limits": { "sessions": "many" }\n}\n' >$drop
mark=$(now)
ok "a wrong configuration fails the reload" sh -c "! systemctl reload zhouyid"
named() { said_since "$mark" -o cat MESSAGE_ID="$(event 'The configuration was refused')" | grep "$drop.*limits.sessions"; }
ok "the journal names file and key" named
ok "the daemon keeps what it has" test "$(main_pid)" = "$old"
ok "and works" reads_an_a alice

restarts=$(property NRestarts)
ok "it does not start with it" sh -c "! systemctl restart zhouyid"
sleep 1
ok "and does not try again and again" test "$(property NRestarts)" = "$restarts"
rm $drop
systemctl reset-failed zhouyid.service zhouyid.socket
systemctl start zhouyid
ok "corrected, it starts" reads_an_a alice
