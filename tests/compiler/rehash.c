/* rehash.c - tables of fewer runs from a calibration: keys and weights of a
 * reference implementation (tests/data/rehash); what must come out exactly on
 * runs that are made up; and calibrations that are refused.
 */
#include "compiler/rehash/rehash.h"
#include "tests/lib/test.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { STEPS = 25, SIDE = 2 * STEPS + 1, SIZE = 60 };

/* A sum of squared differences that is nothing but f64's rounding. */
#define NOTHING 1e-14

static Arena arena;
static char err[REHASH_ERR];

/* ---- against the reference ---- */

static void
compare(const Calibration *c, const Json *want, int64_t runs)
{
	RehashTable t;
	int code = rehash_table(&arena, c, runs, &t, err);
	CHECK(code == EXIT_OK, "%s", err);
	if (code)
		return;
	const Json *keys = json_get(want, "keys");
	const Json *weights = json_get(want, "weights_x_e0_e1");
	CHECK((int64_t)keys->n == runs && (int64_t)weights->n == runs);
	for (int64_t i = 0; i < runs; i++) {
		CHECK(t.key[i] == keys->item[i].integer, "key %lld is %lld",
			(long long)i, (long long)t.key[i]);
		for (int j = 0; j < 3; j++) {
			double x = weights->item[i].item[j].number;
			CHECK(fabs(t.weight[i][j] - x) <= 1e-6, "%g, not %g",
				t.weight[i][j], x);
		}
		/* the row is the weights, DDIM's latents being unscaled */
		const SamplerRow *r = &t.sampler->row[i];
		CHECK(r->next[COL_X] == t.weight[i][0]
			&& r->next[COL_E] == t.weight[i][1]
			&& r->next[COL_H] == t.weight[i][2]);
		CHECK(r->t == c->sampler->row[t.key[i]].t);
	}
	CHECK(t.predicted > 0 && t.held_out > t.predicted / 4
		&& t.held_out < t.predicted * 4, "%g, held out %g", t.predicted,
		t.held_out);
}

static void
try_reference(const char *name, const char *path)
{
	int code;
	Calibration c;
	const Json *all = json_read_file(&arena,
		"tests/data/rehash/tables.json", &code, err);
	const Json *tables = json_get(all, name);
	test(path);
	CHECK(tables && tables->n >= 2, "%s", err);
	code = calibration_read(&arena, path, &c, err);
	CHECK(code == EXIT_OK, "%s", err);
	for (size_t i = 0; !code && tables && i < tables->n; i++)
		compare(&c, &tables->item[i], atoi(tables->key[i]));
}

/* ---- runs that are made up ---- */

static const Sampler *
sampler(const char *config)
{
	JsonError e;
	const Json *j = json_parse(&arena, config, strlen(config), 4, &e);
	const Sampler *m = sampler_make(&arena, j, STEPS, err);
	CHECK(m, "%s", err);
	return m;
}

#define DDIM "{\"_class_name\": \"DDIMScheduler\", \"clip_sample\": false, " \
	"\"prediction_type\": \"v_prediction\", " \
	"\"timestep_spacing\": \"linspace\"}"
#define EULER "{\"_class_name\": \"EulerDiscreteScheduler\", " \
	"\"prediction_type\": \"epsilon\", \"timestep_spacing\": \"linspace\"}"

static double
noise(void)
{
	static uint32_t state = 1;
	state = state * 1664525u + 1013904223u;
	return (double)(state >> 8) / (1 << 23) - 1;
}

/* What a full run leaves when the outputs are a line over the steps, of `slope`
 * (0: always the same). */
static void
make_run(const Sampler *m, double slope, double *gram)
{
	static double v[SIDE][SIZE];
	for (int k = 0; k < SIZE; k++) {
		double base = noise(), change = slope * noise();
		v[0][k] = m->start * noise();
		for (int i = 0; i < STEPS; i++) {
			const SamplerRow *r = &m->row[i];
			double x = v[i][k], e = base + change * i;
			double z = r->p0 * x + r->p1 * e;
			v[STEPS + 1 + i][k] = e;
			v[i + 1][k] = r->next[COL_Z] * z + r->next[COL_X] * x
				+ r->next[COL_E] * e;
		}
	}
	for (int i = 0; i < SIDE; i++)
		for (int j = 0; j < SIDE; j++) {
			double sum = 0;
			for (int k = 0; k < SIZE; k++)
				sum += v[i][k] * v[j][k];
			gram[i * SIDE + j] = sum;
		}
}

