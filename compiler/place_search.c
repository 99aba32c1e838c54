/* place_search.c - complete search for a placement of a given height.
 *
 * The placement is built upwards.  bottom[i] is the lowest offset that the
 * unplaced item i can still have, floor[s] the lowest bottom of section s, and
 * rest[s] the sum of its unplaced sizes: floor[s] + rest[s] <= capacity must
 * hold.  A valley is a run of sections with equal floors between higher ones.
 * An item that covers section s of a valley and sticks out of it lies above the
 * valley's floor; so at that offset s holds one of the items inside the valley
 * that cover it, or nothing.  These are the branches of a node, and the section
 * with the fewest is taken, of several the one where most searches failed: a
 * section without slack beside a wall has one or two.  The branches exclude
 * each other and every item must rest on something, so that no placement is met
 * twice; states that are known to fail are remembered by their hash.  Sections
 * that no unplaced item joins are pieces, which are searched one after the
 * other.  Nothing is allocated per node but the growth of the stacks.
 */
#include "place.h"

#include <string.h>

enum { MEMO_ITEMS = 1500 };   /* larger pieces are not hashed */

typedef enum UndoKind { UNDO_PUT, UNDO_BOTTOM, UNDO_SECTION } UndoKind;

typedef struct Undo {
	UndoKind kind;
	int32_t index;          /* item or section */
	int32_t count;
	int64_t floor, top;     /* of a section; floor: of an item its bottom */
} Undo;

/* A set of unplaced items, open[first .. first+n-1], that live in sections
 * a .. b-1 and are joined. */
typedef struct Piece {
	int32_t a, b;
	size_t first, n;
	int64_t cut;            /* frame to go back to when it fails, or -1 */
	int64_t next;           /* pending piece to search after it, or -1 */
} Piece;

typedef struct Frame {
	Piece piece;
	int32_t section;        /* that is branched on */
	bool wasted;            /* the branch without an item was tried */
	size_t branch, branch_end, branch_begin;
	size_t undo;            /* marks: lengths of the stacks */
	size_t pending;
	uint64_t key;           /* of the state, 0: not hashed */
} Frame;

typedef struct Search {
	PlacePart *p;
	int64_t capacity;
	int flavour;
	int64_t nodes;          /* left of this call's budget */
	PlaceLimit *limit;
	/* sections */
	int64_t *floor, *top, *rest;    /* top: of the placed items */
	int32_t *cross;         /* unplaced items in both s-1 and s */
	int32_t *count;         /* unplaced items with bottom == floor */
	uint64_t *saved;        /* the move that saved this section last */
	size_t *head;           /* list[head[s] .. head[s+1]-1]: its items */
	uint32_t *list;
	int32_t *dirty;
	/* items */
	int64_t *bottom, *at;
	bool *placed;
	uint32_t *open, *where; /* where: index in open */
	uint64_t move;
	int64_t most_align;
	Vec(Undo) undo;
	Vec(uint32_t) branches;
	Vec(Frame) frames;
	Vec(Piece) pending;
} Search;

/* ---- the state and its undoing ---- */

static void
save_section(Search *z, int32_t s)
{
	if (z->saved[s] == z->move)
		return;
	z->saved[s] = z->move;
	*vec_push(&z->undo) = (Undo){UNDO_SECTION, s, z->count[s], z->floor[s],
		z->top[s]};
}

static void
undo_to(Search *z, size_t mark)
{
	const PlacePart *p = z->p;
	while (z->undo.n > mark) {
		Undo u = z->undo.at[--z->undo.n];
		int32_t i = u.index;
		switch (u.kind) {
		case UNDO_PUT:
			z->placed[i] = false;
			for (int32_t s = p->lo[i]; s < p->hi[i]; s++)
				z->rest[s] += p->size[i];
			for (int32_t s = p->lo[i] + 1; s < p->hi[i]; s++)
				z->cross[s]++;
			break;
		case UNDO_BOTTOM:
			z->bottom[i] = u.floor;
			break;
		case UNDO_SECTION:
			z->floor[i] = u.floor, z->top[i] = u.top;
			z->count[i] = u.count;
			break;
		}
	}
	z->move++;
}

/* Computes a section's floor anew; false when it is then too full. */
static bool
settle(Search *z, int32_t s)
{
	int64_t low = INT64_MAX;
	int32_t count = 0;
	if (!z->rest[s])
		return true;
	for (size_t k = z->head[s]; k < z->head[s + 1]; k++) {
		uint32_t i = z->list[k];
		if (z->placed[i] || z->bottom[i] > low)
			continue;
		count = z->bottom[i] < low ? 1 : count + 1;
		low = z->bottom[i];
	}
	save_section(z, s);
	z->floor[s] = low, z->count[s] = count;
	if (low + z->rest[s] <= z->capacity)
		return true;
	z->p->trouble[s]++;
	return false;
}

