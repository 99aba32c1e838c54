/* box.c - see box.h. */
#include "kernels/box.h"

#include "ir/base/base.h"

#include <string.h>

int64_t
box_elements(const int64_t *n)
{
	int64_t e = 1;
	for (int a = 0; a < AXIS_MAX; a++)
		e *= n[a];
	return e;
}

View
view_part(const View *v, int axis, int64_t first, int64_t n)
{
	View p = *v;
	p.data += first * v->stride[axis] * dtype_bytes(v->dtype);
	p.lo[axis] += first;
	p.n[axis] = n;
	return p;
}

/* Whether the next slower axis continues dim d in every view. */
static bool
chains(const Walk *w, int d, int axis, const View *const *view)
{
	for (int v = 0; v < w->views; v++)
		if (view[v]->stride[axis] != w->stride[v][d] * w->n[d])
			return false;
	return true;
}

void
walk_init(Walk *w, const int64_t *box, int views, const View *const *view,
	bool whole_c)
{
	memset(w, 0, sizeof *w);
	w->views = views;
	int d = -1;
	for (int a = AXIS_MAX - 1; a >= 0; a--) {
		bool row = whole_c && a == AXIS_C;
		if (box[a] == 1 && !row)
			continue;
		if (d >= 0 && !(whole_c && d == 0) && chains(w, d, a, view)) {
			w->n[d] *= box[a];
			continue;
		}
		w->n[++d] = box[a];
		for (int v = 0; v < views; v++)
			w->stride[v][d] = view[v]->stride[a];
	}
	if (d < 0)
		w->n[++d] = 1;
	/* dim 0 becomes the row */
	w->row = w->n[0];
	w->block = ROW_MAX;
	w->dims = d;
	w->rows = 1;
	for (int i = 0; i < d; i++)
		w->rows *= w->n[i] = w->n[i + 1];
	for (int v = 0; v < views; v++) {
		int64_t size = dtype_bytes(view[v]->dtype);
		w->dtype[v] = view[v]->dtype;
		w->data[v] = view[v]->data;
		w->step[v] = w->row > 1 ? w->stride[v][0] : 1;
		for (int i = 0; i < d; i++)
			w->stride[v][i] = w->stride[v][i + 1] * size;
	}
}

int64_t
view_elements(const View *v)
{
	return box_elements(v->n);
}

const char *
view_end(const View *v)
{
	int64_t last = 0;
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!v->n[a])
			return NULL;
		last += max64((v->n[a] - 1) * v->stride[a], 0);
	}
	return v->data + (last + 1) * dtype_bytes(v->dtype);
}

/* Index of the first of n elements, `stride` apart, that is not finite; n when
 * there is none. */
static int64_t
row_nonfinite(const char *at, DType dtype, int64_t n, int64_t stride)
{
	uint32_t exponent = dtype == DT_F32 ? 0x7f800000u
		: dtype == DT_F16 ? 0x7c00u : 0x7f80u;
	for (int64_t i = 0; i < n; i++) {
		uint32_t bits = 0;
		if (dtype == DT_F32) {
			memcpy(&bits, at + i * stride * 4, 4);
		} else {
			uint16_t half;
			memcpy(&half, at + i * stride * 2, 2);
			bits = half;
		}
		if ((bits & exponent) == exponent)
			return i;
	}
	return n;
}

int64_t
view_nonfinite(const View *v)
{
	int64_t at[AXIS_MAX] = {0}, n = v->n[AXIS_C], row = 0;
	if (v->dtype == DT_I32 || !view_elements(v))
		return -1;
	for (;; row++) {
		int64_t where = 0;
		for (int a = 0; a < AXIS_C; a++)
			where += at[a] * v->stride[a];
		int64_t i = row_nonfinite(v->data
			+ where * dtype_bytes(v->dtype), v->dtype, n,
			v->stride[AXIS_C]);
		if (i < n)
			return row * n + i;
		int a = AXIS_C - 1;
		while (a >= 0 && ++at[a] == v->n[a])
			at[a--] = 0;
		if (a < 0)
			return -1;
	}
}
