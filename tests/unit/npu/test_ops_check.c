/* SPDX-License-Identifier: Apache-2.0 */
/* Which instructions are legal, and that legal ones stay inside their operands. */
#include "ops_cases.h"

#include <criterion/criterion.h>
#include <string.h>

#define FIELD(member) offsetof(struct npu_insn, member), sizeof(((struct npu_insn *)0)->member)

/* Integers of an instruction that some operations do not use, and which do. */
#define BIT(op) (1u << (op))
#define CONV BIT(NPU_OP_CONV2D)
#define DEPTHWISE BIT(NPU_OP_DEPTHWISE2D)
#define DENSE BIT(NPU_OP_FULLY_CONNECTED)
#define POOLS (BIT(NPU_OP_AVERAGE_POOL) | BIT(NPU_OP_MAX_POOL))
#define ADD BIT(NPU_OP_ADD)
#define PAD BIT(NPU_OP_PAD)
#define MEAN BIT(NPU_OP_MEAN)
#define SOFTMAX BIT(NPU_OP_SOFTMAX)
#define REQUANTIZE BIT(NPU_OP_REQUANTIZE)
#define FILTERS (CONV | DEPTHWISE | DENSE)
#define WINDOWS (CONV | DEPTHWISE | POOLS)
#define TENSORS (FILTERS | POOLS | ADD | PAD | MEAN | SOFTMAX | REQUANTIZE)

static const struct {
	const char *name;
	size_t offset, size;
	uint32_t used_by;
} fields[] = {
	{"in[0]", FIELD(in[0]), TENSORS},
	{"in[1]", FIELD(in[1]), TENSORS},
	{"in[2]", FIELD(in[2]), TENSORS},
	{"in[3]", FIELD(in[3]), TENSORS},
	{"out[0]", FIELD(out[0]), TENSORS},
	{"out[1]", FIELD(out[1]), TENSORS},
	{"out[2]", FIELD(out[2]), TENSORS},
	{"out[3]", FIELD(out[3]), TENSORS},
	{"kernel[0]", FIELD(kernel[0]), WINDOWS},
	{"kernel[1]", FIELD(kernel[1]), WINDOWS},
	{"stride[0]", FIELD(stride[0]), WINDOWS},
	{"stride[1]", FIELD(stride[1]), WINDOWS},
	{"dilation[0]", FIELD(dilation[0]), CONV | DEPTHWISE},
	{"dilation[1]", FIELD(dilation[1]), CONV | DEPTHWISE},
	{"pad[0]", FIELD(pad[0]), WINDOWS | PAD},
	{"pad[1]", FIELD(pad[1]), WINDOWS | PAD},
	{"zero[0]", FIELD(zero[0]), FILTERS | ADD | MEAN | REQUANTIZE},
	{"zero[1]", FIELD(zero[1]), FILTERS | ADD},
	{"zero[2]", FIELD(zero[2]), FILTERS | ADD | PAD | MEAN | SOFTMAX | REQUANTIZE},
	{"act_min", FIELD(act_min), FILTERS | POOLS | ADD | MEAN | REQUANTIZE},
	{"act_max", FIELD(act_max), FILTERS | POOLS | ADD | MEAN | REQUANTIZE},
	{"scale[0].multiplier", FIELD(scale[0].multiplier), ADD | MEAN | REQUANTIZE},
	{"scale[0].shift", FIELD(scale[0].shift), ADD | MEAN | REQUANTIZE},
	{"scale[1].multiplier", FIELD(scale[1].multiplier), ADD},
	{"scale[1].shift", FIELD(scale[1].shift), ADD},
	{"scale[2].multiplier", FIELD(scale[2].multiplier), ADD},
	{"scale[2].shift", FIELD(scale[2].shift), ADD},
	{"extra[0]", FIELD(extra[0]),
	 BIT(NPU_OP_COPY) | BIT(NPU_OP_DELAY) | BIT(NPU_OP_FAULT) | REQUANTIZE},
	{"extra[1]", FIELD(extra[1]), REQUANTIZE},
};

/* A legal instruction of @opcode, always the same. */
static struct npu_insn legal(uint16_t opcode)
{
	struct ops_random random = {.state = opcode};
	struct npu_demand demand;
	struct npu_insn insn;
	struct ops_case c;

	ops_case_init(&c, ops_recipe_find(opcode), &random, true);
	insn = c.insn;
	ops_case_finish(&c);
	cr_assert_null(npu_insn_check(&insn, &demand));
	return insn;
}

