/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A discrete-event model of the device and of those who use it, on a virtual clock.
 *
 *	sources, recorded requests ---> scheme ---> cores ---> sources that wait for answers
 *
 * A job that is started reaches its cores after the hand-over, or when what runs there is
 * done, whichever is later; runs as long as the trace says; and the scheme learns that it is over
 * after the report. A run that is stopped is off after the device's stop time, or done
 * before. What the daemon learns about a model (the longest and the shortest of its last 64
 * runs) is learned here in the same way.
 *
 * Each source has random numbers of its own, so that all schemes get the same requests
 * at the same times. Only a closed source, which waits for answers, asks according to them.
 */
#pragma once

#include "simulate/result.h"
#include "simulate/scheme.h"
#include "simulate/trace.h"

/* A trace that asks for more is wrong, or more patient than its user. */
#define SIM_MAX_REQUESTS UINT64_C(20000000)
#define SIM_MAX_WAITING 200000u

struct sim_options {
	uint64_t seed;
	/* Called now and then, with the virtual time; NULL: not. */
	void (*progress)(void *userdata, uint64_t now_ns);
	void *userdata;
};

/*
 * Run @trace under @scheme, from the first request until everything is done.
 *   -EINVAL  sources, and no duration
 *   -EFBIG   more than SIM_MAX_REQUESTS
 *   -EOVERFLOW  more than SIM_MAX_WAITING at a time: it asks for more than the device can do
 *   -ENOMEM
 */
int simulation_run(struct sim_result *ret, const struct trace *trace, const struct scheme *scheme,
		   const struct sim_options *options);
