/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/identity.h"

static char long_name[400];

struct place_case {
	const char *path, *slice, *unit, *user_unit;
};

static const struct place_case places[] = {
	{"/", "-.slice", "", ""},
	{"/init.scope", "-.slice", "init.scope", ""},
	{"/system.slice", "system.slice", "", ""},
	{"/system.slice/camera.service", "system.slice", "camera.service", ""},
	{"/system.slice/camera.service/", "system.slice", "camera.service", ""},
	{"/cameras.slice/camera@front.service", "cameras.slice", "camera@front.service", ""},
	{"/a.slice/a-b.slice/a-b-c.slice/x.scope", "a-b-c.slice", "x.scope", ""},
	{"/system.slice/system-getty.slice/getty@tty1.service", "system-getty.slice",
	 "getty@tty1.service", ""},
	{"/system.slice/dev-mqueue.mount", "system.slice", "dev-mqueue.mount", ""},
	{"/system.slice/ssh.socket", "system.slice", "ssh.socket", ""},
	{"/system.slice/a\\x2db.service", "system.slice", "a\\x2db.service", ""},
	/* systemd escapes what the kernel could take for its own. */
	{"/_memory.slice/_cpu.service", "memory.slice", "cpu.service", ""},
	{"/system.slice/__a.service", "system.slice", "_a.service", ""},
	/* A login, and what a user's manager runs. */
	{"/user.slice/user-1000.slice/session-3.scope", "user-1000.slice", "session-3.scope", ""},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.slice/x.service",
	 "user-1000.slice", "user@1000.service", "x.service"},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-term.scope",
	 "user-1000.slice", "user@1000.service", "app-term.scope"},
	{"/user.slice/user-1000.slice/user@1000.service/init.scope", "user-1000.slice",
	 "user@1000.service", "init.scope"},
	{"/user.slice/user-1000.slice/user@1000.service", "user-1000.slice", "user@1000.service",
	 ""},
	/* Below a unit anybody may call himself anything. */
	{"/user.slice/user-1000.slice/user@1000.service/cameras.slice/camera.service",
	 "user-1000.slice", "user@1000.service", "camera.service"},
	{"/system.slice/shop.service/cameras.slice/camera.service", "system.slice", "shop.service",
	 ""},
	{"/machine.slice/systemd-nspawn@box.service/payload/system.slice/camera.service",
	 "machine.slice", "systemd-nspawn@box.service", ""},
	{"/user.slice/user-1000.slice/session-3.scope/cameras.slice", "user-1000.slice",
	 "session-3.scope", ""},
	/* Containers. */
	{"/system.slice/docker-0123abcd.scope", "system.slice", "docker-0123abcd.scope", ""},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-77.scope/container",
	 "user-1000.slice", "user@1000.service", "libpod-77.scope"},
	{"/docker/0123abcd", "-.slice", "", ""},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-1.scope",
	 "kubepods-burstable-pod1.slice", "cri-1.scope", ""},
	/* Not systemd's: nothing below counts. */
	{"/lxc/cameras.slice/camera.service", "-.slice", "", ""},
	{"/a.slice/cameras.slice/camera.service", "a.slice", "", ""},
	{"/a.slice/b-c.slice/x.service", "a.slice", "", ""},
	{"/a.slice/..../x.service", "a.slice", "", ""},
	{"/a--b.slice/x.service", "-.slice", "", ""},
	{"/-a.slice/x.service", "-.slice", "", ""},
	{"/a-.slice/x.service", "-.slice", "", ""},
	{"/.slice/x.service", "-.slice", "", ""},
	{"/.service", "-.slice", "", ""},
	{"/a b.slice/x.service", "-.slice", "", ""},
	{"/x.slice.d/camera.service", "-.slice", "", ""},
	{"/system.slice/x.service (deleted)", "system.slice", "x.service", ""},
	{"/system.slice/x.service (deleted)/y", "system.slice", "", ""},
	{"/system.slice/user@1000.service/a.service", "system.slice", "user@1000.service",
	 "a.service"},
	{"/system.slice/user@bob.service/a.service", "system.slice", "user@bob.service", ""},
};

Test(identity, units_and_slices_come_from_the_part_of_the_path_that_the_manager_made)
{
	struct identity_place place;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		identity_parse_place(places[i].path, &place);
		cr_expect(place.is_known, "%s", places[i].path);
		cr_expect_str_eq(place.slice, places[i].slice, "%s: slice %s", places[i].path,
				 place.slice);
		cr_expect_str_eq(place.unit, places[i].unit, "%s: unit %s", places[i].path,
				 place.unit);
		cr_expect_str_eq(place.user_unit, places[i].user_unit, "%s: user unit %s",
				 places[i].path, place.user_unit);
	}
}

Test(identity, paths_outside_of_our_cgroup_namespace_say_nothing)
{
	static const char *const paths[] = {"/..", "/../camera.service",
					    "/../../cameras.slice/camera.service", "", "x"};
	struct identity_place place;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		identity_parse_place(paths[i], &place);
		cr_expect(!place.is_known && !place.slice[0] && !place.unit[0], "%s", paths[i]);
	}
	identity_parse_place("/..x.service", &place);
	cr_expect(place.is_known);
}

Test(identity, names_longer_than_any_unit_are_nobodys)
{
	struct identity_place place;

	memset(long_name, 'a', 300);
	long_name[0] = '/';
	strcpy(long_name + 300, ".service");
	identity_parse_place(long_name, &place);
	cr_expect_str_eq(place.unit, "");
	cr_expect(!identity_is_unit_name(long_name + 1));
}

