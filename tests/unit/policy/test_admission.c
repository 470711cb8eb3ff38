/* SPDX-License-Identifier: Apache-2.0 */
/* The admission test, against every schedule of small integers that could break its word. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "policy/reservation.h"

#define MAX_N 3
#define HORIZON 200
#define UNIT 1000 /* admission rounds up: a unit is much longer than what it adds */

struct frame {
	int release, deadline, budget;
};

/*
 * Non-preemptive EDF, one core: blocked from just before 0 by @blocking, then all
 * reservations send as soon and as often as they may, the first @phase[i] later. False:
 * a deadline is missed.
 */
static bool meets(const struct reservation_spec *specs, int n, int blocking, const int *phase)
{
	struct frame frames[MAX_N * HORIZON];
	bool done[MAX_N * HORIZON] = {false};
	int n_frames = 0, now = blocking;

	for (int i = 0; i < n; i++) {
		int period = (int)(specs[i].period_ns / UNIT);
		int jitter = (int)(specs[i].jitter_ns / UNIT);

		for (int k = 0; k * period - jitter < HORIZON / 2; k++) {
			int early = k * period - jitter;

			/* As early as may be, but not before the first. */
			frames[n_frames++] = (struct frame){
				.release = phase[i] + (early > 0 ? early : 0),
				.deadline = phase[i] + (early > 0 ? early : 0) +
					    (int)(specs[i].deadline_ns / UNIT),
				.budget = (int)(specs[i].budget_ns / UNIT),
			};
		}
	}
	for (int left = n_frames; left; left--) {
		int best = -1, next = HORIZON * 10;

		for (int i = 0; i < n_frames; i++) {
			if (done[i])
				continue;
			next = frames[i].release < next ? frames[i].release : next;
			if (frames[i].release <= now &&
			    (best < 0 || frames[i].deadline < frames[best].deadline))
				best = i;
		}
		if (best < 0) {
			now = next;
			left++;
			continue;
		}
		done[best] = true;
		now += frames[best].budget;
		if (now > frames[best].deadline)
			return false;
	}
	return true;
}

static int draw(int least, int most)
{
	return least + rand() % (most - least + 1);
}

static int draw_specs(struct reservation_spec specs[MAX_N])
{
	int n = draw(1, MAX_N);

	for (int i = 0; i < n; i++) {
		int period = draw(3, 14), budget = draw(1, period / 2 + 1);

		specs[i] = (struct reservation_spec){
			.budget_ns = (uint64_t)budget * UNIT,
			.period_ns = (uint64_t)period * UNIT,
			.deadline_ns = (uint64_t)draw(budget, 2 * period) * UNIT,
			.jitter_ns = rand() % 3 ? 0 : (uint64_t)draw(0, period - 1) * UNIT,
		};
	}
	return n;
}

/* Every phase of every reservation, up to its period. */
static bool meets_always(const struct reservation_spec *specs, int n, int blocking)
{
	int most[MAX_N] = {0}, phase[MAX_N];

	for (int i = 0; i < n; i++)
		most[i] = (int)(specs[i].period_ns / UNIT);
	for (phase[0] = 0; phase[0] <= most[0]; phase[0]++)
		for (phase[1] = 0; phase[1] <= most[1]; phase[1]++)
			for (phase[2] = 0; phase[2] <= most[2]; phase[2]++)
				if (!meets(specs, n, blocking, phase))
					return false;
	return true;
}

Test(admission, what_it_grants_misses_no_deadline_whatever_the_phases)
{
	struct reservation_spec specs[MAX_N];
	int n_granted = 0;

	srand(1);
	for (int i = 0; i < 1500; i++) {
		int n = draw_specs(specs);
		int64_t tolerance = reservation_tolerance(specs, (size_t)n, 0);

		if (tolerance < 0)
			continue;
		n_granted++;
		cr_assert(meets_always(specs, n,
				       (int)(tolerance / UNIT) < HORIZON / 4
					       ? (int)(tolerance / UNIT)
					       : 0),
			  "set %d of %d reservations", i, n);
	}
	cr_assert_gt(n_granted, 100);
}

Test(admission, what_it_refuses_does_miss_one_or_nearly)
{
	struct reservation_spec specs[MAX_N];
	int n_refused = 0, n_missed = 0;

	srand(2);
	for (int i = 0; i < 1500; i++) {
		int n = draw_specs(specs);

		if (reservation_tolerance(specs, (size_t)n, 0) >= 0)
			continue;
		n_refused++;
		/* A job that has just begun counts as blocking: up to one unit less than it. */
		n_missed += !meets_always(specs, n, 0) || !meets_always(specs, n, 1);
	}
	cr_assert_gt(n_refused, 100);
	cr_assert_gt(n_missed * 100, n_refused * 60, "%d of %d", n_missed, n_refused);
}

Test(admission, more_blocking_than_it_tolerates_is_refused)
{
	struct reservation_spec specs[MAX_N];

	srand(3);
	for (int i = 0; i < 500; i++) {
		size_t n = (size_t)draw_specs(specs);
		int64_t tolerance = reservation_tolerance(specs, n, 0);

		if (tolerance < 0)
			continue;
		cr_assert_geq(reservation_tolerance(specs, n, (uint64_t)tolerance), tolerance);
		cr_assert_lt(reservation_tolerance(specs, n, (uint64_t)tolerance + 1), 0);
	}
}
