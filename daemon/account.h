/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts: what a principal uses, through however many connections, and what it
 * may use. A principal is a uid, or a slice or unit whose limits hold for all in it.
 *
 * An account is shared by the sessions of its principal, who hold references, and by
 * jobs that outlive their session. When the last one is gone the table keeps it for
 * a while, so that one can still see what was used, and so that a quota of device
 * time is not forgotten by reconnecting; the one that was left longest ago goes first.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"
#include "proto/list.h"
#include "proto/scope.h"

struct policy;

#define ACCOUNT_USAGES 32u /* pairs of client and model whose use is remembered */
#define ACCOUNT_USUAL_WEIGHT 100u
#define ACCOUNT_KEPT_MAX 64u /* accounts without a session */
#define ACCOUNT_REFUSAL_MAX 240u

#define ACCOUNT_NAME_MAX 264u

/* Who it is. */
struct account_key {
	uint32_t uid;		     /* unless it has a name */
	char name[ACCOUNT_NAME_MAX]; /* "slice:cameras.slice"; empty: the user */
};

/* What it may use, in all its sessions together. 0: no limit. */
struct account_limits {
	unsigned int queued;	/* requests */
	unsigned int on_device; /* requests */
	unsigned int buffers;	/* each has a descriptor */
	unsigned int models;
	uint64_t device_bytes;	    /* buffers, and models as large as they were when opened */
	unsigned int share_percent; /* of all cores' time */
	unsigned int weight;	    /* of its fair share; 0: the usual 100 */
};

/* What one program of it used with one model. */
struct account_usage {
	char client[32], model[64]; /* both empty: all that found no place */
	uint64_t n_requests;
	uint64_t device_ns; /* times cores */
	uint64_t order;	    /* of the last use */
};

struct account {
	struct list link;	     /* account_table.accounts; without a session: .kept */
	struct account_table *table; /* borrowed */
	struct account_key key;
	unsigned int n_refs;
	struct account_limits limits; /* change with account_set_limits() */
	struct policy_account policy;
	unsigned int n_sessions; /* connected */
	unsigned int n_buffers, n_models;
	uint64_t device_bytes;
	struct account_usage usages[ACCOUNT_USAGES]; /* the first n_usages */
	struct account_usage others;
	unsigned int n_usages;
	uint64_t n_uses;
	uint64_t look_again_ns; /* when its users may ask the next expensive question */
};

struct account_table {
	struct policy *policy; /* borrowed */
	struct list accounts;  /* account.link; with references */
	struct list kept;      /* account.link; without, longest ago first */
	unsigned int n_kept;
	struct account_limits limits; /* of an account that is made */
};

/* Limits are none. */
void account_table_init(struct account_table *table, struct policy *policy);
/* No references may be left, and the policy must still be there. */
void account_table_finish(struct account_table *table);

/* A reference on the principal's account, which is made if need be. -ENOMEM. */
int account_get(struct account **ret, struct account_table *table, struct account_key key);
struct account *account_ref(struct account *account);
void account_unref(struct account *account); /* accepts NULL */
ZY_DEFINE_AUTO(struct account, account_unref)

/* What keeps to both. */
struct account_limits account_limits_tightest(const struct account_limits *a,
					      const struct account_limits *b);

/* From now on; what is used already stays. */
void account_set_limits(struct account *account, const struct account_limits *limits,
			uint64_t now_ns);

/*
 * Charges. -EDQUOT: a limit would be exceeded, nothing was charged, and @ret_refusal says which
 * limit, and whose.
 */
int account_charge_buffer(struct account *account, uint64_t size,
			  char ret_refusal[static ACCOUNT_REFUSAL_MAX]);
void account_uncharge_buffer(struct account *account, uint64_t size);
/* Several at once. */
void account_uncharge_buffers(struct account *account, unsigned int n, uint64_t size);
int account_charge_model(struct account *account, char ret_refusal[static ACCOUNT_REFUSAL_MAX]);
void account_uncharge_model(struct account *account);
/* A model that is charged has turned out to be so large; uncharged with 0 bytes of it left. */
int account_charge_model_bytes(struct account *account, uint64_t size,
			       char ret_refusal[static ACCOUNT_REFUSAL_MAX]);
void account_uncharge_model_bytes(struct account *account, uint64_t size);

/* Whether one more request may be queued. */
bool account_may_queue(const struct account *account);

/* A request of the program @client ran @model: @device_ns, times cores. */
void account_ran(struct account *account, const char *client, const char *model,
		 uint64_t device_ns);
