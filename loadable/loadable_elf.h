/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF container (generations v3 and later) to a struct graph. Pure: reads
 * only the image, allocates only what the image's own size bounds. Every byte is
 * hostile until checked; what comes out needs no further check by anybody, apart
 * from the program itself (program.h).
 *
 * The format is Arm China's, as its open-source driver reads it; notes we add are
 * described in container.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct graph;

/* Says what is wrong with an image: "note 'fmlist': section 3: alignment 12 is not a power of two".
 */
struct loadable_error {
	char text[200];
};

/* Images larger than this are refused with -EFBIG. */
#define LOADABLE_MAX_SIZE ((size_t)1 << 31)

/*
 * @image must stay as it is for as long as the graph lives. The graph is the
 * caller's. Returns 0, or
 *   -ENOEXEC  not an ELF loadable at all (magic, class, byte order, type, machine)
 *   -EBADMSG  malformed; @ret_error says how
 *   -ENOTSUP  well-formed, but uses what we do not support (dynamic shape, extra weight files)
 *   -EFBIG    too large
 *   -ENOMEM
 */
int loadable_elf_parse(struct graph **ret, const uint8_t *image, size_t size,
		       struct loadable_error *ret_error);
