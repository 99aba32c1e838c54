/* matrix.c - the matrix kernels against naive loops in double precision, and
 * against themselves: slices, threads and backends must not change a bit.
 * tests/cut.c covers the slices of all ops; here are the shapes that the blocked
 * code treats apart.
 */
#include "test.h"

#include "../ir/base.h"
#include "../kernels/kernels.h"

#include <math.h>
#include <stdlib.h>

static uint32_t seed = 1;

static double
uniform(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (double)(seed >> 8) / 16777216 - 0.5;
}

/* ---- tensors: a view of a wider buffer, filled with random numbers ---- */

typedef struct Tensor {
	View v;
	void *buffer;
} Tensor;

enum { GUARD = 16 };

static double
get(const View *v, int64_t at)
{
	float x;
	convert(DT_F32, &x, v->dtype, v->data + at * dtype_bytes(v->dtype), 1);
	return x;
}

/* Axes as text, "h5 w3 c7"; `wide` > 0 leaves gaps between pixels and rows. */
static Tensor
tensor(DType t, const char *axes, int wide)
{
	static const char letters[] = "sbfhw";
	Tensor x = {.v = {.dtype = t}};
	View *v = &x.v;
	for (int a = 0; a < AXIS_MAX; a++)
		v->n[a] = v->full[a] = 1;
	for (const char *p = axes; *p; ) {
		const char *l = strchr(letters, *p);
		int a = *p == 'c' ? AXIS_C : *p == 't' ? AXIS_TOKEN
			: l ? (int)(l - letters) : AXIS_DECLARED;
		char *end;
		v->n[a] = v->full[a] = strtol(p + 1, &end, 10);
		v->axes |= AXIS_BIT(a);
		for (p = end; *p == ' '; )
			p++;
	}
	int64_t step = 1;
	for (int a = AXIS_C; a >= 0; a--)
		if (v->axes >> a & 1) {
			v->stride[a] = step;
			step = step * v->n[a] + wide;
		}
	size_t elements = (size_t)step + 2 * GUARD;
	x.buffer = calloc(elements, 4);
	float *numbers = malloc(elements * 4);
	for (size_t i = 0; i < elements; i++)
		numbers[i] = (float)uniform();
	convert(t, x.buffer, DT_F32, numbers, (int64_t)elements);
	free(numbers);
	v->data = (char *)x.buffer + GUARD * dtype_bytes(t);
	return x;
}

static void
drop(Tensor *x)
{
	free(x->buffer);
}

static Operand
operand(const Tensor *x)
{
	return x ? (Operand){1, {x->v}} : (Operand){0};
}

/* Place of the index `i` of all axes. */
static int64_t
place(const View *v, const int64_t *i)
{
	int64_t at = 0;
	for (int a = 0; a < AXIS_MAX; a++)
		if (v->axes >> a & 1)
			at += i[a] * v->stride[a];
	return at;
}

/* Steps `i` through the box of `n`, c fastest; false behind its end. */
static bool
step_index(const int64_t *n, int64_t *i)
{
	for (int a = AXIS_C; a >= 0; a--) {
		if (++i[a] < n[a])
			return true;
		i[a] = 0;
	}
	return false;
}

/* ---- a packed matrix ---- */

typedef struct Weights {
	float *plain;           /* [out][in][tap], rounded to the type */
	Tensor packed;
} Weights;

static Weights
weights(DType t, const MatrixLayout *m)
{
	int64_t rows = m->rows[0] + m->rows[1];
	int64_t width = (m->cols[0] + m->cols[1]) * m->taps, n = rows * width;
	Weights w = {malloc((size_t)n * 4 + 4), {.v = {.dtype = t}}};
	uint16_t *half = malloc((size_t)n * 2 + 2);
	for (int64_t i = 0; i < n; i++)
		w.plain[i] = (float)uniform();
	if (t != DT_F32) {
		convert(t, half, DT_F32, w.plain, n);
		convert(DT_F32, w.plain, t, half, n);
	}
	/* exactly as many bytes as it has elements, so that a sanitizer sees
	 * what reads behind them */
	w.packed.buffer = malloc((size_t)(n * dtype_bytes(t)));
	w.packed.v.data = w.packed.buffer;
	w.packed.v.axes = AXIS_BIT(AXIS_C);
	for (int a = 0; a < AXIS_MAX; a++)
		w.packed.v.n[a] = w.packed.v.full[a] = 1;
	w.packed.v.n[AXIS_C] = w.packed.v.full[AXIS_C] = n;
	w.packed.v.stride[AXIS_C] = 1;
	for (int64_t row = 0, some; row < rows; row += some) {
		some = min64(rows - row, 1 + row % 23);
		pack_rows(m, t, w.packed.buffer, DT_F32, w.plain + row * width,
			row, some);
	}
	free(half);
	return w;
}

static void
drop_weights(Weights *w)
{
	free(w->plain);
	drop(&w->packed);
}

/* ---- running a kernel ---- */

