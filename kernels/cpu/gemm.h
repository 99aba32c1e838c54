/* gemm.h - the one layer that all matrix work goes through: small products that
 * sum over a list of blocks.  Private to kernels/cpu/.
 *
 *   C[j][i] = beta C[j][i] + sum over blocks b and k of A_b[k][i] B_b[j][k]
 *
 * i < m are output channels and lie side by side in A and C; j < n are pixels.
 * In f32, summed in the order of the list and of k, so neither n, nor the
 * neighbours of an element, nor where a list was cut in two (beta = 1) change
 * its bits.
 */
#ifndef SLUICE_GEMM_H
#define SLUICE_GEMM_H

#include "kernels/kernels.h"

enum {
	GEMM_EDGE = 64,         /* most of m: rows and columns of a packed block */
	GEMM_BATCH = 32,        /* most blocks in a call */
};

/* A product's shape: 0 < m <= GEMM_EDGE, n and k > 0; the steps may be anything,
 * 0 included. */
typedef struct Gemm {
	int m, n, k;
	/* elements between the k of A, the j and the k of B, the j of C */
	int64_t a_k, b_j, b_k, c_j;
	bool add;               /* beta = 1, else 0 */
} Gemm;

/* Does it for `count` blocks. */
void gemm_run(const Gemm *g, int count, const float *const *a,
	const float *const *b, float *c);

/* ---- packed matrices (pack.c) ---- */
/* A column block of a packed matrix: cols <= GEMM_EDGE input channels from
 * channel `first` of part `part`. */
typedef struct PackCols {
	int part;
	int64_t first, cols;
} PackCols;
/* Number of column blocks, and the one with number i. */
int64_t pack_col_blocks(const MatrixLayout *m);
PackCols pack_cols(const MatrixLayout *m, int64_t i);
/* Elements in front of the block of `rows` output channels from `row` (row part
 * included), tap `tap`, and the column block.  It is stored [k][rows]. */
int64_t pack_place(const MatrixLayout *m, int64_t row, int64_t rows,
	int64_t tap, const PackCols *c);

/* Workspace in bytes of one thread.  (linear.c, attend.c) */
int64_t matrix_work_bytes(Op op, const Operand *args, const Attr *attr);
int64_t attend_work_bytes(const Operand *args, const Attr *attr);

#endif
