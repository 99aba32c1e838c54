/* fit.h - a segment between two keys.  Private to compiler/rehash/. */
#ifndef SLUICE_REHASH_FIT_H
#define SLUICE_REHASH_FIT_H

#include "compiler/rehash/rehash.h"

/* Prompts to fit to: first, first + stride, ... of a calibration. */
typedef struct Runs {
	int64_t steps, side;    /* side = 2 steps + 1 */
	int64_t n;
	double *gram;           /* [n, side, side], latents scaled */
	double *sum;            /* [side, side]: over the prompts */
	const double *a, *b;    /* [steps]: a step in scaled latents */
	double *scratch;        /* [n] */
} Runs;

/* From key q, with the one before it p (-1: none), to latent k. */
typedef struct Segment {
	double w[3];            /* of scaled X[q], V[q], V[p] */
	double median, cost;
} Segment;

void runs_make(Arena *a, const Calibration *c, int64_t first, int64_t stride,
	Runs *out);
/* False when the numbers are no inner products. */
bool segment_fit(const Runs *r, int64_t p, int64_t q, int64_t k, Segment *s);
/* Median and cost of the segment's weights on other prompts. */
void segment_judge(const Runs *r, int64_t p, int64_t q, int64_t k, Segment *s);
/* Factor of latent i. */
double latent_scale(const Sampler *m, int64_t i);

/* ---- keys.c ---- */
/* The largest number of steps from a key to the next. */
int64_t keys_gap(int64_t runs);
/* Fills key [runs].  False when the numbers are no inner products. */
bool keys_choose(Arena *a, const Runs *r, int64_t runs, int64_t *key);

#endif
