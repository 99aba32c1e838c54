/* launch.c - which kernels an op is launched as, and the arguments of the
 * elementwise ops, of those that make or move elements, and of the norms.
 */
#include "kernels/cuda/cuda.h"

#include "ir/base/base.h"

#include <string.h>

enum { THREADS = 256 };         /* box.h */

typedef int (*PlainForm)(const Operand *args, const Attr *attr, Launch *out);

static const PlainForm plain_forms[OP_COUNT] = {
#define NO_KERNEL(name_, attr_, flags_, operands_, doc_)
#define OP(name_, attr_, flags_, operands_, doc_) [OP_##name_] = plain_##name_,
#include "ir/ops.def"
};

/* Fast forms and their families.  Whether one serves an op depends on types and
 * on extents that are never cut, so that all slices take the same. */
static const struct {
	CudaFamily family;
	int (*launch)(Op op, const Operand *args, const Attr *attr,
		const CudaChoice *how, Launch *out);
} fast_forms[OP_COUNT] = {
	[OP_linear] = {CUDA_MATRIX, fast_matrix},
	[OP_conv] = {CUDA_MATRIX, fast_matrix},
	[OP_attend] = {CUDA_ATTEND, fast_attend},
	[OP_norm_stats] = {CUDA_NORM, fast_norm},
	[OP_norm_combine] = {CUDA_NORM, fast_norm},
	[OP_norm_apply] = {CUDA_NORM, fast_norm},
	[OP_layer_norm] = {CUDA_NORM, fast_norm},
#define X(op) [OP_##op] = {CUDA_EACH, fast_each},
	X(add) X(sub) X(mul) X(div) X(silu) X(gelu) X(gelu_tanh) X(sigmoid)
	X(clamp) X(blend) X(geglu) X(copy) X(fill)
#undef X
};

int
cuda_launches(Op op, const Operand *args, const Attr *attr,
	const CudaChoice *how, Launch *out)
{
	if (fast_forms[op].launch
		&& !(how->plain >> fast_forms[op].family & 1)) {
		int n = fast_forms[op].launch(op, args, attr, how, out);
		if (n >= 0)
			return n;
	}
	return plain_forms[op] ? plain_forms[op](args, attr, out) : -1;
}

/* ---- boxes ---- */

/* Whether axis `axis` continues the last dim of the box in every view. */
static bool
chains(const BoxArgs *b, int axis, int views, const View *const *view)
{
	int d = b->dims - 1;
	for (int v = 0; v < views; v++)
		if (view[v]->stride[axis] != b->step[v][d] * b->n[d])
			return false;
	return true;
}

static void
add_dim(BoxArgs *b, int axis, int64_t n, int views, const View *const *view)
{
	int d = b->dims++;
	b->n[d] = n;
	for (int v = 0; v < views; v++)
		b->step[v][d] = view[v]->stride[axis];
}

void
box_fill(BoxArgs *b, const int64_t *box, int views, const View *const *view,
	AxisSet apart)
{
	memset(b, 0, sizeof *b);
	b->count = 1;
	for (int v = 0; v < views; v++) {
		b->data[v] = view[v]->data;
		b->dtype[v] = (int32_t)view[v]->dtype;
		/* of a view without data it is the first index */
		for (int a = 0; a < AXIS_MAX && !view[v]->data; a++)
			b->first[v] += view[v]->lo[a] * view[v]->stride[a];
	}
	for (int a = AXIS_MAX - 1; a >= 0; a--)
		if (apart >> a & 1)
			add_dim(b, a, box[a], views, view);
	int kept = b->dims;
	for (int a = AXIS_MAX - 1; a >= 0; a--) {
		b->count *= box[a];
		if (apart >> a & 1 || box[a] == 1)
			continue;
		if (b->dims > kept && chains(b, a, views, view))
			b->n[b->dims - 1] *= box[a];
		else
			add_dim(b, a, box[a], views, view);
	}
}

View
box_position(const View *v, int axis)
{
	View p = {.axes = AXIS_BIT(axis)};
	for (int a = 0; a < AXIS_MAX; a++)
		p.n[a] = p.full[a] = 1;
	p.lo[axis] = v->lo[axis];
	p.stride[axis] = 1;
	return p;
}

