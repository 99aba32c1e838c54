/* check_loads.c - gate 3 on what goes on at the same time: weights that are read
 * while instructions run, and results that are written slice by slice over a value
 * that dies.  Every fault is planted in a plan that is accepted without it.
 */
#include "tests/lib/check_plan.h"

/* ---- loads beside instructions ----
 * load w; z = silu(x); wait w; y = z * w, or parts of it. */
typedef struct Beside {
	Build b;
	uint32_t x, z, y, w, v; /* buffers; v: of a second weight */
	Plan *p;
} Beside;

static void
beside(Beside *s)
{
	static const int64_t shape[] = {32};
	Build *b = &s->b;
	build_begin(b);
	s->x = build_input(b, "x", DT_F32, DIMS({AXIS_C, 32}));
	s->z = build_buffer(b, BUF_VALUE, "z", DT_F32, DIMS({AXIS_C, 32}));
	s->w = build_weight(b, "w", DT_F32, 1, shape, NULL);
	s->v = build_weight(b, "v", DT_F32, 1, shape, NULL);
	s->y = build_output(b, "y", DT_F32, DIMS({AXIS_C, 32}));
}

static void
silu(Beside *s, uint32_t to, uint32_t from)
{
	build_op(&s->b, OP_silu, &none, ONE(build_whole(&s->b, to)),
		ONE(build_whole(&s->b, from)));
}

static void
mul(Beside *s, uint32_t to, uint32_t from, uint32_t weight)
{
	build_op(&s->b, OP_mul, &none, ONE(build_whole(&s->b, to)),
		ONE(build_whole(&s->b, from)), ONE(build_whole(&s->b, weight)));
}

static void
load(Beside *s, uint32_t weight)
{
	build_control(&s->b, CTL_load, weight, 0);
}

static void
wait_for(Beside *s, uint32_t weight)
{
	build_control(&s->b, CTL_wait, weight, 0);
}

/* The plan is accepted; with `buffer` at the place of `at` it is refused. */
#define CLASH(s, buffer, at, id, part) do { \
	(s)->p = build_end(&(s)->b); \
	CHECK(accepts((s)->p), "%s", text); \
	(s)->p->buffers[buffer].offset = (s)->p->buffers[at].offset; \
	REFUSED((s)->p, id, part); \
	build_free(&(s)->b); \
} while (0)

static void
test_writes(void)
{
	Beside s;
	test("C13: a result on a weight that is being loaded");
	beside(&s);
	load(&s, 0);
	silu(&s, s.z, s.x);
	wait_for(&s, 0);
	mul(&s, s.y, s.x, s.w);
	CLASH(&s, s.z, s.w, "C13", "instruction 1");

	test("C13: even if nothing reads the weight");
	beside(&s);
	load(&s, 0);
	silu(&s, s.z, s.x);
	silu(&s, s.y, s.z);
	wait_for(&s, 0);
	CLASH(&s, s.z, s.w, "C13", "'w'");

	test("C13: nor waits for it");
	beside(&s);
	load(&s, 0);
	silu(&s, s.z, s.x);
	silu(&s, s.y, s.z);
	CLASH(&s, s.z, s.w, "C13", "'w'");

	test("C13: by its last byte");
	beside(&s);
	load(&s, 0);
	silu(&s, s.z, s.x);
	silu(&s, s.y, s.z);
	s.p = build_end(&s.b);
	s.p->buffers[s.w].offset = s.p->buffers[s.z].offset + 128;
	CHECK(accepts(s.p), "%s", text);
	s.p->buffers[s.w].offset = s.p->buffers[s.z].offset + 127;
	REFUSED(s.p, "C13", "'z'");
	build_free(&s.b);

	test("C13: a workspace on a weight that is being loaded");
	beside(&s);
	uint32_t k = build_buffer(&s.b, BUF_WORK, "work", DT_F32,
		DIMS({AXIS_C, 32}));
	load(&s, 0);
	build_op(&s.b, OP_linear, &none, ONE(build_whole(&s.b, s.z)),
		ONE(build_whole(&s.b, s.x)), NONE, NONE, NONE, NONE,
		ONE(build_whole(&s.b, k)));
	silu(&s, s.y, s.z);
	s.b.p.buffers[k].offset = s.b.p.buffers[s.v].offset;
	CLASH(&s, k, s.w, "C13", "'work'");

	test("C13: two weights that are loaded at the same time");
	beside(&s);
	load(&s, 0);
	load(&s, 1);
	wait_for(&s, 0);
	wait_for(&s, 1);
	mul(&s, s.y, s.x, s.v);
	CLASH(&s, s.v, s.w, "C13", "'v'");

	test("C13: a load that reaches into the next iteration");
	beside(&s);
	load(&s, 0);
	build_control(&s.b, CTL_loop, 1, 3);
	wait_for(&s, 0);
	silu(&s, s.z, s.x);
	mul(&s, s.y, s.z, s.w);
	load(&s, 0);
	build_control(&s.b, CTL_next, 1, 0);
	wait_for(&s, 0);
	CLASH(&s, s.z, s.w, "C4", "'w'");
	beside(&s);
	load(&s, 0);
	build_control(&s.b, CTL_loop, 1, 3);
	silu(&s, s.z, s.x);
	wait_for(&s, 0);
	mul(&s, s.y, s.z, s.w);
	load(&s, 0);
	build_control(&s.b, CTL_next, 1, 0);
	CLASH(&s, s.z, s.w, "C13", "r1=0");
}

