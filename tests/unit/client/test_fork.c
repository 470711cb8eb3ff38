/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "fake_daemon.h"
#include "zhouyi-client.h"

static struct fake fake;
static struct zhouyi_client *client;
static struct zhouyi_model *model;
static struct zhouyi_buffer *buffer;
static struct zhouyi_binding *binding;
static unsigned int n_calls;

static void note_call(struct zhouyi_binding *b, const struct zhouyi_result *result, void *userdata)
{
	(void)b;
	(void)userdata;
	n_calls += result->error == 0;
}

/* A daemon that would notice anything the child says. */
static void two_requests(int socket)
{
	struct zy_submit first;

	fake_prepare(socket);
	fake_buffer(socket, 4);
	first = fake_submission(socket);
	fake_complete(socket, fake_submission(socket).cookie, 0);
	fake_complete(socket, first.cookie, 0);
	fake_expect(socket, ZY__REQUEST__BODY_DESTROY_BINDING, 0, NULL);
	fake_wait_end(socket);
}

#define CHILD_CHECK(condition)                                                                     \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void child(size_t n_open_before)
{
	struct zhouyi_buffer *other_buffer;
	struct zhouyi_binding *other_binding;
	struct zhouyi_model *other_model;
	struct zhouyi_status *status;

	CHILD_CHECK(zhouyi_run(binding, NULL, NULL) == -ZHOUYI_ERROR_FORKED);
	CHILD_CHECK(zhouyi_submit(binding, NULL, note_call, NULL, NULL) == -ZHOUYI_ERROR_FORKED);
	CHILD_CHECK(zhouyi_client_dispatch(client, -1) == -ZHOUYI_ERROR_FORKED);
	CHILD_CHECK(zhouyi_cancel(client, 1) == -ZHOUYI_ERROR_FORKED);
	CHILD_CHECK(zhouyi_status_get(client, &status) == -ZHOUYI_ERROR_FORKED);
	CHILD_CHECK(zhouyi_model_open(client, "m", &other_model) == -ZHOUYI_ERROR_FORKED);
	CHILD_CHECK(zhouyi_model_unload(client, "m") == -ZHOUYI_ERROR_FORKED);
	CHILD_CHECK(zhouyi_buffer_create(client, 1, &other_buffer) == -ZHOUYI_ERROR_FORKED);
	CHILD_CHECK(zhouyi_binding_create_simple(model, &other_binding) == -ZHOUYI_ERROR_FORKED);
	CHILD_CHECK(strcmp(zhouyi_client_error(client), zhouyi_strerror(ZHOUYI_ERROR_FORKED)) == 0);
	zhouyi_binding_destroy(binding);
	zhouyi_buffer_destroy(buffer);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	CHILD_CHECK(n_calls == 0);
	CHILD_CHECK(fake_count_open() == n_open_before);
	_exit(0);
}

Test(fork, a_child_can_only_let_go_and_the_parent_does_not_notice)
{
	size_t n_open = fake_count_open();
	int status;
	pid_t pid;

	fake_start(&fake, two_requests);
	client = fake_client(&fake);
	binding = fake_binding(client, &model);
	cr_assert_eq(zhouyi_buffer_create(client, 4096, &buffer), 0);
	cr_assert_eq(zhouyi_submit(binding, NULL, note_call, NULL, NULL), 0);

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(n_open);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);

	strcpy(zhouyi_buffer_data(buffer), "still mapped");
	cr_assert_eq(zhouyi_run(binding, NULL, NULL), 0);
	while (n_calls == 0)
		cr_assert_gt(zhouyi_client_dispatch(client, -1), 0);
	cr_assert_eq(n_calls, 1);
	zhouyi_binding_destroy(binding);
	zhouyi_buffer_destroy(buffer);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void session_end(int socket)
{
	fake_hello(socket);
	fake_wait_end(socket);
}

Test(fork, closing_ends_the_session_though_a_child_still_holds_the_socket)
{
	int pipe_fd[2], status;
	pid_t pid;
	char byte;

	cr_assert_eq(pipe(pipe_fd), 0);
	fake_start(&fake, session_end);
	client = fake_client(&fake);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(pipe_fd[1]);
		/* Until the test is over. */
		while (read(pipe_fd[0], &byte, 1) < 0)
			;
		_exit(0);
	}
	zhouyi_client_close(client);
	fake_stop(&fake); /* would wait for ever */
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	waitpid(pid, &status, 0);
}