/* Item i cannot lie below `floor` any more.  Appends the sections outside
 * lo .. hi-1 that lose their lowest item by it to dirty; returns their new
 * number. */
static size_t
lift(Search *z, uint32_t i, int64_t floor, int32_t lo, int32_t hi, size_t dirty)
{
	const PlacePart *p = z->p;
	int64_t old = z->bottom[i];
	*vec_push(&z->undo) = (Undo){UNDO_BOTTOM, (int32_t)i, 0, old, 0};
	z->bottom[i] = p->align[i] == 1 ? floor : round_up(floor, p->align[i]);
	for (int32_t s = p->lo[i]; s < p->hi[i]; s++) {
		if ((s >= lo && s < hi) || z->floor[s] != old)
			continue;
		save_section(z, s);
		if (!--z->count[s])
			z->dirty[dirty++] = s;
	}
	return dirty;
}

/* Nothing unplaced lies below `floor` in sections lo .. hi-1 any more; lifts
 * the items of `q` that this touches. */
static bool
raise_floor(Search *z, const Piece *q, int32_t lo, int32_t hi, int64_t floor)
{
	const PlacePart *p = z->p;
	size_t dirty = 0, cells = z->head[hi] - z->head[lo];
	if (cells < q->n) {
		for (size_t k = z->head[lo]; k < z->head[hi]; k++) {
			uint32_t i = z->list[k];
			if (!z->placed[i] && z->bottom[i] < floor)
				dirty = lift(z, i, floor, lo, hi, dirty);
		}
	} else {
		for (size_t k = q->first; k < q->first + q->n; k++) {
			uint32_t i = z->open[k];
			if (p->lo[i] < hi && p->hi[i] > lo
				&& z->bottom[i] < floor)
				dirty = lift(z, i, floor, lo, hi, dirty);
		}
	}
	bool good = true;
	for (int32_t s = lo; s < hi && good; s++)
		good = settle(z, s);
	for (size_t k = 0; k < dirty && good; k++)
		good = settle(z, z->dirty[k]);
	return good;
}

/* Puts item i at its bottom; false when something does not fit any more. */
static bool
put(Search *z, const Piece *q, uint32_t i)
{
	const PlacePart *p = z->p;
	int64_t top = z->bottom[i] + p->size[i];
	*vec_push(&z->undo) = (Undo){.kind = UNDO_PUT, .index = (int32_t)i};
	z->placed[i] = true;
	z->at[i] = z->bottom[i];
	for (int32_t s = p->lo[i]; s < p->hi[i]; s++) {
		save_section(z, s);
		z->top[s] = top;
		z->rest[s] -= p->size[i];
		z->cross[s] -= s > p->lo[i];
	}
	return raise_floor(z, q, p->lo[i], p->hi[i], top);
}

/* ---- branching ---- */

/* Whether item i, put at its bottom, rests on a placed item or on 0. */
static bool
rests(const Search *z, uint32_t i)
{
	const PlacePart *p = z->p;
	int64_t top = 0;
	for (int32_t s = p->lo[i]; s < p->hi[i]; s++)
		top = max64(top, z->top[s]);
	return z->bottom[i] - top < p->align[i];
}

/* The lowest offset above floor[s] that an item of section s could have if
 * nothing lies there at floor[s]: the bottom of one that sticks out of the
 * valley, or on top of an item that is not in s. */
static int64_t
step_up(const Search *z, int32_t s)
{
	const PlacePart *p = z->p;
	int64_t high = INT64_MAX, floor = z->floor[s];
	int32_t lo = s, hi = s + 1;
	for (size_t k = z->head[s]; k < z->head[s + 1]; k++) {
		uint32_t i = z->list[k];
		if (z->placed[i])
			continue;
		if (z->bottom[i] > floor) {
			high = min64(high, z->bottom[i]);
		} else {
			lo = p->lo[i] < lo ? p->lo[i] : lo;
			hi = p->hi[i] > hi ? p->hi[i] : hi;
		}
	}
	for (size_t k = z->head[lo]; k < z->head[hi]; k++) {
		uint32_t i = z->list[k];
		if (!z->placed[i] && (s < p->lo[i] || s >= p->hi[i]))
			high = min64(high, z->bottom[i] + p->size[i]);
	}
	return high;
}

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

static int64_t
rank(const Search *z, uint32_t i)
{
	const PlacePart *p = z->p;
	int64_t width = p->hi[i] - p->lo[i];
	switch (z->flavour % 4) {
	case 0: return p->size[i];
	case 1: return width;
	case 2: return width * p->size[i];
	default: return -p->lo[i];
	}
}

