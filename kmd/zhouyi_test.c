// SPDX-License-Identifier: GPL-2.0-only
/* Tests of what needs no device. They are part of the module where the kernel has KUnit. */
#include <kunit/test.h>

#include "zhouyi_gem.h"
#include "zhouyi_job.h"
#include "zhouyi_regs.h"

static void a_range_lies_in_itself(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, zhouyi_range_in(0x1000, 0x1000, 0x1000, 0x1000));
	KUNIT_EXPECT_TRUE(test, zhouyi_range_in(0x1000, 0, 0x1000, 0x1000));
	KUNIT_EXPECT_TRUE(test, zhouyi_range_in(0x1ff0, 0x10, 0x1000, 0x1000));
}

static void a_range_that_sticks_out_does_not_lie_in_another(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, zhouyi_range_in(0xfff, 0x10, 0x1000, 0x1000));
	KUNIT_EXPECT_FALSE(test, zhouyi_range_in(0x1ff1, 0x10, 0x1000, 0x1000));
	KUNIT_EXPECT_FALSE(test, zhouyi_range_in(0x1000, 0x1001, 0x1000, 0x1000));
}

static void a_range_that_wraps_does_not_lie_in_another(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, zhouyi_range_in(U64_MAX, 2, 0, U64_MAX));
	KUNIT_EXPECT_FALSE(test, zhouyi_range_in(U64_MAX - 1, 16, 0x1000, 0x1000));
	KUNIT_EXPECT_FALSE(test, zhouyi_range_in(0x1000, U64_MAX, 0x1000, 0x1000));
	KUNIT_EXPECT_FALSE(test, zhouyi_range_in(0, 0x1000, U64_MAX - 0xfff, 0x1000));
}

static void every_result_but_done_is_an_error_of_its_own(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, zhouyi_job_error(DRM_ZHOUYI_RESULT_DONE), 0);
	for (int i = DRM_ZHOUYI_RESULT_EXCEPTION; i <= DRM_ZHOUYI_RESULT_LOST; i++) {
		KUNIT_EXPECT_LT(test, zhouyi_job_error(i), 0);
		for (int j = DRM_ZHOUYI_RESULT_DONE; j < i; j++)
			KUNIT_EXPECT_NE(test, zhouyi_job_error(i), zhouyi_job_error(j));
	}
}

static void a_fault_counts_as_one_although_done_comes_with_it(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, zhouyi_fault_result(V3_IRQ_FAULT | V3_IRQ_DONE),
			DRM_ZHOUYI_RESULT_FAULT);
	KUNIT_EXPECT_EQ(test, zhouyi_fault_result(V3_IRQ_ERROR), DRM_ZHOUYI_RESULT_ERROR);
	KUNIT_EXPECT_EQ(test, zhouyi_fault_result(V3_IRQ_EXCEPTION), DRM_ZHOUYI_RESULT_EXCEPTION);
}

static void generations_are_told_apart_by_the_exact_revision(struct kunit *test)
{
	static const struct {
		u32 revision, generation;
	} known[] = {
		{ 0x00000, DRM_ZHOUYI_V1 },   { 0x00100, DRM_ZHOUYI_V2 },
		{ 0x00300, DRM_ZHOUYI_V2 },   { 0x10000, DRM_ZHOUYI_V3 },
		{ 0x10003, DRM_ZHOUYI_V3 },   { 0x10210, DRM_ZHOUYI_V3_2 },
		{ 0x10220, DRM_ZHOUYI_V3_2 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
		const struct zhouyi_hw *hw = zhouyi_hw_find(known[i].revision);

		KUNIT_ASSERT_NOT_NULL(test, hw);
		KUNIT_EXPECT_EQ(test, hw->generation, known[i].generation);
	}
	KUNIT_EXPECT_NULL(test, zhouyi_hw_find(0x10100));
	KUNIT_EXPECT_NULL(test, zhouyi_hw_find(~0));
}

static void only_v3_is_supported(struct kunit *test)
{
	KUNIT_EXPECT_NOT_NULL(test, zhouyi_hw_find(0x10003)->probe);
	KUNIT_EXPECT_NULL(test, zhouyi_hw_find(0x00300)->probe);
	KUNIT_EXPECT_NULL(test, zhouyi_hw_find(0x10220)->probe);
}

/* One group of four tasks behind an init and a SegMMU TCB. */
static const struct drm_zhouyi_submit good = {
	.head = 0x10000,
	.first_task = 0x10100,
	.last_task = 0x10280,
	.tcb_count = 6,
	.group_count = 1,
};

static int check(struct drm_zhouyi_submit args)
{
	return zhouyi_v3.check(NULL, &args);
}

static void a_chain_as_it_should_be_is_accepted(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, check(good), 0);
}

