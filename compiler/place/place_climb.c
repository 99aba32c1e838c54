/* place_climb.c - which heights are searched, how and how long.
 *
 * Rounds with budgets that double.  Each searches the target in several
 * flavours (a search that is lost in one order of branches is often short in
 * another, and knows which sections failed before), and then heights between
 * the target and the best one known, so that something is gained where the
 * target is out of reach.  The bundles go first, as they are fewer; the items
 * themselves follow, as the bundles may have no such placement.
 */
#include "compiler/place/place_part.h"

/* MORE: of the rounds after the first, whose flavours differ by chance. */
enum { FLAVOURS = 8, MORE = 16, STEPS = 8, AHEAD = 3, MOST_ROUNDS = 30 };
/* With more cells the cores of a part are searched before the part. */
static const size_t LARGE = (size_t)1 << 17;

typedef struct Climb {
	PlacePart *part;
	PlaceBundles *bundles;  /* or NULL */
	int64_t target;         /* part->height is to come down to this */
	int round;
	PlaceLimit *limit;
} Climb;

/* Nodes for one search: at first hardly more than one placement of all items,
 * as searches that begin anew where the last ones failed find more than long
 * ones.  A node of the items costs more than one of their bundles. */
static int64_t
budget(const Climb *c, const PlacePart *view)
{
	int64_t nodes = (200 + (int64_t)view->n) << c->round;
	if (!c->bundles || view != c->part)
		return nodes;
	return (int64_t)((double)nodes * (double)c->bundles->part.cells
		/ (double)view->cells);
}

/* How far above `height` the next one lies that is worth a try. */
static int64_t
step_from(const Climb *c, int64_t height)
{
	int64_t all = c->part->height - c->target;
	int64_t left = c->part->height - height;
	return max64(1, max64(left, all / 4) / STEPS);
}

/* One height in `flavours` flavours; raises *least when there is no placement of that height. */
static PlaceFound
search_height(Climb *c, PlacePart *view, int64_t height, int flavours,
	int64_t *least)
{
	int64_t nodes = budget(c, view);
	if (nodes < (int64_t)view->n)
		return PLACE_STOPPED;
	for (int k = 0; k < flavours && !c->limit->stopped; k++) {
		int flavour = c->round * MORE + c->part->first + k;
		if (flavours < FLAVOURS)
			flavour = (c->round * flavours + c->part->first + k)
				% FLAVOURS;
		PlaceFound found = place_search(view, height, flavour, nodes,
			c->limit);
		if (found == PLACE_NONE)
			*least = height + 1;
		if (found == PLACE_FOUND && view != c->part)
			place_unbundle(c->part, c->bundles);
		if (found != PLACE_STOPPED)
			return found;
	}
	return PLACE_STOPPED;
}

/* One round over the heights not excluded. */
static void
search_round(Climb *c, PlacePart *view, int64_t *least)
{
	const PlacePart *p = c->part;
	int64_t height = max64(*least, c->target);
	int flavours = c->round ? MORE : FLAVOURS;
	while (height < p->height && !c->limit->stopped) {
		PlaceFound found = search_height(c, view, height, flavours,
			least);
		if (found == PLACE_FOUND)
			return;
		height += found == PLACE_NONE ? 1 : step_from(c, height);
		flavours = 2;
	}
}

/* The rounds of the cores are AHEAD of those of the whole part, as they cost
 * less. */
static void
climb_cores(Climb *c, int64_t *least)
{
	int round = c->round ? c->round + AHEAD : 0;
	for (; round <= c->round + AHEAD && !c->limit->stopped
		&& c->part->height > c->target; round++) {
		*least = max64(*least, place_cores(c->part, c->target, round,
			c->limit));
		c->target = max64(c->target, *least);
	}
}

/* One round over all that there is; false when nothing was left to try. */
static bool
climb_round(Climb *c, int64_t *least, int64_t *bundles_least)
{
	PlacePart *p = c->part;
	if (p->cells > LARGE && !p->is_core) {
		climb_cores(c, least);
		place_greedy_rest(p, c->target, c->limit);
	}
	if (p->cells > PLACE_HUGE)
		return c->round < MOST_ROUNDS && !p->is_core;
	if (c->bundles)
		search_round(c, &c->bundles->part, bundles_least);
	search_round(c, p, least);
	c->target = max64(c->target, *least);
	return true;
}

int64_t
place_climb(PlacePart *p, PlaceBundles *bundles, int64_t target,
	PlaceLimit *limit)
{
	Climb c = {.part = p, .bundles = bundles, .limit = limit,
		.target = max64(target, p->bound)};
	int64_t least = p->bound, bundles_least = p->bound;
	Arena arena = {0};
	size_t states = (size_t)1 << PLACE_FAILED_BITS;
	limit->stopped |= limit->timed && now_seconds() > limit->end;
	if (p->height <= c.target || limit->stopped)
		return least;
	p->failed = arena_array(&arena, states, sizeof *p->failed);
	if (bundles)
		bundles->part.failed = arena_array(&arena, states,
			sizeof *p->failed);
	while (p->height > c.target && !limit->stopped
		&& climb_round(&c, &least, &bundles_least))
		c.round += c.round < MOST_ROUNDS;
	arena_free(&arena);
	return least;
}
