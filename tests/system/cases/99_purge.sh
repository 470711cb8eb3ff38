# SPDX-License-Identifier: Apache-2.0
# What was installed can be removed, and then it is gone.
. ./lib
plan 7

echo '{}' >/etc/zhouyid/zhouyid.json.d/mine.json
packages=$(for deb in debs/*.deb; do dpkg-deb -f "$deb" Package; done)
# shellcheck disable=SC2086
ok "the packages can be removed" dpkg --remove $packages
fails "the service is stopped" 3 inactive is_active
ok "the configuration stays" test -e /etc/zhouyid/zhouyid.json
# shellcheck disable=SC2086
ok "the packages can be purged" dpkg --purge $packages

userdel -r alice 2>/dev/null
userdel -r mallory 2>/dev/null
rm -rf $models
left()
{
	find / -xdev | sort | comm -13 /root/files.before - |
		grep -vE '^/root/files.before$|^/(tmp|var/tmp|root/payload)(/|$)|^/var/(log|cache|lib/dpkg)/|^/etc/.*-$' | { ! grep .; }
}
ok "no file is left" left
ok "nor a socket" test ! -e /run/zhouyid
ok "the user and the group stay, as is the custom" sh -c "getent passwd zhouyid && getent group zhouyi"
