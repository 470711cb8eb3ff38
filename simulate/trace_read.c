/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "proto/scope.h"
#include "proto/status.h"
#include "simulate/reader.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define AT(type, member) .offset = offsetof(struct type, member)
#define ANY_TIME .max = TRACE_LONGEST_NS

/*
 * Device and policy
 */

static int read_placement(struct reader *reader, void *target, json_t *value)
{
	struct trace_device *device = target;
	static const char *const names[] = {
		[POLICY_PLACEMENT_NONE] = "none",
		[POLICY_PLACEMENT_ONE] = "one",
		[POLICY_PLACEMENT_EXACT] = "exact",
	};

	for (size_t i = 0; json_is_string(value) && i < N(names); i++)
		if (strcmp(json_string_value(value), names[i]) == 0) {
			device->placement = (enum policy_placement)i;
			return 0;
		}
	return reader_wrong(reader, "must be one of none, one, exact");
}

static int read_device(struct reader *reader, void *trace, json_t *value)
{
	static const struct field fields[] = {
		{"cores", FIELD_UINT, true, AT(trace_device, cores), 1, POLICY_MAX_CORES},
		{"placement", FIELD_OTHER, .set = read_placement},
		{"hand_over", FIELD_TIME, AT(trace_device, hand_over_ns), ANY_TIME},
		{"report", FIELD_TIME, AT(trace_device, report_ns), ANY_TIME},
		{"stop", FIELD_TIME, AT(trace_device, stop_ns), ANY_TIME},
	};

	return reader_object(reader, fields, N(fields), &((struct trace *)trace)->device, value);
}

static int read_floors(struct reader *reader, void *settings, json_t *value)
{
#define FLOOR(class) AT(policy_settings, floor_percent[class]), .max = 90
	static const struct field fields[] = {
		{"interactive", FIELD_UINT, FLOOR(ZY_CLASS_INTERACTIVE)},
		{"normal", FIELD_UINT, FLOOR(ZY_CLASS_NORMAL)},
		{"background", FIELD_UINT, FLOOR(ZY_CLASS_BACKGROUND)},
	};
	const struct policy_settings *set = settings;
	int r = reader_object(reader, fields, N(fields), settings, value);

	if (r == 0 && set->floor_percent[ZY_CLASS_INTERACTIVE] +
				      set->floor_percent[ZY_CLASS_NORMAL] +
				      set->floor_percent[ZY_CLASS_BACKGROUND] >
			      90)
		return reader_wrong(reader, "must be at most 90 in all");
	return r;
}

static int read_policy(struct reader *reader, void *trace, json_t *value)
{
	static const struct field fields[] = {
		{"floors", FIELD_OTHER, .set = read_floors},
		{"stack", FIELD_TIME, AT(policy_settings, stack_ns), ANY_TIME},
		{"collect", FIELD_TIME, AT(policy_settings, collect_ns), ANY_TIME},
	};

	return reader_object(reader, fields, N(fields), &((struct trace *)trace)->settings, value);
}

/*
 * Who and what
 */

static int read_account(struct reader *reader, const char *name, json_t *value)
{
	static const struct field fields[] = {
		{"weight", FIELD_UINT, AT(trace_account, weight), 1, 10000},
		{"max_on_device", FIELD_UINT, AT(trace_account, max_on_device), 0, 1000000},
		{"share_percent", FIELD_UINT, AT(trace_account, share_percent), 0, 100},
	};
	int index = trace_find_account(reader->trace, name), r;

	if (index < 0)
		return reader_fail(reader, index);
	r = reader_object(reader, fields, N(fields), &reader->trace->accounts[index], value);
	return r < 0 ? r : index;
}

static int read_accounts(struct reader *reader, void *trace, json_t *value)
{
	(void)trace;
	return reader_table(reader, value, reader->names[READER_ACCOUNTS], read_account);
}

static int read_client(struct reader *reader, const char *name, json_t *value)
{
	static const struct field fields[] = {
		{"account", FIELD_NAME, AT(trace_client, account), .names = READER_ACCOUNTS},
		{"class", FIELD_CLASS, AT(trace_client, class)},
	};
	int index = trace_find_client(reader->trace, name, TRACE_NONE), r;
	struct trace_client *client;

	if (index < 0)
		return reader_fail(reader, index);
	client = &reader->trace->clients[index];
	r = reader_object(reader, fields, N(fields), client, value);
	if (r == 0 && client->account == TRACE_NONE) {
		r = trace_find_account(reader->trace, name);
		if (r < 0)
			return reader_fail(reader, r);
		client->account = (uint32_t)r;
	}
	return r < 0 ? r : index;
}

