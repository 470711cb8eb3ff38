#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Requests that hang, fault or get lost, and a device that vanishes: what it costs their owners,
# that it costs nobody else anything, and which rung of the ladder helped.
. "$(dirname "$0")/common"
plan 51

overran="the job ran longer on the device than it may"
gone="the device is gone"
limit_ms=100
[ "$slow" -eq 1 ] || limit_ms=250

# patience STRIKES: a configuration. Without warm-up runs each request is one job of the device.
patience()
{
	cat <<EOF
{
	"watchdog": {"floor_ms": $limit_ms, "ceiling_ms": $limit_ms, "warm_up_ms": 0},
	"quarantine": {"strikes": $1, "first_ms": 3000},
	"socket_mode": "0666"
}
EOF
}

"$B/zhouyi-cc" --test-program 'delay 500; copy' --size 4096 -o "$dir/copy.elf" || exit 1
# Different sizes make different models: strikes are counted for each.
for size in 64 128 192; do
	"$B/zhouyi-cc" --test-program hang --size $size -o "$dir/hang$size.elf" || exit 1
	head -c $size /dev/urandom >"$dir/input$size"
done
head -c 4096 /dev/urandom >"$dir/input"
patience 3 >"$dir/strict.json"
patience 0 >"$dir/lenient.json"

hang() { $cli infer "$dir/hang$1.elf" "$dir/input$1"; }
copy()
{
	rm -f "$dir/output"
	$cli infer "$dir/copy.elf" "$dir/input" -o "$dir/output" && cmp "$dir/input" "$dir/output"
}
# counters NAME VALUE...: what status counts.
counters()
{
	while [ $# -ge 2 ]; do
		got=$(status_field "$1")
		[ "$got" = "$2" ] || { echo "$1: $got instead of $2"; return 1; }
		shift 2
	done
}
health_is() { $cli --json status | grep -q "\"health\": *\"$1\""; }

# Scripts that nobody can mean.
printf 'job 1 hang\n# fine so far\njob 2 explode\n' >"$dir/faults"
fails "a fault script with an error is refused, with the line" 2 "line 3: 'explode'" \
	"$B/zhouyid" --device soft --socket "$sock" --fault-script "$dir/faults"
fails "and one that is not there" 2 "$dir/none" \
	"$B/zhouyid" --device soft --socket "$sock" --fault-script "$dir/none"

# A program that hangs.
start_daemon --config "$dir/strict.json"
"$B/tests/e2e/clients" "$sock" "$dir/copy.elf" 4 200 >"$dir/others" 2>&1 &
others=$!
fails "a hang is answered, and says so" 1 "$overran" hang 64
ok "the others get their answers, and the right ones" wait $others
ok "it was stopped by an abort, which cost nobody a run" \
	counters overrun 1 aborts 1 'soft resets' 0 resubmitted 0

fails "a request's own timeout ends it while it runs" 1 "the request's timeout passed" \
	$cli infer --timeout 20 "$dir/hang128.elf" "$dir/input128"
ok "that is no overrun" counters 'timed out' 1 overrun 1
ok "a timeout that is long enough changes nothing" \
	$cli infer --timeout 10000 "$dir/copy.elf" "$dir/input"
ok "nothing more timed out" counters 'timed out' 1

ok "a running request can be cancelled" \
	"$B/tests/e2e/inflight" "$sock" "$dir/hang192.elf" 2 cancel
mv "$dir/out" "$dir/inflight"
ok "it is told" grep -qx "1: the request was cancelled" "$dir/inflight"
ok "the one that was not runs into the watchdog" grep -qx "1: $overran" "$dir/inflight"

fails "a second strike is answered like the first" 1 "$overran" hang 64
fails "and so is the third" 1 "$overran" hang 64
fails "then the model is in quarantine" 1 "refused for a while" hang 64
ok "the status counts it" counters 'quarantined pairs' 1 'quarantined requests' 1
fails "another model is not" 1 "$overran" hang 192
ok "nor one that behaves" copy
if [ "$(id -u)" -eq 0 ] && chmod 755 "$dir" && setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
	fails "nor another user" 1 "$overran" setpriv --reuid 65534 --clear-groups \
		$cli infer "$dir/hang64.elf" "$dir/input64"
else
	skip 1 "only root can be another user"
fi
no_quarantine() { counters 'quarantined pairs' 0; }
ok "the quarantine ends" eventually no_quarantine
fails "and it may be tried again" 1 "$overran" hang 64
fails "which lengthens the next quarantine" 1 "refused for a while" hang 64
ok "the daemon stops with status 0" stop_daemon

# The ladder, one rung after the other. One request at a time: each is one job.
cat >"$dir/faults" <<'EOF'
job 2 hang
job 3 hang
job 3 abort-fails
job 4 hang
job 4 abort-fails
job 4 soft-reset-fails
job 5 hang
job 5 abort-fails
job 5 soft-reset-fails
job 5 reset-fails
job 6 exception
job 7 lose
job 8 slow 5
EOF
start_daemon --config "$dir/lenient.json" --fault-script "$dir/faults"
ok "1: nothing goes wrong" copy
fails "2: it hangs" 1 "$overran" copy
ok "2: an abort helps" counters aborts 1 'soft resets' 0
fails "3: the abort fails, too" 1 "$overran" copy
ok "3: a soft reset helps" counters aborts 2 'soft resets' 1 'device resets' 0
fails "4: that fails, too" 1 "$overran" copy
ok "4: a reset helps" counters aborts 3 'soft resets' 2 'device resets' 1 reopenings 0
fails "5: that fails, too" 1 "$overran" copy
ok "5: reopening the device helps" \
	counters aborts 4 'soft resets' 3 'device resets' 2 reopenings 1
fails "6: an illegal instruction" 1 "the job faulted on the device" copy
ok "6: does not hurt the device" counters faulted 1 aborts 4 overrun 4
fails "7: a completion that is lost" 1 "$overran" copy
ok "7: is a hang" counters aborts 5 overrun 5
ok "8: slow is not a hang, and the answer is right" copy
ok "the device is as good as new" copy
ok "and counts nothing more" counters overrun 5 aborts 5 resubmitted 0 queued 0 running 0
ok "the daemon stops with status 0" stop_daemon

# A device that vanishes for a moment, and for longer than anybody cares to wait.
printf 'job 2 gone 100\njob 4 gone %d\n' $((1500 + 300 * slow)) >"$dir/faults"
start_daemon --config "$dir/lenient.json" --fault-script "$dir/faults"
ok "the device is there" copy
ok "a request survives that it vanishes, and has the right answer" copy
ok "because it ran again" counters resubmitted 1 overrun 0
fails "if it does not come back soon, requests fail" 1 "$gone" copy
ok "the daemon says so" health_is degraded
fails_with_reason()
{
	$cli health >"$dir/health"
	[ $? -eq 1 ] && grep -q "^  the device is gone" "$dir/health"
}
ok "and why" fails_with_reason
fails "new requests are refused" 1 "$gone" copy
ok "until the device is back" eventually health_is ready
ok "then all is well" copy
ok "the daemon stops with status 0" stop_daemon

# Each fault many times, under load; `make reliability` does it two hundred times.
ok "no answer is lost, given twice or wrong, whatever fails" \
	env N=5 SAN="${SAN-}" tests/reliability/run
