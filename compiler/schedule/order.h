/* order.h - the order engine: in which order to run nodes so that the fewest
 * bytes live at once.
 *
 * A node makes one value and reads others.  While it runs, its result, its
 * workspace and all that it reads live; after it, what nothing reads any more
 * goes.  (Three phases, not a net number: the generalised pebble game of Liu,
 * "An application of generalized tree pebbling to sparse matrix factorization",
 * 1987, on graphs.)
 */
#ifndef SLUICE_ORDER_H
#define SLUICE_ORDER_H

#include "ir/base/base.h"

typedef struct OrderNode {
	int64_t bytes;          /* of the result */
	int64_t work;           /* that live only while it runs */
	bool stays;             /* the result lives to the end */
	uint32_t first_in, nin; /* into OrderGraph.in */
	uint32_t inplace;       /* node whose place the result may take if it dies
	                           here, ORDER_NONE */
	uint32_t first_after, nafter;   /* into OrderGraph.after */
} OrderNode;
#define ORDER_NONE UINT32_MAX

typedef struct OrderGraph {
	uint32_t n;
	OrderNode *node;
	uint32_t *in;           /* nodes whose values a node reads */
	uint32_t *after;        /* nodes that must run before it all the same */
} OrderGraph;

typedef struct OrderResult {
	int64_t peak;           /* largest sum of live bytes */
	int64_t given_peak;     /* of the order that was given */
	bool proven;            /* no order has a lower peak */
	int64_t states;         /* sets of finished nodes that were looked at */
} OrderResult;

/* Improves `order`: on entry any valid order, on return one of the lowest peak
 * found; the given one stays where none is better.  `states` bounds the effort
 * in each part of the graph (parts are separated by nodes that every other node
 * is before or behind). */
void order_find(const OrderGraph *g, uint32_t *order, int64_t states,
	OrderResult *result);
/* Peak of an order. */
int64_t order_peak(const OrderGraph *g, const uint32_t *order);

#endif
