/* legal.c - which ops may run slice by slice, against what each op reads.
 *
 * The planner takes that from the classes in ops.def.  Here it comes from the
 * definitions of the ops, written down once more: for every element of a result
 * the elements that it is made of.  A run that the planner allows must find in
 * each iteration all that it reads, among the slices made in the same iteration;
 * a run that it refuses must have a reason.
 */
#include "compiler/schedule/group.h"
#include "tests/lib/random_source.h"
#include "tests/lib/test.h"

enum { PROGRAMS = 200, INDICES = 64 };

static char path[512];
static int64_t allowed, refused;

/* ---- what elements are made of ---- */

/* An element of a value, its channel apart; 0 along axes that the value lacks. */
typedef struct At {
	int64_t i[AXIS_MAX];
} At;

/* Indices that are read, by axis and by the index of the result along it: bit j of
 * needs[a][i] is set if something with index i along a is made of something with
 * index j along it.  Of one operand of a node, and one root that it shows. */
typedef struct Needs {
	uint64_t by[AXIS_MAX][INDICES];
} Needs;

static void
only_own(const Type *t, At *x)
{
	for (int a = 0; a < AXIS_MAX; a++)
		if (!(t->axes >> a & 1) || a == AXIS_C)
			x->i[a] = 0;
}

/* `out`, an element of a result, is made of `x`, an element of value `id`. */
static void
note(const Graph *g, uint32_t id, At x, const At *out, uint32_t root,
	Needs *needs)
{
	const Node *n = &g->nodes.at[id];
	only_own(&n->type, &x);
	if (id == root) {
		for (int a = 0; a < AXIS_MAX; a++)
			needs->by[a][out->i[a]] |= (uint64_t)1 << x.i[a];
		return;
	}
	switch (n->op) {
	case OP_at:
		x.i[n->attr.axis] += n->attr.begin;
		break;
	case OP_merge:
		for (int64_t rest = x.i[n->attr.axis], a = AXIS_C, last = 1;
			a-- > 0;) {
			if (last)
				x.i[n->attr.axis] = 0;
			last = 0;
			if (!(n->attr.over >> a & 1))
				continue;
			int64_t extent = g->nodes.at[n->in[0]].type.n[a];
			x.i[a] = rest % extent;
			rest /= extent;
		}
		break;
	case OP_join:
		note(g, n->in[1], x, out, root, needs);
		break;
	case OP_expand: case OP_rehash:
		break;
	default:
		return;                 /* another root */
	}
	note(g, n->in[0], x, out, root, needs);
}

/* Goes on with every index of the axes in `all`. */
static void
note_all(const Graph *g, uint32_t id, AxisSet all, At x, const At *out,
	uint32_t root, Needs *needs)
{
	const Type *t = &g->nodes.at[id].type;
	for (int a = 0; a < AXIS_C; a++)
		if ((all & t->axes) >> a & 1) {
			for (x.i[a] = 0; x.i[a] < t->n[a]; x.i[a]++)
				note_all(g, id, (AxisSet)(all & ~AXIS_BIT(a)), x,
					out, root, needs);
			return;
		}
	note(g, id, x, out, root, needs);
}

/* Every tap of a convolution from its axis `k` on. */
static void
note_taps(const Graph *g, const Node *n, int a, At x, const At *out,
	uint32_t root, Needs *needs)
{
	const Type *t = &g->nodes.at[n->in[0]].type;
	while (a < AXIS_C && !(n->attr.over >> a & 1))
		a++;
	if (a == AXIS_C) {
		note(g, n->in[0], x, out, root, needs);
		return;
	}
	int k = over_index(n->attr.over, a);
	int64_t first = out->i[a] * n->attr.stride[k] - n->attr.before[k];
	for (int tap = 0; tap < n->attr.kernel[k]; tap++) {
		x.i[a] = first + tap;
		if (x.i[a] >= 0 && x.i[a] < t->n[a])
			note_taps(g, n, a + 1, x, out, root, needs);
	}
}

