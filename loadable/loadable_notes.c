/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notes of an ELF container: finding them, and reading the small ones.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loadable/parse.h"

#define NOTE_HEADER_SIZE 12u
#define VERSION_V3_2 7
#define AREA_TEXT 2u

#define GMCONFIG_SIZE 56u
#define GMCONFIG_RECORDS 0x18u
#define GMCONFIG_RECORD_SIZE 16u
#define SEGMMU_RECORD_SIZE 56u
#define HASH_ITEM_SIZE 40u
#define SHA256_HEX_SIZE 64u

static int parse_compilermsg(struct parse *p, struct reader *r)
{
	struct graph *g = p->graph;
	uint32_t device;

	if (r->size != sizeof(struct container_compilermsg))
		return parse_fail(p, -EBADMSG, "%zu bytes instead of %zu", r->size,
				  sizeof(struct container_compilermsg));
	g->file_version = load_le32(r->data);
	g->build_version = load_le32(r->data + 4);
	device = load_le32(r->data + 8);
	g->flags = load_le32(r->data + 12);
	if (!graph_target_parse(&g->target, device))
		return parse_fail(p, -ENOTSUP, "device word %#010x is no known NPU", device);
	if (g->target.version < 5)
		return parse_fail(p, -ENOTSUP, "target %s is older than ELF loadables",
				  g->target.name);
	return 0;
}

static int parse_rodata(struct parse *p, struct reader *r)
{
	p->graph->rodata = (struct blob){.data = r->data, .size = r->size};
	return 0;
}

static int parse_desc(struct parse *p, struct reader *r)
{
	p->graph->desc = (struct blob){.data = r->data, .size = r->size};
	return 0;
}

static int parse_weight(struct parse *p, struct reader *r)
{
	p->graph->weight = (struct blob){.data = r->data, .size = r->size};
	return 0;
}

/* "filename+hash": nothing that could name a file elsewhere. */
static int check_weight_name(struct parse *p, uint64_t entry, const uint8_t *name, size_t size)
{
	const uint8_t *plus = memrchr(name, '+', size);
	size_t length = plus ? (size_t)(plus - name) : 0;
	size_t hash = plus ? size - length - 1 : 0;

	if (!plus)
		return parse_fail(p, -EBADMSG, "entry %llu: no '+' between name and hash",
				  (unsigned long long)entry);
	if (length == 0 || memchr(name, '/', length) || memchr(name, '\0', length) ||
	    (length == 1 && name[0] == '.') || (length == 2 && memcmp(name, "..", 2) == 0))
		return parse_fail(p, -EBADMSG, "entry %llu: not a plain file name",
				  (unsigned long long)entry);
	if (hash != SHA256_HEX_SIZE)
		return parse_fail(p, -EBADMSG, "entry %llu: hash has %zu digits instead of %u",
				  (unsigned long long)entry, hash, SHA256_HEX_SIZE);
	for (size_t i = 1; i <= hash; i++) {
		if (!memchr("0123456789abcdef", plus[i], 16))
			return parse_fail(p, -EBADMSG, "entry %llu: hash is not lower-case hex",
					  (unsigned long long)entry);
	}
	return 0;
}

static int parse_extra_weight(struct parse *p, struct reader *r)
{
	uint64_t count, length;
	const uint8_t *name;
	int error;

	if (!reader_u64(r, &count))
		return parse_fail(p, -EBADMSG, "%zu bytes, too few for a count", r->size);
	if (count > reader_left(r) / 8)
		return parse_fail(p, -EBADMSG, "%llu entries, but only %zu bytes follow",
				  (unsigned long long)count, reader_left(r));
	for (uint64_t i = 0; i < count; i++) {
		name = reader_u64(r, &length) && length > 0 ? reader_take(r, length) : NULL;
		if (!name)
			return parse_fail(p, -EBADMSG, "entry %llu is empty or cut off",
					  (unsigned long long)i);
		error = check_weight_name(p, i, name, (size_t)length);
		if (error)
			return error;
	}
	if (count > 0)
		return parse_fail(p, -ENOTSUP,
				  "weights in extra files are not supported; "
				  "compile the model into one file");
	return 0;
}

