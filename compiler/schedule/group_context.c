/* group_context.c - contexts: all candidates for loops in a stage, and in each
 * loop around much of it (sequential guidance around most of a UNet, frame after
 * frame around a decoder).
 */
#include "compiler/schedule/group.h"

#include <stdlib.h>

/* Outer loops are worth a context of their own when they hold so much of the
 * time around them. */
#define OUTER_SHARE 0.3

enum { SPOTS_PRICED = 8192 };   /* with runs of up to RUN_MAX */

/* ---- contexts ---- */

static void
context_before(Context *c)
{
	int64_t live = 0;
	const Stretch *s = c->s;
	int64_t *drop = calloc((size_t)(c->to - c->from) + 2, sizeof *drop);
	if (!drop)
		fatal(EXIT_MEMORY, "out of memory");
	for (int32_t i = c->from; i < c->to; i++) {
		live -= drop[i - c->from];
		c->before[i] = live;
		live += c->bytes[i];
		int32_t last = s->spots[i].last;
		if (last < c->to)       /* counted at spots up to its last reader */
			drop[(last > i ? last : i) + 1 - c->from] += c->bytes[i];
	}
	c->before[c->to] = live - drop[c->to - c->from];
	free(drop);
}

static Context *
context_new(Arena *a, const Stretch *s, Context *parent, int32_t from,
	int32_t to, int axis, int64_t slice)
{
	Context *c = arena_alloc(a, sizeof *c);
	size_t n = (size_t)s->n + 1;
	c->s = s;
	c->parent = parent;
	c->from = from;
	c->to = to;
	c->axis = axis;
	c->slice = slice;
	c->slices = 1;
	c->bytes = arena_array(a, n, sizeof *c->bytes);
	c->before = arena_array(a, n, sizeof *c->before);
	c->first_candidate = arena_array(a, n, sizeof *c->first_candidate);
	for (int32_t i = from; i < to; i++)
		c->bytes[i] = parent ? parent->bytes[i] : s->spots[i].bytes;
	if (parent) {
		int64_t extent = s->g->nodes.at[s->spots[to - 1].node].type
			.n[axis];
		c->taken = parent->taken | AXIS_BIT(axis);
		c->count = (extent + slice - 1) / slice;
		c->slices = parent->slices * c->count;
		c->base = run_around(parent, from, to - 1)
			- run_streamed(s, from, to - 1);
		for (int32_t i = from; i < to; i++)
			c->bytes[i] = s->spots[i].last >= to ? 0
				: !spot_has(s, i, axis) ? parent->bytes[i]
				: round_up(parent->bytes[i] / extent * slice,
					PLAN_ALIGN);
	}
	context_before(c);
	return c;
}

/* ---- candidates ---- */

/* Appends a candidate unless one of [from, n), of the same spots, needs neither
 * more bytes nor more time; those that it is better than go. */
static void
add_candidate(Context *c, Candidate x, size_t from)
{
	if (!candidate_price(c, &x))
		return;
	for (size_t i = from; i < c->candidates.n; i++) {
		const Candidate *y = &c->candidates.at[i];
		if (y->peak <= x.peak && y->seconds <= x.seconds)
			return;
	}
	size_t n = from;
	for (size_t i = from; i < c->candidates.n; i++) {
		const Candidate *y = &c->candidates.at[i];
		if (x.peak > y->peak || x.seconds > y->seconds)
			c->candidates.at[n++] = *y;
	}
	c->candidates.n = n;
	*vec_push(&c->candidates) = x;
}

/* Slices of half, a quarter, ... of the extent, down to one. */
static void
add_slices(Context *c, int32_t first, int32_t last, int axis, size_t from)
{
	int64_t n = c->s->g->nodes.at[c->s->spots[first].node].type.n[axis];
	for (int64_t slice = (n + 1) / 2;; slice = (slice + 1) / 2) {
		add_candidate(c, (Candidate){first, last, (int16_t)axis, slice, 0,
			0, NULL}, from);
		if (slice == 1)
			break;
	}
}

/* Runs of so many spots are priced: fewer in a stage that is so long that all of
 * them would take minutes and gigabytes. */
static int32_t
longest_priced(const Context *c)
{
	int64_t n = c->to - c->from, most = RUN_MAX;
	if (n > SPOTS_PRICED)
		most = max64(most * SPOTS_PRICED / n, 2);
	return (int32_t)most;
}

