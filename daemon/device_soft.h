/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the software device share: device_soft.c (jobs, events),
 * device_soft_core.c (cores), device_soft_memory.c (buffers and addresses), device_soft_ranges.c
 * (what a job may touch), device_soft_guard.c (memory that breaks) and device_soft_faults.c (what
 * goes wrong on purpose). Nobody else includes this.
 */
#pragma once

#include <pthread.h>
#include <setjmp.h>

#include "daemon/device.h"
#include "daemon/fault.h"
#include "npu/engine.h"
#include "proto/list.h"

/*
 * Memory: buffers at addresses of the window, with a page that nobody has between
 * any two. Has a lock of its own, because the worker makes buffers while the loop
 * submits.
 */
struct soft_memory {
	pthread_mutex_t lock;
	struct list buffers; /* soft_buffer.link, by address */
	uint64_t base;	     /* of the window */
	uint64_t end;
	uint64_t limit; /* bytes there are */
	uint64_t used;
};

void soft_memory_init(struct soft_memory *memory, uint64_t base, uint64_t window, uint64_t limit);
void soft_memory_finish(struct soft_memory *memory); /* no buffer may be left */
uint64_t soft_memory_used(struct soft_memory *memory);

/* As device.h says. */
int soft_buffer_create(struct soft_memory *memory, struct device *device, size_t size,
		       struct device_buffer **ret);
int soft_buffer_import(struct soft_memory *memory, struct device *device, int fd, size_t size,
		       struct device_buffer **ret);
void soft_buffer_destroy(struct soft_memory *memory, struct device_buffer *buffer);

/* A range as the cores see it. */
struct soft_range {
	uint64_t address, size;
	uint8_t *cpu;
	enum device_access access;
};

/* What one job may touch: copied at submission, then constant until it is over. */
struct soft_ranges {
	struct soft_range *range; /* owned; each set sorted */
	size_t capacity;
	size_t n[DEVICE_JOB_RANGE_SETS];
};

/*
 * Take over the ranges of @job. Allocates only if it has more than any job before.
 *   -EINVAL  a range does not lie in a buffer of @device
 *   -ENOMEM
 */
int soft_ranges_set(struct soft_ranges *ranges, struct device *device,
		    const struct device_job *job);
void soft_ranges_finish(struct soft_ranges *ranges);

/* The memory behind an access of the program, or NULL if it is not allowed. Any thread. */
void *soft_ranges_map(const struct soft_ranges *ranges, uint64_t address, uint32_t length,
		      enum npu_access access);

/*
 * Whether the process's @cpu lies in a page of a range; @ret_address is what the
 * device calls it. Any thread, and signal handlers.
 */
bool soft_ranges_find(const struct soft_ranges *ranges, const void *cpu, uint64_t *ret_address);

/*
 * Protection of a thread from memory that breaks while it runs a job's program:
 *
 *	if (sigsetjmp(guard.env, 0)) {
 *		soft_guard_recover();
 *		// an access at guard.address failed; the guard is off
 *	}
 *	soft_guard_set(&guard);
 *	npu_core_run(...);
 *	soft_guard_set(NULL);
 *
 * Only accesses to @ranges count; what else raises SIGBUS ends the process as ever.
 * The thread must not have SIGBUS blocked.
 */
struct soft_guard {
	const struct soft_ranges *ranges; /* borrowed */
	uint64_t address;		  /* of the access, on the device's bus */
	sigjmp_buf env;
};

void soft_guard_install(void); /* once or more often; any thread */
void soft_guard_set(struct soft_guard *guard);
void soft_guard_recover(void); /* from the jump out of the signal's handler */

#define FAULT_BIT(kind) (1u << FAULT_##kind)

/* What a fault script has in store for the device. Not locked: soft.lock does. */
struct soft_faults {
	const struct fault_script *script; /* borrowed; NULL: nothing ever goes wrong */
	uint32_t armed;			   /* rungs of the ladder to be refused once */
	uint64_t reopen_busy;		   /* reopenings to be refused */
	bool gone;
	uint64_t back_ns; /* when it can be reopened, if it is gone */
};

/* A job with @set was given. */
void soft_faults_arm(struct soft_faults *faults, const struct fault_set *set, uint64_t now_ns);
/* A rung: @kind is what would make it fail. 0, -EIO or -ENODEV. */
int soft_faults_refuse(struct soft_faults *faults, enum fault_kind kind);
/* 0 and there again, or -EBUSY or -ENODEV. */
int soft_faults_reopen(struct soft_faults *faults, uint64_t now_ns);

enum soft_state { SOFT_FREE, SOFT_ON_ITS_WAY, SOFT_OVER };

struct soft_job {
	struct npu_list list;
	enum soft_state state;
	uint32_t last_tcbp;  /* of the task whose completion is the job's */
	bool completed;	     /* it has been reported */
	bool failed;	     /* event.fault says how */
	bool aborted;	     /* somebody asked for it */
	bool lost;	     /* the device went away under it */
	bool stopped;	     /* the list was aborted */
	uint32_t faults;     /* what goes wrong with it on purpose: 1u << enum fault_kind */
	uint64_t factor;     /* of FAULT_SLOW */
	uint64_t started_ns; /* first group; 0: none yet */
	uint64_t ended_ns;   /* last group */
	struct device_event event;
	struct soft_ranges ranges;
	struct soft_job *next_over; /* soft.over */
};

struct soft_core {
	struct soft *soft;
	struct npu_core *npu;
	pthread_t thread;
	pthread_cond_t wake;
	bool called;	     /* it has been woken for its present group */
	bool started;	     /* and that is in its job's records */
	uint64_t started_ns; /* if something is to go wrong with it */
	uint64_t n_jobs;     /* it has run something of */
	char counter[24];    /* what that is called */
	struct soft_guard guard;
};

/* The whole. */
struct soft {
	struct device device;
	struct soft_memory memory;
	struct npu_host host;

	pthread_mutex_t lock;	/* protects all that follows, but for npu_core_run() */
	pthread_cond_t settled; /* while reopening: a core is free */
	struct npu_engine engine;
	struct soft_faults faults;
	struct soft_core *cores; /* caps.cores */
	struct soft_job *jobs;	 /* caps.depth */
	struct soft_job *over;	 /* events to be collected, oldest first */
	struct soft_job **over_end;
	unsigned int n_threads;
	uint64_t n_jobs;
	uint64_t to_wake; /* cores whose threads have something new to see */
	bool closing;
	bool reopening;
};

uint64_t soft_now(void);

/* What follows every change; see device_soft.c. Locked. */
void soft_pump(struct soft *soft);

/* Threads for all cores; on failure there may be some, which soft_cores_stop() ends. */
int soft_cores_start(struct soft *soft);
/* When no core has a job, or all jobs have been stopped. */
void soft_cores_stop(struct soft *soft);
void soft_cores_wake(struct soft *soft, uint64_t mask);
