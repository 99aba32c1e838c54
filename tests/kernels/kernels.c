/* kernels.c - the values of every kernel against loops in double that say the
 * same as its row in ops.def, on the random calls of cases.h; then the corners:
 * means far from zero, ends of the number line, ids outside the table.
 */
#include "tests/lib/cases.h"

/* The shim of a device takes its time: FULL=1 for all. */
enum { CASES = 40, DEVICE_CASES = 16, DEVICE_MATRIX = 64, DEVICE_SEEDS = 400,
	DEVICE_PLAIN = 9 };

/* ---- reading operands ---- */

/* Element i of an operand: broadcast, joined along c when in two parts. */
static double
get(const Operand *o, const int64_t *i)
{
	const View *v = &o->part[0];
	int64_t at[AXIS_MAX];
	memcpy(at, i, sizeof at);
	if (o->parts == 2 && at[AXIS_C] >= v->n[AXIS_C]) {
		at[AXIS_C] -= v->n[AXIS_C];
		v = &o->part[1];
	}
	return number_get(v->dtype, view_at(v, at));
}

static double
get_c(const Operand *o, const int64_t *i, int64_t c)
{
	int64_t at[AXIS_MAX];
	memcpy(at, i, sizeof at);
	at[AXIS_C] = c;
	return get(o, at);
}

static int64_t
channels(const Operand *o)
{
	return o->part[0].n[AXIS_C]
		+ (o->parts == 2 ? o->part[1].n[AXIS_C] : 0);
}

static double
activate(int act, double x)
{
	double z = sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
	switch (act) {
	case ACT_SILU:      return x / (1 + exp(-x));
	case ACT_GELU:      return x * erfc(-x / sqrt(2)) / 2;
	case ACT_GELU_TANH: return x / (1 + exp(-2 * z));  /* tanh cancels */
	case ACT_SIGMOID:   return 1 / (1 + exp(-x));
	}
	return x;
}

/* ---- what each op is: the result's element i ---- */

typedef struct Call {
	const Case *c;
	const Attr *a;
	const Operand *arg;     /* arg[1] is the first operand */
	const double *w;        /* a matrix in file order */
} Call;

static double
second(const Call *k, const int64_t *i)
{
	return k->arg[2].parts ? get(&k->arg[2], i) : (double)(float)k->a->scalar;
}

static double
ref_add(const Call *k, const int64_t *i)
{
	return get(&k->arg[1], i) + second(k, i);
}

static double
ref_sub(const Call *k, const int64_t *i)
{
	double d = get(&k->arg[1], i) - second(k, i);
	return k->a->reversed ? -d : d;
}

static double
ref_mul(const Call *k, const int64_t *i)
{
	return get(&k->arg[1], i) * second(k, i);
}

static double
ref_div(const Call *k, const int64_t *i)
{
	double q = get(&k->arg[1], i) / second(k, i);
	return k->a->reversed ? 1 / q : q;
}

static double
ref_silu(const Call *k, const int64_t *i)
{
	return activate(ACT_SILU, get(&k->arg[1], i));
}

static double
ref_gelu(const Call *k, const int64_t *i)
{
	return activate(ACT_GELU, get(&k->arg[1], i));
}

static double
ref_gelu_tanh(const Call *k, const int64_t *i)
{
	return activate(ACT_GELU_TANH, get(&k->arg[1], i));
}

static double
ref_sigmoid(const Call *k, const int64_t *i)
{
	return activate(ACT_SIGMOID, get(&k->arg[1], i));
}

static double
ref_clamp(const Call *k, const int64_t *i)
{
	return fmin(fmax(get(&k->arg[1], i), k->a->lo), k->a->hi);
}

static double
ref_blend(const Call *k, const int64_t *i)
{
	double a = get(&k->arg[3], i);
	return a * get(&k->arg[1], i) + (1 - a) * get(&k->arg[2], i);
}

static double
ref_geglu(const Call *k, const int64_t *i)
{
	int64_t half = channels(&k->arg[1]) / 2;
	return get(&k->arg[1], i) * activate(ACT_GELU,
		get_c(&k->arg[1], i, half + i[AXIS_C]));
}

static double
ref_copy(const Call *k, const int64_t *i)
{
	return get(&k->arg[1], i);
}

static double
ref_fill(const Call *k, const int64_t *i)
{
	(void)i;
	return k->a->scalar;
}

