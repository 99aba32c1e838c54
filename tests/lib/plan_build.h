/* plan_build.h - builds small plans by hand, for the tests of the plan file, of
 * the gates and of the VM.
 *
 *   Build b;
 *   build_begin(&b);
 *   uint32_t x = build_input(&b, "x", DT_F32, DIMS({AXIS_H, 4}, {AXIS_C, 8}));
 *   uint32_t y = build_output(&b, "y", ...);
 *   Attr a = {0};
 *   build_op(&b, OP_silu, &a, 2, ONE(build_whole(&b, y)), ONE(build_whole(&b, x)));
 *   Plan *p = build_end(&b);
 *   ...
 *   build_free(&b);
 *
 * Buffers lie one behind the other; what build_end fills in (header sums, the
 * one phase, lives of buffers) may be changed afterwards, and so may any record
 * of the plan, to break it.
 */
#ifndef SLUICE_PLAN_BUILD_H
#define SLUICE_PLAN_BUILD_H

#include "kernels/target.h"
#include "vm/plan/plan.h"

#include <string.h>

enum { BUILD_RECORDS = 256, BUILD_BYTES = 4096 };

typedef struct BuildDim {
	int axis;
	int64_t n;
} BuildDim;

/* Extents of a dense buffer, slowest first. */
typedef struct BuildDims {
	int rank;
	BuildDim d[AXIS_MAX];
} BuildDims;
#define DIMS(...) ((BuildDims){ \
	(int)(sizeof((BuildDim[]){__VA_ARGS__}) / sizeof(BuildDim)), \
	{__VA_ARGS__}})

typedef struct Build {
	Arena a;
	Plan p;
	BuildDims dims[BUILD_RECORDS];  /* of each buffer */
	int64_t end;            /* of the last buffer */
} Build;

#define ONE(v) ((PlanOperand){{(v), PLAN_NONE}})
#define TWO(v, w) ((PlanOperand){{(v), (w)}})
#define NONE ((PlanOperand){{PLAN_NONE, PLAN_NONE}})

