/* sampler.c - schedules against those of the library that the configs come
 * from, through the command line: tests/data/schedulers holds a case for each
 * file.  Files named as arguments are compared instead.
 */
#include "lang/lang.h"
#include "tests/lib/test.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>

static Arena arena;

static const Json *
read_json(const char *path)
{
	int code;
	char err[JSON_FILE_ERR];
	const Json *j = json_read_file(&arena, path, &code, err);
	if (!j)
		fatal(code, "%s", err);
	return j;
}

/* What `sluice sampler` prints about a case; NULL: it fails. */
static const Json *
run_sampler(const char *path, int64_t steps)
{
	const char *sluice = getenv("SLUICE");
	static char text[1 << 20];
	JsonError e;
	FILE *f = popen(arena_printf(&arena, "%s sampler '%s' --steps %lld "
		"--apply '%s'", sluice ? sluice : "build/sluice", path,
		(long long)steps, path), "r");
	size_t size = f ? fread(text, 1, sizeof text, f) : 0;
	const Json *j = json_parse(&arena, text, size, 16, &e);
	return !f || pclose(f) ? NULL : j;
}

static double
at(const Json *list, size_t i)
{
	return list && i < list->n ? list->item[i].number : NAN;
}

/* Largest difference of two lists over the largest wanted value. */
static double
row_error(const Json *got, const Json *want)
{
	double top = 0, worst = 0;
	for (size_t i = 0; i < want->n; i++) {
		double d = fabs(at(got, i) - at(want, i));
		top = fmax(top, fabs(at(want, i)));
		worst = isnan(d) ? INFINITY : fmax(worst, d);
	}
	return worst / top;
}

static void
check_rows(const Json *got, const Json *want, const char *name)
{
	const Json *a = json_get(got, name), *b = json_get(want, name);
	double worst = a && a->n == b->n ? 0 : INFINITY;
	for (size_t i = 0; i < b->n && worst < INFINITY; i++)
		worst = fmax(worst, row_error(&a->item[i], &b->item[i]));
	CHECK(worst <= 1e-5, "%s: largest error %.2e", name, worst);
}

/* Integer times are equal.  Those of a Karras schedule are found in a table that
 * the library holds in f32, and may be a thousandth off. */
static void
check_times(const Json *got, const Json *want)
{
	const Json *a = json_get(got, "timesteps"), *b = json_get(want, "timesteps");
	const Json *karras = json_get(json_get(want, "config"),
		"use_karras_sigmas");
	CHECK(a && a->n == b->n);
	for (size_t i = 0; i < b->n; i++) {
		double t = at(b, i), limit = karras && karras->boolean ? 2e-3
			: t == rint(t) ? 0 : 1e-4;
		CHECK(fabs(at(a, i) - t) <= limit, "time %zu: %.9g, not %.9g",
			i, at(a, i), t);
	}
}

static void
check_sigmas(const Json *got, const Json *want)
{
	const Json *a = json_get(got, "sigmas"), *b = json_get(want, "sigmas");
	CHECK(!b == !a && (!b || a->n == b->n));
	for (size_t i = 0; b && i < b->n; i++)
		CHECK(fabs(at(a, i) - at(b, i)) <= 3e-5 * fabs(at(b, i)),
			"sigma %zu: %.9g, not %.9g", i, at(a, i), at(b, i));
	const Json *init = json_get(got, "init_noise_sigma");
	double sigma = json_get(want, "init_noise_sigma")->number;
	CHECK(init && fabs(init->number - sigma) <= 3e-5 * sigma);
}

static void
check_case(const char *path)
{
	const Json *want = read_json(path);
	test(path);
	const Json *got = run_sampler(path, json_get(want, "steps")->integer);
	CHECK(got, "sluice sampler fails");
	if (!got)
		return;
	check_times(got, want);
	check_sigmas(got, want);
	check_rows(got, want, "scaled_model_input");
	check_rows(got, want, "after_step");
}

