/* fuzz_plan.c - libFuzzer target: a plan file, through the three gates and into
 * the machine.
 *
 * The input is a plan file whose header is made right first: magic, version,
 * hash of the ops, places and checksums of the sections; so mutations reach what
 * the sections hold.  The mutator knows records: it copies fields between them,
 * adds a little, doubles and removes some.
 *
 * What gate 1 accepts is printed (`dis` prints it), what all accept is drawn and,
 * when it is small, run: between unreadable pages, under the sanitizers.
 */
#include "compiler/compiler.h"
#include "compiler/explain/dot.h"
#include "compiler/explain/summary.h"
#include "vm/plan/format.h"
#include "vm/gates/gates.h"
#include "vm/vm.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
	ARENA_LIMIT = 1 << 18,  /* bytes, of plans that are run */
	INSTRUCTIONS_LIMIT = 2000,
};
#define SECONDS_LIMIT 2.0

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most,
	unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

static const uint32_t record_bytes[] = {
#define X(type, name) (uint32_t)sizeof(type),
	PLAN_SECTIONS(X)
#undef X
};

/* ---- a file that is right but for what the sections hold ---- */

/* Lays the sections of `data` out again, with the lengths that its header has
 * as far as there are bytes for them; a malloc'd file, NULL: too short. */
static uint8_t *
seal(const uint8_t *data, size_t size, size_t *sealed)
{
	PlanFile f;
	if (size < sizeof f)
		return NULL;
	memcpy(&f, data, sizeof f);
	uint8_t *out = calloc(1, size + SECTION_ALIGN * (SECTION_COUNT + 2));
	if (!out)
		abort();
	memcpy(f.head.magic, plan_magic, sizeof plan_magic);
	f.head.version = PLAN_VERSION;
	f.head.ops_hash = ops_hash();
	f.sections = SECTION_COUNT;
	f.pad_ = 0;
	size_t at = sizeof f;
	for (int i = 0; i < SECTION_COUNT; i++) {
		PlanSection *s = &f.section[i];
		uint64_t from = s->offset < size ? s->offset : size;
		uint64_t n = s->bytes < size - from ? s->bytes : size - from;
		at += -at % SECTION_ALIGN;
		n -= n % record_bytes[i];
		if (n > size - (at < size ? at : size) + SECTION_ALIGN)
			n = 0;
		memcpy(out + at, data + from, n);
		*s = (PlanSection){at, n, XXH3_64bits(out + at, n)};
		at += n;
	}
	at += -at % SECTION_ALIGN;
	f.file_bytes = at + 8;
	memcpy(out, &f, sizeof f);
	uint64_t hash = XXH3_64bits(out, at);
	memcpy(out + at, &hash, 8);
	*sealed = at + 8;
	return out;
}

/* ---- what is done with it ---- */

static bool
in_time(void *user, const VmProgress *p)
{
	(void)user;
	return p->seconds < SECONDS_LIMIT;
}

