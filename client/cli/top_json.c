/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on, for machines: counters since the start, and rates since the line before. */
#include "client/cli/cli.h"
#include "client/cli/top.h"

static void put_rate(json_t *json, const struct top *top, const struct top_rate *rate)
{
	if (!top->interval_ns)
		return;
	json_object_set_new(json, "device_share", json_real(rate->device));
	json_object_set_new(json, "requests_per_second", json_real(rate->answers));
}

static json_t *cores_json(const struct top *top)
{
	json_t *list = json_array();

	for (size_t i = 0; i < top->now->n_cores; i++) {
		const struct zhouyi_activity_core *c = &top->now->cores[i];
		json_t *json = json_object();

		json_object_set_new(json, "core", json_integer(c->core));
		json_object_set_new(json, "healthy", json_boolean(c->healthy));
		json_object_set_new(json, "running", json_integer(c->running));
		json_object_set_new(json, "device_ns", cli_json_number(c->device_ns));
		if (top->interval_ns)
			json_object_set_new(json, "busy", json_real(top->cores[i]));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *classes_json(const struct top *top)
{
	json_t *list = json_array();

	for (size_t i = 0; i < top->now->n_classes; i++) {
		const struct zhouyi_activity_class *c = &top->now->classes[i];
		json_t *json = json_object();

		json_object_set_new(json, "class",
				    cli_json_text(zhouyi_class_name(c->request_class)));
		json_object_set_new(json, "queued", json_integer(c->queued));
		json_object_set_new(json, "running", json_integer(c->running));
		json_object_set_new(json, "device_ns", cli_json_number(c->device_ns));
		json_object_set_new(json, "answered", cli_json_number(c->answered));
		put_rate(json, top, &top->classes[i]);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *clients_json(const struct top *top)
{
	json_t *list = json_array();

	for (size_t i = 0; i < top->now->n_clients; i++) {
		size_t at = top->client_order[i];
		const struct zhouyi_activity_client *c = &top->now->clients[at];
		json_t *json = json_object();

		/* Who stands for all others has no name, and says for how many. */
		if (c->session) {
			json_object_set_new(json, "session", cli_json_number(c->session));
			json_object_set_new(json, "name", cli_json_text(c->name));
			json_object_set_new(json, "pid", json_integer(c->pid));
			json_object_set_new(json, "uid", json_integer(c->uid));
			json_object_set_new(json, "principal", cli_json_text(c->principal));
		} else {
			json_object_set_new(json, "others", json_integer(c->clients));
		}
		json_object_set_new(json, "queued", json_integer(c->queued));
		json_object_set_new(json, "running", json_integer(c->running));
		json_object_set_new(json, "device_ns", cli_json_number(c->device_ns));
		json_object_set_new(json, "answered", cli_json_number(c->answered));
		json_object_set_new(json, "failed", cli_json_number(c->failed));
		put_rate(json, top, &top->clients[at]);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *models_json(const struct top *top)
{
	json_t *list = json_array();

	for (size_t i = 0; i < top->now->n_models; i++) {
		size_t at = top->model_order[i];
		const struct zhouyi_activity_model *m = &top->now->models[at];
		json_t *json = json_object();

		if (m->hash[0]) {
			json_object_set_new(json, "name", cli_json_text(m->name));
			json_object_set_new(json, "hash", cli_json_text(m->hash));
			json_object_set_new(json, "estimate_ns", cli_json_number(m->estimate_ns));
		} else {
			json_object_set_new(json, "others", json_integer(m->models));
		}
		json_object_set_new(json, "users", json_integer(m->users));
		json_object_set_new(json, "device_ns", cli_json_number(m->device_ns));
		json_object_set_new(json, "requests", cli_json_number(m->requests));
		put_rate(json, top, &top->models[at]);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *reasons_json(const struct zhouyi_activity *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->n_reasons; i++)
		json_array_append_new(list, cli_json_text(a->reasons[i]));
	return list;
}

int top_json(const struct top *top)
{
	const struct zhouyi_activity *a = top->now;
	json_t *json = json_object();

	json_object_set_new(json, "health", cli_json_text(a->health));
	json_object_set_new(json, "reasons", reasons_json(a));
	json_object_set_new(json, "now_ns", cli_json_number(a->now_ns));
	json_object_set_new(json, "uptime_ns", cli_json_number(a->uptime_ns));
	json_object_set_new(json, "interval_ns", cli_json_number(top->interval_ns));
	json_object_set_new(json, "queued", json_integer(a->queued));
	json_object_set_new(json, "running", json_integer(a->running));
	json_object_set_new(json, "answered", cli_json_number(a->answered));
	json_object_set_new(json, "failed", cli_json_number(a->failed));
	json_object_set_new(json, "memory_bytes", cli_json_number(a->memory_bytes));
	json_object_set_new(json, "memory_used", cli_json_number(a->memory_used));
	if (top->interval_ns) {
		json_object_set_new(json, "device_share", json_real(top->device));
		json_object_set_new(json, "requests_per_second", json_real(top->answers));
	}
	json_object_set_new(json, "cores", cores_json(top));
	json_object_set_new(json, "classes", classes_json(top));
	json_object_set_new(json, "clients", clients_json(top));
	json_object_set_new(json, "models", models_json(top));
	return cli_json_line(json);
}