static void
run_op(Op op, Operand *args, const Attr *attr, int threads)
{
	int64_t bytes = cpu_work_bytes(op, args, attr, threads);
	Operand *work = &args[1 + op_nin(op)];
	*work = (Operand){0};
	void *buffer = NULL;
	if (bytes) {
		buffer = malloc((size_t)bytes);
		memset(buffer, 0xff, (size_t)bytes);    /* NaN */
		work->parts = 1;
		work->part[0].data = buffer;
	}
	Ctx ctx = {.threads = threads, .prepare = true};
	CHECK(cpu_kernel(op)(&ctx, args, attr) == K_OK);
	ctx.prepare = false;
	CHECK(cpu_kernel(op)(&ctx, args, attr) == K_OK);
	free(buffer);
}

/* Whether all bytes of two tensors of one kind agree, gaps included. */
static bool
same_bytes(const Tensor *x, const Tensor *y)
{
	size_t n = GUARD;
	for (int a = 0; a < AXIS_MAX; a++)
		if (x->v.axes >> a & 1)
			n += (size_t)((x->v.n[a] - 1) * x->v.stride[a]);
	return !memcmp(x->buffer, y->buffer,
		(n + 1) * (size_t)dtype_bytes(x->v.dtype));
}

static Tensor
clone(const Tensor *x)
{
	Tensor y = *x;
	size_t bytes = GUARD;
	for (int a = 0; a < AXIS_MAX; a++)
		if (x->v.axes >> a & 1)
			bytes += (size_t)((x->v.n[a] - 1) * x->v.stride[a]);
	bytes = (bytes + GUARD) * 4;
	y.buffer = malloc(bytes);
	memcpy(y.buffer, x->buffer, bytes / 4
		* (size_t)dtype_bytes(x->v.dtype));
	y.v.data = (char *)y.buffer + GUARD * dtype_bytes(x->v.dtype);
	return y;
}

static double
naive_act(Act act, double x)
{
	switch (act) {
	case ACT_SILU: return x / (1 + exp(-x));
	case ACT_SIGMOID: return 1 / (1 + exp(-x));
	case ACT_GELU: return x * (1 + erf(x / sqrt(2))) / 2;
	case ACT_GELU_TANH:
		return x / (1 + exp(-2 * sqrt(2 / acos(-1))
			* (x + 0.044715 * x * x * x)));
	default: return x;
	}
}

/* ---- linear and conv ---- */

/* One case: types and axes of everything; NULL or "" where absent. */
typedef struct Case {
	const char *name;
	Op op;
	const char *x, *x2, *y, *row, *add;
	DType tx, tw, ty, tb;
	int wide;
	bool bias;
	Attr attr;
} Case;

typedef struct Problem {
	Tensor x, x2, y, bias, row, add;
	Weights w;
	Operand args[OPERANDS_MAX + 2];
	MatrixLayout layout;
	bool has_x2, has_row, has_add;
} Problem;

static void
make_problem(const Case *c, Problem *p)
{
	memset(p, 0, sizeof *p);
	p->has_x2 = c->x2 && *c->x2;
	p->has_row = c->row && *c->row;
	p->has_add = c->add && *c->add;
	p->x = tensor(c->tx, c->x, c->wide);
	p->y = tensor(c->ty, c->y, c->wide);
	p->args[0] = operand(&p->y);
	p->args[1] = operand(&p->x);
	if (p->has_x2) {
		p->x2 = tensor(c->tx, c->x2, c->wide ? c->wide + 1 : 0);
		p->args[1].parts = 2;
		p->args[1].part[1] = p->x2.v;
	}
	p->layout = matrix_layout(c->op, p->args, &c->attr);
	p->w = weights(c->tw, &p->layout);
	p->args[2] = operand(&p->w.packed);
	if (c->bias) {
		char axes[32];
		snprintf(axes, sizeof axes, "c%d",
			(int)(p->layout.rows[0] + p->layout.rows[1]));
		p->bias = tensor(c->tb, axes, 0);
		p->args[3] = operand(&p->bias);
	}
	if (p->has_row) {
		p->row = tensor(c->tb, c->row, c->wide);
		p->args[4] = operand(&p->row);
	}
	if (p->has_add) {
		p->add = tensor(c->ty, c->add, c->wide);
		p->args[5] = operand(&p->add);
	}
}

static void
drop_problem(Problem *p)
{
	drop(&p->x);
	drop(&p->x2);
	drop(&p->y);
	drop(&p->bias);
	drop(&p->row);
	drop(&p->add);
	drop_weights(&p->w);
}

/* Input column `col` at index i, which may lie outside; part 1 follows part 0. */
static double
input(const Problem *p, const int64_t *i, int64_t col)
{
	int64_t first = p->x.v.n[AXIS_C];
	const View *v = col < first ? &p->x.v : &p->x2.v;
	int64_t at[AXIS_MAX];
	for (int a = 0; a < AXIS_MAX; a++) {
		at[a] = i[a];
		if (p->x.v.axes >> a & 1 && (i[a] < 0 || i[a] >= p->x.v.n[a]))
			return 0;
	}
	at[AXIS_C] = col < first ? col : col - first;
	return get(v, place(v, at));
}

