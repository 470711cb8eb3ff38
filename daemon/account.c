/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/account.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void account_table_init(struct account_table *table, struct policy *policy)
{
	*table = (struct account_table){.policy = policy};
	list_init(&table->accounts);
	list_init(&table->kept);
}

/* It has no references and is in no list. */
static void account_free(struct account *account)
{
	/* Without a share nothing of it waits in the policy. */
	account->policy.share_percent = 0;
	policy_account_changed(account->table->policy, &account->policy, 0);
	free(account);
}

static void forget_oldest(struct account_table *table)
{
	struct account *account = list_first(&table->kept, struct account, link);

	list_remove(&account->link);
	table->n_kept--;
	account_free(account);
}

void account_table_finish(struct account_table *table)
{
	/* Never initialized? */
	if (!table->policy)
		return;
	assert(list_is_empty(&table->accounts));
	while (table->n_kept)
		forget_oldest(table);
	*table = (struct account_table){.policy = NULL};
}

static bool is_key(const struct account *account, const struct account_key *key)
{
	if (account->key.name[0] || key->name[0])
		return strcmp(account->key.name, key->name) == 0;
	return account->key.uid == key->uid;
}

static struct account *find(struct list *list, const struct account_key *key)
{
	struct account *account;

	list_for_each (account, list, link)
		if (is_key(account, key))
			return account;
	return NULL;
}

int account_get(struct account **ret, struct account_table *table, struct account_key key)
{
	struct account *account = find(&table->accounts, &key);

	if (account) {
		*ret = account_ref(account);
		return 0;
	}
	account = find(&table->kept, &key);
	if (account) {
		list_remove(&account->link);
		table->n_kept--;
	} else {
		account = calloc(1, sizeof(*account));
		if (!account)
			return -ENOMEM;
		account->table = table;
		account->key = key;
		list_init(&account->link);
		policy_account_init(table->policy, &account->policy);
		account_set_limits(account, &table->limits, 0);
	}
	list_append(&table->accounts, &account->link);
	*ret = account_ref(account);
	return 0;
}

struct account *account_ref(struct account *account)
{
	account->n_refs++;
	return account;
}

void account_unref(struct account *account)
{
	struct account_table *table;

	if (!account || --account->n_refs > 0)
		return;
	table = account->table;
	list_remove(&account->link);
	if (!account->n_uses) {
		account_free(account);
		return;
	}
	list_append(&table->kept, &account->link);
	if (++table->n_kept > ACCOUNT_KEPT_MAX)
		forget_oldest(table);
}

/* 0 is none. */
static uint64_t tighter(uint64_t a, uint64_t b)
{
	return a && (!b || a < b) ? a : b;
}

struct account_limits account_limits_tightest(const struct account_limits *a,
					      const struct account_limits *b)
{
	unsigned int mine = a->weight ? a->weight : ACCOUNT_USUAL_WEIGHT;
	unsigned int other = b->weight ? b->weight : ACCOUNT_USUAL_WEIGHT;

	return (struct account_limits){
		.queued = (unsigned int)tighter(a->queued, b->queued),
		.on_device = (unsigned int)tighter(a->on_device, b->on_device),
		.buffers = (unsigned int)tighter(a->buffers, b->buffers),
		.models = (unsigned int)tighter(a->models, b->models),
		.device_bytes = tighter(a->device_bytes, b->device_bytes),
		.share_percent = (unsigned int)tighter(a->share_percent, b->share_percent),
		.weight = mine < other ? mine : other,
	};
}

void account_set_limits(struct account *account, const struct account_limits *limits,
			uint64_t now_ns)
{
	account->limits = *limits;
	account->policy.weight = limits->weight ? limits->weight : ACCOUNT_USUAL_WEIGHT;
	account->policy.max_on_device = limits->on_device;
	account->policy.share_percent = limits->share_percent;
	policy_account_changed(account->table->policy, &account->policy, now_ns);
}

/*
 * Charges
 */

/* @limit 0 is none. */
static bool exceeds(uint64_t used, uint64_t more, uint64_t limit)
{
	return limit && (used > limit || more > limit - used);
}

struct whose {
	char text[72];
};

/* For refusals. */
static struct whose whose(const struct account *account)
{
	struct whose ret;

	if (account->key.name[0])
		snprintf(ret.text, sizeof(ret.text), "%.64s", account->key.name);
	else
		snprintf(ret.text, sizeof(ret.text), "uid %u", account->key.uid);
	return ret;
}

