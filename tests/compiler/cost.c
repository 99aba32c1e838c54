/* cost.c - the cost model and device profiles: every op has a price, more slices
 * never cost less, profiles survive being written and read, broken ones are
 * refused with their place, and the fit finds the profile behind its samples.
 */
#include "tests/lib/test.h"
#include "compiler/cost/profile.h"

#include <math.h>
#include <stdlib.h>

/* ---- a node of every op ---- */

/* Numbers of a fixed sequence in 0 .. 1. */
static double
next_number(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (double)(*state >> 33) / 0x1p31;
}

static Type
type_of(DType t, int64_t f, int64_t h, int64_t w, int64_t c)
{
	Type x = {.dtype = t};
	const int axis[] = {AXIS_F, AXIS_H, AXIS_W, AXIS_C};
	const int64_t n[] = {f, h, w, c};
	for (int i = 0; i < 4; i++) {
		x.n[axis[i]] = n[i];
		if (n[i])
			x.axes |= AXIS_BIT(axis[i]);
	}
	return x;
}

static uint32_t
leaf(Graph *g, Type t)
{
	Node n = {.op = OP_input, .type = t};
	return ir_add(g, &n);
}

static uint32_t
vector(Graph *g, int64_t n)
{
	return leaf(g, type_of(g->dtype, 0, 0, 0, n));
}

static void
set_operands(Node *n, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	const uint32_t in[] = {a, b, c, d};
	for (n->nin = 0; n->nin < 4 && in[n->nin]; n->nin++)
		n->in[n->nin] = in[n->nin];
}

enum { HEIGHT = 6, WIDTH = 10, CHANNELS = 64, GROUPS = 8 };

static void
make_matrix(Graph *g, Node *n, uint32_t x)
{
	int64_t taps = n->op == OP_conv ? 9 : 1;
	if (n->op == OP_conv)
		n->attr.over = AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W);
	for (int i = 0; i < 2; i++) {
		n->attr.kernel[i] = 3;
		n->attr.stride[i] = n->attr.before[i] = n->attr.after[i] = 1;
	}
	n->type.n[AXIS_C] = 32;
	set_operands(n, x, vector(g, CHANNELS * 32 * taps), vector(g, 32), 0);
}

static void
make_norm(Graph *g, Node *n, uint32_t x)
{
	Type stats = type_of(DT_F32, 2, HEIGHT, 0, 2 * GROUPS);
	n->attr.groups = GROUPS;
	n->attr.over = AXIS_BIT(AXIS_H);
	if (n->op == OP_norm_stats) {
		set_operands(n, x, 0, 0, 0);
		return;
	}
	uint32_t s = leaf(g, stats);
	n->attr.over = n->op == OP_norm_combine ? n->attr.over : 0;
	if (n->op == OP_norm_combine)
		set_operands(n, s, 0, 0, 0);
	else
		set_operands(n, x, s, vector(g, CHANNELS), vector(g, CHANNELS));
}

/* Axes and extents of what no operand determines. */
static void
make_new(Graph *g, Node *n)
{
	n->type = type_of(g->dtype, 2, HEIGHT, WIDTH, CHANNELS);
	if (n->op == OP_index) {
		n->attr.axis = AXIS_F;
	} else if (n->op == OP_sinusoid) {
		set_operands(n, leaf(g, type_of(DT_F32, 2, 0, 0, 0)), 0, 0, 0);
	} else if (n->op == OP_embed) {
		n->attr.rows = 100;
		set_operands(n, leaf(g, type_of(DT_I32, 2, 0, WIDTH, 0)),
			vector(g, 100 * CHANNELS), 0, 0);
	}
}

/* A node of that op, its type inferred; false when no instruction has it. */
static bool
make_node(Graph *g, Op op, Node *n)
{
	ShapeError e;
	Type t = type_of(g->dtype, 2, HEIGHT, WIDTH, CHANNELS);
	uint32_t x = leaf(g, t);
	*n = (Node){.op = op};
	if (op == OP_NONE || op_info[op].flags & (OPF_LEAF | OPF_VIEW))
		return false;
	if (op == OP_linear || op == OP_conv)
		make_matrix(g, n, x);
	else if (op == OP_norm_stats || op == OP_norm_combine
		|| op == OP_norm_apply)
		make_norm(g, n, x);
	else if (op == OP_index || op == OP_sinusoid || op == OP_embed
		|| op == OP_fill)
		make_new(g, n);
	else if (op == OP_attend)
		set_operands(n, x, leaf(g, t), leaf(g, t), 0);
	else if (op == OP_sample)
		set_operands(n, x, leaf(g, t), vector(g, SAMPLE_COLS),
			leaf(g, t));
	else if (op == OP_blend)
		set_operands(n, x, leaf(g, t), leaf(g, t), 0);
	else if (op == OP_layer_norm)
		set_operands(n, x, vector(g, CHANNELS), vector(g, CHANNELS), 0);
	else
		set_operands(n, x, op_nin(op) == 2 ? leaf(g, t) : 0, 0, 0);
	if (op == OP_attend || op == OP_resize)
		n->attr.over = AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W);
	if (op == OP_resize || op == OP_copy) {
		n->type = t;
		n->type.n[AXIS_H] *= op == OP_resize ? 2 : 1;
	}
	n->attr.heads = 4;
	n->attr.axis = op == OP_concat ? AXIS_F : n->attr.axis;
	bool ok = ir_infer(g, n, &e);
	CHECK(ok, "%s: %s", op_info[op].name, e.text);
	return ok;
}

