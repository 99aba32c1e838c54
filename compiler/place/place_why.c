/* place_why.c - the reasons of a failed search, for jumping back over the
 * decisions that had no part in it.
 *
 * That section s is too full follows from where its placed items lie and from
 * the bottoms of the others; and a bottom from the lift that raised it, that is
 * from the decision which lifted and from why the item lay no lower than that
 * decision's floor.  That a frame's branches are all there are follows from the
 * same about its section, about what could have held up an item that was left
 * out for resting on nothing, and about the next offset worth trying when
 * nothing lies at the floor.
 */
#include "compiler/place/place_state.h"

#include <string.h>

static void
blame(Search *z, int64_t level)
{
	z->why[level / 64] |= (uint64_t)1 << level % 64;
}

/* Why the unplaced item i lies at x or higher. */
static void
why_lifted(Search *z, uint32_t i, int64_t x)
{
	int64_t k = z->lifted[i];
	while (x > 0) {
		while (z->undo.at[k].floor >= x)
			k = z->undo.at[k].before;
		int64_t level = z->undo.at[k].level;
		blame(z, level);
		x = z->frames.at[level].base;
	}
}

/* Why nothing unplaced in sections lo .. hi-1 offers a place to rest on below
 * `high`; those of section s offer their bottoms instead (s -1: none). */
static void
why_nothing(Search *z, int32_t lo, int32_t hi, int64_t high, int32_t s)
{
	const PlacePart *p = z->p;
	z->range++;
	for (size_t k = z->head[lo]; k < z->head[hi]; k++) {
		uint32_t i = z->list[k];
		if (z->seen[i] == z->range)
			continue;
		z->seen[i] = z->range;
		if (z->placed[i])
			blame(z, z->level_of[i]);
		else if (s >= p->lo[i] && s < p->hi[i])
			why_lifted(z, i, min64(z->bottom[i], high));
		else
			why_lifted(z, i, high - p->size[i]);
	}
}

/* Why the frame's branches are all there are; its state must be restored. */
static void
why_branches(Search *z, const Frame *f)
{
	const PlacePart *p = z->p;
	int32_t s = f->section, lo, hi;
	for (size_t k = z->head[s]; k < z->head[s + 1]; k++) {
		uint32_t i = z->list[k];
		if (z->placed[i]) {
			blame(z, z->level_of[i]);
			continue;
		}
		bool candidate = z->bottom[i] == f->base;
		why_lifted(z, i, candidate ? f->base : f->base + 1);
		if (candidate && !state_rests(z, i))
			why_nothing(z, p->lo[i], p->hi[i], f->base + 1, -1);
	}
	if (!f->wasted)         /* no slack: follows from the above */
		return;
	state_reach(z, s, &lo, &hi);
	why_nothing(z, lo, hi, state_step_up(z, s), s);
}

/* Goes back to the last frame of the reason, and leaves the rest there. */
static int64_t
back(Search *z)
{
	size_t w = z->words;
	while (w && !z->why[w - 1])
		w--;
	if (!w)
		return -1;
	int64_t level = (int64_t)w * 64 - 1 - __builtin_clzll(z->why[w - 1]);
	z->why[w - 1] ^= (uint64_t)1 << level % 64;
	uint64_t *failed = z->failed.at + (size_t)level * z->words;
	for (size_t k = 0; k < w; k++)
		failed[k] |= z->why[k];
	return level;
}

static void
why_clear(Search *z)
{
	memset(z->why, 0, z->words * sizeof *z->why);
}

bool
why_open(Search *z, int64_t level)
{
	size_t w = z->words, begin = (size_t)level * w;
	if (!w)
		return true;
	if ((size_t)level >= 64 * w)
		return false;
	while (z->failed.n < begin + w)
		(void)vec_push(&z->failed);
	memset(z->failed.at + begin, 0, w * sizeof *z->failed.at);
	return true;
}

int64_t
why_full(Search *z, int64_t level)
{
	if (!z->words)
		return level;
	int32_t s = z->full;
	int64_t x = z->capacity - z->rest[s] + 1;       /* too high a floor */
	why_clear(z);
	for (size_t k = z->head[s]; k < z->head[s + 1]; k++) {
		uint32_t i = z->list[k];
		if (z->placed[i])
			blame(z, z->level_of[i]);
		else
			why_lifted(z, i, x);
	}
	return back(z);
}

int64_t
why_known(Search *z, const Piece *q)
{
	if (!z->words)
		return q->cut;
	why_clear(z);
	z->range++;
	for (size_t k = z->head[q->a]; k < z->head[q->b]; k++) {
		uint32_t i = z->list[k];
		if (z->seen[i] == z->range)
			continue;
		z->seen[i] = z->range;
		if (z->placed[i])
			blame(z, z->level_of[i]);
		else
			why_lifted(z, i, z->bottom[i]);
	}
	return back(z);
}

int64_t
why_all(Search *z, int64_t level)
{
	const Frame *f = &z->frames.at[level];
	if (!z->words)
		return f->piece.cut;
	memcpy(z->why, z->failed.at + (size_t)level * z->words,
		z->words * sizeof *z->why);
	why_branches(z, f);
	return back(z);
}
