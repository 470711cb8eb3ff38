/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libzhouyi-client: run neural networks on an Arm China Zhouyi NPU through
 * zhouyid, the daemon that owns it.
 *
 *	struct zhouyi_client *client;
 *	struct zhouyi_model *model;
 *	struct zhouyi_binding *binding;
 *
 *	zhouyi_client_open(&client, NULL);
 *	zhouyi_model_load_file(client, "model.elf", NULL, 0, &model);
 *	zhouyi_binding_create_simple(model, &binding);
 *	memcpy(zhouyi_binding_data(binding, ZHOUYI_INPUT, 0), pixels, n_pixels);
 *	zhouyi_run(binding, NULL, NULL);
 *	use(zhouyi_binding_data(binding, ZHOUYI_OUTPUT, 0));
 *
 * Errors. Functions that can fail return 0 (or a count) on success and a negative
 * enum zhouyi_error on failure; outputs are then untouched. zhouyi_strerror()
 * gives the text of a code, zhouyi_client_error() the daemon's sentence about the
 * last failed call on a client.
 *
 * Ownership. Each object is destroyed by its own function, which accepts NULL, and
 * children before parents: bindings, then buffers and models, then the client.
 * Closing a client leaves its children valid only for being destroyed.
 *
 * Threads. The library makes no threads, handles no signals and prints nothing.
 * Different clients may be used by different threads at the same time; one client,
 * with everything made from it, by one thread at a time. Callbacks run only inside
 * zhouyi_client_dispatch(), zhouyi_run() and zhouyi_client_close(), on the calling
 * thread.
 *
 * Fork. After fork() the child may only destroy and close what it inherited, which
 * closes its descriptors and memory and does not disturb the parent. Everything
 * else returns ZHOUYI_ERROR_FORKED.
 *
 * Blocking. Everything one may wait for is readable on zhouyi_client_fd(). Only
 * functions that are documented as blocking wait.
 *
 * Compatibility. Structs that the caller fills start with their size, set by
 * their initializer macros, so that later versions can add members. Enumerators
 * keep their numbers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ZHOUYI_API
#define ZHOUYI_API __attribute__((visibility("default")))
#endif

struct zhouyi_client;
struct zhouyi_model;
struct zhouyi_buffer;
struct zhouyi_binding;
struct zhouyi_reservation;
struct zhouyi_stream;

/* Where the daemon listens unless $ZHOUYI_SOCKET says otherwise. */
#define ZHOUYI_DEFAULT_SOCKET "/run/zhouyid/zhouyid.sock"

/* Functions return these negated: -ZHOUYI_ERROR_NOT_FOUND. */
enum zhouyi_error {
	ZHOUYI_SUCCESS = 0,
	ZHOUYI_ERROR_INVALID = 1,	   /* an argument makes no sense */
	ZHOUYI_ERROR_NOT_FOUND = 2,	   /* no such model, buffer, binding, request, file */
	ZHOUYI_ERROR_EXISTS = 3,	   /* the name is taken by another model */
	ZHOUYI_ERROR_DENIED = 4,	   /* policy or file permissions do not allow it */
	ZHOUYI_ERROR_LIMIT = 5,		   /* a quota of this client is reached */
	ZHOUYI_ERROR_NO_MEMORY = 6,	   /* out of memory, here or in the daemon */
	ZHOUYI_ERROR_NO_DEVICE_MEMORY = 7, /* the device is out of memory */
	ZHOUYI_ERROR_BUSY = 8,	    /* in use, or too much on its way: dispatch, then try again */
	ZHOUYI_ERROR_BAD_MODEL = 9, /* the file is not a valid model */
	ZHOUYI_ERROR_WRONG_TARGET = 10, /* a valid model, but for another device */
	ZHOUYI_ERROR_NOT_SUPPORTED = 11,
	ZHOUYI_ERROR_BAD_BUFFER = 12,	  /* a tensor's range does not fit its buffer or size */
	ZHOUYI_ERROR_DEVICE_FAULT = 13,	  /* the job faulted; zhouyi_result has details */
	ZHOUYI_ERROR_DEVICE_TIMEOUT = 14, /* the job ran longer than it may */
	ZHOUYI_ERROR_DEVICE_GONE = 15,
	ZHOUYI_ERROR_CANCELLED = 16,
	ZHOUYI_ERROR_DEADLINE_REFUSED = 17, /* the deadline cannot be met */
	ZHOUYI_ERROR_DEADLINE_EXPIRED = 18, /* the deadline passed while the request was queued */
	ZHOUYI_ERROR_TIMEOUT = 19,	    /* the request's timeout */
	ZHOUYI_ERROR_SHUTTING_DOWN = 20,    /* the daemon is stopping */
	ZHOUYI_ERROR_PROTOCOL = 21,	    /* daemon and library misunderstand each other */
	ZHOUYI_ERROR_INTERNAL = 22,	    /* a failure of the daemon; its log says more */
	ZHOUYI_ERROR_DISCONNECTED = 23,	    /* no daemon, or it went away */
	ZHOUYI_ERROR_VERSION = 24,	    /* no common protocol version */
	ZHOUYI_ERROR_FORKED = 25,	    /* this client belongs to the parent process */
	ZHOUYI_ERROR_IO = 26,		    /* a file could not be read */
	ZHOUYI_ERROR_QUARANTINED = 27,	    /* refused for a while: made the device hang */
	ZHOUYI_ERROR_DROPPED = 28,	    /* a newer frame of the stream took its place */
	ZHOUYI_ERROR_OVERRUN = 29,	    /* ran longer than its reservation allows */
	ZHOUYI_ERROR_NO_ROOM = 30,	    /* reservations leave no room for it */
};

