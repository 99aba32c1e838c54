/* group.c - chooses the loops over slices.
 *
 * For a limit T on the bytes that live at once, the cheapest way through a
 * context is a shortest path: from spot to spot either a single op, a run as a
 * loop, or a loop around a context of its own (sequential guidance around most
 * of a UNet, frame after frame around a decoder); every edge whose peak is over
 * T is missing.  What lives at the border of an edge does not depend on the
 * other edges, so the path is exact for this model.  The goal then picks T.
 */
#include "group.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Outer loops are worth a context of their own when they hold so much of the
 * time around them. */
#define OUTER_SHARE 0.3

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

static void
add_candidate(Context *c, Candidate x)
{
	if (candidate_price(c, &x))
		*vec_push(&c->candidates) = x;
}

/* Slices of half, a quarter, ... of the extent, down to one. */
static void
add_runs(Context *c, int32_t first, int axis)
{
	const Stretch *s = c->s;
	int32_t limit = first + RUN_MAX < c->to ? first + RUN_MAX : c->to;
	int32_t end = run_end(s, first, limit, axis);
	for (int32_t last = first; last <= end; last++) {
		int64_t n = s->g->nodes.at[s->spots[first].node].type.n[axis];
		for (int64_t slice = (n + 1) / 2;; slice = (slice + 1) / 2) {
			add_candidate(c, (Candidate){first, last, (int16_t)axis,
				slice, 0, 0, NULL});
			if (slice == 1)
				break;
		}
	}
}

