/* place_core.c - the few moments that decide the height.
 *
 * Thousands of items have their largest loads in a small part of the time; away
 * from it there is room to spare.  The core of a part are the items that live
 * in the moments with the largest loads.  They are fewer, they have shorter
 * lifetimes when these are counted in births and deaths of each other, and more
 * of them have the same, so that a search reaches heights that it does not
 * reach in the whole.  Its offsets are kept, and the items outside are fitted
 * in greedily.  When they do not fit, a larger core knows more of what is in
 * the way, until it is all of the part.
 */
#include "compiler/place/place_part.h"

/* Cells (item times section) of the smallest core, and how they grow; odd
 * rounds take what lies between. */
static const size_t FIRST_CELLS = (size_t)1 << 14;
enum { GROWTH = 4 };
/* Nodes for each item of a core in the first round; no core takes more than
 * one SHAREth of the time left. */
enum { NODES = 4, SHARE = 4 };

/* The load above which the moments have at most `cells` cells in sum. */
static int64_t
find_load(const PlacePart *p, size_t cells)
{
	int64_t low = 0, high = p->bound - 1;
	while (low < high) {
		int64_t load = low + (high - low) / 2;
		size_t sum = 0;
		for (int32_t s = 0; s < p->sections; s++)
			sum += p->load[s] > load ? p->live[s] : 0;
		if (sum > cells)
			low = load + 1;
		else
			high = load;
	}
	return low;
}

/* Whether each item lives in a section whose load is above `load`; returns how
 * many do. */
static size_t
find_members(Arena *a, const PlacePart *p, int64_t load, bool *member)
{
	size_t m = (size_t)p->sections, n = 0;
	int32_t *above = arena_array(a, m + 1, sizeof *above);
	for (size_t s = 0; s < m; s++)
		above[s + 1] = above[s] + (p->load[s] > load);
	for (size_t i = 0; i < p->n; i++) {
		member[i] = above[p->lo[i]] < above[p->hi[i]];
		n += member[i];
	}
	return n;
}

/* The sections of the members alone: map[s] is the one that a member born or
 * dead at section s is born in or dead at.  A section ends where a member dies
 * after another was born in it.  Returns their number. */
static int32_t
map_sections(Arena *a, const PlacePart *p, const bool *member, int32_t *map)
{
	size_t m = (size_t)p->sections;
	bool *born = arena_array(a, m + 1, sizeof *born);
	bool *dead = arena_array(a, m + 1, sizeof *dead);
	for (size_t i = 0; i < p->n; i++)
		if (member[i])
			born[p->lo[i]] = dead[p->hi[i]] = true;
	int32_t section = 0;
	bool grown = false;
	for (size_t s = 0; s <= m; s++) {
		if (dead[s] && grown)
			section++, grown = false;
		map[s] = section;
		grown |= born[s];
	}
	return section;
}

/* The core of the items that live in sections whose load is above `load`;
 * item[] of it counts in the part.  Each round begins with another greedy
 * order. */
static void
core_fill(Arena *a, const PlacePart *p, int64_t load, int round,
	PlacePart *core)
{
	bool *member = arena_array(a, p->n, sizeof *member);
	int32_t *map = arena_array(a, (size_t)p->sections + 1, sizeof *map);
	size_t n = find_members(a, p, load, member);
	place_part_alloc(a, core, n, map_sections(a, p, member, map));
	n = 0;
	for (uint32_t i = 0; i < p->n; i++) {
		if (!member[i])
			continue;
		core->lo[n] = map[p->lo[i]], core->hi[n] = map[p->hi[i]];
		core->size[n] = p->size[i], core->align[n] = p->align[i];
		core->life[n] = p->life[i];
		core->item[n++] = i;
	}
	place_part_measure(core);
	core->is_core = true;
	core->first = round;
}

/* Searches the core of `cells` cells; the part takes what comes of it when it
 * is lower.  Returns the lowest height not excluded. */
static int64_t
core_place(PlacePart *p, size_t cells, int64_t target, int round,
	PlaceLimit *limit)
{
	Arena arena = {0};
	PlacePart core = {0};
	core_fill(&arena, p, find_load(p, cells), round, &core);
	if (!core.n || core.cells > p->cells / 2) {
		arena_free(&arena);
		return 0;
	}
	int64_t nodes = (NODES * ((int64_t)core.n + 200)) << round;
	PlaceLimit share = place_share(limit, nodes,
		(limit->end - now_seconds()) / SHARE);
	int64_t least = place_part(&arena, &core, target, &share);
	place_join(limit, &share);
	if (core.height < p->height && !limit->stopped)
		place_around(p, &core, max64(target, core.height), limit);
	arena_free(&arena);
	return least;
}

int64_t
place_cores(PlacePart *p, int64_t target, int round, PlaceLimit *limit)
{
	int64_t least = p->bound;
	size_t most = p->cells / 2 < PLACE_HUGE ? p->cells / 2 : PLACE_HUGE;
	size_t cells = FIRST_CELLS << round % 2;
	for (; cells < most; cells *= GROWTH) {
		if (p->height <= max64(target, least) || limit->stopped)
			break;
		least = max64(least, core_place(p, cells, target, round,
			limit));
	}
	return least;
}
