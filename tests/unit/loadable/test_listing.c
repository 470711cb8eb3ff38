/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loadable/json_writer.h"
#include "loadable/listing.h"
#include "tests/unit/loadable/expect.h"

typedef void (*list_fn)(const struct graph *graph, FILE *out, bool instructions);

static struct elf_builder b;

/* What the builder's graph looks like. The text is the caller's. */
static char *listing(list_fn list, bool instructions)
{
	struct graph *g = expect_accepted(&b);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	list(g, out, instructions);
	fclose(out);
	graph_destroy(g);
	elf_builder_finish(&b);
	return text;
}

static void has(const char *text, const char *part)
{
	cr_assert(strstr(text, part), "no \"%s\" in:\n%s", part, text);
}

static void has_not(const char *text, const char *part)
{
	cr_assert(!strstr(text, part), "\"%s\" in:\n%s", part, text);
}

/* Just enough of a JSON reader to tell well-formed from not. */
static const char *skip_value(const char *s);

static const char *skip_string(const char *s)
{
	if (*s++ != '"')
		return NULL;
	for (; *s && *s != '"'; s++) {
		if ((unsigned char)*s < 0x20)
			return NULL;
		if (*s == '\\' && !strchr("\"\\u", *++s))
			return NULL;
	}
	return *s ? s + 1 : NULL;
}

static const char *skip_list(const char *s, char end, bool is_object)
{
	if (*++s == end)
		return s + 1;
	for (;; s++) {
		if (is_object) {
			s = skip_string(s);
			if (!s || *s++ != ':')
				return NULL;
		}
		s = skip_value(s);
		if (!s || (*s != ',' && *s != end))
			return NULL;
		if (*s == end)
			return s + 1;
	}
}

static const char *skip_value(const char *s)
{
	char *end;

	if (*s == '{')
		return skip_list(s, '}', true);
	if (*s == '[')
		return skip_list(s, ']', false);
	if (*s == '"')
		return skip_string(s);
	if (strncmp(s, "null", 4) == 0 || strncmp(s, "true", 4) == 0)
		return s + 4;
	if (strncmp(s, "false", 5) == 0)
		return s + 5;
	strtod(s, &end);
	return end > s ? end : NULL;
}

static void is_json(const char *text)
{
	const char *end = skip_value(text);

	cr_assert(end && strcmp(end, "\n") == 0, "not one JSON object and a newline:\n%s", text);
}

Test(listing, says_what_a_software_graph_is)
{
	char *text;

	elf_builder_init_copy(&b, 64);
	text = listing(graph_list, false);
	has(text, "target soft_X2_1204, device word 0x053504b4\n  made by compiler 5.2.1\n");
	has(text, "text 256,");
	has(text, "rodata 16, descriptor 0, reuse 8192,");
	has(text, "stack 4096, private data 4096");
	has(text, "reuse 1: 64 bytes, alignment 4096\n");
	has(text, "input 0 \"in\": uint8 [64], 64 bytes at reuse 0 + 0, scale 0.5, zero point 128");
	has(text, "output 0 \"out\": uint8 [64], 64 bytes at reuse 1");
	has(text, "subgraph 0: text 0, rodata 0, BSS 0, private data 64\n");
	has_not(text, "    0  copy");
	free(text);
}

Test(listing, shows_instructions_with_what_they_touch)
{
	char *text;

	elf_builder_init_copy(&b, 64);
	elf_builder_prepend(&b, NPU_OP_DELAY, 250);
	text = listing(graph_list, true);
	has(text, "    0  delay extra=250,0\n");
	has(text, "    1  copy extra=64,0\n"
		  "          in: slot 0, 64 bytes -> reuse 0 + 0\n"
		  "          out: slot 0x8, 64 bytes -> reuse 1 + 0\n");
	has(text, "    2  end\n");
	has_not(text, "(");
	free(text);
}

