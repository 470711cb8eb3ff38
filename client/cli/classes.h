/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs as numbers, and the best of them. Pure, but for memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zhouyi-client.h"

/* How many elements @tensor has; 0 if its type is none we can read. */
size_t tensor_count(const struct zhouyi_tensor *tensor);

/* Element @i of the tensor at @data as a real number; as its code if the tensor has no scale. */
double tensor_value(const struct zhouyi_tensor *tensor, const void *data, size_t i);

/* Whether it is a list of scores: more than one element, all along one dimension. */
bool tensor_is_list(const struct zhouyi_tensor *tensor);

struct ranked {
	size_t index;
	double value;
};

/*
 * The @n largest elements, best first, equal ones in order. Returns how many there
 * are: fewer than @n if the tensor has fewer.
 */
size_t tensor_best(const struct zhouyi_tensor *tensor, const void *data, struct ranked *ret,
		   size_t n);

/* Names of classes: the lines of a text, which they are cut out of. */
struct labels {
	char **line; /* owned array of pointers into the text */
	size_t n;
};

/* Cuts @text, @size bytes with a NUL behind, into lines. Returns 0 or -1: out of memory. */
int labels_init(struct labels *labels, char *text, size_t size);
void labels_finish(struct labels *labels);
/* "" if there is none. */
const char *labels_find(const struct labels *labels, size_t index);