static double
naive_sum(const Case *c, const Problem *p, const int64_t *i, int64_t out)
{
	const Attr *a = &c->attr;
	int64_t cols = p->layout.cols[0] + p->layout.cols[1];
	double sum = 0;
	for (int64_t tap = 0; tap < p->layout.taps; tap++) {
		int64_t in[AXIS_MAX], rest = tap;
		memcpy(in, i, sizeof in);
		in[AXIS_C] = 0;
		for (int axis = AXIS_C; axis-- > 0 && c->op == OP_conv; ) {
			if (!(a->over >> axis & 1))
				continue;
			int k = over_index(a->over, axis);
			in[axis] = i[axis] * a->stride[k] - a->before[k]
				+ rest % a->kernel[k];
			rest /= a->kernel[k];
		}
		for (int64_t col = 0; col < cols; col++)
			sum += input(p, in, col) * (double)p->w.plain[
				(out * cols + col) * p->layout.taps + tap];
	}
	if (c->bias)
		sum += get(&p->bias.v, out);
	if (p->has_row) {
		int64_t at[AXIS_MAX];
		memcpy(at, i, sizeof at);
		at[AXIS_C] = out;
		sum += get(&p->row.v, place(&p->row.v, at));
	}
	return sum;
}

static double
naive_value(const Case *c, const Problem *p, const int64_t *i)
{
	double sum = naive_sum(c, p, i, i[AXIS_C]);
	if (c->attr.geglu)
		sum *= naive_act(ACT_GELU, naive_sum(c, p, i, i[AXIS_C]
			+ p->layout.rows[0]));
	else
		sum = naive_act(c->attr.act, sum);
	if (p->has_add)
		sum += get(&p->add.v, place(&p->add.v, i));
	return sum;
}

static double
tolerance(DType t)
{
	return t == DT_F32 ? 4e-6 : t == DT_F16 ? 1e-3 : 8e-3;
}

static void
check_values(const Case *c, const Problem *p)
{
	int64_t i[AXIS_MAX] = {0};
	double worst = 0, largest = 1e-3;
	do {
		double want = naive_value(c, p, i);
		double got = get(&p->y.v, place(&p->y.v, i));
		double e = fabs(got - want);
		worst = e <= worst ? worst : e;         /* NaN too */
		largest = fmax(largest, fabs(want));
	} while (step_index(p->y.v.n, i));
	CHECK(worst <= tolerance(c->ty) * largest, "%s: error %g of %g",
		c->name, worst, largest);
}

/* Narrows v to [lo, lo + n) along axis. */
static void
narrow(View *v, int axis, int64_t lo, int64_t n)
{
	if (!(v->axes >> axis & 1))
		return;
	v->data += lo * v->stride[axis] * dtype_bytes(v->dtype);
	v->lo[axis] += lo;
	v->n[axis] = n;
}

/* What the slice [lo, lo + n) of the result along `axis` reads. */
static void
slice_args(const Case *c, Operand *args, int axis, int64_t lo, int64_t n)
{
	int64_t in = args[1].part[0].full[axis], out = args[0].part[0].full[axis];
	int64_t from = lo, to = lo + n;
	narrow(&args[0].part[0], axis, lo, n);
	if (c->op == OP_conv && c->attr.over >> axis & 1)
		ops_window(c->op, &c->attr, axis, in, out, &from, &to);
	for (int part = 0; part < args[1].parts; part++) {
		View *v = &args[1].part[part];
		int64_t first = clamp64(from, 0, in);
		v->cut[axis] = first - from;
		narrow(v, axis, first, clamp64(to, first, in) - first);
	}
	narrow(&args[4].part[0], axis, lo, n);
	narrow(&args[5].part[0], axis, lo, n);
}

/* The result again in slices along every axis but c, and with other numbers of
 * threads: the same bits. */
static void
check_slices(const Case *c, Problem *p)
{
	static const int64_t sizes[] = {1, 2, 5};
	for (int axis = 0; axis < AXIS_C; axis++)
		for (size_t s = 0; s < COUNT_OF(sizes); s++) {
			int64_t n = p->y.v.n[axis];
			if (!(p->y.v.axes >> axis & 1) || sizes[s] > n)
				continue;
			Tensor y = clone(&p->y);
			Operand args[OPERANDS_MAX + 2];
			for (int64_t lo = 0; lo < n; lo += sizes[s]) {
				memcpy(args, p->args, sizeof args);
				args[0].part[0] = y.v;
				slice_args(c, args, axis, lo,
					min64(sizes[s], n - lo));
				run_op(c->op, args, &c->attr, 1);
			}
			CHECK(same_bytes(&y, &p->y),
				"%s: axis %d in slices of %d", c->name, axis,
				(int)sizes[s]);
			drop(&y);
		}
	for (int threads = 2; threads <= 5; threads += 3) {
		Tensor y = clone(&p->y);
		memset(y.v.data, 0, (size_t)dtype_bytes(y.v.dtype));
		p->args[0].part[0] = y.v;
		run_op(c->op, p->args, &c->attr, threads);
		CHECK(same_bytes(&y, &p->y), "%s: %d threads", c->name, threads);
		drop(&y);
	}
}

