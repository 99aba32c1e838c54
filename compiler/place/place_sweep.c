/* place_sweep.c - a placement in one pass over time.
 *
 * What an allocator does that does not know the future: items come and go in
 * the order of their sections, and each takes a free block that holds it, the
 * first of about its own size.  The result is high, but it is there after
 * O(n log n) steps whatever the lifetimes are, so that slower rungs of the
 * ladder can be given up at any time.
 *
 * Blocks are linked with their neighbours, to be joined when both are free, and
 * in one list for each size class: four to a power of two.
 */
#include "compiler/place/place_part.h"

#include <stdlib.h>

enum { CLASSES = 4 * 64, FEW = 8, NONE = -1 };

typedef struct Block {
	int64_t at, size;
	int32_t below, above;   /* neighbours */
	int32_t before, after;  /* in the list of its class */
	bool free;
} Block;

typedef struct Heap {
	Block *block;
	int32_t blocks;         /* used so far ... */
	int32_t spare;          /* ... of which these, by `after`, are none */
	int32_t last;           /* the highest */
	int32_t list[CLASSES];
	uint64_t some[CLASSES / 64];    /* lists that are not empty */
} Heap;

/* The class of a size: its highest three bits. */
static int
class_of(int64_t size)
{
	int top = 63 - __builtin_clzll((uint64_t)size);
	int next = top < 2 ? 0 : (int)(size >> (top - 2) & 3);
	return 4 * top + next;
}

static int32_t
block_new(Heap *h, int64_t at, int64_t size)
{
	int32_t b = h->spare;
	if (b == NONE)
		b = h->blocks++;
	else
		h->spare = h->block[b].after;
	h->block[b] = (Block){at, size, NONE, NONE, NONE, NONE, false};
	return b;
}

static void
list_add(Heap *h, int32_t b)
{
	int c = class_of(h->block[b].size);
	h->block[b].free = true;
	h->block[b].before = NONE;
	h->block[b].after = h->list[c];
	if (h->list[c] != NONE)
		h->block[h->list[c]].before = b;
	h->list[c] = b;
	h->some[c / 64] |= (uint64_t)1 << c % 64;
}

static void
list_remove(Heap *h, int32_t b)
{
	int c = class_of(h->block[b].size);
	Block *t = &h->block[b];
	t->free = false;
	if (t->after != NONE)
		h->block[t->after].before = t->before;
	if (t->before != NONE)
		h->block[t->before].after = t->after;
	else
		h->list[c] = t->after;
	if (h->list[c] == NONE)
		h->some[c / 64] &= ~((uint64_t)1 << c % 64);
}

/* Links `b` above `a`, which may be the highest. */
static void
link_above(Heap *h, int32_t a, int32_t b)
{
	int32_t above = a == NONE ? NONE : h->block[a].above;
	h->block[b].below = a, h->block[b].above = above;
	if (a != NONE)
		h->block[a].above = b;
	if (above != NONE)
		h->block[above].below = b;
	else
		h->last = b;
}

/* Joins `b` with the block above it, which goes. */
static void
join_above(Heap *h, int32_t b)
{
	int32_t gone = h->block[b].above, above = h->block[gone].above;
	h->block[b].size += h->block[gone].size;
	h->block[b].above = above;
	if (above != NONE)
		h->block[above].below = b;
	else
		h->last = b;
	h->block[gone].after = h->spare;
	h->spare = gone;
}

/* A free block of at least `size`: one of the first of that class, or any of a
 * larger one; NONE if there is none. */
static int32_t
find_free(const Heap *h, int64_t size)
{
	int c = class_of(size), tries = 0;
	for (int32_t b = h->list[c]; b != NONE && tries < FEW;
		b = h->block[b].after, tries++)
		if (h->block[b].size >= size)
			return b;
	for (int w = ++c / 64; w < CLASSES / 64; w++, c = 64 * w) {
		uint64_t some = h->some[w] & ~(uint64_t)0 << c % 64;
		if (some)
			return h->list[64 * w + __builtin_ctzll(some)];
	}
	return NONE;
}

/* Splits what is above `size` bytes off block b, as a free one. */
static void
split(Heap *h, int32_t b, int64_t size)
{
	int64_t rest = h->block[b].size - size;
	if (!rest)
		return;
	h->block[b].size = size;
	int32_t r = block_new(h, h->block[b].at + size, rest);
	link_above(h, b, r);
	list_add(h, r);
}

/* At least `size` bytes at the top, of which some may be free already. */
static int32_t
extend(Heap *h, int64_t size)
{
	int32_t b = h->last;
	if (b != NONE && h->block[b].free) {
		list_remove(h, b);
		h->block[b].size = max64(h->block[b].size, size);
		return b;
	}
	b = block_new(h, b == NONE ? 0 : h->block[b].at + h->block[b].size,
		size);
	link_above(h, h->last, b);
	return b;
}

/* The block that a new item gets. */
static int32_t
take(Heap *h, int64_t size, int64_t align)
{
	int32_t b = find_free(h, size + align - 1);
	if (b == NONE)
		b = extend(h, size + align - 1);
	else
		list_remove(h, b);
	int64_t skip = round_up(h->block[b].at, align) - h->block[b].at;
	if (skip) {
		int32_t low = b;
		split(h, low, skip);
		b = h->block[low].above;
		list_remove(h, b);
		list_add(h, low);
	}
	split(h, b, size);
	return b;
}

static void
give_back(Heap *h, int32_t b)
{
	int32_t above = h->block[b].above, below = h->block[b].below;
	if (above != NONE && h->block[above].free) {
		list_remove(h, above);
		join_above(h, b);
	}
	if (below != NONE && h->block[below].free) {
		list_remove(h, below);
		join_above(h, below);
		b = below;
	}
	list_add(h, b);
}

/* The items by `key`, a section each. */
static uint32_t *
sort_by(Arena *a, const PlacePart *p, const int32_t *key)
{
	size_t *head = arena_array(a, (size_t)p->sections + 2, sizeof *head);
	uint32_t *sorted = arena_array(a, p->n, sizeof *sorted);
	for (size_t i = 0; i < p->n; i++)
		head[key[i] + 1]++;
	for (int32_t s = 0; s < p->sections; s++)
		head[s + 1] += head[s];
	for (uint32_t i = 0; i < p->n; i++)
		sorted[head[key[i]]++] = i;
	return sorted;
}

void
place_sweep(PlacePart *p)
{
	Arena arena = {0};
	Heap h = {.spare = NONE, .last = NONE};
	const uint32_t *born = sort_by(&arena, p, p->lo);
	const uint32_t *died = sort_by(&arena, p, p->hi);
	int32_t *of = arena_array(&arena, p->n, sizeof *of);
	/* an item leaves at most one free block on each side */
	h.block = arena_array(&arena, 3 * p->n + 3, sizeof *h.block);
	for (int c = 0; c < CLASSES; c++)
		h.list[c] = NONE;
	p->height = 0;
	for (size_t k = 0, d = 0; k < p->n; k++) {
		uint32_t i = born[k];
		for (; p->hi[died[d]] <= p->lo[i]; d++)
			give_back(&h, of[died[d]]);
		of[i] = take(&h, p->size[i], p->align[i]);
		p->at[i] = h.block[of[i]].at;
		p->height = max64(p->height, p->at[i] + p->size[i]);
	}
	arena_free(&arena);
}
