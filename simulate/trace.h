/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces: what was, or might be, asked of a device. `zhouyi-cli record` writes them, people do,
 * `zhouyi-cli simulate` reads them. jansson ends in trace*.c and reader.c.
 *
 * A trace is one JSON object; docs/scheduling.md shows some. All of it may be left out
 * but `device`, `clients` and `models`. A key that begins with "#" is a comment; any other
 * key that is not listed here, a wrong type and a number out of range are errors. A *time* is an
 * integer, nanoseconds, or a string: "2ms", "16.7ms", "150us", "1h".
 *
 *	version: 1
 *	seed: of the random numbers; else, or with --seed, drawn anew
 *	duration: no source asks for anything later
 *	device:
 *	  cores, placement ("none", "one", or "exact", the usual: policy/policy.h)
 *	  hand_over: time from a decision to the first instruction of a job
 *	  report: time from its last one to the next decision
 *	  stop: after which a job that is stopped is off its cores; without it,
 *	    stopping is not to be relied on
 *	policy: struct policy_settings
 *	  floors: {interactive, normal, background}, in percent
 *	  stack, collect: times
 *	accounts: {NAME: {weight, max_on_device, share_percent}}
 *	clients: {NAME: ...}
 *	  account: else one of its own name
 *	  class: "interactive" unless said otherwise
 *	models: {NAME: ...}
 *	  run: on the device; or {from, to}, anything between
 *	  rarely: {ppm, run}: how many runs of a million, and how long those take
 *	  bound: after which the watchdog has it off the device
 *	reservations: {NAME: {client, budget, period, deadline, jitter, cores}}
 *	sources: {NAME: ...}: where requests come from
 *	  client, model, class, cores, n_cores
 *	  deadline: from the request to its answer
 *	  reservation: NAME; its requests are frames of it, and realtime
 *	  arrivals:
 *	    "periodic": every `period` from `offset` on, each late by up to `jitter`
 *	    "poisson": `period` between them, on average
 *	    "bursty": one each `period` for `on`, then none for `off`, on average
 *	    "closed": `in_flight` of them always on their way, each `period` after
 *	      the answer to the one before
 *	  drop: else nothing is
 *	    "latest": a new one replaces the one that is queued
 *	    "queue:N": the oldest of more than N that are queued
 *	    "block:N": none; the client waits while N are queued
 *	requests: [...]: recorded ones, in the order of their arrival
 *	  client, model, class, cores, n_cores, deadline, reservation
 *	  at, start, end: when it was accepted, handed over, off the device again
 *	  run: as the device measured it
 *	  on: the cores it ran on
 *	  after: the number, from 0, of the request whose answer it waited for
 *	  status: "ok" unless said otherwise
 *
 * Masks of cores are integers or strings like "0x6"; 0, and none, is all cores.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "policy/policy.h"
#include "proto/entry.h"

#define TRACE_VERSION 1

/* What a trace may hold. */
#define TRACE_MAX_BYTES (UINT64_C(128) << 20)
#define TRACE_MAX_NAMED 4096u /* of each kind */
#define TRACE_MAX_REQUESTS (UINT32_C(1) << 19)
#define TRACE_LONGEST_NS UINT64_C(86400000000000) /* any time in it: a day */
#define TRACE_SHORTEST_PERIOD_NS UINT64_C(1000)

#define TRACE_NONE UINT32_MAX /* an index: of nothing */

struct trace_device {
	unsigned int cores;
	enum policy_placement placement;
	uint64_t hand_over_ns, report_ns;
	uint64_t stop_ns; /* UINT64_MAX: not to be relied on */
};

struct trace_account {
	char name[64];
	unsigned int weight, max_on_device, share_percent; /* as in struct policy_account */
};

struct trace_client {
	char name[64];
	uint32_t account;
	enum zy_class class; /* of its sources and requests that do not say */
};

struct trace_model {
	char name[64];
	uint64_t run_from_ns, run_to_ns; /* any time between them */
	unsigned int rarely_ppm;	 /* … but for these, which take */
	uint64_t rarely_ns;
	uint64_t bound_ns; /* 0: what the daemon's watchdog would allow */
};

struct trace_reservation {
	char name[64];
	uint32_t client;
	struct reservation_spec spec;
};

