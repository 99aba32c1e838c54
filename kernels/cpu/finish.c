/* finish.c - what happens to a tile of sums while it is in the cache:
 * y = act(sums + bias + row) + add, or the GEGLU of two tiles, stored in y's
 * type.  Every element goes through the same operations wherever it stands.
 */
#include "kernels/cpu/matrix.h"

#include "kernels/cpu/mathf.h"

#include "ir/base/base.h"

static inline void
add_row(float *restrict to, const float *restrict x, int64_t n)
{
	if (n == GEMM_EDGE)     /* most blocks: no loop at all */
		for (int i = 0; i < GEMM_EDGE; i++)
			to[i] += x[i];
	else
		for (int64_t i = 0; i < n; i++)
			to[i] += x[i];
}

/* Channels [c, c + n) of the pixel of view v at element `at` as f32; `buf` holds
 * n. */
static const float *
load(const View *v, int64_t at, int64_t c, int64_t n, float *buf)
{
	bool has_c = v->axes >> AXIS_C & 1;
	const char *p = v->data + (at + (has_c ? c : 0)) * dtype_bytes(v->dtype);
	if (!has_c) {           /* one number for all channels */
		convert(DT_F32, buf, v->dtype, p, 1);
		for (int64_t i = 1; i < n; i++)
			buf[i] = buf[0];
		return buf;
	}
	if (v->dtype == DT_F32)
		return (const float *)(const void *)p;
	convert(DT_F32, buf, v->dtype, p, n);
	return buf;
}

void
finish_begin(const Matrix *m, Finish *f, int64_t row, int64_t rows)
{
	f->row = row;
	f->rows = rows;
	for (int half = 0; half < 1 + m->geglu && m->bias; half++) {
		float buf[GEMM_EDGE];
		const float *b = load(m->bias, 0,
			row + half * m->layout.rows[0], rows, buf);
		for (int64_t i = 0; i < rows; i++)
			f->bias[half][i] = b[i];
	}
}

/* sums += what view v holds for channels from `channel` on, pixel by pixel. */
static void
add_view(const Matrix *m, int v, int64_t channel, float *sums, int64_t rows,
	int64_t n, int64_t at, int64_t step)
{
	const View *view = m->view[v];
	float buf[GEMM_EDGE];
	for (int64_t j = 0; view && j < n; j++, sums += rows, at += step) {
		const float *x = load(view, at, channel, rows, buf);
		add_row(sums, x, rows);
	}
}

/* sums += bias + row; `half` is the row part. */
static void
add_terms(const Matrix *m, const Finish *f, float *sums, int64_t n, int half,
	const int64_t *at, const int64_t *step)
{
	for (int64_t j = 0; j < n && m->bias; j++)
		add_row(sums + j * f->rows, f->bias[half], f->rows);
	add_view(m, V_ROW, f->row + half * m->layout.rows[0], sums, f->rows, n,
		at[V_ROW], step[V_ROW]);
}

void
finish_tile(const Matrix *m, const Finish *f, float *sums, float *gate,
	int64_t n, const int64_t *at, const int64_t *step)
{
	const View *y = m->view[V_Y];
	int64_t size = dtype_bytes(y->dtype);
	char *p = y->data + (at[V_Y] + f->row) * size;
	add_terms(m, f, sums, n, 0, at, step);
	if (gate) {
		add_terms(m, f, gate, n, 1, at, step);
		for (int64_t i = 0; i < n * f->rows; i++)
			sums[i] *= mathf_gelu(gate[i]);
	} else {
		mathf_act(m->act, sums, n * f->rows);
	}
	/* all of `add` before the first store: places of both often agree in
	 * their last bits, and a load then waits for a store to get through */
	add_view(m, V_ADD, f->row, sums, f->rows, n, at[V_ADD], step[V_ADD]);
	for (int64_t j = 0; j < n; j++, p += step[V_Y] * size)
		convert(y->dtype, p, DT_F32, sums + j * f->rows, f->rows);
}
