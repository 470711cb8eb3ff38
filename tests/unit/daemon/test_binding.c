/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "npu/types.h"
#include "tests/unit/daemon/rig.h"

#define BYTES 1000u

static struct rig rig;
static struct model *model;
static struct buffer *one, *two;

static void setup(void)
{
	rig_init(&rig, UINT64_C(16) << 20);
	model = rig_load_copy(&rig, BYTES);
	one = rig_buffer(&rig, 4096);
	two = rig_buffer(&rig, 4096);
}

/* A reference too many or too few shows as memory that is left behind, or as a crash. */
static void teardown(void)
{
	buffer_unref(one);
	buffer_unref(two);
	model_unref(model);
	rig_finish(&rig);
}

TestSuite(binding, .init = setup, .fini = teardown);

static struct binding_range input(struct buffer *buffer, uint64_t offset)
{
	return (struct binding_range){GRAPH_TENSOR_INPUT, 0, buffer, offset, BYTES};
}

static struct binding_range output(struct buffer *buffer, uint64_t offset)
{
	return (struct binding_range){GRAPH_TENSOR_OUTPUT, 0, buffer, offset, BYTES};
}

static void expect_refusal(const struct binding_range *ranges, size_t n, int error,
			   const char *text)
{
	struct binding *binding = NULL;
	struct loadable_error e = {""};

	cr_expect_eq(binding_create(&binding, model, ranges, n, &e), error, "%s", e.text);
	cr_expect_null(binding);
	cr_expect_not_null(strstr(e.text, text), "%s", e.text);
	cr_expect_eq(model->n_refs, 1);
	cr_expect_eq(one->n_refs, 1);
	cr_expect_eq(two->n_refs, 1);
}

Test(binding, it_holds_what_it_needs_and_lets_go)
{
	const struct binding_range ranges[] = {output(two, 8), input(one, 0)};
	struct binding *binding;
	struct loadable_error error;

	cr_assert_eq(binding_create(&binding, model, ranges, 2, &error), 0);
	cr_expect_eq(model->n_refs, 2);
	cr_expect_eq(one->n_refs, 2);
	cr_expect_eq(two->n_refs, 2);
	cr_expect_eq(binding->ranges[0].buffer, one, "inputs first, in whichever order they came");
	cr_expect_eq(binding->ranges[1].buffer, two);
	cr_expect(binding->in_place[0] && binding->in_place[1]);
	binding_ref(binding);
	binding_unref(binding);
	cr_expect_eq(one->n_refs, 2);
	binding_unref(binding);
	cr_expect_eq(model->n_refs, 1);
	cr_expect_eq(one->n_refs, 1);
	binding_unref(NULL);
}

Test(binding, inputs_are_for_reading_and_outputs_for_both)
{
	struct binding *binding = rig_bind_copy(model, one, two, BYTES);

	cr_assert_eq(binding->n_device_ranges, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct device_range *range = &binding->device_ranges[i];
		bool is_input = range->buffer == one->memory;

		cr_expect_eq(range->offset, 0);
		cr_expect_eq(range->size, BYTES);
		cr_expect_eq(range->access, is_input ? DEVICE_ACCESS_READ : DEVICE_ACCESS_RW);
	}
	cr_expect_neq(binding->device_ranges[0].buffer, binding->device_ranges[1].buffer);
	binding_unref(binding);
}

Test(binding, any_place_in_a_buffer_will_do)
{
	struct binding_range ranges[] = {input(one, 4096 - BYTES), output(one, 1)};
	struct binding *binding;
	struct loadable_error error;
	struct slot *slot = slot_take(model);

	cr_assert_eq(binding_create(&binding, model, ranges, 2, &error), 0, "%s", error.text);
	memset(one->memory->cpu + 4096 - BYTES, 0x42, BYTES);
	cr_expect_eq(rig_run(&rig, slot, binding, NULL).result, DEVICE_DONE);
	cr_expect_eq(one->memory->cpu[0], 0);
	cr_expect_eq(one->memory->cpu[1], 0x42);
	cr_expect_eq(one->memory->cpu[BYTES], 0x42);
	cr_expect_eq(one->memory->cpu[BYTES + 1], 0);
	slot_put(slot);
	binding_unref(binding);
}

Test(binding, tensors_must_be_named_exactly_once)
{
	struct binding_range ranges[3] = {input(one, 0), output(two, 0)};

	expect_refusal(ranges, 0, -EINVAL, "no range for input 0");
	expect_refusal(ranges, 1, -EINVAL, "no range for output 0");
	ranges[2] = ranges[0];
	expect_refusal(ranges, 3, -EINVAL, "input 0 is named twice");
	ranges[2].index = 1;
	expect_refusal(ranges, 3, -EINVAL, "there is no input 1");
	ranges[2].index = UINT32_MAX;
	expect_refusal(ranges, 3, -EINVAL, "there is no input");
	ranges[2] = ranges[1];
	ranges[2].kind = GRAPH_TENSOR_INTER_DUMP;
	expect_refusal(ranges, 3, -EINVAL, "only inputs and outputs");
}

