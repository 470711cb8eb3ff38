/* SPDX-License-Identifier: Apache-2.0 */
/*
 * History: the latest requests that were answered, to explain what happened and to
 * record it. A ring of records of one size, in the order in which they ended; the
 * newest replaces the oldest. Nothing is allocated after init.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_SIZE 16384u

#define HISTORY_OCCUPANTS 16u

struct history_record {
	uint64_t request;     /* the daemon's number */
	uint64_t accepted_ns; /* CLOCK_MONOTONIC, like all of them */
	uint64_t started_ns;  /* 0: never */
	uint64_t ended_ns;    /* off the device; if it never was there: answered */
	uint64_t cores;	      /* where it ran */
	uint64_t session;
	uint32_t uid;
	uint8_t class, wait, n_cores, status;
	/* The above is what others are explained with. */
	uint64_t allowed; /* cores it might have run on */
	uint64_t run_ns;  /* as the device measured it */
	uint64_t deadline_ns;
	uint64_t waited_for; /* session; 0: nobody in particular */
	uint64_t stream, sequence, reservation;
	bool late;
	uint8_t model_hash[8]; /* its beginning */
	char client[32], model[32];
};

struct history {
	struct history_record *records; /* owned; HISTORY_SIZE of them */
	uint32_t *index;		/* owned; place of a request's record, by its number */
	uint64_t n;			/* that were added, ever */
};

int history_init(struct history *history); /* -ENOMEM */
void history_finish(struct history *history);

/* One more; ended_ns is not before that of the one added last. */
void history_add(struct history *history, const struct history_record *record);

/* How many were added after number @since, and are remembered no more. */
uint64_t history_lost(const struct history *history, uint64_t since);
/* The record with number @i, counted from 0: added and still there; or NULL. Until the next one is
 * added. */
const struct history_record *history_at(const struct history *history, uint64_t i);
/* Of the request with this number, or NULL. */
const struct history_record *history_find(const struct history *history, uint64_t request);

/* Who was on the device meanwhile. */
struct history_occupant {
	uint64_t session; /* 0 with a count: all that found no place */
	uint32_t uid;
	uint8_t class;
	char client[32];
	uint64_t ns; /* time on the cores in question, times cores */
	unsigned int n_requests;
};

struct history_occupants {
	struct history_occupant occupants[HISTORY_OCCUPANTS + 1]; /* longest first, once sorted */
	unsigned int n;
	uint64_t from_ns, to_ns, cores; /* what is asked about */
	uint64_t request;		/* itself does not count */
	uint64_t busy_ns;		/* in all */
};

/* Begin to ask who was on @cores between two moments, but for @request. */
void history_occupants_init(struct history_occupants *occupants, uint64_t from_ns, uint64_t to_ns,
			    uint64_t cores, uint64_t request);
/* One that may have been; ended_ns 0 if it is there still. */
void history_occupants_add(struct history_occupants *occupants,
			   const struct history_record *record);
/* Everybody in the history. */
void history_occupants_collect(struct history_occupants *occupants, const struct history *history);
/* Put the longest first. What had no place stays last. */
void history_occupants_sort(struct history_occupants *occupants);
