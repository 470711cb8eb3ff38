/* SPDX-License-Identifier: MIT */
/*
 * Lists, cores and reports. walk.c reads chains, run.c executes programs; this
 * file decides which group goes to which core and what is told to the host.
 */
#include "npu/internal.h"

static unsigned int n_cores(const struct npu_engine *engine)
{
	return engine->topology.clusters * engine->topology.cores;
}

bool npu_engine_init(struct npu_engine *engine, const struct npu_topology *topology,
		     const struct npu_host *host, void *host_arg)
{
	if (topology->clusters < 1 || topology->clusters > NPU_MAX_CLUSTERS ||
	    topology->cores < 1 || topology->cores > NPU_MAX_CLUSTER_CORES || topology->tecs < 1 ||
	    topology->tecs > NPU_MAX_TECS || topology->clusters * topology->cores > NPU_MAX_CORES)
		return false;

	memset(engine, 0, sizeof(*engine));
	engine->host = host;
	engine->host_arg = host_arg;
	engine->topology = *topology;
	for (unsigned int i = 0; i < n_cores(engine); i++) {
		struct npu_core *core = &engine->cores[i];

		core->engine = engine;
		core->cluster = (uint8_t)(i / topology->cores);
		core->id = (uint8_t)(i % topology->cores);
		core->index = (uint8_t)i;
		core->enabled = true;
	}
	return true;
}

void npu_list_attach(struct npu_engine *engine, struct npu_list *list, void *host_data, bool fast,
		     uint64_t core_mask)
{
	struct npu_list **last = &engine->lists;

	memset(list, 0, sizeof(*list));
	list->engine = engine;
	list->host_data = host_data;
	list->fast = fast;
	list->core_mask = core_mask;
	while (*last)
		last = &(*last)->next_list;
	*last = list;
}

void npu_list_detach(struct npu_list *list)
{
	struct npu_list **p = &list->engine->lists;

	while (*p != list)
		p = &(*p)->next_list;
	*p = list->next_list;
	list->next_list = NULL;
	list->engine = NULL;
}

void npu_list_start(struct npu_list *list, uint64_t head)
{
	list->next = head;
	list->inits = 0;
	list->grid_done.irq = 0;
	list->walk = NPU_WALK_FETCH;
}

void npu_list_continue(struct npu_list *list)
{
	struct npu_engine *engine = list->engine;
	struct npu_tcb_task *tail;

	if (list->next || list->walk == NPU_WALK_IDLE || list->walk == NPU_WALK_FETCH ||
	    list->walk == NPU_WALK_FAILED)
		return;
	tail = engine->host->map(engine->host_arg, list, list->tail, NPU_TCB_SIZE, NPU_ACCESS_TCB);
	if (!tail) {
		npu_list_fail(list, list->tail, NPU_REASON_TCB_UNMAPPED);
		return;
	}
	list->next = npu_tcb_link(list->tail, __atomic_load_n(&tail->next, __ATOMIC_ACQUIRE));
	/* A tail that still waits or runs follows its link when its time comes. */
	if (list->walk == NPU_WALK_TAIL)
		npu_list_follow(list);
}

void npu_list_abort(struct npu_list *list)
{
	struct npu_engine *engine = list->engine;

	list->walk = NPU_WALK_IDLE;
	list->next = 0;
	list->tail = 0;
	list->tail_flag = 0;
	for (unsigned int i = 0; i < n_cores(engine); i++) {
		struct npu_core *core = &engine->cores[i];

		if (core->busy && core->group.list == list)
			__atomic_store_n(&core->abort, 1, __ATOMIC_RELEASE);
	}
}

static bool walk_is_over(const struct npu_list *list)
{
	return list->walk == NPU_WALK_IDLE || list->walk == NPU_WALK_TAIL ||
	       list->walk == NPU_WALK_FAILED;
}

bool npu_list_is_quiet(const struct npu_list *list)
{
	return list->running == 0 && walk_is_over(list);
}

bool npu_list_is_working(const struct npu_list *list)
{
	const struct npu_engine *engine = list->engine;

	for (unsigned int i = 0; i < n_cores(engine); i++) {
		const struct npu_core *core = &engine->cores[i];

		if (core->busy && core->group.list == list && !core->abort)
			return true;
	}
	return !walk_is_over(list);
}

bool npu_list_has_ended(const struct npu_list *list)
{
	if (!npu_list_is_quiet(list))
		return false;
	return list->walk == NPU_WALK_IDLE ||
	       (list->walk == NPU_WALK_TAIL && list->tail_flag & NPU_TCB_GRID_END);
}

bool npu_engine_is_settled(const struct npu_engine *engine)
{
	for (unsigned int i = 0; i < n_cores(engine); i++)
		if (engine->cores[i].busy && engine->cores[i].abort)
			return false;
	return true;
}

void npu_list_report(struct npu_list *list, const struct npu_cause *cause)
{
	struct npu_engine *engine = list->engine;

	if (cause->reason == NPU_REASON_NONE)
		engine->counters.done++;
	else
		engine->counters.failed++;
	engine->host->report(engine->host_arg, list, cause);
}