static double
ref_index(const Call *k, const int64_t *i)
{
	return (double)i[k->a->axis];
}

static double
ref_resize(const Call *k, const int64_t *i)
{
	int64_t at[AXIS_MAX];
	memcpy(at, i, sizeof at);
	for (int a = 0; a < AXIS_MAX; a++)
		if (k->a->over >> a & 1)
			at[a] = (int64_t)floor((double)(i[a] * k->c->in[0].n[a])
				/ (double)k->c->out.n[a]);
	return get(&k->arg[1], at);
}

static double
ref_sinusoid(const Call *k, const int64_t *i)
{
	int64_t n = k->c->out.n[AXIS_C], half = n / 2, c = i[AXIS_C];
	if (c == 2 * half)
		return 0;
	int64_t f = k->a->interleave ? c / 2 : c % half;
	bool sine = k->a->interleave ? c % 2 : c >= half;
	float freq = (float)exp(-log(10000) * (double)f / (double)half);
	float angle = (float)get(&k->arg[1], i) * freq;
	return sine != (k->a->sin_first != 0) ? sin((double)angle)
		: cos((double)angle);
}

static double
ref_embed(const Call *k, const int64_t *i)
{
	int64_t zero[AXIS_MAX] = {0}, n = k->c->out.n[AXIS_C];
	int64_t row = (int64_t)get_c(&k->arg[1], i, 0);
	return get_c(&k->arg[2], zero, row * n + i[AXIS_C]);
}

static double
ref_sample(const Call *k, const int64_t *i)
{
	int64_t zero[AXIS_MAX] = {0};
	double t[SAMPLE_COLS], x = get(&k->arg[1], i), e = get(&k->arg[2], i);
	for (int j = 0; j < SAMPLE_COLS; j++)
		t[j] = get_c(&k->arg[3], zero, j);
	double z = fmin(fmax(t[0] * x + t[1] * e, -t[2]), t[2]);
	double sum = t[3] * z + t[4] * x + t[5] * e;
	for (int j = 0; j < 3; j++)
		if (k->arg[4 + j].parts)
			sum += t[6 + j] * get(&k->arg[4 + j], i);
	return sum;
}

static double
ref_norm_stats(const Call *k, const int64_t *i)
{
	int64_t box[AXIS_MAX], j[AXIS_MAX] = {0}, at[AXIS_MAX];
	int64_t groups = k->a->groups, per = channels(&k->arg[1]) / groups;
	int64_t first = i[AXIS_C] % groups * per;
	double sum = 0, m2 = 0, n;
	for (int a = 0; a < AXIS_MAX; a++)
		box[a] = k->c->out.axes >> a & 1 ? 1 : k->c->in[0].n[a];
	box[AXIS_C] = per;
	n = (double)box_count(box);
	for (int pass = 0; pass < 2; pass++)
		do {
			for (int a = 0; a < AXIS_MAX; a++)
				at[a] = i[a] + j[a];
			at[AXIS_C] = first + j[AXIS_C];
			double x = get(&k->arg[1], at);
			if (pass)
				m2 += (x - sum / n) * (x - sum / n);
			else
				sum += x;
		} while (index_next(box, j));
	return i[AXIS_C] < groups ? sum / n : m2;
}

static double
ref_norm_combine(const Call *k, const int64_t *i)
{
	int64_t box[AXIS_MAX], j[AXIS_MAX] = {0}, at[AXIS_MAX];
	int64_t groups = k->a->groups, g = i[AXIS_C] % groups;
	double rows = (double)k->a->rows, sum = 0, m2 = 0, n;
	for (int a = 0; a < AXIS_MAX; a++)
		box[a] = k->a->over >> a & 1 ? k->c->in[0].n[a] : 1;
	n = (double)box_count(box);
	for (int pass = 0; pass < 2; pass++)
		do {
			for (int a = 0; a < AXIS_MAX; a++)
				at[a] = i[a] + j[a];
			double x = get_c(&k->arg[1], at, g), d = x - sum / n;
			if (pass)
				m2 += get_c(&k->arg[1], at, groups + g)
					+ rows * d * d;
			else
				sum += x;
		} while (index_next(box, j));
	return i[AXIS_C] < groups ? sum / n
		: 1 / sqrt(m2 / (n * rows) + k->a->eps);
}

