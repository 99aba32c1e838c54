/* place.c - the placement engine: every result is a placement, what it calls
 * proven is the optimum that a search over all orders finds, and instances
 * that are cut from a rectangle come back to its height.
 */
#include "tests/lib/test.h"
#include "tests/lib/place_cuts.h"
#include "compiler/place/place.h"

#include <math.h>
#include <stdlib.h>

enum { SMALL = 9, LARGE = 5000 };

static PlaceItem items[LARGE];

/* ---- judging a result ---- */

/* The first pair that shares a byte, or item off its alignment, as text. */
static const char *
find_fault(const PlaceItem *t, size_t n, const PlaceResult *r)
{
	static char text[128];
	int64_t height = 0;
	for (size_t i = 0; i < n; i++) {
		const PlaceItem *a = &t[i];
		height = max64(height, a->offset + a->bytes);
		if (a->offset < 0 || a->offset % a->align) {
			snprintf(text, sizeof text, "item %zu at %lld", i,
				(long long)a->offset);
			return text;
		}
		for (size_t k = 0; k < i; k++) {
			const PlaceItem *b = &t[k];
			if (a->first < b->last && b->first < a->last
				&& a->offset < b->offset + b->bytes
				&& b->offset < a->offset + a->bytes) {
				snprintf(text, sizeof text,
					"items %zu and %zu", k, i);
				return text;
			}
		}
	}
	return r->height == height ? NULL : "the height is another";
}

/* The largest sum of live bytes: it is reached where an item begins. */
static int64_t
find_load(const PlaceItem *t, size_t n)
{
	int64_t most = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t live = 0;
		for (size_t k = 0; k < n; k++)
			if (t[k].first <= t[i].first && t[i].first < t[k].last)
				live += t[k].bytes;
		most = max64(most, live);
	}
	return most;
}

/* Places and checks all that must hold for any options. */
static PlaceResult
run(size_t n, int64_t capacity, double deadline, int64_t nodes)
{
	PlaceOptions o = {capacity, deadline, nodes};
	PlaceResult r;
	place(items, n, &o, &r);
	const char *fault = find_fault(items, n, &r);
	CHECK(!fault, "%s", fault ? fault : "");
	CHECK(r.load_bound == find_load(items, n), "%lld",
		(long long)r.load_bound);
	CHECK(r.height >= r.load_bound);
	CHECK(r.proven || r.height > r.load_bound);
	CHECK(r.seconds >= 0);
	return r;
}

/* ---- the optimum ---- */

/* In a placement with everything pushed down each item lies on the highest of
 * those below it: the lowest height is that of one of the orders. */
static void
try_orders(const PlaceItem *t, size_t n, unsigned placed, int64_t *at,
	int64_t height, int64_t *best)
{
	if (placed == (1u << n) - 1)
		*best = height;
	for (size_t i = 0; i < n && height < *best; i++) {
		if (placed >> i & 1)
			continue;
		at[i] = 0;
		for (size_t k = 0; k < n; k++)
			if ((placed >> k & 1) && t[k].first < t[i].last
				&& t[i].first < t[k].last)
				at[i] = max64(at[i], at[k] + t[k].bytes);
		at[i] = round_up(at[i], t[i].align);
		int64_t top = max64(height, at[i] + t[i].bytes);
		if (top < *best)
			try_orders(t, n, placed | 1u << i, at, top, best);
	}
}

static int64_t
find_optimum(const PlaceItem *t, size_t n)
{
	int64_t at[SMALL], best = INT64_MAX;
	try_orders(t, n, 0, at, 0, &best);
	return best;
}

/* ---- instances ---- */

static size_t
random_instance(uint64_t *state, bool aligned)
{
	size_t n = (size_t)cut_between(state, 1, SMALL - 1);
	int64_t end = cut_between(state, 2, 12);
	for (size_t i = 0; i < n; i++) {
		int64_t first = cut_between(state, 0, end - 1);
		items[i] = (PlaceItem){first - 3,
			cut_between(state, first + 1, end) - 3,
			cut_between(state, 1, 12), 1, -1};
		if (aligned)
			items[i].align = (int64_t)1 << cut_between(state, 0, 3);
	}
	return n;
}

/* ---- tests ---- */

/* Compares `count` instances with the optimum; returns how many have one above
 * their load. */
static int
compare_optima(int count, size_t (*make)(uint64_t *), uint64_t seed)
{
	int above = 0;
	for (int k = 0; k < count && !test_bad; k++) {
		uint64_t state = seed + (uint64_t)k;
		size_t n = make(&state);
		int64_t best = find_optimum(items, n);
		PlaceResult r = run(n, 0, INFINITY, 0);
		CHECK(r.proven, "instance %d", k);
		CHECK(r.height == best, "instance %d: %lld, not %lld", k,
			(long long)r.height, (long long)best);
		r = run(n, 0, INFINITY, 3);
		CHECK(r.height >= best, "instance %d", k);
		CHECK(!r.proven || r.height == best, "instance %d", k);
		above += best > r.load_bound;
	}
	return above;
}