/* The text of a code, of either sign; static, never NULL. */
ZHOUYI_API const char *zhouyi_strerror(int error);

/* This library's version, "0.1.0". */
ZHOUYI_API const char *zhouyi_version(void);

/*
 * Clients
 */

/*
 * Connect to the daemon at @socket_path, or, if NULL, at $ZHOUYI_SOCKET, or at
 * ZHOUYI_DEFAULT_SOCKET. Blocks until the daemon has answered.
 *   ZHOUYI_ERROR_DISCONNECTED  nothing listens there
 *   ZHOUYI_ERROR_DENIED        the socket's permissions do not let us in
 */
ZHOUYI_API int zhouyi_client_open(struct zhouyi_client **ret, const char *socket_path);

/*
 * Unanswered requests are cancelled by the daemon; their callbacks run now, with
 * ZHOUYI_ERROR_CANCELLED.
 */
ZHOUYI_API void zhouyi_client_close(struct zhouyi_client *client);

/*
 * The daemon's sentence about the last call on @client that failed, or the text of
 * its code. Valid until the next call; never NULL.
 */
ZHOUYI_API const char *zhouyi_client_error(const struct zhouyi_client *client);

/* Readable when zhouyi_client_dispatch() has something to do: poll for POLLIN. The library's. */
ZHOUYI_API int zhouyi_client_fd(const struct zhouyi_client *client);

/*
 * Deliver answers to their callbacks. Waits up to @timeout_ms for the first one: 0
 * does not wait, -1 waits for ever. Returns how many were delivered, or
 *   ZHOUYI_ERROR_DISCONNECTED  the daemon has gone; every unanswered request was
 *                              delivered with this error
 */
ZHOUYI_API int zhouyi_client_dispatch(struct zhouyi_client *client, int timeout_ms);

/*
 * Models
 */

/* For zhouyi_model_load_*(): keep the model loaded, under its name, until zhouyi_model_unload(). */
#define ZHOUYI_LOAD_KEEP 1u

/*
 * Load a model from a file or from memory; the bytes are copied and not needed
 * afterwards. Blocks. @name, at most 63 bytes, is what listings call it; NULL: the
 * file's name (from memory: none). An image that the daemon has already is shared.
 *   ZHOUYI_ERROR_BAD_MODEL, _WRONG_TARGET, _NO_DEVICE_MEMORY, _LIMIT, _DENIED,
 *   ZHOUYI_ERROR_EXISTS     another model is kept under this name
 *   ZHOUYI_ERROR_NOT_FOUND, _IO  the file
 */
ZHOUYI_API int zhouyi_model_load_file(struct zhouyi_client *client, const char *path,
				      const char *name, unsigned int flags,
				      struct zhouyi_model **ret);
ZHOUYI_API int zhouyi_model_load_memory(struct zhouyi_client *client, const void *image,
					size_t size, const char *name, unsigned int flags,
					struct zhouyi_model **ret);

/* Use a model that was loaded with ZHOUYI_LOAD_KEEP. Blocks. ZHOUYI_ERROR_NOT_FOUND. */
ZHOUYI_API int zhouyi_model_open(struct zhouyi_client *client, const char *name,
				 struct zhouyi_model **ret);

