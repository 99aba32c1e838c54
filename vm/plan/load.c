/* load.c - reads a plan file: gate 1 (format), then the other gates.
 *
 * Here the bytes are looked at: length, magic, version, layout, checksums.
 * What the records hold is checked by format.c.  Files are untrusted: nothing
 * is used before it has been checked, and the plan is a copy of the file's
 * bytes, so the file may change afterwards.
 */
#include "vm/plan/format.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

/* Magic and version, which are where they are in every version. */
static bool
check_version(const void *data, size_t size, PlanError *e)
{
	PlanHeader h;
	size_t known = offsetof(PlanHeader, version) + sizeof h.version;
	if (size < known)
		return plan_fail(e, "%zu bytes are too short for a plan file",
			size);
	memcpy(&h, data, known);
	if (memcmp(h.magic, plan_magic, sizeof plan_magic))
		return plan_fail(e, "this is no plan file");
	return h.version == PLAN_VERSION || plan_fail(e, "a plan of version %u, "
		"this sluice reads version %d: compile the model again, with "
		"`sluice compile`", h.version, PLAN_VERSION);
}

/* Length, and that these are the bytes that were written. */
static bool
check_file(const char *data, size_t size, const PlanFile *f, PlanError *e)
{
	if (f->file_bytes != size)
		return plan_fail(e, "the file has %zu bytes, %llu were written",
			size, (unsigned long long)f->file_bytes);
	uint64_t hash;
	memcpy(&hash, data + size - sizeof hash, sizeof hash);
	if (hash != XXH3_64bits(data, size - sizeof hash))
		return plan_fail(e, "the file is damaged: its checksum is wrong");
	if (f->head.ops_hash != ops_hash())
		return plan_fail(e, "compiled for another list of ops: compile "
			"the model again");
	if (f->sections != SECTION_COUNT || f->pad_)
		return plan_fail(e, "the section table is malformed");
	return true;
}

static bool
all_zero(const char *s, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (s[i])
			return false;
	return true;
}

/* Section `s` begins at the first multiple of 64 from *at on and consists of
 * whole records; moves *at behind it. */
static bool
check_section(const char *data, uint64_t size, const PlanSection *s,
	uint64_t record, const char *name, uint64_t *at, PlanError *e)
{
	uint64_t begin = *at + -*at % SECTION_ALIGN;
	uint64_t end = size - sizeof(uint64_t);
	if (s->offset != begin || begin > end || s->bytes > end - begin)
		return plan_fail(e, "section %s is not where it must be", name);
	if (s->bytes % record || s->bytes / record >= UINT32_MAX)
		return plan_fail(e, "section %s has %llu bytes, records have "
			"%llu", name, (unsigned long long)s->bytes,
			(unsigned long long)record);
	if (!all_zero(data + *at, begin - *at))
		return plan_fail(e, "padding before section %s is not zero",
			name);
	if (s->hash != XXH3_64bits(data + begin, (size_t)s->bytes))
		return plan_fail(e, "section %s is damaged: its checksum is "
			"wrong", name);
	*at = begin + s->bytes;
	return true;
}

static bool
check_layout(const char *data, uint64_t size, const PlanFile *f, PlanError *e)
{
	uint64_t at = sizeof *f;
#define X(type, name) \
	if (!check_section(data, size, &f->section[SECTION_##name], \
		sizeof(type), #name, &at, e)) \
		return false;
	PLAN_SECTIONS(X)
#undef X
	uint64_t end = at + -at % SECTION_ALIGN;
	if (end != size - sizeof(uint64_t)
		|| !all_zero(data + at, end - at))
		return plan_fail(e, "there are bytes behind the last section");
	return true;
}

Plan *
plan_parse(Arena *a, const void *data, size_t size, PlanError *e)
{
	PlanFile f;
	if (!check_version(data, size, e))
		return NULL;
	if (size < sizeof f + sizeof(uint64_t)) {
		plan_fail(e, "%zu bytes are too short for a plan file", size);
		return NULL;
	}
	memcpy(&f, data, sizeof f);
	if (!check_file(data, size, &f, e) || !check_layout(data, size, &f, e))
		return NULL;
	Plan *p = arena_alloc(a, sizeof *p);
	p->head = f.head;
#define X(type, name) { \
		const PlanSection *s = &f.section[SECTION_##name]; \
		p->n_##name = (uint32_t)(s->bytes / sizeof(type)); \
		p->name = arena_alloc(a, (size_t)s->bytes); \
		memcpy(p->name, (const char *)data + s->offset, \
			(size_t)s->bytes); \
	}
	PLAN_SECTIONS(X)
#undef X
	return plan_format(p, e) ? p : NULL;
}

Plan *
plan_read(Arena *a, const char *path, PlanError *e, int *code)
{
	size_t size;
	char *data = arena_read_file(a, path, FILE_MAX, &size);
	if (!data) {
		*code = errno == EFBIG ? EXIT_PLAN : EXIT_IO;
		plan_fail(e, "cannot read '%.200s': %s", path, strerror(errno));
		return NULL;
	}
	Plan *p = plan_parse(a, data, size, e);
	*code = p ? EXIT_OK : EXIT_PLAN;
	return p;
}