/* The result in the place of `add`: the same bits. */
static void
check_inplace(const Case *c, Problem *p)
{
	bool same = p->has_add;
	for (int a = 0; a < AXIS_MAX && same; a++)
		same = p->add.v.n[a] == p->y.v.n[a];
	if (!same)
		return;
	Tensor y = clone(&p->add);
	p->args[0].part[0] = y.v;
	p->args[5].part[0] = y.v;
	run_op(c->op, p->args, &c->attr, 2);
	int64_t i[AXIS_MAX] = {0};
	bool equal = true;
	do
		equal &= get(&y.v, place(&y.v, i))
			== get(&p->y.v, place(&p->y.v, i));
	while (step_index(p->y.v.n, i));
	CHECK(equal, "%s: in place", c->name);
	drop(&y);
}

#define CONV(...) .op = OP_conv, .attr = {__VA_ARGS__}
#define LINEAR(...) .op = OP_linear, .attr = {__VA_ARGS__}
#define HW (AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W))
#define F AXIS_BIT(AXIS_F)
#define C3X3 .over = HW, .kernel = {3, 3}, .stride = {1, 1}, \
	.before = {1, 1}, .after = {1, 1}

static const Case cases[] = {
	{"linear", LINEAR(0), .x = "h3 w23 c64", .y = "h3 w23 c128"},
	{"linear odd", LINEAR(0), .x = "h5 w7 c37", .y = "h5 w7 c83",
		.bias = true, .wide = 3},
	{"linear one pixel", LINEAR(.act = ACT_SILU), .x = "c70", .y = "c131",
		.bias = true},
	{"linear to 1", LINEAR(0), .x = "w9 c100", .y = "w9 c1", .bias = true},
	{"linear to 4", LINEAR(0), .x = "w19 c130", .y = "w19 c4"},
	{"linear to 13", LINEAR(0), .x = "w23 c3", .y = "w23 c13"},
	{"linear to 31", LINEAR(0), .x = "w23 c5", .y = "w23 c31"},
	{"linear long", LINEAR(0), .x = "f2 w301 c8", .y = "f2 w301 c17"},
	{"linear deep", LINEAR(0), .x = "w5 c2600", .y = "w5 c65"},
	{"linear two parts", LINEAR(.act = ACT_GELU), .x = "f2 w13 c70",
		.x2 = "f2 w13 c33", .y = "f2 w13 c72", .bias = true, .wide = 1},
	{"linear part repeats", LINEAR(0), .x = "f3 w13 c12", .x2 = "w13 c70",
		.y = "f3 w13 c40", .bias = true},
	{"linear part repeats along the row", LINEAR(0), .x = "w13 c12",
		.x2 = "c70", .y = "w13 c40"},
	{"geglu", LINEAR(.geglu = 1), .x = "h3 w11 c64", .y = "h3 w11 c128",
		.bias = true},
	{"geglu odd halves", LINEAR(.geglu = 1), .x = "w37 c50", .y = "w37 c77",
		.bias = true, .wide = 2},
	{"geglu thin", LINEAR(.geglu = 1), .x = "w7 c20", .y = "w7 c5",
		.row = "c10", .add = "w7 c5"},
	{"linear row", LINEAR(.act = ACT_SIGMOID), .x = "f2 h3 w5 c20",
		.y = "f2 h3 w5 c70", .row = "f2 c70", .bias = true},
	{"linear add", LINEAR(.act = ACT_GELU_TANH), .x = "f2 h3 w5 c20",
		.y = "f2 h3 w5 c70", .add = "f2 h3 w5 c70", .bias = true},
	{"linear add repeats", LINEAR(0), .x = "f2 h3 w5 c20",
		.y = "f2 h3 w5 c70", .add = "h3 w5 c70", .row = "f2 w5",
		.wide = 1},
	{"linear add without c", LINEAR(0), .x = "f2 h3 w5 c20",
		.y = "f2 h3 w5 c70", .add = "h3 w5"},
	{"conv", CONV(C3X3), .x = "f2 h9 w11 c64", .y = "f2 h9 w11 c64",
		.bias = true},
	{"conv odd", CONV(C3X3), .x = "f2 h7 w5 c37", .y = "f2 h7 w5 c45",
		.bias = true, .wide = 5, .row = "c45", .add = "f2 h7 w5 c45"},
	{"conv in", CONV(C3X3), .x = "h8 w30 c4", .y = "h8 w30 c40",
		.bias = true},
	{"conv out", CONV(C3X3), .x = "h8 w30 c70", .y = "h8 w30 c3",
		.bias = true},
	{"conv two parts", CONV(C3X3, .act = ACT_SILU), .x = "f2 h6 w5 c70",
		.x2 = "f2 h6 w5 c20", .y = "f2 h6 w5 c24", .bias = true,
		.wide = 2},
	{"conv part repeats", CONV(C3X3), .x = "f3 h6 w5 c4", .x2 = "h6 w5 c4",
		.y = "f3 h6 w5 c24", .bias = true},
	{"conv tiny", CONV(C3X3), .x = "f3 h1 w2 c70", .y = "f3 h1 w2 c24"},
	{"conv stride 2", CONV(.over = HW, .kernel = {3, 3}, .stride = {2, 2},
		.before = {1, 1}, .after = {1, 1}), .x = "f2 h9 w12 c40",
		.y = "f2 h5 w6 c24", .bias = true},
	{"conv pad behind", CONV(.over = HW, .kernel = {3, 3}, .stride = {2, 2},
		.after = {1, 1}), .x = "f2 h8 w14 c40", .y = "f2 h4 w7 c24",
		.bias = true},
	{"conv strides differ", CONV(.over = HW, .kernel = {5, 2},
		.stride = {1, 3}, .before = {3, 0}, .after = {0, 2}),
		.x = "h9 w13 c10", .y = "h8 w5 c70"},
	{"conv pad beyond", CONV(.over = AXIS_BIT(AXIS_W), .kernel = {2},
		.stride = {1}, .before = {3}, .after = {3}), .x = "h2 w3 c10",
		.y = "h2 w8 c20", .bias = true},
	{"conv patches", CONV(.over = HW, .kernel = {7, 7}, .stride = {7, 7}),
		.x = "h21 w28 c3", .y = "h3 w4 c70"},
	{"conv frames", CONV(.over = F, .kernel = {3}, .stride = {1},
		.before = {1}, .after = {1}), .x = "f5 h3 w9 c70",
		.y = "f5 h3 w9 c70", .bias = true},
	{"conv wide kernel", CONV(.over = AXIS_BIT(AXIS_W), .kernel = {9},
		.stride = {1}, .before = {4}, .after = {4}), .x = "h2 w6 c66",
		.y = "h2 w6 c17"},
	{"conv 3 axes", CONV(.over = HW | F, .kernel = {3, 3, 3},
		.stride = {1, 2, 1}, .before = {1, 1, 1}, .after = {1, 1, 1}),
		.x = "b2 f4 h5 w6 c35", .y = "b2 f4 h3 w6 c30", .bias = true},
};