static int parse_fmlist(struct parse *p, struct reader *r)
{
	const uint8_t *d = reader_take(r, 12);
	uint32_t count;
	int error = 0;

	if (!d)
		return parse_fail(p, -EBADMSG, "%zu bytes, too few for a header", r->size);
	count = load_le32(d + 8);
	if (count == 0)
		return parse_fail(p, -EBADMSG, "no BSS");
	if (count > reader_left(r) / sizeof(struct container_bss))
		return parse_fail(p, -EBADMSG, "%u BSSs, but only %zu bytes follow", count,
				  reader_left(r));
	if (count > PARSE_MAX_BSS)
		return parse_fail(p, -EFBIG, "%u BSSs, more than %u", count, PARSE_MAX_BSS);
	for (uint32_t i = 0; i < count && !error; i++)
		error = parse_bss(p, r);
	return error ? error : parse_sort_tensors(p);
}

static struct blob remap_area(const struct graph *g, uint32_t area)
{
	const struct blob areas[] = {g->rodata, g->desc, g->text};

	return areas[area];
}

static int check_remap(struct parse *p, uint32_t index, const struct graph_remap *remap)
{
	const struct graph *g = p->graph;

	if (remap->type > AREA_TEXT || remap->next_type > AREA_TEXT)
		return parse_fail(p, -EBADMSG, "entry %u: area code %u is not 0, 1 or 2", index,
				  remap->type > AREA_TEXT ? remap->type : remap->next_type);
	if ((uint64_t)remap->offset + 4 > remap_area(g, remap->type).size)
		return parse_fail(p, -EBADMSG, "entry %u: offset %#x is outside area %u (%#zx)",
				  index, remap->offset, remap->type,
				  remap_area(g, remap->type).size);
	if ((uint64_t)remap->next_offset + 4 > remap_area(g, remap->next_type).size)
		return parse_fail(p, -EBADMSG, "entry %u: target %#x is outside area %u (%#zx)",
				  index, remap->next_offset, remap->next_type,
				  remap_area(g, remap->next_type).size);
	/* Only from v3_2 on has each job a text of its own. */
	if (remap->type == AREA_TEXT && g->target.version < VERSION_V3_2)
		return parse_fail(p, -ENOTSUP, "entry %u: writes text that all jobs share", index);
	return 0;
}

static int parse_remap(struct parse *p, struct reader *r)
{
	struct graph *g = p->graph;
	uint32_t count;
	int error = 0;

	if (!reader_u32(r, &count))
		return parse_fail(p, -EBADMSG, "%zu bytes, too few for a count", r->size);
	if (count > reader_left(r) / sizeof(struct graph_remap))
		return parse_fail(p, -EBADMSG, "%u entries, but only %zu bytes follow", count,
				  reader_left(r));
	if (count > PARSE_MAX_REMAPS)
		return parse_fail(p, -EFBIG, "%u entries, more than %u", count, PARSE_MAX_REMAPS);
	/* Nothing runs, nothing is remapped: the vendor's loader ignores the note then. */
	if (count == 0 || g->n_subgraphs == 0)
		return 0;

	g->remaps = calloc(count, sizeof(*g->remaps));
	if (!g->remaps)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !error; i++) {
		const uint8_t *d = reader_take(r, sizeof(struct graph_remap));

		g->remaps[i] = (struct graph_remap){
			.type = load_le32(d),
			.offset = load_le32(d + 4),
			.next_type = load_le32(d + 8),
			.next_offset = load_le32(d + 12),
		};
		error = check_remap(p, i, &g->remaps[i]);
	}
	g->n_remaps = count;
	return error;
}

