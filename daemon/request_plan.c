/* SPDX-License-Identifier: Apache-2.0 */
/* What will happen, and who uses what. */
#include <errno.h>

#include "daemon/binding.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/request_internal.h"
#include "daemon/scheduler_internal.h"
#include "daemon/tenant.h"

/* So many fit into a packet, however long their names are. */
#define PLAN_ENTRIES 200u
#define PLAN_RESERVATIONS 64u

/*
 * The plan
 */

struct plan_space {
	struct policy_plan_entry plan[PLAN_ENTRIES];
	Zy__PlanEntry entries[PLAN_ENTRIES], *entry_list[PLAN_ENTRIES];
	Zy__PlanReservation reservations[PLAN_RESERVATIONS], *reservation_list[PLAN_RESERVATIONS];
	Zy__PlanClass classes[ZY_CLASS_MAX_], *class_list[ZY_CLASS_MAX_];
	Zy__PlanCore cores[POLICY_MAX_CORES], *core_list[POLICY_MAX_CORES];
	char names[PLAN_ENTRIES + PLAN_RESERVATIONS][2][REQUEST_NAME_MAX];
};

static void plan_entry(const struct session *session, const struct policy_plan_entry *from,
		       char names[2][REQUEST_NAME_MAX], Zy__PlanEntry *ret)
{
	const struct job *job = list_entry(from->job, struct job, policy);

	zy__plan_entry__init(ret);
	ret->class_ = from->job->class;
	ret->accepted = from->job->accepted_ns;
	ret->start = from->start_ns;
	ret->end = from->end_ns;
	ret->cores = from->cores;
	ret->deadline = job->deadline_ns;
	ret->own = job->uid == session->uid;
	if (!request_sees(session, job->uid))
		return;
	ret->request = job->id;
	ret->session = job->tenant->client.id;
	ret->uid = job->uid;
	ret->client = log_escape(names[0], REQUEST_NAME_MAX, job->tenant->name);
	ret->model = log_escape(names[1], REQUEST_NAME_MAX, job->binding->model->name);
}

static void plan_queue(const struct session *session, struct plan_space *space, Zy__Plan *ret)
{
	ret->n_queue = policy_plan(session->group->scheduler->policy, loop_now(), space->plan,
				   PLAN_ENTRIES);
	ret->queue = space->entry_list;
	for (size_t i = 0; i < ret->n_queue; i++) {
		plan_entry(session, &space->plan[i], space->names[i], &space->entries[i]);
		space->entry_list[i] = &space->entries[i];
	}
}

static void plan_reservation(const struct session *session, const struct session *owner,
			     const struct held_reservation *held, char names[2][REQUEST_NAME_MAX],
			     Zy__PlanReservation *ret)
{
	const struct reservation *r = held->reservation;

	zy__plan_reservation__init(ret);
	ret->core = r->core;
	ret->budget = r->spec.budget_ns;
	ret->period = r->spec.period_ns;
	ret->deadline = r->spec.deadline_ns;
	ret->jitter = r->spec.jitter_ns;
	ret->frames = r->frames;
	ret->early = r->early;
	ret->overruns = r->overruns;
	ret->missed = r->missed;
	ret->own = owner->uid == session->uid;
	if (!request_sees(session, owner->uid))
		return;
	ret->reservation = r->id;
	ret->session = owner->id;
	ret->uid = owner->uid;
	ret->client = log_escape(names[0], REQUEST_NAME_MAX, owner->owner.tenant->name);
	ret->model = log_escape(names[1], REQUEST_NAME_MAX, held->model->name);
}

static void plan_reservations(const struct session *session, struct plan_space *space,
			      Zy__Plan *ret)
{
	const struct session *owner;
	size_t n = 0;

	list_for_each (owner, &session->group->sessions, link) {
		const struct id_table *table = &owner->objects.reservations;

		for (uint32_t i = 0; i < table->n_places && n < PLAN_RESERVATIONS; i++) {
			const struct held_reservation *held = id_table_at(table, i);

			if (!held)
				continue;
			plan_reservation(session, owner, held, space->names[PLAN_ENTRIES + n],
					 &space->reservations[n]);
			space->reservation_list[n] = &space->reservations[n];
			n++;
		}
	}
	ret->n_reservations = n;
	ret->reservations = space->reservation_list;
}

