/* place_search.c - complete search for a placement of a given height.
 *
 * A valley is a run of sections with equal floors between higher ones.  An item
 * that covers section s of a valley and sticks out of it lies above the floor
 * of the valley; so at that offset s holds one of the items inside the valley
 * that cover it, or nothing.  These are the branches of a frame.  The section
 * with the fewest is taken, of several the one where most searches failed: a
 * section without slack beside a wall has one or two.  The branches exclude
 * each other and every item must rest on something, so that no placement is met
 * twice; states that are known to fail are remembered by their hash.  A failure
 * goes back to the last frame that had a part in it (place_why.c).  Sections
 * that no unplaced item joins are pieces, which are searched one after the
 * other.
 */
#include "compiler/place/place_state.h"

#include <string.h>

enum { MEMO_ITEMS = 1500 };   /* larger pieces are not hashed */
enum { NOISE = 12 };            /* percent */
/* Seconds to set up a search, for each cell, at most. */
#define SETUP_SECONDS 2e-8
/* The clock is read at every so many nodes; where a node may take long, at
 * each. */
enum { CLOCK_NODES = 64, CLOCK_CELLS = 1 << 18 };

/* ---- branching ---- */

/* How soon section s should be branched on: less is sooner. */
static int64_t
urgency(const Search *z, int32_t s)
{
	int64_t slack = z->capacity - z->floor[s] - z->rest[s];
	int64_t branches = 2 * (int64_t)z->count[s] + (slack > 0);
	int64_t trouble = z->p->trouble[s];
	if (z->flavour / 4 % 2)
		return (branches << 24) / (1 + trouble);
	return (branches << 32) - trouble;
}

/* The most urgent section of the valleys of a piece. */
static int32_t
choose(const Search *z, const Piece *q)
{
	int32_t best = q->a;
	int64_t least = INT64_MAX;
	for (int32_t s = q->a, e; s < q->b; s = e) {
		int64_t h = z->floor[s];
		for (e = s + 1; e < q->b && z->floor[e] == h;)
			e++;
		if ((s > q->a && z->floor[s - 1] < h)
			|| (e < q->b && z->floor[e] < h))
			continue;
		for (int32_t t = s; t < e; t++) {
			int64_t u = urgency(z, t);
			if (u < least)
				best = t, least = u;
		}
	}
	return best;
}

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9E3779B97F4A7C15u;
	x = (x ^ x >> 29) * 0xD6E8FEB86659FD93u;
	return x ^ x >> 32;
}

/* The branch with the larger rank is tried first.  From the ninth flavour
 * on, ranks are up to NOISE percent off. */
static int64_t
rank(const Search *z, uint32_t i)
{
	const PlacePart *p = z->p;
	int64_t width = p->life[i], rank = -p->lo[i];
	switch (z->flavour % 4) {
	case 0: rank = p->size[i]; break;
	case 1: rank = width; break;
	case 2: rank = width * p->size[i]; break;
	}
	uint64_t seed = (uint64_t)(z->flavour / 8);
	if (!seed)
		return rank;
	int64_t percent = (int64_t)(mix(seed << 32 | i) % (NOISE + 1));
	return rank + rank / 100 * percent + rank % 100 * percent / 100;
}

/* Whether item i would lie upon one of its own lifetime that is tried after it:
 * to all others the two orders of such a pair are the same. */
static bool
swapped(const Search *z, uint32_t i)
{
	const PlacePart *p = z->p;
	int64_t j = z->highest[p->lo[i]];
	if (j < 0 || p->lo[j] != p->lo[i] || p->hi[j] != p->hi[i]
		|| p->align[i] > 1 || p->align[j] > 1
		|| z->top[p->lo[i]] != z->bottom[i])
		return false;
	int64_t mine = rank(z, i), other = rank(z, (uint32_t)j);
	return mine > other || (mine == other && j > (int64_t)i);
}

/* Stacks the items that can lie at floor[s], the first to try first. */
static void
list_branches(Search *z, int32_t s)
{
	size_t first = z->branches.n;
	for (size_t k = z->head[s]; k < z->head[s + 1]; k++) {
		uint32_t i = z->list[k];
		if (z->placed[i] || z->bottom[i] != z->floor[s]
			|| !state_rests(z, i) || swapped(z, i))
			continue;
		(void)vec_push(&z->branches);
		size_t m = z->branches.n - 1;
		uint32_t *b = z->branches.at;
		for (; m > first && rank(z, b[m - 1]) < rank(z, i); m--)
			b[m] = b[m - 1];
		b[m] = i;
	}
}

/* ---- states that failed ---- */

/* What decides whether a piece can be completed: its items, the floors, and
 * where these are the tops of placed items. */
static uint64_t
hash_state(const Search *z, const Piece *q)
{
	uint64_t h = 0;
	for (size_t k = q->first; k < q->first + q->n; k++)
		h += mix(z->open[k] + 1);
	for (int32_t s = q->a; s < q->b; s++)
		h = mix(mix(h ^ (uint64_t)z->floor[s]) + (uint64_t)
			min64(z->floor[s] - z->top[s], z->most_align));
	return h | 1;
}

/* ---- the walk over the tree ---- */

static bool
spend(Search *z)
{
	PlaceLimit *l = z->limit;
	bool look = z->p->cells > CLOCK_CELLS || l->spent % CLOCK_NODES == 0;
	if (!place_spend(l, 1) || (look && now_seconds() > l->end))
		l->stopped = true;
	return --z->nodes > 0 && !l->stopped;
}

