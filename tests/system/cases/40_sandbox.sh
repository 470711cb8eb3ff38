# SPDX-License-Identifier: Apache-2.0
# The unit is well formed, and leaves the daemon little.
. ./lib
plan 13

# There are no manual pages in the guest.
silent() { "$@" 2>&1 | { ! grep .; } && "$@"; }
ok "systemd finds nothing wrong with the units" silent systemd-analyze --man=no verify zhouyid.service zhouyid.socket
ok "its rating is 1.5 or better" systemd-analyze security --threshold=15 zhouyid.service
reads_an_a alice >/dev/null
in_status() { grep -E "^$1:[[:space:]]*$2\$" "/proc/$(main_pid)/status"; }
ok "it has no capabilities" in_status CapEff 0+
ok "nor can it get any" in_status CapBnd 0+
ok "nor new privileges" in_status NoNewPrivs 1
ok "its system calls are filtered" in_status Seccomp 2
ok "its memory is limited" grep -v max "/sys/fs/cgroup$(property ControlGroup)/memory.max"
ok "it takes over nobody's memory" test "$(property MemoryMax)" -lt "$(($(awk '/MemTotal/ { print $2 }' /proc/meminfo) * 1024))"

# As the daemon sees things: its mount and network namespaces and its user, but without its system call filter.
inside() { nsenter -t "$(main_pid)" -m -n setpriv --reuid=zhouyid --regid=zhouyid --clear-groups --inh-caps=-all "$@"; }
ok "its socket's directory can be written to" inside sh -c 'touch /run/zhouyid/x && rm /run/zhouyid/x'
fails "but the socket cannot be removed" 1 "Operation not permitted" inside rm -f /run/zhouyid/zhouyid.sock
fails "nothing else can be written" 1 "Read-only file system" nsenter -t "$(main_pid)" -m touch /etc/x
ok "homes are empty" test -z "$(inside ls /home /root 2>/dev/null | grep -v :)"
ok "there is no network but the loopback" test "$(grep -c : "/proc/$(main_pid)/net/dev")" = 1
