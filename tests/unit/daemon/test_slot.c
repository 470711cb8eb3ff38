/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/model_memory.h"
#include "npu/engine.h"
#include "npu/tcb.h"
#include "proto/entry.h"
#include "tests/unit/daemon/hand_job.h"
#include "tests/unit/daemon/rig.h"

#define BYTES 1000u

static struct rig rig;

static void setup(void)
{
	rig_init(&rig, UINT64_C(16) << 20);
}

static void teardown(void)
{
	rig_finish(&rig);
}

TestSuite(slot, .init = setup, .fini = teardown);

static void fill(struct buffer *buffer, unsigned int seed)
{
	for (size_t i = 0; i < buffer->size; i++)
		buffer->memory->cpu[i] = (uint8_t)(seed + i * 31 + (i >> 8));
}

static struct slot *take(struct model *model)
{
	struct slot *slot = slot_take(model);

	cr_assert_not_null(slot);
	return slot;
}

Test(slot, a_model_runs_on_clients_memory_without_copies)
{
	struct model *model = rig_load_copy(&rig, BYTES);
	struct buffer *in = rig_buffer(&rig, BYTES), *out = rig_buffer(&rig, BYTES);
	struct binding *binding = rig_bind_copy(model, in, out, BYTES);
	struct slot *slot = take(model);
	uint64_t copied = 1;

	for (unsigned int i = 0; i < 20; i++) {
		fill(in, i);
		cr_assert_eq(rig_run(&rig, slot, binding, &copied).result, DEVICE_DONE);
		cr_assert_eq(copied, 0);
		cr_assert_eq(memcmp(in->memory->cpu, out->memory->cpu, BYTES), 0);
		cr_assert_eq(out->memory->cpu[BYTES], 0, "not a byte more");
	}
	slot_put(slot);
	binding_unref(binding);
	buffer_unref(in);
	buffer_unref(out);
	model_unref(model);
}

/* As the relocation of a device that was reopened leaves it: other addresses, another epoch. */
static void move(struct device_buffer *buffer, uint64_t by)
{
	buffer->address += by;
	__atomic_add_fetch(&rig.device->epoch, 1, __ATOMIC_RELEASE);
}

Test(slot, a_slot_moves_with_the_memory_it_lies_in)
{
	const uint64_t by = 0x10000;
	struct model *model = rig_load_copy(&rig, BYTES);
	struct slot *slot = take(model);
	struct slot_memory *memory = slot->memory;
	struct device_job old = slot->job;
	uint64_t shared = model->memory->shared_at;
	size_t n = model->memory->plan->rodata.size;
	uint8_t *rodata = malloc(n);

	memcpy(rodata, memory->rodata, n);
	cr_assert_eq(slot_renew(slot), 0);
	cr_expect_eq(slot->job.head, old.head, "nothing has moved");

	move(memory->buffer, by);
	move(model->memory->shared, 2 * by);
	memset(memory->rodata, 0xee, n);
	cr_assert_eq(slot_renew(slot), 0);
	cr_expect_eq(slot->job.head, old.head + by);
	cr_expect_eq(slot->job.first_task, old.first_task + by);
	cr_expect_eq(slot->job.last_task, old.last_task + by);
	cr_expect_eq(model->memory->shared_at, shared + 2 * by);
	cr_expect_eq(memory->place.shared, shared + 2 * by);

	move(memory->buffer, -by);
	move(model->memory->shared, -2 * by);
	cr_assert_eq(slot_renew(slot), 0);
	cr_expect_eq(slot->job.head, old.head);
	cr_expect_eq(memcmp(memory->rodata, rodata, n), 0, "patches are as they were");
	free(rodata);
	slot_put(slot);
	model_unref(model);
}

