/* matrix.h - linear and conv as one thing: pixels times a packed matrix, for
 * each of a list of taps.  A linear op is a convolution with one tap.  Private
 * to kernels/cpu/.
 *
 * The result's pixels are cut into regions in which all pixels have the same
 * taps: near a border some taps lie outside the input and are skipped, which the
 * absolute index of a pixel decides (regions.c).  A region's pixels are cut into
 * tiles, runs of pixels with one stride, and tiles into groups; a thread takes a
 * group and a block of output channels at a time (matrix.c).
 */
#ifndef SLUICE_MATRIX_H
#define SLUICE_MATRIX_H

#include "kernels/cpu/gemm.h"

enum {
	PANEL = 256,            /* most pixels of a group */
	TILE_MAX = 64,          /* most pixels of a tile */
	TILE_CONVERTED = 24,    /* the same, of inputs that are not f32 */
	CHUNK = 18,             /* blocks of weights used on all tiles of a
				   group before the next are: they stay in the
				   cache.  Two columns of nine taps. */
	THIN = 32,              /* with so few columns GEMM_BATCH blocks */
	MATRIX_AXES = 3,        /* most axes of a convolution */
};

/* The views that a pixel has a place in. */
enum { V_X, V_X2, V_Y, V_ROW, V_ADD, V_COUNT };

/* Pixels of the result with the same taps. */
typedef struct Region {
	int64_t pixels;
	int64_t lo[MATRIX_AXES];        /* first index along each axis of over */
	int64_t n[MATRIX_AXES];         /* and how many */
	int64_t tap[MATRIX_AXES];       /* first tap inside, and how many */
	int64_t taps[MATRIX_AXES];
} Region;

/* A call of linear or conv. */
typedef struct Matrix {
	const Operand *args;
	const Attr *attr;
	AxisSet over;           /* 0: linear */
	int axes;               /* in over */
	int axis[MATRIX_AXES];
	MatrixLayout layout;
	int64_t col_blocks;
	const View *view[V_COUNT];      /* NULL: absent */
	const View *w, *bias;
	bool geglu;
	Act act;
} Matrix;

/* ---- regions.c ---- */
/* Puts `r` on the first region, or the next one; false behind the last. */
bool region_first(const Matrix *m, Region *r);
bool region_next(const Matrix *m, Region *r);
/* Taps of a region; those of tap number i (counted over the region's taps, the
 * last axis fastest): its number in the matrix, and how many elements behind the
 * first tap's its input lies in x. */
int64_t region_taps(const Matrix *m, const Region *r);
int64_t region_tap(const Matrix *m, const Region *r, int64_t i,
	const View *x, int64_t *offset);

/* A region as a box of few axes, slowest first; the last is the run. */
typedef struct Box {
	int dims;
	int64_t n[AXIS_MAX];
	int64_t step[V_COUNT][AXIS_MAX];        /* elements */
	int64_t base[V_COUNT];  /* of the first pixel; for x: at its first tap */
} Box;
void region_box(const Matrix *m, const Region *r, Box *b);

/* ---- finish.c ---- */
/* A tile of sums of `rows` output channels (from channel `row` of the row part)
 * for n pixels, [n][rows] f32, to be finished in place and stored.  `gate`: the
 * sums of the second half of a GEGLU, else NULL.  at[v]: place of the first
 * pixel in view v in elements, step[v]: from pixel to pixel. */
typedef struct Finish {
	float bias[2][GEMM_EDGE];       /* f32 copies */
	int64_t row, rows;
} Finish;
void finish_begin(const Matrix *m, Finish *f, int64_t row, int64_t rows);
void finish_tile(const Matrix *m, const Finish *f, float *sums, float *gate,
	int64_t n, const int64_t *at, const int64_t *step);

/* ---- matrix.c ---- */
KStatus matrix_run(const Ctx *ctx, Op op, const Operand *args,
	const Attr *attr);

#endif
