/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The isolation rule. All tenants of a device share its address window, so a
 * program is only as safe as its addresses. A program of the software NPU
 * (architecture 0x53) is accepted only if
 *   - each subgraph's instructions, from text_offset to `end`, lie in .text and
 *     are legal (npu_insn_check()); at most NPU_MAX_INSNS each, and
 *     PROGRAM_MAX_INSNS over all subgraphs, which bounds the check too;
 *   - each operand slot lies in rodata, is 4-byte aligned, and no two different
 *     slots overlap;
 *   - each slot's address word is covered by exactly one patch entry, with mask
 *     0xffffffff, whose subsection is exactly as large as the slot says, and the
 *     slot says what the instruction implies;
 *   - a constant operand is patched to a static section of type 4, which has a window
 *     of its own, and nothing else is; an output is never patched to a static section;
 *   - what an input operand reads is a constant, an input tensor, or was written by
 *     this program before, in each of its bytes (dataflow.h): scratch memory still
 *     holds what the previous tenant left there;
 *   - there is no other patch entry, no remap entry, no descriptor and no SegMMU
 *     record.
 */
#pragma once

#include "loadable/loadable_elf.h"

#define PROGRAM_MAX_INSNS 262144u

/*
 * Returns 0, also for graphs of other architectures (their code cannot be
 * checked; who may load them is a matter of policy); -EBADMSG with the reason; or
 * -ENOMEM.
 */
int program_check(const struct graph *graph, struct loadable_error *ret_error);