/* Bindings of the model must have been destroyed. A kept model stays loaded. */
ZHOUYI_API void zhouyi_model_close(struct zhouyi_model *model);

/* Stop keeping the model called @name. Blocks. ZHOUYI_ERROR_NOT_FOUND. */
ZHOUYI_API int zhouyi_model_unload(struct zhouyi_client *client, const char *name);

enum zhouyi_tensor_kind { ZHOUYI_INPUT = 0, ZHOUYI_OUTPUT = 1 };

/* Element types, numbered as in loadables. */
enum zhouyi_data_type {
	ZHOUYI_TYPE_UNKNOWN = 0x00,
	ZHOUYI_TYPE_BOOL = 0x01,
	ZHOUYI_TYPE_UINT8 = 0x02,
	ZHOUYI_TYPE_INT8 = 0x03,
	ZHOUYI_TYPE_UINT16 = 0x04,
	ZHOUYI_TYPE_INT16 = 0x05,
	ZHOUYI_TYPE_UINT32 = 0x06,
	ZHOUYI_TYPE_INT32 = 0x07,
	ZHOUYI_TYPE_UINT64 = 0x08,
	ZHOUYI_TYPE_INT64 = 0x09,
	ZHOUYI_TYPE_FLOAT16 = 0x0a,
	ZHOUYI_TYPE_FLOAT32 = 0x0b,
};

enum zhouyi_layout { ZHOUYI_LAYOUT_UNKNOWN = 0, ZHOUYI_LAYOUT_NHWC = 1, ZHOUYI_LAYOUT_NCHW = 2 };

#define ZHOUYI_MAX_RANK 8

/*
 * A tensor of a model. For quantized tensors real = (stored - zero_point) * scale;
 * scale 0 means the file does not say.
 */
struct zhouyi_tensor {
	enum zhouyi_tensor_kind kind;
	unsigned int index; /* among the tensors of its kind */
	const char *name;   /* "" if the model has no names */
	size_t size;	    /* bytes */
	enum zhouyi_data_type type;
	unsigned int rank;		/* 0 if the model has no shapes */
	uint32_t dims[ZHOUYI_MAX_RANK]; /* outermost first */
	enum zhouyi_layout layout;
	float scale;
	int32_t zero_point;
};

/* "uint8", "int8", "float32", …; never NULL. */
ZHOUYI_API const char *zhouyi_data_type_name(enum zhouyi_data_type type);

ZHOUYI_API unsigned int zhouyi_model_n_tensors(const struct zhouyi_model *model,
					       enum zhouyi_tensor_kind kind);
/* Borrowed from the model; NULL if there is no such tensor. */
ZHOUYI_API const struct zhouyi_tensor *zhouyi_model_tensor(const struct zhouyi_model *model,
							   enum zhouyi_tensor_kind kind,
							   unsigned int index);
/* Borrowed from the model, never NULL: its name, SHA-256 in hexadecimal, target. */
ZHOUYI_API const char *zhouyi_model_name(const struct zhouyi_model *model);
ZHOUYI_API const char *zhouyi_model_hash(const struct zhouyi_model *model);
ZHOUYI_API const char *zhouyi_model_target(const struct zhouyi_model *model);

/*
 * Buffers: memory that this process and the NPU share. Tensors in them are used
 * in place; nothing is copied.
 */

/* @size bytes, zeroed, mapped read-write. Blocks. ZHOUYI_ERROR_LIMIT, _NO_DEVICE_MEMORY. */
ZHOUYI_API int zhouyi_buffer_create(struct zhouyi_client *client, size_t size,
				    struct zhouyi_buffer **ret);
/* Unmaps it. The NPU's side stays while bindings use it. */
ZHOUYI_API void zhouyi_buffer_destroy(struct zhouyi_buffer *buffer);
ZHOUYI_API void *zhouyi_buffer_data(const struct zhouyi_buffer *buffer);
/* At least what was asked for: rounded up to pages. */
ZHOUYI_API size_t zhouyi_buffer_size(const struct zhouyi_buffer *buffer);

/*
 * Bindings: a model, and where each of its inputs and outputs lives. Made once,
 * used for any number of requests. A camera with four frames has four bindings.
 */

struct zhouyi_range {
	enum zhouyi_tensor_kind kind;
	unsigned int index;
	struct zhouyi_buffer *buffer;
	size_t offset; /* any; the tensor occupies [offset, offset + its size) */
};

/*
 * @ranges names every input and output of @model exactly once. Outputs must not
 * overlap anything else. Blocks. ZHOUYI_ERROR_BAD_BUFFER, _LIMIT.
 */
