/* SPDX-License-Identifier: Apache-2.0 */
/* Who the daemon takes somebody for, and what that may do. */
#include <string.h>

#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/request_internal.h"
#include "daemon/tenant.h"
#include "proto/status.h"

#define GROUPS_MAX 1024u /* of a description */

/* What comes from outside, made fit for a message: valid UTF-8, and no surprises on a terminal. */
struct texts {
	char cgroup[2 * IDENTITY_CGROUP_MAX], label[2 * IDENTITY_LABEL_MAX];
	char rules[ACCESS_MAX_RULES][ACCESS_NAME_MAX];
	char *rule_list[ACCESS_MAX_RULES];
	Zy__Right rights[ACCESS_RIGHT_MAX_], *right_list[ACCESS_RIGHT_MAX_];
};

static void describe_identity(const struct identity *identity, struct texts *texts,
			      Zy__Identity *ret)
{
	const struct identity_place *place = &identity->place;

	zy__identity__init(ret);
	ret->has_uid = identity->has_uid;
	ret->uid = identity->uid;
	ret->has_gid = identity->has_gid;
	ret->gid = identity->gid;
	ret->groups = identity->groups;
	ret->n_groups = identity->n_groups < GROUPS_MAX ? identity->n_groups : GROUPS_MAX;
	ret->pid = identity->pid;
	ret->placed = place->is_known;
	ret->unit = (char *)place->unit;
	ret->slice = (char *)place->slice;
	ret->user_unit = (char *)place->user_unit;
	ret->cgroup = log_escape(texts->cgroup, sizeof(texts->cgroup), identity->cgroup);
	ret->label = log_escape(texts->label, sizeof(texts->label), identity->label);
}

static void describe_rules(const struct access_rules *rules, const struct access_grant *grant,
			   struct texts *texts, Zy__Access *ret)
{
	ret->rules = texts->rule_list;
	ret->n_rules = 0;
	for (size_t i = 0; rules && i < rules->n; i++) {
		if (!(grant->rules[i / 64] >> (i % 64) & 1))
			continue;
		texts->rule_list[ret->n_rules] =
			access_rule_name(&rules->rules[i], texts->rules[ret->n_rules]);
		ret->n_rules++;
	}
}

static void describe_rights(const struct access_grant *grant, struct texts *texts, Zy__Access *ret)
{
	for (unsigned int i = 0; i < ACCESS_RIGHT_MAX_; i++) {
		zy__right__init(&texts->rights[i]);
		texts->rights[i].name = (char *)access_right_name((enum access_right)i);
		texts->rights[i].allowed = access_may(grant, (enum access_right)i);
		texts->right_list[i] = &texts->rights[i];
	}
	ret->rights = texts->right_list;
	ret->n_rights = ACCESS_RIGHT_MAX_;
}

static void describe_limits(const struct access_grant *grant, Zy__Account *ret)
{
	const struct account_limits *limits = &grant->limits;

	zy__account__init(ret);
	ret->uid = grant->account.uid;
	ret->principal = (char *)grant->account.name;
	ret->weight = limits->weight ? limits->weight : ACCOUNT_USUAL_WEIGHT;
	ret->max_queued = limits->queued;
	ret->max_running = limits->on_device;
	ret->max_device_bytes = limits->device_bytes;
	ret->max_buffers = limits->buffers;
	ret->max_models = limits->models;
	ret->share_percent = limits->share_percent;
}

static void reply_access(struct session *session, uint32_t serial, const struct identity *identity,
			 const struct access_grant *grant)
{
	struct session_group *group = session->group;
	unsigned int n_cores = group->device->caps.cores;
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Access body = ZY__ACCESS__INIT;
	Zy__Identity who;
	Zy__Account limits;
	struct texts *texts;

	/* Behind the request, which is still needed. */
	texts = arena_alloc(&group->arena, sizeof(*texts));
	if (!texts) {
		reply_refuse(session, serial, ZY_NO_MEMORY, "the daemon is out of memory");
		return;
	}
	describe_identity(identity, texts, &who);
	describe_rules(group->access, grant, texts, &body);
	describe_rights(grant, texts, &body);
	describe_limits(grant, &limits);
	body.identity = &who;
	body.limits = &limits;
	body.class_ceiling = grant->ceiling;
	body.cores = grant->cores & (n_cores >= 64 ? UINT64_MAX : (UINT64_C(1) << n_cores) - 1);
	body.unplaced = grant->is_unplaced;
	response.body_case = ZY__RESPONSE__BODY_ACCESS;
	response.access = &body;
	if (reply_body(session, serial, &response, NULL) < 0)
		reply_refuse(session, serial, ZY_INTERNAL, "the answer does not fit into a packet");
}

/* The account was chosen when it connected, whatever the rules say now. */
void request_whoami(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	struct access_grant grant = session->grant;

	(void)fds;
	grant.account = session->owner.tenant->account->key;
	reply_access(session, req->serial, session->identity, &grant);
}

static bool is_oneself(const struct session *session, const Zy__TestAccess *body)
{
	const struct identity *self = session->identity;

	if (body->has_uid != self->has_uid || (body->has_uid && body->uid != self->uid))
		return false;
	for (size_t i = 0; i < body->n_groups; i++)
		if (!identity_has_group(self, body->groups[i]))
			return false;
	return (!body->unit[0] || strcmp(body->unit, self->place.unit) == 0) &&
	       (!body->slice[0] || strcmp(body->slice, self->place.slice) == 0);
}

static int compare_groups(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* @body's groups are sorted, in place. False: refused. */
static bool imagine(struct session *session, const Zy__Request *req, struct identity *ret)
{
	const Zy__TestAccess *body = req->test_access;

	if ((body->unit[0] && !identity_is_unit_name(body->unit)) ||
	    (body->slice[0] && !identity_is_slice_name(body->slice))) {
		reply_refuse(session, req->serial, ZY_INVALID,
			     "a unit has a name like camera.service, a slice one like "
			     "cameras.slice");
		return false;
	}
	if (body->n_groups)
		qsort(body->groups, body->n_groups, sizeof(*body->groups), compare_groups);
	*ret = (struct identity){
		.has_uid = body->has_uid,
		.uid = body->uid,
		.groups = body->groups,
		.n_groups = body->n_groups,
		.place.is_known = true,
	};
	strcpy(ret->place.unit, body->unit);
	strcpy(ret->place.slice, body->slice[0] ? body->slice : "-.slice");
	return true;
}

void request_test_access(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	struct identity identity;
	struct access_grant grant;

	(void)fds;
	if (!access_may(&session->grant, ACCESS_ADMIN) && !is_oneself(session, req->test_access)) {
		reply_refuse(session, req->serial, ZY_DENIED,
			     "what others may do is told to those who have the right admin");
		return;
	}
	if (!imagine(session, req, &identity))
		return;
	session_group_decide(session->group, &identity, &grant);
	reply_access(session, req->serial, &identity, &grant);
}
