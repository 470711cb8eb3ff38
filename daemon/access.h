/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access rules: what an identity may do, and how much of it.
 *
 * A rule names a principal and says some things about it; what it does not mention
 * is left to others. All rules that fit apply, from the general to the special:
 *
 *	default < group < user < slice (outer, then inner) < unit
 *
 * and where two speak of the same thing the more special one counts; of several
 * groups the one that stands later. Where a program runs outranks who runs it:
 * that is for the administrator to say, and a user can only choose among what is open.
 *
 * Root and the daemon's own user may do everything, unless a rule about them (not the
 * default) says otherwise.
 *
 * A rule that owns its cores exclusively takes them from everybody to whom it does
 * not apply. If it is not known where a client runs, but rules speak of units or
 * slices, it may do nothing: else one could escape a rule by hiding.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/account.h"
#include "daemon/identity.h"
#include "proto/entry.h"

#define ACCESS_MAX_RULES 256u
#define ACCESS_WHY_MAX 240u
#define ACCESS_NAME_MAX (IDENTITY_UNIT_MAX + 8u) /* "slice:…", with the NUL */

enum access_right {
	ACCESS_LOAD,
	ACCESS_LOAD_NATIVE, /* models with code of the vendor's, which nobody can check */
	ACCESS_INFER,
	ACCESS_RESERVE,
	ACCESS_ADMIN, /* see and change what is others' */
	ACCESS_RIGHT_MAX_
};
#define ACCESS_BIT(right) (1u << (right))
#define ACCESS_EVERYTHING (ACCESS_BIT(ACCESS_RIGHT_MAX_) - 1u)
/* Of everybody, unless a rule says otherwise. */
#define ACCESS_USUAL                                                                               \
	(ACCESS_BIT(ACCESS_LOAD) | ACCESS_BIT(ACCESS_INFER) | ACCESS_BIT(ACCESS_RESERVE))

/* In the order of precedence, the weakest first. */
enum access_kind { ACCESS_DEFAULT, ACCESS_GROUP, ACCESS_USER, ACCESS_SLICE, ACCESS_UNIT };

/* What a rule mentions, besides rights. */
enum access_field {
	ACCESS_CLASS,
	ACCESS_CORES,
	ACCESS_WEIGHT,
	ACCESS_QUEUED,
	ACCESS_ON_DEVICE,
	ACCESS_BUFFERS,
	ACCESS_MODELS,
	ACCESS_DEVICE_BYTES,
	ACCESS_SHARE,
	ACCESS_FIELD_MAX_
};

struct access_rule {
	enum access_kind kind;
	char name[IDENTITY_UNIT_MAX]; /* as written: "alice", "1000", "cameras.slice" */
	uint32_t id;		      /* user, group */
	unsigned int allow, deny;     /* ACCESS_BIT() */
	unsigned int has;	      /* 1 << enum access_field */
	enum zy_class ceiling;	      /* the most urgent one allowed */
	uint64_t cores;
	bool exclusive; /* only whom this rule fits may use these cores */
	struct account_limits limits;
};

/* Sorted by precedence. Zeroes: none. */
struct access_rules {
	struct access_rule *rules; /* owned */
	size_t n;
};

/* What somebody may do. */
struct access_grant {
	unsigned int rights; /* ACCESS_BIT() */
	enum zy_class ceiling;
	uint64_t cores; /* bit i: core i; 0: none is left */
	struct account_limits limits;
	struct account_key account;		/* whose limits these are */
	uint64_t rules[ACCESS_MAX_RULES / 64u]; /* bit i: rules[i] applied */
	bool is_unplaced; /* nothing is allowed because it is not known where it runs */
};

/* Add a rule, in the place of one for the same principal if there is one. -ENOSPC, -ENOMEM. */
int access_rules_put(struct access_rules *rules, const struct access_rule *rule);
void access_rules_finish(struct access_rules *rules);

/* @own_uid is the daemon's. */
void access_decide(const struct access_rules *rules, const struct identity *identity, uid_t own_uid,
		   struct access_grant *ret);

static inline bool access_may(const struct access_grant *grant, enum access_right right)
{
	return grant->rights & ACCESS_BIT(right);
}

/* Two rules that want the same core for themselves alone; false: there are none. */
bool access_rules_collide(const struct access_rules *rules, const struct access_rule **ret_a,
			  const struct access_rule **ret_b);

/* "default", "slice:cameras.slice"; returns @buf. */
char *access_rule_name(const struct access_rule *rule, char buf[static ACCESS_NAME_MAX]);

/* "load", "load-native", …; never NULL. */
const char *access_right_name(enum access_right right);
/* The right called @name, or -EINVAL. */
int access_right_find(const char *name);
