/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metrics.h"

#include <stdio.h>
#include <string.h>

/* The place of those that find none. */
#define OTHER 0u

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

const uint64_t metrics_bounds_ns[METRICS_BUCKETS] = {
	50 * US, 100 * US, 250 * US, 500 * US, 1 * MS,	  2500 * US, 5 * MS,	10 * MS,    25 * MS,
	50 * MS, 100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 5000 * MS, 10000 * MS,
};

void metrics_init(struct metrics *metrics)
{
	*metrics = (struct metrics){.n_models = 1};
	strcpy(metrics->models[OTHER].name, "other");
}

/*
 * Places
 */

static void name_of(char ret[static METRICS_NAME_MAX], const char *name, const uint8_t *hash)
{
	if (name[0])
		snprintf(ret, METRICS_NAME_MAX, "%s", name);
	else
		snprintf(ret, METRICS_NAME_MAX, "sha256:%02x%02x%02x%02x%02x%02x", hash[0], hash[1],
			 hash[2], hash[3], hash[4], hash[5]);
}

static unsigned int find(const struct metrics *metrics, const char *name)
{
	unsigned int i = 0;

	while (i < metrics->n_models && strcmp(metrics->models[i].name, name) != 0)
		i++;
	return i;
}

/* A new one, or that of the model that was unloaded and has not been used for longest. */
static unsigned int make_room(struct metrics *metrics)
{
	unsigned int oldest = OTHER;

	if (metrics->n_models <= METRICS_MODELS)
		return metrics->n_models++;
	for (unsigned int i = 1; i <= METRICS_MODELS; i++)
		if (!metrics->models[i].n_loaded &&
		    (oldest == OTHER || metrics->models[i].used < metrics->models[oldest].used))
			oldest = i;
	return oldest;
}

void metrics_join(struct metrics *metrics, metrics_place *place, const char *name,
		  const uint8_t hash[static METRICS_HASH_MAX])
{
	char wanted[METRICS_NAME_MAX];
	unsigned int i;

	if (*place)
		return;
	name_of(wanted, name, hash);
	i = find(metrics, wanted);
	if (i == metrics->n_models) {
		i = make_room(metrics);
		if (i != OTHER) {
			metrics->models[i] = (struct metrics_model){0};
			strcpy(metrics->models[i].name, wanted);
		}
	}
	metrics->models[i].n_loaded++;
	*place = i + 1;
}

void metrics_leave(struct metrics *metrics, metrics_place *place)
{
	if (!metrics || !*place)
		return;
	metrics->models[*place - 1].n_loaded--;
	*place = 0;
}

/*
 * Counting
 */

static void observe(struct metrics_histogram *histogram, uint64_t ns)
{
	unsigned int i = 0;

	while (i < METRICS_BUCKETS && ns > metrics_bounds_ns[i])
		i++;
	histogram->buckets[i]++;
	histogram->sum_ns += ns;
}

void metrics_answered(struct metrics *metrics, metrics_place place, enum zy_class class,
		      const struct zy_complete *answer)
{
	struct metrics_model *model = &metrics->models[place - 1];
	struct metrics_requests *requests = &model->classes[class];

	model->used = ++metrics->clock;
	requests->results[answer->status]++;
	observe(&requests->queue, answer->queue_ns);
	observe(&requests->duration, answer->total_ns);
	/* Others did not run, or nobody knows how long. */
	if (answer->run_ns)
		observe(&requests->run, answer->run_ns);
	if (answer->status == ZY_DEVICE_FAULT)
		metrics->faults[answer->fault < METRICS_FAULTS ? answer->fault : ZY_FAULT_NONE]++;
	metrics->late[class] += !!(answer->flags & ZY_COMPLETE_LATE);
}

void metrics_refused(struct metrics *metrics, enum zy_status status)
{
	if (metrics)
		metrics->refused[status]++;
}

void metrics_copy(struct metrics *to, const struct metrics *from)
{
	memcpy(to, from,
	       offsetof(struct metrics, models) + from->n_models * sizeof(from->models[0]));
}