static size_t
plain_instance(uint64_t *state)
{
	return random_instance(state, false);
}

static size_t
aligned_instance(uint64_t *state)
{
	return random_instance(state, true);
}

static void
test_optimum(void)
{
	test("the optimum of small random instances");
	compare_optima(500, plain_instance, 1);
	test("the optimum with alignments");
	CHECK(compare_optima(500, aligned_instance, 1000) > 50);
	test("the optimum above the load of items without alignments");
	static const PlaceItem high[] = {
		{0, 3, 4, 1, 0}, {3, 5, 3, 1, 0}, {0, 1, 4, 1, 0},
		{4, 6, 3, 1, 0}, {2, 5, 3, 1, 0}, {4, 6, 4, 1, 0},
		{1, 4, 2, 1, 0}, {0, 3, 4, 1, 0}, {5, 6, 4, 1, 0}};
	memcpy(items, high, sizeof high);
	PlaceResult r = run(COUNT_OF(high), 0, INFINITY, 0);
	CHECK(r.load_bound == 13 && r.height == 14 && r.proven);
	CHECK(find_optimum(high, COUNT_OF(high)) == 14);
}

static void
test_cuts(void)
{
	test("pieces of a rectangle fit into it again");
	for (int k = 0; k < 12; k++) {
		CutOptions o = {.count = k < 10 ? 120 : 400,
			.seed = 7 + (uint64_t)k, .side = 1024, .step = 1024,
			.pinwheels = k % 3 * 50, .even = k % 2};
		size_t n = cut_instance(items, &o);
		CHECK(n == o.count, "%zu", n);
		CHECK(find_load(items, n) == 1 << 20);
		PlaceResult r = run(n, 0, INFINITY, 200000);
		CHECK(r.height == 1 << 20, "instance %d: %lld", k,
			(long long)r.height);
		CHECK(r.proven);
	}
	test("pieces with some left out fit into the rectangle");
	for (int k = 0; k < 6; k++) {
		CutOptions o = {.count = 150, .seed = 50 + (uint64_t)k,
			.side = 1024, .step = 1024, .holes = 30, .even = true};
		size_t n = cut_instance(items, &o);
		PlaceResult r = run(n, 1 << 20, INFINITY, 200000);
		CHECK(r.height <= 1 << 20, "instance %d: %lld", k,
			(long long)r.height);
	}
}

static void
test_limits(void)
{
	CutOptions o = {.count = 2000, .seed = 3, .side = 1 << 16, .step = 256,
		.pinwheels = 50};
	test("no time and few nodes still give a placement");
	size_t n = cut_instance(items, &o);
	PlaceResult r = run(n, 0, 0, 0);
	CHECK(!r.nodes, "%lld", (long long)r.nodes);
	int64_t greedy = r.height;
	for (int64_t nodes = 1; nodes < 3000; nodes = 5 * nodes + 1) {
		r = run(n, 0, INFINITY, nodes);
		CHECK(r.height <= greedy && r.nodes <= nodes);
	}
	r = run(n, 0, 1e-3, 0);
	CHECK(r.height <= greedy);

	test("the same budget gives the same offsets");
	static int64_t before[2000];
	run(n, 0, INFINITY, 5000);
	for (size_t i = 0; i < n; i++)
		before[i] = items[i].offset;
	run(n, 0, INFINITY, 5000);
	size_t other = 0;
	for (size_t i = 0; i < n; i++)
		other += items[i].offset != before[i];
	CHECK(!other, "%zu offsets differ", other);
}

static void
test_capacity(void)
{
	CutOptions o = {.count = 100, .seed = 11, .side = 1024, .step = 1};
	test("a capacity ends the search at the first placement that fits");
	size_t n = cut_instance(items, &o);
	PlaceResult greedy = run(n, 0, 0, 0);
	PlaceResult r = run(n, greedy.height, INFINITY, 0);
	CHECK(r.height <= greedy.height && !r.nodes);
	r = run(n, 1024 + 16, INFINITY, 0);
	CHECK(r.height <= 1024 + 16, "%lld", (long long)r.height);
	test("a capacity below the load: the lowest placement is found");
	r = run(n, 1000, INFINITY, 0);
	CHECK(r.height == 1024 && r.proven, "%lld", (long long)r.height);
}

/* Buffers of training: what step i makes is used again about `jitter` steps
 * around step 2 * steps - i, and each step has a buffer of its own. */
static size_t
mirrored_instance(int64_t steps, int64_t jitter, uint64_t seed)
{
	uint64_t state = seed;
	size_t n = 0;
	for (int64_t i = 0; i < steps; i++) {
		int64_t last = 2 * steps - i + cut_between(&state, -jitter,
			jitter);
		if (last > i && cut_between(&state, 0, 9) < 6)
			items[n++] = (PlaceItem){i, last,
				cut_between(&state, 1, 1000), 1, 0};
	}
	for (int64_t i = 0; i < 2 * steps; i++)
		items[n++] = (PlaceItem){i, i + cut_between(&state, 1, 3),
			cut_between(&state, 1, 20000), 1, 0};
	return n;
}

