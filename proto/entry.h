/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What travels for each inference: one fixed 128-byte entry each way. The same
 * structs are packets on the socket today and ring entries later.
 *
 * Every packet on the socket starts with a 32-bit type word:
 *
 *	ZY_PACKET_SUBMIT    client -> daemon   exactly one struct zy_submit
 *	ZY_PACKET_COMPLETE  daemon -> client   exactly one struct zy_complete
 *	ZY_PACKET_CONTROL   both ways          type word, then one protobuf message:
 *	                                       zy.Request from the client, zy.Response
 *	                                       from the daemon (zhouyi.proto), with its
 *	                                       descriptors as SCM_RIGHTS
 *
 * Both ends are on one machine, so integers are in its byte order. Fields that
 * are reserved are 0 when sent; the daemon refuses a submit entry in which they
 * are not, and clients ignore them, so that either side can learn to use them.
 * Flags are negotiated by feature bits in hello.
 */
#pragma once

#include <stdint.h>

#define ZY_PROTOCOL_VERSION 1u

/* The largest control packet, type word included. */
#define ZY_PACKET_MAX 65536u

/* "ZYxx" in memory order: a stream of garbage is not mistaken for a packet. */
#define ZY_PACKET_SUBMIT 0x0153595au
#define ZY_PACKET_COMPLETE 0x0243595au
#define ZY_PACKET_CONTROL 0x0350595au

/* Scheduling classes, most urgent first. */
enum zy_class {
	ZY_CLASS_REALTIME = 0,
	ZY_CLASS_INTERACTIVE = 1,
	ZY_CLASS_NORMAL = 2,
	ZY_CLASS_BACKGROUND = 3,
	ZY_CLASS_MAX_
};

/*
 * Results, in entries and in zy.Response.status: 0 or one of these. Numbers are
 * for ever; the public header gives the same numbers names of its own.
 */
enum zy_status {
	ZY_OK = 0,
	ZY_INVALID = 1,		 /* an argument makes no sense; detail says which */
	ZY_NOT_FOUND = 2,	 /* no such model, buffer, binding or request */
	ZY_EXISTS = 3,		 /* the name is taken */
	ZY_DENIED = 4,		 /* policy does not allow it */
	ZY_LIMIT = 5,		 /* a quota or bound of this client is reached */
	ZY_NO_MEMORY = 6,	 /* the daemon is out of memory */
	ZY_NO_DEVICE_MEMORY = 7, /* the device is out of memory */
	ZY_BUSY = 8,		 /* in use: try again later */
	ZY_BAD_MODEL = 9,	 /* malformed loadable */
	ZY_WRONG_TARGET = 10,	 /* well-formed, but for another device */
	ZY_NOT_SUPPORTED = 11,
	ZY_BAD_BUFFER = 12,	/* a tensor's range does not fit its buffer or its size */
	ZY_DEVICE_FAULT = 13,	/* the job faulted; the entry has device details */
	ZY_DEVICE_TIMEOUT = 14, /* the job ran longer than it may */
	ZY_DEVICE_GONE = 15,
	ZY_CANCELLED = 16,
	ZY_DEADLINE_REFUSED = 17, /* cannot be met */
	ZY_DEADLINE_EXPIRED = 18, /* passed while the request was queued */
	ZY_TIMEOUT = 19,	  /* the request's own timeout */
	ZY_SHUTTING_DOWN = 20,
	ZY_PROTOCOL = 21,     /* broken message; the connection ends */
	ZY_INTERNAL = 22,     /* ours; the log says more */
	ZY_DISCONNECTED = 23, /* library only: the daemon went away */
	ZY_VERSION = 24,      /* no common protocol version */
	ZY_FORKED = 25,	      /* library only: the client belongs to the parent process */
	ZY_IO = 26,	      /* library only: a file could not be read */
	ZY_QUARANTINED = 27,  /* this client's requests of this model made the device hang: later */
	/* Only to clients that negotiated ZY_FEATURE_SCHEDULING: */
	ZY_DROPPED = 28, /* a newer frame of its stream took its place */
	ZY_OVERRUN = 29, /* it ran longer than its reservation allows, and was stopped */
	ZY_NO_ROOM = 30, /* the reservations that there are leave no room for it */
	ZY_STATUS_MAX_
};

/* Run @binding once. */
struct zy_submit {
	uint32_t type;	      /* ZY_PACKET_SUBMIT */
	uint32_t binding;     /* id from CreateBinding */
	uint64_t cookie;      /* comes back in the completion; unique among this client's unanswered
				 requests */
	uint32_t class;	      /* enum zy_class */
	uint32_t flags;	      /* 0 */
	uint64_t core_mask;   /* cores it may run on; 0 = any */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC, absolute, end to end; 0 = none */
	uint64_t timeout_ns;  /* from acceptance to answer; 0 = none */
	/* With ZY_FEATURE_SCHEDULING; else reserved: */
	uint32_t n_cores; /* how many cores at once; 0 = 1 */
	uint32_t stream;  /* id from CreateStream, whose class, deadline and cores then hold; 0 =
			     none */
	uint64_t reserved[9];
};
_Static_assert(sizeof(struct zy_submit) == 128, "entries have 128 bytes");

