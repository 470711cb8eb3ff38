/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/result.h"

#include <errno.h>
#include <stdlib.h>

const char *sim_outcome_name(enum sim_outcome outcome)
{
	static const char *const names[SIM_OUTCOMES_] = {
		[SIM_DONE] = "done",	       [SIM_LATE] = "late",
		[SIM_EXPIRED] = "expired",     [SIM_REFUSED] = "refused",
		[SIM_DROPPED] = "dropped",     [SIM_STOPPED] = "stopped",
		[SIM_TIMED_OUT] = "timed_out", [SIM_REJECTED] = "rejected",
	};

	return (unsigned int)outcome < SIM_OUTCOMES_ ? names[outcome] : "?";
}

static void group_finish(struct sim_group *group)
{
	free(group->latency_ns.values);
	free(group->deadline_permille.values);
}

void sim_result_finish(struct sim_result *result)
{
	for (uint32_t i = 0; result->clients && i < result->n_clients; i++)
		group_finish(&result->clients[i]);
	for (int class = 0; class < ZY_CLASS_MAX_; class ++)
		group_finish(&result->classes[class]);
	free(result->clients);
	free(result->reservations);
	*result = (struct sim_result){0};
}

uint64_t sim_misses(const struct sim_group *group)
{
	return group->outcomes[SIM_LATE] + group->outcomes[SIM_EXPIRED] +
	       group->outcomes[SIM_REFUSED];
}

int sim_samples_add(struct sim_samples *samples, uint64_t value)
{
	if (samples->n == samples->room) {
		size_t room = samples->room ? 2 * samples->room : 64;
		uint64_t *more = realloc(samples->values, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		samples->values = more;
		samples->room = room;
	}
	samples->values[samples->n++] = value;
	samples->sum += value;
	return 0;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void sim_samples_sort(struct sim_samples *samples)
{
	if (samples->n)
		qsort(samples->values, samples->n, sizeof(*samples->values), by_size);
}

uint64_t sim_mean(const struct sim_samples *samples)
{
	return samples->n ? (uint64_t)(samples->sum / samples->n) : 0;
}

uint64_t sim_quantile(const struct sim_samples *samples, unsigned int permille)
{
	size_t rank = (samples->n * permille + 999) / 1000;

	return samples->n ? samples->values[rank ? rank - 1 : 0] : 0;
}
