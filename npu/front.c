/* SPDX-License-Identifier: MIT */
/*
 * Registers to commands, reports to causes. Facts and choices: docs/software-npu.md.
 */
#include "npu/front.h"

#define LEVELS (NPU_IRQ_TEC | NPU_IRQ_CORE | NPU_IRQ_CLUSTER | NPU_IRQ_POOL)
#define PAGE_SELECT_MASK 0x1fffu
#define TICK_STOPPED 3u
#define CLUSTER_CONTROL_MASK 0x31fffu

/* What the two local memories of a cluster report: 32 KiB << (code - 1). */
#define TEC_MEMORY_CODE 1u
#define CORE_MEMORY_CODE 4u

static const struct npu_topology *topology(const struct npu_front *front)
{
	return &front->engine->topology;
}

static bool chose(const struct npu_front *front, enum npu_front_choice choice)
{
	return front->config.choices & choice;
}

/* --- The interrupt line --- */

static void line_set(struct npu_front *front, bool level)
{
	if (front->line == level)
		return;
	front->line = level;
	front->irq(front->irq_arg, level);
}

static void line_update(struct npu_front *front)
{
	bool level = false;

	for (unsigned int i = 0; i < front->config.pools; i++)
		level |= front->pool[i].n_causes > 0;
	line_set(front, level);
}

/* --- Which cores a pool may use --- */

static bool cluster_belongs(const struct npu_front *front, const struct npu_front_pool *pool,
			    unsigned int cluster)
{
	return (front->cluster_control[cluster] >> 16 & 3) == (pool->config & 0xf);
}

/* The pool's first cluster, or the number of clusters if it has none. */
static unsigned int pool_cluster(const struct npu_front *front, const struct npu_front_pool *pool)
{
	unsigned int i;

	for (i = 0; i < topology(front)->clusters; i++)
		if (cluster_belongs(front, pool, i))
			break;
	return i;
}

static uint64_t pool_cores(const struct npu_front *front, const struct npu_front_pool *pool)
{
	unsigned int n = topology(front)->cores;
	uint64_t mask = 0;

	for (unsigned int i = pool_cluster(front, pool); i < topology(front)->clusters; i++) {
		if (!cluster_belongs(front, pool, i))
			continue;
		mask |= (((uint64_t)1 << n) - 1) << i * n;
		if (!pool->all_clusters)
			break;
	}
	return mask;
}

/* Give the pool's lists their cores, or none while too many causes wait. */
static void pool_update_cores(struct npu_front *front, struct npu_front_pool *pool)
{
	unsigned int cluster = pool_cluster(front, pool);
	uint64_t mask = pool_cores(front, pool), bit = 0;

	if (pool->n_causes >= NPU_FRONT_CAUSES_HOLD)
		mask = 0;
	for (unsigned int i = 0; i < 2; i++)
		pool->qos[i].list.core_mask = mask;
	if (cluster < topology(front)->clusters)
		bit = (uint64_t)1 << cluster * topology(front)->cores;
	for (unsigned int i = 0; i < topology(front)->cores; i++, bit <<= 1)
		pool->bound[i].list.core_mask = mask & bit;
}

static void front_update_cores(struct npu_front *front)
{
	const struct npu_topology *t = topology(front);

	for (unsigned int i = 0; i < t->clusters * t->cores; i++) {
		uint32_t control = front->cluster_control[i / t->cores];

		npu_core_enable(&front->engine->cores[i],
				control & NPU_CLUSTER_ENABLE &&
					i % t->cores < (control >> 8 & 0xf));
	}
	for (unsigned int i = 0; i < front->config.pools; i++)
		pool_update_cores(front, &front->pool[i]);
}

static bool pool_has_cores(const struct npu_front *front, const struct npu_front_pool *pool)
{
	uint64_t mask = pool_cores(front, pool);

	for (unsigned int i = 0; i < topology(front)->clusters * topology(front)->cores; i++)
		if (mask >> i & 1 && front->engine->cores[i].enabled)
			return true;
	return false;
}

/* --- Lists of a pool --- */

