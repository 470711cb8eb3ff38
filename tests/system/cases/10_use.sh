# SPDX-License-Identifier: Apache-2.0
# Who may use it, can; who may not, is told what to do.
. ./lib
plan 5

ok "an unprivileged user of the group runs a network" reads_an_a alice
fails "another user is refused, and told whom to ask" 3 "ask to be added to group zhouyi" infer mallory
ok "the first one is not disturbed" reads_an_a alice
fails "a second daemon does not take the socket over" 3 "another zhouyid is listening" /usr/sbin/zhouyid --device soft
fails "nobody but root controls the service" 4 "Access denied" as alice systemctl --no-ask-password restart zhouyid
