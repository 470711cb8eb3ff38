/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "policy/tree.h"

#define N 500u

static struct tree tree;
static struct tree_node nodes[N];

static void fill(unsigned int seed)
{
	srand(seed);
	tree_init(&tree);
	for (unsigned int i = 0; i < N; i++) {
		nodes[i] = (struct tree_node){
			.key = {(uint64_t)rand() % 50, (uint64_t)rand() % 3},
			.single = rand() % 3 ? 0 : UINT64_C(1) << rand() % 8,
			.gang = rand() % 5 ? 0 : UINT64_C(1) << rand() % 8,
		};
		tree_insert(&tree, &nodes[i]);
	}
}

static bool is_before(const struct tree_node *a, const struct tree_node *b)
{
	if (a->key[0] != b->key[0])
		return a->key[0] < b->key[0];
	/* Equal ones stay in the order of insertion. */
	return a->key[1] != b->key[1] ? a->key[1] < b->key[1] : a < b;
}

static struct tree_node *first_by_looking(uint64_t single, uint64_t gang)
{
	struct tree_node *first = NULL;

	for (unsigned int i = 0; i < N; i++)
		if (nodes[i].tree && ((nodes[i].single & single) || (nodes[i].gang & gang)) &&
		    (!first || is_before(&nodes[i], first)))
			first = &nodes[i];
	return first;
}

static void check_all(void)
{
	struct tree_node *node = tree_first(&tree), *next;
	size_t n = 0;

	for (; node; node = next, n++) {
		next = tree_next(node);
		cr_assert(!next || is_before(node, next));
	}
	cr_assert_eq(n, tree.n);
	for (int i = 0; i < 50; i++) {
		uint64_t single = (uint64_t)rand() & 0xff, gang = (uint64_t)rand() & 0xff;

		cr_assert_eq(tree_find(&tree, single, gang), first_by_looking(single, gang));
	}
}

Test(tree, keeps_nodes_in_order_and_finds_the_first_that_meets_a_mask)
{
	for (unsigned int seed = 1; seed <= 5; seed++) {
		fill(seed);
		check_all();
	}
}

Test(tree, stays_right_when_nodes_leave_and_masks_change)
{
	fill(7);
	for (int i = 0; i < 400; i++) {
		struct tree_node *node = &nodes[rand() % N];

		if (rand() % 2)
			tree_remove(node);
		else
			tree_mask(node, (uint64_t)rand() & 0xff, (uint64_t)rand() & 0xff);
		if (i % 20 == 0)
			check_all();
	}
}

Test(tree, says_whether_its_root_changed)
{
	struct tree_node a = {.key = {1}, .single = 1}, b = {.key = {2}, .single = 1};

	tree_init(&tree);
	tree_insert(&tree, &a);
	tree_insert(&tree, &b);
	cr_assert_not(tree_mask(&a, 1, 0));
	cr_assert(tree_mask(&a, 3, 0));
	cr_assert(tree_mask(&a, 0, 0));
	cr_assert_eq(tree_find(&tree, 1, 0), &b);
}

Test(tree, removing_what_is_in_no_tree_is_harmless)
{
	struct tree_node node = {.tree = NULL};

	tree_remove(&node);
	tree_init(&tree);
	cr_assert(tree_is_empty(&tree));
	cr_assert_null(tree_first(&tree));
	cr_assert_null(tree_find(&tree, UINT64_MAX, UINT64_MAX));
}
