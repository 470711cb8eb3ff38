/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two tenants. One keeps secrets in its buffers and runs honest requests; the other
 * comes with hand-made programs that try to read or overwrite what is not theirs.
 * Each such program is refused when it is loaded, or faults; the secrets stay, and
 * appear nowhere.
 *
 * usage: hostile SOCKET
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/loadable/elf_builder.c"
#include "zhouyi-client.h"

#define BYTES 4096u
#define SECRET 0x5e

static struct elf_builder b;

static struct elf_section *in(void)
{
	return &b.bss[0].reuses[0];
}

static struct elf_section *out(void)
{
	return &b.bss[0].reuses[1];
}

static struct npu_insn *insn(void)
{
	return (struct npu_insn *)(void *)b.text.data;
}

/* The slots of a `copy` program: input address, size, output address, size. */
static void poke_slot(unsigned int word, uint32_t value)
{
	bytes_poke32(&b.rodata, 4 * word, value);
}

static void an_address_of_its_own(void)
{
	in()->sub[0].desc.n_positions = 0;
	poke_slot(0, 0x1000);
}

static void half_an_address_of_its_own(void)
{
	in()->sub[0].desc.mask = 0xffff0000;
	poke_slot(0, 0x2000);
}

static void an_input_longer_than_it_is(void)
{
	insn()->extra[0] = 16 * BYTES;
	poke_slot(1, 16 * BYTES);
	poke_slot(3, 16 * BYTES);
}

static void a_section_larger_than_the_tensor(void)
{
	insn()->extra[0] = 16 * BYTES;
	poke_slot(1, 16 * BYTES);
	poke_slot(3, 16 * BYTES);
	in()->size = out()->size = 16 * BYTES;
	in()->sub[0].desc.size = 16 * BYTES;
	elf_builder_drop_note(&b, "zhouyi.tensors");
}

static void a_subsection_behind_its_section(void)
{
	in()->sub[0].desc.offset = 8 * BYTES;
}

static void an_offset_that_wraps(void)
{
	in()->sub[0].desc.offset = 0u - BYTES;
}

static void two_patches_for_one_slot(void)
{
	in()->sub[0].desc.n_positions = 2;
	in()->sub[0].position[1] = in()->sub[0].position[0];
}

static void a_patch_of_the_size(void)
{
	in()->sub[0].desc.n_positions = 2;
	in()->sub[0].position[1] = 4;
}

static void a_remap_of_the_slot(void)
{
	struct bytes *note = elf_builder_note(&b, "remap");

	bytes_add32(note, 1);
	bytes_add(note, (const uint32_t[]){0, 0, 2, 64}, 16);
}

static void writing_its_text(void)
{
	struct bytes *note = elf_builder_note(&b, "remap");

	bytes_add32(note, 1);
	bytes_add(note, (const uint32_t[]){2, 0, 0, 0}, 16);
}

static void text_that_runs_on(void)
{
	bytes_resize(&b.text, sizeof(struct npu_insn));
}

static void a_slot_outside_the_parameters(void)
{
	insn()->slot[0] = 1u << 20;
}

/* What the last tenant of the slot left in it. */
static void memory_nobody_wrote(void)
{
	uint32_t scratch = elf_builder_add_tensor(&b, CONTAINER_SUBSECTION_INTERMEDIATE, 0, BYTES);

	insn()->slot[0] = elf_builder_add_slot(&b, &b.bss[0].reuses[scratch]);
	in()->sub[0].desc.n_positions = 0;
}

/* It would be checked by nobody. */
static void native_code(void)
{
	elf_builder_finish(&b);
	elf_builder_init_native(&b);
}

static void the_same_memory_twice(void)
{
	out()->sub[0].desc.n_positions = 0;
	in()->sub[0].desc.n_positions = 2;
	in()->sub[0].position[1] = 8;
}

static const struct {
	const char *name;
	void (*make)(void);
} attacks[] = {
	{"an address of its own", an_address_of_its_own},
	{"half an address of its own", half_an_address_of_its_own},
	{"an input longer than it is", an_input_longer_than_it_is},
	{"a section larger than the tensor", a_section_larger_than_the_tensor},
	{"a subsection behind its section", a_subsection_behind_its_section},
	{"an offset that wraps", an_offset_that_wraps},
	{"two patches for one slot", two_patches_for_one_slot},
	{"a patch of the size", a_patch_of_the_size},
	{"a remap of the slot", a_remap_of_the_slot},
	{"writing its text", writing_its_text},
	{"text that runs on", text_that_runs_on},
	{"a slot outside the parameters", a_slot_outside_the_parameters},
	{"memory nobody wrote", memory_nobody_wrote},
	{"native code", native_code},
	{"the same memory twice", the_same_memory_twice},
};
#define N_ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

