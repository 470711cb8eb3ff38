/* SPDX-License-Identifier: Apache-2.0 */
/* The section "access": for each principal an object with what it may. */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config_internal.h"
#include "policy/policy.h"
#include "proto/status.h"

#define LOOKUP_BYTES 65536u

/*
 * The principal
 */

/* 1: @text is a number; 0: it is none; -EINVAL: one that nobody has. */
static int parse_id(const char *text, uint32_t *ret)
{
	unsigned long long n;
	char *end;

	if (!*text || text[strspn(text, "0123456789")])
		return 0;
	n = strtoull(text, &end, 10);
	if (strlen(text) > 10 || n >= UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)n;
	return 1;
}

static int find_user(const char *name, char *buf, uint32_t *ret)
{
	struct passwd entry, *found = NULL;
	int r = getpwnam_r(name, &entry, buf, LOOKUP_BYTES, &found);

	if (found)
		*ret = found->pw_uid;
	return found ? 0 : r ? -r : -ENOENT;
}

static int find_group(const char *name, char *buf, uint32_t *ret)
{
	struct group entry, *found = NULL;
	int r = getgrnam_r(name, &entry, buf, LOOKUP_BYTES, &found);

	if (found)
		*ret = found->gr_gid;
	return found ? 0 : r ? -r : -ENOENT;
}

static int look_up(struct config_reader *reader, struct access_rule *rule)
{
	const char *what = rule->kind == ACCESS_USER ? "user" : "group";
	zy_auto(zy_free) char *buf = NULL;
	int r = parse_id(rule->name, &rule->id);

	if (r < 0)
		return config_complain(reader, "no %s has this number", what);
	if (r > 0)
		return 0;
	buf = malloc(LOOKUP_BYTES);
	if (!buf)
		return config_complain(reader, "out of memory");
	r = rule->kind == ACCESS_USER ? find_user(rule->name, buf, &rule->id)
				      : find_group(rule->name, buf, &rule->id);
	/* Which errors mean "not found" differs between sources. */
	if (r < 0)
		return config_complain(reader, "there is no %s '%s'", what, rule->name);
	return 0;
}

static int parse_principal(struct config_reader *reader, const char *text, struct access_rule *ret)
{
	static const struct {
		const char *prefix;
		enum access_kind kind;
	} kinds[] = {
		{"group:", ACCESS_GROUP},
		{"user:", ACCESS_USER},
		{"slice:", ACCESS_SLICE},
		{"unit:", ACCESS_UNIT},
	};
	const char *name = NULL;

	if (strcmp(text, "default") == 0)
		return 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
			name = text + strlen(kinds[i].prefix);
			ret->kind = kinds[i].kind;
		}
	}
	if (!name)
		return config_complain(reader, "must be default, user:NAME, group:NAME, "
					       "slice:NAME or unit:NAME");
	if (!*name || strlen(name) >= sizeof(ret->name))
		return config_complain(reader, "is not a name of that kind");
	strcpy(ret->name, name);
	if (ret->kind == ACCESS_SLICE && !identity_is_slice_name(name))
		return config_complain(reader, "'%s' is not the name of a slice", name);
	if (ret->kind == ACCESS_UNIT && !identity_is_unit_name(name))
		return config_complain(reader,
				       "'%s' is not the name of a unit with processes, "
				       "like camera.service",
				       name);
	return ret->kind <= ACCESS_USER ? look_up(reader, ret) : 0;
}

/*
 * What it may
 */

static int set_rights(struct config_reader *reader, unsigned int *rights, json_t *array)
{
	size_t i;
	json_t *value;

	if (!json_is_array(array))
		return config_complain(reader, "must be an array of rights");
	json_array_foreach(array, i, value)
	{
		const char *name = json_string_value(value);
		int right = name ? access_right_find(name) : -EINVAL;

		if (right < 0)
			return config_complain(reader, "must be of the strings load load-native "
						       "infer reserve admin");
		*rights |= ACCESS_BIT(right);
	}
	return 0;
}

