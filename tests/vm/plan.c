/* plan.c - the plan file: what is saved is read back, what was touched is
 * refused, and gate 1 has a test for each of its rules.
 */
#include "tests/lib/plan_sample.h"
#include "tests/lib/test.h"
#include "ir/base/json.h"
#include "vm/plan/format.h"
#include "vm/gates/gates.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

static char folder[] = "/tmp/sluice-plan-XXXXXX", path[64];

/* ---- files ---- */

typedef struct Bytes {
	char *at;
	size_t n;
} Bytes;

static Bytes
saved(Arena *a, const Plan *p)
{
	PlanError e = {""};
	Bytes b = {0};
	CHECK(plan_save(p, path, &e), "%s", e.text);
	b.at = arena_read_file(a, path, 1 << 24, &b.n);
	CHECK(b.at, "%s", strerror(errno));
	return b;
}

/* Makes all checksums right again after bytes were changed. */
static void
seal(Bytes b)
{
	PlanFile f;
	memcpy(&f, b.at, sizeof f);
	for (int i = 0; i < SECTION_COUNT; i++) {
		PlanSection *s = &f.section[i];
		if (s->offset <= b.n && s->bytes <= b.n - s->offset)
			s->hash = XXH3_64bits(b.at + s->offset, s->bytes);
	}
	memcpy(b.at, &f, sizeof f);
	uint64_t hash = XXH3_64bits(b.at, b.n - 8);
	memcpy(b.at + b.n - 8, &hash, 8);
}

static bool
parses(Bytes b, PlanError *e)
{
	Arena a = {0};
	bool ok = plan_parse(&a, b.at, b.n, e) != NULL;
	arena_free(&a);
	return ok;
}

static void
test_round_trip(void)
{
	Sample s;
	Arena a = {0};
	PlanError e = {""};
	int code = -1;
	test("a saved plan is read back byte for byte");
	Bytes first = saved(&a, sample_make(&s));
	Plan *p = plan_load(&a, path, false, &e, &code);
	CHECK(p && code == EXIT_OK, "%s", e.text);
	if (p) {
		Bytes again = saved(&a, p);
		CHECK(first.n == again.n && !memcmp(first.at, again.at, first.n));
		CHECK(!memcmp(p->code, s.p->code,
			p->n_code * sizeof *p->code));
	}
	test("a plan need not be aligned in memory");
	char *moved = arena_alloc(&a, first.n + 1);
	memcpy(moved + 1, first.at, first.n);
	CHECK(parses((Bytes){moved + 1, first.n}, &e), "%s", e.text);
	sample_free(&s);
	arena_free(&a);
}

static void
test_damage(void)
{
	Sample s;
	Arena a = {0};
	PlanError e;
	Bytes b = saved(&a, sample_make(&s));
	size_t accepted = 0;
	test("every truncation is refused");
	for (size_t n = 0; n < b.n; n++)
		accepted += parses((Bytes){b.at, n}, &e);
	CHECK(!accepted, "%zu accepted", accepted);
	test("every appended byte is refused");
	char *longer = arena_alloc(&a, b.n + 64);
	memcpy(longer, b.at, b.n);
	for (size_t n = 1; n <= 64; n++)
		accepted += parses((Bytes){longer, b.n + n}, &e);
	CHECK(!accepted, "%zu accepted", accepted);
	test("every flipped bit is refused");
	for (size_t i = 0; i < 8 * b.n; i++) {
		b.at[i / 8] ^= (char)(1 << i % 8);
		accepted += parses(b, &e);
		b.at[i / 8] ^= (char)(1 << i % 8);
	}
	CHECK(!accepted, "%zu accepted", accepted);
	printf("# %zu bytes: all truncations and %zu flipped bits tried\n", b.n,
		8 * b.n);
	sample_free(&s);
	arena_free(&a);
}

/* With right checksums a changed bit may make another valid plan; nothing may
 * crash then. */
