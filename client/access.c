/* SPDX-License-Identifier: Apache-2.0 */
/* Who the daemon takes us for. The answer is one allocation, as in info.c. */
#include <stdlib.h>

#include "client/client.h"
#include "client/control.h"
#include "client/text.h"
#include "proto/scope.h"

struct access_block {
	struct zhouyi_access access;
	/* Then rights, rules and groups. */
};

static void copy_identity(const Zy__Identity *said, struct zhouyi_access *ret, char **texts)
{
	ret->has_uid = said->has_uid;
	ret->uid = said->uid;
	ret->has_gid = said->has_gid;
	ret->gid = said->gid;
	ret->pid = said->pid;
	ret->placed = said->placed;
	ret->unit = zy_text_append(texts, said->unit);
	ret->slice = zy_text_append(texts, said->slice);
	ret->user_unit = zy_text_append(texts, said->user_unit);
	ret->cgroup = zy_text_append(texts, said->cgroup);
	ret->label = zy_text_append(texts, said->label);
}

static void copy_limits(const Zy__Account *said, struct zhouyi_access *ret, char **texts)
{
	ret->principal = zy_text_append(texts, said->principal);
	ret->weight = said->weight;
	ret->max_queued = said->max_queued;
	ret->max_running = said->max_running;
	ret->max_buffers = said->max_buffers;
	ret->max_models = said->max_models;
	ret->max_device_bytes = said->max_device_bytes;
	ret->share_percent = said->share_percent;
}

static struct zhouyi_access *access_copy(struct zhouyi_client *client, const Zy__Access *said)
{
	size_t n_groups = said->identity->n_groups;
	struct access_block *block;
	struct zhouyi_right *rights;
	const char **rules;
	unsigned int *groups;
	char *texts;

	block = zy_text_block(client, &said->base,
			      sizeof(*block) + said->n_rights * sizeof(*rights) +
				      said->n_rules * sizeof(*rules) + n_groups * sizeof(*groups),
			      &texts);
	if (!block)
		return NULL;
	rights = (struct zhouyi_right *)(block + 1);
	rules = (const char **)(rights + said->n_rights);
	groups = (unsigned int *)(rules + said->n_rules);
	copy_identity(said->identity, &block->access, &texts);
	copy_limits(said->limits, &block->access, &texts);
	for (size_t i = 0; i < said->n_rights; i++)
		rights[i] = (struct zhouyi_right){
			.name = zy_text_append(&texts, said->rights[i]->name),
			.allowed = said->rights[i]->allowed,
		};
	for (size_t i = 0; i < said->n_rules; i++)
		rules[i] = zy_text_append(&texts, said->rules[i]);
	for (size_t i = 0; i < n_groups; i++)
		groups[i] = said->identity->groups[i];
	block->access.n_rights = said->n_rights;
	block->access.rights = rights;
	block->access.n_rules = said->n_rules;
	block->access.rules = rules;
	block->access.n_groups = n_groups;
	block->access.groups = groups;
	block->access.class_ceiling = said->class_ceiling < ZY_CLASS_MAX_
					      ? (enum zhouyi_class)said->class_ceiling
					      : ZHOUYI_CLASS_BACKGROUND;
	block->access.cores = said->cores;
	block->access.unplaced = said->unplaced;
	return &block->access;
}

static int ask(struct zhouyi_client *client, Zy__Request *request, struct zhouyi_access **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	struct zhouyi_access *access;
	int r = zy_client_needs(client, ZY_FEATURE_ACCESS);

	if (r < 0)
		return r;
	r = zy_control_call(client, request, -1, ZY__RESPONSE__BODY_ACCESS, &reply);
	if (r < 0)
		return r;
	if (!reply.response->access->identity || !reply.response->access->limits)
		return zy_client_fail(client, ZHOUYI_ERROR_PROTOCOL,
				      "the daemon's answer lacks identity or limits");
	access = access_copy(client, reply.response->access);
	if (!access)
		return -ZHOUYI_ERROR_NO_MEMORY;
	*ret = access;
	return 0;
}

int zhouyi_whoami(struct zhouyi_client *client, struct zhouyi_access **ret)
{
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__Whoami whoami = ZY__WHOAMI__INIT;

	request.body_case = ZY__REQUEST__BODY_WHOAMI;
	request.whoami = &whoami;
	return ask(client, &request, ret);
}

int zhouyi_access_test(struct zhouyi_client *client, const struct zhouyi_principal *principal,
		       struct zhouyi_access **ret)
{
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__TestAccess test = ZY__TEST_ACCESS__INIT;

	request.body_case = ZY__REQUEST__BODY_TEST_ACCESS;
	request.test_access = &test;
	test.has_uid = principal->has_uid;
	test.uid = principal->uid;
	test.n_groups = principal->n_groups;
	test.groups = (uint32_t *)principal->groups;
	test.unit = (char *)(principal->unit ? principal->unit : "");
	test.slice = (char *)(principal->slice ? principal->slice : "");
	return ask(client, &request, ret);
}