static void refuse(const struct npu_insn *insn, const char *text)
{
	const char *name = npu_op_find(insn->opcode) ? npu_op_find(insn->opcode)->name : "?";
	struct npu_demand demand;
	const char *why = npu_insn_check(insn, &demand);

	cr_expect(why, "%s: accepted although %s", name, text);
	if (why)
		cr_expect(strstr(why, text), "%s: \"%s\", not \"%s\"", name, why, text);
}

/* A legal instruction of @op, changed by the statements, is refused with @text. */
#define REFUSE(op, text, ...)                                                                      \
	do {                                                                                       \
		struct npu_insn insn = legal(op);                                                  \
		__VA_ARGS__;                                                                       \
		refuse(&insn, text);                                                               \
	} while (0)

/* For each operation that uses the field called @name. */
#define REFUSE_ALL(name, text, ...)                                                                \
	for (unsigned int i = 0; npu_op_at(i); i++)                                                \
		if (uses(npu_op_at(i)->opcode, name))                                              \
	REFUSE(npu_op_at(i)->opcode, text, __VA_ARGS__)

static bool uses(uint16_t opcode, const char *name)
{
	for (unsigned int f = 0; f < NPU_ARRAY_SIZE(fields); f++)
		if (!strcmp(fields[f].name, name))
			return fields[f].used_by & BIT(opcode);
	abort();
}

Test(ops_check, unknown_opcodes_and_versions_are_refused)
{
	for (unsigned int opcode = 0; opcode <= UINT16_MAX; opcode++)
		if (!npu_op_find((uint16_t)opcode))
			refuse(&(struct npu_insn){.opcode = (uint16_t)opcode, .version = 1},
			       "unknown opcode");
	for (unsigned int i = 0; npu_op_at(i); i++) {
		REFUSE(npu_op_at(i)->opcode, "version", insn.version = 0);
		REFUSE(npu_op_at(i)->opcode, "version", insn.version = NPU_ISA_VERSION + 1);
	}
}

Test(ops_check, fields_that_are_not_used_must_be_zero)
{
	for (unsigned int i = 0; npu_op_at(i); i++)
		for (unsigned int f = 0; f < NPU_ARRAY_SIZE(fields); f++) {
			struct npu_insn insn = legal(npu_op_at(i)->opcode);
			uint8_t *field = (uint8_t *)&insn + fields[f].offset;

			if (fields[f].used_by & BIT(insn.opcode))
				continue;
			for (size_t byte = 0; byte < fields[f].size; byte++) {
				cr_expect_eq(field[byte], 0, "%s", fields[f].name);
				field[byte] = 1;
				refuse(&insn, "does not use it");
				field[byte] = 0;
			}
		}
}

/* Every byte is looked at: the table of fields and the header cover the instruction. */
Test(ops_check, fields_cover_the_instruction)
{
	uint8_t covered[sizeof(struct npu_insn)] = {0};

	memset(covered, 1, offsetof(struct npu_insn, in));
	for (unsigned int f = 0; f < NPU_ARRAY_SIZE(fields); f++)
		memset(covered + fields[f].offset, 1, fields[f].size);
	for (size_t i = 0; i < sizeof(covered); i++)
		cr_expect(covered[i], "byte %zu", i);
}

Test(ops_check, slots_are_checked)
{
	for (unsigned int i = 0; npu_op_at(i); i++)
		for (unsigned int s = 0; s < NPU_MAX_OPERANDS; s++) {
			const struct npu_op *op = npu_op_at(i);

			if (!op->operands[s]) {
				REFUSE(op->opcode, "does not use it", insn.slot[s] = 0);
				REFUSE(op->opcode, "not consist of bytes",
				       insn.is_signed |= 1u << s);
				continue;
			}
			REFUSE(op->opcode, "has no slot", insn.slot[s] = NPU_NO_SLOT);
			REFUSE(op->opcode, "multiple of 4", insn.slot[s] += 2);
			REFUSE(op->opcode, "below 4 GiB", insn.slot[s] = 0xfffffffc);
		}
	REFUSE(NPU_OP_CONV2D, "not consist of bytes", insn.is_signed |= 1 << 2);
	REFUSE(NPU_OP_CONV2D, "not consist of bytes", insn.is_signed |= 1 << 3);
	REFUSE(NPU_OP_SOFTMAX, "not consist of bytes", insn.is_signed |= 1 << 1);
	REFUSE(NPU_OP_COPY, "not consist of bytes", insn.is_signed |= 1);
	REFUSE(NPU_OP_ADD, "not consist of bytes", insn.is_signed |= 1 << 6);
	REFUSE(NPU_OP_ADD, "not consist of bytes", insn.is_signed |= 1 << 7);
}

