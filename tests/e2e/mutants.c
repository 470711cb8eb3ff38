/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load damaged models: cut short at many lengths, with flipped bits, with foreign
 * bytes. Each is refused or runs; what runs ends with a result or a fault.
 *
 * usage: mutants SOCKET MODEL SEED COUNT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zhouyi-client.h"

static unsigned int refused, faulted, ran;

static void die(const char *what, int error)
{
	fprintf(stderr, "mutants: %s: %s\n", what, zhouyi_strerror(error));
	exit(1);
}

static void try_run(struct zhouyi_client *client, struct zhouyi_model *model)
{
	struct zhouyi_binding *binding;
	int r = zhouyi_binding_create_simple(model, &binding);

	if (r < 0)
		die(zhouyi_client_error(client), r);
	r = zhouyi_run(binding, NULL, NULL);
	if (r == -ZHOUYI_ERROR_DEVICE_FAULT)
		faulted++;
	else if (r == 0)
		ran++;
	else
		die("a damaged model's run ended with", r);
	zhouyi_binding_destroy(binding);
}

static void try_image(struct zhouyi_client *client, const void *image, size_t size)
{
	struct zhouyi_model *model;
	int r = zhouyi_model_load_memory(client, image, size, "mutant", 0, &model);

	switch (r) {
	case 0:
		try_run(client, model);
		zhouyi_model_close(model);
		return;
	case -ZHOUYI_ERROR_BAD_MODEL:
	case -ZHOUYI_ERROR_WRONG_TARGET:
	case -ZHOUYI_ERROR_NOT_SUPPORTED:
	case -ZHOUYI_ERROR_LIMIT:
	case -ZHOUYI_ERROR_NO_DEVICE_MEMORY:
		if (!*zhouyi_client_error(client))
			die("a refusal without a reason", r);
		refused++;
		return;
	default:
		die("a damaged model was answered with", r);
	}
}

static unsigned char *read_file(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	unsigned char *data = malloc(1 << 24);

	if (!file || !data)
		die(path, -ZHOUYI_ERROR_IO);
	*ret_size = fread(data, 1, 1 << 24, file);
	fclose(file);
	return data;
}

int main(int argc, char **argv)
{
	struct zhouyi_client *client;
	unsigned char *image, *copy;
	unsigned int seed;
	size_t size;
	int r;

	if (argc != 5) {
		fprintf(stderr, "usage: %s SOCKET MODEL SEED COUNT\n", argv[0]);
		return 2;
	}
	seed = (unsigned int)atoi(argv[3]);
	image = read_file(argv[2], &size);
	copy = malloc(size);
	r = zhouyi_client_open(&client, argv[1]);
	if (r < 0 || !copy)
		die("open", r);

	for (int i = 0; i < atoi(argv[4]); i++) {
		memcpy(copy, image, size);
		switch (i % 4) {
		case 0: /* cut short */
			try_image(client, copy, (size_t)rand_r(&seed) % size);
			break;
		case 1: /* one bit, anywhere */
			copy[(size_t)rand_r(&seed) % size] ^= (unsigned char)(1u << (i / 4 % 8));
			try_image(client, copy, size);
			break;
		case 2: /* a bit in the last quarter, where notes and headers are */
			copy[size - 1 - (size_t)rand_r(&seed) % (size / 4)] ^=
				(unsigned char)(1u << (i / 4 % 8));
			try_image(client, copy, size);
			break;
		case 3: /* a few foreign words */
			for (int j = 0; j < 4; j++)
				copy[(size_t)rand_r(&seed) % size] = (unsigned char)rand_r(&seed);
			try_image(client, copy, size);
			break;
		}
	}
	printf("%u refused, %u faulted, %u ran\n", refused, faulted, ran);
	free(image);
	free(copy);
	zhouyi_client_close(client);
	return 0;
}