static double
ref_norm_apply(const Call *k, const int64_t *i)
{
	int64_t groups = k->a->groups, zero[AXIS_MAX] = {0}, c = i[AXIS_C];
	int64_t g = c / (k->c->out.n[AXIS_C] / groups);
	double y = (get(&k->arg[1], i) - get_c(&k->arg[2], i, g))
		* get_c(&k->arg[2], i, groups + g);
	y = y * get_c(&k->arg[3], zero, c) + get_c(&k->arg[4], zero, c);
	return activate(k->a->act, y);
}

static double
ref_layer_norm(const Call *k, const int64_t *i)
{
	int64_t n = k->c->out.n[AXIS_C], zero[AXIS_MAX] = {0};
	double mean = 0, var = 0;
	for (int64_t c = 0; c < n; c++)
		mean += get_c(&k->arg[1], i, c) / (double)n;
	for (int64_t c = 0; c < n; c++) {
		double d = get_c(&k->arg[1], i, c) - mean;
		var += d * d / (double)n;
	}
	return (get(&k->arg[1], i) - mean) / sqrt(var + k->a->eps)
		* get_c(&k->arg[2], zero, i[AXIS_C])
		+ get_c(&k->arg[3], zero, i[AXIS_C]);
}

/* y = act(sum + bias + row) + add */
static double
epilogue(const Call *k, const int64_t *i, double sum, double gate)
{
	int64_t zero[AXIS_MAX] = {0}, c = i[AXIS_C], n = k->c->out.n[AXIS_C];
	if (k->arg[3].parts) {
		sum += get_c(&k->arg[3], zero, c);
		if (k->a->geglu)
			gate += get_c(&k->arg[3], zero, c + n);
	}
	if (k->arg[4].parts)
		sum += get(&k->arg[4], i);
	sum = k->a->geglu ? sum * activate(ACT_GELU, gate)
		: activate(k->a->act, sum);
	return sum + (k->arg[5].parts ? get(&k->arg[5], i) : 0);
}

static double
ref_linear(const Call *k, const int64_t *i)
{
	int64_t n = channels(&k->arg[1]), half = k->c->out.n[AXIS_C];
	double sum = 0, gate = 0;
	for (int64_t c = 0; c < n; c++) {
		double x = get_c(&k->arg[1], i, c);
		sum += x * k->w[i[AXIS_C] * n + c];
		if (k->a->geglu)
			gate += x * k->w[(half + i[AXIS_C]) * n + c];
	}
	return epilogue(k, i, sum, gate);
}

static double
ref_conv(const Call *k, const int64_t *i)
{
	const Attr *t = k->a;
	int64_t n = channels(&k->arg[1]), taps = 1, tap = 0;
	int64_t box[AXIS_MAX], j[AXIS_MAX] = {0};
	double sum = 0;
	for (int a = 0; a < AXIS_MAX; a++) {
		box[a] = t->over >> a & 1 ? t->kernel[over_index(t->over, a)]
			: 1;
		taps *= box[a];
	}
	do {
		int64_t at[AXIS_MAX];
		bool inside = true;
		memcpy(at, i, sizeof at);
		for (int a = 0; a < AXIS_MAX; a++) {
			int o = over_index(t->over, a);
			if (!(t->over >> a & 1))
				continue;
			at[a] = i[a] * t->stride[o] - t->before[o] + j[a];
			inside &= at[a] >= 0 && at[a] < k->c->in[0].n[a];
		}
		for (int64_t c = 0; inside && c < n; c++)
			sum += get_c(&k->arg[1], at, c)
				* k->w[(i[AXIS_C] * n + c) * taps + tap];
		tap++;
	} while (index_next(box, j));
	return epilogue(k, i, sum, 0);
}

static double
ref_attend(const Call *k, const int64_t *i)
{
	const Attr *t = k->a;
	int64_t d = k->c->in[0].n[AXIS_C] / t->heads;
	int64_t dv = k->c->in[2].n[AXIS_C] / t->heads;
	int64_t head = i[AXIS_C] / dv, box[AXIS_MAX];
	double sum = 0, weight = 0, most = -INFINITY;
	for (int a = 0; a < AXIS_MAX; a++)
		box[a] = t->over >> a & 1 ? k->c->in[1].n[a] : 1;
	for (int pass = 0; pass < 2; pass++) {
		int64_t j[AXIS_MAX] = {0};
		do {
			int64_t at[AXIS_MAX];
			bool seen = true;
			double s = 0;
			for (int a = 0; a < AXIS_MAX; a++) {
				bool over = t->over >> a & 1;
				at[a] = over ? j[a] : i[a];
				seen &= !t->causal || !over || j[a] <= i[a];
			}
			if (!seen)
				continue;
			for (int64_t c = head * d; c < (head + 1) * d; c++)
				s += get_c(&k->arg[1], i, c)
					* get_c(&k->arg[2], at, c);
			s *= t->scale;
			most = pass ? most : fmax(most, s);
			if (pass) {
				weight += exp(s - most);
				sum += exp(s - most) * get(&k->arg[3], at);
			}
		} while (index_next(box, j));
	}
	return sum / weight;
}

