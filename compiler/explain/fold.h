/* fold.h - a plan's graph folded into boxes, few enough to be looked at: the
 * values of one scope are one box.
 */
#ifndef SLUICE_FOLD_H
#define SLUICE_FOLD_H

#include "vm/plan/plan.h"

/* What scopes are made of: "down_blocks.0" and "resnets.1" are each a level, as
 * is "conv1". */
enum { LEVELS_MAX = 12 };

typedef struct Box {
	const char *component;
	const char *scope;      /* the folded one: `length` bytes of it */
	size_t length;
	uint32_t first, last;   /* nodes, of `count` that are computed in it */
	uint32_t count;
	bool input, attends, convolves;
	uint32_t output;        /* 1 + the plan's output made in it, 0: none */
	bool hub;               /* its last value is read nearly everywhere */
	bool rises;             /* behind the bottom of a U: drawn upwards */
} Box;

typedef struct BoxEdge {
	uint32_t from, to;      /* from > to: carried to the next step */
	uint32_t hub;           /* the node, when it is one that so many boxes
	                           read that no edge is drawn; 0: none */
	bool constant;          /* nothing of the inputs goes this way */
	bool skip;              /* over the bottom of a U */
} BoxEdge;

typedef struct Folded {
	Box *boxes;             /* in program order */
	uint32_t n;
	BoxEdge *edges;         /* sorted, all different */
	uint32_t n_edges;
} Folded;

/* In the arena; names belong to the plan. */
Folded fold_graph(Arena *a, const Plan *p);
/* Length of the first `levels` levels of a scope. */
size_t fold_prefix(const char *scope, int levels);

#endif
