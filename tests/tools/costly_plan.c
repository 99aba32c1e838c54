/* costly_plan.c - writes small plans whose proof would cost years, or the whole
 * memory, if nobody counted (vm/gates/budget.h); for tests/vm/gates.sh.
 *
 *   costly_plan              the names of the plans
 *   costly_plan NAME OUT.slb
 */
#include "tests/lib/plan_build.h"

#define SECTION(type, name) Vec(type) name;
static struct {
	PLAN_SECTIONS(SECTION)
} s;
static PlanHeader head;

/* Appends a record to a section; ADD yields its index. */
#define PUSH(section, ...) (*vec_push(&s.section) = __VA_ARGS__)
#define ADD(section, ...) (PUSH(section, __VA_ARGS__), \
	(uint32_t)s.section.n - 1)

enum { ROWS = AXIS_H, COLS = AXIS_W, CHANNELS = AXIS_C };

/* ---- records ---- */

static uint32_t
name(const char *text)
{
	uint32_t at = (uint32_t)s.strings.n;
	for (const char *c = text; *c; c++)
		*vec_push(&s.strings) = *c;
	*vec_push(&s.strings) = 0;
	return at;
}

static uint32_t
buffer_of(BufferRole role, int64_t offset, int64_t bytes)
{
	return ADD(buffers, (PlanBuffer){.offset = offset, .bytes = bytes,
		.role = (uint8_t)role});
}

static uint32_t
buffer(int64_t offset, int64_t bytes)
{
	return buffer_of(BUF_VALUE, offset, bytes);
}

/* The first free place of the arena. */
static int64_t
behind_all(void)
{
	int64_t end = 0;
	for (size_t i = 0; i < s.buffers.n; i++)
		end = max64(end, s.buffers.at[i].offset + s.buffers.at[i].bytes);
	return round_up(end, PLAN_ALIGN);
}

/* A whole axis. */
static uint32_t
dim(int axis, int64_t extent, int64_t stride)
{
	return ADD(dims, (PlanDim){.axis = (uint8_t)axis, .extent = extent,
		.stride = stride, .hi = {.base = extent}});
}

/* One index, that of register `reg`. */
static uint32_t
dim_at(int axis, int64_t extent, int64_t stride, int reg)
{
	uint32_t d = dim(axis, extent, stride);
	s.dims.at[d].lo.step[reg] = s.dims.at[d].hi.step[reg] = 1;
	s.dims.at[d].hi.base = 1;
	return d;
}

static uint32_t
view(uint32_t to, uint32_t first_dim, uint32_t ndim, int64_t base)
{
	return ADD(views, (PlanView){.buffer = to, .first_dim = first_dim,
		.ndim = ndim, .base = base});
}

/* n elements along c. */
static uint32_t
row(uint32_t to, int64_t n, int64_t base)
{
	return view(to, dim(CHANNELS, n, 1), 1, base);
}

static void
insn(Op op, int n, const uint32_t *views)
{
	uint32_t first = (uint32_t)s.operands.n;
	for (int i = 0; i < n; i++)
		PUSH(operands, (PlanOperand){{views[i], PLAN_NONE}});
	PUSH(code, (PlanInsn){.op = (uint16_t)op, .noperands = (uint16_t)n,
		.first_operand = first});
}
#define INSN(op, ...) insn(op, \
	(int)(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)), \
	(uint32_t[]){__VA_ARGS__})

static void
control(Control op, uint32_t a, uint32_t b)
{
	PUSH(code, (PlanInsn){.op = (uint16_t)op, .a = a, .b = b});
}

static void
loop(uint32_t reg, uint32_t count)
{
	control(CTL_loop, reg, count);
}

static void
next(uint32_t reg)
{
	control(CTL_next, reg, 0);
}

static uint32_t
weight(int64_t offset)
{
	uint32_t b = buffer_of(BUF_WEIGHT, offset, 16);
	head.weights_bytes += 16;
	return ADD(weights, (PlanWeight){.buffer = b, .rank = 1, .dim = {4}});
}

/* ---- a plan ---- */