static void
run(Arena *a, const Plan *p, const CheckStats *stats)
{
	VmOptions o = {.threads = 1, .check_finite_step = true, .poison = true,
		.progress = in_time};
	if (p->head.arena_bytes > ARENA_LIMIT
		|| stats->instructions > INSTRUCTIONS_LIMIT)
		return;
	WeightSource *w = weights_generated(a, p, 1);
	Vm *vm = vm_open(p, &o);
	int code = vm_bind(vm, w);
	for (uint32_t i = 0; code == EXIT_OK && i < p->n_inputs; i++)
		if (!vm_input(vm, p->strings + p->inputs[i].name))
			abort();
	if (code == EXIT_OK)
		code = vm_run(vm);
	if (code == EXIT_OK && vm_times(vm)->measured_peak_bytes
		> p->head.arena_bytes)
		abort();
	if (code != EXIT_OK && !*vm_error(vm))
		abort();
	vm_close(vm);
	weights_close(w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	Arena a = {0};
	PlanError e = {""};
	CheckStats stats = {0};
	size_t sealed;
	uint8_t *file = seal(data, size, &sealed);
	if (!nowhere && !(nowhere = fopen("/dev/null", "w")))
		abort();
	Plan *p = file ? plan_parse(&a, file, sealed, &e) : NULL;
	if (p) {
		plan_print(p, nowhere);
		plan_print_json(p, nowhere);
	}
	if (p && plan_verify(p, &e, NULL) && plan_check(p, &e, &stats)) {
		summary_print_json(p, nowhere);
		dot_memory(p, nowhere);
		dot_groups(p, nowhere);
		dot_graph(p, nowhere);
		run(&a, p, &stats);
	} else if (file && !*e.text) {
		abort();
	}
	free(file);
	arena_free(&a);
	return 0;
}

/* ---- the mutator ---- */

static uint64_t
next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* One field of the records at `s`: from another record, a little more or less,
 * or a number of its own. */
static void
change_field(uint8_t *s, size_t bytes, uint32_t record, uint64_t *random)
{
	static const int64_t odd[] = {0, 1, -1, 2, 3, 63, 64, 255, 1 << 16,
		INT32_MAX, UINT32_MAX, INT64_MAX, INT64_MIN};
	size_t width = record % 8 ? record % 4 ? 1 : 4
		: next(random) % 2 ? 8 : 4;
	size_t field = next(random) % (record / width) * width;
	uint8_t *at = s + next(random) % (bytes / record) * record + field;
	int64_t value = 0;
	memcpy(&value, at, width);
	switch (next(random) % 4) {
	case 0:
		memcpy(&value, s + next(random) % (bytes / record) * record
			+ field, width);
		break;
	case 1:
		value = (int64_t)((uint64_t)value + next(random) % 9 - 4);
		break;
	case 2:
		value ^= (int64_t)((uint64_t)1 << next(random) % (8 * width));
		break;
	default:
		value = odd[next(random) % COUNT_OF(odd)];
	}
	memcpy(at, &value, width);
}

/* Doubles or removes a record; returns the file's new length. */
static size_t
change_count(uint8_t *data, size_t size, size_t most, PlanFile *f, int section,
	uint64_t *random)
{
	PlanSection *s = &f->section[section];
	uint32_t record = record_bytes[section];
	uint8_t *at = data + s->offset + next(random) % (s->bytes / record)
		* record;
	size_t behind = size - (size_t)(at - data);
	bool more = next(random) % 2 && size + record <= most;
	if (more)
		memmove(at + record, at, behind);
	else
		memmove(at, at + record, behind - record);
	s->bytes += more ? record : -(uint64_t)record;
	for (int i = section + 1; i < SECTION_COUNT; i++)
		f->section[i].offset += more ? record : -(uint64_t)record;
	return more ? size + record : size - record;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
	uint64_t random = seed;
	size_t n;
	uint8_t *file = seal(data, size, &n);
	if (!file || n > most || next(&random) % 16 == 0) {
		free(file);
		return LLVMFuzzerMutate(data, size, most);
	}
	memcpy(data, file, n);
	free(file);
	PlanFile f;
	memcpy(&f, data, sizeof f);
	for (uint64_t i = 1 + next(&random) % 4; i; i--) {
		int k = (int)(next(&random) % (SECTION_COUNT + 1));
		if (k == SECTION_COUNT) {
			change_field(data, sizeof f.head, sizeof f.head, &random);
			memcpy(&f.head, data, sizeof f.head);
		} else if (f.section[k].bytes && next(&random) % 8) {
			change_field(data + f.section[k].offset,
				f.section[k].bytes, record_bytes[k], &random);
		} else if (f.section[k].bytes) {
			n = change_count(data, n, most, &f, k, &random);
			memcpy(data, &f, sizeof f);
		}
	}
	return n;
}
