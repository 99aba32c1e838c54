/* operands.c - see operands.h.
 *
 * A dim of a plan view says which indices [lo, hi) of an axis the box holds and
 * where index `origin` lies; all three are affine in the registers.  Clamping
 * lo and hi to the axis is what makes halos at the borders and short last
 * slices: what was clamped off in front is passed on as `cut`, and the kernel
 * pads it.
 */
#include "vm/operands.h"

#include <string.h>

static void
view_clear(View *v)
{
	v->data = NULL;
	v->dtype = DT_F32;
	v->axes = 0;
	for (int a = 0; a < AXIS_MAX; a++) {
		v->n[a] = v->full[a] = 1;
		v->stride[a] = v->lo[a] = v->cut[a] = 0;
	}
}

/* The View of plan view `view` for the registers r[PLAN_REGS]; `arena` is where
 * the plan's byte 0 lies. */
static void
view_build(const Plan *p, char *arena, uint32_t view, const int64_t *r,
	View *out)
{
	const PlanView *pv = &p->views[view];
	const PlanBuffer *b = &p->buffers[pv->buffer];
	int64_t at = pv->base;
	view_clear(out);
	out->dtype = (DType)b->dtype;
	for (uint32_t i = 0; i < pv->ndim; i++) {
		const PlanDim *d = &p->dims[pv->first_dim + i];
		int64_t first = affine_at(&d->lo, r);
		int64_t lo = clamp64(first, 0, d->extent);
		int64_t hi = clamp64(affine_at(&d->hi, r), 0, d->extent);
		out->axes |= AXIS_BIT(d->axis);
		out->n[d->axis] = max64(hi - lo, 0);
		out->stride[d->axis] = d->stride;
		out->lo[d->axis] = lo;
		out->cut[d->axis] = max64(lo - first, 0);
		out->full[d->axis] = d->extent;
		at += (lo - affine_at(&d->origin, r)) * d->stride;
	}
	out->data = arena + b->offset + at * dtype_bytes(out->dtype);
}

void
operands_build(const Plan *p, char *arena, const PlanInsn *insn,
	const int64_t *r, Operand *args)
{
	for (int i = 0; i < ARGS_MAX; i++)
		args[i].parts = 0;
	for (uint32_t i = 0; i < insn->noperands; i++) {
		const PlanOperand *o = &p->operands[insn->first_operand + i];
		for (int k = 0; k < 2 && o->view[k] != PLAN_NONE; k++) {
			view_build(p, arena, o->view[k], r, &args[i].part[k]);
			args[i].parts = k + 1;
		}
	}
}

/* Channels of an operand that may come in two parts. */
static int64_t
channels(const Operand *o)
{
	int64_t n = 0;
	for (int k = 0; k < o->parts; k++)
		n += o->part[k].n[AXIS_C];
	return n;
}

double
operands_flops(Op op, const Operand *args, const Attr *attr)
{
	double out = (double)view_elements(&args[0].part[0]);
	if (op == OP_linear)
		return 2 * out * (double)channels(&args[1])
			* (attr->geglu ? 2 : 1);
	if (op == OP_conv) {
		int64_t taps = 1;
		for (int i = 0; i < __builtin_popcount(attr->over); i++)
			taps *= attr->kernel[i];
		return 2 * out * (double)(channels(&args[1]) * taps);
	}
	if (op == OP_attend) {
		int64_t keys = 1;
		for (int a = 0; a < AXIS_C; a++)
			if (attr->over >> a & 1)
				keys *= args[2].part[0].n[a];
		return 4 * out * (double)keys;
	}
	return 0;
}
