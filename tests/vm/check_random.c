/* check_random.c - gate 3 on random plans, sound and broken ones, against a map of
 * single bytes.
 */
#include "tests/lib/check_plan.h"

#include <stdlib.h>

static uint64_t rng_state;

static uint32_t
rng(uint32_t below)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng_state >> 33) % below;
}

enum { MAP_BYTES = 640, MAP_BUFFERS = 6 };

/* A random box of random layout, mostly inside the buffer. */
static uint32_t
random_view(Build *b, uint32_t buffer, int loops)
{
	PlanBuffer *pb = &b->p.buffers[buffer];
	int64_t elements = pb->bytes / dtype_bytes((DType)pb->dtype);
	uint32_t first = b->p.n_dims, rank = 1 + rng(3);
	int64_t stride = 1, left = elements;
	int axis = AXIS_C;
	b->p.n_dims += rank;
	for (uint32_t i = rank; i--;) {
		int64_t n = i ? 1 + rng((uint32_t)min64(left, 6)) : left;
		PlanDim *d = &b->p.dims[first + i];
		*d = (PlanDim){.axis = (uint8_t)axis, .extent = n,
			.stride = stride};
		axis = axis == AXIS_C ? AXIS_W : axis - 1;
		int64_t lo = rng(4) ? 0 : rng((uint32_t)n);
		d->lo.base = lo;
		d->hi.base = rng(3) ? n : lo + 1 + rng((uint32_t)n);
		int reg = 1 + (int)rng(2);
		if (reg <= loops && !rng(2)) {
			int64_t width = 1 + rng(3), step = rng(4) ? width
				: (int64_t)rng(4) - 1;
			d->lo = affine_of(-(int64_t)rng(2), reg, step);
			d->hi = affine_of(d->lo.base + width, reg, step);
			if (!rng(8))
				d->origin = affine_of(rng(2), reg, 0);
		}
		stride *= n;
		left /= n;
		if (!rng(6))
			stride += rng(3);       /* does not fit any frame */
		else if (stride > 1 && !rng(12))
			stride--;
	}
	return BUILD_PUSH(b, views, (PlanView){.buffer = buffer,
		.first_dim = first, .ndim = rank,
		.base = rng(10) ? 0 : rng(3)});
}

/* All bytes of a view, by brute force; -1: some lie outside.  Every byte is
 * counted in `hits`. */
static int
view_bytes(const Plan *p, uint32_t view, const int64_t *r, uint8_t *hits)
{
	const PlanView *v = &p->views[view];
	const PlanBuffer *b = &p->buffers[v->buffer];
	int64_t lo[4], n[4], at[4] = {0}, size = dtype_bytes((DType)b->dtype);
	int64_t base = v->base;
	int any = 0;
	memset(hits, 0, MAP_BYTES);
	for (uint32_t i = 0; i < v->ndim; i++) {
		const PlanDim *d = &p->dims[v->first_dim + i];
		lo[i] = clamp64(affine_at(&d->lo, r), 0, d->extent);
		n[i] = clamp64(affine_at(&d->hi, r), 0, d->extent) - lo[i];
		base += (lo[i] - affine_at(&d->origin, r)) * d->stride;
		if (n[i] <= 0)
			return 0;
	}
	for (;;) {
		int64_t e = base;
		for (uint32_t i = 0; i < v->ndim; i++)
			e += at[i] * p->dims[v->first_dim + i].stride;
		if (e * size < 0 || (e + 1) * size > b->bytes)
			return -1;
		for (int64_t k = 0; k < size; k++)
			hits[b->offset + e * size + k]++;
		any = 1;
		uint32_t i = v->ndim;
		while (i && ++at[i - 1] == n[i - 1])
			at[--i] = 0;
		if (!i)
			return any;
	}
}

static bool
common(const uint8_t *a, const uint8_t *b)
{
	for (int i = 0; i < MAP_BYTES; i++)
		if (a[i] && b[i])
			return true;
	return false;
}

typedef struct Brute {
	const Plan *p;
	uint8_t owner[MAP_BYTES];       /* buffer + 1 */
	uint32_t pc;
	char id[4];             /* of the fault */
} Brute;

