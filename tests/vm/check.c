/* check.c - gate 3 accepts sound plans and notices every planted fault, each
 * under the id it has in vm/gates/check.def.  (check_random.c: random plans.)
 */
#include "tests/lib/check_plan.h"
#include "vm/gates/check_boxes.h"
#include "vm/gates/gates.h"

#include <stdlib.h>

/* ---- a plan with a loop ----
 * for r1 in 0 .. 2: t = x[3 r1 - 1 .. 3 r1 + 4); y[3 r1 ..] = silu(t without its
 * halo).  h = 8: the last slice has two rows. */
typedef struct Sliced {
	Build b;
	uint32_t x, t, y, rest; /* buffers; rest: behind all others */
	uint32_t xv, tv, tr, yv;        /* views */
	uint32_t copy, silu;    /* instructions */
	Plan *p;
} Sliced;

static void
sliced_begin(Sliced *s)
{
	Build *b = &s->b;
	build_begin(b);
	s->x = build_input(b, "x", DT_F32, DIMS({AXIS_H, 8}, {AXIS_C, 4}));
	s->t = build_buffer(b, BUF_VALUE, "t", DT_F32,
		DIMS({AXIS_H, 5}, {AXIS_C, 4}));
	s->y = build_output(b, "y", DT_F32, DIMS({AXIS_H, 8}, {AXIS_C, 4}));
	s->xv = build_whole(b, s->x);
	s->tv = build_whole(b, s->t);
	s->tr = build_whole(b, s->t);
	s->yv = build_whole(b, s->y);
	build_cut(b, s->xv, AXIS_H, 1, 3, -1, 4);
	build_slice(b, s->tv, AXIS_H, 8, 1, 3, -1, 4);
	build_slice(b, s->tr, AXIS_H, 8, 1, 3, 0, 3);
	build_dim(&b->p, s->tr, AXIS_H)->origin = affine_of(-1, 1, 3);
	build_cut(b, s->yv, AXIS_H, 1, 3, 0, 3);
}

static void
sliced_body(Sliced *s)
{
	Build *b = &s->b;
	build_control(b, CTL_loop, 1, 3);
	s->copy = build_op(b, OP_copy, &none, ONE(s->tv), ONE(s->xv));
	s->silu = build_op(b, OP_silu, &none, ONE(s->yv), ONE(s->tr));
	build_control(b, CTL_next, 1, 0);
}

static void
sliced(Sliced *s)
{
	sliced_begin(s);
	sliced_body(s);
	s->p = build_end(&s->b);
}