static int check_gm_record(struct parse *p, uint32_t index, const uint8_t *d)
{
	const struct graph *g = p->graph;
	uint32_t fm_index = load_le32(d), type = load_le32(d + 4), section = load_le32(d + 8);
	size_t n = type == 0 ? g->bss[0].n_reuses : g->bss[0].n_statics;

	if (fm_index != 0)
		return parse_fail(p, -EBADMSG, "record %u: BSS index %u instead of 0", index,
				  fm_index);
	if (type > 1)
		return parse_fail(p, -EBADMSG, "record %u: buffer type %u", index, type);
	/* The second record is never used, so only its form matters. */
	if (index == 0 && section >= n)
		return parse_fail(p, -EBADMSG, "record %u: section %u, but there are %zu", index,
				  section, n);
	return 0;
}

static int parse_gmconfig(struct parse *p, struct reader *r)
{
	struct graph *g = p->graph;
	const uint8_t *record;
	int error;

	if (r->size != GMCONFIG_SIZE)
		return parse_fail(p, -EBADMSG, "%zu bytes instead of %u", r->size, GMCONFIG_SIZE);
	record = r->data + GMCONFIG_RECORDS;
	if ((load_le32(r->data) & 0xf) == 0 || g->n_subgraphs == 0)
		return 0;
	error = check_gm_record(p, 0, record);
	if (!error)
		error = check_gm_record(p, 1, record + GMCONFIG_RECORD_SIZE);
	if (!error && load_le32(record + 4) == 0)
		g->gm_section = (int32_t)load_le32(record + 8);
	return error;
}

static int parse_segmmu(struct parse *p, struct reader *r)
{
	struct graph *g = p->graph;
	uint32_t count;

	if (!reader_u32(r, &count))
		return parse_fail(p, -EBADMSG, "%zu bytes, too few for a count", r->size);
	if (count > reader_left(r) / SEGMMU_RECORD_SIZE)
		return parse_fail(p, -EBADMSG, "%u records, but only %zu bytes follow", count,
				  reader_left(r));
	if (count > PARSE_MAX_SEGMMU)
		return parse_fail(p, -EBADMSG, "%u records, but no NPU has more than %u cores",
				  count, PARSE_MAX_SEGMMU);
	if (count == 0)
		return 0;

	g->segmmu = calloc(count, sizeof(*g->segmmu));
	if (!g->segmmu)
		return -ENOMEM;
	g->n_segmmu = count;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *d = reader_take(r, SEGMMU_RECORD_SIZE);

		for (uint32_t word = 0; word < 8; word++)
			g->segmmu[i].segment[word / 2][word % 2] = load_le32(d + 4 * (size_t)word);
	}
	return 0;
}

static int parse_globalparam(struct parse *p, struct reader *r)
{
	uint32_t shape_offset, count;
	uint64_t words = 0;

	if (!reader_u32(r, &shape_offset) || !reader_u32(r, &count))
		return parse_fail(p, -EBADMSG, "%zu bytes, too few for a header", r->size);
	/* An offset behind the note means: static after all. */
	if (shape_offset >= r->size)
		return 0;
	words = (r->size - shape_offset) / 4;
	if (words < p->graph->tensors[GRAPH_TENSOR_INPUT].n)
		return parse_fail(p, -EBADMSG,
				  "offset %#x leaves no room for the shapes of %zu inputs",
				  shape_offset, p->graph->tensors[GRAPH_TENSOR_INPUT].n);
	return 0;
}

struct shape {
	uint32_t rank;
	uint32_t dims[GRAPH_MAX_RANK];
};

