/* frontier.c - how much time less memory costs: the program under many budgets,
 * with its weights resident, and streamed.
 */
#include "compiler/schedule/group.h"

#include <math.h>
#include <stdlib.h>

enum { FRONTIER_TRIES = 12 };   /* budgets for each of the two kinds */

typedef struct Tries {
	Program *p;
	Vec(FrontierPoint) point;
} Tries;

/* Bytes that all loads of the run read. */
static int64_t
loaded_bytes(const Program *p)
{
	int64_t sum = 0;
	for (CodeWalk w = {0}; w.at < p->code.n; code_past(p, &w)) {
		const CodeItem *s = &p->code.at[w.at];
		if (s->kind == CODE_LOAD)
			sum = add_sz(sum, mul_sz(code_runs(p, &w), p->storages
				.at[p->storage_of[s->id]].bytes));
	}
	return sum;
}

/* The program as it is measured now. */
static FrontierPoint
take_point(Program *p)
{
	pass_emit(p);
	return (FrontierPoint){p->height, p->out->head.predicted_seconds,
		p->out->n_groups, loaded_bytes(p)};
}

/* Budgets between two heights, each a constant factor above the one before. */
static int64_t
budget_between(int64_t lo, int64_t hi, int i)
{
	return (int64_t)((double)lo * pow((double)hi / (double)lo,
		(double)i / (FRONTIER_TRIES - 1)));
}

static void
try_resident(Tries *t, int64_t most)
{
	Grouper g;
	grouper_begin(&g, t->p);
	for (int i = 0; i < FRONTIER_TRIES; i++) {
		grouper_apply(&g, budget_between(g.least, most, i), 0);
		*vec_push(&t->point) = take_point(t->p);
	}
	grouper_end(&g);
}

static void
try_streamed(Tries *t, int64_t most)
{
	Chooser c;
	chooser_begin(&c, t->p);
	chooser_least(&c);
	int64_t least = t->p->height;
	*vec_push(&t->point) = take_point(t->p);
	for (int i = 1; i < FRONTIER_TRIES; i++)
		if (chooser_within(&c, budget_between(least, most, i)))
			*vec_push(&t->point) = take_point(t->p);
	chooser_end(&c);
}

static int
by_bytes(const void *a, const void *b)
{
	const FrontierPoint *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

/* Those that no other beats in both. */
static void
keep_best(Arena *a, Tries *t, Frontier *f)
{
	qsort(t->point.at, t->point.n, sizeof *t->point.at, by_bytes);
	f->point = arena_array(a, t->point.n, sizeof *f->point);
	f->n = 0;
	for (size_t i = 0; i < t->point.n; i++)
		if (!f->n || t->point.at[i].seconds
			< f->point[f->n - 1].seconds)
			f->point[f->n++] = t->point.at[i];
}

int
frontier_source(Arena *a, const CompileOptions *o, Frontier *f)
{
	int code;
	Tries t = {.p = program_order(a, o, &code)};
	if (!t.p)
		return code;
	groups_none(t.p);
	f->unsliced = take_point(t.p);
	*vec_push(&t.point) = f->unsliced;
	try_resident(&t, f->unsliced.bytes);
	try_streamed(&t, f->unsliced.bytes);
	keep_best(a, &t, f);
	vec_free(&t.point);
	program_free(t.p);
	return EXIT_OK;
}