/* ---- prices ---- */

static void
random_profile(Profile *c, uint64_t *state)
{
	*c = (Profile){.name = "random", .target = "cpu", .threads = 1};
	for (int t = 0; t < COST_DTYPES; t++)
		for (int i = 0; i < COST_COUNT; i++)
			c->seconds[t][i] = cost_term[i].least
				+ (cost_term[i].most - cost_term[i].least)
				* next_number(state);
}

/* The price of more slices, never lower, never no number. */
static void
check_slices(const Profile *c, const Graph *g, const Node *n)
{
	static const int64_t slices[] = {1, 2, 3, 4, 5, 7, 8, 16, 77, 100, 255,
		256, 257, 1000, 65536};
	double before = 0;
	for (size_t i = 0; i < COUNT_OF(slices); i++) {
		double s = cost_node(c, g, n, slices[i]);
		CHECK(isfinite(s) && s >= 0, "%s: %g s", op_info[n->op].name, s);
		CHECK(s >= before, "%s: %lld slices cost %g s, fewer cost %g",
			op_info[n->op].name, (long long)slices[i], s, before);
		before = s;
	}
}

static void
test_prices(void)
{
	const CompileOptions none = {0};
	const Profile *builtin = cost_profile(&none);
	uint64_t state = 1;
	int priced = 0;
	test("every op has a price, and more slices never cost less");
	for (int op = 1; op < OP_COUNT; op++)
		for (int t = 0; t < COST_DTYPES; t++) {
			Arena a = {0};
			Graph *g = ir_new(&a, (DType)t, "test");
			Node n;
			if (make_node(g, (Op)op, &n)) {
				Profile c;
				CHECK(cost_node(builtin, g, &n, 1) > 0, "%s",
					op_info[op].name);
				check_slices(builtin, g, &n);
				for (int i = 0; i < 20; i++) {
					random_profile(&c, &state);
					check_slices(&c, g, &n);
				}
				priced++;
			} else {
				CHECK(cost_node(builtin, g, &n, 1) == 0, "%s",
					op_info[op].name);
			}
			vec_free(&g->nodes);
			vec_free(&g->sites);
			arena_free(&a);
		}
	CHECK(priced >= 3 * 25, "%d", priced);
}

static double
price_linear(int64_t rows, int64_t in, int64_t out, int64_t slices)
{
	const CompileOptions none = {0};
	Arena a = {0};
	ShapeError e;
	Graph *g = ir_new(&a, DT_F32, "test");
	Node n = {.op = OP_linear};
	set_operands(&n, leaf(g, type_of(DT_F32, 0, 0, rows, in)),
		vector(g, in * out), vector(g, out), 0);
	n.type.n[AXIS_C] = out;
	CHECK(ir_infer(g, &n, &e), "%s", e.text);
	double s = cost_node(cost_profile(&none), g, &n, slices);
	vec_free(&g->nodes);
	vec_free(&g->sites);
	arena_free(&a);
	return s;
}

static void
test_extremes(void)
{
	const CompileOptions none = {0};
	const Profile *c = cost_profile(&none);
	test("the smallest and the largest values");
	CHECK(price_linear(1, 1, 1, 1) > 0);
	CHECK(price_linear(1, 1, 1, 1000) < 1e-2);
	CHECK(isfinite(price_linear(INT32_MAX, 4096, 4096, 1)));
	CHECK(isfinite(price_linear(1, 1 << 20, 1 << 20, INT32_MAX)));
	test("work grows with the rows, and thin slices lose");
	CHECK(price_linear(2000, 320, 320, 1) > 1.5 * price_linear(1000, 320,
		320, 1));
	CHECK(price_linear(1024, 1280, 1280, 1024) > 3 * price_linear(1024, 1280,
		1280, 1));
	CHECK(price_linear(4096, 320, 320, 4) < 1.1 * price_linear(4096, 320,
		320, 1));
	test("loads");
	for (int t = 0; t < COST_DTYPES; t++) {
		CHECK(cost_load(c, (DType)t, 0) >= 0);
		CHECK(cost_load(c, (DType)t, 2 << 20)
			> cost_load(c, (DType)t, 1 << 20));
	}
	CHECK(cost_load(c, DT_I32, 1000) > 0);
}

