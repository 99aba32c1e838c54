/* group_candidate.c - what a run costs as a loop: its slices with their halos,
 * the bytes that live around and inside it, the predicted time.
 */
#include "compiler/schedule/group.h"

#include <string.h>

/* The part of an operand along `axis` that a slice of the node reads. */
static Slice
reads(const Node *n, const SpotUse *use, int axis, Slice out)
{
	if (ops_axis(n->op, &n->attr, use->k, use->has, axis) == AX_WINDOW) {
		int64_t extent = n->type.n[axis];
		ops_window(n->op, &n->attr, axis, extent, extent, &out.lo, &out.hi);
	}
	return out;
}

/* An upsampling inside a loop reads whole rows of its input for each slice. */
static bool
slice_fits(const Stretch *s, const Node *n, int axis, int64_t slice)
{
	if (n->op != OP_resize || !(n->attr.over >> axis & 1))
		return true;
	int64_t in = s->g->nodes.at[n->in[0]].type.n[axis];
	int64_t out = n->type.n[axis];
	if (out == 2 * in || out == 2 * in - 1)
		return slice % 2 == 0;
	return slice * in % out == 0;
}

bool
run_ranges(const Stretch *s, int32_t first, int32_t last, int axis,
	int64_t slice, Slice *range)
{
	for (int32_t i = first; i <= last; i++)
		range[i - first] = (Slice){slice, INT64_MAX, INT64_MIN};
	for (int32_t i = last; i >= first; i--) {
		const Spot *spot = &s->spots[i];
		const Node *n = &s->g->nodes.at[spot->node];
		Slice *r = &range[i - first];
		if (!slice_fits(s, n, axis, slice))
			return false;
		if (spot->last > last || r->lo > r->hi) {
			r->lo = min64(r->lo, 0);
			r->hi = max64(r->hi, slice);
		}
		for (uint32_t u = spot->first_use;
			u < spot->first_use + spot->nuses; u++) {
			const SpotUse *use = &s->uses.at[u];
			if (use->def < first)
				continue;
			Slice want = reads(n, use, axis, *r);
			Slice *have = &range[use->def - first];
			have->lo = min64(have->lo, want.lo);
			have->hi = max64(have->hi, want.hi);
		}
	}
	return true;
}

int64_t
run_streamed(const Stretch *s, int32_t first, int32_t last)
{
	int64_t sum = s->streamed[first];
	for (int32_t i = first + 1; i <= last; i++)
		sum += s->streaming[i];
	return sum;
}

int64_t
run_around(const Context *c, int32_t first, int32_t last)
{
	const Stretch *s = c->s;
	int64_t sum = c->base + c->before[first] + run_streamed(s, first, last);
	if (!c->parent) {
		sum += s->outside[first];
		for (int32_t i = first + 1; i <= last; i++)
			sum += s->arriving[i];
	}
	for (int32_t i = first; i <= last; i++)
		if (s->spots[i].last > last)
			sum += c->bytes[i];
	return sum;
}

/* Bytes of spot i's value inside a run: its slice, or 0 when it stands whole
 * around the run. */
static int64_t
local_bytes(const Context *c, int32_t i, int32_t last, int axis, const Slice *r)
{
	const Spot *spot = &c->s->spots[i];
	int64_t n = c->s->g->nodes.at[spot->node].type.n[axis];
	if (spot->last > last)
		return 0;
	return round_up(c->bytes[i] / n * min64(r->hi - r->lo, n), PLAN_ALIGN);
}

/* Largest sum of the slices that live at once, with workspaces. */
static int64_t
inside_peak(const Context *c, const Candidate *x, const Slice *range)
{
	const Stretch *s = c->s;
	int64_t live = 0, peak = 0;
	for (int32_t i = x->first; i <= x->last; i++) {
		const Spot *spot = &s->spots[i];
		int32_t q = spot->inplace;
		int64_t mine = local_bytes(c, i, x->last, x->axis,
			&range[i - x->first]);
		int64_t taken = q >= x->first && spot->last <= x->last
			? local_bytes(c, q, x->last, x->axis, &range[q - x->first])
			: 0;
		if (taken != mine)
			taken = 0;
		live += mine - taken;
		peak = max64(peak, live + spot->work);
		/* what was read here for the last time goes */
		for (uint32_t u = spot->first_use;
			u < spot->first_use + spot->nuses; u++) {
			int32_t d = s->uses.at[u].def;
			bool again = false;
			for (uint32_t v = spot->first_use; v < u; v++)
				again |= s->uses.at[v].def == d;
			if (d >= x->first && !again && s->spots[d].last == i
				&& !(taken && d == q))
				live -= local_bytes(c, d, x->last, x->axis,
					&range[d - x->first]);
		}
		if (spot->last == i)    /* nothing reads it */
			live -= mine;
	}
	return peak;
}

/* cost_node of a spot: the same few numbers of slices are asked for again and
 * again. */
static double
sliced_seconds(const Stretch *s, int32_t i, int64_t slices)
{
	Spot *spot = &s->spots[i];
	size_t at = (uint64_t)slices * 0x9e3779b97f4a7c15u >> 60;
	if (spot->priced[at].slices != slices) {
		spot->priced[at].slices = slices;
		spot->priced[at].seconds = cost_node(s->profile, s->g,
			&s->g->nodes.at[spot->node], slices);
	}
	return spot->priced[at].seconds;
}