static void
test_loop(void)
{
	Sliced s;
	CheckStats stats = {0};
	PlanError e;
	test("a loop over slices with halos and a short last slice");
	sliced(&s);
	CHECK(accepts(s.p), "%s", text);
	CHECK(plan_check(s.p, &e, &stats), "%s", e.text);
	CHECK(stats.peak_bytes == s.p->head.arena_bytes);
	/* loop, 3 x (copy, silu) */
	CHECK(stats.instructions == 7, "%lld", (long long)stats.instructions);
	build_free(&s.b);

	test("C1: a buffer outside the arena");
	sliced(&s);
	s.p->buffers[s.y].offset += PLAN_ALIGN;
	REFUSED(s.p, "C1", "'y'");
	s.p->buffers[s.y].offset = -PLAN_ALIGN;
	REFUSED(s.p, "C1", "'y'");
	build_free(&s.b);

	test("C2: out of bounds in the last iteration only");
	sliced(&s);
	build_dim(s.p, s.yv, AXIS_H)->hi.base = 4;
	CHECK(accepts(s.p) || text[1] != '2', "%s", text);
	build_dim(s.p, s.yv, AXIS_H)->extent = 9;
	s.p->buffers[s.y].role = BUF_VALUE;
	s.p->n_outputs = 0;
	REFUSED(s.p, "C2", "r1=2");
	build_free(&s.b);

	test("C2: a slice that its buffer cannot hold");
	sliced(&s);
	build_dim(s.p, s.tv, AXIS_H)->origin.base = -2;
	REFUSED(s.p, "C2", "'t'");
	build_free(&s.b);

	test("C2: numbers that overflow");
	sliced(&s);
	build_dim(s.p, s.yv, AXIS_H)->lo.step[1] = INT64_MIN;
	REFUSED(s.p, "C2", "absurd");
	build_dim(s.p, s.yv, AXIS_H)->lo.step[1] = 3;
	build_dim(s.p, s.yv, AXIS_H)->stride = INT64_MAX / 2;
	REFUSED(s.p, "C2", "absurd");
	build_dim(s.p, s.yv, AXIS_H)->stride = 4;
	s.p->views[s.yv].base = INT64_MAX - 1;
	REFUSED(s.p, "C2", "'y'");
	build_free(&s.b);

	test("C2: an input or output longer than its buffer");
	sliced(&s);
	s.p->inputs[0].n[AXIS_H] = 9;
	REFUSED(s.p, "C2", "'x'");
	s.p->inputs[0].n[AXIS_H] = 8;
	s.p->outputs[0].n[AXIS_C] = INT64_MAX / 2;
	REFUSED(s.p, "C2", "'y'");
	build_free(&s.b);

	test("C3: a row that no iteration writes");
	sliced(&s);
	build_dim(s.p, s.tv, AXIS_H)->lo.base = 0;
	build_dim(s.p, s.tr, AXIS_H)->lo.base = -1;
	REFUSED(s.p, "C3", "'t'");
	build_free(&s.b);

	test("C4: a value overwritten in a loop before its last iteration reads it");
	sliced_begin(&s);
	uint32_t z = build_buffer(&s.b, BUF_VALUE, "z", DT_F32,
		DIMS({AXIS_C, 4}));
	build_control(&s.b, CTL_loop, 1, 3);
	build_op(&s.b, OP_copy, &none, ONE(s.tv), ONE(s.xv));
	build_op(&s.b, OP_silu, &none, ONE(s.yv), ONE(s.tr));
	build_op(&s.b, OP_fill, &none, ONE(build_whole(&s.b, z)));
	build_control(&s.b, CTL_next, 1, 0);
	s.p = build_end(&s.b);
	/* z on x's first row, which only iteration 0 reads, before z */
	s.p->buffers[z].offset = s.p->buffers[s.x].offset;
	s.p->head.arena_bytes = s.p->buffers[s.y].offset + 128;
	CHECK(accepts(s.p), "%s", text);
	/* on x's last row, which iteration 2 reads */
	s.p->buffers[z].offset = s.p->buffers[s.x].offset + 7 * 16;
	REFUSED(s.p, "C4", "r1=2");
	build_free(&s.b);

	test("C7: a wrong declared peak");
	sliced(&s);
	s.p->head.arena_bytes += PLAN_ALIGN;
	REFUSED(s.p, "C7", "declares");
	build_free(&s.b);

	test("C9: an output with a missing row");
	sliced(&s);
	build_dim(s.p, s.yv, AXIS_H)->hi.base = 2;
	REFUSED(s.p, "C9", "'y'");
	build_free(&s.b);

	test("C10: an output overwritten at the end");
	sliced_begin(&s);
	z = build_buffer(&s.b, BUF_VALUE, "z", DT_F32, DIMS({AXIS_C, 1}));
	sliced_body(&s);
	build_op(&s.b, OP_fill, &none, ONE(build_whole(&s.b, z)));
	s.b.p.buffers[z].offset = s.b.p.buffers[s.y].offset + 8;
	s.p = build_end(&s.b);
	REFUSED(s.p, "C10", "'z' took them");
	build_free(&s.b);

	test("C12: a program that does not end in reasonable time");
	sliced(&s);
	s.p->code[0].b = UINT32_MAX;
	REFUSED(s.p, "C12", "steps");
	build_free(&s.b);
}

/* ---- single instructions ---- */

typedef struct Line {
	Build b;
	uint32_t x, y, z;       /* buffers of 8 x 4 */
	Plan *p;
} Line;

static void
line(Line *l)
{
	build_begin(&l->b);
	l->x = build_input(&l->b, "x", DT_F32, DIMS({AXIS_H, 8}, {AXIS_C, 4}));
	l->z = build_buffer(&l->b, BUF_VALUE, "z", DT_F32,
		DIMS({AXIS_H, 8}, {AXIS_C, 4}));
	l->y = build_output(&l->b, "y", DT_F32, DIMS({AXIS_H, 8}, {AXIS_C, 4}));
}

