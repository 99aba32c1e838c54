/* cmd_bench.c - sluice bench: runs a plan on generated weights and inputs and
 * prints where the time and the memory go; or measures this machine.
 */
#include "compiler/cli/bench.h"
#include "compiler/cli/options.h"
#include "compiler/cost/profile.h"
#include "compiler/cli/running.h"
#include "kernels/kernels.h"
#include "compiler/cli/cli.h"
#include "vm/inputs.h"
#include "compiler/explain/trace.h"
#include "ir/base/philox.h"

#include <stdlib.h>
#include <string.h>

typedef struct Bench {
	Arena arena;
	Args args;
	Plan *plan;
	WeightSource *weights;
	Vm *vm;
	VmTimes times;          /* the least of all runs */
	Running running;
	char error[PROFILE_ERR];
} Bench;

/* Fewer denoising steps: every loop that runs once a step is cut short.  Rows
 * of the outputs that belong to later steps are left as they are. */
static void
cut_steps(Bench *b)
{
	Plan *p = b->plan;
	if (arg(&b->args, "steps") && !p->head.steps)
		fatal(EXIT_USAGE, "--steps: the plan has no denoising steps");
	uint32_t steps = (uint32_t)arg_integer(&b->args, "steps", p->head.steps,
		1, p->head.steps);
	for (uint32_t i = 0; i < p->n_code; i++)
		if (p->head.steps && p->code[i].op == CTL_loop
			&& p->code[i].a == 0)
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
	Arena a = {0};
	for (uint32_t i = 0; i < p->n_inputs; i++) {
		const char *name = p->strings + p->inputs[i].name;
		const PlanPort *port = vm_input(b->vm, name);
		int64_t n = port_elements(port);
		char *dst = arena_array(&a, (size_t)n,
			(size_t)dtype_bytes((DType)port->dtype));
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
			philox_normal(seed, philox_stream(name),
				(float *)dst, n);
		if (vm_write_input(b->vm, port, 0, dst, n) != EXIT_OK)
			die("generate_inputs", "%s", vm_error(b->vm));
		vm_step_input(b->vm, name, NULL, seed);
	}
	arena_free(&a);
}

static void
check_trace(Bench *b)
{
	const char *path = arg(&b->args, "trace");
	if (path && !strcmp(path, "-"))
		fatal(EXIT_USAGE, "--trace -: standard output has the report");
	if (path && !output_writable(path, b->error))
		fatal(EXIT_IO, "%s", b->error);
}

static double
least(double x, double y)
{
	return x < y ? x : y;
}

/* Of an instruction the least time counts: what made it longer in other runs
 * was not the plan's. */
static void
keep_times(Bench *b, bool first)
{
	const VmTimes *now = vm_times(b->vm);
	VmTimes *t = &b->times;
	double *insn = t->insn_seconds;
	if (first) {
		*t = *now;
		t->insn_seconds = insn;
	}
	t->seconds = least(t->seconds, now->seconds);
	t->loop_seconds = least(t->loop_seconds, now->loop_seconds);
	t->load_seconds = least(t->load_seconds, now->load_seconds);
	t->wait_seconds = least(t->wait_seconds, now->wait_seconds);
	t->loop_wait_seconds = least(t->loop_wait_seconds,
		now->loop_wait_seconds);
	memset(t->op_seconds, 0, sizeof t->op_seconds);
	for (uint32_t i = 0; i < b->plan->n_code; i++) {
		insn[i] = first ? now->insn_seconds[i]
			: least(insn[i], now->insn_seconds[i]);
		if (b->plan->code[i].op < OP_COUNT)
			t->op_seconds[b->plan->code[i].op] += insn[i];
	}
	/* events are those of the last run */
	t->events = now->events;
	t->n_events = now->n_events;
}

static void
run(Bench *b)
{
	VmOptions o = {
		.threads = running_threads(&b->args, b->plan),
		.poison = arg_flag(&b->args, "poison"),
		.profile = true,
		.trace = arg_flag(&b->args, "trace"),
		.progress = running_progress,
		.user = &b->running,
	};
	uint64_t seed = (uint64_t)arg_integer(&b->args, "seed", 0, 0, INT64_MAX);
	int64_t repeat = arg_integer(&b->args, "repeat", 1, 1, 1000);
	running_options(&b->running, NULL, arg_flag(&b->args, "quiet"));
	if (b->plan->n_weights)
		b->weights = weights_generated(&b->arena, b->plan, seed);
	b->vm = vm_open(b->plan, &o);
	b->times.insn_seconds = arena_array(&b->arena, b->plan->n_code,
		sizeof(double));
	int code = vm_bind(b->vm, b->weights);
	for (int64_t i = 0; i < repeat && code == EXIT_OK; i++) {
		generate_inputs(b, seed);
		code = running_run(&b->running, b->vm);
		keep_times(b, i == 0);
	}
	if (code != EXIT_OK)
		fatal(code, "%s", vm_error(b->vm));
}

