#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our own network: it reads glyphs of fonts that its training never saw.
. "$(dirname "$0")/common"
samples=$(ls models/samples/*)
plan $(($(echo "$samples" | wc -w) + 3))

"$B/zhouyi-cc" models/glyphs.tflite -o "$dir/glyphs.elf" || exit 1
start_daemon
ok "more than 95 % of unseen fonts' glyphs are read right" "$B/tests/e2e/accuracy" "$sock" "$dir/glyphs.elf" \
	models/glyphs.test.bin models/glyphs.test.labels models/glyphs.labels.txt 95
echo "# $(cat "$dir/out")"
for sample in $samples; do
	class=$(basename "$sample" | sed 's/[-_.].*//')
	reads() { $cli infer "$dir/glyphs.elf" "$sample" --labels models/glyphs.labels.txt --top 1 | grep -w "$class"; }
	ok "$(basename "$sample") is a $class" reads
done
ok "no tensor byte was copied" [ "$(status_field copied_bytes)" = 0 ]
ok "the daemon stops with status 0" stop_daemon
