/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device on a virtual clock that does what the policy says, and a record of its own of
 * what is queued, running and promised, with which everything the policy decides is
 * compared (checks.c). The record follows policy.h and reservation.h, not the policy's code.
 *
 * A schedule is a world and a list of events; mix.c invents them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

#define NEVER UINT64_MAX
#define MAX_TASKS 8192u
#define MAX_CLIENTS 16u
#define MAX_GATES 4u
#define MAX_GRANTS 64u
#define MAX_EVENTS (2u * MAX_TASKS + 1024u)

/* What a job is charged that has no estimate. */
#define UNKNOWN_CHARGE_NS UINT64_C(1000000)

/* Properties, as sentences: see names[] in checks.c. */
enum property {
	ENDS_ONCE,
	PLACES,
	DEPTH,
	QUOTAS,
	GATES,
	CLASSES,
	EDF,
	ARRIVAL,
	CONSERVING,
	COLLECTING,
	ASKING,
	EXPIRY,
	REFUSALS,
	STOPPING,
	FAIRNESS,
	ROUGH_FAIRNESS,
	FLOORS,
	BLOCKING,
	FRAMES,
	NUMBERS,
	DRAINING,
	N_PROPERTIES,
};

enum fate { FATE_COMING, FATE_QUEUED, FATE_ON_DEVICE, FATE_ENDED };

/* A reservation, as the tests see it. */
struct grant {
	struct reservation *reservation; /* borrowed from the policy; NULL: not, or not any more */
	struct reservation_spec spec;
	unsigned int client, home;
	uint64_t next_ns;    /* theoretical arrival time */
	uint64_t excused_ns; /* nothing is promised before: its own frames are in the way */
};

/* A job, and the truth about it. */
struct task {
	struct policy_job job;
	enum fate fate;
	unsigned int client;
	uint64_t true_ns;  /* how long it runs */
	uint64_t begin_ns; /* on the device: since when it runs; NEVER: behind another */
	uint64_t end_ns;   /* on the device: when it is off it */
	uint64_t charged_ns;
	bool stopping, fails; /* told to stop; and it will not run again */
	bool put_back;	      /* after a stop */
	bool was_frame;	      /* when it was started */
	bool out_of_order;    /* was started by its class's floor */
	unsigned int n_starts, n_ends;
	/* A frame. */
	struct grant *grant;
	bool is_early, is_frame; /* queued: does not conform yet, or does */
	bool promised;		 /* nothing has happened that excuses a miss */
	uint64_t conforms_ns;
};

enum event_kind {
	EVENT_ARRIVE,
	EVENT_END,
	EVENT_CANCEL,
	EVENT_GATE,    /* open it, or close it */
	EVENT_HEALTH,  /* argument: healthy cores */
	EVENT_FAIL,    /* what is on a core is put back */
	EVENT_ACCOUNT, /* argument: weight, limit, share, 16 bits each */
	EVENT_RESERVE, /* argument: client */
	EVENT_RELEASE,
	EVENT_ASK,
};

struct event {
	uint64_t at_ns, seq, argument;
	enum event_kind kind;
	unsigned int what;
};

/* Two clients that should be served alike, while both have work queued. */
struct rivals {
	unsigned int a, b;
	bool both;
	__int128 least, most; /* of the difference of their service by weight, times 100 */
};

struct core_record {
	struct task *tasks[2];
	unsigned int n;
	uint64_t idle_since_ns; /* idle for a multi-core job while others could run; NEVER: not */
};

/* How a schedule is to be judged. */
struct terms {
	bool exact;  /* estimates are right */
	bool fair;   /* rivals are compared */
	bool floors; /* floors are compared */
	bool frames; /* frames are promised: nothing fails, closes or falls ill */
	bool smooth; /* nothing is put back */
};

struct world {
	struct policy *policy;
	uint64_t random, now_ns;
	unsigned int n_cores, n_accounts, n_clients, n_gates, n_tasks, n_grants;
	enum policy_placement placement;
	struct policy_settings settings;
	struct terms terms;
	uint64_t all, healthy;
	uint64_t ask_again_ns;
	bool verbose;

	struct policy_account accounts[MAX_CLIENTS];
	struct policy_client clients[MAX_CLIENTS];
	struct policy_gate gates[MAX_GATES];
	struct grant grants[MAX_GRANTS];
	struct core_record cores[POLICY_MAX_CORES];