Test(ops_check, dimensions_are_at_least_one)
{
	for (unsigned int d = 0; d < 4; d++) {
		REFUSE_ALL("in[0]", "is 0", insn.in[d] = 0);
		REFUSE_ALL("out[0]", "is 0", insn.out[d] = 0);
	}
}

Test(ops_check, windows_are_checked)
{
	for (unsigned int d = 0; d < 2; d++) {
		REFUSE_ALL("kernel[0]", "kernel is 0", insn.kernel[d] = 0);
		REFUSE_ALL("stride[0]", "stride is 0", insn.stride[d] = 0);
		REFUSE_ALL("dilation[0]", "dilation is 0", insn.dilation[d] = 0);
		REFUSE_ALL("kernel[0]", "not smaller than the window",
			   insn.pad[d] =
				   (uint16_t)((insn.kernel[d] - 1) *
						      (insn.dilation[d] ? insn.dilation[d] : 1) +
					      1));
		REFUSE_ALL("kernel[0]", "last window lies outside",
			   insn.out[1 + d] =
				   (insn.in[1 + d] + insn.pad[d] - 1) / insn.stride[d] + 2);
	}
	REFUSE_ALL("kernel[0]", "differ in N", insn.out[0]++);
	REFUSE(NPU_OP_CONV2D, "2^20 taps", insn.kernel[0] = insn.kernel[1] = 0xffff);
	REFUSE(NPU_OP_AVERAGE_POOL, "2^20 taps", insn.kernel[0] = insn.kernel[1] = 0xffff);
	REFUSE(NPU_OP_MAX_POOL, "2^20 taps", insn.kernel[0] = insn.kernel[1] = 0xffff);
	REFUSE(NPU_OP_DEPTHWISE2D, "2^31 - 1", insn.kernel[0] = insn.kernel[1] = 0xffff);
	REFUSE(NPU_OP_DEPTHWISE2D, "costs more", insn.kernel[0] = insn.kernel[1] = 0x3000;
	       insn.in[3] = insn.out[3] = 1);
}

/* Bits of is_signed that @opcode has. */
static uint8_t byte_operands(uint16_t opcode)
{
	if (FILTERS & BIT(opcode))
		return 0x13;
	if (SOFTMAX & BIT(opcode))
		return 0x05;
	return ADD & BIT(opcode) ? 0x07 : 0x03;
}

/* @insn with operands of types @is_signed, zero points at their least, and no clamp. */
static void retype(struct npu_insn *insn, uint8_t is_signed)
{
	uint8_t out = 0x10; /* the last operand */

	while (!(out & byte_operands(insn->opcode)))
		out >>= 1;
	insn->is_signed = is_signed;
	if (uses(insn->opcode, "zero[0]"))
		insn->zero[0] = is_signed & 1 ? -128 : 0;
	if (uses(insn->opcode, "zero[1]"))
		insn->zero[1] = is_signed & 2 ? -128 : 0;
	if (uses(insn->opcode, "zero[2]"))
		insn->zero[2] = is_signed & out ? -128 : 0;
	if (uses(insn->opcode, "act_min")) {
		insn->act_min = is_signed & out ? -128 : 0;
		insn->act_max = insn->act_min + 255;
	}
}

static void check_zero(const struct npu_insn *typed, unsigned int z, const char *name)
{
	const int32_t least = typed->zero[z];
	const int32_t bad[] = {least - 1, least + 256, INT32_MIN, INT32_MAX};
	struct npu_insn insn = *typed;
	struct npu_demand demand;

	for (unsigned int i = 0; i < NPU_ARRAY_SIZE(bad); i++) {
		insn.zero[z] = bad[i];
		refuse(&insn, name);
	}
	insn.zero[z] = least + 255;
	if (insn.opcode == NPU_OP_SOFTMAX)
		refuse(&insn, "least value");
	else
		cr_expect_null(npu_insn_check(&insn, &demand));
}

static void check_clamp(const struct npu_insn *typed)
{
	struct npu_insn insn = *typed;

	insn.act_min--;
	refuse(&insn, "the clamp");
	insn = *typed;
	insn.act_max++;
	refuse(&insn, "the clamp");
	insn = *typed;
	insn.act_max = insn.act_min++;
	refuse(&insn, "act_min is above");
}

