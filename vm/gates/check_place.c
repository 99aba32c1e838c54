/* check_place.c - where views lie, in what coordinates, and the checker's
 * complaints.  All numbers come from a file: check_numbers() bounds them once,
 * so that the arithmetic behind it cannot overflow.
 */
#include "vm/gates/check.h"

#include <stdlib.h>

/* ---- complaints ---- */

char *
check_where(const Check *c, char *buf, size_t size)
{
	const Plan *p = c->p;
	if (c->pc >= p->n_code) {
		snprintf(buf, size, "the end");
		return buf;
	}
	const PlanInsn *insn = &p->code[c->pc];
	const char *scope = "", *name = plan_op_name(insn->op);
	if (insn->debug < p->n_debugs)
		scope = p->strings + p->debugs[insn->debug].scope;
	int at = snprintf(buf, size, "instruction %u (%s%s%.160s", c->pc,
		name ? name : "?", *scope ? ", " : "", scope);
	for (int i = 0; i < c->depth && at < (int)size; i++) {
		uint32_t reg = p->code[c->loop[i]].a;
		at += snprintf(buf + at, size - (size_t)at, ", r%u=%lld", reg,
			(long long)c->r[reg]);
	}
	if (at < (int)size)
		snprintf(buf + at, size - (size_t)at, ")");
	return buf;
}

bool
check_complain(Check *c, CheckId id, const char *fmt, ...)
{
	static const char *const names[] = {
#define CHECK(number, id_, name, doc) [number] = name,
#include "vm/gates/check.def"
	};
	va_list ap;
	/* what was found out after the budget was spent means nothing */
	if (overspent(&c->cost) && id != C_COST)
		return check_cost(c);
	if (id == SLUICE_DROP_CHECK)
		return true;
	int at = snprintf(c->e->text, sizeof c->e->text, "C%d %s: ", (int)id,
		names[id]);
	va_start(ap, fmt);
	vsnprintf(c->e->text + at, sizeof c->e->text - (size_t)at, fmt, ap);
	va_end(ap);
	c->failed = true;
	return false;
}

bool
check_cost(Check *c)
{
	char at[256], bytes[32];
	check_where(c, at, sizeof at);
	if (c->cost.bytes > PLAN_BYTES_MAX)
		return check_complain(c, C_COST, "%s: to prove the program takes "
			"tables of more than %s", at,
			format_bytes(bytes, PLAN_BYTES_MAX));
	return check_complain(c, C_COST, "%s: to prove the program takes more than "
		"%lld steps", at, (long long)PLAN_STEPS_MAX);
}

const char *
check_name(const Check *c, uint32_t buffer)
{
	return c->p->strings + c->p->buffers[buffer].name;
}

/* ---- numbers ---- */

enum { NUMBER_BITS = 56 };      /* sums of a few such numbers do not overflow */

static bool
bounded(int64_t x)
{
	return x > -((int64_t)1 << NUMBER_BITS) && x < (int64_t)1 << NUMBER_BITS;
}

/* Whether the form stays in bounds while r[i] runs over 0 .. most[i]. */
static bool
affine_bounded(const Affine *f, const int64_t *most)
{
	int64_t lo = f->base, hi = f->base;
	for (int i = 0; i < PLAN_REGS; i++) {
		int64_t part;
		if (!bounded(lo) || !bounded(hi)
			|| !mul_ok(f->step[i], most[i], &part) || !bounded(part))
			return false;
		lo += min64(part, 0);
		hi += max64(part, 0);
	}
	return bounded(lo) && bounded(hi);
}

static bool
dims_bounded(Check *c)
{
	const Plan *p = c->p;
	int64_t most[PLAN_REGS] = {0};
	for (uint32_t i = 0; i < p->n_code; i++)
		if (p->code[i].op == CTL_loop)
			most[p->code[i].a] = max64(most[p->code[i].a],
				p->code[i].b);
	for (uint32_t i = 0; i < p->n_dims; i++) {
		const PlanDim *d = &p->dims[i];
		int64_t span;
		if (d->extent < 0 || d->stride < 0
			|| !affine_bounded(&d->lo, most)
			|| !affine_bounded(&d->hi, most)
			|| !affine_bounded(&d->origin, most)
			|| !bounded(d->extent) || !bounded(d->stride)
			|| !mul_ok(d->extent, d->stride, &span)
			|| !bounded(span))
			return check_complain(c, C_VIEW, "dim %u has absurd numbers",
				i) && false;
	}
	return true;
}

bool
check_numbers(Check *c)
{
	const Plan *p = c->p;
	if (!dims_bounded(c))
		return false;
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		const PlanBuffer *b = &p->buffers[i];
		if (b->bytes >= 0 && b->bytes <= p->head.arena_bytes
			&& b->offset >= 0
			&& b->offset <= p->head.arena_bytes - b->bytes)
			continue;
		if (!check_complain(c, C_ARENA, "buffer '%.100s' has bytes "
			"[%lld, +%lld) of %lld", check_name(c, i),
			(long long)b->offset, (long long)b->bytes,
			(long long)p->head.arena_bytes)
			|| b->bytes < 0 || b->offset < 0 || !bounded(b->bytes)
			|| !bounded(b->offset))
			return false;
	}
	return true;
}

/* ---- views ---- */