Test(slot, a_model_runs_after_its_memory_was_given_another_epoch)
{
	struct model *model = rig_load_copy(&rig, BYTES);
	struct buffer *in = rig_buffer(&rig, BYTES), *out = rig_buffer(&rig, BYTES);
	struct binding *binding = rig_bind_copy(model, in, out, BYTES);
	struct slot *slot = take(model);
	uint64_t copied = 1;

	move(slot->memory->buffer, 0);
	memset(slot->memory->rodata, 0xee, model->memory->plan->rodata.size);
	cr_assert_eq(slot_renew(slot), 0);
	fill(in, 3);
	cr_assert_eq(rig_run(&rig, slot, binding, &copied).result, DEVICE_DONE);
	cr_assert_eq(memcmp(in->memory->cpu, out->memory->cpu, BYTES), 0);
	slot_put(slot);
	binding_unref(binding);
	buffer_unref(in);
	buffer_unref(out);
	model_unref(model);
}

Test(slot, one_slot_serves_different_bindings)
{
	struct model *model = rig_load_copy(&rig, BYTES);
	struct buffer *buffers[4];
	struct binding *bindings[4];
	struct slot *slot = take(model);

	for (size_t i = 0; i < 4; i++) {
		buffers[i] = rig_buffer(&rig, BYTES);
		fill(buffers[i], (unsigned int)i * 7);
	}
	for (size_t i = 0; i < 4; i++)
		bindings[i] = rig_bind_copy(model, buffers[i], buffers[(i + 1) % 4], BYTES);
	/* Passed on from one to the next. */
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(rig_run(&rig, slot, bindings[i], NULL).result, DEVICE_DONE);
		cr_assert_eq(memcmp(buffers[0]->memory->cpu, buffers[i + 1]->memory->cpu, BYTES),
			     0);
	}
	slot_put(slot);
	for (size_t i = 0; i < 4; i++) {
		binding_unref(bindings[i]);
		buffer_unref(buffers[i]);
	}
	model_unref(model);
}

/* What the device and a failure leave behind in the chain does not matter to the next run. */
Test(slot, the_chain_is_restored_before_each_run)
{
	struct model *model = rig_load_copy(&rig, BYTES);
	struct buffer *in = rig_buffer(&rig, BYTES), *out = rig_buffer(&rig, BYTES);
	struct binding *binding = rig_bind_copy(model, in, out, BYTES);
	struct slot *slot = take(model);

	cr_expect_eq(rig_run(&rig, slot, binding, NULL).result, DEVICE_DONE);
	memset(slot->memory->chain, 0xff, (size_t)slot->job.n_tcbs * NPU_TCB_SIZE);
	cr_expect_eq(rig_run(&rig, slot, binding, NULL).result, DEVICE_DONE);
	slot_put(slot);
	binding_unref(binding);
	buffer_unref(in);
	buffer_unref(out);
	model_unref(model);
}

/* Both tensors in one section, which then cannot be a client's. */
static void init_copied(struct elf_builder *b)
{
	struct elf_bss *bss = &b->bss[0];

	elf_builder_init_copy(b, BYTES);
	bss->reuses[0].size = 4096;
	bss->reuses[0].n_subsections = 2;
	bss->reuses[0].sub[1] = bss->reuses[1].sub[0];
	bss->reuses[0].sub[1].desc.offset = 2048;
	bss->n_reuses = 1;
}

Test(slot, tensors_that_cannot_be_used_in_place_are_copied)
{
	struct elf_builder b;
	struct rig_answer answer;
	struct buffer *in = rig_buffer(&rig, BYTES), *out = rig_buffer(&rig, BYTES);
	struct binding *binding;
	struct slot *slot;
	uint64_t copied;

	init_copied(&b);
	cr_assert_eq(rig_load(&rig, &answer, &b, "", false), 0, "%s", answer.text);
	elf_builder_finish(&b);
	binding = rig_bind_copy(answer.model, in, out, BYTES);
	cr_expect_not(binding->in_place[0]);
	cr_expect_not(binding->in_place[1]);
	cr_expect_eq(binding->n_device_ranges, 0);
	slot = take(answer.model);
	for (unsigned int i = 0; i < 3; i++) {
		fill(in, i);
		cr_assert_eq(rig_run(&rig, slot, binding, &copied).result, DEVICE_DONE);
		cr_assert_eq(copied, 2 * BYTES);
		cr_assert_eq(memcmp(in->memory->cpu, out->memory->cpu, BYTES), 0);
		cr_assert_eq(out->memory->cpu[BYTES], 0);
	}
	slot_put(slot);
	binding_unref(binding);
	buffer_unref(in);
	buffer_unref(out);
	model_unref(answer.model);
}

