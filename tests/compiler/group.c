/* group.c - the choice of loops: shortest paths against all paths of small
 * programs, and what the planner believes of a program's memory against what the
 * program then needs.
 */
#include "compiler/schedule/group.h"
#include "tests/lib/random_source.h"
#include "tests/lib/test.h"

#include <math.h>

enum { PROGRAMS = 40, LIMITS = 6 };

static char path[512];

/* ---- all ways through a context ---- */

static double all_paths(const Context *c, int64_t limit);

/* One more edge behind all that are known; false when nothing got better. */
static bool
extend(const Context *c, int64_t limit, double *seconds)
{
	bool better = false;
	for (size_t i = 0; i < c->candidates.n + c->inner.n; i++) {
		bool inner = i >= c->candidates.n;
		const Context *y = inner ? c->inner.at[i - c->candidates.n] : NULL;
		const Candidate *x = inner ? NULL : &c->candidates.at[i];
		int32_t from = inner ? y->from : x->first;
		int32_t to = inner ? y->to : x->last + 1;
		if (x && x->peak > limit)
			continue;
		double now = seconds[from] + (x ? x->seconds
			: all_paths(y, limit));
		better |= now < seconds[to];
		seconds[to] = fmin(seconds[to], now);
	}
	return better;
}

/* The cheapest way, found without an order of edges: by adding edges to ways
 * until none gets cheaper. */
static double
all_paths(const Context *c, int64_t limit)
{
	double *seconds = malloc((size_t)(c->to + 1) * sizeof *seconds);
	for (int32_t i = 0; i <= c->to; i++)
		seconds[i] = i == c->from ? 0 : INFINITY;
	while (extend(c, limit, seconds))
		;
	double best = seconds[c->to];
	free(seconds);
	return best;
}

static bool
same(double a, double b)
{
	return (isinf(a) && isinf(b)) || fabs(a - b) <= 1e-9 * fmax(a, b);
}

static int paths;

static void
check_paths(const Grouper *g, int64_t limit, uint64_t seed)
{
	for (int i = 0; i < ST_COUNT; i++) {
		const Context *c = g->stage[i];
		if (!c)
			continue;
		double found = path_cheapest(c, limit, NULL);
		double best = all_paths(c, limit);
		CHECK(same(found, best), "seed %llu, limit %lld: %g, the best of "
			"all is %g", (unsigned long long)seed, (long long)limit,
			found, best);
		paths++;
	}
}

/* ---- belief and truth ---- */

static int64_t
most_live(const Program *p)
{
	int64_t live = 0;
	for (size_t i = 0; i < p->code.n; i++)
		live = max64(live, p->live[i]);
	return live;
}

static double worst = 0;

static void
check_limits(Grouper *g, uint64_t seed)
{
	Program *p = g->p;
	double seconds = INFINITY;
	int64_t most = max64(p->unsliced_height, g->least);
	for (int i = 0; i < LIMITS; i++) {
		int64_t limit = g->least + (most - g->least) * i / (LIMITS - 1);
		double now = grouper_seconds(g, limit);
		CHECK(now <= seconds, "seed %llu: more memory, more time",
			(unsigned long long)seed);
		seconds = now;
		check_paths(g, limit, seed);
		grouper_apply(g, limit, 0);
		worst = fmax(worst, (double)most_live(p) / (double)limit);
		CHECK(p->floor <= most_live(p), "seed %llu: the floor is %lld, "
			"%lld are enough", (unsigned long long)seed,
			(long long)p->floor, (long long)most_live(p));
	}
}

static void
try_program(uint64_t seed)
{
	Arena a = {0};
	int code;
	Source *s = arena_alloc(&a, sizeof *s);
	state = seed;
	make_source(s, pick(3) ? 0 : 3, false);
	write_source(s, path);
	CompileOptions o = {.lang = {.path = path, .dtype = DT_F16,
			.model = strstr(s->text, "pipeline") ? "loop" : "random"},
		.threads = 1};
	Program *p = program_order(&a, &o, &code);
	CHECK(p, "seed %llu", (unsigned long long)seed);
	for (int streamed = 0; p && streamed < 2; streamed++) {
		Grouper g;
		groups_none(p);
		if (streamed)
			stream_all(p);
		grouper_begin(&g, p);
		check_limits(&g, seed);
		grouper_end(&g);
	}
	if (p)
		program_free(p);
	arena_free(&a);
}

int
main(void)
{
	const char *build = getenv("BUILD");
	snprintf(path, sizeof path, "%s/tests/group.slu", build ? build
		: "build");
	test("group: the fastest of all ways within a limit; floors hold");
	for (uint64_t i = 1; i <= PROGRAMS; i++)
		try_program(i);
	printf("# %d shortest paths equal the best of all\n", paths);
	CHECK(paths > 50, "%d", paths);
	printf("# live bytes over the limit, at most: %.3f\n", worst);
	return test_end();
}
