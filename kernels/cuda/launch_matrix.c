/* launch_matrix.c - the arguments of linear, conv and attend. */
#include "kernels/cuda/cuda.h"

#include "ir/base/base.h"
#include "kernels/cuda/shapes.h"

#include <string.h>

enum { ATTEND_CHANNELS = 8192 }; /* of a head of v, by its shared memory */

static const View *
view_of(const Operand *o, int part)
{
	return part < o->parts ? &o->part[part] : NULL;
}

static bool
floating(const Operand *args, int nin)
{
	for (int i = 0; i <= nin; i++)
		for (int p = 0; p < args[i].parts; p++)
			if (args[i].part[p].dtype > DT_BF16)
				return false;
	return true;
}

/* ---- linear and conv ---- */

/* The axes that a window moves along, in the last of three places. */
static void
fill_window(MatrixArgs *p, const View *const *view, AxisSet over,
	const Attr *attr)
{
	const View *x = view[MV_X], *y = view[MV_Y];
	int at = 3 - __builtin_popcount(over);
	for (int i = 0; i < 3; i++) {
		p->kernel[i] = p->stride[i] = 1;
		p->in[i] = p->out[i] = 1;
	}
	for (int a = 0, k = 0; a < AXIS_C; a++) {
		if (!(over >> a & 1))
			continue;
		p->kernel[at] = attr->kernel[k];
		p->stride[at] = attr->stride[k];
		p->in[at] = x->n[a];
		p->out[at] = y->n[a];
		p->shift[at] = x->lo[a] + attr->before[k]
			- y->lo[a] * attr->stride[k];
		for (int v = 0; v < MV_COUNT; v++)
			p->step[v][at] = view[v] ? view[v]->stride[a] : 0;
		k++;
		at++;
	}
}

static bool
batch_chains(const MatrixArgs *p, int axis, const View *const *view)
{
	int d = p->dims - 1;
	for (int v = 0; v < MV_COUNT; v++)
		if (view[v] && view[v]->stride[axis]
				!= p->batch_step[v][d] * p->n[d])
			return false;
	return true;
}

/* All other axes but c, fastest first. */
static void
fill_batch(MatrixArgs *p, const View *const *view, AxisSet over)
{
	p->batch = 1;
	for (int a = AXIS_C - 1; a >= 0; a--) {
		int64_t n = view[MV_Y]->n[a];
		if (over >> a & 1 || n == 1)
			continue;
		p->batch *= n;
		if (p->dims && batch_chains(p, a, view)) {
			p->n[p->dims - 1] *= n;
			continue;
		}
		p->n[p->dims] = n;
		for (int v = 0; v < MV_COUNT; v++)
			p->batch_step[v][p->dims] = view[v]
				? view[v]->stride[a] : 0;
		p->dims++;
	}
}

/* Fills in everything that all forms need; false: no kernel. */
static bool
matrix_fill(Op op, const Operand *args, const Attr *attr, MatrixArgs *p)
{
	const View *view[MV_COUNT] = {view_of(&args[1], 0),
		view_of(&args[1], 1), view_of(&args[0], 0),
		view_of(&args[4], 0), view_of(&args[5], 0)};
	const View *w = view_of(&args[2], 0), *bias = view_of(&args[3], 0);
	AxisSet over = op == OP_conv ? attr->over : 0;
	memset(p, 0, sizeof *p);
	if (!floating(args, op_nin(op)) || __builtin_popcount(over) > 3)
		return false;
	for (int v = 0; v < MV_COUNT; v++) {
		p->data[v] = view[v] ? view[v]->data : NULL;
		p->dtype[v] = view[v] ? (int32_t)view[v]->dtype : 0;
	}
	fill_window(p, view, over, attr);
	fill_batch(p, view, over);
	p->cin[0] = view[MV_X]->n[AXIS_C];
	p->cin[1] = view[MV_X2] ? view[MV_X2]->n[AXIS_C] : 0;
	p->cout = view[MV_Y]->n[AXIS_C];
	p->w = w->data;
	p->w_type = (int32_t)w->dtype;
	p->bias = bias ? bias->data : NULL;
	p->bias_type = bias ? (int32_t)bias->dtype : 0;
	p->row_c = view[MV_ROW] && view[MV_ROW]->axes >> AXIS_C & 1;
	p->act = attr->act;
	p->geglu = op == OP_linear && attr->geglu;
	return !(p->geglu && p->row_c
		&& view[MV_ROW]->n[AXIS_C] != 2 * p->cout);
}

static int
plain_matrix(Op op, const Operand *args, const Attr *attr, Launch *out)
{
	MatrixArgs *p = &out->args.matrix;
	if (!matrix_fill(op, args, attr, p))
		return -1;
	return launch_threads(out, "plain_matrix", p->batch * p->out[0]
		* p->out[1] * p->out[2] * p->cout, sizeof *p);
}