Test(binding, ranges_must_fit)
{
	static const uint64_t offsets[] = {4096 - BYTES + 1, 4096, 4097, UINT64_MAX,
					   UINT64_MAX - BYTES + 1};
	struct binding_range ranges[] = {input(one, 0), output(two, 0)};

	for (size_t i = 0; i < NPU_ARRAY_SIZE(offsets); i++) {
		ranges[1].offset = offsets[i];
		expect_refusal(ranges, 2, -ERANGE, "output 0");
	}
	ranges[1].offset = 0;
	ranges[1].size = BYTES - 1;
	expect_refusal(ranges, 2, -ERANGE, "has 1000 bytes, not 999");
	ranges[1].size = BYTES + 1;
	expect_refusal(ranges, 2, -ERANGE, "not 1001");
	ranges[1].size = UINT64_MAX;
	expect_refusal(ranges, 2, -ERANGE, "output 0");
}

Test(binding, an_output_shares_no_byte_with_anything)
{
	struct binding_range ranges[] = {input(one, 1000), output(one, 1000)};

	expect_refusal(ranges, 2, -ERANGE, "overlaps");
	ranges[1].offset = 1999;
	expect_refusal(ranges, 2, -ERANGE, "overlaps");
	ranges[1].offset = 1;
	expect_refusal(ranges, 2, -ERANGE, "overlaps");
	for (uint64_t offset = 0; offset <= 2000; offset += 2000) {
		struct binding *binding;
		struct loadable_error error;

		ranges[1].offset = offset;
		cr_assert_eq(binding_create(&binding, model, ranges, 2, &error), 0, "next to it");
		binding_unref(binding);
	}
}

/* Two inputs and two outputs: the rule among more than two ranges. */
Test(binding, inputs_may_share_bytes)
{
	struct elf_builder b;
	struct rig_answer answer;
	struct binding_range ranges[4] = {
		{GRAPH_TENSOR_INPUT, 0, one, 0, BYTES},
		{GRAPH_TENSOR_INPUT, 1, one, 500, BYTES},
		{GRAPH_TENSOR_OUTPUT, 0, two, 0, BYTES},
		{GRAPH_TENSOR_OUTPUT, 1, two, BYTES, BYTES},
	};
	struct binding *binding;
	struct loadable_error error;
	struct npu_insn insn;

	/* The copy program twice. */
	elf_builder_init_copy(&b, BYTES);
	insn = elf_insn(NPU_OP_COPY);
	insn.extra[0] = BYTES;
	insn.slot[0] = elf_builder_add_slot(
		&b,
		&b.bss[0].reuses[elf_builder_add_tensor(&b, CONTAINER_SUBSECTION_INPUT, 1, BYTES)]);
	insn.slot[1] =
		elf_builder_add_slot(&b, &b.bss[0].reuses[elf_builder_add_tensor(
						 &b, CONTAINER_SUBSECTION_OUTPUT, 1, BYTES)]);
	memcpy(b.text.data + sizeof(insn), &insn, sizeof(insn));
	insn = elf_insn(NPU_OP_END);
	elf_builder_add_insn(&b, &insn);
	cr_assert_eq(rig_load(&rig, &answer, &b, "", false), 0, "%s", answer.text);
	elf_builder_finish(&b);

	cr_expect_eq(binding_create(&binding, answer.model, ranges, 4, &error), 0, "%s",
		     error.text);
	binding_unref(binding);
	ranges[3].offset = 999;
	cr_expect_eq(binding_create(&binding, answer.model, ranges, 4, &error), -ERANGE);
	/* In the gap between two others, and behind a long one that began before it. */
	ranges[3] = (struct binding_range){GRAPH_TENSOR_OUTPUT, 1, one, 1499, BYTES};
	cr_expect_eq(binding_create(&binding, answer.model, ranges, 4, &error), -ERANGE);
	ranges[3].offset = 1500;
	cr_expect_eq(binding_create(&binding, answer.model, ranges, 4, &error), 0);
	binding_unref(binding);
	/* The same bytes twice are one object to the device. */
	ranges[1].offset = 0;
	cr_expect_eq(binding_create(&binding, answer.model, ranges, 4, &error), 0);
	cr_expect_eq(binding->n_device_ranges, 3);
	binding_unref(binding);
	model_unref(answer.model);
}
