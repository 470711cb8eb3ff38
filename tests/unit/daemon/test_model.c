/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/model_image.h"
#include "daemon/model_memory.h"
#include "npu/types.h"
#include "tests/unit/daemon/rig.h"

#define MEMORY (UINT64_C(16) << 20)

static struct rig rig;

static void setup(void)
{
	rig_init(&rig, MEMORY);
}

static void teardown(void)
{
	rig_finish(&rig);
}

TestSuite(model, .init = setup, .fini = teardown);

Test(model, a_loadable_becomes_a_model_with_one_slot)
{
	struct model *model = rig_load_copy(&rig, 1000);

	cr_expect_eq(model->n_refs, 1);
	cr_expect_eq(model->n_slots, 1);
	cr_expect_str_eq(model->name, "copy");
	cr_expect_not(model->kept);
	cr_expect_eq(model->graph->tensors[GRAPH_TENSOR_INPUT].n, 1);
	cr_expect_eq(model->device_bytes, device_memory_used(rig.device));
	cr_expect_gt(model->device_bytes, 0);
	cr_expect_null(model->graph->text.data, "nothing points into the image any more");
	cr_expect_null(model->graph->rodata.data);
	cr_expect_eq(rig.models.n_models, 1);
	model_unref(model);
	cr_expect_eq(rig.models.n_models, 0);
	rig_settle(&rig);
	cr_expect_eq(device_memory_used(rig.device), 0);
}

/* Constants, stacks and chain: not ten times what is in the file. */
Test(model, device_memory_is_close_to_what_is_in_the_file)
{
	static uint8_t weights[1 << 20];
	struct elf_builder b;
	struct rig_answer answer;

	elf_builder_init_copy(&b, 64);
	elf_builder_add_constant(&b, 4, weights, sizeof(weights));
	cr_assert_eq(rig_load(&rig, &answer, &b, "", false), 0, "%s", answer.text);
	cr_expect_lt(answer.model->device_bytes, sizeof(weights) + 65536);
	elf_builder_finish(&b);
	model_unref(answer.model);
}

Test(model, equal_images_share_one_model)
{
	struct model *first = rig_load_copy(&rig, 1000);
	uint64_t used = device_memory_used(rig.device);
	struct elf_builder b;
	struct rig_answer answer;

	elf_builder_init_copy(&b, 1000);
	cr_assert_eq(rig_load(&rig, &answer, &b, "another name", false), 0);
	elf_builder_finish(&b);
	cr_expect_eq(answer.model, first);
	cr_expect(answer.shared);
	cr_expect_eq(first->n_refs, 2);
	cr_expect_str_eq(first->name, "copy", "the first one names it");
	cr_expect_eq(device_memory_used(rig.device), used);
	model_unref(first);
	cr_expect_eq(rig.models.n_models, 1, "the other one still has it");
	model_unref(first);
}

Test(model, loads_of_one_image_at_the_same_time_do_the_work_once)
{
	struct elf_builder b;
	struct rig_answer answers[5];
	uint8_t *image;
	size_t size;
	int n_shared = 0;

	elf_builder_init_copy(&b, 1000);
	image = elf_builder_image(&b, &size);
	for (int i = 0; i < 5; i++)
		rig_begin(&rig, &answers[i], image, size, "x", false);
	rig_settle(&rig);
	for (int i = 0; i < 5; i++) {
		cr_assert(answers[i].done);
		cr_assert_eq(answers[i].error, 0);
		cr_expect_eq(answers[i].model, answers[0].model);
		n_shared += answers[i].shared;
	}
	cr_expect_eq(n_shared, 4);
	cr_expect_eq(answers[0].model->n_refs, 5);
	cr_expect_eq(answers[0].model->device_bytes, device_memory_used(rig.device));
	for (int i = 0; i < 5; i++)
		model_unref(answers[i].model);
	elf_builder_finish(&b);
}