/* Stacks the items that can lie at floor[s], the first to try first. */
static void
list_branches(Search *z, int32_t s)
{
	size_t first = z->branches.n;
	for (size_t k = z->head[s]; k < z->head[s + 1]; k++) {
		uint32_t i = z->list[k];
		if (z->placed[i] || z->bottom[i] != z->floor[s] || !rests(z, i))
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

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9E3779B97F4A7C15u;
	x = (x ^ x >> 29) * 0xD6E8FEB86659FD93u;
	return x ^ x >> 32;
}

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
	l->spent++;
	if (--l->nodes <= 0 || (l->spent % 256 == 0 && now_seconds() > l->end))
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
 * and leaves in *q what it is for.  STEP_BACK: that is known to fail. */
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
	Frame *f = vec_push(&z->frames);
	*f = (Frame){.piece = *q, .section = choose(z, q), .undo = z->undo.n,
		.pending = z->pending.n, .branch_begin = z->branches.n,
		.branch = z->branches.n, .key = key};
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
		*good = put(z, q, i);
		return true;
	}
	int32_t s = f->section;
	if (f->wasted || z->capacity - z->floor[s] - z->rest[s] <= 0)
		return false;
	f->wasted = true;
	int64_t high = step_up(z, s);
	if (high > z->capacity - z->rest[s])
		return false;
	*good = raise_floor(z, q, s, s + 1, high);
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
		undo_to(z, f->undo);
		z->pending.n = f->pending;
		z->branches.n = f->branch_end;
		bool good;
		if (!next_move(z, f, &q, &good)) {
			if (f->key)
				z->p->failed[f->key >> (64 - PLACE_FAILED_BITS)] = f->key;
			top = f->piece.cut;
			continue;
		}
		q.cut = top;
		if (!good)
			continue;
		step = descend(z, &q);
		top = step == STEP_BACK ? q.cut : (int64_t)z->frames.n - 1;
	}
	return step == STEP_DONE ? PLACE_FOUND : PLACE_STOPPED;
}

/* ---- setting up ---- */

static void
list_items(Search *z, Arena *a)
{
	const PlacePart *p = z->p;
	size_t m = (size_t)p->sections;
	z->head = arena_array(a, m + 2, sizeof *z->head);
	for (size_t i = 0; i < p->n; i++)
		for (int32_t s = p->lo[i]; s < p->hi[i]; s++)
			z->head[s + 2]++;
	for (size_t s = 2; s < m + 2; s++)
		z->head[s] += z->head[s - 1];
	z->list = arena_array(a, z->head[m + 1], sizeof *z->list);
	for (uint32_t i = 0; i < p->n; i++)
		for (int32_t s = p->lo[i]; s < p->hi[i]; s++)
			z->list[z->head[s + 1]++] = i;
}

static void
search_open(Search *z, Arena *a)
{
	const PlacePart *p = z->p;
	size_t m = (size_t)p->sections;
	z->floor = arena_array(a, m, sizeof *z->floor);
	z->top = arena_array(a, m, sizeof *z->top);
	z->rest = arena_array(a, m, sizeof *z->rest);
	z->cross = arena_array(a, m, sizeof *z->cross);
	z->count = arena_array(a, m, sizeof *z->count);
	z->saved = arena_array(a, m, sizeof *z->saved);
	z->dirty = arena_array(a, m, sizeof *z->dirty);
	z->bottom = arena_array(a, p->n, sizeof *z->bottom);
	z->at = arena_array(a, p->n, sizeof *z->at);
	z->placed = arena_array(a, p->n, sizeof *z->placed);
	z->open = arena_array(a, p->n, sizeof *z->open);
	z->where = arena_array(a, p->n, sizeof *z->where);
	list_items(z, a);
	z->move = 1, z->most_align = 1;
	for (int32_t s = 0; s < p->sections; s++) {
		z->rest[s] = p->load[s];
		z->count[s] = (int32_t)(z->head[s + 1] - z->head[s]);
	}
	for (uint32_t i = 0; i < p->n; i++) {
		z->open[i] = z->where[i] = i;
		z->most_align = max64(z->most_align, p->align[i]);
		for (int32_t s = p->lo[i] + 1; s < p->hi[i]; s++)
			z->cross[s]++;
	}
}

PlaceFound
place_search(PlacePart *p, int64_t capacity, int flavour, int64_t nodes,
	PlaceLimit *limit)
{
	if (p->bound > capacity)
		return PLACE_NONE;
	if (p->failed_capacity != capacity)
		memset(p->failed, 0, sizeof *p->failed << PLACE_FAILED_BITS);
	p->failed_capacity = capacity;
	Arena arena = {0};
	Search z = {.p = p, .capacity = capacity, .flavour = flavour,
		.nodes = nodes, .limit = limit};
	search_open(&z, &arena);
	PlaceFound found = walk(&z);
	if (found == PLACE_FOUND) {
		memcpy(p->at, z.at, p->n * sizeof *z.at);
		p->height = 0;
		for (size_t i = 0; i < p->n; i++)
			p->height = max64(p->height, p->at[i] + p->size[i]);
	}
	vec_free(&z.undo);
	vec_free(&z.branches);
	vec_free(&z.frames);
	vec_free(&z.pending);
	arena_free(&arena);
	return found;
}