static void
test_order(void)
{
	Line l;
	test("C3: a read before the write");
	line(&l);
	build_op(&l.b, OP_silu, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, l.z)));
	build_op(&l.b, OP_silu, &none, ONE(build_whole(&l.b, l.z)),
		ONE(build_whole(&l.b, l.x)));
	l.p = build_end(&l.b);
	REFUSED(l.p, "C3", "instruction 0 (silu, scope)");
	build_free(&l.b);

	test("C4: two values that live at the same time share bytes");
	line(&l);
	uint32_t w = build_buffer(&l.b, BUF_VALUE, "w", DT_F32,
		DIMS({AXIS_H, 8}, {AXIS_C, 4}));
	build_op(&l.b, OP_silu, &none, ONE(build_whole(&l.b, l.z)),
		ONE(build_whole(&l.b, l.x)));
	build_op(&l.b, OP_gelu, &none, ONE(build_whole(&l.b, w)),
		ONE(build_whole(&l.b, l.x)));
	build_op(&l.b, OP_add, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, w)), ONE(build_whole(&l.b, l.z)));
	l.b.p.buffers[w].offset = l.b.p.buffers[l.z].offset + 124;
	l.p = build_end(&l.b);
	REFUSED(l.p, "C4", "[124, 128) of buffer 'z': 'w' took them");
	build_free(&l.b);

	test("C4: inputs that share bytes");
	line(&l);
	w = build_input(&l.b, "w", DT_F32, DIMS({AXIS_C, 4}));
	l.b.p.buffers[w].offset = l.b.p.buffers[l.x].offset;
	build_op(&l.b, OP_silu, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, l.x)));
	l.p = build_end(&l.b);
	REFUSED(l.p, "C4", "'x'");
	build_free(&l.b);
}

static void
test_overlap(void)
{
	Line l;
	test("in place, where the op's row says so");
	line(&l);
	build_op(&l.b, OP_silu, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, l.x)));
	l.b.p.buffers[l.y].offset = 0;
	l.b.p.buffers[l.x].offset = 0;
	l.p = build_end(&l.b);
	l.p->head.arena_bytes = 128;
	l.p->buffers[l.z].offset = 0;
	CHECK(accepts(l.p), "%s", text);

	test("C5: in place with other strides");
	PlanDim *h = build_dim(l.p, l.p->operands[1].view[0], AXIS_H);
	PlanDim *c = build_dim(l.p, l.p->operands[1].view[0], AXIS_C);
	h->stride = 1;
	c->stride = 8;
	REFUSED(l.p, "C5", "operand 'x'");

	test("C5: in place with elements of another size");
	h->stride = 4;
	c->stride = 1;
	l.p->buffers[l.x].dtype = l.p->inputs[0].dtype = DT_F16;
	REFUSED(l.p, "C5", "operand 'x'");
	l.p->buffers[l.x].dtype = l.p->inputs[0].dtype = DT_F32;
	CHECK(accepts(l.p), "%s", text);

	test("C5: in place, moved by one row");
	h->extent = h->hi.base = 7;
	l.p->views[l.p->operands[1].view[0]].base = 4;
	REFUSED(l.p, "C5", "operand 'x'");
	h->extent = h->hi.base = 8;
	l.p->views[l.p->operands[1].view[0]].base = 0;

	test("C5: in place, where the op's row does not say so");
	l.p->code[0].op = OP_copy;
	REFUSED(l.p, "C5", "operand 'x'");
	build_free(&l.b);

	test("a part along c beside the other part");
	line(&l);
	uint32_t out = build_whole(&l.b, l.x), in = build_whole(&l.b, l.x);
	build_cut(&l.b, out, AXIS_C, 0, 0, 0, 2);
	build_cut(&l.b, in, AXIS_C, 0, 0, 2, 4);
	build_op(&l.b, OP_copy, &none, ONE(out), ONE(in));
	build_op(&l.b, OP_copy, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, l.x)));
	l.p = build_end(&l.b);
	CHECK(accepts(l.p), "%s", text);

	test("C5: parts along c that overlap");
	build_dim(l.p, in, AXIS_C)->lo.base = 1;
	REFUSED(l.p, "C5", "'x'");
	build_free(&l.b);

	test("C11: a result whose elements share bytes");
	line(&l);
	build_op(&l.b, OP_copy, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, l.x)));
	l.p = build_end(&l.b);
	build_dim(l.p, l.p->operands[0].view[0], AXIS_H)->stride = 3;
	REFUSED(l.p, "C11", "'y'");
	build_dim(l.p, l.p->operands[0].view[0], AXIS_H)->stride = 0;
	REFUSED(l.p, "C11", "'y'");
	build_free(&l.b);
}