/* ---- files ---- */

static char *
print_profile(Arena *a, const Profile *c)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	profile_print(c, f);
	fclose(f);
	char *copy = arena_strdup(a, text);
	free(text);
	return copy;
}

static const Profile *
parse(Arena *a, const char *text, char *err)
{
	*err = 0;
	return profile_parse(a, "p.yaml", text, strlen(text), err);
}

static void
test_files(void)
{
	const CompileOptions none = {0};
	Arena a = {0};
	char err[PROFILE_ERR];
	Profile c;
	uint64_t state = 7;
	test("a profile is the same after being written and read");
	for (int i = 0; i < 50; i++) {
		random_profile(&c, &state);
		c.name = i ? "a \"name\": #1" : "x";
		c.threads = 1 + i;
		if (i == 0)
			c = *cost_profile(&none);
		const char *text = print_profile(&a, &c);
		const Profile *back = parse(&a, text, err);
		CHECK(back, "%s", err);
		if (!back)
			break;
		CHECK(!strcmp(back->name, c.name) && back->threads == c.threads);
		for (int t = 0; t < COST_DTYPES; t++)
			for (int k = 0; k < COST_COUNT; k++)
				CHECK(fabs(back->seconds[t][k] - c.seconds[t][k])
					<= 1e-5 * c.seconds[t][k], "%s",
					cost_term[k].name);
		CHECK(!strcmp(print_profile(&a, back), text));
	}
	test("estimates for GPUs are profiles of another target");
	int code;
	const Profile *gpu = profile_choose(&a, NULL, "cuda", &code, err);
	CHECK(gpu && strstr(gpu->name, "rtx3090") && strstr(gpu->name,
		"estimate"));
	Profile copy = *gpu;
	const Profile *again = parse(&a, print_profile(&a, &copy), err);
	CHECK(again && !strcmp(again->target, "cuda"), "%s", err);
	CHECK(!profile_choose(&a, "a100", "cpu", &code, err)
		&& code == EXIT_SOURCE && strstr(err, "for plans of target cuda"));
	CHECK(!profile_choose(&a, "voodoo2", "cuda", &code, err)
		&& code == EXIT_USAGE && strstr(err, "rtx4090"));
	test("a file that is not there");
	code = 0;
	CHECK(!profile_read(&a, "no/such.yaml", &code, err) && code == EXIT_IO
		&& strstr(err, "no/such.yaml"), "%s", err);
	arena_free(&a);
}

/* `old` in a good profile becomes `new`. */
static const struct { const char *old, *new, *reason; } bad[] = {
	{"threads:", "thraeds:", "p.yaml:5:1: unknown key 'thraeds'; did you "
		"mean 'threads'?\n  thraeds: 2\n  ^"},
	{"  matrix_mac:", "  matrix_mak:", "unknown key 'matrix_mak'; did you "
		"mean 'matrix_mac'?"},
	{"  launch:", "  zzzzzzzzzzz:", ":8:3: unknown key 'zzzzzzzzzzz'"},
	{"  launch: [", "  launch: [-", "'launch' is a number from 0 to 0.01"},
	{"  launch: [", "  launch: [nan, ", "list of three numbers"},
	{"  launch: [", "  launch: [1, 1, 1] #", "'launch' is a number from 0"},
	{"  launch: [", "  launch: [nan, 0, 0] #", "'launch' is a number"},
	{"  launch: [", "  launch: [0, inf, 0] #", "'launch' is a number"},
	{"  launch: [", "  launch: [0, [0], 0] #", "'launch' is a number"},
	{"  launch: [", "  launch: [0, 1e-6s, 0] #", "'launch' is a number"},
	{"  launch: [", "  launch: [0, 0] #", "list of three numbers, for f32, "
		"f16, bf16"},
	{"  launch: [", "  launch: 1e-6 #", "list of three numbers"},
	{"  matrix_mac: [", "  matrix_mac: [1e-12, 0, 0] #",
		"'matrix_mac' is a number from 1e-17 to 1e-06"},
	{"  attend_mac: [", "#", ":8:3: 'seconds' lacks the term 'attend_mac'"},
	{"  launch: [", "  attend_mac: [0, 0, 0]\n  launch: [", "attend_mac"},
	{"name: ", "name: '' #", "'name' is a text of 1 to 60"},
	{"name: ", "name: [a] #", "'name' is a text"},
	{"name: ", "name: \"a\\nb\" #", "'name' is a text"},
	{"name: ", "#", "the profile lacks 'name'"},
	{"threads: ", "threads: 0 #", "'threads' is a number from 1 to 1024"},
	{"threads: ", "threads: 1.5 #", "'threads' is a whole number"},
	{"threads: ", "threads: many #", "'threads' is a number"},
	{"threads: ", "#", "the profile lacks 'threads'"},
	{"seconds:", "seconds: 1\nsecond:", "'seconds' is a map"},
	{"name: ", "name: &x ", "anchors"},
	{"name: ", "name: {", "p.yaml:"},
};

