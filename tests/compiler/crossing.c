/* crossing.c - a run can go on from the end of a denoising step with nothing but
 * the buffers that the plan marks, weights and tables: random programs are
 * walked with the time of the last write of each byte.
 */
#include "compiler/compiler.h"
#include "vm/plan/walk.h"
#include "tests/lib/test.h"

#include "tests/lib/random_source.h"

enum { PROGRAMS = 40 };

/* Times: 0 in front of the loop, 1 + step in it, then the rest. */
typedef struct Machine {
	const Plan *p;
	PlanWalk w;
	int64_t now;
	int16_t *written;       /* by byte of the arena; -1: not yet */
	bool *needed;           /* by buffer: read after a step's end that was
	                           written before it */
} Machine;

static int64_t bytes_read, needed_buffers, marked_buffers;

static void
touch_bytes(Machine *m, uint32_t buffer, int64_t at, int64_t n, bool write)
{
	const PlanBuffer *b = &m->p->buffers[buffer];
	for (int64_t i = b->offset + at; i < b->offset + at + n; i++) {
		if (write)
			m->written[i] = (int16_t)m->now;
		/* step k ends between times k and k + 1 */
		else if (m->now >= 2 && m->written[i] < m->now)
			m->needed[buffer] = true;
		bytes_read += !write;
	}
}

static int64_t
clamp(int64_t x, int64_t most)
{
	return x < 0 ? 0 : x > most ? most : x;
}

/* All elements of the box of `view` from its dim number `k` on; `at`: the place
 * that the dims in front have chosen, in elements. */
static void
touch_box(Machine *m, const PlanView *v, uint32_t k, int64_t at, bool write)
{
	const PlanBuffer *b = &m->p->buffers[v->buffer];
	int64_t size = dtype_bytes((DType)b->dtype);
	if (k == v->ndim) {
		touch_bytes(m, v->buffer, at * size, size, write);
		return;
	}
	const PlanDim *d = &m->p->dims[v->first_dim + k];
	int64_t lo = clamp(affine_at(&d->lo, m->w.r), d->extent);
	int64_t hi = clamp(affine_at(&d->hi, m->w.r), d->extent);
	int64_t origin = affine_at(&d->origin, m->w.r);
	for (int64_t i = lo; i < hi; i++)
		touch_box(m, v, k + 1, at + (i - origin) * d->stride, write);
}

static void
touch_operand(Machine *m, const PlanInsn *in, uint32_t k, bool write)
{
	const PlanOperand *o = &m->p->operands[in->first_operand + k];
	for (int part = 0; part < 2; part++) {
		if (o->view[part] == PLAN_NONE)
			continue;
		const PlanView *v = &m->p->views[o->view[part]];
		if (m->p->buffers[v->buffer].role != BUF_WORK)
			touch_box(m, v, 0, v->base, write);
	}
}

static void
touch_whole(Machine *m, uint32_t buffer, bool write)
{
	touch_bytes(m, buffer, 0, m->p->buffers[buffer].bytes, write);
}

static void
execute(Machine *m)
{
	const Plan *p = m->p;
	const PlanInsn *in = &p->code[m->w.pc];
	if (in->op == CTL_load)
		touch_whole(m, p->weights[in->a].buffer, true);
	if (in->op >= CTL_BASE)
		return;
	for (uint32_t k = 1; k < in->noperands; k++)
		touch_operand(m, in, k, false);
	touch_operand(m, in, 0, true);
}

static void
walk(Arena *a, Machine *m)
{
	const Plan *p = m->p;
	uint32_t end = plan_loop_ends(a, p)[p->head.denoise];
	for (uint32_t i = 0; i < p->n_inputs; i++)
		touch_whole(m, p->inputs[i].buffer, true);
	for (uint32_t i = 0; i < p->n_tables; i++)
		touch_whole(m, p->tables[i].buffer, true);
	for (; !walk_over(p, &m->w); walk_on(p, &m->w)) {
		bool inside = m->w.depth && m->w.loop[0] == p->head.denoise;
		m->now = inside ? 1 + m->w.r[0]
			: m->w.pc > end ? 1 + p->head.steps : 0;
		for (uint32_t i = 0; inside && i < p->n_inputs; i++)
			if (p->inputs[i].per_step
				&& m->w.pc == p->head.denoise + 1)
				touch_whole(m, p->inputs[i].buffer, true);
		execute(m);
	}
	m->now = 1 + p->head.steps;
	for (uint32_t i = 0; i < p->n_outputs; i++)
		touch_whole(m, p->outputs[i].buffer, false);
}

static void
check_plan(Arena *a, const Plan *p)
{
	Machine m = {.p = p,
		.written = arena_array(a, (size_t)p->head.arena_bytes, 2),
		.needed = arena_array(a, p->n_buffers, sizeof(bool))};
	walk(a, &m);
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		const PlanBuffer *b = &p->buffers[i];
		bool comes_back = b->role == BUF_WEIGHT || b->role == BUF_TABLE;
		CHECK(!m.needed[i] || b->crosses || comes_back,
			"buffer %u, '%s', is read after the end of a step", i,
			p->strings + b->name);
		needed_buffers += m.needed[i] && !comes_back;
		marked_buffers += b->crosses;
	}
}

static void
try_program(uint64_t seed, const char *path)
{
	static const SliceGoal goals[] = {SLICE_NONE, SLICE_LEAST,
		SLICE_DEFAULT};
	Arena a = {0};
	Source *s = arena_alloc(&a, sizeof *s);
	int before = test_bad;
	state = seed;
	make_source(s, 1 + (int)pick(4), seed % 2);
	write_source(s, path);
	for (size_t i = 0; i < COUNT_OF(goals); i++) {
		CompileOptions o = {.lang = {.path = path, .model = "loop",
				.keep_latents = pick(2)},
			.goal = goals[i], .threads = 2};
		Plan *p = NULL;
		CHECK(compile_source(&a, &o, &p) == EXIT_OK);
		CHECK(p && p->head.denoise != PLAN_NONE);
		if (p && p->head.denoise != PLAN_NONE)
			check_plan(&a, p);
	}
	if (test_bad > before)
		printf("# seed %llu:\n%s", (unsigned long long)seed, s->text);
	arena_free(&a);
}

int
main(void)
{
	const char *build = getenv("BUILD");
	char path[512];
	snprintf(path, sizeof path, "%s/tests/crossing.slu", build ? build
		: "build");
	test("what crosses denoising steps is marked");
	for (uint64_t i = 1; i <= PROGRAMS; i++)
		try_program(i, path);
	printf("# %d random programs, 3 plans each: %lld buffers are marked, "
		"%lld of them needed\n", PROGRAMS, (long long)marked_buffers,
		(long long)needed_buffers);
	CHECK(needed_buffers > PROGRAMS);
	return test_end();
}
