/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "proto/status.h"

Test(status, every_status_has_a_name_and_a_text_of_its_own)
{
	for (int i = 0; i < ZY_STATUS_MAX_; i++) {
		cr_assert_not_null(zy_status_name(i), "status %d", i);
		cr_assert_not_null(zy_status_text(i), "status %d", i);
		for (int j = 0; j < i; j++) {
			cr_assert_str_neq(zy_status_name(i), zy_status_name(j));
			cr_assert_str_neq(zy_status_text(i), zy_status_text(j));
		}
	}
}

Test(status, names_lead_back_to_their_numbers)
{
	for (int i = 0; i < ZY_STATUS_MAX_; i++)
		cr_assert_eq(zy_status_find(zy_status_name(i)), i);
	cr_assert_eq(zy_status_find("Not-Found"), -EINVAL);
	cr_assert_eq(zy_status_find(""), -EINVAL);
}

Test(status, numbers_that_are_no_status_are_unknown)
{
	cr_assert_str_eq(zy_status_name(-1), "unknown");
	cr_assert_str_eq(zy_status_name(ZY_STATUS_MAX_), "unknown");
	cr_assert_str_eq(zy_status_text(INT32_MIN), "unknown");
	cr_assert_str_eq(zy_status_text(INT32_MAX), "unknown");
}

Test(status, an_errno_becomes_the_answer_a_client_understands)
{
	cr_assert_eq(zy_status_from_errno(0), ZY_OK);
	cr_assert_eq(zy_status_from_errno(17), ZY_OK);
	cr_assert_eq(zy_status_from_errno(-ENOENT), ZY_NOT_FOUND);
	cr_assert_eq(zy_status_from_errno(-EBADMSG), ZY_BAD_MODEL);
	cr_assert_eq(zy_status_from_errno(-EDQUOT), ZY_LIMIT);
	cr_assert_eq(zy_status_from_errno(-EAGAIN), ZY_BUSY);
	cr_assert_eq(zy_status_from_errno(-EPROTO), ZY_PROTOCOL);
}

Test(status, an_errno_nobody_listed_is_internal)
{
	cr_assert_eq(zy_status_from_errno(-ELOOP), ZY_INTERNAL);
	cr_assert_eq(zy_status_from_errno(INT32_MIN + 1), ZY_INTERNAL);
}

Test(status, classes_have_names_both_ways)
{
	for (int i = 0; i < ZY_CLASS_MAX_; i++)
		cr_assert_eq(zy_class_find(zy_class_name(i)), i);
	cr_assert_str_eq(zy_class_name(ZY_CLASS_MAX_), "unknown");
	cr_assert_eq(zy_class_find("unknown"), -EINVAL);
}

Test(status, waits_have_names_of_their_own)
{
	for (unsigned int i = 0; i < ZY_WAIT_MAX_; i++) {
		cr_assert_not_null(zy_wait_name(i), "wait %u", i);
		for (unsigned int j = 0; j < i; j++)
			cr_assert_str_neq(zy_wait_name(i), zy_wait_name(j));
	}
	cr_assert_str_eq(zy_wait_name(ZY_WAIT_MAX_), "unknown");
}