Test(model, loads_of_one_bad_image_at_the_same_time_all_fail)
{
	struct elf_builder b;
	struct rig_answer answers[3];
	uint8_t *image;
	size_t size;

	elf_builder_init_copy(&b, 1000);
	bytes_poke32(elf_builder_note(&b, "fmlist"), 8, 77);
	image = elf_builder_image(&b, &size);
	for (int i = 0; i < 3; i++)
		rig_begin(&rig, &answers[i], image, size, "x", false);
	rig_settle(&rig);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(answers[i].error, -EBADMSG);
		cr_expect_null(answers[i].model);
		cr_expect_neq(answers[i].text[0], '\0');
	}
	cr_expect_eq(rig.models.n_models, 0);
	elf_builder_finish(&b);
}

/*
 * Names
 */

static int load_named(uint32_t n_bytes, const char *name, struct rig_answer *answer)
{
	struct elf_builder b;
	int r;

	elf_builder_init_copy(&b, n_bytes);
	r = rig_load(&rig, answer, &b, name, true);
	elf_builder_finish(&b);
	return r;
}

Test(model, a_kept_model_stays_under_its_name)
{
	struct rig_answer answer;

	cr_assert_eq(load_named(100, "a", &answer), 0);
	cr_expect_eq(model_registry_find(&rig.models, "a"), answer.model);
	cr_expect_null(model_registry_find(&rig.models, "b"));
	model_unref(answer.model);
	cr_expect_eq(model_registry_find(&rig.models, "a"), answer.model, "the registry has it");
	cr_assert_eq(load_named(100, "a", &answer), 0, "keeping it twice is the same");
	cr_expect(answer.shared);
	cr_expect_eq(answer.model->n_refs, 2);
	model_unref(answer.model);
	cr_expect_eq(model_registry_unkeep(&rig.models, "a"), 0);
	cr_expect_null(model_registry_find(&rig.models, "a"));
	cr_expect_eq(rig.models.n_models, 0);
	cr_expect_eq(model_registry_unkeep(&rig.models, "a"), -ENOENT);
}

Test(model, names_are_unique)
{
	struct rig_answer first, second;
	uint64_t used;

	cr_assert_eq(load_named(100, "a", &first), 0);
	used = device_memory_used(rig.device);
	cr_expect_eq(load_named(200, "a", &second), -EEXIST);
	cr_expect_null(second.model);
	cr_expect_not_null(strstr(second.text, "'a'"));
	cr_expect_eq(load_named(100, "b", &second), -EEXIST, "it has a name already");
	cr_expect_not_null(strstr(second.text, "'a'"));
	rig_settle(&rig);
	cr_expect_eq(device_memory_used(rig.device), used);
	cr_expect_eq(first.model->n_refs, 2);
	model_unref(first.model);
}

/* Neither knows of the other when it starts. */
Test(model, of_two_that_want_a_name_at_the_same_time_one_gets_it)
{
	struct elf_builder b[2];
	struct rig_answer answers[2];

	for (int i = 0; i < 2; i++) {
		size_t size;
		uint8_t *image;

		elf_builder_init_copy(&b[i], 100 + (uint32_t)i);
		image = elf_builder_image(&b[i], &size);
		rig_begin(&rig, &answers[i], image, size, "a", true);
	}
	rig_settle(&rig);
	cr_expect_eq(answers[0].error, 0);
	cr_expect_eq(answers[1].error, -EEXIST);
	cr_expect_eq(rig.models.n_models, 1);
	model_unref(answers[0].model);
	for (int i = 0; i < 2; i++)
		elf_builder_finish(&b[i]);
}

Test(model, kept_models_end_with_the_registry)
{
	struct rig_answer answer;

	cr_assert_eq(load_named(100, "a", &answer), 0);
	model_unref(answer.model);
	/* teardown() looks whether its memory came back. */
}

/*
 * Refusals
 */

