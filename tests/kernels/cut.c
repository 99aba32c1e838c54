/* cut.c - a slice of a result has the bits of the whole.  For every kernel row
 * of ops.def, random calls are cut along every axis that ops_axis() lets cut,
 * the operands being views of their wholes or dense copies of what the slice may
 * read, the result having a place of its own; on one thread and on three.  Also:
 * a result that takes an operand's place, and bytes outside the views.
 */
#include "tests/lib/cases.h"

static int64_t cuts, inplace_runs, problems;
/* Of the current op: how often a result was cut along an axis that cuts the
 * operand, too. */
static int64_t reached[OPERANDS_MAX][AXIS_MAX];
static int64_t pairs;           /* operands and axes of all ops that were */

/* Calls of every op; seeds among which further ones are looked for. */
enum { CASES = 32, DEVICE_CASES = 4, SEEDS = 400, PROBLEMS_MAX = 5 };

/* The elements of a result's box, packed. */
static char *
gather(const View *v)
{
	int64_t i[AXIS_MAX] = {0}, size = dtype_bytes(v->dtype), at = 0;
	char *dense = malloc((size_t)(box_count(v->n) * size));
	do {
		memcpy(dense + at, view_at(v, i), (size_t)size);
		at += size;
	} while (index_next(v->n, i));
	return dense;
}

static void
problem(const Case *c, uint64_t seed, const char *what, int axis,
	int64_t slice, int threads)
{
	if (problems++ < PROBLEMS_MAX) {
		case_print(c, seed);
		CHECK(false, "%s: axis %d, slices of %lld, %d threads", what,
			axis, (long long)slice, threads);
	} else {
		test_bad++;
	}
}

/* Whether the result may be cut along the axis. */
static bool
sliceable(const Case *c, int axis)
{
	if (!(c->out.axes >> axis & 1))
		return false;
	for (int i = 0; i < OPERANDS_MAX; i++)
		if (c->in[i].on && ops_axis(c->op, &c->attr, i, c->in[i].axes,
				axis) == AX_WHOLE)
			return false;
	return true;
}

/* Whether slices of the result along the axis take slices of the operand. */
static bool
cuts_operand(const Case *c, int operand, int axis)
{
	return c->in[operand].on && sliceable(c, axis)
		&& ops_axis(c->op, &c->attr, operand, c->in[operand].axes, axis)
			!= AX_FREE;
}

/* Whether a case cuts an operand along an axis that none has been before. */
static bool
case_is_new(const Case *c)
{
	for (int o = 0; o < OPERANDS_MAX; o++)
		for (int axis = 0; axis < AXIS_MAX; axis++)
			if (!reached[o][axis] && c->out.n[axis] > 1
				&& cuts_operand(c, o, axis))
				return true;
	return false;
}

/* The view that the VM would build for the result's [lo, hi) along `axis`;
 * `before` counts the channels of the parts in front of this one. */
static void
cut_view(const Case *c, int operand, View *v, int axis, int64_t lo, int64_t hi,
	int64_t before)
{
	AxisClass class = ops_axis(c->op, &c->attr, operand, v->axes, axis);
	if (class == AX_FREE)
		return;
	if (class == AX_WINDOW)
		ops_window(c->op, &c->attr, axis, v->full[axis],
			c->out.n[axis], &lo, &hi);
	if (axis == AXIS_C) {
		lo -= before;
		hi -= before;
	}
	int64_t first = clamp64(lo, 0, v->full[axis]);
	int64_t last = clamp64(hi, 0, v->full[axis]);
	v->data += first * v->stride[axis] * dtype_bytes(v->dtype);
	v->n[axis] = max64(last - first, 0);
	v->lo[axis] = first;
	v->cut[axis] = first - lo > 0 ? first - lo : 0;
}

/* Puts a copy of the view's box into memory that holds nothing else. */
static char *
isolate(View *v)
{
	Store s = {0};
	int64_t i[AXIS_MAX] = {0};
	if (box_count(v->n) == 0)
		return NULL;
	store_view(&s, 0, v->dtype, v->axes, v->n, rng_chance(30));
	View *to = &s.o.part[0];
	do
		memcpy(view_at(to, i), view_at(v, i),
			(size_t)dtype_bytes(v->dtype));
	while (index_next(v->n, i));
	v->data = to->data;
	memcpy(v->stride, to->stride, sizeof v->stride);
	return s.buf[0];
}

