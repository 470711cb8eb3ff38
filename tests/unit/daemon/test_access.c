/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/access.h"

#define OWN_UID 900u
#define LOAD ACCESS_BIT(ACCESS_LOAD)
#define NATIVE ACCESS_BIT(ACCESS_LOAD_NATIVE)
#define INFER ACCESS_BIT(ACCESS_INFER)
#define RESERVE ACCESS_BIT(ACCESS_RESERVE)
#define ADMIN ACCESS_BIT(ACCESS_ADMIN)

static struct access_rules rules;

static void put(const struct access_rule *rule)
{
	cr_assert_eq(access_rules_put(&rules, rule), 0);
}

static void teardown(void)
{
	access_rules_finish(&rules);
}

TestSuite(access, .fini = teardown);

/*
 * A matrix: every principal below, under the rules below, and what comes of it. Each
 * column is one thing that is granted, and every cell is compared.
 */

static const struct access_rule matrix_rules[] = {
	/* Not in the order of precedence: that is the module's business. */
	{ACCESS_UNIT, "camera.service", .has = 1 << ACCESS_CLASS | 1 << ACCESS_QUEUED,
	 .ceiling = ZY_CLASS_REALTIME, .limits.queued = 7},
	{ACCESS_SLICE, "cameras-front.slice", .has = 1 << ACCESS_WEIGHT, .limits.weight = 300},
	{ACCESS_SLICE, "cameras.slice", .allow = RESERVE | LOAD,
	 .has = 1 << ACCESS_CORES | 1 << ACCESS_DEVICE_BYTES | 1 << ACCESS_WEIGHT, .cores = 0x4,
	 .exclusive = true, .limits = {.device_bytes = 4096, .weight = 200}},
	{ACCESS_SLICE, "user.slice", .deny = ADMIN},
	{ACCESS_USER, "root", .id = 0, .has = 1 << ACCESS_WEIGHT, .limits.weight = 50},
	{ACCESS_USER, "alice", .id = 1000, .allow = NATIVE, .deny = RESERVE,
	 .has = 1 << ACCESS_CLASS | 1 << ACCESS_QUEUED | 1 << ACCESS_SHARE,
	 .ceiling = ZY_CLASS_NORMAL, .limits = {.queued = 5, .share_percent = 25}},
	{ACCESS_GROUP, "guests", .id = 70, .deny = LOAD,
	 .has = 1 << ACCESS_MODELS | 1 << ACCESS_BUFFERS, .limits = {.models = 1, .buffers = 2}},
	{ACCESS_GROUP, "operators", .id = 71, .allow = LOAD | ADMIN,
	 .has = 1 << ACCESS_MODELS | 1 << ACCESS_ON_DEVICE,
	 .limits = {.models = 9, .on_device = 3}},
	{ACCESS_DEFAULT, "", .deny = RESERVE,
	 .has = 1 << ACCESS_CLASS | 1 << ACCESS_QUEUED | 1 << ACCESS_CORES,
	 .ceiling = ZY_CLASS_INTERACTIVE, .cores = 0x7, .limits.queued = 3},
};

#define N_MATRIX_RULES (sizeof(matrix_rules) / sizeof(matrix_rules[0]))

struct principal {
	const char *who;
	uid_t uid;
	gid_t groups[2]; /* the second supplementary; 0: none */
	const char *path;
	/* what comes of it */
	const char *fits;
	unsigned int rights;
	enum zy_class ceiling;
	uint64_t cores;
	struct account_limits limits;
	const char *account; /* NULL: the user's */
};

#define ALL UINT64_MAX
#define REALTIME ZY_CLASS_REALTIME
#define INTERACTIVE ZY_CLASS_INTERACTIVE
#define NORMAL ZY_CLASS_NORMAL

