/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end of a connection: asked of the kernel once, when it is
 * made, and never of a message. What the peer does later (leave, become somebody else,
 * hand the socket on) changes nothing.
 *
 *	uid, gid, groups  SO_PEERCRED and SO_PEERGROUPS: of connect(), in our user
 *	                  namespace. What has no number in it is not known; a process in
 *	                  a user namespace of its own counts as who it is outside.
 *	pid               SO_PEERPIDFD where the kernel has it, since 6.5. Before, the
 *	                  process that has the number now, if it has the uid too and is
 *	                  alive while its cgroup is read.
 *	unit, slice       from the path of its cgroup as we see it. Only the part that the
 *	                  system's service manager made: below a unit others may make
 *	                  groups, and call them what they like.
 *
 * What cannot be known is marked so; rules about it then fail closed (access.h).
 *
 * The identity is const and has one owner; functions here are pure but identity_get().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/scope.h"

#define IDENTITY_UNIT_MAX 256u /* systemd's limit of names, with the NUL */
#define IDENTITY_CGROUP_MAX 1024u
#define IDENTITY_LABEL_MAX 256u

/* What the path of a cgroup says. */
struct identity_place {
	bool is_known;			   /* else all are empty */
	char slice[IDENTITY_UNIT_MAX];	   /* "cameras.slice"; "-.slice" at the top */
	char unit[IDENTITY_UNIT_MAX];	   /* "camera.service"; empty: in none */
	char user_unit[IDENTITY_UNIT_MAX]; /* in a user's manager; as the user named it */
};

struct identity {
	bool has_uid, has_gid; /* they have numbers in our user namespace */
	uid_t uid;
	gid_t gid;
	pid_t pid;     /* 0: in a PID namespace that we cannot see into */
	gid_t *groups; /* supplementary; ascending, owned */
	size_t n_groups;
	char cgroup[IDENTITY_CGROUP_MAX]; /* empty: not known */
	struct identity_place place;
	char label[IDENTITY_LABEL_MAX]; /* of a security module; empty: none */
};

/*
 * Of the peer of the connected socket @fd. Does not block. Free with identity_destroy().
 *   -ENOMEM, or another negative errno of the socket
 */
int identity_get(struct identity **ret, int fd);
void identity_destroy(struct identity *identity); /* accepts NULL */
ZY_DEFINE_AUTO(struct identity, identity_destroy)

/* Whether @gid is its group or one of its supplementary ones. */
bool identity_has_group(const struct identity *identity, gid_t gid);

/*
 * The pure parts
 */

/*
 * Find the path in @text, a /proc/PID/cgroup: that of the unified hierarchy, or of
 * systemd's own where the unified one is not used. -ENOENT, -ENAMETOOLONG.
 */
int identity_parse_cgroup(const char *text, char ret[static IDENTITY_CGROUP_MAX]);

/* What @path says. A path that begins outside of our own cgroup namespace says nothing. */
void identity_parse_place(const char *path, struct identity_place *ret);

/* Whether @slice is @ancestor or inside it: "a-b.slice" is in "a.slice". */
bool identity_slice_is_in(const char *slice, const char *ancestor);

/* Whether @name is what systemd calls a slice, or a unit that has processes. */
bool identity_is_slice_name(const char *name);
bool identity_is_unit_name(const char *name);

/* Whether @text, a /proc/self/uid_map, gives every number a meaning. */
bool identity_map_is_full(const char *text);
