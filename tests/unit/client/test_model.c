/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_daemon.h"
#include "zhouyi-client.h"

static struct fake fake;
static struct zhouyi_client *client;
static struct zhouyi_model *model;

/* The image must be what was said, and nobody may be able to change it any more. */
static void check_image(int fd, const char *expected, size_t size)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct stat st;
	void *data;

	FAKE_CHECK(fstat(fd, &st) == 0 && st.st_size == (off_t)size);
	FAKE_CHECK(fcntl(fd, F_GET_SEALS) == seals);
	data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	FAKE_CHECK(data != MAP_FAILED);
	FAKE_CHECK(memcmp(data, expected, size) == 0);
}

static void reply_model(int socket, const Zy__Request *request)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Model said = ZY__MODEL__INIT;
	Zy__Tensor t[3], *tensors[3] = {&t[0], &t[1], &t[2]};
	uint32_t dims[4] = {1, 2, 4, 2};

	for (int i = 0; i < 3; i++)
		zy__tensor__init(&t[i]);
	t[0].kind = ZY__TENSOR_KIND__OUTPUT;
	t[0].size = 8;
	t[0].layout = 99;
	t[0].scale = NAN;
	t[1].kind = ZY__TENSOR_KIND__INPUT;
	t[1].index = 1;
	t[1].size = 4;
	t[1].type = 0x77;
	t[2].kind = ZY__TENSOR_KIND__INPUT;
	t[2].size = 16;
	t[2].type = ZHOUYI_TYPE_UINT8;
	t[2].name = (char *)"pixels";
	t[2].n_dims = 4;
	t[2].dims = dims;
	t[2].layout = ZHOUYI_LAYOUT_NHWC;
	t[2].scale = 0.0078125f;
	t[2].zero_point = 128;
	said.model = 5;
	said.name = (char *)"face";
	said.hash = (char *)"abc";
	said.target = (char *)"soft_X2_1204";
	said.n_tensors = 3;
	said.tensors = tensors;
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_MODEL;
	response.model = &said;
	fake_reply(socket, &response, -1);
}

static void load_image(int socket)
{
	Zy__Request *request;
	struct zy_fds fds;

	fake_hello(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_LOAD_MODEL, 1, &fds);
	FAKE_CHECK(strcmp(request->load_model->name, "face") == 0);
	FAKE_CHECK(request->load_model->keep);
	check_image(fds.fd[0], "an image", 8);
	reply_model(socket, request);
	request = fake_expect(socket, ZY__REQUEST__BODY_CLOSE_MODEL, 0, NULL);
	FAKE_CHECK(request->close_model->model == 5);
	fake_ack(socket, request, 0, "");
	fake_wait_end(socket);
}

