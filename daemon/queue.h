/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue decides who is next. It is pure policy: it knows jobs, cores and time,
 * and no device, clock, socket or client; so it can be tested in ten lines and run
 * on a virtual clock.
 *
 * This policy is first come, first served, among those that can run now: a job
 * whose cores are busy or whose model has no free slot does not hold up the ones
 * behind it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/list.h"

struct job;

struct queue {
	struct list jobs; /* job.link, oldest first */
	size_t n_jobs;
};

/* What the queue sees of the device when it decides. */
struct queue_view {
	const unsigned int *load; /* jobs on their way, per core */
	unsigned int n_cores;
	unsigned int depth; /* jobs a core may have: one running, the rest ready */
	/* Whether @job could start now (its model has a slot); may be NULL. */
	bool (*can_start)(const struct job *job, void *arg);
	void *arg;
};

struct queue_decision {
	struct job *job; /* removed from the queue; NULL: nobody can start now */
	unsigned int core;
	uint64_t ask_again_ns; /* UINT64_MAX: not before something changes */
};

void queue_init(struct queue *queue);
void queue_push(struct queue *queue, struct job *job, uint64_t now_ns);
/* Back to where it was: in front of everybody who came later. */
void queue_push_again(struct queue *queue, struct job *job);
/* Wherever it stands. */
void queue_remove(struct queue *queue, struct job *job);
struct queue_decision queue_next(struct queue *queue, const struct queue_view *view,
				 uint64_t now_ns);
