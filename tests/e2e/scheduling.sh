#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Deadlines, streams, reservations and explanations, through the command line.
. "$(dirname "$0")/common"
plan 43

# Without warm-up runs nobody knows how long a model takes before it has run.
cat >"$dir/config.json" <<'EOC'
{
	"watchdog": {"warm_up_ms": 0},
	"limits": {"queued_per_session": 40}
}
EOC
program() { "$B/zhouyi-cc" --test-program "$2; copy" --size "$3" -o "$dir/$1.elf" || exit 1; }
program short "delay 5000" 64
program medium "delay 60000" 128
program long "delay 400000" 192
for size in 64 128 192; do
	head -c $size /dev/urandom >"$dir/in$size"
done
ln -s "$(realpath "$B/zhouyi-cli")" "$dir/greedy"
greedy="$dir/greedy --socket $sock"

# field NAME: a number or a word in $dir/json.
field() { tr ',{}' '\n\n\n' <"$dir/json" | sed -n "s/^ *\"$1\": *\"*\([^\"]*\)\"*$/\1/p" | head -1; }
# json COMMAND...: with what it prints in $dir/json.
json() { "$@" --json >"$dir/json"; }
is() { [ "$(field "$1")" = "$2" ] || { echo "$1 is $(field "$1"), not $2"; return 1; }; }
at_least() { [ "$(field "$1")" -ge "$2" ] || { echo "$1 is $(field "$1"), less than $2"; return 1; }; }
stream()
{
	model=$dir/$1.elf input=$dir/$2
	shift 2
	$cli stream "$model" "$input" --json "$@" >"$dir/json"
}
# What became of frames adds up.
adds_up()
{
	sum=$(($(field done) + $(field dropped) + $(field missed) + $(field failed) + $(field not_sent)))
	[ "$sum" -eq "$(field frames)" ] || { cat "$dir/json"; return 1; }
}
# Somebody who keeps core 0 busy for a while with one request after the other.
occupy()
{
	$greedy infer "$dir/long.elf" "$dir/in192" --priority normal --core-mask 1 --repeat "$1" -q >/dev/null &
	occupier=$!
	eventually busy
}
busy() { [ "$(status_field running)" -gt 0 ]; }

start_daemon --config "$dir/config.json"

$cli load "$dir/medium.elf" --name medium -q

# Deadlines: late, refused, expired.
ok "a request that nobody knows yet may be late" \
	json $cli infer medium "$dir/in128" --deadline 30ms
ok "and then it says so" is late true
fails "a deadline that cannot be met is refused" 1 "a --deadline of 30.000 ms cannot be met" \
	$cli infer medium "$dir/in128" --deadline 30ms
ok "one that can be met is" json $cli infer medium "$dir/in128" --deadline 5s
ok "and is not late" is late false
occupy 3
fails "a deadline that passes in the queue expires" 1 "the deadline passed in the queue" \
	$cli infer medium "$dir/in128" --deadline 150ms --core-mask 1 --priority background

# Explanations: somebody was in the way.
ok "a request that waits is answered" \
	json $cli infer "$dir/short.elf" "$dir/in64" --core-mask 1 --priority background
request=$(field request)
ok "its answer says why it waited" [ "$(field wait)" != none ]
ok "it is explained" json $cli explain "$request"
ok "who was on its core is named" grep -q '"client": "greedy"' "$dir/json"
ok "with the time it took" sh -c "grep -A9 '\"client\": \"greedy\"' '$dir/json' | grep -q '\"ns\": [1-9]'"
$cli explain "$request" >"$dir/text"
ok "in words, too" grep -q "^waited .*ms: .*(session [0-9]*, greedy)" "$dir/text"
wait $occupier
fails "a request that never was is not explained" 1 "no request 999999 of this user" $cli explain 999999
fails "what is no number is no request" 2 "REQUEST: 'x' is not a number" $cli explain x

