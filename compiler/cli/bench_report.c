/* bench_report.c - what `sluice bench` prints: time by op, then by group, each
 * beside its prediction, and the memory.
 */
#include "compiler/cli/bench.h"
#include "compiler/cli/running.h"
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

enum { UNITS_SHOWN = 20, NAME_WIDTH = 36 };

static double
ratio(double measured, double predicted)
{
	return predicted > 0 ? measured / predicted : 0;
}

static double
rate(double flops, double seconds)
{
	return seconds > 0 ? flops / seconds / 1e9 : 0;
}

/* ---- time by op ---- */

static const VmTimes *sorted_by;

static int
compare_time(const void *a, const void *b)
{
	double x = sorted_by->op_seconds[*(const int *)a];
	double y = sorted_by->op_seconds[*(const int *)b];
	return x < y ? 1 : x > y ? -1 : *(const int *)a - *(const int *)b;
}

/* Ops that were called, the longest first. */
static int
sort_ops(const VmTimes *t, int *op)
{
	int n = 0;
	for (int i = 0; i < OP_COUNT; i++)
		if (t->op_calls[i])
			op[n++] = i;
	sorted_by = t;
	qsort(op, (size_t)n, sizeof *op, compare_time);
	return n;
}

typedef struct Row {
	int64_t calls;
	double seconds, predicted, flops;
} Row;

/* Numbers that a row does not have are left out. */
static void
print_row(const char *name, const Row *r, double whole)
{
	char count[24] = "", work[24] = "", speed[24] = "", plan[24] = "";
	char off[24] = "";
	if (r->calls)
		snprintf(count, sizeof count, "%lld", (long long)r->calls);
	if (r->flops > 0) {
		snprintf(work, sizeof work, "%.2f", r->flops / 1e9);
		snprintf(speed, sizeof speed, "%.1f",
			rate(r->flops, r->seconds));
	}
	if (r->predicted > 0) {
		snprintf(plan, sizeof plan, "%.4f", r->predicted);
		snprintf(off, sizeof off, "%.2f",
			ratio(r->seconds, r->predicted));
	}
	printf("%-14s %8s %10.4f %6.1f %10s %6s %10s %9s\n", name, count,
		r->seconds, whole > 0 ? 100 * r->seconds / whole : 0, plan, off,
		work, speed);
}

static void
print_ops(const Plan *p, const VmTimes *t, const BenchCompare *c)
{
	int op[OP_COUNT], n = sort_ops(t, op);
	Row all = {0};
	printf("%-14s %8s %10s %6s %10s %6s %10s %9s\n", "op", "calls",
		"seconds", "%", "predicted", "ratio", "GFLOP", "GFLOP/s");
	for (int i = 0; i < n; i++) {
		Row r = {t->op_calls[op[i]], t->op_seconds[op[i]],
			c->op_predicted[op[i]], t->op_flops[op[i]]};
		print_row(op_info[op[i]].name, &r, t->seconds);
		all.flops += r.flops;
		all.calls += r.calls;
		all.seconds += r.seconds;
	}
	Row load = {.calls = p->n_weights, .seconds = t->wait_seconds};
	Row other = {.seconds = t->seconds - all.seconds - load.seconds};
	print_row("load", &load, t->seconds);
	print_row("other", &other, t->seconds);
	all.seconds = t->seconds;
	print_row("all", &all, t->seconds);
}

/* ---- time by group ---- */

/* "f:16x1 up_blocks.3", "conv down_blocks.0.resnets.0.conv1" */
static void
unit_name(const Plan *p, const BenchUnit *u, char *out, size_t size)
{
	const PlanDebug *d = &p->debugs[p->code[u->insn].debug];
	if (u->group == PLAN_NONE) {
		snprintf(out, size, "%s %s", plan_op_name(p->code[u->insn].op),
			p->strings + d->scope);
		return;
	}
	const PlanGroup *g = &p->groups[u->group];
	snprintf(out, size, "%s:%lldx%lld %s",
		p->strings + p->head.axis_name[g->axis], (long long)g->count,
		(long long)g->slice, p->strings + g->name);
}