static int set_cores(struct config_reader *reader, struct access_rule *rule, json_t *value)
{
	const char *text = json_string_value(value);
	uint64_t cores = 0;
	json_t *one;
	size_t i;

	if (text && strcmp(text, "all") == 0)
		cores = UINT64_MAX;
	json_array_foreach(value, i, one)
	{
		json_int_t n = json_integer_value(one);

		if (!json_is_integer(one) || n < 0 || n >= (json_int_t)POLICY_MAX_CORES)
			return config_complain(reader, "a core is an integer from 0 to %u",
					       POLICY_MAX_CORES - 1);
		cores |= UINT64_C(1) << n;
	}
	if (!cores)
		return config_complain(reader,
				       "must be \"all\", or an array of the numbers of cores");
	rule->cores = cores;
	return 0;
}

static int set_class(struct config_reader *reader, struct access_rule *rule, json_t *value)
{
	const char *text = json_string_value(value);
	int class = text ? zy_class_find(text) : -EINVAL;

	if (class < 0)
		return config_complain(reader, "must be one of the strings realtime interactive "
					       "normal background");
	rule->ceiling = (enum zy_class) class;
	return 0;
}

/* Numbers. 0 is no limit. */
static const struct rule_number {
	const char *name;
	enum access_field field;
	size_t offset; /* in struct account_limits */
	uint64_t min, max;
	bool is_wide; /* uint64_t */
} numbers[] = {
#define NUMBER(name, field, member, min, max)                                                      \
	{                                                                                          \
		name, field, offsetof(struct account_limits, member), min, max,                    \
			sizeof(((struct account_limits *)0)->member) == sizeof(uint64_t)           \
	}
	NUMBER("weight", ACCESS_WEIGHT, weight, 1, 10000),
	NUMBER("queued", ACCESS_QUEUED, queued, 0, 1000000),
	NUMBER("on_device", ACCESS_ON_DEVICE, on_device, 0, 1000),
	NUMBER("buffers", ACCESS_BUFFERS, buffers, 0, 1000000),
	NUMBER("models", ACCESS_MODELS, models, 0, 1000),
	NUMBER("device_bytes", ACCESS_DEVICE_BYTES, device_bytes, 0, UINT64_C(1) << 40),
	NUMBER("share_percent", ACCESS_SHARE, share_percent, 0, 100),
};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static int set_limit(struct config_reader *reader, struct access_rule *rule,
		     const struct rule_number *number, json_t *value)
{
	void *member = (char *)&rule->limits + number->offset;
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || (uint64_t)n < number->min ||
	    (uint64_t)n > number->max)
		return config_complain(reader, "must be an integer from %" PRIu64 " to %" PRIu64,
				       number->min, number->max);
	if (number->is_wide)
		*(uint64_t *)member = (uint64_t)n;
	else
		*(unsigned int *)member = (unsigned int)n;
	rule->has |= 1u << number->field;
	return 0;
}

static int set_member(struct config_reader *reader, struct access_rule *rule, const char *name,
		      json_t *value)
{
	if (strcmp(name, "allow") == 0)
		return set_rights(reader, &rule->allow, value);
	if (strcmp(name, "deny") == 0)
		return set_rights(reader, &rule->deny, value);
	if (strcmp(name, "class") == 0) {
		rule->has |= 1u << ACCESS_CLASS;
		return set_class(reader, rule, value);
	}
	if (strcmp(name, "cores") == 0) {
		rule->has |= 1u << ACCESS_CORES;
		return set_cores(reader, rule, value);
	}
	if (strcmp(name, "exclusive") == 0) {
		rule->exclusive = json_is_true(value);
		return json_is_boolean(value) ? 0
					      : config_complain(reader, "must be true or false");
	}
	for (size_t i = 0; i < N_NUMBERS; i++)
		if (strcmp(numbers[i].name, name) == 0)
			return set_limit(reader, rule, &numbers[i], value);
	return config_complain(reader, "there is no such key");
}

static int check_rule(struct config_reader *reader, const struct access_rule *rule)
{
	if (rule->allow & rule->deny)
		return config_complain(reader, "allows and denies the same right");
	if (!rule->exclusive)
		return 0;
	if (rule->kind == ACCESS_DEFAULT || !rule->cores || rule->cores == UINT64_MAX)
		return config_complain(reader, "exclusive takes a list of cores, and somebody "
					       "other than default");
	return 0;
}