/* Options that would do nothing are mistakes. */
static void
refuse_options(const Bench *b, const char *const *name, size_t n,
	const char *with)
{
	for (size_t i = 0; i < n; i++)
		if (arg_flag(&b->args, name[i]))
			fatal(EXIT_USAGE, "bench %s does not go with --%s", with,
				name[i]);
}

static void
bench_plan(Bench *b)
{
	static const char *const others[] = {"name", "output"};
	const char *trace = arg(&b->args, "trace");
	refuse_options(b, others, COUNT_OF(others), "of a plan");
	check_trace(b);
	b->plan = plan_open(&b->arena, b->args.operands.at[0]);
	cut_steps(b);
	run(b);
	if (trace && !trace_write(trace, b->plan, &b->times, b->error))
		fatal(EXIT_IO, "%s", b->error);
	BenchCompare c = bench_compare(&b->arena, b->plan, &b->times);
	if (arg_flag(&b->args, "json"))
		bench_print_json(b->plan, &b->times, &c);
	else
		bench_print(b->plan, &b->times, &c);
	vm_close(b->vm);
	if (b->weights)
		weights_close(b->weights);
}

/* ---- measuring the machine ---- */

/* How well the fit explains what was measured, on stderr. */
static void
report_fit(const Profile *c, const Samples *s, double seconds)
{
	size_t near = 0, unsure = 0;
	for (size_t i = 0; i < s->n; i++) {
		double r = s->at[i].seconds / profile_predict(c, &s->at[i]);
		near += r > 1 / 1.3 && r < 1.3;
		unsure += s->at[i].unsure;
	}
	fprintf(stderr, "measured %zu programs in %.1f s; the profile explains "
		"%zu of them within 1.3\n", s->n, seconds, near);
	if (unsure)
		warn("%zu of the programs took another time in each run: "
			"something else keeps this machine busy", unsure);
}

static void
calibrate(Bench *b)
{
	static const char *const others[] = {"json", "poison", "repeat", "seed",
		"steps", "trace"};

	const char *out = arg(&b->args, "output"), *name = arg(&b->args, "name");
	int threads = (int)arg_integer(&b->args, "threads",
		threads_available(), 1, THREADS_MAX);
	Profile c;
	Samples samples = {0};
	OutFile file;
	double start = now_seconds();
	if (b->args.operands.n)
		fatal(EXIT_USAGE, "bench --calibrate measures this machine and "
			"takes no plan");
	refuse_options(b, others, COUNT_OF(others), "--calibrate");
	out = out ? out : "-";
	name = name ? name : arena_printf(&b->arena, "cpu-%dthreads", threads);
	if (!profile_name_ok(name))
		fatal(EXIT_USAGE, "--name: '%s' is not 1 to 60 plain characters",
			name);
	if (!output_writable(out, b->error))
		fatal(EXIT_IO, "%s", b->error);
	if (!arg_flag(&b->args, "quiet"))
		fputs("measuring this machine: some 10 seconds, more when it is "
			"busy\n", stderr);
	cpu_init();
	int code = profile_measure(&b->arena, name, threads, PATIENCE, &c,
		&samples, b->error);
	if (code)
		fatal(code, "%s", b->error);
	if (!out_open(&file, out, b->error))
		fatal(EXIT_IO, "%s", b->error);
	profile_print(&c, file.f);
	if (!out_commit(&file, b->error))
		fatal(EXIT_IO, "%s", b->error);
	if (!arg_flag(&b->args, "quiet"))
		report_fit(&c, &samples, now_seconds() - start);
	vec_free(&samples);
}

int
cmd_bench(int argc, char **argv)
{
	Bench b = {0};
	args_parse(&b.args, argc, argv, 0, 1);
	if (arg_flag(&b.args, "calibrate"))
		calibrate(&b);
	else if (b.args.operands.n)
		bench_plan(&b);
	else
		fatal(EXIT_USAGE, "bench needs a plan (M.slb), or --calibrate");
	out_stdout_done();
	arena_free(&b.arena);
	vec_free(&b.args.operands);
	vec_free(&b.args.values);
	return EXIT_OK;
}
