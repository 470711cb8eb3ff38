/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>

#include "daemon/config.h"
#include "daemon/device.h"
#include "daemon/health.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/request_internal.h"
#include "daemon/scheduler.h"

#define MAX_COUNTERS (32u + POLICY_MAX_CORES)

void request_hello(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	const Zy__Hello *hello = req->hello;
	Zy__Welcome welcome = ZY__WELCOME__INIT;
	Zy__Response response = ZY__RESPONSE__INIT;

	(void)fds;
	if (hello->min_version > ZY_PROTOCOL_VERSION || hello->max_version < ZY_PROTOCOL_VERSION) {
		reply_refuse(session, req->serial, ZY_VERSION,
			     "this daemon speaks version %u of the protocol, the client %" PRIu32
			     " to %" PRIu32 ": update the older of the two",
			     ZY_PROTOCOL_VERSION, hello->min_version, hello->max_version);
		session_disconnect(session);
		return;
	}
	if (!request_check_name(session, req->serial, hello->name, SESSION_NAME_MAX - 1))
		return;
	session_set_name(session, hello->name);
	session->features = hello->features & ZY_FEATURES;
	session_enter(session, SESSION_READY);

	welcome.version = ZY_PROTOCOL_VERSION;
	welcome.features = session->features;
	welcome.daemon_version = (char *)ZHOUYI_VERSION;
	welcome.session = session->id;
	response.body_case = ZY__RESPONSE__BODY_WELCOME;
	response.welcome = &welcome;
	reply_body(session, req->serial, &response, NULL);
}

/* What the scheduler counts beyond the plain numbers. */
enum { N_COUNTERS = 10 };

static void describe_troubles(const struct scheduler *sched, Zy__Counter counters[N_COUNTERS])
{
	const struct scheduler_counters *c = &sched->counters;
	const struct {
		const char *name;
		uint64_t value;
	} all[N_COUNTERS] = {
		{"timed out", c->timed_out},
		{"overrun", c->overrun},
		{"resubmitted", c->resubmitted},
		{"quarantined requests", c->quarantined},
		{"quarantined pairs", quarantine_count(&sched->quarantine, loop_now())},
		{"aborts", c->steps[RECOVERY_ABORT]},
		{"soft resets", c->steps[RECOVERY_SOFT_RESET]},
		{"device resets", c->steps[RECOVERY_RESET]},
		{"reopenings", c->steps[RECOVERY_REOPEN]},
		{"longest recovery ns", c->recovery_max_ns},
	};

	for (size_t i = 0; i < N_COUNTERS; i++) {
		zy__counter__init(&counters[i]);
		counters[i].name = (char *)all[i].name;
		counters[i].value = all[i].value;
	}
}

int request_list_reasons(struct arena *arena, const struct health *health, uint64_t now_ns,
			 size_t *ret_n, char ***ret)
{
	char **list = arena_array(arena, HEALTH_REASON_MAX_, sizeof(*list)), *text;
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (unsigned int r = 0; r < HEALTH_REASON_MAX_; r++) {
		if (!(health->reasons & 1u << r))
			continue;
		text = arena_alloc(arena, HEALTH_TEXT_MAX);
		if (!text)
			return -ENOMEM;
		list[n++] = health_say(health, (enum health_reason)r, now_ns, text);
	}
	*ret_n = n;
	*ret = list;
	return 0;
}

void request_get_status(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	const struct session_group *group = session->group;
	const struct scheduler *sched = group->scheduler;
	Zy__Counter counters[N_COUNTERS], *pointers[N_COUNTERS];
	struct health health;
	uint64_t now = loop_now();
	Zy__Status status = ZY__STATUS__INIT;
	Zy__Response response = ZY__RESPONSE__INIT;

	(void)fds;
	describe_troubles(sched, counters);
	for (size_t i = 0; i < N_COUNTERS; i++)
		pointers[i] = &counters[i];
	status.version = (char *)ZHOUYI_VERSION;
	status.uptime_ns = now - group->started_ns;
	status.sessions = group->n_sessions;
	status.models = (uint32_t)group->models->n_models;
	status.queued = policy_n_queued(sched->policy);
	status.running = sched->n_running + sched->n_clearing;
	status.accepted = sched->counters.accepted;
	status.answered = sched->counters.answered;
	status.succeeded = sched->counters.succeeded;
	status.faulted = sched->counters.faulted;
	status.cancelled = sched->counters.cancelled;
	status.copied_bytes = sched->counters.copied_bytes;
	health_of(group, now, &health);
	status.health = (char *)health_state_name(health.state);
	/* A message may have filled the arena on purpose: then it has to do without. */
	(void)request_list_reasons(&session->group->arena, &health, now, &status.n_reasons,
				   &status.reasons);
	status.counters = pointers;
	status.n_counters = N_COUNTERS;
	response.body_case = ZY__RESPONSE__BODY_DAEMON;
	response.daemon = &status;
	reply_body(session, req->serial, &response, NULL);
}

const char *request_placement_name(enum device_placement placement)
{
	switch (placement) {
	case DEVICE_PLACEMENT_NONE:
		return "none";
	case DEVICE_PLACEMENT_ONE:
		return "one";
	case DEVICE_PLACEMENT_EXACT:
		return "exact";
	}
	return "";
}

static void describe_device(const struct session_group *group, Zy__Device *ret)
{
	const struct device_caps *caps = &group->device->caps;

	ret->backend = (char *)caps->backend;
	ret->reason = (char *)group->device_reason;
	ret->target = (char *)caps->target.name;
	ret->partitions = caps->partitions;
	ret->clusters = caps->clusters;
	ret->cores = caps->cores;
	ret->tecs = caps->tecs;
	ret->placement = (char *)request_placement_name(caps->placement);
	ret->memory_bytes = caps->memory_bytes;
	ret->memory_used = device_memory_used(group->device);
}

void request_get_device(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	struct device_counter values[MAX_COUNTERS];
	Zy__Counter counters[MAX_COUNTERS], *list[MAX_COUNTERS];
	Zy__Device device = ZY__DEVICE__INIT;
	Zy__Response response = ZY__RESPONSE__INIT;

	(void)fds;
	describe_device(session->group, &device);
	device.n_counters = device_counters(session->group->device, values, MAX_COUNTERS);
	device.counters = list;
	for (size_t i = 0; i < device.n_counters; i++) {
		zy__counter__init(&counters[i]);
		counters[i].name = (char *)values[i].name;
		counters[i].value = values[i].value;
		list[i] = &counters[i];
	}
	response.body_case = ZY__RESPONSE__BODY_DEVICE;
	response.device = &device;
	reply_body(session, req->serial, &response, NULL);
}