static int read_clients(struct reader *reader, void *trace, json_t *value)
{
	(void)trace;
	return reader_table(reader, value, reader->names[READER_CLIENTS], read_client);
}

static int read_run(struct reader *reader, void *target, json_t *value)
{
	static const struct field range[] = {
		{"from", FIELD_TIME, true, AT(trace_model, run_from_ns), 1, TRACE_LONGEST_NS},
		{"to", FIELD_TIME, true, AT(trace_model, run_to_ns), 1, TRACE_LONGEST_NS},
	};
	struct trace_model *model = target;
	int r;

	if (!json_is_object(value)) {
		r = reader_time(reader, &range[0], value, &model->run_from_ns);
		model->run_to_ns = model->run_from_ns;
		return r;
	}
	r = reader_object(reader, range, N(range), model, value);
	if (r == 0 && model->run_from_ns > model->run_to_ns)
		return reader_wrong(reader, "'from' is more than 'to'");
	return r;
}

static int read_rarely(struct reader *reader, void *target, json_t *value)
{
	static const struct field fields[] = {
		{"ppm", FIELD_UINT, true, AT(trace_model, rarely_ppm), 0, 1000000},
		{"run", FIELD_TIME, true, AT(trace_model, rarely_ns), 1, TRACE_LONGEST_NS},
	};

	return reader_object(reader, fields, N(fields), target, value);
}

static int read_model(struct reader *reader, const char *name, json_t *value)
{
	static const struct field fields[] = {
		{"run", FIELD_OTHER, true, .set = read_run},
		{"rarely", FIELD_OTHER, .set = read_rarely},
		{"bound", FIELD_TIME, AT(trace_model, bound_ns), 1, TRACE_LONGEST_NS},
	};
	int index = trace_find_model(reader->trace, name), r;

	if (index < 0)
		return reader_fail(reader, index);
	r = reader_object(reader, fields, N(fields), &reader->trace->models[index], value);
	return r < 0 ? r : index;
}

static int read_models(struct reader *reader, void *trace, json_t *value)
{
	(void)trace;
	return reader_table(reader, value, reader->names[READER_MODELS], read_model);
}

static int read_reservation(struct reader *reader, const char *name, json_t *value)
{
	static const struct field fields[] = {
		{"client", FIELD_NAME, true, AT(trace_reservation, client),
		 .names = READER_CLIENTS},
		{"budget", FIELD_TIME, true, AT(trace_reservation, spec.budget_ns), 1,
		 TRACE_LONGEST_NS},
		{"period", FIELD_TIME, true, AT(trace_reservation, spec.period_ns),
		 TRACE_SHORTEST_PERIOD_NS, TRACE_LONGEST_NS},
		{"deadline", FIELD_TIME, true, AT(trace_reservation, spec.deadline_ns), 1,
		 TRACE_LONGEST_NS},
		{"jitter", FIELD_TIME, AT(trace_reservation, spec.jitter_ns), ANY_TIME},
		{"cores", FIELD_MASK, AT(trace_reservation, spec.cores)},
	};
	int index = trace_find_reservation(reader->trace, name, TRACE_NONE), r;

	if (index < 0)
		return reader_fail(reader, index);
	r = reader_object(reader, fields, N(fields), &reader->trace->reservations[index], value);
	return r < 0 ? r : index;
}

static int read_reservations(struct reader *reader, void *trace, json_t *value)
{
	(void)trace;
	return reader_table(reader, value, reader->names[READER_RESERVATIONS], read_reservation);
}

/*
 * Sources and requests
 */

