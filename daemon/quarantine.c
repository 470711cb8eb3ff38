/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/quarantine.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

void quarantine_init(struct quarantine *quarantine, const struct quarantine_limits *limits)
{
	*quarantine = (struct quarantine){.limits = *limits};
}

/* What is left of an entry's strikes: one is forgotten for each fade_ns since the last. 0: they
 * never fade. */
static unsigned int strikes_left(const struct quarantine *quarantine,
				 const struct quarantine_entry *entry, uint64_t now_ns)
{
	uint64_t faded;

	if (quarantine->limits.fade_ns == 0 || now_ns <= entry->last_ns)
		return entry->strikes;
	faded = (now_ns - entry->last_ns) / quarantine->limits.fade_ns;
	return faded < entry->strikes ? entry->strikes - (unsigned int)faded : 0;
}

/* Nothing is held against this pair any more, or the entry never had one. */
static bool is_forgotten(const struct quarantine *quarantine, const struct quarantine_entry *entry,
			 uint64_t now_ns)
{
	return strikes_left(quarantine, entry, now_ns) == 0 && entry->until_ns <= now_ns;
}

static const struct quarantine_entry *entry_find(const struct quarantine *quarantine,
						 const uint8_t model[32], uint32_t uid)
{
	for (size_t i = 0; i < QUARANTINE_MAX; i++) {
		const struct quarantine_entry *entry = &quarantine->entries[i];

		if (entry->strikes > 0 && entry->uid == uid &&
		    memcmp(entry->model, model, sizeof(entry->model)) == 0)
			return entry;
	}
	return NULL;
}

/* A place for a new pair: a free one, or that of the pair whose last strike is oldest. */
static struct quarantine_entry *entry_replace(struct quarantine *quarantine, uint64_t now_ns)
{
	struct quarantine_entry *oldest = &quarantine->entries[0];

	for (size_t i = 0; i < QUARANTINE_MAX; i++) {
		struct quarantine_entry *entry = &quarantine->entries[i];

		if (is_forgotten(quarantine, entry, now_ns))
			return entry;
		if (entry->last_ns < oldest->last_ns)
			oldest = entry;
	}
	return oldest;
}

static struct quarantine_entry *entry_take(struct quarantine *quarantine, const uint8_t model[32],
					   uint32_t uid, uint64_t now_ns)
{
	const struct quarantine_entry *found = entry_find(quarantine, model, uid);
	struct quarantine_entry *entry;

	if (found)
		return &quarantine->entries[found - quarantine->entries];
	entry = entry_replace(quarantine, now_ns);
	*entry = (struct quarantine_entry){.uid = uid, .last_ns = now_ns};
	memcpy(entry->model, model, sizeof(entry->model));
	return entry;
}

/* first_ns for the first quarantine, twice as long for each one more. */
static uint64_t length(const struct quarantine_limits *limits, unsigned int strikes)
{
	unsigned int doublings = strikes - limits->strikes;

	if (doublings >= 64 || limits->first_ns > limits->longest_ns >> doublings)
		return limits->longest_ns;
	return limits->first_ns << doublings;
}

uint64_t quarantine_strike(struct quarantine *quarantine, const uint8_t model[32], uint32_t uid,
			   uint64_t now_ns)
{
	const struct quarantine_limits *limits = &quarantine->limits;
	struct quarantine_entry *entry;
	uint64_t until_ns;

	if (limits->strikes == 0)
		return 0;
	entry = entry_take(quarantine, model, uid, now_ns);
	entry->strikes = strikes_left(quarantine, entry, now_ns);
	if (entry->strikes < UINT_MAX)
		entry->strikes++;
	entry->last_ns = now_ns;
	if (entry->strikes >= limits->strikes) {
		if (__builtin_add_overflow(now_ns, length(limits, entry->strikes), &until_ns))
			until_ns = UINT64_MAX;
		/* Faded strikes make this quarantine shorter, never one that was pronounced before.
		 */
		if (until_ns > entry->until_ns)
			entry->until_ns = until_ns;
	}
	return entry->until_ns > now_ns ? entry->until_ns : 0;
}

uint64_t quarantine_until(const struct quarantine *quarantine, const uint8_t model[32],
			  uint32_t uid, uint64_t now_ns)
{
	const struct quarantine_entry *entry = entry_find(quarantine, model, uid);

	return entry && entry->until_ns > now_ns ? entry->until_ns : 0;
}

unsigned int quarantine_count(const struct quarantine *quarantine, uint64_t now_ns)
{
	unsigned int n = 0;

	for (size_t i = 0; i < QUARANTINE_MAX; i++)
		n += quarantine->entries[i].until_ns > now_ns;
	return n;
}

uint64_t quarantine_next(const struct quarantine *quarantine, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < QUARANTINE_MAX; i++) {
		uint64_t until_ns = quarantine->entries[i].until_ns;

		if (until_ns > now_ns && until_ns < next)
			next = until_ns;
	}
	return next;
}
