/* matrix.c - linear and conv against naive loops in double precision, and against
 * themselves: slices, threads and levels must not change a bit.  tests/kernels/cut.c
 * covers the slices of all ops; here are the shapes that the blocked code treats
 * apart.
 */
#include "tests/lib/tensors.h"

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

static uint64_t prints[2];
static int fused;

static void
run_level(void)
{
	if (strcmp(cpu_level(), "base") && fused < 2)
		prints[fused++] = fingerprint();
	seed = 1;
	test_work();
	test_matrix();
}

int
main(void)
{
	each_level(run_level);
	test("avx2 and avx512 agree to the bit");
	CHECK(fused < 2 || prints[0] == prints[1]);
	return test_end();
}