ZHOUYI_API int zhouyi_binding_create(struct zhouyi_model *model, const struct zhouyi_range *ranges,
				     size_t n_ranges, struct zhouyi_binding **ret);
/* The same with one new buffer that the binding owns and that has room for everything. */
ZHOUYI_API int zhouyi_binding_create_simple(struct zhouyi_model *model,
					    struct zhouyi_binding **ret);
/* No request of it may be unanswered. */
ZHOUYI_API void zhouyi_binding_destroy(struct zhouyi_binding *binding);
/* Where a tensor lives in this process; NULL if there is no such tensor. */
ZHOUYI_API void *zhouyi_binding_data(const struct zhouyi_binding *binding,
				     enum zhouyi_tensor_kind kind, unsigned int index);

/*
 * Requests
 */

/* Most urgent first. */
enum zhouyi_class {
	ZHOUYI_CLASS_REALTIME = 0,
	ZHOUYI_CLASS_INTERACTIVE = 1, /* the default */
	ZHOUYI_CLASS_NORMAL = 2,
	ZHOUYI_CLASS_BACKGROUND = 3,
};

struct zhouyi_options {
	size_t size; /* sizeof(struct zhouyi_options) */
	enum zhouyi_class request_class;
	uint64_t core_mask;   /* cores it may run on, bit i for core i; 0: any */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC, absolute; 0: none */
	uint64_t timeout_ns;  /* from acceptance; then it is stopped; 0: none */
	unsigned int n_cores; /* how many of them at once; 0: one */
};
#define ZHOUYI_OPTIONS_INIT                                                                        \
	{                                                                                          \
		.size = sizeof(struct zhouyi_options), .request_class = ZHOUYI_CLASS_INTERACTIVE   \
	}

/*
 * Deadlines. A request whose deadline cannot be met is refused at once
 * (ZHOUYI_ERROR_DEADLINE_REFUSED); one that can no longer be met in the queue is given up
 * (_DEADLINE_EXPIRED); one that is met too late succeeds, and its result says `late`.
 */

enum zhouyi_wait {
	ZHOUYI_WAIT_NONE = 0,	     /* it was started at once */
	ZHOUYI_WAIT_OWN = 1,	     /* behind a request of the same client */
	ZHOUYI_WAIT_RUNNING = 2,     /* for one that was running already */
	ZHOUYI_WAIT_URGENT = 3,	     /* behind a more urgent class */
	ZHOUYI_WAIT_DEADLINE = 4,    /* behind an earlier deadline */
	ZHOUYI_WAIT_SHARE = 5,	     /* it was another client's turn in the same class */
	ZHOUYI_WAIT_FLOOR = 6,	     /* a less urgent class was owed its floor */
	ZHOUYI_WAIT_RESERVATION = 7, /* its cores were kept for a reservation, or ran one */
	ZHOUYI_WAIT_THROTTLE = 8,    /* its reservation, or a quota, was used up */
	ZHOUYI_WAIT_SLOT = 9,	     /* no execution slot of its model was free */
	ZHOUYI_WAIT_CORES = 10,	     /* several cores had to become free together */
	ZHOUYI_WAIT_RECOVERY = 11,   /* it ran before, and had to run again */
};

/* "urgent", …, and for people "behind a more urgent class", …; never NULL. */
ZHOUYI_API const char *zhouyi_wait_name(enum zhouyi_wait wait);
ZHOUYI_API const char *zhouyi_wait_text(enum zhouyi_wait wait);
/* "realtime", "interactive", "normal", "background"; never NULL. */
ZHOUYI_API const char *zhouyi_class_name(enum zhouyi_class request_class);

/* How a request went. Times are in nanoseconds. */
struct zhouyi_result {
	int error;	  /* 0 or a negated enum zhouyi_error */
	uint64_t request; /* the daemon's number for it, as in its log */
	uint64_t queue_ns, run_ns, total_ns;
	uint64_t cores;	       /* where it ran, one bit per core */
	uint64_t copied_bytes; /* tensor bytes the daemon had to copy; 0 is the rule */
	/* With ZHOUYI_ERROR_DEVICE_FAULT: */
	unsigned int fault;	 /* 1 instruction, 2 memory access, 3 device, 4 no completion */
	unsigned int fault_code; /* device specific */
	unsigned int fault_core, fault_tec, fault_insn;
	uint64_t fault_address;
	/* Why it was not started at once: the last reason, and whose request it waited for. */
	enum zhouyi_wait wait;
	bool late;	     /* it succeeded, but after its deadline */
	uint64_t waited_for; /* number of a session, as in the daemon's log; 0: nobody's */
	/* Of a frame of a stream: */
	uint64_t sequence;    /* its number among the frames, from 1; 0: it did not become one */
	uint64_t dropped;     /* frames of the stream that were dropped so far */
	uint64_t reserved[4]; /* 0; room for later versions */
};

