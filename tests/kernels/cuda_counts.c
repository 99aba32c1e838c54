/* cuda_counts.c - what the fast CUDA kernels cost, counted exactly in the shim:
 * wavefronts of shared memory, sectors of global memory, and, where the kernels
 * are nvcc's PTX, instructions executed for each matrix instruction.
 */
#include "tests/kernels/cuda/on_shim.h"

#ifdef SHIM
#include "tests/lib/cases.h"

/* One call.  Limits are times the fewest possible; ldmatrix, and so the main
 * loop, must be at it exactly.  `others`: of the PTX of sm_80 and up, measured
 * values that may only fall. */
typedef struct Row {
	const char *name;
	Op op;
	DType type;
	int64_t rows, h, w;     /* pixels: rows alone for linear and attend */
	int64_t cin, cout;      /* attend: channels of a head, keys */
	bool geglu;
	const char *kernel;
	double shared, sectors, others;
} Row;

static const Row table[] = {
	{"conv 3x3", OP_conv, DT_F16, 0, 8, 16, 128, 128, false,
		"matrix_f16_128", 1.2, 1.05, 3.8},
	{"conv 3x3", OP_conv, DT_BF16, 0, 8, 16, 64, 128, false,
		"matrix_bf16_128", 1.2, 1.05, 3.8},
	{"conv 3x3", OP_conv, DT_F16, 0, 16, 16, 64, 320, false,
		"matrix_f16_160", 1.2, 1.05, 5.4},
	{"linear", OP_linear, DT_F16, 256, 0, 0, 320, 64, false,
		"matrix_f16_64", 1.2, 1.05, 14.0},
	{"linear", OP_linear, DT_F16, 128, 0, 0, 320, 320, false,
		"matrix_f16_160", 1.2, 1.05, 8.2},
	{"linear", OP_linear, DT_F16, 128, 0, 0, 640, 640, false,
		"matrix_f16_128", 1.2, 1.05, 6.1},
	{"geglu", OP_linear, DT_F16, 128, 0, 0, 320, 128, true,
		"matrix_f16_128", 1.2, 1.05, 6.1},
	{"attend", OP_attend, DT_F16, 128, 0, 0, 40, 256, false,
		"attend_f16_40", 1.2, 1.25, 4.9},
	{"attend", OP_attend, DT_F16, 128, 0, 0, 64, 512, false,
		"attend_f16_64", 1.2, 1.05, 4.2},
	{"frames", OP_attend, DT_F16, 16, 0, 0, 40, 16, false,
		"few_f16_40", 1.2, 1.25, 15.7},
	{"frames", OP_attend, DT_F16, 16, 0, 0, 64, 16, false,
		"few_f16_64", 1.2, 1.05, 13.2},
	{"attend", OP_attend, DT_BF16, 64, 0, 0, 80, 128, false,
		"attend_bf16_80", 1.2, 1.05, 5.1},
	{"attend", OP_attend, DT_F16, 64, 0, 0, 128, 128, false,
		"attend_f16_128", 1.2, 1.05, 4.3},
	{"attend", OP_attend, DT_F16, 64, 0, 0, 160, 128, false,
		"attend_f16_160", 1.2, 1.05, 3.9},
};

static Value
value_plain(DType t, AxisSet axes, int64_t h, int64_t w, int64_t c)
{
	int64_t n[AXIS_MAX];
	for (int a = 0; a < AXIS_MAX; a++)
		n[a] = 1;
	n[AXIS_H] = h;
	n[AXIS_W] = w;
	n[AXIS_C] = c;
	return value_of(t, axes | bit_c, n);
}

static void
make_matrix(const Row *r, Case *c)
{
	AxisSet hw = AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W);
	bool conv = r->op == OP_conv;
	AxisSet axes = conv ? hw : AXIS_BIT(AXIS_W);
	int64_t h = conv ? r->h : 1, w = conv ? r->w : r->rows;
	int64_t rows = r->cout * (r->geglu ? 2 : 1);
	c->in[0] = value_plain(r->type, axes, h, w, r->cin);
	c->in[1] = value_vector(r->type, rows * r->cin * (conv ? 9 : 1));
	c->in[1].matrix = true;
	c->in[2] = value_vector(r->type, rows);
	c->in[4] = value_plain(r->type, axes, h, w, r->cout);
	c->in[4].on = !r->geglu;
	c->out = value_plain(r->type, axes, h, w, r->cout);
	c->attr.geglu = r->geglu;
	c->attr.over = conv ? hw : 0;
	for (int i = 0; conv && i < 2; i++) {
		c->attr.kernel[i] = 3;
		c->attr.stride[i] = 1;
		c->attr.before[i] = c->attr.after[i] = 1;
	}
}

