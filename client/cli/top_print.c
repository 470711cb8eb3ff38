/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on, as text in columns: made for 80 of them, names get what is beyond that. */
#include <inttypes.h>
#include <string.h>
#include <wchar.h>

#include "client/cli/args.h"
#include "client/cli/cli.h"
#include "client/cli/top.h"

#define WIDTH 80u
#define CORE_WIDTH 20u
#define BAR 8u

/*
 * Columns
 */

/* The next character of @text: its columns; @ret_bytes 0: what is there is none. */
static unsigned int character(const char *text, size_t size, size_t *ret_bytes)
{
	mbstate_t state = {0};
	wchar_t wide;
	size_t n = mbrtowc(&wide, text, size, &state);
	int columns = n == 0 || n > size ? -1 : wcwidth(wide);

	*ret_bytes = columns < 0 ? 0 : n;
	return columns < 0 ? 1 : (unsigned int)columns;
}

unsigned int top_cut(FILE *out, const char *text, unsigned int width)
{
	size_t size = strlen(text), bytes;
	unsigned int used = 0, columns;

	while (size) {
		columns = character(text, size, &bytes);
		if (used + columns > width)
			break;
		used += columns;
		if (out && bytes)
			fwrite(text, 1, bytes, out);
		else if (out)
			fputc('?', out);
		text += bytes ? bytes : 1;
		size -= bytes ? bytes : 1;
	}
	return used;
}

static void fill(FILE *out, unsigned int n)
{
	while (n--)
		fputc(' ', out);
}

void top_column(FILE *out, const char *text, unsigned int width, bool right)
{
	unsigned int used = top_cut(NULL, text, width);

	if (right)
		fill(out, width - used);
	top_cut(out, text, width);
	if (!right)
		fill(out, width - used);
}

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
	top_cut(p->out, text, p->width);
	fputc('\n', p->out);
	return true;
}

struct number {
	char text[32];
};

/* Never longer than @width: a number that is cut is another number. */
static struct number shorten(double value, int decimals, unsigned int width)
{
	static const char units[] = " kMGTPE";
	struct number ret;
	size_t n;

	for (unsigned int unit = 0; unit < sizeof(units) - 1; unit++, value /= 1000) {
		n = (size_t)snprintf(ret.text, sizeof(ret.text), "%.*f", decimals, value);
		if (n + (unit > 0) > width)
			n = (size_t)snprintf(ret.text, sizeof(ret.text), "%.0f", value);
		if (n + (unit > 0) > width)
			continue;
		if (unit)
			snprintf(ret.text + n, sizeof(ret.text) - n, "%c", units[unit]);
		return ret;
	}
	return (struct number){"?"};
}

/* A rate, or that there is none yet. */
static struct number rate(const struct top *top, double value, unsigned int width)
{
	return top->interval_ns ? shorten(value, 1, width) : (struct number){"-"};
}

static struct number percent(const struct top *top, double share)
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
		 rate(p->top, p->top->answers, 8).text, rate(p->top, p->top->failures, 8).text,
		 percent(p->top, p->top->device).text, cli_size(a->memory_used),
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
 * Tables
 */

static void column(const struct printer *p, const char *text, unsigned int width)
{
	fputc(' ', p->out);
	top_column(p->out, text, width, true);
}

static void number(const struct printer *p, uint64_t n, unsigned int width)
{
	column(p, shorten((double)n, 0, width).text, width);
}

static void time_column(const struct printer *p, uint64_t ns, unsigned int width)
{
	const char *text = ns ? args_time_text(ns) : "-";

	column(p, strlen(text) <= width ? text : "hours", width);
}

/* What comes after the name takes this much of a line. */
static unsigned int name_width(const struct printer *p, unsigned int others)
{
	unsigned int width = p->width > WIDTH ? p->width : WIDTH;

	return width - others;
}

static void others_text(char *ret, size_t size, unsigned int n)
{
	snprintf(ret, size, "(%u other%s)", n, n == 1 ? "" : "s");
}

#define CLIENT_OTHERS 62u

