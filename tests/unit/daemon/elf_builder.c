/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's tests build loadables, too. */
#include "tests/unit/loadable/elf_builder.c"
