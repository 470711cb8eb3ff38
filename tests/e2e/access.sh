#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may do what: identities as the kernel sees them, cgroups, containers.
. "$(dirname "$0")/common"
. "$(dirname "$0")/principals"
plan 39

config=$dir/zhouyid.json
"$B/zhouyi-cc" --test-program copy --size 64 -o "$dir/pub/copy.elf" || exit 1
head -c 64 /dev/urandom >"$dir/pub/input"
chmod 0644 "$dir"/pub/copy.elf "$dir"/pub/input
infer="infer $dir/pub/copy.elf $dir/pub/input"

cat >"$config" <<-END
	{
		"socket_mode": "0666",
		"access": {
			"user:12345": { "deny": ["load"] },
			"user:12346": { "class": "normal", "cores": [0], "queued": 7 },
			"group:23456": { "deny": ["infer"] },
			"slice:zytest.slice": { "cores": [2], "exclusive": true, "weight": 300 },
			"unit:zytest.service": { "deny": ["reserve"] }
		}
	}
END
start_daemon --config "$config"

# A field of whoami, as JSON on one line: says "NAME": VALUE?
says()
{
	want=$1
	shift
	"$@" --json whoami | tr -d ' \n' | grep -qF -- "$want"
}

ok "one may ask who one is" $cli whoami
ok "the daemon knows this user" says "\"uid\":$(id -u)," $cli
fails "policy wants to be told what to do" 2 "test" $cli policy
fails "there is no such operation" 2 "no operation 'fly'" $cli policy test fly
fails "there is no such user" 2 "no user" $cli policy test --uid no-such-user
ok "what a user may do can be asked" $cli policy test --uid 12346 load infer
fails "and what not" 1 "'load' would be denied" $cli policy -q test --uid 12345 infer load
fails "a group counts" 1 "'infer' would be denied" $cli policy test --uid 1 --gid 23456 infer
ok "so does a slice" $cli policy test --slice zytest-inner.slice reserve
fails "and a unit" 1 "'reserve' would be denied" $cli policy test --slice zytest.slice --unit zytest.service reserve
fails "what is no unit is refused" 1 "camera.service" $cli policy test --unit nonsense

if [ "$(id -u)" -eq 0 ]; then
	fails "a user without the right may not load" 1 "the right 'load'" as 12345 $pub $infer
	ok "another one may" as 12346 $pub $infer --priority normal
	fails "but not be more urgent than allowed" 1 "not allowed" as 12346 $pub $infer
	ok "its core mask is known" says '"cores":[0]' as 12346 $pub
	ok "and its quota" says '"queued":7' as 12346 $pub
	fails "nor use other cores" 1 "not allowed" as 12346 $pub $infer --priority normal --core-mask 2
	fails "a supplementary group counts" 1 "the right 'infer'" as 12347 23456 $pub $infer
	ok "others may use what is left" says '"cores":[0,1]' as 12347 $pub
	fails "others may not be asked about" 1 "the right admin" as 12347 $pub policy test --uid 12345
	ok "but oneself may" as 12347 $pub policy test --uid 12347
	ok "native code takes a right that few have" says '"load-native":false' as 12347 $pub
	ok "the daemon's user has it" says '"load-native":true' $cli
else
	skip 12 "only root can be several users"
fi

make_cgroup zytest.service shop.service/zytest.service
if [ -n "$cgroup" ]; then
	ok "a slice is known by its cgroup" says '"slice":"zytest.slice"' inside "$cgroup" $cli
	ok "it has the core that it owns" says '"cores":[2]' inside "$cgroup" $cli
	ok "and limits of its own" says '"of":"slice:zytest.slice"' inside "$cgroup" $cli
	inside "$cgroup" $cli --json $infer --repeat 50 >"$dir/ran" 2>&1
	stays() { $cli --json device >/dev/null && ! inside "$cgroup" $cli $infer --core-mask 3 2>/dev/null; }
	ok "and runs nowhere else" stays
	ok "a unit is known by its cgroup" says '"unit":"zytest.service"' inside "$cgroup/zytest.service" $cli
	ok "its rule applies" says '"reserve":false' inside "$cgroup/zytest.service" $cli
	ok "a unit that calls a group of its own so is not taken for it" says '"reserve":true' inside "$cgroup/shop.service/zytest.service" $cli
	remove_cgroup
else
	skip 7 "no cgroup can be made here"
fi

# Containers. In its own user namespace everybody may be root.
if [ "$(id -u)" -eq 0 ] && unshare --user --map-root-user true 2>/dev/null; then
	ok "root of a user namespace is who it is outside" says '"uid":12346,' as 12346 unshare --user --map-root-user $pub
	ok "and its rights are that one's" says '"admin":false' as 12346 unshare --user --map-root-user $pub
else
	skip 2 "user namespaces cannot be made here"
fi
if unshare --pid --fork true 2>/dev/null; then
	ok "a process in a PID namespace is placed like any other" says '"placed":true' unshare --pid --fork $cli
else
	skip 1 "PID namespaces cannot be made here"
fi
mounted() { unshare --mount sh -c 'mkdir -p "$0/box" && mount --bind "$0/pub" "$0/box" && exec "$1" --socket "$0/box/s" whoami' "$dir" "$B/zhouyi-cli"; }
if unshare --mount true 2>/dev/null; then
	ok "one bind mount of the socket's directory is enough" mounted
else
	skip 1 "mount namespaces cannot be made here"
fi
ok "the daemon stops in order" stop_daemon

# A daemon that cannot see its clients fails closed where rules ask about them.
if unshare --pid --fork true 2>/dev/null && [ "$(id -u)" -eq 0 ]; then
	unshare --pid --fork --kill-child "$B/zhouyid" --device soft --socket "$sock" --config "$config" 2>>"$dir/daemon.log" &
	daemon_pid=$!
	ok "a daemon in a PID namespace answers those outside" eventually says '"pid":null' $cli
	fails "but as rules ask where they run, they may do nothing" 1 "cannot be seen" $cli $infer
	kill -KILL "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	daemon_pid=
else
	skip 2 "PID namespaces cannot be made here"
fi
if [ "$(id -u)" -eq 0 ] && as 12346 unshare --user --map-root-user true 2>/dev/null; then
	cp "$B/zhouyid" "$dir/pub"
	chmod 0777 "$dir/pub"
	rm -f "$sock" "$sock.lock"
	echo '{ "socket_mode": "0666" }' >"$dir/pub/plain.json"
	# Not by as(), whose shell would be what is killed.
	setpriv --reuid=12346 --regid=12346 --clear-groups unshare --user --map-root-user --kill-child --fork "$dir/pub/zhouyid" --device soft --socket "$sock" --config "$dir/pub/plain.json" 2>>"$dir/daemon.log" &
	daemon_pid=$!
	ok "a daemon in a user namespace knows its own user" eventually says '"admin":true' as 12346 $pub
	nobody() { says '"uid":null' as 12347 $pub && says '"load-native":false' as 12347 $pub; }
	ok "and nobody else" nobody
	kill -KILL "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	daemon_pid=
else
	skip 2 "user namespaces cannot be made here"
fi