/* Returns whether all of it is right. */
static int set_rule(struct config_reader *reader, const char *principal, json_t *object)
{
	struct access_rule rule = {.kind = ACCESS_DEFAULT};
	const char *name;
	json_t *value;
	int r = parse_principal(reader, principal, &rule);

	if (!json_is_object(object))
		return config_complain(reader, "must be an object");
	json_object_foreach(object, name, value)
	{
		if (name[0] == '#')
			continue;
		config_enter(reader, name);
		if (set_member(reader, &rule, name, value) < 0)
			r = -EINVAL;
		config_leave(reader);
	}
	if (r < 0 || check_rule(reader, &rule) < 0)
		return -EINVAL;
	config_remember(reader);
	r = access_rules_put(&reader->config->access, &rule);
	if (r < 0)
		return config_complain(reader,
				       r == -ENOSPC ? "there are too many rules" : "out of memory");
	return 0;
}

int config_access_apply(struct config_reader *reader, json_t *object)
{
	const char *principal;
	json_t *value;
	int r = 0;

	if (!json_is_object(object))
		return config_complain(reader, "must be an object with a principal for each key");
	json_object_foreach(object, principal, value)
	{
		if (principal[0] == '#')
			continue;
		config_enter(reader, principal);
		if (set_rule(reader, principal, value) < 0)
			r = -EINVAL;
		config_leave(reader);
	}
	return r;
}

int config_access_check(struct config_reader *reader)
{
	char name[ACCESS_NAME_MAX], other[ACCESS_NAME_MAX], path[ACCESS_NAME_MAX + 8];
	const struct access_rule *a, *b;

	if (!access_rules_collide(&reader->config->access, &a, &b))
		return 0;
	snprintf(path, sizeof(path), "access.%s", access_rule_name(a, name));
	return config_complain_about(reader, path, "wants a core for itself that %s has already",
				     access_rule_name(b, other));
}

/*
 * Showing
 */

static json_t *rights_json(unsigned int rights)
{
	json_t *json = json_array();

	for (int right = 0; right < ACCESS_RIGHT_MAX_; right++)
		if (rights & ACCESS_BIT(right))
			json_array_append_new(json, json_string(access_right_name(right)));
	return json;
}

static json_t *cores_json(uint64_t cores)
{
	json_t *json;

	if (cores == UINT64_MAX)
		return json_string("all");
	json = json_array();
	for (unsigned int i = 0; i < POLICY_MAX_CORES; i++)
		if (cores >> i & 1)
			json_array_append_new(json, json_integer(i));
	return json;
}

static json_t *rule_json(const struct access_rule *rule)
{
	json_t *json = json_object();

	if (rule->allow)
		json_object_set_new(json, "allow", rights_json(rule->allow));
	if (rule->deny)
		json_object_set_new(json, "deny", rights_json(rule->deny));
	if (rule->has & (1u << ACCESS_CLASS))
		json_object_set_new(json, "class", json_string(zy_class_name(rule->ceiling)));
	if (rule->has & (1u << ACCESS_CORES))
		json_object_set_new(json, "cores", cores_json(rule->cores));
	if (rule->exclusive)
		json_object_set_new(json, "exclusive", json_true());
	for (size_t i = 0; i < N_NUMBERS; i++) {
		const void *member = (const char *)&rule->limits + numbers[i].offset;

		if (rule->has & (1u << numbers[i].field))
			json_object_set_new(
				json, numbers[i].name,
				json_integer(numbers[i].is_wide
						     ? (json_int_t) * (const uint64_t *)member
						     : (json_int_t) *
							       (const unsigned int *)member));
	}
	return json;
}

json_t *config_access_dump(const struct access_rules *rules)
{
	char name[ACCESS_NAME_MAX];
	json_t *json = json_object();

	for (size_t i = 0; i < rules->n; i++)
		json_object_set_new(json, access_rule_name(&rules->rules[i], name),
				    rule_json(&rules->rules[i]));
	return json;
}
