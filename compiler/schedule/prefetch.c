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

/* One iteration's worth of code: items [begin, end) directly inside a loop. */
typedef struct Body {
	uint32_t begin, end;
	int loop;               /* index into loops, LOOP_NONE */
	double runs;            /* iterations in one denoising step */
} Body;

typedef struct Prefetch {
	Program *p;
	int64_t limit, *live;   /* by item, with the loads moved so far */
	uint32_t *first;        /* by item: where the loop that ends here begins */
	double *start;          /* by item: seconds since its body began */
} Prefetch;

/* Order position of an item in front of which a load may stand, UINT32_MAX:
 * none. */
static uint32_t
position(const Program *p, const CodeItem *s)
{
	if (s->kind == CODE_NODE)
		return p->plan[s->id].position;
	if (s->kind == CODE_LOOP && !code_over_steps(s))
		return p->loops.at[s->id].first;
	return UINT32_MAX;
}

/* Moves the load at item i to end at `due`; returns when it begins then. */
static double
move_load(Prefetch *f, const Body *b, uint32_t i, double due)
{
	Program *p = f->p;
	uint32_t weight = p->code.at[i].id, best = i;
	int64_t bytes = round_up(p->storages.at[p->storage_of[weight]].bytes,
		PLAN_ALIGN);
	double begin = due - cost_load(cost_profile(p->options),
		p->graph->nodes.at[weight].type.dtype, bytes);
	uint32_t at = UINT32_MAX;
	for (uint32_t j = i; j > b->begin && f->start[best] > begin;) {
		uint32_t k = f->first[j - 1];
		const CodeItem *s = &p->code.at[k];
		bool fits = s->kind != CODE_LOOP || !code_over_steps(s);
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
		const CodeItem *s = &f->p->code.at[i];
		f->start[i] = now;
		if (s->kind == CODE_NODE)
			now += node_seconds(f->p, s->id, NULL) / b->runs;
	}
}

static void
prefetch_body(Prefetch *f, const Body *b)
{
	double due = INFINITY;
	time_body(f, b);
	for (uint32_t i = b->end; i-- > b->begin;) {
		const CodeItem *s = &f->p->code.at[i];
		if (f->first[i] != i)
			i = f->first[i];
		else if (s->kind == CODE_LOAD)
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
	for (CodeWalk w = {0}; w.at < p->code.n; code_past(p, &w)) {
		const CodeItem *s = &p->code.at[w.at];
		bool next = s->kind == CODE_NEXT, steps = code_over_steps(s);
		f->first[w.at] = next ? w.loop[w.depth - 1] : w.at;
		if (next && (steps || p->loops.at[s->id].outer))
			prefetch_body(f, &(Body){f->first[w.at] + 1, w.at,
				steps ? LOOP_NONE : (int)s->id,
				(double)code_runs_in_step(p, &w)});
	}
}

/* Moves loads as far as no more than `limit` bytes live at any item. */
static void
prefetch_within(Program *p, int64_t limit)
{
	size_t n = p->code.n;
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

/* needs: a measured program (code, live, height).
 * makes: issue, measured.
 * keeps: the height: asks for less room until gaps cost nothing. */
void
pass_prefetch(Program *p)
{
	int64_t height = p->height, limit = 0, *live = p->live;
	size_t n = p->code.n;
	if (p->options->bare)
		return;
	CodeItem *code = arena_array(p->arena, n + 1, sizeof *code);
	memcpy(code, p->code.at, n * sizeof *code);
	for (size_t i = 0; i < n; i++)
		limit = max64(limit, live[i]);
	for (int i = 0; i < PREFETCH_TRIES; i++) {
		prefetch_within(p, limit);
		program_measure(p, height);
		if (p->height <= height)
			return;
		limit -= max64(p->height - height, limit / 16);
		clear_issues(p);
		p->code.n = n;          /* as it was: no load moved */
		memcpy(p->code.at, code, n * sizeof *code);
		p->live = live;
	}
	program_measure(p, height);
}