static struct npu_front_list *pool_list(struct npu_front_pool *pool, unsigned int i)
{
	if (i < 2)
		return &pool->qos[i];
	if (i - 2 < NPU_MAX_CLUSTER_CORES)
		return &pool->bound[i - 2];
	return NULL;
}

#define for_each_list(l, pool)                                                                     \
	for (unsigned int i_ = 0; ((l) = pool_list(pool, i_)) != NULL; i_++)                       \
		if ((l)->list.engine)

static void pool_forget(struct npu_front_pool *pool)
{
	struct npu_front_list *l;

	for_each_list(l, pool) npu_list_abort(&l->list);
}

static void pool_drop_causes(struct npu_front *front, struct npu_front_pool *pool)
{
	pool->first_cause = 0;
	pool->n_causes = 0;
	pool_update_cores(front, pool);
	line_update(front);
}

static bool pool_is_idle(const struct npu_front *front, const struct npu_front_pool *pool)
{
	unsigned int started = 0;

	if (!pool->exists || (pool->aborted && !chose(front, NPU_CHOICE_ABORT_KEEPS_BUSY)))
		return true;
	if (chose(front, NPU_CHOICE_IDLE_WITHOUT_CORES) && !pool_has_cores(front, pool))
		return true;
	for (unsigned int i = 0; i < 2 + NPU_MAX_CLUSTER_CORES; i++) {
		const struct npu_list *list = i < 2 ? &pool->qos[i].list : &pool->bound[i - 2].list;

		if (!list->engine || list->walk == NPU_WALK_IDLE)
			continue;
		if (!npu_list_has_ended(list))
			return false;
		started++;
	}
	return started > 0;
}

/* --- Commands: each returns whether it succeeded --- */

static bool list_start(struct npu_front *front, struct npu_front_list *l)
{
	struct npu_front_pool *pool = l->pool;
	uint64_t head = (uint64_t)front->address_high << 32 | front->address_low;

	if (head == 0 || head % NPU_TCB_SIZE)
		return false;
	/* A chain may begin with a task: then it lives in the windows of the pool's last grid. */
	if (pool->recent && pool->recent != l && pool->recent->list.asid[0])
		memcpy(l->list.asid, pool->recent->list.asid, sizeof(l->list.asid));
	npu_list_start(&l->list, head);
	return true;
}

static void list_issued(struct npu_front *front, struct npu_front_list *l)
{
	struct npu_front_pool *pool = l->pool;

	l->tag = (uint16_t)front->info;
	pool->last_issued = l->tag;
	pool->recent = l;
	pool->dispatched = true;
	pool->aborted = false;
	front->address_written = false;
}

static bool command_create(struct npu_front *front, struct npu_front_pool *pool, uint32_t handle)
{
	if (pool->exists)
		return false;
	pool->exists = true;
	pool->aborted = false;
	pool->dispatched = false;
	pool->create_fast = handle & NPU_HANDLE_QOS_MASK;
	pool->all_clusters = handle & NPU_HANDLE_ALL_CLUSTERS;
	pool_update_cores(front, pool);
	return true;
}

static bool command_destroy(struct npu_front *front, struct npu_front_pool *pool, uint32_t handle)
{
	struct npu_front_list *l;

	(void)handle;
	for_each_list(l, pool)
	{
		if (npu_list_is_working(&l->list))
			return false;
		if (chose(front, NPU_CHOICE_DESTROY_NEEDS_GRID_END) &&
		    !npu_list_has_ended(&l->list) && l->list.walk == NPU_WALK_TAIL)
			return false;
	}
	pool_forget(pool);
	pool->exists = false;
	front->address_written = false;
	return true;
}

static bool command_abort(struct npu_front *front, struct npu_front_pool *pool, uint32_t handle)
{
	(void)handle;
	pool_forget(pool);
	pool->aborted = true;
	if (!chose(front, NPU_CHOICE_ABORT_KEEPS_CAUSES))
		pool_drop_causes(front, pool);
	return true;
}