static void
test_sealed_flips(void)
{
	Sample s;
	Arena a = {0}, scratch = {0};
	PlanError e;
	size_t count[4] = {0};
	Bytes b = saved(&a, sample_make(&s));
	Bytes x = {arena_alloc(&a, b.n), b.n};
	test("flipped bits under right checksums do not crash");
	for (size_t i = 0; i < 8 * b.n; i++) {
		memcpy(x.at, b.at, b.n);
		x.at[i / 8] ^= (char)(1 << i % 8);
		seal(x);
		Plan *p = plan_parse(&scratch, x.at, x.n, &e);
		count[!p ? 0 : !plan_verify(p, &e, NULL) ? 1
			: !plan_check(p, &e, NULL) ? 2 : 3]++;
		arena_free(&scratch);
	}
	CHECK(count[0] && count[1] && count[2]);
	printf("# %zu sealed flips: refused by gate 1 %zu, 2 %zu, 3 %zu, "
		"accepted %zu\n", 8 * b.n, count[0], count[1], count[2],
		count[3]);
	sample_free(&s);
	arena_free(&a);
}

static void
test_file_messages(void)
{
	Sample s;
	Arena a = {0};
	PlanError e = {""};
	int code = 0;
	Bytes b = saved(&a, sample_make(&s));
	Bytes x = {arena_alloc(&a, b.n), b.n};
	PlanFile *f = (PlanFile *)(void *)x.at;
#define DAMAGE(name, change, message) do { \
		test(name); \
		memcpy(x.at, b.at, b.n); \
		change; \
		seal(x); \
		CHECK(!parses(x, &e) && strstr(e.text, message), "%s", e.text); \
	} while (0)
	DAMAGE("another format version is named", f->head.version = 7,
		"a plan of version 7, this sluice reads version 3");
	DAMAGE("another list of ops is named", f->head.ops_hash ^= 1,
		"another list of ops");
	DAMAGE("another kind of file is no plan", f->head.magic[0] = 'X',
		"no plan file");
	DAMAGE("the length must be that of the file", f->file_bytes++,
		"were written");
	DAMAGE("the number of sections is fixed", f->sections--,
		"section table");
	DAMAGE("sections have one place", f->section[3].offset += 64,
		"section dims is not where");
	DAMAGE("sections end inside the file", f->section[16].bytes = 1 << 20,
		"section blob is not where");
	DAMAGE("sections hold whole records", f->section[4].bytes -= 4,
		"records have 8");
	DAMAGE("padding is zero",
		x.at[f->section[0].offset + f->section[0].bytes] = 1,
		"padding before section buffers");
	DAMAGE("nothing stands behind the last section",
		f->section[16].bytes -= 64, "behind the last section");
	test("an older plan is named, however short");
	Bytes old = {arena_alloc(&a, 300), 300};
	memcpy(old.at, "SLUICE\0\0\2", 9);
	CHECK(!parses(old, &e) && strstr(e.text, "a plan of version 2, this "
		"sluice reads version 3: compile the model again"), "%s", e.text);
	test("a section's checksum is looked at");
	memcpy(x.at, b.at, b.n);
	seal(x);
	f->section[2].hash ^= 1;
	uint64_t hash = XXH3_64bits(x.at, x.n - 8);
	memcpy(x.at + x.n - 8, &hash, 8);
	CHECK(!parses(x, &e) && strstr(e.text, "section views is damaged"),
		"%s", e.text);
	test("a damaged file is exit 4");
	FILE *out = fopen(path, "wb");
	fwrite("SLUICE\0\0 and so on", 1, 18, out);
	fclose(out);
	CHECK(!plan_load(&a, path, true, &e, &code) && code == EXIT_PLAN);
	test("a missing file is exit 8");
	CHECK(!plan_load(&a, "/nonexistent/x.slb", true, &e, &code)
		&& code == EXIT_IO && strstr(e.text, "No such file"));
	sample_free(&s);
	arena_free(&a);
}

static void
test_saving(void)
{
	Sample s;
	PlanError e = {""};
	char temp[128];
	sample_make(&s);
	test("a full disk is noticed");
	CHECK(!plan_save(s.p, "/dev/full", &e)
		&& strstr(e.text, "No space left"), "%s", e.text);
	test("a folder that is not there is noticed");
	snprintf(temp, sizeof temp, "%s/none/x.slb", folder);
	CHECK(!plan_save(s.p, temp, &e) && strstr(e.text, "none/x.slb"), "%s",
		e.text);
	test("a device is written in place");
	CHECK(plan_save(s.p, "/dev/null", &e), "%s", e.text);
	sample_free(&s);
}

