/* check_steps.c - gate 3's sparse walk of denoising loops (vm/gates/check_steps.c)
 * against the full one, on random programs: the same words, to the letter, of each.
 *
 * The programs are small and their memory crowded: a table and a log with a row for
 * each step, some rows that are written in each step, two weights.  Most are mended
 * until the full walk finds no fault, and then disturbed in one place, so that many
 * faults show in one step of the middle alone.
 */
#include "tests/lib/plan_build.h"
#include "tests/lib/test.h"
#include "vm/gates/gates.h"

#include <stdlib.h>

static uint64_t rng_state;
static const Attr none;

static uint32_t
rng(int64_t below)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((int64_t)(rng_state >> 33) % below);
}

enum { ROW = 4, ROW_BYTES = 16, ROWS = 10, PLACES = 40 };

/* Rows of four numbers. */
enum { TABLE, LOG, KEPT, A, B, C, JUNK, VALUES };

static const int64_t rows_of[VALUES] = {[TABLE] = ROWS, [LOG] = ROWS, [KEPT] = 2,
	[A] = 1, [B] = 1, [C] = 3, [JUNK] = 1};
enum { WEIGHTS = 2 };

typedef struct Program {
	Build b;
	uint32_t steps;
	bool inner;             /* a loop over r1 is open */
} Program;

/* ---- views ---- */

static int64_t
rows(const Program *p, uint32_t buffer)
{
	return p->b.p.buffers[buffer].bytes / ROW_BYTES;
}

/* Rows [lo, hi) of a buffer. */
static uint32_t
view_of(Program *p, uint32_t buffer, Affine lo, Affine hi)
{
	uint32_t v = build_whole(&p->b, buffer);
	PlanDim *h = build_dim(&p->b.p, v, AXIS_H);
	h->lo = lo;
	h->hi = hi;
	return v;
}

/* Rows that do not depend on the step: all, one, that of r1. */
static uint32_t
still(Program *p, uint32_t buffer)
{
	int64_t n = rows(p, buffer), at = rng(n);
	if (p->inner && !rng(2))
		return view_of(p, buffer, affine_of(0, 1, 1),
			affine_of(1, 1, 1));
	if (rng(3))
		return build_whole(&p->b, buffer);
	return view_of(p, buffer, affine_of(at, 0, 0), affine_of(at + 1, 0, 0));
}

/* Rows that do: the step's, some from it on, those before it; upwards, downwards,
 * every second one; a row that names the step alone. */
static uint32_t
moving(Program *p, uint32_t buffer)
{
	int64_t n = rows(p, buffer), at = (int64_t)rng(3) - 1;
	Affine lo = affine_of(at, 0, 1), hi = affine_of(at + 1, 0, 1);
	switch (rng(8)) {
	case 0:
		lo = affine_of(n - 1 - at, 0, -1);
		hi = affine_of(n - at, 0, -1);
		break;
	case 1:
		hi = affine_of(at + 1 + rng(3), 0, 1);
		break;
	case 2:
		lo = affine_of(at - (int64_t)rng(6), 0, 2);
		hi = lo;
		hi.base += 1 + rng(2);
		break;
	case 3:                         /* empty in the first steps */
		lo = affine_of(0, 0, 0);
		hi = affine_of(-(int64_t)rng(4), 0, 1);
		break;
	case 4:                         /* empty in the last */
		hi = affine_of(2 + rng(n), 0, 0);
		break;
	case 5:
		lo = affine_of(0, 0, 0);
		hi = affine_of(n, 0, 1 + rng(2));
		break;
	default:
		break;
	}
	uint32_t v = view_of(p, buffer, lo, hi);
	if (!rng(8))                    /* a buffer of the slice alone */
		build_dim(&p->b.p, v, AXIS_H)->origin = affine_of(
			(int64_t)rng(2), 0, rng(2));
	return v;
}

/* ---- programs ---- */