static void
test_refusals(void)
{
	const CompileOptions none = {0};
	Arena a = {0};
	char err[PROFILE_ERR];
	const char *good = print_profile(&a, cost_profile(&none));
	test("broken profiles");
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const char *at = strstr(good, bad[i].old);
		CHECK(at, "'%s'", bad[i].old);
		if (!at)
			continue;
		const char *text = arena_printf(&a, "%.*s%s%s",
			(int)(at - good), good, bad[i].new,
			at + strlen(bad[i].old));
		CHECK(!parse(&a, text, err), "'%s' was accepted", bad[i].new);
		CHECK(!strncmp(err, "p.yaml:", 7) && strstr(err, bad[i].reason),
			"'%s': %s", bad[i].new, err);
	}
	CHECK(!parse(&a, "", err) && strstr(err, "lacks 'name'"), "%s", err);
	CHECK(!parse(&a, "- 1\n", err) && strstr(err, "a map of keys"), "%s",
		err);
	/* every truncation is refused, but for what follows the last bracket */
	for (size_t n = 0; n + 2 < strlen(good); n++) {
		const char *text = arena_strndup(&a, good, n);
		CHECK(!parse(&a, text, err), "%zu bytes", n);
	}
	arena_free(&a);
}

/* ---- fitting ---- */

/* Samples that a profile explains exactly, every `broken`th of which took far
 * longer (0: none). */
static void
make_samples(const Profile *c, size_t n, size_t broken, Samples *out)
{
	uint64_t state = 99;
	for (size_t i = 0; i < n; i++) {
		Sample s = {.what = "made up", .dtype = DT_F16};
		for (int t = 0; t < COST_COUNT; t++)
			if (next_number(&state) < 0.2)
				s.units[t] = pow(10, 3 * next_number(&state) - 5)
					/ c->seconds[DT_F16][t];
		s.units[COST_launch] = 1;
		s.seconds = profile_predict(c, &s);
		if (broken && i % broken == 0)
			s.seconds *= 30;
		*vec_push(out) = s;
	}
}

static void
check_fit(size_t broken, double tolerance)
{
	Profile truth, found = {0};
	Samples s = {0};
	uint64_t state = 3;
	random_profile(&truth, &state);
	make_samples(&truth, 120, broken, &s);
	profile_fit(&found, DT_F16, &s);
	for (size_t i = 0; i < s.n; i++) {
		double off = profile_predict(&found, &s.at[i])
			/ profile_predict(&truth, &s.at[i]);
		CHECK(off > 1 - tolerance && off < 1 + tolerance,
			"sample %zu: %g times the truth", i, off);
	}
	for (int t = 0; t < COST_COUNT; t++) {
		CHECK(found.seconds[DT_F16][t] >= cost_term[t].least
			&& found.seconds[DT_F16][t] <= cost_term[t].most);
		CHECK(found.seconds[DT_F32][t] == 0);
	}
	vec_free(&s);
}

static void
test_fit(void)
{
	test("the fit finds the profile behind its samples");
	check_fit(0, 0.01);
	test("the fit overlooks samples that something else disturbed");
	check_fit(10, 0.05);
}

static void
test_measure(void)
{
	Arena a = {0};
	Samples s = {0};
	Profile c;
	char err[PROFILE_ERR];
	test("a hasty measurement is a profile");
	int code = profile_measure(&a, "hasty", 1, 0, &c, &s, err);
	CHECK(!code, "%s", err);
	for (size_t i = 0; i < s.n; i++)
		CHECK(s.at[i].seconds > 0 && s.at[i].seconds < 60, "%s",
			s.at[i].what);
	CHECK(s.n > 150, "%zu samples", s.n);
	CHECK(parse(&a, print_profile(&a, &c), err), "%s", err);
	test("a folder that cannot be written");
	CHECK(profile_loads(&a, DT_F32, "no/such/folder", &s, err) == EXIT_IO
		&& strstr(err, "no/such/folder"), "%s", err);
	vec_free(&s);
	arena_free(&a);
}

int
main(void)
{
	cpu_init();
	test_prices();
	test_extremes();
	test_files();
	test_refusals();
	test_fit();
	test_measure();
	return test_end();
}