/* ---- gate 1, rule by rule ---- */


static void
refused(const Plan *p, const char *message)
{
	PlanError e = {"accepted"};
	CHECK(!plan_format(p, &e) && strstr(e.text, message),
		"'%s', not '%s'", e.text, message);
}

/* Breaks one thing of the sample; gate 1 must name it. */
#define BREAK(change, message) do { \
		Sample s; \
		Plan *p = sample_make(&s); \
		(void)p; \
		change; \
		refused(p, message); \
		sample_free(&s); \
	} while (0)

static void
test_strings_header(void)
{
	test("gate 1: strings");
	BREAK(p->strings[0] = 'a', "strings do not begin");
	BREAK(p->strings[p->n_strings - 1] = 'a', "end in a NUL");
	BREAK(p->n_strings = 0, "strings");
	test("gate 1: header");
	BREAK(p->head.dtype = DT_I32, "no element type");
	BREAK(p->head.dtype = 99, "no element type");
	BREAK(p->head.name = p->n_strings, "outside the strings");
	BREAK(p->head.profile = UINT32_MAX, "outside the strings");
	BREAK(p->head.target = UINT32_MAX, "outside the strings");
	BREAK(p->head.axis_name[3] = p->n_strings, "name of axis 3");
	BREAK(p->head.threads = 0, "0 threads");
	BREAK(p->head.threads = THREADS_MAX + 1, "threads");
	BREAK(p->head.steps = STEPS_MAX + 1, "steps");
	BREAK(p->head.host_bytes = -1, "number of bytes");
	BREAK(p->head.pinned_bytes = -1, "number of bytes");
	BREAK(p->head.unsliced_bytes = BYTES_MAX + 1, "number of bytes");
	BREAK(p->head.load_bound = p->head.arena_bytes + 1, "bounds");
	BREAK(p->head.floor_bound = p->head.load_bound + 1, "bounds");
	BREAK(p->head.flops = 1.0 / 0.0, "not finite");
	BREAK(p->head.predicted_seconds = -1, "not finite");
	BREAK(p->head.order_proven = 2, "neither 0 nor 1");
	BREAK(p->head.pad_ = 1, "neither 0 nor 1");
	BREAK(p->head.arena_bytes++, "the buffers end at");
	BREAK(p->head.weights_bytes++, "their shapes say");
}

static void
test_places(void)
{
	test("gate 1: buffers");
	BREAK(p->buffers[s.e].role = BUF_ROLE_COUNT, "role");
	BREAK(p->buffers[s.e].dtype = DT_COUNT, "role, type");
	BREAK(p->buffers[s.e].name = p->n_strings, "name");
	BREAK(p->buffers[s.e].pad_ = 1, "out of range");
	BREAK(p->buffers[s.e].crosses = 2, "out of range");
	BREAK(p->buffers[s.e].offset = -256, "out of range");
	BREAK(p->buffers[s.e].bytes = 0, "out of range");
	BREAK(p->buffers[s.e].bytes = INT64_MAX, "out of range");
	BREAK(p->buffers[s.e].offset++, "multiple of 256");
	BREAK(p->buffers[s.e].last = p->n_code + 1, "lives from");
	BREAK(p->buffers[s.e].first = 9; p->buffers[s.e].last = 8,
		"lives from 9 to 8");
	test("gate 1: dims");
	BREAK(p->dims[5].axis = AXIS_MAX, "no axis");
	BREAK(p->dims[5].pad_[6] = 1, "no axis");
	BREAK(p->dims[5].extent = 0, "extent 0");
	BREAK(p->dims[5].extent = EXTENT_MAX + 1, "extent");
	BREAK(p->dims[5].stride = -1, "stride -1");
	BREAK(p->dims[5].stride = BYTES_MAX + 1, "stride");
	BREAK(p->dims[5].lo.base = INT64_MIN, "absurd");
	BREAK(p->dims[5].hi.step[3] = AFFINE_STEP_MAX + 1, "absurd");
	BREAK(p->dims[5].origin.base = AFFINE_BASE_MAX + 1, "absurd");
	test("gate 1: views");
	BREAK(p->views[2].buffer = p->n_buffers, "no buffer");
	BREAK(p->views[2].pad_[0] = 1, "no buffer");
	BREAK(p->views[2].ndim = AXIS_MAX + 1, "outside the list");
	BREAK(p->views[2].first_dim = p->n_dims, "outside the list");
	BREAK(p->views[2].first_dim = UINT32_MAX, "outside the list");
	BREAK(p->views[2].base = BYTES_MAX + 1, "base");
	BREAK(build_dim(p, s.vz, AXIS_W)->axis = AXIS_H, "not in order");
	BREAK(build_dim(p, s.vz, AXIS_W)->axis = AXIS_B, "not in order");
	test("gate 1: operands");
	BREAK(p->operands[1].view[0] = p->n_views, "no view");
	BREAK(p->operands[1].view[1] = p->n_views, "no view");
	BREAK(p->operands[1].view[1] = p->operands[1].view[0];
		p->operands[1].view[0] = PLAN_NONE, "first part is missing");
}

