/* launch_norm.c - the fast forms of the norms: their plain arguments, and how the
 * work is dealt out to blocks.
 */
#include "kernels/cuda/cuda.h"

#include "ir/base/base.h"

#include <string.h>

enum { THREADS = 256, LANES = 8, SHARED = 48 << 10 };  /* box.h, rows.h */

static int64_t
columns_of(int64_t channels)
{
	return (channels + LANES - 1) / LANES;
}

/* Rows that a block takes at once. */
static int64_t
rows_of(int64_t columns)
{
	return columns < THREADS ? THREADS / max64(columns, 1) : 1;
}

static bool
is_aligned(const void *data)
{
	return (uintptr_t)data % 16 == 0;
}

static int
finish(Launch *l, const char *kernel, int64_t grid, int64_t shared, size_t bytes)
{
	l->kernel = kernel;
	l->grid = grid;
	l->block = THREADS;
	l->shared = (int)shared;
	l->args_bytes = bytes;
	return grid > INT32_MAX || shared > SHARED ? -1 : grid > 0;
}

static int
fast_stats(const Operand *args, const Attr *attr, Launch *out)
{
	StatsArgs *p = &out->args.stats;
	int parts = args[1].parts, n = plain_norm_stats(args, attr, out);
	int64_t columns = columns_of(p->channels[0]) + columns_of(p->channels[1]);
	if (n <= 0)
		return n;
	p->vec = (p->channels[0] | p->channels[1]) % LANES == 0;
	for (int i = 0; i < parts; i++) {
		BoxArgs unit = p->units;        /* where the part's units begin */
		unit.data[0] = unit.data[1 + i];
		memcpy(unit.step[0], unit.step[1 + i], sizeof unit.step[0]);
		p->vec &= box_aligned(&p->in[i], 1) && box_aligned(&unit, 1);
	}
	return finish(out, "norm_stats", p->units.count, (p->groups + 3) / 4 * 16
		+ 4 * rows_of(columns) * (p->channels[0] + p->channels[1]),
		sizeof *p);
}

static int
fast_combine(const Operand *args, const Attr *attr, Launch *out)
{
	CombineArgs *p = &out->args.combine;
	int n = plain_norm_combine(args, attr, out);
	if (n <= 0)
		return n;
	if (p->groups > THREADS)
		return -1;
	return finish(out, "norm_combine", p->out.count,
		8 * (THREADS / p->groups) * p->groups, sizeof *p);
}

/* Axes that the statistics have are `out`, the others `in`. */
static int
apply_part(const Operand *args, int part, int64_t first, const Attr *attr,
	Launch *l)
{
	const View *x = &args[1].part[part], *stats = &args[2].part[0];
	const View *gamma = &args[3].part[0], *beta = &args[4].part[0];
	View y = view_from(&args[0].part[0], AXIS_C, first, x->n[AXIS_C]);
	const View *v[3] = {&y, x, stats};
	int64_t out[AXIS_MAX], in[AXIS_MAX];
	ApplyRowsArgs *p = &l->args.apply_rows;
	memset(p, 0, sizeof *p);
	for (int a = 0; a < AXIS_MAX; a++) {
		bool has = stats->axes >> a & 1;
		out[a] = has && a != AXIS_C ? y.n[a] : 1;
		in[a] = has || a == AXIS_C ? 1 : y.n[a];
	}
	box_fill(&p->out, out, 3, v, 0);
	box_fill(&p->in, in, 2, v, 0);
	p->gamma = gamma->data;
	p->beta = beta->data;
	p->gamma_type = (int32_t)gamma->dtype;
	p->beta_type = (int32_t)beta->dtype;
	p->act = attr->act;
	p->groups = attr->groups;
	p->first = first;
	p->channels = x->n[AXIS_C];
	p->per = args[0].part[0].full[AXIS_C] / max64(attr->groups, 1);
	int64_t rows = APPLY_ROWS * rows_of(columns_of(p->channels));
	p->chunks = (p->in.count + rows - 1) / rows;
	p->vec = p->channels % LANES == 0 && first % LANES == 0
		&& box_aligned(&p->out, 2) && box_aligned(&p->in, 2)
		&& is_aligned(p->gamma) && is_aligned(p->beta);
	return finish(l, "norm_apply", p->channels ? p->out.count * p->chunks : 0,
		0, sizeof *p);
}

static int
fast_apply(const Operand *args, const Attr *attr, Launch *out)
{
	int64_t first = 0;
	int launches = 0;
	/* the groups of a channel must be known: c is never cut here */
	if (args[0].part[0].n[AXIS_C] != args[0].part[0].full[AXIS_C])
		return -1;
	for (int i = 0; i < args[1].parts; i++) {
		int k = apply_part(args, i, first, attr, out + launches);
		if (k < 0)
			return k;
		launches += k;
		first += args[1].part[i].n[AXIS_C];
	}
	return launches;
}

static int
fast_layer(const Operand *args, const Attr *attr, Launch *out)
{
	RowsArgs *p = &out->args.rows;
	int n = plain_layer_norm(args, attr, out);
	if (n <= 0)
		return n;
	p->vec = p->channels % LANES == 0 && box_aligned(&p->box, 2)
		&& is_aligned(p->gamma) && is_aligned(p->beta);
	int64_t rows = THREADS / 32;
	return finish(out, "layer_norm", (p->box.count + rows - 1) / rows, 0,
		sizeof *p);
}

int
fast_norm(Op op, const Operand *args, const Attr *attr, const CudaChoice *how,
	Launch *out)
{
	(void)how;
	switch (op) {
	case OP_norm_stats:   return fast_stats(args, attr, out);
	case OP_norm_combine: return fast_combine(args, attr, out);
	case OP_norm_apply:   return fast_apply(args, attr, out);
	case OP_layer_norm:   return fast_layer(args, attr, out);
	default:              return -1;
	}
}
