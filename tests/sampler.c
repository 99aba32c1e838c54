/* sampler.c - schedules against those of the library that the configs come
 * from: tests/data/schedulers holds a case for each file.
 */
#include "../lang/lang.h"
#include "test.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>

static Arena arena;

static const Json *
read_json(const char *path)
{
	size_t size;
	JsonError e;
	char *text = arena_read_file(&arena, path, 1 << 20, &size);
	const Json *j = text ? json_parse(&arena, text, size, 16, &e) : NULL;
	if (!j)
		fatal(EXIT_IO, "cannot read %s", path);
	return j;
}

static double
at(const Json *list, size_t i)
{
	return list->item[i].number;
}

/* The case's config with its class in it, as text and parsed again. */
static const Json *
with_class(const Json *file)
{
	const Json *config = json_get(file, "config");
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	fprintf(f, "{\"_class_name\": \"%s\"", json_get(file, "class")->text);
	for (size_t i = 0; i < config->n; i++) {
		const Json *j = &config->item[i];
		fprintf(f, ", \"%s\": ", config->key[i]);
		if (j->kind == JSON_STRING)
			fprintf(f, "\"%s\"", j->text);
		else if (j->kind == JSON_BOOL)
			fputs(j->boolean ? "true" : "false", f);
		else if (j->kind == JSON_NULL)
			fputs("null", f);
		else
			fprintf(f, "%.17g", j->number);
	}
	fputs("}", f);
	fclose(f);
	JsonError e;
	const Json *j = json_parse(&arena, arena_strdup(&arena, text), size, 4, &e);
	free(text);
	return j;
}

/* One step of the op `sample` in f32. */
static float
step(const double *u, float x, float e)
{
	float x0 = (float)u[0] * x + (float)u[1] * e, clip = (float)u[2];
	x0 = x0 < -clip ? -clip : x0 > clip ? clip : x0;
	return (float)u[3] * x0 + (float)u[4] * x + (float)u[5] * e;
}

static void
check_steps(const Sampler *m, const Json *file)
{
	const Json *start = json_get(file, "start");
	const Json *output = json_get(file, "model_output");
	const Json *scaled = json_get(file, "scaled_model_input");
	const Json *after = json_get(file, "after_step");
	float x[8];
	double worst = 0;
	for (size_t k = 0; k < 8; k++)
		x[k] = (float)at(start, k);
	for (size_t i = 0; i < (size_t)m->steps; i++) {
		double top_in = 0, top_out = 0, in = 0, out = 0;
		for (size_t k = 0; k < 8; k++) {
			double want_in = at(&scaled->item[i], k);
			double want = at(&after->item[i], k);
			double got_in = (double)((float)m->scale[i] * x[k]);
			x[k] = step(m->update[i], x[k],
				(float)at(&output->item[i], k));
			top_in = fmax(top_in, fabs(want_in));
			top_out = fmax(top_out, fabs(want));
			in = fmax(in, fabs(got_in - want_in));
			out = fmax(out, fabs((double)x[k] - want));
		}
		worst = fmax(worst, fmax(in / top_in, out / top_out));
	}
	CHECK(worst <= 1e-5, "largest error of a step %.2e", worst);
}

static void
check_case(const char *path)
{
	const Json *file = read_json(path);
	const Json *times = json_get(file, "timesteps");
	const Json *sigmas = json_get(file, "sigmas");
	char err[256];
	int64_t steps = json_get(file, "steps")->integer;
	const Sampler *m = sampler_make(&arena, with_class(file), steps, err);
	CHECK(m, "%s", err);
	if (!m)
		return;
	const Json *karras = json_get(json_get(file, "config"),
		"use_karras_sigmas");
	CHECK(times->n == (size_t)m->steps);
	for (size_t i = 0; i < times->n; i++) {
		double want = at(times, i), got = m->timesteps[i];
		double limit = karras && karras->boolean ? 2e-3
			: want == rint(want) ? 0 : 1e-4;
		CHECK(fabs(got - want) <= limit, "time %zu: %.9g, not %.9g", i,
			got, want);
	}
	for (size_t i = 0; sigmas && i < sigmas->n; i++)
		CHECK(fabs(m->sigmas[i] - at(sigmas, i))
			<= 3e-5 * fabs(at(sigmas, i)), "sigma %zu: %.9g, not %.9g",
			i, m->sigmas[i], at(sigmas, i));
	double init = json_get(file, "init_noise_sigma")->number;
	CHECK(fabs(m->init_noise_sigma - init) <= 3e-5 * init);
	check_steps(m, file);
}

