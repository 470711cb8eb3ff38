#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may not connect is told what to do about it.
. "$(dirname "$0")/common"
plan 1

# Root may connect to everything.
as_nobody()
{
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}
start_daemon
# The tree may be where nobody else can look.
chmod 0755 "$dir"
cp -L "$B/zhouyi-cli" "$B/libzhouyi-client.so.1" "$dir"
chmod 0000 "$sock"
fails "who may not connect is told what to ask for" 3 "ask to be added to group zhouyi" as_nobody "$dir/zhouyi-cli" --socket "$sock" status
chmod 0600 "$sock"
