#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Models and inputs that are wrong: clear errors, and the daemon keeps serving.
. "$(dirname "$0")/common"
plan 17

model=$dir/glyphs.elf
"$B/zhouyi-cc" models/glyphs.tflite -o "$model" || exit 1
"$B/zhouyi-cc" --test-program copy --size 64 -o "$dir/copy.elf" || exit 1
head -c 64 /dev/zero >"$dir/64"
head -c 63 /dev/zero >"$dir/63"
head -c 65 /dev/zero >"$dir/65"
start_daemon
ok "a good model runs" $cli infer "$dir/copy.elf" "$dir/64" -o "$dir/out64"
fds=$(daemon_fds)
memory=$(device_counter memory_used)

fails "an input that is too short is refused" 4 "63" $cli infer "$dir/copy.elf" "$dir/63"
fails "an input that is too long is refused" 4 "64" $cli infer "$dir/copy.elf" "$dir/65"
fails "a missing model is named" 4 "$dir/nothing.elf" $cli infer "$dir/nothing.elf" "$dir/64"
fails "an unknown name is named" 1 "nobody" $cli infer nobody "$dir/64"
fails "unloading an unknown name is refused" 1 "nobody" $cli unload nobody
fails "a tflite file is answered with the command to run" 4 "zhouyi-cc models/glyphs.tflite -o" \
	$cli infer models/glyphs.tflite "$dir/64"

# The device word of X2_1204, where ours is soft_X2_1204: a vendor's model.
LC_ALL=C sed 's/\xb4\x04\x35\x05/\xb4\x04\x05\x00/' "$dir/copy.elf" >"$dir/vendor.elf"
fails "a vendor's model is refused with both names" 1 "X2_1204" $cli infer "$dir/vendor.elf" "$dir/64"
head -c 700 "$dir/copy.elf" >"$dir/short.elf"
fails "a truncated model is refused" 1 "short.elf" $cli infer "$dir/short.elf" "$dir/64"
head -c 3000 /dev/urandom >"$dir/noise.elf"
fails "noise is refused" 1 "noise.elf" $cli infer "$dir/noise.elf" "$dir/64"
: >"$dir/empty.elf"
fails "an empty file is refused" 1 "empty.elf" $cli infer "$dir/empty.elf" "$dir/64"
truncate -s 3G "$dir/huge.elf"
fails "a huge file is refused" 1 "huge.elf" $cli infer "$dir/huge.elf" "$dir/64"

seed=$(od -An -N3 -tu4 /dev/urandom)
echo "# mutation seed $seed"
ok "damaged models are refused, or end with a result or a fault" \
	"$B/tests/e2e/mutants" "$sock" "$model" "$((seed))" $((800 / slow))

same_fds() { [ "$(daemon_fds)" -eq "$fds" ]; }
ok "no descriptor is lost" eventually same_fds
same_memory() { [ "$(device_counter memory_used)" -eq "$memory" ]; }
ok "no byte of device memory is lost" eventually same_memory
ok "the good model still runs" $cli infer "$dir/copy.elf" "$dir/64" -o "$dir/out64"
ok "the daemon stops with status 0" stop_daemon
