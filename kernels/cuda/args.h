/* args.h - what the kernels are launched with: everything that depends on Views
 * is worked out on the host (launch.c), so that a kernel has small loops over
 * merged axes and nothing else to look up.  Plain C, for host and device.
 * Strides and offsets are in elements, never in bytes; dims go from the fastest
 * to the slowest.
 */
#ifndef SLUICE_CUDA_ARGS_H
#define SLUICE_CUDA_ARGS_H

#include "ir/ops.h"

enum { BOX_VIEWS = 6, BOX_DIMS = AXIS_MAX };

/* The elements of a box, and where each of them lies in some views.  A
 * view without data counts positions: what is added up is an absolute index. */
typedef struct BoxArgs {
	int64_t count;          /* product of n */
	int32_t dims;
	int32_t dtype[BOX_VIEWS];
	void *data[BOX_VIEWS];
	int64_t first[BOX_VIEWS];       /* offset of element 0 */
	int64_t n[BOX_DIMS];
	int64_t step[BOX_VIEWS][BOX_DIMS];
} BoxArgs;

/* Elementwise ops, copies, fills.  Views: result, x, second and third operand. */
typedef struct EachArgs {
	BoxArgs box;
	int32_t op, views;      /* Op; the views that have data, at least 1 */
	int32_t reversed;
	float scalar, lo, hi;
} EachArgs;

/* sample.  Views: result, x, e, and a, b, c, without data where left out. */
typedef struct SampleArgs {
	BoxArgs box;
	const void *table;      /* its row of SAMPLE_COLS numbers, f32 */
} SampleArgs;

/* resize: along an axis of `over`, result index i reads x index
 * (lo + i) from / to - begin.  Views: result, x (without those axes). */
typedef struct ResizeArgs {
	BoxArgs box;            /* dims of `over` come first, unmerged */
	int32_t over;           /* how many they are */
	int64_t lo[BOX_DIMS], from[BOX_DIMS], to[BOX_DIMS], begin[BOX_DIMS];
	int64_t step[BOX_DIMS]; /* of x */
} ResizeArgs;

/* sinusoid.  Views: result, x, position along c. */
typedef struct SinusoidArgs {
	BoxArgs box;
	int64_t channels;       /* of the whole result */
	int32_t sin_first, interleave;
} SinusoidArgs;

/* embed.  Views: result, id, position along c. */
typedef struct EmbedArgs {
	BoxArgs box;
	const void *table;
	int32_t dtype;          /* the table's */
	int64_t rows, channels;
} EmbedArgs;

/* norm_stats.  `units`: where each unit lies; views: result, part 0, part 1.
 * `in[p]`: elements of a unit in part p but for c; view 0 only. */
typedef struct StatsArgs {
	BoxArgs units, in[2];
	int64_t channels[2];    /* of the parts */
	int32_t groups;
	int64_t per;            /* channels of a group */
	int32_t vec;            /* fast form: 16 bytes at a time */
} StatsArgs;

/* norm_combine.  `out`: results but for c; views: result, first unit.
 * `units`: the units of a result; view 0 only. */
typedef struct CombineArgs {
	BoxArgs out, units;
	int32_t groups;
	double rows, eps;
} CombineArgs;

/* norm_apply of one part.  Views: result, x, statistics, position along c. */
typedef struct ApplyArgs {
	BoxArgs box;
	const void *gamma, *beta;
	int32_t gamma_type, beta_type, act, groups;
	int64_t per;
} ApplyArgs;

/* norm_apply of one part, fast form.  `out`: rows of statistics but for c; views:
 * result, x, statistics.  `in`: rows that share them; views: result, x. */
typedef struct ApplyRowsArgs {
	BoxArgs out, in;
	const void *gamma, *beta;
	int32_t gamma_type, beta_type, act, groups;
	int64_t first, channels, per;   /* the part's; channels of a group */
	int64_t chunks;         /* of rows that share statistics */
	int32_t vec;
} ApplyRowsArgs;
enum { APPLY_ROWS = 16 };       /* of a row of threads */

/* layer_norm.  Rows: result, x. */
typedef struct RowsArgs {
	BoxArgs box;            /* but for c */
	const void *gamma, *beta;
	int32_t gamma_type, beta_type;
	int64_t channels;
	double eps;
	int32_t vec;
} RowsArgs;

/* ---- matrix work ---- */

/* The views that a pixel of the result has a place in. */
enum { MV_X, MV_X2, MV_Y, MV_ROW, MV_ADD, MV_COUNT };
enum { MATRIX_DIMS = AXIS_MAX };

/* linear and conv.  A pixel has an index along each of three axes that the
 * window may move along (a linear op: none does, kernel 1) and one for the rest,
 * the batch.  Sums run over chunks of channels of part 0, then part 1, for each
 * over the taps; a tap outside of the input is zero. */
typedef struct MatrixArgs {
	void *data[MV_COUNT];   /* NULL: absent */
	int32_t dtype[MV_COUNT];
	int64_t step[MV_COUNT][3];      /* along the three axes */
	int64_t cin[2];         /* channels of the parts */
	int64_t cout;           /* of the result */
	const void *w, *bias;   /* w [cout (twice for a GEGLU)][tap][cin] */
	int32_t w_type, bias_type;
	int32_t row_c;          /* row has the axis c */
	int32_t act, geglu;
	int32_t kernel[3], stride[3];
	int64_t in[3], out[3];  /* extents */
	/* result index o, tap t: input index o stride + t - shift */
	int64_t shift[3];
	int64_t batch;          /* product of n */
	int32_t dims;
	int64_t n[MATRIX_DIMS], batch_step[MV_COUNT][MATRIX_DIMS];
	/* matrix.cu: pixels of a tile along the axes, tiles along them and in
	 * all; tiles of channels; stages of the rings of weights and inputs */
	int32_t tile[3], tiles[3];
	int64_t mtiles;
	int32_t ntiles, stages, a_stages;
} MatrixArgs;

enum {
	MATRIX_CHUNK = 32,      /* input channels of a step */
	MATRIX_TILE_M = 128,    /* most pixels of a tile */
};

/* ---- attention ---- */

enum { AV_Q, AV_K, AV_V, AV_Y, AV_COUNT };
enum { ATTEND_KEYS = 64, ATTEND_FEW = 16 };     /* of a tile */

/* Axes of one kind. */
typedef struct DimsArgs {
	int64_t count;
	int32_t dims;
	int64_t n[MATRIX_DIMS];
} DimsArgs;

typedef struct AttendArgs {
	void *data[AV_COUNT];
	int32_t dtype[AV_COUNT];
	DimsArgs batch, query, key;
	int64_t batch_step[AV_COUNT][MATRIX_DIMS];
	int64_t query_step[2][MATRIX_DIMS];     /* q, y */
	int64_t key_step[2][MATRIX_DIMS];       /* k, v */
	int64_t heads, d, dv;   /* channels of a head: q and k, v */
	float scale;            /* with log2(e) */
	/* causal: query i sees keys up to i / inner % n + lo */
	int32_t causal;
	int64_t causal_inner, causal_n, causal_lo;
	/* attend.cu: tiles of queries; tiles of keys in shared memory, 1 or 2;
	 * whether all rows may be read by 16 bytes; whether keys lie in one line,
	 * a tile of them within 2^31 elements, too */
	int64_t tiles;
	int32_t stages, aligned, simple;
} AttendArgs;

#endif