static void
test_attributes(void)
{
	test("gate 1: attributes");
#define ATTR(change) BREAK(p->attrs[1].change, "attributes 1")
	ATTR(act = ACT_COUNT);
	ATTR(geglu = 2);
	ATTR(causal = 2);
	ATTR(sin_first = 2);
	ATTR(interleave = 2);
	ATTR(reversed = 2);
	ATTR(axis = AXIS_MAX);
	ATTR(pad_[0] = 1);
	ATTR(heads = -1);
	ATTR(groups = -1);
	ATTR(kernel[2] = -1);
	ATTR(stride[0] = -1);
	ATTR(before[1] = -1);
	ATTR(after[1] = -1);
	ATTR(rows = -1);
	ATTR(begin = INT64_MAX);
	ATTR(end = INT64_MIN);
	ATTR(eps = 0.0 / 0.0);
	ATTR(scale = 1.0 / 0.0);
	ATTR(scalar = -1.0 / 0.0);
	ATTR(lo = 0.0 / 0.0);
	ATTR(hi = 0.0 / 0.0);
#undef ATTR
}

static void
test_code(void)
{
	test("gate 1: instructions");
	BREAK(p->code[s.copy].debug = p->n_debugs, "no debug entry");
	BREAK(p->code[s.copy].op = OP_NONE, "no opcode 0");
	BREAK(p->code[s.copy].op = OP_join, "no opcode");
	BREAK(p->code[s.copy].op = OP_concat, "no opcode");
	BREAK(p->code[s.copy].op = OP_COUNT, "no opcode");
	BREAK(p->code[s.copy].op = CTL_END, "no opcode");
	BREAK(p->code[s.copy].attr = p->n_attrs, "no attributes");
	BREAK(p->code[s.copy].noperands = 60000, "outside the list");
	BREAK(p->code[s.copy].first_operand = UINT32_MAX, "outside the list");
	BREAK(p->code[s.copy].a = 1, "fields of a control");
	BREAK(p->code[s.copy].b = 1, "fields of a control");
	BREAK(p->code[s.copy].pad_ = 1, "padding");
	BREAK(p->code[0].provider = 1, "has operands or attributes");
	BREAK(p->code[0].noperands = 1, "has operands");
	BREAK(p->code[0].seconds = -1, "predicted time is -1 s");
	BREAK(p->code[s.copy].seconds = 1.0f / 0.0f, "predicted time is inf");
	BREAK(p->code[0].attr = 1, "has operands or attributes");
	BREAK(p->code[0].a = p->n_weights, "no weight");
	BREAK(p->code[1].b = 1, "no weight");
	test("gate 1: loops");
	BREAK(p->code[s.loop].a = PLAN_REGS, "register r4");
	BREAK(p->code[s.loop].b = 0, "runs 0 times");
	BREAK(p->code[s.loop].b = LOOP_MAX + 1, "times");
	BREAK(p->code[s.next].a = 2, "innermost loop");
	BREAK(p->code[s.next].b = 2, "innermost loop");
	BREAK(p->code[s.loop].op = CTL_next, "innermost loop");
	BREAK(p->code[s.next].op = CTL_loop; p->code[s.next].b = 1,
		"r1 does not exist or is in use");
	BREAK(p->code[s.next] = p->code[s.copy], "not the last instruction");
	BREAK(p->code[s.loop].b = p->code[s.steps].b = LOOP_MAX,
		"runs more than");
	test("gate 1: denoising steps");
	BREAK(p->head.denoise = s.loop, "denoising loop");
	BREAK(p->head.denoise = s.steps + 1, "denoising loop");
	BREAK(p->head.denoise = p->n_code, "denoising loop");
	BREAK(p->code[s.steps].b = 3, "r0 counts the 2 denoising steps");
	BREAK(p->head.steps = 4, "r0 counts the 4 denoising steps");
	BREAK(p->head.steps = 0, "view");
	BREAK(p->views[s.vtable].by_step = 0, "does not depend on the step");
	BREAK(p->views[s.vtable].by_step = 2, "depend on the step");
	BREAK(p->views[s.vz].by_step = 1, "does depend on the step");
	BREAK(p->buffers[s.z].crosses = 0, "does not cross");
	BREAK(p->buffers[s.w].crosses = 1, "does cross");
	BREAK(p->buffers[s.z].first = s.steps + 1, "does cross");
	BREAK(p->head.denoise = PLAN_NONE, "does cross");
	test("gate 1: the end");
	BREAK(p->n_code--, "does not end in a halt");
	BREAK(p->n_code = 0, "");
	BREAK(p->code[s.copy] = p->code[p->n_code - 1], "not the last");
	BREAK(p->code[p->n_code - 1].a = 1, "not the last");
}

