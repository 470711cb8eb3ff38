/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/ir.h"

#include "loadable/loadable_elf.h"
#include "npu/engine.h"
#include "npu/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ir *ir_create(void)
{
	struct ir *ir = calloc(1, sizeof(*ir));

	if (ir)
		memset(ir->bucket, 0xff, sizeof(ir->bucket));
	return ir;
}

void ir_destroy(struct ir *ir)
{
	if (!ir)
		return;
	for (size_t i = 0; i < ir->n_values; i++)
		free(ir->values[i].owned);
	free(ir->values);
	free(ir->insns);
	free(ir);
}

/* Make room for one more element of @size in *@array. */
static int grow(void **array, size_t n, size_t *max, size_t size)
{
	size_t wanted = *max ? *max * 2 : 64;
	void *larger;

	if (n < *max)
		return 0;
	larger = reallocarray(*array, wanted, size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	*max = wanted;
	return 0;
}

int ir_add_value(struct ir *ir, const struct ir_value *value, uint32_t *ret_value)
{
	void *values = ir->values;
	struct ir_value *copy;
	int r;

	r = grow(&values, ir->n_values, &ir->max_values, sizeof(*value));
	ir->values = values;
	if (r < 0)
		return r;
	copy = &ir->values[ir->n_values];
	*copy = *value;
	copy->id = ir->n_kind[value->kind]++;
	copy->is_used = false;
	*ret_value = (uint32_t)ir->n_values++;
	return 0;
}

static uint32_t hash_bytes(const uint8_t *data, uint32_t size)
{
	uint32_t hash = 2166136261u ^ size;

	for (uint32_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * 16777619u;
	return hash;
}

static uint32_t find_constant(const struct ir *ir, const uint8_t *data, uint32_t size,
			      uint32_t hash)
{
	uint32_t i = ir->bucket[hash % IR_BUCKETS];

	while (i != IR_NO_VALUE) {
		const struct ir_value *value = &ir->values[i];

		if (value->hash == hash && value->size == size && !memcmp(value->data, data, size))
			break;
		i = value->next;
	}
	return i;
}

int ir_add_constant(struct ir *ir, const uint8_t *data, uint32_t size, bool owned,
		    uint32_t *ret_value)
{
	struct ir_value value = {.kind = IR_CONSTANT, .size = size, .data = data};
	uint32_t found = IR_NO_VALUE;
	int r = 0;

	value.owned = owned ? (uint8_t *)data : NULL;
	ir->constant_bytes += size;
	if (ir->constant_bytes > LOADABLE_MAX_SIZE)
		r = -EFBIG;
	if (r == 0) {
		value.hash = hash_bytes(data, size);
		value.next = ir->bucket[value.hash % IR_BUCKETS];
		found = find_constant(ir, data, size, value.hash);
	}
	if (r == 0 && found == IR_NO_VALUE) {
		r = ir_add_value(ir, &value, ret_value);
		if (r == 0) {
			ir->bucket[value.hash % IR_BUCKETS] = *ret_value;
			return 0;
		}
	}
	free(value.owned);
	if (r == 0)
		*ret_value = found;
	return r;
}

/* The instruction set's own check, and that values are as large as it wants them. */
static int check_insn(const struct ir *ir, const struct ir_insn *insn, struct compile_error *error)
{
	struct npu_demand demand;
	const char *wrong = npu_insn_check(&insn->insn, &demand);

	if (wrong)
		return compile_error_set(error, -EINVAL, "the software NPU cannot do this: %s",
					 wrong);
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
		if (insn->value[i] == IR_NO_VALUE)
			continue;
		if (ir->values[insn->value[i]].size != demand.size[i])
			return compile_error_set(error, -EINVAL,
						 "operand %u has %u bytes where %u are needed", i,
						 ir->values[insn->value[i]].size, demand.size[i]);
	}
	return 0;
}

static void use_value(struct ir_value *value, uint32_t position)
{
	if (!value->is_used)
		value->first = position;
	value->last = position;
	value->is_used = true;
}

int ir_add_insn(struct ir *ir, const struct npu_insn *insn, const uint32_t values[NPU_MAX_OPERANDS],
		struct compile_error *ret_error)
{
	void *insns = ir->insns;
	struct ir_insn *copy;
	int r;

	/* One more is needed for the end. */
	if (ir->n_insns + 1 >= NPU_MAX_INSNS && insn->opcode != NPU_OP_END)
		return compile_error_set(ret_error, -EFBIG,
					 "the program has more than %u instructions",
					 NPU_MAX_INSNS - 1);
	r = grow(&insns, ir->n_insns, &ir->max_insns, sizeof(*copy));
	ir->insns = insns;
	if (r < 0)
		return compile_error_set(ret_error, r, "out of memory");
	copy = &ir->insns[ir->n_insns];
	copy->insn = *insn;
	copy->insn.version = NPU_ISA_VERSION;
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
		copy->value[i] = values[i];
		copy->insn.slot[i] = values[i] == IR_NO_VALUE ? NPU_NO_SLOT : 0;
	}
	r = check_insn(ir, copy, ret_error);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++)
		if (values[i] != IR_NO_VALUE)
			use_value(&ir->values[values[i]], (uint32_t)ir->n_insns);
	ir->n_insns++;
	return 0;
}