Test(model, has_the_tensors_that_the_daemon_tells_of)
{
	const struct zhouyi_tensor *tensor;

	fake_start(&fake, load_image);
	client = fake_client(&fake);
	cr_assert_eq(
		zhouyi_model_load_memory(client, "an image", 8, "face", ZHOUYI_LOAD_KEEP, &model),
		0);
	cr_assert_str_eq(zhouyi_model_name(model), "face");
	cr_assert_str_eq(zhouyi_model_hash(model), "abc");
	cr_assert_str_eq(zhouyi_model_target(model), "soft_X2_1204");
	cr_assert_eq(zhouyi_model_n_tensors(model, ZHOUYI_INPUT), 2);
	cr_assert_eq(zhouyi_model_n_tensors(model, ZHOUYI_OUTPUT), 1);
	cr_assert_eq(zhouyi_model_n_tensors(model, (enum zhouyi_tensor_kind)2), 0);
	cr_assert_null(zhouyi_model_tensor(model, ZHOUYI_INPUT, 2));
	cr_assert_null(zhouyi_model_tensor(model, (enum zhouyi_tensor_kind)77, 0));

	tensor = zhouyi_model_tensor(model, ZHOUYI_INPUT, 0);
	cr_assert_eq(tensor->kind, ZHOUYI_INPUT);
	cr_assert_eq(tensor->size, 16);
	cr_assert_str_eq(tensor->name, "pixels");
	cr_assert_eq(tensor->type, ZHOUYI_TYPE_UINT8);
	cr_assert_eq(tensor->rank, 4);
	cr_assert_eq(tensor->dims[2], 4);
	cr_assert_eq(tensor->layout, ZHOUYI_LAYOUT_NHWC);
	cr_assert_float_eq(tensor->scale, 0.0078125f, 0);
	cr_assert_eq(tensor->zero_point, 128);

	tensor = zhouyi_model_tensor(model, ZHOUYI_INPUT, 1);
	cr_assert_eq(tensor->index, 1);
	cr_assert_str_eq(zhouyi_data_type_name(tensor->type), "unknown");

	tensor = zhouyi_model_tensor(model, ZHOUYI_OUTPUT, 0);
	cr_assert_str_eq(tensor->name, "");
	cr_assert_eq(tensor->layout, ZHOUYI_LAYOUT_UNKNOWN);
	cr_assert_eq(tensor->scale, 0, "no scale rather than no number");
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static char path[64];
static char *content;
static size_t content_size;

static void load_file(int socket)
{
	Zy__Request *request;
	struct zy_fds fds;

	fake_hello(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_LOAD_MODEL, 1, &fds);
	FAKE_CHECK(strcmp(request->load_model->name, strrchr(path, '/') + 1) == 0);
	FAKE_CHECK(!request->load_model->keep);
	check_image(fds.fd[0], content, content_size);
	reply_model(socket, request);
	fake_wait_end(socket);
}

Test(model, a_file_is_copied_whole_and_gives_its_name)
{
	int fd;

	content_size = 300001; /* several times the copy's buffer, and a bit */
	content = malloc(content_size);
	for (size_t i = 0; i < content_size; i++)
		content[i] = (char)(i * 31 + i / 1000);
	strcpy(path, "/tmp/fake-model-XXXXXX");
	fd = mkstemp(path);
	cr_assert_eq(write(fd, content, content_size), (ssize_t)content_size);
	close(fd);

	fake_start(&fake, load_file);
	client = fake_client(&fake);
	cr_expect_eq(zhouyi_model_load_file(client, path, NULL, 0, &model), 0);
	unlink(path);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	fake_stop(&fake);
	free(content);
}

static void greet_and_wait(int socket)
{
	fake_hello(socket);
	fake_wait_end(socket);
}

Test(model, files_that_cannot_be_read_never_reach_the_daemon)
{
	char name[65];
	int fd;

	memset(name, 'n', 64);
	name[64] = '\0';
	strcpy(path, "/tmp/fake-model-XXXXXX");
	fd = mkstemp(path);
	cr_assert_eq(ftruncate(fd, (off_t)3 << 30), 0); /* holes only */
	close(fd);
	fake_start(&fake, greet_and_wait);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_model_load_file(client, "/nonexistent.elf", NULL, 0, &model),
		     -ZHOUYI_ERROR_NOT_FOUND);
	cr_assert_str_eq(zhouyi_client_error(client),
			 "cannot open /nonexistent.elf: No such file or directory");
	cr_assert_eq(zhouyi_model_load_file(client, "/tmp", NULL, 0, &model), -ZHOUYI_ERROR_IO);
	cr_assert_eq(zhouyi_model_load_file(client, path, NULL, 0, &model),
		     -ZHOUYI_ERROR_BAD_MODEL);
	cr_assert(strstr(zhouyi_client_error(client), "2 GiB"));
	unlink(path);
	cr_assert_eq(zhouyi_model_load_memory(client, "x", 1, name, 0, &model),
		     -ZHOUYI_ERROR_INVALID);
	cr_assert_eq(zhouyi_model_load_memory(client, "x", 1, NULL, 8, &model),
		     -ZHOUYI_ERROR_INVALID);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void refuse_all(int socket)
{
	Zy__Request *request;

	fake_hello(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_LOAD_MODEL, 1, NULL);
	fake_ack(socket, request, ZY_BAD_MODEL, "not an ELF file");
	request = fake_expect(socket, ZY__REQUEST__BODY_OPEN_MODEL, 0, NULL);
	FAKE_CHECK(strcmp(request->open_model->name, "face") == 0);
	fake_ack(socket, request, ZY_NOT_FOUND, "");
	request = fake_expect(socket, ZY__REQUEST__BODY_UNLOAD_MODEL, 0, NULL);
	FAKE_CHECK(strcmp(request->unload_model->name, "face") == 0);
	fake_ack(socket, request, ZY_NOT_FOUND, "");
	request = fake_expect(socket, ZY__REQUEST__BODY_UNLOAD_MODEL, 0, NULL);
	fake_ack(socket, request, 0, "");
	fake_wait_end(socket);
}

Test(model, refusals_are_answers)
{
	fake_start(&fake, refuse_all);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_model_load_memory(client, "x", 1, NULL, 0, &model),
		     -ZHOUYI_ERROR_BAD_MODEL);
	cr_assert_str_eq(zhouyi_client_error(client), "not an ELF file");
	cr_assert_eq(zhouyi_model_open(client, "face", &model), -ZHOUYI_ERROR_NOT_FOUND);
	cr_assert_eq(zhouyi_model_unload(client, "face"), -ZHOUYI_ERROR_NOT_FOUND);
	cr_assert_eq(zhouyi_model_unload(client, "face"), 0);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

/* Models that cannot be: each is a reply with two tensors, one of them broken. */
static size_t which;

static void spoil(Zy__Tensor *input, Zy__Tensor *output)
{
	static uint32_t dims[ZHOUYI_MAX_RANK + 1];

	switch (which) {
	case 0:
		input->index = 1; /* no input 0 */
		break;
	case 1:
		output->kind = ZY__TENSOR_KIND__INPUT; /* input 0 twice */
		break;
	case 2:
		input->size = 0;
		break;
	case 3:
		input->size = UINT64_MAX;
		break;
	case 4:
		output->kind = (Zy__TensorKind)2;
		break;
	case 5:
		output->kind = (Zy__TensorKind)-1;
		break;
	case 6:
		input->n_dims = ZHOUYI_MAX_RANK + 1;
		input->dims = dims;
		break;
	case 7:
		output->index = UINT32_MAX;
		break;
	}
}

static void impossible_model(int socket)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Model said = ZY__MODEL__INIT;
	Zy__Tensor input = ZY__TENSOR__INIT, output = ZY__TENSOR__INIT;
	Zy__Tensor *tensors[] = {&input, &output};

	fake_hello(socket);
	input.size = output.size = 16;
	output.kind = ZY__TENSOR_KIND__OUTPUT;
	spoil(&input, &output);
	said.n_tensors = 2;
	said.tensors = tensors;
	response.serial = fake_expect(socket, ZY__REQUEST__BODY_OPEN_MODEL, 0, NULL)->serial;
	response.body_case = ZY__RESPONSE__BODY_MODEL;
	response.model = &said;
	fake_reply(socket, &response, -1);
	fake_wait_end(socket);
}

Test(model, that_cannot_be_ends_the_connection)
{
	for (which = 0; which < 8; which++) {
		fake_start(&fake, impossible_model);
		client = fake_client(&fake);
		cr_assert_eq(zhouyi_model_open(client, "m", &model), -ZHOUYI_ERROR_PROTOCOL, "%zu",
			     which);
		zhouyi_client_close(client);
		fake_stop(&fake);
	}
}