/* The members of struct trace_shape, wherever it is. */
#define SHAPE(type)                                                                                \
	{"client", FIELD_NAME, true, AT(type, shape.client), .names = READER_CLIENTS},             \
		{"model", FIELD_NAME, true, AT(type, shape.model), .names = READER_MODELS},        \
		{"class", FIELD_CLASS, AT(type, shape.class)},                                     \
		{"cores", FIELD_MASK, AT(type, shape.cores)},                                      \
		{"n_cores", FIELD_UINT, AT(type, shape.n_cores), 1, POLICY_MAX_CORES},             \
		{"deadline", FIELD_TIME, AT(type, shape.deadline_ns), ANY_TIME},                   \
	{                                                                                          \
		"reservation", FIELD_NAME, AT(type, shape.reservation),                            \
			.names = READER_RESERVATIONS                                               \
	}

/* What the shape leaves open, and what does not go together. */
static int settle_shape(struct reader *reader, struct trace_shape *shape)
{
	const struct trace *trace = reader->trace;
	unsigned int allowed = shape->cores ? (unsigned int)__builtin_popcountll(shape->cores)
					    : trace->device.cores;

	if (shape->class == ZY_CLASS_MAX_)
		shape->class = trace->clients[shape->client].class;
	if (shape->n_cores > allowed)
		return reader_wrong(reader, "'n_cores' is more than there are in 'cores'");
	if (shape->reservation == TRACE_NONE)
		return 0;
	shape->class = ZY_CLASS_REALTIME;
	if (shape->n_cores != 1)
		return reader_wrong(reader, "a frame of a reservation runs on one core");
	if (trace->reservations[shape->reservation].client != shape->client)
		return reader_wrong(reader, "the reservation is another client's");
	return 0;
}

static int read_arrivals(struct reader *reader, void *target, json_t *value)
{
	struct trace_source *source = target;
	static const char *const names[] = {
		[TRACE_PERIODIC] = "periodic",
		[TRACE_POISSON] = "poisson",
		[TRACE_BURSTY] = "bursty",
		[TRACE_CLOSED] = "closed",
	};

	for (size_t i = 0; json_is_string(value) && i < N(names); i++)
		if (strcmp(json_string_value(value), names[i]) == 0) {
			source->arrivals = (enum trace_arrivals)i;
			return 0;
		}
	return reader_wrong(reader, "must be one of periodic, poisson, bursty, closed");
}

static int read_drop(struct reader *reader, void *target, json_t *value)
{
	struct trace_source *source = target;
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	int n = 0;

	source->depth = 1;
	source->drop = TRACE_DROP_OLDEST;
	if (strcmp(text, "latest") == 0)
		return 0;
	if (sscanf(text, "block:%9u%n", &source->depth, &n) == 1)
		source->drop = TRACE_DROP_BLOCK;
	else if (sscanf(text, "queue:%9u%n", &source->depth, &n) != 1)
		n = 0;
	if (!n || text[n] || !source->depth || text[6] == '-' || text[6] == '+' || text[6] == ' ')
		return reader_wrong(reader, "must be \"latest\", \"queue:N\" or \"block:N\"");
	return 0;
}

static int check_source(struct reader *reader, struct trace_source *source)
{
	if (source->arrivals != TRACE_CLOSED && source->period_ns < TRACE_SHORTEST_PERIOD_NS)
		return reader_wrong(reader, "'period' must be at least 1us");
	if (source->arrivals == TRACE_CLOSED && !source->in_flight)
		return reader_wrong(reader, "'in_flight' is missing");
	if (source->arrivals == TRACE_CLOSED && source->drop != TRACE_DROP_NEVER)
		return reader_wrong(
			reader, "'drop' makes no sense when each answer makes the next request");
	if (source->arrivals == TRACE_BURSTY && (!source->on_ns || !source->off_ns))
		return reader_wrong(reader, "'on' or 'off' is missing");
	if (source->jitter_ns && source->arrivals != TRACE_PERIODIC)
		return reader_wrong(reader, "'jitter' is for periodic ones");
	return settle_shape(reader, &source->shape);
}

