/* place_state.c - the state of a search for a placement: moves, and undoing.
 *
 * A move puts an item at its bottom or leaves bytes above a floor unused; it
 * lifts what cannot lie there any more and looks at each section that this
 * changes.  Every change goes on a stack, from which it is taken back; nothing
 * is allocated per move but the growth of that stack.
 */
#include "compiler/place/place_state.h"

/* With more items the sets of frames would need too much memory. */
enum { WHY_ITEMS = 6000 };

static void
save_section(Search *z, int32_t s)
{
	if (z->saved[s] == z->move)
		return;
	z->saved[s] = z->move;
	*vec_push(&z->undo) = (Undo){UNDO_SECTION, s, z->count[s], z->floor[s],
		z->top[s], z->highest[s], 0};
}

void
state_undo(Search *z, size_t mark)
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
			z->bottom[i] = u.floor, z->lifted[i] = u.before;
			break;
		case UNDO_SECTION:
			z->floor[i] = u.floor, z->top[i] = u.top;
			z->count[i] = u.count, z->highest[i] = u.level;
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
	z->full = s;
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
	*vec_push(&z->undo) = (Undo){UNDO_BOTTOM, (int32_t)i, 0, old, 0,
		z->level, z->lifted[i]};
	z->lifted[i] = (int64_t)z->undo.n - 1;
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

bool
state_raise(Search *z, const Piece *q, int32_t lo, int32_t hi, int64_t floor)
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

bool
state_put(Search *z, const Piece *q, uint32_t i)
{
	const PlacePart *p = z->p;
	int64_t top = z->bottom[i] + p->size[i];
	*vec_push(&z->undo) = (Undo){.kind = UNDO_PUT, .index = (int32_t)i};
	z->placed[i] = true;
	z->level_of[i] = z->level;
	z->at[i] = z->bottom[i];
	for (int32_t s = p->lo[i]; s < p->hi[i]; s++) {
		save_section(z, s);
		z->top[s] = top, z->highest[s] = i;
		z->rest[s] -= p->size[i];
		z->cross[s] -= s > p->lo[i];
	}
	return state_raise(z, q, p->lo[i], p->hi[i], top);
}

bool
state_rests(const Search *z, uint32_t i)
{
	const PlacePart *p = z->p;
	int64_t top = 0;
	for (int32_t s = p->lo[i]; s < p->hi[i]; s++)
		top = max64(top, z->top[s]);
	return z->bottom[i] - top < p->align[i];
}

void
state_reach(const Search *z, int32_t s, int32_t *lo, int32_t *hi)
{
	const PlacePart *p = z->p;
	*lo = s, *hi = s + 1;
	for (size_t k = z->head[s]; k < z->head[s + 1]; k++) {
		uint32_t i = z->list[k];
		if (z->placed[i] || z->bottom[i] > z->floor[s])
			continue;
		*lo = p->lo[i] < *lo ? p->lo[i] : *lo;
		*hi = p->hi[i] > *hi ? p->hi[i] : *hi;
	}
}

int64_t
state_step_up(const Search *z, int32_t s)
{
	const PlacePart *p = z->p;
	int64_t high = INT64_MAX;
	int32_t lo, hi;
	state_reach(z, s, &lo, &hi);
	for (size_t k = z->head[s]; k < z->head[s + 1]; k++) {
		uint32_t i = z->list[k];
		if (!z->placed[i] && z->bottom[i] > z->floor[s])
			high = min64(high, z->bottom[i]);
	}
	for (size_t k = z->head[lo]; k < z->head[hi]; k++) {
		uint32_t i = z->list[k];
		if (!z->placed[i] && (s < p->lo[i] || s >= p->hi[i]))
			high = min64(high, z->bottom[i] + p->size[i]);
	}
	return high;
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

void
state_open(Search *z, Arena *a)
{
	const PlacePart *p = z->p;
	size_t m = (size_t)p->sections;
	z->floor = arena_array(a, m, sizeof *z->floor);
	z->top = arena_array(a, m, sizeof *z->top);
	z->highest = arena_array(a, m, sizeof *z->highest);
	z->rest = arena_array(a, m, sizeof *z->rest);
	z->cross = arena_array(a, m, sizeof *z->cross);
	z->count = arena_array(a, m, sizeof *z->count);
	z->saved = arena_array(a, m, sizeof *z->saved);
	z->dirty = arena_array(a, m, sizeof *z->dirty);
	z->bottom = arena_array(a, p->n, sizeof *z->bottom);
	z->at = arena_array(a, p->n, sizeof *z->at);
	z->placed = arena_array(a, p->n, sizeof *z->placed);
	z->level_of = arena_array(a, p->n, sizeof *z->level_of);
	z->lifted = arena_array(a, p->n, sizeof *z->lifted);
	z->seen = arena_array(a, p->n, sizeof *z->seen);
	z->open = arena_array(a, p->n, sizeof *z->open);
	z->where = arena_array(a, p->n, sizeof *z->where);
	list_items(z, a);
	z->words = p->n <= WHY_ITEMS ? (2 * p->n + 256) / 64 : 0;
	z->why = arena_array(a, z->words + 1, sizeof *z->why);
	z->move = 1, z->most_align = 1;
	for (int32_t s = 0; s < p->sections; s++) {
		z->rest[s] = p->load[s];
		z->highest[s] = -1;
		z->count[s] = (int32_t)(z->head[s + 1] - z->head[s]);
	}
	for (uint32_t i = 0; i < p->n; i++) {
		z->open[i] = z->where[i] = i;
		z->lifted[i] = -1;
		z->most_align = max64(z->most_align, p->align[i]);
		for (int32_t s = p->lo[i] + 1; s < p->hi[i]; s++)
			z->cross[s]++;
	}
}

void
state_close(Search *z)
{
	vec_free(&z->undo);
	vec_free(&z->branches);
	vec_free(&z->frames);
	vec_free(&z->pending);
	vec_free(&z->failed);
}