static void
make_buffers(Program *p)
{
	Build *b = &p->b;
	static const int64_t shape[] = {ROW};
	uint32_t place = 0;
	for (uint32_t i = 0; i < VALUES; i++) {
		BuildDims d = DIMS({AXIS_H, rows_of[i]}, {AXIS_C, ROW});
		if (i == TABLE || i == A)
			build_input(b, "in", DT_F32, d);
		else
			build_buffer(b, BUF_VALUE, "value", DT_F32, d);
		bool anywhere = i != TABLE && i != JUNK && !rng(4);
		b->p.buffers[i].offset = ROW_BYTES
			* (anywhere ? rng(PLACES - ROWS) : place);
		place += (uint32_t)rows_of[i];
	}
	for (uint32_t i = 0; i < WEIGHTS; i++) {
		uint32_t w = build_weight(b, "weight", DT_F32, 1, shape, NULL);
		b->dims[w] = DIMS({AXIS_H, 1}, {AXIS_C, ROW});
		b->p.buffers[w].offset = ROW_BYTES
			* (rng(4) ? place++ : rng(PLACES));
	}
}

/* An instruction of a denoising step, or a load or a wait. */
static void
make_insn(Program *p)
{
	Build *b = &p->b;
	bool inside = b->p.head.steps != 0;
	uint32_t from = rng(VALUES + WEIGHTS), to = KEPT + rng(JUNK - KEPT);
	uint32_t work = rng(2) ? LOG : KEPT + rng(VALUES - KEPT);
	PlanOperand out, in;
	if (!rng(8)) {
		build_control(b, rng(2) ? CTL_wait : CTL_load, rng(WEIGHTS), 0);
		return;
	}
	if (inside && rng(2))
		from = rng(3) ? A : rng(2) ? TABLE : LOG;
	if (inside && !rng(2))
		to = LOG;
	out = ONE(to == LOG || !rng(16) ? moving(p, to) : still(p, to));
	in = !rng(3) ? NONE : ONE((from <= LOG) == (rng(16) != 0)
		? moving(p, from) : still(p, from));
	if (rng(5))
		build_op(b, OP_copy, &none, out, in);
	else
		build_op(b, OP_linear, &none, out, in, NONE, NONE, NONE, NONE,
			ONE((work == LOG) == (rng(8) != 0) ? moving(p, work)
				: still(p, work)));
}

static void
make_program(Program *p)
{
	Build *b = &p->b;
	build_begin(b);
	p->inner = false;
	p->steps = 4 + rng(5);
	make_buffers(p);
	for (uint32_t i = rng(4); i; i--)
		make_insn(p);
	b->p.head.steps = p->steps;
	build_control(b, CTL_loop, 0, p->steps);
	uint32_t inner = rng(12);
	for (uint32_t i = 0, n = 3 + rng(6); i < n; i++) {
		p->inner = i == inner;
		if (p->inner)
			build_control(b, CTL_loop, 1, 1 + rng(3));
		make_insn(p);
		if (p->inner) {
			make_insn(p);
			build_control(b, CTL_next, 1, 0);
			p->inner = false;
		}
	}
	build_control(b, CTL_next, 0, 0);
	b->p.head.steps = 0;
	for (uint32_t i = rng(3); i; i--)
		make_insn(p);
	build_end(b);
	b->p.head.steps = p->steps;
}

/* What the walk says; the peak is not what is tested here. */
static void
walk(Program *p, bool full, char *says, size_t size, CheckStats *stats)
{
	PlanError e;
	*stats = (CheckStats){0};
	p->b.p.head.steps = full ? 0 : p->steps;
	bool ok = plan_check(&p->b.p, &e, stats) || !strncmp(e.text, "C7", 2);
	snprintf(says, size, "%s", ok ? "" : e.text);
}

/* Makes instructions harmless until the full walk finds no fault. */
static void
mend(Program *p)
{
	Build *b = &p->b;
	CheckStats stats;
	char says[600];
	for (int k = 0; k < 60; k++) {
		walk(p, true, says, sizeof says, &stats);
		const char *at = strstr(says, "instruction ");
		if (!at)
			return;
		PlanInsn *insn = &b->p.code[atoi(at + 12)];
		uint32_t first = b->p.n_operands;
		BUILD_PUSH(b, operands, ONE(build_whole(b, JUNK)));
		*insn = (PlanInsn){.op = OP_fill, .noperands = 1,
			.first_operand = first};
	}
}

