#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How the daemon is, and why: what a health check of a container and a monitor get to see.
. "$(dirname "$0")/common"
plan 15

fails "without a daemon it is nothing" 3 "no daemon" $cli health
config=$dir/zhouyid.json
echo '{ "limits": { "sessions": 10 } }' >"$config"
start_daemon --config "$config"
said() { [ "$($cli health "$@")" = "$want" ]; }
json_says() { $cli --json health | tr -d ' \n' | grep -q "$1"; }
want=ready
ok "a daemon that has just started is ready" said
ok "for machines, too" json_says '"health":"ready","reasons":\[\]'
want=
ok "quietly, if asked" said --quiet

# A daemon that hangs.
kill -STOP "$daemon_pid"
fails "one that hangs is not waited for for ever" 3 "does not answer" $cli health --timeout 200ms
kill -CONT "$daemon_pid"
fails "how long must be a time" 2 "timeout" $cli health --timeout soon
fails "and nothing else is said" 2 "unexpected" $cli health now

# degraded REASON [COMMAND]: it says so, and fails.
degraded()
{
	$cli health >"$dir/health"
	[ $? -eq 1 ] && [ "$(head -1 "$dir/health")" = degraded ] && grep -q "^  .*$1" "$dir/health"
}
echo '{ "limits": { "sessions": "many" } }' >"$config"
kill -HUP "$daemon_pid"
ok "a configuration that is refused degrades it" eventually degraded "the configuration is refused"
ok "for machines, too" json_says '"health":"degraded","reasons":\["theconfiguration'
shown() { $cli status | grep -q "^  the configuration is refused"; }
ok "the status says why, too" shown
echo '{ "limits": { "sessions": 10 } }' >"$config"
kill -HUP "$daemon_pid"
want=ready
ok "until it is mended" eventually said

# Nobody is let in any more, until one leaves.
"$B/zhouyi-cc" --test-program 'delay 1000' --size 64 -o "$dir/delay.elf" || exit 1
head -c 64 /dev/urandom >"$dir/input"
pids=
for i in 1 2 3; do
	$cli stream "$dir/delay.elf" "$dir/input" --period 50ms >"$dir/stream.$i" 2>&1 &
	pids="$pids $!"
done
# Who asks is one, too; if there were no room for it, one of them might find none.
all_there() { [ "$(status_field sessions)" = 4 ]; }
eventually all_there
echo '{ "limits": { "sessions": 3 } }' >"$config"
kill -HUP "$daemon_pid"
full() { ! $cli status >"$dir/out" 2>&1; }
ok "there may be three clients" eventually full
fails "then its health cannot be asked either" 3 "" $cli health
kill -TERM ${pids%% *} ${pids##* }
wait ${pids%% *} ${pids##* } 2>/dev/null
ok "and afterwards it says that somebody was turned away" eventually degraded "clients are turned away: limits.sessions is reached"
kill -TERM $pids 2>/dev/null
wait $pids 2>/dev/null

ok "the daemon stops in order" stop_daemon
