#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two tenants of one device: one cannot read or write what belongs to the other.
. "$(dirname "$0")/common"
plan 3

start_daemon
ok "hand-made programs that reach for other memory are refused or fault" "$B/tests/e2e/hostile" "$sock"
sed 's/^/# /' "$dir/out"
head -c 4096 /dev/urandom >"$dir/input"
"$B/zhouyi-cc" --test-program copy --size 4096 -o "$dir/copy.elf" || exit 1
ok "an honest client is served afterwards" $cli infer "$dir/copy.elf" "$dir/input" -o "$dir/output"
ok "the daemon stops with status 0" stop_daemon