static uint32_t out;            /* eight numbers: the output's buffer */

static void
begin(void)
{
	memcpy(head.magic, "SLUICE\0", 8);
	head.version = PLAN_VERSION;
	head.ops_hash = ops_hash();
	head.threads = 1;
	head.abi = target_cpu.abi;
	*vec_push(&s.strings) = 0;
	head.name = name("costly");
	head.target = name("cpu");
	PUSH(debugs, (PlanDebug){.group = PLAN_NONE});
	PUSH(attrs, (Attr){0});
	out = buffer_of(BUF_OUTPUT, 0, 32);
}

/* Writes the output, ends the program, adds up. */
static Plan
end(void)
{
	static Build built;
	PlanPort y = {.name = name("y"), .buffer = out,
		.axes = AXIS_BIT(CHANNELS)};
	y.n[CHANNELS] = 8;
	INSN(OP_fill, row(out, 8, 0));
	control(CTL_halt, 0, 0);
	PUSH(outputs, y);
	uint32_t last = (uint32_t)s.code.n - 1;
	for (size_t i = 0; i < s.buffers.n; i++) {
		PlanBuffer *b = &s.buffers.at[i];
		b->last = last;
		head.arena_bytes = max64(head.arena_bytes, b->offset + b->bytes);
	}
	PUSH(phases, (PlanPhase){.last = last});
	built.p.head = head;
#define TAKE(type, section) built.p.section = s.section.at; \
	built.p.n_##section = (uint32_t)s.section.n;
	PLAN_SECTIONS(TAKE)
	build_marks(&built);
	return built.p;
}

/* ---- boxes ---- */

enum { MANY = 16383 };

/* A buffer and a view of it that no frame fits: `n` boxes. */
static uint32_t
irregular(int64_t offset, int64_t n)
{
	uint32_t b = buffer(offset, (n - 1) * 20 + 4);
	view(b, dim(ROWS, n, 3), 1, 0); /* makes 12 bytes a digit */
	return view(b, dim(ROWS, n, 5), 1, 0);
}

static void
boxes(void)
{
	INSN(OP_fill, irregular(256, MANY));
}

static void
boxes_loop(void)
{
	uint32_t v = irregular(256, MANY);
	loop(1, 1 << 24);
	INSN(OP_fill, v);
	next(1);
}

static void
boxes_buffers(void)
{
	for (int i = 0; i < 20000; i++)
		INSN(OP_fill, irregular(256, 1500));
}

/* Few steps, many bytes: each buffer owns a few hundred boxes. */
static void
boxes_bytes(void)
{
	for (int i = 0; i < 20000; i++)
		INSN(OP_fill, irregular(behind_all(), 100));
}

/* Each write goes between the elements of another buffer, whose one box falls
 * to pieces when it is read. */
static void
boxes_split(void)
{
	uint32_t a = buffer(256, 4 * MANY * 5);
	uint32_t av = row(a, 5 * MANY, 0), one = row(a, 1, 1);
	uint32_t bv = irregular(256, MANY);
	uint32_t to = row(buffer(behind_all(), 4), 1, 0);
	loop(1, 1 << 20);
	INSN(OP_fill, av);
	INSN(OP_fill, bv);
	INSN(OP_copy, to, one);
	next(1);
}

/* A set whose hull lies over a buffer that it does not touch: rows of two
 * elements, 2 MiB apart, and so many of them, each moved by one element. */
static void
boxes_astride(void)
{
	int64_t far = 1 << 21, n = 1 << 19;
	uint32_t wide = buffer(256, 4 * (far + n));
	uint32_t rows = dim(ROWS, n, 1);
	dim(COLS, 2, far);
	uint32_t wv = view(wide, rows, 2, 0);
	uint32_t between = buffer(256 + 4 * n, 4 * (far - n) - 256);
	uint32_t bv = row(between, 8, 0);
	INSN(OP_fill, bv);
	loop(1, 1 << 20);
	INSN(OP_fill, wv);
	INSN(OP_fill, bv);
	next(1);
}

/* ---- a result and its operand, interleaved ---- */