static bool command_dispatch(struct npu_front *front, struct npu_front_pool *pool, uint32_t handle)
{
	bool fast = handle & NPU_HANDLE_QOS_MASK || (pool->create_fast && !pool->dispatched);
	struct npu_front_list *l = &pool->qos[fast];
	bool start = l->list.walk == NPU_WALK_IDLE;

	if (chose(front, NPU_CHOICE_ADDRESS_DECIDES) && front->address_written)
		start = true;
	if (start && !list_start(front, l))
		return false;
	list_issued(front, l);
	if (!start)
		npu_list_continue(&l->list);
	return true;
}

static bool command_bind_dispatch(struct npu_front *front, struct npu_front_pool *pool,
				  uint32_t handle)
{
	unsigned int core = handle >> 24 & 0xf;
	struct npu_front_list *l;

	if (core >= topology(front)->cores)
		return false;
	l = &pool->bound[core];
	if (!l->list.engine)
		npu_list_attach(front->engine, &l->list, l, false, 0);
	if (npu_list_is_working(&l->list) || !list_start(front, l))
		return false;
	l->list.fast = handle & NPU_HANDLE_QOS_MASK;
	pool_update_cores(front, pool);
	list_issued(front, l);
	return true;
}

static bool command_run(struct npu_front *front, uint32_t handle)
{
	static bool (*const commands[])(struct npu_front *, struct npu_front_pool *, uint32_t) = {
		[NPU_COMMAND_CREATE] = command_create,
		[NPU_COMMAND_DESTROY] = command_destroy,
		[NPU_COMMAND_ABORT] = command_abort,
		[NPU_COMMAND_DISPATCH] = command_dispatch,
		[NPU_COMMAND_BIND_DISPATCH] = command_bind_dispatch,
	};
	uint32_t command = handle & NPU_COMMAND_MASK;
	unsigned int n = handle >> 16 & 0xf;

	if (command == 0)
		return true;
	if (command >= NPU_ARRAY_SIZE(commands))
		return false;
	if (n >= front->config.pools || (!front->pool[n].exists && command != NPU_COMMAND_CREATE))
		return command != NPU_COMMAND_CREATE &&
		       !chose(front, NPU_CHOICE_MISSING_POOL_FAILS);
	return commands[command](front, &front->pool[n], handle);
}

static void handle_write(struct npu_front *front, uint32_t value)
{
	front->handle = value;
	if (!command_run(front, value))
		front->failed = true;
	else if (chose(front, NPU_CHOICE_SUCCESS_CLEARS_FAILURE) && value & NPU_COMMAND_MASK)
		front->failed = false;
}

/* --- Causes --- */

static void cause_push(struct npu_front *front, struct npu_front_pool *pool,
		       const struct npu_front_cause *cause)
{
	if (pool->n_causes == NPU_FRONT_CAUSES) {
		front->lost++;
		return;
	}
	pool->cause[(pool->first_cause + pool->n_causes++) % NPU_FRONT_CAUSES] = *cause;
	if (pool->n_causes == NPU_FRONT_CAUSES_HOLD)
		pool_update_cores(front, pool);
	line_update(front);
}

static bool cause_is_enabled(const struct npu_front_pool *pool, uint32_t status)
{
	uint32_t types = status & NPU_IRQ_TYPES;

	/* Done comes along with a fault, so it decides only where it is alone. */
	if (types != NPU_IRQ_DONE)
		return pool->irq_control & types & ~NPU_IRQ_DONE;
	return pool->irq_control & NPU_IRQ_DONE && pool->irq_control & status & LEVELS;
}

void npu_front_report(struct npu_front *front, struct npu_list *list, const struct npu_cause *cause)
{
	struct npu_front_list *l = list->host_data;
	struct npu_front_pool *pool = l->pool;
	struct npu_front_cause shown = {
		.status = (uint32_t)cause->cluster << 24 | (uint32_t)(cause->core & 0xf) << 20 |
			  (uint32_t)(cause->tec & 0xf) << 16 |
			  (cause->irq & (LEVELS | NPU_IRQ_TYPES)),
		.tcbp = cause->tcbp,
		.flag = cause->irq & NPU_IRQ_SIGNAL ? cause->flag : 0,
	};

	if (cause->reason == NPU_REASON_NONE) {
		pool->last_cluster = cause->cluster;
	} else {
		if (!(pool->first_bad & NPU_FIRST_BAD_VALID))
			pool->first_bad = NPU_FIRST_BAD_VALID | l->tag;
		if (chose(front, NPU_CHOICE_FAILURES_AT_TEC))
			shown.status = (shown.status & ~LEVELS) | NPU_IRQ_TEC;
	}
	if (cause_is_enabled(pool, shown.status))
		cause_push(front, pool, &shown);
}

