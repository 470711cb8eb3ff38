/* SPDX-License-Identifier: Apache-2.0 */
/* A short version of the comparison in docs/scheduling.md. */
#include <criterion/criterion.h>
#include <sys/random.h>

#include "simulate/simulation.h"

#define N_STREAMS 3u /* the clients with reservations come first */

Test(camera_and_robot, only_ours_misses_nothing_at_the_same_utilisation)
{
	struct sim_options options = {.seed = 0};
	struct sim_result results[N_SCHEMES];
	struct trace_error error;
	struct trace *trace;
	uint64_t busy[N_SCHEMES] = {0}, misses[N_SCHEMES] = {0};

	cr_assert_eq(getrandom(&options.seed, 4, 0), 4);
	cr_assert_eq(trace_read(&trace, "configs/examples/camera-and-robot.json", &error), 0, "%s",
		     error.text);
	cr_assert_eq(trace->n_reservations, N_STREAMS);
	trace->duration_ns = UINT64_C(120000000000);
	for (unsigned int i = 0; i < N_SCHEMES; i++) {
		cr_assert_eq(simulation_run(&results[i], trace, schemes[i], &options), 0);
		for (unsigned int core = 0; core < 3; core++)
			busy[i] += results[i].busy_ns[core];
		busy[i] -= results[i].wasted_ns;
		for (unsigned int stream = 0; stream < N_STREAMS; stream++)
			misses[i] += sim_misses(&results[i].clients[stream]);
		cr_log_info("seed %lu, %s: %lu misses", options.seed, schemes[i]->name, misses[i]);
		cr_assert_eq(results[i].requests, results[0].requests);
		cr_assert_eq(busy[i], busy[0], "the same work");
	}
	cr_assert_eq(misses[0], 0, "seed %lu: %lu", options.seed, misses[0]);
	for (unsigned int i = 1; i < N_SCHEMES; i++)
		cr_assert_gt(misses[i], 100, "seed %lu, %s: %lu", options.seed, schemes[i]->name,
			     misses[i]);
	for (unsigned int i = 0; i < N_SCHEMES; i++)
		sim_result_finish(&results[i]);
	trace_destroy(trace);
}