static void
test_parts(void)
{
	Line l;
	test("an input in two parts");
	line(&l);
	uint32_t half = build_whole(&l.b, l.z);
	build_cut(&l.b, half, AXIS_H, 0, 0, 0, 4);
	uint32_t fill = build_op(&l.b, OP_fill, &none,
		ONE(build_whole(&l.b, l.z)));
	build_op(&l.b, OP_copy, &none, ONE(build_whole(&l.b, l.y)),
		TWO(build_whole(&l.b, l.x), build_whole(&l.b, l.z)));
	l.p = build_end(&l.b);
	CHECK(accepts(l.p), "%s", text);

	test("C3: an input in two parts with a hole");
	l.p->operands[l.p->code[fill].first_operand].view[0] = half;
	REFUSED(l.p, "C3", "[64, 128) of buffer 'z'");
	build_free(&l.b);

	test("a reader of one part whose other part is not there");
	line(&l);
	half = build_whole(&l.b, l.z);
	uint32_t rows = build_whole(&l.b, l.z);
	uint32_t out = build_whole(&l.b, l.y);
	build_cut(&l.b, half, AXIS_C, 0, 0, 0, 2);
	build_cut(&l.b, rows, AXIS_C, 0, 0, 0, 2);
	build_cut(&l.b, rows, AXIS_H, 0, 0, 2, 8);
	build_op(&l.b, OP_fill, &none, ONE(half));
	build_op(&l.b, OP_fill, &none, ONE(out));
	uint32_t read = build_op(&l.b, OP_copy, &none, ONE(out), ONE(rows));
	l.p = build_end(&l.b);
	CHECK(accepts(l.p), "%s", text);
	test("C3: along c");
	build_dim(l.p, rows, AXIS_C)->hi.base = 3;
	REFUSED(l.p, "C3", "instruction 2");
	CHECK(read == 2);
	build_free(&l.b);
}

static void
test_work(void)
{
	Line l;
	test("a workspace");
	line(&l);
	uint32_t k = build_buffer(&l.b, BUF_WORK, "work", DT_F32,
		DIMS({AXIS_C, 64}));
	build_op(&l.b, OP_linear, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, l.x)), NONE, NONE, NONE, NONE,
		ONE(build_whole(&l.b, k)));
	l.p = build_end(&l.b);
	CHECK(accepts(l.p), "%s", text);
	int64_t at = l.p->buffers[k].offset;

	test("C6: a workspace on an operand");
	l.p->buffers[k].offset = l.p->buffers[l.x].offset + 64;
	REFUSED(l.p, "C6", "operand 'x'");
	test("C6: a workspace on the result");
	l.p->buffers[k].offset = l.p->buffers[l.y].offset - 252;
	REFUSED(l.p, "C6", "result");
	l.p->buffers[k].offset = at;
	build_free(&l.b);

	test("C4: a workspace on a value that is read later");
	line(&l);
	k = build_buffer(&l.b, BUF_WORK, "work", DT_F32, DIMS({AXIS_C, 32}));
	build_op(&l.b, OP_fill, &none, ONE(build_whole(&l.b, l.z)));
	build_op(&l.b, OP_linear, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, l.x)), NONE, NONE, NONE, NONE,
		ONE(build_whole(&l.b, k)));
	build_op(&l.b, OP_add, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, l.x)), ONE(build_whole(&l.b, l.z)));
	l.b.p.buffers[k].offset = l.b.p.buffers[l.z].offset;
	l.p = build_end(&l.b);
	l.p->head.arena_bytes = l.p->buffers[l.y].offset + 128;
	REFUSED(l.p, "C4", "'z'");
	build_free(&l.b);

	test("C3: a workspace that is read as a value");
	line(&l);
	k = build_buffer(&l.b, BUF_WORK, "work", DT_F32, DIMS({AXIS_C, 32}));
	build_op(&l.b, OP_linear, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, l.x)), NONE, NONE, NONE, NONE,
		ONE(build_whole(&l.b, k)));
	build_op(&l.b, OP_copy, &none, ONE(build_whole(&l.b, l.y)),
		ONE(build_whole(&l.b, k)));
	l.p = build_end(&l.b);
	CHECK(!accepts(l.p) && text[0] == 'C' && (text[1] == '3'
		|| text[1] == '4'), "%s", text);
	build_free(&l.b);
}

