/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	                       refused or late          refused or late
 *	IDLE --begin--> ABORT -----------------> SOFT_RESET ----------> RESET --+
 *	 ^                                                                      |
 *	 |                   +--refused: again after a while--+                 | refused
 *	 |                   v                                |                 | or late
 *	 +--settled--      REOPEN <-----------------------------------vanished--+
 *	 (of any rung        |    ^
 *	  but GONE)          |    | a look, now and then
 *	       too often,    v    |
 *	       or late      GONE -+
 *
 * GONE is ordered once: looks that find nothing lead back to it in silence.
 */
#include "daemon/recovery.h"

#include <assert.h>

#define NEVER UINT64_MAX

static uint64_t later(uint64_t now_ns, uint64_t delay_ns)
{
	uint64_t t;

	/* Very late is not never. */
	return __builtin_add_overflow(now_ns, delay_ns, &t) || t == NEVER ? NEVER - 1 : t;
}

/* A ladder without tries still has its rung. */
static unsigned int reopen_tries(const struct recovery *recovery)
{
	return recovery->times->reopen_tries > 0 ? recovery->times->reopen_tries : 1;
}

static struct recovery_order nothing(const struct recovery *recovery)
{
	return (struct recovery_order){.step = RECOVERY_IDLE, .ask_again_ns = recovery->due_ns};
}

static struct recovery_order order(struct recovery *recovery, enum recovery_step step,
				   uint64_t now_ns)
{
	recovery->step = step;
	recovery->waiting = false;
	recovery->due_ns = NEVER;
	recovery->stepped_ns = now_ns;
	return (struct recovery_order){.step = step, .ask_again_ns = NEVER};
}

static struct recovery_order reopen(struct recovery *recovery, uint64_t now_ns)
{
	recovery->tries++;
	return order(recovery, RECOVERY_REOPEN, now_ns);
}

static struct recovery_order gone(struct recovery *recovery, uint64_t now_ns)
{
	/* More tries than the ladder has: this was a look, and the device is still gone. */
	bool known = recovery->tries > reopen_tries(recovery);
	struct recovery_order ret = order(recovery, RECOVERY_GONE, now_ns);

	if (!known)
		recovery->tries = reopen_tries(recovery);
	recovery->due_ns = later(now_ns, recovery->times->gone_retry_ns);
	ret.ask_again_ns = recovery->due_ns;
	return known ? nothing(recovery) : ret;
}

static void start(struct recovery *recovery, uint64_t now_ns)
{
	recovery->began_ns = now_ns;
	recovery->tries = 0;
}

/* The present step failed: what comes after it. */
static struct recovery_order next(struct recovery *recovery, uint64_t now_ns)
{
	switch (recovery->step) {
	case RECOVERY_ABORT:
		return order(recovery, RECOVERY_SOFT_RESET, now_ns);
	case RECOVERY_SOFT_RESET:
		return order(recovery, RECOVERY_RESET, now_ns);
	case RECOVERY_RESET:
		return reopen(recovery, now_ns);
	case RECOVERY_REOPEN:
		return gone(recovery, now_ns);
	case RECOVERY_GONE:
		return reopen(recovery, now_ns);
	case RECOVERY_IDLE:
	case RECOVERY_STEP_MAX_:
		break;
	}
	return nothing(recovery);
}

static uint64_t patience(const struct recovery *recovery)
{
	switch (recovery->step) {
	case RECOVERY_ABORT:
		return recovery->times->abort_ns;
	case RECOVERY_SOFT_RESET:
		return recovery->times->soft_reset_ns;
	case RECOVERY_RESET:
		return recovery->times->reset_ns;
	case RECOVERY_REOPEN:
		return recovery->times->reopen_ns;
	case RECOVERY_IDLE:
	case RECOVERY_GONE:
	case RECOVERY_STEP_MAX_:
		break;
	}
	return 0;
}

/* Nobody said yet what came of it: all that comes later has its time. */
static bool is_ordered(const struct recovery *recovery)
{
	return recovery->step != RECOVERY_IDLE && recovery->due_ns == NEVER;
}

void recovery_init(struct recovery *recovery, const struct recovery_times *times)
{
	*recovery = (struct recovery){.times = times, .step = RECOVERY_IDLE, .due_ns = NEVER};
}

struct recovery_order recovery_begin(struct recovery *recovery, uint64_t now_ns)
{
	assert(recovery->step == RECOVERY_IDLE);
	start(recovery, now_ns);
	return order(recovery, RECOVERY_ABORT, now_ns);
}

struct recovery_order recovery_vanished(struct recovery *recovery, uint64_t now_ns)
{
	if (recovery->step == RECOVERY_IDLE)
		start(recovery, now_ns);
	if (recovery->step != RECOVERY_REOPEN)
		return reopen(recovery, now_ns);
	/* One that is not open yet cannot vanish; one that was just opened can. */
	return recovery->waiting ? order(recovery, RECOVERY_REOPEN, now_ns) : nothing(recovery);
}

struct recovery_order recovery_result(struct recovery *recovery, int r, uint64_t now_ns)
{
	/* The answer to an order that something overtook. */
	if (!is_ordered(recovery))
		return nothing(recovery);
	if (r >= 0) {
		recovery->waiting = true;
		recovery->due_ns = later(now_ns, patience(recovery));
		return nothing(recovery);
	}
	if (recovery->step == RECOVERY_REOPEN && recovery->tries < reopen_tries(recovery)) {
		recovery->due_ns = later(now_ns, recovery->times->reopen_retry_ns);
		return nothing(recovery);
	}
	return next(recovery, now_ns);
}

void recovery_settled(struct recovery *recovery, uint64_t now_ns)
{
	(void)now_ns;
	/* That no job is left does not bring a device back: only opening it does. */
	if (recovery->step == RECOVERY_GONE ||
	    (recovery->step == RECOVERY_REOPEN && !recovery->waiting))
		return;
	recovery->step = RECOVERY_IDLE;
	recovery->waiting = false;
	recovery->due_ns = NEVER;
}

struct recovery_order recovery_tick(struct recovery *recovery, uint64_t now_ns)
{
	if (recovery->due_ns == NEVER || now_ns < recovery->due_ns)
		return nothing(recovery);
	/* Between two tries to reopen. */
	if (recovery->step == RECOVERY_REOPEN && !recovery->waiting)
		return reopen(recovery, now_ns);
	return next(recovery, now_ns);
}

const char *recovery_step_name(enum recovery_step step)
{
	static const char *const names[RECOVERY_STEP_MAX_] = {
		[RECOVERY_IDLE] = "idle",
		[RECOVERY_ABORT] = "abort",
		[RECOVERY_SOFT_RESET] = "soft reset",
		[RECOVERY_RESET] = "device reset",
		[RECOVERY_REOPEN] = "reopen",
		[RECOVERY_GONE] = "gone",
	};

	return (unsigned int)step < RECOVERY_STEP_MAX_ ? names[step] : "unknown";
}
