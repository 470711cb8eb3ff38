# SPDX-License-Identifier: Apache-2.0
# Clients are known by the unit and slice that systemd has put them in, and a slice has the core that it owns.
. ./lib
plan 15

drop=/etc/zhouyid/zhouyid.json.d/test.json
cat >$drop <<-END
	{
		"limits": { "queued_per_session": 4096 },
		"access": {
			"slice:cameras.slice": { "cores": [2], "exclusive": true, "class": "normal", "models": 3 },
			"slice:cameras-front.slice": { "class": "realtime" },
			"unit:voice.service": { "deny": ["load"], "weight": 200 }
		}
	}
END
systemctl reload zhouyid
zhouyi-cc --test-program 'delay 2000' --size 64 -o $models/delay.elf
head -c 64 /dev/zero >$models/input
chmod 644 $models/delay.elf $models/input

# inside SLICE UNIT COMMAND...: as alice, in a unit that is made for it.
inside()
{
	slice=$1 unit=$2
	shift 2
	systemd-run --quiet --wait --pipe --collect --slice="$slice" --unit="$unit" --uid=alice \
		-p SupplementaryGroups=zhouyi "$@"
}
# says TEXT COMMAND...: whoami, when it is run like that, says that.
says()
{
	want=$1
	shift
	"$@" zhouyi-cli --json whoami | tr -d ' \n' >/tmp/whoami
	cat /tmp/whoami
	grep -qF -- "$want" /tmp/whoami
}

ok "a service is known by its unit" says '"unit":"front.service"' inside cameras.slice front
ok "and by its slice" says '"slice":"cameras.slice"' inside cameras.slice front
ok "the slice has the core that it owns" says '"cores":[2]' inside cameras.slice front
ok "and limits of its own, whoever runs there" says '"of":"slice:cameras.slice"' inside cameras.slice front
ok "a slice in it is in it" says '"rules":["slice:cameras.slice","slice:cameras-front.slice"]' inside cameras-front.slice front
ok "and may be told apart" says '"class":"realtime"' inside cameras-front.slice front
fails "the class of the slice holds" 1 "not allowed" inside cameras.slice front \
	zhouyi-cli infer $models/glyphs.elf $examples/A.png --priority interactive
fails "it may use no other core" 1 "not allowed" inside cameras.slice front \
	zhouyi-cli infer $models/glyphs.elf $examples/A.png --priority normal --core-mask 1
fails "a unit's rule holds in any slice" 1 "the right 'load'" inside system.slice voice \
	zhouyi-cli infer $models/glyphs.elf $examples/A.png
ok "and does not for another unit" inside system.slice choir zhouyi-cli infer $models/glyphs.elf $examples/A.png
ok "everybody else has the other cores" says '"cores":[0,1]' as alice
fails "and not that one" 1 "not allowed" as alice zhouyi-cli infer $models/glyphs.elf $examples/A.png --core-mask 4

# What the software NPU's cores have counted themselves, each for itself.
count() { zhouyi-cli --json device | tr ',{}' '\n\n\n' | sed -n "s/.*\"core $1 jobs\": *\([0-9]*\).*/\1/p"; }
# The model's own first run is over, and counts for nobody.
zhouyi-cli load $models/delay.elf >/dev/null
zero=$(count 0) one=$(count 1) two=$(count 2)
as alice $models/inflight /run/zhouyid/zhouyid.sock $models/delay.elf 500 >/tmp/others 2>&1 &
others=$!
camera() { inside cameras.slice front zhouyi-cli infer $models/delay.elf $models/input --priority normal --repeat 200; }
ok "a camera has 200 requests while others keep the device busy" camera
wait $others
others_done() { cat /tmp/others; grep -q '^500: success$' /tmp/others; }
ok "so have others 500" others_done
record()
{
	echo "core 0: $(($(count 0) - zero)), core 1: $(($(count 1) - one)), core 2: $(($(count 2) - two))"
	[ $(($(count 2) - two)) -eq 200 ] && [ $(($(count 0) + $(count 1) - zero - one)) -eq 500 ]
}
ok "by the device's own record those 200 ran on the slice's core, the 500 elsewhere, and nothing else did" record

zhouyi-cli unload delay.elf >/dev/null
rm $drop
systemctl reload zhouyid