static int
all_cases(void)
{
	static const char folder[] = "tests/data/schedulers";
	struct dirent **entry;
	int n = scandir(folder, &entry, NULL, alphasort), cases = 0;
	for (int i = 0; i < n; i++) {
		if (entry[i]->d_name[0] != '.') {
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
#define ANCESTRAL "\"_class_name\": \"EulerAncestralDiscreteScheduler\""
#define DPM "\"_class_name\": \"DPMSolverMultistepScheduler\""
#define PNDM "\"_class_name\": \"PNDMScheduler\""
#define UNIPC "\"_class_name\": \"UniPCMultistepScheduler\""

static const struct {
	const char *config;
	int64_t steps;
	const char *reason;     /* a part of it */
} refused[] = {
	{"{}", 5, "_class_name"},
	{"{\"_class_name\": \"DDIMSchedular\"}", 5, "did you mean 'DDIMScheduler'"},
	{"{\"_class_name\": \"HeunScheduler9000\"}", 5, "there are DDIM, "},
	{"{\"_class_name\": \"HeunDiscreteScheduler\"}", 5,
		"class 'HeunDiscreteScheduler' is not supported: there are"},
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
	{"{" EULER ", \"use_exponential_sigmas\": true, "
		"\"use_karras_sigmas\": true}", 5, "exclude each other"},
	{"{" DDIM ", \"clip_smaple\": false}", 5,
		"'clip_smaple' is not known; did you mean 'clip_sample'"},
	{"{" PNDM "}", 5, "set 'skip_prk_steps' to true"},
	{"{" PNDM ", \"skip_prk_steps\": true, \"prediction_type\": "
		"\"sample\"}", 5, "'sample' is not supported"},
	{"{" ANCESTRAL ", \"prediction_type\": \"sample\"}", 5,
		"'sample' is not supported"},
	{"{" DPM ", \"solver_order\": 4}", 5, "integer in 1 .. 3"},
	{"{" DPM ", \"thresholding\": true}", 5, "'thresholding'"},
	{"{" DPM ", \"use_flow_sigmas\": true}", 5, "'use_flow_sigmas'"},
	{"{" DPM ", \"algorithm_type\": \"dpmsolver\"}", 5, "'sigma_min'"},
	{"{" DPM ", \"variance_type\": \"learned_range\"}", 5, "predict"},
	{"{" DPM ", \"lambda_min_clipped\": \"low\"}", 5, "finite number"},
	{"{" UNIPC ", \"disable_corrector\": 1}", 5, "must be a list"},
	{"{" UNIPC ", \"lower_order_final\": false}", 5, "degenerate"},
	{"{" UNIPC ", \"solver_p\": {}}", 5, "'solver_p'"},
	{"{\"_class_name\": \"LCMScheduler\"}", 51,
		"1 .. 'original_inference_steps' 50"},
	{"{\"_class_name\": \"DDPMScheduler\", \"variance_type\": "
		"\"fixed_large_log\"}", 5, "'fixed_large_log' is not supp"},
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
	CHECK(m && m->row[0].clip == 1, "%s", err);
	test("one step");
	m = make("{" DDIM ", \"timestep_spacing\": \"linspace\"}", 1, err);
	CHECK(m && m->row[0].t == 0, "%s", err);
	test("trailing has no time below zero");
	m = make("{" DDIM ", \"timestep_spacing\": \"trailing\"}", 61, err);
	CHECK(m && m->row[60].t >= 0 && m->row[0].t == 999, "%s", err);
	test("a rescaled v-prediction schedule starts from pure noise");
	m = make("{" DDIM ", \"rescale_betas_zero_snr\": true, "
		"\"prediction_type\": \"v_prediction\", \"clip_sample\": false, "
		"\"timestep_spacing\": \"trailing\"}", 4, err);
	CHECK(m && fabs(m->row[0].p0) < 1e-7 && m->row[0].p1 == -1, "%s",
		err);
}

/* ---- tables as text ---- */

static const char *
scratch(void)
{
	const char *build = getenv("BUILD");
	return arena_printf(&arena, "%s/tests/table.txt", build ? build
		: "build");
}

static const Sampler *
read_table(const char *text, int *code, char *err)
{
	const char *path = scratch();
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		fatal(EXIT_IO, "cannot write %s", path);
	return sampler_table_read(&arena, path, code, err);
}

static const char *
table_text(const Sampler *m)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	sampler_table_print(m, f);
	fclose(f);
	const char *copy = arena_strndup(&arena, text, size);
	free(text);
	return copy;
}

static void
round_trip(const char *config, int64_t steps)
{
	char err[SAMPLER_ERR];
	int code;
	const Sampler *m = make(config, steps, err);
	CHECK(m, "%s", err);
	const Sampler *t = m ? read_table(table_text(m), &code, err) : NULL;
	CHECK(t, "%s", err);
	if (!t)
		return;
	CHECK(t->rows == m->rows && t->history == m->history
		&& t->noise == m->noise && t->start == m->start
		&& t->low == m->low && t->high == m->high
		&& !strcmp(t->prediction, m->prediction)
		&& !strcmp(t->class_name, m->class_name));
	CHECK(!memcmp(t->row, m->row, (size_t)m->rows * sizeof *m->row),
		"%s: other numbers", config);
	JsonError e;
	CHECK(sampler_table_fits(&arena, t, json_parse(&arena, config,
		strlen(config), 8, &e), err), "%s", err);
}

#define HEAD "sluice-table 1\nsampler x\nprediction epsilon\nmodel any\n" \
	"times 0 999\nstart 1\n"
#define PLAIN HEAD "history 0\nnoise no\n"
#define CARRY HEAD "history 2\nnoise yes\n"

static const struct {
	const char *text, *reason;
} bad_tables[] = {
	{"", "the table has no rows"},
	{"{}", ":1: this is no table of a sampler"},
	{"sluice-table 2\n", ":1: this is a table of version 2; version 1"},
	{"sluice-table\n", "followed by 1 word"},
	{PLAIN, "the table has no rows"},
	{"sluice-table 1\nrow 1 1 0 0 inf 0 1 0\n", "head lacks 'sampler'"},
	{"sluice-table 1\nsampler x\nprediction epsilon\nmodel any\n"
		"times 0 9\nhistory 0\nnoise no\nrow 1 1 0 0 inf 0 1 0\n",
		"head lacks 'start'"},
	{HEAD "start 1\n", ":7: 'start' stands here twice"},
	{HEAD "stard 1\n", "did you mean 'start'"},
	{HEAD "history 5\n", "history '5' is not 0 to 4"},
	{HEAD "noise maybe\n", "neither yes nor no"},
	{"sluice-table 1\nprediction noise\n", "none of epsilon"},
	{"sluice-table 1\nstart 0\n", "must be above 0"},
	{"sluice-table 1\nstart inf\n", "not a finite number"},
	{"sluice-table 1\ntimes 5 1\n", "range is empty"},
	{PLAIN "row 1 1 0 0 inf 0 1\n", ":9: a row has 8 numbers here, this one 7"},
	{PLAIN "row 1 1 0 0 inf 0 nan 0\n", ":9: x is 'nan', not a finite"},
	{PLAIN "row 1 1 0 0 inf 0 1e999 0\n", "x is '1e999', not a finite"},
	{PLAIN "row 1 1 0 0 0 0 1 0\n", "clip must be above 0"},
	{PLAIN "row 1000 1 0 0 inf 0 1 0\n", "time 1000 is outside the model's 0 .. 999"},
	{PLAIN "row 1 1 0 0 inf 0 1 0\nrow 2 1 0 0 inf 0 1 0\n",
		":10: time 2 comes after 1: times descend"},
	{PLAIN "row 1 1 0 0 inf 0 1 0\nstart 1\n", "twice"},
	{PLAIN "row 1 1 0 0 inf 0 1 x\n", "e is 'x'"},
	{CARRY "row 1 1 0 0 inf 0 1 0 1 0 0  0 0 1 0 0 0\n",
		":9: row 1 reads h1, and only 0 rows are there before it"},
	{CARRY "row 1 1 0 0 inf 0 1 0 0 0 0  0 0 1 0 1 0\n", "row 1 reads h2"},
	{CARRY "row 1 1 0 0 inf 0 1 0 0 0 0  0 0 1 0 0 0\n"
		"row 1 1 0 0 inf 0 1 0 0 1 0  0 0 1 0 0 0\n",
		":10: row 2 reads h2, and only 1 row is there"},
};

static void
tables(void)
{
	char err[SAMPLER_ERR];
	int code = EXIT_OK;
	test("a table read back is the sampler");
	round_trip("{" DDIM ", \"clip_sample\": false}", 25);
	round_trip("{" DDIM "}", 4);
	round_trip("{" EULER ", \"prediction_type\": \"v_prediction\", "
		"\"timestep_type\": \"continuous\", \"sigma_min\": 0.002, "
		"\"sigma_max\": 700, \"use_karras_sigmas\": true}", 25);
	round_trip("{" ANCESTRAL "}", 8);
	round_trip("{" DPM ", \"algorithm_type\": \"sde-dpmsolver++\", "
		"\"solver_order\": 3}", 9);
	round_trip("{" PNDM ", \"skip_prk_steps\": true}", 10);
	round_trip("{" UNIPC ", \"solver_order\": 3}", 10);
	test("bad tables are refused with their line");
	for (size_t i = 0; i < COUNT_OF(bad_tables); i++) {
		const Sampler *m = read_table(bad_tables[i].text, &code, err);
		CHECK(!m && code == EXIT_SOURCE && strstr(err,
			bad_tables[i].reason), "%zu: '%s'", i,
			m ? "accepted" : err);
	}
	const Sampler *m = read_table(PLAIN "\n# a comment\n"
		"row 9 1  0 0 inf  0 1 0 # behind\r\nrow 9 1 0 0 1 0 1 0", &code,
		err);
	CHECK(m && m->rows == 2 && m->row[1].clip == 1, "%s", err);
	CHECK(!sampler_table_read(&arena, "no/such/file", &code, err)
		&& code == EXIT_IO);
	test("a table for another model is refused");
	JsonError e;
	const char config[] = "{\"prediction_type\": \"v_prediction\"}";
	const char few[] = "{\"num_train_timesteps\": 5}";
	CHECK(!sampler_table_fits(&arena, m, json_parse(&arena, config,
		sizeof config - 1, 8, &e), err) && strstr(err, "'v_prediction'"));
	CHECK(!sampler_table_fits(&arena, m, json_parse(&arena, few,
		sizeof few - 1, 8, &e), err) && strstr(err, "outside"), "%s", err);
}

int
main(int argc, char **argv)
{
	int cases = argc - 1;
	for (int i = 1; i < argc; i++)
		check_case(argv[i]);
	if (!cases) {
		cases = all_cases();
		test("there are cases");
		CHECK(cases >= 11, "%d", cases);
		refusals();
		tables();
	}
	printf("# %d schedules equal those recorded\n", cases);
	arena_free(&arena);
	return test_end();
}