	struct task *on_device[2 * POLICY_MAX_CORES];
	unsigned int n_queued, n_on_device, n_events;
	uint64_t seq;

	/* What the checks add up. */
	uint64_t measured_ns[ZY_CLASS_MAX_], client_ns[MAX_CLIENTS];
	uint64_t charged_ns, out_of_order_ns[ZY_CLASS_MAX_];
	uint64_t longest_ns[MAX_CLIENTS], longest_of_class[ZY_CLASS_MAX_], longest_of_all;
	__int128 served[MAX_CLIENTS];
	struct rivals rivals;
	bool backlogged[ZY_CLASS_MAX_];
	uint64_t class_served[ZY_CLASS_MAX_], class_from[ZY_CLASS_MAX_], all_from[ZY_CLASS_MAX_];
	double bucket_ns[MAX_CLIENTS]; /* used beyond the share of an account, cores' time */
	uint64_t bucket_at_ns[MAX_CLIENTS];
	uint64_t n_granted, n_frames, n_frames_met;

	enum property broken; /* N_PROPERTIES: none */
	char message[256];

	/* Not cleared from one schedule to the next. */
	struct task *queued[MAX_TASKS];	 /* in the order of arrival */
	struct event events[MAX_EVENTS]; /* a heap */
	struct task tasks[MAX_TASKS];
};

extern uint64_t n_checked[N_PROPERTIES];
extern const char *const property_names[N_PROPERTIES];

/* Random numbers: the same for the same seed, everywhere. */
uint64_t random_u64(struct world *w);
/* From @least to @most, both included. */
uint64_t random_between(struct world *w, uint64_t least, uint64_t most);
/* True in @percent of cases. */
bool random_chance(struct world *w, unsigned int percent);
/* As often between 10 and 100 as between 100 and 1,000. */
uint64_t random_scale(struct world *w, uint64_t least, uint64_t most);

/* world.c: the device. */
int world_init(struct world *w);
void world_at(struct world *w, uint64_t at_ns, enum event_kind kind, unsigned int what,
	      uint64_t argument);
/* All events, then no more obstacles until all jobs have ended. */
void world_run(struct world *w);
void world_finish(struct world *w);
struct policy_account *world_account(struct world *w, const struct task *task);
unsigned int world_account_index(const struct world *w, const struct task *task);

/* mix.c: what a schedule consists of. */
enum family { FAMILY_ANYTHING, FAMILY_FAIR, FAMILY_FLOORS, FAMILY_RESERVED, N_FAMILIES };
void mix_make(struct world *w, enum family family, uint64_t seed, unsigned int max_tasks);
/* A random reservation of one of @cores; it takes about @percent of a core. */
struct reservation_spec mix_spec(struct world *w, uint64_t cores, unsigned int percent);

/* checks.c: each is called just before what it checks is recorded. */
void check(struct world *w, bool holds, enum property property, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void check_push(struct world *w, struct task *task, int result);
void check_start(struct world *w, struct task *task, uint64_t cores);
void check_expire(struct world *w, struct task *task);
void check_stop(struct world *w, struct task *task, bool fails);
void check_nothing(struct world *w, uint64_t ask_again_ns);
void check_end(struct world *w, struct task *task, uint64_t run_ns);
/* The share of an account becomes @percent. */
void quota_changes(struct world *w, unsigned int index, unsigned int percent);
void check_drained(struct world *w);

/* order.c: what the order of policy.h says about two jobs. */
bool can_run(const struct world *w, const struct task *task);
/* No account has a share of time that it may have used up, or not. */
bool quotas_are_clear(const struct world *w);
/* Of one client, or both realtime. */
bool goes_before(const struct task *a, const struct task *b);
uint64_t idle_cores(const struct world *w);
uint64_t reserved_cores(const struct world *w);
void check_order(struct world *w, struct task *task, uint64_t cores, bool stacked);
/* What it is charged now. */
uint64_t charge_of(const struct task *task);

/* shares.c: fairness and floors, added up. */
void shares_started(struct world *w, struct task *task);
void shares_corrected(struct world *w, struct task *task, uint64_t charged_ns);
void shares_put_back(struct world *w, struct task *task);
/* At each decision, before it is carried out. */
void shares_look(struct world *w);
void check_out_of_order(struct world *w, const struct task *task);