/* ---- weights ---- */

static Plan *
weight_plan(Line *l, bool load, bool wait)
{
	static const int64_t shape[] = {4};
	line(l);
	uint32_t w = build_weight(&l->b, "gamma", DT_F32, 1, shape, NULL);
	if (load)
		build_control(&l->b, CTL_load, 0, 0);
	if (wait)
		build_control(&l->b, CTL_wait, 0, 0);
	build_op(&l->b, OP_mul, &none, ONE(build_whole(&l->b, l->y)),
		ONE(build_whole(&l->b, l->x)), ONE(build_whole(&l->b, w)));
	return l->p = build_end(&l->b);
}

static void
test_weights(void)
{
	Line l;
	test("a weight");
	CHECK(accepts(weight_plan(&l, true, true)), "%s", text);
	build_free(&l.b);
	test("C8: a weight that is not loaded");
	REFUSED(weight_plan(&l, false, false), "C8", "'gamma'");
	build_free(&l.b);
	test("C8: a weight that is not waited for");
	REFUSED(weight_plan(&l, true, false), "C8", "before waiting");
	build_free(&l.b);
	test("C8: waiting for a weight that is not being loaded");
	REFUSED(weight_plan(&l, false, true), "C8", "waits");
	build_free(&l.b);
	test("C4: a weight whose bytes were used after its load");
	weight_plan(&l, true, true);
	l.p->code[3] = l.p->code[2];
	uint32_t first = l.b.p.n_operands;
	BUILD_PUSH(&l.b, operands, ONE(build_whole(&l.b, l.z)));
	l.p->code[2] = (PlanInsn){.op = OP_fill, .noperands = 1,
		.first_operand = first};
	l.p->n_code = 4;
	l.p->buffers[l.z].offset = l.p->buffers[l.p->weights[0].buffer].offset;
	l.p->head.arena_bytes += 128 - 16;
	REFUSED(l.p, "C4", "'gamma'");
	build_free(&l.b);
}

/* ---- the denoising loop ----
 * for r0 in steps: e[c] = table row r0; for r1 in 0 .. inner: t[r1] = x; then
 * row r0 of the output = x + e.  With a large `inner` steps are skipped. */
typedef struct Steps {
	Build b;
	Plan *p;
	uint32_t e, t, log, tv;
} Steps;

static void
steps(Steps *s, uint32_t n, uint32_t inner)
{
	static const float data[64 * 4];
	Build *b = &s->b;
	build_begin(b);
	uint32_t x = build_input(b, "x", DT_F32, DIMS({AXIS_C, 4}));
	uint32_t table = build_table(b, "rows", data,
		DIMS({AXIS_STEP, n}, {AXIS_C, 4}));
	s->e = build_buffer(b, BUF_VALUE, "e", DT_F32, DIMS({AXIS_C, 4}));
	s->t = build_buffer(b, BUF_VALUE, "t", DT_F32,
		DIMS({AXIS_H, inner}, {AXIS_C, 4}));
	s->log = build_output(b, "latents", DT_F32,
		DIMS({AXIS_STEP, n}, {AXIS_C, 4}));
	uint32_t row = build_whole(b, table), out = build_whole(b, s->log);
	s->tv = build_whole(b, s->t);
	build_cut(b, row, AXIS_STEP, 0, 1, 0, 1);
	build_cut(b, out, AXIS_STEP, 0, 1, 0, 1);
	build_cut(b, s->tv, AXIS_H, 1, 1, 0, 1);
	b->p.head.steps = n;
	build_control(b, CTL_loop, 0, n);
	build_op(b, OP_copy, &none, ONE(build_whole(b, s->e)), ONE(row));
	build_control(b, CTL_loop, 1, inner);
	build_op(b, OP_copy, &none, ONE(s->tv), ONE(build_whole(b, x)));
	build_control(b, CTL_next, 1, 0);
	build_op(b, OP_add, &none, ONE(out), ONE(build_whole(b, x)),
		ONE(build_whole(b, s->e)));
	build_control(b, CTL_next, 0, 0);
	s->p = build_end(b);
}

