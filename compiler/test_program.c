/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/test_program.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 3
#define MAX_WORD 32

/* One statement, taken apart. */
struct statement {
	unsigned int number; /* from 1 */
	char words[MAX_WORDS][MAX_WORD];
	unsigned int n_words;
};

struct program {
	struct ir *ir;
	uint32_t input, output; /* values */
	uint32_t size;
	struct compile_error *error;
};

struct verb {
	const char *name;
	const char *usage;
	unsigned int min_words, max_words;
	int (*parse)(const struct program *p, const struct statement *s, struct npu_insn *insn);
	uint16_t opcode;
	bool has_operands;
};

static int parse_copy(const struct program *p, const struct statement *s, struct npu_insn *insn)
{
	(void)s;
	insn->extra[0] = p->size;
	return 0;
}

static int parse_delay(const struct program *p, const struct statement *s, struct npu_insn *insn)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(s->words[1], &end, 10);
	if (errno || *end || s->words[1][0] < '0' || s->words[1][0] > '9' || n > UINT32_MAX)
		return compile_error_set(p->error, -EINVAL,
					 "statement %u: '%s' is not a number of microseconds "
					 "from 0 to %u",
					 s->number, s->words[1], UINT32_MAX);
	insn->extra[0] = (uint32_t)n;
	return 0;
}

static int parse_hang(const struct program *p, const struct statement *s, struct npu_insn *insn)
{
	(void)p;
	(void)s;
	(void)insn;
	return 0;
}

static int parse_fault(const struct program *p, const struct statement *s, struct npu_insn *insn)
{
	static const char *const raises[] = {
		[NPU_RAISE_EXCEPTION] = "exception",
		[NPU_RAISE_FAULT] = "fault",
		[NPU_RAISE_ERROR] = "error",
	};

	for (uint32_t i = 0; i < sizeof(raises) / sizeof(raises[0]); i++) {
		if (s->n_words > 1 && strcmp(s->words[1], raises[i]))
			continue;
		insn->extra[0] = i;
		return 0;
	}
	return compile_error_set(p->error, -EINVAL,
				 "statement %u: 'fault %s': it is exception, fault or error",
				 s->number, s->words[1]);
}

static const struct verb verbs[] = {
	{"copy", "copy", 1, 1, parse_copy, NPU_OP_COPY, true},
	{"delay", "delay MICROSECONDS", 2, 2, parse_delay, NPU_OP_DELAY, false},
	{"hang", "hang", 1, 1, parse_hang, NPU_OP_HANG, false},
	{"fault", "fault [exception|fault|error]", 1, 2, parse_fault, NPU_OP_FAULT, false},
};

static int parse_statement(const struct program *p, const struct statement *s)
{
	const uint32_t operands[NPU_MAX_OPERANDS] = {p->input,	  p->output,   IR_NO_VALUE,
						     IR_NO_VALUE, IR_NO_VALUE, IR_NO_VALUE};
	const uint32_t none[NPU_MAX_OPERANDS] = {IR_NO_VALUE, IR_NO_VALUE, IR_NO_VALUE,
						 IR_NO_VALUE, IR_NO_VALUE, IR_NO_VALUE};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		const struct verb *verb = &verbs[i];
		struct npu_insn insn = {.opcode = verb->opcode};
		int r;

		if (strcmp(verb->name, s->words[0]))
			continue;
		if (s->n_words < verb->min_words || s->n_words > verb->max_words)
			return compile_error_set(p->error, -EINVAL, "statement %u: usage: %s",
						 s->number, verb->usage);
		r = verb->parse(p, s, &insn);
		if (r < 0)
			return r;
		return ir_add_insn(p->ir, &insn, verb->has_operands ? operands : none, p->error);
	}
	return compile_error_set(p->error, -EINVAL,
				 "statement %u: '%s' is none of copy, delay, hang, fault",
				 s->number, s->words[0]);
}

static bool is_end(char c)
{
	return c == '\0' || c == ';' || c == '\n';
}

/* Split the text at @cursor into words; returns where the statement ends. */
static const char *split(struct statement *s, const char *cursor)
{
	static const char blanks[] = " \t\r";

	s->n_words = 0;
	memset(s->words, 0, sizeof(s->words));
	while (!is_end(*cursor)) {
		size_t length = strcspn(cursor, " \t\r;\n");

		if (length > 0) {
			unsigned int i = s->n_words < MAX_WORDS ? s->n_words++ : MAX_WORDS - 1;
			size_t n = length < MAX_WORD ? length : MAX_WORD - 1;

			memcpy(s->words[i], cursor, n);
			s->words[i][n] = '\0';
		}
		cursor += length;
		cursor += strspn(cursor, blanks);
	}
	return cursor;
}

static int add_tensor(const struct program *p, enum ir_kind kind, const char *name,
		      uint32_t *ret_value)
{
	struct ir_value value = {
		.kind = kind,
		.size = p->size,
		.type = GRAPH_TYPE_UINT8,
		.scale = 1,
		.rank = 1,
		.dims = {p->size},
	};

	memcpy(value.name, name, strlen(name) + 1);
	if (ir_add_value(p->ir, &value, ret_value) < 0)
		return compile_error_set(p->error, -ENOMEM, "out of memory");
	return 0;
}

static int parse_program(struct program *p, const char *cursor)
{
	const uint32_t none[NPU_MAX_OPERANDS] = {IR_NO_VALUE, IR_NO_VALUE, IR_NO_VALUE,
						 IR_NO_VALUE, IR_NO_VALUE, IR_NO_VALUE};
	struct npu_insn end = {.opcode = NPU_OP_END};
	struct statement s = {0};
	int r;

	r = add_tensor(p, IR_INPUT, "input", &p->input);
	if (r < 0)
		return r;
	r = add_tensor(p, IR_OUTPUT, "output", &p->output);
	if (r < 0)
		return r;
	for (;;) {
		s.number++;
		cursor = split(&s, cursor);
		if (s.n_words > 0)
			r = parse_statement(p, &s);
		if (r < 0)
			return r;
		if (*cursor++ == '\0')
			break;
	}
	if (p->ir->n_insns == 0)
		return compile_error_set(p->error, -EINVAL, "the test program is empty");
	return ir_add_insn(p->ir, &end, none, p->error);
}

int test_program_parse(struct ir **ret, const char *program, uint32_t size,
		       struct compile_error *ret_error)
{
	struct program p = {.size = size, .error = ret_error};
	int r;

	if (size == 0 || size > INT32_MAX)
		return compile_error_set(ret_error, -EINVAL,
					 "a size of %u bytes; 1 to %d is possible", size,
					 INT32_MAX);
	p.ir = ir_create();
	if (!p.ir)
		return compile_error_set(ret_error, -ENOMEM, "out of memory");
	r = parse_program(&p, program);
	if (r < 0) {
		ir_destroy(p.ir);
		return r;
	}
	*ret = p.ir;
	return 0;
}
