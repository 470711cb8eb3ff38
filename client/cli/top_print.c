/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on, as text in columns: made for 80 of them, names get what is beyond that. */
#include <inttypes.h>
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/cli.h"
#include "client/cli/table.h"
#include "client/cli/top.h"

#define CORE_WIDTH 20u
#define BAR 8u

/*
 * Lines. What is left of the page is counted down.
 */

struct printer {
	FILE *out;
	const struct top *top;
	unsigned int width;
	unsigned int left; /* lines */
};

static bool line(struct printer *p, const char *text)
{
	if (!p->left)
		return false;
	p->left--;
	table_cut(p->out, text, p->width);
	fputc('\n', p->out);
	return true;
}

/* Never longer than @width: a number that is cut is another number. */
static const char *shorten(double value, int decimals, unsigned int width)
{
	static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
	char text[64];

	for (unsigned int i = 0; i < sizeof(units) / sizeof(units[0]); i++, value /= 1000) {
		snprintf(text, sizeof(text), "%.*f%s", decimals, value, units[i]);
		if (strlen(text) > width)
			snprintf(text, sizeof(text), "%.0f%s", value, units[i]);
		if (strlen(text) <= width)
			return cli_format("%s", text);
	}
	return "?";
}

/* A rate, or that there is none yet. */
static const char *rate(const struct top *top, double value, unsigned int width)
{
	return top->interval_ns ? shorten(value, 1, width) : "-";
}

static const char *percent(const struct top *top, double share)
{
	return rate(top, share * 100, 6);
}

/*
 * The summary
 */

static void print_health(struct printer *p)
{
	const struct zhouyi_activity *a = p->top->now;
	uint64_t seconds = a->uptime_ns / 1000000000u;
	unsigned int n_clients = 0;
	char text[320];

	for (size_t i = 0; i < a->n_clients; i++)
		n_clients += a->clients[i].clients;
	snprintf(text, sizeof(text),
		 "zhouyid: %.32s, up %" PRIu64
		 "d %02u:%02u:%02u; %u clients; %u queued, %u running",
		 a->health, seconds / 86400, (unsigned int)(seconds / 3600 % 24),
		 (unsigned int)(seconds / 60 % 60), (unsigned int)(seconds % 60), n_clients,
		 a->queued, a->running);
	line(p, text);
	for (size_t i = 0; i < a->n_reasons; i++) {
		snprintf(text, sizeof(text), "  %s", a->reasons[i]);
		line(p, text);
	}
	snprintf(text, sizeof(text), "%s requests/s, %s failed/s; device %s %%; memory %s of %s",
		 rate(p->top, p->top->answers, 8), rate(p->top, p->top->failures, 8),
		 percent(p->top, p->top->device), cli_size(a->memory_used),
		 cli_size(a->memory_bytes));
	line(p, text);
}

static void core_text(const struct top *top, size_t i, char ret[static CORE_WIDTH + 1])
{
	unsigned int full = (unsigned int)(top->cores[i] * BAR + 0.5);
	char bar[BAR + 1], busy[8] = "-";

	for (unsigned int k = 0; k < BAR; k++)
		bar[k] = k < full ? '|' : ' ';
	bar[BAR] = '\0';
	if (top->interval_ns)
		snprintf(busy, sizeof(busy), "%.0f%%", top->cores[i] * 100);
	if (top->now->cores[i].healthy)
		snprintf(ret, CORE_WIDTH + 1, "%3u [%s] %4s", top->now->cores[i].core % 1000u, bar,
			 busy);
	else
		snprintf(ret, CORE_WIDTH + 1, "%3u not in use", top->now->cores[i].core % 1000u);
}

static void print_cores(struct printer *p)
{
	size_t n = p->top->now->n_cores, columns = p->width / CORE_WIDTH;
	char text[1024], cell[CORE_WIDTH + 1];
	int at = 0;

	if (!columns)
		columns = 1;
	else if (columns > sizeof(text) / CORE_WIDTH - 1)
		columns = sizeof(text) / CORE_WIDTH - 1;
	for (size_t i = 0; i < n; i++) {
		core_text(p->top, i, cell);
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%-*s", (int)CORE_WIDTH, cell);
		if ((i + 1) % columns && i + 1 < n)
			continue;
		line(p, text);
		at = 0;
	}
}

/*
 * Tables: 80 columns wide
 */

static const struct table tables[TOP_TABLE_MAX_] = {
	[TOP_CLIENTS] = {.columns = {{"CLIENT", -18},
				     {"PID", 7},
				     {"USER", -8},
				     {"QUEUED", 6},
				     {"RUN", 4},
				     {"REQ/S", 8},
				     {"FAIL/S", 6},
				     {"DEV %", 6},
				     {"MEAN RUN", 9}}},
	[TOP_MODELS] = {.columns = {{"MODEL", -25},
				    {"HASH", -12},
				    {"USERS", 5},
				    {"REQ/S", 8},
				    {"DEV %", 6},
				    {"MEAN RUN", 9},
				    {"ESTIMATE", 9}}},
	[TOP_CLASSES] = {.columns = {{"CLASS", -38},
				     {"QUEUED", 6},
				     {"RUN", 4},
				     {"REQ/S", 8},
				     {"DEV %", 6},
				     {"MEAN RUN", 13}}},
};

