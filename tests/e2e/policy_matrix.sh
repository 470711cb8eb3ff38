#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every kind of principal, times everything that a rule can say of it, in the running daemon: whom the rule is about
# is held to it, somebody else is not. At the end comes the matrix.
. "$(dirname "$0")/common"
. "$(dirname "$0")/principals"
kinds="default group user slice unit"
cells="load load_native infer reserve admin class cores weight queued on_device buffers models device_bytes share_percent"
plan 71

config=$dir/zhouyid.json
cp "$B/tests/e2e/inflight" "$dir/pub"
for ms in 1 20 600; do
	"$B/zhouyi-cc" --test-program "delay ${ms}000" --size 64 -o "$dir/pub/$ms.elf" || exit 1
done
head -c 64 /dev/urandom >"$dir/pub/input"
chmod 0644 "$dir"/pub/*.elf "$dir/pub/input"

# become CGROUP UID GROUP COMMAND...: this shell turns into that; CGROUP and GROUP may be "-".
become()
{
	group=$1 uid=$2 groups=--clear-groups
	[ "$3" = - ] || groups=--groups=$3
	shift 3
	exec sh -c '[ "$0" = - ] || echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
		env LD_LIBRARY_PATH="$dir/pub" setpriv --reuid="$uid" --regid="$uid" "$groups" "$@"
}
# Whom the rule is about, and somebody else; as programs in the place of this shell, or in one of their own.
key_default=default key_group=group:23456 key_user=user:12345 key_slice=slice:zytest.slice key_unit=unit:zytest.service
exec_subject()
{
	case $kind in
	default | user) become - 12345 - "$@" ;;
	group) become - 12345 23456 "$@" ;;
	slice) become "$cgroup" 12345 - "$@" ;;
	unit) become "$cgroup/zytest.service" 12345 - "$@" ;;
	esac
}
exec_other()
{
	case $kind in
	default) become - 0 - "$@" ;;
	group | user | slice) become - 12346 - "$@" ;;
	unit) become "$cgroup/other.service" 12346 - "$@" ;;
	esac
}
subject() { (exec_subject "$@"); }
other() { (exec_other "$@"); }

reloads=0
read_again() { [ "$(grep -c "was read again" "$dir/daemon.log")" -ge $reloads ]; }
# rule TEXT: this is said of the principal, and nothing of anybody.
rule()
{
	eval "key=\$key_$kind"
	echo "{ \"socket_mode\": \"0666\", \"access\": { \"$key\": { $1 } } }" >"$config"
	kill -HUP "$daemon_pid"
	reloads=$((reloads + 1))
	eventually read_again
}
# refused TEXT COMMAND...: it fails, and says that.
refused()
{
	text=$1
	shift
	"$@" >"$dir/refused" 2>&1 && return 1
	cat "$dir/refused"
	grep -qF -- "$text" "$dir/refused"
}
# infer WHO OPTION...: a millisecond of the device.
infer()
{
	who=$1
	shift
	$who $pub infer "$dir/pub/1.elf" "$dir/pub/input" "$@"
}
# requests WHO N MS: that many at once, of so many milliseconds each.
requests() { $1 "$dir/pub/inflight" "$sock" "$dir/pub/$3.elf" "$2"; }
all_of() { grep -q "^$1: success" "$2"; }
# took MS COMMAND...: it takes at least so long.
took()
{
	least=$1 began=$(date +%s%N)
	shift
	"$@" || return 1
	ms=$((($(date +%s%N) - began) / 1000000))
	echo "it took $ms ms"
	[ $ms -ge "$least" ]
}
# may WHO RIGHT: by what the daemon says.
may() { $1 $pub --json whoami | tr -d ' \n' | grep -qF "\"$2\":true"; }

#
# What a rule can say
#

cell_load() { rule '"deny": ["load"]' && refused "the right 'load'" infer subject && infer other; }
# The software NPU has no native code to run; that the right is asked for when some is loaded, unit tests see.
cell_load_native()
{
	rule '"allow": ["load-native"]' && may subject load-native || return 1
	rule '"deny": ["load-native"]' && ! may subject load-native
}
cell_infer() { rule '"deny": ["infer"]' && refused "the right 'infer'" infer subject && infer other; }
reserve() { $1 $pub reserve "$dir/pub/1.elf" --probe --period 100ms --budget 1ms; }
cell_reserve() { rule '"deny": ["reserve"]' && refused "the right 'reserve'" reserve subject && reserve other; }
look() { $1 $pub policy test --uid 1; }
cell_admin()
{
	rule '"weight": 100' && refused "the right admin" look subject || return 1
	rule '"allow": ["admin"]' && look subject || return 1
	[ $kind = default ] || refused "the right admin" look other
}
cell_class()
{
	rule '"class": "normal"' && refused "not allowed" infer subject && infer subject --priority normal && infer other
}
# Where it ran, the device's own cores say.
ran() { device_counter "core $1 jobs"; }
cell_cores()
{
	rule '"cores": [1]' && refused "not allowed" infer subject --core-mask 5 || return 1
	before="$(ran 0) $(ran 2)" one=$(ran 1)
	infer subject --repeat 20 || return 1
	[ "$before" = "$(ran 0) $(ran 2)" ] && [ "$(ran 1)" -eq $((one + 20)) ] && infer other --core-mask 4
}
# start WHO N MS: requests in the background, which end with it; waits until they are on their way. Sets $pid.
start()
{
	exec_$1 "$dir/pub/inflight" "$sock" "$dir/pub/$3.elf" "$2" >"$dir/$1" &
	pid=$!
	eventually grep -q submitted "$dir/$1"
}
stop()
{
	kill "$@"
	wait "$@" 2>/dev/null
}
# device_ns WHO: how long its account has had cores. Root sees all of them.
device_ns()
{
	uid=12346
	[ "$1" = other ] || uid=12345
	[ "$1 $kind" != "other default" ] || uid=0
	$1 $pub --json accounts | tr -d ' \n' | sed 's/"uid"/\n&/g' | sed -n "s/^\"uid\":$uid,.*\"sessions\":[0-9]*,\"device_ns\":\([0-9]*\).*/\1/p" | head -n 1
}
# With ten times the weight it gets, as long as both want more, far more than the other.
cell_weight()
{
	rule '"weight": 1000' || return 1
	start other 250 20 && theirs=$pid && start subject 250 20 && ours=$pid || return 1
	mine=$(device_ns subject) other=$(device_ns other)
	sleep 0.4
	mine=$(($(device_ns subject) - mine)) other=$(($(device_ns other) - other))
	stop $ours $theirs
	echo "$mine ns and $other ns"
	[ $mine -gt $((3 * other)) ]
}
# Behind what keeps every core busy exactly so many may wait.
cell_queued()
{
	rule '"queued": 3' || return 1
	$B/tests/e2e/inflight "$sock" "$dir/pub/600.elf" 6 >"$dir/hog" &
	hog=$!
	eventually grep -q submitted "$dir/hog"
	start subject 10 1 && ours=$pid && start other 10 1 || return 1
	wait $hog $ours $pid
	cat "$dir/subject"
	all_of 3 "$dir/subject" && grep -q '^7: ' "$dir/subject" && all_of 10 "$dir/other"
}
# used WHO WHAT: by its account.
used() { $1 $pub --json accounts | tr -d ' \n' | grep -o "\"$2\":{\"used\":[0-9]*" | grep -o '[0-9]*$' | sort -n | tail -n 1; }
# One at a time takes as long as all of them together.
cell_on_device()
{
	rule '"on_device": 1' && took 400 requests subject 20 20 || return 1
	start other 250 20
	several() { [ "$(used other running)" -gt 1 ]; }
	eventually several
	status=$?
	stop $pid
	return $status
}
# A fifth of three cores, but for what it may run ahead.
cell_share_percent()
{
	rule '"share_percent": 20' && took 600 requests subject 30 20 || return 1
	! took 1800 requests other 60 20
}
holds() { [ "$(used subject models)" = 1 ] && [ "$(used subject buffers)" -gt 0 ]; }
# Somebody has a model and buffers; with a limit of just that there is nothing left for another one.
cell_held()
{
	rule '"weight": 100' || return 1
	exec_subject $pub stream "$dir/pub/1.elf" "$dir/pub/input" --period 50ms >/dev/null 2>&1 &
	pid=$!
	eventually holds && rule "\"$1\": $(used subject "$1")" && refused "may have" infer subject && infer other
	status=$?
	stop $pid
	rule '' && infer subject || return 1
	return $status
}
cell_buffers() { cell_held buffers; }
cell_models() { cell_held models; }
cell_device_bytes() { cell_held device_bytes; }

#
# All of it
#

matrix=$dir/matrix
row()
{
	printf '# %-8s' $kind >>"$matrix"
	for cell in $cells; do
		if [ -n "$1" ]; then
			skip 1 "$1"
			printf ' %-*s' ${#cell} - >>"$matrix"
		else
			ok "$kind: $cell" cell_$cell
			[ "$verdict" = ok ] && holds=yes || holds=NO
			printf ' %-*s' ${#cell} $holds >>"$matrix"
		fi
	done
	echo >>"$matrix"
}

if [ "$(id -u)" -ne 0 ]; then
	skip 71 "only root can be several users"
	exit
fi
make_cgroup zytest.service other.service
echo '{ "socket_mode": "0666" }' >"$config"
start_daemon --config "$config"
for model in 1 20 600; do
	$cli load "$dir/pub/$model.elf" >/dev/null
done
echo "#          $cells" >"$matrix"
for kind in $kinds; do
	case $kind in
	slice | unit) [ -n "$cgroup" ] && row "" || row "no cgroup can be made here" ;;
	*) row "" ;;
	esac
done
ok "the daemon stops in order" stop_daemon
remove_cgroup
cat "$matrix"