/* The cause being shown; all zero if there is none. */
static struct npu_front_cause cause_head(const struct npu_front_pool *pool)
{
	struct npu_front_cause none = {0};

	return pool->n_causes ? pool->cause[pool->first_cause] : none;
}

/* Every acknowledge drops the line, so that edge-triggered wiring sees what is left as a new edge.
 */
static void cause_acknowledge(struct npu_front *front, struct npu_front_pool *pool, uint32_t types)
{
	struct npu_front_cause *head = &pool->cause[pool->first_cause];

	types &= NPU_IRQ_TYPES;
	if (!pool->n_causes || !(head->status & types))
		return;
	head->status &= ~types;
	if (!(head->status & NPU_IRQ_TYPES)) {
		pool->first_cause = (pool->first_cause + 1) % NPU_FRONT_CAUSES;
		if (pool->n_causes-- == NPU_FRONT_CAUSES_HOLD)
			pool_update_cores(front, pool);
	}
	line_set(front, false);
	line_update(front);
}

/* --- Ticks: nanoseconds of the host's clock --- */

static uint64_t tick_read(const struct npu_front *front, uint64_t now)
{
	return front->tick_value + (front->tick_control ? 0 : now - front->tick_since);
}

static void tick_write(struct npu_front *front, uint32_t value, uint64_t now)
{
	front->tick_value = value & 2 ? 0 : tick_read(front, now);
	front->tick_since = now;
	front->tick_control = value & 3;
}

/* --- Reset --- */

static uint32_t cluster_config(const struct npu_front *front)
{
	const struct npu_topology *t = topology(front);

	return NPU_CLUSTER_ENABLE | (uint32_t)t->cores << 8 | (uint32_t)front->config.aiffs << 4 |
	       t->tecs;
}

static void pool_reset(struct npu_front *front, struct npu_front_pool *pool)
{
	pool_forget(pool);
	pool->config = 0;
	pool->irq_control = 0;
	pool->secure = 0;
	pool->first_bad = 0;
	pool->last_issued = 0;
	pool->last_cluster = 0;
	pool->exists = false;
	pool->aborted = false;
	pool->all_clusters = false;
	pool_drop_causes(front, pool);
}

/* Only the windows of the last grids survive: drivers elide init TCBs across a reset, too. */
static void front_reset(struct npu_front *front, uint64_t now)
{
	front->handle = 0;
	front->info = 0;
	front->address_high = 0;
	front->address_low = 0;
	front->address_written = false;
	front->policy = 0;
	front->page = 0;
	front->failed = false;
	tick_write(front, TICK_STOPPED, now);
	for (unsigned int i = 0; i < topology(front)->clusters; i++)
		front->cluster_control[i] = cluster_config(front);
	for (unsigned int i = 0; i < front->config.pools; i++)
		pool_reset(front, &front->pool[i]);
	front_update_cores(front);
}

/* --- The register map --- */

static uint32_t gm_code(uint32_t kib)
{
	uint32_t code = 0;

	while (kib > 512) {
		kib >>= 1;
		code++;
	}
	return code;
}

static uint32_t pool_read(const struct npu_front *front, const struct npu_front_pool *pool,
			  uint32_t offset)
{
	struct npu_front_cause cause = cause_head(pool);

	switch (offset) {
	case NPU_POOL_CONFIG:
		return pool->config;
	case NPU_POOL_STATUS:
		return (uint32_t)pool->last_cluster << 24 |
		       (pool_is_idle(front, pool) ? NPU_POOL_IDLE : 0) |
		       (cause.status & NPU_IRQ_TYPES);
	case NPU_POOL_IRQ_CONTROL:
		return pool->irq_control;
	case NPU_POOL_IRQ_STATUS:
		return cause.status;
	case NPU_POOL_IRQ_SIGNAL:
		return cause.status & NPU_IRQ_SIGNAL ? 1u << 16 : 0;
	case NPU_POOL_FIRST_BAD:
		return pool->first_bad;
	case NPU_POOL_LAST_ISSUED:
		return pool->last_issued;
	case NPU_POOL_SECURE:
		return pool->secure;
	case NPU_POOL_IRQ_FLAG:
		return cause.flag;
	case NPU_POOL_IRQ_TCBP:
		return cause.tcbp;
	}
	return 0;
}