/* Seconds of a spot in a context when its slice there is cut in `slices` more:
 * loops around it over an axis that it lacks repeat it. */
static double
spot_seconds(const Context *c, int32_t i, int64_t slices)
{
	const Stretch *s = c->s;
	double repeats = 1;
	for (const Context *x = c; x->parent; x = x->parent)
		if (spot_has(s, i, x->axis))
			slices *= x->count;
		else
			repeats *= (double)x->count;
	return repeats * (slices == 1 ? s->spots[i].seconds
		: sliced_seconds(s, i, slices));
}

/* One spot without a loop. */
static void
price_single(const Context *c, Candidate *x)
{
	const Spot *spot = &c->s->spots[x->first];
	int32_t q = spot->inplace;
	x->peak = run_around(c, x->first, x->last) + spot->work;
	if (spot->last <= x->last)
		x->peak += c->bytes[x->first];
	if (q >= c->from && c->bytes[q] == c->bytes[x->first])
		x->peak -= c->bytes[q];
	x->seconds = spot_seconds(c, x->first, 1)
		+ (double)c->slices * c->s->load_seconds[x->first];
}

/* Whether all of the run that read spot q read exactly the slice that spot i
 * writes, in front of it, so that i's result may lie where q was. */
static bool
reads_same(const Context *c, const Candidate *x, int32_t i, int32_t q,
	const Slice *range)
{
	const Stretch *s = c->s;
	const Slice *w = &range[i - x->first];
	if (w->lo != 0 || w->hi != w->step)
		return false;
	for (int32_t m = x->first; m <= x->last; m++) {
		const Spot *spot = &s->spots[m];
		const Node *n = &s->g->nodes.at[spot->node];
		const Slice *r = &range[m - x->first];
		for (uint32_t u = spot->first_use;
			u < spot->first_use + spot->nuses; u++) {
			const SpotUse *use = &s->uses.at[u];
			if (use->def != q)
				continue;
			if (m > i || (m == i && s->spots[i].inplace != q)
				|| ops_axis(n->op, &n->attr, use->k, use->has,
					x->axis) != AX_SAME
				|| !(use->straight >> x->axis & 1)
				|| r->lo != w->lo || r->hi != w->hi)
				return false;
		}
	}
	return true;
}

/* Whether the values of two spots have the same bytes for the same indices. */
static bool
same_shape(const Stretch *s, int32_t a, int32_t b)
{
	const Type *x = &s->g->nodes.at[s->spots[a].node].type;
	const Type *y = &s->g->nodes.at[s->spots[b].node].type;
	return x->axes == y->axes && !memcmp(x->n, y->n, sizeof x->n)
		&& dtype_bytes(x->dtype) == dtype_bytes(y->dtype);
}

/* The value from in front of the run that dies in it and whose place spot i's
 * result, whole around the run, may take; -1: none.  `taken` has those of other
 * results. */
static int32_t
dying_spot(const Context *c, const Candidate *x, int32_t i, const Slice *range,
	const int32_t *taken, int n)
{
	const Stretch *s = c->s;
	for (int32_t m = x->first; m <= i; m++) {
		const Spot *spot = &s->spots[m];
		for (uint32_t u = spot->first_use;
			u < spot->first_use + spot->nuses; u++) {
			int32_t q = s->uses.at[u].def;
			bool free = q >= c->from && q < x->first
				&& s->spots[q].last <= x->last
				&& c->bytes[q] == c->bytes[i]
				&& same_shape(s, q, i);
			for (int k = 0; free && k < n; k++)
				free = taken[k] != q;
			if (free && reads_same(c, x, i, q, range))
				return q;
		}
	}
	return -1;
}

/* Bytes of results of a run that lie where other values died in it. */
static int64_t
taken_bytes(const Context *c, const Candidate *x, const Slice *range)
{
	int32_t taken[RUN_MAX];
	int64_t bytes = 0;
	int n = 0;
	for (int32_t i = x->first; i <= x->last; i++) {
		if (c->s->spots[i].last <= x->last)
			continue;
		int32_t q = dying_spot(c, x, i, range, taken, n);
		if (q < 0)
			continue;
		taken[n++] = q;
		bytes += c->bytes[i];
	}
	return bytes;
}

bool
candidate_price(const Context *c, Candidate *x)
{
	const Stretch *s = c->s;
	Slice range[RUN_MAX];
	if (x->axis < 0) {
		price_single(c, x);
		return true;
	}
	if (!run_ranges(s, x->first, x->last, x->axis, x->slice, range))
		return false;
	x->peak = run_around(c, x->first, x->last) + inside_peak(c, x, range)
		- taken_bytes(c, x, range);
	x->seconds = 0;
	for (int32_t i = x->first; i <= x->last; i++) {
		const Node *n = &s->g->nodes.at[s->spots[i].node];
		int64_t extent = n->type.n[x->axis];
		int64_t count = (extent + x->slice - 1) / x->slice;
		const Slice *r = &range[i - x->first];
		double halo = (double)min64(r->hi - r->lo, extent)
			/ (double)x->slice;
		x->seconds += halo * spot_seconds(c, i, count)
			+ (double)c->slices * s->load_seconds[i];
	}
	return true;
}
