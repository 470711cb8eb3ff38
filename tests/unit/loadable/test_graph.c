/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "loadable/graph.h"

Test(graph, a_device_word_is_taken_apart)
{
	struct graph_target t;

	cr_assert(graph_target_parse(&t, 0x000504b4));
	cr_assert_str_eq(t.name, "X2_1204");
	cr_assert_eq(t.config, 1204);
	cr_assert_eq(t.isa_class, 5);
	cr_assert_eq(t.architecture, 0);
	cr_assert_eq(t.revision, 0);
	cr_assert_eq(t.version, 5);
	cr_assert_eq(t.word, 0x000504b4);
}

Test(graph, the_software_npu_is_another_architecture_of_the_same_class)
{
	struct graph_target t;

	cr_assert(graph_target_parse(&t, 0x053504b4));
	cr_assert_str_eq(t.name, "soft_X2_1204");
	cr_assert_eq(t.architecture, 0x53);
	cr_assert_eq(t.version, 5);
	cr_assert_eq(t.config, 1204);
}

Test(graph, revisions_make_the_generation)
{
	struct graph_target t;

	cr_assert(graph_target_parse(&t, 0x100604b4));
	cr_assert_str_eq(t.name, "X3P_1204");
	cr_assert_eq(t.version, 7);
	cr_assert(graph_target_parse(&t, 0x10060518));
	cr_assert_str_eq(t.name, "X3P_1304");
	cr_assert(graph_target_parse(&t, 0x20060518));
	cr_assert_str_eq(t.name, "X3S_1304");
	cr_assert_eq(t.version, 8);
}

Test(graph, words_no_npu_has_are_unknown)
{
	static const uint32_t words[] = {
		0,
		0xffffffff,
		0x00050384 /* X2_0900 */,
		0x000604b4 /* X3_1204 */,
		0x001504b4,
		0x100504b4,
		0x053504b5,
	};
	struct graph_target t;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		cr_assert(!graph_target_parse(&t, words[i]), "%#x", words[i]);
		cr_assert_str_eq(t.name, "unknown");
		cr_assert_eq(t.word, words[i]);
		cr_assert_eq(t.version, 0);
	}
}

Test(graph, names_and_words_are_the_same_targets)
{
	struct graph_target t, again;

	cr_assert(graph_target_find(&t, "soft_X2_1204"));
	cr_assert_eq(t.word, 0x053504b4);
	cr_assert(graph_target_find(&t, "Z3_0901"));
	cr_assert(graph_target_parse(&again, t.word));
	cr_assert_str_eq(again.name, "Z3_0901");
	cr_assert(!graph_target_find(&t, "X2_1205"));
	cr_assert(!graph_target_find(&t, "soft_"));
	cr_assert(!graph_target_find(&t, ""));
	cr_assert(!graph_target_find(&t, "unknown"));
}

Test(graph, software_targets_are_listed)
{
	struct graph_target t;
	unsigned int n = 0;

	for (; graph_target_at(n); n++) {
		cr_assert(graph_target_find(&t, graph_target_at(n)));
		cr_assert_eq(t.architecture, 0x53);
		cr_assert_str_eq(t.name, graph_target_at(n));
	}
	cr_assert_geq(n, 1);
	cr_assert_null(graph_target_at(n + 100));
}

Test(graph, every_type_has_a_name)
{
	cr_assert_str_eq(graph_data_type_name(GRAPH_TYPE_INT8), "int8");
	cr_assert_str_eq(graph_data_type_name(GRAPH_TYPE_INT12_PACKED), "int12-packed");
	cr_assert_str_eq(graph_data_type_name(0x0e), "unknown");
	cr_assert_str_eq(graph_data_type_name(0x24), "unknown");
	cr_assert_str_eq(graph_data_type_name((enum graph_data_type)0xffffffff), "unknown");
	for (int i = 0; i < GRAPH_TENSOR_KIND_MAX_; i++)
		cr_assert_str_neq(graph_tensor_kind_name(i), "unknown");
	cr_assert_str_eq(graph_tensor_kind_name(GRAPH_TENSOR_KIND_MAX_), "unknown");
}

Test(graph, destroying_nothing_is_harmless)
{
	graph_destroy(NULL);
}
