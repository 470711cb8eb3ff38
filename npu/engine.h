/* SPDX-License-Identifier: MIT */
/*
 * The engine of the software NPU: walks TCB chains, runs their groups on cores
 * and reports what happened. Generation v3 (X2).
 *
 * The engine is a step machine. It has no threads, no clock, no locks and no
 * memory of its own; its host supplies them:
 *
 *	for (;;) {
 *		npu_engine_schedule(engine);		 // serialized
 *		step = npu_core_run(core, now, &until);	 // concurrent, one thread per core
 *		npu_core_retire(core);			 // serialized; only after NPU_STEP_IDLE
 *	}
 *
 * "Serialized" calls must not overlap each other (one lock in the host will do).
 * npu_core_run() of one core may overlap everything but calls for the same core.
 * A host with one thread uses npu_engine_step(), which does all three.
 *
 * A *list* is one linked chain of TCBs being walked: the front has two for each
 * command pool (QoS slow and fast), the daemon's device has one for each job.
 * The host owns the memory of lists.
 *
 * Semantics (facts and choices: docs/software-npu.md):
 *   - 128 bytes are fetched per TCB and `next` is kept as fetched; the last TCB
 *     fetched is the tail, and only its `next` is read again, by
 *     npu_list_continue().
 *   - An init TCB waits until everything before it in its list has finished; the
 *     SegMMU TCBs right behind it are fetched by position.
 *   - Task TCBs up to group end form a group; its tasks must carry task ids 0, 1,
 *     … and as many as group_dim says, at most as many as a core has TECs.
 *   - The walker holds at most one group that waits for its dependency or for a
 *     core, and does not go past a grid end before that grid has finished.
 *   - A malformed TCB or instruction is an exception, memory that the host
 *     refuses to map is a fault. A program's failure ends its group and the chain
 *     goes on. A TCB that cannot be fetched or trusted ends the walk: its link is
 *     no better than the rest of it. Groups before it finish.
 *   - A TCB reports either its failure or that it is done, never both.
 */
#pragma once

#include "npu/isa.h"
#include "npu/ops.h"
#include "npu/tcb.h"

#define NPU_MAX_CLUSTERS 8u
#define NPU_MAX_CLUSTER_CORES 15u
#define NPU_MAX_CORES 64u /* in all: core masks have 64 bits */
#define NPU_MAX_TECS 15u  /* per core */

/* What memory is wanted for. A host that knows objects can tell them apart. */
enum npu_access {
	NPU_ACCESS_TCB,	  /* fetch or update a TCB: 128 bytes, read and write */
	NPU_ACCESS_TEXT,  /* fetch an instruction */
	NPU_ACCESS_PARAM, /* read an operand slot */
	NPU_ACCESS_READ,  /* a whole input or constant */
	NPU_ACCESS_WRITE, /* a whole output */
};

enum npu_step {
	NPU_STEP_RAN,  /* did a slice of work; call again */
	NPU_STEP_WAIT, /* nothing to do before the returned time (a delay), or before an abort (a
			  hang) */
	NPU_STEP_IDLE, /* schedule: no group can be started; run: the core has no group, or has
			  finished it */
};

/* Time is in nanoseconds on the host's monotonic clock. */
#define NPU_TIME_NEVER UINT64_MAX

/* Why a group failed; more than the registers can say, for the host's report. */
enum npu_reason {
	NPU_REASON_NONE = 0,
	NPU_REASON_BAD_TCB, /* malformed TCB: type, ids, alignment, reserved bits */
	NPU_REASON_BAD_DEPENDENCY,
	NPU_REASON_TCB_UNMAPPED,
	NPU_REASON_TEXT_UNMAPPED,
	NPU_REASON_PARAM_UNMAPPED,
	NPU_REASON_OPERAND_UNMAPPED,
	NPU_REASON_ILLEGAL_INSN,  /* npu_insn_check() refused it */
	NPU_REASON_SIZE_MISMATCH, /* a slot's size is not what the instruction implies */
	NPU_REASON_OVERLAP,	  /* an output overlaps another operand */
	NPU_REASON_ASID_DISABLED, /* access through an ASID whose read or write enable is off */
	NPU_REASON_RAISED,	  /* the program asked for it (NPU_OP_FAULT) */
	NPU_REASON_RUNAWAY,	  /* more than NPU_MAX_INSNS instructions without end */
	NPU_REASON_MEMORY_LOST,	  /* mapped memory failed when it was touched (npu_core_fail()) */
	NPU_REASON_MAX_,
};

/* A program is at most this long; the loader refuses longer ones. */
#define NPU_MAX_INSNS 65536u

