/* rehash.h - a sampler of K calls of the model that lands where n steps would: a
 * table of K rows, fitted to full runs.
 *
 * A full run of n steps leaves latents X[0..n] and the model's outputs, guidance
 * combined, V[0..n-1].  DDIM without noise and Euler are affine in both: a step is
 * X[k+1] = a X[k] + b V[k].  So is what is wanted, a row for each step q that
 * calls the model (a key), p the key before it and k the next one, or n:
 *     X[k] ~ w0 X[q] + w1 V[q] + w2 V[p]
 * Its weights and its error on a run need no more of the run than the inner
 * products of X and V, and the same holds for the choice of the keys.
 *
 *   prior   the sampler's own steps q .. k-1, with V frozen at V[q] when q = 0,
 *           else on the line through V[p] and V[q] over the number of the step
 *   weights w = prior + (A + 1e-4 trace(A) I)^-1 (b - A prior), where A and b are
 *           the inner products, summed over the prompts, of (X[q], V[q], V[p])
 *           with each other and with X[k]
 *   error   of a prompt: |X[k] - w (X[q], V[q], V[p])|^2 / |X[k]|^2
 *   cost    of (p, q, k): the median over the prompts + 0.3 of the 80th percentile
 *   keys    those with the smallest sum of costs, by dynamic programming over the
 *           last two; step 0 is one, k - q is at most 5, at most 8 below 10 keys
 *
 * A latent counts times the factor of the model's input, so that Euler's, which
 * begin a thousand times larger than they end, are DDIM's.
 *
 *   fit.c          prior, weights, errors
 *   keys.c         the keys
 *   rows.c         the table; what it may err
 *   calibration.c  the file of inner products
 */
#ifndef SLUICE_REHASH_H
#define SLUICE_REHASH_H

#include "lang/sampler/sampler.h"

enum {
	REHASH_ERR = 512,       /* bytes behind every `err` here */
	REHASH_STEPS_MIN = 9,   /* of the full run */
	REHASH_STEPS_MAX = 200,
	REHASH_PROMPTS_MAX = 4096,
};

/* What full runs left.  Everything lives in the arena it was read to. */
typedef struct Calibration {
	const char *path;       /* for messages */
	const char *model;      /* hash of the model's weights */
	const char *model_class;
	const Sampler *sampler; /* of the model, n steps */
	const Sampler *reference;       /* the n steps as the runs took them: the
	                           sampler's, or those of a finer run between the
	                           levels that are kept */
	double guidance;
	int64_t frames, width, height;  /* pixels */
	int64_t seed;           /* of the first prompt's noise; one more for each
	                           after it */
	int64_t wanted;         /* prompts that the file is for */
	int64_t n;              /* prompts that it holds; fewer: not finished */
	const char **prompt;    /* [wanted] */
	double *gram;           /* [n, 2 steps + 1, 2 steps + 1]: X[0..steps], then
	                           V[0..steps-1] */
} Calibration;

/* Whether a sampler's steps are what the rule is for: affine, without noise,
 * history or clip, one call a step.  False with what to set in `err`. */
bool rehash_possible(const Sampler *m, char *err);

/* ---- calibration.c ---- */
/* An exit code: EXIT_IO, or EXIT_WEIGHTS for a file that is damaged or of another
 * version. */
int calibration_read(Arena *a, const char *path, Calibration *c, char *err);
/* Written whole or not at all. */
int calibration_write(const char *path, const Calibration *c, char *err);
/* Inner products of `n` vectors of `size` numbers, in f64: out [n, n]. */
void calibration_gram(const float *const *vector, int64_t n, int64_t size,
	double *out);

/* ---- the table ---- */
typedef struct RehashTable {
	const Sampler *sampler; /* the rows */
	int64_t runs;
	int64_t *key;           /* [runs] */
	double (*weight)[3];    /* [runs]: of X[q], V[q], V[p] */
	double predicted;       /* sum over the keys of the median error */
	double held_out;        /* the same on the prompts that were not fitted to,
	                           the mean of both halves; NaN: one prompt */
} RehashTable;

/* Fits a table of `runs` calls.  EXIT_OK, EXIT_USAGE for a number of calls that
 * cannot be, EXIT_WEIGHTS for a calibration that is not finished or whose numbers
 * are no inner products, EXIT_SOURCE for a sampler that is not possible. */
int rehash_table(Arena *a, const Calibration *c, int64_t runs, RehashTable *out,
	char *err);

#endif