Test(identity, slices_are_in_those_their_name_begins_with)
{
	cr_expect(identity_slice_is_in("cameras.slice", "cameras.slice"));
	cr_expect(identity_slice_is_in("cameras-front.slice", "cameras.slice"));
	cr_expect(identity_slice_is_in("cameras-front-left.slice", "cameras-front.slice"));
	cr_expect(identity_slice_is_in("cameras.slice", "-.slice"));
	cr_expect(!identity_slice_is_in("", "-.slice"));
	cr_expect(!identity_slice_is_in("camerasx.slice", "cameras.slice"));
	cr_expect(!identity_slice_is_in("cameras.slice", "cameras-front.slice"));
	cr_expect(!identity_slice_is_in("", "cameras.slice"));
}

static void expect_cgroup(const char *text, int r, const char *path)
{
	char found[IDENTITY_CGROUP_MAX] = "";

	cr_expect_eq(identity_parse_cgroup(text, found), r, "%s", text);
	cr_expect_str_eq(found, path, "%s: %s", text, found);
}

Test(identity, the_unified_hierarchy_counts_unless_nobody_uses_it)
{
	expect_cgroup("0::/system.slice/a.service\n", 0, "/system.slice/a.service");
	expect_cgroup("0::/a", 0, "/a");
	expect_cgroup("0::/\n", 0, "/");
	expect_cgroup("1:name=systemd:/b.slice\n0::/a.slice\n", 0, "/a.slice");
	expect_cgroup("0::/a.slice\n1:name=systemd:/b.slice\n", 0, "/a.slice");
	expect_cgroup("4:memory:/m\n1:name=systemd:/b.slice\n0::/\n", 0, "/b.slice");
	expect_cgroup("0::/\n1:name=systemd:/b.slice\n4:memory:/m\n", 0, "/b.slice");
	expect_cgroup("4:memory:/m\n1:name=systemd:/b.slice\n", 0, "/b.slice");
	expect_cgroup("0::/a:b\n", 0, "/a:b");
	expect_cgroup("4:memory:/m\n", -ENOENT, "");
	expect_cgroup("", -ENOENT, "");
	expect_cgroup("nonsense", -ENOENT, "");
	expect_cgroup("0::relative\n", -ENOENT, "");
	expect_cgroup("12:name=systemd:\n", -ENOENT, "");
	/* A group's name has no newline, but may look like a line. */
	expect_cgroup("3:pids:/0::/evil\n0::/good\n", 0, "/good");
}

Test(identity, a_path_that_does_not_fit_is_not_cut)
{
	char text[IDENTITY_CGROUP_MAX + 16], found[IDENTITY_CGROUP_MAX] = "";

	memset(text, 'a', sizeof(text));
	memcpy(text, "0::/", 4);
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(identity_parse_cgroup(text, found), -ENAMETOOLONG);
}

Test(identity, only_a_full_map_makes_nobody_somebody)
{
	cr_expect(identity_map_is_full("         0          0 4294967295\n"));
	cr_expect(!identity_map_is_full("         0       1000          1\n"));
	cr_expect(!identity_map_is_full("         1          0 4294967295\n"));
	cr_expect(!identity_map_is_full(""));
}

static struct identity *of_pair(void)
{
	struct identity *identity = NULL;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	cr_assert_eq(identity_get(&identity, pair[0]), 0);
	close(pair[0]);
	close(pair[1]);
	return identity;
}

Test(identity, the_kernel_says_who_we_are)
{
	zy_auto(identity_destroy) struct identity *identity = of_pair();
	gid_t groups[64];
	int n = getgroups(64, groups);

	cr_expect_eq(identity->uid, getuid());
	cr_expect_eq(identity->gid, getgid());
	cr_expect_eq(identity->pid, getpid());
	cr_expect(identity->has_uid && identity->has_gid);
	cr_expect(identity->cgroup[0] == '/', "%s", identity->cgroup);
	cr_expect(identity->place.is_known);
	for (int i = 0; i < n; i++)
		cr_expect(identity_has_group(identity, groups[i]));
	cr_expect(identity_has_group(identity, getgid()));
	cr_expect(!identity_has_group(identity, 54321));
}

/* In a child, because it gives up what it cannot get back. */
Test(identity, supplementary_groups_are_known)
{
	static const gid_t groups[] = {70003, 70001, 70002};
	pid_t child;
	int status;

	if (getuid() != 0)
		cr_skip_test("only root may choose its groups");
	child = fork();
	if (child == 0) {
		struct identity *identity;

		if (setgroups(3, groups) < 0)
			_exit(2);
		identity = of_pair();
		_exit(identity->n_groups == 3 && identity_has_group(identity, 70001) &&
				      identity_has_group(identity, 70002) &&
				      identity_has_group(identity, 70003) &&
				      !identity_has_group(identity, 70004)
			      ? 0
			      : 1);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Who has gone cannot be placed; the kernel still knows whose socket it was. */
Test(identity, of_a_process_that_has_gone_no_place_is_known)
{
	zy_auto(identity_destroy) struct identity *identity = NULL;
	int carrier[2], pair[2];
	char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg;
	pid_t child;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, carrier), 0);
	child = fork();
	if (child == 0) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
			_exit(1);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &pair[0], sizeof(int));
		_exit(sendmsg(carrier[1], &msg, 0) == 1 ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(recvmsg(carrier[0], &msg, 0), 1);
	cmsg = CMSG_FIRSTHDR(&msg);
	cr_assert_not_null(cmsg);
	memcpy(&pair[0], CMSG_DATA(cmsg), sizeof(int));

	cr_assert_eq(identity_get(&identity, pair[0]), 0);
	cr_expect_eq(identity->uid, getuid());
	cr_expect_eq(identity->pid, child);
	cr_expect(!identity->place.is_known && !identity->cgroup[0]);
	close(pair[0]);
	close(carrier[0]);
	close(carrier[1]);
}
