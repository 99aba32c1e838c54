/* profile_case.c - small programs of one op for measuring a device: a node, its
 * operands as dense views, the kernel called as the VM calls it.
 *
 * The extents are those of the models' layers, cut down so that a call takes
 * about a millisecond.  They are called in turn, and operands lie at other
 * places each time, as in a plan: code and values come from other levels of the
 * caches than the first.  The least of several times is taken, for whatever else
 * runs on the machine only makes it longer; when other calls took about as long,
 * it is believed.
 */
#include "compiler/cost/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Operands begin anywhere in the first ROTATE_BYTES of a pool. */
#define ROTATE_BYTES ((int64_t)64 << 20)
#define POOL_BYTES ((int64_t)112 << 20)
/* A case is called until AGREE calls are within CLOSE of the least, or patience
 * is at its end. */
#define CLOSE 1.03
enum { AGREE = 6, CALLS_MOST = 200 };

/* Memory that operands are placed in one behind the other. */
typedef struct Pool {
	char *data;
	int64_t used;
} Pool;

typedef struct Case {
	Graph *g;
	Node n;
	Sample sample;          /* the least time so far */
	int agree;
} Case;

typedef struct Runner {
	Arena *arena;
	DType dtype;
	Ctx ctx;
	Pool f32, other, result;        /* `other`: values of type dtype */
	Graph *g;               /* of the case that is made */
	Vec(Case) cases;
} Runner;

/* ---- memory ---- */

