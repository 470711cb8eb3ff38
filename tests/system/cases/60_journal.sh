# SPDX-License-Identifier: Apache-2.0
# What an administrator may have to act on can be found in the journal, and is explained.
. ./lib
plan 6

mark=$(now)
systemctl restart zhouyid
entries() { said_since "$mark" -o export MESSAGE_ID="$(event 'The NPU can be used')"; }
found() { entries | grep -a "^MESSAGE=listening on"; }
ok "an event is found by its identifier" found
field() { entries | grep -ax "$1"; }
ok "with its priority" field PRIORITY=6
ok "and its name" field SYSLOG_IDENTIFIER=zhouyid
ok "and its unit, which journald knows by itself" field _SYSTEMD_UNIT=zhouyid.service
explained() { said_since "$mark" -x | grep -e "-- Subject: The NPU can be used"; }
ok "the catalog explains it" explained
all_known()
{
	sed -n 's/^-- //p' /usr/lib/systemd/catalog/zhouyid.catalog | while read -r id; do
		journalctl --list-catalog "$id" | grep -q "^$id zhouyid: " || echo "$id is missing"
	done | { ! grep .; }
}
ok "the catalog knows every event" all_known