bool
check_place(Check *c, uint32_t view, const int64_t *r, Place *out)
{
	const Plan *p = c->p;
	const PlanView *v = &p->views[view];
	const PlanBuffer *b = &p->buffers[v->buffer];
	int64_t size = dtype_bytes((DType)b->dtype), at = v->base, part;
	out->view = view;
	out->buffer = v->buffer;
	out->empty = out->repeats = false;
	out->bytes.nd = 0;
	out->bytes.run = size;
	spend(&c->cost, VIEW_STEPS + AXIS_STEPS * (int64_t)v->ndim);
	for (uint32_t i = v->ndim; i--;) {
		const PlanDim *d = &p->dims[v->first_dim + i];
		int64_t lo = clamp64(affine_at(&d->lo, r), 0, d->extent);
		int64_t hi = clamp64(affine_at(&d->hi, r), 0, d->extent);
		if (!mul_ok(lo - affine_at(&d->origin, r), d->stride, &part)
			|| !bounded(part) || !bounded(at))
			return false;
		at += part;
		if (hi <= lo)
			out->empty = true;
		else if (!d->stride)
			out->repeats |= hi - lo > 1;
		else
			strided_axis(&out->bytes, hi - lo, d->stride * size);
	}
	if (!bounded(at))
		return false;
	out->bytes.base = b->offset + at * size;
	strided_join(&out->bytes);
	out->first = out->bytes.base;
	out->end = strided_end(&out->bytes);
	return true;
}

bool
check_view(Check *c, uint32_t view, Place *out)
{
	const PlanView *v = &c->p->views[view];
	const PlanBuffer *b = &c->p->buffers[v->buffer];
	bool sound = check_place(c, view, c->r, out);
	if (sound && out->empty)
		return true;
	if (!sound || out->first < b->offset || out->end > b->offset + b->bytes) {
		char at[256];
		check_where(c, at, sizeof at);
		return check_complain(c, C_VIEW, "%s: bytes [%lld, %lld) of buffer "
			"'%.60s' of %lld", at,
			(long long)(sound ? out->first - b->offset : 0),
			(long long)(sound ? out->end - b->offset : 0),
			check_name(c, v->buffer), (long long)b->bytes) && sound;
	}
	c->peak = max64(c->peak, out->end);
	return true;
}

bool
check_same(Check *c, const Place *a, const Place *b)
{
	const Plan *p = c->p;
	const PlanView *x = &p->views[a->view], *y = &p->views[b->view];
	int64_t n[AXIS_MAX], s[AXIS_MAX];
	spend(&c->cost, AXIS_STEPS * (int64_t)(x->ndim + y->ndim));
	if (dtype_bytes((DType)p->buffers[x->buffer].dtype)
		!= dtype_bytes((DType)p->buffers[y->buffer].dtype)
		|| a->first != b->first || a->end != b->end
		|| a->repeats || b->repeats)
		return false;
	for (int i = 0; i < AXIS_MAX; i++)
		n[i] = 1;
	for (int turn = 0; turn < 2; turn++) {
		const PlanView *v = turn ? y : x;
		for (uint32_t i = 0; i < v->ndim; i++) {
			const PlanDim *d = &p->dims[v->first_dim + i];
			int64_t m = clamp64(affine_at(&d->hi, c->r), 0, d->extent)
				- clamp64(affine_at(&d->lo, c->r), 0, d->extent);
			if (m == 1)
				continue;
			if (!turn) {
				n[d->axis] = m;
				s[d->axis] = d->stride;
			} else if (n[d->axis] != m || s[d->axis] != d->stride) {
				return false;
			} else {
				n[d->axis] = 1;
			}
		}
	}
	for (int i = 0; i < AXIS_MAX; i++)
		if (n[i] != 1)
			return false;
	return true;
}

/* The strides of the buffer's views, each once. */
typedef Vec(int64_t) StrideList;

static void
add_strides(Check *c, const PlanView *v, StrideList *to)
{
	int64_t size = dtype_bytes((DType)c->p->buffers[v->buffer].dtype);
	for (uint32_t k = 0; k < v->ndim; k++) {
		const PlanDim *d = &c->p->dims[v->first_dim + k];
		int64_t stride = d->stride * size;
		bool known = d->extent < 2 || stride <= size;
		for (size_t s = 0; s < to->n && !known; s++)
			known = to->at[s] == stride;
		if (!spend(&c->cost, 1 + (int64_t)to->n))
			return;
		if (known)
			continue;
		if (to->n == to->cap && !spend_bytes(&c->cost,
			(int64_t)sizeof stride * max64((int64_t)to->cap, 8)))
			return;
		*vec_push(to) = stride;
	}
}

bool
check_frames(Check *c)
{
	const Plan *p = c->p;
	if (!spend_bytes(&c->cost, (int64_t)sizeof(StrideList) * p->n_buffers))
		return check_cost(c) && false;
	StrideList *strides = calloc((size_t)p->n_buffers + 1, sizeof *strides);
	if (!strides)
		fatal(EXIT_MEMORY, "out of memory");
	for (uint32_t i = 0; i < p->n_views && !overspent(&c->cost); i++)
		add_strides(c, &p->views[i], &strides[p->views[i].buffer]);
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		frame_make(&c->owner[i].frame, strides[i].at, strides[i].n,
			p->buffers[i].bytes);
		vec_free(&strides[i]);
	}
	free(strides);
	return !overspent(&c->cost) || (check_cost(c) && false);
}
