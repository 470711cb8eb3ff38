#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Metrics: they agree with what happened, promtool has nothing to say about them, and whoever asks for them, however badly,
# disturbs nobody.
. "$(dirname "$0")/common"
plan 40

http=$B/tests/e2e/http
at=$dir/metrics.sock
promtool=$(tests/e2e/promtool 2>"$dir/why") || promtool=

"$B/zhouyi-cc" --test-program 'delay 200; copy' --size 64 -o "$dir/copy.elf" || exit 1
"$B/zhouyi-cc" --test-program hang --size 64 -o "$dir/hang.elf" || exit 1
head -c 64 /dev/urandom >"$dir/input"
limit_ms=$((100 * slow))
cat >"$dir/config.json" <<END
{
	"watchdog": { "floor_ms": $limit_ms, "ceiling_ms": $limit_ms, "warm_up_ms": 0 },
	"quarantine": { "strikes": 2, "first_ms": 60000 },
	"limits": { "sessions": 20, "queued_per_session": 4 }
}
END
echo 'job 3 exception' >"$dir/faults"

# scrape: to $dir/text.
scrape() { $cli metrics >"$dir/text"; }
# is SERIES VALUE: as of the latest scrape.
is()
{
	got=$(grep -v '^#' "$dir/text" | grep -F "zhouyid_$1 " | sed 's/.* //')
	[ "$got" = "$2" ] || { echo "$1: '$got' instead of $2"; return 1; }
}
# sum SERIES: of all its labels.
sum() { grep "^zhouyid_$1[{ ]" "$dir/text" | awk '{ n += $NF } END { print n + 0 }'; }
clean()
{
	scrape && "$promtool" check metrics <"$dir/text" >"$dir/said" 2>&1 && [ ! -s "$dir/said" ] || { cat "$dir/said"; return 1; }
}
check_text()
{
	if [ -n "$promtool" ]; then ok "$1" clean; else skip 1 "$(cat "$dir/why")"; fi
}
infer() { $cli infer "$@" >"$dir/result" 2>&1; }

start_daemon --config "$dir/config.json" --fault-script "$dir/faults"
ok "there is a socket for metrics" test -S "$at"
ok "which is not for everybody" test "$(stat -c %a "$at")" = 660
ok "metrics can be had" scrape
ok "before there was any request" is 'requests_answered_total' 0
ok "the daemon is ready" is 'health{state="ready"}' 1
check_text "promtool finds nothing wrong with that"

# Jobs of the device: 1 and 2, then 3, which faults, and so on; the last ones hang.
ok "requests are made" infer "$dir/copy.elf" "$dir/input" --repeat 2 --priority realtime
fails "one faults" 1 "faulted" $cli infer "$dir/copy.elf" "$dir/input"
$cli load "$dir/copy.elf" --name 'a "b" \c {d="e"} ü' >/dev/null
ok "some have a model with an odd name" infer 'a "b" \c {d="e"} ü' "$dir/input" --repeat 5 --priority background
fails "one misses its deadline" 1 "deadline" $cli infer "$dir/copy.elf" "$dir/input" --deadline 1us
fails "one hangs" 1 "longer" $cli infer "$dir/hang.elf" "$dir/input"
fails "and another" 1 "longer" $cli infer "$dir/hang.elf" "$dir/input"
fails "the third is refused" 1 "refused" $cli infer "$dir/hang.elf" "$dir/input"
scrape
ok "results are counted by class" is 'requests_total{class="realtime",model="copy.elf",result="ok"}' 2
ok "and by model, whatever it is called" \
	is 'requests_total{class="background",model="a \"b\" \\c {d=\"e\"} ü",result="ok"}' 5
ok "a fault is told apart" is 'requests_total{class="interactive",model="copy.elf",result="device-fault"}' 1
ok "with its kind" is 'device_faults_total{fault="exception"}' 1
ok "so are hangs" is 'requests_total{class="interactive",model="hang.elf",result="device-timeout"}' 2
ok "and what it took to end them" is 'recovery_steps_total{step="abort"}' 2
ok "a quarantine shows" is 'quarantines' 1
ok "and keeps the daemon from being all well" is 'health_reason{reason="quarantine"}' 1
ok "and what it refused" is 'requests_refused_total{result="quarantined"}' 1
agree()
{
	answered=$(status_field answered)
	for series in requests_total request_queue_seconds_count request_duration_seconds_count requests_answered_total; do
		[ "$(sum $series)" = "$answered" ] || { echo "$series: $(sum $series), but $answered were answered"; return 1; }
	done
}
ok "sums are what status says" agree
busy() { [ "$(sum device_busy_seconds_total)" != 0 ] && [ "$(sum device_busy_seconds_total)" = "$(sum class_busy_seconds_total)" ]; }
ok "cores worked for classes, and for nobody else" busy
check_text "promtool finds nothing wrong with that either"

# answers STATUS: to a request on standard input.
answers() { "$http" "$at" send >"$dir/answer"; grep -q "^HTTP/1.1 $1 " "$dir/answer" || { cat "$dir/answer"; return 1; }; }
asks() { text=$1; shift; printf "$text" | "$@"; }
ok "another page is not found" asks 'GET / HTTP/1.1\r\n\r\n' answers 404
ok "nothing can be changed" asks 'POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\nx' answers 405
ok "what is no request is refused" asks 'zhouyi\n\n' answers 400
too_large() { head -c 100000 /dev/zero | tr '\0' x | answers 431; }
ok "and what is too large" too_large

before=$(daemon_fds)
ok "garbage is refused" "$http" "$at" garbage 300 1
full()
{
	"$http" "$at" hold 16 >"$dir/held" &
	holder=$!
	# Whoever asks before has one of them for a moment.
	eventually grep -q held "$dir/held" && ! scrape 2>/dev/null
}
ok "who holds all connections gets them all" full
ok "that does not concern clients" infer "$dir/copy.elf" "$dir/input"
wait $holder
patience()
{
	# shellcheck disable=SC2046
	set -- $(tail -n 1 "$dir/held")
	[ "$1" -ge 4900 ] && [ "$2" -lt $((7000 * slow)) ]
}
ok "they are taken away after five seconds" patience
ok "then there is room again" eventually scrape

"$B/tests/e2e/clients" "$sock" "$dir/copy.elf" 4 500 >"$dir/others" 2>&1 &
others=$!
ok "many may ask at once, while others work" "$http" "$at" storm 16 10
ok "who get the right answers" wait $others
scrape
ok "sums are still what status says" agree
all_closed() { [ "$(daemon_fds)" -le "$before" ]; }
ok "no connection is left" all_closed
gone() { stop_daemon && [ ! -e "$at" ] && [ ! -e "$at.lock" ]; }
ok "the daemon stops with status 0 and leaves no socket" gone

# A port, and no socket. Somebody may take the port before the daemon does.
on_port()
{
	for i in 1 2 3; do
		port=$("$http" free-port)
		echo "{ \"metrics\": { \"socket\": \"\", \"port\": $port } }" >"$dir/port.json"
		start_daemon --config "$dir/port.json"
		"$http" "$port" storm 4 1 && [ ! -e "$at" ] && stop_daemon && return
		stop_daemon
	done
	return 1
}
ok "metrics may be on a port of the loopback only" on_port