# The plan.
occupy 2
$greedy infer "$dir/long.elf" "$dir/in192" --priority background --core-mask 1 -q >/dev/null &
waiting=$!
queued() { json $cli plan && at_least queued 1; }
ok "what waits is in the plan" eventually queued
ok "with its class and its response time" grep -q '"response_ns": [1-9]' "$dir/json"
$cli plan >"$dir/text"
ok "in words, too" grep -q "greedy .*long.elf .*background" "$dir/text"
wait $occupier $waiting

# Streams.
ok "frames that come faster than they run are dropped" \
	stream medium in128 --period 10ms --frames 60 --core-mask 1 -q
ok "most of them" at_least dropped 30
ok "and each is counted once" adds_up
ok "a queue drops fewer in the beginning" \
	stream medium in128 --period 10ms --frames 60 --core-mask 1 --drop=queue:8
ok "and each is counted once" adds_up
$cli stream "$dir/medium.elf" "$dir/in128" --period 10ms --frames 30 --core-mask 1 --drop block --json \
	>"$dir/json" 2>"$dir/said"
ok "one that blocks refuses" grep -q "the first frame that failed: refused: in use or too much" "$dir/said"
ok "and drops nothing" is dropped 0
ok "deadlines of frames are missed" \
	stream medium in128 --period 10ms --frames 30 --deadline 20ms --core-mask 1
ok "as the summary says" at_least missed 20

# Limits.
$cli stream "$dir/medium.elf" "$dir/in128" --period 1ms --frames 60 --core-mask 1 --drop block:100 \
	>/dev/null 2>"$dir/said"
ok "who has too much on its way is told so" \
	grep -q "refused: this client has as many unanswered requests as it may" "$dir/said"

# Reservations.
ok "a reservation would be granted" json $cli reserve "$dir/short.elf" --probe --period 100ms --budget 10ms
ok "with its core and how long others may block it" at_least tolerance_ns 1000000
ok "a budget is learned" json $cli reserve "$dir/short.elf" --probe --period 200ms
ok "from runs that took at least so long" at_least budget_ns 5000000
fails "what is too much is denied with what would be possible" 1 "or longer would be granted" \
	$cli reserve "$dir/short.elf" --probe --period 20ms --budget 20ms
$cli reserve "$dir/short.elf" --probe --period 20ms --budget 20ms --json >"$dir/json" 2>/dev/null
best=$(field best_period_ns)
ok "and that is granted" json $cli reserve "$dir/short.elf" --probe --period "${best}ns" --budget 20ms
fails "a reservation without a program makes no sense" 2 "use --probe" \
	$cli reserve "$dir/short.elf" --period 100ms

# A promise is kept while others want everything. Late are frames only when this machine stops.
flood() { $greedy stream "$dir/medium.elf" "$dir/in128" --period 1ms --priority background --drop block:30 -q >/dev/null 2>&1 & }
flood
flooder=$!
eventually busy
ok "frames with a reservation run beside a flood" \
	stream short in64 --period 100ms --frames $((100 / slow)) --reserve --budget 15ms
echo "# $(field done) done, $(field late) late, $(field dropped) dropped, $(field missed) missed"
ok "nearly all of them in time" [ $(($(field late) + $(field missed) + $(field dropped))) -le $((5 * slow)) ]

# What happens is recorded, with whom it happens to, and can be simulated.
ok "what the daemon does is recorded" $cli record -o "$dir/trace.json" --seconds 1
ok "with the program's name" grep -q '"greedy#[0-9]*"' "$dir/trace.json"
ok "and can be simulated" $cli simulate "$dir/trace.json"
kill -INT $flooder
wait $flooder
fails "where nothing happens there is nothing to record" 1 "nothing was answered meanwhile" \
	$cli record -o "$dir/nothing.json" --seconds 1
fails "a recording needs a length" 2 "--seconds is missing" $cli record -o "$dir/nothing.json"

$cli accounts >"$dir/text"
ok "accounts say who used the device" grep -Eq "greedy .*medium.* [0-9]+ +[0-9.]+ m?s" "$dir/text"
ok "the daemon stops" stop_daemon
