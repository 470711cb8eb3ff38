/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/request_access.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/session.h"
#include "daemon/stream.h"
#include "proto/status.h"
#include "proto/zhouyi.pb-c.h"

/* So that a missing row is not a right. */
#define RIGHT(name) (ACCESS_##name + 1)
#define EVERYBODY RIGHT(RIGHT_MAX_)

static const unsigned char rights[] = {
	[ZY__REQUEST__BODY_HELLO] = EVERYBODY,
	[ZY__REQUEST__BODY_LOAD_MODEL] = RIGHT(LOAD),
	[ZY__REQUEST__BODY_OPEN_MODEL] = RIGHT(INFER),
	[ZY__REQUEST__BODY_CLOSE_MODEL] = EVERYBODY,
	/* It is nobody's in particular; who may load it may stop keeping it. */
	[ZY__REQUEST__BODY_UNLOAD_MODEL] = RIGHT(LOAD),
	[ZY__REQUEST__BODY_LIST_MODELS] = EVERYBODY,
	[ZY__REQUEST__BODY_CREATE_BUFFER] = RIGHT(INFER),
	[ZY__REQUEST__BODY_DESTROY_BUFFER] = EVERYBODY,
	[ZY__REQUEST__BODY_CREATE_BINDING] = RIGHT(INFER),
	[ZY__REQUEST__BODY_DESTROY_BINDING] = EVERYBODY,
	[ZY__REQUEST__BODY_CANCEL] = EVERYBODY,
	[ZY__REQUEST__BODY_GET_STATUS] = EVERYBODY,
	[ZY__REQUEST__BODY_GET_DEVICE] = EVERYBODY,
	[ZY__REQUEST__BODY_RESERVE] = RIGHT(RESERVE),
	[ZY__REQUEST__BODY_RELEASE] = EVERYBODY,
	[ZY__REQUEST__BODY_CREATE_STREAM] = RIGHT(INFER),
	[ZY__REQUEST__BODY_DESTROY_STREAM] = EVERYBODY,
	[ZY__REQUEST__BODY_GET_STREAM] = EVERYBODY,
	[ZY__REQUEST__BODY_EXPLAIN] = EVERYBODY,
	[ZY__REQUEST__BODY_GET_PLAN] = EVERYBODY,
	[ZY__REQUEST__BODY_GET_TRACE] = EVERYBODY,
	[ZY__REQUEST__BODY_GET_ACCOUNTS] = EVERYBODY,
	[ZY__REQUEST__BODY_GET_ACTIVITY] = EVERYBODY,
	[ZY__REQUEST__BODY_WHOAMI] = EVERYBODY,
	/* Everybody about themselves. */
	[ZY__REQUEST__BODY_TEST_ACCESS] = EVERYBODY,
};

int request_right(unsigned int body)
{
	if (body >= sizeof(rights) / sizeof(rights[0]) || !rights[body])
		return -ENOENT;
	return rights[body] - 1;
}

bool request_is_allowed(const struct session *session, unsigned int body,
			char ret_why[static ACCESS_WHY_MAX])
{
	const struct access_grant *grant = &session->grant;
	int right = request_right(body);

	if (right == ACCESS_RIGHT_MAX_ ||
	    (right >= 0 && access_may(grant, (enum access_right)right)))
		return true;
	if (grant->is_unplaced)
		snprintf(ret_why, ACCESS_WHY_MAX,
			 "the access rules speak of units or slices, and in which of them this "
			 "client runs cannot be seen");
	else
		snprintf(ret_why, ACCESS_WHY_MAX,
			 "the access rules do not give this client the right '%s'; zhouyi-cli "
			 "whoami says which rules apply",
			 right < 0 ? "of that" : access_right_name((enum access_right)right));
	return false;
}

bool request_may_submit(const struct session *session, unsigned int class,
			const struct stream *stream)
{
	const struct access_grant *grant = &session->grant;

	if (stream)
		class = stream->spec.class;
	return access_may(grant, ACCESS_INFER) &&
	       (class >= grant->ceiling || (stream && stream->reservation));
}

bool request_may_class(const struct session *session, unsigned int class,
		       char ret_why[static ACCESS_WHY_MAX])
{
	if (class >= session->grant.ceiling)
		return true;
	snprintf(ret_why, ACCESS_WHY_MAX,
		 "the access rules give this client nothing more urgent than %s",
		 zy_class_name(session->grant.ceiling));
	return false;
}
