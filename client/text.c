/* SPDX-License-Identifier: Apache-2.0 */
#include "client/text.h"

#include <stdlib.h>

#include "client/client.h"

void *zy_text_block(struct zhouyi_client *client, const ProtobufCMessage *said, size_t size,
		    char **ret_texts)
{
	char *memory = calloc(1, size + protobuf_c_message_get_packed_size(said));

	if (!memory) {
		zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
		return NULL;
	}
	*ret_texts = memory + size;
	return memory;
}
