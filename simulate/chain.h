/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which recorded requests waited for which answers.
 *
 * A client that asks again as soon as it is answered would ask earlier if it were answered
 * earlier, and a simulation has to know. A record does not say so; but a request that came after
 * an answer to the same client, sooner than that answer itself had taken, is assumed to have waited
 * for it. Frames of streams come by the clock.
 */
#pragma once

#include "simulate/trace.h"

/* Set `after` and `next` of all requests, which are in the order of arrival. Without memory none
 * are. */
void chain_requests(struct trace *trace);
