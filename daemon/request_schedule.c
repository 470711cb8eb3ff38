/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/request_internal.h"

void request_schedule(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	(void)fds;
	reply_refuse(session, req->serial, ZY_NOT_SUPPORTED,
		     "this daemon knows neither streams nor reservations");
}