typedef double (*Reference)(const Call *k, const int64_t *i);

static const Reference references[OP_COUNT] = {
#define NO_KERNEL(name_, attr_, flags_, operands_, doc_)
#define OP(name_, attr_, flags_, operands_, doc_) [OP_##name_] = ref_##name_,
#include "ir/ops.def"
};

/* ---- random calls ---- */

/* Half a unit in the last place of the type, relative. */
static double
rounding(DType t)
{
	return t == DT_F16 ? 0x1p-11 : t == DT_BF16 ? 0x1p-8 : 0;
}

/* A handful of elements of a big result, all of a small one. */
static bool
looked_at(const Case *c)
{
	int64_t n = box_count(c->out.n);
	return n < 400 || rng_int(0, n / 200) == 0;
}

/* `rare`: only if a kernel runs that none has made run before. */
static void
try_case(Op op, uint64_t seed, bool rare)
{
	Case c = case_new(op, seed);
	Operand args[OPERANDS_MAX + 2];
	Store in[OPERANDS_MAX], y = {0};
	int64_t i[AXIS_MAX] = {0};
	double *w = malloc((size_t)c.in[1].n[AXIS_C] * sizeof *w);
	case_operands(&c, args, in, true, w);
	store_view(&y, 0, c.out.dtype, c.out.axes, c.out.n, rng_chance(50));
	args[0] = y.o;
	bool skip = rare && !case_fresh(op, args, &c.attr);
	KStatus s = skip ? K_OK : case_call(&c, args, 1 + (int)(seed % 3));
	CHECK(s == K_OK, "seed %llu", (unsigned long long)seed);
	Call call = {&c, &c.attr, args, w};
	do {
		if (skip || !looked_at(&c))
			continue;
		double want = references[op](&call, i);
		double got = number_get(c.out.dtype, view_at(&y.o.part[0], i));
		double far = fabs(got - want), size = fabs(want);
		/* sums of products round at the size of their terms */
		double limit = rounding(c.out.dtype) * size
			+ 4e-6 * fmax(size, c.in[1].matrix ? 2 : 0.25);
		/* a device multiplies values of at most 1 by weights that it has
		 * rounded to the type */
		if (case_on_device && op == OP_attend)
			limit += rounding(c.type);
		if (!(far <= limit) && test_bad < 3) {
			case_print(&c, seed);
			CHECK(false, "seed %llu: %.9g, should be %.9g",
				(unsigned long long)seed, got, want);
		}
	} while (index_next(c.out.n, i));
	free(w);
	store_free(&y);
	for (int o = 0; o < OPERANDS_MAX; o++)
		store_free(&in[o]);
}

/* ---- corners ---- */

/* A call on dense f32 vectors: result, operands. */
static KStatus
call_dense(Op op, const Attr *attr, const Value *out, float *y, int nin,
	const Value *in, float *const *x)
{
	Case c = {.op = op, .attr = *attr};
	Operand args[OPERANDS_MAX + 2] = {0};
	for (int o = -1; o < nin; o++) {
		Store s = {0};
		const Value *v = o < 0 ? out : &in[o];
		if (o >= 0 && !x[o])
			continue;
		store_view(&s, 0, v->dtype, v->axes, v->n, false);
		s.o.part[0].data = (char *)(o < 0 ? y : x[o]);
		args[1 + o] = s.o;
		free(s.buf[0]);
	}
	return case_call(&c, args, 2);
}

/* A whole group norm of [f=2, h=3, w=5, c=8] whose mean is 30000 times its
 * deviation. */
