/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/tree.h"

void tree_init(struct tree *tree)
{
	*tree = (struct tree){0};
}

static void sum_up(struct tree_node *node)
{
	node->all_single = node->single;
	node->all_gang = node->gang;
	if (node->left) {
		node->all_single |= node->left->all_single;
		node->all_gang |= node->left->all_gang;
	}
	if (node->right) {
		node->all_single |= node->right->all_single;
		node->all_gang |= node->right->all_gang;
	}
}

/* Where the pointer to @node stands. */
static struct tree_node **link_of(struct tree_node *node)
{
	struct tree_node *parent = node->parent;

	if (!parent)
		return &node->tree->root;
	return parent->left == node ? &parent->left : &parent->right;
}

/* Rotate @node over its parent. */
static void rotate_up(struct tree_node *node)
{
	struct tree_node *parent = node->parent, *moved;
	struct tree_node **link = link_of(parent);

	if (parent->left == node) {
		moved = node->right;
		parent->left = moved;
		node->right = parent;
	} else {
		moved = node->left;
		parent->right = moved;
		node->left = parent;
	}
	if (moved)
		moved->parent = parent;
	node->parent = parent->parent;
	parent->parent = node;
	*link = node;
	sum_up(parent);
	sum_up(node);
}

static bool is_before(const struct tree_node *a, const struct tree_node *b)
{
	return a->key[0] != b->key[0] ? a->key[0] < b->key[0] : a->key[1] < b->key[1];
}

/* What nobody outside can foresee, so that nobody can ask for a tree that is a list (the
 * finalizer of splitmix64). */
static uint32_t priority_of(const struct tree_node *node)
{
	uint64_t x = (uint64_t)(uintptr_t)node ^ node->key[0] * UINT64_C(0x9e3779b97f4a7c15) ^
		     node->key[1];

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x ^ x >> 31);
}

void tree_insert(struct tree *tree, struct tree_node *node)
{
	struct tree_node **link = &tree->root, *parent = NULL;
	bool is_first = true;

	while (*link) {
		parent = *link;
		parent->all_single |= node->single;
		parent->all_gang |= node->gang;
		if (is_before(node, parent)) {
			link = &parent->left;
		} else {
			link = &parent->right;
			is_first = false;
		}
	}
	if (is_first)
		tree->first = node;
	node->left = node->right = NULL;
	node->parent = parent;
	node->tree = tree;
	node->priority = priority_of(node);
	sum_up(node);
	*link = node;
	tree->n++;
	while (node->parent && node->parent->priority < node->priority)
		rotate_up(node);
}

/* From @node up, as far as anything changes. Returns whether that reached the root. */
static bool sum_up_path(struct tree_node *node)
{
	for (; node; node = node->parent) {
		uint64_t single = node->all_single, gang = node->all_gang;

		sum_up(node);
		if (node->all_single == single && node->all_gang == gang)
			return false;
	}
	return true;
}

void tree_remove(struct tree_node *node)
{
	if (!node->tree)
		return;
	if (node->tree->first == node)
		node->tree->first = tree_next(node);
	while (node->left || node->right) {
		if (!node->right || (node->left && node->left->priority > node->right->priority))
			rotate_up(node->left);
		else
			rotate_up(node->right);
	}
	*link_of(node) = NULL;
	sum_up_path(node->parent);
	node->tree->n--;
	node->tree = NULL;
	node->parent = NULL;
}

bool tree_mask(struct tree_node *node, uint64_t single, uint64_t gang)
{
	if (node->single == single && node->gang == gang)
		return false;
	node->single = single;
	node->gang = gang;
	return node->tree && sum_up_path(node);
}

struct tree_node *tree_first(const struct tree *tree)
{
	return tree->first;
}

struct tree_node *tree_next(const struct tree_node *node)
{
	const struct tree_node *next = node->right;

	if (next) {
		while (next->left)
			next = next->left;
		return (struct tree_node *)next;
	}
	while (node->parent && node->parent->right == node)
		node = node->parent;
	return node->parent;
}

static bool any_meets(const struct tree_node *node, uint64_t single, uint64_t gang)
{
	return node && ((node->all_single & single) || (node->all_gang & gang));
}

struct tree_node *tree_find(const struct tree *tree, uint64_t single, uint64_t gang)
{
	struct tree_node *node = tree->root;

	if (!any_meets(node, single, gang))
		return NULL;
	for (;;) {
		if (any_meets(node->left, single, gang))
			node = node->left;
		else if ((node->single & single) || (node->gang & gang))
			return node;
		else
			node = node->right;
	}
}