static Pool
pool_new(void)
{
	Pool p = {.data = mmap(NULL, (size_t)POOL_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
	if (p.data == MAP_FAILED)
		fatal(EXIT_MEMORY, "cannot reserve memory to measure in: %s",
			strerror(errno));
	madvise(p.data, (size_t)POOL_BYTES, MADV_HUGEPAGE);
	return p;
}

static void
pool_free(Pool *p)
{
	if (p->data)
		munmap(p->data, (size_t)POOL_BYTES);
}

/* Fills a pool with numbers between -1 and 1. */
static void
pool_fill(Pool *p, DType t)
{
	enum { PIECE = 4096 };
	float x[PIECE];
	int64_t n = POOL_BYTES / dtype_bytes(t);
	for (int i = 0; i < PIECE; i++)
		x[i] = (float)(i * 7919 % PIECE) * 2 / PIECE - 1;
	for (int64_t i = 0; i + PIECE <= n; i += PIECE)
		convert(t, p->data + i * dtype_bytes(t), DT_F32, x, PIECE);
}

/* The next `bytes` of the pool. */
static char *
pool_take(Pool *p, int64_t bytes)
{
	char *at = p->data + p->used;
	p->used += round_up(bytes, PLAN_ALIGN);
	if (p->used > POOL_BYTES)
		die("profile_case", "operands of more than %lld bytes",
			(long long)POOL_BYTES);
	return at;
}

/* Begins with the operands of another call. */
static void
pool_turn(Pool *p)
{
	if (p->used > ROTATE_BYTES)
		p->used = 0;
}

static Operand
dense(Runner *r, const Type *t, bool result)
{
	Pool *pool = result ? &r->result : t->dtype == r->dtype
		&& r->dtype != DT_F32 ? &r->other : &r->f32;
	Operand o = {.parts = 1};
	View *v = &o.part[0];
	int64_t stride = 1;
	v->dtype = t->dtype;
	v->axes = t->axes;
	v->data = pool_take(pool, type_bytes(t));
	for (int a = AXIS_MAX; a-- > 0;) {
		bool has = t->axes >> a & 1;
		v->n[a] = v->full[a] = has ? t->n[a] : 1;
		v->stride[a] = has ? stride : 0;
		stride *= v->n[a];
	}
	return o;
}

/* ---- calls ---- */

/* Operands of the case at other places, in the order of kernels.h. */
static void
place_operands(Runner *r, const Case *c, Operand *args)
{
	const Node *n = &c->n;
	int nin = op_nin(n->op);
	pool_turn(&r->f32);
	pool_turn(&r->other);
	pool_turn(&r->result);
	args[0] = dense(r, &n->type, true);
	for (int k = 0; k < nin; k++)
		args[1 + k] = k < n->nin && n->in[k]
			? dense(r, &c->g->nodes.at[n->in[k]].type, false)
			: (Operand){0};
	int64_t bytes = cpu_work_bytes(n->op, args, &n->attr, 
		threads_count(r->ctx.team));
	Type work = {.dtype = DT_F32, .axes = AXIS_BIT(AXIS_C)};
	work.n[AXIS_C] = bytes / 4 + 1;
	args[1 + nin] = dense(r, &work, true);
}

/* Seconds of a call.  They include putting the operands together, which the VM
 * does too. */
static double
call(Runner *r, const Case *c, bool prepare)
{
	Operand args[OPERANDS_MAX + 2];
	double start = now_seconds();
	place_operands(r, c, args);
	r->ctx.prepare = prepare;
	if (cpu_kernel(c->n.op)(&r->ctx, args, &c->n.attr) != K_OK)
		die("profile_case", "%s is not supported",
			op_info[c->n.op].name);
	return now_seconds() - start;
}

/* Calls each case once that is not sure yet; returns the seconds. */
static double
call_all(Runner *r)
{
	double spent = 0;
	for (size_t i = 0; i < r->cases.n; i++) {
		Case *c = &r->cases.at[i];
		if (c->agree >= AGREE)
			continue;
		double seconds = call(r, c, false);
		double least = c->sample.seconds;
		if (seconds * CLOSE < least)
			c->agree = 0;
		c->agree += seconds < least * CLOSE;
		c->sample.seconds = seconds < least ? seconds : least;
		spent += seconds;
	}
	return spent;
}

static void
run_cases(Runner *r, double patience, Samples *out)
{
	double spent = 0, most = patience * (double)r->cases.n;
	for (size_t i = 0; i < r->cases.n; i++)
		call(r, &r->cases.at[i], true);
	for (int i = 0; i < CALLS_MOST; i++) {
		double seconds = call_all(r);
		spent += seconds;
		if (spent >= most || seconds == 0)
			break;
	}
	for (size_t i = 0; i < r->cases.n; i++) {
		Case *c = &r->cases.at[i];
		*vec_push(out) = c->sample;
		vec_free(&c->g->nodes);
		vec_free(&c->g->sites);
	}
	vec_free(&r->cases);
}

/* Infers the node's type and makes a case of it and the graph. */
static void
finish(Runner *r, Node *n)
{
	ShapeError e;
	char type[256];
	if (!ir_infer(r->g, n, &e))
		die("profile_case", "%s: %s", op_info[n->op].name, e.text);
	Case c = {.g = r->g, .n = *n, .sample.seconds = 1e300};
	c.sample.dtype = cost_units(r->g, n, 1, c.sample.units);
	c.sample.what = arena_printf(r->arena, "%s to %s", op_info[n->op].name,
		type_print(r->g, &n->type, type));
	*vec_push(&r->cases) = c;
}

/* ---- nodes ---- */

/* Extents of f, h, w, c; 0: no such axis. */
typedef struct Extents { int64_t f, h, w, c; } Extents;

static Type
type_of(DType t, Extents x)
{
	Type type = {.dtype = t};
	const int axis[] = {AXIS_F, AXIS_H, AXIS_W, AXIS_C};
	const int64_t n[] = {x.f, x.h, x.w, x.c};
	for (int i = 0; i < 4; i++) {
		type.n[axis[i]] = n[i];
		if (n[i])
			type.axes |= AXIS_BIT(axis[i]);
	}
	return type;
}

static Node
begin(Runner *r, Op op)
{
	r->g = ir_new(r->arena, r->dtype, "profile");
	return (Node){.op = op};
}

/* One more operand of the node. */
static void
add_operand(Runner *r, Node *n, DType t, Extents x)
{
	Node leaf = {.op = OP_input, .type = type_of(t, x)};
	n->in[n->nin++] = ir_add(r->g, &leaf);
}

static void
skip_operand(Node *n)
{
	n->nin++;
}

enum {
	OVER_HW = AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W),
	OVER_F = AXIS_BIT(AXIS_F), OVER_W = AXIS_BIT(AXIS_W),
	ADD = 1, GEGLU = 2, HALF = 4,   /* HALF: with a stride of 2 */
};

/* linear (over 0) and conv, kernels of 3 */
typedef struct MatrixCase {
	AxisSet over;
	Extents x;
	int64_t out;
	uint8_t act;
	int flags;
} MatrixCase;

static void
add_matrix(Runner *r, const MatrixCase *c)
{
	Node n = begin(r, c->over ? OP_conv : OP_linear);
	int64_t weights = c->x.c * c->out;
	n.attr.over = c->over;
	n.attr.act = c->act;
	n.attr.geglu = (c->flags & GEGLU) != 0;
	if (n.attr.geglu)
		weights *= 2;
	for (int i = 0; i < __builtin_popcount(c->over); i++) {
		n.attr.kernel[i] = 3;
		n.attr.stride[i] = c->flags & HALF ? 2 : 1;
		n.attr.before[i] = n.attr.after[i] = 1;
		weights *= 3;
	}
	add_operand(r, &n, r->dtype, c->x);
	add_operand(r, &n, r->dtype, (Extents){.c = weights});
	add_operand(r, &n, r->dtype,
		(Extents){.c = c->out * (n.attr.geglu ? 2 : 1)});
	if (c->flags & ADD) {
		Extents y = c->x;
		y.c = c->out;
		skip_operand(&n);
		add_operand(r, &n, r->dtype, y);
	}
	n.type.n[AXIS_C] = c->out;
	finish(r, &n);
}

static const MatrixCase matrix_cases[] = {
	{0, {0, 0, 1, 64}, 64, 0, 0},
	{0, {0, 0, 2, 320}, 1280, ACT_SILU, 0},
	{0, {0, 0, 16, 1280}, 640, 0, 0},
	{0, {0, 0, 77, 768}, 768, 0, ADD},
	{0, {0, 0, 154, 768}, 512, ACT_GELU, 0},
	{0, {0, 0, 256, 320}, 320, 0, ADD},
	{0, {0, 0, 64, 1280}, 1280, 0, 0},
	{0, {0, 0, 512, 640}, 320, 0, ADD},
	{0, {0, 0, 2048, 320}, 160, 0, ADD},
	{0, {0, 0, 512, 320}, 320, 0, GEGLU},
	{0, {0, 0, 64, 1280}, 640, 0, GEGLU},
	{OVER_HW, {1, 32, 32, 320}, 64, 0, ADD},
	{OVER_HW, {1, 32, 64, 128}, 64, 0, 0},
	{OVER_HW, {2, 16, 16, 640}, 64, 0, 0},
	{OVER_HW, {4, 8, 8, 1280}, 64, 0, ADD},
	{OVER_HW, {8, 4, 4, 640}, 128, 0, 0},
	{OVER_HW, {1, 8, 8, 512}, 512, 0, 0},
	{OVER_HW, {2, 32, 32, 128}, 128, 0, HALF},
	{OVER_HW, {1, 64, 64, 4}, 320, 0, 0},
	{OVER_HW, {1, 32, 64, 320}, 4, 0, 0},
	{OVER_HW, {1, 16, 128, 128}, 3, 0, 0},
	{OVER_F, {8, 16, 16, 256}, 128, 0, ADD},
	{OVER_F, {4, 8, 8, 512}, 512, 0, 0},
};

/* q of `q` attends to k of `k` along `over`. */
typedef struct AttendCase {
	AxisSet over;
	Extents q, k;
	int heads;
	uint8_t causal;
} AttendCase;

static void
add_attend(Runner *r, const AttendCase *c)
{
	Node n = begin(r, OP_attend);
	n.attr.over = c->over;
	n.attr.heads = c->heads;
	n.attr.causal = c->causal;
	n.attr.scale = 0.125;
	add_operand(r, &n, r->dtype, c->q);
	add_operand(r, &n, r->dtype, c->k);
	add_operand(r, &n, r->dtype, c->k);
	finish(r, &n);
}

static const AttendCase attend_cases[] = {
	{OVER_W, {0, 0, 1, 64}, {0, 0, 1, 64}, 1, 0},
	{OVER_HW, {1, 16, 32, 160}, {1, 16, 32, 160}, 4, 0},
	{OVER_HW, {2, 16, 16, 640}, {2, 16, 16, 640}, 8, 0},
	{OVER_HW, {8, 8, 8, 1280}, {8, 8, 8, 1280}, 8, 0},
	{OVER_HW, {8, 4, 4, 1280}, {8, 4, 4, 1280}, 8, 0},
	{OVER_HW, {1, 16, 16, 512}, {1, 16, 16, 512}, 1, 0},
	{OVER_W, {1, 32, 32, 320}, {0, 0, 77, 320}, 8, 0},
	{OVER_W, {4, 16, 16, 640}, {0, 0, 77, 640}, 8, 0},
	{OVER_F, {8, 16, 32, 320}, {8, 16, 32, 320}, 8, 0},
	{OVER_F, {8, 8, 8, 640}, {8, 8, 8, 640}, 8, 0},
	{OVER_F, {16, 8, 8, 640}, {16, 8, 8, 640}, 8, 0},
	{OVER_F, {4, 8, 8, 1280}, {4, 8, 8, 1280}, 8, 0},
	{OVER_W, {2, 0, 77, 768}, {2, 0, 77, 768}, 12, 1},
};

/* ---- norms ---- */

enum { GROUPS = 32 };

static void
add_group_norm(Runner *r, Extents x, uint8_t act)
{
	Extents units = {x.f, x.h, 0, 2 * GROUPS}, all = {x.f, 0, 0, 2 * GROUPS};
	const Op op[] = {OP_norm_stats, OP_norm_combine, OP_norm_apply};
	for (size_t i = 0; i < COUNT_OF(op); i++) {
		Node n = begin(r, op[i]);
		n.attr.groups = GROUPS;
		n.attr.over = op[i] == OP_norm_combine ? AXIS_BIT(AXIS_H)
			: op[i] == OP_norm_stats ? OVER_HW : 0;
		n.attr.rows = x.w * x.c / GROUPS;
		n.attr.eps = 1e-5;
		n.attr.act = op[i] == OP_norm_apply ? act : 0;
		if (op[i] == OP_norm_combine)
			add_operand(r, &n, DT_F32, units);
		else
			add_operand(r, &n, r->dtype, x);
		if (op[i] == OP_norm_apply) {
			add_operand(r, &n, DT_F32, all);
			add_operand(r, &n, r->dtype, (Extents){.c = x.c});
			add_operand(r, &n, r->dtype, (Extents){.c = x.c});
		}
		finish(r, &n);
	}
}

static void
add_layer_norm(Runner *r, Extents x)
{
	Node n = begin(r, OP_layer_norm);
	n.attr.eps = 1e-5;
	add_operand(r, &n, r->dtype, x);
	add_operand(r, &n, r->dtype, (Extents){.c = x.c});
	add_operand(r, &n, r->dtype, (Extents){.c = x.c});
	finish(r, &n);
}

static void
norm_cases(Runner *r)
{
	add_group_norm(r, (Extents){2, 32, 32, 320}, ACT_SILU);
	add_group_norm(r, (Extents){8, 16, 16, 640}, ACT_NONE);
	add_group_norm(r, (Extents){8, 8, 8, 1280}, ACT_SILU);
	add_group_norm(r, (Extents){1, 128, 128, 128}, ACT_SILU);
	add_group_norm(r, (Extents){1, 256, 256, 128}, ACT_SILU);
	add_group_norm(r, (Extents){1, 4, 4, 64}, ACT_NONE);
	add_layer_norm(r, (Extents){0, 0, 4096, 320});
	add_layer_norm(r, (Extents){0, 0, 1024, 640});
	add_layer_norm(r, (Extents){0, 0, 154, 768});
	add_layer_norm(r, (Extents){0, 0, 8, 64});
}

/* ---- elementwise and moving ---- */

static void
add_each(Runner *r, Op op, Extents x, int operands)
{
	Node n = begin(r, op);
	n.attr.scalar = 0.5;
	for (int i = 0; i < operands; i++)
		add_operand(r, &n, r->dtype, x);
	finish(r, &n);
}

/* Twice as high and wide, or (copy) as it is. */
static void
add_move(Runner *r, Op op, Extents x)
{
	Node n = begin(r, op);
	add_operand(r, &n, r->dtype, x);
	n.type.dtype = r->dtype;
	if (op == OP_resize) {
		n.attr.over = OVER_HW;
		n.type.n[AXIS_H] = 2 * x.h;
		n.type.n[AXIS_W] = 2 * x.w;
	}
	finish(r, &n);
}

static void
add_sinusoid(Runner *r, int64_t n, int64_t channels)
{
	Node node = begin(r, OP_sinusoid);
	add_operand(r, &node, DT_F32, (Extents){.w = n});
	node.type.n[AXIS_C] = channels;
	finish(r, &node);
}

static void
each_cases(Runner *r)
{
	const Extents small = {0, 0, 1, 8}, some = {2, 32, 32, 320};
	const Extents large = {8, 32, 32, 320};
	add_each(r, OP_add, small, 2);
	add_each(r, OP_add, some, 2);
	add_each(r, OP_add, large, 2);
	add_each(r, OP_mul, some, 1);
	add_each(r, OP_silu, some, 1);
	add_each(r, OP_gelu, some, 1);
	add_each(r, OP_geglu, large, 1);
	add_move(r, OP_resize, (Extents){2, 16, 16, 640});
	add_move(r, OP_resize, (Extents){1, 64, 64, 256});
	add_move(r, OP_resize, (Extents){1, 64, 128, 256});
	add_move(r, OP_copy, some);
	add_move(r, OP_copy, small);
	add_sinusoid(r, 1, 320);
	add_sinusoid(r, 32, 640);
}

void
profile_cases(Arena *a, DType dtype, Threads *team, double patience,
	Samples *out)
{
	Runner r = {.arena = a, .dtype = dtype, .ctx.team = team,
		.f32 = pool_new(), .result = pool_new()};
	pool_fill(&r.f32, DT_F32);
	pool_fill(&r.result, DT_F32);
	if (dtype != DT_F32) {
		r.other = pool_new();
		pool_fill(&r.other, dtype);
	}
	each_cases(&r);
	norm_cases(&r);
	for (size_t i = 0; i < COUNT_OF(matrix_cases); i++)
		add_matrix(&r, &matrix_cases[i]);
	for (size_t i = 0; i < COUNT_OF(attend_cases); i++)
		add_attend(&r, &attend_cases[i]);
	run_cases(&r, patience, out);
	pool_free(&r.f32);
	pool_free(&r.other);
	pool_free(&r.result);
}
