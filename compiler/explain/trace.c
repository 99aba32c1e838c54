/* trace.c - a traced run as events for trace viewers: `sluice run --trace`. */
#include "compiler/explain/trace.h"

/* Highest byte of a buffer in use at each instruction. */
static int64_t *
heights(const Plan *p, Arena *a)
{
	int64_t *top = arena_array(a, p->n_code, sizeof *top);
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		const PlanBuffer *b = &p->buffers[i];
		uint32_t last = b->last < p->n_code ? b->last : p->n_code - 1;
		for (uint32_t at = b->first; at <= last && p->n_code; at++)
			top[at] = max64(top[at], b->offset + b->bytes);
	}
	return top;
}

static const char *
phase_of(const Plan *p, uint32_t insn)
{
	for (uint32_t i = 0; i < p->n_phases; i++)
		if (p->phases[i].first <= insn && insn <= p->phases[i].last)
			return p->strings + p->phases[i].name;
	return "run";
}

static void
trace_event(FILE *f, const Plan *p, const VmEvent *e)
{
	const PlanInsn *insn = &p->code[e->insn];
	const char *scope = insn->debug < p->n_debugs
		? p->strings + p->debugs[insn->debug].scope : "";
	fputs(",\n{\"ph\": \"X\", \"pid\": 1, \"tid\": 1, \"name\": ", f);
	print_json_string(f, plan_op_name(insn->op));
	fputs(", \"cat\": ", f);
	print_json_string(f, phase_of(p, e->insn));
	fprintf(f, ", \"ts\": %.3f, \"dur\": %.3f, \"args\": {\"instruction\": %u, "
		"\"scope\": ", e->start * 1e6, (double)e->seconds * 1e6, e->insn);
	print_json_string(f, scope);
	fputs("}}", f);
}

bool
trace_write(const char *path, const Plan *p, const VmTimes *t, char *err)
{
	OutFile o;
	Arena a = {0};
	int64_t before = -1;
	if (!out_open(&o, path, err))
		return false;
	int64_t *top = heights(p, &a);
	fputs("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n"
		"{\"ph\": \"M\", \"pid\": 1, \"name\": \"process_name\", "
		"\"args\": {\"name\": \"sluice\"}},\n"
		"{\"ph\": \"M\", \"pid\": 1, \"tid\": 1, \"name\": \"thread_name\", "
		"\"args\": {\"name\": \"cpu\"}}", o.f);
	for (int64_t i = 0; i < t->n_events; i++) {
		const VmEvent *e = &t->events[i];
		if (top[e->insn] != before) {
			before = top[e->insn];
			fprintf(o.f, ",\n{\"ph\": \"C\", \"pid\": 1, \"name\": "
				"\"arena\", \"ts\": %.3f, \"args\": "
				"{\"bytes\": %lld}}", e->start * 1e6,
				(long long)before);
		}
		trace_event(o.f, p, e);
	}
	fputs("\n]}\n", o.f);
	arena_free(&a);
	return out_commit(&o, err);
}
