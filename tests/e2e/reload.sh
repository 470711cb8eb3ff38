#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configurations: what is wrong with them, and changing them while requests run.
. "$(dirname "$0")/common"
plan 23

config=$dir/zhouyid.json
inflight=$B/tests/e2e/inflight
me=$(id -u)
"$B/zhouyi-cc" --test-program 'delay 1000' --size 64 -o "$dir/delay.elf" || exit 1

# write WEIGHT ON_DEVICE FLOOR: a configuration in which these are different.
write()
{
	cat >"$config.new" <<-END
		{
			"limits": { "queued_per_session": 4096 },
			"scheduling": { "floors": { "normal": $3 }, "stack_us": $1 },
			"watchdog": { "factor": $((10 + $2)) },
			"access": { "user:4242": { "cores": [0, 9] }, "user:$me": { "weight": $1, "on_device": $2, "device_bytes": ${1}0000000 } }
		}
	END
	mv "$config.new" "$config"
}

cat >"$config" <<-END
	{
		"limits": { "sessions": 0,
			"modelz": 3 },
		"scheduling": { "floors": { "normal": 80, "background": 20 } },
		"access": {
			"default": { "allow": ["fly"] } }
	}
END
fails "a wrong configuration is refused" 2 "limits.sessions" "$B/zhouyid" --check-config --config "$config"
all_of_it()
{
	"$B/zhouyid" --check-config --config "$config" 2>"$dir/said"
	grep -q "zhouyid.json:2: limits.sessions: " "$dir/said" && grep -q "zhouyid.json:3: limits.modelz: " "$dir/said" &&
		grep -q "zhouyid.json:6: access.default.allow: " "$dir/said"
}
ok "and all that is wrong is said, with file, line and key" all_of_it
write 100 1 5
ok "a right one is valid" "$B/zhouyid" --check-config --config "$config"
"$B/zhouyid" --dump-config --config "$config" >"$dir/dump.json"
ok "what is in effect can be shown" grep -q '"queued_per_session": 4096' "$dir/dump.json"
ok "and read again" "$B/zhouyid" --check-config --config "$dir/dump.json"

start_daemon --config "$config"
# The log has said TEXT so often.
said() { [ "$(grep -cF -- "$1" "$dir/daemon.log")" -ge "$2" ]; }
weighs() { $cli --json whoami | grep -q "\"weight\": $1,"; }
reloads=0
reload()
{
	kill -HUP "$daemon_pid"
	reloads=$((reloads + 1))
	eventually said "was read again" $reloads
}

ok "the rules are in effect" weighs 100
ok "cores that are not there are named" said "access.user:4242.cores names cores" 1
pids=
for client in 1 2 3; do
	"$inflight" "$sock" "$dir/delay.elf" 3000 >"$dir/inflight.$client" 2>&1 &
	pids="$pids $!"
done
submitted() { [ "$(cat "$dir"/inflight.* | grep -c submitted)" = 3 ]; }
ok "three clients have 9000 requests on their way" eventually submitted
many_reloads()
{
	for i in $(seq 20); do
		write $((100 + i)) $((1 + i % 3)) $((i % 9))
		reload || return 1
	done
}
ok "meanwhile weights and quotas change twenty times" many_reloads
running() { [ "$(status_field queued)" -gt 0 ]; }
ok "and there is still work to do" running
ok "the last ones are in effect" weighs 120

# Refused as a whole: also what is right in it.
echo '{ "log_level": "debug", "access": {"user:'$me'": {"weight": 7}}, "scheduling": {"stack_us": "x"} }' >"$config"
kill -HUP "$daemon_pid"
ok "a wrong one is refused, with file, line and key" eventually said "zhouyid.json:1: scheduling.stack_us: must be" 1
ok "and the log says that the old one stays" eventually said "the old one stays" 1
ok "which is so" weighs 120
write 200 2 5
sed -i 's|^{|{ "memory_bytes": 67108864, "topology": { "cores": 1 },|' "$config"
ok "what can change does" reload
ok "and what cannot is named" said "memory_bytes has changed" 1
still() { said "topology.cores has changed" 1 && weighs 200; }
ok "each of it" still
every_one()
{
	for pid in $pids; do
		wait "$pid" || return 1
	done
	[ "$(cat "$dir"/inflight.* | grep -c "^3000: success\|success")" = 3 ] &&
		! cat "$dir"/inflight.* | grep -v submitted | grep -v success
}
ok "no request was dropped or failed" every_one

# Who is connected already is not left out.
head -c 64 /dev/urandom >"$dir/input"
$cli stream "$dir/delay.elf" "$dir/input" --period 20ms --frames 500 >"$dir/stream" 2>&1 &
stream_pid=$!
ok "a client has a stream" eventually $cli accounts
frames() { [ "$(status_field succeeded)" -gt "$before" ]; }
before=$(status_field succeeded)
ok "whose frames are done" eventually frames
echo '{ "access": { "user:'$me'": { "deny": ["infer"] } } }' >"$config"
ok "its right is taken away" reload
denied()
{
	! wait "$stream_pid" && grep -q "not allowed" "$dir/stream"
}
ok "and the next frame is refused" denied
ok "the daemon stops in order" stop_daemon
