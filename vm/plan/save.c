/* save.c - writes a plan file whole or not at all.
 *
 * The layout is described in format.h.  Each section has a checksum, and the
 * file's last 8 bytes are one over everything before them, so that any flipped
 * bit is noticed, be it in the header or in padding.
 */
#include "vm/plan/format.h"

#include <string.h>
#include <xxhash.h>

const char plan_magic[8] = "SLUICE\0";

/* A stream that hashes what it writes. */
typedef struct Sink {
	FILE *f;
	XXH3_state_t *hash;
	uint64_t at;
} Sink;

static void
put(Sink *s, const void *data, size_t n)
{
	if (!n)
		return;
	fwrite(data, 1, n, s->f);       /* out_commit looks at ferror */
	XXH3_64bits_update(s->hash, data, n);
	s->at += n;
}

static void
put_padding(Sink *s)
{
	static const char zeros[SECTION_ALIGN];
	put(s, zeros, (size_t)(-s->at % SECTION_ALIGN));
}

/* The header with the place and checksum of every section. */
static void
lay_out(const Plan *p, PlanFile *f)
{
	uint64_t at = sizeof *f;
	*f = (PlanFile){.head = p->head, .sections = SECTION_COUNT};
	memcpy(f->head.magic, plan_magic, sizeof plan_magic);
	f->head.version = PLAN_VERSION;
	f->head.ops_hash = ops_hash();
#define X(type, name) { \
		uint64_t bytes = (uint64_t)p->n_##name * sizeof(type); \
		at += -at % SECTION_ALIGN; \
		f->section[SECTION_##name] = (PlanSection){at, bytes, \
			XXH3_64bits(p->name, (size_t)bytes)}; \
		at += bytes; \
	}
	PLAN_SECTIONS(X)
#undef X
	at += -at % SECTION_ALIGN;
	f->file_bytes = at + sizeof(uint64_t);
}

uint64_t
plan_hash(const Plan *p)
{
	PlanFile f;
	lay_out(p, &f);
	return XXH3_64bits(&f, sizeof f);
}

static void
put_plan(const Plan *p, Sink *s)
{
	PlanFile f;
	lay_out(p, &f);
	put(s, &f, sizeof f);
#define X(type, name) \
	put_padding(s); \
	put(s, p->name, (size_t)p->n_##name * sizeof(type));
	PLAN_SECTIONS(X)
#undef X
	put_padding(s);
	uint64_t hash = XXH3_64bits_digest(s->hash);
	put(s, &hash, sizeof hash);
}

bool
plan_save(const Plan *p, const char *path, PlanError *e)
{
	OutFile out;
	XXH3_state_t *hash = XXH3_createState();
	if (!hash)
		fatal(EXIT_MEMORY, "out of memory");
	XXH3_64bits_reset(hash);
	bool ok = out_open(&out, path, e->text);
	if (ok) {
		put_plan(p, &(Sink){.f = out.f, .hash = hash});
		ok = out_commit(&out, e->text);
	}
	XXH3_freeState(hash);
	return ok;
}