/* Element types that a case is run with. */
static const struct { DType x, w, y, b; } types[] = {
	{DT_F32, DT_F32, DT_F32, DT_F32}, {DT_F16, DT_F16, DT_F16, DT_F16},
	{DT_BF16, DT_BF16, DT_BF16, DT_BF16}, {DT_F32, DT_F16, DT_F32, DT_F16},
	{DT_F16, DT_F32, DT_F32, DT_F32}, {DT_F32, DT_BF16, DT_F16, DT_F32},
};

static void
test_matrix(void)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char name[100];
		snprintf(name, sizeof name, "%s (%s)", cases[i].name,
			cpu_level());
		test(name);
		for (size_t t = 0; t < COUNT_OF(types); t++) {
			Case c = cases[i];
			c.tx = types[t].x;
			c.tw = types[t].w;
			c.ty = types[t].y;
			c.tb = types[t].b;
			Problem p;
			make_problem(&c, &p);
			run_op(c.op, p.args, &c.attr, 1);
			check_values(&c, &p);
			check_slices(&c, &p);
			check_inplace(&c, &p);
			drop_problem(&p);
		}
	}
}

/* ---- attention ---- */

typedef struct AttendCase {
	const char *name, *q, *k, *v, *y;
	int wide;
	Attr attr;
} AttendCase;

