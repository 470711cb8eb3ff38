/* SPDX-License-Identifier: MIT */
/*
 * What the engine's parts share: engine.c (lists, cores, reports), walk.c (TCBs)
 * and run.c (programs). Nobody else includes this.
 */
#pragma once

#include "npu/engine.h"

/* One bus window of a grid: the base without its control bits. */
static inline uint64_t npu_asid_base(uint64_t asid)
{
	return asid & ~(uint64_t)NPU_ASID_CONTROL;
}

/* The type bits that report @reason; a raised failure says itself what it is. */
uint32_t npu_reason_irq(enum npu_reason reason);

/* Count @cause and tell the host. */
void npu_list_report(struct npu_list *list, const struct npu_cause *cause);

/* Nothing is before the walker any more: let what waited for that go on. */
void npu_list_run_dry(struct npu_list *list);

/* The walker has dealt with the TCB it fetched last: follow its link. */
void npu_list_follow(struct npu_list *list);

/* Absolute address of a link found in the TCB at @from; 0 if it is the end. */
static inline uint64_t npu_tcb_link(uint64_t from, uint32_t next)
{
	return next ? (from & ~(uint64_t)UINT32_MAX) | next : 0;
}

/* walk.c: fetch until a group is pending, or there is nothing to fetch or something to wait for. */
void npu_list_walk(struct npu_list *list);
/* walk.c: end the walk because of the TCB at @address. */
void npu_list_fail(struct npu_list *list, uint64_t address, enum npu_reason reason);