int
plain_linear(const Operand *args, const Attr *attr, Launch *out)
{
	return plain_matrix(OP_linear, args, attr, out);
}

int
plain_conv(const Operand *args, const Attr *attr, Launch *out)
{
	return plain_matrix(OP_conv, args, attr, out);
}

/* Gives the batch's axes, the fastest first, to places that no window moves
 * along: then a tile may span them. */
static void
spread_batch(MatrixArgs *p, int window)
{
	int free = 3 - window, moved = 0;
	for (int i = free - 1; i >= 0 && moved < p->dims; i--, moved++) {
		p->in[i] = p->out[i] = p->n[moved];
		p->batch /= p->n[moved];
		for (int v = 0; v < MV_COUNT; v++)
			p->step[v][i] = p->batch_step[v][moved];
	}
	p->dims -= moved;
	memmove(p->n, p->n + moved, (size_t)p->dims * sizeof *p->n);
	for (int v = 0; v < MV_COUNT; v++)
		memmove(p->batch_step[v], p->batch_step[v] + moved,
			(size_t)p->dims * sizeof *p->n);
}

static bool
is_aligned(const void *data)
{
	return (uintptr_t)data % 16 == 0;
}

/* Whether every access may be of 16 bytes, which are 8 elements or half of them. */
static bool
all_aligned(const MatrixArgs *p)
{
	int64_t all = p->cin[0] | p->cin[1] | p->cout;
	bool fits = is_aligned(p->w) && is_aligned(p->bias);
	for (int v = 0; v < MV_COUNT; v++) {
		if (!p->data[v] || (v == MV_ROW && !p->row_c))
			continue;
		fits &= is_aligned(p->data[v]);
		for (int i = 0; i < 3; i++)
			all |= p->step[v][i];
		for (int d = 0; d < p->dims; d++)
			all |= p->batch_step[v][d];
	}
	return fits && all % 8 == 0;
}

int
fast_matrix(Op op, const Operand *args, const Attr *attr,
	const CudaChoice *how, Launch *out)
{
	const CudaArch *arch = cuda_arch(how->sm);
	MatrixArgs *p = &out->args.matrix;
	if (!matrix_fill(op, args, attr, p))
		return -1;
	int type = p->w_type;
	if ((type != DT_F16 && (type != DT_BF16 || how->sm < 80))
		|| p->dtype[MV_X] != type
		|| (p->data[MV_X2] && p->dtype[MV_X2] != type))
		return -1;
	if (p->batch * p->out[0] * p->out[1] * p->out[2] * p->cout == 0)
		return 0;
	spread_batch(p, op == OP_conv ? __builtin_popcount(attr->over) : 0);
	bool aligned = all_aligned(p);
	int shape = matrix_shape(arch, p->cout, p->geglu, aligned);
	if (!matrix_tiles(arch, shape, aligned, p))
		return -1;
	const MatrixShape *s = &matrix_shapes[shape];
	out->kernel = type == DT_F16 ? s->f16 : s->bf16;
	out->grid = p->mtiles * p->ntiles;
	out->block = s->threads;
	out->shared = matrix_shared(shape, p);
	out->args_bytes = sizeof *p;
	return out->grid > INT32_MAX ? -1 : 1;
}

/* ---- attend ---- */

/* Adds an axis, faster ones came before, to some axes; step[i] are those of
 * view[i]. */
static void
add_axis(DimsArgs *d, int axis, int64_t n, int views, const View *const *view,
	int64_t (*step)[MATRIX_DIMS])
{
	int last = d->dims - 1;
	bool chains = last >= 0;
	d->count *= n;
	if (n == 1)
		return;
	for (int v = 0; v < views && chains; v++)
		chains = view[v]->stride[axis] == step[v][last] * d->n[last];
	if (chains) {
		d->n[last] *= n;
		return;
	}
	d->n[d->dims] = n;
	for (int v = 0; v < views; v++)
		step[v][d->dims] = view[v]->stride[axis];
	d->dims++;
}

/* Axes of k but for `over` are batch, all others of the result queries. */
static void
fill_axes(AttendArgs *p, const View *const *view, AxisSet over)
{
	const View *qy[2] = {view[AV_Q], view[AV_Y]};
	const View *kv[2] = {view[AV_K], view[AV_V]}, *y = view[AV_Y];
	p->batch.count = p->query.count = p->key.count = 1;
	for (int a = AXIS_C - 1; a >= 0; a--) {
		bool over_a = over >> a & 1;
		if (over_a)
			add_axis(&p->key, a, view[AV_K]->n[a], 2, kv,
				p->key_step);
		if (view[AV_K]->axes >> a & 1 && !over_a)
			add_axis(&p->batch, a, y->n[a], AV_COUNT, view,
				p->batch_step);
		else
			add_axis(&p->query, a, y->n[a], 2, qy, p->query_step);
	}
}