static void
note_operand(const Graph *g, const Node *n, int k, const At *out, uint32_t root,
	Needs *needs)
{
	At x = *out;
	const Type *t = &g->nodes.at[n->in[k]].type;
	if (n->op == OP_conv && k == 0) {
		note_taps(g, n, 0, x, out, root, needs);
	} else if ((n->op == OP_attend && k > 0) || n->op == OP_norm_combine) {
		note_all(g, n->in[k], n->attr.over, x, out, root, needs);
	} else if (n->op == OP_norm_stats) {
		note_all(g, n->in[k], (AxisSet)(n->attr.over & ~n->type.axes), x,
			out, root, needs);
	} else {
		for (int a = 0; n->op == OP_resize && a < AXIS_C; a++)
			if (n->attr.over >> a & 1)
				x.i[a] = x.i[a] * t->n[a] / n->type.n[a];
		note(g, n->in[k], x, out, root, needs);
	}
}

/* All that operand k of a node reads of a root. */
static void
find_needs(const Graph *g, const Node *n, int k, uint32_t root, Needs *needs)
{
	At out = {{0}};
	int a;
	memset(needs, 0, sizeof *needs);
	do {
		note_operand(g, n, k, &out, root, needs);
		for (a = AXIS_C; a-- > 0;) {
			if (n->type.axes >> a & 1 && ++out.i[a] < n->type.n[a])
				break;
			out.i[a] = 0;
		}
	} while (a >= 0);
}

/* ---- runs ---- */

/* What a spot reads of spots in front of it. */
typedef struct Reading {
	int32_t reader, def;
	Needs needs;
} Reading;

typedef struct Readings {
	const Stretch *s;
	Vec(Reading) all;
} Readings;

static const Node *
node_of(const Stretch *s, int32_t i)
{
	return &s->g->nodes.at[s->spots[i].node];
}

static void
find_readings(Readings *r)
{
	const Stretch *s = r->s;
	for (int32_t i = 0; i < s->n; i++) {
		const Node *n = node_of(s, i);
		for (int k = 0; k < n->nin; k++)
			for (int32_t d = 0; n->in[k] && d < i; d++) {
				Reading x = {.reader = i, .def = d};
				bool some = false;
				find_needs(s->g, n, k, s->spots[d].node, &x.needs);
				for (int j = 0; j < INDICES; j++)
					some |= x.needs.by[AXIS_C][j];
				if (some)
					*vec_push(&r->all) = x;
			}
	}
}

/* Indices [lo, hi) as bits. */
static uint64_t
bits(int64_t lo, int64_t hi, int64_t n)
{
	lo = clamp64(lo, 0, n);
	hi = clamp64(hi, lo, n);
	uint64_t below = hi == 64 ? UINT64_MAX : ((uint64_t)1 << hi) - 1;
	return lo == 64 ? 0 : below & ~(((uint64_t)1 << lo) - 1);
}

/* Indices that a spot of a run makes in an iteration. */
static uint64_t
made(const Slice *s, int64_t iteration, int64_t n)
{
	return bits(s->step * iteration + s->lo, s->step * iteration + s->hi, n);
}

/* Whether each iteration of the loop finds what it reads, and all is made. */
static bool
run_works(const Readings *r, int32_t first, int32_t last, int axis,
	const Slice *range)
{
	const Stretch *s = r->s;
	int64_t n = node_of(s, first)->type.n[axis], step = range[0].step;
	for (int64_t t = 0; t * step < n; t++) {
		for (int32_t i = first; i <= last; i++) {
			uint64_t mine = bits(t * step, (t + 1) * step, n);
			if (s->spots[i].last > last
				&& mine & ~made(&range[i - first], t, n))
				return false;
		}
		for (size_t k = 0; k < r->all.n; k++) {
			const Reading *x = &r->all.at[k];
			if (x->reader < first || x->reader > last
				|| x->def < first)
				continue;
			uint64_t out = made(&range[x->reader - first], t, n);
			uint64_t have = made(&range[x->def - first], t, n);
			for (int j = 0; j < n; j++)
				if (out >> j & 1 && x->needs.by[axis][j] & ~have)
					return false;
		}
	}
	return true;
}

/* Whether the same few neighbours are read for every index: what a loop over
 * slices can do with a halo. */
static bool
moves_along(const uint64_t *by, int64_t n)
{
	int64_t lo = INT64_MAX, hi = INT64_MIN;
	for (int64_t j = 0; j < n; j++) {
		if (!by[j])
			return false;
		lo = min64(lo, __builtin_ctzll(by[j]) - j);
		hi = max64(hi, 64 - __builtin_clzll(by[j]) - j);
	}
	for (int64_t j = 0; j < n; j++)
		if (by[j] != bits(j + lo, j + hi, n))
			return false;
	return hi - lo <= n;
}

