/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/top.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

/*
 * Rates
 */

static struct zhouyi_activity_core cores[2][2];
static struct zhouyi_activity_class classes[2][1];
static struct zhouyi_activity_client clients[2][3];
static struct zhouyi_activity_model models[2][2];
static struct zhouyi_activity looks[2];
static struct top top;

/* Two looks, two seconds apart, at two cores, a class, two clients and others, a model and others.
 */
static void setup(void)
{
	for (int i = 0; i < 2; i++) {
		looks[i] = (struct zhouyi_activity){
			.now_ns = (10 + 2 * (uint64_t)i) * SECOND,
			.health = "ready",
			.n_cores = 2,
			.cores = cores[i],
			.n_classes = 1,
			.classes = classes[i],
			.n_clients = 3,
			.clients = clients[i],
			.n_models = 2,
			.models = models[i],
		};
		memset(cores, 0, sizeof(cores));
		memset(classes, 0, sizeof(classes));
		for (int k = 0; k < 3; k++)
			clients[i][k] = (struct zhouyi_activity_client){
				.session = k < 2 ? 7 + (uint64_t)k : 0,
				.clients = k < 2 ? 1 : 5,
				.name = k == 0	 ? "b"
					: k == 1 ? "a"
						 : "",
				.principal = "",
			};
		for (int k = 0; k < 2; k++)
			models[i][k] = (struct zhouyi_activity_model){
				.models = 1, .name = "m", .hash = k ? "" : "0123456789abcdef"};
	}
}

static void compare(void)
{
	cr_assert_eq(top_init(&top, &looks[0], &looks[1]), 0);
}

static void teardown(void)
{
	top_finish(&top);
}

TestSuite(top, .init = setup, .fini = teardown);

static bool near(double a, double b)
{
	return a > b - 1e-6 && a < b + 1e-6;
}

Test(top, the_first_look_has_no_rates)
{
	looks[1].answered = 100;
	cr_assert_eq(top_init(&top, NULL, &looks[1]), 0);
	cr_expect_eq(top.interval_ns, 0);
	cr_expect(near(top.answers, 0));
}

Test(top, a_clock_that_went_back_makes_none)
{
	looks[1].now_ns = looks[0].now_ns;
	looks[1].answered = 100;
	compare();
	cr_expect_eq(top.interval_ns, 0);
}

Test(top, rates_are_differences_by_time)
{
	looks[0].answered = 100;
	looks[1].answered = 130;
	looks[1].failed = 4;
	cores[0][0].device_ns = SECOND;
	cores[1][0].device_ns = 2 * SECOND;
	clients[0][1].device_ns = SECOND;
	clients[1][1].device_ns = 2 * SECOND;
	clients[0][1].answered = 5;
	clients[1][1].answered = 15;
	clients[1][1].failed = 1;
	classes[1][0].device_ns = SECOND;
	classes[1][0].answered = 4;
	models[1][0].device_ns = SECOND;
	models[1][0].requests = 2;
	compare();
	cr_expect_eq(top.interval_ns, 2 * SECOND);
	cr_expect(near(top.answers, 15) && near(top.failures, 2));
	cr_expect(near(top.cores[0], 0.5) && near(top.cores[1], 0));
	cr_expect(near(top.device, 0.25));
	cr_expect(near(top.clients[1].device, 0.25), "of all cores");
	cr_expect(near(top.clients[1].answers, 5) && near(top.clients[1].failures, 0.5));
	cr_expect_eq(top.clients[1].mean_ns, SECOND / 10);
	cr_expect(near(top.classes[0].device, 0.25) && near(top.classes[0].answers, 2));
	cr_expect(near(top.models[0].answers, 1));
	cr_expect_eq(top.models[0].mean_ns, SECOND / 2);
	cr_expect(near(top.clients[0].device, 0));
	cr_expect_eq(top.clients[0].mean_ns, 0);
}

Test(top, the_mean_is_of_those_that_are_answered)
{
	clients[0][0].device_ns = clients[0][0].live_ns = SECOND / 2;
	clients[1][0].device_ns = 2 * SECOND;
	clients[1][0].live_ns = SECOND;
	clients[1][0].answered = 1;
	compare();
	cr_expect_eq(top.clients[0].mean_ns, SECOND);
	cr_expect(near(top.clients[0].device, 1.5 / 4));
}

Test(top, nothing_is_busier_than_all_the_time_and_nothing_shrinks)
{
	cores[1][0].device_ns = 3 * SECOND;
	cores[0][1].device_ns = SECOND;
	clients[0][2].device_ns = SECOND;
	clients[1][0].device_ns = 5 * SECOND;
	compare();
	cr_expect(near(top.cores[0], 1) && near(top.cores[1], 0));
	cr_expect(near(top.clients[2].device, 0));
	cr_expect(near(top.clients[0].device, 1));
}

Test(top, who_came_meanwhile_began_from_nothing)
{
	clients[1][0].session = 99;
	clients[1][0].answered = 10;
	looks[0].n_clients = 2;
	compare();
	cr_expect(near(top.clients[0].answers, 5));
}