/* Whether a result's strides are nested, which the checker wants. */
static bool
nested(const Plan *p, uint32_t view, const int64_t *r)
{
	const PlanView *v = &p->views[view];
	int64_t span = 1;
	for (uint32_t i = v->ndim; i--;) {
		const PlanDim *d = &p->dims[v->first_dim + i];
		int64_t n = clamp64(affine_at(&d->hi, r), 0, d->extent)
			- clamp64(affine_at(&d->lo, r), 0, d->extent);
		if (n > 1 && d->stride < span)
			return false;
		if (n > 1)
			span += (n - 1) * d->stride;
	}
	return true;
}

static bool
fault(Brute *m, const char *id)
{
	snprintf(m->id, sizeof m->id, "%s", id);
	return false;
}

/* One copy with one or two parts, and maybe a workspace (then as `linear`). */
static bool
brute_step(Brute *m, const int64_t *r)
{
	static uint8_t out[MAP_BYTES], in[2][MAP_BYTES], work[MAP_BYTES];
	const Plan *p = m->p;
	const PlanInsn *insn = &p->code[m->pc];
	const PlanOperand *o = &p->operands[insn->first_operand];
	int nin = insn->op == OP_linear ? 5 : 1, parts = 0, some;
	some = view_bytes(p, o[0].view[0], r, out);
	if (some <= 0)
		return some < 0 ? fault(m, "C2") : true;
	for (; parts < 2 && o[1].view[parts] != PLAN_NONE; parts++)
		if (view_bytes(p, o[1].view[parts], r, in[parts]) < 0)
			return fault(m, "C2");
	memset(work, 0, sizeof work);
	if (insn->op == OP_linear
		&& view_bytes(p, o[1 + nin].view[0], r, work) < 0)
		return fault(m, "C2");
	if (!nested(p, o[0].view[0], r))
		return fault(m, "C11");
	for (int k = 0; k < parts; k++) {
		if (common(out, in[k]))
			return fault(m, "C5");
		if (common(work, in[k]))
			return fault(m, "C6");
	}
	if (common(work, out))
		return fault(m, "C6");
	for (int k = 0; k < parts; k++)
		for (int i = 0; i < MAP_BYTES; i++)
			if (in[k][i] && m->owner[i]
				!= p->views[o[1].view[k]].buffer + 1)
				return fault(m, "C3");
	for (int i = 0; i < MAP_BYTES; i++) {
		if (work[i])
			m->owner[i] = 0;
		if (out[i])
			m->owner[i] = (uint8_t)(p->views[o[0].view[0]].buffer + 1);
	}
	return true;
}

static bool
brute(Brute *m)
{
	const Plan *p = m->p;
	int64_t r[PLAN_REGS] = {0};
	uint32_t loop[4];
	int depth = 0;
	for (m->pc = 0; p->code[m->pc].op != CTL_halt;) {
		const PlanInsn *insn = &p->code[m->pc];
		if (insn->op == CTL_loop)
			loop[depth++] = m->pc;
		else if (insn->op == CTL_next) {
			if (++r[insn->a] < (int64_t)p->code[loop[depth - 1]].b) {
				m->pc = loop[depth - 1] + 1;
				continue;
			}
			r[insn->a] = 0;
			depth--;
		} else if (!brute_step(m, r)) {
			return false;
		}
		m->pc++;
	}
	return true;
}

