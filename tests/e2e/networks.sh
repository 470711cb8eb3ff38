#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Public networks through compiler, daemon and software NPU, against a reference runtime's answers.
# They are not part of the project: the script skips where ZHOUYI_MODELS (../shared/models) is absent.
. "$(dirname "$0")/common"
plan 9
models=${ZHOUYI_MODELS:-../shared/models}
[ -d "$models" ] || { skip 9 "there is no $models"; exit 0; }

# Largest difference between two files, byte by byte; 999 if they differ in length.
max_difference()
{
	[ "$(stat -c %s "$1")" = "$(stat -c %s "$2")" ] || { echo 999; return; }
	cmp -l "$1" "$2" | awk 'function o(s,  i, n) { for (i = 1; i <= length(s); i++) n = n * 8 + substr(s, i, 1); return n }
		{ d = o($2) - o($3); if (d < 0) d = -d; if (d > m) m = d } END { print m + 0 }'
}
within() { d=$(max_difference "$1" "$2"); echo "largest difference $d of 255, at most $3"; [ "$d" -le "$3" ]; }

start_daemon
# check MODEL PICTURE TOLERANCE CLASS
check()
{
	ok "$1 knows a $2: $4" $cli infer "$dir/$1.elf" "$models/$2.rgb" --labels "$models/imagenet_labels.txt" \
		--top 1 -o "$dir/output"
	grep -q "$4" "$dir/out" || echo "not ok - $1 sees $(cat "$dir/out")"
	ok "$1 for $2 is within $3 of the reference" within "$dir/output" "$models/${2%.*}.$1.expected" "$3"
}
v1=mobilenet_v1_0.25_128_quant
v2=tf2_mobilenet_v2_1.0_224_ptq
for model in $v1 $v2; do
	"$B/zhouyi-cc" "$models/$model.tflite" -o "$dir/$model.elf" || exit 1
done
check $v1 parrot.128 3 macaw
check $v1 cat.128 3 "tiger cat"
check $v2 parrot.224 6 macaw
check $v2 cat.224 6 "Egyptian cat"
ok "the daemon stops with status 0" stop_daemon
