/* SPDX-License-Identifier: Apache-2.0 */
/* What the schemes are compared by has to be what it says it is. */
#include <criterion/criterion.h>

#include "run_trace.h"

/* All at once, on one core: a's four, b's two, then one of a more urgent class. */
static const char all_at_once[] =
	"{" CORES(1) "}, \"clients\": {\"a\": {\"class\": \"normal\"}, \"b\": {\"class\": "
		     "\"normal\"}, \"rt\": {\"class\": \"realtime\"}}, "
		     "\"models\": {\"m\": {\"run\": 900}}, \"requests\": ["
		     "{\"at\": 0, \"client\": \"a\", \"model\": \"m\"},"
		     "{\"at\": 0, \"client\": \"a\", \"model\": \"m\"},"
		     "{\"at\": 0, \"client\": \"a\", \"model\": \"m\"},"
		     "{\"at\": 0, \"client\": \"a\", \"model\": \"m\"},"
		     "{\"at\": 10, \"client\": \"b\", \"model\": \"m\"},"
		     "{\"at\": 10, \"client\": \"b\", \"model\": \"m\"},"
		     "{\"at\": 20, \"client\": \"rt\", \"model\": \"m\"}]}";

static void ends_at(const struct sim_result *result, uint32_t client, size_t i, uint64_t arrival,
		    unsigned int place)
{
	cr_assert_eq(latency(result, client, i), place * 1000 - arrival,
		     "client %u's job %zu is not number %u", client, i, place);
}

Test(scheme, fifo_serves_in_the_order_of_arrival)
{
	struct sim_result result = run_trace(all_at_once, &scheme_fifo);

	for (unsigned int i = 0; i < 4; i++)
		ends_at(&result, 0, i, 0, i + 1);
	for (unsigned int i = 0; i < 2; i++)
		ends_at(&result, 1, i, 10, i + 5);
	ends_at(&result, 2, 0, 20, 7);
	sim_result_finish(&result);
}

Test(scheme, round_robin_serves_classes_first_and_clients_in_turn)
{
	struct sim_result result = run_trace(all_at_once, &scheme_round_robin);

	ends_at(&result, 2, 0, 20, 2);
	ends_at(&result, 0, 0, 0, 1);
	/* The turn is a's again: it had its first before b was there. */
	ends_at(&result, 0, 1, 0, 3);
	ends_at(&result, 1, 0, 10, 4);
	ends_at(&result, 0, 2, 0, 5);
	ends_at(&result, 1, 1, 10, 6);
	ends_at(&result, 0, 3, 0, 7);
	sim_result_finish(&result);
}

Test(scheme, drain_finishes_a_client_before_the_next)
{
	struct sim_result result = run_trace(all_at_once, &scheme_drain);

	for (unsigned int i = 0; i < 4; i++)
		ends_at(&result, 0, i, 0, i + 1);
	ends_at(&result, 2, 0, 20, 5);
	for (unsigned int i = 0; i < 2; i++)
		ends_at(&result, 1, i, 10, i + 6);
	sim_result_finish(&result);
}

Test(scheme, drain_leaves_cores_idle_until_the_last_job_of_a_client_is_done)
{
	struct sim_result result = run_trace(
		"{" CORES(2) "}, \"clients\": {\"a\": {}, \"b\": {}}, "
			     "\"models\": {\"short\": {\"run\": 900}, \"long\": {\"run\": 4900}}, "
			     "\"requests\": ["
			     "{\"at\": 0, \"client\": \"a\", \"model\": \"short\"},"
			     "{\"at\": 0, \"client\": \"a\", \"model\": \"long\"},"
			     "{\"at\": 0, \"client\": \"b\", \"model\": \"short\"}]}",
		&scheme_drain);

	cr_assert_eq(latency(&result, 1, 0), 5000 + 1000);
	sim_result_finish(&result);
}

Test(scheme, ours_makes_a_background_job_give_way_to_a_reservation)
{
	/* One core. The long job is expected to take 900 and takes much longer this time. */
	static const char text[] =
		"{\"device\": {\"cores\": 1, \"hand_over\": 60, \"report\": 40, \"stop\": 10000}, "
		"\"duration\": \"200ms\", \"clients\": {\"cam\": {\"class\": \"realtime\"}, "
		"\"bg\": {\"class\": \"background\"}}, \"models\": {\"frame\": {\"run\": "
		"\"1ms\"}, \"batch\": {\"run\": \"1ms\", \"rarely\": {\"ppm\": 100000, \"run\": "
		"\"50ms\"}}}, "
		"\"reservations\": {\"r\": {\"client\": \"cam\", \"budget\": \"1.2ms\", "
		"\"period\": \"10ms\", \"deadline\": \"6ms\"}}, "
		"\"sources\": {\"cam\": {\"client\": \"cam\", \"model\": \"frame\", "
		"\"reservation\": \"r\", \"arrivals\": \"periodic\", \"period\": \"10ms\", "
		"\"offset\": \"5ms\"}, "
		"\"bg\": {\"client\": \"bg\", \"model\": \"batch\", \"arrivals\": \"poisson\", "
		"\"period\": \"5ms\"}}}";
	struct sim_result ours = run_trace(text, &scheme_zhouyi);
	struct sim_result theirs = run_trace(text, &scheme_round_robin);

	cr_assert_eq(ours.reservations[0].refusal, RESERVATION_GRANTED);
	cr_assert_not(theirs.reservations[0].is_known);
	cr_assert_eq(sim_misses(&ours.clients[0]), 0);
	cr_assert_eq(ours.clients[0].outcomes[SIM_DONE], 20);
	cr_assert_gt(ours.clients[1].preempted, 0);
	cr_assert_gt(ours.wasted_ns, 0);
	cr_assert_eq(ours.clients[1].outcomes[SIM_DONE], ours.clients[1].requests,
		     "they are done all the same, later");
	cr_assert_gt(sim_misses(&theirs.clients[0]), 0);
	sim_result_finish(&ours);
	sim_result_finish(&theirs);
}