static void
swap_open(Search *z, size_t a, size_t b)
{
	uint32_t i = z->open[a], j = z->open[b];
	z->open[a] = j, z->open[b] = i;
	z->where[j] = (uint32_t)a, z->where[i] = (uint32_t)b;
}

/* Cuts the leftmost piece off *q; the rest of it becomes pending. */
static void
cut_piece(Search *z, Piece *q)
{
	const PlacePart *p = z->p;
	while (!z->rest[q->a])
		q->a++;
	int32_t e = q->a + 1;
	while (e < q->b && z->cross[e])
		e++;
	if (e == q->b)
		return;
	size_t left = 0;
	for (size_t k = 0; k < q->n; k++)
		if (p->lo[z->open[q->first + k]] < e)
			swap_open(z, q->first + k, q->first + left++);
	if (left < q->n) {
		*vec_push(&z->pending) = (Piece){e, q->b, q->first + left,
			q->n - left, q->cut, q->next};
		q->next = (int64_t)z->pending.n - 1;
	}
	q->b = e, q->n = left;
}

typedef enum Step { STEP_DOWN, STEP_BACK, STEP_DONE, STEP_STOP } Step;

/* Opens a node for what is left of piece q, or of the pending one after it,
 * and leaves in *q what it is for.  STEP_BACK: that is known to fail;
 * STEP_STOP: the budget is spent. */
static Step
descend(Search *z, Piece *q)
{
	while (!q->n) {
		if (q->next < 0)
			return STEP_DONE;
		*q = z->pending.at[q->next];
	}
	if (!spend(z))
		return STEP_STOP;
	cut_piece(z, q);
	uint64_t key = 0;
	if (q->n <= MEMO_ITEMS) {
		key = hash_state(z, q);
		if (z->p->failed[key >> (64 - PLACE_FAILED_BITS)] == key)
			return STEP_BACK;
	}
	if (!why_open(z, (int64_t)z->frames.n))
		return STEP_STOP;
	Frame *f = vec_push(&z->frames);
	*f = (Frame){.piece = *q, .section = choose(z, q), .undo = z->undo.n,
		.pending = z->pending.n, .branch = z->branches.n, .key = key};
	f->base = z->floor[f->section];
	list_branches(z, f->section);
	f->branch_end = z->branches.n;
	return STEP_DOWN;
}

/* Makes the next move of the frame; false when it has no more. */
static bool
next_move(Search *z, Frame *f, Piece *q, bool *good)
{
	*q = f->piece;
	if (f->branch < f->branch_end) {
		uint32_t i = z->branches.at[f->branch++];
		swap_open(z, z->where[i], q->first + q->n - 1);
		q->n--;
		*good = state_put(z, q, i);
		return true;
	}
	int32_t s = f->section;
	if (f->wasted || z->capacity - z->floor[s] - z->rest[s] <= 0)
		return false;
	f->wasted = true;
	int64_t high = state_step_up(z, s);
	if (high > z->capacity - z->rest[s])
		return false;
	*good = state_raise(z, q, s, s + 1, high);
	return true;
}

static PlaceFound
walk(Search *z)
{
	PlacePart *p = z->p;
	Piece q = {0, p->sections, 0, p->n, -1, -1};
	Step step = descend(z, &q);
	int64_t top = (int64_t)z->frames.n - 1;
	while (step != STEP_DONE && step != STEP_STOP) {
		if (top < 0)
			return PLACE_NONE;
		z->frames.n = (size_t)top + 1;
		Frame *f = &z->frames.at[top];
		state_undo(z, f->undo);
		z->pending.n = f->pending;
		z->branches.n = f->branch_end;
		bool good;
		z->level = top;
		if (!next_move(z, f, &q, &good)) {
			if (f->key)
				p->failed[f->key >> (64 - PLACE_FAILED_BITS)]
					= f->key;
			top = why_all(z, top);
			continue;
		}
		q.cut = top;
		if (!good) {
			top = why_full(z, top);
			continue;
		}
		step = descend(z, &q);
		top = step == STEP_BACK ? why_known(z, &q)
			: (int64_t)z->frames.n - 1;
	}
	return step == STEP_DONE ? PLACE_FOUND : PLACE_STOPPED;
}

/* ---- setting up ---- */

PlaceFound
place_search(PlacePart *p, int64_t capacity, int flavour, int64_t nodes,
	PlaceLimit *limit)
{
	if (p->bound > capacity)
		return PLACE_NONE;
	double setup = (double)p->cells * SETUP_SECONDS;
	if (now_seconds() + setup > limit->end) {
		limit->stopped = true;
		return PLACE_STOPPED;
	}
	if (p->failed_capacity != capacity)
		memset(p->failed, 0, sizeof *p->failed << PLACE_FAILED_BITS);
	p->failed_capacity = capacity;
	Arena arena = {0};
	Search z = {.p = p, .capacity = capacity, .flavour = flavour,
		.nodes = nodes, .limit = limit};
	state_open(&z, &arena);
	PlaceFound found = walk(&z);
	if (found == PLACE_FOUND) {
		memcpy(p->at, z.at, p->n * sizeof *z.at);
		p->height = 0;
		for (size_t i = 0; i < p->n; i++)
			p->height = max64(p->height, p->at[i] + p->size[i]);
	}
	state_close(&z);
	arena_free(&arena);
	return found;
}
