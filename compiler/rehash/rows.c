/* rows.c - keys and weights to a table, and what it may err. */
#include "compiler/rehash/fit.h"

#include <math.h>

static int __attribute__((format(printf, 3, 4)))
fail(char *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err, REHASH_ERR, fmt, ap);
	va_end(ap);
	return code;
}

bool
rehash_possible(const Sampler *m, char *err)
{
	const char *why = NULL;
	if (m->noise)
		why = "adds noise at each step; take DDIMScheduler or "
			"EulerDiscreteScheduler";
	else if (m->history || m->rows != m->steps)
		why = "is no plain step from latent to latent; take "
			"DDIMScheduler or EulerDiscreteScheduler";
	for (int64_t i = 0; i < m->rows && !why; i++)
		if (isfinite(m->row[i].clip))
			why = "clips the clean latent; set clip_sample: false";
	if (why)
		fail(err, 0, "%.80s %s", m->class_name, why);
	else if (m->rows < REHASH_STEPS_MIN || m->rows > REHASH_STEPS_MAX)
		fail(err, 0, "%lld steps: set steps to %d .. %d",
			(long long)m->rows, REHASH_STEPS_MIN, REHASH_STEPS_MAX);
	else
		return true;
	return false;
}

static int
check(const Calibration *c, int64_t runs, char *err)
{
	int64_t steps = c->sampler->rows, gap = keys_gap(runs);
	char why[REHASH_ERR];
	if (!rehash_possible(c->sampler, why)
		|| !rehash_possible(c->reference, why))
		return fail(err, EXIT_SOURCE, "%.200s: %.250s", c->path, why);
	if (c->n < c->wanted)
		return fail(err, EXIT_WEIGHTS, "%.200s: the calibration was not "
			"finished: %lld of %lld prompts; run the same `sluice "
			"calibrate` again", c->path, (long long)c->n,
			(long long)c->wanted);
	if (runs > steps || runs < 1)
		return fail(err, EXIT_USAGE, "%lld runs: the calibration is of "
			"%lld steps; take 1 .. %lld", (long long)runs,
			(long long)steps, (long long)steps);
	if (runs * gap < steps) {
		int64_t least = runs;
		while (least * keys_gap(least) < steps)
			least++;
		return fail(err, EXIT_USAGE, "%lld runs are too few for %lld "
			"steps: at most %lld steps lie between two of them; take "
			"%lld or more", (long long)runs, (long long)steps,
			(long long)gap, (long long)least);
	}
	return EXIT_OK;
}

/* The key before and the landing behind key i. */
static void
neighbours(const int64_t *key, int64_t runs, int64_t steps, int64_t i, int64_t *p,
	int64_t *k)
{
	*p = i ? key[i - 1] : -1;
	*k = i + 1 < runs ? key[i + 1] : steps;
}

/* Sum of the median errors on `judged` of keys and weights fitted to `fitted`. */
static double
error_on(Arena *a, const Runs *fitted, const Runs *judged, int64_t runs)
{
	int64_t *key = arena_array(a, (size_t)runs, sizeof *key), p, k;
	double sum = 0;
	if (!keys_choose(a, fitted, runs, key))
		return NAN;
	for (int64_t i = 0; i < runs; i++) {
		Segment s;
		neighbours(key, runs, fitted->steps, i, &p, &k);
		if (!segment_fit(fitted, p, key[i], k, &s))
			return NAN;
		segment_judge(judged, p, key[i], k, &s);
		sum += s.median;
	}
	return sum;
}

static double
held_out(Arena *a, const Calibration *c, int64_t runs)
{
	Runs half[2];
	if (c->n < 2)
		return NAN;
	for (int i = 0; i < 2; i++)
		runs_make(a, c, i, 2, &half[i]);
	return (error_on(a, &half[0], &half[1], runs)
		+ error_on(a, &half[1], &half[0], runs)) / 2;
}

/* The row of key q that lands at latent k. */
static void
make_row(const Sampler *m, int64_t q, int64_t k, const double *w, bool last,
	SamplerRow *row)
{
	double to = latent_scale(m, k);
	*row = (SamplerRow){.t = m->row[q].t, .scale = m->row[q].scale,
		.clip = INFINITY};
	row->next[COL_X] = w[0] * latent_scale(m, q) / to;
	row->next[COL_E] = w[1] / to;
	row->next[COL_H] = w[2] / to;
	row->keep[COL_E] = !last;
}

static int
make_rows(Arena *a, const Calibration *c, const Runs *r, RehashTable *t)
{
	Sampler *m = arena_alloc(a, sizeof *m);
	int64_t p, k;
	*m = (Sampler){
		.class_name = arena_printf(a, "Rehash%lldOf%lld",
			(long long)t->runs, (long long)r->steps),
		.prediction = c->sampler->prediction,
		.model = c->model_class, .low = c->sampler->low,
		.high = c->sampler->high, .start = c->sampler->start,
		.steps = t->runs, .rows = t->runs, .history = t->runs > 1,
	};
	m->row = arena_array(a, (size_t)t->runs, sizeof *m->row);
	for (int64_t i = 0; i < t->runs; i++) {
		Segment s = {0};
		neighbours(t->key, t->runs, r->steps, i, &p, &k);
		if (!segment_fit(r, p, t->key[i], k, &s))
			return EXIT_WEIGHTS;
		t->predicted += s.median;
		for (int j = 0; j < 3; j++)
			t->weight[i][j] = j < 2 || i ? s.w[j] : 0;
		make_row(c->sampler, t->key[i], k, t->weight[i],
			i + 1 == t->runs, &m->row[i]);
	}
	t->sampler = m;
	return EXIT_OK;
}

int
rehash_table(Arena *a, const Calibration *c, int64_t runs, RehashTable *out,
	char *err)
{
	Runs all;
	int code = check(c, runs, err);
	if (code)
		return code;
	*out = (RehashTable){.runs = runs};
	out->key = arena_array(a, (size_t)runs, sizeof *out->key);
	out->weight = arena_array(a, (size_t)runs, sizeof *out->weight);
	runs_make(a, c, 0, 1, &all);
	if (!keys_choose(a, &all, runs, out->key)
		|| make_rows(a, c, &all, out) != EXIT_OK)
		return fail(err, EXIT_WEIGHTS, "%.200s: its numbers are no inner "
			"products of latents", c->path);
	out->held_out = held_out(a, c, runs);
	return EXIT_OK;
}
