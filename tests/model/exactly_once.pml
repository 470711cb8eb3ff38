/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request through the daemon when things go wrong: for every order in
 * which clients, device and loop can act, each accepted request is answered exactly
 * once, and nothing is let go while the device may still touch it.
 *
 *	clients --submit--> QUEUED --device_submit()--> RUNNING --event--> answered, freed
 *	                      ^  |                         |         or CLEARING before that
 *	                      |  | refused                 |
 *	                      |  +-> FAILED -> answered    |
 *	                      +----- innocent -------------+
 *
 * How to read it. The daemon is one thread, so a turn of its loop is one atomic
 * block; comments name the functions it mirrors, which are in scheduler.c (most
 * names begin as there) and rescue.c. Clients and the device act between any two
 * turns. There is no clock: whatever waits for a time may happen at any time, which
 * covers all times.
 *
 * What is left out or wider than in the code:
 *	- the queue's policy: any queued job may be next;
 *	- cores: the device has DEPTH places that run jobs at the same time or not;
 *	- what an answer says: a fault is like success, DONE stands for both; a request's
 *	  own timeout is like a cancel;
 *	- how often reopening is tried: one refusal may lead to GONE;
 *	- draining, and quarantine, which refuse requests before they are accepted.
 *
 * tests/model/run verifies it, and that each of these mistakes is found (-D...):
 *	ANSWER_TWICE        who was told early is told again when the device is done
 *	ANSWER_THE_DEAD     a client that goes away leaves its jobs behind as theirs
 *	FREE_PINNED_EARLY   ... or takes them along though they are running
 *	GONE_UNPINS         a device that is declared gone is taken to touch nothing
 *	FORGET_RESUBMIT     an innocent job is taken off the device and not queued again
 *	RESUBMIT_EARLY      ... or queued again before the device has let go of it
 *	RESUBMIT_CANCELLED  ... or queued again though it has a verdict
 *	IGNORE_GENERATION   an event is believed if only its entry is in use
 *	NO_WATCHDOG         nobody looks for jobs that run too long
 *	NO_PATIENCE_LIMIT   the ladder waits for a promise for ever
 *	FORGET_KICK         nothing is started after a recovery
 */

#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef PER_CLIENT
#define PER_CLIENT 2
#endif
#ifndef VANISH
#define VANISH 1 /* how often the device goes away by itself */
#endif
#define JOBS (CLIENTS * PER_CLIENT)
#define DEPTH 2 /* device.h: caps.depth */
#define NONE 255
#define OWNER(j) ((j) / PER_CLIENT)

/* job.h: enum job_state; UNSENT before it is accepted, FREED after job_finish(). */
mtype:state = { UNSENT, QUEUED, RUNNING, FAILED, CLEARING, FREED }
/* device.h: enum device_result; DONE is DEVICE_FAULTED as well. */
mtype:result = { DONE, ABORTED, LOST }
/* recovery.h: enum recovery_step, waiting for the promise of the step */
mtype:step = { IDLE, ABORT, SOFT_RESET, RESET, REOPEN, GONE }
/* A place of the device. SILENT: the job is over, its completion has been lost. */
mtype:phase = { EMPTY, BUSY, HUNG, SILENT }

typedef job_t {
	mtype:state state;
	bool owned;    /* job.owner is not NULL */
	bool verdict;  /* job.verdict is not ZY_OK */
	bool detached; /* its owner has been told the verdict */
	bool suspect;  /* runs alone */
	byte entry;    /* job.device_cookie, without its generation */
};

typedef entry_t { /* struct scheduler_entry */
	byte job; /* NONE: free */
	byte generation;
};

typedef place_t { /* the device's side of an entry */
	mtype:phase phase;
	byte job;	 /* whose memory it may touch; NONE: nobody's */
	byte generation; /* of the cookie that was submitted */
	bool stop;	 /* an abort or a reset has been accepted, and will act some time */
	mtype:result event; /* waits for device_collect(); 0: none */
	byte stale;	    /* generation of a completion that may still turn up; 0: none */
};

job_t jobs[JOBS];
entry_t entries[DEPTH];
place_t places[DEPTH];
bool present = true; /* the device is there */
byte vanish = VANISH;
mtype:step step = IDLE; /* sched.recovery */
byte guilty = NONE;	/* sched.guilty */
bool blames;		/* sched.blames */