static void
test_cores(void)
{
	test("thousands of items: their load is met around the largest loads");
	int above = 0;
	for (uint64_t seed = 1; seed < 3; seed++) {
		size_t n = mirrored_instance(1500, 50, seed);
		PlaceResult r = run(n, 0, INFINITY, 1);
		above += r.height > r.load_bound;
		r = run(n, 0, INFINITY, 40000);
		CHECK(r.proven && r.height == r.load_bound, "%lld above %lld",
			(long long)r.height, (long long)r.load_bound);
		CHECK(r.nodes <= 40000);
	}
	CHECK(above, "greedy orders do it");
	test("... and more nodes never give a higher placement");
	size_t n = mirrored_instance(1500, 300, 1);
	int64_t height = INT64_MAX;
	for (int64_t nodes = 500; nodes < 20000; nodes *= 6) {
		PlaceResult r = run(n, 0, INFINITY, nodes);
		CHECK(r.height <= height && r.nodes <= nodes, "%lld nodes",
			(long long)nodes);
		height = r.height;
	}
	test("... with alignments");
	for (size_t i = 0; i < n; i++)
		items[i].align = i % 5 ? 1 : 64;
	run(n, 0, INFINITY, 200);
}

static void
test_sweep(void)
{
	test("a time that is over at once: a placement all the same");
	for (int k = 0; k < 6; k++) {
		uint64_t state = (uint64_t)k;
		for (int64_t i = 0; i < LARGE; i++) {
			int64_t life = k % 3 ? cut_between(&state, 1, 500)
				: LARGE;
			items[i] = (PlaceItem){i, i + life,
				cut_between(&state, 1, 1 << k), 1, -1};
			if (k > 3)
				items[i].align = cut_between(&state, 1, 20);
		}
		PlaceResult r = run(LARGE, 0, 1e-9, 0);
		CHECK(!r.nodes && r.height < 3 * r.load_bound, "%lld of %lld",
			(long long)r.height, (long long)r.load_bound);
	}
	test("a staircase of equal items has no gap");
	for (int64_t i = 0; i < LARGE; i++)
		items[i] = (PlaceItem){i, i + 300, 64, 1, -1};
	PlaceResult r = run(LARGE, 0, 1e-9, 0);
	CHECK(r.height == 300 * 64 && r.proven);
}

static void
test_bundles(void)
{
	test("many items of one lifetime");
	size_t n = 0;
	uint64_t state = 5;
	for (int k = 0; k < 400; k++)
		items[n++] = (PlaceItem){10, 90, cut_between(&state, 1, 9),
			1, 0};
	for (int k = 0; k < 100; k++)
		items[n++] = (PlaceItem){k, k + 3, cut_between(&state, 1, 99),
			1, 0};
	PlaceResult r = run(n, 0, INFINITY, 100000);
	CHECK(r.proven && r.height == r.load_bound, "%lld above %lld",
		(long long)r.height, (long long)r.load_bound);
	test("items of one lifetime that must lie apart");
	/* x below and above the long one, which is low before and high after */
	static const PlaceItem apart[] = {
		{0, 2, 1, 1, 0}, {0, 1, 3, 1, 0}, {1, 3, 2, 1, 0},
		{1, 2, 1, 1, 0}, {2, 4, 1, 1, 0}, {2, 4, 1, 1, 0},
		{3, 5, 2, 1, 0}, {4, 5, 2, 1, 0}};
	memcpy(items, apart, sizeof apart);
	r = run(COUNT_OF(apart), 0, INFINITY, 0);
	CHECK(r.proven && r.height == find_optimum(apart, COUNT_OF(apart)));
}

static void
test_sizes(void)
{
	test("nothing to place");
	PlaceResult r = run(0, 0, 1, 0);
	CHECK(!r.height && r.proven);
	test("one item at the ends of time");
	items[0] = (PlaceItem){INT64_MIN, INT64_MAX, 1, 1, 7};
	r = run(1, 0, 1, 0);
	CHECK(r.height == 1 && !items[0].offset);
	test("sizes and alignments near the limits");
	static const int64_t huge = (int64_t)1 << 57;
	for (int i = 0; i < 4; i++)
		items[i] = (PlaceItem){i, i + 2, huge - i, i % 2 ? huge : 1, 0};
	r = run(4, 0, INFINITY, 0);
	CHECK(r.proven && r.height == find_optimum(items, 4));
	test("sizes without a common divisor");
	for (int i = 0; i < 8; i++)
		items[i] = (PlaceItem){i / 2, i / 2 + 2, 1000000007 + i * i, 1,
			0};
	r = run(8, 0, INFINITY, 0);
	CHECK(r.proven && r.height == find_optimum(items, 8));
}

int
main(void)
{
	test_optimum();
	test_cuts();
	test_limits();
	test_capacity();
	test_cores();
	test_sweep();
	test_bundles();
	test_sizes();
	return test_end();
}
