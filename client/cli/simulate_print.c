/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "client/cli/simulate.h"
#include "proto/status.h"

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100 * (double)part / (double)whole : 0;
}

static uint64_t sum_busy(const struct sim_result *result)
{
	uint64_t busy = 0;

	for (unsigned int i = 0; i < result->n_cores; i++)
		busy += result->busy_ns[i];
	return busy;
}

static double utilisation(const struct sim_result *result)
{
	return percent(sum_busy(result), result->end_ns * result->n_cores);
}

/*
 * For people
 */

static void head_text(const struct sim_result *result)
{
	printf("%s: %" PRIu64 " requests in %.3f s; device busy %.1f %%", result->scheme,
	       result->requests, (double)result->end_ns / 1e9, utilisation(result));
	for (unsigned int i = 0; i < result->n_cores && result->n_cores > 1; i++)
		printf("%s%.1f", i ? " " : " (", percent(result->busy_ns[i], result->end_ns));
	printf("%s", result->n_cores > 1 ? ")" : "");
	if (result->wasted_ns)
		printf(", %.1f %% for runs that were stopped",
		       percent(result->wasted_ns, sum_busy(result)));
	if (result->left_out)
		printf("; %" PRIu64 " recorded requests never ran and are left out",
		       result->left_out);
	putchar('\n');
}

static void reservations_text(const struct simulated *simulated, const struct sim_result *result)
{
	for (uint32_t i = 0; i < result->n_reservations; i++) {
		const struct sim_reservation *reservation = &result->reservations[i];
		const char *name = cli_text(simulated->trace->reservations[i].name);

		if (!reservation->is_known)
			continue;
		if (reservation->refusal == RESERVATION_GRANTED)
			printf("  reservation %s: granted on core %u\n", name,
			       reservation->verdict.core);
		else
			printf("  reservation %s: refused: %s; the shortest period that fits is "
			       "%.3f ms\n",
			       name, reservation_refusal_name(reservation->refusal),
			       ms(reservation->verdict.best_period_ns));
	}
}

static void row_text(const struct sim_group *group)
{
	const struct sim_samples *latency = &group->latency_ns;

	printf("  %-16s %8" PRIu64 " %9.3f %9.3f %9.3f %9.3f %9.3f %8" PRIu64,
	       cli_text(group->name), group->requests, ms(sim_mean(latency)),
	       ms(sim_quantile(latency, 500)), ms(sim_quantile(latency, 950)),
	       ms(sim_quantile(latency, 990)), ms(sim_quantile(latency, 1000)), sim_misses(group));
	if (group->deadline_permille.n)
		printf(" %8.2f", (double)sim_quantile(&group->deadline_permille, 990) / 1000);
	else
		printf(" %8s", "-");
	for (int outcome = SIM_LATE; outcome < SIM_OUTCOMES_; outcome++)
		if (group->outcomes[outcome])
			printf("  %" PRIu64 " %s", group->outcomes[outcome],
			       sim_outcome_name((enum sim_outcome)outcome));
	if (group->preempted)
		printf("  %" PRIu64 " runs stopped and repeated", group->preempted);
	putchar('\n');
}

static void floors_text(const struct simulated *simulated, const struct sim_result *result)
{
	uint64_t busy = sum_busy(result);

	printf("  share of device time:");
	for (int class = 0; class < ZY_CLASS_MAX_; class ++) {
		printf("%s %s %.1f %%", class ? "," : "", result->classes[class].name,
		       percent(result->classes[class].device_ns, busy));
		if (class != ZY_CLASS_REALTIME && strcmp(result->scheme, "zhouyi") == 0)
			printf(" (floor %u %%)", simulated->trace->settings.floor_percent[class]);
	}
	putchar('\n');
}

static void recorded_text(const struct sim_result *result)
{
	for (int class = 0; class < ZY_CLASS_MAX_; class ++) {
		const struct sim_group *group = &result->classes[class];
		uint64_t n = group->both.n, recorded, simulated;

		if (!n)
			continue;
		recorded = (uint64_t)(group->both.recorded_ns / n);
		simulated = (uint64_t)(group->both.simulated_ns / n);
		printf("  %s: mean of %" PRIu64
		       " requests %.3f ms as recorded, %.3f ms simulated (%+.1f %%)\n",
		       group->name, n, ms(recorded), ms(simulated),
		       percent(simulated, recorded) - 100);
	}
}

static void result_text(const struct simulated *simulated, const struct sim_result *result)
{
	head_text(result);
	reservations_text(simulated, result);
	printf("  %-16s %8s %9s %9s %9s %9s %9s %8s %8s\n", "ms", "requests", "mean", "p50", "p95",
	       "p99", "max", "misses", "p99/dl");
	for (uint32_t i = 0; i < result->n_clients; i++)
		if (result->clients[i].requests)
			row_text(&result->clients[i]);
	for (int class = 0; class < ZY_CLASS_MAX_; class ++)
		if (result->classes[class].requests)
			row_text(&result->classes[class]);
	floors_text(simulated, result);
	recorded_text(result);
}

void simulate_text(const struct simulated *simulated)
{
	printf("seed %" PRIu64 "\n", simulated->seed);
	for (unsigned int i = 0; i < simulated->n; i++) {
		putchar('\n');
		result_text(simulated, &simulated->results[i]);
	}
}

/*
 * For documents
 */

static void row_markdown(const struct simulated *simulated, uint32_t client)
{
	const struct sim_group *group = &simulated->results[0].clients[client];

	printf("| %s | %s | %" PRIu64 " |", cli_text(group->name),
	       zy_class_name(simulated->trace->clients[client].class), group->requests);
	for (unsigned int i = 0; i < simulated->n; i++) {
		group = &simulated->results[i].clients[client];
		if (group->deadlines)
			printf(" %" PRIu64 " | %.2f |", sim_misses(group),
			       (double)sim_quantile(&group->deadline_permille, 990) / 1000);
		else
			printf(" – | %.1f ms |", ms(sim_quantile(&group->latency_ns, 990)));
	}
	putchar('\n');
}

