#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Clients that break the protocol or lie: the daemon keeps serving and loses nothing.
. "$(dirname "$0")/common"
plan 13

"$B/zhouyi-cc" --test-program 'delay 2000; copy' --size 100000 -o "$dir/slow.elf" || exit 1
# The others use one binding many times at once, which only makes sense if nothing is written.
"$B/zhouyi-cc" --test-program 'delay 2000' --size 100000 -o "$dir/delay.elf" || exit 1
head -c 100000 /dev/urandom >"$dir/input"
start_daemon
rough=$B/tests/e2e/rough

# Once, so that what is made on first use is there before we count.
ok "an honest client works before" $cli infer "$dir/slow.elf" "$dir/input" -o "$dir/output"
fds=$(daemon_fds)
memory=$($cli --json device | tr ',{}' '\n\n\n' | sed -n 's/.*"memory_used": *\([0-9]*\).*/\1/p')

seed=$(od -An -N3 -tu4 /dev/urandom)
echo "# garbage seed $seed"
ok "garbage is cut off" "$rough" garbage "$sock" "$((seed))" 64
ok "half messages are cut off" "$rough" half "$sock"
ok "messages out of turn are cut off" "$rough" turn "$sock"
ok "ids of another client are refused" "$rough" foreign "$sock" "$dir/delay.elf"
ok "a client that never reads is held back" "$rough" stuff "$sock" "$dir/delay.elf"

no_sessions_but_mine() { [ "$(status_field sessions)" -eq 1 ]; }
ok "their sessions end" eventually no_sessions_but_mine
nothing_runs() { [ "$(status_field queued)$(status_field running)" = 00 ]; }
ok "their requests end" eventually nothing_runs
same_fds() { [ "$(daemon_fds)" -eq "$fds" ]; }
ok "no descriptor is lost" eventually same_fds
same_memory() { [ "$(device_counter memory_used)" -eq "$memory" ]; }
ok "no byte of device memory is lost" eventually same_memory
ok "an honest client still works" $cli infer "$dir/slow.elf" "$dir/input" -o "$dir/output"
ok "and gets its answer" cmp "$dir/input" "$dir/output"
ok "the daemon stops with status 0" stop_daemon
