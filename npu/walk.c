/* SPDX-License-Identifier: MIT */
/*
 * The walker: fetches TCBs, refuses what is malformed, collects groups.
 *
 * The checks are stricter than hardware need be: a word that has one sensible
 * value must have it. A chain is written by software that knows these values,
 * so any other one means that the chain is damaged, and a damaged chain must not
 * pass for a finished job.
 */
#include "npu/internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "TCBs are overlaid as they are");

#define TASK_FLAGS (NPU_TCB_TYPE_MASK | NPU_TCB_DEP_MASK | NPU_TCB_GROUP_END | NPU_TCB_GRID_END)
#define TASK_LEVELS (NPU_IRQ_CORE | NPU_IRQ_CLUSTER)
#define TASK_IRQS (NPU_IRQ_TYPES | NPU_IRQ_TEC | TASK_LEVELS)

/* Drivers move a tail with an init TCB of its own; many of them in a row are a loop. */
#define MAX_INITS 64

/* Region control of an init TCB. */
#define GM_OPERATION(ctrl) ((ctrl) >> 30)
#define GM_IGNORE 3u
#define GM_RESERVED (3u << 28)

static bool is_zero(const void *data, size_t n)
{
	const uint8_t *byte = data;

	while (n--)
		if (*byte++)
			return false;
	return true;
}

#define IS_ZERO(array) is_zero(array, sizeof(array))

static bool is_position(const uint16_t p[3], uint32_t x, uint16_t y, uint16_t z)
{
	return p[0] == x && p[1] == y && p[2] == z;
}

void npu_list_fail(struct npu_list *list, uint64_t address, enum npu_reason reason)
{
	struct npu_cause cause = {
		.irq = NPU_IRQ_CORE | npu_reason_irq(reason),
		.tcbp = (uint32_t)(address - npu_asid_base(list->asid[0])),
		.reason = reason,
		.address = reason == NPU_REASON_TCB_UNMAPPED ? address : 0,
	};

	list->walk = NPU_WALK_FAILED;
	npu_list_report(list, &cause);
}

/* Copy the TCB at @address. False: it cannot be had, and the walk has ended. */
static bool tcb_fetch(struct npu_list *list, uint64_t address, void *ret)
{
	struct npu_engine *engine = list->engine;
	struct npu_tcb_task *tcb = ret;
	struct npu_tcb_task *p;
	uint32_t next;

	if (address % NPU_TCB_SIZE) {
		npu_list_fail(list, address, NPU_REASON_BAD_TCB);
		return false;
	}
	p = engine->host->map(engine->host_arg, list, address, NPU_TCB_SIZE, NPU_ACCESS_TCB);
	if (!p) {
		npu_list_fail(list, address, NPU_REASON_TCB_UNMAPPED);
		return false;
	}
	/* The link first: whoever stored it had written what it leads to. */
	next = __atomic_load_n(&p->next, __ATOMIC_ACQUIRE);
	memcpy(tcb, p, NPU_TCB_SIZE);
	tcb->next = next;
	engine->counters.tcbs++;
	return true;
}

/* Global memory is a cache here and does nothing; its words only have to make sense. */
static bool gm_is_sane(const struct npu_tcb_init *init)
{
	bool used = false;

	if (init->gm_ctrl == 0)
		return IS_ZERO(init->gm_region_ctrl) && IS_ZERO(init->gm_region_addr);
	if (init->gm_ctrl > 2)
		return false;
	for (unsigned int i = 0; i < 2; i++) {
		if (init->gm_region_ctrl[i] & GM_RESERVED)
			return false;
		if (GM_OPERATION(init->gm_region_ctrl[i]) == GM_IGNORE)
			continue;
		if (!init->gm_region_addr[i] || init->gm_region_addr[i] % 4096)
			return false;
		used = true;
	}
	return used;
}

/* ASID 0 and 1 are windows with the two enables as their only control bits; 2 and 3 are unused. */
static bool asids_are_sane(const struct npu_tcb_init *init)
{
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t control = init->asid[i].low & NPU_ASID_CONTROL;

		if (control & ~NPU_ASID_RW)
			return false;
		if (!control && (init->asid[i].low || init->asid[i].high))
			return false;
	}
	return is_zero(&init->asid[2], 2 * sizeof(init->asid[2]));
}

static enum npu_reason init_check(const struct npu_tcb_init *init)
{
	uint32_t segmmu = (init->flag & NPU_TCB_SEGMMU_MASK) >> NPU_TCB_SEGMMU_SHIFT;

