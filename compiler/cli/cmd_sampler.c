/* cmd_sampler.c - `sluice sampler`: a scheduler's table as JSON, and one run of
 * it on recorded answers of a model.  What a denoising loop will do can be
 * looked at, and compared with another implementation, without any model.
 */
#include "compiler/compiler.h"
#include "compiler/generate/configs.h"
#include "compiler/cli/options.h"
#include "compiler/cli/cli.h"

#include <math.h>
#include <string.h>

/* A case file holds a scheduler's "config" and its "class"; a plain
 * scheduler_config.json is taken as it is. */
static const Json *
scheduler_config(Arena *a, const Json *file)
{
	const Json *config = json_get(file, "config");
	const Json *class = json_get(file, "class");
	if (!config || config->kind != JSON_MAP)
		return file;
	if (!class || json_get(config, "_class_name"))
		return config;
	const char **key = arena_alloc(a, sizeof *key);
	Json *item = arena_alloc(a, sizeof *item);
	*key = "_class_name";
	*item = *class;
	const Json *over = json_map(a, 1, key, item);
	return json_merge(a, config, over);
}

static void
print_numbers(const char *key, const double *x, int64_t n)
{
	printf(",\n \"%s\": [", key);
	for (int64_t i = 0; i < n; i++)
		printf("%s%.17g", i ? ", " : "", x[i]);
	printf("]");
}

/* A clip that is switched off is null: JSON has no infinity. */
static void
print_update(const Sampler *m)
{
	static const char *const names[] = {"p0", "p1", "clip", "q0", "q1", "q2"};
	printf(",\n \"update\": [");
	for (int64_t i = 0; i < m->steps; i++) {
		printf("%s\n  {", i ? "," : "");
		for (size_t k = 0; k < COUNT_OF(names); k++) {
			double x = m->update[i][k];
			printf("%s\"%s\": ", k ? ", " : "", names[k]);
			if (isfinite(x))
				printf("%.17g", x);
			else
				printf("null");
		}
		printf("}");
	}
	printf("]");
}

/* A list of `n` numbers (any number when n is 0) as floats. */
static const float *
floats(Arena *a, const Json *j, size_t n, const char *path, const char *what)
{
	if (!j || j->kind != JSON_LIST || !j->n || (n && j->n != n))
		fatal(EXIT_SOURCE, "%s: '%s' must be a list of numbers%s", path,
			what, n ? ", as long as 'start'" : "");
	float *x = arena_array(a, j->n, sizeof *x);
	for (size_t i = 0; i < j->n; i++) {
		if (j->item[i].kind != JSON_INT && j->item[i].kind != JSON_FLOAT)
			fatal(EXIT_SOURCE, "%s: '%s' holds something that is no "
				"number", path, what);
		x[i] = (float)j->item[i].number;
	}
	return x;
}

static void
print_row(const float *x, size_t n, bool comma)
{
	printf("%s\n  [", comma ? "," : "");
	for (size_t i = 0; i < n; i++)
		printf("%s%.9g", i ? ", " : "", (double)x[i]);
	printf("]");
}

/* The op `sample` as the kernels compute it: coefficients and sums in f32. */
static float
update(const double *u, float x, float e)
{
	float clip = (float)u[2];
	float x0 = (float)u[0] * x + (float)u[1] * e;
	x0 = fminf(fmaxf(x0, -clip), clip);
	return (float)u[3] * x0 + (float)u[4] * x + (float)u[5] * e;
}

/* A recorded run: what the sampler starts from, and what the model answered. */
typedef struct Case {
	size_t n, steps;        /* numbers of a latent */
	const float *start, **output;
} Case;

static Case
read_case(Arena *a, int64_t steps, const char *path)
{
	int code = EXIT_OK;
	char err[CONFIGS_ERR];
	const Json *file = json_read_file(a, path, &code, err);
	if (!file)
		fatal(code, "%s", err);
	const Json *start = json_get(file, "start");
	const Json *output = json_get(file, "model_output");
	const float *x = floats(a, start, 0, path, "start");
	Case c = {.start = x, .n = start->n, .steps = (size_t)steps};
	if (!output || output->kind != JSON_LIST || output->n != c.steps)
		fatal(EXIT_SOURCE, "%s: 'model_output' must be a list of %zu "
			"lists, one for each step", path, c.steps);
	c.output = arena_array(a, c.steps, sizeof *c.output);
	for (size_t i = 0; i < c.steps; i++)
		c.output[i] = floats(a, &output->item[i], c.n, path,
			"model_output");
	return c;
}

/* Runs the table on a case. */
static void
apply(Arena *a, const Sampler *m, const Case *c)
{
	/* rows[i]: the latent before step i */
	float *rows = arena_array(a, (c->steps + 1) * c->n, sizeof *rows);
	float *scaled = arena_array(a, c->n, sizeof *scaled);
	memcpy(rows, c->start, c->n * sizeof *rows);
	printf(",\n \"scaled_model_input\": [");
	for (size_t i = 0; i < c->steps; i++) {
		float *from = rows + i * c->n, *to = from + c->n;
		for (size_t k = 0; k < c->n; k++) {
			scaled[k] = (float)m->scale[i] * from[k];
			to[k] = update(m->update[i], from[k], c->output[i][k]);
		}
		print_row(scaled, c->n, i > 0);
	}
	printf("],\n \"after_step\": [");
	for (size_t i = 1; i <= c->steps; i++)
		print_row(rows + i * c->n, c->n, i > 1);
	printf("]");
}

/* --steps, or what the case file says. */
static int64_t
step_count(const Args *args, const Json *file)
{
	const Json *steps = json_get(file, "steps");
	if (arg(args, "steps") || !steps || steps->kind != JSON_INT) {
		if (!arg(args, "steps"))
			fatal(EXIT_USAGE, "sampler needs --steps N");
		return arg_integer(args, "steps", 0, 1, INT64_MAX);
	}
	return steps->integer;
}

int
cmd_sampler(int argc, char **argv)
{
	Args args;
	Arena a = {0};
	int code = EXIT_OK;
	char err[CONFIGS_ERR];
	args_parse(&args, argc, argv, 1, 1);
	const char *path = args.operands.at[0];
	const Json *file = json_read_file(&a, path, &code, err);
	if (!file)
		fatal(code, "%s", err);
	int64_t steps = step_count(&args, file);
	const Sampler *m = sampler_make(&a, scheduler_config(&a, file), steps,
		err);
	if (!m)
		fatal(EXIT_SOURCE, "%s: %s", path, err);

	const char *recorded = arg(&args, "apply");
	Case c = {0};
	if (recorded)
		c = read_case(&a, m->steps, recorded);
	printf("{\"class\": \"%s\",\n \"steps\": %lld", m->class_name,
		(long long)m->steps);
	print_numbers("timesteps", m->timesteps, m->steps);
	if (m->sigmas)
		print_numbers("sigmas", m->sigmas, m->steps + 1);
	printf(",\n \"init_noise_sigma\": %.17g", m->init_noise_sigma);
	print_numbers("scale", m->scale, m->steps);
	print_update(m);
	if (recorded)
		apply(&a, m, &c);
	printf("}\n");
	out_stdout_done();
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return EXIT_OK;
}