Test(ops_check, zero_points_and_clamps_lie_within_their_types)
{
	static const char *const names[] = {"zero[0]", "zero[1]", "zero[2]"};

	for (unsigned int i = 0; npu_op_at(i); i++)
		for (unsigned int signs = 0; signs < 0x20; signs++) {
			struct npu_insn insn = legal(npu_op_at(i)->opcode);
			struct npu_demand demand;

			if (!(BIT(insn.opcode) & TENSORS) || signs & ~byte_operands(insn.opcode))
				continue;
			retype(&insn, (uint8_t)signs);
			if (BIT(insn.opcode) & (POOLS | PAD) && (signs == 1 || signs == 2)) {
				refuse(&insn, "differ in type");
				continue;
			}
			cr_assert_null(npu_insn_check(&insn, &demand));
			for (unsigned int z = 0; z < 3; z++)
				if (uses(insn.opcode, names[z]))
					check_zero(&insn, z, names[z]);
			if (uses(insn.opcode, "act_min"))
				check_clamp(&insn);
		}
}

Test(ops_check, scales_are_normalized)
{
	for (unsigned int s = 0; s < 3; s++) {
		char name[] = {'s', 'c', 'a', 'l', 'e', '[', (char)('0' + s), ']', '.',
			       's', 'h', 'i', 'f', 't', 0};

		REFUSE_ALL(name, "multiplier", insn.scale[s].multiplier = (1 << 30) - 1);
		REFUSE_ALL(name, "multiplier", insn.scale[s].multiplier = 1);
		REFUSE_ALL(name, "multiplier", insn.scale[s].multiplier = -1);
		REFUSE_ALL(name, "multiplier", insn.scale[s].multiplier = INT32_MIN);
		REFUSE_ALL(name, "shift", insn.scale[s].shift = -32);
		REFUSE_ALL(name, "shift", insn.scale[s].shift = 31);
		REFUSE_ALL(name, "shift", insn.scale[s].shift = INT32_MIN);
	}
}

Test(ops_check, shapes_fit_each_other)
{
	REFUSE(NPU_OP_DEPTHWISE2D, "no multiple", insn.in[3] = 2; insn.out[3] = 5);
	REFUSE(NPU_OP_DEPTHWISE2D, "no multiple", insn.in[3] = 6; insn.out[3] = 3);
	REFUSE(NPU_OP_FULLY_CONNECTED, "is not 1", insn.in[1] = 2);
	REFUSE(NPU_OP_FULLY_CONNECTED, "is not 1", insn.in[2] = 2);
	REFUSE(NPU_OP_FULLY_CONNECTED, "is not 1", insn.out[1] = 2);
	REFUSE(NPU_OP_FULLY_CONNECTED, "is not 1", insn.out[2] = 2);
	REFUSE(NPU_OP_FULLY_CONNECTED, "differ in N", insn.out[0]++);
	REFUSE(NPU_OP_AVERAGE_POOL, "differ in C", insn.out[3]++);
	REFUSE(NPU_OP_MAX_POOL, "differ in C", insn.in[3]++);
	REFUSE(NPU_OP_AVERAGE_POOL, "differ in type", insn.is_signed = 1; insn.act_min = 0;
	       insn.act_max = 1);
	REFUSE(NPU_OP_PAD, "differ in type", insn.is_signed = 1; insn.zero[2] = 0);
	REFUSE(NPU_OP_PAD, "differ in N or C", insn.out[0]++);
	REFUSE(NPU_OP_PAD, "differ in N or C", insn.in[3]++);
	for (unsigned int d = 0; d < 2; d++)
		REFUSE(NPU_OP_PAD, "does not fit",
		       insn.out[1 + d] = insn.in[1 + d] + insn.pad[d] - 1;
		       if (!insn.out[1 + d]) insn.in[1 + d]++, insn.out[1 + d]++);
	REFUSE(NPU_OP_MEAN, "is not 1", insn.out[1] = 2);
	REFUSE(NPU_OP_MEAN, "is not 1", insn.out[2] = 2);
	REFUSE(NPU_OP_MEAN, "differ in N or C", insn.out[3]++);
	REFUSE(NPU_OP_MEAN, "2^20", insn.in[1] = 1025; insn.in[2] = 1024;
	       insn.in[0] = insn.out[0] = 1; insn.in[3] = insn.out[3] = 1);
	for (unsigned int d = 0; d < 4; d++) {
		REFUSE(NPU_OP_ADD, "differ in shape", insn.out[d]++);
		REFUSE(NPU_OP_SOFTMAX, "differ in shape", insn.in[d]++);
	}
	REFUSE(NPU_OP_COPY, "is 0", insn.extra[0] = 0);
	REFUSE(NPU_OP_COPY, "2^31 - 1", insn.extra[0] = 0x80000000);
	REFUSE(NPU_OP_FAULT, "raised", insn.extra[0] = 3);
}

