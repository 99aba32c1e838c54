/* cmd_calibrate.c - `sluice calibrate`: a run file's clip in full for each prompt of
 * a list, and the inner products of its latents and outputs to a file, which is
 * written whole after each prompt and gone on with when it is there.
 */
#include "compiler/compiler.h"
#include "compiler/generate/generate.h"
#include "compiler/rehash/rehash.h"
#include "compiler/cli/options.h"
#include "compiler/cli/running.h"
#include "compiler/cli/cli.h"
#include "ir/base/philox.h"
#include "vm/inputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROMPTS_BYTES = 1 << 20 };

typedef struct Calibrating {
	Arena arena;
	Args args;
	RunFile run;
	Job job;
	Plan *plan;
	WeightSource *weights;
	Vm *vm;
	Running running;
	Calibration c;
	bool quiet;
	char error[GENERATE_ERR];
} Calibrating;

static void
must(Calibrating *g, int code)
{
	if (code != EXIT_OK)
		fatal(code, "%s", g->error);
}

/* ---- what is to be run ---- */

static void
read_prompts(Calibrating *g)
{
	const char *path = arg(&g->args, "prompts");
	size_t size;
	char *text = arena_read_file(&g->arena, path, PROMPTS_BYTES, &size);
	if (!text)
		fatal(EXIT_IO, "cannot read '%s': %s", path, strerror(errno));
	g->c.prompt = arena_array(&g->arena, REHASH_PROMPTS_MAX,
		sizeof *g->c.prompt);
	for (char *at = text + byte_order_mark(text, size), *next; *at; at = next) {
		char *end = strchrnul(at, '\n');
		next = *end ? end + 1 : end;
		while (end > at && (end[-1] == '\r' || end[-1] == ' '))
			end--;
		*end = 0;
		if (!*at)
			continue;
		if (g->c.wanted == REHASH_PROMPTS_MAX)
			fatal(EXIT_SOURCE, "%s: more than %d prompts", path,
				REHASH_PROMPTS_MAX);
		g->c.prompt[g->c.wanted++] = at;
	}
	if (!g->c.wanted)
		fatal(EXIT_SOURCE, "%s: no prompts, one a line", path);
}

static void
read_run(Calibrating *g)
{
	const char *const *set;
	const char *path = g->args.operands.at[0];
	size_t n = arg_list(&g->args, "set", &g->arena, &set);
	int threads = (int)arg_integer(&g->args, "threads", threads_available(),
		1, THREADS_MAX);
	must(g, runfile_read(&g->arena, path, set, n, &g->run, g->error));
	if (g->run.long_prompts)
		fatal(EXIT_SOURCE, "%s: a plan is for one number of pieces of a "
			"prompt; set long_prompts: false", path);
	g->run.keep_latents = true;
	g->run.rehash_runs = 0;
	must(g, job_make(&g->arena, &g->run, threads, NULL, g->quiet, &g->job, g->error));
	if (g->job.picture)
		fatal(EXIT_SOURCE, "%s: only models that begin with a prompt are "
			"calibrated", path);
	if (!g->job.scheduler_config)
		fatal(EXIT_SOURCE, "%s: the model has no scheduler's config; name "
			"one: scheduler: {class: DDIMScheduler, ...}", path);
}

/* Pixels, as the pipeline makes them. */
static void
clip_size(const Plan *p, Calibration *c)
{
	for (uint32_t i = 0; i < p->n_outputs; i++)
		if (!strcmp(p->strings + p->outputs[i].name, "frames")) {
			c->width = p->outputs[i].n[AXIS_W];
			c->height = p->outputs[i].n[AXIS_H];
		}
}

/* The head of the file. */
static void
describe(Calibrating *g)
{
	Calibration *c = &g->c;
	c->path = arg(&g->args, "output");
	c->sampler = c->reference = sampler_make(&g->arena,
		g->job.scheduler_config, g->run.steps, g->error);
	if (!c->sampler || !rehash_possible(c->sampler, g->error))
		fatal(EXIT_SOURCE, "%s: %s", g->run.path, g->error);
	must(g, job_model_hash(&g->arena, &g->job, &c->model, g->error));
	c->model_class = *g->job.model_class ? g->job.model_class : "any";
	c->guidance = g->run.guidance;
	c->seed = g->run.seed;
	const PlanPort *noise = job_port(g->plan, "noise");
	if (!noise || noise->dtype != DT_F32)
		fatal(EXIT_SOURCE, "the pipeline has no input 'noise' of f32");
	c->frames = max64(noise->n[AXIS_F], 1);
	clip_size(g->plan, c);
	int64_t side = 2 * c->sampler->rows + 1;
	c->gram = arena_array(&g->arena, (size_t)c->wanted,
		(size_t)(side * side) * sizeof *c->gram);
}

static bool
same_run(const Calibration *a, const Calibration *b)
{
	bool same = !strcmp(a->model, b->model) && a->guidance == b->guidance
		&& a->frames == b->frames && a->width == b->width
		&& a->height == b->height && a->seed == b->seed
		&& a->wanted == b->wanted && a->sampler->rows == b->sampler->rows
		&& !memcmp(a->sampler->row, b->sampler->row,
			(size_t)a->sampler->rows * sizeof *a->sampler->row);
	for (int64_t i = 0; same && i < a->wanted; i++)
		same = !strcmp(a->prompt[i], b->prompt[i]);
	return same;
}

