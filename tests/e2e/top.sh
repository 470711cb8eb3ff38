#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# top: what it shows, to whom, and that it outlives the daemon.
. "$(dirname "$0")/common"
plan 25

"$B/zhouyi-cc" --test-program 'delay 20000' --size 64 -o "$dir/delay.elf" || exit 1
head -c 64 /dev/urandom >"$dir/input"
chmod 755 "$dir"
echo '{ "socket_mode": "0666" }' >"$dir/zhouyid.json"

fails "without a daemon it does not begin" 3 "no daemon" $cli top --batch
start_daemon --config "$dir/zhouyid.json"
fails "a delay must be a time" 2 "--delay" $cli top -d never
fails "and long enough to do something else meanwhile" 2 "--delay" $cli top -d 1ms
fails "a count must be a number" 2 "--count" $cli top -n 0
fails "an order must be one" 2 "--sort" $cli top --sort size

pids=
for i in 1 2; do
	$cli stream "$dir/delay.elf" "$dir/input" --period 50ms --frames 100000 >"$dir/stream.$i" 2>&1 &
	pids="$pids $!"
done
at_work() { [ "$(status_field succeeded)" -ge 4 ]; }
ok "two clients are at work" eventually at_work

# Batch.
$cli top -b -n 2 -d 0.5 >"$dir/text"
ok "in a batch it looks as often as it is told" [ "$(grep -c '^zhouyid: ready' "$dir/text")" = 2 ]
ok "at cores" grep -q '^  0 \[.*\] .*% *1 \[' "$dir/text"
ok "at clients, with what they do" grep -Eq "^zhouyi-cli +${pids##* } +$(id -u) .* [1-9][0-9.]* +0\.0 +[1-9][0-9.]* +[0-9.]+ ms" "$dir/text"
ok "at models" grep -Eq "^delay\.elf +[0-9a-f]{12} +2 +[1-9]" "$dir/text"
ok "and at classes" grep -Eq "^interactive .* [1-9][0-9.]* +[1-9]" "$dir/text"
narrow() { ! LC_ALL=C grep -q '.\{81\}' "$dir/text"; }
ok "in 80 columns" narrow
$cli top -n 1 -d 0.2 | cat >"$dir/text"
no_escapes() { ! LC_ALL=C grep -q "$(printf '\033')" "$dir/text" && grep -q CLIENT "$dir/text"; }
ok "without a terminal it is a batch, too" no_escapes

# For machines.
$cli top --json -n 3 -d 0.3 >"$dir/json"
ok "for machines there is a line for each look" [ "$(wc -l <"$dir/json")" = 3 ]
each() { [ "$(grep -c "$1" "$dir/json")" = 3 ]; }
ok "with all there is" each '^{"health":"ready".*"interval_ns":[1-9].*"cores":\[{.*"busy":.*"clients":\[{"session":.*"models":\[{"name":"delay.elf"'

# On a terminal.
on_terminal()
{
	# A terminal without a size has 80 columns and 24 lines.
	(sleep 1; printf 'm'; sleep 0.5; printf 'n'; sleep 0.5; printf 'q'; sleep 1) |
		TERM=xterm timeout 20 script -qec "$cli top -d 0.3" /dev/null >"$dir/screen" 2>&1
}
esc=$(printf '\033')
if command -v script >/dev/null; then
	ok "on a terminal it ends with q" on_terminal
	has() { LC_ALL=C grep -qF -- "$1" "$dir/screen"; }
	ok "it uses a screen of its own" has "${esc}[?1049h"
	ok "gives it back" has "${esc}[?1049l"
	ok "and takes keys" has "sorted by name"
	interrupted()
	{
		: >"$dir/screen"
		TERM=xterm timeout 20 script -qec "$cli top -d 30 & p=\$!; sleep 1; kill -TERM \$p; wait \$p" /dev/null \
			>"$dir/screen" 2>&1 </dev/null
		has "${esc}[?1049l"
	}
	ok "it gives it back if it is killed, too" interrupted
else
	skip 5 "there is no script(1) here"
fi

# Who has no right over others sees that there are some, and not who.
cp "$B/zhouyi-cli" "$B/libzhouyi-client.so.1" "$dir/"
stranger() { setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/zhouyi-cli" --socket "$sock" "$@"; }
if [ "$(id -u)" = 0 ] && stranger version >/dev/null 2>&1; then
	stranger top --json -n 1 -d 0.3 >"$dir/json"
	summed_up() { grep -q '"clients":\[{"session":[0-9]*,"name":"zhouyi-cli","pid":[0-9]*,"uid":65534,[^}]*},{"others":2,"queued"' "$dir/json"; }
	ok "others are summed up for who has no right over them" summed_up
	not_named() { ! grep -q "delay.elf\|\"pid\":${pids##* }," "$dir/json" && grep -q '"models":\[{"others":1,' "$dir/json"; }
	ok "and so are their models" not_named
else
	skip 2 "only root can be somebody else"
fi

# The daemon goes and comes back.
$cli top --batch -d 0.2 >"$dir/text" 2>"$dir/err" &
top_pid=$!
seen() { [ "$(grep -c "$1" "$dir/text")" -gt "${2-0}" ]; }
eventually seen "zhouyid: ready"
kill -TERM $pids
wait $pids 2>/dev/null
stop_daemon
ok "if the daemon goes it waits" eventually seen "zhouyid is not running: waiting"
before=$(grep -c "zhouyid: ready" "$dir/text")
start_daemon --config "$dir/zhouyid.json"
ok "and goes on when it is back" eventually seen "zhouyid: ready" "$before"
kill -TERM $top_pid
wait $top_pid 2>/dev/null
ok "the daemon stops in order" stop_daemon
