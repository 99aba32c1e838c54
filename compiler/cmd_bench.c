/* cmd_bench.c - sluice bench: runs a plan on generated weights and inputs and
 * prints where the time and the memory go.
 */
#include "compiler.h"
#include "options.h"
#include "running.h"
#include "../kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

typedef struct Bench {
	Arena arena;
	Args args;
	Plan *plan;
	WeightSource *weights;
	Vm *vm;
	Running running;
	char error[1024];
} Bench;

/* Fewer denoising steps: every loop that runs once a step is cut short.  Rows
 * of the outputs that belong to later steps are left as they are. */
static void
cut_steps(Plan *p, uint32_t steps)
{
	if (!p->head.steps || steps >= p->head.steps)
		return;
	for (uint32_t i = 0; i < p->n_code; i++)
		if (p->code[i].op == CTL_loop && p->code[i].a == 0
			&& p->code[i].b == p->head.steps)
			p->code[i].b = steps;
	p->head.steps = steps;
}

/* Integers are token ids: below the rows of every table. */
static int64_t
token_limit(const Plan *p)
{
	int64_t limit = INT32_MAX;
	for (uint32_t i = 0; i < p->n_code; i++)
		if (p->code[i].op == OP_embed)
			limit = min64(limit, p->attrs[p->code[i].attr].rows);
	return max64(limit, 1);
}

static void
generate_inputs(Bench *b, uint64_t seed)
{
	const Plan *p = b->plan;
	int64_t limit = token_limit(p);
	for (uint32_t i = 0; i < p->n_inputs; i++) {
		const PlanPort *port;
		const char *name = p->strings + p->inputs[i].name;
		char *dst = vm_input(b->vm, name, &port);
		int64_t n = port_elements(port);
		for (int64_t k = 0; k < n; k++) {
			int32_t id = (int32_t)(k * 7919 % limit);
			float x;
			if (port->dtype == DT_I32) {
				memcpy(dst + k * 4, &id, 4);
				continue;
			}
			if (port->dtype == DT_F32)
				break;
			philox_normal(seed + (uint64_t)k, philox_stream(name),
				&x, 1);
			convert((DType)port->dtype, dst
				+ k * dtype_bytes((DType)port->dtype), DT_F32,
				&x, 1);
		}
		if (port->dtype == DT_F32)
			philox_normal(seed, philox_stream(name), (float *)dst, n);
	}
}

static void
check_trace(Bench *b)
{
	const char *path = arg(&b->args, "trace");
	if (path && !output_writable(path, b->error))
		fatal(EXIT_IO, "%s", b->error);
}

static void
run(Bench *b)
{
	VmOptions o = {
		.threads = (int)arg_integer(&b->args, "threads", 0, 1, 4096),
		.poison = arg_flag(&b->args, "poison"),
		.trace = arg_flag(&b->args, "trace"),
		.progress = running_progress,
		.user = &b->running,
	};
	uint64_t seed = (uint64_t)arg_integer(&b->args, "seed", 0, 0, INT64_MAX);
	running_begin(&b->running, NULL, arg_flag(&b->args, "quiet"));
	if (b->plan->n_weights)
		b->weights = weights_generated(&b->arena, b->plan, seed);
	b->vm = vm_open(b->plan, &o);
	int code = vm_bind(b->vm, b->weights);
	if (code == EXIT_OK) {
		generate_inputs(b, seed);
		code = vm_run(b->vm);
	}
	running_end(&b->running);
	if (code == EXIT_INTERRUPTED)
		exit(code);
	if (code != EXIT_OK)
		fatal(code, "%s", vm_error(b->vm));
}

/* ---- reports ---- */

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

static double
rate(double flops, double seconds)
{
	return seconds > 0 ? flops / seconds / 1e9 : 0;
}

