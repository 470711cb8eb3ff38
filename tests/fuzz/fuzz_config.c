/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations: hostile text is refused, with words, or is a configuration. Then it
 * can be shown, what is shown can be read again and is the same, and everybody gets an
 * answer from its access rules.
 *
 * Needs no corpus: the mutator starts from a configuration that has everything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static const char start[] =
	"{\"#\":[1],\"socket\":\"/run/s\",\"socket_mode\":\"0660\",\"device\":\"soft\","
	"\"log_level\":\"info\",\"topology\":{\"partitions\":1,\"clusters\":1,\"cores\":3,"
	"\"tecs\":4},\n\"memory_bytes\":1073741824,\"limits\":{\"sessions\":64,"
	"\"queued_per_session\":256,\"buffers_per_session\":256,\"buffer_bytes_per_session\":"
	"268435456,\"bindings_per_session\":256,\"models_per_session\":16,\"models\":64,"
	"\"image_bytes\":536870912},\n\"watchdog\":{\"factor\":10,\"floor_ms\":500,"
	"\"ceiling_ms\":10000,\"warm_up_ms\":1000,\"models\":{\"m\":{\"factor\":3,\"floor_ms\":9,"
	"\"ceiling_ms\":99}}},\"quarantine\":{\"strikes\":3,\"first_ms\":5000,\"longest_ms\":"
	"600000,\"fade_ms\":3600000},\n\"scheduling\":{\"floors\":{\"interactive\":5,\"normal\":5,"
	"\"background\":5},\"stack_us\":500,\"collect_ms\":100},\n\"access\":{\"default\":{"
	"\"class\":\"interactive\",\"queued\":64,\"device_bytes\":268435456},\"user:1000\":{"
	"\"allow\":[\"load\",\"load-native\"],\"deny\":[\"reserve\"],\"weight\":200,\"cores\":"
	"[0,63]},\n\"group:44\":{\"on_device\":2,\"buffers\":3,\"models\":4,\"share_percent\":50},"
	"\"slice:a.slice\":{\"cores\":[2],\"exclusive\":true,\"class\":\"realtime\"},"
	"\"slice:a-b.slice\":{\"cores\":\"all\"},\"unit:c.service\":{\"deny\":[\"admin\"]}}}\n";

/* Words that mean something somewhere, put in the place of others. */
static const char *const words[] = {
	"\"access\"",
	"\"default\"",
	"\"user:0\"",
	"\"group:0\"",
	"\"slice:-.slice\"",
	"\"unit:c.scope\"",
	"\"cores\"",
	"\"all\"",
	"\"exclusive\"",
	"\"models\"",
	"\"floors\"",
	"\"#\"",
	"null",
	"true",
	"-1",
	"0",
	"1e9",
	"{}",
	"[]",
	"\"\\u0000\"",
	"\"\\ud83d\\ude00\"",
	"4294967296",
	"18446744073709551616",
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

static int file;
static char path[32];
static unsigned int n_complaints;

static void expect(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	file = memfd_create("config", MFD_CLOEXEC);
	expect(file >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return 0;
}

static void on_complaint(void *arg, const char *text)
{
	(void)arg;
	expect(text[0] && strlen(text) < 1024);
	n_complaints++;
}

static int read_text(struct config *ret, const void *text, size_t size)
{
	const struct config_source source = {.file = path};
	struct config_report report = {.say = on_complaint};
	int r;

	expect(ftruncate(file, 0) == 0 && pwrite(file, text, size, 0) == (ssize_t)size);
	n_complaints = 0;
	r = config_read(ret, &source, &report);
	expect((r < 0) == (n_complaints > 0));
	return r;
}

/* Shown and read again it is the same. */
static void show(const struct config *config)
{
	char *text = config_dump(config), *again;
	struct config copy;

	expect(text && read_text(&copy, text, strlen(text)) == 0);
	again = config_dump(&copy);
	expect(again && strcmp(text, again) == 0);
	config_finish(&copy);
	free(again);
	free(text);
}

/* Somebody whom @rule is about, at least. */
static void decide(const struct access_rules *rules, const struct access_rule *rule)
{
	uint32_t groups[] = {rule->id};
	struct identity who = {.has_uid = true, .uid = rule->id, .groups = groups, .n_groups = 1};
	struct access_grant grant;
	bool asks_place = false;

	who.place.is_known = true;
	strcpy(who.place.slice, rule->kind == ACCESS_SLICE ? rule->name : "-.slice");
	strcpy(who.place.unit, rule->kind == ACCESS_UNIT ? rule->name : "");
	access_decide(rules, &who, 1, &grant);
	expect((grant.rights & ~ACCESS_EVERYTHING) == 0 && grant.ceiling < ZY_CLASS_MAX_);
	for (size_t i = 0; i < rules->n; i++) {
		const struct access_rule *other = &rules->rules[i];

		asks_place |= other->kind >= ACCESS_SLICE;
		if (other->exclusive && !(grant.rules[i / 64] >> (i % 64) & 1))
			expect(!(grant.cores & other->cores));
	}
	who.place.is_known = false;
	access_decide(rules, &who, 1, &grant);
	expect(grant.is_unplaced == asks_place && (!asks_place || !grant.rights));
}

static void on_fixed(const char *key)
{
	expect(key[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config, usual;
	int r = read_text(&config, data, size);

	if (r < 0) {
		expect(r == -EINVAL);
		return 0;
	}
	show(&config);
	for (size_t i = 0; i < config.access.n; i++)
		decide(&config.access, &config.access.rules[i]);
	config_init(&usual);
	config_keep_fixed(&config, &usual, on_fixed);
	expect(strcmp(config.socket, usual.socket) == 0 && config.soft.cores == usual.soft.cores);
	config_finish(&config);
	config_finish(&usual);
	return 0;
}

/* Of the numbers one digit, so that they reach the ends of their ranges. */
static void change_number(uint8_t *text, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t *c = &text[(seed + i) % size];

		if (*c >= '0' && *c <= '9') {
			*c = (uint8_t)('0' + seed / 7 % 10);
			return;
		}
	}
}

/* A word in the place of what stands between two separators. Returns the new size. */
static size_t change_word(uint8_t *text, size_t size, size_t max_size, unsigned int seed)
{
	const char *word = words[seed / 11 % N_WORDS];
	size_t from = seed % size, to, n = strlen(word);

	while (from > 0 && !memchr(",:[{", text[from - 1], 4))
		from--;
	for (to = from; to < size && !memchr(",:]}", text[to], 4); to++)
		;
	if (size - (to - from) + n > max_size)
		return size;
	memmove(text + from + n, text + to, size - to);
	memcpy(text + from, word, n);
	return size - (to - from) + n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	if (size < 64 && max_size >= sizeof(start)) {
		memcpy(data, start, sizeof(start) - 1);
		return sizeof(start) - 1;
	}
	switch (seed % 4) {
	case 0:
		return LLVMFuzzerMutate(data, size, max_size);
	case 1:
		return change_word(data, size, max_size, seed / 4);
	default:
		for (unsigned int i = 1; i <= seed / 4 % 4 + 1; i++)
			change_number(data, size, seed / 4 * i);
		return size;
	}
}