/* One sentence about a result, for people; static until the next call in this thread. */
ZHOUYI_API const char *zhouyi_result_text(const struct zhouyi_result *result);

/* @result is valid during the call only. May submit; must not destroy @binding or the client. */
typedef void (*zhouyi_done_fn)(struct zhouyi_binding *binding, const struct zhouyi_result *result,
			       void *userdata);

/*
 * Queue one inference. Does not block. Inputs must not change and outputs must not
 * be used before the answer, which @done gets, from dispatch, exactly once. If the
 * answer is an error of a run, the outputs hold no result: they are filled with 0xa5.
 * @options may be NULL. @ret_request may be NULL; it gets a number for
 * zhouyi_cancel().
 *   ZHOUYI_ERROR_BUSY          the socket is full: dispatch, then try again
 *   ZHOUYI_ERROR_DISCONNECTED
 * Everything else, such as a limit, is an answer.
 */
ZHOUYI_API int zhouyi_submit(struct zhouyi_binding *binding, const struct zhouyi_options *options,
			     zhouyi_done_fn done, void *userdata, uint64_t *ret_request);

/*
 * Submit and wait. Answers of other requests that arrive meanwhile are delivered
 * to their callbacks. Returns the result's error. @ret_result may be NULL.
 */
ZHOUYI_API int zhouyi_run(struct zhouyi_binding *binding, const struct zhouyi_options *options,
			  struct zhouyi_result *ret_result);

/*
 * Cancel a request. Blocks for the daemon's acknowledgement: from then on it is
 * cancelled. Its callback still comes exactly once, from dispatch, when the device
 * has let go of its buffers. ZHOUYI_ERROR_NOT_FOUND: it is answered already.
 */
ZHOUYI_API int zhouyi_cancel(struct zhouyi_client *client, uint64_t request);

/*
 * Reservations: the daemon's promise that frames of a model, one each period or less
 * often, meet their deadline, whatever else is going on.
 *
 * What follows, down to zhouyi_trace_get(), and options.n_cores above 1, answer
 * ZHOUYI_ERROR_NOT_SUPPORTED if the daemon is too old for it. All but
 * zhouyi_stream_submit(), _release() and _destroy() block.
 */

struct zhouyi_reserve_options {
	size_t size; /* sizeof(struct zhouyi_reserve_options) */
	uint64_t period_ns;
	uint64_t deadline_ns; /* from a frame's arrival; 0: the period */
	uint64_t jitter_ns;   /* how much early a frame may come; less than the period */
	uint64_t budget_ns;   /* device time of a frame; 0: from what the model's runs took */
	uint64_t core_mask;   /* one of these becomes its home; 0: any */
	bool probe;	      /* only ask what would come of it */
};
#define ZHOUYI_RESERVE_OPTIONS_INIT                                                                \
	{                                                                                          \
		.size = sizeof(struct zhouyi_reserve_options)                                      \
	}

/* What came of asking. Freed with zhouyi_free(). */
struct zhouyi_verdict {
	bool granted;
	const char *refusal; /* "utilisation", "blocking", "last core", …; "" if granted */
	unsigned int core;   /* granted: home */
	uint64_t budget_ns, period_ns, deadline_ns, jitter_ns;
	unsigned int learned_from; /* runs the budget was learned from; 0: it was given */
	uint64_t tolerance_ns;	   /* granted: how long others may block frames on this core */
	uint64_t best_period_ns;   /* denied: the smallest that would be granted; 0: none */
	size_t n_cores;
	const uint32_t *used_ppm; /* of each core: utilisation by reservations, in millionths */
};

/*
 * Ask for a reservation for @model. Returns 0 if it is granted, or would be: *@ret is then
 * the reservation, or NULL for a probe. @ret_verdict may be NULL.
 *   ZHOUYI_ERROR_NO_ROOM  denied: *@ret_verdict says why, and what is possible; and
 *                         zhouyi_client_error() says it in a sentence
 *   ZHOUYI_ERROR_INVALID  numbers that make no sense; or no budget, and the model has hardly run
 *   ZHOUYI_ERROR_LIMIT
 */
