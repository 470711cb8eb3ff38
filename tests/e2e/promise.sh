#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A stream with a reservation keeps its deadlines while others flood all cores in the background.
# FRAMES=10000 is the long version.
. "$(dirname "$0")/common"
plan 3

frames=${FRAMES:-300}
"$B/zhouyi-cc" --test-program "delay $((2000 * slow)); copy" --size 64 -o "$dir/short.elf" || exit 1
"$B/zhouyi-cc" --test-program "delay $((20000 * slow)); copy" --size 64 -o "$dir/long.elf" || exit 1
start_daemon
ok "a reserved stream misses nothing that the host did not take, and the flood is served" \
	"$B/tests/realtime/promise" "$sock" "$dir/short.elf" "$dir/long.elf" "$frames" \
	$((4000 * slow)) $((10000 * slow)) $((10000 * slow)) 4
sed 's/^/# /' "$dir/out"
ok "nothing is left in the daemon" eventually sh -c "$cli --json status | grep -q '\"queued\": *0'"
ok "the daemon stops with status 0" stop_daemon
