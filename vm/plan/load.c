/* load.c - reads a plan file: gate 1 (format), then the other gates.
 *
 * Here the bytes are looked at: length, magic, version, layout, checksums.
 * What the records hold is checked by format.c.  Files are untrusted: nothing
 * is used before it has been checked, and the plan is a copy of the file's
 * bytes, so the file may change afterwards.
 */
#include "vm/plan/format.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
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

/* The least that a plan file has: the head and the checksum at its end. */
#define HEAD_BYTES (sizeof(PlanFile) + sizeof(uint64_t))

/* That there can be a plan of the length that the head says. */
static bool
check_length(const PlanFile *f, PlanError *e)
{
	return (f->file_bytes >= HEAD_BYTES && f->file_bytes <= FILE_MAX)
		|| plan_fail(e, "the file says that it has %llu bytes; plans "
			"have %zu to %llu", (unsigned long long)f->file_bytes,
			HEAD_BYTES, (unsigned long long)FILE_MAX);
}

/* That these are the bytes that were written, and for this build. */
static bool
check_file(const char *data, size_t size, const PlanFile *f, PlanError *e)
{
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

/* The plan in `data`, `size` bytes in the arena that become its records. */
static Plan *
parse(Arena *a, char *data, size_t size, PlanError *e)
{
	PlanFile f;
	memcpy(&f, data, sizeof f);
	if (!check_file(data, size, &f, e) || !check_layout(data, size, &f, e))
		return NULL;
	Plan *p = arena_alloc(a, sizeof *p);
	p->head = f.head;
#define X(type, name) { \
		const PlanSection *s = &f.section[SECTION_##name]; \
		p->n_##name = (uint32_t)(s->bytes / sizeof(type)); \
		p->name = (type *)(void *)(data + s->offset); \
	}
	PLAN_SECTIONS(X)
#undef X
	return plan_format(p, e) ? p : NULL;
}

static bool
wrong_length(PlanError *e, uint64_t have, const PlanFile *f)
{
	return plan_fail(e, "the file has %llu bytes, %llu were written",
		(unsigned long long)have, (unsigned long long)f->file_bytes);
}

Plan *
plan_parse(Arena *a, const void *data, size_t size, PlanError *e)
{
	PlanFile f;
	if (!check_version(data, size, e))
		return NULL;
	if (size < HEAD_BYTES) {
		plan_fail(e, "%zu bytes are too short for a plan file", size);
		return NULL;
	}
	memcpy(&f, data, sizeof f);
	if (!check_length(&f, e)
		|| (f.file_bytes != size && !wrong_length(e, size, &f)))
		return NULL;
	char *copy = arena_alloc(a, size);
	memcpy(copy, data, size);
	return parse(a, copy, size, e);
}

/* Reads up to `size` bytes; how many there were, or -1 with errno set. */
static ssize_t
read_bytes(int fd, char *to, size_t size)
{
	size_t n = 0;
	while (n < size) {
		ssize_t got = read(fd, to + n, size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* The bytes of a plan file, in the arena; *size of them.  Its head is looked at
 * before anything else is read, so that what is no plan costs nothing, however
 * long it is.  NULL with the reason in `e`, or with errno set. */
static char *
read_plan_bytes(Arena *a, int fd, size_t *size, PlanError *e)
{
	PlanFile f;
	struct stat st;
	ssize_t head = read_bytes(fd, (char *)&f, sizeof f), rest;
	if (head < 0 || fstat(fd, &st))
		return NULL;
	errno = 0;
	if (!check_version(&f, (size_t)head, e))
		return NULL;
	if ((size_t)head < sizeof f) {
		plan_fail(e, "%zd bytes are too short for a plan file", head);
		return NULL;
	}
	if (!check_length(&f, e) || (S_ISREG(st.st_mode)
		&& (uint64_t)st.st_size != f.file_bytes
		&& !wrong_length(e, (uint64_t)st.st_size, &f)))
		return NULL;
	*size = (size_t)f.file_bytes;
	/* one more, to see that there is none */
	char *data = arena_alloc(a, *size + 1);
	memcpy(data, &f, sizeof f);
	rest = read_bytes(fd, data + sizeof f, *size + 1 - sizeof f);
	if (rest < 0)
		return NULL;
	errno = 0;
	if ((size_t)rest != *size - sizeof f) {
		wrong_length(e, (uint64_t)rest + sizeof f, &f);
		return NULL;
	}
	return data;
}

Plan *
plan_read(Arena *a, const char *path, PlanError *e, int *code)
{
	size_t size = 0;
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
		: dup(STDIN_FILENO);
	if (fd >= 0)
		input_opened(path, fd);
	char *data = fd < 0 ? NULL : read_plan_bytes(a, fd, &size, e);
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (!data && error) {
		*code = EXIT_IO;
		plan_fail(e, "cannot read '%.200s': %s", path, strerror(error));
		return NULL;
	}
	Plan *p = data ? parse(a, data, size, e) : NULL;
	*code = p ? EXIT_OK : EXIT_PLAN;
	return p;
}