	/* The type is 0, too. */
	if (init->flag & ~NPU_TCB_SEGMMU_MASK || segmmu & (segmmu + 1))
		return NPU_REASON_BAD_TCB;
	if (!IS_ZERO(init->reserved0) || init->reserved1 || init->dtcm_addr ||
	    !IS_ZERO(init->reserved2))
		return NPU_REASON_BAD_TCB;
	if (!gm_is_sane(init) || !asids_are_sane(init))
		return NPU_REASON_BAD_TCB;
	return NPU_REASON_NONE;
}

/* Address segments are not supported: every half says identity, or nothing if its core does not
 * exist. */
static enum npu_reason segmmu_check(const struct npu_tcb_segmmu *tcb, bool is_last)
{
	if (tcb->flag || tcb->next || !IS_ZERO(tcb->reserved0) || !IS_ZERO(tcb->reserved1))
		return NPU_REASON_BAD_TCB;
	if (tcb->even.ctrl != NPU_SEGMMU_IDENTITY || tcb->even.remap || !IS_ZERO(tcb->even.segment))
		return NPU_REASON_BAD_TCB;
	if (tcb->odd.ctrl != NPU_SEGMMU_IDENTITY && (tcb->odd.ctrl || !is_last))
		return NPU_REASON_BAD_TCB;
	if (tcb->odd.remap || !IS_ZERO(tcb->odd.segment))
		return NPU_REASON_BAD_TCB;
	return NPU_REASON_NONE;
}

/* The SegMMU TCBs lie right behind their init TCB. */
static bool segmmu_walk(struct npu_list *list, const struct npu_tcb_init *init, uint64_t address)
{
	uint32_t bits = (init->flag & NPU_TCB_SEGMMU_MASK) >> NPU_TCB_SEGMMU_SHIFT;
	struct npu_tcb_segmmu tcb;
	enum npu_reason reason;

	for (; bits; bits >>= 1) {
		address += NPU_TCB_SIZE;
		if (!tcb_fetch(list, address, &tcb))
			return false;
		reason = segmmu_check(&tcb, bits == 1);
		if (reason != NPU_REASON_NONE) {
			npu_list_fail(list, address, reason);
			return false;
		}
	}
	return true;
}

static void init_walk(struct npu_list *list, const struct npu_tcb_init *init, uint64_t address)
{
	enum npu_reason reason = init_check(init);

	if (reason == NPU_REASON_NONE && list->inits >= MAX_INITS)
		reason = NPU_REASON_BAD_TCB;
	if (reason != NPU_REASON_NONE) {
		npu_list_fail(list, address, reason);
		return;
	}
	if (!segmmu_walk(list, init, address))
		return;
	list->inits++;
	list->tail = address;
	list->tail_flag = init->flag;
	list->next = npu_tcb_link(address, init->next);
	for (unsigned int i = 0; i < 4; i++)
		list->pending.asid[i] = (uint64_t)init->asid[i].high << 32 | init->asid[i].low;
	list->walk = NPU_WALK_INIT;
	npu_list_run_dry(list);
}

/* Words with one sensible value, whatever group the task belongs to. */
static bool task_is_sane(const struct npu_tcb_task *task)
{
	bool group_end = task->flag & NPU_TCB_GROUP_END;

	if (task->flag & ~TASK_FLAGS || (task->flag & NPU_TCB_GRID_END && !group_end))
		return false;
	/* Core and cluster report groups and grids: that is the last task's business. */
	if (task->interrupt_en & ~TASK_IRQS || (task->interrupt_en & TASK_LEVELS && !group_end))
		return false;
	if (task->loop_count || task->reserved0 || task->reserved1 || task->reserved2[0])
		return false;
	if (task->fmdp || task->tap || task->dap || task->pap || task->idp || task->dsize)
		return false;
	return is_position(task->grid_dim, 1, 1, 1) &&
	       is_position(task->task_pos, task->task_id, 0, 0) &&
	       is_position(task->group_pos, task->group_pos[0], 0, 0) && task->group_pos[0] <= 1;
}

