/* cases.h - random calls of every kernel, for cut.c (a slice has the bits of
 * the whole) and kernels.c (the values).
 *
 * One generator gen_X for each kernel row of ops.def; a row without one does not
 * build.  A Case says shapes, types and attributes; a Store is the memory of one
 * operand: with gaps, in any order of axes, poisoned around the numbers.
 */
#ifndef SLUICE_CASES_H
#define SLUICE_CASES_H

#include "tests/lib/generators.h"
#include "tests/lib/team.h"

/* ---- who runs a call: the CPU's kernels, unless a test says otherwise ---- */
#ifndef CASE_ELSEWHERE
#define case_on_device false
#define case_all_ran() true
#define case_plain(on) ((void)(on))
#define case_fresh(op, args, attr) false
#define case_work_bytes cpu_work_bytes
#define case_pack_rows pack_rows
#define case_run(op, ctx, args, attr, threads) \
	cpu_kernel(op)(ctx, args, attr)
#endif

/* ---- a call ---- */

/* A matrix operand is filled in file order and packed when the call's input is
 * known; `plain` (may be NULL) receives the numbers in file order. */
static inline void
case_pack(const Case *c, Operand *args, Store *w, double *plain)
{
	const Value *v = &c->in[1];
	int64_t n = v->n[AXIS_C];
	char *file = malloc((size_t)(n * dtype_bytes(v->dtype)));
	for (int64_t i = 0; i < n; i++) {
		char *at = file + i * dtype_bytes(v->dtype);
		number_put(v->dtype, at, rng_real(v->lo, v->hi));
		if (plain)
			plain[i] = number_get(v->dtype, at);
	}
	MatrixLayout m = matrix_layout(c->op, args, &c->attr);
	case_pack_rows(&m, v->dtype, w->o.part[0].data, v->dtype, file, 0,
		m.rows[0] + m.rows[1]);
	free(file);
}

/* Memory and numbers of all operands; args[0] is left to the caller, but its
 * shape is set. */
static inline void
case_operands(const Case *c, Operand *args, Store *in, bool loose,
	double *plain)
{
	memset(args, 0, sizeof *args * (OPERANDS_MAX + 2));
	Store out = {0};
	store_view(&out, 0, c->out.dtype, c->out.axes, c->out.n, false);
	args[0] = out.o;
	for (int i = 0; i < OPERANDS_MAX; i++) {
		in[i] = store_new(&c->in[i], loose && rng_chance(60));
		args[1 + i] = in[i].o;
		if (c->in[i].on && !c->in[i].matrix)
			store_fill(&in[i], &c->in[i]);
	}
	if (c->in[1].matrix)
		case_pack(c, args, &in[1], plain);
	store_free(&out);
}

static inline KStatus
case_call(const Case *c, Operand *args, int threads)
{
	Ctx ctx = {.team = test_team(threads), .prepare = true};
	Operand *work = &args[1 + op_nin(c->op)];
	char *mem = NULL;
	if (op_info[c->op].flags & OPF_WORK) {
		int64_t bytes = case_work_bytes(c->op, args, &c->attr, threads);
		mem = aligned_alloc(256, (size_t)round_up(max64(bytes, 1),
			256));
		memset(mem, 0xFF, (size_t)bytes);
		memset(work, 0, sizeof *work);
		work->parts = bytes > 0;
		View *v = &work->part[0];
		v->data = mem;
		v->axes = AXIS_BIT(AXIS_C);
		for (int a = 0; a < AXIS_MAX; a++)
			v->n[a] = v->full[a] = 1;
		v->n[AXIS_C] = v->full[AXIS_C] = bytes / 4;
		v->stride[AXIS_C] = 1;
	}
	KStatus s = case_run(c->op, &ctx, args, &c->attr, threads);
	ctx.prepare = false;
	if (s == K_OK)
		s = case_run(c->op, &ctx, args, &c->attr, threads);
	work->parts = 0;
	free(mem);
	return s;
}

typedef void (*Generator)(Case *c);

static const Generator generators[OP_COUNT] = {
#define NO_KERNEL(name_, attr_, flags_, operands_, doc_)
#define OP(name_, attr_, flags_, operands_, doc_) [OP_##name_] = gen_##name_,
#include "ir/ops.def"
};

static inline Case
case_new(Op op, uint64_t seed)
{
	Case c = {.op = op};
	rng_state = seed * 1000003u + (uint64_t)op;
	rng_next();
	c.type = (DType)(seed % 3);
	c.big = seed % 8 == 7;
	c.tiny = seed % 8 == 4;
	c.even = seed % 4 >= 2;
	generators[op](&c);
	return c;
}

/* "b=2 h=3 c=4" */
static inline const char *
value_print(const Value *v, char *buf, size_t size)
{
	int at = snprintf(buf, size, "%s", dtype_name(v->dtype));
	for (int a = 0; a < AXIS_MAX; a++)
		if (v->axes >> a & 1)
			at += snprintf(buf + at, size - (size_t)at, " %d:%lld", a,
				(long long)v->n[a]);
	if (v->seam)
		snprintf(buf + at, size - (size_t)at, " seam %lld",
			(long long)v->seam);
	return buf;
}

static inline void
case_print(const Case *c, uint64_t seed)
{
	char buf[256];
	printf("# %s seed %llu: out %s\n", op_info[c->op].name,
		(unsigned long long)seed, value_print(&c->out, buf, sizeof buf));
	for (int i = 0; i < OPERANDS_MAX; i++)
		if (c->in[i].on)
			printf("#   %s %s\n", op_info[c->op].in[i].name,
				value_print(&c->in[i], buf, sizeof buf));
	printf("#   over %x groups %d act %d geglu %d causal %d heads %d\n",
		c->attr.over, c->attr.groups, c->attr.act, c->attr.geglu,
		c->attr.causal, c->attr.heads);
}

#endif