/* All loops over runs that begin at a spot, by rising last spot. */
static void
add_runs(Context *c, int32_t first)
{
	static const int axes[] = {AXIS_B, AXIS_F, AXIS_H, AXIS_W, AXIS_TOKEN};
	int32_t end[COUNT_OF(axes)], furthest = first - 1;
	int32_t limit = first + longest_priced(c);
	limit = limit < c->to ? limit : c->to;
	for (size_t k = 0; k < COUNT_OF(axes); k++) {
		end[k] = c->taken >> axes[k] & 1 ? first - 1
			: run_end(c->s, first, limit, axes[k]);
		furthest = end[k] > furthest ? end[k] : furthest;
	}
	for (int32_t last = first; last <= furthest; last++) {
		size_t from = c->candidates.n;
		for (size_t k = 0; k < COUNT_OF(axes); k++)
			if (last <= end[k])
				add_slices(c, first, last, axes[k], from);
	}
}

static void
add_candidates(Context *c)
{
	for (int32_t i = c->from; i < c->to; i++) {
		c->first_candidate[i] = (uint32_t)c->candidates.n;
		add_candidate(c, (Candidate){i, i, -1, 0, 0, 0, NULL},
			c->candidates.n);
		add_runs(c, i);
	}
	c->first_candidate[c->to] = (uint32_t)c->candidates.n;
}

/* The longest run along `axis` (by predicted time) in the context. */
static double
longest_run(const Context *c, int axis, int32_t *first, int32_t *last)
{
	double best = 0;
	for (int32_t i = c->from; i < c->to;) {
		int32_t end = run_end(c->s, i, c->to, axis);
		double seconds = 0;
		for (int32_t k = i; k <= end; k++)
			seconds += c->s->spots[k].seconds;
		if (seconds > best) {
			best = seconds;
			*first = i;
			*last = end;
		}
		i = end >= i ? end + 1 : i + 1;
	}
	return best;
}

/* Whether a run of any length has no halo along the axis. */
static bool
plain_along(const Stretch *s, int32_t first, int32_t last, int axis)
{
	for (int32_t i = first; i <= last; i++) {
		const Spot *spot = &s->spots[i];
		const Node *n = &s->g->nodes.at[spot->node];
		for (uint32_t u = spot->first_use;
			u < spot->first_use + spot->nuses; u++)
			if (ops_axis(n->op, &n->attr, s->uses.at[u].k,
				s->uses.at[u].has, axis) == AX_WINDOW)
				return false;
	}
	return true;
}

/* How early a loop over the axis may begin when what lacks the axis in front of
 * it is computed anew in each iteration: then it does not live through all of
 * them.  (Guidance: all that comes before the text.) */
static int32_t
repeated_from(const Context *c, int32_t first, int32_t last, int axis)
{
	const Stretch *s = c->s;
	while (first > c->from && !spot_has(s, first - 1, axis)
		&& s->spots[first - 1].repeatable
		&& s->spots[first - 1].last <= last)
		first--;
	return first;
}

static void
add_inner(Arena *a, Context *c);

static void
add_outer_loop(Arena *a, Context *c, int32_t first, int32_t last, int axis)
{
	Context *x = context_new(a, c->s, c, first, last + 1, axis, 1);
	add_candidates(x);
	add_inner(a, x);
	*vec_push(&c->inner) = x;
}

static void
add_inner(Arena *a, Context *c)
{
	static const int axes[] = {AXIS_B, AXIS_F};
	double all = 0;
	if (__builtin_popcount(c->taken) >= PLAN_REGS - 2)
		return;
	for (int32_t i = c->from; i < c->to; i++)
		all += c->s->spots[i].seconds;
	for (size_t k = 0; k < COUNT_OF(axes); k++) {
		int32_t first = 0, last = -1;
		if (c->taken >> axes[k] & 1)
			continue;
		double share = longest_run(c, axes[k], &first, &last);
		if (last - first < 2 || share < OUTER_SHARE * all
			|| !plain_along(c->s, first, last, axes[k]))
			continue;
		add_outer_loop(a, c, first, last, axes[k]);
		int32_t early = repeated_from(c, first, last, axes[k]);
		if (early < first)
			add_outer_loop(a, c, early, last, axes[k]);
	}
}

void
context_free(Context *c)
{
	for (size_t i = 0; i < c->inner.n; i++)
		context_free(c->inner.at[i]);
	vec_free(&c->inner);
	vec_free(&c->candidates);
}

Context *
context_make(Arena *a, const Stretch *s)
{
	Context *c = context_new(a, s, NULL, 0, s->n, -1, 0);
	add_candidates(c);
	add_inner(a, c);
	return c;
}