static Calibration
made_up(const Sampler *m, double slope)
{
	static const char *prompt[] = {"one", "two", "three"};
	Calibration c = {.path = "made up", .model = "none",
		.model_class = "UNetMotionModel", .sampler = m, .reference = m,
		.guidance = 5, .frames = 8, .width = 64, .height = 64,
		.wanted = 3, .n = 3, .prompt = prompt};
	c.gram = arena_array(&arena, 3 * SIDE * SIDE, sizeof *c.gram);
	for (int i = 0; i < 3; i++)
		make_run(m, slope, c.gram + i * SIDE * SIDE);
	return c;
}

/* Outputs on a line are forecast exactly: but for the first key, which has none
 * before it, so that the second follows at once. */
static void
try_line(const char *config)
{
	test("outputs on a line over the steps are forecast exactly");
	const Sampler *m = sampler(config);
	Calibration c = made_up(m, 0.05);
	RehashTable t;
	for (int64_t runs = 8; runs <= 13; runs += 5) {
		int code = rehash_table(&arena, &c, runs, &t, err);
		CHECK(!code, "%s", err);
		if (code)
			return;
		CHECK(t.predicted < NOTHING, "%g", t.predicted);
		CHECK(t.held_out < NOTHING, "%g", t.held_out);
		CHECK(t.key[0] == 0 && t.key[1] == 1);
		for (int64_t i = 1; i < runs; i++)
			CHECK(t.key[i] > t.key[i - 1]);
	}
}

static void
try_all_steps(const char *config)
{
	test("the table of all steps is the sampler");
	const Sampler *m = sampler(config);
	Calibration c = made_up(m, 0.05);
	RehashTable t;
	int code = rehash_table(&arena, &c, STEPS, &t, err);
	CHECK(!code, "%s", err);
	for (int64_t i = 0; !code && i < STEPS; i++) {
		const SamplerRow *want = &m->row[i], *got = &t.sampler->row[i];
		double x = want->next[COL_Z] * want->p0 + want->next[COL_X];
		double e = want->next[COL_Z] * want->p1 + want->next[COL_E];
		CHECK(t.key[i] == i && got->t == want->t
			&& got->scale == want->scale);
		CHECK(fabs(got->next[COL_X] - x) < 1e-9 * fabs(x));
		CHECK(fabs(got->next[COL_E] - e) < 1e-9 * fabs(e));
		CHECK(fabs(got->next[COL_H]) < 1e-9 * fabs(e));
	}
	CHECK(t.sampler->start == m->start);
}

/* DDIM of a model that predicts noise, between levels that chain (a step begins at
 * the level that the one before it ended at): steps with one output are a larger
 * step. */
static void
try_frozen(void)
{
	test("frozen rows on chained levels are one larger DDIM step");
	double angle[STEPS + 1];
	Sampler m = *sampler(DDIM);
	m.row = arena_array(&arena, STEPS, sizeof *m.row);
	for (int i = 0; i <= STEPS; i++)
		angle[i] = 1.5 * (STEPS - i) / STEPS;
	for (int i = 0; i < STEPS; i++) {
		m.row[i] = (SamplerRow){.t = 999 - 40 * i, .scale = 1,
			.p0 = 1 / cos(angle[i]), .p1 = -tan(angle[i]),
			.clip = INFINITY};
		m.row[i].next[COL_Z] = cos(angle[i + 1]);
		m.row[i].next[COL_E] = sin(angle[i + 1]);
	}
	Calibration c = made_up(&m, 0);
	RehashTable t;
	int code = rehash_table(&arena, &c, 7, &t, err);
	CHECK(!code, "%s", err);
	CHECK(code || t.predicted < NOTHING, "%g", t.predicted);
	for (int64_t i = 0; !code && i < 7; i++) {
		int64_t q = t.key[i], k = i + 1 < 7 ? t.key[i + 1] : STEPS;
		double to = cos(angle[k]), from = cos(angle[q]);
		double w = sin(angle[k]) - sin(angle[q]) * to / from;
		CHECK(fabs(t.weight[i][0] - to / from) < 1e-9);
		/* both outputs are the same: only their sum counts */
		CHECK(fabs(t.weight[i][1] + t.weight[i][2] - w) < 1e-9);
	}
}