/* Loops around loops: four fit. */
static void
test_nesting(void)
{
	test("gate 1: five loops in each other");
	Sample s;
	Plan *p = sample_make(&s);
	PlanInsn halt = p->code[p->n_code - 1];
	for (uint32_t i = 0; i < 5; i++)
		p->code[p->n_code - 1 + i] = (PlanInsn){.op = CTL_loop,
			.a = i % 4, .b = 1};
	p->n_code += 5;
	p->code[p->n_code - 1] = halt;
	refused(p, "r0 does not exist or is in use");
	sample_free(&s);
}

static void
test_outside_code(void)
{
	test("gate 1: weights");
	BREAK(p->weights[0].name = p->n_strings, "weight 0");
	BREAK(p->weights[0].component = p->n_strings, "weight 0");
	BREAK(p->weights[0].pad_ = 1, "weight 0");
	BREAK(p->weights[0].otherwise = OTHERWISE_COUNT, "weight 0");
	BREAK(p->weights[0].otherwise = OTHERWISE_SINUSOID, "table of rows");
	BREAK(p->weights[0].buffer = p->n_buffers, "none of a weight");
	BREAK(p->weights[0].buffer = s.e, "none of a weight");
	BREAK(p->weights[1].rank = 7, "shape");
	BREAK(p->weights[1].dim[0] = 0, "shape");
	BREAK(p->weights[1].dim[0] = INT64_MAX, "shape");
	BREAK(p->weights[1].dim[0]++, "shape does not fit");
	BREAK(p->buffers[s.w].dtype = DT_I32, "shape");
	BREAK(p->weights[0].rows[0]++, "packing");
	BREAK(p->weights[0].rows[1] = 1, "packing");
	BREAK(p->weights[0].cols[0] = 0, "packing");
	BREAK(p->weights[0].cols[1]++, "packing");
	BREAK(p->weights[0].taps++, "packing");
	BREAK(p->weights[1].layout = 1, "packing");
	BREAK(p->weights[2].buffer = p->weights[1].buffer, "two weights");
	test("gate 1: ports");
	BREAK(p->inputs[0].name = p->n_strings, "input 0");
	BREAK(p->inputs[0].dtype = DT_COUNT, "input 0");
	BREAK(p->inputs[0].per_step = 2, "before each step");
	BREAK(p->inputs[1].per_step = 1, "before each step");
	BREAK(p->outputs[0].per_step = 1, "before each step");
	BREAK(p->inputs[0].pad2_[3] = 1, "input 0");
	BREAK(p->inputs[0].buffer = s.z, "another role");
	BREAK(p->inputs[0].buffer = p->n_buffers, "another role");
	BREAK(p->outputs[0].buffer = s.x, "output 0");
	BREAK(p->inputs[0].dtype = DT_F16, "or type");
	BREAK(p->inputs[0].n[AXIS_H] = 0, "shape");
	BREAK(p->inputs[0].n[AXIS_H]++, "shape");
	BREAK(p->inputs[0].n[AXIS_F] = 1, "an axis that it lacks");
	BREAK(p->inputs[1] = p->inputs[0], "two weights, inputs");
	test("gate 1: tables");
	BREAK(p->tables[0].name = p->n_strings, "table 0");
	BREAK(p->tables[0].buffer = p->n_buffers, "table 0");
	BREAK(p->tables[0].buffer = s.x, "table 0");
	BREAK(p->buffers[s.table].dtype = DT_F16, "table 0");
	BREAK(p->tables[0].bytes += 4, "does not fit");
	BREAK(p->tables[0].bytes--, "does not fit");
	BREAK(p->tables[0].data = -4, "outside the blob");
	BREAK(p->tables[0].data = 4, "outside the blob");
	BREAK(p->n_blob--, "outside the blob");
}

