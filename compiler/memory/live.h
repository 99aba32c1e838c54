/* live.h - private to the live pass: lifetimes as they are found.
 *
 *   live.c     storages, from where in the code to where they live
 *   inplace.c  which of them stand where another died
 */
#ifndef SLUICE_LIVE_H
#define SLUICE_LIVE_H

#include "compiler/program.h"

/* One reading of a storage. */
typedef struct LiveUse {
	uint32_t node, next;    /* next: of the same storage, UINT32_MAX */
	int k;
	Ref ref;
} LiveUse;

typedef struct Live {
	Program *p;
	const Graph *g;
	uint32_t *item_of;      /* by node: its item */
	uint32_t *loop_begin, *loop_end;        /* by item: of the innermost loop
	                           around it, UINT32_MAX: none; for CODE_LOOP
	                           and CODE_NEXT the loop itself */
	uint32_t *loop_around;  /* by item, of a CODE_LOOP: the loop around it */
	uint32_t *class;        /* by node: the node whose storage it shares */
	uint32_t *use_first;    /* by storage: its first use */
	Vec(LiveUse) use;
	bool *taken;            /* by storage: another stands in its place */
} Live;

/* ---- inplace.c ---- */
/* Lets node's result take the place of a value that dies with it, or that dies
 * in the loop which makes the result slice by slice (same_as). */
void live_take_place(Live *l, uint32_t node);

#endif