int account_charge_buffer(struct account *account, uint64_t size,
			  char ret_refusal[static ACCOUNT_REFUSAL_MAX])
{
	const struct account_limits *limits = &account->limits;

	if (exceeds(account->n_buffers, 1, limits->buffers)) {
		snprintf(ret_refusal, ACCOUNT_REFUSAL_MAX,
			 "all clients of %s together have %u buffers, and may have %u",
			 whose(account).text, account->n_buffers, limits->buffers);
		return -EDQUOT;
	}
	if (exceeds(account->device_bytes, size, limits->device_bytes)) {
		snprintf(ret_refusal, ACCOUNT_REFUSAL_MAX,
			 "all clients of %s together have %" PRIu64
			 " bytes of device memory, and may have %" PRIu64
			 ": there is no room for %" PRIu64 " more",
			 whose(account).text, account->device_bytes, limits->device_bytes, size);
		return -EDQUOT;
	}
	account->n_buffers++;
	account->device_bytes += size;
	return 0;
}

void account_uncharge_buffer(struct account *account, uint64_t size)
{
	account_uncharge_buffers(account, 1, size);
}

void account_uncharge_buffers(struct account *account, unsigned int n, uint64_t size)
{
	account->n_buffers -= n;
	account->device_bytes -= size;
}

int account_charge_model(struct account *account, char ret_refusal[static ACCOUNT_REFUSAL_MAX])
{
	if (exceeds(account->n_models, 1, account->limits.models)) {
		snprintf(ret_refusal, ACCOUNT_REFUSAL_MAX,
			 "all clients of %s together have %u models open, and may have %u",
			 whose(account).text, account->n_models, account->limits.models);
		return -EDQUOT;
	}
	account->n_models++;
	return 0;
}

void account_uncharge_model(struct account *account)
{
	account->n_models--;
}

int account_charge_model_bytes(struct account *account, uint64_t size,
			       char ret_refusal[static ACCOUNT_REFUSAL_MAX])
{
	if (exceeds(account->device_bytes, size, account->limits.device_bytes)) {
		snprintf(ret_refusal, ACCOUNT_REFUSAL_MAX,
			 "all clients of %s together have %" PRIu64
			 " bytes of device memory, and may have %" PRIu64
			 ": there is no room for a model of %" PRIu64,
			 whose(account).text, account->device_bytes, account->limits.device_bytes,
			 size);
		return -EDQUOT;
	}
	account->device_bytes += size;
	return 0;
}

void account_uncharge_model_bytes(struct account *account, uint64_t size)
{
	account->device_bytes -= size;
}

bool account_may_queue(const struct account *account)
{
	return !exceeds(account->policy.n_queued, 1, account->limits.queued);
}

/*
 * Usage
 */

/* A place for another pair: a free one, or that which was used longest ago, whose numbers join the
 * others'. */
static struct account_usage *usage_place(struct account *account)
{
	struct account_usage *oldest = &account->usages[0];

	if (account->n_usages < ACCOUNT_USAGES)
		return &account->usages[account->n_usages++];
	for (unsigned int i = 1; i < ACCOUNT_USAGES; i++)
		if (account->usages[i].order < oldest->order)
			oldest = &account->usages[i];
	account->others.n_requests += oldest->n_requests;
	account->others.device_ns += oldest->device_ns;
	return oldest;
}

static struct account_usage *usage_of(struct account *account, const char *client,
				      const char *model)
{
	struct account_usage *usage;

	for (unsigned int i = 0; i < account->n_usages; i++) {
		usage = &account->usages[i];
		if (strncmp(usage->client, client, sizeof(usage->client) - 1) == 0 &&
		    strncmp(usage->model, model, sizeof(usage->model) - 1) == 0)
			return usage;
	}
	usage = usage_place(account);
	*usage = (struct account_usage){.order = 0};
	snprintf(usage->client, sizeof(usage->client), "%s", client);
	snprintf(usage->model, sizeof(usage->model), "%s", model);
	return usage;
}

void account_ran(struct account *account, const char *client, const char *model, uint64_t device_ns)
{
	struct account_usage *usage = usage_of(account, client, model);

	usage->n_requests++;
	usage->device_ns += device_ns;
	usage->order = ++account->n_uses;
}
