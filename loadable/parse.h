/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parse under way, shared by the files that read containers: where we are, for
 * error texts; arrays that grow; and the parts of the format that both
 * containers have.
 *
 * What a parser hands out is owned by parse.graph from the moment it is stored
 * there, so an error needs no cleanup but graph_destroy().
 *
 * Parsers return 0 or, through parse_fail(), one of loadable_elf_parse()'s errors.
 */
#pragma once

#include "loadable/container.h"
#include "loadable/graph.h"
#include "loadable/loadable_elf.h"
#include "loadable/reader.h"

/*
 * Far more than any compiler emits. They bound what a small file can make us
 * hold: a patch takes 4 bytes of the file and 28 of ours.
 */
#define PARSE_MAX_BSS 4096u
#define PARSE_MAX_SECTIONS 65536u /* static, reuse, private: of each */
#define PARSE_MAX_PATCHES 1048576u
#define PARSE_MAX_SUBGRAPHS 16384u
#define PARSE_MAX_TENSORS 4096u /* of each kind */
#define PARSE_MAX_REMAPS 1048576u
#define PARSE_MAX_SEGMMU 120u /* cores of the largest device */

#define PARSE_MAX_ALIGN (1u << 30)
#define PARSE_MAX_STACK (1u << 28)	  /* per task */
#define PARSE_MAX_PRIVATE_DATA (1u << 28) /* per task */
#define PARSE_MAX_WINDOW (3ull << 30)	  /* what an NPU program can address */

/* Printed in front of an error; members that say "nowhere" are left out. */
struct parse_place {
	const char *note;	  /* or NULL */
	int64_t bss;		  /* or -1 */
	int64_t subgraph;	  /* or -1 */
	const char *section_kind; /* "reuse section", or NULL */
	uint32_t section;
	int64_t subsection; /* or -1 */
};

#define PARSE_NOWHERE ((struct parse_place){.bss = -1, .subgraph = -1, .subsection = -1})

struct parse {
	struct graph *graph;	      /* owned */
	struct loadable_error *error; /* borrowed */
	struct parse_place place;

	/* Elements there is room for in the graph's arrays. */
	struct {
		size_t bss, statics, reuses, patches, subgraphs;
		size_t tensors[GRAPH_TENSOR_KIND_MAX_];
	} room;
	size_t n_privates; /* of all subgraphs */
};

/* Store the text, with the place in front, and return @error. */
int parse_fail(struct parse *p, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Make room for @need elements in all. Returns the array, possibly moved, or NULL
 * (then the old one is as it was). New elements are zeroed.
 */
void *parse_reserve(void *array, size_t *room, size_t need, size_t element_size);

/* As a statement: true, or false when memory is short. */
#define PARSE_RESERVE(array, room, need)                                                           \
	({                                                                                         \
		void *moved_ = parse_reserve(array, room, need, sizeof(*(array)));                 \
		if (moved_)                                                                        \
			(array) = moved_;                                                          \
		moved_ != NULL;                                                                    \
	})

/* Give memory that was reserved and not used back. */
void parse_trim(struct parse *p);

/* A power of two, not above PARSE_MAX_ALIGN. */
int parse_check_align(struct parse *p, uint32_t align);

/* One BSS description (header, sections). Rodata, desc and weight must be known. */
int parse_bss(struct parse *p, struct reader *r);

/* Sections of a BSS, or private buffers of a subgraph, are lists of subsections. */
struct parse_section {
	enum graph_area area;
	uint32_t index; /* what patches call it */
	uint32_t subgraph;
	uint32_t size;
	uint32_t n_subsections;
	uint32_t type; /* out, static sections: type of all subsections */
};
int parse_subsections(struct parse *p, struct reader *r, struct parse_section *section);

/* The 16 bytes in front of a reuse section or private buffer. */
int parse_reuse(struct parse *p, struct reader *r, struct graph_reuse *ret,
		uint32_t *ret_n_subsections);

/* The `subgraphs` note. */
int parse_subgraphs(struct parse *p, struct reader *r);

/* A reuse subsection that is a tensor joins its list; others are ignored. */
int parse_tensor(struct parse *p, const struct container_subsection *sub, uint32_t section);
/* After the last BSS: position = id in the sorted kinds, at most one of the single ones. */
int parse_sort_tensors(struct parse *p);
/* Names and shapes, from the note we add. */
int parse_tensor_note(struct parse *p, struct reader *r);

/* All notes of an ELF container. */
int parse_notes(struct parse *p, struct blob section);