static void plan_classes(const struct policy *policy, struct plan_space *space, Zy__Plan *ret)
{
	for (unsigned int i = 0; i < ZY_CLASS_MAX_; i++) {
		struct policy_class_info info = policy_class_info(policy, (enum zy_class)i);
		Zy__PlanClass *class = &space->classes[i];

		zy__plan_class__init(class);
		class->class_ = i;
		class->queued = info.n_queued;
		class->running = info.n_on_device;
		class->device_time = info.device_ns;
		class->floor_percent = info.floor_percent;
		space->class_list[i] = class;
	}
	ret->n_classes = ZY_CLASS_MAX_;
	ret->classes = space->class_list;
}

static void plan_cores(const struct session *session, struct plan_space *space, Zy__Plan *ret)
{
	const struct device_caps *caps = &session->group->device->caps;
	const struct policy *policy = session->group->scheduler->policy;
	/* If cores cannot be told apart they are one to the policy. */
	unsigned int n = caps->placement == DEVICE_PLACEMENT_NONE ? 1 : caps->cores;

	for (unsigned int i = 0; i < n; i++) {
		struct policy_core_info info = policy_core_info(policy, i);
		Zy__PlanCore *core = &space->cores[i];

		zy__plan_core__init(core);
		core->core = i;
		core->healthy = info.healthy;
		core->running = info.n_on_device;
		core->held = info.is_held;
		core->reservations = info.n_reservations;
		core->reserved_ppm = info.reserved_ppm;
		core->tolerance = info.tolerance_ns;
		core->device_time = info.device_ns;
		space->core_list[i] = core;
	}
	ret->n_cores = n;
	ret->cores = space->core_list;
}

void request_get_plan(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	const struct policy *policy = session->group->scheduler->policy;
	uint32_t serial = req->serial; /* the arena is about to be used again */
	uint64_t began = loop_now();
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Plan body = ZY__PLAN__INIT;
	struct plan_space *space;

	(void)fds;
	if (!request_may_look(session, serial))
		return;
	arena_reset(&session->group->arena);
	space = arena_alloc(&session->group->arena, sizeof(*space));
	if (!space) {
		reply_refuse(session, serial, ZY_NO_MEMORY, "the daemon is out of memory");
		return;
	}
	plan_queue(session, space, &body);
	plan_reservations(session, space, &body);
	plan_classes(policy, space, &body);
	plan_cores(session, space, &body);
	body.now = loop_now();
	body.queued = policy_n_queued(policy);
	body.running = policy_n_on_device(policy);
	response.body_case = ZY__RESPONSE__BODY_PLAN;
	response.plan = &body;
	if (reply_body(session, serial, &response, NULL) < 0)
		reply_refuse(session, serial, ZY_INTERNAL, "the plan does not fit into a packet");
	request_looked(session, began);
}

/*
 * Accounts
 */

static void describe_account(struct account *account, Zy__Account *ret)
{
	const struct account_limits *limits = &account->limits;

	zy__account__init(ret);
	ret->uid = account->key.uid;
	ret->principal = account->key.name;
	ret->sessions = account->n_sessions;
	ret->queued = account->policy.n_queued;
	ret->running = account->policy.n_on_device;
	ret->device_time = account->policy.device_ns;
	ret->device_bytes = account->device_bytes;
	ret->buffers = account->n_buffers;
	ret->models = account->n_models;
	ret->weight = account->policy.weight;
	ret->max_queued = limits->queued;
	ret->max_running = limits->on_device;
	ret->max_device_bytes = limits->device_bytes;
	ret->max_buffers = limits->buffers;
	ret->max_models = limits->models;
	ret->share_percent = limits->share_percent;
}

char *request_escape(struct arena *arena, const char *name)
{
	char *text = arena_alloc(arena, REQUEST_NAME_MAX);

	return text ? log_escape(text, REQUEST_NAME_MAX, name) : NULL;
}

/* -ENOMEM */
static int describe_usage(struct arena *arena, const struct account_usage *usage, Zy__Usage **ret)
{
	*ret = arena_alloc(arena, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	zy__usage__init(*ret);
	(*ret)->client = request_escape(arena, usage->client);
	(*ret)->model = request_escape(arena, usage->model);
	(*ret)->requests = usage->n_requests;
	(*ret)->device_time = usage->device_ns;
	return (*ret)->client && (*ret)->model ? 0 : -ENOMEM;
}

static int describe_usages(struct arena *arena, const struct account *account, Zy__Account *ret)
{
	size_t n = account->n_usages + (account->others.n_requests > 0);

	ret->usage = arena_array(arena, n, sizeof(*ret->usage));
	if (!ret->usage)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct account_usage *usage =
			i < account->n_usages ? &account->usages[i] : &account->others;

		if (describe_usage(arena, usage, &ret->usage[i]) < 0)
			return -ENOMEM;
	}
	ret->n_usage = n;
	return 0;
}