static void
interleaved(uint32_t times, int64_t n)
{
	uint32_t b = buffer(256, 8 * n), d = dim(ROWS, n, 2);
	uint32_t x = view(b, d, 1, 0), y = view(b, d, 1, 1);
	INSN(OP_fill, x);
	loop(1, times);
	INSN(OP_silu, y, x);
	next(1);
}

static void
meet(void)
{
	interleaved(1, 1000000);
}

static void
meet_far(void)
{
	interleaved(1, (int64_t)1 << 30);
}

static void
meet_loop(void)
{
	interleaved(1 << 24, 1000000);
}

/* ---- many instructions ---- */

static void
long_loop(void)
{
	loop(1, 1 << 24);
	INSN(OP_fill, row(out, 8, 0));
	next(1);
}

static void
long_empty(void)
{
	uint32_t none = row(out, 8, 0);
	s.dims.at[s.views.at[none].first_dim].hi.base = 0;
	loop(1, 1 << 24);
	INSN(OP_fill, none);
	next(1);
}

static void
nested(void)
{
	uint32_t b = buffer(256, 4 << 24), first = dim_at(ROWS, 64, 1, 0);
	dim_at(COLS, 64, 64, 1);
	dim_at(COLS + 1, 64, 4096, 2);
	dim_at(COLS + 2, 64, 1 << 18, 3);
	for (uint32_t i = 0; i < PLAN_REGS; i++)
		loop(i, 64);
	INSN(OP_fill, view(b, first, 4, 0));
	for (uint32_t i = PLAN_REGS; i--;)
		next(i);
}

static void
too_many(void)
{
	for (uint32_t i = 0; i < PLAN_REGS; i++)
		loop(i, 1 << 24);
	INSN(OP_fill, row(out, 8, 0));
	for (uint32_t i = PLAN_REGS; i--;)
		next(i);
}

static void
many(void)
{
	uint32_t v = row(out, 8, 0);
	for (int i = 0; i < 70000; i++)
		INSN(OP_fill, v);
}

/* A million steps, each with a view that depends on it. */
static void
steps(void)
{
	head.steps = 1 << 20;
	uint32_t b = buffer(256, 4 << 20), c = buffer(256 + (4 << 20), 4);
	uint32_t row0 = view(b, dim_at(ROWS, 1 << 20, 1, 0), 1, 0);
	loop(0, head.steps);
	INSN(OP_fill, row(c, 1, 0));
	INSN(OP_silu, row0, row(c, 1, 0));
	next(0);
}

/* All operands have all axes in two parts: costly for gate 2. */
static void
axes(void)
{
	uint32_t b = buffer(256, 4), first = (uint32_t)s.dims.n;
	for (int a = 0; a < AXIS_MAX; a++)
		dim(a, 1, 1);
	uint32_t v = view(b, first, AXIS_MAX, 0);
	INSN(OP_fill, v);
	INSN(OP_add, v, v, v);
	PlanInsn add = s.code.at[1];
	for (int i = 0; i < 70000; i++)
		*vec_push(&s.code) = add;
	loop(1, 500);
	for (int i = 0; i < 1000; i++)
		*vec_push(&s.code) = add;
	next(1);
}

/* ---- windows: gate 2 goes through iterations ---- */

static void
windows(void)
{
	int64_t n = 1 << 22;
	Attr a = {.over = AXIS_BIT(ROWS)};
	s.attrs.at[0] = a;
	uint32_t x = buffer(256, 4 * n), y = buffer(256 + 4 * n, 4 * n);
	uint32_t xv = view(x, dim(ROWS, n, 1), 1, 0);
	uint32_t yv = view(y, dim_at(ROWS, n, 1, 1), 1, 0);
	INSN(OP_fill, xv);
	loop(1, (uint32_t)n);
	for (int i = 0; i < 8; i++)
		INSN(OP_resize, yv, xv);
	next(1);
}

/* ---- many records ---- */

/* Each view of one buffer has a stride of its own. */
static void
strides(void)
{
	uint32_t b = buffer(256, 1 << 20);
	for (int i = 0; i < 12000; i++)
		view(b, dim(ROWS, 2, 2 + i), 1, 0);
	INSN(OP_fill, row(b, 1 << 18, 0));
}