static void
make_attend(const Row *r, Case *c)
{
	AxisSet w = AXIS_BIT(AXIS_W);
	c->attr.over = w;
	c->attr.heads = 2;
	c->attr.scale = 1 / sqrt((double)r->cin);
	c->in[0] = value_plain(r->type, w, 1, r->rows, 2 * r->cin);
	c->in[1] = value_plain(r->type, w, 1, r->cout, 2 * r->cin);
	c->in[2] = c->in[1];
	c->out = c->in[0];
}

static double
ratio(int64_t n, int64_t of)
{
	return (double)n / (double)(of ? of : 1);
}

static void
check_counts(const Row *r)
{
	const ShimStats *s = &shim_stats;
	int64_t used = s->lds_wavefronts + s->sts_wavefronts
		+ s->ldsm_wavefronts;
	int64_t ideal = s->lds_ideal + s->sts_ideal + s->ldsm_ideal;
	double loads = ratio(s->ld_sectors, s->ld_fewest);
	double stores = ratio(s->st_sectors, s->st_fewest);
	CHECK(s->mma > 0 && s->ldsm_wavefronts == s->ldsm_ideal,
		"ldmatrix: %lld wavefronts, %lld are ideal",
		(long long)s->ldsm_wavefronts, (long long)s->ldsm_ideal);
	CHECK(ratio(used, ideal) <= r->shared, "shared: %.3f",
		ratio(used, ideal));
	CHECK(loads <= r->sectors && stores <= r->sectors,
		"sectors: loads %.3f, stores %.3f", loads, stores);
	printf("# %s: shared %.3f, sectors of loads %.3f, of stores %.3f of the "
		"fewest\n", r->kernel, ratio(used, ideal), loads, stores);
}

/* Runs the call; `more`: with twice the channels or keys to sum over. */
static void
run_row(const Row *r, bool more)
{
	Row row = *r;
	Operand args[OPERANDS_MAX + 2];
	Store in[OPERANDS_MAX], y = {0};
	Launch launch[LAUNCHES_MAX];
	*(r->op == OP_attend ? &row.cout : &row.cin) *= more ? 2 : 1;
	Case c = {.op = r->op, .type = r->type};
	rng_state = 1;
	if (r->op == OP_attend)
		make_attend(&row, &c);
	else
		make_matrix(&row, &c);
	case_operands(&c, args, in, false, NULL);
	store_view(&y, 0, c.out.dtype, c.out.axes, c.out.n, false);
	args[0] = y.o;
	int n = cuda_launches(r->op, args, &c.attr, &shim_choice, launch);
	CHECK(n == 1 && !strcmp(launch[0].kernel, r->kernel), "it is %s",
		n > 0 ? launch[0].kernel : "none");
	memset(&shim_stats, 0, sizeof shim_stats);
	memset(shim_executed, 0, sizeof shim_executed);
	CHECK(case_call(&c, args, 1) == K_OK);
	store_free(&y);
	for (int i = 0; i < OPERANDS_MAX; i++)
		store_free(&in[i]);
}

/* What an mma of the main loop takes besides: from two lengths of it. */
static void
check_executed(const Row *r)
{
	int64_t once[4];
	memcpy(once, shim_executed, sizeof once);
	run_row(r, true);
	double mma = (double)(shim_executed[1] - once[1]);
	double others = (double)(shim_executed[0] - once[0]) / mma;
	printf("# %s: %.2f others, %.2f ldmatrix, %.2f cp.async for an mma\n",
		r->kernel, others, (double)(shim_executed[2] - once[2]) / mma,
		(double)(shim_executed[3] - once[3]) / mma);
	CHECK(shim_choice.sm < 80 || others <= r->others,
		"%.2f other instructions for an mma", others);
}

static void
try_row(const Row *r)
{
	char name[128];
	snprintf(name, sizeof name, "counts %s %s", r->name, r->kernel);
	test(name);
	run_row(r, false);
	check_counts(r);
	if (shim_executed[1])
		check_executed(r);
}

int
main(void)
{
	cpu_init();
	shim_options.count = true;
	shim_choose();
	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (shim_choice.sm >= 80 || table[i].type == DT_F16)
			try_row(&table[i]);
	return test_end();
}
#else
SHIM_SKIP("counts of the CUDA kernels")
#endif
