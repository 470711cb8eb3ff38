#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Many clients at once: every answer right, none lost, none swapped, and each from its own chain.
. "$(dirname "$0")/common"
plan 7

"$B/zhouyi-cc" --test-program copy --size 1024 -o "$dir/copy.elf" || exit 1
start_daemon
# Kept, so that it is there, and has had its warm-up run, before we count.
$cli load "$dir/copy.elf" --name copy >/dev/null || exit 1
# One init TCB, two SegMMU TCBs for three cores, four tasks.
chain=7
before=$(device_counter tcbs)
jobs_before=$(status_field answered)
ok "16 clients with 200 requests each get their own answers" \
	"$B/tests/e2e/clients" "$sock" "$dir/copy.elf" 16 200
jobs=$(($(status_field answered) - jobs_before))
tcbs=$(($(device_counter tcbs) - before))
ok "every request was answered" [ "$jobs" -eq 3200 ]
ok "the engine walked every chain once" [ "$tcbs" -eq $((jobs * chain)) ]
ok "nothing is left in the daemon" [ "$(status_field queued)$(status_field running)" = 00 ]
ok "accepted = answered" [ "$(status_field accepted)" = "$(status_field answered)" ]
ok "no tensor byte was copied" [ "$(status_field copied_bytes)" = 0 ]
ok "the daemon stops with status 0" stop_daemon