static const struct principal principals[] = {
	{"anybody",
	 2000,
	 {2000, 0},
	 "/system.slice/x.service",
	 "default",
	 LOAD | INFER,
	 INTERACTIVE,
	 0x3,
	 {.queued = 3},
	 NULL},
	{"a guest",
	 2000,
	 {70, 0},
	 "/system.slice/x.service",
	 "default group:guests",
	 INFER,
	 INTERACTIVE,
	 0x3,
	 {.queued = 3, .models = 1, .buffers = 2},
	 NULL},
	{"a guest by a supplementary group",
	 2000,
	 {2000, 70},
	 "/system.slice/x.service",
	 "default group:guests",
	 INFER,
	 INTERACTIVE,
	 0x3,
	 {.queued = 3, .models = 1, .buffers = 2},
	 NULL},
	{"an operator",
	 2000,
	 {71, 0},
	 "/system.slice/x.service",
	 "default group:operators",
	 LOAD | INFER | ADMIN,
	 INTERACTIVE,
	 0x3,
	 {.queued = 3, .models = 9, .on_device = 3},
	 NULL},
	{"a guest who is an operator, too",
	 2000,
	 {70, 71},
	 "/system.slice/x.service",
	 "default group:guests group:operators",
	 LOAD | INFER | ADMIN,
	 INTERACTIVE,
	 0x3,
	 {.queued = 3, .models = 9, .buffers = 2, .on_device = 3},
	 NULL},
	{"an operator who logged in",
	 2000,
	 {71, 0},
	 "/user.slice/user-2000.slice/session-1.scope",
	 "default group:operators slice:user.slice",
	 LOAD | INFER,
	 INTERACTIVE,
	 0x3,
	 {.queued = 3, .models = 9, .on_device = 3},
	 NULL},
	{"alice",
	 1000,
	 {1000, 0},
	 "/system.slice/x.service",
	 "default user:alice",
	 LOAD | NATIVE | INFER,
	 NORMAL,
	 0x3,
	 {.queued = 5, .share_percent = 25},
	 NULL},
	{"alice, a guest",
	 1000,
	 {1000, 70},
	 "/",
	 "default group:guests user:alice",
	 NATIVE | INFER,
	 NORMAL,
	 0x3,
	 {.queued = 5, .share_percent = 25, .models = 1, .buffers = 2},
	 NULL},
	{"the cameras' slice",
	 2000,
	 {2000, 0},
	 "/cameras.slice/x.service",
	 "default slice:cameras.slice",
	 LOAD | INFER | RESERVE,
	 INTERACTIVE,
	 0x4,
	 {.queued = 3, .device_bytes = 4096, .weight = 200},
	 "slice:cameras.slice"},
	{"alice in the cameras' slice",
	 1000,
	 {1000, 0},
	 "/cameras.slice/x.service",
	 "default user:alice slice:cameras.slice",
	 LOAD | NATIVE | INFER | RESERVE,
	 NORMAL,
	 0x4,
	 {.queued = 5, .share_percent = 25, .device_bytes = 4096, .weight = 200},
	 "slice:cameras.slice"},
	{"an inner slice",
	 2000,
	 {2000, 0},
	 "/cameras.slice/cameras-front.slice/x.service",
	 "default slice:cameras.slice slice:cameras-front.slice",
	 LOAD | INFER | RESERVE,
	 INTERACTIVE,
	 0x4,
	 {.queued = 3, .device_bytes = 4096, .weight = 300},
	 "slice:cameras-front.slice"},
	{"the camera's unit in its slice",
	 2000,
	 {2000, 0},
	 "/cameras.slice/camera.service",
	 "default slice:cameras.slice unit:camera.service",
	 LOAD | INFER | RESERVE,
	 REALTIME,
	 0x4,
	 {.queued = 7, .device_bytes = 4096, .weight = 200},
	 "unit:camera.service"},
	{"the camera's unit elsewhere",
	 1000,
	 {1000, 0},
	 "/system.slice/camera.service",
	 "default user:alice unit:camera.service",
	 LOAD | NATIVE | INFER,
	 REALTIME,
	 0x3,
	 {.queued = 7, .share_percent = 25},
	 "unit:camera.service"},
	{"a user who calls his unit that",
	 2000,
	 {2000, 0},
	 "/user.slice/user-2000.slice/user@2000.service/cameras.slice/camera.service",
	 "default slice:user.slice",
	 LOAD | INFER,
	 INTERACTIVE,
	 0x3,
	 {.queued = 3},
	 NULL},
	{"root",
	 0,
	 {4, 0},
	 "/system.slice/x.service",
	 "user:root",
	 ACCESS_EVERYTHING,
	 REALTIME,
	 ALL & ~UINT64_C(4),
	 {.weight = 50},
	 NULL},
	{"root, logged in",
	 0,
	 {4, 0},
	 "/user.slice/user-0.slice/session-1.scope",
	 "user:root slice:user.slice",
	 ACCESS_EVERYTHING & ~ADMIN,
	 REALTIME,
	 ALL & ~UINT64_C(4),
	 {.weight = 50},
	 NULL},
	{"root in the cameras' slice",
	 0,
	 {4, 0},
	 "/cameras.slice/x.service",
	 "user:root slice:cameras.slice",
	 ACCESS_EVERYTHING,
	 REALTIME,
	 0x4,
	 {.device_bytes = 4096, .weight = 200},
	 "slice:cameras.slice"},
	{"the daemon's user",
	 OWN_UID,
	 {OWN_UID, 0},
	 "/system.slice/x.service",
	 "",
	 ACCESS_EVERYTHING,
	 REALTIME,
	 ALL & ~UINT64_C(4),
	 {.queued = 0},
	 NULL},
	{"somebody in a place that cannot be seen",
	 2000,
	 {2000, 0},
	 "",
	 "default",
	 0,
	 INTERACTIVE,
	 0x3,
	 {.queued = 3},
	 NULL},
	{"root in a place that cannot be seen",
	 0,
	 {4, 0},
	 "/../x.service",
	 "user:root",
	 0,
	 REALTIME,
	 ALL & ~UINT64_C(4),
	 {.weight = 50},
	 NULL},
};

