/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "daemon/job.h"
#include "daemon/log.h"
#include "daemon/stream.h"
#include "tests/unit/daemon/rig.h"

static struct rig rig;
static struct model *model;
static struct stream *stream;
static struct job jobs[8];
static struct job *drop;

static void setup(void)
{
	log_open(LOG_LEVEL_ERROR);
	rig_init(&rig, 64 << 20);
	model = rig_load_copy(&rig, 64);
	for (size_t i = 0; i < 8; i++) {
		jobs[i] = (struct job){.id = i};
		list_init(&jobs[i].stream_link);
	}
}

static void teardown(void)
{
	model_unref(model);
	rig_finish(&rig);
}

TestSuite(stream, .init = setup, .fini = teardown);

static void create(enum stream_drop how, unsigned int depth)
{
	struct stream_spec spec = {.class = ZY_CLASS_REALTIME, .drop = how, .depth = depth};

	cr_assert_eq(stream_create(&stream, model, &spec, 1), 0);
}

/* The job that has to go for it, or NULL. */
static struct job *push(struct job *job)
{
	cr_assert_eq(stream_push(stream, job, &drop), 0);
	return drop;
}

static void leave(struct job *job, enum zy_status status)
{
	struct zy_complete answer = {.status = (int32_t)status, .run_ns = 10, .total_ns = 20};

	stream_leave(job, &answer);
}

static void adds_up(void)
{
	const struct stream_counters *c = &stream->counters;

	cr_expect_eq(c->submitted, c->done + c->dropped + c->missed + c->failed + stream->n_queued +
					   stream->n_running);
}

Test(stream, the_newest_frame_replaces_the_one_that_waits_but_not_the_one_that_runs)
{
	create(STREAM_KEEP_LATEST, 0);
	cr_expect_null(push(&jobs[0]));
	stream_started(&jobs[0]);
	cr_expect_null(push(&jobs[1]));
	cr_expect_eq(push(&jobs[2]), &jobs[1]);
	leave(&jobs[1], ZY_DROPPED);
	cr_expect_eq(jobs[2].sequence, 3);
	adds_up();
	leave(&jobs[0], ZY_OK);
	leave(&jobs[2], ZY_OK);
	cr_expect_eq(stream->counters.dropped, 1);
	cr_expect_eq(stream->counters.done, 2);
	adds_up();
	stream_unref(stream);
}

Test(stream, a_queue_drops_its_oldest)
{
	create(STREAM_QUEUE, 2);
	cr_expect_null(push(&jobs[0]));
	cr_expect_null(push(&jobs[1]));
	cr_expect_eq(push(&jobs[2]), &jobs[0]);
	leave(&jobs[0], ZY_DROPPED);
	cr_expect_eq(push(&jobs[3]), &jobs[1]);
	leave(&jobs[1], ZY_DROPPED);
	leave(&jobs[2], ZY_OK);
	leave(&jobs[3], ZY_OK);
	adds_up();
	stream_unref(stream);
}

Test(stream, one_that_blocks_refuses_and_numbers_nothing)
{
	create(STREAM_BLOCK, 2);
	push(&jobs[0]);
	push(&jobs[1]);
	cr_expect_eq(stream_push(stream, &jobs[2], &drop), -EBUSY);
	cr_expect_null(jobs[2].stream);
	stream_refused(stream, ZY_BUSY);
	adds_up();
	stream_started(&jobs[0]);
	cr_expect_null(push(&jobs[2]));
	cr_expect_eq(jobs[2].sequence, 3);
	for (int i = 0; i < 3; i++)
		leave(&jobs[i], ZY_OK);
	cr_expect_eq(stream->counters.failed, 1);
	adds_up();
	stream_unref(stream);
}

Test(stream, a_frame_that_is_put_back_stands_where_it_stood)
{
	create(STREAM_QUEUE, 3);
	push(&jobs[0]);
	push(&jobs[1]);
	stream_started(&jobs[0]);
	stream_started(&jobs[1]);
	push(&jobs[2]);
	stream_put_back(&jobs[1]);
	stream_put_back(&jobs[0]);
	adds_up();
	cr_expect_eq(stream->n_queued, 3);
	cr_expect_eq(push(&jobs[3]), &jobs[0], "the oldest goes first");
	leave(&jobs[0], ZY_DROPPED);
	cr_expect_eq(push(&jobs[4]), &jobs[1]);
	for (int i = 1; i < 5; i++)
		leave(&jobs[i], ZY_CANCELLED);
	adds_up();
	stream_unref(stream);
}

Test(stream, what_became_of_a_frame_is_counted_once)
{
	struct zy_complete late = {.flags = ZY_COMPLETE_LATE, .run_ns = 5, .total_ns = 50};

	create(STREAM_QUEUE, 8);
	for (int i = 0; i < 6; i++)
		push(&jobs[i]);
	stream_started(&jobs[0]);
	stream_leave(&jobs[0], &late);
	leave(&jobs[1], ZY_DEADLINE_EXPIRED);
	leave(&jobs[2], ZY_DEVICE_FAULT);
	leave(&jobs[3], ZY_OVERRUN);
	leave(&jobs[4], ZY_OK);
	stream_leave(&jobs[5], NULL);
	stream_refused(stream, ZY_DEADLINE_REFUSED);
	cr_expect_eq(stream->counters.submitted, 6);
	cr_expect_eq(stream->counters.done, 2);
	cr_expect_eq(stream->counters.late, 1);
	cr_expect_eq(stream->counters.missed, 2);
	cr_expect_eq(stream->counters.failed, 2);
	cr_expect_eq(stream->counters.response_max_ns, 50);
	cr_expect_eq(stream->counters.run_max_ns, 10);
	adds_up();
	stream_unref(stream);
}

Test(stream, one_that_is_destroyed_lives_until_its_last_frame_is_answered)
{
	struct zy_complete answer = {.status = ZY_OK};

	create(STREAM_QUEUE, 4);
	push(&jobs[0]);
	push(&jobs[1]);
	stream_started(&jobs[0]);
	stream_unref(stream);
	stream_fill(&jobs[1], &answer);
	cr_expect_eq(answer.sequence, 2);
	leave(&jobs[1], ZY_OK);
	leave(&jobs[0], ZY_OK);
	/* The model's reference has gone with it, or rig_finish() complains. */
}

Test(stream, jobs_that_are_no_frames_are_left_alone)
{
	struct zy_complete answer = {.status = ZY_OK};

	stream_started(&jobs[0]);
	stream_put_back(&jobs[0]);
	stream_fill(&jobs[0], &answer);
	stream_leave(&jobs[0], &answer);
	cr_expect_eq(answer.sequence, 0);
}

Test(stream, a_depth_that_makes_no_sense_is_refused)
{
	struct stream_spec spec = {.drop = STREAM_QUEUE};

	cr_expect_eq(stream_create(&stream, model, &spec, 1), -EINVAL);
	spec = (struct stream_spec){.drop = STREAM_BLOCK, .depth = STREAM_DEPTH_MAX + 1};
	cr_expect_eq(stream_create(&stream, model, &spec, 1), -EINVAL);
}