static void
add_candidates(Context *c)
{
	static const int axes[] = {AXIS_B, AXIS_F, AXIS_H, AXIS_W, AXIS_TOKEN};
	for (int32_t i = c->from; i < c->to; i++) {
		c->first_candidate[i] = (uint32_t)c->candidates.n;
		add_candidate(c, (Candidate){i, i, -1, 0, 0, 0, NULL});
		for (size_t k = 0; k < COUNT_OF(axes); k++)
			if (!(c->taken >> axes[k] & 1))
				add_runs(c, i, axes[k]);
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

static void
context_free(Context *c)
{
	for (size_t i = 0; i < c->inner.n; i++)
		context_free(c->inner.at[i]);
	vec_free(&c->inner);
	vec_free(&c->candidates);
}

/* ---- shortest paths ---- */

typedef struct Path {
	double seconds;
	Vec(Candidate) taken;   /* last first */
} Path;

/* Cheapest way through a context with no more than `limit` bytes at once;
 * INFINITY when there is none.  `path` may be NULL. */
static double
cheapest(const Context *c, int64_t limit, Path *path)
{
	size_t n = (size_t)(c->to - c->from);
	double *cost = malloc((n + 1) * sizeof *cost);
	Candidate *came = malloc((n + 1) * sizeof *came);
	if (!cost || !came)
		fatal(EXIT_MEMORY, "out of memory");
	double *inner = calloc(c->inner.n + 1, sizeof *inner);
	for (size_t k = 0; k < c->inner.n; k++)
		inner[k] = cheapest(c->inner.at[k], limit, NULL);
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

/* ---- the stages together ---- */

typedef struct Grouper {
	Program *p;
	Arena scratch;
	Context *stage[ST_COUNT];
	double times[ST_COUNT]; /* how often the stage runs */
	int64_t floor;          /* no limit below is feasible */
	int64_t high;           /* a limit that is */
} Grouper;

static double
total_seconds(const Grouper *g, int64_t limit)
{
	double sum = 0;
	for (int i = 0; i < ST_COUNT; i++)
		if (g->stage[i])
			sum += g->times[i] * cheapest(g->stage[i], limit, NULL);
	return sum;
}

/* The smallest limit in (lo, hi] whose time is at most `seconds`; `hi` must be
 * feasible. */
static int64_t
least_limit(const Grouper *g, int64_t lo, int64_t hi, double seconds)
{
	while (hi - lo > PLAN_ALIGN && hi - lo > hi / 4096) {
		int64_t mid = lo + (hi - lo) / 2;
		if (total_seconds(g, mid) <= seconds)
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
		Context *c = context_new(&g->scratch, s, NULL, 0, s->n, -1, 0);
		bool over_steps = stage == ST_LOOP || stage == ST_STEPS;
		g->times[stage] = over_steps ? (double)p->graph->steps : 1;
		g->stage[stage] = c;
		if (stage == ST_STEPS) {        /* rows of a few channels */
			for (int32_t k = 0; k < s->n; k++)
				s->spots[k].sliceable = 0;
		}
		add_candidates(c);
		add_inner(&g->scratch, c);
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
	cheapest(c, limit, &path);
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

static void
clear_loops(Program *p)
{
	p->loops.n = 0;
	for (uint32_t i = 0; i < p->order.n; i++) {
		NodePlan *np = &p->plan[p->order.at[i]];
		np->loop = LOOP_NONE;
		memset(np->slice, 0, sizeof np->slice);
	}
}

static void
measure(Program *p)
{
	pass_code(p);
	pass_live(p);
	pass_place(p);
}

static void
apply_limit(Grouper *g, int64_t limit)
{
	clear_loops(g->p);
	for (int i = 0; i < ST_COUNT; i++)
		if (g->stage[i])
			apply_path(g->p, g->stage[i], limit, LOOP_NONE, 0);
	measure(g->p);
}

/* The last placement may search so long. */
#define PLACE_SECONDS 1.0
/* The default takes what costs at most this much more time. */
#define DEFAULT_SLOWDOWN 1.05

static void
grouper_begin(Grouper *g, Program *p)
{
	*g = (Grouper){.p = p};
	make_stages(g);
	g->high = 4 * p->unsliced_height;
	g->floor = least_limit(g, 0, g->high, 1e300);
}

static void
grouper_end(Grouper *g)
{
	for (int i = 0; i < ST_COUNT; i++)
		if (g->stage[i]) {
			vec_free(&((Stretch *)g->stage[i]->s)->uses);
			context_free(g->stage[i]);
		}
	arena_free(&g->scratch);
}

/* Gaps and alignment can cost a little more than the sum of what lives: asks
 * for less until the budget holds. */
static void
meet_budget(Grouper *g, int64_t budget)
{
	int64_t limit = max64(budget, g->floor);
	apply_limit(g, limit);
	for (int i = 0; i < 8 && g->p->height > budget && limit > g->floor; i++) {
		limit = max64(limit - (g->p->height - budget), g->floor);
		apply_limit(g, limit);
	}
}

/* Whether a weight is used inside the denoising loop. */
static bool
streamable(const Program *p, uint32_t weight, const Users *users)
{
	for (uint32_t u = users->first[weight]; u < users->first[weight + 1]; u++)
		if (p->graph->nodes.at[users->user[u]].stage != ST_LOOP)
			return false;
	return users->first[weight] < users->first[weight + 1];
}

static void
stream_all(Program *p)
{
	Users users = ir_users(p->graph, p->arena);
	for (uint32_t i = 1; i < p->graph->nodes.n; i++)
		p->streamed[i] = p->graph->nodes.at[i].op == OP_weight
			&& streamable(p, i, &users);
}

typedef struct Resident { uint32_t node; int64_t bytes; } Resident;

static int
by_bytes(const void *a, const void *b)
{
	const Resident *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->node < y->node ? -1 : x->node > y->node;
}

/* First and last step of the loop over denoising steps. */
static void
main_loop(const Program *p, uint32_t *begin, uint32_t *end)
{
	*begin = *end = 0;
	for (uint32_t i = 0; i < p->steps.n; i++)
		if (p->steps.at[i].id == UINT32_MAX) {
			if (p->steps.at[i].kind == STEP_LOOP)
				*begin = i;
			else
				*end = i;
		}
}

/* Streamed weights that fit beside everything else all through the loop stay:
 * the largest first, as long as `limit` holds at every step.  Bytes are what a
 * load costs, so this is the knapsack's greedy answer. */
static void
keep_residents(Program *p, int64_t limit)
{
	uint32_t begin, end;
	size_t n = 0, nsteps = p->steps.n;
	main_loop(p, &begin, &end);
	int64_t *live = arena_array(p->arena, nsteps + 1, sizeof *live);
	Resident *r = arena_array(p->arena, p->graph->nodes.n, sizeof *r);
	for (size_t i = 0; i < p->storages.n; i++) {
		const Storage *s = &p->storages.at[i];
		for (uint32_t t = s->first; t <= s->last
			&& s->same_as == UINT32_MAX; t++)
			live[t] += round_up(s->bytes, PLAN_ALIGN);
		if (s->role == BUF_WEIGHT && p->streamed[s->id])
			r[n++] = (Resident){s->id, round_up(s->bytes, PLAN_ALIGN)};
	}
	qsort(r, n, sizeof *r, by_bytes);
	for (size_t k = 0; k < n; k++) {
		const Storage *s = &p->storages.at[p->storage_of[r[k].node]];
		bool fits = true;
		for (uint32_t t = begin; fits && t <= end; t++)
			fits = (t >= s->first && t <= s->last)
				|| live[t] + r[k].bytes <= limit;
		for (uint32_t t = begin; fits && t <= end; t++)
			if (t < s->first || t > s->last)
				live[t] += r[k].bytes;
		if (fits)
			p->streamed[r[k].node] = false;
	}
}

/* Streams the loop's weights, then keeps as many resident as the limit allows.
 * `budget` 0: the lowest height. */
static void
stream_weights(Program *p, int64_t budget)
{
	Grouper g;
	stream_all(p);
	grouper_begin(&g, p);
	if (budget)
		meet_budget(&g, budget);
	else
		apply_limit(&g, g.floor);
	grouper_end(&g);
	int64_t limit = max64(budget, p->height), allowed = limit;
	bool *all = arena_array(p->arena, p->graph->nodes.n, sizeof *all);
	memcpy(all, p->streamed, p->graph->nodes.n * sizeof *all);
	for (int i = 0; i < 6; i++) {
		keep_residents(p, allowed);
		measure(p);
		if (p->height <= limit)
			return;
		allowed -= p->height - limit;
		memcpy(p->streamed, all, p->graph->nodes.n * sizeof *all);
		measure(p);
	}
}

static void
choose(Program *p)
{
	const CompileOptions *o = p->options;
	Grouper g;
	grouper_begin(&g, p);
	if (o->goal == SLICE_DEFAULT)
		apply_limit(&g, least_limit(&g, g.floor - 1, g.high,
			p->unsliced_seconds * DEFAULT_SLOWDOWN));
	else if (o->goal == SLICE_BUDGET)
		meet_budget(&g, o->budget);
	grouper_end(&g);
	if (o->goal == SLICE_LEAST)
		stream_weights(p, 0);
	else if (o->goal == SLICE_BUDGET && p->height > o->budget)
		stream_weights(p, o->budget);
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
			* cost_node(cost_profile(), p->graph, n, 1);
	}
	return sum;
}

/* needs: order.
 * makes: loops, slices, streamed; unsliced_height and unsliced_seconds.
 * keeps: values bit for bit. */
void
pass_group(Program *p)
{
	clear_loops(p);
	p->place_seconds = 0;
	measure(p);
	p->unsliced_height = p->height;
	p->unsliced_seconds = plain_seconds(p);
	if (p->options->goal != SLICE_NONE)
		choose(p);
	p->place_seconds = PLACE_SECONDS;
}