static const char *count(uint64_t n, unsigned int width)
{
	return shorten((double)n, 0, width);
}

static const char *time_text(uint64_t ns, unsigned int width)
{
	const char *text = ns ? args_time_text(ns) : "-";

	return strlen(text) <= width ? text : "hours";
}

static const char *others_text(unsigned int n)
{
	return cli_format("(%u other%s)", n, n == 1 ? "" : "s");
}

/* Whose it is: a slice or a unit without saying which of them, or a user. */
static const char *owner(const struct zhouyi_activity_client *c)
{
	const char *colon = strchr(c->principal, ':');

	if (c->principal[0])
		return colon ? colon + 1 : c->principal;
	return c->session ? cli_format("%u", c->uid) : "";
}

static void print_row(const struct printer *p, enum top_table table, const char *const cells[])
{
	unsigned int width = table_width(&tables[table]);

	table_row(p->out, &tables[table], p->width > width ? p->width - width : 0, cells);
}

static void print_client(const struct printer *p, size_t i)
{
	const struct zhouyi_activity_client *c = &p->top->now->clients[i];
	const struct top_rate *r = &p->top->clients[i];

	print_row(p, TOP_CLIENTS,
		  (const char *[]){c->session ? c->name : others_text(c->clients),
				   c->pid ? cli_format("%d", c->pid) : "", owner(c),
				   count(c->queued, 6), count(c->running, 4),
				   rate(p->top, r->answers, 8), rate(p->top, r->failures, 6),
				   percent(p->top, r->device), time_text(r->mean_ns, 9)});
}

static void print_model(const struct printer *p, size_t i)
{
	const struct zhouyi_activity_model *m = &p->top->now->models[i];
	const struct top_rate *r = &p->top->models[i];
	const char *name = m->name[0] ? m->name : "-";

	print_row(p, TOP_MODELS,
		  (const char *[]){m->hash[0] ? name : others_text(m->models), m->hash,
				   count(m->users, 5), rate(p->top, r->answers, 8),
				   percent(p->top, r->device), time_text(r->mean_ns, 9),
				   time_text(m->estimate_ns, 9)});
}

static void print_class(const struct printer *p, size_t i)
{
	const struct zhouyi_activity_class *c = &p->top->now->classes[i];
	const struct top_rate *r = &p->top->classes[i];

	print_row(p, TOP_CLASSES,
		  (const char *[]){zhouyi_class_name(c->request_class), count(c->queued, 6),
				   count(c->running, 4), rate(p->top, r->answers, 8),
				   percent(p->top, r->device), time_text(r->mean_ns, 13)});
}

static void print_head(const struct printer *p, enum top_table table)
{
	unsigned int width = table_width(&tables[table]);

	table_head(p->out, &tables[table], p->width > width ? p->width - width : 0);
}

static void print_one(const struct printer *p, enum top_table table, size_t i)
{
	switch (table) {
	case TOP_CLIENTS:
		print_client(p, i);
		break;
	case TOP_MODELS:
		print_model(p, i);
		break;
	case TOP_CLASSES:
		print_class(p, i);
		break;
	case TOP_TABLE_MAX_:
		break;
	}
}

static size_t table_rows(const struct top *top, enum top_table table, const size_t **ret_order)
{
	*ret_order = NULL;
	switch (table) {
	case TOP_CLIENTS:
		*ret_order = top->client_order;
		return top->now->n_clients;
	case TOP_MODELS:
		*ret_order = top->model_order;
		return top->now->n_models;
	case TOP_CLASSES:
		return top->now->n_classes;
	case TOP_TABLE_MAX_:
		break;
	}
	return 0;
}

/* Rows are never shorter than WIDTH: on a narrower page who shows them cuts them. */
static void print_table(struct printer *p, enum top_table table)
{
	const size_t *order;
	size_t n = table_rows(p->top, table, &order), shown;

	/* An empty line, the head, and at least one row. */
	if (!n || p->left < 3)
		return;
	p->left -= 2;
	fputc('\n', p->out);
	print_head(p, table);
	shown = n <= p->left ? n : p->left - 1;
	for (size_t i = 0; i < shown; i++)
		print_one(p, table, order ? order[i] : i);
	p->left -= (unsigned int)shown;
	if (shown < n) {
		fprintf(p->out, "... %zu more\n", n - shown);
		p->left--;
	}
}

void top_print(FILE *out, const struct top *top, const struct top_page *page)
{
	struct printer p = {
		.out = out,
		.top = top,
		.width = page->width,
		.left = page->height ? page->height : UINT32_MAX,
	};

	print_health(&p);
	print_cores(&p);
	print_table(&p, page->first);
	for (unsigned int i = 0; i < TOP_TABLE_MAX_; i++)
		if (i != (unsigned int)page->first)
			print_table(&p, (enum top_table)i);
}
