/* SPDX-License-Identifier: Apache-2.0 */
#include "client/options.h"

#include <stdbool.h>
#include <string.h>

#include "zhouyi-client.h"

static bool is_zero(const unsigned char *bytes, size_t n)
{
	while (n > 0 && bytes[n - 1] == 0)
		n--;
	return n == 0;
}

int zy_options_read(void *known, size_t size, size_t min, const void *options)
{
	size_t theirs;

	if (!options)
		return 0;
	memcpy(&theirs, options, sizeof(theirs));
	if (theirs < min)
		return -ZHOUYI_ERROR_INVALID;
	if (theirs > size && !is_zero((const unsigned char *)options + size, theirs - size))
		return -ZHOUYI_ERROR_NOT_SUPPORTED;
	memcpy(known, options, theirs < size ? theirs : size);
	return 0;
}
