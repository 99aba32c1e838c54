/* generate_rehash.c - fewer runs of the model: a fitted table where a calibration
 * fits, else DPM-Solver++ 2M with as many steps.
 */
#include "compiler/generate/generate.h"
#include "compiler/rehash/rehash.h"

#include <string.h>

static int __attribute__((format(printf, 3, 4)))
fail(char *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err, GENERATE_ERR, fmt, ap);
	va_end(ap);
	return code;
}

/* Why the calibration is of something else, NULL: it fits. */
static const char *
misfit(const Calibration *c, const Sampler *m, const char *hash,
	const char *class)
{
	if (strcmp(c->model, hash) || (*class && strcmp(c->model_class, class)))
		return "of another model";
	if (c->sampler->rows != m->rows)
		return "of another number of steps";
	if (c->sampler->start != m->start
		|| strcmp(c->sampler->prediction, m->prediction)
		|| memcmp(c->sampler->row, m->row, (size_t)m->rows * sizeof *m->row))
		return "of another sampler, or of other settings";
	return NULL;
}

/* A table serves other guidance, lengths and sizes, too, but it is said. */
static void
note_differences(const Job *job, const Calibration *c)
{
	const RunFile *r = job->run;
	if (r->guidance != c->guidance || (r->frames && r->frames != c->frames)
		|| (r->width && (r->width != c->width || r->height != c->height)))
		warn("%s was made at guidance %g with %lld frames of %lldx%lld",
			c->path, c->guidance, (long long)c->frames,
			(long long)c->width, (long long)c->height);
}

/* DPM-Solver++ 2M over the model's own noise levels. */
static int
solver_instead(Arena *a, Job *job, const char *why, bool quiet, char *err)
{
	static const char text[] = "{\"_class_name\": "
		"\"DPMSolverMultistepScheduler\", \"algorithm_type\": "
		"\"dpmsolver++\", \"solver_order\": 2}";
	LangOptions *o = &job->compile.lang;
	JsonError e;
	const Json *type = json_get(job->scheduler_config, "timestep_type");
	if (type && type->kind == JSON_STRING && !strcmp(type->text, "continuous"))
		return fail(err, EXIT_SOURCE, "rehash: %s, and there is no other "
			"sampler of fewer runs for a model with timestep_type: "
			"continuous; make a calibration, or set steps", why);
	const Json *over = json_parse(a, text, sizeof text - 1, 4, &e);
	job->scheduler_config = json_merge(a, job->scheduler_config, over);
	job->scheduler = "DPMSolverMultistepScheduler";
	job->steps = job->run->rehash_runs;
	LangConfig *config = arena_array(a, o->nconfig, sizeof *config);
	memcpy(config, o->config, o->nconfig * sizeof *config);
	for (size_t i = 0; i < o->nconfig; i++)
		if (!strcmp(config[i].component, "scheduler"))
			config[i].json = job->scheduler_config;
	o->config = config;
	if (!quiet)
		warn("rehash: %s: DPM-Solver++ 2M with %lld runs instead", why,
			(long long)job->steps);
	return EXIT_OK;
}

static int
use_calibration(Arena *a, Job *job, const Sampler *m, bool quiet, char *err)
{
	Calibration c;
	RehashTable t;
	const char *hash;
	int code = calibration_read(a, job->run->calibration, &c, err);
	if (!code)
		code = job_model_hash(a, job, &hash, err);
	if (code)
		return code;
	const char *why = misfit(&c, m, hash, job->model_class);
	if (why)
		return solver_instead(a, job, arena_printf(a, "%s is %s", c.path,
			why), quiet, err);
	code = rehash_table(a, &c, job->run->rehash_runs, &t, err);
	if (code)
		return code;
	if (!quiet)
		note_differences(job, &c);
	job->compile.lang.table = t.sampler;
	job->scheduler = t.sampler->class_name;
	job->steps = t.runs;
	return EXIT_OK;
}

int
job_rehash(Arena *a, Job *job, bool quiet, char *err)
{
	const RunFile *r = job->run;
	char why[GENERATE_ERR];
	if (!r->rehash_runs)
		return EXIT_OK;
	if (!job->scheduler_config)
		return fail(err, EXIT_SOURCE, "%s: rehash needs the model's "
			"scheduler; name one: scheduler: {class: DDIMScheduler, "
			"...}", r->path);
	const Sampler *m = sampler_make(a, job->scheduler_config, r->steps, why);
	if (!m || !rehash_possible(m, why))
		return fail(err, EXIT_SOURCE, "%s: rehash: %.500s", r->path, why);
	if (r->rehash_runs > m->rows)
		return fail(err, EXIT_SOURCE, "%s: rehash: %lld runs of %lld steps; "
			"take 1 .. %lld", r->path, (long long)r->rehash_runs,
			(long long)m->rows, (long long)m->rows);
	return r->calibration ? use_calibration(a, job, m, quiet, err)
		: solver_instead(a, job, "there is no calibration", quiet, err);
}
