/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the daemon is, and why: what health checks, metrics and the service manager ask.
 *
 *	STARTING --> READY <--> DEGRADED --> DRAINING
 *
 * Nothing is counted for it: health_of() looks at what there is anyway. Whoever wants to
 * be told when it changes is a health_watch: what changes it calls health_changed(), and
 * what ends by itself has a time.
 *
 * Loop thread only.
 */
#pragma once

#include <stdint.h>

struct listener;
struct loop;
struct loop_timer;
struct reload;
struct session_group;

/* Nobody can ask while it is starting: only the service manager is told. */
enum health_state {
	HEALTH_STARTING,
	HEALTH_READY,
	HEALTH_DEGRADED, /* works, but not as it should */
	HEALTH_DRAINING,
	HEALTH_STATE_MAX_
};

enum health_reason {
	HEALTH_STOPPING,
	HEALTH_MEMORY_LOST, /* the device is back without it */
	HEALTH_DEVICE_GONE,
	HEALTH_RECOVERING,
	HEALTH_CORES_UNUSED,
	HEALTH_QUARANTINE,
	HEALTH_OLD_CONFIG,
	HEALTH_TURNED_AWAY,
	HEALTH_REASON_MAX_
};

#define HEALTH_TEXT_MAX 160u
#define HEALTH_STATUS_MAX (32 + HEALTH_REASON_MAX_ * (HEALTH_TEXT_MAX + 2))

struct health {
	enum health_state state;
	unsigned int reasons; /* bit r: HEALTH_… r is one */
	/* For people, of those that are: one line, printable. */
	char texts[HEALTH_REASON_MAX_][HEALTH_TEXT_MAX];
	uint64_t since_ns[HEALTH_REASON_MAX_]; /* CLOCK_MONOTONIC; 0: not known */
	uint64_t until_ns; /* time alone changes it then; UINT64_MAX: it does not */
};

/* Clients that were turned away are a reason for so long. */
#define HEALTH_TURNED_AWAY_NS UINT64_C(60000000000)

void health_of(const struct session_group *group, uint64_t now_ns, struct health *ret);

/* "starting", "ready", "degraded", "draining"; never NULL. */
const char *health_state_name(enum health_state state);
/* "device_gone", …: for machines, never changes; never NULL. */
const char *health_reason_name(enum health_reason reason);

/* The text of a reason, and for how long it has been one. Returns @buf. */
char *health_say(const struct health *health, enum health_reason reason, uint64_t now_ns,
		 char buf[static HEALTH_TEXT_MAX]);

/* Tells the service manager, and the log what no other line says. */
struct health_watch {
	const struct session_group *group; /* borrowed */
	struct loop_timer *timer;	   /* owned; NULL: it has not begun, or is over */
	unsigned int reasons;		   /* that were told */
	char status[HEALTH_STATUS_MAX];
};

/* Before there is anything to look at: "starting". */
void health_starting(const char *what);

/* The manager is told that it is ready, or whatever it is, and from then on. */
int health_watch_init(struct health_watch *watch, struct loop *loop,
		      const struct session_group *group);
/* Harmless on zeroes, and when done twice. */
void health_watch_finish(struct health_watch *watch);

/* Look again, soon; @watch is a struct health_watch. Cheap, from wherever. */
void health_changed(void *watch);
