/* group.c - chooses the loops over slices and the weights that are streamed.
 *
 * For a limit T on the bytes that live at once, the fastest program is a
 * shortest path through each stage (group_path.c) in which every edge whose
 * peak is over T is missing.  The goal then picks T.
 */
#include "compiler/schedule/group.h"

#include <string.h>

/* The default takes what costs at most this much more time. */
#define DEFAULT_SLOWDOWN 1.05

/* ---- what is decided, to come back to it ---- */

typedef struct Decision {
	Loop *loop;
	size_t nloops;
	NodePlan *plan;
	bool *streamed;
	int64_t height, floor;
} Decision;

static void *
copy_array(Arena *a, const void *from, size_t n, size_t size)
{
	void *copy = arena_array(a, n + 1, size);
	if (n)
		memcpy(copy, from, n * size);
	return copy;
}

static void
decision_keep(const Program *p, Decision *d)
{
	size_t n = p->graph->nodes.n;
	d->nloops = p->loops.n;
	d->loop = copy_array(p->arena, p->loops.at, p->loops.n, sizeof(Loop));
	d->plan = copy_array(p->arena, p->plan, n, sizeof *d->plan);
	d->streamed = copy_array(p->arena, p->streamed, n, sizeof(bool));
	d->height = p->height;
	d->floor = p->floor;
}

static void
decision_take(Program *p, const Decision *d)
{
	size_t n = p->graph->nodes.n;
	p->loops.n = 0;
	for (size_t i = 0; i < d->nloops; i++)
		*vec_push(&p->loops) = d->loop[i];
	memcpy(p->plan, d->plan, n * sizeof *d->plan);
	memcpy(p->streamed, d->streamed, n * sizeof(bool));
	p->floor = d->floor;
	program_measure(p, d->height);
}

/* ---- choosing ---- */

void
chooser_begin(Chooser *c, Program *p)
{
	*c = (Chooser){.p = p};
}

void
chooser_end(Chooser *c)
{
	if (c->resident.p)
		grouper_end(&c->resident);
	if (c->streamed.p)
		grouper_end(&c->streamed);
}

static Grouper *
resident(Chooser *c)
{
	memset(c->p->streamed, 0, c->p->graph->nodes.n * sizeof(bool));
	if (!c->resident.p)
		grouper_begin(&c->resident, c->p);
	return &c->resident;
}

static Grouper *
streamed(Chooser *c)
{
	stream_all(c->p);
	if (!c->streamed.p)
		grouper_begin(&c->streamed, c->p);
	return &c->streamed;
}

/* Whether it is worth a try: the least limit is an estimate. */
static bool
in_reach(const Grouper *g, int64_t budget)
{
	return g->least <= add_sz(budget, budget / 16);
}

bool
chooser_within(Chooser *c, int64_t budget)
{
	Program *p = c->p;
	Grouper *g = streamed(c);
	if (!in_reach(g, budget))       /* resident weights need more still */
		return false;
	g = resident(c);
	if (in_reach(g, budget)) {
		grouper_meet(g, budget);
		if (p->height <= budget)
			return true;
	}
	grouper_meet(streamed(c), budget);
	if (p->height > budget)
		return false;
	stream_keep(p, budget);
	return true;
}

enum { LOWEST_TRIES = 4 };

/* The lowest height with all weights streamed.  The least limit leaves no
 * room for gaps, so a little more may be less in the end. */
static void
lowest_streamed(Chooser *c)
{
	Grouper *g = streamed(c);
	Decision best = {.height = INT64_MAX};
	for (int i = 0; i < LOWEST_TRIES; i++) {
		int64_t limit = g->least + g->least / 64 * i;
		if (limit >= best.height)
			break;
		grouper_apply(g, limit, limit);
		if (c->p->height < best.height)
			decision_keep(c->p, &best);
		if (c->p->height <= limit)
			break;
	}
	decision_take(c->p, &best);
}

void
chooser_least(Chooser *c)
{
	Program *p = c->p;
	Decision best;
	lowest_streamed(c);
	decision_keep(p, &best);
	for (int64_t part = 64; part <= 1024; part *= 4)
		while (chooser_within(c, best.height - best.height / part))
			decision_keep(p, &best);
	decision_take(p, &best);
	stream_keep(p, p->height);
}

static void
choose(Program *p)
{
	const CompileOptions *o = p->options;
	Chooser c;
	chooser_begin(&c, p);
	if (o->goal == SLICE_NONE) {
		p->floor = resident(&c)->floor;
	} else if (o->bare) {
		grouper_apply_least(streamed(&c));
	} else if (o->goal == SLICE_DEFAULT) {
		Grouper *g = resident(&c);
		grouper_apply(g, grouper_least_limit(g, g->least - 1, g->high,
			p->unsliced_seconds * DEFAULT_SLOWDOWN), 0);
	} else if (o->goal == SLICE_LEAST || !chooser_within(&c, o->budget)) {
		chooser_least(&c);
	}
	chooser_end(&c);
	/* gaps in a tiny program can cost more than slices save */
	if (p->height > p->unsliced_height) {
		memset(p->streamed, 0, p->graph->nodes.n * sizeof *p->streamed);
		groups_none(p);
	}
}

/* Predicted time without loops. */
static double
plain_seconds(const Program *p)
{
	double sum = 0;
	for (uint32_t i = 0; i < p->order.n; i++) {
		const Node *n = &p->graph->nodes.at[p->order.at[i]];
		bool over_steps = n->stage == ST_LOOP || n->stage == ST_STEPS;
		sum += (over_steps ? (double)p->graph->steps : 1)
			* cost_node(cost_profile(p->options), p->graph, n, 1);
	}
	return sum;
}

void
groups_none(Program *p)
{
	groups_clear(p);
	program_measure(p, 0);
	p->unsliced_height = p->height;
	p->unsliced_seconds = plain_seconds(p);
}

/* needs: order.
 * makes: loops, slices, streamed; unsliced_height and unsliced_seconds.
 * keeps: values bit for bit. */
void
pass_group(Program *p)
{
	groups_none(p);
	choose(p);
}
