/* place.c - the placement engine: offsets for items with known lifetimes.
 *
 * The ladder: the load bound, for thousands of items a pass over time
 * (place_sweep.c), the greedy orders (place_greedy.c), the items around the
 * largest loads before the others (place_core.c), then a search for a placement
 * at the bound, and, as long as that is not found, at heights between the bound
 * and the best one known (place_search.c).  Each rung can only improve what is
 * there, so the answer is valid whenever it ends.
 */
#include "compiler/place/place_part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Event {
	int64_t time;
	uint32_t item;
	bool start;
} Event;

typedef struct Problem {
	Arena arena;
	const PlaceItem *items;
	size_t n;
	int64_t unit;           /* bytes */
	int64_t load_bound;     /* bytes */
	int64_t least;          /* bytes: no placement is lower */
	PlacePart *parts;
	size_t part_count;
} Problem;

/* ---- to small integers ---- */

static int64_t
gcd(int64_t a, int64_t b)
{
	while (b) {
		int64_t r = a % b;
		a = b, b = r;
	}
	return a;
}

/* Offsets of a tight placement are sums of sizes, each rounded up to the next
 * item's alignment.  Returns a step that all of these are multiples of: of the
 * sizes rounded up to the alignment that all items have, so that less than a
 * unit at the top of a placement is not seen, or of the sizes as they are. */
static int64_t
find_unit(const PlaceItem *items, size_t n, bool rounded)
{
	int64_t align = 0, unit = 0;
	for (size_t i = 0; i < n; i++)
		align = gcd(align, items[i].align);
	for (size_t i = 0; i < n; i++)
		unit = gcd(unit, rounded ? round_up(items[i].bytes, align)
			: items[i].bytes);
	for (size_t i = 0; i < n; i++)
		if (unit % items[i].align)
			return gcd(unit, align);
	return unit;
}

/* Ends come before starts at the same time: lifetimes are half-open. */
static int
compare_events(const void *pa, const void *pb)
{
	const Event *a = pa, *b = pb;
	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	if (a->start != b->start)
		return a->start ? 1 : -1;
	return a->item < b->item ? -1 : a->item > b->item;
}

static Event *
sort_events(Problem *p)
{
	Event *e = arena_array(&p->arena, 2 * p->n, sizeof *e);
	for (size_t i = 0; i < p->n; i++) {
		e[2 * i] = (Event){p->items[i].first, (uint32_t)i, true};
		e[2 * i + 1] = (Event){p->items[i].last, (uint32_t)i, false};
	}
	qsort(e, 2 * p->n, sizeof *e, compare_events);
	return e;
}

void
place_part_alloc(Arena *a, PlacePart *part, size_t n, int32_t sections)
{
	size_t m = (size_t)sections;
	part->n = n;
	part->sections = sections;
	part->lo = arena_array(a, n, sizeof *part->lo);
	part->hi = arena_array(a, n, sizeof *part->hi);
	part->size = arena_array(a, n, sizeof *part->size);
	part->align = arena_array(a, n, sizeof *part->align);
	part->life = arena_array(a, n, sizeof *part->life);
	part->at = arena_array(a, n, sizeof *part->at);
	part->item = arena_array(a, n, sizeof *part->item);
	part->load = arena_array(a, m, sizeof *part->load);
	part->live = arena_array(a, m, sizeof *part->live);
	part->trouble = arena_array(a, m, sizeof *part->trouble);
}

void
place_part_measure(PlacePart *part)
{
	for (size_t i = 0; i < part->n; i++) {
		part->load[part->lo[i]] += part->size[i];
		part->live[part->lo[i]]++;
		if (part->hi[i] < part->sections) {
			part->load[part->hi[i]] -= part->size[i];
			part->live[part->hi[i]]--;
		}
		part->cells += (size_t)(part->hi[i] - part->lo[i]);
	}
	for (int32_t s = 0; s < part->sections; s++) {
		part->load[s] += s ? part->load[s - 1] : 0;
		part->live[s] += s ? part->live[s - 1] : 0;
		part->bound = max64(part->bound, part->load[s]);
	}
}

/* Deaths that follow a birth end a section. */
static int32_t
count_sections(const Event *e, size_t count)
{
	int32_t n = 0;
	for (size_t k = 1; k < count; k++)
		n += !e[k].start && e[k - 1].start;
	return n;
}

/* Fills one part from its events, between two moments at which nothing lives:
 * `count` events, half of them starts. */
static void
part_fill(Problem *p, PlacePart *part, const Event *e, size_t count,
	uint32_t *where)
{
	int32_t section = 0;
	place_part_alloc(&p->arena, part, count / 2, count_sections(e, count));
	uint32_t n = 0;
	bool grown = false;
	for (size_t k = 0; k < count; k++) {
		uint32_t i = e[k].item;
		if (e[k].start) {
			const PlaceItem *item = &p->items[i];
			where[i] = n;
			part->item[n] = i;
			part->lo[n] = section;
			part->size[n] = (item->bytes - 1) / p->unit + 1;
			part->align[n] = max64(1, item->align / p->unit);
			n++, grown = true;
		} else {
			section += grown;
			grown = false;
			part->hi[where[i]] = section;
			part->life[where[i]] = section - part->lo[where[i]];
		}
	}
	place_part_measure(part);
}

static void
find_load(Problem *p, const Event *e)
{
	int64_t live = 0;
	for (size_t k = 0; k < 2 * p->n; k++) {
		int64_t bytes = p->items[e[k].item].bytes;
		live += e[k].start ? bytes : -bytes;
		p->load_bound = max64(p->load_bound, live);
	}
	p->least = p->load_bound;
}

