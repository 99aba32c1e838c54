/* sampler.h - a scheduler's config and a number of steps to a table: for each
 * call of the model the time it is told, the factor of its input, and how the
 * next latent is made.
 *
 * Every sampler here is affine in the latent x, the model's output e, what it
 * carries from step to step and the step's noise, but for one clip:
 *     z  = clamp(p0 x + p1 e, -clip, clip)
 *     x' = a row over (z, x, e, h1 .. h4, noise)
 *     h1' = another such row;   h2' = h1, h3' = h2, h4' = h3
 * So the op `sample` needs a few numbers a step and knows no scheduler.  The h
 * are zeros before the first step, which does not read them.
 *
 *   sampler.c   finding the family; what a table must be
 *   settings.c  a config's settings: each is used, known, or refused
 *   levels.c    noise levels of the training steps
 *   times.c     time steps and sigmas of the sampling steps
 *   ddim.c ddpm.c euler.c dpm.c unipc.c pndm.c lcm.c    the families
 *   table.c     a table as text
 *
 * Formulas are those of the papers named in each file, discretised as
 * diffusers does; all in double.  But two habits of the library that the models
 * were made with are repeated, because they show in the result: its table of
 * noise levels is in single precision, so that 1 - beta loses up to a thousandth
 * of a small beta to rounding; and numpy's way to round (half to even) and to
 * fill a range decides which integer a time step becomes.
 */
#ifndef SLUICE_SAMPLER_H
#define SLUICE_SAMPLER_H

#include "ir/base/json.h"

enum { SAMPLER_HISTORY = 4, SAMPLER_ERR = 256 };

/* What a row of a step is over. */
typedef enum SamplerColumn {
	COL_Z, COL_X, COL_E,
	COL_H,                  /* h1; h2 .. h4 follow */
	COL_NOISE = COL_H + SAMPLER_HISTORY,
	SAMPLER_COLS
} SamplerColumn;

/* One call of the model and the update after it. */
typedef struct SamplerRow {
	double t;               /* the model's time */
	double scale;           /* factor of the model's input */
	double p0, p1;          /* z */
	double clip;            /* infinite: none */
	double next[SAMPLER_COLS];      /* x' */
	double keep[SAMPLER_COLS];      /* h1' */
} SamplerRow;

typedef struct Sampler {
	const char *class_name; /* "DDIMScheduler" */
	const char *prediction; /* what the model gives: "epsilon",
	                           "v_prediction", "sample" */
	const char *model;      /* class of the model it was made for; NULL: any */
	double low, high;       /* the times that the model knows */
	int64_t steps;          /* that were asked for */
	int64_t rows;           /* calls of the model: more than steps where one
	                           step takes two */
	int history;            /* how many h it carries */
	bool noise;             /* whether a step takes fresh noise */
	double start;           /* factor of the noise that the latent starts
	                           from */
	double *sigmas;         /* [rows + 1]; NULL: the sampler has none */
	SamplerRow *row;        /* [rows] */
} Sampler;

/* Makes the table; it lives in the arena.  NULL with the reason in `err`
 * (SAMPLER_ERR bytes): an unknown class or setting (with the nearest known
 * one), one that is not supported, steps out of range. */
const Sampler *sampler_make(Arena *a, const Json *config, int64_t steps,
	char *err);

/* Settings that a scheduler's config may have, `_class_name` apart; ends with
 * NULL. */
extern const char *const sampler_settings[];

/* ---- table.c: rows as a text file ---- */
void sampler_table_print(const Sampler *m, FILE *out);
/* Reads one; NULL with "PATH:LINE: reason" in `err` (SAMPLER_ERR bytes) and
 * EXIT_IO or EXIT_SOURCE in *code. */
const Sampler *sampler_table_read(Arena *a, const char *path, int *code,
	char *err);
/* The same from memory; `text` ends with a NUL behind its `size` bytes and is
 * changed.  `path` is for messages. */
const Sampler *sampler_table_parse(Arena *a, const char *path, char *text,
	size_t size, char *err);
/* Whether a model with this scheduler's config can be run with the table: it
 * predicts the same, and knows the times.  False with the reason in `err`. */
bool sampler_table_fits(Arena *a, const Sampler *m, const Json *config,
	char *err);

/* How many operands the columns of `row` need: h1 .. and noise, left out where
 * all rows have 0.  Fills `column` (SAMPLER_HISTORY + 1) and returns how
 * many. */
int sampler_operands(const Sampler *m, bool keep, int *column);

#endif