static void
print_units(const Plan *p, const BenchCompare *c)
{
	double measured = 0, predicted = 0;
	size_t n = c->n < UNITS_SHOWN ? c->n : UNITS_SHOWN;
	printf("\n%-*s %8s %10s %10s %6s\n", NAME_WIDTH, "group or kernel",
		"kernels", "seconds", "predicted", "ratio");
	for (size_t i = 0; i < n; i++) {
		const BenchUnit *u = &c->unit[i];
		char name[256];
		unit_name(p, u, name, sizeof name);
		size_t cut = strlen(name) > NAME_WIDTH
			? strlen(name) - NAME_WIDTH : 0;
		if (cut)        /* the end of a scope says more */
			memcpy(name + cut, "..", 2);
		printf("%-*s %8lld %10.4f %10.4f %6.2f\n", NAME_WIDTH,
			name + cut, (long long)u->kernels, u->measured,
			u->predicted, ratio(u->measured, u->predicted));
		measured += u->measured;
		predicted += u->predicted;
	}
	if (c->n > n) {
		char name[64];
		snprintf(name, sizeof name, "%zu others", c->n - n);
		printf("%-*s %8s %10.4f %10.4f %6.2f\n", NAME_WIDTH, name, "",
			c->measured - measured, c->predicted - predicted,
			ratio(c->measured - measured,
				c->predicted - predicted));
	}
}

void
bench_print(const Plan *p, const VmTimes *t, const BenchCompare *c)
{
	int64_t planned = p->head.arena_bytes;
	char text[3][32];
	print_ops(p, t, c);
	print_units(p, c);
	printf("\nseconds per step   %.4f\n", seconds_per_step(p, t));
	printf("predicted          %.4f s of kernels, measured %.4f "
		"(ratio %.2f; profile %s)\n", c->predicted, c->measured,
		ratio(c->measured, c->predicted), p->strings + p->head.profile);
	printf("ratio of groups    median %.2f, half of them in %.2f .. %.2f\n",
		c->median, c->quarter, c->three_quarters);
	printf("planned peak       %s (%lld)\n", format_bytes(text[0], planned),
		(long long)planned);
	printf("measured peak      %s (%lld)\n",
		format_bytes(text[1], t->measured_peak_bytes),
		(long long)t->measured_peak_bytes);
	printf("process over plan  %s\n",
		format_bytes(text[2], process_peak_bytes() - planned));
	printf("kernels            %s\n", cpu_level());
}

/* ---- JSON ---- */

static void
print_unit_json(const Plan *p, const BenchUnit *u)
{
	const PlanDebug *d = &p->debugs[p->code[u->insn].debug];
	const PlanGroup *g = u->group == PLAN_NONE ? NULL
		: &p->groups[u->group];
	fputs("\n  {\"scope\": ", stdout);
	print_json_string(stdout, p->strings + (g ? g->name : d->scope));
	printf(", \"op\": \"%s\", \"instruction\": %u, \"axis\": ",
		plan_op_name(p->code[u->insn].op), u->insn);
	if (g)
		print_json_string(stdout, p->strings
			+ p->head.axis_name[g->axis]);
	else
		fputs("null", stdout);
	printf(", \"slices\": %lld, \"kernels\": %lld, "
		"\"seconds\": %.9f, \"predicted_seconds\": %.9f}",
		(long long)(g ? g->count : 1), (long long)u->kernels,
		u->measured, u->predicted);
}

void
bench_print_json(const Plan *p, const VmTimes *t, const BenchCompare *c)
{
	int op[OP_COUNT], n = sort_ops(t, op);
	putchar('{');
	times_print_json(p, t);
	fputs(", \"backend\": ", stdout);
	print_json_string(stdout, cpu_level());
	fputs(", \"profile\": ", stdout);
	print_json_string(stdout, p->strings + p->head.profile);
	printf(", \"kernel_seconds\": %.6f, \"predicted_seconds\": %.6f, "
		"\"ratio\": %.4f, \"group_ratio\": {\"quarter\": %.4f, "
		"\"median\": %.4f, \"three_quarters\": %.4f}", c->measured,
		c->predicted, ratio(c->measured, c->predicted), c->quarter,
		c->median, c->three_quarters);
	fputs(", \"ops\": [", stdout);
	for (int i = 0; i < n; i++) {
		double s = t->op_seconds[op[i]], f = t->op_flops[op[i]];
		printf("%s\n  {\"op\": \"%s\", \"calls\": %lld, "
			"\"seconds\": %.6f, \"predicted_seconds\": %.6f, "
			"\"gflop\": %.6f, \"gflop_per_second\": %.3f}",
			i ? "," : "", op_info[op[i]].name,
			(long long)t->op_calls[op[i]], s, c->op_predicted[op[i]],
			f / 1e9, rate(f, s));
	}
	fputs("], \"groups\": [", stdout);
	for (size_t i = 0; i < c->n; i++) {
		fputs(i ? "," : "", stdout);
		print_unit_json(p, &c->unit[i]);
	}
	puts("]}");
}
