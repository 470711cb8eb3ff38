/* SPDX-License-Identifier: Apache-2.0 */
/* Files to input tensors. */
#include <string.h>

#include "client/cli/infer.h"
#include "client/cli/picture.h"

/* Pictures may be larger than the tensors they become, but not without end. */
#define MAX_FILE ((size_t)256 << 20)

static const char *describe(const struct zhouyi_tensor *tensor)
{
	static char text[600];

	snprintf(text, sizeof(text), "input %u%s%s%s: %s %s, %zu bytes", tensor->index,
		 tensor->name[0] ? " '" : "", tensor->name[0] ? cli_text(tensor->name) : "",
		 tensor->name[0] ? "'" : "", zhouyi_data_type_name(tensor->type), cli_shape(tensor),
		 tensor->size);
	return text;
}

static int check_count(const struct infer *infer)
{
	unsigned int n = zhouyi_model_n_tensors(infer->model, ZHOUYI_INPUT);

	if (n == infer->n_inputs)
		return CLI_OK;
	cli_say("%s has %u input%s, but %u file%s given:", cli_text(infer->model_name), n,
		n == 1 ? "" : "s", infer->n_inputs, infer->n_inputs == 1 ? " is" : "s are");
	for (unsigned int i = 0; i < n; i++)
		cli_say("  %s", describe(zhouyi_model_tensor(infer->model, ZHOUYI_INPUT, i)));
	return CLI_USAGE;
}

static int fill(const struct file *file, const char *path, const struct zhouyi_tensor *tensor,
		void *data)
{
	struct picture picture = {.pixels = NULL};
	struct picture_error error;
	int r;

	/* Exactly a tensor's size is a tensor, whatever its first bytes look like. */
	if (file->size == tensor->size) {
		memcpy(data, file->data, file->size);
		return CLI_OK;
	}
	if (picture_format_of(file->data, file->size) == PICTURE_NONE)
		return cli_fail(CLI_FILE,
				"%s has %zu bytes and is no PNG, JPEG or PNM picture (%s)", path,
				file->size, describe(tensor));
	r = picture_decode(&picture, file->data, file->size, &error);
	if (r == 0)
		r = picture_fill_tensor(&picture, tensor, data, &error);
	picture_finish(&picture);
	if (r < 0)
		return cli_fail(CLI_FILE, "%s: %s", path, cli_text(error.text));
	return CLI_OK;
}

static int read_input(struct infer *infer, unsigned int i)
{
	const struct zhouyi_tensor *tensor = zhouyi_model_tensor(infer->model, ZHOUYI_INPUT, i);
	void *data = zhouyi_binding_data(infer->binding, ZHOUYI_INPUT, i);
	const char *path = infer->inputs[i];
	struct file file = {.data = NULL};
	int code;

	code = file_read(&file, path, tensor->size > MAX_FILE ? tensor->size : MAX_FILE);
	if (code == CLI_OK)
		code = fill(&file, strcmp(path, "-") == 0 ? "standard input" : path, tensor, data);
	file_finish(&file);
	return code;
}

int infer_read_inputs(struct infer *infer)
{
	int code = check_count(infer);

	for (unsigned int i = 0; code == CLI_OK && i < infer->n_inputs; i++)
		code = read_input(infer, i);
	return code;
}