ZHOUYI_API int zhouyi_reserve(struct zhouyi_model *model,
			      const struct zhouyi_reserve_options *options,
			      struct zhouyi_reservation **ret, struct zhouyi_verdict **ret_verdict);
/* Give it back. Streams that use it go on without. Accepts NULL. */
ZHOUYI_API void zhouyi_reservation_release(struct zhouyi_reservation *reservation);

/*
 * Streams: frames of one model that come one after the other.
 */

/* What becomes of frames when they come faster than they run. One that runs is never dropped. */
enum zhouyi_drop {
	ZHOUYI_DROP_LATEST = 0, /* only the newest frame waits; a newer one replaces it */
	ZHOUYI_DROP_OLDEST = 1, /* `depth` frames wait; then the oldest of them is dropped */
	ZHOUYI_DROP_BLOCK = 2,	/* `depth` frames wait; then more are answered _BUSY */
};

struct zhouyi_stream_options {
	size_t size;			/* sizeof(struct zhouyi_stream_options) */
	enum zhouyi_class stream_class; /* with a reservation: realtime */
	uint64_t period_ns;		/* how often frames come; 0: as they come */
	uint64_t deadline_ns; /* from a frame's acceptance; 0: none, or the reservation's */
	uint64_t core_mask;   /* 0: any */
	enum zhouyi_drop drop;
	unsigned int depth;			/* with _OLDEST and _BLOCK: 1 to 1024 */
	struct zhouyi_reservation *reservation; /* of the same model; NULL: none */
};
#define ZHOUYI_STREAM_OPTIONS_INIT                                                                 \
	{                                                                                          \
		.size = sizeof(struct zhouyi_stream_options),                                      \
		.stream_class = ZHOUYI_CLASS_INTERACTIVE                                           \
	}

ZHOUYI_API int zhouyi_stream_create(struct zhouyi_model *model,
				    const struct zhouyi_stream_options *options,
				    struct zhouyi_stream **ret);
/* Frames that are on their way are still answered. Accepts NULL. */
ZHOUYI_API void zhouyi_stream_destroy(struct zhouyi_stream *stream);

/*
 * The next frame: @binding, of the stream's model, is run as by zhouyi_submit(), with the
 * stream's class, cores and deadline. If it is dropped the answer is ZHOUYI_ERROR_DROPPED.
 */
ZHOUYI_API int zhouyi_stream_submit(struct zhouyi_stream *stream, struct zhouyi_binding *binding,
				    zhouyi_done_fn done, void *userdata, uint64_t *ret_request);

/* submitted = done + dropped + missed + failed + queued + running. */
struct zhouyi_stream_info {
	uint64_t sequence; /* number of the latest frame */
	uint64_t submitted;
	uint64_t done, late; /* the late ones are among the done */
	uint64_t dropped;
	uint64_t missed; /* refused or expired, because of the deadline */
	uint64_t failed; /* whatever else */
	unsigned int queued, running;
	uint64_t run_max_ns, response_max_ns; /* of those done: the longest */
};
/* What became of the frames so far; freed with zhouyi_free(). */
ZHOUYI_API int zhouyi_stream_info_get(struct zhouyi_stream *stream,
				      struct zhouyi_stream_info **ret);

/*
 * Looking around. All block. What they return is one allocation, freed with
 * zhouyi_free(); strings in it live as long.
 */

ZHOUYI_API void zhouyi_free(void *info);

struct zhouyi_counter {
	const char *name;
	uint64_t value;
};

struct zhouyi_status {
	const char *version; /* the daemon's */
	const char *health;  /* "ready", "degraded", "draining" */
	uint64_t uptime_ns;
	unsigned int sessions, models, queued, running;
	uint64_t accepted, answered, succeeded, faulted, cancelled, copied_bytes;
	size_t n_counters; /* what went wrong and what was done about it */
	const struct zhouyi_counter *counters;
	size_t n_reasons; /* why it is not ready, a sentence each */
	const char *const *reasons;
};
ZHOUYI_API int zhouyi_status_get(struct zhouyi_client *client, struct zhouyi_status **ret);

struct zhouyi_device {
	const char *backend, *reason, *target, *placement;
	unsigned int partitions, clusters, cores, tecs;
	uint64_t memory_bytes, memory_used;
	size_t n_counters;
	const struct zhouyi_counter *counters;
};
ZHOUYI_API int zhouyi_device_get(struct zhouyi_client *client, struct zhouyi_device **ret);

