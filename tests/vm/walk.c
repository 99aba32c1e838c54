/* walk.c - the walk over a plan's code: what it says of loops, registers and
 * how often an instruction runs is what happens when it goes on step by step.
 */
#include "vm/plan/walk.h"

#include "tests/lib/plan_build.h"
#include "tests/lib/test.h"
#include "tests/lib/values.h"

enum { PROGRAMS = 200 };

/* Loads as filler: their operands say nothing to the walk. */
static void
random_code(Build *b, int *budget, int depth)
{
	while (*budget > 0) {
		--*budget;
		if (rng_chance(33) && depth < PLAN_NESTING) {
			build_control(b, CTL_loop, (uint32_t)depth, (uint32_t)rng_int(1, 4));
			random_code(b, budget, depth + 1);
			build_control(b, CTL_next, (uint32_t)depth, 0);
		} else if (rng_chance(25) && depth) {
			return;
		} else {
			build_control(b, CTL_load, 0, 0);
		}
	}
}

/* One step of the walk from `last` to `w`: in order, or from a `next` back to
 * what stands behind its loop. */
static void
check_step(const Plan *p, const PlanWalk *last, const PlanWalk *w,
	const uint32_t *end)
{
	if (w->pc == last->pc + 1)
		return;
	uint32_t begin = last->loop[last->depth - 1];
	CHECK(p->code[last->pc].op == CTL_next && w->pc == begin + 1
		&& end[begin] == last->pc, "from %u to %u", last->pc, w->pc);
	CHECK(w->r[p->code[begin].a] == last->r[p->code[begin].a] + 1);
}

static void
check_program(Build *b)
{
	Arena a = {0};
	const Plan *p = build_end(b);
	const int64_t *runs = plan_runs(&a, p);
	const uint32_t *end = plan_loop_ends(&a, p);
	int64_t *seen = arena_array(&a, p->n_code, sizeof *seen);
	int64_t *left = arena_array(&a, p->n_code, sizeof *left);
	PlanWalk last = {0};
	for (PlanWalk w = {0}; !walk_over(p, &w); last = w, walk_on(p, &w)) {
		if (seen[w.pc]++ || w.pc)
			check_step(p, &last, &w, end);
		if (p->code[w.pc].op == CTL_next)
			left[w.pc] += walk_leaves(p, &w);
		for (int i = 0; i < PLAN_REGS; i++)
			CHECK(w.r[i] < max64(1, walk_count(p, &w, i)));
	}
	uint32_t listed = 0;
	for (PlanWalk w = {0}; w.pc < p->n_code; walk_past(p, &w), listed++) {
		bool next = p->code[w.pc].op == CTL_next;
		int64_t count = next ? p->code[w.loop[w.depth - 1]].b : 1;
		CHECK(w.pc == listed && walk_indent(p, &w) == w.depth - next);
		CHECK(seen[w.pc] == (p->code[w.pc].op == CTL_halt ? 0
			: runs[w.pc]), "insn %u: %lld times, not %lld", w.pc,
			(long long)seen[w.pc], (long long)runs[w.pc]);
		CHECK(!next || left[w.pc] * count == runs[w.pc]);
	}
	arena_free(&a);
}

static void
test_random(void)
{
	test("as often as walk_runs says, for random nests of loops");
	for (int i = 0; i < PROGRAMS; i++) {
		Build b;
		int budget = 40;
		build_begin(&b);
		random_code(&b, &budget, 0);
		check_program(&b);
		build_free(&b);
	}
}

static void
test_last(void)
{
	test("a loop that is told so ends with this iteration");
	Build b;
	build_begin(&b);
	build_control(&b, CTL_loop, 0, 1000);
	uint32_t load = build_control(&b, CTL_load, 0, 0);
	build_control(&b, CTL_next, 0, 0);
	const Plan *p = build_end(&b);
	int64_t seen = 0, most = 0;
	for (PlanWalk w = {0}; !walk_over(p, &w); walk_on(p, &w)) {
		if (w.pc != load)
			continue;
		most = max64(most, w.r[0]);
		if (++seen == 2)
			walk_last(p, &w);
	}
	CHECK(seen == 2 && most == 1, "%lld times", (long long)seen);
	build_free(&b);
}

static void
test_large(void)
{
	test("counts stop at the largest number");
	Build b;
	build_begin(&b);
	for (uint32_t i = 0; i < PLAN_NESTING; i++)
		build_control(&b, CTL_loop, i, UINT32_MAX);
	uint32_t load = build_control(&b, CTL_load, 0, 0);
	for (uint32_t i = PLAN_NESTING; i-- > 0;)
		build_control(&b, CTL_next, i, 0);
	CHECK(plan_runs(&b.a, build_end(&b))[load] == INT64_MAX);
	build_free(&b);
}

int
main(void)
{
	test_random();
	test_last();
	test_large();
	return test_end();
}