#ifdef RESUBMIT_EARLY
byte early;
#endif

/* Scratch of the turn that is under way; 0 between turns, so that it tells no states apart. */
byte it, next, at;
bool closes;

/* Only for the properties. */
bool alive[CLIENTS] = true;
byte answers[JOBS]; /* also if nobody is left to read it */

#define TOUCHES(e, j) (places[e].job == (j))
#define PINNED(j) (TOUCHES(0, j) || TOUCHES(1, j))
#define N_RUNNING_0 (entries[0].job == NONE && entries[1].job == NONE) /* sched.n_running == 0 */

/*
 * The daemon: answers
 */

/* owner->answer() */
inline tell(j)
{
	assert(alive[OWNER(j)]); /* nobody is answered who is not there */
	answers[j]++;
	assert(answers[j] == 1) /* nobody is answered twice */
}

/* job_finish(): the answer, or the release of a job whose owner has been told. */
inline job_finish(j)
{
	if
#ifdef ANSWER_TWICE
	:: jobs[j].owned -> tell(j)
#else
	:: jobs[j].owned && !jobs[j].detached -> tell(j)
#endif
	:: else
	fi;
	assert(!PINNED(j)); /* nothing is let go while the device may touch it */
	assert(jobs[j].state != FREED); /* nothing is let go twice */
	answers[j] = 1; /* what nobody reads is no different */
	jobs[j].owned = false;
	jobs[j].verdict = false;
	jobs[j].detached = false;
	jobs[j].suspect = false; /* rescue_clear() */
	jobs[j].state = FREED
}

/* If it ran and failed, a worker may have to poison its outputs first. */
inline scheduler_answer(j)
{
	if
	:: true -> job_finish(j)
	:: true ->
		jobs[j].state = CLEARING;
		jobs[j].verdict = false /* it is in job.last now */
	fi
}

/* scheduler_detach() */
inline detach(j)
{
	jobs[j].verdict = true;
	if
	:: jobs[j].owned && !jobs[j].detached -> tell(j)
	:: else
	fi;
	jobs[j].detached = true
}

/*
 * The device
 */

inline report(e, result)
{
	assert(places[e].event == 0);
	places[e].event = result;
	places[e].phase = EMPTY;
	places[e].job = NONE;
	places[e].stop = false
}

/*
 * device_abort(), device_soft_reset() and device_reset() for one place, when
 * they are not refused. A job whose completion has been lost is nothing they could
 * stop: there will be no event.
 */
inline stop_place(e)
{
	if
	:: places[e].phase == BUSY || places[e].phase == HUNG -> places[e].stop = true
	:: true /* it may do nothing */
	fi
}

/*
 * Everything is taken away, LOST: the closing half of device_reopen(), or the device
 * went by itself. A completion may already have been on its way: it turns up later.
 */
inline take_away(e)
{
	if
	:: places[e].phase != EMPTY -> places[e].stale = places[e].generation; report(e, LOST)
	:: places[e].phase != EMPTY -> report(e, LOST)
	:: places[e].phase == EMPTY
	fi
}

inline device_close()
{
	take_away(0);
	take_away(1)
}

proctype place(byte e)
{
end:	do
	:: atomic { places[e].phase == BUSY -> report(e, DONE) }
	:: atomic { places[e].phase == BUSY -> places[e].phase = HUNG }
	:: atomic { places[e].phase == BUSY ->
		places[e].phase = SILENT; places[e].job = NONE; places[e].stop = false }
	/* Nothing says when; a step up the ladder may be faster. */
	:: atomic { places[e].stop -> report(e, ABORTED) }
	od
}

/*
 * The daemon: the top of the ladder (rescue.c), which whoever meets a device that is
 * gone may have to climb to
 */

/* Has the promise of the present step been kept? check_settled(), recovery_settled() */
inline check_settled()
{
	if
	:: (step == ABORT && guilty == NONE) ||
	   ((step == SOFT_RESET || step == RESET || step == REOPEN) && N_RUNNING_0) ->
		step = IDLE;
		blames = false
	:: else
	fi
}

/* job_leave_device(): entry_put() */
inline leave_device(j)
{
	entries[jobs[j].entry].job = NONE;
	jobs[j].entry = NONE
}

