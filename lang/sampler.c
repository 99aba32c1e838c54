/* sampler.c - a scheduler's config to its table: for each step the model's
 * time, the factor of its input, and the coefficients of the update.
 *
 * Everything a sampler does is affine in the latent and the model's answer, so
 * the op `sample` needs eight numbers a step and knows no scheduler:
 *     x0 = clamp(p0 x + p1 e, -clip, clip)       x' = q0 x0 + q1 x + q2 e
 * All arithmetic is in double, but two habits of the library that the models
 * were made with are repeated, because they show in the result.  Its table of
 * noise levels is in single precision: 1 - beta loses up to a thousandth of a
 * small beta to rounding, and so do the last sigmas.  And numpy's way to round
 * (half to even) and to fill a range decides which integer a time step becomes.
 */
#include "lang/lang.h"

#include <math.h>
#include <string.h>

enum { TRAIN_MAX = 100000, ERR_BYTES = 256 };

typedef enum Spacing { LINSPACE, LEADING, TRAILING } Spacing;
typedef enum Prediction { EPSILON, V_PREDICTION, SAMPLE } Prediction;

/* The settings of a config, checked. */
typedef struct Settings {
	const Json *json;
	char *err;              /* the first thing that is wrong, "" if nothing */
	int64_t train;          /* num_train_timesteps */
	int64_t steps, offset;
	Spacing spacing;
	Prediction prediction;
	float *abar;            /* [train]: cumulative product of 1 - beta */
} Settings;

/* ---- reading settings: null and absent mean the class's default ---- */

static void __attribute__((format(printf, 2, 3)))
refuse(Settings *s, const char *fmt, ...)
{
	if (*s->err)
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(s->err, ERR_BYTES, fmt, ap);
	va_end(ap);
}

static const Json *
setting(const Settings *s, const char *key)
{
	const Json *j = json_get(s->json, key);
	return j && j->kind != JSON_NULL ? j : NULL;
}

static double
number(Settings *s, const char *key, double otherwise)
{
	const Json *j = setting(s, key);
	if (!j)
		return otherwise;
	if (j->kind == JSON_INT || j->kind == JSON_FLOAT) {
		if (isfinite(j->number))
			return j->number;
	}
	refuse(s, "scheduler setting '%s' must be a finite number", key);
	return otherwise;
}

static int64_t
integer(Settings *s, const char *key, int64_t otherwise, int64_t lo, int64_t hi)
{
	const Json *j = setting(s, key);
	if (!j)
		return otherwise;
	if (j->kind == JSON_INT && j->integer >= lo && j->integer <= hi)
		return j->integer;
	refuse(s, "scheduler setting '%s' must be an integer in %lld .. %lld",
		key, (long long)lo, (long long)hi);
	return otherwise;
}

static bool
boolean(Settings *s, const char *key, bool otherwise)
{
	const Json *j = setting(s, key);
	if (!j)
		return otherwise;
	if (j->kind == JSON_BOOL)
		return j->boolean;
	refuse(s, "scheduler setting '%s' must be true or false", key);
	return otherwise;
}