Test(top, unless_it_may_have_been_among_the_others)
{
	clients[1][0].session = 99;
	clients[1][0].answered = 10;
	compare();
	cr_expect(near(top.clients[0].answers, 0));
}

Test(top, more_or_fewer_cores_than_before_do_no_harm)
{
	looks[0].n_cores = 1;
	looks[0].n_classes = 0;
	looks[0].n_clients = 0;
	looks[0].n_models = 0;
	compare();
	cr_expect(near(top.cores[1], 0));
}

Test(top, the_order_is_by_time_by_queue_or_by_name_and_others_are_last)
{
	clients[1][2].queued = 100;
	clients[1][1].queued = 1;
	clients[1][0].device_ns = SECOND;
	compare();
	top_sort(&top, TOP_BY_TIME);
	cr_expect(top.client_order[0] == 0 && top.client_order[1] == 1 && top.client_order[2] == 2);
	top_sort(&top, TOP_BY_QUEUE);
	cr_expect(top.client_order[0] == 1 && top.client_order[1] == 0 && top.client_order[2] == 2);
	top_sort(&top, TOP_BY_NAME);
	cr_expect(top.client_order[0] == 1 && top.client_order[1] == 0 && top.client_order[2] == 2);
	cr_expect_eq(top.model_order[1], 1);
	cr_expect_eq(top_order_find("queue"), TOP_BY_QUEUE);
	cr_expect_eq(top_order_find("size"), -1);
}

/*
 * Pages
 */

static char *print(struct top_page page)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	top_print(out, &top, &page);
	fclose(out);
	return text;
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static size_t longest_line(const char *text)
{
	size_t longest = 0, n;

	for (; *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		longest = n > longest ? n : longest;
	}
	return longest;
}

Test(top, a_page_of_80_columns_has_lines_of_80_columns)
{
	char *text;

	compare();
	text = print((struct top_page){.width = 80});
	cr_expect_leq(longest_line(text), 80, "%s", text);
	cr_expect(strstr(text, "\nCLIENT") && strstr(text, "\nMODEL") && strstr(text, "\nCLASS"));
	cr_expect(strstr(text, "\n(5 others)"));
	free(text);
	clients[1][0].name =
		"a name that is much longer than what there is room for, if that is little";
	text = print((struct top_page){.width = 132});
	cr_expect_eq(longest_line(text), 132);
	free(text);
}

Test(top, numbers_however_large_stay_in_their_columns)
{
	char *text;

	clients[1][0].answered = UINT64_MAX;
	clients[1][0].queued = clients[1][0].running = UINT32_MAX;
	clients[1][0].uid = UINT32_MAX;
	clients[1][0].pid = 4194304; /* no kernel has more */
	clients[1][0].principal = "slice:a-very-long-name-of-a-slice.slice";
	models[1][0].users = UINT32_MAX;
	models[1][0].estimate_ns = UINT64_MAX;
	looks[1].memory_bytes = looks[1].memory_used = UINT64_MAX;
	looks[1].uptime_ns = UINT64_MAX;
	compare();
	text = print((struct top_page){.width = 80});
	cr_expect_leq(longest_line(text), 80, "%s", text);
	cr_expect(strstr(text, "  4295M   4G "), "rather short than cut: %s", text);
	free(text);
}

Test(top, a_page_is_never_higher_than_it_may_be)
{
	char *text;

	compare();
	for (unsigned int height = 1; height < 30; height++) {
		text = print((struct top_page){.width = 80, .height = height, .first = TOP_MODELS});
		cr_expect_leq(count_lines(text), height, "%s", text);
		if (height == 8)
			cr_expect(strstr(text, "MODEL") && !strstr(text, "CLIENT"), "%s", text);
		free(text);
	}
	text = print((struct top_page){.width = 80, .height = 7});
	cr_expect(strstr(text, "... 2 more"), "%s", text);
	free(text);
}

Test(top, reasons_and_cores_that_do_not_work_are_shown)
{
	const char *reasons[] = {"because"};
	char *text;

	looks[1].health = "degraded";
	looks[1].n_reasons = 1;
	looks[1].reasons = reasons;
	cores[1][0].healthy = true;
	cores[1][1].core = 1;
	compare();
	text = print((struct top_page){.width = 80});
	cr_expect(strstr(text, "zhouyid: degraded,") && strstr(text, "\n  because\n"));
	cr_expect(strstr(text, "  0 [") && strstr(text, "  1 not in use"));
	free(text);
}

Test(top, many_cores_take_several_lines)
{
	static struct zhouyi_activity_core many[64];
	char *text;

	looks[1].n_cores = 64;
	looks[1].cores = many;
	compare();
	text = print((struct top_page){.width = 80});
	cr_expect_leq(longest_line(text), 80);
	cr_expect_geq(count_lines(text), 16);
	free(text);
	text = print((struct top_page){.width = 100000});
	free(text);
}
