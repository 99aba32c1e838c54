/* bench_compare.c - the seconds that a plan carries beside those of a run. */
#include "compiler/cli/bench.h"
#include "vm/plan/walk.h"

#include <stdlib.h>

static int
longest_first(const void *a, const void *b)
{
	const BenchUnit *x = a, *y = b;
	if (x->measured != y->measured)
		return x->measured < y->measured ? 1 : -1;
	return x->insn < y->insn ? -1 : x->insn > y->insn;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

/* The value below which `share` of the n sorted ones lie. */
static double
quantile(const double *sorted, size_t n, double share)
{
	if (!n)
		return 0;
	double at = share * (double)(n - 1);
	size_t i = (size_t)at;
	double next = i + 1 < n ? sorted[i + 1] : sorted[i];
	return sorted[i] + (at - (double)i) * (next - sorted[i]);
}

static void
find_quantiles(Arena *a, BenchCompare *c)
{
	double *ratio = arena_array(a, c->n + 1, sizeof *ratio);
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		if (c->unit[i].predicted > 0)
			ratio[n++] = c->unit[i].measured / c->unit[i].predicted;
	qsort(ratio, n, sizeof *ratio, by_value);
	c->quarter = quantile(ratio, n, 0.25);
	c->median = quantile(ratio, n, 0.5);
	c->three_quarters = quantile(ratio, n, 0.75);
}

BenchCompare
bench_compare(Arena *a, const Plan *p, const VmTimes *t)
{
	BenchCompare c = {.unit = arena_array(a, p->n_code + 1,
		sizeof *c.unit)};
	int64_t *runs = plan_runs(a, p);
	/* by group: its unit + 1, 0: none yet */
	size_t *of = arena_array(a, p->n_groups + 1, sizeof *of);
	for (uint32_t i = 0; i < p->n_code; i++) {
		const PlanInsn *in = &p->code[i];
		if (in->op >= CTL_BASE)
			continue;
		uint32_t group = p->debugs[in->debug].group;
		size_t u = group == PLAN_NONE ? 0 : of[group];
		if (!u) {
			u = ++c.n;
			c.unit[u - 1] = (BenchUnit){.insn = i, .group = group};
			if (group != PLAN_NONE)
				of[group] = u;
		}
		BenchUnit *unit = &c.unit[u - 1];
		double predicted = (double)in->seconds * (double)runs[i];
		unit->kernels++;
		unit->predicted += predicted;
		unit->measured += t->insn_seconds[i];
		c.op_predicted[in->op] += predicted;
		c.predicted += predicted;
		c.measured += t->insn_seconds[i];
	}
	qsort(c.unit, c.n, sizeof *c.unit, longest_first);
	find_quantiles(a, &c);
	return c;
}
