/* SPDX-License-Identifier: Apache-2.0 */
/* What simulation.c (the device and the clock) and source.c (who asks) share. */
#pragma once

#include "policy/tree.h"
#include "simulate/calibrate.h"
#include "simulate/random.h"
#include "simulate/simulation.h"

#define NEVER UINT64_MAX

enum sim_event {
	SIM_ARRIVAL,	/* of a source */
	SIM_REPEAT,	/* a job of a closed source comes again */
	SIM_RECORDED,	/* the next recorded request */
	SIM_FOLLOW,	/* a recorded one that waited for the answer to another */
	SIM_OFF_DEVICE, /* a job */
	SIM_ASK,	/* the scheme wants to be asked */
};

struct sim_source {
	const struct trace_source *def;
	struct random random;
	struct tree_node event; /* its next arrival */
	uint64_t tick_ns;	/* when that is due, without jitter */
	uint64_t burst_end_ns;
	struct list queued; /* sim_job.link, oldest first */
	unsigned int n_queued;
	uint64_t blocked_since_ns; /* has a request that finds no room; NEVER: none */
	uint64_t blocked_run_ns;
};

enum sim_state { SIM_IDLE, SIM_QUEUED, SIM_ON_DEVICE };

/* A request. */
struct sim_job {
	struct scheme_job own;
	enum sim_state state;
	struct tree_node event;	   /* off the device; or comes again */
	struct list all_link;	   /* simulation.all */
	struct list link;	   /* source.queued, or empty */
	struct sim_source *source; /* NULL: recorded */
	const struct trace_shape *shape;
	const struct trace_request *recorded;
	uint64_t due_ns, deadline_ns; /* absolute; 0: none */
	uint64_t run_ns, hand_over_ns, report_ns;
	uint64_t begin_ns, end_ns;  /* on its cores */
	enum policy_action stopped; /* POLICY_NOTHING: it is not being stopped */
	bool is_cut;		    /* and that came before its end */
	bool is_timed_out;
};

struct sim_core {
	struct sim_job *jobs[2]; /* in order */
	unsigned int n_jobs;
};

/* What the daemon would have learned about a model. */
#define SIM_WINDOW 64u
struct sim_learned {
	uint64_t runs[SIM_WINDOW];
	uint64_t n, slowest_ns, fastest_ns;
};

struct simulation {
	const struct trace *trace;
	const struct scheme *scheme;
	const struct sim_options *options;
	void *self; /* the scheme's */
	struct sim_result *result;
	struct calibration *calibration; /* of recorded requests */
	struct sim_source *sources;
	struct sim_learned *models;
	struct sim_core cores[POLICY_MAX_CORES];
	unsigned int n_cores;
	struct tree events;
	struct tree_node recorded; /* the next recorded request */
	uint32_t next_recorded;
	struct tree_node ask;
	uint64_t now_ns, last_id;
	struct list all; /* sim_job.all_link */
	unsigned int n_jobs;
};

/* simulation.c */

/* Let @node happen at @at_ns, instead of when it was to. */
void sim_schedule(struct simulation *sim, struct tree_node *node, uint64_t at_ns,
		  enum sim_event event);
/* How long the next run of @model takes. */
uint64_t sim_draw_run(const struct trace_model *model, struct random *random);
/* A job for @source, or a recorded one without. NULL: no memory, or too many: see *@ret_r. */
struct sim_job *sim_job_create(struct simulation *sim, struct sim_source *source, int *ret_r);
/* @job arrives now, but was due at @due_ns. */
int sim_arrive(struct simulation *sim, struct sim_job *job, uint64_t due_ns);
/* A queued job is withdrawn. */
int sim_drop(struct simulation *sim, struct sim_job *job);

/* source.c */

/* All of them, with their first events. */
int sources_create(struct simulation *sim);
int source_arrival(struct simulation *sim, struct sim_source *source);
int source_repeat(struct simulation *sim, struct sim_job *job);
int source_recorded(struct simulation *sim);
/* @answered is: the one that waited for that comes soon. */
int source_follow(struct simulation *sim, const struct trace_request *answered);
/* A job left the queue: there is room for one that waits for that. */
int source_room(struct simulation *sim, struct sim_source *source);
/* Answered. Whether the source keeps @job, for its next request. */
bool source_keeps(struct simulation *sim, struct sim_job *job);
