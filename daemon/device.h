/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device: what a backend offers, and nothing of how.
 *
 * Threads: [loop] only on the loop's thread; [any] on the loop's or the worker's,
 * at the same time if need be. Opening and closing are [loop].
 *
 * The device keeps no opinion about jobs. It runs what is submitted and reports
 * each job exactly once, as an event behind device_fd(); who runs when, and what
 * happens after a failure, is the daemon's business.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loadable/graph.h"

struct device;
struct fault_script;

enum device_placement {
	DEVICE_PLACEMENT_NONE,	/* core masks are not honoured */
	DEVICE_PLACEMENT_ONE,	/* a mask of exactly one core, or of all */
	DEVICE_PLACEMENT_EXACT, /* any mask */
};

/* Fixed while the device is open. */
struct device_caps {
	const char *backend;	    /* "soft" */
	struct graph_target target; /* loadables must match architecture, version and config */
	unsigned int partitions, clusters;
	unsigned int cores; /* in all; core i is bit i of core masks */
	unsigned int tecs;  /* per core */
	enum device_placement placement;
	uint64_t asid0_base;   /* base of the window all addresses are relative to */
	uint64_t window_size;  /* bytes of it that may be used */
	uint64_t memory_bytes; /* device memory in all */
	uint32_t tail_bytes;   /* readable bytes the device wants behind every tensor */
	unsigned int depth;    /* jobs it takes at once; device_submit() beyond is -EAGAIN */
	uint64_t stop_ns;      /* a job is off the device so long after device_abort(); UINT64_MAX:
				  nobody knows */
	bool fences;	       /* jobs can wait for sync files and provide them */
};

/* Device memory. Page aligned, zeroed when created. Created and destroyed [any]. */
struct device_buffer {
	struct device *device;
	uint64_t address; /* on the device's bus; never 0; valid for an epoch of the device */
	size_t size;	  /* multiple of the page size */
	uint8_t *cpu;	  /* the daemon's mapping; always there */
};

/* What the program of a job may do with a range. */
enum device_access {
	DEVICE_ACCESS_TCB, /* the chain: the device reads and updates it */
	DEVICE_ACCESS_TEXT,
	DEVICE_ACCESS_PARAM, /* parameter block */
	DEVICE_ACCESS_READ,  /* an object that is only read */
	DEVICE_ACCESS_RW,    /* an object that is read and written */
};

/*
 * An object a job may touch. READ and RW ranges are whole objects: a device that
 * can check accesses one by one refuses any that is not exactly one of them.
 */
struct device_range {
	struct device_buffer *buffer; /* borrowed until the job's event */
	uint64_t offset;
	uint64_t size;
	enum device_access access;
};

#define DEVICE_JOB_RANGE_SETS 2

/* A job, borrowed until its event: the chain, and everything it may touch. */
struct device_job {
	uint64_t cookie;     /* comes back in the event */
	uint64_t head;	     /* bus address of the first TCB */
	uint64_t first_task; /* of the first task TCB */
	uint64_t last_task;  /* of the last task TCB: its completion is the job's */
	uint32_t n_tcbs;     /* in all, SegMMU TCBs included */
	uint32_t n_groups;
	bool fast;	    /* QoS */
	uint64_t core_mask; /* non-zero */
	/* Sets, so that what belongs to a slot and what belongs to a binding need no copying
	 * together. */
	struct {
		const struct device_range *range;
		size_t n;
	} ranges[DEVICE_JOB_RANGE_SETS];
	/* Sync files (sync_file in the kernel's words), where caps.fences says so. */
	const int *in_fences; /* borrowed during device_submit(): what it has to wait for */
	size_t n_in_fences;
	int *ret_out_fence; /* gets one that signals when the job is over, the caller's; -1: out of
			       descriptors. NULL: not wanted */
};

enum device_result {
	DEVICE_DONE,
	DEVICE_FAULTED, /* see fault */
	DEVICE_ABORTED, /* by device_abort() or device_reset(), also if another job was meant */
	DEVICE_OVERRAN, /* it took longer than the device's driver allows, and was stopped */
	DEVICE_LOST,	/* the device went away with the job, or device_reopen() took it away */
};

struct device_event {
	uint64_t cookie;
	enum device_result result;
	uint64_t run_ns; /* first group started to last group finished */
	uint64_t cores;	 /* cores it ran on */
	struct {
		uint32_t class; /* enum zy_fault of proto/entry.h */
		uint32_t code;
		uint32_t tcbp;
		uint32_t insn;
		uint64_t address;
		uint8_t core, tec;
	} fault;
};

/*
 * Counters by name, for status and tests; what there is depends on the backend. "core N jobs" are
 * those of which core N has run something.
 */
struct device_counter {
	const char *name;
	uint64_t value;
};

