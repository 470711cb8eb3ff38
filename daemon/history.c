/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than the ring, so that a request that took long is not hidden by a later one. */
#define INDEX_SIZE (4 * HISTORY_SIZE)

int history_init(struct history *history)
{
	*history = (struct history){.n = 0};
	history->records = calloc(HISTORY_SIZE, sizeof(*history->records));
	history->index = calloc(INDEX_SIZE, sizeof(*history->index));
	if (history->records && history->index)
		return 0;
	history_finish(history);
	return -ENOMEM;
}

void history_finish(struct history *history)
{
	free(history->records);
	free(history->index);
	*history = (struct history){.n = 0};
}

void history_add(struct history *history, const struct history_record *record)
{
	uint32_t place = (uint32_t)(history->n++ % HISTORY_SIZE);

	history->records[place] = *record;
	history->index[record->request % INDEX_SIZE] = place;
}

static uint64_t oldest(const struct history *history)
{
	return history->n > HISTORY_SIZE ? history->n - HISTORY_SIZE : 0;
}

uint64_t history_lost(const struct history *history, uint64_t since)
{
	uint64_t first = oldest(history);

	return since < first ? first - since : 0;
}

const struct history_record *history_at(const struct history *history, uint64_t i)
{
	if (i < oldest(history) || i >= history->n)
		return NULL;
	return &history->records[i % HISTORY_SIZE];
}

const struct history_record *history_find(const struct history *history, uint64_t request)
{
	const struct history_record *record =
		&history->records[history->index[request % INDEX_SIZE]];

	return history->n && record->request == request ? record : NULL;
}

/*
 * Who was there
 */

void history_occupants_init(struct history_occupants *occupants, uint64_t from_ns, uint64_t to_ns,
			    uint64_t cores, uint64_t request)
{
	*occupants = (struct history_occupants){
		.from_ns = from_ns,
		.to_ns = to_ns,
		.cores = cores,
		.request = request,
	};
}

static struct history_occupant *occupant_of(struct history_occupants *occupants,
					    const struct history_record *record)
{
	struct history_occupant *o;

	for (unsigned int i = 0; i < occupants->n && i < HISTORY_OCCUPANTS; i++) {
		o = &occupants->occupants[i];
		if (o->session == record->session && o->class == record->class)
			return o;
	}
	/* The last place is that of all who find none, and is zero so far. */
	if (occupants->n >= HISTORY_OCCUPANTS) {
		occupants->n = HISTORY_OCCUPANTS + 1;
		return &occupants->occupants[HISTORY_OCCUPANTS];
	}
	o = &occupants->occupants[occupants->n++];
	*o = (struct history_occupant){
		.session = record->session,
		.uid = record->uid,
		.class = record->class,
	};
	memcpy(o->client, record->client, sizeof(o->client));
	return o;
}

void history_occupants_add(struct history_occupants *occupants, const struct history_record *record)
{
	uint64_t from = record->started_ns, to = record->ended_ns ? record->ended_ns : UINT64_MAX;
	unsigned int n_cores = (unsigned int)__builtin_popcountll(record->cores & occupants->cores);
	struct history_occupant *occupant;

	from = from > occupants->from_ns ? from : occupants->from_ns;
	to = to < occupants->to_ns ? to : occupants->to_ns;
	if (!record->started_ns || !n_cores || to <= from || record->request == occupants->request)
		return;
	occupant = occupant_of(occupants, record);
	occupant->ns += (to - from) * n_cores;
	occupant->n_requests++;
	occupants->busy_ns += (to - from) * n_cores;
}

/* Number of the first record that ended after @at_ns. */
static uint64_t first_after(const struct history *history, uint64_t at_ns)
{
	uint64_t low = oldest(history), high = history->n;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (history_at(history, middle)->ended_ns > at_ns)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

void history_occupants_collect(struct history_occupants *occupants, const struct history *history)
{
	for (uint64_t i = first_after(history, occupants->from_ns); i < history->n; i++)
		history_occupants_add(occupants, history_at(history, i));
}

static int longer_first(const void *a, const void *b)
{
	const struct history_occupant *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

void history_occupants_sort(struct history_occupants *occupants)
{
	qsort(occupants->occupants,
	      occupants->n < HISTORY_OCCUPANTS ? occupants->n : HISTORY_OCCUPANTS,
	      sizeof(occupants->occupants[0]), longer_first);
}
