/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the scheduler share: submit.c deals with those who submit,
 * scheduler.c moves jobs, rescue.c decides when one has to be stopped.
 */
#pragma once

#include "daemon/scheduler.h"

struct model;

/* submit.c */

/* It is nobody's any more. */
void scheduler_leave_owner(struct job *job);
uint64_t scheduler_all_cores(const struct scheduler *sched);

/* scheduler.c */

/* What is known of a job on its way, as if it were history: ended_ns is 0. */
void scheduler_record(const struct job *job, struct history_record *ret);

/* In job.device_cookie: it is not on the device. */
#define SCHEDULER_NO_ENTRY UINT32_MAX

/* Whether a slot is free is what the model's gate says; and if none is, that one is wanted. */
void scheduler_gate(struct scheduler *sched, struct model *model);

uint64_t scheduler_device_cookie(const struct scheduler *sched, const struct job *job);

/* The job is out of all lists but its owner's and is done with the device: answer it, and let it
 * go. */
void scheduler_answer(struct scheduler *sched, struct job *job, struct zy_complete *answer);
void scheduler_answer_status(struct scheduler *sched, struct job *job, enum zy_status status);

/* Take it out of the queue and answer it. */
void scheduler_drop(struct scheduler *sched, struct job *job, enum zy_status status);

/* Tell its owner now what it will be; the release comes later. */
void scheduler_detach(struct scheduler *sched, struct job *job, enum zy_status verdict);

void scheduler_check_drained(struct scheduler *sched);

/* The first running job, or the one after @job; NULL: no more. */
struct job *scheduler_next_running(const struct scheduler *sched, const struct job *job);

/* rescue.c */

int rescue_init(struct scheduler *sched, struct loop *loop);
void rescue_finish(struct scheduler *sched);

/* Jobs may be given to the device now. */
bool rescue_may_start(const struct scheduler *sched);

/* A core has got to a job: its time runs from now on. */
void rescue_watch(struct scheduler *sched, struct job *job, uint64_t now_ns);
/* An accepted job has a timeout. */
void rescue_watch_timeout(struct scheduler *sched, struct job *job);

/* Give a running job its verdict, unless it has one, and have the device stop it. */
void rescue_stop(struct scheduler *sched, struct job *job, enum zy_status verdict);

/* The device's driver has lost patience before the watchdog did. */
void rescue_overran(struct scheduler *sched, struct job *job);

/* Have the device stop a running job that is to run again. */
void rescue_preempt(struct scheduler *sched, struct job *job);

/* After how long a run of @model is surely off the device, if that can be stopped at all. */
uint64_t rescue_bound(const struct scheduler *sched, const struct model *model);

/* A job's event has come, and the job is off the device. */
void rescue_event(struct scheduler *sched, const struct job *job, bool lost);

/* The device says that it is not there. */
void rescue_vanished(struct scheduler *sched);

/* A job that nobody blames was taken off the device: it is a suspect if somebody else is blamed. */
void rescue_mark(struct scheduler *sched, struct job *job);
/* It has been answered. */
void rescue_clear(struct scheduler *sched, struct job *job);
