#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Record a live daemon with clients of four classes, simulate what was recorded, and compare.
. "$(dirname "$0")/common"
plan 13

sim="$B/zhouyi-cli simulate"
robot=configs/examples/camera-and-robot.json

fails "a trace that is not there is an error of a file" 4 "$dir/none.json: cannot be read" \
	$sim "$dir/none.json"
printf '{\n"device": {"cores": 3},\n"clients": {}, "models": {},\n"sauces": {}\n}' >"$dir/bad.json"
fails "a key that nobody knows is named, with its line" 4 "bad.json:4: sauces: there is no such key" \
	$sim "$dir/bad.json"
fails "a policy that nobody knows, too" 2 "'lottery'" $sim "$robot" --policy lottery
fails "a duration has a unit" 2 "--duration must be a time" $sim "$robot" --duration 10
ok "a seed that is given is used" $sim "$robot" --seed 17 --duration 2s
mv "$dir/out" "$dir/seed17"
ok "and shown" grep -qx "seed 17" "$dir/seed17"
ok "the same again" sh -c "$sim $robot --seed 17 --duration 2s | cmp - '$dir/seed17'"
ok "all policies can be asked for at once" $sim "$robot" --policy all --duration 2s --json
ok "and there are four" test "$(grep -c '"policy":' "$dir/out")" -eq 4

# A live daemon: five clients of four classes on three cores.
head -c 64 /dev/zero >"$dir/input"
start_daemon
for ms in 2 5 12; do
	"$B/zhouyi-cc" --test-program "delay ${ms}000" --size 64 -o "$dir/$ms.elf" || exit 1
	$cli load "$dir/$ms.elf" --name "delay-$ms" >/dev/null || exit 1
done

# frames CLASS MS PERIOD N: a stream
frames()
{
	$cli -q stream "delay-$2" "$dir/input" --priority "$1" --period "$3" --frames "$4" \
		--drop queue:64 >/dev/null &
	clients="$clients $!"
}

# Four streams, and a client that asks again as soon as it is answered: four fifths of the device.
load()
{
	clients=
	$cli -q record -o "$dir/trace.json" --seconds 60 &
	recorder=$!
	sleep 0.3
	frames realtime 2 5ms 1200
	frames interactive 5 11ms 545
	frames normal 5 11ms 545
	frames background 12 30ms 200
	$cli -q infer delay-2 "$dir/input" --repeat 1500 >/dev/null &
	clients="$clients $!"
	for pid in $clients; do wait "$pid" || return 1; done
	kill -INT $recorder
	wait $recorder
}

# compare POLICY: a line for each class; succeeds if all four are predicted within 10 %.
compare()
{
	$sim "$dir/trace.json" --policy "$1" --json | sed -n '/"classes":/,$p' |
		awk -F '[:,"]+ *' '
		$2 == "name" { name = $4 }
		$2 == "recorded" { n = $3 }
		$2 == "recorded_mean_ns" { recorded = $3 }
		$2 == "simulated_mean_ns" {
			off = ($3 / recorded - 1) * 100
			printf "# %s: %d requests, mean %.3f ms as recorded, %.3f ms simulated: %+.1f %%\n",
				name, n, recorded / 1e6, $3 / 1e6, off
			classes++
			if (off > 10 || off < -10) bad = 1
		}
		END { exit bad || classes != 4 }'
}

# The simulator cannot know what the host was busy with: one of three recordings has to agree.
predicts()
{
	for try in 1 2 3; do
		load || return 1
		compare zhouyi >&3 && return 0
	done
	return 1
}
differs() { ! compare drain; }
exec 3>&1
ok "mean latency of each class is predicted within 10 %" predicts
ok "and another policy is seen to be another" differs
ok "every request was recorded" test "$(grep -c '"at":' "$dir/trace.json")" -eq 3990
waited=$(grep -c '"after":' "$dir/trace.json")
ok "those of the client that waits for its answers are known ($waited)" \
	test "$waited" -gt 1350 -a "$waited" -lt 1500
stop_daemon