Test(slot, a_copied_output_never_shows_what_somebody_else_had)
{
	struct elf_builder b;
	struct rig_answer answer;
	struct buffer *in = rig_buffer(&rig, BYTES), *out = rig_buffer(&rig, BYTES);
	const struct npu_insn nothing = elf_insn(NPU_OP_DELAY);
	const struct model_memory *memory;
	struct binding *binding;
	struct slot *slot;
	uint64_t copied;

	init_copied(&b);
	cr_assert_eq(rig_load(&rig, &answer, &b, "", false), 0, "%s", answer.text);
	elf_builder_finish(&b);
	binding = rig_bind_copy(answer.model, in, out, BYTES);
	slot = take(answer.model);
	fill(in, 1);
	cr_assert_eq(rig_run(&rig, slot, binding, &copied).result, DEVICE_DONE);

	/* Another tenant of the same slot, whose program writes nothing. */
	memory = answer.model->memory;
	memcpy(memory->shared->cpu + memory->shared_at - memory->shared->address +
		       memory->plan->text.offset,
	       &nothing, sizeof(nothing));
	cr_assert_eq(rig_run(&rig, slot, binding, &copied).result, DEVICE_DONE);
	for (size_t i = 0; i < BYTES; i++)
		cr_assert_eq(out->memory->cpu[i], 0);
	slot_put(slot);
	binding_unref(binding);
	buffer_unref(in);
	buffer_unref(out);
	model_unref(answer.model);
}

/* in -> middle -> out: constants and intermediate tensors are the slot's and the model's. */
static void init_chain(struct elf_builder *b)
{
	struct npu_insn insn;
	uint32_t middle, slot;

	elf_builder_init_copy(b, BYTES);
	middle = elf_builder_add_tensor(b, CONTAINER_SUBSECTION_INTERMEDIATE, 0, BYTES);
	slot = elf_builder_add_slot(b, &b->bss[0].reuses[middle]);
	memcpy(&insn, b->text.data, sizeof(insn));
	insn.slot[1] = slot;
	memcpy(b->text.data, &insn, sizeof(insn));
	/* A second copy in place of the end, and a new end. */
	insn.slot[0] = slot;
	insn.slot[1] = sizeof(struct npu_slot);
	memcpy(b->text.data + sizeof(insn), &insn, sizeof(insn));
	insn = elf_insn(NPU_OP_END);
	elf_builder_add_insn(b, &insn);
}