/* A group enters its program together, so its tasks agree on all but their own number. */
static bool task_fits(const struct npu_tcb_task *task, const struct npu_tcb_task *first)
{
	const uint32_t shared = NPU_IRQ_TYPES | NPU_IRQ_TEC;

	return task->spc == first->spc && task->pp == first->pp &&
	       task->group_id == first->group_id && task->grid_id == first->grid_id &&
	       task->group_dim[0] == first->group_dim[0] &&
	       task->group_pos[0] == first->group_pos[0] &&
	       (task->interrupt_en & shared) == (first->interrupt_en & shared);
}

/*
 * Task ids count from 0 up to the number that group_dim says. One exception is
 * in the field: a driver that wants a private tail appends a copy of the job's
 * last task as a group of its own, so a lone task may carry the last id.
 */
static bool task_is_in_order(const struct npu_tcb_task *task, const struct npu_group *group,
			     unsigned int tecs)
{
	uint32_t n = task->group_dim[0];
	bool group_end = task->flag & NPU_TCB_GROUP_END;

	if (!is_position(task->group_dim, n, 1, 1) || n < 1 || n > tecs)
		return false;
	if (group_end ? task->task_id != n - 1 : task->task_id >= n - 1)
		return false;
	return task->task_id == group->n_tasks || (group_end && group->n_tasks == 0);
}

static enum npu_reason task_check(const struct npu_list *list, const struct npu_tcb_task *task,
				  const struct npu_tcb_task *first, uint64_t address)
{
	uint32_t dependency = task->flag & NPU_TCB_DEP_MASK;

	if ((task->flag & NPU_TCB_TYPE_MASK) != NPU_TCB_TYPE_TASK || !task_is_sane(task) ||
	    !task_fits(task, first) ||
	    !task_is_in_order(task, &list->pending, list->engine->topology.tecs))
		return NPU_REASON_BAD_TCB;
	if (task->tcbp != (uint32_t)(address - npu_asid_base(list->asid[0])))
		return NPU_REASON_BAD_TCB;
	if (dependency == NPU_TCB_DEP_MASK || (dependency && list->pending.n_tasks))
		return NPU_REASON_BAD_DEPENDENCY;
	return NPU_REASON_NONE;
}

static void group_add(struct npu_group *group, const struct npu_tcb_task *task, uint64_t address)
{
	unsigned int i = group->n_tasks++;

	group->flag |= task->flag & (NPU_TCB_DEP_MASK | NPU_TCB_GROUP_END | NPU_TCB_GRID_END);
	group->irq_enable = task->interrupt_en;
	group->tcb[i] = address;
	group->tcbp[i] = task->tcbp;
	group->spc[i] = task->spc;
	group->pp[i] = task->pp;
	group->next[i] = task->next;
}

static void group_begin(struct npu_list *list)
{
	struct npu_group *group = &list->pending;

	memset(group, 0, sizeof(*group));
	group->list = list;
	group->sequence = list->handed_out + 1;
	memcpy(group->asid, list->asid, sizeof(group->asid));
}

/* Collect the group that begins with @task at @address. */
static void group_walk(struct npu_list *list, struct npu_tcb_task *task, uint64_t address)
{
	struct npu_tcb_task first = *task;
	enum npu_reason reason;

	group_begin(list);
	for (;;) {
		reason = task_check(list, task, &first, address);
		/* A chain must not end inside a group. */
		if (reason == NPU_REASON_NONE && !task->next && !(task->flag & NPU_TCB_GROUP_END))
			reason = NPU_REASON_BAD_TCB;
		if (reason != NPU_REASON_NONE) {
			npu_list_fail(list, address, reason);
			return;
		}
		group_add(&list->pending, task, address);
		list->tail = address;
		list->tail_flag = task->flag;
		list->next = npu_tcb_link(address, task->next);
		if (task->flag & NPU_TCB_GROUP_END)
			break;
		address = list->next;
		if (!tcb_fetch(list, address, task))
			return;
	}
	list->inits = 0;
	list->walk = NPU_WALK_GROUP;
}

void npu_list_walk(struct npu_list *list)
{
	union {
		struct npu_tcb_init init;
		struct npu_tcb_task task;
	} tcb;
	uint64_t address;

	while (list->walk == NPU_WALK_FETCH) {
		address = list->next;
		if (!tcb_fetch(list, address, &tcb))
			return;
		/* What is neither, loop tasks included, fails as a task. */
		if ((tcb.init.flag & NPU_TCB_TYPE_MASK) == NPU_TCB_TYPE_INIT)
			init_walk(list, &tcb.init, address);
		else
			group_walk(list, &tcb.task, address);
	}
}
