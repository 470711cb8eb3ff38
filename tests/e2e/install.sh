#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make install` puts somewhere, `make uninstall` takes away.
. "$(dirname "$0")/common"
plan 8

# Somebody's own settings are for somebody's own places.
if [ -e config.mk ]; then
	skip 8 "config.mk is there"
	exit
fi

# With the variables of the make that runs us.
in_tree() { ${MAKE:-make} --no-print-directory "$@" DESTDIR="$dir/root"; }
is_there() { [ -e "$dir/root/$1" ]; }
conf=$dir/root/etc/zhouyid/zhouyid.json

ok "everything can be installed" in_tree install
all_there()
{
	for f in sbin/zhouyid bin/zhouyi-cli bin/zhouyi-cc lib/libzhouyi-client.so.1 include/zhouyi-client.h include/zhouyi-observe.h \
		lib/pkgconfig/zhouyi-client.pc lib/systemd/system/zhouyid.service lib/systemd/system/zhouyid.socket \
		lib/systemd/system/zhouyid-metrics.socket \
		lib/sysusers.d/zhouyid.conf lib/tmpfiles.d/zhouyid.conf lib/udev/rules.d/60-zhouyi.rules \
		lib/systemd/catalog/zhouyid.catalog share/man/man8/zhouyid.8 share/man/man5/zhouyid.json.5 share/man/man1/zhouyi-cli.1 \
		share/bash-completion/completions/zhouyi-cli; do
		is_there usr/local/$f || { echo "$f is missing" >&2; return 1; }
	done
	is_there etc/zhouyid/zhouyid.json && is_there etc/zhouyid/zhouyid.json.d
}
ok "a service finds its files, and a developer theirs" all_there
ok "the unit starts what was installed" grep -qx "ExecStart=/usr/local/sbin/zhouyid" \
	"$dir/root/usr/local/lib/systemd/system/zhouyid.service"
ok "the configuration that is installed is a valid one" "$dir/root/usr/local/sbin/zhouyid" --check-config --config "$conf"

echo '{"log_level": "debug"}' >"$conf"
again() { in_tree install && grep -q debug "$conf"; }
ok "installing again leaves a changed configuration alone" again
kept() { in_tree uninstall && grep -q debug "$conf"; }
ok "so does uninstalling" kept
rm "$conf"
ok "after installing once more" in_tree install
nothing_left() { in_tree uninstall && [ -z "$(find "$dir/root" ! -type d)" ] && ! is_there etc/zhouyid; }
ok "uninstalling leaves nothing" nothing_left