#define T AXIS_BIT(AXIS_TOKEN)
static const AttendCase attends[] = {
	{"attend space", "f2 h9 w11 c80", "f2 h9 w11 c80", "f2 h9 w11 c80",
		"f2 h9 w11 c80", 0, {.over = HW, .heads = 2}},
	{"attend space, wide", "f2 h9 w11 c80", "f2 h9 w11 c80",
		"f2 h9 w11 c80", "f2 h9 w11 c80", 3, {.over = HW, .heads = 2}},
	{"attend time", "f8 h3 w5 c80", "f8 h3 w5 c80", "f8 h3 w5 c80",
		"f8 h3 w5 c80", 0, {.over = F, .heads = 2}},
	{"attend time 25", "f25 h3 w2 c128", "f25 h3 w2 c128",
		"f25 h3 w2 c128", "f25 h3 w2 c128", 1, {.over = F, .heads = 2}},
	{"attend text", "b2 f2 h3 w7 c80", "b2 t77 c80", "b2 t77 c80",
		"b2 f2 h3 w7 c80", 0, {.over = T, .heads = 2}},
	{"attend q lacks b", "f2 w7 c24", "b2 t9 c24", "b2 t9 c24",
		"b2 f2 w7 c24", 0, {.over = T, .heads = 3}},
	{"attend k lacks f", "f5 w7 c24", "w7 t9 c24", "w7 t9 c24",
		"f5 w7 c24", 2, {.over = T, .heads = 3}},
	{"attend causal", "b2 t77 c128", "b2 t77 c128", "b2 t77 c128",
		"b2 t77 c128", 0, {.over = T, .heads = 2, .causal = 1}},
	{"attend causal long", "t150 c12", "t150 c12", "t150 c12", "t150 c12",
		1, {.over = T, .heads = 2, .causal = 1}},
	{"attend causal, w behind f", "f9 w3 c12", "f9 c12", "f9 c12",
		"f9 w3 c12", 0, {.over = F, .heads = 2, .causal = 1}},
	{"attend one key", "w9 c24", "t1 c24", "t1 c24", "w9 c24", 0,
		{.over = T, .heads = 2}},
	{"attend d 1", "w9 c3", "t70 c3", "t70 c3", "w9 c3", 0,
		{.over = T, .heads = 3}},
	{"attend d 2", "w9 c6", "t70 c6", "t70 c6", "w9 c6", 0,
		{.over = T, .heads = 3}},
	{"attend d 4", "w9 c12", "t70 c12", "t70 c12", "w9 c12", 0,
		{.over = T, .heads = 3}},
	{"attend d 160", "w9 c320", "t70 c320", "t70 c320", "w9 c320", 0,
		{.over = T, .heads = 2}},
	{"attend d 512", "h7 w10 c512", "h7 w10 c512", "h7 w10 c512",
		"h7 w10 c512", 0, {.over = HW, .heads = 1}},
	{"attend v wider", "w9 c24", "t70 c24", "t70 c194", "w9 c194", 0,
		{.over = T, .heads = 2}},
	{"attend negative scale", "w9 c24", "t70 c24", "t70 c24", "w9 c24", 0,
		{.over = T, .heads = 2, .scale = -3}},
};

enum { KEYS_MAX = 1000 };

/* Place of key number `j` in the box of keys, elsewhere at index i, channel c. */
static int64_t
key_place(const AttendCase *c, const View *v, const int64_t *i,
	const int64_t *key, int64_t channel)
{
	int64_t at[AXIS_MAX];
	for (int a = 0; a < AXIS_MAX; a++)
		at[a] = c->attr.over >> a & 1 ? key[a] : i[a];
	at[AXIS_C] = channel;
	return place(v, at);
}

/* Weights of all keys for the query at i; *total is their sum. */
static void
naive_weights(const AttendCase *c, const Tensor *x, const int64_t *i,
	int64_t head, double *w, double *total)
{
	const View *q = &x[1].v, *k = &x[2].v;
	int64_t d = q->n[AXIS_C] / c->attr.heads, n = 0;
	int64_t qi[AXIS_MAX], box[AXIS_MAX], j[AXIS_MAX] = {0};
	memcpy(qi, i, sizeof qi);
	for (int a = 0; a < AXIS_MAX; a++)
		box[a] = c->attr.over >> a & 1 ? k->n[a] : 1;
	double top = -INFINITY;
	do {
		double s = 0;
		for (int64_t e = head * d; e < (head + 1) * d; e++) {
			qi[AXIS_C] = e;
			s += get(q, place(q, qi))
				* get(k, key_place(c, k, i, j, e));
		}
		s *= c->attr.scale;
		for (int a = 0; a < AXIS_C && c->attr.causal; a++)
			if (c->attr.over >> a & 1 && j[a] > i[a])
				s = -INFINITY;
		top = fmax(top, s);
		w[n++] = s;
	} while (step_index(box, j));
	*total = 0;
	for (int64_t a = 0; a < n; a++)
		*total += w[a] = exp(w[a] - top);
}

/* One element; the channels of a head come one behind the other. */
static double
naive_attend(const AttendCase *c, const Tensor *x, const int64_t *i)
{
	static double w[KEYS_MAX], total;
	const View *v = &x[3].v;
	int64_t dv = v->n[AXIS_C] / c->attr.heads, n = 0;
	if (i[AXIS_C] % dv == 0)
		naive_weights(c, x, i, i[AXIS_C] / dv, w, &total);
	int64_t box[AXIS_MAX], j[AXIS_MAX] = {0};
	for (int a = 0; a < AXIS_MAX; a++)
		box[a] = c->attr.over >> a & 1 ? v->n[a] : 1;
	double sum = 0;
	do
		sum += w[n++] * get(v, key_place(c, v, i, j, i[AXIS_C]));
	while (step_index(box, j));
	return sum / total;
}

