/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "proto/list.h"

struct item {
	int value;
	struct list link;
};

Test(list, keeps_the_order_of_appending)
{
	struct item items[3] = {{.value = 0}, {.value = 1}, {.value = 2}};
	struct list head;
	struct item *pos;
	int n = 0;

	list_init(&head);
	for (int i = 0; i < 3; i++)
		list_append(&head, &items[i].link);
	list_for_each (pos, &head, link)
		cr_assert_eq(pos->value, n++);
	cr_assert_eq(n, 3);
}

Test(list, removing_twice_is_harmless)
{
	struct item item;
	struct list head;

	list_init(&head);
	list_append(&head, &item.link);
	list_remove(&item.link);
	list_remove(&item.link);
	cr_assert(list_is_empty(&head));
	cr_assert_null(list_first(&head, struct item, link));
}

Test(list, survives_removal_while_walking)
{
	struct item items[4];
	struct list head;
	struct item *pos, *tmp;
	int n = 0;

	list_init(&head);
	for (int i = 0; i < 4; i++)
		list_append(&head, &items[i].link);
	list_for_each_safe (pos, tmp, &head, link) {
		list_remove(&pos->link);
		n++;
	}
	cr_assert_eq(n, 4);
	cr_assert(list_is_empty(&head));
}
