#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Cancelling and shutting down with work on its way: every request is answered exactly once.
. "$(dirname "$0")/common"
plan 15

inflight=$B/tests/e2e/inflight
"$B/zhouyi-cc" --test-program 'delay 20000; copy' --size 64 -o "$dir/copy.elf" || exit 1
# inflight uses one binding many times at once, which only makes sense if nothing is written.
"$B/zhouyi-cc" --test-program 'delay 20000' --size 64 -o "$dir/delay.elf" || exit 1
"$B/zhouyi-cc" --test-program 'hang' --size 64 -o "$dir/hang.elf" || exit 1
"$B/zhouyi-cc" --test-program 'fault exception' --size 64 -o "$dir/fault.elf" || exit 1
head -c 64 /dev/urandom >"$dir/input"

# zhouyid has said all that there is to say, and its status tells scripts.
if [ -e /dev/accel ]; then
	skip 1 "there are accelerators"
else
	fails "without an NPU the one that is asked for by name is missed" 5 "cannot be opened" "$B/zhouyid" --device drm --socket "$sock"
fi

start_daemon
half_cancelled()
{
	"$inflight" "$sock" "$dir/delay.elf" 200 cancel >"$dir/cancelled" && cat "$dir/cancelled"
}
ok "half of 200 requests are cancelled, all are answered" half_cancelled
succeeded=$(sed -n 's/: success.*//p' "$dir/cancelled")
# Those that had finished before their turn came cannot be cancelled any more.
about_half() { [ "${succeeded:-0}" -ge 100 ] && [ "$succeeded" -lt 150 ]; }
ok "the other half succeeded" about_half

before=$(status_field cancelled)
"$inflight" "$sock" "$dir/hang.elf" 2 cancel >"$dir/hang" 2>&1 &
hang_pid=$!
one_cancelled() { [ "$(status_field cancelled)" = $((before + 1)) ] && [ "$(status_field running)" = 1 ]; }
ok "a request that hangs can be cancelled while another hangs on" eventually one_cancelled
kill -KILL $hang_pid
wait $hang_pid 2>/dev/null
idle() { [ "$(status_field running)" = 0 ]; }
ok "a hanging request goes with its owner" eventually idle
fails "a fault is its owner's" 1 "fault" $cli infer "$dir/fault.elf" "$dir/input"
ok "and nobody else's" $cli infer "$dir/copy.elf" "$dir/input" -o "$dir/output"
ok "whose answer is right" cmp "$dir/input" "$dir/output"

"$inflight" "$sock" "$dir/delay.elf" 100 >"$dir/inflight" 2>&1 &
inflight_pid=$!
for i in $(seq 200); do grep -q submitted "$dir/inflight" && break; sleep 0.02; done
ok "the daemon stops in order with 100 requests on their way" stop_daemon
ok "each was answered exactly once" wait "$inflight_pid"
ok "those that ran succeeded" grep -q "success" "$dir/inflight"
ok "the others were told" grep -q "stopping" "$dir/inflight"

start_daemon
"$inflight" "$sock" "$dir/hang.elf" 5 >"$dir/inflight" 2>&1 &
inflight_pid=$!
for i in $(seq 200); do grep -q submitted "$dir/inflight" && break; sleep 0.02; done
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
daemon_pid=
ok "when the daemon is killed" true
ok "every request is still answered exactly once" wait "$inflight_pid"
start_daemon
ok "and a new daemon takes the socket over" stop_daemon
