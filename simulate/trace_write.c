/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "proto/status.h"
#include "simulate/trace.h"

/*
 * One object to a line, so that traces can be read, and cut, line by line.
 */

static void put_text(FILE *file, const char *text)
{
	json_t *json = json_string(text);
	char *quoted = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;

	/* Names are UTF-8; without memory the file is broken, and says so. */
	fputs(quoted ? quoted : "out of memory", file);
	free(quoted);
	json_decref(json);
}

static void put_member(FILE *file, const char *key, const char *text)
{
	fprintf(file, ", \"%s\": ", key);
	put_text(file, text);
}

static void put_number(FILE *file, const char *key, uint64_t number)
{
	if (number)
		fprintf(file, ", \"%s\": %" PRIu64, key, number);
}

/* The upper half of 64 bits is no JSON integer. */
static void put_mask(FILE *file, const char *key, uint64_t mask)
{
	if (mask)
		fprintf(file, ", \"%s\": \"0x%" PRIx64 "\"", key, mask);
}

/* A line for one of several; its first member has no comma before it. */
static void put_name(FILE *file, uint32_t i, const char *name)
{
	fputs(i ? ",\n\t\t" : "\n\t\t", file);
	put_text(file, name);
	fputs(": {", file);
}

static void write_device(const struct trace *trace, FILE *file)
{
	static const char *const placements[] = {
		[POLICY_PLACEMENT_NONE] = "none",
		[POLICY_PLACEMENT_ONE] = "one",
		[POLICY_PLACEMENT_EXACT] = "exact",
	};
	const struct trace_device *device = &trace->device;
	const struct policy_settings *set = &trace->settings;

	fprintf(file, "\t\"device\": {\"cores\": %u, \"placement\": \"%s\"", device->cores,
		placements[device->placement]);
	put_number(file, "hand_over", device->hand_over_ns);
	put_number(file, "report", device->report_ns);
	if (device->stop_ns != UINT64_MAX)
		fprintf(file, ", \"stop\": %" PRIu64, device->stop_ns);
	fprintf(file,
		"},\n\t\"policy\": {\"floors\": {\"interactive\": %u, \"normal\": %u, "
		"\"background\": %u}, \"stack\": %" PRIu64 ", \"collect\": %" PRIu64 "},\n",
		set->floor_percent[ZY_CLASS_INTERACTIVE], set->floor_percent[ZY_CLASS_NORMAL],
		set->floor_percent[ZY_CLASS_BACKGROUND], set->stack_ns, set->collect_ns);
}

static void write_accounts(const struct trace *trace, FILE *file)
{
	fputs("\t\"accounts\": {", file);
	for (uint32_t i = 0; i < trace->n_accounts; i++) {
		const struct trace_account *account = &trace->accounts[i];

		put_name(file, i, account->name);
		fprintf(file, "\"weight\": %u", account->weight);
		put_number(file, "max_on_device", account->max_on_device);
		put_number(file, "share_percent", account->share_percent);
		fputc('}', file);
	}
	fputs("},\n\t\"clients\": {", file);
	for (uint32_t i = 0; i < trace->n_clients; i++) {
		const struct trace_client *client = &trace->clients[i];

		put_name(file, i, client->name);
		fprintf(file, "\"class\": \"%s\"", zy_class_name(client->class));
		put_member(file, "account", trace->accounts[client->account].name);
		fputc('}', file);
	}
}

static void write_models(const struct trace *trace, FILE *file)
{
	fputs("},\n\t\"models\": {", file);
	for (uint32_t i = 0; i < trace->n_models; i++) {
		const struct trace_model *model = &trace->models[i];
		uint64_t from = model->run_from_ns ? model->run_from_ns : 1;

		put_name(file, i, model->name);
		fprintf(file, "\"run\": {\"from\": %" PRIu64 ", \"to\": %" PRIu64 "}", from,
			model->run_to_ns > from ? model->run_to_ns : from);
		if (model->rarely_ppm)
			fprintf(file, ", \"rarely\": {\"ppm\": %u, \"run\": %" PRIu64 "}",
				model->rarely_ppm, model->rarely_ns);
		put_number(file, "bound", model->bound_ns);
		fputc('}', file);
	}
}