static int read_shape(struct parse *p, struct reader *r, uint32_t record, struct shape *ret)
{
	uint64_t elements = 1;

	if (!reader_u32(r, &ret->rank))
		return parse_fail(p, -EBADMSG, "record %u is cut off", record);
	if (ret->rank > GRAPH_MAX_RANK)
		return parse_fail(p, -EBADMSG, "record %u: rank %u is above %u", record, ret->rank,
				  GRAPH_MAX_RANK);
	for (uint32_t i = 0; i < ret->rank; i++) {
		if (!reader_u32(r, &ret->dims[i]))
			return parse_fail(p, -EBADMSG, "record %u: dimension %u is cut off", record,
					  i);
		elements *= ret->dims[i]; /* both below 2^32 */
		if (elements > UINT32_MAX)
			return parse_fail(p, -EBADMSG, "record %u: more than 2^32 elements",
					  record);
	}
	return 0;
}

static int read_shape_range(struct parse *p, struct reader *r, uint32_t record)
{
	struct shape min = {0}, max = {0};
	int error;

	error = read_shape(p, r, record, &min);
	if (!error)
		error = read_shape(p, r, record + 1, &max);
	if (error)
		return error;
	if (min.rank != max.rank)
		return parse_fail(p, -EBADMSG, "record %u: rank %u, its maximum has %u", record,
				  min.rank, max.rank);
	for (uint32_t i = 0; i < min.rank; i++) {
		if (min.dims[i] > max.dims[i])
			return parse_fail(p, -EBADMSG,
					  "record %u: dimension %u: minimum %u, maximum %u", record,
					  i, min.dims[i], max.dims[i]);
	}
	return 0;
}

static int parse_shapes(struct parse *p, struct reader *r)
{
	size_t n_inputs = p->graph->tensors[GRAPH_TENSOR_INPUT].n;
	uint32_t count;
	int error = 0;

	if (!reader_u32(r, &count))
		return parse_fail(p, -EBADMSG, "%zu bytes, too few for a count", r->size);
	if (count != 0 && count != 2 * n_inputs)
		return parse_fail(p, -EBADMSG, "%u records for %zu inputs", count, n_inputs);
	for (uint32_t i = 0; i < count && !error; i += 2)
		error = read_shape_range(p, r, i);
	return error;
}

static int parse_hashes(struct parse *p, struct reader *r)
{
	uint32_t n_bss, count;

	if (!reader_u32(r, &n_bss))
		return parse_fail(p, -EBADMSG, "%zu bytes, too few for a count", r->size);
	if (n_bss != p->graph->n_bss)
		return parse_fail(p, -EBADMSG, "%u BSSs, but there are %zu", n_bss,
				  p->graph->n_bss);
	for (uint32_t i = 0; i < n_bss; i++) {
		if (!reader_u32(r, &count))
			return parse_fail(p, -EBADMSG, "BSS %u: count is cut off", i);
		if (count > reader_left(r) / HASH_ITEM_SIZE)
			return parse_fail(p, -EBADMSG,
					  "BSS %u: %u items, but only %zu bytes follow", i, count,
					  reader_left(r));
		r->pos += (size_t)count * HASH_ITEM_SIZE;
	}
	return 0;
}

/* In the order in which they are read: what a parser looks at comes first. */
static const struct {
	const char *name;
	bool is_required;
	int (*parse)(struct parse *p, struct reader *r);
} note_kinds[] = {
	{CONTAINER_NOTE_COMPILERMSG, true, parse_compilermsg},
	{CONTAINER_NOTE_RODATA, true, parse_rodata},
	{CONTAINER_NOTE_DESC, false, parse_desc},
	{CONTAINER_NOTE_WEIGHT, false, parse_weight},
	{CONTAINER_NOTE_EXTRA_WEIGHT, false, parse_extra_weight},
	{CONTAINER_NOTE_FMLIST, true, parse_fmlist},
	{CONTAINER_NOTE_SUBGRAPHS, true, parse_subgraphs},
	{CONTAINER_NOTE_REMAP, false, parse_remap},
	{CONTAINER_NOTE_GMCONFIG, false, parse_gmconfig},
	{CONTAINER_NOTE_SEGMMU, false, parse_segmmu},
	{CONTAINER_NOTE_GLOBALPARAM, false, parse_globalparam},
	{CONTAINER_NOTE_SHAPES, false, parse_shapes},
	{CONTAINER_NOTE_HASHES, false, parse_hashes},
	{CONTAINER_NOTE_TENSORS, false, parse_tensor_note},
};