static void
test_steps(void)
{
	Steps s;
	PlanError e;
	CheckStats stats = {0};
	test("a long denoising loop is cut to what depends on the step");
	steps(&s, 50, 5000);
	CHECK(plan_check(s.p, &e, &stats), "%s", e.text);
	CHECK(stats.instructions < 20000, "%lld", (long long)stats.instructions);
	build_free(&s.b);

	test("and a short one: what depends on it are two instructions");
	steps(&s, 50, 10);
	CHECK(plan_check(s.p, &e, &stats), "%s", e.text);
	CHECK(stats.instructions == 1 + 2 * 13 + 48 * 2, "%lld",
		(long long)stats.instructions);
	build_free(&s.b);

	test("C4: a step in the middle whose row is overwritten");
	steps(&s, 50, 5000);
	/* t lies on row 20 of the table; without the row it would be sound */
	s.p->buffers[s.t].offset = s.p->buffers[s.log].offset
		+ s.p->buffers[s.log].bytes;
	s.p->head.arena_bytes = s.p->buffers[s.t].offset
		+ s.p->buffers[s.t].bytes;
	CHECK(accepts(s.p), "%s", text);
	s.p->buffers[s.t].offset = s.p->buffers[s.log].offset + 20 * 16;
	s.p->head.arena_bytes = s.p->buffers[s.t].offset
		+ s.p->buffers[s.t].bytes;
	/* rows 20 .. 49 lie under t: only the last is whole at the end */
	REFUSED(s.p, "C10", "'latents'");
	build_free(&s.b);

	test("C2: a step in the middle out of bounds");
	steps(&s, 50, 5000);
	for (uint32_t i = 0; i < s.p->n_dims; i++)
		if (s.p->dims[i].axis == AXIS_STEP)
			s.p->dims[i].origin.base = 48;
	REFUSED(s.p, "C2", "r0=0");
	build_free(&s.b);
}

/* ---- what speaks against cutting a denoising loop (vm/gates/check_steps.c) ----
 * x, kept and y are rows, `rows` has one for each of eight steps. */
typedef struct Rows {
	Build b;
	Plan *p;
	uint32_t x, kept, rows, y;      /* buffers */
	uint32_t moving;        /* view of row r0 */
} Rows;

enum { ROW_STEPS = 8, ROW_BYTES = 16 };

static void
rows_begin(Rows *s)
{
	Build *b = &s->b;
	BuildDims row = DIMS({AXIS_C, 4});
	build_begin(b);
	b->p.head.steps = ROW_STEPS;
	s->x = build_input(b, "x", DT_F32, row);
	s->kept = build_buffer(b, BUF_VALUE, "kept", DT_F32, row);
	s->rows = build_buffer(b, BUF_VALUE, "rows", DT_F32,
		DIMS({AXIS_H, ROW_STEPS}, {AXIS_C, 4}));
	s->y = build_output(b, "y", DT_F32, row);
	s->moving = build_whole(b, s->rows);
	build_cut(b, s->moving, AXIS_H, 0, 1, 0, 1);
}

static void
rows_fill(Rows *s, uint32_t view)
{
	build_op(&s->b, OP_fill, &none, ONE(view));
}

static void
rows_silu(Rows *s, uint32_t to, uint32_t view)
{
	build_op(&s->b, OP_silu, &none, ONE(build_whole(&s->b, to)), ONE(view));
}

/* Lays a buffer on row 5 of `rows`. */
static void
on_row_5(Rows *s, uint32_t buffer)
{
	s->p->buffers[buffer].offset = s->p->buffers[s->rows].offset
		+ 5 * ROW_BYTES;
}

/* A still write beside a moving read: `kept`, on row 5, is written before row r0 is
 * read and row 5 itself behind it. */