static int describe_client(struct arena *arena, const struct session *session,
			   Zy__SessionUsage **ret)
{
	const struct tenant *tenant = session->owner.tenant;

	*ret = arena_alloc(arena, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	zy__session_usage__init(*ret);
	(*ret)->session = session->id;
	(*ret)->client = request_escape(arena, tenant->name);
	(*ret)->pid = session->pid;
	(*ret)->queued = tenant->client.n_queued;
	(*ret)->running = tenant->client.n_on_device;
	(*ret)->device_time = tenant->client.device_ns;
	(*ret)->buffer_bytes = session->objects.buffer_bytes;
	(*ret)->buffers = session->objects.n_buffers;
	(*ret)->models = session->objects.models.n_used;
	return (*ret)->client ? 0 : -ENOMEM;
}

static int describe_clients(const struct session_group *group, struct arena *arena,
			    const struct account *account, Zy__Account *ret)
{
	const struct session *session;

	ret->clients = arena_array(arena, account->n_sessions, sizeof(*ret->clients));
	if (!ret->clients)
		return -ENOMEM;
	list_for_each (session, &group->sessions, link) {
		if (session->objects.account != account || ret->n_clients == account->n_sessions)
			continue;
		if (describe_client(arena, session, &ret->clients[ret->n_clients]) < 0)
			return -ENOMEM;
		ret->n_clients++;
	}
	return 0;
}

/* A slice's or unit's account is seen from inside. */
static bool sees_account(const struct session *session, const struct account *account)
{
	/* The daemon's own runs have one, too. */
	if (account->key.uid == UINT32_MAX)
		return false;
	if (account->key.name[0])
		return account == session->objects.account || request_sees_all(session);
	return request_sees(session, account->key.uid);
}

static int add_account(const struct session *session, struct account *account, bool cut,
		       Zy__Accounts *ret)
{
	struct arena *arena = &session->group->arena;
	Zy__Account *body;

	if (!sees_account(session, account))
		return 0;
	body = arena_alloc(arena, sizeof(*body));
	if (!body)
		return -ENOMEM;
	describe_account(account, body);
	ret->accounts[ret->n_accounts++] = body;
	if (cut)
		return 0;
	if (describe_usages(arena, account, body) < 0)
		return -ENOMEM;
	return describe_clients(session->group, arena, account, body);
}

/* -ENOMEM: they do not fit into the arena. */
static int list_accounts(const struct session *session, bool cut, Zy__Accounts *ret)
{
	const struct account_table *table = &session->group->scheduler->accounts;
	struct arena *arena = &session->group->arena;
	struct account *account;
	size_t n = table->n_kept;
	int r = 0;

	list_for_each (account, &table->accounts, link)
		n++;
	arena_reset(arena);
	*ret = (Zy__Accounts)ZY__ACCOUNTS__INIT;
	ret->cut = cut;
	ret->accounts = arena_array(arena, n, sizeof(*ret->accounts));
	if (!ret->accounts)
		return -ENOMEM;
	list_for_each (account, &table->accounts, link)
		r = r < 0 ? r : add_account(session, account, cut, ret);
	list_for_each (account, &table->kept, link)
		r = r < 0 ? r : add_account(session, account, cut, ret);
	return r;
}

void request_get_accounts(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	uint32_t serial = req->serial; /* the arena is about to be used again */
	uint64_t began = loop_now();
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Accounts body;
	int r;

	(void)fds;
	if (!request_may_look(session, serial))
		return;
	response.body_case = ZY__RESPONSE__BODY_ACCOUNTS;
	response.accounts = &body;
	r = list_accounts(session, false, &body);
	if (r == 0)
		r = reply_body(session, serial, &response, NULL);
	if (r < 0)
		r = list_accounts(session, true, &body);
	if (r == 0 && body.cut)
		r = reply_body(session, serial, &response, NULL);
	if (r < 0)
		reply_refuse(session, serial, ZY_INTERNAL, "there are too many accounts to list");
	request_looked(session, began);
}