/* Whose it is: a slice or a unit without saying which of them, or a user. */
static const char *owner(const struct zhouyi_activity_client *c, char *buf, size_t size)
{
	const char *colon = strchr(c->principal, ':');

	if (c->principal[0])
		return colon ? colon + 1 : c->principal;
	snprintf(buf, size, "%u", c->uid);
	return c->session ? buf : "";
}

static void print_client(struct printer *p, size_t i)
{
	const struct zhouyi_activity_client *c = &p->top->now->clients[i];
	const struct top_rate *r = &p->top->clients[i];
	unsigned int name = name_width(p, CLIENT_OTHERS);
	char others[32], user[16], pid[16] = "";

	others_text(others, sizeof(others), c->clients);
	if (c->pid)
		snprintf(pid, sizeof(pid), "%d", c->pid);
	top_column(p->out, c->session ? c->name : others, name, false);
	column(p, pid, 7);
	column(p, owner(c, user, sizeof(user)), 8);
	number(p, c->queued, 6);
	number(p, c->running, 4);
	column(p, rate(p->top, r->answers, 8).text, 8);
	column(p, rate(p->top, r->failures, 6).text, 6);
	column(p, percent(p->top, r->device).text, 6);
	time_column(p, r->mean_ns, 9);
	fputc('\n', p->out);
}

static void print_clients_head(struct printer *p)
{
	top_column(p->out, "CLIENT", name_width(p, CLIENT_OTHERS), false);
	fprintf(p->out, " %7s %8s %6s %4s %8s %6s %6s %9s\n", "PID", "USER", "QUEUED", "RUN",
		"REQ/S", "FAIL/S", "DEV %", "MEAN RUN");
}

#define MODEL_OTHERS 55u

static void print_model(struct printer *p, size_t i)
{
	const struct zhouyi_activity_model *m = &p->top->now->models[i];
	const struct top_rate *r = &p->top->models[i];
	char others[32];

	others_text(others, sizeof(others), m->models);
	top_column(p->out,
		   !m->hash[0]	? others
		   : m->name[0] ? m->name
				: "-",
		   name_width(p, MODEL_OTHERS), false);
	fputc(' ', p->out);
	top_column(p->out, m->hash, 12, false);
	number(p, m->users, 5);
	column(p, rate(p->top, r->answers, 8).text, 8);
	column(p, percent(p->top, r->device).text, 6);
	time_column(p, r->mean_ns, 9);
	time_column(p, m->estimate_ns, 9);
	fputc('\n', p->out);
}

static void print_models_head(struct printer *p)
{
	top_column(p->out, "MODEL", name_width(p, MODEL_OTHERS), false);
	fprintf(p->out, " %-12s %5s %8s %6s %9s %9s\n", "HASH", "USERS", "REQ/S", "DEV %",
		"MEAN RUN", "ESTIMATE");
}

#define CLASS_OTHERS 42u

static void print_class(struct printer *p, size_t i)
{
	const struct zhouyi_activity_class *c = &p->top->now->classes[i];
	const struct top_rate *r = &p->top->classes[i];

	top_column(p->out, zhouyi_class_name(c->request_class), name_width(p, CLASS_OTHERS), false);
	number(p, c->queued, 6);
	number(p, c->running, 4);
	column(p, rate(p->top, r->answers, 8).text, 8);
	column(p, percent(p->top, r->device).text, 6);
	time_column(p, r->mean_ns, 13);
	fputc('\n', p->out);
}

static void print_classes_head(struct printer *p)
{
	top_column(p->out, "CLASS", name_width(p, CLASS_OTHERS), false);
	fprintf(p->out, " %6s %4s %8s %6s %13s\n", "QUEUED", "RUN", "REQ/S", "DEV %", "MEAN RUN");
}

static const struct {
	void (*head)(struct printer *p);
	void (*row)(struct printer *p, size_t i);
} tables[TOP_TABLE_MAX_] = {
	[TOP_CLIENTS] = {print_clients_head, print_client},
	[TOP_MODELS] = {print_models_head, print_model},
	[TOP_CLASSES] = {print_classes_head, print_class},
};

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
	tables[table].head(p);
	shown = n <= p->left ? n : p->left - 1;
	for (size_t i = 0; i < shown; i++)
		tables[table].row(p, order ? order[i] : i);
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
