/* docs_plan.c - docs/plan.md says where every field of a plan file lies: its
 * tables are compared with plan.h, and its other tables with the .def files.
 */
#include "vm/plan/plan.h"

#include "tests/lib/test.h"

#include <stdlib.h>

typedef struct Field {
	const char *record, *name;
	size_t at, bytes;
} Field;

#define F(type, field) {#type, #field, offsetof(type, field), \
	sizeof ((type *)0)->field},
static const Field fields[] = {
	F(PlanHeader, magic) F(PlanHeader, version) F(PlanHeader, dtype)
	F(PlanHeader, ops_hash) F(PlanHeader, name) F(PlanHeader, target)
	F(PlanHeader, abi) F(PlanHeader, threads) F(PlanHeader, steps)
	F(PlanHeader, denoise) F(PlanHeader, arena_bytes)
	F(PlanHeader, pinned_bytes)
	F(PlanHeader, host_bytes) F(PlanHeader, load_bound)
	F(PlanHeader, floor_bound) F(PlanHeader, weights_bytes)
	F(PlanHeader, weights_peak) F(PlanHeader, unsliced_bytes)
	F(PlanHeader, unsliced_seconds) F(PlanHeader, predicted_seconds)
	F(PlanHeader, flops)
	F(PlanHeader, order_proven) F(PlanHeader, placement_proven)
	F(PlanHeader, profile) F(PlanHeader, axis_name) F(PlanHeader, pad_)
	F(PlanBuffer, offset) F(PlanBuffer, bytes) F(PlanBuffer, name)
	F(PlanBuffer, role) F(PlanBuffer, dtype) F(PlanBuffer, crosses)
	F(PlanBuffer, pad_)
	F(PlanBuffer, first) F(PlanBuffer, last)
	F(PlanView, buffer) F(PlanView, first_dim) F(PlanView, ndim)
	F(PlanView, by_step) F(PlanView, pad_) F(PlanView, base)
	F(PlanDim, axis) F(PlanDim, pad_) F(PlanDim, extent) F(PlanDim, stride)
	F(PlanDim, lo) F(PlanDim, hi) F(PlanDim, origin)
	F(PlanOperand, view)
	F(PlanInsn, op) F(PlanInsn, noperands) F(PlanInsn, attr)
	F(PlanInsn, first_operand) F(PlanInsn, a) F(PlanInsn, b)
	F(PlanInsn, debug) F(PlanInsn, seconds) F(PlanInsn, provider)
	F(PlanInsn, pad_)
#define ATTR(name_, kind_, doc_) F(Attr, name_)
#define PAD(bytes_) F(Attr, pad_)
#include "ir/attrs.def"
	F(PlanWeight, component) F(PlanWeight, name) F(PlanWeight, buffer)
	F(PlanWeight, rank) F(PlanWeight, layout)
	F(PlanWeight, otherwise) F(PlanWeight, pad_)
	F(PlanWeight, dim) F(PlanWeight, rows) F(PlanWeight, cols)
	F(PlanWeight, taps)
	F(PlanPort, name) F(PlanPort, buffer) F(PlanPort, dtype)
	F(PlanPort, per_step) F(PlanPort, axes) F(PlanPort, pad2_) F(PlanPort, n)
	F(PlanTable, name) F(PlanTable, buffer) F(PlanTable, data)
	F(PlanTable, bytes)
	F(PlanDebug, file) F(PlanDebug, line) F(PlanDebug, scope)
	F(PlanDebug, component) F(PlanDebug, phase) F(PlanDebug, group)
	F(PlanPhase, name) F(PlanPhase, first) F(PlanPhase, last)
	F(PlanPhase, peak_insn) F(PlanPhase, peak_bytes)
	F(PlanPhase, predicted_seconds)
	F(PlanGroup, name) F(PlanGroup, first) F(PlanGroup, last)
	F(PlanGroup, axis) F(PlanGroup, reg) F(PlanGroup, pad_)
	F(PlanGroup, slice) F(PlanGroup, count) F(PlanGroup, peak_bytes)
	F(PlanGroup, predicted_seconds)
	F(PlanNode, name) F(PlanNode, type) F(PlanNode, scope)
	F(PlanNode, component) F(PlanNode, first_edge) F(PlanNode, nedges)
	F(PlanNode, insn) F(PlanNode, stage)
};
#undef F