/* Runs the call for [lo, hi) of `axis` (and of `axis2`) and compares. */
static bool
slice_equal(const Case *c, const Operand *whole, const char *want,
	const int *axis, const int64_t *lo, const int64_t *hi, int threads)
{
	Operand args[OPERANDS_MAX + 2];
	char *copies[OPERANDS_MAX * 2] = {0};
	int64_t n[AXIS_MAX], i[AXIS_MAX] = {0};
	int ncopies = 0;
	memcpy(args, whole, sizeof args);
	memcpy(n, c->out.n, sizeof n);
	for (int k = 0; k < 2 && axis[k] >= 0; k++)
		n[axis[k]] = hi[k] - lo[k];
	for (int o = 0; o < OPERANDS_MAX; o++) {
		int64_t before = 0;
		for (int p = 0; p < args[1 + o].parts; p++) {
			View *v = &args[1 + o].part[p];
			for (int k = 0; k < 2 && axis[k] >= 0; k++)
				cut_view(c, o, v, axis[k], lo[k], hi[k], before);
			before += v->full[AXIS_C];
			if (!c->in[o].vector && rng_chance(50))
				copies[ncopies++] = isolate(v);
		}
	}
	Store y = {0};
	store_view(&y, 0, c->out.dtype, c->out.axes, n, rng_chance(50));
	for (int k = 0; k < 2 && axis[k] >= 0; k++) {
		y.o.part[0].lo[axis[k]] = lo[k];
		y.o.part[0].full[axis[k]] = c->out.n[axis[k]];
	}
	args[0] = y.o;
	bool same = case_call(c, args, threads) == K_OK && store_poisoned(&y);
	char *got = gather(&y.o.part[0]);
	int64_t size = dtype_bytes(c->out.dtype), at = 0;
	do {
		int64_t w = 0;
		for (int a = 0; a < AXIS_MAX; a++) {
			int64_t off = a == axis[0] ? lo[0]
				: a == axis[1] ? lo[1] : 0;
			w = w * c->out.n[a] + i[a] + off;
		}
		same &= !memcmp(got + at, want + w * size, (size_t)size);
		at += size;
	} while (index_next(n, i));
	free(got);
	store_free(&y);
	while (ncopies > 0)
		free(copies[--ncopies]);
	return same;
}

/* All slices of one size; half of the time the slices are cut again along a
 * second axis. */
static void
cut_axis(const Case *c, uint64_t seed, const Operand *whole, const char *want,
	int axis, int64_t slice, int threads)
{
	int64_t n = c->out.n[axis], count = (n + slice - 1) / slice;
	for (int o = 0; o < OPERANDS_MAX; o++)
		reached[o][axis] += count > 1 && cuts_operand(c, o, axis);
	for (int64_t i = 0; i < count; i++) {
		/* of a long axis: both ends and the middle */
		if (count > 16 && i > 2 && i < count - 3 && i != count / 2)
			continue;
		int64_t at = i * slice;
		int which[2] = {axis, -1};
		int64_t lo[2] = {at, 0}, hi[2] = {min64(at + slice, n), 0};
		int second = (int)rng_int(0, AXIS_MAX - 1);
		if (second != axis && rng_chance(50) && sliceable(c, second)) {
			which[1] = second;
			lo[1] = rng_int(0, c->out.n[second] - 1);
			hi[1] = rng_int(lo[1] + 1, c->out.n[second]);
		}
		if (!slice_equal(c, whole, want, which, lo, hi, threads))
			problem(c, seed, "slice differs", axis, slice, threads);
	}
	cuts++;
}

/* The result in the place of each operand that the row lets it take. */
static void
inplace(const Case *c, uint64_t seed, const Operand *whole, const char *want)
{
	for (int o = 0; o < op_nin(c->op); o++) {
		const Value *v = &c->in[o];
		if (!op_info[c->op].in[o].inplace || !v->on || v->seam
			|| v->axes != c->out.axes
			|| memcmp(v->n, c->out.n, sizeof v->n)
			|| dtype_bytes(v->dtype) != dtype_bytes(c->out.dtype))
			continue;
		Operand args[OPERANDS_MAX + 2];
		memcpy(args, whole, sizeof args);
		char *copy = isolate(&args[1 + o].part[0]);
		args[0] = args[1 + o];
		args[0].part[0].dtype = c->out.dtype;
		int threads = rng_chance(50) ? 1 : 3;
		KStatus s = case_call(c, args, threads);
		char *got = gather(&args[0].part[0]);
		int64_t bytes = box_count(c->out.n)
			* dtype_bytes(c->out.dtype);
		if (s != K_OK || memcmp(got, want, (size_t)bytes))
			problem(c, seed, "in place differs", o, 0, threads);
		inplace_runs++;
		free(got);
		free(copy);
	}
}

