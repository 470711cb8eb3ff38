/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/look.h"

#include <time.h>

#define PAUSE_NS 20000000
#define MAX_TRIES 250u

bool look_again(int r, unsigned int *tries)
{
	struct timespec pause = {.tv_nsec = PAUSE_NS};

	if (r != -ZHOUYI_ERROR_BUSY || (*tries)++ == MAX_TRIES)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

const char *look_cores(uint64_t cores)
{
	char text[256];
	size_t n = 0;

	snprintf(text, sizeof(text), "-");
	for (unsigned int i = 0; i < 64; i++)
		if (cores >> i & 1)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", n ? "," : "", i);
	return cli_text(text);
}

json_t *look_cores_json(uint64_t cores)
{
	json_t *list = json_array();

	for (int i = 0; i < 64; i++)
		if (cores >> i & 1)
			json_array_append_new(list, json_integer(i));
	return list;
}
