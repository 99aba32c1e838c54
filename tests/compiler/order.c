/* order.c - the order engine against all orders of small random graphs, and on
 * shapes whose best order is known.
 */
#include "compiler/schedule/order.h"
#include "tests/lib/test.h"

#include <stdlib.h>

enum { NODES = 8, EDGES = 4 * NODES };

typedef struct Sample {
	OrderGraph g;
	OrderNode node[NODES];
	uint32_t in[EDGES], after[NODES];
	uint32_t order[NODES];
} Sample;

static uint32_t seed = 1;

static uint32_t
pick(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void
make_sample(Sample *s)
{
	uint32_t nin = 0, nafter = 0;
	*s = (Sample){.g = {.n = 2 + pick(NODES - 1)}};
	s->g.node = s->node;
	s->g.in = s->in;
	s->g.after = s->after;
	for (uint32_t i = 0; i < s->g.n; i++) {
		OrderNode *x = &s->node[i];
		*x = (OrderNode){.bytes = pick(4) ? 1 + pick(9) : 4,
			.work = pick(3) ? 0 : pick(9), .stays = !pick(6),
			.first_in = nin, .inplace = ORDER_NONE,
			.first_after = nafter};
		for (uint32_t k = pick(4); i && k--;)
			s->in[nin++] = pick(i);
		x->nin = nin - x->first_in;
		if (x->nin && pick(2))
			x->inplace = s->in[x->first_in];
		if (i && !pick(6))
			s->after[nafter++] = pick(i);
		x->nafter = nafter - x->first_after;
		s->order[i] = i;
	}
}

static bool
may_follow(const OrderGraph *g, uint32_t done, uint32_t i)
{
	const OrderNode *x = &g->node[i];
	bool ok = true;
	for (uint32_t e = 0; e < x->nin; e++)
		ok &= done >> g->in[x->first_in + e] & 1;
	for (uint32_t e = 0; e < x->nafter; e++)
		ok &= done >> g->after[x->first_after + e] & 1;
	return ok;
}

/* Lowest peak of all valid orders that begin as `order` does. */
static int64_t
brute(const OrderGraph *g, uint32_t *order, uint32_t n, uint32_t done)
{
	int64_t best = INT64_MAX;
	if (n == g->n)
		return order_peak(g, order);
	for (uint32_t i = 0; i < g->n; i++) {
		if ((done >> i & 1) || !may_follow(g, done, i))
			continue;
		order[n] = i;
		best = min64(best, brute(g, order, n + 1, done | 1u << i));
	}
	return best;
}

static bool
valid(const OrderGraph *g, const uint32_t *order)
{
	uint32_t done = 0;
	for (uint32_t k = 0; k < g->n; k++) {
		if ((done >> order[k] & 1) || !may_follow(g, done, order[k]))
			return false;
		done |= 1u << order[k];
	}
	return done == (1u << g->n) - 1;
}

static void
test_random(void)
{
	int better = 0, proven = 0;
	test("order: as good as the best of all orders");
	for (int i = 0; i < 3000; i++) {
		Sample s;
		OrderResult r;
		uint32_t scratch[NODES];
		make_sample(&s);
		int64_t best = brute(&s.g, scratch, 0, 0);
		int64_t given = order_peak(&s.g, s.order);
		order_find(&s.g, s.order, 10000, &r);
		CHECK(valid(&s.g, s.order), "case %d", i);
		CHECK(order_peak(&s.g, s.order) == r.peak, "case %d: %lld is "
			"not %lld", i, (long long)order_peak(&s.g, s.order),
			(long long)r.peak);
		CHECK(r.peak == best, "case %d: %lld, the best is %lld", i,
			(long long)r.peak, (long long)best);
		CHECK(r.proven, "case %d", i);
		CHECK(r.given_peak == given, "case %d", i);
		better += r.peak < given;
		proven += r.proven;
	}
	printf("# 3000 graphs against all orders, %d of them improved\n", better);
	CHECK(better > 300, "%d", better);

	test("order: nothing is proven that is not so");
	for (int i = 0; i < 2000; i++) {
		Sample s;
		OrderResult r;
		uint32_t scratch[NODES];
		make_sample(&s);
		int64_t best = brute(&s.g, scratch, 0, 0);
		order_find(&s.g, s.order, 2, &r);       /* gives up early */
		CHECK(valid(&s.g, s.order), "case %d", i);
		CHECK(r.peak >= best && r.peak <= r.given_peak, "case %d", i);
		CHECK(!r.proven || r.peak == best, "case %d: %lld of %lld", i,
			(long long)r.peak, (long long)best);
	}
}

/* `n` branches from one value to one sum, each a large value that becomes a
 * small one: one branch after the other is best. */
static void
test_branches(void)
{
	enum { BRANCHES = 6, ALL = 2 + 2 * BRANCHES };
	OrderNode node[ALL] = {{.bytes = 1, .inplace = ORDER_NONE}};
	uint32_t in[3 * BRANCHES], nin = 0, order[ALL];
	test("order: a branch at a time");
	for (uint32_t i = 1; i <= BRANCHES; i++) {
		node[i] = (OrderNode){.bytes = 100, .first_in = nin, .nin = 1,
			.inplace = ORDER_NONE};
		in[nin++] = 0;
	}
	for (uint32_t i = 1; i <= BRANCHES; i++) {
		node[BRANCHES + i] = (OrderNode){.bytes = 2, .first_in = nin,
			.nin = 1, .inplace = ORDER_NONE};
		in[nin++] = i;
	}
	node[ALL - 1] = (OrderNode){.bytes = 1, .first_in = nin,
		.nin = BRANCHES, .inplace = ORDER_NONE, .stays = true};
	for (uint32_t i = 1; i <= BRANCHES; i++)
		in[nin++] = BRANCHES + i;
	for (uint32_t i = 0; i < ALL; i++)
		order[i] = i;
	OrderGraph g = {ALL, node, in, NULL};
	OrderResult r;
	order_find(&g, order, 100000, &r);
	CHECK(r.given_peak == 100 * BRANCHES + 2, "%lld",
		(long long)r.given_peak);
	/* the last branch: five small ones, a large one, its small one */
	CHECK(r.peak == 2 * (BRANCHES - 1) + 100 + 2, "%lld", (long long)r.peak);
	CHECK(r.proven);
}

/* Too wide to search: a chain of large values, and beside it many short chains
 * that nothing separates from it. */
static void
test_wide(void)
{
	enum { CHAIN = 20, SIDE = 60, ALL = CHAIN + SIDE };
	OrderNode node[ALL];
	uint32_t in[ALL], nin = 0, order[ALL], other[ALL];
	test("order: a wide graph is proven by what must live");
	for (uint32_t i = 0; i < ALL; i++) {
		bool chained = i != 0 && (i < CHAIN || i % 2);
		node[i] = (OrderNode){.bytes = i < CHAIN ? 50 + 10 * (i % 7) : 1,
			.first_in = nin, .nin = chained, .inplace = ORDER_NONE};
		if (chained)
			in[nin++] = i - 1;
		order[i] = i;
	}
	OrderGraph g = {ALL, node, in, NULL};
	OrderResult r;
	order_find(&g, order, 1000, &r);
	CHECK(r.proven && r.states == 0);
	CHECK(r.peak == 110 + 100, "%lld", (long long)r.peak);
	for (int k = 0; k < 200; k++) {         /* no random order is better */
		uint32_t n = 0;
		bool done[ALL] = {false};
		while (n < ALL) {
			uint32_t i = pick(ALL);
			if (done[i] || (node[i].nin && !done[i - 1]))
				continue;
			done[i] = true;
			other[n++] = i;
		}
		CHECK(order_peak(&g, other) >= r.peak);
	}
}

int
main(void)
{
	test_random();
	test_branches();
	test_wide();
	return test_end();
}