int
launch_threads(Launch *l, const char *kernel, int64_t threads,
	size_t args_bytes)
{
	l->kernel = kernel;
	l->block = THREADS;
	l->shared = 0;
	l->grid = (threads + THREADS - 1) / THREADS;
	l->args_bytes = args_bytes;
	if (l->grid > INT32_MAX)
		return -1;
	return threads > 0;
}

View
view_from(const View *v, int axis, int64_t first, int64_t n)
{
	View p = *v;
	p.data += first * v->stride[axis] * dtype_bytes(v->dtype);
	p.lo[axis] += first;
	p.n[axis] = n;
	return p;
}

bool
box_aligned(const BoxArgs *b, int views)
{
	for (int v = 0; v < views; v++) {
		if ((uintptr_t)b->data[v] % 16)
			return false;
		for (int d = 0; d < b->dims; d++)
			if (b->step[v][d] % 8)
				return false;
	}
	return true;
}

/* ---- elementwise ---- */

/* `views` of them have data; one more may follow that counts positions. */
static int
each(Op op, int views, int all, const View *const *view, const Attr *attr,
	Launch *out)
{
	EachArgs *p = &out->args.each;
	memset(p, 0, sizeof *p);
	box_fill(&p->box, view[0]->n, all, view, 0);
	p->op = op;
	p->views = views;
	p->reversed = attr->reversed;
	p->scalar = (float)attr->scalar;
	p->lo = (float)attr->lo;
	p->hi = (float)attr->hi;
	return launch_threads(out, "plain_each", p->box.count, sizeof *p);
}

static int
each_operands(Op op, const Operand *args, const Attr *attr, Launch *out)
{
	const View *v[4] = {&args[0].part[0], &args[1].part[0]};
	int views = 2;
	for (int i = 2; i <= op_nin(op); i++)
		if (args[i].parts)
			v[views++] = &args[i].part[0];
	return each(op, views, views, v, attr, out);
}