static int read_source(struct reader *reader, const char *name, json_t *value)
{
	static const struct field fields[] = {
		SHAPE(trace_source),
		{"arrivals", FIELD_OTHER, true, .set = read_arrivals},
		{"period", FIELD_TIME, AT(trace_source, period_ns), ANY_TIME},
		{"offset", FIELD_TIME, AT(trace_source, offset_ns), ANY_TIME},
		{"jitter", FIELD_TIME, AT(trace_source, jitter_ns), ANY_TIME},
		{"on", FIELD_TIME, AT(trace_source, on_ns), ANY_TIME},
		{"off", FIELD_TIME, AT(trace_source, off_ns), ANY_TIME},
		{"in_flight", FIELD_UINT, AT(trace_source, in_flight), 1, 10000},
		{"drop", FIELD_OTHER, .set = read_drop},
	};
	int index = trace_find_source(reader->trace, name), r;
	struct trace_source *source;

	if (index < 0)
		return reader_fail(reader, index);
	source = &reader->trace->sources[index];
	source->shape.class = ZY_CLASS_MAX_;
	r = reader_object(reader, fields, N(fields), source, value);
	if (r == 0)
		r = check_source(reader, source);
	return r < 0 ? r : index;
}

static int read_sources(struct reader *reader, void *trace, json_t *value)
{
	(void)trace;
	return reader_table(reader, value, NULL, read_source);
}

static int read_status(struct reader *reader, void *target, json_t *value)
{
	int status = json_is_string(value) ? zy_status_find(json_string_value(value)) : -EINVAL;

	if (status < 0)
		return reader_wrong(reader,
				    "must be a status, like \"ok\" or \"deadline-expired\"");
	((struct trace_request *)target)->status = (enum zy_status)status;
	return 0;
}

/* The request that was just added waited for the answer to number @after. */
static int read_after(struct reader *reader, uint32_t after)
{
	struct trace *trace = reader->trace;
	uint32_t own = trace->n_requests - 1;
	struct trace_request *answer;

	if (after == TRACE_NONE)
		return 0;
	if (after >= own)
		return reader_wrong(reader, "'after' is not the number of an earlier request");
	answer = &trace->requests[after];
	if (!answer->end_ns || answer->end_ns > trace->requests[own].at_ns)
		return reader_wrong(reader, "'after' has no answer before this request arrives");
	if (answer->next != TRACE_NONE)
		return reader_wrong(reader, "another request is after number %u already", after);
	answer->next = own;
	trace->requests[own].after = after;
	return 0;
}

static int read_request(struct reader *reader, json_t *value)
{
	static const struct field fields[] = {
		SHAPE(trace_request),
		{"at", FIELD_TIME, true, AT(trace_request, at_ns), ANY_TIME},
		{"run", FIELD_TIME, AT(trace_request, run_ns), ANY_TIME},
		{"start", FIELD_TIME, AT(trace_request, start_ns), ANY_TIME},
		{"end", FIELD_TIME, AT(trace_request, end_ns), ANY_TIME},
		{"on", FIELD_MASK, AT(trace_request, on_cores)},
		{"after", FIELD_UINT, AT(trace_request, after), .max = TRACE_MAX_REQUESTS},
		{"status", FIELD_OTHER, .set = read_status},
	};
	struct trace_request request = {
		.shape = {.class = ZY_CLASS_MAX_, .n_cores = 1, .reservation = TRACE_NONE},
		.after = TRACE_NONE,
	};
	const struct trace *trace = reader->trace;
	int r = reader_object(reader, fields, N(fields), &request, value);

	if (r < 0)
		return r;
	if (trace->n_requests && trace->requests[trace->n_requests - 1].at_ns > request.at_ns)
		return reader_wrong(reader, "comes before the request above it");
	if ((request.start_ns && request.start_ns < request.at_ns) ||
	    (request.end_ns && request.end_ns < request.start_ns))
		return reader_wrong(reader, "ends before it starts, or starts before it arrives");
	r = settle_shape(reader, &request.shape);
	if (r < 0)
		return r;
	r = trace_add_request(reader->trace, &request);
	return r < 0 ? reader_fail(reader, r) : read_after(reader, request.after);
}

static int read_requests(struct reader *reader, void *trace, json_t *array)
{
	size_t i;
	json_t *value;
	int r;

	(void)trace;
	if (!json_is_array(array))
		return reader_wrong(reader, "must be an array");
	json_array_foreach(array, i, value)
	{
		reader_enter(reader, NULL, i);
		r = read_request(reader, value);
		if (r < 0)
			return r;
		reader_leave(reader);
	}
	return 0;
}

/*
 * The trace
 */