Test(slot, slots_run_at_the_same_time_without_disturbing_each_other)
{
	enum { N = 6 };
	struct elf_builder b;
	struct rig_answer answer;
	struct buffer *in[N], *out[N];
	struct binding *bindings[N];
	struct slot *slots[N];
	struct device_event event;

	init_chain(&b);
	elf_builder_prepend(&b, NPU_OP_DELAY, 2000);
	cr_assert_eq(rig_load(&rig, &answer, &b, "", false), 0, "%s", answer.text);
	elf_builder_finish(&b);
	for (unsigned int i = 0; i < N; i++) {
		in[i] = rig_buffer(&rig, BYTES);
		out[i] = rig_buffer(&rig, BYTES);
		bindings[i] = rig_bind_copy(answer.model, in[i], out[i], BYTES);
		slots[i] = slot_take(answer.model);
		if (!slots[i]) {
			rig_settle(&rig);
			slots[i] = take(answer.model);
		}
	}
	for (unsigned int round = 0; round < 10; round++) {
		for (unsigned int i = 0; i < N; i++) {
			fill(in[i], round * N + i);
			cr_assert_eq(slot_prepare(slots[i], bindings[i]), 0);
			slots[i]->job.core_mask = 7;
			cr_assert_eq(device_submit(rig.device, &slots[i]->job), 0);
		}
		for (unsigned int i = 0; i < N; i++) {
			cr_assert(hand_wait(rig.device, &event, 10000));
			cr_assert_eq(event.result, DEVICE_DONE);
		}
		for (unsigned int i = 0; i < N; i++)
			cr_assert_eq(memcmp(in[i]->memory->cpu, out[i]->memory->cpu, BYTES), 0);
	}
	for (unsigned int i = 0; i < N; i++) {
		slot_put(slots[i]);
		binding_unref(bindings[i]);
		buffer_unref(in[i]);
		buffer_unref(out[i]);
	}
	model_unref(answer.model);
}

/*
 * Growth
 */

Test(slot, slots_grow_on_demand_up_to_what_the_device_takes)
{
	struct model *model = rig_load_copy(&rig, BYTES);
	struct slot *slots[6];
	uint64_t before = model->device_bytes;

	slots[0] = take(model);
	for (int i = 1; i < 6; i++) {
		cr_expect_null(slot_take(model), "the worker makes it first");
		cr_expect_null(slot_take(model), "and only one, however often one asks");
		cr_expect_eq(rig.n_ready, i - 1);
		rig_settle(&rig);
		cr_expect_eq(rig.n_ready, i);
		slots[i] = take(model);
		cr_expect_eq(model->n_slots, (unsigned int)i + 1);
		for (int j = 0; j < i; j++)
			cr_expect_neq(slots[j]->job.head, slots[i]->job.head);
	}
	cr_expect_gt(model->device_bytes, before);
	cr_expect_eq(model->device_bytes, device_memory_used(rig.device));
	cr_expect_null(slot_take(model));
	rig_settle(&rig);
	cr_expect_eq(model->n_slots, 6, "caps.depth");
	cr_expect_eq(rig.n_ready, 5);
	slot_put(slots[2]);
	cr_expect_eq(rig.n_ready, 6, "somebody waited");
	cr_expect_eq(take(model), slots[2]);
	slot_put(slots[2]);
	cr_expect_eq(rig.n_ready, 6, "nobody waits");
	for (int i = 0; i < 6; i++)
		if (i != 2)
			slot_put(slots[i]);
	model_unref(model);
}

Test(slot, without_memory_for_another_the_slots_there_are_must_do)
{
	struct device_buffer *rest;
	struct model *model;
	struct slot *slot;
	uint64_t used;

	model = rig_load_copy(&rig, BYTES);
	slot = take(model);
	used = device_memory_used(rig.device);
	cr_assert_eq(device_buffer_create(rig.device, rig.device->caps.memory_bytes - used - 4096,
					  &rest),
		     0);
	used = device_memory_used(rig.device);
	for (int i = 0; i < 3; i++) {
		cr_expect_null(slot_take(model));
		rig_settle(&rig);
		cr_expect_eq(model->n_slots, 1);
		cr_expect_eq(device_memory_used(rig.device), used);
		cr_expect_eq(rig.n_ready, 0);
	}
	slot_put(slot);
	cr_expect_eq(rig.n_ready, 1);
	slot = take(model);
	device_buffer_destroy(rest);
	cr_expect_null(slot_take(model), "there is memory again");
	rig_settle(&rig);
	cr_expect_eq(model->n_slots, 2);
	slot_put(slot);
	model_unref(model);
}

Test(slot, a_model_that_goes_away_while_it_grows_is_freed_afterwards)
{
	struct model *model = rig_load_copy(&rig, BYTES);
	struct slot *slot = take(model);

	cr_expect_null(slot_take(model));
	slot_put(slot);
	model_unref(model);
	cr_expect_eq(rig.models.n_models, 1, "the growth still has it");
	rig_settle(&rig);
	cr_expect_eq(rig.models.n_models, 0);
	cr_expect_eq(device_memory_used(rig.device), 0);
}