struct zhouyi_model_summary {
	const char *name, *hash, *target;
	bool kept;
	unsigned int users, slots;
	uint64_t device_bytes, requests;
};

struct zhouyi_model_list {
	size_t n;
	const struct zhouyi_model_summary *models;
};
ZHOUYI_API int zhouyi_model_list_get(struct zhouyi_client *client, struct zhouyi_model_list **ret);

/*
 * Explanations. Everybody sees the requests of their own user; who has the right admin sees
 * all.
 */

/* A request that was answered, or is on its way. Times are of CLOCK_MONOTONIC. */
struct zhouyi_record {
	uint64_t request; /* as in results and the log */
	uint64_t session;
	unsigned int uid;
	const char *client, *model; /* the program's name, and the model's; may be cut */
	const char *model_hash;	    /* its beginning */
	enum zhouyi_class request_class;
	int error; /* as in results */
	bool late;
	uint64_t accepted_ns;
	uint64_t started_ns;	/* handed over to the device; 0: never */
	uint64_t ended_ns;	/* off the device, or never there and answered; 0: not yet */
	uint64_t run_ns;	/* on the device, as that measured it */
	uint64_t deadline_ns;	/* 0: none */
	uint64_t allowed_cores; /* where it might have run */
	unsigned int n_cores;
	uint64_t cores; /* where it ran */
	enum zhouyi_wait wait;
	uint64_t waited_for;	   /* session; 0: nobody's */
	uint64_t stream, sequence; /* number of the daemon's for the stream; 0: none */
	uint64_t reservation;	   /* likewise */
};

/* Somebody whose requests were on the cores while another one waited. */
struct zhouyi_occupant {
	uint64_t session;   /* 0: all that did not fit in the list */
	const char *client; /* the program's name */
	unsigned int uid;
	enum zhouyi_class request_class;
	uint64_t ns; /* time on the cores, times cores */
	unsigned int requests;
};

struct zhouyi_explanation {
	struct zhouyi_record request;
	const char *state;	/* "queued", "running", "answered" */
	const char *waited_for; /* the program it waited for last, if known */
	size_t n_occupants;
	const struct zhouyi_occupant *occupants; /* longest first */
	uint64_t idle_ns; /* time in which its cores were free while it waited, times cores */
};

/*
 * What became of a request, by the number in its result. Only the latest requests are
 * remembered: else ZHOUYI_ERROR_NOT_FOUND. ZHOUYI_ERROR_BUSY: who asks often has to wait a little.
 */
ZHOUYI_API int zhouyi_explain(struct zhouyi_client *client, uint64_t request,
			      struct zhouyi_explanation **ret);

/* A queued request. Those of others have no number and no names. */
struct zhouyi_plan_entry {
	uint64_t request, session;
	unsigned int uid;
	const char *client, *model;
	enum zhouyi_class request_class;
	uint64_t accepted_ns;
	uint64_t start_ns, end_ns; /* expected */
	uint64_t cores, deadline_ns;
	bool own; /* of the same user */
};

struct zhouyi_plan_reservation {
	uint64_t reservation, session;
	unsigned int uid;
	const char *client, *model;
	unsigned int core;
	uint64_t budget_ns, period_ns, deadline_ns, jitter_ns;
	uint64_t frames, early, overruns, missed;
	bool own;
};

struct zhouyi_plan_class {
	enum zhouyi_class request_class;
	unsigned int queued, running, floor_percent;
	uint64_t device_ns; /* so far, times cores */
};

struct zhouyi_plan_core {
	unsigned int core;
	bool healthy;
	unsigned int running;
	bool held; /* idle for a request of several cores that collects them */
	unsigned int reservations;
	uint32_t reserved_ppm;
	uint64_t tolerance_ns; /* how long others may block its reservations */
	uint64_t device_ns;
};

/* What would happen if nothing else came and each request ran as long as estimated. */
struct zhouyi_plan {
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	unsigned int queued, running;
	size_t n_entries; /* in the order of their starts; not more than the daemon looks ahead */
	const struct zhouyi_plan_entry *entries;
	size_t n_reservations;
	const struct zhouyi_plan_reservation *reservations;
	size_t n_classes;
	const struct zhouyi_plan_class *classes;
	size_t n_cores;
	const struct zhouyi_plan_core *cores;
};
/* ZHOUYI_ERROR_BUSY: who asks often has to wait a little. */
ZHOUYI_API int zhouyi_plan_get(struct zhouyi_client *client, struct zhouyi_plan **ret);