/* ---- the file ---- */

static int
table_of(Calibration c, int64_t runs)
{
	RehashTable t;
	*err = 0;
	return rehash_table(&arena, &c, runs, &t, err);
}

static void
try_refusals(void)
{
	test("numbers of runs and calibrations that cannot be");
	const Sampler *m = sampler(DDIM);
	Calibration c = made_up(m, 0.05), bad = c;
	CHECK(table_of(c, 0) == EXIT_USAGE);
	CHECK(table_of(c, 26) == EXIT_USAGE && strstr(err, "1 .. 25"), "%s", err);
	CHECK(table_of(c, 3) == EXIT_USAGE && strstr(err, "take 4"), "%s", err);
	CHECK(table_of(c, 4) == EXIT_OK, "%s", err);
	bad.wanted = 4;
	CHECK(table_of(bad, 13) == EXIT_WEIGHTS && strstr(err, "3 of 4"), "%s",
		err);
	bad = c;
	bad.sampler = bad.reference = sampler("{\"_class_name\": "
		"\"DDIMScheduler\", \"clip_sample\": true}");
	CHECK(table_of(bad, 13) == EXIT_SOURCE
		&& strstr(err, "clip_sample: false"), "%s", err);
	bad.sampler = bad.reference = sampler("{\"_class_name\": "
		"\"EulerAncestralDiscreteScheduler\"}");
	CHECK(table_of(bad, 13) == EXIT_SOURCE && strstr(err, "noise"), "%s", err);
	bad.sampler = bad.reference = sampler("{\"_class_name\": "
		"\"DPMSolverMultistepScheduler\"}");
	CHECK(table_of(bad, 13) == EXIT_SOURCE
		&& strstr(err, "EulerDiscreteScheduler"), "%s", err);
}

static bool
same(const Calibration *a, const Calibration *b)
{
	bool ok = a->n == b->n && a->wanted == b->wanted
		&& a->guidance == b->guidance && a->frames == b->frames
		&& a->width == b->width && a->height == b->height
		&& a->seed == b->seed && !strcmp(a->model, b->model)
		&& !strcmp(a->model_class, b->model_class);
	for (int64_t i = 0; ok && i < a->wanted; i++)
		ok = !strcmp(a->prompt[i], b->prompt[i]);
	return ok && !memcmp(a->gram, b->gram,
		(size_t)(a->n * SIDE * SIDE) * sizeof *a->gram)
		&& !memcmp(a->sampler->row, b->sampler->row,
			STEPS * sizeof *a->sampler->row);
}

static void
try_file(const char *folder)
{
	test("a calibration is read as it was written");
	const char *path = arena_printf(&arena, "%s/a.safetensors", folder);
	Calibration c = made_up(sampler(DDIM), 0.05), back;
	static const char *odd[] = {"a \"quoted\" one\\", "zw\xc3\xb6lf", ""};
	c.prompt = odd;
	c.n = 2;
	int code = calibration_write(path, &c, err);
	CHECK(!code, "%s", err);
	code = calibration_read(&arena, path, &back, err);
	CHECK(!code, "%s", err);
	CHECK(code || same(&c, &back));

	test("damaged calibrations");
	c.gram[7] = NAN;
	CHECK(!calibration_write(path, &c, err)
		&& calibration_read(&arena, path, &back, err) == EXIT_WEIGHTS
		&& strstr(err, "prompt 1"), "%s", err);
	c.gram[7] = 1e9;
	CHECK(!calibration_write(path, &c, err)
		&& calibration_read(&arena, path, &back, err) == EXIT_WEIGHTS);
	CHECK(!truncate(path, 3000) && calibration_read(&arena, path, &back, err)
		== EXIT_WEIGHTS);
	CHECK(calibration_read(&arena, "tests/data/golden/none", &back, err)
		== EXIT_IO);
	remove(path);
}

int
main(void)
{
	char folder[] = "/tmp/sluice_rehash_XXXXXX";
	try_reference("reference_25", "tests/data/rehash/steps25.safetensors");
	try_reference("reference_97", "tests/data/rehash/steps97.safetensors");
	try_line(DDIM);
	try_line(EULER);
	try_all_steps(DDIM);
	try_all_steps(EULER);
	try_frozen();
	try_refusals();
	if (mkdtemp(folder)) {
		try_file(folder);
		rmdir(folder);
	}
	arena_free(&arena);
	return test_end();
}