static const char *fits_text(const struct access_grant *grant)
{
	static char text[1024];
	char name[ACCESS_NAME_MAX];

	text[0] = '\0';
	for (size_t i = 0; i < rules.n; i++) {
		if (!(grant->rules[i / 64] >> (i % 64) & 1))
			continue;
		strcat(text, *text ? " " : "");
		strcat(text, access_rule_name(&rules.rules[i], name));
	}
	return text;
}

static void make(const struct principal *p, struct identity *identity, gid_t *supplementary)
{
	*identity = (struct identity){
		.has_uid = true, .has_gid = true, .uid = p->uid, .gid = p->groups[0]};
	*supplementary = p->groups[1];
	identity->groups = supplementary;
	identity->n_groups = p->groups[1] != 0;
	identity_parse_place(p->path, &identity->place);
}

static void check(const struct principal *p, const struct access_grant *got)
{
#define CELL(column, expected)                                                                     \
	cr_expect_eq(got->column, expected, "%s: " #column " is %llu, not %llu", p->who,           \
		     (unsigned long long)got->column, (unsigned long long)(expected))
	for (int right = 0; right < ACCESS_RIGHT_MAX_; right++)
		cr_expect_eq(access_may(got, right), !!(p->rights & ACCESS_BIT(right)), "%s: %s",
			     p->who, access_right_name(right));
	CELL(ceiling, p->ceiling);
	CELL(cores, p->cores);
	CELL(limits.queued, p->limits.queued);
	CELL(limits.on_device, p->limits.on_device);
	CELL(limits.buffers, p->limits.buffers);
	CELL(limits.models, p->limits.models);
	CELL(limits.device_bytes, p->limits.device_bytes);
	CELL(limits.share_percent, p->limits.share_percent);
	CELL(limits.weight, p->limits.weight);
	cr_expect_str_eq(fits_text(got), p->fits, "%s: %s", p->who, fits_text(got));
	cr_expect_str_eq(got->account.name, p->account ? p->account : "", "%s: account %s", p->who,
			 got->account.name);
	cr_expect_eq(got->account.uid, p->uid);
	cr_expect_eq(got->is_unplaced, p->rights == 0, "%s", p->who);
}

Test(access, every_cell_of_the_matrix_of_principals_and_grants_is_right)
{
	struct access_grant grant;
	struct identity identity;
	gid_t supplementary;

	for (size_t i = 0; i < N_MATRIX_RULES; i++)
		put(&matrix_rules[i]);
	for (size_t i = 0; i < sizeof(principals) / sizeof(principals[0]); i++) {
		make(&principals[i], &identity, &supplementary);
		access_decide(&rules, &identity, OWN_UID, &grant);
		check(&principals[i], &grant);
	}
}

