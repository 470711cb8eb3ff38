/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request costs besides its run, learned from recorded ones.
 *
 *	accepted      handed over                                 answered
 *	   |------------->|------------|=================|------------>|
 *	       waits        hand-over          run            report
 *
 * A trace has the four moments in its first line and the length of the run, but not
 * where the run lies; the rest is halved. A request that was handed over while
 * another still ran on its core shows the report only: its hand-over happened meanwhile.
 * And between an answer and the next hand-over the daemon has something to do; its
 * mean, without the longest hundredth, is part of every hand-over.
 */
#pragma once

#include "simulate/trace.h"

struct calibration {
	uint64_t hand_over_ns, report_ns;
	bool is_measured; /* else these are the device's */
};

/* One for each request, in their order, to be freed; NULL: no memory. */
struct calibration *calibrate_requests(const struct trace *trace);

/* Set what the device takes for requests that were not measured: the mean of those that were. */
void calibrate_device(struct trace *trace);