struct tenant {
	struct zhouyi_client *client;
	struct zhouyi_model *model;
	struct zhouyi_binding *binding;
};

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "hostile: %s: %s\n", what, zhouyi_strerror(r));
	exit(1);
}

static bool is_all(const uint8_t *data, uint8_t byte)
{
	for (size_t i = 0; i < BYTES; i++)
		if (data[i] != byte)
			return false;
	return true;
}

static bool has_secret(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 16 <= size; i++) {
		size_t n = 0;

		while (n < 16 && data[i + n] == SECRET)
			n++;
		if (n == 16)
			return true;
	}
	return false;
}

/* The victim uses the very program that the attacker starts from, so its slots are used, too. */
static void victim_works(struct tenant *victim)
{
	uint8_t *input = zhouyi_binding_data(victim->binding, ZHOUYI_INPUT, 0);
	uint8_t *output = zhouyi_binding_data(victim->binding, ZHOUYI_OUTPUT, 0);

	memset(output, 0, BYTES);
	must(zhouyi_run(victim->binding, NULL, NULL), "the victim's run");
	if (is_all(input, SECRET) && is_all(output, SECRET))
		return;
	fprintf(stderr, "hostile: the victim's tensors were changed\n");
	exit(1);
}

static const char *attack(struct tenant *attacker)
{
	struct zhouyi_result result = {0};
	const char *outcome = "faulted";
	size_t size;
	uint8_t *image = elf_builder_image(&b, &size);
	int r = zhouyi_model_load_memory(attacker->client, image, size, "hostile", 0,
					 &attacker->model);

	if (r == -ZHOUYI_ERROR_BAD_MODEL || r == -ZHOUYI_ERROR_WRONG_TARGET ||
	    r == -ZHOUYI_ERROR_NOT_SUPPORTED)
		return "refused";
	must(r, "the attacker's load");
	must(zhouyi_binding_create_simple(attacker->model, &attacker->binding), "its binding");
	r = zhouyi_run(attacker->binding, NULL, &result);
	if (r != -ZHOUYI_ERROR_DEVICE_FAULT)
		outcome = NULL;
	if (has_secret(zhouyi_binding_data(attacker->binding, ZHOUYI_OUTPUT, 0), BYTES))
		outcome = NULL;
	zhouyi_binding_destroy(attacker->binding);
	zhouyi_model_close(attacker->model);
	return outcome;
}

int main(int argc, char **argv)
{
	struct tenant victim = {0}, attacker = {0};
	size_t size, failed = 0;
	uint8_t *image;

	if (argc != 2) {
		fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
		return 2;
	}
	must(zhouyi_client_open(&victim.client, argv[1]), "open");
	must(zhouyi_client_open(&attacker.client, argv[1]), "open");
	elf_builder_init_copy(&b, BYTES);
	image = elf_builder_image(&b, &size);
	must(zhouyi_model_load_memory(victim.client, image, size, "honest", 0, &victim.model),
	     "the victim's load");
	elf_builder_finish(&b);
	must(zhouyi_binding_create_simple(victim.model, &victim.binding), "the victim's binding");
	memset(zhouyi_binding_data(victim.binding, ZHOUYI_INPUT, 0), SECRET, BYTES);
	victim_works(&victim);

	for (size_t i = 0; i < N_ATTACKS; i++) {
		const char *outcome;

		elf_builder_init_copy(&b, BYTES);
		attacks[i].make();
		outcome = attack(&attacker);
		printf("%s: %s\n", attacks[i].name, outcome ? outcome : "SUCCEEDED");
		if (outcome && strcmp(outcome, "refused") == 0)
			printf("    %s\n", zhouyi_client_error(attacker.client));
		failed += !outcome;
		elf_builder_finish(&b);
		victim_works(&victim);
	}
	zhouyi_binding_destroy(victim.binding);
	zhouyi_model_close(victim.model);
	zhouyi_client_close(victim.client);
	zhouyi_client_close(attacker.client);
	return failed != 0;
}
