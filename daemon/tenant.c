/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/tenant.h"

#include <errno.h>
#include <stdlib.h>

int tenant_create(struct tenant **ret, struct account *account, uint64_t id)
{
	struct tenant *tenant = calloc(1, sizeof(*tenant));

	if (!tenant)
		return -ENOMEM;
	tenant->n_refs = 1;
	tenant->account = account;
	policy_client_init(&tenant->client, &account->policy, id);
	*ret = tenant;
	return 0;
}

struct tenant *tenant_ref(struct tenant *tenant)
{
	tenant->n_refs++;
	return tenant;
}

void tenant_unref(struct tenant *tenant)
{
	if (!tenant || --tenant->n_refs)
		return;
	policy_client_finish(tenant->account->table->policy, &tenant->client);
	account_unref(tenant->account);
	free(tenant);
}
