/* cmd_generate.c - `sluice generate`: prompts or a picture to videos, which share
 * one plan.
 *
 * Everything that can be refused is refused before the work starts: the run
 * file, configs, the tokenizer, names and shapes of weights, noise, and outputs
 * that cannot be written.
 */
#include "compiler/compiler.h"
#include "compiler/generate/generate.h"
#include "compiler/cli/options.h"
#include "compiler/cli/running.h"
#include "compiler/cli/source_options.h"
#include "compiler/cli/cli.h"
#include "compiler/explain/summary.h"

#include <stdlib.h>
#include <string.h>

typedef struct Generation {
	Arena arena;
	Args args;
	RunFile run;
	Job job;
	Plan *plan;
	JobInputs inputs;
	WeightSource *weights;
	Vm *vm;
	Running running;
	int threads;
	Preview preview;
	bool quiet;
	char error[GENERATE_ERR];
} Generation;

static void
must(Generation *g, int code)
{
	if (code != EXIT_OK)
		fatal(code, "%s", g->error);
}

/* --rehash and --calibration over the run file's; a table is instead of both. */
static void
read_rehash(Generation *g)
{
	static const char *const either[] = {"table", "rehash"};
	RunFile *r = &g->run;
	const char *file = arg(&g->args, "calibration");
	args_exclude(&g->args, either, COUNT_OF(either));
	r->rehash_runs = arg(&g->args, "table") ? 0 : arg_integer(&g->args,
		"rehash", r->rehash_runs, 1, 200);
	if (file && !r->rehash_runs)
		fatal(EXIT_USAGE, "--calibration FILE goes with --rehash K");
	if (file)
		r->calibration = file;
}

static void
read_run(Generation *g)
{
	const char *const *set;
	size_t n = arg_list(&g->args, "set", &g->arena, &set);
	g->threads = (int)arg_integer(&g->args, "threads", threads_available(),
		1, THREADS_MAX);
	must(g, runfile_read(&g->arena, g->args.operands.at[0], set, n, &g->run,
		g->error));
	read_rehash(g);
	outputs_settle(&g->arena, &g->run, g->quiet
		|| arg_flag(&g->args, "dry-run"));
	must(g, job_make(&g->arena, &g->run, g->threads, source_table(&g->args,
		&g->arena), g->quiet, &g->job, g->error));
	g->preview.every = arg_integer(&g->args, "preview", 0, 1, 100000);
	if (g->preview.every)
		g->job.compile.lang.keep_latents = true;
}

/* Of all videos. */
static void
check_outputs(Generation *g)
{
	for (size_t i = 0; i < runfile_takes(&g->run); i++) {
		runfile_take(&g->arena, &g->run, i);
		must(g, job_writable(&g->job, g->error));
	}
	runfile_take(&g->arena, &g->run, 0);
}

static void
open_weights(Generation *g)
{
	int code;
	g->weights = job_weights(&g->arena, &g->job, g->plan, g->quiet, &code,
		g->error);
	if (!g->weights)
		fatal(code, "%s", g->error);
}

static bool
progress(void *user, const VmProgress *p)
{
	Generation *g = user;
	preview_step(&g->preview, &g->job, g->vm, p->step);
	return running_progress(&g->running, p);
}

static void
bind(Generation *g)
{
	VmOptions o = {
		.threads = g->threads,
		.device_index = g->run.device_index,
		.check_finite_step = true,
		.progress = progress,
		.user = g,
	};
	g->vm = vm_open(g->plan, &o);
	int code = vm_bind(g->vm, g->weights);
	if (code != EXIT_OK)
		fatal(code, "%s", vm_error(g->vm));
}

/* A JSON object; in a list with those of the other videos, if there are any. */
static void
report_json(const Generation *g)
{
	const RunFile *r = &g->run;
	size_t takes = runfile_takes(r);
	if (takes > 1)
		fputs(r->take ? ",\n" : "{\"videos\": [\n", stdout);
	putchar('{');
	times_print_json(g->plan, vm_times(g->vm));
	printf(", \"seed\": %lld, \"outputs\": [", (long long)r->seed);
	for (size_t i = 0; i < r->n_output; i++) {
		fputs(i ? ", " : "", stdout);
		print_json_string(stdout, r->output[i].path);
	}
	fputs("]}", stdout);
	if (r->take + 1 == takes)
		puts(takes > 1 ? "\n]}" : "");
}

static void
report(const Generation *g)
{
	if (arg_flag(&g->args, "json"))
		report_json(g);
	if (g->quiet || arg_flag(&g->args, "json"))
		return;
	for (size_t i = 0; i < g->run.n_output; i++) {
		fputs(i ? ", " : "wrote ", stderr);
		print_clean(stderr, g->run.output[i].path);
	}
	fputc('\n', stderr);
	times_print(g->plan, vm_times(g->vm));
}

static int
fill_and_run(Generation *g, Arena *work)
{
	g->preview = (Preview){.every = g->preview.every};
	must(g, job_fill(work, &g->job, g->plan, g->vm, &g->inputs, g->error));
	return running_run(&g->running, g->vm);
}

/* The video `take` of the run. */
static void
make_take(Generation *g, size_t take)
{
	Arena work = {0};
	runfile_take(&g->arena, &g->run, take);
	int code = fill_and_run(g, &work);
	if (code == EXIT_NUMERICS) {
		vm_look(g->vm);
		fill_and_run(g, &work);
	}
	if (code != EXIT_OK)
		fatal(code, "%s", vm_error(g->vm));
	must(g, job_write(&work, &g->job, g->plan, g->vm, g->error));
	arena_free(&work);
	report(g);
}

static void
dry_run(const Generation *g)
{
	if (arg_flag(&g->args, "json"))
		summary_print_json(g->plan, stdout);
	else
		summary_print(g->plan, stdout);
}

static void
make_videos(Generation *g)
{
	must(g, job_inputs(&g->arena, &g->job, g->plan, g->quiet, &g->inputs,
		g->error));
	open_weights(g);
	bind(g);
	for (size_t i = 0; i < runfile_takes(&g->run); i++)
		make_take(g, i);
	vm_close(g->vm);
	weights_close(g->weights);
	tensors_close(&g->inputs.noise);
}

int
cmd_generate(int argc, char **argv)
{
	Generation g = {0};
	args_parse(&g.args, argc, argv, 1, 1);
	g.quiet = arg_flag(&g.args, "quiet");
	running_options(&g.running, arg(&g.args, "progress"), g.quiet);
	bool dry = arg_flag(&g.args, "dry-run");
	read_run(&g);
	if (!dry) {
		must(&g, job_picture_there(&g.job, g.error));
		check_outputs(&g);
	}
	int code = compile_source(&g.arena, &g.job.compile, &g.plan);
	if (code == EXIT_OK && dry)
		dry_run(&g);
	else if (code == EXIT_OK)
		make_videos(&g);
	out_stdout_done();
	arena_free(&g.arena);
	vec_free(&g.args.operands);
	vec_free(&g.args.values);
	return code;
}
