/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which right a request takes: a table beside that of the requests.
 *
 * What ends or gives back something is everybody's: who has lost a right must still be
 * able to let go.
 */
#pragma once

#include "daemon/access.h"

struct session;
struct stream;

/*
 * @body is a Zy__Request__BodyCase, or anything. Returns an enum access_right, or
 *   ACCESS_RIGHT_MAX_  everybody may
 *   -ENOENT            it has no row: nobody may
 */
int request_right(unsigned int body);

/* Whether @session may send it. If not, @ret_why says so for people. */
bool request_is_allowed(const struct session *session, unsigned int body,
			char ret_why[static ACCESS_WHY_MAX]);

/* The same for submitting a request of @class, or, if it is not NULL, a frame of @stream: then the
 * stream's counts, and a reservation is a right of its own to be urgent. */
bool request_may_submit(const struct session *session, unsigned int class,
			const struct stream *stream);
/* Whether it may use requests of @class at all. If not, @ret_why says so. */
bool request_may_class(const struct session *session, unsigned int class,
		       char ret_why[static ACCESS_WHY_MAX]);