static void
attend_slices(const AttendCase *c, const Attr *attr, const Tensor *x)
{
	static const int64_t sizes[] = {1, 3, 64};
	for (int axis = 0; axis < AXIS_C; axis++)
		for (size_t s = 0; s < COUNT_OF(sizes); s++) {
			int64_t n = x[0].v.n[axis];
			if (!(x[0].v.axes >> axis & 1) || sizes[s] > n)
				continue;
			Tensor y = clone(&x[0]);
			for (int64_t lo = 0; lo < n; lo += sizes[s]) {
				int64_t m = min64(sizes[s], n - lo);
				Operand args[5] = {operand(&y), operand(&x[1]),
					operand(&x[2]), operand(&x[3])};
				bool over = attr->over >> axis & 1;
				narrow(&args[0].part[0], axis, lo, m);
				narrow(&args[1].part[0], axis, lo, m);
				for (int i = 2; i < 4 && !over; i++)
					narrow(&args[i].part[0], axis, lo, m);
				run_op(OP_attend, args, attr, 1);
			}
			CHECK(same_bytes(&y, &x[0]), "axis %d in slices of %d",
				axis, (int)sizes[s]);
			drop(&y);
		}
	Tensor y = clone(&x[0]);
	Operand args[5] = {operand(&y), operand(&x[1]), operand(&x[2]),
		operand(&x[3])};
	memset(y.v.data, 0, (size_t)dtype_bytes(y.v.dtype));
	run_op(OP_attend, args, attr, 5);
	CHECK(same_bytes(&y, &x[0]), "%s: 5 threads", c->name);
	drop(&y);
}

static void
test_attend(void)
{
	for (size_t i = 0; i < COUNT_OF(attends); i++) {
		AttendCase c = attends[i];
		char name[100];
		snprintf(name, sizeof name, "%s (%s)", c.name, cpu_level());
		test(name);
		for (size_t t = 0; t < 5; t++) {
			DType ty = types[t].y;
			Tensor x[4] = {tensor(ty, c.y, c.wide),
				tensor(types[t].x, c.q, c.wide),
				tensor(types[t].w, c.k, c.wide),
				tensor(types[t].w, c.v, c.wide)};
			/* differences large enough to tell weights apart */
			if (c.attr.scale == 0)
				c.attr.scale = 12 / sqrt((double)(x[1].v.n[AXIS_C]
					/ c.attr.heads));
			Operand args[5];
			for (int j = 0; j < 4; j++)
				args[j] = operand(&x[j]);
			run_op(OP_attend, args, &c.attr, 1);
			double worst = 0;
			int64_t at[AXIS_MAX] = {0};
			do {
				double e = fabs(naive_attend(&c, x, at)
					- get(&x[0].v, place(&x[0].v, at)));
				worst = e <= worst ? worst : e;
			} while (step_index(x[0].v.n, at));
			CHECK(worst <= tolerance(ty) * 0.5, "error %g", worst);
			attend_slices(&c, &c.attr, x);
			for (int j = 0; j < 4; j++)
				drop(&x[j]);
		}
	}
}

/* ---- conversions ---- */

static float
bits_to_float(uint32_t u)
{
	float x;
	memcpy(&x, &u, sizeof x);
	return x;
}

/* Every 16-bit number to f32 and back, one by one and eight at a time. */
static void
test_convert(DType t, const char *name)
{
	test(name);
	int bad = 0, moved = 0;
	for (uint32_t i = 0; i < 65536; i += 8) {
		uint16_t x[8], back[8], one;
		float wide[8], f;
		for (uint32_t j = 0; j < 8; j++)
			x[j] = (uint16_t)(i + j);
		convert(DT_F32, wide, t, x, 8);
		convert(t, back, DT_F32, wide, 8);
		for (int j = 0; j < 8; j++) {
			convert(DT_F32, &f, t, &x[j], 1);
			convert(t, &one, DT_F32, &wide[j], 1);
			bad += isnan(wide[j]) ? !isnan(f) : back[j] != x[j];
			moved += memcmp(&f, &wide[j], 4) != 0 || one != back[j];
		}
	}
	CHECK(bad == 0);
	CHECK(moved == 0);
	/* rounding: around every number, ties and their neighbours */
	for (uint32_t u = 0; u < 0x7f800000u; u += 0x800) {
		float x[8];
		uint16_t y[8], one;
		for (uint32_t j = 0; j < 8; j++)
			x[j] = bits_to_float((u + j - 3 + (u % 3 ? 0 : 0x7fff))
				| (u >> 11 & 1) << 31);
		convert(t, y, DT_F32, x, 8);
		for (int j = 0; j < 8; j++) {
			convert(t, &one, DT_F32, &x[j], 1);
			moved += one != y[j];
		}
	}
	CHECK(moved == 0);
}

