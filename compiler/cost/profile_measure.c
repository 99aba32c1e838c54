/* profile_measure.c - from measured samples to a profile: the seconds of a unit,
 * none of them negative, that predict the samples best.
 *
 * The error of a sample is (predicted - measured)^2 / (predicted measured): half
 * and double weigh the same, and a microsecond's sample as much as a second's.
 * Each round takes the weights from the last one's prediction and solves the
 * least squares by coordinate descent, which keeps every term above zero by
 * cutting it off there.  A sample that no profile explains (something else ran
 * on the machine) loses its weight.
 */
#include "compiler/cost/profile.h"

#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 10, SWEEPS = 3000, PASSES = 3 };
/* Two times of a program that are one. */
#define AGREE 1.15
/* An error (as a logarithm) that costs a sample half of its weight. */
#define FAR 0.3

double
profile_predict(const Profile *c, const Sample *s)
{
	double sum = 0;
	for (int i = 0; i < COST_COUNT; i++)
		sum += s->units[i] * c->seconds[s->dtype][i];
	return sum;
}

/* Weight of a squared error in seconds. */
static double
trust(double measured, double predicted)
{
	double p = fmax(predicted, measured / 10);
	double off = log(measured / p) / FAR;
	return 1 / (measured * p * (1 + off * off));
}

/* One sweep over all terms; `rest` is measured - predicted of each sample. */
static void
sweep(double *seconds, const Samples *s, const double *weight, double *rest)
{
	for (int t = 0; t < COST_COUNT; t++) {
		double up = 0, down = 0;
		for (size_t i = 0; i < s->n; i++) {
			double u = s->at[i].units[t];
			up += weight[i] * u * rest[i];
			down += weight[i] * u * u;
		}
		if (!(down > 0))
			continue;
		double change = fmax(up / down, -seconds[t]);
		seconds[t] += change;
		for (size_t i = 0; i < s->n; i++)
			rest[i] -= change * s->at[i].units[t];
	}
}

void
profile_fit(Profile *c, DType dtype, const Samples *samples)
{
	Samples mine = {0};
	double *seconds = c->seconds[dtype];
	for (size_t i = 0; i < samples->n; i++)
		if (samples->at[i].dtype == dtype)
			*vec_push(&mine) = samples->at[i];
	double *weight = calloc(mine.n + 1, sizeof *weight);
	double *rest = calloc(mine.n + 1, sizeof *rest);
	if (!weight || !rest)
		fatal(EXIT_MEMORY, "out of memory");
	for (int t = 0; t < COST_COUNT; t++)
		seconds[t] = 0;
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < mine.n; i++) {
			const Sample *s = &mine.at[i];
			double p = profile_predict(c, s);
			weight[i] = round ? trust(s->seconds, p)
				: 1 / (s->seconds * s->seconds);
			rest[i] = s->seconds - p;
		}
		for (int k = 0; k < SWEEPS; k++)
			sweep(seconds, &mine, weight, rest);
	}
	/* what no program of the samples needs, or hides in the noise */
	for (int t = 0; t < COST_COUNT; t++)
		seconds[t] = fmin(fmax(seconds[t], cost_term[t].least),
			cost_term[t].most);
	free(weight);
	free(rest);
	vec_free(&mine);
}

/* One pass over all programs. */
static int
measure_all(Arena *a, Threads *team, double patience, Samples *out, char *err)
{
	const char *folder = getenv("TMPDIR");
	int code = EXIT_OK;
	for (int t = 0; t < COST_DTYPES && !code; t++) {
		profile_cases(a, (DType)t, team, patience, out);
		code = profile_loads(a, (DType)t, folder && *folder ? folder
			: P_tmpdir, out, err);
	}
	return code;
}

/* Keeps the least time of each program. */
static void
keep_least(Samples *all, const Samples *pass)
{
	for (size_t i = 0; i < pass->n; i++) {
		double x = pass->at[i].seconds;
		if (i == all->n) {
			*vec_push(all) = pass->at[i];
			all->at[i].unsure = true;
			continue;
		}
		Sample *s = &all->at[i];
		double off = fmax(x, s->seconds) / fmin(x, s->seconds);
		s->unsure &= off > AGREE;
		s->seconds = fmin(x, s->seconds);
	}
}

int
profile_measure(Arena *a, const char *name, int threads, double patience,
	Profile *out, Samples *samples, char *err)
{
	int code = EXIT_OK;
	Threads *team = threads_start(threads, err, PROFILE_ERR);
	if (!team)
		return EXIT_MEMORY;
	*out = (Profile){.name = name, .target = "cpu", .threads = threads};
	threads_pin(team, true);
	for (int i = 0; i < PASSES && !code; i++) {
		Samples pass = {0};
		code = measure_all(a, team, patience, &pass, err);
		keep_least(samples, &pass);
		vec_free(&pass);
	}
	threads_pin(team, false);
	threads_stop(team);
	for (int t = 0; t < COST_DTYPES && !code; t++)
		profile_fit(out, (DType)t, samples);
	return code;
}