Test(ops_check, chunks_lie_inside_their_tensors)
{
	REFUSE(NPU_OP_REQUANTIZE, "differ in the number", insn.in[0]++);
	REFUSE(NPU_OP_REQUANTIZE, "differ in the number", insn.out[1]++);
	REFUSE(NPU_OP_REQUANTIZE, "overlap", insn.out[2] = insn.out[1] - 1;
	       if (!insn.out[2]) insn.in[1]++, insn.out[1]++, insn.out[2]++);
	REFUSE(NPU_OP_REQUANTIZE, "outside the input",
	       insn.in[3] = insn.extra[0] + (insn.in[0] - 1) * insn.in[2] + insn.in[1] - 1;
	       if (!insn.in[3]) insn.in[3]++, insn.extra[0]++);
	REFUSE(NPU_OP_REQUANTIZE, "outside the output",
	       insn.out[3] = insn.extra[1] + (insn.out[0] - 1) * insn.out[2] + insn.out[1] - 1;
	       if (!insn.out[3]) insn.out[3]++, insn.extra[1]++);
	REFUSE(NPU_OP_REQUANTIZE, "outside the input", insn.extra[0] = 0xffffffff);
	REFUSE(NPU_OP_REQUANTIZE, "outside the output", insn.extra[1] = 0xffffffff);
	REFUSE(NPU_OP_REQUANTIZE, "outside the input",
	       insn.in[0] = insn.out[0] = insn.in[2] = insn.out[2] = 0xffffffff);
	REFUSE(NPU_OP_REQUANTIZE, "outside the input",
	       insn.in[1] = insn.out[1] = insn.out[2] = 0xffffffff);
	REFUSE(NPU_OP_REQUANTIZE, "2^31 - 1", insn.in[3] = 0x80000000);
	REFUSE(NPU_OP_REQUANTIZE, "2^31 - 1", insn.out[3] = 0xffffffff);
}

static unsigned __int128 product(const uint32_t shape[4])
{
	return (unsigned __int128)shape[0] * shape[1] * shape[2] * shape[3];
}

/* Dimensions whose products wrap around 32 or 64 bits, in all places. */
Test(ops_check, sizes_do_not_overflow)
{
	static const uint32_t edges[] = {1,	     2,		 3,	    0x100,
					 0xffff,     0x10000,	 0x10001,   0x7fffffff,
					 0x80000000, 0xaaaaaaab, 0xffffffff};
	struct ops_random random;
	unsigned int accepted = 0;

	ops_random_init(&random);
	for (unsigned int i = 0; i < 400000; i++) {
		const struct npu_op *op = npu_op_at((unsigned int)ops_random_range(&random, 5, 13));
		static struct npu_insn bases[32];
		struct npu_insn insn;
		struct npu_demand demand;
		bool same = ops_random_range(&random, 0, 1);

		if (!bases[op->opcode].opcode)
			bases[op->opcode] = legal(op->opcode);
		insn = bases[op->opcode];
		for (unsigned int d = 0; d < 4; d++) {
			insn.in[d] = edges[ops_random_next(&random) % NPU_ARRAY_SIZE(edges)];
			insn.out[d] =
				same ? insn.in[d]
				     : edges[ops_random_next(&random) % NPU_ARRAY_SIZE(edges)];
		}
		if (BIT(op->opcode) & (DENSE | MEAN))
			insn.out[0] = insn.in[0], insn.out[1] = insn.out[2] = 1;
		if (npu_insn_check(&insn, &demand))
			continue;
		accepted++;
		cr_assert(product(insn.in) <= INT32_MAX && product(insn.out) <= INT32_MAX);
		cr_assert_eq(demand.size[0], (uint32_t)product(insn.in), "%s", op->name);
		for (unsigned int k = 0; k < NPU_MAX_OPERANDS; k++)
			if (demand.kind[k] == NPU_OPERAND_OUTPUT)
				cr_assert_eq(demand.size[k], (uint32_t)product(insn.out));
		cr_assert(demand.size[1] <= INT32_MAX && demand.unit_cost <= 1u << 27);
	}
	cr_assert_gt(accepted, 1000);
	for (unsigned int i = 0; npu_op_at(i); i++) {
		struct npu_insn insn = legal(npu_op_at(i)->opcode);
		struct npu_demand demand;

		if (!uses(insn.opcode, "in[0]"))
			continue;
		memset(insn.in, 0xff, sizeof(insn.in));
		memset(insn.out, 0xff, sizeof(insn.out));
		cr_expect(npu_insn_check(&insn, &demand), "%s", npu_op_at(i)->name);
	}
}