/* The axes of queries behind the causal one make its index step. */
static void
fill_causal(AttendArgs *p, const View *const *view, const Attr *attr)
{
	const View *y = view[AV_Y];
	int axis = __builtin_ctz(attr->over);
	AxisSet batch = view[AV_K]->axes & (AxisSet)~attr->over;
	p->causal = 1;
	p->causal_lo = y->lo[axis] - view[AV_K]->lo[axis];
	p->causal_n = y->n[axis];
	p->causal_inner = 1;
	for (int a = axis + 1; a < AXIS_C; a++)
		if (!(batch >> a & 1))
			p->causal_inner *= y->n[a];
}

static bool
attend_fill(const Operand *args, const Attr *attr, AttendArgs *p)
{
	const View *view[AV_COUNT] = {view_of(&args[1], 0),
		view_of(&args[2], 0), view_of(&args[3], 0),
		view_of(&args[0], 0)};
	memset(p, 0, sizeof *p);
	if (!floating(args, 3))
		return false;
	for (int i = 0; i < 4; i++)
		if (args[i].parts != 1)
			return false;
	for (int v = 0; v < AV_COUNT; v++) {
		p->data[v] = view[v]->data;
		p->dtype[v] = (int32_t)view[v]->dtype;
	}
	p->heads = max64(attr->heads, 1);
	p->d = view[AV_Q]->n[AXIS_C] / p->heads;
	p->dv = view[AV_V]->n[AXIS_C] / p->heads;
	p->scale = (float)(attr->scale * 1.4426950408889634);
	fill_axes(p, view, attr->over);
	if (attr->causal)
		fill_causal(p, view, attr);
	return true;
}

int
plain_attend(const Operand *args, const Attr *attr, Launch *out)
{
	AttendArgs *p = &out->args.attend;
	if (!attend_fill(args, attr, p))
		return -1;
	out->kernel = "plain_attend";
	out->grid = p->batch.count * p->query.count * p->heads;
	out->block = ATTEND_KEYS;
	out->shared = (int)(4 * (ATTEND_KEYS + p->dv));
	out->args_bytes = sizeof *p;
	if (out->grid > INT32_MAX || p->dv > ATTEND_CHANNELS)
		return -1;
	return out->grid > 0;
}

static bool
attend_aligned(const AttendArgs *p)
{
	int64_t all = 0;
	bool fits = true;
	for (int v = 0; v < AV_COUNT; v++) {
		fits &= is_aligned(p->data[v]);
		for (int d = 0; d < p->batch.dims; d++)
			all |= p->batch_step[v][d];
	}
	for (int i = 0; i < 2; i++) {
		for (int d = 0; d < p->query.dims; d++)
			all |= p->query_step[i][d];
		for (int d = 0; d < p->key.dims; d++)
			all |= p->key_step[i][d];
	}
	return fits && all % 8 == 0;
}

int
fast_attend(Op op, const Operand *args, const Attr *attr,
	const CudaChoice *how, Launch *out)
{
	const CudaArch *arch = cuda_arch(how->sm);
	AttendArgs *p = &out->args.attend;
	(void)op;
	if (!attend_fill(args, attr, p) || p->d != p->dv || !(p->scale > 0))
		return -1;
	int type = p->dtype[AV_Q];
	const AttendShape *s = attend_shape(p->d, p->key.count);
	if (!s || (type != DT_F16 && (type != DT_BF16 || how->sm < 80)))
		return -1;
	for (int v = 0; v < AV_COUNT; v++)
		if (p->dtype[v] != type)
			return -1;
	p->stages = attend_stages(arch, s);
	if (!p->stages)
		return -1;
	p->aligned = attend_aligned(p);
	p->simple = p->aligned && p->key.dims <= 1
		&& p->key_step[0][0] < INT32_MAX / ATTEND_KEYS
		&& p->key_step[1][0] < INT32_MAX / ATTEND_KEYS;
	p->tiles = (p->query.count + s->queries - 1) / s->queries;
	out->kernel = type == DT_F16 ? s->f16 : s->bf16;
	out->grid = (p->tiles * p->heads * p->batch.count + s->tiles - 1)
		/ s->tiles;
	out->block = 128;
	out->shared = attend_shared(s, p->stages);
	out->args_bytes = sizeof *p;
	return out->grid > INT32_MAX ? -1 : out->grid > 0;
}
