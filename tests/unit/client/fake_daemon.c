/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_daemon.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "zhouyi-client.h"

size_t fake_count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void serve(int listener, void (*script)(int socket))
{
	int socket;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(60);
	socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (socket < 0)
		_exit(1);
	close(listener);
	if (script)
		script(socket);
	_exit(0);
}

void fake_start(struct fake *fake, void (*script)(int socket))
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener;

	fake->n_open = fake_count_open();
	strcpy(fake->dir, "/tmp/fake-zhouyid-XXXXXX");
	if (!mkdtemp(fake->dir))
		abort();
	snprintf(fake->path, sizeof(fake->path), "%s/socket", fake->dir);
	strcpy(address.sun_path, fake->path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 4) < 0)
		abort();
	fflush(NULL);
	fake->pid = fork();
	if (fake->pid < 0)
		abort();
	if (fake->pid == 0)
		serve(listener, script);
	close(listener);
}

void fake_stop(struct fake *fake)
{
	int status = -1;

	unlink(fake->path);
	rmdir(fake->dir);
	while (waitpid(fake->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		abort();
	if (fake_count_open() != fake->n_open)
		abort();
}

struct zhouyi_client *fake_client(const struct fake *fake)
{
	struct zhouyi_client *client;

	cr_assert_eq(zhouyi_client_open(&client, fake->path), 0);
	return client;
}

struct zhouyi_binding *fake_binding(struct zhouyi_client *client, struct zhouyi_model **ret_model)
{
	struct zhouyi_binding *binding;

	cr_assert_eq(zhouyi_model_load_memory(client, "image", 5, "m", 0, ret_model), 0);
	cr_assert_eq(zhouyi_binding_create_simple(*ret_model, &binding), 0);
	return binding;
}

static ssize_t receive(int socket, void *buf, size_t size, struct zy_fds *fds)
{
	ssize_t n = zy_packet_receive_wait(socket, buf, size, fds);

	/* It left without reading our last answer; what it said before that is still there. */
	return n == -ECONNRESET ? zy_packet_receive_wait(socket, buf, size, fds) : n;
}

Zy__Request *fake_expect(int socket, Zy__Request__BodyCase body, size_t n_fds, struct zy_fds *fds)
{
	static uint8_t buf[ZY_PACKET_MAX];
	struct zy_fds got;
	const uint8_t *message;
	Zy__Request *request;
	size_t size;
	ssize_t n = receive(socket, buf, sizeof(buf), &got);

	FAKE_CHECK(n > 0);
	message = zy_packet_message(buf, (size_t)n, &size);
	FAKE_CHECK(message);
	request = zy__request__unpack(NULL, size, message);
	FAKE_CHECK(request);
	FAKE_CHECK(request->body_case == body);
	FAKE_CHECK(got.n == n_fds);
	if (fds)
		*fds = got;
	return request;
}

void fake_reply(int socket, Zy__Response *response, int fd)
{
	static uint8_t buf[ZY_PACKET_MAX];
	ssize_t n = zy_packet_pack(buf, sizeof(buf), &response->base);
	int r;

	FAKE_CHECK(n > 0);
	r = zy_packet_send(socket, buf, (size_t)n, &fd, fd >= 0);
	/* A client need not stay for the answers to its farewells. */
	FAKE_CHECK(r == 0 || r == -EPIPE || r == -ECONNRESET);
}

void fake_ack(int socket, const Zy__Request *request, int status, const char *detail)
{
	Zy__Response response = ZY__RESPONSE__INIT;

	response.serial = request->serial;
	response.status = status;
	response.detail = (char *)detail;
	fake_reply(socket, &response, -1);
}

struct zy_submit fake_submission(int socket)
{
	struct zy_submit entry = {.reserved = {0}};
	struct zy_fds fds;

	FAKE_CHECK(receive(socket, &entry, sizeof(entry), &fds) == sizeof(entry));
	FAKE_CHECK(fds.n == 0);
	FAKE_CHECK(entry.type == ZY_PACKET_SUBMIT);
	FAKE_CHECK(entry.flags == 0);
	for (size_t i = 0; i < sizeof(entry.reserved) / sizeof(entry.reserved[0]); i++)
		FAKE_CHECK(entry.reserved[i] == 0);
	return entry;
}

void fake_complete(int socket, uint64_t cookie, int status)
{
	struct zy_complete answer = {
		.type = ZY_PACKET_COMPLETE,
		.status = status,
		.cookie = cookie,
		.flags = ZY_COMPLETE_RELEASED,
		.request = 1000,
		.run_ns = 5000,
		.total_ns = 7000,
		.cores = 1,
	};

	FAKE_CHECK(zy_packet_send(socket, &answer, sizeof(answer), NULL, 0) == 0);
}

void fake_wait_end(int socket)
{
	static uint8_t buf[ZY_PACKET_MAX];
	struct zy_fds fds;
	ssize_t n;

	while ((n = receive(socket, buf, sizeof(buf), &fds)) > 0)
		zy_fds_close(&fds);
	FAKE_CHECK(n == 0 || n == -ECONNRESET);
}

int fake_memfd(size_t size)
{
	int fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	FAKE_CHECK(ftruncate(fd, (off_t)size) == 0);
	FAKE_CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
	return fd;
}

void fake_hello(int socket)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_HELLO, 0, NULL);
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Welcome welcome = ZY__WELCOME__INIT;

	FAKE_CHECK(request->hello->min_version <= ZY_PROTOCOL_VERSION);
	FAKE_CHECK(request->hello->max_version >= ZY_PROTOCOL_VERSION);
	FAKE_CHECK(request->hello->name[0] != '\0' && strlen(request->hello->name) <= 64);
	welcome.version = ZY_PROTOCOL_VERSION;
	welcome.daemon_version = (char *)"fake";
	welcome.session = 1;
	welcome.features = request->hello->features;
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_WELCOME;
	response.welcome = &welcome;
	fake_reply(socket, &response, -1);
}

