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

/* One number of each row. */
static void
print_numbers(const char *key, const double *x, int64_t n, size_t stride)
{
	printf(",\n \"%s\": [", key);
	for (int64_t i = 0; i < n; i++)
		printf("%s%.17g", i ? ", " : "",
			x[i * (int64_t)(stride / sizeof *x)]);
	printf("]");
}

static const char *const column_names[SAMPLER_COLS] = {
	"q0", "q1", "q2", "h1", "h2", "h3", "h4", "noise"
};

/* The columns that the sampler has. */
static bool
has_column(const Sampler *m, int c)
{
	return c == COL_NOISE ? m->noise : c < COL_H + m->history;
}

/* A clip that is switched off is null: JSON has no infinity. */
static void
print_update(const Sampler *m)
{
	printf(",\n \"update\": [");
	for (int64_t i = 0; i < m->rows; i++) {
		const SamplerRow *r = &m->row[i];
		printf("%s\n  {\"p0\": %.17g, \"p1\": %.17g, \"clip\": ",
			i ? "," : "", r->p0, r->p1);
		if (isfinite(r->clip))
			printf("%.17g", r->clip);
		else
			printf("null");
		for (int c = 0; c < SAMPLER_COLS; c++)
			if (has_column(m, c))
				printf(", \"%s\": %.17g", column_names[c],
					r->next[c]);
		printf("}");
	}
	printf("]");
}

/* How the first h is made; the others move on by one. */
static void
print_history(const Sampler *m)
{
	printf(",\n \"history\": %d,\n \"noise\": %s", m->history,
		m->noise ? "true" : "false");
	if (!m->history)
		return;
	printf(",\n \"keep\": [");
	for (int64_t i = 0; i < m->rows; i++) {
		printf("%s\n  {", i ? "," : "");
		for (int c = 0; c < SAMPLER_COLS; c++)
			if (has_column(m, c))
				printf("%s\"%s\": %.17g", c ? ", " : "",
					column_names[c], m->row[i].keep[c]);
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

/* One result of a step as the kernels compute it: coefficients and sums in f32.
 * `in`: x, e, h1 .. h4, noise. */
static float
update(const SamplerRow *r, const double *q, const float *in)
{
	float clip = (float)r->clip;
	float z = (float)r->p0 * in[0] + (float)r->p1 * in[1];
	z = fminf(fmaxf(z, -clip), clip);
	float sum = (float)q[COL_Z] * z + (float)q[COL_X] * in[0]
		+ (float)q[COL_E] * in[1];
	for (int c = COL_H; c < SAMPLER_COLS; c++)
		if (q[c] != 0)
			sum += (float)q[c] * in[c - 1];
	return sum;
}

/* A recorded run: what the sampler starts from, what the model answered, and the
 * noise of each step. */
typedef struct Case {
	size_t n, rows;         /* numbers of a latent; calls of the model */
	const float *start, **output, **noise;
} Case;

/* A list with a list of `n` numbers for each row. */
static const float **
read_rows(Arena *a, const Json *file, const char *key, const Case *c,
	const char *path)
{
	const Json *list = json_get(file, key);
	if (!list || list->kind != JSON_LIST || list->n != c->rows)
		fatal(EXIT_SOURCE, "%s: '%s' must be a list of %zu lists, one for "
			"each call of the model", path, key, c->rows);
	const float **rows = arena_array(a, c->rows, sizeof *rows);
	for (size_t i = 0; i < c->rows; i++)
		rows[i] = floats(a, &list->item[i], c->n, path, key);
	return rows;
}

static Case
read_case(Arena *a, const Sampler *m, const char *path)
{
	int code = EXIT_OK;
	char err[JSON_FILE_ERR];
	const Json *file = json_read_file(a, path, &code, err);
	if (!file)
		fatal(code, "%s", err);
	const Json *start = json_get(file, "start");
	const float *x = floats(a, start, 0, path, "start");
	Case c = {.start = x, .n = start->n, .rows = (size_t)m->rows};
	c.output = read_rows(a, file, "model_output", &c, path);
	if (m->noise)
		c.noise = read_rows(a, file, "injected_noise", &c, path);
	return c;
}

/* Element k of a step: x' and the history that it leaves. */
static float
apply_step(const Sampler *m, size_t i, size_t k, const Case *c, float x,
	float *history)
{
	float in[SAMPLER_COLS - 1] = {x, c->output[i][k]};
	for (int h = 0; h < m->history; h++)
		in[COL_H - 1 + h] = history[h];
	if (m->noise)
		in[COL_NOISE - 1] = c->noise[i][k];
	const SamplerRow *r = &m->row[i];
	for (int h = m->history - 1; h > 0; h--)
		history[h] = history[h - 1];
	history[0] = update(r, r->keep, in);
	return update(r, r->next, in);
}

/* Runs the table on a case. */
static void
apply(Arena *a, const Sampler *m, const Case *c)
{
	/* rows[i]: the latent before step i */
	float *rows = arena_array(a, (c->rows + 1) * c->n, sizeof *rows);
	float *scaled = arena_array(a, c->n, sizeof *scaled);
	float (*history)[SAMPLER_HISTORY] = arena_array(a, c->n,
		sizeof *history);
	memcpy(rows, c->start, c->n * sizeof *rows);
	printf(",\n \"scaled_model_input\": [");
	for (size_t i = 0; i < c->rows; i++) {
		float *from = rows + i * c->n, *to = from + c->n;
		for (size_t k = 0; k < c->n; k++) {
			scaled[k] = (float)m->row[i].scale * from[k];
			to[k] = apply_step(m, i, k, c, from[k], history[k]);
		}
		print_row(scaled, c->n, i > 0);
	}
	printf("],\n \"after_step\": [");
	for (size_t i = 1; i <= c->rows; i++)
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

static void
print_json(Arena *a, const Sampler *m, const char *recorded)
{
	Case c = {0};
	if (recorded)
		c = read_case(a, m, recorded);
	printf("{\"class\": \"%s\",\n \"steps\": %lld", m->class_name,
		(long long)m->steps);
	print_numbers("timesteps", &m->row->t, m->rows, sizeof *m->row);
	if (m->sigmas)
		print_numbers("sigmas", m->sigmas, m->rows + 1,
			sizeof *m->sigmas);
	printf(",\n \"init_noise_sigma\": %.17g", m->start);
	print_numbers("scale", &m->row->scale, m->rows, sizeof *m->row);
	print_update(m);
	print_history(m);
	if (recorded)
		apply(a, m, &c);
	printf("}\n");
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

	static const char *const forms[] = {"table", "apply"};
	args_exclude(&args, forms, COUNT_OF(forms));
	if (arg_flag(&args, "table"))
		sampler_table_print(m, stdout);
	else
		print_json(&a, m, arg(&args, "apply"));
	out_stdout_done();
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return EXIT_OK;
}