/* Takes what an earlier call has done. */
static void
go_on(Calibrating *g)
{
	Calibration *c = &g->c, old;
	if (access(c->path, F_OK))
		return;
	output_resumes(c->path);
	must(g, calibration_read(&g->arena, c->path, &old, g->error));
	if (!same_run(c, &old))
		fatal(EXIT_WEIGHTS, "'%s' is there and is a calibration of "
			"something else (model, sampler, prompts, guidance, size "
			"or seed); remove it, or write another file", c->path);
	int64_t side = 2 * c->sampler->rows + 1;
	memcpy(c->gram, old.gram, (size_t)(old.n * side * side)
		* sizeof *c->gram);
	c->n = old.n;
}

/* ---- a run ---- */

/* The latent that the run begins with. */
static void
first_latent(Calibrating *g, const JobInputs *in, float *x, int64_t size)
{
	const Tensor *t = tensors_find(&in->noise, "noise");
	if (!t)
		philox_normal((uint64_t)g->run.seed, philox_stream("noise"), x,
			size);
	else if (t->dtype != DT_F32)
		fatal(EXIT_WEIGHTS, "'%s': 'noise' is not F32", g->run.noise);
	else
		must(g, tensor_read(&in->noise, t, 0, x,
			size * (int64_t)sizeof *x, g->error));
	for (int64_t k = 0; k < size; k++)
		x[k] *= (float)g->c.sampler->start;
}

/* The outputs from the latents before and after each step. */
static void
recover_outputs(const Sampler *m, float *const *x, float *const *v, int64_t size)
{
	for (int64_t i = 0; i < m->rows; i++) {
		const SamplerRow *r = &m->row[i];
		double a = r->next[COL_Z] * r->p0 + r->next[COL_X];
		double b = r->next[COL_Z] * r->p1 + r->next[COL_E];
		for (int64_t k = 0; k < size; k++)
			v[i][k] = (float)(((double)x[i + 1][k]
				- a * (double)x[i][k]) / b);
	}
}

static void
add_gram(Calibrating *g, const JobInputs *in)
{
	Arena a = {0};
	const Sampler *m = g->c.sampler;
	int64_t steps = m->rows, side = 2 * steps + 1;
	const PlanPort *port = vm_output(g->vm, "latents");
	int64_t size = port ? port_elements(port) / steps : 0;
	if (!port || port->dtype != DT_F32 || port_elements(port) != steps * size)
		fatal(EXIT_SOURCE, "the pipeline's latents are not f32");
	float **vector = arena_array(&a, (size_t)side, sizeof *vector);
	vector[0] = arena_array(&a, (size_t)size, sizeof **vector);
	first_latent(g, in, vector[0], size);
	float *latents = port_read(&a, g->vm, port);
	if (!latents)
		fatal(EXIT_IO, "%s", vm_error(g->vm));
	for (int64_t i = 0; i < steps; i++) {
		vector[i + 1] = latents + i * size;
		vector[steps + 1 + i] = arena_array(&a, (size_t)size,
			sizeof **vector);
	}
	recover_outputs(m, vector, vector + steps + 1, size);
	calibration_gram((const float *const *)vector, side, size,
		g->c.gram + g->c.n * side * side);
	g->c.n++;
	arena_free(&a);
}

static void
run_prompt(Calibrating *g)
{
	Arena a = {0};
	JobInputs in;
	int64_t i = g->c.n;
	g->run.prompt = g->c.prompt[i];
	g->run.seed = g->c.seed + i;
	if (!g->quiet) {
		fprintf(stderr, "prompt %lld of %lld: ", (long long)i + 1,
			(long long)g->c.wanted);
		print_clean_line(stderr, g->run.prompt);
		fputc('\n', stderr);
	}
	must(g, job_inputs(&a, &g->job, g->plan, g->quiet, &in, g->error));
	must(g, job_fill(&a, &g->job, g->plan, g->vm, &in, g->error));
	int code = running_run(&g->running, g->vm);
	if (code != EXIT_OK)
		fatal(code, "%s", vm_error(g->vm));
	add_gram(g, &in);
	must(g, calibration_write(g->c.path, &g->c, g->error));
	tensors_close(&in.noise);
	arena_free(&a);
}

static void
run_all(Calibrating *g)
{
	VmOptions o = {.threads = g->job.compile.threads, .check_finite_step = true,
		.progress = running_progress, .user = &g->running};
	int code;
	g->weights = job_weights(&g->arena, &g->job, g->plan, g->quiet, &code,
		g->error);
	if (!g->weights)
		fatal(code, "%s", g->error);
	g->vm = vm_open(g->plan, &o);
	code = vm_bind(g->vm, g->weights);
	if (code != EXIT_OK)
		fatal(code, "%s", vm_error(g->vm));
	while (g->c.n < g->c.wanted)
		run_prompt(g);
	vm_close(g->vm);
	weights_close(g->weights);
}

int
cmd_calibrate(int argc, char **argv)
{
	Calibrating g = {0};
	args_parse(&g.args, argc, argv, 1, 1);
	if (!arg(&g.args, "prompts") || !arg(&g.args, "output"))
		fatal(EXIT_USAGE, "calibrate needs --prompts FILE and --output FILE");
	g.quiet = arg_flag(&g.args, "quiet");
	running_options(&g.running, arg(&g.args, "progress"), g.quiet);
	read_prompts(&g);
	read_run(&g);
	if (!output_writable(arg(&g.args, "output"), g.error))
		fatal(EXIT_IO, "%s", g.error);
	int code = compile_source(&g.arena, &g.job.compile, &g.plan);
	if (code == EXIT_OK) {
		describe(&g);
		go_on(&g);
		run_all(&g);
	}
	arena_free(&g.arena);
	vec_free(&g.args.operands);
	vec_free(&g.args.values);
	return code;
}