static void
test_summary(void)
{
	test("gate 1: debug entries");
	BREAK(p->debugs[0].file = p->n_strings, "debug entry 0");
	BREAK(p->debugs[0].scope = p->n_strings, "debug entry 0");
	BREAK(p->debugs[0].component = p->n_strings, "debug entry 0");
	BREAK(p->debugs[0].phase = 1, "debug entry 0");
	BREAK(p->debugs[0].group = 1, "debug entry 0");
	test("gate 1: phases");
	BREAK(p->phases[0].name = p->n_strings, "phase 0");
	BREAK(p->phases[0].last = p->n_code, "phase 0");
	BREAK(p->phases[0].first = 5; p->phases[0].last = 4, "phase 0");
	BREAK(p->phases[0].peak_insn = p->n_code, "phase 0");
	BREAK(p->phases[0].peak_bytes = p->head.arena_bytes + 1, "peak");
	BREAK(p->phases[0].predicted_seconds = 0.0 / 0.0, "time");
	BREAK(p->phases[1] = p->phases[0]; p->n_phases++, "phase 1");
	test("gate 1: groups");
	BREAK(p->groups[0].name = p->n_strings, "group 0");
	BREAK(p->groups[0].axis = AXIS_MAX, "group 0");
	BREAK(p->groups[0].pad_[0] = 1, "group 0");
	BREAK(p->groups[0].first = p->n_code, "group 0");
	BREAK(p->groups[0].first++, "begin its loop");
	BREAK(p->groups[0].last++, "begin its loop");
	BREAK(p->groups[0].reg = 0, "begin its loop");
	BREAK(p->groups[0].count = 3, "begin its loop");
	BREAK(p->groups[0].slice = 0, "slice");
	BREAK(p->groups[0].peak_bytes = -1, "peak");
	BREAK(p->groups[0].predicted_seconds = -1, "time");
	test("gate 1: graph");
	BREAK(p->nodes[1].name = p->n_strings, "node 1");
	BREAK(p->nodes[1].type = p->n_strings, "node 1");
	BREAK(p->nodes[1].scope = p->n_strings, "node 1");
	BREAK(p->nodes[1].component = p->n_strings, "node 1");
	BREAK(p->nodes[1].stage = STAGES, "node 1");
	BREAK(p->nodes[1].first_edge = 2, "node 1");
	BREAK(p->nodes[1].nedges = UINT32_MAX, "node 1");
	BREAK(p->nodes[1].insn = p->n_code, "node 1");
	BREAK(p->edges[0] = p->n_nodes, "edge 0");
}

