/* regions.c - the pixels of a convolution sorted by the taps they have.
 *
 * Output index o along an axis reads inputs o stride - before + t for the taps
 * t; those outside [0, full) are zeros, and skipping them gives the bits that
 * adding zeros would.  o is the absolute index, so a slice skips what the whole
 * skips.  Along each axis the indices fall into stretches with the same taps
 * (the inner ones are one stretch); a region is a product of stretches.
 */
#include "kernels/cpu/matrix.h"

#include "ir/base/base.h"

/* Taps [*t, *t + *n) of output index o along the i-th axis. */
static void
taps_at(const Matrix *m, int i, int64_t o, int64_t *t, int64_t *n)
{
	const Attr *a = m->attr;
	int64_t full = m->view[V_X]->full[m->axis[i]];
	int64_t first = o * a->stride[i] - a->before[i];
	int64_t lo = clamp64(-first, 0, a->kernel[i]);
	int64_t hi = clamp64(full - first, lo, a->kernel[i]);
	*t = lo;
	*n = hi - lo;
}

/* The stretch along the i-th axis that begins at r->lo[i]. */
static void
stretch(const Matrix *m, Region *r, int i)
{
	const View *y = m->view[V_Y];
	int64_t end = y->lo[m->axis[i]] + y->n[m->axis[i]];
	int64_t o = r->lo[i] + 1, t, n;
	taps_at(m, i, r->lo[i], &r->tap[i], &r->taps[i]);
	for (; o < end; o++) {
		taps_at(m, i, o, &t, &n);
		if (t != r->tap[i] || n != r->taps[i])
			break;
	}
	r->n[i] = o - r->lo[i];
}

static void
count_pixels(const Matrix *m, Region *r)
{
	const View *y = m->view[V_Y];
	r->pixels = 1;
	for (int a = 0; a < AXIS_C; a++)
		if (!(m->over >> a & 1))
			r->pixels *= y->n[a];
	for (int i = 0; i < m->axes; i++)
		r->pixels *= r->n[i];
}

bool
region_first(const Matrix *m, Region *r)
{
	for (int a = 0; a < AXIS_MAX; a++)
		if (m->view[V_Y]->n[a] == 0)
			return false;
	for (int i = 0; i < m->axes; i++) {
		r->lo[i] = m->view[V_Y]->lo[m->axis[i]];
		stretch(m, r, i);
	}
	count_pixels(m, r);
	return true;
}

bool
region_next(const Matrix *m, Region *r)
{
	const View *y = m->view[V_Y];
	for (int i = m->axes; i-- > 0; ) {
		r->lo[i] += r->n[i];
		if (r->lo[i] < y->lo[m->axis[i]] + y->n[m->axis[i]]) {
			stretch(m, r, i);
			count_pixels(m, r);
			return true;
		}
		r->lo[i] = y->lo[m->axis[i]];
		stretch(m, r, i);
	}
	return false;
}

int64_t
region_taps(const Matrix *m, const Region *r)
{
	int64_t n = 1;
	for (int i = 0; i < m->axes; i++)
		n *= r->taps[i];
	return n;
}

int64_t
region_tap(const Matrix *m, const Region *r, int64_t i, const View *x,
	int64_t *offset)
{
	int64_t tap = 0, size = 1;
	*offset = 0;
	for (int d = m->axes; d-- > 0; ) {
		int64_t t = i % r->taps[d];
		i /= r->taps[d];
		*offset += t * x->stride[m->axis[d]];
		tap += (r->tap[d] + t) * size;
		size *= m->attr->kernel[d];
	}
	return tap;
}

/* Appends the axis with n indices, its steps from the views. */
static void
add_dim(const Matrix *m, Box *b, int axis, int64_t n, int64_t stride)
{
	if (n == 1)
		return;
	b->n[b->dims] = n;
	for (int v = 0; v < V_COUNT; v++) {
		int64_t step = m->view[v] ? m->view[v]->stride[axis] : 0;
		b->step[v][b->dims] = v <= V_X2 ? step * stride : step;
	}
	b->dims++;
}

/* Joins neighbouring axes whose steps chain in all views. */
static void
fuse(Box *b)
{
	int out = 0;
	for (int d = 1; d < b->dims; d++) {
		bool chains = true;
		for (int v = 0; v < V_COUNT; v++)
			chains &= b->step[v][out] == b->step[v][d] * b->n[d];
		if (!chains)
			out++;
		b->n[out] = chains ? b->n[out] * b->n[d] : b->n[d];
		for (int v = 0; v < V_COUNT; v++)
			b->step[v][out] = b->step[v][d];
	}
	b->dims = b->dims ? out + 1 : 0;
}

/* The axis to run along: the last one if it is long enough for the products to
 * be fast, else the longest.  A run along which an input repeats is slow. */
static int
best_run(const Matrix *m, const Box *b)
{
	int best = -1;
	int64_t best_n = 0;
	for (int d = b->dims; d-- > 0; ) {
		bool repeats = b->step[V_X][d] == 0
			|| (m->view[V_X2] && b->step[V_X2][d] == 0);
		int64_t n = repeats ? 1 : min64(b->n[d], 24);
		if (n > best_n) {
			best = d;
			best_n = n;
		}
	}
	return best;
}

static void
swap_dims(Box *b, int d, int e)
{
	int64_t n = b->n[d];
	b->n[d] = b->n[e];
	b->n[e] = n;
	for (int v = 0; v < V_COUNT; v++) {
		int64_t s = b->step[v][d];
		b->step[v][d] = b->step[v][e];
		b->step[v][e] = s;
	}
}

void
region_box(const Matrix *m, const Region *r, Box *b)
{
	const View *y = m->view[V_Y];
	*b = (Box){0};
	for (int a = 0; a < AXIS_C; a++) {
		if (!(m->over >> a & 1)) {
			add_dim(m, b, a, y->n[a], 1);
			continue;
		}
		int i = over_index(m->over, a);
		int64_t stride = m->attr->stride[i];
		add_dim(m, b, a, r->n[i], stride);
		b->base[V_Y] += (r->lo[i] - y->lo[a]) * y->stride[a];
		int64_t in = r->lo[i] * stride - m->attr->before[i] + r->tap[i];
		for (int v = 0; v < V_COUNT; v++) {
			const View *view = m->view[v];
			if (!view || v == V_Y)
				continue;
			b->base[v] += view->stride[a] * (v <= V_X2
				? in - view->lo[a] : r->lo[i] - y->lo[a]);
		}
	}
	fuse(b);
	if (b->dims == 0) {     /* one pixel */
		b->dims = 1;
		b->n[0] = 1;
	} else {
		swap_dims(b, best_run(m, b), b->dims - 1);
	}
}