static int
all_cases(void)
{
	static const char folder[] = "tests/data/schedulers";
	struct dirent **entry;
	int n = scandir(folder, &entry, NULL, alphasort), cases = 0;
	for (int i = 0; i < n; i++) {
		if (entry[i]->d_name[0] != '.') {
			test(entry[i]->d_name);
			check_case(arena_printf(&arena, "%s/%s", folder,
				entry[i]->d_name));
			cases++;
		}
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
	return cases;
}

/* ---- what is refused, and why ---- */

static const Sampler *
make(const char *config, int64_t steps, char *err)
{
	JsonError e;
	const Json *j = json_parse(&arena, config, strlen(config), 8, &e);
	return sampler_make(&arena, j, steps, err);
}

#define DDIM "\"_class_name\": \"DDIMScheduler\""
#define EULER "\"_class_name\": \"EulerDiscreteScheduler\""

static const struct {
	const char *config;
	int64_t steps;
	const char *reason;     /* a part of it */
} refused[] = {
	{"{}", 5, "_class_name"},
	{"{\"_class_name\": \"DDIMSchedular\"}", 5, "did you mean 'DDIMScheduler'"},
	{"{\"_class_name\": \"HeunScheduler9000\"}", 5, "known are"},
	{"{" DDIM "}", 0, "1 .. 100000"},
	{"{" DDIM "}", 1001, "1 .. 1000"},
	{"{" DDIM ", \"thresholding\": true}", 5, "'thresholding' is not supp"},
	{"{" DDIM ", \"thresholding\": 1}", 5, "must be true or false"},
	{"{" DDIM ", \"beta_schedule\": \"liner\"}", 5, "did you mean 'linear'"},
	{"{" DDIM ", \"timestep_spacing\": \"x\"}", 5, "'timestep_spacing'"},
	{"{" DDIM ", \"prediction_type\": \"flow\"}", 5, "'prediction_type'"},
	{"{" DDIM ", \"beta_end\": 2}", 5, "not between 0 and 1"},
	{"{" DDIM ", \"beta_end\": \"x\"}", 5, "must be a finite number"},
	{"{" DDIM ", \"clip_sample_range\": 0}", 5, "above 0"},
	{"{" DDIM ", \"num_train_timesteps\": 2.5}", 5, "integer"},
	{"{" DDIM ", \"steps_offset\": 1}", 1000, "'steps_offset' 1"},
	{"{" DDIM ", \"trained_betas\": [0.1]}", 1, "trained_betas"},
	{"{" DDIM ", \"rescale_betas_zero_snr\": true, \"timestep_spacing\": "
		"\"trailing\"}", 5, "degenerate"},
	{"{" EULER ", \"use_beta_sigmas\": true}", 5, "'use_beta_sigmas'"},
	{"{" EULER ", \"use_exponential_sigmas\": true}", 5, "exponential"},
	{"{" EULER ", \"interpolation_type\": \"log_linear\"}", 5, "log_linear"},
	{"{" EULER ", \"final_sigmas_type\": \"x\"}", 5, "final_sigmas_type"},
	{"{" EULER ", \"use_karras_sigmas\": true, \"sigma_min\": 9, "
		"\"sigma_max\": 2}", 5, "in order"},
};

static void
refusals(void)
{
	char err[256];
	test("unsupported settings are refused by name");
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		const Sampler *m = make(refused[i].config, refused[i].steps, err);
		CHECK(!m && strstr(err, refused[i].reason), "%s: '%s'",
			refused[i].config, m ? "accepted" : err);
	}
	test("null is the class's default");
	const Sampler *m = make("{" DDIM ", \"trained_betas\": null, "
		"\"clip_sample\": null}", 4, err);
	CHECK(m && m->update[0][2] == 1, "%s", err);
	test("one step");
	m = make("{" DDIM ", \"timestep_spacing\": \"linspace\"}", 1, err);
	CHECK(m && m->timesteps[0] == 0, "%s", err);
	test("trailing has no time below zero");
	m = make("{" DDIM ", \"timestep_spacing\": \"trailing\"}", 61, err);
	CHECK(m && m->timesteps[60] >= 0 && m->timesteps[0] == 999, "%s", err);
	test("a rescaled v-prediction schedule starts from pure noise");
	m = make("{" DDIM ", \"rescale_betas_zero_snr\": true, "
		"\"prediction_type\": \"v_prediction\", \"clip_sample\": false, "
		"\"timestep_spacing\": \"trailing\"}", 4, err);
	CHECK(m && fabs(m->update[0][0]) < 1e-7 && m->update[0][1] == -1, "%s",
		err);
}

int
main(void)
{
	int cases = all_cases();
	test("there are cases");
	CHECK(cases >= 8, "%d", cases);
	refusals();
	printf("# %d schedules equal those recorded\n", cases);
	arena_free(&arena);
	return test_end();
}