static void pool_write(struct npu_front *front, struct npu_front_pool *pool, uint32_t offset,
		       uint32_t value)
{
	switch (offset) {
	case NPU_POOL_CONFIG:
		pool->config = value & 0xf;
		pool_update_cores(front, pool);
		break;
	case NPU_POOL_STATUS:
		cause_acknowledge(front, pool, value);
		break;
	case NPU_POOL_IRQ_CONTROL:
		pool->irq_control = value & (LEVELS | NPU_IRQ_TYPES);
		break;
	case NPU_POOL_FIRST_BAD:
		if (value == 0)
			pool->first_bad = 0;
		break;
	case NPU_POOL_SECURE:
		pool->secure = value & 1;
		break;
	}
}

/* 0x2000 shows the selected cluster, 0x3000 the selected core. */
static uint32_t page_read(const struct npu_front *front, uint32_t offset)
{
	const struct npu_topology *t = topology(front);
	unsigned int cluster = front->page >> 4 & 0xff, core = front->page & 0xf;
	const struct npu_core *cores = &front->engine->cores[cluster * t->cores];
	bool idle = true;

	if (!(front->page & NPU_PAGE_ENABLE) || cluster >= t->clusters)
		return 0;
	switch (offset) {
	case NPU_REG_CLUSTER_STATUS:
		for (unsigned int i = 0; i < t->cores; i++)
			idle &= !cores[i].busy;
		return idle ? 3u << 5 : 0;
	case NPU_REG_GM_CONTROL:
		return gm_code(front->config.gm_kib) << 16;
	case NPU_REG_TEC_MEMORY:
		return TEC_MEMORY_CODE;
	case NPU_REG_CORE_MEMORY:
		return CORE_MEMORY_CODE;
	case NPU_REG_CORE_STATUS:
		return core < t->cores && !cores[core].busy ? 1u << 4 : 0;
	}
	return 0;
}

static uint32_t tsm_read(const struct npu_front *front, uint32_t offset, uint64_t now)
{
	switch (offset) {
	case NPU_REG_HANDLE:
		return front->handle;
	case NPU_REG_INFO:
		return front->info;
	case NPU_REG_ADDRESS_HIGH:
		return front->address_high;
	case NPU_REG_ADDRESS_LOW:
		return front->address_low;
	case NPU_REG_CONFIG:
		return front->policy;
	case NPU_REG_BUILD:
		return (front->config.partitions - 1u) << 24 | (uint32_t)front->config.pools << 16;
	case NPU_REG_STATUS:
		return front->failed ? NPU_STATUS_FAILED : 0;
	case NPU_REG_RESET:
		return front->reset_done ? NPU_RESET_DONE : 0;
	case NPU_REG_REVISION:
		return front->config.revision;
	case NPU_REG_TICK_LOW:
		return (uint32_t)tick_read(front, now);
	case NPU_REG_TICK_HIGH:
		return (uint32_t)(tick_read(front, now) >> 32);
	case NPU_REG_TICK_CONTROL:
		return front->tick_control;
	case NPU_REG_PAGE:
		return front->page;
	}
	return 0;
}

static void tsm_write(struct npu_front *front, uint32_t offset, uint32_t value, uint64_t now)
{
	switch (offset) {
	case NPU_REG_HANDLE:
		handle_write(front, value);
		break;
	case NPU_REG_INFO:
		front->info = value;
		break;
	case NPU_REG_ADDRESS_HIGH:
		front->address_high = value;
		front->address_written = true;
		break;
	case NPU_REG_ADDRESS_LOW:
		front->address_low = value;
		front->address_written = true;
		break;
	case NPU_REG_CONFIG:
		front->policy = value & 7;
		break;
	case NPU_REG_STATUS:
		front->failed &= value >> 31;
		break;
	case NPU_REG_RESET:
		if (value & NPU_RESET_LAUNCH) {
			front_reset(front, now);
			front->reset_done = true;
		}
		break;
	case NPU_REG_TICK_CONTROL:
		tick_write(front, value, now);
		break;
	case NPU_REG_PAGE:
		front->page = value & PAGE_SELECT_MASK;
		break;
	}
}