/* Classes of device failures in zy_complete.fault. */
enum zy_fault {
	ZY_FAULT_NONE = 0,
	ZY_FAULT_EXCEPTION = 1, /* the program did something illegal */
	ZY_FAULT_MEMORY = 2,	/* an access outside what it may touch */
	ZY_FAULT_ERROR = 3,	/* a device or pool error */
	ZY_FAULT_NO_END = 4,	/* the chain ended without reporting completion */
};

/*
 * The device no longer touches the request's buffers. Set on every answer but the
 * first of two: a request that is cancelled, or times out, while it runs is told so
 * at once, and released by a second entry with the same cookie and status when the
 * device has let go.
 */
#define ZY_COMPLETE_RELEASED (1u << 0)

/* ZY_OK, but after the deadline. */
#define ZY_COMPLETE_LATE (1u << 1)

/* Why a request waited; the numbers of enum policy_wait. */
enum zy_wait {
	ZY_WAIT_NONE = 0,
	ZY_WAIT_OWN = 1,	 /* behind a request of the same client */
	ZY_WAIT_RUNNING = 2,	 /* for one that was running already */
	ZY_WAIT_URGENT = 3,	 /* behind a more urgent class */
	ZY_WAIT_DEADLINE = 4,	 /* behind an earlier deadline */
	ZY_WAIT_SHARE = 5,	 /* another client's turn in the same class */
	ZY_WAIT_FLOOR = 6,	 /* a less urgent class was owed its floor */
	ZY_WAIT_RESERVATION = 7, /* its cores were kept for a reservation, or ran one */
	ZY_WAIT_THROTTLE = 8,	 /* its reservation, or a quota, was used up */
	ZY_WAIT_GATE = 9,	 /* no execution slot of its model was free */
	ZY_WAIT_CORES = 10,	 /* several cores had to become free together */
	ZY_WAIT_RECOVERY = 11,	 /* it ran before and was put back */
	ZY_WAIT_MAX_
};

/* Whose bound was reached: fault_code with ZY_LIMIT. */
enum zy_limit {
	ZY_LIMIT_OTHER = 0,
	ZY_LIMIT_SESSION_QUEUED = 1, /* unanswered requests of this client */
	ZY_LIMIT_ACCOUNT_QUEUED = 2, /* queued requests of all clients of this user */
};

/* The answer to one submit entry. Times are in nanoseconds. */
struct zy_complete {
	uint32_t type;	/* ZY_PACKET_COMPLETE */
	int32_t status; /* enum zy_status */
	uint64_t cookie;
	uint64_t request; /* the daemon's number for this request, as in its log; 0 if it was never
			     accepted */
	uint32_t flags;	  /* ZY_COMPLETE_* */
	uint32_t waited_for; /* session whose request it waited for last; 0: nobody in particular */
	uint64_t queue_ns;   /* acceptance to hand-over to the device */
	uint64_t run_ns;     /* on the device, as the device measures it */
	uint64_t total_ns;   /* acceptance to this answer */
	uint64_t cores;	     /* where it ran, one bit per core */
	uint64_t copied_bytes; /* tensor bytes the daemon copied: 0 on the zero-copy path */
	/* With ZY_DEVICE_FAULT: */
	uint32_t fault;	     /* enum zy_fault */
	uint32_t fault_code; /* device specific; software NPU: enum npu_reason; and see enum
				zy_limit */
	uint64_t fault_address;
	uint32_t fault_tcbp;
	uint32_t fault_insn; /* index of the instruction */
	uint8_t fault_core, fault_tec;
	uint8_t wait; /* enum zy_wait: the last reason why it was not started at once */
	uint8_t reserved0[5];
	uint64_t sequence; /* of a stream: its number among the stream's frames, from 1 */
	uint64_t dropped;  /* of a stream: frames that were dropped so far */
	uint64_t reserved[1];
};
_Static_assert(sizeof(struct zy_complete) == 128, "entries have 128 bytes");

/*
 * Feature bits of hello. Scheduling: n_cores and stream of submissions, the statuses
 * from ZY_DROPPED on, and the requests from Reserve to GetAccounts. Access: Whoami and
 * TestAccess. Activity: GetActivity.
 */
#define ZY_FEATURE_SCHEDULING (UINT64_C(1) << 0)
#define ZY_FEATURE_ACCESS (UINT64_C(1) << 1)
#define ZY_FEATURE_ACTIVITY (UINT64_C(1) << 2)
#define ZY_FEATURES (ZY_FEATURE_SCHEDULING | ZY_FEATURE_ACCESS | ZY_FEATURE_ACTIVITY)