/* Change up to four random places of @insn to values that are likely to hurt. */
static void mutate(struct npu_insn *insn, struct ops_random *random)
{
	static const uint32_t values[] = {
		0,	    1,		2,	    3,		4,	    7,
		16,	    17,		127,	    128,	255,	    256,
		1024,	    0xffff,	0x10000,    0x3fffffff, 0x40000000, 0x7fffffff,
		0x80000000, 0xffffff80, 0xfffffff8, 0xffffffff};

	for (int64_t n = ops_random_range(random, 0, 4); n > 0; n--) {
		unsigned int f = (unsigned int)(ops_random_next(random) % NPU_ARRAY_SIZE(fields));
		uint32_t value = values[ops_random_next(random) % NPU_ARRAY_SIZE(values)];

		memcpy((uint8_t *)insn + fields[f].offset, &value, fields[f].size);
	}
	if (!ops_random_range(random, 0, 3))
		insn->is_signed = (uint8_t)ops_random_next(random);
}

/* Run @insn on random bytes in allocations of exactly the demanded sizes. */
static void run_legal(const struct npu_insn *insn, const struct npu_demand *demand,
		      struct ops_random *random)
{
	uint8_t *operand[NPU_MAX_OPERANDS] = {NULL};

	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
		if (!demand->size[i])
			continue;
		operand[i] = malloc(demand->size[i]);
		cr_assert(operand[i]);
		for (uint32_t k = 0; k < demand->size[i]; k++)
			operand[i][k] = (uint8_t)ops_random_next(random);
	}
	npu_insn_run(insn, operand, 0, demand->units);
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++)
		free(operand[i]);
}

static bool is_small(const struct npu_demand *demand)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++)
		bytes += demand->size[i];
	return bytes < 100000 && (uint64_t)demand->units * demand->unit_cost < 2000000;
}

Test(ops_check, whatever_is_legal_stays_inside_its_operands)
{
	struct ops_random random;
	unsigned int ran = 0;

	ops_random_init(&random);
	for (unsigned int i = 0; i < 8000; i++) {
		unsigned int row = i % 15;
		struct npu_demand demand;
		struct ops_case c;

		ops_case_init(&c, ops_recipe_at(row), &random, true);
		mutate(&c.insn, &random);
		if (!npu_insn_check(&c.insn, &demand) && is_small(&demand)) {
			run_legal(&c.insn, &demand, &random);
			ran++;
		}
		ops_case_finish(&c);
	}
	cr_assert_gt(ran, 1000);
}

Test(ops_check, random_bytes_are_checked_without_harm)
{
	struct ops_random random;

	ops_random_init(&random);
	for (unsigned int i = 0; i < 300000; i++) {
		struct npu_insn insn;
		struct npu_demand demand;
		uint8_t *bytes = (uint8_t *)&insn;
		unsigned int sparse = (unsigned int)ops_random_range(&random, 0, 3);

		for (size_t k = 0; k < sizeof(insn); k += 8) {
			uint64_t value = ops_random_next(&random);

			if (sparse > 1)
				value &= ops_random_next(&random) & ops_random_next(&random);
			memcpy(bytes + k, &value, 8);
		}
		insn.opcode = npu_op_at((unsigned int)ops_random_range(&random, 0, 14))->opcode;
		if (sparse)
			insn.version = NPU_ISA_VERSION;
		if (sparse == 3)
			for (unsigned int s = 0; s < NPU_MAX_OPERANDS; s++)
				insn.slot[s] =
					npu_op_find(insn.opcode)->operands[s] ? 8 * s : NPU_NO_SLOT;
		if (!npu_insn_check(&insn, &demand) && is_small(&demand))
			run_legal(&insn, &demand, &random);
	}
}