/* One cause, as an interrupt would report it. */
struct npu_cause {
	uint32_t irq;  /* one level bit and the type bits, NPU_IRQ_* */
	uint32_t tcbp; /* ASID 0-relative address of the TCB concerned */
	uint32_t flag; /* signal flag word; 0 unless a signal */
	uint8_t cluster, core, tec;
	enum npu_reason reason; /* NPU_REASON_NONE for done */
	uint32_t insn;		/* index of the instruction in its program */
	uint64_t address;	/* what could not be mapped, absolute; else 0 */
};

struct npu_engine;
struct npu_list;

struct npu_host {
	/*
	 * Contiguous memory behind [@address, @address + @length) of the bus, for
	 * a chain of @list, or NULL to refuse. It must stay valid until the group
	 * (for NPU_ACCESS_TCB: the call) is over. Called from any of the functions
	 * below, npu_core_run() included. @length >= 1; address + length may wrap,
	 * which is to be refused.
	 */
	void *(*map)(void *host, struct npu_list *list, uint64_t address, uint32_t length,
		     enum npu_access access);
	/* Something happened on @list. From serialized functions only; must not call the engine. */
	void (*report)(void *host, struct npu_list *list, const struct npu_cause *cause);
};

struct npu_topology {
	uint8_t clusters;
	uint8_t cores; /* per cluster */
	uint8_t tecs;  /* per core */
};

/* What was really done; the daemon exports them, tests compare them. */
struct npu_counters {
	uint64_t tcbs;	 /* TCBs fetched, SegMMU TCBs included */
	uint64_t groups; /* groups finished, failed ones included */
	uint64_t tasks;	 /* tasks of those groups */
	uint64_t insns;	 /* instructions completed */
	uint64_t done;	 /* done causes reported */
	uint64_t failed; /* exceptions, faults and errors reported */
	uint64_t aborts; /* groups stopped by an abort */
};

/* A group of tasks, as collected from its TCBs. */
struct npu_group {
	struct npu_list *list;
	uint32_t sequence;   /* in its list */
	uint32_t flag;	     /* of the first task: dependency; of the last: ends */
	uint32_t irq_enable; /* of the last task */
	uint8_t n_tasks;
	uint64_t tcb[NPU_MAX_TECS];  /* absolute addresses, for write-back */
	uint32_t tcbp[NPU_MAX_TECS]; /* as the TCBs say */
	uint32_t spc[NPU_MAX_TECS];
	uint32_t pp[NPU_MAX_TECS];
	uint32_t next[NPU_MAX_TECS]; /* as fetched */
	uint64_t asid[4];	     /* bases with control bits, of the grid it belongs to */
};

struct npu_core {
	struct npu_engine *engine;
	uint8_t cluster, id; /* id in the cluster */
	uint8_t index;	     /* cluster * topology.cores + id: the bit of core masks */
	bool enabled;
	bool busy;     /* atomic: has a group */
	bool finished; /* atomic: the group is over; waits for npu_core_retire() */
	uint8_t abort; /* atomic: set by serialized calls, seen by npu_core_run() between slices */
	struct npu_group group;

	/* Progress inside the group; npu_core_run() only. */
	uint32_t pc;	   /* instruction index */
	bool loaded;	   /* insn, demand and operands are those of pc */
	uint32_t unit;	   /* next unit of work */
	uint64_t deadline; /* of a delay */
	struct npu_insn insn;
	struct npu_demand demand;
	uint8_t *operand[NPU_MAX_OPERANDS];
	struct npu_cause failure; /* reason != NONE: how the group failed */
	uint64_t insns;		  /* completed in this group */
};

/* Where the walker of a list stands. */
enum npu_walk {
	NPU_WALK_IDLE,	   /* never started, or aborted */
	NPU_WALK_FETCH,	   /* the next TCB is to be fetched */
	NPU_WALK_INIT,	   /* an init TCB waits for everything before it */
	NPU_WALK_GROUP,	   /* `pending` waits for its dependency or a core */
	NPU_WALK_GRID_END, /* a grid end waits for its groups */
	NPU_WALK_TAIL,	   /* next was 0 and everything was handed out */
	NPU_WALK_FAILED,   /* a bad TCB ended the walk; only a start or an abort helps */
};

struct npu_list {
	struct npu_engine *engine; /* NULL while not attached */
	struct npu_list *next_list;
	void *host_data;    /* the host's own, e.g. its job */
	bool fast;	    /* QoS: fast lists are served before slow ones */
	uint64_t core_mask; /* cores it may use, one bit per npu_core.index */

