/* finish.c - what happens to a tile of sums while it is in the cache:
 * y = act(sums + bias + row) + add, or the GEGLU of two tiles, stored in y's
 * type.  Every element goes through the same operations wherever it stands.
 */
#include "matrix.h"

#include "mathf.h"

#include "../../ir/base.h"

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

/* sums += bias + row, pixel by pixel; `half` is the row part. */
static void
add_terms(const Matrix *m, const Finish *f, float *sums, int64_t n,
	int64_t half, const int64_t *at, const int64_t *step)
{
	const View *row = m->view[V_ROW];
	for (int64_t j = 0; j < n; j++) {
		float *s = sums + j * f->rows;
		for (int64_t i = 0; i < f->rows && m->bias; i++)
			s[i] += f->bias[half][i];
		if (!row)
			continue;
		float buf[GEMM_EDGE];
		const float *r = load(row, at[V_ROW] + j * step[V_ROW],
			f->row + half * m->layout.rows[0], f->rows, buf);
		for (int64_t i = 0; i < f->rows; i++)
			s[i] += r[i];
	}
}

static void
store(const Matrix *m, const Finish *f, float *sums, int64_t n,
	const int64_t *at, const int64_t *step)
{
	const View *y = m->view[V_Y], *add = m->view[V_ADD];
	int64_t size = dtype_bytes(y->dtype);
	for (int64_t j = 0; j < n; j++) {
		float *s = sums + j * f->rows;
		char *p = y->data + (at[V_Y] + j * step[V_Y] + f->row) * size;
		if (add) {
			float buf[GEMM_EDGE];
			const float *a = load(add, at[V_ADD] + j * step[V_ADD],
				f->row, f->rows, buf);
			for (int64_t i = 0; i < f->rows; i++)
				s[i] += a[i];
		}
		convert(y->dtype, p, DT_F32, s, f->rows);
	}
}

void
finish_tile(const Matrix *m, const Finish *f, float *sums, float *gate,
	int64_t n, const int64_t *at, const int64_t *step)
{
	add_terms(m, f, sums, n, 0, at, step);
	if (gate) {
		add_terms(m, f, gate, n, 1, at, step);
		for (int64_t i = 0; i < n * f->rows; i++)
			sums[i] *= mathf_gelu(gate[i]);
	} else {
		mathf_act(m->act, sums, n * f->rows);
	}
	store(m, f, sums, n, at, step);
}