static void
test_far_mean(void)
{
	enum { F = 2, H = 3, W = 5, C = 8, G = 2, N = F * H * W * C };
	static float x[N], y[N], stats[F * H * 2 * G], both[2 * G];
	float gamma[C], beta[C];
	int64_t n[AXIS_MAX] = {0};
	double mean[G] = {0}, var[G] = {0}, worst = 0;
	const int per = C / G, count = N / G;
	n[AXIS_F] = F, n[AXIS_H] = H, n[AXIS_W] = W, n[AXIS_C] = C;
	AxisSet fh = AXIS_BIT(AXIS_F) | AXIS_BIT(AXIS_H);
	Value full = value_of(DT_F32, fh | AXIS_BIT(AXIS_W) | bit_c, n);
	n[AXIS_C] = 2 * G;
	Value units = value_of(DT_F32, fh | bit_c, n);
	Value one = value_vector(DT_F32, 2 * G), c = value_vector(DT_F32, C);
	rng_state = 1;          /* whatever ran before */
	for (int i = 0; i < N; i++)
		x[i] = (float)(3000 + rng_real(-0.2, 0.2));
	for (int i = 0; i < C; i++)
		gamma[i] = 1, beta[i] = 0;
	Attr a = {.over = (AxisSet)(fh | AXIS_BIT(AXIS_W)), .groups = G,
		.rows = W * per, .eps = 1e-6};
	test("group norm: mean far above deviation");
	CHECK(call_dense(OP_norm_stats, &a, &units, stats, 1, &full,
		(float *[]){x}) == K_OK);
	CHECK(call_dense(OP_norm_combine, &a, &one, both, 1, &units,
		(float *[]){stats}) == K_OK);
	CHECK(call_dense(OP_norm_apply, &a, &full, y, 4,
		(Value[]){full, one, c, c},
		(float *[]){x, both, gamma, beta}) == K_OK);
	for (int i = 0; i < N; i++)
		mean[i % C / per] += (double)x[i] / count;
	for (int i = 0; i < N; i++) {
		double d = (double)x[i] - mean[i % C / per];
		var[i % C / per] += d * d / count;
	}
	for (int i = 0; i < N; i++) {
		double want = ((double)x[i] - mean[i % C / per])
			/ sqrt(var[i % C / per] + 1e-6);
		worst = fmax(worst, fabs((double)y[i] - want));
	}
	/* the mean is stored in f32: half a unit at 3000 is 1.2e-4, a
	 * thousandth of the deviation */
	CHECK(worst < 2e-3, "%g", worst);
	for (int g = 0; g < G; g++)
		CHECK(fabs((double)both[G + g] * sqrt(var[g] + 1e-6) - 1) < 1e-4,
			"%g", (double)both[G + g]);
}

/* The largest error of an activation over a range, in units of `unit` times
 * max(|y|, floor). */
static double
act_error(Op op, int act, double lo, double hi, double floor_)
{
	enum { N = 200001 };
	static float x[N], y[N];
	double worst = 0;
	Value v = value_vector(DT_F32, N);
	Attr a = {0};
	for (int i = 0; i < N; i++)
		x[i] = (float)(lo + (hi - lo) * i / (N - 1));
	call_dense(op, &a, &v, y, 1, &v, (float *[]){x});
	for (int i = 0; i < N; i++) {
		double want = activate(act, (double)x[i]);
		worst = fmax(worst, fabs((double)y[i] - want)
			/ fmax(fabs(want), floor_));
	}
	return worst;
}