#define EXPECT_REFUSED(field, value)                                  \
	do {                                                          \
		struct drm_zhouyi_submit args = good;                 \
								      \
		args.field = (value);                                 \
		KUNIT_EXPECT_EQ(test, check(args), -EINVAL);          \
	} while (0)

static void a_chain_that_makes_no_sense_is_refused(struct kunit *test)
{
	EXPECT_REFUSED(head, 0);
	EXPECT_REFUSED(head, 0x10040);
	EXPECT_REFUSED(first_task, 0x10101);
	EXPECT_REFUSED(first_task, 0xff80);
	EXPECT_REFUSED(last_task, 0x10200 + 1);
	EXPECT_REFUSED(last_task, 0x10080);
	EXPECT_REFUSED(last_task, 0x10300);
	EXPECT_REFUSED(tcb_count, 0);
	EXPECT_REFUSED(tcb_count, 5);
	EXPECT_REFUSED(group_count, 0);
	EXPECT_REFUSED(group_count, 6);
}

static void a_chain_does_not_cross_a_4_gib_boundary(struct kunit *test)
{
	struct drm_zhouyi_submit args = good;

	args.head = SZ_4G - 0x300;
	args.first_task = args.head + 0x100;
	args.last_task = args.head + 0x280;
	KUNIT_EXPECT_EQ(test, check(args), 0);
	args.head += 0x80;
	args.first_task += 0x80;
	args.last_task += 0x80;
	KUNIT_EXPECT_EQ(test, check(args), -EINVAL);
	args.head = U64_MAX - 0x7f;
	args.first_task = args.head;
	args.last_task = args.head;
	KUNIT_EXPECT_EQ(test, check(args), -EINVAL);
}

static void the_structures_of_user_space_have_the_size_they_always_had(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sizeof(struct drm_zhouyi_query), 24);
	KUNIT_EXPECT_EQ(test, sizeof(struct drm_zhouyi_device_info), 72);
	KUNIT_EXPECT_EQ(test, sizeof(struct drm_zhouyi_bo_create), 40);
	KUNIT_EXPECT_EQ(test, sizeof(struct drm_zhouyi_bo_use), 8);
	KUNIT_EXPECT_EQ(test, sizeof(struct drm_zhouyi_sync), 16);
	KUNIT_EXPECT_EQ(test, sizeof(struct drm_zhouyi_submit), 112);
	KUNIT_EXPECT_EQ(test, sizeof(struct drm_zhouyi_event), 64);
}

static struct kunit_case zhouyi_cases[] = {
	KUNIT_CASE(a_range_lies_in_itself),
	KUNIT_CASE(a_range_that_sticks_out_does_not_lie_in_another),
	KUNIT_CASE(a_range_that_wraps_does_not_lie_in_another),
	KUNIT_CASE(every_result_but_done_is_an_error_of_its_own),
	KUNIT_CASE(a_fault_counts_as_one_although_done_comes_with_it),
	KUNIT_CASE(generations_are_told_apart_by_the_exact_revision),
	KUNIT_CASE(only_v3_is_supported),
	KUNIT_CASE(a_chain_as_it_should_be_is_accepted),
	KUNIT_CASE(a_chain_that_makes_no_sense_is_refused),
	KUNIT_CASE(a_chain_does_not_cross_a_4_gib_boundary),
	KUNIT_CASE(the_structures_of_user_space_have_the_size_they_always_had),
	{}
};

static struct kunit_suite zhouyi_suite = {
	.name = "zhouyi",
	.test_cases = zhouyi_cases,
};

kunit_test_suite(zhouyi_suite);
