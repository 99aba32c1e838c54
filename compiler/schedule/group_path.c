/* group_path.c - ways through a context as shortest paths: from spot to spot
 * either a single op, a run as a loop, or a loop around a context of its own.
 * What lives at the border of an edge does not depend on the other edges, so a
 * path is exact for this model.
 */
#include "compiler/schedule/group.h"

#include <math.h>
#include <stdlib.h>

double
path_cheapest(const Context *c, int64_t limit, Path *path)
{
	size_t n = (size_t)(c->to - c->from);
	double *cost = malloc((n + 1) * sizeof *cost);
	Candidate *came = malloc((n + 1) * sizeof *came);
	double *inner = calloc(c->inner.n + 1, sizeof *inner);
	if (!cost || !came || !inner)
		fatal(EXIT_MEMORY, "out of memory");
	for (size_t k = 0; k < c->inner.n; k++)
		inner[k] = path_cheapest(c->inner.at[k], limit, NULL);
	for (size_t i = 0; i <= n; i++)
		cost[i] = i ? INFINITY : 0;
	for (int32_t i = c->from; i < c->to; i++) {
		size_t at = (size_t)(i - c->from);
		if (isinf(cost[at]))
			continue;
		for (uint32_t k = c->first_candidate[i];
			k < c->first_candidate[i + 1]; k++) {
			const Candidate *x = &c->candidates.at[k];
			size_t to = (size_t)(x->last + 1 - c->from);
			if (x->peak <= limit && cost[at] + x->seconds < cost[to]) {
				cost[to] = cost[at] + x->seconds;
				came[to] = *x;
			}
		}
		for (size_t k = 0; k < c->inner.n; k++) {
			Context *x = c->inner.at[k];
			size_t to = (size_t)(x->to - c->from);
			if (x->from == i && cost[at] + inner[k] < cost[to]) {
				cost[to] = cost[at] + inner[k];
				came[to] = (Candidate){i, x->to - 1,
					(int16_t)x->axis, x->slice, 0, inner[k], x};
			}
		}
	}
	double result = cost[n];
	for (size_t at = n; path && !isinf(result) && at;) {
		*vec_push(&path->taken) = came[at];
		at = (size_t)(came[at].first - c->from);
	}
	free(inner);
	free(cost);
	free(came);
	return result;
}

/* Bytes made in the context that live in front of spot i, and all those from
 * outside that live at spot `at`. */
static int64_t
floor_at(const Context *c, int32_t i, int32_t at)
{
	const Stretch *s = c->s;
	return c->base + c->before[i] + s->streamed[at]
		+ (c->parent ? 0 : s->outside[at]);
}

/* How far a loop over any axis that is still free may go from a spot.  A run that
 * begins one spot later goes at least as far: `end` has the last answers by
 * axis, the first spot's ones are c->from - 1. */
static int32_t
reach(const Context *c, int32_t first, int32_t *end)
{
	int32_t last = first;
	for (int a = 0; a < AXIS_MAX; a++) {
		if (c->taken >> a & 1)
			continue;
		if (end[a] < first)
			end[a] = run_end(c->s, first, c->to, a);
		else
			end[a] = run_goes_on(c->s, first, end[a], c->to, a);
		last = end[a] > last ? end[a] : last;
	}
	return last;
}

/* Beginnings of loops that may go past the spot that is looked at, by rising
 * cost: one that begins later and costs less serves as well as those in front
 * of it, because it goes further. */
typedef struct Open {
	int32_t *last;
	int64_t *least;
	size_t first, n;
} Open;

static void
open_add(Open *o, int32_t last, int64_t least)
{
	while (o->n > o->first && o->least[o->n - 1] >= least)
		o->n--;
	o->last[o->n] = last;
	o->least[o->n++] = least;
}

static int64_t
open_least(Open *o, int32_t at)
{
	while (o->last[o->first] < at)
		o->first++;
	return o->least[o->first];
}

int64_t
path_floor(const Context *c)
{
	size_t n = (size_t)(c->to - c->from);
	int64_t *least = malloc((n + 1) * sizeof *least);
	Open o = {malloc((n + 1) * sizeof *o.last),
		malloc((n + 1) * sizeof *o.least), 0, 0};
	int32_t end[AXIS_MAX];
	if (!least || !o.last || !o.least)
		fatal(EXIT_MEMORY, "out of memory");
	for (size_t i = 0; i <= n; i++)
		least[i] = i ? INT64_MAX : 0;
	for (int a = 0; a < AXIS_MAX; a++)
		end[a] = c->from - 1;
	for (int32_t i = c->from; i < c->to; i++) {
		int64_t here = least[i - c->from];
		int64_t *to = &least[i + 1 - c->from];
		open_add(&o, reach(c, i, end), max64(here, floor_at(c, i, i)));
		*to = min64(*to, max64(open_least(&o, i), floor_at(c, i + 1, i)));
		for (size_t k = 0; k < c->inner.n; k++) {
			const Context *x = c->inner.at[k];
			int64_t *behind = &least[x->to - c->from];
			if (x->from == i)
				*behind = min64(*behind, max64(here,
					path_floor(x)));
		}
	}
	int64_t floor = least[n];
	free(o.least);
	free(o.last);
	free(least);
	return floor;
}