static const struct { const char *name; size_t bytes; } records[] = {
#define R(type) {#type, sizeof(type)},
	R(PlanHeader) R(PlanBuffer) R(PlanView) R(PlanDim) R(PlanOperand)
	R(PlanInsn) R(Attr) R(PlanWeight) R(PlanPort) R(PlanTable) R(PlanDebug)
	R(PlanPhase) R(PlanGroup) R(PlanNode)
#undef R
};

/* Bytes of "u32[16]". */
static size_t
type_size(const char *type)
{
	char *more;
	size_t bits = strtoul(type + 1, &more, 10);
	return bits / 8 * (*more == '[' ? strtoul(more + 1, NULL, 10) : 1);
}

static const Field *
find_field(const char *record, const char *name)
{
	for (size_t i = 0; i < COUNT_OF(fields); i++)
		if (!strcmp(fields[i].record, record)
			&& !strcmp(fields[i].name, name))
			return &fields[i];
	return NULL;
}

/* The rows below "### RECORD: N bytes" follow each other without a gap, up to
 * the end of the record. */
static void
check_record(const char *text, const char *record, size_t bytes)
{
	char head[64], type[16], name[32];
	size_t at, end = 0;
	snprintf(head, sizeof head, "\n### %s: %zu bytes\n", record, bytes);
	const char *s = strstr(text, head);
	CHECK(s, "no section '%s'", head + 1);
	s = s ? strstr(s, "\n|---") : NULL;
	for (s = s ? strchr(s + 1, '\n') : NULL; s && s[1] == '|';
		s = strchr(s + 1, '\n')) {
		if (sscanf(s, "\n| %zu | %15s | %31s |", &at, type, name) != 3) {
			CHECK(false, "%s: cannot read '%.30s'", record, s + 1);
			return;
		}
		const Field *f = find_field(record, name);
		CHECK(f && f->at == at && f->bytes == type_size(type),
			"%s.%s at %zu, %s", record, name, at, type);
		CHECK(at == end, "%s.%s: a gap in front", record, name);
		end = at + type_size(type);
	}
	CHECK(end == bytes, "%s: described up to %zu of %zu", record, end, bytes);
}

static void
check_line(const char *text, const char *line)
{
	CHECK(strstr(text, line), "not in docs/plan.md: %s", line);
}

int
main(void)
{
	Arena a = {0};
	size_t size;
	char line[256];
	char *text = arena_read_file(&a, "docs/plan.md", 1 << 20, &size);
	test("docs/plan.md: records");
	CHECK(text, "cannot read it");
	for (size_t i = 0; text && i < COUNT_OF(records); i++)
		check_record(text, records[i].name, records[i].bytes);
	snprintf(line, sizeof line, "| version | %d |", PLAN_VERSION);
	check_line(text, line);
	test("docs/plan.md: sections in their order");
	const char *s = text ? strstr(text, "\n| section |") : NULL;
#define X(type, name) \
	s = s ? strstr(s, "`" #name "`") : NULL; \
	CHECK(s, "%s", #name);
	PLAN_SECTIONS(X)
#undef X
#define X(type, name) + 1
	snprintf(line, sizeof line, "number of sections, %d;",
		0 PLAN_SECTIONS(X));
#undef X
	check_line(text, line);
	test("docs/plan.md: control instructions");
#define CONTROL(name, doc) \
	snprintf(line, sizeof line, "| %d | `%s` |", CTL_##name, #name); \
	check_line(text, line);
#include "vm/plan/control.def"
	test("docs/plan.md: checks");
#define CHECK_ROW(number, id, name, doc) \
	check_line(text, "| C" #number " | " name " | " doc " |");
#pragma push_macro("CHECK")
#undef CHECK
#define CHECK CHECK_ROW
#include "vm/gates/check.def"
#pragma pop_macro("CHECK")
	arena_free(&a);
	return test_end();
}
