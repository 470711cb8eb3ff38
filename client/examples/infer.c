/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run a model once and say which of its outputs is the largest.
 *
 *	cc infer.c -o infer $(pkg-config --cflags --libs zhouyi-client)
 *	./infer model.elf input.bin
 *
 * The input file holds the model's first input as it is: raw pixels, for example.
 */
#include <stdio.h>
#include <stdlib.h>

#include <zhouyi-client.h>

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void read_input(const char *path, void *data, size_t size)
{
	FILE *file = fopen(path, "rb");

	if (!file || fread(data, 1, size, file) != size)
		fail(path, "cannot read as many bytes as the model's input has");
	fclose(file);
}

/* For 8-bit outputs: their codes are in order, so the largest code is the largest number. */
static void show_best(const void *data, const struct zhouyi_tensor *tensor)
{
	const unsigned char *codes = data;
	/* Signed codes order like unsigned ones once their top bit is turned. */
	unsigned char flip = tensor->type == ZHOUYI_TYPE_INT8 ? 0x80 : 0;
	size_t best = 0;

	for (size_t i = 1; i < tensor->size; i++)
		if ((codes[i] ^ flip) > (codes[best] ^ flip))
			best = i;
	printf("%zu\n", best);
}

int main(int argc, char **argv)
{
	struct zhouyi_client *client;
	struct zhouyi_model *model;
	struct zhouyi_binding *binding;
	const struct zhouyi_tensor *input, *output;
	int r;

	if (argc != 3)
		fail("usage", "infer MODEL INPUT");

	/* NULL: $ZHOUYI_SOCKET, or the usual place. */
	r = zhouyi_client_open(&client, NULL);
	if (r < 0)
		fail("cannot connect", zhouyi_strerror(r));
	r = zhouyi_model_load_file(client, argv[1], NULL, 0, &model);
	if (r < 0)
		fail(argv[1], zhouyi_client_error(client));
	r = zhouyi_binding_create_simple(model, &binding);
	if (r < 0)
		fail("cannot make buffers", zhouyi_client_error(client));

	/* The binding's memory is the NPU's memory: no copies from here on. */
	input = zhouyi_model_tensor(model, ZHOUYI_INPUT, 0);
	output = zhouyi_model_tensor(model, ZHOUYI_OUTPUT, 0);
	if (!input || !output)
		fail(argv[1], "has no input or no output");
	read_input(argv[2], zhouyi_binding_data(binding, ZHOUYI_INPUT, 0), input->size);
	r = zhouyi_run(binding, NULL, NULL);
	if (r < 0)
		fail("the request failed", zhouyi_client_error(client));
	show_best(zhouyi_binding_data(binding, ZHOUYI_OUTPUT, 0), output);

	zhouyi_binding_destroy(binding);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	return 0;
}
