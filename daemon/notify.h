/* SPDX-License-Identifier: Apache-2.0 */
/* Tell the service manager how we are, as sd_notify(3) describes. */
#pragma once

/*
 * Send @state ("READY=1") to the socket $NOTIFY_SOCKET. Without one nothing
 * happens; failing is not our problem either: the manager notices by itself.
 */
void notify_send(const char *state);