Test(listing, shows_everything_native_but_the_code)
{
	char *text;

	elf_builder_init_native(&b);
	text = listing(graph_list, true);
	has(text, "target X2_1204");
	has(text, "in detail X2_1204MP3");
	has(text, "static 1: 20 bytes from weights 0x30, alignment 16, zero-copy\n");
	has(text, "subgraph 1: text 0x40, rodata 0x20, BSS 0, private data 512, after 0\n");
	has(text, "private 0: 8192 bytes, alignment 4096");
	has(text, "7 patch entries, 2 remap entries, 0 SegMMU records");
	has(text, "instructions of this target cannot be listed");
	free(text);
}

Test(listing, says_why_a_program_cannot_be_listed_to_its_end)
{
	char *text;

	elf_builder_init_copy(&b, 64);
	b.text.data[128] = 0xee;
	text = listing(graph_list, true);
	has(text, "    1  opcode 238\n    (unknown opcode)\n");
	free(text);

	elf_builder_init_copy(&b, 64);
	bytes_resize(&b.text, 200);
	text = listing(graph_list, true);
	has(text, "(.text ends before an `end` instruction)");
	free(text);
}

Test(listing, does_not_trust_slots)
{
	struct npu_insn *copy;
	char *text;

	elf_builder_init_copy(&b, 64);
	copy = (struct npu_insn *)(void *)b.text.data;
	copy->slot[0] = 0xfffffff8;
	copy->slot[1] = 4;
	text = listing(graph_list, true);
	has(text, "in: slot 0xfffffff8 (outside rodata)");
	has(text, "out: slot 0x4, 0 bytes (not patched)");
	free(text);
}

Test(listing, json_has_the_same_facts)
{
	char *text;

	elf_builder_init_copy(&b, 64);
	text = listing(graph_list_json, true);
	is_json(text);
	has(text, "{\"target\":{\"name\":\"soft_X2_1204\",\"detailed_name\":\"\",\"device_word\":"
		  "87360692");
	has(text, "\"compiler_version\":\"5.2.1\"");
	has(text,
	    "{\"kind\":\"input\",\"id\":0,\"name\":\"in\",\"type\":\"uint8\",\"shape\":[64],");
	has(text, "\"scale\":0.5,\"zero_point\":128}");
	has(text, "{\"opcode\":2,\"name\":\"copy\",\"extra\":[64,0],\"operands\":[{\"name\":\"in\","
		  "\"slot\":0,\"size\":64,\"area\":\"reuse\",\"section\":0,\"offset\":0}");
	has_not(text, "problem");
	free(text);

	elf_builder_init_native(&b);
	text = listing(graph_list_json, true);
	is_json(text);
	has(text, "\"precursors\":[0]");
	has(text, "\"zero_copy\":true");
	has_not(text, "instructions");
	free(text);
}

Test(listing, json_survives_hostile_values)
{
	const float not_a_number = __builtin_nanf(""), infinity = __builtin_inff();
	struct bytes *note;
	char *text;

	elf_builder_init_copy(&b, 64);
	b.bss[0].reuses[0].sub[0].desc.scale = not_a_number;
	b.bss[0].reuses[1].sub[0].desc.scale = -infinity;
	b.text.data[0] = 0xee;
	note = elf_builder_note(&b, "zhouyi.tensors");
	bytes_resize(note, 4);
	bytes_add32(note, 1);
	elf_add_tensor_record(note, 0, 0, 0, 1, (uint32_t[]){64}, "a\"b\\c");
	text = listing(graph_list_json, true);
	is_json(text);
	has(text, "\"name\":\"a\\\"b\\\\c\"");
	has(text, "\"scale\":null");
	has(text, "\"instructions\":[{\"opcode\":238}],\"problem\":\"unknown opcode\"");
	free(text);
}

Test(json, escapes_what_must_be_escaped)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct json_writer json = {.out = out};

	json_writer_open(&json, NULL, '{');
	json_writer_string(&json, "a", "\x01\n\x7f\"\\/é");
	json_writer_signed(&json, "b", INT64_MIN);
	json_writer_unsigned_array(&json, "c", NULL, 0);
	json_writer_bool(&json, "d", false);
	json_writer_close(&json, '}');
	fclose(out);
	cr_assert_str_eq(text, "{\"a\":\"\\u0001\\u000a\\u007f\\\"\\\\/é\","
			       "\"b\":-9223372036854775808,\"c\":[],\"d\":false}");
	free(text);
}