static void
test_activations(void)
{
	static const struct { Op op; int act; } f[] = {
		{OP_silu, ACT_SILU}, {OP_gelu, ACT_GELU},
		{OP_gelu_tanh, ACT_GELU_TANH}, {OP_sigmoid, ACT_SIGMOID},
	};
	double worst = 0;
	test("activations: near f32's rounding");
	for (size_t i = 0; i < COUNT_OF(f); i++) {
		double near = act_error(f[i].op, f[i].act, -4, 8, 1e-30);
		double tail = act_error(f[i].op, f[i].act, -13, 13, 1e-30);
		double small = act_error(f[i].op, f[i].act, -1e-3, 1e-3, 1e-30);
		double all = act_error(f[i].op, f[i].act, -1e4, 1e4, 1e-6);
		worst = fmax(worst, near);
		CHECK(near < 2e-6 && small < 5e-7 && all < 5e-6,
			"%s: %g %g %g", op_info[f[i].op].name, near, small, all);
		CHECK(tail < 5e-5, "%s: %g", op_info[f[i].op].name, tail);
	}
	printf("# %.1e largest relative error of activations\n", worst);
	test("activations: ends and NaN");
	float x[] = {NAN, INFINITY, 3e38f, -3e38f, 0, 89, -89, -104, -110, 1};
	float y[COUNT_OF(x)];
	Value v = value_vector(DT_F32, COUNT_OF(x));
	Attr a = {.lo = -1, .hi = 1};
	for (size_t i = 0; i < COUNT_OF(f); i++) {
		call_dense(f[i].op, &a, &v, y, 1, &v, (float *[]){x});
		bool sigmoid = f[i].op == OP_sigmoid;
		CHECK(isnan(y[0]), "%s", op_info[f[i].op].name);
		CHECK(y[2] == (sigmoid ? 1 : 3e38f), "%g", (double)y[2]);
		CHECK(fabsf(y[3]) < 1e-6f, "%g", (double)y[3]);
		CHECK(y[4] == (sigmoid ? 0.5f : 0.f));
		CHECK(y[5] == (sigmoid ? 1.f : 89.f));
		for (int k = 6; k < 9; k++)
			CHECK(fabsf(y[k]) < 1e-35f, "%g", (double)y[k]);
	}
	call_dense(OP_clamp, &a, &v, y, 1, &v, (float *[]){x});
	CHECK(isnan(y[0]) && y[1] == 1 && y[3] == -1 && y[4] == 0);
}

static void
test_embed(void)
{
	static const struct { float id; bool good; } f[] = {
		{0, true}, {2, true}, {3, false}, {-1, false}, {1.5f, false},
		{1e30f, false}, {-1e30f, false}, {NAN, false}, {INFINITY, false},
	};
	static const struct { int32_t id; bool good; } k[] = {
		{0, true}, {2, true}, {3, false}, {-1, false},
		{INT32_MAX, false}, {INT32_MIN, false},
	};
	float table[6] = {0, 1, 2, 3, 4, 5};
	int64_t n[AXIS_MAX] = {0};
	n[AXIS_TOKEN] = 2, n[AXIS_C] = 2;
	AxisSet token = AXIS_BIT(AXIS_TOKEN);
	Value out = value_of(DT_F32, token | bit_c, n);
	Value in[2] = {value_of(DT_F32, token, n), value_vector(DT_F32, 6)};
	Attr a = {.rows = 3};
	test("embed: ids outside the table give NaN");
	for (size_t i = 0; i < COUNT_OF(f); i++) {
		float ids[2] = {1, f[i].id}, y[4] = {9, 9, 9, 9};
		call_dense(OP_embed, &a, &out, y, 2, in,
			(float *[]){ids, table});
		CHECK(y[0] == 2 && y[1] == 3);
		CHECK(f[i].good ? y[3] == 2 * f[i].id + 1
			: isnan(y[2]) && isnan(y[3]), "%g", (double)f[i].id);
	}
	in[0].dtype = DT_I32;
	for (size_t i = 0; i < COUNT_OF(k); i++) {
		int32_t ids[2] = {k[i].id, 1};
		float y[4] = {9, 9, 9, 9}, bits[2];
		memcpy(bits, ids, sizeof bits);
		call_dense(OP_embed, &a, &out, y, 2, in,
			(float *[]){bits, table});
		CHECK(y[2] == 2 && y[3] == 3);
		CHECK(k[i].good ? y[0] == 2 * (float)k[i].id
			: isnan(y[0]) && isnan(y[1]), "%d", k[i].id);
	}
}

