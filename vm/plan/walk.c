/* walk.c - see walk.h. */
#include "vm/plan/walk.h"

static uint32_t
innermost(const PlanWalk *w)
{
	return w->loop[w->depth - 1];
}

void
walk_on(const Plan *p, PlanWalk *w)
{
	const PlanInsn *insn = &p->code[w->pc];
	if (insn->op == CTL_loop) {
		w->loop[w->depth++] = w->pc;
		w->r[insn->a] = 0;
	} else if (insn->op == CTL_next) {
		if (!walk_leaves(p, w)) {
			w->r[insn->a]++;
			w->pc = innermost(w) + 1;
			return;
		}
		w->r[insn->a] = 0;
		w->depth--;
	}
	w->pc++;
}

bool
walk_over(const Plan *p, const PlanWalk *w)
{
	return w->pc >= p->n_code || p->code[w->pc].op == CTL_halt;
}

bool
walk_leaves(const Plan *p, const PlanWalk *w)
{
	const PlanInsn *loop = &p->code[innermost(w)];
	return w->r[loop->a] + 1 >= (int64_t)loop->b;
}

void
walk_last(const Plan *p, PlanWalk *w)
{
	const PlanInsn *loop = &p->code[innermost(w)];
	w->r[loop->a] = (int64_t)loop->b - 1;
}

void
walk_past(const Plan *p, PlanWalk *w)
{
	if (p->code[w->pc].op == CTL_loop)
		w->loop[w->depth++] = w->pc;
	else if (p->code[w->pc].op == CTL_next)
		w->depth--;
	w->pc++;
}

int64_t
walk_count(const Plan *p, const PlanWalk *w, int reg)
{
	for (int i = 0; i < w->depth; i++)
		if (p->code[w->loop[i]].a == (uint32_t)reg)
			return p->code[w->loop[i]].b;
	return 0;
}

int64_t
walk_runs(const Plan *p, const PlanWalk *w)
{
	int64_t runs = 1;
	for (int i = 0; i < w->depth; i++)
		if (!mul_ok(runs, p->code[w->loop[i]].b, &runs))
			return INT64_MAX;
	return runs;
}

int
walk_indent(const Plan *p, const PlanWalk *w)
{
	return w->depth - (p->code[w->pc].op == CTL_next);
}

int64_t *
plan_runs(Arena *a, const Plan *p)
{
	int64_t *runs = arena_array(a, p->n_code + 1u, sizeof *runs);
	for (PlanWalk w = {0}; w.pc < p->n_code; walk_past(p, &w))
		runs[w.pc] = walk_runs(p, &w);
	return runs;
}

uint32_t *
plan_loop_ends(Arena *a, const Plan *p)
{
	uint32_t *end = arena_array(a, p->n_code + 1u, sizeof *end);
	for (PlanWalk w = {0}; w.pc < p->n_code; walk_past(p, &w))
		if (p->code[w.pc].op == CTL_next)
			end[innermost(&w)] = w.pc;
	return end;
}