/* declare_gone(): for one job */
inline declare_gone(j)
{
	if
	:: jobs[j].state == QUEUED -> scheduler_answer(j) /* scheduler_drop() */
	:: jobs[j].state == RUNNING ->
		detach(j);
#ifdef GONE_UNPINS
		leave_device(j);
		job_finish(j)
#endif
	:: else
	fi
}

inline declare_all_gone()
{
	for (it : 0 .. JOBS - 1) { declare_gone(it) }
	it = 0
}

/* RECOVERY_REOPEN: it closes, which stops everything, and opens; either may be refused. */
inline reopen()
{
	if
	:: true -> closes = true; step = REOPEN
	:: true -> closes = true; step = GONE /* -ENODEV, … */
	:: true -> step = GONE		      /* -EBUSY, … */
	fi;
	if
	:: closes -> device_close(); closes = false; present = (step == REOPEN)
	:: else
	fi;
	if
	:: step == GONE -> declare_all_gone()
	:: else
	fi
}

/*
 * The daemon: on the device
 */

/*
 * job_start(): entry_take(), device_submit(). In the code generations count up. All
 * that matters is that they differ, so here it is the smallest that no event still to
 * come carries. Slots are taken and given back together with entries.
 */
inline job_start(j, e)
{
	assert(jobs[j].state == QUEUED);
	assert(!PINNED(j)); /* no two runs of a job at the same time */
	entries[e].job = j;
	entries[e].generation = 1 + (places[e].stale == 1);
	jobs[j].entry = e;
	if
	:: true ->
		/* The device holds nothing at an entry that is free. */
		assert(places[e].phase == EMPTY && places[e].event == 0);
		places[e].phase = BUSY;
		places[e].job = j;
		places[e].generation = entries[e].generation;
		jobs[j].state = RUNNING
	:: true -> /* -EAGAIN, …: start_failed() */
		entries[e].job = NONE;
		jobs[j].entry = NONE;
		jobs[j].state = FAILED
	fi
}

#define IS_SUSPECT(j) (jobs[j].suspect)
#define IS_QUEUED(j) (jobs[j].state == QUEUED)
#if JOBS > 2
#define ANY(what) (what(0) || what(1) || what(2) || what(3))
#else
#define ANY(what) (what(0) || what(1))
#endif

/* rescue_may_start() */
#define CAN_START \
	(step == IDLE && (N_RUNNING_0 || !ANY(IS_SUSPECT)) && \
	 (entries[0].job == NONE || entries[1].job == NONE))

/* scheduler_kick(), queue_next() */
inline scheduler_kick()
{
	do
	:: CAN_START && ANY(IS_QUEUED) ->
		if
		:: present ->
			if
			:: IS_QUEUED(0) -> next = 0
			:: IS_QUEUED(1) -> next = 1
#if JOBS > 2
			:: IS_QUEUED(2) -> next = 2
			:: IS_QUEUED(3) -> next = 3
#endif
			fi;
			at = (entries[0].job == NONE -> 0 : 1);
			job_start(next, at);
			next = 0;
			at = 0
		/* -ENODEV: start_failed() puts the job back; rescue_vanished() */
		:: !present -> reopen(); check_settled()
		fi
	:: else -> break
	od
}

/* resubmit(), rescue_mark() */
inline resubmit(j)
{
	/* Nobody waits for a job that was cancelled or whose client is gone. */
	assert(jobs[j].owned && !jobs[j].verdict);
	jobs[j].suspect = jobs[j].suspect || blames;
#ifndef FORGET_RESUBMIT
	jobs[j].state = QUEUED
#endif
}

/* handle_event() for an event that is about job j: conclude() or resubmit(); rescue_event() */
inline job_event(j, result)
{
	leave_device(j);
	if
	:: result == DONE -> scheduler_answer(j)
#ifdef RESUBMIT_CANCELLED
	:: result != DONE && j != guilty -> resubmit(j)
	:: result != DONE && j == guilty -> scheduler_answer(j)
#else
	:: result != DONE && !jobs[j].verdict -> resubmit(j)
	:: result != DONE && jobs[j].verdict -> scheduler_answer(j)
#endif
	fi;
	if
	:: j == guilty -> guilty = NONE
	:: else
	fi;
	/* rescue_vanished() */
	if
	:: result == LOST && step != REOPEN && step != GONE -> reopen()
	:: else
	fi
}