static void
test_still_write(void)
{
	Rows s;
	test("C4: a row that steps read in vain between two writes of all steps");
	rows_begin(&s);
	uint32_t row5 = build_whole(&s.b, s.rows);
	build_cut(&s.b, row5, AXIS_H, 0, 0, 5, 6);
	rows_fill(&s, build_whole(&s.b, s.rows));
	build_control(&s.b, CTL_loop, 0, ROW_STEPS);
	rows_fill(&s, build_whole(&s.b, s.kept));
	rows_silu(&s, s.y, s.moving);
	rows_fill(&s, row5);
	build_control(&s.b, CTL_next, 0, 0);
	s.p = build_end(&s.b);
	CHECK(accepts(s.p), "%s", text);
	on_row_5(&s, s.kept);
	REFUSED(s.p, "C4", "r0=5");
	build_free(&s.b);
}

/* A moving write, as a result or as a workspace, beside a still read. */
static void
test_still_read(bool work)
{
	Rows s;
	PlanError e;
	CheckStats stats = {0};
	test(work ? "C4: a workspace that moves over a value that all steps read"
		: "C4: a result that moves over a value that all steps read");
	rows_begin(&s);
	rows_fill(&s, build_whole(&s.b, s.kept));
	build_control(&s.b, CTL_loop, 0, ROW_STEPS);
	rows_silu(&s, s.y, build_whole(&s.b, s.kept));
	if (work)
		build_op(&s.b, OP_linear, &none, ONE(build_whole(&s.b, s.y)),
			ONE(build_whole(&s.b, s.x)), NONE, NONE, NONE, NONE,
			ONE(s.moving));
	else
		rows_fill(&s, s.moving);
	build_control(&s.b, CTL_next, 0, 0);
	s.p = build_end(&s.b);
	CHECK(plan_check(s.p, &e, &stats), "%s", e.text);
	CHECK(stats.instructions == 1 + 1 + 2 * 2 + 6, "%lld",
		(long long)stats.instructions);
	on_row_5(&s, s.kept);
	REFUSED(s.p, "C4", "r0=6");
	build_free(&s.b);
}

/* The same of an input that is filled anew before each step, and that no
 * instruction reads. */
static void
test_moving_input(void)
{
	Rows s;
	test("C4: a result that moves over an input of each step");
	rows_begin(&s);
	rows_fill(&s, build_whole(&s.b, s.y));
	build_control(&s.b, CTL_loop, 0, ROW_STEPS);
	rows_fill(&s, s.moving);
	build_control(&s.b, CTL_next, 0, 0);
	s.p = build_end(&s.b);
	s.p->inputs[0].per_step = 1;
	CHECK(accepts(s.p), "%s", text);
	on_row_5(&s, s.x);
	REFUSED(s.p, "C4", "r0=6");
	build_free(&s.b);
}

static void
test_empty_steps(void)
{
	Rows s;
	test("C3: an operand of an instruction that only late steps execute");
	rows_begin(&s);
	uint32_t late = build_whole(&s.b, s.rows);
	build_dim(&s.b.p, late, AXIS_H)->hi = affine_of(-2, 0, 1);
	rows_fill(&s, build_whole(&s.b, s.y));
	build_control(&s.b, CTL_loop, 0, ROW_STEPS);
	uint32_t copy = build_op(&s.b, OP_copy, &none, ONE(late),
		ONE(build_whole(&s.b, s.x)));
	build_control(&s.b, CTL_next, 0, 0);
	s.p = build_end(&s.b);
	CHECK(accepts(s.p) || !strncmp(text, "C7", 2), "%s", text);
	s.p->operands[s.p->code[copy].first_operand + 1]
		= ONE(build_whole(&s.b, s.kept));
	REFUSED(s.p, "C3", "r0=3");
	build_free(&s.b);
}

/* for r1 in 0 .. 2: for r2 in 0 .. inner: t = x; y[r1] = silu(t).  t lies where the
 * last row of y does. */
static void
test_long(void)
{
	Build b;
	test("slices of a result with a hundred thousand writes between them");
	build_begin(&b);
	uint32_t x = build_input(&b, "x", DT_F32, DIMS({AXIS_C, 4}));
	uint32_t t = build_buffer(&b, BUF_VALUE, "t", DT_F32,
		DIMS({AXIS_C, 4}));
	uint32_t y = build_output(&b, "y", DT_F32,
		DIMS({AXIS_H, 2}, {AXIS_C, 4}));
	uint32_t yv = build_whole(&b, y);
	build_cut(&b, yv, AXIS_H, 1, 1, 0, 1);
	build_control(&b, CTL_loop, 1, 2);
	build_control(&b, CTL_loop, 2, 100000);
	build_op(&b, OP_copy, &none, ONE(build_whole(&b, t)),
		ONE(build_whole(&b, x)));
	build_control(&b, CTL_next, 2, 0);
	build_op(&b, OP_silu, &none, ONE(yv), ONE(build_whole(&b, t)));
	build_control(&b, CTL_next, 1, 0);
	b.p.buffers[t].offset = b.p.buffers[y].offset + 16;
	build_end(&b);
	CHECK(accepts(&b.p), "%s", text);
	test("C10: one of which they take");
	b.p.buffers[t].offset = b.p.buffers[y].offset;
	REFUSED(&b.p, "C10", "'t' took them");
	build_free(&b);
}