#define N_NOTE_KINDS (sizeof(note_kinds) / sizeof(note_kinds[0]))

struct notes {
	struct blob blob[N_NOTE_KINDS];
	bool is_there[N_NOTE_KINDS];
};

/* A name is exactly namesz - 1 bytes; one whose size counts padding is another name. */
static size_t kind_of(const uint8_t *name, uint32_t namesz)
{
	size_t i = 0;

	while (i < N_NOTE_KINDS && (namesz != strlen(note_kinds[i].name) + 1 ||
				    memcmp(name, note_kinds[i].name, namesz - 1) != 0))
		i++;
	return i;
}

/* Padding is counted from the start of what it follows; behind the last note it may be missing. */
static const uint8_t *take_padded(struct reader *r, uint32_t size)
{
	uint64_t padded = ((uint64_t)size + 3) & ~3ull;
	const uint8_t *data;

	if (size > reader_left(r))
		return NULL;
	data = r->data + r->pos;
	r->pos += padded < reader_left(r) ? (size_t)padded : reader_left(r);
	return data;
}

static int read_note(struct parse *p, struct reader *r, struct notes *notes)
{
	size_t at = r->pos, kind;
	const uint8_t *header = reader_take(r, NOTE_HEADER_SIZE), *name, *desc;
	uint32_t namesz = load_le32(header), descsz = load_le32(header + 4);

	name = take_padded(r, namesz);
	if (!name)
		return parse_fail(p, -EBADMSG, "note at offset %#zx: name of %u bytes exceeds %s",
				  at, namesz, CONTAINER_NOTE_SECTION);
	desc = take_padded(r, descsz);
	if (!desc)
		return parse_fail(p, -EBADMSG,
				  "note at offset %#zx: content of %u bytes exceeds %s", at, descsz,
				  CONTAINER_NOTE_SECTION);

	kind = kind_of(name, namesz);
	if (kind == N_NOTE_KINDS)
		return 0;
	if (notes->is_there[kind])
		return parse_fail(p, -EBADMSG, "note '%s' is there twice, again at offset %#zx",
				  note_kinds[kind].name, at);
	notes->is_there[kind] = true;
	notes->blob[kind] = (struct blob){.data = descsz ? desc : NULL, .size = descsz};
	return 0;
}

/* Well-formed, but only a loader that computes shapes at run time could run it. */
static int check_static_shape(struct parse *p)
{
	if (!(p->graph->flags & CONTAINER_FLAG_DYNAMIC_SHAPE))
		return 0;
	return parse_fail(p, -ENOTSUP,
			  "note '%s': dynamic shapes are not supported; "
			  "compile the model for a fixed shape",
			  CONTAINER_NOTE_COMPILERMSG);
}

int parse_notes(struct parse *p, struct blob section)
{
	struct reader r = reader_of(section);
	struct notes notes = {0};
	int error = 0;

	while (reader_left(&r) >= NOTE_HEADER_SIZE && !error)
		error = read_note(p, &r, &notes);
	for (size_t i = 0; i < N_NOTE_KINDS && !error; i++) {
		if (notes.blob[i].size > 0) {
			p->place.note = note_kinds[i].name;
			r = reader_of(notes.blob[i]);
			error = note_kinds[i].parse(p, &r);
		} else if (note_kinds[i].is_required) {
			error = parse_fail(p, -EBADMSG, "note '%s' is missing or empty",
					   note_kinds[i].name);
		}
		if (!error)
			p->place = PARSE_NOWHERE;
	}
	return error ? error : check_static_shape(p);
}
