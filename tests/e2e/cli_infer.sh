#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# zhouyi-cli infer: every kind of input and output, and what each mistake is answered with.
. "$(dirname "$0")/common"
plan 34

glyph=models/samples/K.pgm
"$B/zhouyi-cc" models/glyphs.tflite -o "$dir/glyphs.elf" || exit 1
base64 -d >"$dir/K.jpg" <<'END'
/9j/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsjHBYWICwgIyYnKSopGR8tMC0oMCUoKSj/
wAALCAAgACABAREA/8QAGAAAAwEBAAAAAAAAAAAAAAAAAAIFBgP/xAAmEAABAwMCBgMBAAAAAAAAAAABAgMRAAQhBTEGEhMU
QWEyQoFR/9oACAEBAAA/AOZ3AMEmp7moto1RFipKi6tHPIiBSX2qIYum7VlCnrheeVP19mqCScHEn3TeNhWJ1u4um+Kl9iz1
HUsQPXuq3CHbuWqnhKrsqPWUv5BVaARkQf5RAkZioFlaPjiu7uVtkM9MJSrwaR3T7qw11N3pyOdh7DyJj9rRSYzkUQNiSMUR
jG1Hjb9oicgV/9k=
END
base64 -d >"$dir/huge.png" <<'END'
iVBORw0KGgoAAAANSUhEUgABhqAAAYagCAIAAAAnMJyfAAAACUlEQVR4nKsAAAB5AHmlMWzzAAAAAElFTkSuQmCC
END
# The pixels of the sample, and the same picture in other clothes.
tail -c 1024 "$glyph" >"$dir/raw"
bytes() { od -An -v -tu1 -w32 "$dir/raw"; }
octal() { awk "$1" | while read -r line; do printf "%b" "$line"; done; }
{
	printf 'P6\n# three times the same\n32 32\n255\n'
	bytes | octal '{ for (i = 1; i <= NF; i++) printf "\\0%03o\\0%03o\\0%03o", $i, $i, $i; print "" }'
} >"$dir/rgb.ppm"
{
	printf 'P5 64 64 255\n'
	bytes | octal '{ for (n = 0; n < 2; n++) for (i = 1; i <= NF; i++) printf "\\0%03o\\0%03o", $i, $i; print "" }'
} >"$dir/double.pgm"
head -c 200 "$dir/K.jpg" >"$dir/cut.jpg"
head -c 500 models/samples/A.png >"$dir/cut.png"
head -c 500 "$glyph" >"$dir/cut.pgm"
infer() { $cli infer "$dir/glyphs.elf" "$@"; }
best() { infer "$@" --labels models/glyphs.labels.txt --top 1 -q | awk '{ print $3 }'; }

fails "without a daemon it says how to start one" 3 "systemctl start zhouyid" infer "$glyph"
start_daemon

ok "a raw tensor" infer "$dir/raw" -o "$dir/expected"
ok "gives an output of the right size" [ "$(wc -c <"$dir/expected")" -eq 35 ]
for file in "$glyph" "$dir/rgb.ppm" "$dir/double.pgm"; do
	ok "$(basename "$file")" infer "$file" -o "$dir/output"
	ok "gives the same" cmp "$dir/output" "$dir/expected"
done
ok "a JPEG picture is a K, too" [ "$(best "$dir/K.jpg")" = K ]
ok "a PNG picture is what it shows" [ "$(best models/samples/A.png)" = A ]
ok "standard input is read" [ "$(best - <"$glyph")" = K ]
infer "$dir/raw" -o - 2>/dev/null >"$dir/output"
ok "standard output is written" cmp "$dir/output" "$dir/expected"

infer "$dir/raw" --json --top 3 >"$dir/json"
ok "JSON names the model" grep -q '"model": "glyphs.elf"' "$dir/json"
ok "JSON has as many classes as wanted" [ "$(grep -c '"class":' "$dir/json")" -eq 3 ]
ok "JSON says that nothing was copied" grep -q '"copied_bytes": 0' "$dir/json"
infer "$dir/raw" --repeat 20 >"$dir/text"
ok "--repeat shows times" grep -q '^20 runs: min .* median .* p99 .* max' "$dir/text"

ok "a model is kept" $cli load "$dir/glyphs.elf" --name glyphs
ok "and used by name" $cli infer glyphs "$dir/raw" -o "$dir/output"
ok "with the same result" cmp "$dir/output" "$dir/expected"
ok "and listed" sh -c "$cli models | grep -q '^glyphs .* yes '"
ok "and let go" $cli unload glyphs

fails "a JPEG that is cut off is refused" 4 "Premature end" infer "$dir/cut.jpg"
fails "a PNG that is cut off is refused" 4 "damaged" infer "$dir/cut.png"
fails "a PNM that is cut off is refused" 4 "cut off" infer "$dir/cut.pgm"
fails "a huge picture is refused before it is decoded" 4 "100000x100000" infer "$dir/huge.png"
fails "a missing input is named" 4 "$dir/nothing" infer "$dir/nothing"
fails "an output that cannot be written is named" 4 "/nonexistent/output" infer "$dir/raw" -o /nonexistent/output
fails "two inputs are one too many" 2 "has 1 input, but 2 files are given" infer "$dir/raw" "$dir/raw"
fails "a number that is none is refused" 2 "--repeat: '-1'" infer "$dir/raw" --repeat -1
fails "an unknown class is refused" 2 "realtime, interactive" infer "$dir/raw" --priority urgent
fails "cores that do not exist are refused" 1 "core" infer "$dir/raw" --core-mask 0x8000000000000000

infer "$dir/raw" --repeat 10000000 -q 2>"$dir/lost" &
lost=$!
busy() { [ "$(status_field accepted)" -gt 50 ]; }
ok "a long run is on its way" eventually busy
kill -KILL "$daemon_pid"
wait "$daemon_pid" 2>/dev/null
daemon_pid=
wait $lost
status=$?
ok "a daemon that dies ends it with status 3" [ $status -eq 3 ]
