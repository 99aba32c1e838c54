/* levels.c - noise levels of the training steps, in single precision as the
 * models were trained with. */
#include "lang/sampler/family.h"

#include <math.h>
#include <string.h>

const Defaults usual_defaults = {LINSPACE, "linear", 0.0001, 0.02};

typedef enum BetaKind { LINEAR, SCALED_LINEAR, COSINE, SIGMOID } BetaKind;
static const char *const beta_kinds[] = {
	"linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", NULL
};

/* betas given one by one */
static void
trained_betas(Settings *s, const Json *list, float *beta)
{
	if (list->kind != JSON_LIST || list->n != (size_t)s->train) {
		refuse(s, "scheduler setting 'trained_betas' must be a list of "
			"num_train_timesteps = %lld numbers", (long long)s->train);
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		const Json *j = &list->item[i];
		if (j->kind != JSON_INT && j->kind != JSON_FLOAT) {
			refuse(s, "'trained_betas' holds something that is no number");
			return;
		}
		beta[i] = (float)j->number;
	}
}

/* Signal left after a cosine schedule (Nichol and Dhariwal 2021, eq. 17). */
static double
cosine_level(double t)
{
	double c = cos((t + 0.008) / 1.008 * M_PI / 2);
	return c * c;
}

/* Element i of n between two numbers.  `single`: with every rounding of
 * torch.linspace in f32, which goes by a rounded step, with one rounding for
 * product and sum, from the nearer end. */
static float
between(double from, double to, int64_t i, int64_t n, bool single)
{
	if (n == 1)
		return (float)from;
	if (!single)
		return (float)(from + (double)i / (double)(n - 1) * (to - from));
	float a = (float)from, b = (float)to;
	double step = (double)((b - a) / (float)(n - 1));
	return i < n / 2 ? (float)((double)a + step * (double)i)
		: (float)((double)b - step * (double)(n - 1 - i));
}

static float
make_beta(const Settings *s, BetaKind kind, double b0, double b1, int64_t i,
	bool single)
{
	int64_t n = s->train;
	if (kind == SCALED_LINEAR) {
		float r = between(sqrt(b0), sqrt(b1), i, n, single);
		return r * r;
	}
	if (kind == COSINE)
		return (float)fmin(0.999, 1 - cosine_level((double)(i + 1) / (double)n)
			/ cosine_level((double)i / (double)n));
	if (kind == SIGMOID)
		return (float)(b0 + (b1 - b0)
			/ (1 + exp(-(double)between(-6, 6, i, n, single))));
	return between(b0, b1, i, n, single);
}

static void
make_betas(Settings *s, const Defaults *d, bool single, float *beta)
{
	int kind = 0;
	while (strcmp(beta_kinds[kind], d->beta_schedule))
		kind++;
	double b0 = number(s, "beta_start", d->beta_start);
	double b1 = number(s, "beta_end", d->beta_end);
	kind = choice(s, "beta_schedule", kind, beta_kinds);
	const Json *trained = setting(s, "trained_betas");
	s->cosine = kind == COSINE;
	if (trained) {
		trained_betas(s, trained, beta);
		return;
	}
	for (int64_t i = 0; i < s->train; i++)
		beta[i] = make_beta(s, (BetaKind)kind, b0, b1, i, single);
}

/* abar: rounded when it is stored, not while it is multiplied. */
static void
multiply(Settings *s, const float *beta)
{
	double product = 1;
	for (int64_t i = 0; i < s->train; i++) {
		product *= (double)(1 - beta[i]);
		s->abar[i] = (float)product;
	}
}

/* Moves and stretches the square roots so that the last level has no signal
 * (Lin et al. 2023, algorithm 1).  Differences of small numbers: here the
 * roundings of single precision are the schedule, so all of them are
 * repeated, the way back to betas included.  (But for one: torch's square roots
 * may be off by their last bit, on one machine and not on another.) */
static void
rescale_zero_snr(Settings *s, float *beta)
{
	float first = sqrtf(s->abar[0]), last = sqrtf(s->abar[s->train - 1]);
	float factor = first / (first - last), before = 1;
	for (int64_t i = 0; i < s->train; i++) {
		float r = (sqrtf(s->abar[i]) - last) * factor;
		float level = r * r;
		beta[i] = 1 - (i ? level / before : level);
		before = level;
	}
	multiply(s, beta);
}

static void
make_levels(Settings *s, Arena *a, const Defaults *d)
{
	bool rescale = boolean(s, "rescale_betas_zero_snr", false)
		&& s->train > 1;
	float *beta = arena_array(a, (size_t)s->train, sizeof *beta);
	s->abar = arena_array(a, (size_t)s->train, sizeof *s->abar);
	make_betas(s, d, rescale, beta);
	for (int64_t i = 0; i < s->train; i++)
		if (!(beta[i] > 0 && beta[i] < 1)) {
			refuse(s, "scheduler's beta %lld is %g: not between 0 and 1",
				(long long)i, (double)beta[i]);
			return;
		}
	multiply(s, beta);
	if (rescale)
		rescale_zero_snr(s, beta);
}

void
common_settings(Settings *s, Arena *a, const Defaults *d)
{
	static const char *const spacings[] = {
		"linspace", "leading", "trailing", NULL
	};
	static const char *const predictions[] = {
		"epsilon", "v_prediction", "sample", NULL
	};
	s->train = integer(s, "num_train_timesteps", 1000, 1, TRAIN_MAX);
	s->spacing = (Spacing)choice(s, "timestep_spacing", d->spacing, spacings);
	s->prediction = (Prediction)choice(s, "prediction_type", EPSILON,
		predictions);
	s->offset = integer(s, "steps_offset", 0, 0, TRAIN_MAX);
	if (s->steps < 1 || s->steps > s->train)
		refuse(s, "%lld steps: this scheduler takes 1 .. %lld",
			(long long)s->steps, (long long)s->train);
	if (!*s->err)
		make_levels(s, a, d);
}

double
table_sigma(const Settings *s, int64_t t)
{
	return (double)sqrtf((1 - s->abar[t]) / s->abar[t]);
}

void
bound_last_sigma(Settings *s)
{
	if (boolean(s, "rescale_betas_zero_snr", false))
		s->abar[s->train - 1] = 0x1p-24f;
}