static void
test_uses(void)
{
	Beside s;
	test("a weight that is loaded beside an instruction");
	beside(&s);
	load(&s, 0);
	silu(&s, s.z, s.x);
	wait_for(&s, 0);
	mul(&s, s.y, s.z, s.w);
	s.p = build_end(&s.b);
	CHECK(accepts(s.p), "%s", text);
	test("C8: read before its wait");
	PlanInsn swap = s.p->code[2];
	s.p->code[2] = s.p->code[3];
	s.p->code[3] = swap;
	REFUSED(s.p, "C8", "before waiting");
	build_free(&s.b);

	test("C4: its bytes are written between wait and use");
	beside(&s);
	load(&s, 0);
	wait_for(&s, 0);
	silu(&s, s.z, s.x);
	mul(&s, s.y, s.x, s.w);
	CLASH(&s, s.z, s.w, "C4", "'z' took them");

	test("C4: a load over a value that is read later");
	beside(&s);
	silu(&s, s.z, s.x);
	load(&s, 0);
	silu(&s, s.y, s.z);
	wait_for(&s, 0);
	CLASH(&s, s.w, s.z, "C4", "'w' took them");

	test("C4: a load over a value that the next iteration reads");
	beside(&s);
	silu(&s, s.z, s.x);
	build_control(&s.b, CTL_loop, 1, 2);
	silu(&s, s.y, s.z);
	load(&s, 0);
	wait_for(&s, 0);
	build_control(&s.b, CTL_next, 1, 0);
	CLASH(&s, s.w, s.z, "C4", "r1=1");

	test("C10: a load over an output");
	beside(&s);
	silu(&s, s.y, s.x);
	load(&s, 0);
	CLASH(&s, s.w, s.y, "C10", "'w' took them");
}

static void
test_waits(void)
{
	Beside s;
	test("a load in a loop that is used behind it");
	beside(&s);
	build_control(&s.b, CTL_loop, 1, 3);
	load(&s, 0);
	silu(&s, s.z, s.x);
	build_control(&s.b, CTL_next, 1, 0);
	wait_for(&s, 0);
	mul(&s, s.y, s.z, s.w);
	s.p = build_end(&s.b);
	CHECK(accepts(s.p), "%s", text);
	test("C8: not waited for");
	s.p->code[4].a = 1;
	REFUSED(s.p, "C8", "'v'");
	s.p->code[4] = s.p->code[5];
	REFUSED(s.p, "C8", "before waiting");
	build_free(&s.b);

	test("C8: a load that wraps around a loop without the first");
	beside(&s);
	load(&s, 0);
	build_control(&s.b, CTL_loop, 1, 3);
	wait_for(&s, 0);
	mul(&s, s.y, s.x, s.w);
	load(&s, 0);
	build_control(&s.b, CTL_next, 1, 0);
	s.p = build_end(&s.b);
	CHECK(accepts(s.p), "%s", text);
	s.p->code[0].a = 1;
	REFUSED(s.p, "C8", "r1=0");
	test("C8: and without the wait");
	s.p->code[0].a = 0;
	s.p->code[2].op = CTL_load;
	s.p->code[2].a = 1;
	REFUSED(s.p, "C8", "before waiting");
	build_free(&s.b);
}

