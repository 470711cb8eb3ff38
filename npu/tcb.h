/* SPDX-License-Identifier: MIT */
/*
 * Task control blocks of generation v3 (X2), 128 bytes each, little endian: what
 * the command builder writes and the task schedule manager walks. Offsets and
 * meanings are hardware facts; addresses are ASID 0-relative unless stated.
 */
#pragma once

#include "npu/types.h"

#define NPU_TCB_SIZE 128u

/* Word 0x00 of every TCB. */
#define NPU_TCB_TYPE_MASK 0xfu
#define NPU_TCB_TYPE_INIT 0u
#define NPU_TCB_TYPE_TASK 1u
#define NPU_TCB_TYPE_LOOP 2u
#define NPU_TCB_DEP_MASK (3u << 4)
#define NPU_TCB_DEP_NONE (0u << 4)
#define NPU_TCB_DEP_IMMEDIATE (1u << 4) /* on the group just before */
#define NPU_TCB_DEP_PRE_ALL (2u << 4)	/* on all earlier groups */
#define NPU_TCB_GROUP_END (1u << 6)
#define NPU_TCB_GRID_END (1u << 7)
#define NPU_TCB_SEGMMU_SHIFT                                                                       \
	16 /* init only: 1 = one SegMMU TCB follows, 3 = two; n TCBs = n low bits set */
#define NPU_TCB_SEGMMU_MASK (0x1fu << NPU_TCB_SEGMMU_SHIFT)

/* interrupt_en, pool interrupt control and interrupt status share these bits. */
#define NPU_IRQ_DONE (1u << 0)
#define NPU_IRQ_EXCEPTION (1u << 2)
#define NPU_IRQ_FAULT (1u << 3)
#define NPU_IRQ_ERROR (1u << 4)
#define NPU_IRQ_SIGNAL (1u << 5)
#define NPU_IRQ_TYPES 0x3du
#define NPU_IRQ_TEC (1u << 8)
#define NPU_IRQ_CORE (1u << 9)
#define NPU_IRQ_CLUSTER (1u << 10)
#define NPU_IRQ_POOL (1u << 11)

/* Low word of an ASID entry. */
#define NPU_ASID_WRITE (1u << 5)
#define NPU_ASID_READ (1u << 6)
#define NPU_ASID_RW (NPU_ASID_READ | NPU_ASID_WRITE)
#define NPU_ASID_CONTROL 0xfffu /* control bits; the base is what remains */

/* ctrl word of a SegMMU TCB half without segments. */
#define NPU_SEGMMU_IDENTITY 0x31u

struct npu_tcb_init {
	uint32_t flag;
	uint32_t next; /* low 32 bits of the absolute address; 0 = end */
	uint32_t reserved0[2];
	uint32_t gm_ctrl; /* 0x10 */
	uint16_t reserved1;
	uint16_t grid_id;	    /* 0x16 */
	uint32_t gm_region_ctrl[2]; /* 0x18 */
	uint64_t gm_region_addr[2]; /* 0x20 */
	struct {
		uint32_t low; /* base low | control bits */
		uint32_t high;
	} asid[4];	    /* 0x30 */
	uint64_t dtcm_addr; /* 0x50 */
	uint32_t reserved2[10];
};
_Static_assert(sizeof(struct npu_tcb_init) == NPU_TCB_SIZE, "TCB size");

/* One SegMMU TCB configures two cores: 2i (even) and 2i + 1 (odd). */
struct npu_tcb_segmmu {
	uint32_t flag;
	uint32_t next; /* 0: found by position, not by link */
	uint32_t reserved0[4];
	struct {
		uint32_t ctrl; /* 0x18, 0x58 */
		uint32_t remap;
		uint32_t segment[4][2];
	} even;
	uint32_t reserved1[6];
	struct {
		uint32_t ctrl;
		uint32_t remap;
		uint32_t segment[4][2];
	} odd;
};
_Static_assert(sizeof(struct npu_tcb_segmmu) == NPU_TCB_SIZE, "TCB size");

struct npu_tcb_task {
	uint32_t flag;
	uint32_t next;
	uint32_t loop_count;
	uint32_t spc;	       /* 0x0c start of the program */
	uint32_t interrupt_en; /* 0x10 */
	uint16_t group_id;
	uint16_t grid_id;
	uint16_t reserved0;
	uint16_t task_id;      /* 0x1a */
	uint16_t grid_dim[3];  /* 0x1c */
	uint16_t group_dim[3]; /* 0x22 */
	uint16_t group_pos[3]; /* 0x28 */
	uint16_t task_pos[3];  /* 0x2e */
	uint32_t sp;	       /* 0x34 */
	uint32_t pp;	       /* 0x38 parameter block */
	uint32_t dp;
	uint32_t cp;
	uint32_t pprint;
	uint32_t pprofiler;  /* 0x48 */
	uint16_t core_id;    /* 0x4c written by hardware */
	uint16_t cluster_id; /* written by hardware */
	uint16_t reserved1;
	uint16_t tec_id; /* 0x52 written by hardware */
	uint32_t fmdp;
	uint32_t tap;
	uint32_t dap;
	uint32_t pap;
	uint32_t idp;
	uint32_t dsize; /* 0x68 */
	uint32_t tcbp;	/* 0x6c own address, reported in interrupts */
	uint32_t global_param;
	uint32_t reserved2[3];
};
_Static_assert(sizeof(struct npu_tcb_task) == NPU_TCB_SIZE, "TCB size");
_Static_assert(offsetof(struct npu_tcb_task, sp) == 0x34, "TCB layout");
_Static_assert(offsetof(struct npu_tcb_task, core_id) == 0x4c, "TCB layout");
_Static_assert(offsetof(struct npu_tcb_task, tcbp) == 0x6c, "TCB layout");
