/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libzhouyi-client: what goes on in zhouyid, for programs that watch.
 *
 *	struct zhouyi_activity *before, *after;
 *
 *	zhouyi_activity_get(client, &before);
 *	sleep(1);
 *	zhouyi_activity_get(client, &after);
 *	busy = (after->cores[0].device_ns - before->cores[0].device_ns) /
 *	       (double)(after->now_ns - before->now_ns);
 *	zhouyi_free(before);
 *	zhouyi_free(after);
 *
 * What counts only grows, and includes what is on the device at the moment. It needs no
 * rights: everybody sees cores, classes and totals, and clients and models of their own
 * account, which is that of their user, or of the slice or unit they run in; who has the
 * right admin sees all. Errors, threads and ownership are as in zhouyi-client.h.
 */
#pragma once

#include "zhouyi-client.h"

#ifdef __cplusplus
extern "C" {
#endif

struct zhouyi_activity_core {
	unsigned int core;
	bool healthy;
	unsigned int running; /* requests that were given to it */
	uint64_t device_ns;
};

/*
 * Device times are times cores from here on; live_ns is how much of them is of requests
 * that are not answered yet.
 */
struct zhouyi_activity_class {
	enum zhouyi_class request_class;
	unsigned int queued, running;
	uint64_t device_ns, live_ns, answered;
};

struct zhouyi_activity_client {
	uint64_t session;     /* never used again; 0: all others together */
	unsigned int clients; /* how many that are */
	const char *name;     /* the program's */
	int pid;	      /* 0: not known */
	unsigned int uid;
	const char *principal; /* "slice:cameras.slice"; empty: the user */
	unsigned int queued, running;
	uint64_t device_ns, live_ns;
	uint64_t answered, failed; /* the failed ones are among the answered */
};

/* Whoever uses it. */
struct zhouyi_activity_model {
	unsigned int models; /* how many it stands for */
	const char *name;    /* may be empty */
	const char *hash;    /* its beginning; empty: all others together */
	unsigned int users;  /* clients that have it open */
	uint64_t requests, device_ns, live_ns;
	uint64_t estimate_ns; /* of a run; 0: not known yet */
};

struct zhouyi_activity {
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	uint64_t uptime_ns;
	const char *health; /* "ready", "degraded", "draining" */
	size_t n_reasons;   /* why it is not ready, a sentence each */
	const char *const *reasons;
	unsigned int queued, running;
	uint64_t answered, failed;
	uint64_t memory_bytes, memory_used; /* of the device */
	size_t n_cores;
	const struct zhouyi_activity_core *cores;
	size_t n_classes;
	const struct zhouyi_activity_class *classes;
	size_t n_clients;
	const struct zhouyi_activity_client *clients; /* the last one may stand for all others */
	size_t n_models;
	const struct zhouyi_activity_model *models; /* likewise */
};

/*
 * What goes on. Blocks; freed with zhouyi_free(). ZHOUYI_ERROR_BUSY: the user asked just
 * now, here or elsewhere; try again in a few milliseconds.
 */
ZHOUYI_API int zhouyi_activity_get(struct zhouyi_client *client, struct zhouyi_activity **ret);

#ifdef __cplusplus
}
#endif
