/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for tests of the engine and its front: flat memory with a table of
 * objects, a host that maps nothing else, a log of causes, a virtual clock, and
 * builders for programs, operand slots and TCB chains.
 */
#pragma once

#include "npu/engine.h"

/* Addresses above 4 GiB, so that a lost upper half shows. */
#define MACHINE_WINDOW 0x340000000ull  /* base of ASID 0 */
#define MACHINE_WEIGHTS 0x580000000ull /* base of ASID 1 */
#define MACHINE_MEMORY 0x341a00000ull  /* first byte of memory */
#define MACHINE_SIZE 0x400000u

#define MACHINE_TCB (1u << NPU_ACCESS_TCB)
#define MACHINE_TEXT (1u << NPU_ACCESS_TEXT)
#define MACHINE_PARAM (1u << NPU_ACCESS_PARAM)
#define MACHINE_READ (1u << NPU_ACCESS_READ)
#define MACHINE_WRITE (1u << NPU_ACCESS_WRITE)

struct machine_object {
	uint64_t address;
	uint32_t size;
	uint32_t access; /* MACHINE_*; READ and WRITE only as a whole */
	uint8_t *memory;
};

struct machine_cause {
	struct npu_list *list;
	struct npu_cause cause;
};

struct machine {
	struct npu_engine engine;
	struct npu_host host;
	uint64_t now;
	uint8_t memory[MACHINE_SIZE];
	uint8_t weights[4096]; /* behind ASID 1 */
	uint32_t used;	       /* where the next object goes; may be turned back to reuse memory */
	struct machine_object object[256];
	unsigned int n_objects; /* likewise */
	struct machine_cause cause[256];
	unsigned int n_causes;
	void (*report)(void *arg, struct npu_list *list, const struct npu_cause *cause);
	void *report_arg; /* a front's hook, called besides the log */
};

/* On the heap, for it is large. Stops the test on bad topologies. */
struct machine *machine_create(unsigned int clusters, unsigned int cores, unsigned int tecs);
void machine_destroy(struct machine *m);

/* An object of @size bytes on a page of its own; returns its absolute address. */
uint64_t machine_alloc(struct machine *m, uint32_t size, uint32_t access);
/* The one object behind ASID 1, filled with @byte. */
uint64_t machine_alloc_weights(struct machine *m, uint32_t size, uint8_t byte);
/* Forget the object that begins at @address: it is mapped no more. */
void machine_unmap(struct machine *m, uint64_t address);
/* The test's own view of memory. */
void *machine_at(struct machine *m, uint64_t address);
/* As a program sees it. */
uint32_t machine_rel(uint64_t address);

/* Step until nothing can be done before @until or another event; moves the clock over delays. */
enum npu_step machine_run_until(struct machine *m, uint64_t until);
/* Step until idle, or only hangs are left. */
enum npu_step machine_run(struct machine *m);

/* How often a cause with all bits of @irq was reported for @tcbp since the log was emptied. */
unsigned int machine_count(const struct machine *m, uint32_t irq, uint32_t tcbp);
unsigned int machine_failures(const struct machine *m);
/* Stop the test unless the first cause is this failure, and no other cause is one. */
void machine_assert_only_failure(const struct machine *m, enum npu_reason reason, uint32_t irq,
				 uint32_t tcbp);

struct npu_insn insn_end(void);
struct npu_insn insn_delay(uint32_t microseconds);
struct npu_insn insn_hang(void);
struct npu_insn insn_fault(enum npu_raise what);
/* Slots 0 (in) and 1 (out) of the parameter block. */
struct npu_insn insn_copy(uint32_t bytes);

/* Text with @n instructions and `end`. Returns its address. */
uint64_t program_create(struct machine *m, const struct npu_insn *insn, unsigned int n);
uint64_t program_delay(struct machine *m, uint32_t microseconds);
/* A parameter block with room for @n slots, and one slot of it. */
uint64_t param_create(struct machine *m, unsigned int n);
void param_set(struct machine *m, uint64_t param, unsigned int slot, uint64_t address,
	       uint64_t base, uint32_t size);

/* What a chain is to look like. */
struct chain_group {
	uint64_t text, param; /* absolute */
	uint32_t dependency;  /* NPU_TCB_DEP_* */
	unsigned int tasks;   /* 0: as many as a core has TECs */
};

#define CHAIN_GRID_END (1u << 0)	/* on the last TCB */
#define CHAIN_CORE_DONE (1u << 1)	/* the last TCB enables the core level */
#define CHAIN_CLUSTER_DONE (1u << 2)	/* … and the cluster level */
#define CHAIN_EVERY_CORE_DONE (1u << 3) /* every group's last TCB enables the core level */
/* As the vendor builds them. */
#define CHAIN_SINGLE (CHAIN_CORE_DONE | CHAIN_CLUSTER_DONE)
#define CHAIN_MULTI (CHAIN_GRID_END | CHAIN_CLUSTER_DONE)

struct chain {
	struct machine *machine;
	uint64_t head, first_task, last_task; /* absolute */
	unsigned int n_tcbs;
};

struct chain chain_create(struct machine *m, const struct chain_group *groups, unsigned int n,
			  uint32_t flags);
/* One group with the program @text, as the vendor builds a job with one subgraph. */
struct chain chain_single(struct machine *m, uint64_t text);
/* A private tail as the vendor's driver appends it: a copy of the last task with its exit program.
 */
struct chain chain_hold(struct chain *chain);
struct npu_tcb_task *chain_task(const struct chain *chain, uint64_t address);
/* Link @to behind @from. */
void chain_link(struct chain *from, uint64_t to);
uint32_t chain_tcbp(const struct chain *chain);

/* A job that copies @bytes bytes, and what it is made of. */
struct copy_job {
	struct chain chain;
	uint64_t in, out, param, text;
};

struct copy_job copy_job_create(struct machine *m, uint32_t bytes);