static void
print_row(const char *name, int64_t calls, double seconds, double whole,
	double flops)
{
	char count[24] = "", work[24] = "", speed[24] = "";
	if (calls)
		snprintf(count, sizeof count, "%lld", (long long)calls);
	if (flops > 0) {
		snprintf(work, sizeof work, "%.2f", flops / 1e9);
		snprintf(speed, sizeof speed, "%.1f", rate(flops, seconds));
	}
	printf("%-14s %9s %10.4f %6.1f %12s %9s\n", name, count, seconds,
		whole > 0 ? 100 * seconds / whole : 0, work, speed);
}

static void
print_table(Bench *b)
{
	const VmTimes *t = vm_times(b->vm);
	int64_t planned = b->plan->head.arena_bytes;
	int op[OP_COUNT], n = sort_ops(t, op);
	double flops = 0, seconds = t->wait_seconds;
	int64_t calls = 0;
	char text[3][32];
	printf("%-14s %9s %10s %6s %12s %9s\n", "op", "calls", "seconds", "%",
		"GFLOP", "GFLOP/s");
	for (int i = 0; i < n; i++) {
		print_row(op_info[op[i]].name, t->op_calls[op[i]],
			t->op_seconds[op[i]], t->seconds, t->op_flops[op[i]]);
		flops += t->op_flops[op[i]];
		seconds += t->op_seconds[op[i]];
		calls += t->op_calls[op[i]];
	}
	print_row("load", b->plan->n_weights, t->wait_seconds, t->seconds, 0);
	print_row("other", 0, t->seconds - seconds, t->seconds, 0);
	print_row("all", calls, t->seconds, t->seconds, flops);
	printf("\nseconds per step   %.4f\n", seconds_per_step(b->plan, t));
	printf("planned peak       %s (%lld)\n", format_bytes(text[0], planned),
		(long long)planned);
	printf("measured peak      %s (%lld)\n",
		format_bytes(text[1], t->measured_peak_bytes),
		(long long)t->measured_peak_bytes);
	printf("process over plan  %s\n",
		format_bytes(text[2], process_peak_bytes() - planned));
	printf("kernels            %s\n", cpu_level());
}

static void
print_json(Bench *b)
{
	const VmTimes *t = vm_times(b->vm);
	int op[OP_COUNT], n = sort_ops(t, op);
	putchar('{');
	times_print_json(b->plan, t);
	fputs(", \"backend\": ", stdout);
	print_json_string(stdout, cpu_level());
	fputs(", \"ops\": [", stdout);
	for (int i = 0; i < n; i++) {
		double s = t->op_seconds[op[i]], f = t->op_flops[op[i]];
		printf("%s\n  {\"op\": \"%s\", \"calls\": %lld, \"seconds\": %.6f, "
			"\"gflop\": %.6f, \"gflop_per_second\": %.3f}",
			i ? "," : "", op_info[op[i]].name,
			(long long)t->op_calls[op[i]], s, f / 1e9, rate(f, s));
	}
	puts("]}");
}

int
cmd_bench(int argc, char **argv)
{
	Bench b = {0};
	PlanError e;
	int code = EXIT_PLAN;
	const char *trace;
	args_parse(&b.args, argc, argv, 1, 1);
	b.plan = plan_load(&b.arena, b.args.operands.at[0], false, &e, &code);
	if (!b.plan)
		fatal(code, "%s: %s", b.args.operands.at[0], e.text);
	check_trace(&b);
	cut_steps(b.plan, (uint32_t)arg_integer(&b.args, "steps", INT32_MAX, 1,
		INT32_MAX));
	run(&b);
	trace = arg(&b.args, "trace");
	if (trace && !trace_write(trace, b.plan, vm_times(b.vm), b.error))
		fatal(EXIT_IO, "%s", b.error);
	if (arg_flag(&b.args, "json"))
		print_json(&b);
	else
		print_table(&b);
	if (fflush(stdout) || ferror(stdout))
		fatal(EXIT_IO, "cannot write the report");
	vm_close(b.vm);
	if (b.weights)
		weights_close(b.weights);
	arena_free(&b.arena);
	return EXIT_OK;
}