void fake_load(int socket, uint32_t id)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_LOAD_MODEL, 1, NULL);
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Model model = ZY__MODEL__INIT;
	Zy__Tensor input = ZY__TENSOR__INIT, output = ZY__TENSOR__INIT;
	Zy__Tensor *tensors[] = {&output, &input};

	input.kind = ZY__TENSOR_KIND__INPUT;
	input.size = FAKE_INPUT_SIZE;
	input.type = ZHOUYI_TYPE_UINT8;
	output.kind = ZY__TENSOR_KIND__OUTPUT;
	output.size = FAKE_OUTPUT_SIZE;
	output.type = ZHOUYI_TYPE_INT8;
	model.model = id;
	model.name = request->load_model->name;
	model.n_tensors = 2;
	model.tensors = tensors;
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_MODEL;
	response.model = &model;
	fake_reply(socket, &response, -1);
}

uint32_t fake_buffer(int socket, uint32_t id)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_CREATE_BUFFER, 0, NULL);
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Buffer buffer = ZY__BUFFER__INIT;
	int fd;

	buffer.buffer = id;
	buffer.size = (request->create_buffer->size + 4095) & ~UINT64_C(4095);
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_BUFFER;
	response.buffer = &buffer;
	fd = fake_memfd((size_t)buffer.size);
	fake_reply(socket, &response, fd);
	close(fd);
	return request->serial;
}

void fake_bind(int socket, uint32_t id)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_CREATE_BINDING, 0, NULL);
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Binding binding = ZY__BINDING__INIT;

	binding.binding = id;
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_BINDING;
	response.binding = &binding;
	fake_reply(socket, &response, -1);
}

void fake_prepare(int socket)
{
	fake_hello(socket);
	fake_load(socket, 1);
	fake_buffer(socket, 2);
	fake_bind(socket, 3);
}
