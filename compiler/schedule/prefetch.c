/* prefetch.c - moves the beginning of loads ahead of their use, so that weights
 * are read while kernels run.
 *
 * A body is what runs in one iteration of the denoising loop or of an outer loop
 * over slices.  Its loads are done by one thread one after the
 * other; from the last to the first, each should end when it is needed and when
 * the next one has to begin, and begins so much earlier, as far as the bytes
 * last: the plan does not grow.
 */
#include "compiler/cost/cost.h"

#include <math.h>
#include <string.h>

/* One iteration's worth of code: steps [begin, end) directly inside a loop. */
typedef struct Body {
	uint32_t begin, end;
	int loop;               /* index into loops, LOOP_NONE */
	double runs;            /* iterations in one denoising step */
} Body;

typedef struct Prefetch {
	Program *p;
	int64_t limit, *live;   /* by step, with the loads moved so far */
	uint32_t *first;        /* by step: where the loop that ends here begins */
	double *start;          /* by step: seconds since its body began */
} Prefetch;

/* Order position of a step in front of which a load may stand, UINT32_MAX:
 * none. */
static uint32_t
position(const Program *p, const Step *s)
{
	if (s->kind == STEP_NODE)
		return p->plan[s->id].position;
	if (s->kind == STEP_LOOP && s->id != UINT32_MAX)
		return p->loops.at[s->id].first;
	return UINT32_MAX;
}

/* Moves the load at step i to end at `due`; returns when it begins then. */
static double
move_load(Prefetch *f, const Body *b, uint32_t i, double due)
{
	Program *p = f->p;
	uint32_t weight = p->steps.at[i].id, best = i;
	int64_t bytes = round_up(p->storages.at[p->storage_of[weight]].bytes,
		PLAN_ALIGN);
	double begin = due - cost_load(cost_profile(p->options),
		p->graph->nodes.at[weight].type.dtype, bytes);
	uint32_t at = UINT32_MAX;
	for (uint32_t j = i; j > b->begin && f->start[best] > begin;) {
		uint32_t k = f->first[j - 1];
		const Step *s = &p->steps.at[k];
		bool fits = !(s->kind == STEP_LOOP && s->id == UINT32_MAX);
		for (uint32_t t = k; fits && t < j; t++)
			fits = f->live[t] + bytes <= f->limit;
		if (!fits)
			break;
		j = k;
		if (position(p, s) != UINT32_MAX) {
			best = j;
			at = position(p, s);
		}
	}
	if (at == UINT32_MAX)
		return due;
	p->issue[weight] = (Issue){at, b->loop};
	for (uint32_t t = best; t < i; t++)
		f->live[t] += bytes;
	return f->start[best];
}

/* Seconds of what stands in [begin, end), loops inside it whole, for one run of
 * the body; fills `start`. */
static void
time_body(Prefetch *f, const Body *b)
{
	double now = 0;
	for (uint32_t i = b->begin; i < b->end; i++) {
		const Step *s = &f->p->steps.at[i];
		f->start[i] = now;
		if (s->kind == STEP_NODE)
			now += node_seconds(f->p, s->id, NULL) / b->runs;
	}
}

static void
prefetch_body(Prefetch *f, const Body *b)
{
	double due = INFINITY;
	time_body(f, b);
	for (uint32_t i = b->end; i-- > b->begin;) {
		const Step *s = &f->p->steps.at[i];
		if (f->first[i] != i)
			i = f->first[i];
		else if (s->kind == STEP_LOAD)
			due = move_load(f, b, i, due < f->start[i] ? due
				: f->start[i]);
	}
}

/* Finds all bodies: the denoising loop's, outer loops'.  What is loaded once is
 * left where it is: on a CPU the thread that reads takes a core from the
 * kernels, which pays only where it hides the same load again and again. */
static void
prefetch_all(Prefetch *f)
{
	Program *p = f->p;
	uint32_t open[LOOPS_DEEP + 2];
	double runs[LOOPS_DEEP + 2] = {1};
	int depth = 0;
	for (uint32_t i = 0; i < p->steps.n; i++) {
		const Step *s = &p->steps.at[i];
		f->first[i] = i;
		if (s->kind == STEP_LOOP) {
			runs[depth + 1] = runs[depth] * (s->id == UINT32_MAX ? 1
				: (double)s->count);
			open[depth++] = i;
		}
		if (s->kind != STEP_NEXT)
			continue;
		double inside = runs[depth--];
		uint32_t begin = f->first[i] = open[depth];
		if (s->id == UINT32_MAX || p->loops.at[s->id].outer)
			prefetch_body(f, &(Body){begin + 1, i, s->id == UINT32_MAX
				? LOOP_NONE : (int)s->id, inside});
	}
}

/* Moves loads as far as no more than `limit` bytes live at any step. */
static void
prefetch_within(Program *p, int64_t limit)
{
	size_t n = p->steps.n;
	Prefetch f = {.p = p, .limit = limit};
	f.first = arena_array(p->arena, n + 1, sizeof *f.first);
	f.start = arena_array(p->arena, n + 1, sizeof *f.start);
	f.live = arena_array(p->arena, n + 1, sizeof *f.live);
	memcpy(f.live, p->live, n * sizeof *f.live);
	prefetch_all(&f);
}

static void
clear_issues(Program *p)
{
	memset(p->issue, 0xff, p->graph->nodes.n * sizeof *p->issue);
}

enum { PREFETCH_TRIES = 8 };

/* needs: a measured program (steps, live, height).
 * makes: issue, measured.
 * keeps: the height: asks for less room until gaps cost nothing. */
void
pass_prefetch(Program *p)
{
	int64_t height = p->height, limit = 0, *live = p->live;
	size_t n = p->steps.n;
	if (p->options->bare)
		return;
	Step *steps = arena_array(p->arena, n + 1, sizeof *steps);
	memcpy(steps, p->steps.at, n * sizeof *steps);
	for (size_t i = 0; i < n; i++)
		limit = max64(limit, live[i]);
	for (int i = 0; i < PREFETCH_TRIES; i++) {
		prefetch_within(p, limit);
		program_measure(p, height);
		if (p->height <= height)
			return;
		limit -= max64(p->height - height, limit / 16);
		clear_issues(p);
		p->steps.n = n;         /* as it was: no load moved */
		memcpy(p->steps.at, steps, n * sizeof *steps);
		p->live = live;
	}
	program_measure(p, height);
}
