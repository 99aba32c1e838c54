/* emit_view.c - where an instruction finds its operands: boxes of storages,
 * affine in the loop registers.
 */
#include "compiler/emit/emit.h"

#include <string.h>

/* The register of the loop that slices `axis` around a node. */
static int
axis_register(const Program *p, uint32_t node, int axis)
{
	for (int i = p->plan[node].loop; i != LOOP_NONE; i = p->loops.at[i].parent)
		if (p->loops.at[i].axis == axis)
			return p->loops.at[i].reg;
	return 0;
}

static Affine
affine(int64_t base, int64_t step, int reg)
{
	Affine a = {.base = base};
	a.step[reg] = step;
	return a;
}

/* Element stride of each axis of a dense storage. */
static void
storage_strides(const Storage *s, int64_t stride[AXIS_MAX])
{
	int64_t n = 1;
	for (int a = AXIS_MAX; a-- > 0;) {
		stride[a] = 0;
		if (s->axes >> a & 1) {
			stride[a] = n;
			n *= s->n[a];
		}
	}
}

static void
add_dim(Emitter *e, int axis, int64_t extent, int64_t stride, Affine lo,
	Affine hi, Affine origin)
{
	*vec_push(&e->dims) = (PlanDim){.axis = (uint8_t)axis, .extent = extent,
		.stride = stride, .lo = lo, .hi = hi, .origin = origin};
}

static uint32_t
end_view(Emitter *e, uint32_t storage, uint32_t first_dim, int64_t base)
{
	bool by_step = false;
	for (size_t i = first_dim; i < e->dims.n; i++)
		by_step |= e->g->steps && dim_by_step(&e->dims.at[i]);
	*vec_push(&e->views) = (PlanView){.buffer = storage,
		.first_dim = first_dim,
		.ndim = (uint32_t)e->dims.n - first_dim, .by_step = by_step,
		.base = base};
	return (uint32_t)(e->views.n - 1);
}

/* A storage with a row for each denoising step is read and written at the
 * current one. */
static void
add_step_dim(Emitter *e, const Storage *s, const int64_t *stride)
{
	if (s->axes >> AXIS_STEP & 1)
		add_dim(e, AXIS_STEP, s->n[AXIS_STEP], stride[AXIS_STEP],
			affine(0, 1, 0), affine(1, 1, 0), affine(0, 0, 0));
}

/* Indices of operand k along `axis` that node reads in one iteration:
 * [lo, hi), before clamping. */
static void
read_range(const Emitter *e, uint32_t node, int k, int axis, int64_t extent,
	Affine *lo, Affine *hi)
{
	const Node *n = &e->g->nodes.at[node];
	const Slice *s = &e->p->plan[node].slice[axis];
	const Type *x = &e->g->nodes.at[n->in[k]].type;
	AxisClass class = ops_axis(n->op, &n->attr, k, x->axes, axis);
	int reg = axis_register(e->p, node, axis);
	int64_t step = s->step, a = s->lo, b = s->hi, out = n->type.n[axis];
	*lo = affine(0, 0, 0);
	*hi = affine(extent, 0, 0);
	if (class == AX_SAME && step) {
		*lo = affine(a, step, reg);
		*hi = affine(b, step, reg);
	} else if (class == AX_WINDOW) {
		/* the window of a slice is affine: that of slice 0, and as
		 * much further for each iteration as slice 1 lies behind it */
		int64_t lo0 = step ? a : 0, hi0 = step ? b : out;
		int64_t lo1 = lo0 + step, hi1 = hi0 + step;
		ops_window(n->op, &n->attr, axis, extent, out, &lo0, &hi0);
		ops_window(n->op, &n->attr, axis, extent, out, &lo1, &hi1);
		*lo = affine(lo0, lo1 - lo0, reg);
		*hi = affine(hi0, hi1 - hi0, reg);
	}
}

uint32_t
emit_operand_view(Emitter *e, uint32_t node, int k, const Ref *r, int parts)
{
	const Program *p = e->p;
	const Node *n = &e->g->nodes.at[node];
	const Type *t = &e->g->nodes.at[n->in[k]].type;
	uint32_t storage = p->storage_of[r->root], first = (uint32_t)e->dims.n;
	const Storage *s = &p->storages.at[storage];
	int64_t stride[AXIS_MAX], base = 0;
	storage_strides(s, stride);
	add_step_dim(e, s, stride);
	for (int a = AXIS_B; a < AXIS_MAX; a++) {
		if (!(t->axes >> a & 1) || r->axis[a] < 0)
			continue;
		int ra = r->axis[a];
		int64_t extent = a == AXIS_C && parts == 2 ? r->c : t->n[a];
		Affine lo, hi;
		read_range(e, node, k, a, extent, &lo, &hi);
		Affine origin = affine(s->origin[ra].lo, s->origin[ra].step,
			axis_register(p, r->root, ra));
		origin.base -= r->shift[a];
		add_dim(e, a, extent, stride[ra], lo, hi, origin);
	}
	for (int a = 0; a < AXIS_MAX; a++)
		if (r->fix[a] >= 0)
			base += r->fix[a] * stride[a];
	return end_view(e, storage, first, base);
}

uint32_t
emit_result_view(Emitter *e, uint32_t node)
{
	const Program *p = e->p;
	const Type *t = &e->g->nodes.at[node].type;
	uint32_t storage = p->storage_of[node], first = (uint32_t)e->dims.n;
	const Storage *s = &p->storages.at[storage];
	int64_t stride[AXIS_MAX];
	storage_strides(s, stride);
	add_step_dim(e, s, stride);
	for (int a = AXIS_B; a < AXIS_MAX; a++) {
		if (!(t->axes >> a & 1))
			continue;
		const Slice *range = &p->plan[node].slice[a];
		int reg = axis_register(p, node, a);
		add_dim(e, a, t->n[a], stride[a],
			range->step ? affine(range->lo, range->step, reg)
				: affine(0, 0, 0),
			range->step ? affine(range->hi, range->step, reg)
				: affine(t->n[a], 0, 0),
			affine(s->origin[a].lo, s->origin[a].step, reg));
	}
	return end_view(e, storage, first, 0);
}

uint32_t
emit_storage_view(Emitter *e, uint32_t storage)
{
	const Storage *s = &e->p->storages.at[storage];
	uint32_t first = (uint32_t)e->dims.n;
	int64_t stride[AXIS_MAX];
	storage_strides(s, stride);
	for (int a = 0; a < AXIS_MAX; a++)
		if (s->axes >> a & 1)
			add_dim(e, a, s->n[a], stride[a], affine(0, 0, 0),
				affine(s->n[a], 0, 0), affine(0, 0, 0));
	return end_view(e, storage, first, 0);
}

uint32_t
emit_concat_view(Emitter *e, uint32_t node, int axis, int64_t begin, int64_t n)
{
	const Type *t = &e->g->nodes.at[node].type;
	uint32_t storage = e->p->storage_of[node], first = (uint32_t)e->dims.n;
	const Storage *s = &e->p->storages.at[storage];
	int64_t stride[AXIS_MAX];
	storage_strides(s, stride);
	add_step_dim(e, s, stride);
	for (int a = AXIS_B; a < AXIS_MAX; a++) {
		if (!(t->axes >> a & 1))
			continue;
		int64_t extent = a == axis ? n : t->n[a];
		add_dim(e, a, extent, stride[a], affine(0, 0, 0),
			affine(extent, 0, 0),
			affine(a == axis ? -begin : 0, 0, 0));
	}
	return end_view(e, storage, first, 0);
}