/* ---- the disassembly ---- */

static char *
printed(Arena *a, const Plan *p, void (*print)(const Plan *, FILE *))
{
	char *text = NULL, *copy;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	print(p, f);
	fclose(f);
	copy = arena_strndup(a, text, n);
	free(text);
	return copy;
}

static void
test_disassembly(void)
{
	static const char *const lines[] = {
		"plan test  format 3  target cpu  abi 1  type f32  threads 2  steps 2\n",
		"input x#0: f32[h=4, w=4, c=8]\n",
		"weight conv.weight#3: [8, 16, 3, 3] layout 1 rows 8+0 cols 8+8 "
			"taps 9\n",
		"\nphase run  0-20  peak ",
		"group 0  h:2x2  group  peak 0 B\n",
		"loop         r1, 2\n",
		"  conv         n#10[h=2r1-1..2r1+3 of 4, w=4, c=8] ++ "
			"x#0[h=2r1-1..2r1+3 of 4, w=4, c=8], "
			"conv.weight#3[c=1152], conv.bias#4[c=8], -, - using ",
		"-> t#11[h=2r1..2r1+2 of 4, w=4, c=8] over=h,w kernel=3,3 "
			"stride=1,1 before=1,1 after=1,1  ; scope\n",
		"  sample       z#13[h=4, w=4, c=8], u#12[h=4, w=4, c=8], "
			"update#2@step[step=r0 of 2, c=9], -, -, - -> z#13[h=4, w=4, c=8]",
		"  0008  embed        ids#1[token=3], token.weight#6[c=40] -> "
			"e#7[token=3, c=8] rows=5",
	};
	Sample s;
	Arena a = {0};
	sample_make(&s);
	test("the disassembly shows loops, views and attributes");
	const char *text = printed(&a, s.p, plan_print);
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		CHECK(strstr(text, lines[i]), "lacks '%s'\n%s", lines[i],
			i + 1 == COUNT_OF(lines) ? text : "");
	test("the disassembly as JSON is JSON");
	JsonError e;
	const char *json = printed(&a, s.p, plan_print_json);
	const Json *j = json_parse(&a, json, strlen(json), 16, &e);
	CHECK(j, "%s", e.text);
	if (j) {
		const Json *code = json_get(j, "code");
		CHECK(code && code->n == s.p->n_code);
		const Json *conv = &code->item[s.conv];
		CHECK(!strcmp(json_get(conv, "op")->text, "conv"));
		CHECK(json_get(conv, "operands")->item[0].n == 2);
		CHECK(json_get(conv, "workspace")->n == 1);
		CHECK(json_get(j, "buffers")->n == s.p->n_buffers);
	}
	test("hostile names are printed without control characters");
	char *name = s.p->strings + s.p->buffers[s.e].name;
	name[0] = '\033';
	text = printed(&a, s.p, plan_print);
	json = printed(&a, s.p, plan_print_json);
	CHECK(!strchr(text, '\033') && !strchr(json, '\033'));
	CHECK(json_parse(&a, json, strlen(json), 16, &e), "%s", e.text);
	name[0] = '\n';
	CHECK(!strstr(printed(&a, s.p, plan_print), "  \n"));
	test("every opcode has a name");
	for (int op = 1; op < OP_COUNT; op++)
		CHECK(op_find(plan_op_name((uint16_t)op)) == (Op)op);
	CHECK(!strcmp(plan_op_name(CTL_loop), "loop"));
	CHECK(!plan_op_name(OP_NONE) && !plan_op_name(OP_COUNT)
		&& !plan_op_name(CTL_BASE - 1) && !plan_op_name(CTL_END));
	sample_free(&s);
	arena_free(&a);
}

int
main(void)
{
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof path, "%s/p.slb", folder);
	test_round_trip();
	test_damage();
	test_sealed_flips();
	test_file_messages();
	test_saving();
	test_strings_header();
	test_places();
	test_attributes();
	test_code();
	test_nesting();
	test_outside_code();
	test_summary();
	test_disassembly();
	unlink(path);
	rmdir(folder);
	return test_end();
}