static void
check_items(const PlaceItem *items, size_t n)
{
	int64_t total = 0;
	for (size_t i = 0; i < n; i++) {
		const PlaceItem *t = &items[i];
		if (t->first >= t->last || t->bytes <= 0 || t->align < 1)
			die("place", "item %zu is empty", i);
		total = add_sz(total, add_sz(t->bytes, mul_sz(2, t->align)));
	}
	if (n > UINT32_MAX / 4)
		die("place", "%zu items", n);
}

static void
problem_open(Problem *p, const PlaceItem *items, size_t n, bool rounded)
{
	*p = (Problem){.items = items, .n = n,
		.unit = find_unit(items, n, rounded)};
	Event *e = sort_events(p);
	uint32_t *where = arena_array(&p->arena, n, sizeof *where);
	p->parts = arena_array(&p->arena, n, sizeof *p->parts);
	size_t live = 0, begin = 0;
	for (size_t k = 0; k < 2 * n; k++) {
		live = e[k].start ? live + 1 : live - 1;
		if (live)
			continue;
		part_fill(p, &p->parts[p->part_count++], e + begin,
			k + 1 - begin, where);
		begin = k + 1;
	}
	find_load(p, e);
}

/* ---- limits ---- */

bool
place_spend(PlaceLimit *l, int64_t nodes)
{
	nodes = min64(nodes, l->nodes);
	l->spent += nodes, l->nodes -= nodes;
	l->stopped |= l->nodes <= 0;
	return !l->stopped;
}

PlaceLimit
place_share(const PlaceLimit *l, int64_t nodes, double seconds)
{
	PlaceLimit share = *l;
	share.spent = 0;
	share.nodes = min64(nodes, l->nodes);
	if (l->timed)
		share.end = fmin(l->end, now_seconds() + seconds);
	return share;
}

void
place_join(PlaceLimit *l, const PlaceLimit *share)
{
	place_spend(l, share->spent);
	l->stopped |= share->stopped && now_seconds() > l->end;
}

/* ---- the ladder ---- */

static int64_t
part_bytes(const Problem *p, const PlacePart *part)
{
	int64_t most = 0;
	for (size_t i = 0; i < part->n; i++)
		most = max64(most, part->at[i] * p->unit
			+ p->items[part->item[i]].bytes);
	return most;
}

int64_t
place_part(Arena *a, PlacePart *part, int64_t target, PlaceLimit *limit)
{
	PlaceBundles bundles = {0};
	bool bundled = place_bundle(a, part, &bundles);
	if (bundled) {
		place_greedy(&bundles.part, target, limit);
		place_unbundle(part, &bundles);
	} else {
		place_greedy(part, target, limit);
	}
	return place_climb(part, bundled ? &bundles : NULL, target, limit);
}

/* Whether sizes are whole units, so that a height in units tells all. */
static bool
is_exact(const Problem *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->items[i].bytes % p->unit)
			return false;
	return true;
}

/* Places all parts; returns the height in bytes, raises p->least. */
static int64_t
place_parts(Problem *p, int64_t capacity, PlaceLimit *limit)
{
	int64_t target = capacity / p->unit, height = 0;
	bool exact = is_exact(p);
	for (size_t i = 0; i < p->part_count; i++)
		target = max64(target, p->parts[i].bound);
	for (size_t i = 0; i < p->part_count; i++) {
		PlacePart *part = &p->parts[i];
		int64_t least = place_part(&p->arena, part, target, limit);
		height = max64(height, part_bytes(p, part));
		p->least = max64(p->least, exact ? least * p->unit
			: (least - 1) * p->unit + 1);
	}
	return height;
}

static void
take_offsets(const Problem *p, PlaceItem *items)
{
	for (size_t i = 0; i < p->part_count; i++) {
		const PlacePart *part = &p->parts[i];
		for (size_t k = 0; k < part->n; k++)
			items[part->item[k]].offset = part->at[k] * p->unit;
	}
}

/* Places all items in units that find_unit() gives; takes the offsets when they
 * are lower than result->height.  Whether that settles it. */
static bool
place_in_units(PlaceItem *items, size_t n, bool rounded, int64_t capacity,
	PlaceLimit *limit, PlaceResult *result)
{
	Problem p;
	problem_open(&p, items, n, rounded);
	int64_t height = place_parts(&p, capacity, limit);
	if (height < result->height) {
		result->height = height;
		take_offsets(&p, items);
	}
	result->load_bound = p.load_bound;
	result->proven |= result->height <= p.least;
	bool settled = result->proven || limit->stopped || is_exact(&p)
		|| height <= capacity;
	arena_free(&p.arena);
	return settled;
}

void
place(PlaceItem *items, size_t n, const PlaceOptions *o, PlaceResult *result)
{
	double begin = now_seconds();
	*result = (PlaceResult){.proven = !n, .height = n ? INT64_MAX : 0};
	if (!n)
		return;
	check_items(items, n);
	PlaceLimit limit = {.end = begin + o->deadline,
		.timed = o->deadline > 0 && !o->nodes,
		.nodes = o->nodes ? o->nodes : INT64_MAX,
		.stopped = !(o->deadline > 0)};
	if (!place_in_units(items, n, true, o->capacity, &limit, result))
		place_in_units(items, n, false, o->capacity, &limit, result);
	result->nodes = limit.spent;
	result->seconds = now_seconds() - begin;
}
