/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ordered trees with masks: the first node, in the order of keys, whose masks meet
 * what is asked for is found in logarithmic time, because each node knows the
 * masks of all below it. Treaps (Seidel, Aragon, "Randomized Search Trees",
 * Algorithmica 1996), with the nodes inside the objects.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_node {
	struct tree_node *left, *right, *parent;
	struct tree *tree; /* NULL: in none */
	uint32_t priority;
	uint64_t key[2];	       /* compared in this order */
	uint64_t single, gang;	       /* own masks: single-core and multi-core work */
	uint64_t all_single, all_gang; /* of this node and all below */
};

struct tree {
	struct tree_node *root, *first;
	size_t n;
};

#define tree_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

void tree_init(struct tree *tree);
/* Keys and own masks must be set. Equal keys keep the order of insertion. */
void tree_insert(struct tree *tree, struct tree_node *node);
/* Harmless for a node that is in no tree. */
void tree_remove(struct tree_node *node);
/* Change the own masks of a node, in a tree or not. Returns whether the tree's root changed. */
bool tree_mask(struct tree_node *node, uint64_t single, uint64_t gang);

/* The first node, or NULL. */
struct tree_node *tree_first(const struct tree *tree);
/* The one after, or NULL. */
struct tree_node *tree_next(const struct tree_node *node);
/* The first whose own masks meet @single or @gang respectively, or NULL. */
struct tree_node *tree_find(const struct tree *tree, uint64_t single, uint64_t gang);

static inline bool tree_is_empty(const struct tree *tree)
{
	return !tree->root;
}