void npu_list_follow(struct npu_list *list)
{
	list->walk = list->next ? NPU_WALK_FETCH : NPU_WALK_TAIL;
}

void npu_list_run_dry(struct npu_list *list)
{
	if (list->running)
		return;
	if (list->walk == NPU_WALK_INIT) {
		memcpy(list->asid, list->pending.asid, sizeof(list->asid));
		npu_list_follow(list);
	} else if (list->walk == NPU_WALK_GRID_END) {
		struct npu_cause done = list->grid_done;

		list->grid_done.irq = 0;
		npu_list_follow(list);
		if (done.irq)
			npu_list_report(list, &done);
	}
}

static bool group_is_ready(const struct npu_list *list)
{
	switch (list->pending.flag & NPU_TCB_DEP_MASK) {
	case NPU_TCB_DEP_IMMEDIATE:
		return !list->last_running;
	case NPU_TCB_DEP_PRE_ALL:
		return list->running == 0;
	}
	return true;
}

static struct npu_core *core_find_free(struct npu_engine *engine, uint64_t mask)
{
	for (unsigned int i = 0; i < n_cores(engine); i++) {
		struct npu_core *core = &engine->cores[i];

		if (core->enabled && !core->busy && mask >> i & 1)
			return core;
	}
	return NULL;
}

/* Put the pending group on @core. Everything is in place before `busy` tells its thread. */
static void core_start(struct npu_core *core, struct npu_list *list)
{
	core->group = list->pending;
	core->pc = 0;
	core->loaded = false;
	core->insns = 0;
	memset(&core->failure, 0, sizeof(core->failure));
	list->handed_out = list->pending.sequence;
	list->last_running = true;
	list->running++;
	if (list->pending.flag & NPU_TCB_GRID_END)
		list->walk = NPU_WALK_GRID_END;
	else
		npu_list_follow(list);
	__atomic_store_n(&core->busy, true, __ATOMIC_RELEASE);
}

static void list_schedule(struct npu_list *list)
{
	struct npu_core *core;

	for (;;) {
		npu_list_walk(list);
		if (list->walk != NPU_WALK_GROUP || !group_is_ready(list))
			return;
		core = core_find_free(list->engine, list->core_mask);
		if (!core)
			return;
		core_start(core, list);
	}
}

void npu_engine_schedule(struct npu_engine *engine)
{
	struct npu_list *list;

	for (list = engine->lists; list; list = list->next_list)
		if (list->fast)
			list_schedule(list);
	for (list = engine->lists; list; list = list->next_list)
		if (!list->fast)
			list_schedule(list);
}

/* Tell each TCB where it ran. Returns the address of one that is no longer mapped, or 0. */
static uint64_t core_write_back(const struct npu_core *core)
{
	const struct npu_engine *engine = core->engine;
	const struct npu_group *group = &core->group;

	for (unsigned int i = 0; i < group->n_tasks; i++) {
		struct npu_tcb_task *task = engine->host->map(
			engine->host_arg, group->list, group->tcb[i], NPU_TCB_SIZE, NPU_ACCESS_TCB);

		if (!task)
			return group->tcb[i];
		task->core_id = core->id;
		task->cluster_id = core->cluster;
		task->tec_id = (uint16_t)i;
		if (engine->options & NPU_OPTION_WRITE_LINES)
			__atomic_store_n(&task->next, group->next[i], __ATOMIC_RELEASE);
	}
	return 0;
}

/* Everything about the cause but its types: an instruction concerns all tasks, the last speaks. */
static struct npu_cause core_cause(const struct npu_core *core)
{
	unsigned int last = core->group.n_tasks - 1u;
	struct npu_cause cause = core->failure;

	cause.tcbp = core->group.tcbp[last];
	cause.cluster = core->cluster;
	cause.core = core->id;
	cause.tec = (uint8_t)last;
	return cause;
}

static void core_report_failure(struct npu_core *core, struct npu_list *list)
{
	struct npu_cause cause = core_cause(core);
	/* A fault brings a done bit along that nobody has to enable. */
	uint32_t type = cause.irq & ~NPU_IRQ_DONE;

	if (list->engine->options & NPU_OPTION_STOP_ON_FAILURE)
		list->walk = NPU_WALK_FAILED;
	cause.irq |= NPU_IRQ_CORE;
	if (core->group.irq_enable & type)
		npu_list_report(list, &cause);
}

static void core_report_done(struct npu_core *core, struct npu_list *list)
{
	struct npu_cause cause = core_cause(core);
	uint32_t enable = core->group.irq_enable;

	if (!(enable & NPU_IRQ_DONE))
		return;
	/* The grid is done when the groups before are, too. A restarted list has forgotten it. */
	if (enable & NPU_IRQ_CLUSTER && list->walk == NPU_WALK_GRID_END &&
	    core->group.sequence == list->handed_out) {
		list->grid_done = cause;
		list->grid_done.irq = NPU_IRQ_CLUSTER | NPU_IRQ_DONE;
	}
	if (enable & NPU_IRQ_CORE) {
		cause.irq = NPU_IRQ_CORE | NPU_IRQ_DONE;
		npu_list_report(list, &cause);
	}
}