/* Values that can be known without a formula. */
static void
test_literals(void)
{
	float y[7], x[2] = {999, 0};
	int64_t n[AXIS_MAX] = {0};
	n[AXIS_F] = 2, n[AXIS_C] = 5;
	Value out = value_vector(DT_F32, 5), none = value_of(DT_F32, 0, n);
	Attr a = {0};
	test("sinusoid: halves, order, odd n");
	call_dense(OP_sinusoid, &a, &out, y, 1, &none, (float *[]){x});
	CHECK(fabs((double)y[0] - cos(999)) < 1e-7);
	CHECK(fabs((double)y[1] - cos(999 * 0.01)) < 1e-6);
	CHECK(fabs((double)y[2] - sin(999)) < 1e-7);
	CHECK(y[4] == 0);
	a.sin_first = a.interleave = 1;
	call_dense(OP_sinusoid, &a, &out, y, 1, &none, (float *[]){x});
	CHECK(fabs((double)y[0] - sin(999)) < 1e-7);
	CHECK(fabs((double)y[1] - cos(999)) < 1e-7);
	CHECK(fabs((double)y[2] - sin(999 * 0.01)) < 1e-6);
	test("resize: 4 to 7 and to 8 drop nothing but the last");
	float rows[4] = {0, 1, 2, 3};
	n[AXIS_H] = 4;
	Value small = value_of(DT_F32, AXIS_BIT(AXIS_H), n);
	n[AXIS_H] = 7;
	Value big = value_of(DT_F32, AXIS_BIT(AXIS_H), n);
	Attr r = {.over = AXIS_BIT(AXIS_H)};
	call_dense(OP_resize, &r, &big, y, 1, &small, (float *[]){rows});
	for (int i = 0; i < 7; i++)
		CHECK(y[i] == (float)(i / 2), "%g", (double)y[i]);
	test("sample: clip, and none");
	float e[1] = {1}, s[SAMPLE_COLS] = {2, 3, 4, 10, 100, 1000, 5, 6, 7};
	Value v = value_vector(DT_F32, 1), gone = {0};
	Value t = value_vector(DT_F32, SAMPLE_COLS);
	x[0] = 1;
	call_dense(OP_sample, &a, &v, y, 3, (Value[]){v, v, t},
		(float *[]){x, e, s});
	CHECK(y[0] == 4 * 10 + 100 + 1000, "%g", (double)y[0]);
	s[2] = INFINITY;
	call_dense(OP_sample, &a, &v, y, 3, (Value[]){v, v, t},
		(float *[]){x, e, s});
	CHECK(y[0] == 5 * 10 + 100 + 1000, "%g", (double)y[0]);
	test("sample: what is left out has no term");
	float a3[1] = {2}, c3[1] = {3};
	s[0] = s[1] = x[0] = e[0] = 0;
	s[3] = s[4] = s[5] = -1;
	call_dense(OP_sample, &a, &v, y, 3, (Value[]){v, v, t},
		(float *[]){x, e, s});
	CHECK(y[0] == 0 && signbit(y[0]), "%g", (double)y[0]);
	call_dense(OP_sample, &a, &v, y, 6, (Value[]){v, v, t, v, gone, v},
		(float *[]){x, e, s, a3, NULL, c3});
	CHECK(y[0] == 5 * 2 + 7 * 3, "%g", (double)y[0]);
	test("copy: integers stay as they are");
	int32_t ids[2] = {INT32_MAX, -7}, to[2];
	float from_bits[2], to_bits[2];
	Value i32 = value_vector(DT_I32, 2);
	memcpy(from_bits, ids, sizeof ids);
	call_dense(OP_copy, &a, &i32, to_bits, 1, &i32, (float *[]){from_bits});
	memcpy(to, to_bits, sizeof to);
	CHECK(to[0] == INT32_MAX && to[1] == -7);
}

static uint64_t
cases_of(Op op)
{
	if (!case_on_device || getenv("FULL"))
		return case_on_device ? 5 * CASES : CASES;
	return op == OP_linear || op == OP_conv ? DEVICE_MATRIX : DEVICE_CASES;
}

int
main(int argc, char **argv)
{
	cpu_init();
	for (int op = 1; op < OP_COUNT; op++) {
		char name[64];
		if (!references[op] || (argc > 1
				&& strcmp(argv[1], op_info[op].name)))
			continue;
		snprintf(name, sizeof name, "values %s", op_info[op].name);
		test(name);
		for (uint64_t seed = 0; seed < cases_of((Op)op); seed++)
			try_case((Op)op, seed, false);
		case_plain(true);
		for (uint64_t seed = 0; case_on_device && seed < DEVICE_PLAIN;
			seed++)
			try_case((Op)op, seed, false);
		case_plain(false);
		for (uint64_t seed = DEVICE_CASES; case_on_device
			&& op == OP_attend && seed < DEVICE_SEEDS; seed++)
			try_case((Op)op, seed, true);
	}
	test_far_mean();
	test_activations();
	if (!case_on_device)    /* there ids are checked before */
		test_embed();
	test_literals();
	if (case_on_device && argc == 1) {
		test("every kernel ran");
		CHECK(case_all_ran());
	}
	return test_end();
}