static void expect_refusal(struct elf_builder *b, unsigned int flags, int error, const char *text)
{
	struct rig_answer answer;

	cr_expect_eq(rig_load(&rig, &answer, b, "x", flags), error, "%d: %s", answer.error,
		     answer.text);
	cr_expect_not_null(strstr(answer.text, text), "%s", answer.text);
	cr_expect_null(answer.model);
	cr_expect_eq(rig.models.n_models, 0);
	cr_expect_eq(device_memory_used(rig.device), 0);
	elf_builder_finish(b);
}

Test(model, models_for_another_device_are_refused)
{
	struct elf_builder b;

	elf_builder_init_native(&b);
	expect_refusal(&b, MODEL_NATIVE, -EXDEV,
		       "built for X2_1204, this device is a software NPU (soft_X2_1204)");
}

Test(model, native_code_takes_a_right_of_its_own)
{
	struct elf_builder b;

	elf_builder_init_native(&b);
	expect_refusal(&b, 0, -EACCES, "the right load-native");
}

/* Who waits for the same image gets an answer of his own. */
Test(model, the_right_to_load_native_code_is_not_shared_with_those_who_wait)
{
	struct rig_answer answers[4];
	struct elf_builder b;
	uint8_t *image;
	size_t size;

	elf_builder_init_native(&b);
	image = elf_builder_image(&b, &size);
	for (unsigned int i = 0; i < 4; i++)
		rig_begin(&rig, &answers[i], image, size, "x", i % 2 ? MODEL_NATIVE : 0);
	rig_settle(&rig);
	for (unsigned int i = 0; i < 4; i++)
		cr_expect_eq(answers[i].error, i % 2 ? -EXDEV : -EACCES, "%u: %d", i,
			     answers[i].error);
	elf_builder_finish(&b);
}

Test(model, programs_that_break_the_rules_are_refused)
{
	struct elf_builder b;

	elf_builder_init_copy(&b, 64);
	b.bss[0].reuses[0].sub[0].desc.mask = 0xfffffff0;
	expect_refusal(&b, 0, -EBADMSG, "mask");
}

Test(model, what_is_no_loadable_is_refused)
{
	static const char text[] = "#!/bin/sh\necho this is not a model, however long it gets\n";
	struct rig_answer answer;

	rig_begin(&rig, &answer, text, sizeof(text), "x", false);
	rig_settle(&rig);
	cr_expect_eq(answer.error, -ENOEXEC);
	cr_expect_neq(answer.text[0], '\0');
	rig_begin(&rig, &answer, "", 0, "x", false);
	rig_settle(&rig);
	cr_expect_eq(answer.error, -ENOEXEC);
}

static void on_refused(void *arg, struct model *model, bool shared, int error, const char *text)
{
	(void)model;
	(void)shared;
	(void)text;
	*(int *)arg = error;
	rig.n_pending--;
}

Test(model, descriptors_that_are_no_memfds_are_refused_and_closed)
{
	int fds[2], error = 0;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	rig.n_pending++;
	cr_assert_eq(model_registry_load(&rig.models, fds[0], "x", false, on_refused, &error), 0);
	rig_settle(&rig);
	cr_expect_eq(error, -EINVAL);
	cr_expect_eq(fcntl(fds[0], F_GETFD), -1, "closed");
	close(fds[1]);
	rig.n_pending++;
	cr_assert_eq(model_registry_load(&rig.models, open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
					 "x", false, on_refused, &error),
		     0);
	rig_settle(&rig);
	cr_expect_eq(error, -EINVAL);
}