/* entry_find() */
#ifdef IGNORE_GENERATION
#define IS_CURRENT(e, g) (entries[e].job != NONE)
#else
#define IS_CURRENT(e, g) (entries[e].job != NONE && entries[e].generation == (g))
#endif

/* An event of a run that the daemon has given up comes behind the LOST of that run. */
#define IS_STALE(e) \
	(places[e].stale != 0 && places[e].stale != places[e].generation && present)

/* device_collect() */
inline collect(n)
{
	e = n;
	g = places[n].generation;
	r = places[n].event;
	places[n].generation = 0;
	places[n].event = 0
}

inline collect_stale(n)
{
	e = n;
	g = places[n].stale;
	r = DONE;
	places[n].stale = 0
}

/*
 * on_device(), handle_event(). One event is one turn, so that anything may happen
 * between two, and they may come in any order.
 */
proctype on_device()
{
	byte e, g, j;
	mtype:result r;

end:	do
	:: atomic {
		if
		:: places[0].event != 0 -> collect(0)
		:: places[1].event != 0 -> collect(1)
		:: IS_STALE(0) -> collect_stale(0)
		:: IS_STALE(1) -> collect_stale(1)
		fi;
		if
		:: IS_CURRENT(e, g) -> j = entries[e].job; job_event(j, r); check_settled()
		:: else
		fi;
		e = 0; g = 0; j = 0; r = 0;
#ifndef FORGET_KICK
		scheduler_kick()
#endif
	   }
	od
}

/* on_failed() by sched.failed_timer; clear_done(), when the worker has poisoned the outputs. */
#define IS_ENDING(j) (jobs[j].state == FAILED || jobs[j].state == CLEARING)
proctype on_failed()
{
	byte j;

end:	do
	:: atomic {
		if
		:: IS_ENDING(0) -> j = 0
		:: IS_ENDING(1) -> j = 1
#if JOBS > 2
		:: IS_ENDING(2) -> j = 2
		:: IS_ENDING(3) -> j = 3
#endif
		fi;
		job_finish(j);
		j = 0
	   }
	od
}

/*
 * The daemon: the ladder (recovery.c). Its orders are carried out at once.
 */

#ifdef RESUBMIT_EARLY
inline resubmit_early(e)
{
	if
	:: entries[e].job != NONE && !jobs[entries[e].job].verdict ->
		early = entries[e].job;
		leave_device(early);
		resubmit(early)
	:: else
	fi
}
#endif

/* RECOVERY_SOFT_RESET and RECOVERY_RESET; refused: the next rung, in the same turn. */
inline reset(refused)
{
	refused = false;
	if
	:: present ->
		stop_place(0);
		stop_place(1);
#ifdef RESUBMIT_EARLY
		resubmit_early(0);
		resubmit_early(1)
#endif
	:: true -> refused = true /* -EIO, -ENODEV */
	fi
}

/* next(): from the rung that failed to the first that is not refused */
inline climb(refused)
{
	if
	:: step == ABORT -> step = SOFT_RESET; reset(refused)
	:: else
	fi;
	if
	:: refused && step == SOFT_RESET -> step = RESET; reset(refused)
	:: else
	fi;
	if
	:: refused && step == RESET -> reopen()
	:: else
	fi;
	refused = false
}

/* begin(): the job at entry e ran too long, or does not stop. Its abort may be refused. */
inline begin(e, refused)
{
	guilty = entries[e].job;
	blames = true;
	jobs[guilty].verdict = true;
	step = ABORT;
	if
	:: present -> stop_place(e)
	:: true -> refused = true
	fi
}

inline look()
{
	if
	:: true -> device_close(); present = true; step = REOPEN
	:: true /* still not there */
	fi
}

/* on_watchdog(): find_overrun(), recovery_tick() */
proctype watchdog()
{
	bool climbs;

end:	do
	:: atomic {
		if
#ifndef NO_WATCHDOG
		:: step == IDLE && entries[0].job != NONE -> begin(0, climbs)
		:: step == IDLE && entries[1].job != NONE -> begin(1, climbs)
#endif
#ifndef NO_PATIENCE_LIMIT
		:: step == ABORT || step == SOFT_RESET || step == RESET -> climbs = true
#endif
		/* Opened, but not all events come: as good as gone. */
		:: step == REOPEN -> step = GONE; declare_all_gone()
		/* A look at a device that is gone. */
		:: step == GONE -> look()
		fi;
		if
		:: climbs -> climb(climbs)
		:: else
		fi;
		check_settled();
		scheduler_kick()
	   }
	od
}