static void
test_rounding(void)
{
	test("f32 to 16 bit rounds to nearest even");
	static const struct { DType t; float x; uint16_t y; } want[] = {
		{DT_F16, 1.0f, 0x3c00}, {DT_F16, 65504.f, 0x7bff},
		{DT_F16, 65519.99f, 0x7bff}, {DT_F16, 65520.f, 0x7c00},
		{DT_F16, -1e30f, 0xfc00}, {DT_F16, 0x1p-24f, 0x0001},
		{DT_F16, 0x1p-25f, 0x0000}, {DT_F16, 0x1.8p-25f, 0x0001},
		{DT_F16, 1.00048828125f, 0x3c00},       /* 1 + 2^-11: tie */
		{DT_F16, 1.00146484375f, 0x3c02},       /* 1 + 3 2^-11 */
		{DT_BF16, 1.00390625f, 0x3f80},         /* 1 + 2^-8: tie */
		{DT_BF16, 1.01171875f, 0x3f82},         /* 1 + 3 2^-8 */
		{DT_BF16, 3.4e38f, 0x7f80}, {DT_BF16, -0.0f, 0x8000},
	};
	for (size_t i = 0; i < COUNT_OF(want); i++) {
		uint16_t y;
		convert(want[i].t, &y, DT_F32, &want[i].x, 1);
		CHECK(y == want[i].y, "%zu: %04x", i, y);
	}
	uint16_t half = 0x3c01, other;
	convert(DT_BF16, &other, DT_F16, &half, 1);
	CHECK(other == 0x3f80);
}

/* ---- packing ---- */

/* Packing rows in any portions, from any type, is one permutation. */
static void
test_pack(void)
{
	test("a packed matrix holds every element once");
	static const MatrixLayout layouts[] = {
		{{64, 0}, {64, 0}, 1}, {{130, 0}, {70, 33}, 9},
		{{77, 77}, {50, 0}, 1}, {{3, 0}, {128, 0}, 27},
		{{65, 0}, {3, 1}, 49},
	};
	for (size_t i = 0; i < COUNT_OF(layouts); i++) {
		const MatrixLayout *m = &layouts[i];
		int64_t rows = m->rows[0] + m->rows[1];
		int64_t width = (m->cols[0] + m->cols[1]) * m->taps;
		int64_t n = rows * width, missing = 0;
		float *plain = malloc((size_t)n * 4);
		float *whole = malloc((size_t)n * 4);
		float *parts = malloc((size_t)n * 4);
		char *seen = calloc(1, (size_t)n);
		for (int64_t j = 0; j < n; j++)
			plain[j] = (float)j;
		pack_rows(m, DT_F32, whole, DT_F32, plain, 0, rows);
		for (int64_t r = 0; r < rows; r++)
			pack_rows(m, DT_F32, parts, DT_F32, plain + r * width,
				r, 1);
		for (int64_t j = 0; j < n; j++)
			seen[(int64_t)whole[j]]++;
		for (int64_t j = 0; j < n; j++)
			missing += seen[j] != 1;
		CHECK(missing == 0, "layout %zu", i);
		CHECK(!memcmp(whole, parts, (size_t)n * 4), "layout %zu", i);
		free(plain);
		free(whole);
		free(parts);
		free(seen);
	}
}

static void
test_work(void)
{
	test("workspace does not depend on what is cut");
	Case c = {"", CONV(C3X3), .x = "f2 h9 w11 c64", .y = "f2 h9 w11 c64"};
	Case d = {"", CONV(C3X3), .x = "f1 h3 w11 c64", .y = "f1 h2 w11 c64"};
	Problem p, q;
	make_problem(&c, &p);
	make_problem(&d, &q);
	CHECK(cpu_work_bytes(OP_conv, p.args, &c.attr, 3)
		== cpu_work_bytes(OP_conv, q.args, &d.attr, 3));
	CHECK(cpu_work_bytes(OP_conv, p.args, &c.attr, 3)
		== 3 * cpu_work_bytes(OP_conv, p.args, &c.attr, 1));
	drop_problem(&p);
	drop_problem(&q);
}

/* A checksum of results, to compare the levels that promise equal bits. */
static uint64_t
fingerprint(void)
{
	uint64_t h = 14695981039346656037u;
	seed = 77;
	Case c = {"", CONV(C3X3, .act = ACT_GELU), .x = "f2 h9 w11 c100",
		.y = "f2 h9 w11 c83"};
	Problem p;
	make_problem(&c, &p);
	run_op(c.op, p.args, &c.attr, 2);
	for (int64_t i = 0; i < 2 * 9 * 11 * 83; i++) {
		uint32_t u;
		memcpy(&u, p.y.v.data + i * 4, 4);
		h = (h ^ u) * 1099511628211u;
	}
	drop_problem(&p);
	return h;
}

int
main(void)
{
	static const char *const levels[] = {"base", "avx2", "avx512"};
	uint64_t print[COUNT_OF(levels)] = {0};
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		setenv("SLUICE_KERNELS", levels[i], 1);
		cpu_init();
		if (strcmp(cpu_level(), levels[i]))
			continue;       /* not on this processor */
		seed = 1;
		test_convert(DT_F16, "f16 conversions");
		test_convert(DT_BF16, "bf16 conversions");
		test_rounding();
		test_pack();
		test_work();
		print[i] = fingerprint();
		test_matrix();
		test_attend();
	}
	test("avx2 and avx512 agree to the bit");
	CHECK(print[1] == print[2] || !print[2]);
	return test_end();
}