/*
 * Isolation: a program that got past all checks, as if they had a hole.
 */

static void expect_fault(struct slot *slot, const struct binding *binding, enum npu_reason reason)
{
	struct device_event event;

	slot_prepare(slot, binding);
	slot->job.core_mask = 7;
	cr_assert_eq(device_submit(rig.device, &slot->job), 0);
	cr_assert(hand_wait(rig.device, &event, 10000));
	cr_expect_eq(event.result, DEVICE_FAULTED);
	cr_expect_eq(event.fault.class, ZY_FAULT_MEMORY);
	cr_expect_eq(event.fault.code, (uint32_t)reason);
}

Test(slot, a_program_cannot_write_an_input)
{
	struct model *model = rig_load_copy(&rig, BYTES);
	const struct model_memory *memory = model->memory;
	struct buffer *in = rig_buffer(&rig, BYTES), *out = rig_buffer(&rig, BYTES);
	struct binding *binding = rig_bind_copy(model, in, out, BYTES);
	struct slot *slot = take(model);
	struct npu_insn *copy;

	/* The other way round. */
	copy = (struct npu_insn *)(void *)(memory->shared->cpu + memory->shared_at -
					   memory->shared->address + memory->plan->text.offset);
	cr_assert_eq(copy->opcode, NPU_OP_COPY);
	copy->slot[0] = sizeof(struct npu_slot);
	copy->slot[1] = 0;
	fill(out, 1);
	expect_fault(slot, binding, NPU_REASON_OPERAND_UNMAPPED);
	cr_expect_eq(in->memory->cpu[1], 0);
	slot_put(slot);
	binding_unref(binding);
	buffer_unref(in);
	buffer_unref(out);
	model_unref(model);
}

Test(slot, a_program_reaches_neither_other_buffers_nor_the_rest_of_its_own)
{
	struct model *model = rig_load_copy(&rig, BYTES);
	struct buffer *in = rig_buffer(&rig, 8192), *out = rig_buffer(&rig, 8192);
	struct buffer *foreign = rig_buffer(&rig, 8192);
	struct binding *binding = rig_bind_copy(model, in, out, BYTES);
	struct slot *slot = take(model);
	struct device_event event;
	uint32_t base = (uint32_t)rig.device->caps.asid0_base;
	const uint64_t targets[] = {
		foreign->memory->address, out->memory->address + BYTES,
		out->memory->address + 4, slot->job.head,
		model->memory->shared_at, slot->memory->buffer->address,
	};

	for (size_t i = 0; i < NPU_ARRAY_SIZE(targets); i++) {
		struct npu_slot *operand;

		slot_prepare(slot, binding);
		operand = (struct npu_slot *)(void *)slot->memory->rodata + 1;
		operand->address = (uint32_t)targets[i] - base;
		slot->job.core_mask = 7;
		cr_assert_eq(device_submit(rig.device, &slot->job), 0);
		cr_assert(hand_wait(rig.device, &event, 10000));
		cr_expect_eq(event.result, DEVICE_FAULTED, "target %zu", i);
		cr_expect_eq(event.fault.class, ZY_FAULT_MEMORY);
		cr_expect_eq(event.fault.address, targets[i]);
	}
	for (size_t i = 0; i < 8192; i++) {
		cr_assert_eq(foreign->memory->cpu[i], 0);
		cr_assert_eq(out->memory->cpu[i], 0);
	}
	cr_expect_eq(rig_run(&rig, slot, binding, NULL).result, DEVICE_DONE, "it heals itself");
	slot_put(slot);
	binding_unref(binding);
	buffer_unref(in);
	buffer_unref(out);
	buffer_unref(foreign);
	model_unref(model);
}
