/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zhouyi-cli top: what the daemon did between two looks at it. top_rates.c works that
 * out, top_print.c and top_json.c show it, top.c looks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "zhouyi-observe.h"

/* Of a class, a client or a model. Where nothing is known, 0. */
struct top_rate {
	double device;	  /* share of the time of all cores */
	double answers;	  /* requests per second */
	double failures;  /* of those */
	uint64_t mean_ns; /* device time of a request */
};

struct top {
	const struct zhouyi_activity *now; /* borrowed; everything below is in its order */
	uint64_t interval_ns;		   /* 0: there was no earlier look, so no rates */
	double device, answers, failures;
	double *cores; /* share of its time */
	struct top_rate *classes, *clients, *models;
	/* The order to show them in: who stands for all others is always last. */
	size_t *client_order, *model_order;
};

/* @before may be NULL. -1: out of memory. */
int top_init(struct top *ret, const struct zhouyi_activity *before,
	     const struct zhouyi_activity *now);
void top_finish(struct top *top);

enum top_order { TOP_BY_TIME, TOP_BY_QUEUE, TOP_BY_NAME, TOP_ORDER_MAX_ };
void top_sort(struct top *top, enum top_order order);

/* Those that are called so, or -1. */
int top_order_find(const char *name);

enum top_table { TOP_CLIENTS, TOP_MODELS, TOP_CLASSES, TOP_TABLE_MAX_ };

struct top_page {
	unsigned int width;   /* columns; if it is less than 80 lines have to be cut */
	unsigned int height;  /* lines; 0: as many as it takes */
	enum top_table first; /* has all the room it needs before the others get any */
};

void top_print(FILE *out, const struct top *top, const struct top_page *page);

/* One line. Returns an exit code. */
int top_json(const struct top *top);
