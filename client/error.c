/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>

#include "proto/status.h"
#include "zhouyi-client.h"

/* The public numbers are the protocol's. */
_Static_assert((int)ZHOUYI_ERROR_VERSION == (int)ZY_VERSION, "one numbering");
_Static_assert((int)ZHOUYI_ERROR_WRONG_TARGET == (int)ZY_WRONG_TARGET, "one numbering");
_Static_assert((int)ZHOUYI_ERROR_DEVICE_FAULT == (int)ZY_DEVICE_FAULT, "one numbering");
_Static_assert((int)ZHOUYI_ERROR_DISCONNECTED == (int)ZY_DISCONNECTED, "one numbering");
_Static_assert((int)ZHOUYI_ERROR_QUARANTINED == (int)ZY_QUARANTINED, "one numbering");
_Static_assert((int)ZHOUYI_ERROR_DROPPED == (int)ZY_DROPPED, "one numbering");
_Static_assert((int)ZHOUYI_ERROR_NO_ROOM + 1 == (int)ZY_STATUS_MAX_, "one numbering");

const char *zhouyi_strerror(int error)
{
	/* Of either sign; the most negative number has no other one, and is none of ours. */
	return zy_status_text(error < 0 && error != INT_MIN ? -error : error);
}

const char *zhouyi_version(void)
{
	return ZHOUYI_VERSION;
}

const char *zhouyi_data_type_name(enum zhouyi_data_type type)
{
	static const char *const names[] = {
		[ZHOUYI_TYPE_UNKNOWN] = "unknown", [ZHOUYI_TYPE_BOOL] = "bool",
		[ZHOUYI_TYPE_UINT8] = "uint8",	   [ZHOUYI_TYPE_INT8] = "int8",
		[ZHOUYI_TYPE_UINT16] = "uint16",   [ZHOUYI_TYPE_INT16] = "int16",
		[ZHOUYI_TYPE_UINT32] = "uint32",   [ZHOUYI_TYPE_INT32] = "int32",
		[ZHOUYI_TYPE_UINT64] = "uint64",   [ZHOUYI_TYPE_INT64] = "int64",
		[ZHOUYI_TYPE_FLOAT16] = "float16", [ZHOUYI_TYPE_FLOAT32] = "float32",
	};

	if ((unsigned int)type >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[type];
}