	enum npu_walk walk;
	uint64_t next; /* absolute address of the TCB to fetch; 0: the tail's link was 0 */
	uint64_t tail; /* absolute address of the last TCB fetched */
	uint32_t tail_flag;
	uint64_t asid[4];
	uint32_t handed_out;	    /* sequence of the newest group handed to a core */
	uint32_t running;	    /* groups on cores */
	bool last_running;	    /* the newest group is still on a core */
	uint8_t inits;		    /* init TCBs in a row, to end a loop of them */
	struct npu_group pending;   /* also holds the asid of an init TCB that waits */
	struct npu_cause grid_done; /* to report at the grid end; irq 0 = nothing */
};

/* For tests: the other answer where nobody knows what the hardware does. */
#define NPU_OPTION_WRITE_LINES                                                                     \
	(1u << 0) /* write-back stores `next` as fetched, over any newer one */
#define NPU_OPTION_STOP_ON_FAILURE (1u << 1) /* a program's failure ends the walk, too */

struct npu_engine {
	const struct npu_host *host;
	void *host_arg;
	uint32_t options; /* NPU_OPTION_*; set before the first list starts */
	struct npu_topology topology;
	struct npu_list *lists; /* in order of service */
	struct npu_counters counters;
	struct npu_core cores[NPU_MAX_CORES]; /* by index */
};

/*
 * All functions below are serialized unless stated. None allocates or sleeps.
 */

/* All cores enabled, no lists. False if @topology is out of range or has more than 64 cores. */
bool npu_engine_init(struct npu_engine *engine, const struct npu_topology *topology,
		     const struct npu_host *host, void *host_arg);

/* Lists of equal QoS are served in the order in which they were attached. */
void npu_list_attach(struct npu_engine *engine, struct npu_list *list, void *host_data, bool fast,
		     uint64_t core_mask);
/* Only when quiet. */
void npu_list_detach(struct npu_list *list);

/*
 * Start walking at @head (multiple of 128; an init or a task TCB). Groups on
 * cores go on; whatever else the list had is forgotten. ASIDs stay.
 */
void npu_list_start(struct npu_list *list, uint64_t head);
/*
 * Read the tail's `next` again and go on from there; nothing if it is 0 or the
 * walker has not reached the tail yet. The tail's own group may still wait or run.
 */
void npu_list_continue(struct npu_list *list);
/*
 * Forget all that is not on a core and stop what is: nothing more is reported
 * for this list, and it is quiet once its cores have been retired.
 */
void npu_list_abort(struct npu_list *list);
/* Nothing is on a core and nothing can be handed out without a start or continue. */
bool npu_list_is_quiet(const struct npu_list *list);
/* As "not quiet", but groups that were aborted and have not left their core do not count. */
bool npu_list_is_working(const struct npu_list *list);
/* Quiet, and the tail carried grid end (or nothing was ever started). */
bool npu_list_has_ended(const struct npu_list *list);

/* Walk lists and hand groups to free cores until nothing more can be handed out. */
void npu_engine_schedule(struct npu_engine *engine);

/*
 * Run a slice, about NPU_SLICE_COST multiply-accumulates, of the core's group.
 * RAN: call again. WAIT: call again at *@ret_until, or earlier when aborted.
 * IDLE: no group, or the group is over and npu_core_retire() is due.
 * Not serialized.
 */
#define NPU_SLICE_COST 500000u
enum npu_step npu_core_run(struct npu_core *core, uint64_t now, uint64_t *ret_until);

/*
 * End the core's group at its present instruction, failed for @reason, as if its
 * program had done that; @address is what could not be reached, or 0. Nothing if
 * there is no group or it is over. npu_core_retire() is due then. Called in place of
 * npu_core_run(), by whom and when that might be called; also after a call of it that
 * was left half-way by a jump, out of an access to memory that map() had granted:
 * whatever that call had begun is forgotten.
 */
void npu_core_fail(struct npu_core *core, enum npu_reason reason, uint64_t address);

/* Write ids back, report, free the core. Nothing if the core has not finished. */
void npu_core_retire(struct npu_core *core);

/*
 * No core is still in a group that was aborted. Until then a thread inside
 * npu_core_run() may touch memory of that group.
 */
bool npu_engine_is_settled(const struct npu_engine *engine);

/* Core counts for suspend and degraded operation; a busy core finishes its group. */
void npu_core_enable(struct npu_core *core, bool enabled);

/* Everything with one thread: schedule, one slice of every busy core, retire. */
enum npu_step npu_engine_step(struct npu_engine *engine, uint64_t now, uint64_t *ret_until);

/* Static text, "memory not mapped" and the like. */
const char *npu_reason_name(enum npu_reason reason);