/* Why a spot may not join a run that began at `first`; NULL: no reason. */
static const char *
reason(const Readings *r, int32_t first, int32_t i, int axis)
{
	const Stretch *s = r->s;
	const Type *t = &node_of(s, i)->type;
	int64_t n = t->n[axis];
	if (axis == AXIS_C || !(t->axes >> axis & 1) || n < 2)
		return "has no slices";
	if (n != node_of(s, first)->type.n[axis])
		return "another extent";
	if (!s->spots[i].repeatable)
		return "a place that is shared";
	const Node *node = node_of(s, i);
	if (node->op == OP_conv && node->attr.over >> axis & 1
		&& node->attr.stride[over_index(node->attr.over, axis)] != 1)
		return "goes on by more than one index";
	for (size_t k = 0; k < r->all.n; k++) {
		const Reading *x = &r->all.at[k];
		if (x->reader == i && x->def >= first
			&& !moves_along(x->needs.by[axis], n))
			return "reads other slices";
	}
	return NULL;
}

static void
check_run(const Readings *r, int32_t first, int32_t last, int axis,
	uint64_t seed)
{
	Slice range[RUN_MAX];
	int64_t n = node_of(r->s, first)->type.n[axis];
	for (int64_t slice = 1; slice < n; slice++) {
		if (last - first >= RUN_MAX || !run_ranges(r->s, first, last,
				axis, slice, range))
			continue;
		CHECK(run_works(r, first, last, axis, range), "seed %llu: spots "
			"%d..%d, axis %d, slices of %lld", (unsigned long long)
			seed, first, last, axis, (long long)slice);
		allowed++;
	}
}

static void
check_stretch(const Stretch *s, uint64_t seed)
{
	Readings r = {.s = s};
	find_readings(&r);
	for (int32_t first = 0; first < s->n; first++)
		for (int a = AXIS_B; a < AXIS_MAX; a++) {
			int32_t end = run_end(s, first, s->n, a);
			for (int32_t last = first; last <= end; last++)
				check_run(&r, first, last, a, seed);
			for (int32_t last = first; last < s->n; last++)
				CHECK(run_legal(s, first, last, a)
					== (last <= end));
			if (end + 1 == s->n)
				continue;
			CHECK(reason(&r, first, end + 1, a), "seed %llu: spot %d "
				"(%s) may join the run from %d along axis %d",
				(unsigned long long)seed, end + 1,
				op_info[node_of(s, end + 1)->op].name, first, a);
			refused++;
		}
	vec_free(&r.all);
}

/* Whether all indices fit into bits. */
static bool
is_small(const Graph *g)
{
	for (size_t i = 1; i < g->nodes.n; i++)
		for (int a = 0; a < AXIS_C; a++)
			if (g->nodes.at[i].type.n[a] > INDICES)
				return false;
	return true;
}

static void
try_program(uint64_t seed)
{
	Arena a = {0};
	int code;
	Source *s = arena_alloc(&a, sizeof *s);
	state = seed;
	make_source(s, pick(3) ? 0 : 3, seed % 2);
	write_source(s, path);
	CompileOptions o = {.lang = {.path = path, .dtype = DT_F16,
			.model = strstr(s->text, "pipeline") ? "loop" : "random"},
		.threads = 1};
	Program *p = program_order(&a, &o, &code);
	CHECK(p, "seed %llu", (unsigned long long)seed);
	if (!p)
		return;
	Grouper g;
	int before = test_bad;
	groups_none(p);
	grouper_begin(&g, p);
	for (int i = 0; i < ST_COUNT; i++)
		if (g.stage[i] && i != ST_STEPS && is_small(p->graph))
			check_stretch(g.stage[i]->s, seed);
	if (test_bad > before)
		printf("# %s\n", s->text);
	grouper_end(&g);
	program_free(p);
	arena_free(&a);
}

int
main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : PROGRAMS;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	const char *build = getenv("BUILD");
	snprintf(path, sizeof path, "%s/tests/legal.slu", build ? build
		: "build");
	test("loops over slices find what they read; others have a reason");
	for (uint64_t i = 0; i < count; i++)
		try_program(first + i);
	printf("# %lld loops work, %lld ops have a reason to stay out\n",
		(long long)allowed, (long long)refused);
	CHECK(count < 20 || (allowed > 1000 && refused > 1000));
	return test_end();
}
