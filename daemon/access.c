/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/access.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const right_names[ACCESS_RIGHT_MAX_] = {
	[ACCESS_LOAD] = "load",	  [ACCESS_LOAD_NATIVE] = "load-native",
	[ACCESS_INFER] = "infer", [ACCESS_RESERVE] = "reserve",
	[ACCESS_ADMIN] = "admin",
};

static const char *const kind_names[] = {
	[ACCESS_DEFAULT] = "default", [ACCESS_GROUP] = "group", [ACCESS_USER] = "user",
	[ACCESS_SLICE] = "slice",     [ACCESS_UNIT] = "unit",
};

const char *access_right_name(enum access_right right)
{
	return right < ACCESS_RIGHT_MAX_ ? right_names[right] : "unknown";
}

int access_right_find(const char *name)
{
	for (int i = 0; i < ACCESS_RIGHT_MAX_; i++)
		if (strcmp(right_names[i], name) == 0)
			return i;
	return -EINVAL;
}

char *access_rule_name(const struct access_rule *rule, char buf[static ACCESS_NAME_MAX])
{
	snprintf(buf, ACCESS_NAME_MAX, "%s%s%s", kind_names[rule->kind],
		 rule->kind == ACCESS_DEFAULT ? "" : ":", rule->name);
	return buf;
}

/*
 * The rules
 */

static bool is_same_principal(const struct access_rule *a, const struct access_rule *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case ACCESS_DEFAULT:
		return true;
	case ACCESS_GROUP:
	case ACCESS_USER:
		return a->id == b->id;
	case ACCESS_SLICE:
	case ACCESS_UNIT:
		return strcmp(a->name, b->name) == 0;
	}
	return false;
}

/* Whether @a is weaker than @b. An outer slice has a shorter name than those in it. */
static bool is_before(const struct access_rule *a, const struct access_rule *b)
{
	if (a->kind != b->kind || a->kind != ACCESS_SLICE)
		return a->kind < b->kind;
	if (strcmp(a->name, "-.slice") == 0 || strcmp(b->name, "-.slice") == 0)
		return strcmp(b->name, "-.slice") != 0;
	return strlen(a->name) < strlen(b->name);
}

int access_rules_put(struct access_rules *rules, const struct access_rule *rule)
{
	struct access_rule *grown;
	size_t at = rules->n;

	for (size_t i = 0; i < rules->n; i++) {
		if (is_same_principal(&rules->rules[i], rule)) {
			rules->rules[i] = *rule;
			return 0;
		}
	}
	if (rules->n == ACCESS_MAX_RULES)
		return -ENOSPC;
	grown = reallocarray(rules->rules, rules->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	for (; at > 0 && is_before(rule, &grown[at - 1]); at--)
		grown[at] = grown[at - 1];
	grown[at] = *rule;
	rules->rules = grown;
	rules->n++;
	return 0;
}

void access_rules_finish(struct access_rules *rules)
{
	free(rules->rules);
	*rules = (struct access_rules){0};
}

bool access_rules_collide(const struct access_rules *rules, const struct access_rule **ret_a,
			  const struct access_rule **ret_b)
{
	for (size_t i = 0; i < rules->n; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct access_rule *a = &rules->rules[i], *b = &rules->rules[j];

			if (a->exclusive && b->exclusive && (a->cores & b->cores)) {
				*ret_a = a;
				*ret_b = b;
				return true;
			}
		}
	}
	return false;
}

/*
 * Deciding
 */

static bool fits(const struct access_rule *rule, const struct identity *identity, bool is_ruler)
{
	const struct identity_place *place = &identity->place;

	switch (rule->kind) {
	case ACCESS_DEFAULT:
		return !is_ruler;
	case ACCESS_GROUP:
		return identity_has_group(identity, rule->id);
	case ACCESS_USER:
		return identity->has_uid && identity->uid == rule->id;
	case ACCESS_SLICE:
		return place->is_known && identity_slice_is_in(place->slice, rule->name);
	case ACCESS_UNIT:
		return place->is_known && strcmp(place->unit, rule->name) == 0;
	}
	return false;
}

static void apply(const struct access_rule *rule, struct access_grant *grant)
{
	const struct account_limits *from = &rule->limits;
	struct account_limits *to = &grant->limits;

#define TAKE(field, target, value)                                                                 \
	do {                                                                                       \
		if (rule->has & (1u << (field)))                                                   \
			(target) = (value);                                                        \
	} while (0)
	grant->rights = (grant->rights | rule->allow) & ~rule->deny;
	TAKE(ACCESS_CLASS, grant->ceiling, rule->ceiling);
	TAKE(ACCESS_CORES, grant->cores, rule->cores);
	TAKE(ACCESS_WEIGHT, to->weight, from->weight);
	TAKE(ACCESS_QUEUED, to->queued, from->queued);
	TAKE(ACCESS_ON_DEVICE, to->on_device, from->on_device);
	TAKE(ACCESS_BUFFERS, to->buffers, from->buffers);
	TAKE(ACCESS_MODELS, to->models, from->models);
	TAKE(ACCESS_DEVICE_BYTES, to->device_bytes, from->device_bytes);
	TAKE(ACCESS_SHARE, to->share_percent, from->share_percent);
#undef TAKE
}

/* Slices and units with limits have accounts of their own, whoever runs in them. */
static void choose_account(const struct access_rule *rule, struct access_grant *grant)
{
	const unsigned int limits = ~((1u << ACCESS_CLASS) | (1u << ACCESS_CORES));

	if (rule->kind >= ACCESS_SLICE && (rule->has & limits))
		access_rule_name(rule, grant->account.name);
}

void access_decide(const struct access_rules *rules, const struct identity *identity, uid_t own_uid,
		   struct access_grant *ret)
{
	bool is_ruler = identity->has_uid && (identity->uid == 0 || identity->uid == own_uid);
	bool asks_place = false;
	uint64_t taken = 0; /* by rules that do not fit */

	*ret = (struct access_grant){
		.rights = is_ruler ? ACCESS_EVERYTHING : ACCESS_USUAL,
		.ceiling = ZY_CLASS_REALTIME,
		.cores = UINT64_MAX,
		.account = {.uid = identity->uid},
	};
	for (size_t i = 0; i < rules->n; i++) {
		const struct access_rule *rule = &rules->rules[i];

		asks_place |= rule->kind >= ACCESS_SLICE;
		if (fits(rule, identity, is_ruler)) {
			apply(rule, ret);
			choose_account(rule, ret);
			ret->rules[i / 64] |= UINT64_C(1) << (i % 64);
		} else if (rule->exclusive) {
			taken |= rule->cores;
		}
	}
	ret->cores &= ~taken;
	if (asks_place && !identity->place.is_known) {
		ret->is_unplaced = true;
		ret->rights = 0;
	}
}