static void core_complete(struct npu_core *core, struct npu_list *list)
{
	struct npu_counters *counters = &core->engine->counters;
	uint64_t lost = core_write_back(core);

	counters->groups++;
	counters->tasks += core->group.n_tasks;
	if (lost && core->failure.reason == NPU_REASON_NONE) {
		core->failure.reason = NPU_REASON_TCB_UNMAPPED;
		core->failure.irq = npu_reason_irq(NPU_REASON_TCB_UNMAPPED);
		core->failure.address = lost;
	}
	if (core->failure.reason == NPU_REASON_NONE)
		core_report_done(core, list);
	else
		core_report_failure(core, list);
}

/* Free the core. npu_core_run() looks at `finished` first, so it is cleared last. */
static void core_release(struct npu_core *core)
{
	__atomic_store_n(&core->abort, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&core->busy, false, __ATOMIC_RELEASE);
	__atomic_store_n(&core->finished, false, __ATOMIC_RELEASE);
}

void npu_core_retire(struct npu_core *core)
{
	struct npu_list *list;

	if (!__atomic_load_n(&core->finished, __ATOMIC_ACQUIRE))
		return;
	list = core->group.list;
	list->running--;
	if (core->group.sequence == list->handed_out)
		list->last_running = false;
	core->engine->counters.insns += core->insns;
	/* An aborted group's memory may have a new owner: neither write to it nor speak of it. */
	if (core->abort)
		core->engine->counters.aborts++;
	else
		core_complete(core, list);
	core_release(core);
	npu_list_run_dry(list);
}

void npu_core_enable(struct npu_core *core, bool enabled)
{
	core->enabled = enabled;
}

enum npu_step npu_engine_step(struct npu_engine *engine, uint64_t now, uint64_t *ret_until)
{
	enum npu_step result = NPU_STEP_IDLE;
	uint64_t first = NPU_TIME_NEVER, until;

	npu_engine_schedule(engine);
	for (unsigned int i = 0; i < n_cores(engine); i++) {
		struct npu_core *core = &engine->cores[i];

		if (!core->busy)
			continue;
		switch (npu_core_run(core, now, &until)) {
		case NPU_STEP_IDLE:
			npu_core_retire(core);
			result = NPU_STEP_RAN;
			break;
		case NPU_STEP_RAN:
			result = NPU_STEP_RAN;
			break;
		case NPU_STEP_WAIT:
			if (until < first)
				first = until;
			if (result == NPU_STEP_IDLE)
				result = NPU_STEP_WAIT;
			break;
		}
	}
	if (result == NPU_STEP_WAIT)
		*ret_until = first;
	return result;
}

uint32_t npu_reason_irq(enum npu_reason reason)
{
	switch (reason) {
	case NPU_REASON_TCB_UNMAPPED:
	case NPU_REASON_TEXT_UNMAPPED:
	case NPU_REASON_PARAM_UNMAPPED:
	case NPU_REASON_OPERAND_UNMAPPED:
	case NPU_REASON_MEMORY_LOST:
		/* Drivers acknowledge a fault as both. */
		return NPU_IRQ_FAULT | NPU_IRQ_DONE;
	case NPU_REASON_NONE:
	case NPU_REASON_BAD_TCB:
	case NPU_REASON_BAD_DEPENDENCY:
	case NPU_REASON_ILLEGAL_INSN:
	case NPU_REASON_SIZE_MISMATCH:
	case NPU_REASON_OVERLAP:
	case NPU_REASON_ASID_DISABLED:
	case NPU_REASON_RAISED:
	case NPU_REASON_RUNAWAY:
	case NPU_REASON_MAX_:
		break;
	}
	return NPU_IRQ_EXCEPTION;
}

const char *npu_reason_name(enum npu_reason reason)
{
	static const char *const names[NPU_REASON_MAX_] = {
		[NPU_REASON_NONE] = "no failure",
		[NPU_REASON_BAD_TCB] = "malformed task control block",
		[NPU_REASON_BAD_DEPENDENCY] = "impossible dependency",
		[NPU_REASON_TCB_UNMAPPED] = "task control block not mapped",
		[NPU_REASON_TEXT_UNMAPPED] = "program not mapped",
		[NPU_REASON_PARAM_UNMAPPED] = "parameter block not mapped",
		[NPU_REASON_OPERAND_UNMAPPED] = "operand not mapped",
		[NPU_REASON_ILLEGAL_INSN] = "illegal instruction",
		[NPU_REASON_SIZE_MISMATCH] = "operand size is not what the instruction implies",
		[NPU_REASON_OVERLAP] = "output overlaps another operand",
		[NPU_REASON_ASID_DISABLED] = "access through a disabled address window",
		[NPU_REASON_RAISED] = "raised by the program",
		[NPU_REASON_RUNAWAY] = "program without end",
		[NPU_REASON_MEMORY_LOST] = "memory failed",
	};

	return (unsigned int)reason < NPU_REASON_MAX_ ? names[reason] : "unknown failure";
}
