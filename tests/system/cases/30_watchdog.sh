# SPDX-License-Identifier: Apache-2.0
# A daemon that makes no progress is restarted; one that does, is not.
. ./lib
plan 11

ok "the watchdog is on as the unit comes" test "$(property WatchdogUSec)" = 20s
drop_in <<-END
	[Service]
	WatchdogSec=4s
END
old=$(main_pid)
sleep 6
ok "a daemon with nothing to do makes progress" test "$(main_pid)" = "$old"

mark=$(now)
kill -STOP "$old"
ok "one that stands still is restarted" eventually 20 is_another "$old"
ok "because of the watchdog" sh -c "journalctl -q --since='$mark' | grep 'Watchdog timeout (limit 4s)'"
ok "and works again" reads_an_a alice

# The model's own first run is job 1. Neither abort nor reset helps, and reopening never does.
printf '%s\n' 'job 3 hang' 'job 3 abort-fails' 'job 3 soft-reset-fails' 'job 3 reset-fails' 'job 3 reopen-busy 1000000' \
	>/run/stuck.faults
drop_in <<-END
	[Service]
	WatchdogSec=20s
	ExecStart=
	ExecStart=/usr/sbin/zhouyid --device soft --fault-script /run/stuck.faults
END
old=$(main_pid)
mark=$(now)
ok "a device that keeps a request costs its owner that" sh -c "! runuser -u alice -- zhouyi-cli infer $models/glyphs.elf $examples/A.png --repeat 2"
ok "the daemon is restarted long before the watchdog's period is over" eventually 12 is_another "$old"
asked() { said_since "$mark" -o cat MESSAGE_ID="$(event 'The device keeps requests for ever')" | grep "asking to be restarted"; }
ok "it had asked for that, and said why" asked
ok "the device is given back, and works again" reads_an_a alice

rm /run/stuck.faults
drop_out
ok "without all that it runs as before" reads_an_a alice
ok "and nothing has failed" test -z "$(systemctl --failed --no-legend)"
