#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Clients that end in the middle of everything: the others get their answers as ever, and what
# the dead ones had comes back, to the descriptor and to the byte.
. "$(dirname "$0")/common"
rough=$B/tests/e2e/rough
steps=$("$rough" steps)
ways="killed stopped shut"
plan $((3 * ($(echo "$steps" | wc -w) + 7) + 11))

"$B/zhouyi-cc" --test-program 'delay 500; copy' --size 4096 -o "$dir/copy.elf" || exit 1
# Those who die use one binding many times at once, which only makes sense if nothing is written.
"$B/zhouyi-cc" --test-program 'delay 2000' --size 100000 -o "$dir/delay.elf" || exit 1
"$B/zhouyi-cc" --test-program hang --size 100000 -o "$dir/hang.elf" || exit 1
head -c 4096 /dev/urandom >"$dir/input"
# Loading what hangs takes as long as its warm-up run may.
echo '{"watchdog": {"warm_up_ms": 50}}' >"$dir/config.json"

# What the daemon holds when nobody but us is there. The first request makes what is made once.
remember()
{
	$cli infer "$dir/copy.elf" "$dir/input" -o "$dir/output" >/dev/null || exit 1
	eventually is_alone
	fds=$(daemon_fds)
	memory=$(device_counter memory_used)
}
is_alone() { [ "$(status_field sessions)" -eq 1 ]; }
is_idle() { [ "$(status_field queued)$(status_field running)" = 00 ]; }
same_fds() { [ "$(daemon_fds)" -eq "$fds" ]; }
same_memory() { [ "$(device_counter memory_used)" -eq "$memory" ]; }

all_is_back()
{
	ok "$1: their sessions end" eventually is_alone
	ok "$1: their requests end" eventually is_idle
	ok "$1: every descriptor comes back" eventually same_fds
	ok "$1: every byte of device memory comes back" eventually same_memory
}

# Others work all the while: rounds of requests whose answers are compared, byte by byte.
others_begin()
{
	rm -f "$dir/enough" "$dir/rounds"
	(
		rounds=0
		while [ ! -e "$dir/enough" ]; do
			"$B/tests/e2e/clients" "$sock" "$dir/copy.elf" 3 40 >/dev/null || exit 1
			rounds=$((rounds + 1))
			echo $rounds >"$dir/rounds"
		done
	) 2>"$dir/others" &
	others=$!
}

others_end()
{
	: >"$dir/enough"
	wait $others
	status=$?
	cat "$dir/others" >&2
	return $status
}

some_rounds() { [ "$(cat "$dir/rounds")" -ge 1 ]; }

start_daemon --config "$dir/config.json"
remember
for way in $ways; do
	others_begin
	for step in $steps; do
		ok "a client may be $way when $step" "$rough" end "$sock" "$dir/delay.elf" "$step" $way
	done
	ok "$way: and while its requests hang" "$rough" end "$sock" "$dir/hang.elf" submitted $way
	ok "$way: the others get their answers, and the right ones" others_end
	ok "$way: there were others" some_rounds
	all_is_back $way
done
ok "the daemon stops with status 0" stop_daemon

# Its requests hang, and the device does not stop them when asked: what it may still write to
# stays until the device is reset, and no longer.
printf 'every 1 from 2 abort-fails\n' >"$dir/faults"
start_daemon --config "$dir/config.json" --fault-script "$dir/faults"
remember
others_begin
for way in $ways; do
	ok "a client may be $way while the device keeps its buffers" \
		"$rough" end "$sock" "$dir/hang.elf" submitted $way
done
ok "the others get their answers, and the right ones" others_end
all_is_back "after a reset"
resets() { [ "$(status_field 'soft resets')" -ge 1 ]; }
ok "the device had to be reset" resets
ok "that daemon stops with status 0, too" stop_daemon