struct device_ops {
	void (*close)(struct device *device);
	int (*buffer_create)(struct device *device, size_t size, struct device_buffer **ret);
	int (*buffer_import)(struct device *device, int fd, size_t size,
			     struct device_buffer **ret);
	int (*buffer_export)(struct device_buffer *buffer, int *ret_fd); /* if import can be
									    -EOPNOTSUPP */
	void (*buffer_destroy)(struct device_buffer *buffer);
	int (*submit)(struct device *device, const struct device_job *job);
	int (*abort)(struct device *device, uint64_t cookie);
	int (*soft_reset)(struct device *device);
	int (*reset)(struct device *device);
	int (*reopen)(struct device *device);
	size_t (*collect)(struct device *device, struct device_event *ret, size_t max);
	size_t (*counters)(struct device *device, struct device_counter *ret, size_t max);
	uint64_t (*memory_used)(struct device *device);
};

/* Embedded first in each backend's own struct. */
struct device {
	const struct device_ops *ops;
	struct device_caps caps;
	int fd; /* becomes readable when events wait; owned by the backend; survives device_reopen()
		 */
	bool gone; /* nothing is to be expected of it before device_reopen(); device_collect() and
		      device_submit() find out. [loop] */
	/* Atomic. Incremented before addresses of buffers change, which device_reopen() may do:
	 * those that were read in an earlier epoch are not valid any more. */
	unsigned int epoch;
};

/* What the software device is made of. */
struct device_soft_config {
	unsigned int partitions, clusters, cores, tecs; /* cores per cluster, tecs per core */
	uint64_t memory_bytes;
	struct fault_script *faults; /* borrowed; what goes wrong (fault.h); NULL: nothing */
};

/*
 * Open a device by the name of its backend: "soft", "drm", or "auto" for the first
 * of drm, soft that is there. @ret_reason gets a static text that says why this one
 * was taken, or why none was; NULL: the error says it.
 *   -ENODEV   there is no such device here
 *   -ENOTSUP  this version cannot drive it
 *   -EBUSY    another process has it
 *   -EACCES   the user may not open it
 *   -EINVAL   unknown name, or a configuration no device can have
 */
int device_open(struct device **ret, const char *name, const struct device_soft_config *soft,
		const char **ret_reason);

/* [any] The present epoch: to be read before the addresses that are to be remembered. */
unsigned int device_epoch(const struct device *device);

/* [loop] No job may be on its way: abort and collect first. Accepts NULL. */
void device_close(struct device *device);

/* [any] -ENOMEM (the daemon's memory), -ENOSPC (the device's memory), -EINVAL (size 0). */
int device_buffer_create(struct device *device, size_t size, struct device_buffer **ret);

/*
 * [any] Make the pages of a sealed memfd device memory, mapped for both. The
 * descriptor stays the caller's and may be closed. Errors as above, and -EBADF,
 * -EPERM if it is not sealed against shrinking, -EOPNOTSUPP if the device cannot use such
 * memory: then make some and export it.
 */
int device_buffer_import(struct device *device, int fd, size_t size, struct device_buffer **ret);

/* [any] A descriptor of the same memory, for mmap(); the caller's. */
int device_buffer_export(struct device_buffer *buffer, int *ret_fd);

/* [any] No job may use it. Zeroed before it changes owner. Accepts NULL. */
void device_buffer_destroy(struct device_buffer *buffer);

/*
 * [loop] Hand over a job. All memory the device reads must be written already.
 *   -EAGAIN  caps.depth jobs are on their way
 *   -EINVAL  the core mask is empty, names cores that do not exist, or of several partitions
 *   -EOPNOTSUPP  it has fences, and the device none
 *   -ENODEV  the device is gone
 */
int device_submit(struct device *device, const struct device_job *job);

/*
 * The ladder (recovery.h). Each of these may be refused or may do nothing, because
 * what it is for is a device in trouble: only the events that follow tell.
 */

/*
 * [loop] Stop a job as soon as the device can; its event says DEVICE_ABORTED or, if
 * it was too late, what it is.
 *   -ENOENT  there is no such job
 *   -EIO     the device refused
 *   -ENODEV  it is gone
 */
int device_abort(struct device *device, uint64_t cookie);

/* [loop] Stop everything, keep the device set up; all jobs' events follow. -EIO, -ENODEV. */
int device_soft_reset(struct device *device);

/* [loop] Stop everything and start afresh; all jobs' events follow. -EIO, -ENODEV. */
int device_reset(struct device *device);

/*
 * [loop] Close the device and open it again; all jobs' events follow, DEVICE_LOST.
 * Buffers keep their mapping and their content; their addresses only if the epoch is still
 * the same. A failure may come before or
 * after the device was closed: in the second case the events follow all the same.
 *   -EBUSY   an old owner lingers: try again in a while
 *   -ENODEV  there is no device now: try again in a while
 *   -ENOTRECOVERABLE  it is back, but without the content of its memory: only closing it helps
 */
int device_reopen(struct device *device);

/* [loop] Take up to @max events; call until it returns less than @max. Makes device_fd() unreadable
 * when none are left. */
size_t device_collect(struct device *device, struct device_event *ret, size_t max);

/* [loop] */
size_t device_counters(struct device *device, struct device_counter *ret, size_t max);
uint64_t device_memory_used(struct device *device);