/* What a request is, whoever makes it. */
struct trace_shape {
	uint32_t client, model, reservation; /* indices; reservation may be TRACE_NONE */
	enum zy_class class;
	uint64_t cores; /* 0: all */
	unsigned int n_cores;
	uint64_t deadline_ns; /* from its arrival; 0: none */
};

enum trace_arrivals {
	TRACE_PERIODIC,
	TRACE_POISSON,
	TRACE_BURSTY,
	TRACE_CLOSED,
};

enum trace_drop {
	TRACE_DROP_NEVER,
	TRACE_DROP_OLDEST, /* of more than `depth` that are queued */
	TRACE_DROP_BLOCK,  /* none; the source waits */
};

struct trace_source {
	char name[64];
	struct trace_shape shape;
	enum trace_arrivals arrivals;
	uint64_t period_ns, offset_ns, jitter_ns, on_ns, off_ns;
	unsigned int in_flight;
	enum trace_drop drop;
	unsigned int depth;
};

struct trace_request {
	struct trace_shape shape;
	uint64_t at_ns;		   /* accepted */
	uint64_t start_ns, end_ns; /* handed over, answered; end 0: not known; start 0: never */
	uint64_t run_ns;	   /* on the device; 0: it was never there */
	uint64_t on_cores;	   /* where */
	uint32_t after, next;	   /* indices of the one whose answer it waited for, and of the
				      one that waited for its; TRACE_NONE */
	bool is_frame;		   /* of a stream: it came by the clock */
	enum zy_status status;
};

struct trace {
	struct trace_device device;
	struct policy_settings settings; /* stop_ns is the device's */
	uint64_t duration_ns;		 /* 0: until its last request */
	uint64_t seed;			 /* 0: none given */
	struct trace_account *accounts;
	struct trace_client *clients;
	struct trace_model *models;
	struct trace_reservation *reservations;
	struct trace_source *sources;
	struct trace_request *requests; /* by arrival, once settled */
	uint32_t n_accounts, n_clients, n_models, n_reservations, n_sources, n_requests;
};

/* What is wrong, for people: "trace.json:17: sources.camera.period: must be …". */
struct trace_error {
	char text[512];
};

/* "16.7ms", "2s", "0": nanoseconds; less than a nanosecond is lost. -EINVAL, also beyond
 * TRACE_LONGEST_NS. */
int trace_time_parse(const char *text, uint64_t *ret_ns);

/* An empty trace of a device with @cores and placement `exact`. NULL: no memory. */
struct trace *trace_create(unsigned int cores);
/* Accepts NULL. */
void trace_destroy(struct trace *trace);

/*
 * Read and check the file at @path.
 *   -EINVAL  something in it is wrong
 *   -EFBIG   it is larger than any trace may be
 *   or another negative errno of reading it; @ret_error says it, whatever it is
 */
int trace_read(struct trace **ret, const char *path, struct trace_error *ret_error);
/* The same for text in memory; @path is for messages. */
int trace_parse(struct trace **ret, const char *text, size_t size, const char *path,
		struct trace_error *ret_error);

/*
 * Recording. Each trace_find_*() returns the index of what is called @name, and adds it
 * first if there is none: an account of weight 100, a client of class interactive.
 * What they return is filled in further through the arrays. A name that is too long is
 * cut, one that is not UTF-8 loses the bytes that are not ASCII.
 *
 * -ENOMEM, or -ENOSPC: there are as many as there may be.
 */
int trace_find_account(struct trace *trace, const char *name);
int trace_find_client(struct trace *trace, const char *name, uint32_t account);
int trace_find_model(struct trace *trace, const char *name);
int trace_find_reservation(struct trace *trace, const char *name, uint32_t client);
/* For trace_read(). */
int trace_find_source(struct trace *trace, const char *name);
/* Times may be those of any clock. 0, -ENOMEM or -ENOSPC. */
int trace_add_request(struct trace *trace, const struct trace_request *request);

/*
 * All requests were added: put them in order, let the first arrive at 0, and learn from them
 * how long the models run, what a hand-over costs on this device, and which waited for the
 * answer to another.
 */
void trace_settle(struct trace *trace);

/* 0, or -EIO: see errno of the stream. */
int trace_write(const struct trace *trace, FILE *file);
