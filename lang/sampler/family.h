/* family.h - what the families share.  Private to lang/sampler/. */
#ifndef SLUICE_SAMPLER_FAMILY_H
#define SLUICE_SAMPLER_FAMILY_H

#include "lang/sampler/sampler.h"

enum { TRAIN_MAX = 100000 };

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
	bool cosine;            /* beta_schedule squaredcos_cap_v2 */
	float *abar;            /* [train]: signal left, the cumulative product
	                           of 1 - beta */
} Settings;

/* A class's defaults where they differ between classes. */
typedef struct Defaults {
	Spacing spacing;
	const char *beta_schedule;
	double beta_start, beta_end;
} Defaults;
extern const Defaults usual_defaults;   /* linspace, linear 0.0001 .. 0.02 */

/* ---- settings.c: null and absent mean the class's default ---- */
void refuse(Settings *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const Json *setting(const Settings *s, const char *key);
double number(Settings *s, const char *key, double otherwise);
int64_t integer(Settings *s, const char *key, int64_t otherwise, int64_t lo,
	int64_t hi);
bool boolean(Settings *s, const char *key, bool otherwise);
/* The index of the setting's text among `names` (ends with NULL). */
int choice(Settings *s, const char *key, int otherwise,
	const char *const *names);
/* Refuses a setting that is on. */
void must_be_off(Settings *s, const char *key);
/* Refuses what is in none of the classes that are read. */
void known_settings(Settings *s);
/* clip_sample and clip_sample_range: the clip, infinite when it is off. */
double clip_setting(Settings *s, bool otherwise);

/* ---- levels.c ---- */
/* Reads what all classes have and makes abar. */
void common_settings(Settings *s, Arena *a, const Defaults *d);
/* Noise level of training step t: sigma = sqrt((1 - abar) / abar). */
double table_sigma(const Settings *s, int64_t t);
/* A level without any signal would be an infinite sigma: 2^-24 instead. */
void bound_last_sigma(Settings *s);

/* ---- times.c ---- */
/* Element i of n numbers from `from` to `to`. */
double ramp(double from, double to, int64_t i, int64_t n);
/* Times of the steps, descending; linspace is not rounded. */
void make_times(const Settings *s, double *t);
/* The same for solvers that leave out the last of steps + 1 times; `last` is
 * the number of training steps in use.  Whole numbers. */
void make_solver_times(const Settings *s, int64_t last, double *t);
/* Refuses times outside the training steps. */
bool times_in_range(Settings *s, const double *t, int64_t n);
/* Noise level of a fractional time, clamped to the table. */
double sigma_at(const Settings *s, double t);
/* The time whose level in the table is sigma, interpolated in the logarithm
 * and clamped. */
double time_of_sigma(const Settings *s, double sigma);
/* The same as a whole number, the nearest or the one below, for solvers that
 * take no other: from logarithms in f32, as the library's, which decide at the
 * edges. */
double whole_time_of_sigma(const Settings *s, double sigma, bool nearest);

/* How sigmas are laid between the first and the last. */
typedef enum Ramp { RAMP_NONE, RAMP_KARRAS, RAMP_EXPONENTIAL } Ramp;
Ramp ramp_setting(Settings *s);
/* Fills sigma[0 .. steps - 1] from `top` to `low`, or from sigma_max to
 * sigma_min where the config has them. */
void ramp_sigmas(Settings *s, Ramp kind, double top, double low,
	double *sigma);

/* The times that the model was trained with, lowest and highest: training steps,
 * or the logarithms of sigmas. */
void model_times(Settings *s, double *low, double *high);

/* ---- rows ---- */
/* Gives the table its rows. */
void rows_new(Sampler *m, Arena *a, int64_t rows);
/* z = the clean latent x0, for noise levels alpha (signal) and sigma with
 * alpha^2 + sigma^2 = 1. */
void predict_x0(Prediction prediction, double alpha, double sigma,
	SamplerRow *row);

/* ---- the families ---- */
void make_ddim(Settings *s, Arena *a, Sampler *m);
void make_ddpm(Settings *s, Arena *a, Sampler *m);
void make_euler(Settings *s, Arena *a, Sampler *m);
void make_euler_ancestral(Settings *s, Arena *a, Sampler *m);
void make_dpm(Settings *s, Arena *a, Sampler *m);
void make_unipc(Settings *s, Arena *a, Sampler *m);
void make_pndm(Settings *s, Arena *a, Sampler *m);
void make_lcm(Settings *s, Arena *a, Sampler *m);

#endif
