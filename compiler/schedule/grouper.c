/* grouper.c - all stages of a program under one limit on the bytes that live at
 * once: predicted time, and the loops that it takes.
 */
#include "compiler/schedule/group.h"

#include <math.h>
#include <string.h>

double
grouper_seconds(const Grouper *g, int64_t limit)
{
	double sum = 0;
	for (int i = 0; i < ST_COUNT; i++)
		if (g->stage[i])
			sum += g->times[i] * path_cheapest(g->stage[i], limit, NULL);
	return sum;
}

int64_t
grouper_least_limit(const Grouper *g, int64_t lo, int64_t hi, double seconds)
{
	while (hi - lo > PLAN_ALIGN && hi - lo > hi / 4096) {
		int64_t mid = lo + (hi - lo) / 2;
		if (grouper_seconds(g, mid) <= seconds)
			hi = mid;
		else
			lo = mid;
	}
	return hi;
}

static void
make_stages(Grouper *g)
{
	Program *p = g->p;
	uint32_t n = (uint32_t)p->order.n;
	for (uint32_t i = 0; i < n;) {
		uint32_t end = i;
		int stage = p->graph->nodes.at[p->order.at[i]].stage;
		while (end < n && p->graph->nodes.at[p->order.at[end]].stage
			== stage)
			end++;
		Stretch *s = stretch_new(p, i, (int32_t)(end - i));
		bool over_steps = stage == ST_LOOP || stage == ST_STEPS;
		g->times[stage] = over_steps ? (double)p->graph->steps : 1;
		if (stage == ST_STEPS) {        /* rows of a few channels */
			for (int32_t k = 0; k < s->n; k++)
				s->spots[k].sliceable = 0;
		}
		g->stage[stage] = context_make(&g->scratch, s);
		i = end;
	}
}

/* ---- from paths to loops ---- */

static void
apply_slices(Program *p, const Context *c, const Candidate *x)
{
	Slice range[RUN_MAX];
	const Stretch *s = c->s;
	if (!x->loop)
		run_ranges(s, x->first, x->last, x->axis, x->slice, range);
	for (int32_t i = x->first; i <= x->last; i++)
		if (spot_has(s, i, x->axis))
			p->plan[s->spots[i].node].slice[x->axis] = x->loop
				? (Slice){x->slice, 0, x->slice}
				: range[i - x->first];
}

static void
apply_path(Program *p, const Context *c, int64_t limit, int parent, int depth)
{
	Path path = {0};
	const Stretch *s = c->s;
	path_cheapest(c, limit, &path);
	for (size_t k = path.taken.n; k--;) {
		const Candidate *x = &path.taken.at[k];
		if (x->axis < 0)
			continue;
		int id = (int)p->loops.n;
		int64_t n = s->g->nodes.at[s->spots[x->last].node]
			.type.n[x->axis];
		*vec_push(&p->loops) = (Loop){s->start + (uint32_t)x->first,
			s->start + (uint32_t)x->last, x->axis, depth + 1, x->slice,
			(n + x->slice - 1) / x->slice, parent,
			x->loop != NULL};
		apply_slices(p, c, x);
		if (x->loop)
			apply_path(p, x->loop, limit, id, depth + 1);
		for (int32_t i = x->first; !x->loop && i <= x->last; i++)
			p->plan[s->spots[i].node].loop = id;
		for (int32_t i = x->first; x->loop && i <= x->last; i++)
			if (p->plan[s->spots[i].node].loop == LOOP_NONE)
				p->plan[s->spots[i].node].loop = id;
	}
	vec_free(&path.taken);
}

void
groups_clear(Program *p)
{
	p->loops.n = 0;
	for (uint32_t i = 0; i < p->order.n; i++) {
		NodePlan *np = &p->plan[p->order.at[i]];
		np->loop = LOOP_NONE;
		memset(np->slice, 0, sizeof np->slice);
	}
}

void
grouper_apply(Grouper *g, int64_t limit, int64_t within)
{
	groups_clear(g->p);
	for (int i = 0; i < ST_COUNT; i++)
		if (g->stage[i])
			apply_path(g->p, g->stage[i], limit, LOOP_NONE, 0);
	g->p->floor = g->floor;
	program_measure(g->p, within);
}

void
grouper_begin(Grouper *g, Program *p)
{
	*g = (Grouper){.p = p};
	make_stages(g);
	g->high = 4 * p->unsliced_height;
	g->least = grouper_least_limit(g, 0, g->high, 1e300);
	for (int i = 0; i < ST_COUNT; i++)
		if (g->stage[i])
			g->floor = max64(g->floor, path_floor(g->stage[i]));
}

void
grouper_end(Grouper *g)
{
	for (int i = 0; i < ST_COUNT; i++)
		if (g->stage[i]) {
			vec_free(&((Stretch *)g->stage[i]->s)->uses);
			context_free(g->stage[i]);
		}
	arena_free(&g->scratch);
}

/* The smallest limit under which the stage has a way. */
static int64_t
stage_least(const Grouper *g, int stage)
{
	int64_t lo = 0, hi = g->high;
	while (hi - lo > PLAN_ALIGN) {
		int64_t mid = lo + (hi - lo) / 2;
		if (isinf(path_cheapest(g->stage[stage], mid, NULL)))
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

void
grouper_apply_least(Grouper *g)
{
	groups_clear(g->p);
	for (int i = 0; i < ST_COUNT; i++)
		if (g->stage[i])
			apply_path(g->p, g->stage[i], stage_least(g, i),
				LOOP_NONE, 0);
	g->p->floor = g->floor;
	program_measure(g->p, 0);
}

enum { MEET_TRIES = 6 };

void
grouper_meet(Grouper *g, int64_t budget)
{
	int64_t limit = max64(budget, g->least);
	grouper_apply(g, limit, budget);
	for (int i = 0; i < MEET_TRIES && g->p->height > budget
		&& limit > g->least; i++) {
		limit = max64(limit - (g->p->height - budget), g->least);
		grouper_apply(g, limit, budget);
	}
}
