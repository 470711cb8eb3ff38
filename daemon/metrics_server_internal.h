/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_listen.c accepts connections, metrics_server.c answers them. */
#pragma once

#include "daemon/metrics_server.h"

/* metrics_server.c */

/* Answer on the connected socket @fd, which is owned on success. */
int metrics_server_serve(struct metrics_server *server, int fd);

/* metrics_listen.c */

int metrics_listen_init(struct metrics_server *server);
void metrics_listen_finish(struct metrics_server *server);