/* What one program of a user used with one model. */
struct zhouyi_usage {
	const char *client, *model; /* both empty: all others */
	uint64_t requests, device_ns;
};

struct zhouyi_account_client {
	uint64_t session;
	const char *client;
	int pid;
	unsigned int queued, running, buffers, models;
	uint64_t device_ns, buffer_bytes;
};

/*
 * A user, or a slice or unit with limits of its own: in all its connections. Limits are 0 if there
 * is none.
 */
struct zhouyi_account {
	unsigned int uid;      /* of a slice or unit: who was the first there */
	const char *principal; /* "slice:cameras.slice"; empty: the user */
	unsigned int sessions, queued, running, buffers, models, weight;
	uint64_t device_ns;    /* so far, times cores */
	uint64_t device_bytes; /* buffers, and models as large as they were when opened */
	unsigned int max_queued, max_running, max_buffers, max_models, share_percent;
	uint64_t max_device_bytes;
	size_t n_usages;
	const struct zhouyi_usage *usages;
	size_t n_clients; /* that are connected */
	const struct zhouyi_account_client *clients;
};

struct zhouyi_account_list {
	size_t n;
	const struct zhouyi_account *accounts;
};
ZHOUYI_API int zhouyi_accounts_get(struct zhouyi_client *client, struct zhouyi_account_list **ret);

/*
 * Access: who the daemon takes a client for, by what the kernel says, and what that may
 * do by the daemon's rules.
 */

struct zhouyi_right {
	const char *name; /* "load", "load-native", "infer", "reserve", "admin" */
	bool allowed;
};

struct zhouyi_access {
	bool has_uid, has_gid; /* false: it has no number in the daemon's user namespace */
	unsigned int uid, gid;
	size_t n_groups; /* supplementary */
	const unsigned int *groups;
	int64_t pid;		  /* as the daemon sees it; 0: it cannot */
	bool placed;		  /* the daemon knows the two that follow */
	const char *unit;	  /* "camera.service"; empty: in none */
	const char *slice;	  /* "cameras.slice" */
	const char *user_unit;	  /* in the user's own manager; nothing depends on it */
	const char *cgroup;	  /* empty: not known */
	const char *label;	  /* of a security module; empty: none */
	size_t n_rules;		  /* that apply, the weakest first */
	const char *const *rules; /* "default", "user:alice" */
	size_t n_rights;	  /* all there are */
	const struct zhouyi_right *rights;
	enum zhouyi_class class_ceiling; /* the most urgent one allowed */
	uint64_t cores;			 /* bit i: core i */
	bool unplaced;			 /* nothing is allowed, because rules ask where it runs */
	/* Whose limits these are: "slice:cameras.slice"; empty: the user's. 0: no limit. */
	const char *principal;
	unsigned int weight, max_queued, max_running, max_buffers, max_models, share_percent;
	uint64_t max_device_bytes;
};
/* Who am I? */
ZHOUYI_API int zhouyi_whoami(struct zhouyi_client *client, struct zhouyi_access **ret);

/* Somebody imagined; what is not said is not known. */
struct zhouyi_principal {
	bool has_uid;
	unsigned int uid;
	size_t n_groups; /* its own and supplementary */
	const unsigned int *groups;
	const char *unit, *slice; /* NULL: none */
};
/* What might that one do? ZHOUYI_ERROR_DENIED: about others may ask who has the right admin. */
ZHOUYI_API int zhouyi_access_test(struct zhouyi_client *client,
				  const struct zhouyi_principal *principal,
				  struct zhouyi_access **ret);

/* Requests that were answered, in the order in which they ended. */
struct zhouyi_trace {
	size_t n;
	const struct zhouyi_record *records;
	uint64_t next; /* @since, to ask for what comes after */
	uint64_t lost; /* answers after @since that are remembered no more */
	uint64_t now_ns;
	unsigned int cores; /* of the device */
	const char *placement;
	bool more;	  /* ask again at once: not everything fitted */
	uint64_t stop_ns; /* a request that is stopped is off its cores after this; UINT64_MAX: not
			     surely */
};
/* @since: 0, or `next` of the one before; UINT64_MAX: nothing, but where to begin. */
ZHOUYI_API int zhouyi_trace_get(struct zhouyi_client *client, uint64_t since,
				struct zhouyi_trace **ret);

#ifdef __cplusplus
}
#endif