/* The index of the setting's text among `names` (ends with NULL). */
static int
choice(Settings *s, const char *key, int otherwise, const char *const *names)
{
	const Json *j = setting(s, key);
	if (!j)
		return otherwise;
	if (j->kind != JSON_STRING) {
		refuse(s, "scheduler setting '%s' must be a string", key);
		return otherwise;
	}
	size_t n = 0;
	for (; names[n]; n++)
		if (!strcmp(names[n], j->text))
			return (int)n;
	const char *near = nearest_name(j->text, names, n);
	refuse(s, "scheduler setting '%s': '%.60s' is not supported%s%s%s", key,
		j->text, near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	return otherwise;
}

static void
must_be_off(Settings *s, const char *key)
{
	if (boolean(s, key, false))
		refuse(s, "scheduler setting '%s' is not supported", key);
}

/* ---- noise levels ---- */

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

static void
make_betas(Settings *s, float *beta)
{
	static const char *const names[] = {
		"linear", "scaled_linear", "squaredcos_cap_v2", NULL
	};
	double b0 = number(s, "beta_start", 0.0001);
	double b1 = number(s, "beta_end", 0.02);
	int kind = choice(s, "beta_schedule", 0, names);
	const Json *trained = setting(s, "trained_betas");
	double n = (double)s->train;

	if (trained) {
		trained_betas(s, trained, beta);
		return;
	}
	for (int64_t i = 0; i < s->train; i++) {
		double u = s->train == 1 ? 0 : (double)i / (n - 1);
		if (kind == 0) {
			beta[i] = (float)(b0 + u * (b1 - b0));
		} else if (kind == 1) {
			float r = (float)(sqrt(b0) + u * (sqrt(b1) - sqrt(b0)));
			beta[i] = r * r;
		} else {
			beta[i] = (float)fmin(0.999, 1
				- cosine_level(((double)i + 1) / n)
				/ cosine_level((double)i / n));
		}
	}
}

/* Moves and stretches the square roots so that the last level has no signal
 * (Lin et al. 2023, algorithm 1). */
static void
rescale_zero_snr(Settings *s)
{
	double first = sqrt(s->abar[0]), last = sqrt(s->abar[s->train - 1]);
	for (int64_t i = 0; i < s->train; i++) {
		double r = (sqrt(s->abar[i]) - last) * first / (first - last);
		s->abar[i] = (float)(r * r);
	}
}

static void
make_levels(Settings *s, Arena *a)
{
	float *beta = arena_array(a, (size_t)s->train, sizeof *beta);
	s->abar = arena_array(a, (size_t)s->train, sizeof *s->abar);
	make_betas(s, beta);
	double product = 1;
	for (int64_t i = 0; i < s->train; i++) {
		if (!(beta[i] > 0 && beta[i] < 1)) {
			refuse(s, "scheduler's beta %lld is %g: not between 0 and 1",
				(long long)i, (double)beta[i]);
			return;
		}
		/* rounded when it is stored, not while it is multiplied */
		product *= (double)(1 - beta[i]);
		s->abar[i] = (float)product;
	}
	if (boolean(s, "rescale_betas_zero_snr", false) && s->train > 1)
		rescale_zero_snr(s);
}

/* ---- time steps ---- */

/* Element i of n numbers from `from` to `to`. */
static double
ramp(double from, double to, int64_t i, int64_t n)
{
	if (n == 1)
		return from;
	if (i == n - 1)
		return to;
	return from + (double)i * ((to - from) / (double)(n - 1));
}

/* Times of the steps, descending; linspace is not rounded. */
static void
make_times(const Settings *s, double *t)
{
	int64_t n = s->steps;
	double train = (double)s->train;
	/* a descending range is filled from its first two elements */
	double delta = (train - train / (double)n) - train;
	for (int64_t i = 0; i < n; i++) {
		switch (s->spacing) {
		case LINSPACE:
			t[i] = ramp(0, train - 1, n - 1 - i, n);
			break;
		case LEADING:
			t[i] = (double)((n - 1 - i) * (s->train / n) + s->offset);
			break;
		case TRAILING:
			t[i] = rint(train + (double)i * delta) - 1;
			break;
		}
	}
}

static void
common_settings(Settings *s, Arena *a, int spacing)
{
	static const char *const spacings[] = {
		"linspace", "leading", "trailing", NULL
	};
	static const char *const predictions[] = {
		"epsilon", "v_prediction", "sample", NULL
	};
	s->train = integer(s, "num_train_timesteps", 1000, 1, TRAIN_MAX);
	s->spacing = (Spacing)choice(s, "timestep_spacing", spacing, spacings);
	s->prediction = (Prediction)choice(s, "prediction_type", EPSILON,
		predictions);
	s->offset = integer(s, "steps_offset", 0, 0, TRAIN_MAX);
	if (s->steps < 1 || s->steps > s->train)
		refuse(s, "%lld steps: this scheduler takes 1 .. %lld",
			(long long)s->steps, (long long)s->train);
	if (!*s->err)
		make_levels(s, a);
}

/* ---- DDIM ---- */

/* One row: from level a to level ap (signal left, 0 .. 1). */
static void
ddim_row(Prediction prediction, double a, double ap, double clip, double *row)
{
	double ra = sqrt(a), rb = sqrt(1 - a);
	double rap = sqrt(ap), rbp = sqrt(1 - ap);
	double p0 = 0, p1 = 0, q1 = 0, q2 = 0;

	switch (prediction) {
	case EPSILON:           /* e is the noise */
		p0 = 1 / ra;
		p1 = -rb / ra;
		q2 = rbp;
		break;
	case V_PREDICTION:      /* noise = ra e + rb x */
		p0 = ra;
		p1 = -rb;
		q1 = rbp * rb;
		q2 = rbp * ra;
		break;
	case SAMPLE:            /* e is x0; noise = (x - ra e) / rb */
		p1 = 1;
		q1 = rbp / rb;
		q2 = -rbp * ra / rb;
		break;
	}
	double values[] = {p0, p1, clip, rap, q1, q2};
	memcpy(row, values, sizeof values);
}

static void
make_ddim(Settings *s, Arena *a, Sampler *m)
{
	common_settings(s, a, LEADING);
	must_be_off(s, "thresholding");
	double range = number(s, "clip_sample_range", 1);
	double clip = boolean(s, "clip_sample", true) ? range : INFINITY;
	bool to_one = boolean(s, "set_alpha_to_one", true);
	if (!(range > 0))
		refuse(s, "scheduler setting 'clip_sample_range' must be above 0");
	if (*s->err)
		return;
	make_times(s, m->timesteps);
	m->init_noise_sigma = 1;
	for (int64_t i = 0; i < s->steps; i++) {
		int64_t t = (int64_t)rint(m->timesteps[i]);
		int64_t prev = t - s->train / s->steps;
		if (t < 0 || t >= s->train) {
			refuse(s, "step %lld would be at time %lld, beyond the last "
				"one, %lld: too many steps for 'steps_offset' %lld",
				(long long)i, (long long)t, (long long)s->train - 1,
				(long long)s->offset);
			return;
		}
		m->timesteps[i] = (double)t;
		m->scale[i] = 1;
		float ap = prev >= 0 ? s->abar[prev] : to_one ? 1 : s->abar[0];
		ddim_row(s->prediction, (double)s->abar[t], (double)ap, clip,
			m->update[i]);
	}
}

/* ---- Euler ---- */

/* Noise level of training step t. */
static double
table_sigma(const Settings *s, int64_t t)
{
	return (double)sqrtf((1 - s->abar[t]) / s->abar[t]);
}

/* Noise level of a fractional time, clamped to the table. */
static double
sigma_at(const Settings *s, double t)
{
	if (t <= 0)
		return table_sigma(s, 0);
	if (t >= (double)(s->train - 1))
		return table_sigma(s, s->train - 1);
	int64_t i = (int64_t)t;
	double u = t - (double)i;
	return (1 - u) * table_sigma(s, i) + u * table_sigma(s, i + 1);
}

/* The time whose level in the table is sigma, interpolated in the logarithm
 * and clamped. */
static double
time_of_sigma(const Settings *s, double sigma)
{
	int64_t lo = 0, hi = s->train - 1;
	if (sigma <= table_sigma(s, lo))
		return (double)lo;
	if (sigma >= table_sigma(s, hi))
		return (double)hi;
	while (hi - lo > 1) {
		int64_t mid = lo + (hi - lo) / 2;
		if (table_sigma(s, mid) <= sigma)
			lo = mid;
		else
			hi = mid;
	}
	double a = log(table_sigma(s, lo)), b = log(table_sigma(s, hi));
	return (double)lo + (log(sigma) - a) / (b - a);
}

/* Sigmas on the ramp of Karras et al. 2022, eq. 5 with rho = 7. */
static void
karras_sigmas(Settings *s, double *sigma)
{
	double top = number(s, "sigma_max", sigma[0]);
	double low = number(s, "sigma_min", sigma[s->steps - 1]);
	if (!(low > 0 && top >= low)) {
		refuse(s, "scheduler settings 'sigma_min' %g and 'sigma_max' %g "
			"must be above 0 and in order", low, top);
		return;
	}
	double a = pow(top, 1.0 / 7), b = pow(low, 1.0 / 7);
	for (int64_t i = 0; i < s->steps; i++) {
		double u = s->steps == 1 ? 0 : (double)i / (double)(s->steps - 1);
		sigma[i] = pow(a + u * (b - a), 7);
	}
}

/* One row: from sigma to next, x' = x + (x - x0) / sigma (next - sigma). */
static void
euler_row(Prediction prediction, double sigma, double next, double *row)
{
	double r = next / sigma, v = sigma * sigma + 1;
	double p0 = 1, p1 = -sigma, q0 = 1 - r, q1 = r, q2 = 0;

	switch (prediction) {
	case EPSILON:           /* (x - x0) / sigma is e itself */
		q0 = 0;
		q1 = 1;
		q2 = next - sigma;
		break;
	case V_PREDICTION:
		p0 = 1 / v;
		p1 = -sigma / sqrt(v);
		break;
	case SAMPLE:
		p0 = 0;
		p1 = 1;
		break;
	}
	double values[] = {p0, p1, INFINITY, q0, q1, q2};
	memcpy(row, values, sizeof values);
}

/* Settings of Euler that would change the schedule in ways not made here. */
static void
euler_limits(Settings *s)
{
	static const char *const linear[] = {"linear", NULL};
	must_be_off(s, "use_exponential_sigmas");
	must_be_off(s, "use_beta_sigmas");
	choice(s, "interpolation_type", 0, linear);
}

static void
make_euler(Settings *s, Arena *a, Sampler *m)
{
	static const char *const types[] = {"discrete", "continuous", NULL};
	static const char *const finals[] = {"zero", "sigma_min", NULL};
	common_settings(s, a, LINSPACE);
	euler_limits(s);
	bool karras = boolean(s, "use_karras_sigmas", false);
	bool continuous = choice(s, "timestep_type", 0, types) == 1;
	int final = choice(s, "final_sigmas_type", 0, finals);
	if (*s->err)
		return;
	/* a level without any signal would be an infinite sigma */
	if (boolean(s, "rescale_betas_zero_snr", false))
		s->abar[s->train - 1] = 0x1p-24f;

	int64_t n = s->steps;
	double *sigma = m->sigmas = arena_array(a, (size_t)n + 1, sizeof *sigma);
	make_times(s, m->timesteps);
	for (int64_t i = 0; i < n; i++)
		sigma[i] = sigma_at(s, m->timesteps[i]);
	if (karras) {
		karras_sigmas(s, sigma);
		for (int64_t i = 0; i < n; i++)
			m->timesteps[i] = time_of_sigma(s, sigma[i]);
	}
	sigma[n] = final ? table_sigma(s, 0) : 0;
	m->init_noise_sigma = s->spacing == LEADING
		? sqrt(sigma[0] * sigma[0] + 1) : sigma[0];
	for (int64_t i = 0; i < n; i++) {
		if (continuous && s->prediction == V_PREDICTION)
			m->timesteps[i] = 0.25 * log(sigma[i]);
		m->scale[i] = 1 / sqrt(sigma[i] * sigma[i] + 1);
		euler_row(s->prediction, sigma[i], sigma[i + 1], m->update[i]);
	}
}

/* ---- the table of schedulers ---- */

typedef struct Maker {
	const char *class_name;
	void (*make)(Settings *s, Arena *a, Sampler *m);
} Maker;

static const Maker makers[] = {
	{"DDIMScheduler", make_ddim},
	{"EulerDiscreteScheduler", make_euler},
};

static const Maker *
find_maker(Settings *s)
{
	const char *names[COUNT_OF(makers)];
	const Json *class = setting(s, "_class_name");
	if (!class || class->kind != JSON_STRING) {
		refuse(s, "the scheduler's config has no '_class_name'");
		return NULL;
	}
	for (size_t i = 0; i < COUNT_OF(makers); i++) {
		names[i] = makers[i].class_name;
		if (!strcmp(names[i], class->text))
			return &makers[i];
	}
	const char *near = nearest_name(class->text, names, COUNT_OF(makers));
	if (near)
		refuse(s, "the scheduler's class '%.80s' is not known; did you "
			"mean '%s'?", class->text, near);
	else
		refuse(s, "the scheduler's class '%.80s' is not known; known are "
			"%s and %s", class->text, names[0], names[1]);
	return NULL;
}

/* Everything the table holds is finite, but for a clip that is switched off:
 * a level of exactly 0 or 1 can make it otherwise. */
static void
check_finite(Settings *s, const Sampler *m)
{
	for (int64_t i = 0; i < m->steps; i++) {
		const double *u = m->update[i];
		bool ok = isfinite(m->timesteps[i]) && isfinite(m->scale[i]);
		for (int k = 0; k < SAMPLER_COLS; k++)
			ok &= k == 2 ? u[k] > 0 : isfinite(u[k]);
		if (!ok) {
			refuse(s, "step %lld at time %g cannot be computed: the "
				"scheduler's noise level is degenerate there",
				(long long)i, m->timesteps[i]);
			return;
		}
	}
}

const Sampler *
sampler_make(Arena *a, const Json *config, int64_t steps, char *err)
{
	Settings s = {.json = config, .err = err, .steps = steps};
	*err = 0;
	if (!config || config->kind != JSON_MAP) {
		refuse(&s, "the scheduler's config is no JSON object");
		return NULL;
	}
	const Maker *maker = find_maker(&s);
	if (!maker)
		return NULL;
	if (steps < 1 || steps > TRAIN_MAX) {
		refuse(&s, "%lld steps: a scheduler takes 1 .. %d",
			(long long)steps, TRAIN_MAX);
		return NULL;
	}
	Sampler *m = arena_alloc(a, sizeof *m);
	size_t n = (size_t)steps;
	m->class_name = maker->class_name;
	m->steps = steps;
	m->timesteps = arena_array(a, n, sizeof *m->timesteps);
	m->scale = arena_array(a, n, sizeof *m->scale);
	m->update = arena_array(a, n, sizeof *m->update);
	maker->make(&s, a, m);
	if (!*err)
		check_finite(&s, m);
	return *err ? NULL : m;
}
