/* cmd_run.c - sluice run: a plan, weights and inputs to outputs.
 *
 * Everything that can be refused is refused before the work starts: the plan,
 * names, shapes and types of weights and inputs, an output that cannot be
 * written.
 */
#include "compiler/compiler.h"
#include "compiler/cli/options.h"
#include "compiler/cli/running.h"
#include "vm/inputs.h"
#include "compiler/cli/cli.h"
#include "compiler/explain/trace.h"

#include <stdlib.h>
#include <string.h>

enum { ERROR_SIZE = 8192 };

typedef struct Run {
	Arena arena;
	Args args;
	Plan *plan;
	TensorSet in;
	WeightSource *weights;
	Vm *vm;
	Running running;
	char error[ERROR_SIZE];
} Run;

static void
check_outputs(Run *r)
{
	const char *path[] = {arg(&r->args, "out"), arg(&r->args, "trace")};
	args_stdout(&r->args, "out", "trace");
	for (size_t i = 0; i < COUNT_OF(path); i++)
		if (path[i] && !output_writable(path[i], r->error))
			fatal(EXIT_IO, "%s", r->error);
}

static void
open_inputs(Run *r)
{
	const char *path = arg(&r->args, "in");
	r->in.arena = &r->arena;
	int code = path ? tensors_open(&r->in, path, r->error) : EXIT_OK;
	if (code != EXIT_OK)
		fatal(code, "%s", r->error);
	code = inputs_match(r->plan, &r->in, r->error, sizeof r->error);
	if (code != EXIT_OK)
		fatal(code, "%s%s%s", path ? path : "", path ? ": " : "", r->error);
}

static void
open_weights(Run *r)
{
	const char *const *component, *folder = arg(&r->args, "weights");
	size_t n = arg_list(&r->args, "component", &r->arena, &component);
	int code = EXIT_WEIGHTS;
	if (!r->plan->n_weights)
		return;
	if (!folder && !n)
		fatal(EXIT_USAGE, "the plan has %u weights: give --weights PATH",
			r->plan->n_weights);
	r->weights = weights_open(&r->arena, r->plan, folder, component, n,
		arg_flag(&r->args, "quiet"), &code, r->error, sizeof r->error);
	if (!r->weights)
		fatal(code, "%s", r->error);
}

static int
fill_and_run(Run *r, uint64_t seed)
{
	int code = inputs_fill(r->plan, r->vm, &r->in, seed, r->error,
		sizeof r->error);
	if (code != EXIT_OK)
		fatal(code, "%s", r->error);
	return running_run(&r->running, r->vm);
}

static void
bind_and_run(Run *r)
{
	VmOptions o = {
		.threads = running_threads(&r->args, r->plan),
		.device_index = running_device(&r->args, r->plan),
		.poison = arg_flag(&r->args, "poison"),
		.check_finite_step = true,
		.trace = arg_flag(&r->args, "trace"),
		.progress = running_progress,
		.user = &r->running,
	};
	uint64_t seed = (uint64_t)arg_integer(&r->args, "seed", 0, 0, INT64_MAX);
	r->vm = vm_open(r->plan, &o);
	int code = vm_bind(r->vm, r->weights);
	if (code != EXIT_OK)
		fatal(code, "%s", vm_error(r->vm));
	code = fill_and_run(r, seed);
	if (code == EXIT_NUMERICS) {
		vm_look(r->vm);
		fill_and_run(r, seed);
	}
	if (code != EXIT_OK)
		fatal(code, "%s", vm_error(r->vm));
}

static void
write_outputs(Run *r)
{
	const char *path = arg(&r->args, "out");
	const Plan *p = r->plan;
	TensorOut *out = arena_array(&r->arena, p->n_outputs, sizeof *out);
	if (!path)
		return;
	for (uint32_t i = 0; i < p->n_outputs; i++) {
		const PlanPort *port = &p->outputs[i];
		void *data = port_read(&r->arena, r->vm, port);
		if (!data)
			fatal(EXIT_DEVICE, "%s", vm_error(r->vm));
		if (!port_tensor(p, port, data, &out[i]))
			fatal(EXIT_PLAN, "output '%s' has more than eight axes",
				p->strings + port->name);
	}
	int code = tensors_write(path, out, p->n_outputs, r->error);
	if (code != EXIT_OK)
		fatal(code, "%s", r->error);
}

static void
print_report(Run *r)
{
	const VmTimes *t = vm_times(r->vm);
	if (arg_flag(&r->args, "json")) {
		putchar('{');
		times_print_json(r->plan, t);
		puts("}");
	} else if (!arg_flag(&r->args, "quiet")) {
		times_print(r->plan, t);
	}
}

int
cmd_run(int argc, char **argv)
{
	Run r = {0};
	const char *trace;
	args_parse(&r.args, argc, argv, 1, 1);
	running_options(&r.running, arg(&r.args, "progress"),
		arg_flag(&r.args, "quiet"));
	r.plan = plan_open(&r.arena, r.args.operands.at[0]);
	check_outputs(&r);
	open_inputs(&r);
	open_weights(&r);
	bind_and_run(&r);
	write_outputs(&r);
	trace = arg(&r.args, "trace");
	if (trace && !trace_write(trace, r.plan, vm_times(r.vm), r.error))
		fatal(EXIT_IO, "%s", r.error);
	print_report(&r);
	out_stdout_done();
	vm_close(r.vm);
	if (r.weights)
		weights_close(r.weights);
	tensors_close(&r.in);
	arena_free(&r.arena);
	return EXIT_OK;
}
