/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/listing_insn.h"

bool insn_walk_init(struct insn_walk *walk, const struct graph *graph)
{
	*walk = (struct insn_walk){.graph = graph, .left = LISTING_MAX_INSNS};
	return patch_index_init(&walk->patches, graph) == 0;
}

void insn_walk_finish(struct insn_walk *walk)
{
	patch_index_finish(&walk->patches);
}

void insn_walk_enter(struct insn_walk *walk, const struct graph_subgraph *subgraph)
{
	walk->subgraph = subgraph;
	walk->next = 0;
	walk->has_ended = false;
	walk->illegal = NULL;
}

bool insn_walk_next(struct insn_walk *walk)
{
	struct npu_demand demand;

	if (walk->has_ended || walk->illegal || walk->left == 0 ||
	    !operand_fetch(&walk->insn, walk->graph, walk->subgraph, walk->next))
		return false;
	walk->left--;
	walk->number = walk->next++;
	walk->op = npu_op_find(walk->insn.opcode);
	walk->illegal = npu_insn_check(&walk->insn, &demand);
	walk->has_ended = !walk->illegal && walk->insn.opcode == NPU_OP_END;
	return true;
}

const char *insn_walk_problem(const struct insn_walk *walk)
{
	if (walk->has_ended)
		return NULL;
	if (walk->illegal)
		return walk->illegal;
	if (walk->left == 0)
		return "more instructions are not listed";
	return ".text ends before an `end` instruction";
}

const char *area_name(enum graph_area area)
{
	switch (area) {
	case GRAPH_AREA_REUSE:
		return "reuse";
	case GRAPH_AREA_STATIC:
		return "static";
	case GRAPH_AREA_PRIVATE:
		return "private";
	}
	return "unknown";
}

#define N_FIELDS 12u

static struct insn_field field(const struct npu_insn *insn, size_t i)
{
	const struct npu_insn *x = insn;
	const struct insn_field all[N_FIELDS] = {
		{"in_shape", 4, {x->in[0], x->in[1], x->in[2], x->in[3]}},
		{"out_shape", 4, {x->out[0], x->out[1], x->out[2], x->out[3]}},
		{"kernel", 2, {x->kernel[0], x->kernel[1]}},
		{"stride", 2, {x->stride[0], x->stride[1]}},
		{"dilation", 2, {x->dilation[0], x->dilation[1]}},
		{"pad", 2, {x->pad[0], x->pad[1]}},
		{"zero_points", 3, {x->zero[0], x->zero[1], x->zero[2]}},
		{"clamp", 2, {x->act_min, x->act_max}},
		{"scale0", 2, {x->scale[0].multiplier, x->scale[0].shift}},
		{"scale1", 2, {x->scale[1].multiplier, x->scale[1].shift}},
		{"scale2", 2, {x->scale[2].multiplier, x->scale[2].shift}},
		{"extra", 2, {x->extra[0], x->extra[1]}},
	};

	return all[i];
}

bool insn_field_at(struct insn_field *ret, const struct npu_insn *insn, size_t *i)
{
	while (*i < N_FIELDS) {
		*ret = field(insn, (*i)++);
		for (size_t k = 0; k < ret->n; k++) {
			if (ret->value[k] != 0)
				return true;
		}
	}
	return false;
}
