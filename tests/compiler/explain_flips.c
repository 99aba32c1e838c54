/* explain_flips.c - what explains a plan must not break on any plan that the
 * gates let pass: a good plan with the fields that only pictures and reports
 * read (graph, phases, groups, lives, names) set at random.
 */
#include "tests/lib/plan_sample.h"
#include "tests/lib/test.h"
#include "compiler/explain/diff.h"
#include "compiler/explain/dot.h"
#include "compiler/explain/report.h"
#include "vm/plan/format.h"
#include "vm/gates/gates.h"

#include <stdlib.h>

enum { ROUNDS = 1500, NODES = 12, EDGES = 24 };

static uint64_t state = 1;

static uint32_t
below(uint32_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % n;
}

/* The start of a name, or the middle of one. */
static uint32_t
any_name(const Plan *p)
{
	return below(p->n_strings);
}

static void
random_graph(Plan *p)
{
	p->n_nodes = 1 + below(NODES);
	p->n_edges = below(EDGES);
	for (uint32_t i = 0; i < p->n_edges; i++)
		p->edges[i] = below(p->n_nodes);
	for (uint32_t i = 0; i < p->n_nodes; i++) {
		uint32_t first = below(p->n_edges + 1);
		p->nodes[i] = (PlanNode){.name = any_name(p),
			.type = any_name(p), .scope = any_name(p),
			.component = below(2) ? any_name(p) : 0,
			.first_edge = first,
			.nedges = below(p->n_edges - first + 1),
			.insn = below(3) ? below(p->n_code) : PLAN_NONE};
	}
}

static void
random_story(Plan *p)
{
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		PlanBuffer *b = &p->buffers[i];
		b->name = any_name(p);
		b->first = below(p->n_code + 1);
		b->last = b->first + below(p->n_code + 1 - b->first);
	}
	uint32_t cut = below(p->n_code - 1);
	p->n_phases = 2;
	p->phases[0] = (PlanPhase){.name = any_name(p), .last = cut,
		.peak_insn = below(cut + 1),
		.peak_bytes = below((uint32_t)p->head.arena_bytes)};
	p->phases[1] = (PlanPhase){.name = any_name(p), .first = cut + 1,
		.last = p->n_code - 1, .peak_insn = cut + 1};
	for (uint32_t i = 0; i < p->n_debugs; i++) {
		p->debugs[i].scope = any_name(p);
		p->debugs[i].phase = below(2);
		p->debugs[i].group = below(2) ? 0 : PLAN_NONE;
	}
	p->groups[0].name = any_name(p);
	/* the same loop twice: no two groups need differ */
	p->n_groups = 1 + below(2);
	p->groups[1] = p->groups[0];
}

static size_t
everything(const Plan *p, const Plan *other)
{
	char *text;
	size_t size;
	Arena a = {0};
	FILE *f = open_memstream(&text, &size);
	dot_graph(p, f);
	dot_memory(p, f);
	dot_groups(p, f);
	report_write(p, NULL, f);
	PlanDiff d = plan_diff(&a, p, other);
	d.path_a = d.path_b = "";
	diff_print(&d, f);
	diff_print_json(&d, f);
	fclose(f);
	free(text);
	arena_free(&a);
	return size;
}

int
main(void)
{
	Sample s = {0}, good = {0};
	PlanError e;
	int passed = 0, whole = 0;
	Plan *p = sample_make(&s), *other = sample_make(&good);
	test("plans that only pictures read otherwise");
	for (int i = 0; i < ROUNDS; i++) {
		random_graph(p);
		random_story(p);
		build_marks(&s.b);
		bool ok = plan_format(p, &e) && plan_verify(p, &e, NULL)
			&& plan_check(p, &e, NULL);
		CHECK(ok, "round %d: %s", i, e.text);
		if (!ok)
			break;
		passed++;
		whole += everything(p, other) > 1000;
	}
	CHECK(passed == ROUNDS && whole == ROUNDS, "%d passed, %d whole",
		passed, whole);
	sample_free(&s);
	sample_free(&good);
	return test_end();
}