static void write_reservations(const struct trace *trace, FILE *file)
{
	fputs("},\n\t\"reservations\": {", file);
	for (uint32_t i = 0; i < trace->n_reservations; i++) {
		const struct trace_reservation *reservation = &trace->reservations[i];

		put_name(file, i, reservation->name);
		fprintf(file, "\"budget\": %" PRIu64, reservation->spec.budget_ns);
		put_member(file, "client", trace->clients[reservation->client].name);
		put_number(file, "period", reservation->spec.period_ns);
		put_number(file, "deadline", reservation->spec.deadline_ns);
		put_number(file, "jitter", reservation->spec.jitter_ns);
		put_mask(file, "cores", reservation->spec.cores);
		fputc('}', file);
	}
}

static void write_shape(const struct trace *trace, const struct trace_shape *shape, FILE *file)
{
	const struct trace_client *client = &trace->clients[shape->client];

	put_member(file, "client", client->name);
	put_member(file, "model", trace->models[shape->model].name);
	if (shape->class != client->class)
		put_member(file, "class", zy_class_name(shape->class));
	put_mask(file, "cores", shape->cores);
	put_number(file, "n_cores", shape->n_cores == 1 ? 0 : shape->n_cores);
	put_number(file, "deadline", shape->deadline_ns);
	if (shape->reservation != TRACE_NONE)
		put_member(file, "reservation", trace->reservations[shape->reservation].name);
}

static void write_source(const struct trace *trace, const struct trace_source *source, FILE *file)
{
	static const char *const arrivals[] = {
		[TRACE_PERIODIC] = "periodic",
		[TRACE_POISSON] = "poisson",
		[TRACE_BURSTY] = "bursty",
		[TRACE_CLOSED] = "closed",
	};

	fprintf(file, "\"arrivals\": \"%s\"", arrivals[source->arrivals]);
	write_shape(trace, &source->shape, file);
	put_number(file, "period", source->period_ns);
	put_number(file, "offset", source->offset_ns);
	put_number(file, "jitter", source->jitter_ns);
	put_number(file, "on", source->on_ns);
	put_number(file, "off", source->off_ns);
	put_number(file, "in_flight", source->in_flight);
	if (source->drop != TRACE_DROP_NEVER)
		fprintf(file, ", \"drop\": \"%s:%u\"",
			source->drop == TRACE_DROP_BLOCK ? "block" : "queue", source->depth);
	fputc('}', file);
}

static void write_request(const struct trace *trace, const struct trace_request *request,
			  FILE *file)
{
	fprintf(file, "{\"at\": %" PRIu64, request->at_ns);
	write_shape(trace, &request->shape, file);
	put_number(file, "run", request->run_ns);
	put_number(file, "start", request->start_ns);
	put_number(file, "end", request->end_ns);
	put_mask(file, "on", request->on_cores);
	if (request->after != TRACE_NONE)
		fprintf(file, ", \"after\": %" PRIu32, request->after);
	if (request->status != ZY_OK)
		put_member(file, "status", zy_status_name((int)request->status));
	fputc('}', file);
}

int trace_write(const struct trace *trace, FILE *file)
{
	fprintf(file, "{\n\t\"version\": %d,\n", TRACE_VERSION);
	if (trace->seed)
		fprintf(file, "\t\"seed\": %" PRIu64 ",\n", trace->seed);
	if (trace->duration_ns)
		fprintf(file, "\t\"duration\": %" PRIu64 ",\n", trace->duration_ns);
	write_device(trace, file);
	write_accounts(trace, file);
	write_models(trace, file);
	write_reservations(trace, file);
	fputs("},\n\t\"sources\": {", file);
	for (uint32_t i = 0; i < trace->n_sources; i++) {
		put_name(file, i, trace->sources[i].name);
		write_source(trace, &trace->sources[i], file);
	}
	fputs("},\n\t\"requests\": [", file);
	for (uint32_t i = 0; i < trace->n_requests; i++) {
		fputs(i ? ",\n\t\t" : "\n\t\t", file);
		write_request(trace, &trace->requests[i], file);
	}
	fputs("\n\t]\n}\n", file);
	return fflush(file) != 0 || ferror(file) ? -EIO : 0;
}