/* @offset is register @*ret_register of block @n of an array at @base? */
static bool in_array(uint32_t offset, uint32_t base, uint32_t stride, unsigned int n,
		     unsigned int *ret_index, uint32_t *ret_register)
{
	if (offset < base || offset >= base + stride * n)
		return false;
	*ret_index = (offset - base) / stride;
	*ret_register = (offset - base) % stride;
	return true;
}

uint32_t npu_front_read(const struct npu_front *front, uint32_t offset, uint64_t now)
{
	unsigned int i;
	uint32_t reg;

	if (in_array(offset, NPU_REG_POOL(0), 0x40, front->config.pools, &i, &reg))
		return pool_read(front, &front->pool[i], reg);
	if (in_array(offset, NPU_REG_CLUSTER_CONFIG(0), 0x20, topology(front)->clusters, &i, &reg))
		return reg == 0 ? cluster_config(front) : reg == 4 ? front->cluster_control[i] : 0;
	if (offset >= 0x2000)
		return page_read(front, offset);
	return tsm_read(front, offset, now);
}

void npu_front_write(struct npu_front *front, uint32_t offset, uint32_t value, uint64_t now)
{
	unsigned int i;
	uint32_t reg;

	if (in_array(offset, NPU_REG_POOL(0), 0x40, front->config.pools, &i, &reg)) {
		pool_write(front, &front->pool[i], reg, value);
	} else if (in_array(offset, NPU_REG_CLUSTER_CONFIG(0), 0x20, topology(front)->clusters, &i,
			    &reg)) {
		if (reg == 4) {
			front->cluster_control[i] = value & CLUSTER_CONTROL_MASK;
			front_update_cores(front);
		}
	} else {
		tsm_write(front, offset, value, now);
	}
}

bool npu_front_is_settled(const struct npu_front *front)
{
	return npu_engine_is_settled(front->engine);
}

/* --- Initialisation --- */

static bool config_is_possible(const struct npu_front_config *config)
{
	if (config->revision != NPU_REVISION_X2_R0P2 && config->revision != NPU_REVISION_X2_R0P3)
		return false;
	if (config->partitions < 1 || config->partitions > NPU_MAX_PARTITIONS ||
	    config->pools < config->partitions || config->pools > NPU_MAX_POOLS)
		return false;
	if (config->aiffs < 1 || config->aiffs > 15)
		return false;
	return config->gm_kib >= 512 && config->gm_kib <= 65536 &&
	       !(config->gm_kib & (config->gm_kib - 1));
}

bool npu_front_init(struct npu_front *front, struct npu_engine *engine,
		    const struct npu_front_config *config, void (*irq)(void *arg, bool level),
		    void *irq_arg)
{
	if (!config_is_possible(config) || engine->lists)
		return false;

	memset(front, 0, sizeof(*front));
	front->engine = engine;
	front->config = *config;
	front->irq = irq;
	front->irq_arg = irq_arg;
	if (chose(front, NPU_CHOICE_STOP_ON_FAILURE))
		engine->options |= NPU_OPTION_STOP_ON_FAILURE;
	if (chose(front, NPU_CHOICE_WRITE_LINES))
		engine->options |= NPU_OPTION_WRITE_LINES;
	for (unsigned int p = 0; p < config->pools; p++) {
		struct npu_front_pool *pool = &front->pool[p];

		for (unsigned int i = 0; i < 2; i++)
			npu_list_attach(engine, &pool->qos[i].list, &pool->qos[i], i, 0);
		for (unsigned int i = 0; pool_list(pool, i); i++)
			pool_list(pool, i)->pool = pool;
	}
	front_reset(front, 0);
	return true;
}