static void
random_plan(Build *b)
{
	static const DType types[] = {DT_F32, DT_F16, DT_I32};
	uint32_t view[2];
	build_begin(b);
	for (int i = 0; i < MAP_BUFFERS; i++) {
		DType t = types[rng(3)];
		int64_t n = 4 + rng(40);
		uint32_t at = i < 2 ? build_input(b, "in", t, DIMS({AXIS_C, n}))
			: build_buffer(b, BUF_VALUE, "value", t,
				DIMS({AXIS_C, n}));
		b->p.buffers[at].offset = 4 * rng((MAP_BYTES - 180) / 4);
	}
	int loops = 0;
	for (int i = 0; i < 12; i++) {
		if (loops < 2 && !rng(4))
			build_control(b, CTL_loop, (uint32_t)++loops, 1 + rng(4));
		uint32_t from = rng(MAP_BUFFERS), to = rng(MAP_BUFFERS);
		bool work = !rng(4), whole = rng(3);
		for (int k = 0; k < 2; k++)
			view[k] = rng(3) ? build_whole(b, from)
				: random_view(b, from, loops);
		uint32_t out = whole ? build_whole(b, to)
			: random_view(b, to, loops);
		PlanOperand in = rng(4) ? ONE(view[0]) : TWO(view[0], view[1]);
		if (!rng(3))
			in = NONE;
		if (work)
			build_op(b, OP_linear, &none, ONE(out), in, NONE, NONE,
				NONE, NONE, ONE(random_view(b,
				rng(MAP_BUFFERS), loops)));
		else
			build_op(b, OP_copy, &none, ONE(out), in);
		if (loops && !rng(4))
			build_control(b, CTL_next, (uint32_t)loops--, 0);
	}
	while (loops)
		build_control(b, CTL_next, (uint32_t)loops--, 0);
	build_end(b);
	b->p.head.arena_bytes = MAP_BYTES;
}

/* Makes the instruction harmless. */
static void
disarm(Build *b, uint32_t pc)
{
	PlanOperand *o = &b->p.operands[b->p.code[pc].first_operand];
	o[0] = ONE(build_whole(b, rng(MAP_BUFFERS)));
	o[1] = NONE;
	b->p.code[pc].op = OP_copy;
}

static bool
brute_plan(Brute *m, const Plan *p)
{
	*m = (Brute){.p = p};
	for (uint32_t k = 0; k < p->n_inputs; k++) {
		const PlanBuffer *x = &p->buffers[p->inputs[k].buffer];
		memset(m->owner + x->offset, (int)p->inputs[k].buffer + 1,
			(size_t)x->bytes);
	}
	return brute(m);
}

/* Changes one number of one view. */
static void
disturb(Plan *p)
{
	PlanDim *d = &p->dims[rng(p->n_dims)];
	int64_t *number[] = {&d->lo.base, &d->hi.base, &d->origin.base,
		&d->lo.step[1], &d->hi.step[1], &d->stride,
		&p->views[rng(p->n_views)].base,
		&p->buffers[rng(MAP_BUFFERS)].offset};
	uint32_t which = rng(COUNT_OF(number));
	int64_t by = which == 7 ? 4 : 1;
	*number[which] += rng(2) && *number[which] > 0 ? -by : by;
}

static void
test_random(void)
{
	enum { PLANS = 4000 };
	static Build b;
	Brute m;
	int bad = 0, kinds[16] = {0};
	test("random plans against a map of bytes");
	for (int i = 0; i < PLANS && bad < 5; i++) {
		rng_state = (uint64_t)i * 7919 + 1;
		random_plan(&b);
		for (int k = 0; i % 4 && k < 40 && !brute_plan(&m, &b.p); k++)
			disarm(&b, m.pc);
		if (i % 4 > 1)
			disturb(&b.p);
		bool right = brute_plan(&m, &b.p), got = accepts(&b.p);
		/* the peak is not what is tested here */
		if (!got && !strncmp(text, "C7", 2))
			got = true;
		if (!strncmp(text, "C4", 2))
			text[1] = '3';
		char want[64];
		snprintf(want, sizeof want, "%s ", m.id);
		const char *at = strstr(text, "instruction ");
		bool same = right == got && (right || (at && !strncmp(text, want,
			strlen(want)) && (uint32_t)atoi(at + 12) == m.pc));
		if (!same) {
			bad++;
			printf("# plan %d: want %s at %u, got %s\n", i,
				right ? "ok" : m.id, m.pc, got ? "ok" : text);
		}
		kinds[right ? 0 : atoi(m.id + 1)]++;
		build_free(&b);
	}
	CHECK(!bad);
	CHECK(kinds[0] > PLANS / 4 && kinds[2] && kinds[3] && kinds[5]
		&& kinds[6] && kinds[11], "%d %d %d %d %d %d", kinds[0], kinds[2],
		kinds[3], kinds[5], kinds[6], kinds[11]);
	printf("# %d random plans, %d of them sound\n", PLANS, kinds[0]);
}

int
main(void)
{
	test_random();
	return test_end();
}