void simulate_markdown(const struct simulated *simulated)
{
	printf("Seed %" PRIu64 ".\n\n| client | class | requests |", simulated->seed);
	for (unsigned int i = 0; i < simulated->n; i++)
		printf(" %s: misses | p99/deadline |", simulated->results[i].scheme);
	printf("\n|---|---|--:|");
	for (unsigned int i = 0; i < simulated->n; i++)
		printf("--:|--:|");
	putchar('\n');
	for (uint32_t i = 0; simulated->n && i < simulated->results[0].n_clients; i++)
		row_markdown(simulated, i);
	printf("| device busy | | |");
	for (unsigned int i = 0; i < simulated->n; i++)
		printf(" | %.1f %% |", utilisation(&simulated->results[i]));
	putchar('\n');
}

/*
 * For programs
 */

static json_t *group_json(const struct sim_group *group)
{
	static const struct {
		const char *name;
		unsigned int permille;
	} quantiles[] = {{"p50_ns", 500}, {"p95_ns", 950}, {"p99_ns", 990}, {"max_ns", 1000}};
	json_t *json = json_object();

	json_object_set_new(json, "name", cli_json_text(group->name));
	json_object_set_new(json, "requests", cli_json_number(group->requests));
	for (int outcome = 0; outcome < SIM_OUTCOMES_; outcome++)
		json_object_set_new(json, sim_outcome_name((enum sim_outcome)outcome),
				    cli_json_number(group->outcomes[outcome]));
	json_object_set_new(json, "misses", cli_json_number(sim_misses(group)));
	json_object_set_new(json, "preempted", cli_json_number(group->preempted));
	json_object_set_new(json, "device_ns", cli_json_number(group->device_ns));
	json_object_set_new(json, "mean_ns", cli_json_number(sim_mean(&group->latency_ns)));
	for (size_t i = 0; i < 4; i++)
		json_object_set_new(
			json, quantiles[i].name,
			cli_json_number(sim_quantile(&group->latency_ns, quantiles[i].permille)));
	if (group->deadlines)
		json_object_set_new(
			json, "p99_per_deadline",
			json_real((double)sim_quantile(&group->deadline_permille, 990) / 1000));
	if (group->both.n) {
		json_object_set_new(json, "recorded", cli_json_number(group->both.n));
		json_object_set_new(
			json, "recorded_mean_ns",
			cli_json_number((uint64_t)(group->both.recorded_ns / group->both.n)));
		json_object_set_new(
			json, "simulated_mean_ns",
			cli_json_number((uint64_t)(group->both.simulated_ns / group->both.n)));
	}
	return json;
}

static json_t *reservation_json(const struct simulated *simulated, const struct sim_result *result,
				uint32_t index)
{
	const struct sim_reservation *reservation = &result->reservations[index];
	json_t *json = json_object();

	json_object_set_new(json, "name",
			    cli_json_text(simulated->trace->reservations[index].name));
	json_object_set_new(json, "verdict",
			    json_string(reservation->is_known
						? reservation_refusal_name(reservation->refusal)
						: "not supported"));
	if (!reservation->is_known)
		return json;
	if (reservation->refusal == RESERVATION_GRANTED)
		json_object_set_new(json, "core", json_integer(reservation->verdict.core));
	else
		json_object_set_new(json, "best_period_ns",
				    cli_json_number(reservation->verdict.best_period_ns));
	return json;
}

static json_t *result_json(const struct simulated *simulated, const struct sim_result *result)
{
	json_t *json = json_object(), *cores = json_array(), *clients = json_array(),
	       *classes = json_array(), *reservations = json_array();

	for (unsigned int i = 0; i < result->n_cores; i++)
		json_array_append_new(cores,
				      json_real(percent(result->busy_ns[i], result->end_ns) / 100));
	for (uint32_t i = 0; i < result->n_clients; i++)
		json_array_append_new(clients, group_json(&result->clients[i]));
	for (unsigned int class = 0; class < ZY_CLASS_MAX_; class ++) {
		json_t *group = group_json(&result->classes[class]);

		if (class != ZY_CLASS_REALTIME)
			json_object_set_new(
				group, "floor_percent",
				json_integer(simulated->trace->settings.floor_percent[class]));
		json_array_append_new(classes, group);
	}
	for (uint32_t i = 0; i < result->n_reservations; i++)
		json_array_append_new(reservations, reservation_json(simulated, result, i));
	json_object_set_new(json, "policy", json_string(result->scheme));
	json_object_set_new(json, "requests", cli_json_number(result->requests));
	json_object_set_new(json, "left_out", cli_json_number(result->left_out));
	json_object_set_new(json, "duration_ns", cli_json_number(result->end_ns));
	json_object_set_new(json, "utilisation", json_real(utilisation(result) / 100));
	json_object_set_new(json, "core_utilisation", cores);
	json_object_set_new(json, "wasted_ns", cli_json_number(result->wasted_ns));
	json_object_set_new(json, "reservations", reservations);
	json_object_set_new(json, "clients", clients);
	json_object_set_new(json, "classes", classes);
	return json;
}

int simulate_json(const struct simulated *simulated)
{
	json_t *json = json_object(), *results = json_array();

	for (unsigned int i = 0; i < simulated->n; i++)
		json_array_append_new(results, result_json(simulated, &simulated->results[i]));
	json_object_set_new(json, "seed", cli_json_number(simulated->seed));
	json_object_set_new(json, "policies", results);
	return cli_json_print(json);
}