#define EACH(name) \
	int \
	plain_##name(const Operand *args, const Attr *attr, Launch *out) \
	{ \
		return each_operands(OP_##name, args, attr, out); \
	}
EACH(add)
EACH(sub)
EACH(mul)
EACH(div)
EACH(silu)
EACH(gelu)
EACH(gelu_tanh)
EACH(sigmoid)
EACH(clamp)
EACH(blend)

int
plain_geglu(const Operand *args, const Attr *attr, Launch *out)
{
	const View *y = &args[0].part[0];
	int64_t c = y->n[AXIS_C];
	View x = view_from(&args[1].part[0], AXIS_C, 0, c);
	View gate = view_from(&args[1].part[0], AXIS_C, c, c);
	const View *v[3] = {y, &x, &gate};
	return each(OP_geglu, 3, 3, v, attr, out);
}

int
plain_sample(const Operand *args, const Attr *attr, Launch *out)
{
	const View *v[6] = {&args[0].part[0], &args[1].part[0],
		&args[2].part[0]}, *table = &args[3].part[0];
	const View none = {0};
	SampleArgs *p = &out->args.sample;
	(void)attr;
	for (int i = 0; i < 3; i++)
		v[3 + i] = args[4 + i].parts ? &args[4 + i].part[0] : &none;
	box_fill(&p->box, v[0]->n, 6, v, 0);
	p->table = table->data;
	if (table->dtype != DT_F32)
		return -1;
	return launch_threads(out, "plain_sample", p->box.count, sizeof *p);
}

/* Turns a launch of plain_each into one of eight elements a thread, if all
 * views have them side by side; operands behind x may have one for all. */
static void
widen(Launch *l)
{
	const EachArgs *p = &l->args.each;
	BoxArgs outer = p->box;
	if (p->op == OP_index || p->box.dims == 0 || p->box.n[0] % 8)
		return;
	for (int v = 0; v < p->views; v++) {
		int64_t step = p->box.step[v][0];
		if ((step != 1 && (v < 2 || step))
			|| p->box.dtype[v] == DT_I32)
			return;
		outer.step[v][0] = 0;
		if (step == 0)          /* read one by one */
			outer.data[v] = NULL;
	}
	if (!box_aligned(&outer, p->views))
		return;
	launch_threads(l, "each", p->box.count / 8, sizeof *p);
}

int
fast_each(Op op, const Operand *args, const Attr *attr, const CudaChoice *how,
	Launch *out)
{
	int n = plain_forms[op](args, attr, out);
	(void)how;
	for (int i = 0; i < n; i++)
		widen(&out[i]);
	return n;
}

/* ---- making and moving ---- */

int
plain_copy(const Operand *args, const Attr *attr, Launch *out)
{
	int64_t first = 0;      /* channel of the result */
	int launches = 0;
	for (int p = 0; p < args[1].parts; p++) {
		const View *x = &args[1].part[p];
		int64_t n = args[1].parts > 1 ? x->n[AXIS_C]
			: args[0].part[0].n[AXIS_C];
		View y = view_from(&args[0].part[0], AXIS_C, first, n);
		const View *v[2] = {&y, x};
		int k = each(OP_copy, 2, 2, v, attr, out + launches);
		if (k < 0)
			return k;
		launches += k;
		first += n;
	}
	return launches;
}

int
plain_fill(const Operand *args, const Attr *attr, Launch *out)
{
	const View *v[1] = {&args[0].part[0]};
	return each(OP_fill, 1, 1, v, attr, out);
}

int
plain_index(const Operand *args, const Attr *attr, Launch *out)
{
	const View *y = &args[0].part[0];
	View position = box_position(y, attr->axis);
	const View *v[2] = {y, &position};
	return each(OP_index, 1, 2, v, attr, out);
}

int
plain_resize(const Operand *args, const Attr *attr, Launch *out)
{
	const View *y = &args[0].part[0], *x = &args[1].part[0];
	ResizeArgs *p = &out->args.resize;
	View rest = *x;         /* x but for the axes of over */
	memset(p, 0, sizeof *p);
	for (int a = AXIS_MAX - 1; a >= 0; a--) {
		if (!(attr->over >> a & 1))
			continue;
		rest.stride[a] = 0;
		p->lo[p->over] = y->lo[a];
		p->from[p->over] = x->full[a];
		p->to[p->over] = y->full[a];
		p->begin[p->over] = x->lo[a];
		p->step[p->over++] = x->stride[a];
	}
	const View *v[2] = {y, &rest};
	box_fill(&p->box, y->n, 2, v, attr->over);
	return launch_threads(out, "plain_resize", p->box.count, sizeof *p);
}

int
plain_sinusoid(const Operand *args, const Attr *attr, Launch *out)
{
	const View *y = &args[0].part[0];
	View position = box_position(y, AXIS_C);
	const View *v[3] = {y, &args[1].part[0], &position};
	SinusoidArgs *p = &out->args.sinusoid;
	memset(p, 0, sizeof *p);
	box_fill(&p->box, y->n, 3, v, 0);
	p->channels = y->full[AXIS_C];
	p->sin_first = attr->sin_first;
	p->interleave = attr->interleave;
	return launch_threads(out, "plain_sinusoid", p->box.count, sizeof *p);
}

int
plain_embed(const Operand *args, const Attr *attr, Launch *out)
{
	const View *y = &args[0].part[0], *table = &args[2].part[0];
	View position = box_position(y, AXIS_C);
	const View *v[3] = {y, &args[1].part[0], &position};
	EmbedArgs *p = &out->args.embed;
	memset(p, 0, sizeof *p);
	box_fill(&p->box, y->n, 3, v, 0);
	p->table = table->data;
	p->dtype = (int32_t)table->dtype;
	p->rows = attr->rows;
	p->channels = y->full[AXIS_C];
	return launch_threads(out, "plain_embed", p->box.count, sizeof *p);
}

int
cuda_nonfinite(const View *v, void *found, Launch *out)
{
	BoxArgs *p = &out->args.box;
	const View *view[1] = {v};
	box_fill(p, v->n, 1, view, 0);
	p->data[1] = found;
	return launch_threads(out, "nonfinite", p->count, sizeof *p);
}

/* ---- norms ---- */

int
plain_norm_stats(const Operand *args, const Attr *attr, Launch *out)
{
	const View *y = &args[0].part[0], *x = args[1].part;
	int last = args[1].parts - 1;
	const View *unit[3] = {y, x, &x[last]};
	AxisSet inner = (AxisSet)(attr->over
		& ~(AXIS_BIT(AXIS_F) | AXIS_BIT(AXIS_H)));
	int64_t box[AXIS_MAX], kept[AXIS_MAX];
	StatsArgs *p = &out->args.stats;
	memset(p, 0, sizeof *p);
	for (int a = 0; a < AXIS_MAX; a++) {
		bool in = inner >> a & 1;
		box[a] = in ? max64(x[0].n[a], x[last].n[a]) : 1;
		kept[a] = a == AXIS_C || in ? 1 : y->n[a];
	}
	box_fill(&p->units, kept, 3, unit, 0);
	for (int i = 0; i <= last; i++) {
		const View *v = &x[i];
		box_fill(&p->in[i], box, 1, &v, 0);
		p->channels[i] = v->n[AXIS_C];
	}
	p->groups = attr->groups;
	p->per = (p->channels[0] + p->channels[1]) / max64(attr->groups, 1);
	return launch_threads(out, "plain_norm_stats",
		p->units.count * p->groups, sizeof *p);
}

int
plain_norm_combine(const Operand *args, const Attr *attr, Launch *out)
{
	const View *v[2] = {&args[0].part[0], &args[1].part[0]};
	int64_t box[AXIS_MAX], kept[AXIS_MAX];
	CombineArgs *p = &out->args.combine;
	memset(p, 0, sizeof *p);
	for (int a = 0; a < AXIS_MAX; a++) {
		bool over = attr->over >> a & 1;
		box[a] = over ? v[1]->n[a] : 1;
		kept[a] = over || a == AXIS_C ? 1 : v[0]->n[a];
	}
	box_fill(&p->out, kept, 2, v, 0);
	box_fill(&p->units, box, 1, v + 1, 0);
	p->groups = attr->groups;
	p->rows = (double)attr->rows;
	p->eps = attr->eps;
	return launch_threads(out, "plain_norm_combine",
		p->out.count * p->groups, sizeof *p);
}

/* One part of x, whose first channel is `first`. */
static int
apply_part(const Operand *args, int part, int64_t first, const Attr *attr,
	Launch *out)
{
	const View *x = &args[1].part[part];
	const View *gamma = &args[3].part[0], *beta = &args[4].part[0];
	View y = view_from(&args[0].part[0], AXIS_C, first, x->n[AXIS_C]);
	View stats = args[2].part[0], position = box_position(&y, AXIS_C);
	const View *v[4] = {&y, x, &stats, &position};
	ApplyArgs *p = &out->args.apply;
	memset(p, 0, sizeof *p);
	stats.stride[AXIS_C] = 0;
	box_fill(&p->box, y.n, 4, v, 0);
	p->gamma = gamma->data;
	p->beta = beta->data;
	p->gamma_type = (int32_t)gamma->dtype;
	p->beta_type = (int32_t)beta->dtype;
	p->act = attr->act;
	p->groups = attr->groups;
	p->per = args[0].part[0].full[AXIS_C] / max64(attr->groups, 1);
	return launch_threads(out, "plain_norm_apply", p->box.count, sizeof *p);
}

int
plain_norm_apply(const Operand *args, const Attr *attr, Launch *out)
{
	int64_t first = 0;
	int launches = 0;
	for (int i = 0; i < args[1].parts; i++) {
		int k = apply_part(args, i, first, attr, out + launches);
		if (k < 0)
			return k;
		launches += k;
		first += args[1].part[i].n[AXIS_C];
	}
	return launches;
}

int
plain_layer_norm(const Operand *args, const Attr *attr, Launch *out)
{
	const View *v[2] = {&args[0].part[0], &args[1].part[0]};
	const View *gamma = &args[2].part[0], *beta = &args[3].part[0];
	RowsArgs *p = &out->args.rows;
	int64_t box[AXIS_MAX];
	memset(p, 0, sizeof *p);
	memcpy(box, v[0]->n, sizeof box);
	box[AXIS_C] = 1;
	box_fill(&p->box, box, 2, v, 0);
	p->gamma = gamma->data;
	p->beta = beta->data;
	p->gamma_type = (int32_t)gamma->dtype;
	p->beta_type = (int32_t)beta->dtype;
	p->channels = v[0]->n[AXIS_C];
	p->eps = attr->eps;
	return launch_threads(out, "plain_layer_norm", p->box.count, sizeof *p);
}