/* 30,000 buffers on the same bytes, written in turn, twice. */
static void
stacked(void)
{
	uint32_t d = dim(CHANNELS, 8, 1);
	for (uint32_t i = 0; i < 30000; i++)
		INSN(OP_fill, view(buffer(256, 32), d, 1, 0));
	for (uint32_t i = 0; i < 30000; i++)
		INSN(OP_fill, i);
}

/* The same, each read after all were written: nobody's bytes any more. */
static void
stacked_read(void)
{
	uint32_t d = dim(CHANNELS, 8, 1);
	for (uint32_t i = 0; i < 30000; i++)
		INSN(OP_fill, view(buffer(256, 32), d, 1, 0));
	for (uint32_t i = 0; i < 30000; i++)
		INSN(OP_silu, row(out, 8, 0), i);
}

/* Many buffers that lie on one, whose log grows: each read of another buffer
 * looks through it. */
static void
log_scan(void)
{
	enum { N = 2000 };
	uint32_t d = dim(CHANNELS, 8, 1), all = buffer(256, 256 * N), v[N];
	uint32_t av = row(all, 8, 0);
	for (int i = 0; i < N; i++)
		v[i] = view(buffer(256 + 256 * i, 32), d, 1, 0);
	loop(1, 30000);
	INSN(OP_fill, av);
	for (int i = 0; i < N; i++)
		INSN(OP_fill, v[i]);
	next(1);
}

/* ---- weights that are never waited for ---- */

static void
loads(void)
{
	for (int i = 0; i < 10000; i++)
		control(CTL_load, weight(256 * (i + 1)), 0);
	loop(1, 1 << 22);
	INSN(OP_fill, row(out, 8, 0));
	next(1);
}

/* ---- steps that differ ----
 * In each step N fills `kept` with a view that names r0 but does not depend on it,
 * W fills row r0 of `rows`, whose row 3 is `kept`, and R reads `kept`. */
static void
sparse(uint32_t fills)
{
	enum { C = 64, N = 8 };
	head.steps = N;
	uint32_t rows = buffer(256, 4 * N * C);
	uint32_t kept = buffer(256 + 3 * 4 * C, 4 * C);
	uint32_t to = buffer(256 + 4 * N * C, 4 * C);
	uint32_t junk = row(buffer(256 + 4 * (N + 1) * C, 32), 8, 0);
	uint32_t named = row(kept, C, 0);
	s.dims.at[s.dims.n - 1].hi.step[0] = 1;
	uint32_t first = dim_at(ROWS, N, C, 0);
	dim(CHANNELS, C, 1);
	loop(0, N);
	loop(1, fills);
	INSN(OP_fill, junk);
	next(1);
	INSN(OP_fill, named);
	INSN(OP_fill, view(rows, first, 2, 0));
	INSN(OP_copy, row(to, C, 0), row(kept, C, 0));
	next(0);
}

static void
sparse_few(void)
{
	sparse(10);
}

static void
sparse_many(void)
{
	sparse(5000);
}

/* A value that nobody wrote is read under a result that only steps 3 to 6 have. */
static void
sparse_empty(void)
{
	enum { N = 8 };
	head.steps = N;
	uint32_t x = row(buffer(256, 32), 8, 0);
	uint32_t y = buffer(512, 4 * N * N * 8), first = dim(ROWS, N, 8 * N);
	s.dims.at[first].hi = (Affine){.base = -2, .step = {1}};
	s.dims.at[dim(COLS, 5, 8)].lo = (Affine){.base = -2, .step = {1}};
	dim(CHANNELS, 8, 1);
	loop(0, N);
	INSN(OP_silu, view(y, first, 3, 0), x);
	next(0);
}

/* A workspace takes a value that was written before the loop, first in step 1:
 * the result is empty in step 0. */