/* ---- results over a dying value ----
 * v = x; for r1 in 0 .. 4: t = v[2 r1 - halo .. 2 r1 + 2 + halo);
 * o[2 r1 ..] = silu(t's middle), where o lies on v, `up` rows lower; y = o. */
typedef struct Over {
	Build b;
	uint32_t v, o, ov;      /* buffers; view of the slice of o */
	Plan *p;
} Over;

static void
over(Over *s, int64_t halo, int64_t up)
{
	Build *b = &s->b;
	build_begin(b);
	uint32_t x = build_input(b, "x", DT_F32, DIMS({AXIS_H, 8}, {AXIS_C, 4}));
	s->v = build_buffer(b, BUF_VALUE, "v", DT_F32,
		DIMS({AXIS_H, 8}, {AXIS_C, 4}));
	s->o = build_buffer(b, BUF_VALUE, "o", DT_F32,
		DIMS({AXIS_H, 8}, {AXIS_C, 4}));
	uint32_t t = build_buffer(b, BUF_VALUE, "t", DT_F32,
		DIMS({AXIS_H, 2 + 2 * halo}, {AXIS_C, 4}));
	uint32_t y = build_output(b, "y", DT_F32,
		DIMS({AXIS_H, 8}, {AXIS_C, 4}));
	uint32_t vv = build_whole(b, s->v), tv = build_whole(b, t);
	uint32_t tr = build_whole(b, t);
	s->ov = build_whole(b, s->o);
	build_cut(b, vv, AXIS_H, 1, 2, -halo, 2 + halo);
	build_slice(b, tv, AXIS_H, 8, 1, 2, -halo, 2 + halo);
	build_slice(b, tr, AXIS_H, 8, 1, 2, 0, 2);
	build_dim(&b->p, tr, AXIS_H)->origin = affine_of(-halo, 1, 2);
	build_cut(b, s->ov, AXIS_H, 1, 2, 0, 2);
	build_op(b, OP_copy, &none, ONE(build_whole(b, s->v)),
		ONE(build_whole(b, x)));
	build_control(b, CTL_loop, 1, 4);
	build_op(b, OP_copy, &none, ONE(tv), ONE(vv));
	build_op(b, OP_silu, &none, ONE(s->ov), ONE(tr));
	build_control(b, CTL_next, 1, 0);
	build_op(b, OP_copy, &none, ONE(build_whole(b, y)),
		ONE(build_whole(b, s->o)));
	b->p.buffers[s->o].offset = b->p.buffers[s->v].offset - 16 * up;
	s->p = build_end(b);
}

static void
test_over(void)
{
	Over s;
	test("slices of a result where slices of a value died");
	over(&s, 0, 0);
	CHECK(accepts(s.p), "%s", text);
	build_free(&s.b);
	test("C4: one row too early");
	over(&s, 0, -1);
	REFUSED(s.p, "C4", "'o' took them");
	build_free(&s.b);
	test("C4: one slice too early");
	over(&s, 0, -2);
	REFUSED(s.p, "C4", "r1=1");
	build_free(&s.b);
	test("C4: downwards while the value is read upwards");
	over(&s, 0, 0);
	PlanDim *h = build_dim(s.p, s.ov, AXIS_H);
	h->lo = affine_of(6, 1, -2);
	h->hi = affine_of(8, 1, -2);
	REFUSED(s.p, "C4", "r1=2");
	build_free(&s.b);
	test("the same with a halo, shifted by it");
	over(&s, 1, 1);
	CHECK(accepts(s.p), "%s", text);
	build_free(&s.b);
	test("C4: with a halo, not shifted");
	over(&s, 1, 0);
	REFUSED(s.p, "C4", "r1=1");
	build_free(&s.b);
	test("C4: with a wider halo, shifted by less");
	over(&s, 2, 2);
	CHECK(accepts(s.p), "%s", text);
	build_free(&s.b);
	over(&s, 2, 1);
	REFUSED(s.p, "C4", "'v'");
	build_free(&s.b);
}

int
main(void)
{
	test_writes();
	test_uses();
	test_waits();
	test_over();
	return test_end();
}