/* ---- boxes ---- */

static void
test_boxes(void)
{
	int64_t strides[] = {16, 128, 640};
	Frame f;
	BoxList out = {0}, set = {0};
	Box hole;
	PlanCost cost = {0};
	frame_make(&f, strides, 3, 6400);
	test("an interval over the edges of a frame");
	Strided s = {.base = 120, .run = 1200};
	CHECK(f.k == 4);
	CHECK(frame_boxes(&f, &s, 6400, 64, &out, &cost));
	int64_t bytes = 0;
	for (size_t i = 0; i < out.n; i++) {
		int64_t n = 1;
		for (int k = 0; k < f.k; k++)
			n *= out.at[i].hi[k] - out.at[i].lo[k];
		bytes += n;
		boxes_add(&f, &set, &out.at[i], &cost);
	}
	CHECK(bytes == 1200, "%lld", (long long)bytes);
	test("slices along an axis join to one box");
	set.n = 0;
	for (int i = 0; i < 5; i++) {
		Strided slice = {.base = i * 128, .run = 128, .nd = 1,
			.n = {10}, .s = {640}};
		out.n = 0;
		CHECK(frame_boxes(&f, &slice, 6400, 64, &out, &cost) && out.n == 1);
		CHECK(i < 4 || !boxes_cover(&f, &set, &(Box){.hi = {16, 8, 5, 10}},
			&hole, &cost));
		boxes_add(&f, &set, &out.at[0], &cost);
	}
	CHECK(set.n == 1, "%zu", set.n);
	CHECK(boxes_cover(&f, &set, &(Box){.hi = {16, 8, 5, 10}}, &hole, &cost));
	boxes_remove(&f, &set, &(Box){.lo = {4, 2, 1, 3}, .hi = {5, 3, 2, 4}},
		&cost);
	CHECK(!boxes_cover(&f, &set, &(Box){.hi = {16, 8, 5, 10}}, &hole, &cost)
		&& box_first(&f, &hole) == 4 + 2 * 16 + 128 + 3 * 640);
	vec_free(&out);
	vec_free(&set);
}

/* An input that is filled before each step: the bytes must be its own then, read
 * or not. */
static void
test_step_input(void)
{
	Build b;
	test("C4: a value on the bytes that the next step's input is put on");
	build_begin(&b);
	b.p.head.steps = 5;
	uint32_t x = build_input(&b, "x", DT_F32, DIMS({AXIS_C, 4}));
	uint32_t n = build_input(&b, "noise", DT_F32, DIMS({AXIS_C, 4}));
	uint32_t y = build_output(&b, "y", DT_F32, DIMS({AXIS_C, 4}));
	b.p.inputs[1].per_step = 1;
	build_control(&b, CTL_loop, 0, 5);
	build_op(&b, OP_copy, &none, ONE(build_whole(&b, y)),
		ONE(build_whole(&b, x)));
	build_control(&b, CTL_next, 0, 0);
	Plan *p = build_end(&b);
	CHECK(accepts(p), "%s", text);
	p->buffers[y].offset = p->buffers[n].offset;
	p->head.arena_bytes = p->buffers[n].offset + 16;
	REFUSED(p, "C4", "r0=1");
	p->inputs[1].per_step = 0;
	CHECK(accepts(p), "%s", text);
	build_free(&b);
}

int
main(void)
{
	test_boxes();
	test_loop();
	test_order();
	test_overlap();
	test_parts();
	test_work();
	test_weights();
	test_steps();
	test_still_write();
	test_still_read(false);
	test_still_read(true);
	test_moving_input();
	test_empty_steps();
	test_long();
	test_step_input();
	return test_end();
}