Test(access, the_order_of_rules_matters_only_between_groups)
{
	struct access_grant grant;
	struct identity identity;
	gid_t supplementary;

	for (size_t i = N_MATRIX_RULES; i-- > 0;)
		if (matrix_rules[i].kind != ACCESS_GROUP)
			put(&matrix_rules[i]);
	for (size_t i = 0; i < N_MATRIX_RULES; i++)
		if (matrix_rules[i].kind == ACCESS_GROUP)
			put(&matrix_rules[i]);
	for (size_t i = 0; i < sizeof(principals) / sizeof(principals[0]); i++) {
		make(&principals[i], &identity, &supplementary);
		access_decide(&rules, &identity, OWN_UID, &grant);
		check(&principals[i], &grant);
	}
}

Test(access, without_rules_root_and_the_daemons_user_may_everything_and_others_the_usual)
{
	struct identity identity = {.has_uid = true, .uid = 0};
	struct access_grant grant;

	access_decide(&rules, &identity, OWN_UID, &grant);
	cr_expect_eq(grant.rights, ACCESS_EVERYTHING, "even where it is not known where it runs");
	identity.uid = OWN_UID;
	access_decide(&rules, &identity, OWN_UID, &grant);
	cr_expect_eq(grant.rights, ACCESS_EVERYTHING);
	identity.uid = 2000;
	access_decide(&rules, &identity, OWN_UID, &grant);
	cr_expect_eq(grant.rights, LOAD | INFER | RESERVE);
	cr_expect_eq(grant.cores, UINT64_MAX);
	cr_expect_eq(grant.ceiling, ZY_CLASS_REALTIME);
	/* A process whose uid has no number here is nobody in particular. */
	identity = (struct identity){.has_uid = false, .uid = 0};
	access_decide(&rules, &identity, OWN_UID, &grant);
	cr_expect_eq(grant.rights, LOAD | INFER | RESERVE);
}

Test(access, a_user_rule_fits_nobody_without_a_number)
{
	const struct access_rule nobody = {ACCESS_USER, "nobody", .id = 65534, .allow = ADMIN};
	const struct access_rule nogroup = {ACCESS_GROUP, "nogroup", .id = 65534, .allow = NATIVE};
	struct identity identity = {.uid = 65534, .gid = 65534};
	struct access_grant grant;

	put(&nobody);
	put(&nogroup);
	access_decide(&rules, &identity, OWN_UID, &grant);
	cr_expect_eq(grant.rights, LOAD | INFER | RESERVE);
	identity.has_uid = identity.has_gid = true;
	access_decide(&rules, &identity, OWN_UID, &grant);
	cr_expect_eq(grant.rights, LOAD | INFER | RESERVE | ADMIN | NATIVE);
}

Test(access, a_rule_replaces_the_one_for_the_same_principal)
{
	struct access_rule rule = {ACCESS_USER, "alice", .id = 1000, .allow = ADMIN};

	put(&rule);
	rule.allow = 0;
	strcpy(rule.name, "1000");
	put(&rule);
	cr_expect_eq(rules.n, 1);
	cr_expect_eq(rules.rules[0].allow, 0);
	rule.kind = ACCESS_GROUP;
	put(&rule);
	cr_expect_eq(rules.n, 2);
}

Test(access, there_is_an_end_of_rules)
{
	struct access_rule rule = {.kind = ACCESS_USER};

	for (rule.id = 1; rule.id <= ACCESS_MAX_RULES; rule.id++)
		put(&rule);
	cr_expect_eq(access_rules_put(&rules, &rule), -ENOSPC);
	rule.id = 5;
	put(&rule);
}

Test(access, two_may_not_own_the_same_core_alone)
{
	struct access_rule rule = {ACCESS_SLICE, "a.slice", .has = 1 << ACCESS_CORES, .cores = 0x3,
				   .exclusive = true};
	const struct access_rule *a, *b;

	put(&rule);
	strcpy(rule.name, "b.slice");
	rule.cores = 0x4;
	put(&rule);
	cr_expect(!access_rules_collide(&rules, &a, &b));
	rule.cores = 0x6;
	put(&rule);
	cr_assert(access_rules_collide(&rules, &a, &b));
	cr_expect(strcmp(a->name, "b.slice") == 0 && strcmp(b->name, "a.slice") == 0);
}

Test(access, rights_have_names)
{
	for (int right = 0; right < ACCESS_RIGHT_MAX_; right++)
		cr_expect_eq(access_right_find(access_right_name(right)), right);
	cr_expect_eq(access_right_find("everything"), -EINVAL);
	cr_expect_str_eq(access_right_name(ACCESS_RIGHT_MAX_), "unknown");
}