/* Changes one number, or swaps two instructions. */
static void
disturb(Program *p)
{
	Plan *x = &p->b.p;
	PlanDim *d = &x->dims[rng(max64(x->n_dims, 1))];
	int64_t by = rng(2) ? 1 : -1;
	uint32_t i = rng(x->n_code - 2);
	switch (rng(7)) {
	case 0:
		d->lo.base += by;
		break;
	case 1:
		d->hi.base += by;
		break;
	case 2:
		d->hi.step[0] += by;
		break;
	case 3:
		d->lo.step[0] += by;
		break;
	case 4:
	case 5:
		x->buffers[KEPT + rng(VALUES + WEIGHTS - KEPT)].offset
			= ROW_BYTES * rng(PLACES - ROWS);
		break;
	default:
		if (x->code[i].op != CTL_loop && x->code[i].op != CTL_next
			&& x->code[i + 1].op != CTL_loop
			&& x->code[i + 1].op != CTL_next) {
			PlanInsn swap = x->code[i];
			x->code[i] = x->code[i + 1];
			x->code[i + 1] = swap;
		}
	}
}

typedef struct Tally {
	int walks, cut;         /* compared; of them sparse */
	int sound, late;        /* of these: without a fault; with one behind step 1 */
	int bad;
} Tally;

/* Both walks of a program; whether it is sound. */
static bool
compare(Program *p, int i, Tally *t)
{
	char full[600], sparse[600];
	CheckStats whole, part;
	walk(p, true, full, sizeof full, &whole);
	walk(p, false, sparse, sizeof sparse, &part);
	if (strcmp(full, sparse)) {
		t->bad++;
		printf("# program %d: full '%s', sparse '%s'\n", i, full, sparse);
	}
	const char *step = strstr(full, "r0=");
	bool less = part.instructions < whole.instructions;
	t->walks++;
	t->cut += less;
	t->sound += less && !*full;
	t->late += less && step && atoi(step + 3) > 1;
	return !*full;
}

/* A mended program, and what comes of disturbing it again and again; what makes
 * it unsound is taken back. */
static void
disturb_all(Program *p, int number, Tally *t)
{
	static PlanDim dims[BUILD_RECORDS];
	static PlanBuffer buffers[BUILD_RECORDS];
	static PlanInsn code[BUILD_RECORDS];
	Plan *x = &p->b.p;
	mend(p);
	for (int i = 0; i < 8 && compare(p, number, t); i++)
		disturb(p);
	if (compare(p, number, t))
		return;
	mend(p);
	memcpy(dims, x->dims, sizeof dims);
	memcpy(buffers, x->buffers, sizeof buffers);
	memcpy(code, x->code, sizeof code);
	for (int i = 0; i < 8; i++) {
		disturb(p);
		if (compare(p, number, t))
			continue;
		memcpy(x->dims, dims, sizeof dims);
		memcpy(x->buffers, buffers, sizeof buffers);
		memcpy(x->code, code, sizeof code);
	}
}

int
main(void)
{
	enum { PROGRAMS = 10000 };
	static Program p;
	Tally t = {0};
	test("random denoising loops, walked sparsely and in full");
	for (int i = 0; i < PROGRAMS && t.bad < 5; i++) {
		rng_state = (uint64_t)i * 104729 + 5;
		make_program(&p);
		disturb_all(&p, i, &t);
		build_free(&p.b);
	}
	CHECK(!t.bad);
	CHECK(t.late > 40 && t.sound > 1000, "%d %d", t.late, t.sound);
	printf("# %d random denoising loops, %d cut: %d sound, %d with a fault "
		"behind step 1\n", t.walks, t.cut, t.sound, t.late);
	return test_end();
}