/* Appends a record to a section and yields its index. */
#define BUILD_PUSH(b, section, ...) \
	((b)->p.section[(b)->p.n_##section] = __VA_ARGS__, \
		(b)->p.n_##section++)

static inline uint32_t
build_string(Build *b, const char *s)
{
	uint32_t at = b->p.n_strings;
	size_t n = strlen(s) + 1;
	if (n == 1)
		return 0;
	memcpy(b->p.strings + at, s, n);
	b->p.n_strings += (uint32_t)n;
	return at;
}

static inline void
build_begin(Build *b)
{
	static const char *const axes[AXIS_MAX] = {"step", "b", "f", "h", "w",
		[AXIS_TOKEN] = "token", [AXIS_C] = "c"};
	memset(b, 0, sizeof *b);
#define X(type, name) b->p.name = arena_array(&b->a, \
		sizeof(type) == 1 ? BUILD_BYTES : BUILD_RECORDS, sizeof(type));
	PLAN_SECTIONS(X)
#undef X
	PlanHeader *h = &b->p.head;
	b->p.n_strings = 1;
	memcpy(h->magic, "SLUICE\0", 8);
	h->version = PLAN_VERSION;
	h->ops_hash = ops_hash();
	h->name = build_string(b, "test");
	h->target = build_string(b, "cpu");
	h->abi = target_cpu.abi;
	h->threads = 2;
	for (int i = 0; i < AXIS_MAX; i++)
		h->axis_name[i] = axes[i] ? build_string(b, axes[i]) : 0;
	BUILD_PUSH(b, debugs, (PlanDebug){.file = build_string(b, "t.slu"),
		.line = 1, .scope = build_string(b, "scope"),
		.group = PLAN_NONE});
}

static inline uint32_t
build_buffer(Build *b, BufferRole role, const char *name, DType t,
	BuildDims dims)
{
	int64_t n = dtype_bytes(t);
	for (int i = 0; i < dims.rank; i++)
		n *= dims.d[i].n;
	uint32_t at = b->p.n_buffers;
	b->dims[at] = dims;
	BUILD_PUSH(b, buffers, (PlanBuffer){.offset = b->end, .bytes = n,
		.name = build_string(b, name), .role = (uint8_t)role,
		.dtype = (uint8_t)t});
	b->end = round_up(b->end + n, PLAN_ALIGN);
	return at;
}

static inline PlanPort
build_port(Build *b, uint32_t buffer)
{
	PlanPort x = {.name = b->p.buffers[buffer].name, .buffer = buffer,
		.dtype = b->p.buffers[buffer].dtype};
	for (int i = 0; i < b->dims[buffer].rank; i++) {
		BuildDim d = b->dims[buffer].d[i];
		x.axes |= AXIS_BIT(d.axis);
		x.n[d.axis] = d.n;
	}
	return x;
}

static inline uint32_t
build_input(Build *b, const char *name, DType t, BuildDims dims)
{
	uint32_t at = build_buffer(b, BUF_INPUT, name, t, dims);
	BUILD_PUSH(b, inputs, build_port(b, at));
	return at;
}

static inline uint32_t
build_output(Build *b, const char *name, DType t, BuildDims dims)
{
	uint32_t at = build_buffer(b, BUF_OUTPUT, name, t, dims);
	BUILD_PUSH(b, outputs, build_port(b, at));
	return at;
}

/* A table's buffer and its data. */
static inline uint32_t
build_table(Build *b, const char *name, const float *data, BuildDims dims)
{
	uint32_t at = build_buffer(b, BUF_TABLE, name, DT_F32, dims);
	int64_t bytes = b->p.buffers[at].bytes;
	BUILD_PUSH(b, tables, (PlanTable){b->p.buffers[at].name, at,
		b->p.n_blob, bytes});
	memcpy(b->p.blob + b->p.n_blob, data, (size_t)bytes);
	b->p.n_blob += (uint32_t)bytes;
	return at;
}

/* A weight of shape dim[rank]; `layout` is that of a packed matrix, or NULL.
 * Yields its buffer; its weight is the last one. */
static inline uint32_t
build_weight(Build *b, const char *name, DType t, int rank,
	const int64_t *dim, const MatrixLayout *layout)
{
	int64_t n = 1;
	PlanWeight w = {.rank = (uint8_t)rank, .layout = layout
		? LAYOUT_MATRIX : LAYOUT_PLAIN};
	for (int i = 0; i < rank; i++) {
		w.dim[i] = dim[i];
		n *= dim[i];
	}
	w.buffer = build_buffer(b, BUF_WEIGHT, name, t, DIMS({AXIS_C, n}));
	w.name = b->p.buffers[w.buffer].name;
	if (layout) {
		memcpy(w.rows, layout->rows, sizeof w.rows);
		memcpy(w.cols, layout->cols, sizeof w.cols);
		w.taps = layout->taps;
	}
	b->p.head.weights_bytes += b->p.buffers[w.buffer].bytes;
	BUILD_PUSH(b, weights, w);
	return w.buffer;
}

static inline Affine
affine_of(int64_t base, int reg, int64_t step)
{
	Affine a = {.base = base};
	a.step[reg] = step;
	return a;
}

/* The whole of a buffer. */
static inline uint32_t
build_whole(Build *b, uint32_t buffer)
{
	const BuildDims *dims = &b->dims[buffer];
	uint32_t first = b->p.n_dims;
	int64_t stride = 1;
	b->p.n_dims += (uint32_t)dims->rank;
	for (int i = dims->rank; i-- > 0;) {
		b->p.dims[first + (uint32_t)i] = (PlanDim){
			.axis = (uint8_t)dims->d[i].axis, .stride = stride,
			.extent = dims->d[i].n, .hi = {.base = dims->d[i].n}};
		stride *= dims->d[i].n;
	}
	return BUILD_PUSH(b, views, (PlanView){.buffer = buffer,
		.first_dim = first, .ndim = (uint32_t)dims->rank});
}

/* The dim of a view along an axis, NULL when it lacks it. */
static inline PlanDim *
build_dim(Plan *p, uint32_t view, int axis)
{
	PlanView *v = &p->views[view];
	for (uint32_t i = 0; i < v->ndim; i++)
		if (p->dims[v->first_dim + i].axis == axis)
			return &p->dims[v->first_dim + i];
	return NULL;
}

/* Cuts a view along an axis to [step r + lo, step r + hi). */
static inline void
build_cut(Build *b, uint32_t view, int axis, int reg, int64_t step, int64_t lo,
	int64_t hi)
{
	PlanDim *d = build_dim(&b->p, view, axis);
	d->lo = affine_of(lo, reg, step);
	d->hi = affine_of(hi, reg, step);
}

/* The same for a buffer that holds only the slice: `full` is the value's
 * extent. */
static inline void
build_slice(Build *b, uint32_t view, int axis, int64_t full, int reg,
	int64_t step, int64_t lo, int64_t hi)
{
	PlanDim *d = build_dim(&b->p, view, axis);
	build_cut(b, view, axis, reg, step, lo, hi);
	d->extent = full;
	d->origin = d->lo;
}

static inline uint32_t
build_control(Build *b, Control op, uint32_t x, uint32_t y)
{
	return BUILD_PUSH(b, code, (PlanInsn){.op = (uint16_t)op,
		.first_operand = 0, .a = x, .b = y});
}

/* A compute instruction with n operands (result first); yields its index. */
static inline uint32_t
build_op_list(Build *b, Op op, const Attr *attr, int n, const PlanOperand *o)
{
	uint32_t first = b->p.n_operands;
	for (int i = 0; i < n; i++)
		BUILD_PUSH(b, operands, o[i]);
	BUILD_PUSH(b, attrs, *attr);
	return BUILD_PUSH(b, code, (PlanInsn){.op = (uint16_t)op,
		.noperands = (uint16_t)n, .attr = b->p.n_attrs - 1,
		.first_operand = first});
}
#define build_op(b, op, attr, ...) build_op_list(b, op, attr, \
	(int)(sizeof((PlanOperand[]){__VA_ARGS__}) / sizeof(PlanOperand)), \
	(PlanOperand[]){__VA_ARGS__})

