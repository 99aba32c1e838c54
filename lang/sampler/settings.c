/* settings.c - reading a scheduler's config.  A key that no class has is
 * refused; one that another class has is that class's business and says nothing
 * here, as configs are passed on from one class to the next. */
#include "lang/sampler/family.h"

#include <math.h>
#include <string.h>

/* Keys of the classes that are read; those that no file here asks for change
 * nothing: they belong to settings that are refused when they are on. */
const char *const sampler_settings[] = {
	"algorithm_type", "beta_end", "beta_schedule", "beta_start",
	"clip_sample", "clip_sample_range", "disable_corrector",
	"dynamic_thresholding_ratio", "euler_at_final", "final_sigmas_type",
	"flow_shift", "interpolation_type", "lambda_min_clipped",
	"lower_order_final", "num_train_timesteps", "original_inference_steps",
	"predict_x0", "prediction_type", "rescale_betas_zero_snr",
	"sample_max_value", "set_alpha_to_one", "shift_terminal", "sigma_max",
	"sigma_min", "skip_prk_steps", "solver_order", "solver_p",
	"solver_type", "steps_offset", "thresholding", "time_shift_type",
	"timestep_scaling", "timestep_spacing", "timestep_type",
	"trained_betas", "use_beta_sigmas", "use_dynamic_shifting",
	"use_exponential_sigmas", "use_flow_sigmas", "use_karras_sigmas",
	"use_lu_lambdas", "variance_type", NULL
};

void
refuse(Settings *s, const char *fmt, ...)
{
	if (*s->err)
		return;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(s->err, SAMPLER_ERR, fmt, ap);
	va_end(ap);
}

const Json *
setting(const Settings *s, const char *key)
{
	const Json *j = json_get(s->json, key);
	return j && j->kind != JSON_NULL ? j : NULL;
}

double
number(Settings *s, const char *key, double otherwise)
{
	const Json *j = setting(s, key);
	if (!j)
		return otherwise;
	if ((j->kind == JSON_INT || j->kind == JSON_FLOAT)
		&& isfinite(j->number))
		return j->number;
	refuse(s, "scheduler setting '%s' must be a finite number", key);
	return otherwise;
}

int64_t
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

bool
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

int
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

void
must_be_off(Settings *s, const char *key)
{
	if (boolean(s, key, false))
		refuse(s, "scheduler setting '%s' is not supported", key);
}

void
known_settings(Settings *s)
{
	size_t n = 0;
	while (sampler_settings[n])
		n++;
	for (size_t i = 0; i < s->json->n; i++) {
		const char *key = s->json->key[i];
		bool known = *key == '_' || s->json->item[i].kind == JSON_NULL;
		for (size_t k = 0; k < n && !known; k++)
			known = !strcmp(key, sampler_settings[k]);
		if (known)
			continue;
		const char *near = nearest_name(key, sampler_settings, n);
		refuse(s, "scheduler setting '%.60s' is not known%s%s%s", key,
			near ? "; did you mean '" : "", near ? near : "",
			near ? "'?" : "");
	}
}

double
clip_setting(Settings *s, bool otherwise)
{
	double range = number(s, "clip_sample_range", 1);
	if (!(range > 0))
		refuse(s, "scheduler setting 'clip_sample_range' must be above 0");
	must_be_off(s, "thresholding");
	return boolean(s, "clip_sample", otherwise) ? range : INFINITY;
}