/* The device goes by itself. */
proctype trouble()
{
end:	do
	:: atomic { vanish > 0 && present -> vanish--; present = false; device_close() }
	od
}

/*
 * The clients
 */

/* scheduler_submit(): admit() refuses while the device is gone. */
#define CAN_SUBMIT(j) (jobs[j].state == UNSENT && step != GONE)
inline submit(j)
{
	jobs[j].state = QUEUED;
	jobs[j].owned = true
}

/* rescue_stop(); device_abort() may be refused. */
inline rescue_stop(j)
{
	if
	:: !jobs[j].verdict ->
		jobs[j].verdict = true;
		if
		:: present && jobs[j].entry == 0 -> stop_place(0)
		:: present && jobs[j].entry == 1 -> stop_place(1)
		:: true
		fi
	:: else
	fi
}

/* job_cancel() */
inline cancel(j)
{
	if
	:: jobs[j].state == QUEUED -> scheduler_answer(j) /* scheduler_drop() */
	:: jobs[j].state == RUNNING -> rescue_stop(j); detach(j)
	:: else
	fi
}

/* scheduler_forget() */
inline forget(j)
{
#ifndef ANSWER_THE_DEAD
	jobs[j].owned = false;
#endif
#ifdef FREE_PINNED_EARLY
	if
	:: jobs[j].state == RUNNING -> leave_device(j); job_finish(j)
	:: else
	fi;
#endif
	cancel(j)
}

/* scheduler_cancel(): nothing, if it has been told. */
#define CANCELLABLE(j) \
	(jobs[j].owned && !jobs[j].detached && \
	 (jobs[j].state == QUEUED || jobs[j].state == RUNNING))
#define FIRST (c * PER_CLIENT)
#define SECOND (c * PER_CLIENT + PER_CLIENT - 1)

/*
 * A patient client waits for its answers; only for it can it be said that the daemon
 * brings them, and not its giving up. A restless one cancels, and may go any time.
 */
proctype client(byte c; bool restless)
{
	do
	:: atomic {
		if
		:: CAN_SUBMIT(FIRST) -> submit(FIRST)
		/* Its requests are alike, so one of them may always be the first. */
		:: CAN_SUBMIT(SECOND) && jobs[FIRST].state != UNSENT -> submit(SECOND)
		fi;
		scheduler_kick()
	   }
	:: atomic { restless && CANCELLABLE(FIRST) -> cancel(FIRST) }
	:: atomic { restless && CANCELLABLE(SECOND) -> cancel(SECOND) }
	:: jobs[FIRST].state == FREED && jobs[SECOND].state == FREED -> break
	:: atomic { restless ->
		alive[c] = false;
		forget(FIRST);
		forget(SECOND);
		break }
	od
}

/*
 * Nothing is left behind. This waits where no program may stop: if a job is never
 * let go, spin reports an invalid end state.
 */
#define OVER(j) (jobs[j].state == FREED || (jobs[j].state == UNSENT && !alive[OWNER(j)]))

init {
	byte i;

	atomic {
		for (i : 0 .. JOBS - 1) { jobs[i].state = UNSENT; jobs[i].entry = NONE }
		for (i : 0 .. DEPTH - 1) {
			entries[i].job = NONE;
			places[i].phase = EMPTY;
			places[i].job = NONE;
			run place(i)
		}
		i = 0;
		run on_device();
		run on_failed();
		run watchdog();
		run trouble();
		run client(0, false);
#if CLIENTS > 1
		run client(1, true);
#endif
	}
	OVER(0) && OVER(JOBS - 1);
#if JOBS > 2
	OVER(1) && OVER(2);
#endif
	assert(N_RUNNING_0 && !PINNED(0))
}

/*
 * A request that was accepted is answered, whatever the device does, even if it never
 * comes back. (A look at a device that is gone may fail for ever, so a release may
 * have to wait for ever, too.)
 */
#define accepted(j) (jobs[j].state != 0 && jobs[j].state != UNSENT)
#define answered(j) (answers[j] == 1)
#define LAST (PER_CLIENT - 1) /* of the patient client */
ltl answer {
	([] (accepted(0) -> <> answered(0))) && ([] (accepted(LAST) -> <> answered(LAST)))
}
