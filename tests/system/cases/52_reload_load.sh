# SPDX-License-Identifier: Apache-2.0
# Weights, quotas and ceilings change under load: requests that are on their way do not notice.
. ./lib
plan 12

drop=/etc/zhouyid/zhouyid.json.d/test.json
for user in bob carol; do
	useradd -G zhouyi $user
done
zhouyi-cc --test-program 'delay 30000' --size 64 -o $models/delay.elf
chmod 644 $models/delay.elf

# rules ALICE BOB CAROL: what is said of each.
rules()
{
	cat >$drop.new <<-END
		{
			"limits": { "queued_per_session": 4096 },
			"access": { "user:alice": { $1 }, "user:bob": { $2 }, "user:carol": { $3 } }
		}
	END
	mv $drop.new $drop
}
apply() { rules "$@" && systemctl reload zhouyid; }

# requests USER N: that many at once.
requests() { as "$1" $models/inflight /run/zhouyid/zhouyid.sock $models/delay.elf "$2"; }
# device_ns USER: how long it has had cores.
device_ns()
{
	zhouyi-cli --json accounts | tr ',{}' '\n\n\n' | awk -v uid="$(id -u "$1")" '
		$1 == "\"uid\":" { mine = $2 == uid }
		mine && $1 == "\"device_ns\":" { print $2; exit }'
}
# percent SECONDS: of what alice and bob get, alice's part.
percent()
{
	a=$(device_ns alice) b=$(device_ns bob)
	sleep "$1"
	a=$(($(device_ns alice) - a)) b=$(($(device_ns bob) - b))
	echo $((100 * a / (a + b)))
}
between() { echo "$1 percent"; [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }
says() { as "$1" zhouyi-cli --json whoami | grep "$2"; }

apply '"weight": 100' '"weight": 100' ''
for user in alice bob; do
	n=3000
	[ $user = alice ] || n=2000
	requests $user $n >/tmp/requests.$user 2>&1 &
	eval "$user=$!"
done
submitted() { [ "$(cat /tmp/requests.* | grep -c submitted)" = 2 ]; }
ok "two users have 5000 requests on their way" eventually 20 submitted
ok "with the same weight they get the same" between "$(percent 3)" 40 60
ok "a reload gives one of them four times the other's" apply '"weight": 400' '"weight": 100' '"queued": 3'
ok "who asks is told the new weight" says alice '"weight": 400'
ok "and the accounts have it" sh -c "zhouyi-cli --json accounts | grep '\"weight\": 400'"
sleep 1
ok "it gets four times as much" between "$(percent 3)" 70 90
three_of_ten() { requests carol 10 >/tmp/carol; cat /tmp/carol; grep -q '^3: success' /tmp/carol && grep -q '^7: ' /tmp/carol; }
ok "a quota of three lets three of ten requests through" three_of_ten
many()
{
	for i in 1 2 3 4; do
		apply "\"weight\": $((150 * i)), \"queued\": $i" "\"on_device\": $((1 + i % 2))" '"class": "background"' || return 1
	done
	says alice '"queued": 4'
}
ok "the rules change again and again, whatever is queued already" many
fails "a ceiling holds from then on" 1 "not allowed" as carol zhouyi-cli infer $models/glyphs.elf $examples/A.png
echo '{ "access": { "user:alice": { "weight": 7, "class": "urgent" } } }' >$drop
wrong() { ! systemctl reload zhouyid && says alice '"weight": 600'; }
ok "a wrong configuration changes nothing" wrong
queued() { zhouyi-cli --json status | grep '"queued": [1-9]'; }
ok "all this while there was work to do" queued
apply '' '' ''
all_of_them()
{
	wait "$alice" && wait "$bob"
	cat /tmp/requests.*
	grep -q '^3000: success$' /tmp/requests.alice && grep -q '^2000: success$' /tmp/requests.bob
}
ok "not one of the 5000 was dropped or failed" all_of_them

rm $drop
systemctl reload zhouyid
userdel bob 2>/dev/null
userdel carol 2>/dev/null
