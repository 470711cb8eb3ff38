/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a classifier is right, asked through the daemon.
 *
 * usage: accuracy SOCKET MODEL INPUTS ANSWERS LABELS MINIMUM
 *
 * INPUTS holds raw inputs back to back, ANSWERS a line with the right label for
 * each, LABELS the label of each class. Exit status 1 if fewer than MINIMUM percent
 * are right.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zhouyi-client.h"

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "accuracy: %s: %s\n", what, zhouyi_strerror(r));
	exit(1);
}

static FILE *open_file(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file) {
		perror(path);
		exit(1);
	}
	return file;
}

static char labels[1024][64];

static size_t read_labels(const char *path)
{
	FILE *file = open_file(path);
	size_t n = 0;

	while (n < 1024 && fgets(labels[n], sizeof(labels[n]), file)) {
		labels[n][strcspn(labels[n], "\r\n")] = '\0';
		n++;
	}
	fclose(file);
	return n;
}

/* Scores are uint8, or int8: the same order once the sign bit is flipped. */
static size_t best(const uint8_t *scores, size_t n, enum zhouyi_data_type type)
{
	uint8_t flip = type == ZHOUYI_TYPE_INT8 ? 0x80 : 0;
	size_t top = 0;

	for (size_t i = 1; i < n; i++) {
		if ((scores[i] ^ flip) > (scores[top] ^ flip))
			top = i;
	}
	return top;
}

int main(int argc, char **argv)
{
	struct zhouyi_client *client;
	struct zhouyi_model *model;
	struct zhouyi_binding *binding;
	const struct zhouyi_tensor *in, *out;
	unsigned int n = 0, right = 0;
	FILE *inputs, *answers;
	char answer[64];

	if (argc != 7) {
		fprintf(stderr, "usage: %s SOCKET MODEL INPUTS ANSWERS LABELS MINIMUM\n", argv[0]);
		return 2;
	}
	inputs = open_file(argv[3]);
	answers = open_file(argv[4]);
	read_labels(argv[5]);
	check(zhouyi_client_open(&client, argv[1]), "open");
	check(zhouyi_model_load_file(client, argv[2], NULL, 0, &model), "load");
	check(zhouyi_binding_create_simple(model, &binding), "bind");
	in = zhouyi_model_tensor(model, ZHOUYI_INPUT, 0);
	out = zhouyi_model_tensor(model, ZHOUYI_OUTPUT, 0);

	while (fgets(answer, sizeof(answer), answers) &&
	       fread(zhouyi_binding_data(binding, ZHOUYI_INPUT, 0), in->size, 1, inputs) == 1) {
		size_t class;

		check(zhouyi_run(binding, NULL, NULL), "run");
		answer[strcspn(answer, "\r\n")] = '\0';
		class = best(zhouyi_binding_data(binding, ZHOUYI_OUTPUT, 0), out->size, out->type);
		right += class < 1024 && strcmp(labels[class], answer) == 0;
		n++;
	}
	printf("%u of %u right: %.2f %%\n", right, n, n ? 100.0 * right / n : 0.0);
	zhouyi_binding_destroy(binding);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	fclose(inputs);
	fclose(answers);
	return n < 500 || 100.0 * right < atof(argv[6]) * n;
}
