/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doubly linked lists with the links inside the objects. A list head and a link
 * are the same struct; an unlinked link points to itself, so that removing twice
 * is harmless.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_append(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

#define list_entry(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

/* The first object, or NULL. */
#define list_first(head, type, member)                                                             \
	(list_is_empty(head) ? NULL : list_entry((head)->next, type, member))

/* The last object, or NULL. */
#define list_last(head, type, member)                                                              \
	(list_is_empty(head) ? NULL : list_entry((head)->prev, type, member))

#define list_for_each(pos, head, member)                                                           \
	for (pos = list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head);     \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))

/* @tmp keeps the place, so that @pos may be removed. */
#define list_for_each_safe(pos, tmp, head, member)                                                 \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),                             \
	    tmp = list_entry(pos->member.next, __typeof__(*pos), member);                          \
	     &pos->member != (head);                                                               \
	     pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))