/* Loads a weight, which must have a buffer of its own. */
static inline void
build_load(Build *b, uint32_t weight)
{
	build_control(b, CTL_load, weight, 0);
	build_control(b, CTL_wait, weight, 0);
}

/* The denoising loop is the last one over r0 of a plan with steps; what depends
 * on the step and what crosses it, buffers having their lives. */
static inline void
build_marks(Build *b)
{
	Plan *p = &b->p;
	PlanHeader *h = &p->head;
	uint32_t end = 0;
	h->denoise = PLAN_NONE;
	for (uint32_t i = 0; h->steps && i < p->n_code; i++) {
		if (p->code[i].op == CTL_loop && p->code[i].a == 0)
			h->denoise = i;
		if (p->code[i].op == CTL_next && p->code[i].a == 0)
			end = i;
	}
	for (uint32_t i = 0; i < p->n_views; i++) {
		PlanView *v = &p->views[i];
		for (uint32_t k = 0; h->steps && k < v->ndim; k++)
			if (dim_by_step(&p->dims[v->first_dim + k]))
				v->by_step = 1;
	}
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		PlanBuffer *x = &p->buffers[i];
		x->crosses = h->denoise != PLAN_NONE && x->first <= h->denoise
			&& x->last >= end && x->role != BUF_WEIGHT
			&& x->role != BUF_TABLE && x->role != BUF_WORK;
	}
	for (uint32_t i = 0; i < p->n_inputs; i++)
		if (p->inputs[i].per_step)
			p->buffers[p->inputs[i].buffer].crosses = 0;
}

/* Ends the program; fills in header, phase and lives.  The plan belongs to the
 * builder. */
static inline Plan *
build_end(Build *b)
{
	Plan *p = &b->p;
	build_control(b, CTL_halt, 0, 0);
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		PlanBuffer *x = &p->buffers[i];
		x->last = p->n_code - 1;
		p->head.arena_bytes = max64(p->head.arena_bytes,
			x->offset + x->bytes);
	}
	build_marks(b);
	p->head.load_bound = p->head.arena_bytes;
	p->head.unsliced_bytes = p->head.arena_bytes;
	p->head.weights_peak = p->head.weights_bytes;
	BUILD_PUSH(b, phases, (PlanPhase){.name = build_string(b, "run"),
		.last = p->n_code - 1, .peak_bytes = p->head.arena_bytes});
	return p;
}

static inline void
build_free(Build *b)
{
	arena_free(&b->a);
}

#endif