static void
try_case(Op op, uint64_t seed)
{
	static const int64_t slices[] = {1, 2, 3, 5, 7, 31};
	Case c = case_new(op, seed);
	Operand args[OPERANDS_MAX + 2];
	Store in[OPERANDS_MAX], y = {0};
	case_operands(&c, args, in, true, NULL);
	store_view(&y, 0, c.out.dtype, c.out.axes, c.out.n, rng_chance(50));
	args[0] = y.o;
	KStatus s = case_call(&c, args, 1);
	if (s != K_OK || !store_poisoned(&y))
		problem(&c, seed, s ? "refused" : "writes outside", -1, 0, 1);
	char *want = gather(&y.o.part[0]);
	int whole[2] = {-1, -1};
	if (!slice_equal(&c, args, want, whole, c.out.n, c.out.n, 3))
		problem(&c, seed, "threads differ", -1, 0, 3);
	for (int axis = 0; axis < AXIS_MAX; axis++) {
		if (!sliceable(&c, axis))
			continue;
		for (size_t k = 0; k < COUNT_OF(slices); k++) {
			if (k && slices[k] >= c.out.n[axis])
				break;
			cut_axis(&c, seed, args, want, axis, slices[k], 1);
			cut_axis(&c, seed, args, want, axis, slices[k], 3);
		}
	}
	inplace(&c, seed, args, want);
	free(want);
	store_free(&y);
	for (int i = 0; i < OPERANDS_MAX; i++)
		store_free(&in[i]);
}

/* Whether the row's rules let results be cut along the axis where all operands
 * have it; the c of embed and sinusoid is new, no operand has it. */
static bool
row_allows(Op op, int axis)
{
	bool new_c = op == OP_sinusoid || op == OP_embed;
	bool allows = axis != AXIS_C || !new_c;
	for (int o = 0; o < op_nin(op); o++)
		allows &= ops_axis(op, &(Attr){0}, o, AXIS_BIT(axis), axis)
			!= AX_WHOLE;
	return allows;
}

/* Every axis that results have must have been cut, with every operand that has
 * it, unless the row's rules forbid it. */
static void
check_reached(Op op)
{
	static const int axes[] = {AXIS_STEP, AXIS_B, AXIS_F, AXIS_H, AXIS_W,
		AXIS_DECLARED, AXIS_TOKEN, AXIS_C};
	for (int o = 0; o < op_nin(op); o++)
		for (size_t i = 0; i < COUNT_OF(axes); i++) {
			int axis = axes[i];
			AxisClass class = ops_axis(op, &(Attr){0}, o,
				AXIS_BIT(axis), axis);
			CHECK(reached[o][axis] || class == AX_FREE
				|| !row_allows(op, axis),
				"%s: no cut along axis %d",
				op_info[op].in[o].name, axis);
			pairs += reached[o][axis] > 0;
		}
}

int
main(int argc, char **argv)
{
	uint64_t cases = case_on_device && !getenv("FULL") ? DEVICE_CASES
		: CASES;
	cpu_init();
	for (int op = 1; op < OP_COUNT; op++) {
		char name[64];
		if (!generators[op] || (argc > 1
				&& strcmp(argv[1], op_info[op].name)))
			continue;
		snprintf(name, sizeof name, "cut %s", op_info[op].name);
		test(name);
		problems = 0;
		memset(reached, 0, sizeof reached);
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			Case c = case_new((Op)op, seed);
			if (seed < cases || case_is_new(&c))
				try_case((Op)op, seed);
		}
		check_reached((Op)op);
	}
	test_close();
	printf("# %lld cuts of %lld operands and axes, %lld results in place\n",
		(long long)cuts, (long long)pairs, (long long)inplace_runs);
	return test_end();
}
