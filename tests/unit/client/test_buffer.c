/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "fake_daemon.h"
#include "zhouyi-client.h"

static struct fake fake;
static struct zhouyi_client *client;
static struct zhouyi_buffer *buffer;

static void reply_buffer(int socket, uint64_t size, int fd)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_CREATE_BUFFER, 0, NULL);
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Buffer said = ZY__BUFFER__INIT;

	FAKE_CHECK(request->create_buffer->size == 5000);
	said.buffer = 7;
	said.size = size;
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_BUFFER;
	response.buffer = &said;
	fake_reply(socket, &response, fd);
}

static void shared_memory(int socket)
{
	int fd = fake_memfd(8192);
	char *data = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	Zy__Request *request;

	strcpy(data + 5000, "from the daemon");
	fake_hello(socket);
	reply_buffer(socket, 8192, fd);
	request = fake_expect(socket, ZY__REQUEST__BODY_DESTROY_BUFFER, 0, NULL);
	FAKE_CHECK(request->destroy_buffer->buffer == 7);
	FAKE_CHECK(strcmp(data, "from the client") == 0);
	fake_ack(socket, request, 0, "");
	fake_wait_end(socket);
}

Test(buffer, is_memory_that_both_sides_see)
{
	fake_start(&fake, shared_memory);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_buffer_create(client, 5000, &buffer), 0);
	cr_assert_eq(zhouyi_buffer_size(buffer), 8192);
	cr_assert_str_eq((char *)zhouyi_buffer_data(buffer) + 5000, "from the daemon");
	strcpy(zhouyi_buffer_data(buffer), "from the client");
	zhouyi_buffer_destroy(buffer);
	cr_assert_eq(zhouyi_client_dispatch(client, 20), 0, "the farewell's answer is no event");
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void refuse(int socket)
{
	Zy__Request *request;

	fake_hello(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_CREATE_BUFFER, 0, NULL);
	fake_ack(socket, request, ZY_LIMIT, "uid 1000 may have 64 MiB and has 60 MiB");
	fake_wait_end(socket);
}

Test(buffer, that_is_refused_says_why)
{
	fake_start(&fake, refuse);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_buffer_create(client, 5000, &buffer), -ZHOUYI_ERROR_LIMIT);
	cr_assert_str_eq(zhouyi_client_error(client), "uid 1000 may have 64 MiB and has 60 MiB");
	cr_assert_eq(zhouyi_client_dispatch(client, 0), 0, "the client lives on");
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void unsealed(int socket)
{
	int fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	FAKE_CHECK(ftruncate(fd, 8192) == 0);
	fake_hello(socket);
	reply_buffer(socket, 8192, fd);
	fake_wait_end(socket);
}

static void no_memfd(int socket)
{
	fake_hello(socket);
	reply_buffer(socket, 8192, socket);
	fake_wait_end(socket);
}

static void shorter_memory(int socket)
{
	fake_hello(socket);
	reply_buffer(socket, 8192, fake_memfd(4096));
	fake_wait_end(socket);
}

static void smaller_than_asked(int socket)
{
	fake_hello(socket);
	reply_buffer(socket, 4096, fake_memfd(8192));
	fake_wait_end(socket);
}

static void absurd_size(int socket)
{
	fake_hello(socket);
	reply_buffer(socket, UINT64_MAX, fake_memfd(8192));
	fake_wait_end(socket);
}

static void no_descriptor(int socket)
{
	fake_hello(socket);
	reply_buffer(socket, 8192, -1);
	fake_wait_end(socket);
}

static void (*const bad[])(int socket) = {
	unsealed, no_memfd, shorter_memory, smaller_than_asked, absurd_size, no_descriptor,
};

Test(buffer, that_could_fault_under_our_hands_is_not_mapped)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_start(&fake, bad[i]);
		client = fake_client(&fake);
		cr_assert_eq(zhouyi_buffer_create(client, 5000, &buffer), -ZHOUYI_ERROR_PROTOCOL,
			     "%zu", i);
		zhouyi_client_close(client);
		fake_stop(&fake);
	}
}

static void make_one(int socket)
{
	fake_hello(socket);
	fake_buffer(socket, 1);
	fake_wait_end(socket);
}

Test(buffer, can_be_destroyed_after_its_client_is_closed)
{
	fake_start(&fake, make_one);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_buffer_create(client, 1, &buffer), 0);
	zhouyi_client_close(client);
	cr_assert_not_null(zhouyi_buffer_data(buffer));
	zhouyi_buffer_destroy(buffer);
	fake_stop(&fake);
}