static void
sparse_work(void)
{
	enum { N = 8 };
	head.steps = N;
	uint32_t w = buffer_of(BUF_WEIGHT, 256, 64 * 4);
	MatrixLayout m = {.rows = {8}, .cols = {8}, .taps = 1};
	head.weights_bytes += 64 * 4;
	PUSH(weights, (PlanWeight){.buffer = w, .rank = 2, .layout = LAYOUT_MATRIX,
		.dim = {8, 8}, .rows = {m.rows[0]}, .cols = {m.cols[0]},
		.taps = m.taps});
	uint32_t x = row(buffer(1024, 32), 8, 0), y = buffer(1280, 32 * N);
	uint32_t kept = row(buffer(8192, 32), 8, 0);
	uint32_t work = row(buffer_of(BUF_WORK, 8192, 1 << 20), 1 << 18, 0);
	uint32_t matrix = row(w, 64, 0), first = dim(ROWS, N, 8);
	s.dims.at[first].hi = (Affine){.step = {1}};
	dim(CHANNELS, 8, 1);
	uint32_t moving = view(y, first, 2, 0);
	uint32_t xs = view(s.views.at[x].buffer, dim(CHANNELS, 8, 1), 1, 0);
	control(CTL_load, 0, 0);
	control(CTL_wait, 0, 0);
	INSN(OP_fill, x);
	INSN(OP_fill, kept);
	loop(0, N);
	INSN(OP_silu, row(out, 8, 0), kept);
	INSN(OP_linear, moving, xs, matrix, PLAN_NONE, PLAN_NONE, PLAN_NONE,
		work);
	next(0);
}

/* ---- numbers ---- */

static void
huge(void)
{
	uint32_t b = buffer(256, ((int64_t)1 << 46) - 256);
	INSN(OP_fill, row(b, 8, (((int64_t)1 << 46) - 256) / 4 - 8));
}

static void
far_stride(void)
{
	uint32_t first = dim(ROWS, ((int64_t)1 << 31) - 1, (int64_t)1 << 46);
	dim(COLS, ((int64_t)1 << 31) - 1, (int64_t)1 << 46);
	INSN(OP_fill, view(buffer(256, 64), first, 2, -((int64_t)1 << 46)));
}

static void
far_register(void)
{
	uint32_t v = row(buffer(256, 64), 8, 0);
	PlanDim *d = &s.dims.at[s.dims.n - 1];
	d->origin.step[1] = -((int64_t)1 << 31);
	loop(1, 1 << 20);
	INSN(OP_fill, v);
	next(1);
}

/* ---- all ---- */

static const struct {
	const char *name;
	void (*body)(void);
} plans[] = {
	{"boxes", boxes}, {"boxes_loop", boxes_loop},
	{"boxes_buffers", boxes_buffers}, {"boxes_bytes", boxes_bytes},
	{"boxes_split", boxes_split}, {"boxes_astride", boxes_astride},
	{"meet", meet}, {"meet_far", meet_far}, {"meet_loop", meet_loop},
	{"long_loop", long_loop}, {"long_empty", long_empty},
	{"nested", nested}, {"too_many", too_many}, {"many", many},
	{"steps", steps}, {"axes", axes}, {"windows", windows},
	{"strides", strides}, {"stacked", stacked},
	{"stacked_read", stacked_read}, {"log_scan", log_scan},
	{"loads", loads}, {"sparse_few", sparse_few},
	{"sparse_many", sparse_many}, {"sparse_empty", sparse_empty},
	{"sparse_work", sparse_work},
	{"huge", huge}, {"far_stride", far_stride},
	{"far_register", far_register},
};

int
main(int argc, char **argv)
{
	PlanError e;
	for (size_t i = 0; i < COUNT_OF(plans); i++)
		if (argc == 1) {
			puts(plans[i].name);
		} else if (argc == 3 && !strcmp(argv[1], plans[i].name)) {
			begin();
			plans[i].body();
			Plan p = end();
			if (plan_save(&p, argv[2], &e))
				return EXIT_OK;
			fprintf(stderr, "costly_plan: %s\n", e.text);
			return EXIT_IO;
		}
	return argc == 1 ? EXIT_OK : EXIT_USAGE;
}