static int read_seed(struct reader *reader, void *trace, json_t *value)
{
	if (!json_is_integer(value) || json_integer_value(value) < 1)
		return reader_wrong(reader, "must be an integer, from 1");
	((struct trace *)trace)->seed = (uint64_t)json_integer_value(value);
	return 0;
}

static int read_version(struct reader *reader, void *trace, json_t *value)
{
	(void)trace;
	if (!json_is_integer(value) || json_integer_value(value) != TRACE_VERSION)
		return reader_wrong(reader, "must be %d", TRACE_VERSION);
	return 0;
}

/* What refers to names comes after what has them. */
static const struct field trace_fields[] = {
	{"version", FIELD_OTHER, .set = read_version},
	{"seed", FIELD_OTHER, .set = read_seed},
	{"duration", FIELD_TIME, AT(trace, duration_ns), ANY_TIME},
	{"device", FIELD_OTHER, true, .set = read_device},
	{"policy", FIELD_OTHER, .set = read_policy},
	{"accounts", FIELD_OTHER, .set = read_accounts},
	{"clients", FIELD_OTHER, true, .set = read_clients},
	{"models", FIELD_OTHER, true, .set = read_models},
	{"reservations", FIELD_OTHER, .set = read_reservations},
	{"sources", FIELD_OTHER, .set = read_sources},
	{"requests", FIELD_OTHER, .set = read_requests},
};

static int read_root(struct reader *reader, json_t *root)
{
	struct trace *trace = reader->trace;
	int r;

	for (size_t i = 0; i < READER_NAMES_MAX_; i++) {
		reader->names[i] = json_object();
		if (!reader->names[i])
			return reader_fail(reader, -ENOMEM);
	}
	r = reader_object(reader, trace_fields, N(trace_fields), trace, root);
	if (r < 0)
		return r;
	trace->settings.stop_ns = trace->device.stop_ns;
	if (!trace->n_sources && !trace->n_requests)
		return reader_wrong(reader,
				    "neither 'sources' nor 'requests': nothing to simulate");
	return 0;
}

static void json_unref_p(json_t **json)
{
	json_decref(*json);
}

ZY_DEFINE_AUTO(struct trace, trace_destroy)

int trace_parse(struct trace **ret, const char *text, size_t size, const char *path,
		struct trace_error *ret_error)
{
	zy_auto(json_unref) json_t *root = NULL;
	zy_auto(trace_destroy) struct trace *trace = trace_create(1);
	struct reader reader = {
		.path = path,
		.text = text,
		.size = size,
		.trace = trace,
		.error = ret_error,
	};
	json_error_t where;
	int r;

	if (!trace)
		return reader_fail(&reader, -ENOMEM);
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	if (!root) {
		snprintf(ret_error->text, sizeof(ret_error->text), "%.200s:%d: %.200s", path,
			 where.line, where.text);
		return -EINVAL;
	}
	r = read_root(&reader, root);
	for (size_t i = 0; i < READER_NAMES_MAX_; i++)
		json_decref(reader.names[i]);
	if (r == 0)
		*ret = zy_take(trace);
	return r;
}

/* Reads it whole: a file that grows meanwhile, a pipe or a device cannot feed us for ever. */
static int read_text(int fd, char **ret, size_t *ret_size)
{
	zy_auto(zy_free) char *text = NULL;
	size_t size = 0, room = 0;
	ssize_t n;

	do {
		if (size == room) {
			char *more;

			if (size >= TRACE_MAX_BYTES)
				return -EFBIG;
			room = room ? 2 * room : 65536;
			more = realloc(text, room);
			if (!more)
				return -ENOMEM;
			text = more;
		}
		n = read(fd, text + size, room - size);
		if (n < 0 && errno != EINTR)
			return -errno;
		size += n > 0 ? (size_t)n : 0;
	} while (n != 0);
	*ret = zy_take(text);
	*ret_size = size;
	return 0;
}

int trace_read(struct trace **ret, const char *path, struct trace_error *ret_error)
{
	zy_auto(zy_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	zy_auto(zy_free) char *text = NULL;
	size_t size = 0;
	int r = fd < 0 ? -errno : read_text(fd, &text, &size);

	if (r < 0) {
		snprintf(ret_error->text, sizeof(ret_error->text), "%.400s: cannot be read: %s",
			 path, strerror(-r));
		return r;
	}
	return trace_parse(ret, text, size, path, ret_error);
}