Test(model, limits_are_kept)
{
	struct model *model;
	struct elf_builder b;

	rig.models.max_image = 500;
	elf_builder_init_copy(&b, 64);
	expect_refusal(&b, 0, -EFBIG, "at most 500");
	rig.models.max_image = LOADABLE_MAX_SIZE;
	rig.models.max_slot_bytes = 8192;
	elf_builder_init_copy(&b, 64);
	expect_refusal(&b, 0, -EFBIG, "8192 are allowed");
	rig.models.max_slot_bytes = MEMORY;
	rig.models.max_models = 0;
	elf_builder_init_copy(&b, 64);
	expect_refusal(&b, 0, -EMFILE, "0 models");
	rig.models.max_models = 1;
	model = rig_load_copy(&rig, 64);
	model_unref(model);
	rig.models.max_models = 1;
	model = rig_load_copy(&rig, 65);
	model_unref(model);
}

Test(model, a_model_larger_than_the_window_is_refused)
{
	struct elf_builder b;

	elf_builder_init_copy(&b, 64);
	b.bss[0].reuses[elf_builder_add_tensor(&b, CONTAINER_SUBSECTION_INTERMEDIATE, 0, 64)].size =
		0xe0000000;
	expect_refusal(&b, 0, -EFBIG, "3221225472");
}

/* Whatever is left over when memory runs out, at whichever step, is given back. */
Test(model_load, running_out_of_device_memory_leaves_nothing_behind)
{
	struct rig_answer answer = {.error = -ENOSPC};
	struct elf_builder b;
	uint64_t pages = 1, needed = 0, free_bytes, all;
	size_t size;
	uint8_t *image;

	elf_builder_init_copy(&b, 5000);
	elf_builder_add_constant(&b, 4, NULL, 10000);
	image = elf_builder_image(&b, &size);
	for (; answer.error == -ENOSPC; pages++) {
		rig_init(&rig, pages * 4096);
		rig.models.max_slot_bytes = MEMORY;
		rig_begin(&rig, &answer, image, size, "x", false);
		rig_settle(&rig);
		if (answer.error == -ENOSPC) {
			cr_expect_eq(device_memory_used(rig.device), 0);
			cr_assert_eq(sscanf(answer.text,
					    "needs %" SCNu64 " bytes of device memory, %" SCNu64
					    " of %" SCNu64 " are free",
					    &needed, &free_bytes, &all),
				     3, "%s", answer.text);
			cr_expect_eq(free_bytes, pages * 4096, "what was taken is free again");
			cr_expect_eq(all, pages * 4096);
		} else {
			cr_assert_eq(answer.error, 0, "%s", answer.text);
			cr_expect_eq(device_memory_used(rig.device), pages * 4096);
			cr_expect_eq(needed, pages * 4096, "what it had said");
			model_unref(answer.model);
		}
		rig_finish(&rig);
	}
	cr_expect_gt(pages, 10);
	elf_builder_finish(&b);
}

/*
 * Images
 */

Test(model, an_image_is_hashed_as_it_was_copied)
{
	/* SHA-256 of "abc", from the standard. */
	static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
				      0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
				      0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
				      0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	struct model_image image = {.data = NULL};
	char text[200] = "";
	int fd = rig_memfd("abc", 3);

	cr_assert_eq(model_image_copy(&image, fd, 100, text, sizeof(text)), 0, "%s", text);
	cr_assert_eq(pwrite(fd, "xyz", 3, 0), 3);
	cr_expect_eq(memcmp(image.data, "abc", 3), 0, "the client cannot change it any more");
	cr_expect_eq(memcmp(image.hash, abc, 32), 0);
	model_image_finish(&image);
	model_image_finish(&image);
	close(fd);
}

Test(model, large_images_are_copied_in_pieces)
{
	size_t size = (size_t)3 << 20;
	uint8_t *data = malloc(size);
	struct model_image image = {.data = NULL};
	char text[200];
	int fd;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 24);
	fd = rig_memfd(data, size);
	cr_assert_eq(model_image_copy(&image, fd, size, text, sizeof(text)), 0);
	cr_expect_eq(image.size, size);
	cr_expect_eq(memcmp(image.data, data, size), 0);
	model_image_finish(&image);
	close(fd);
	free(data);
}
