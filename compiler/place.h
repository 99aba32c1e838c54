/* place.h - private to the placement engine.
 *
 * place.c brings the items to small integers and splits them into parts that
 * do not touch in time; place_greedy.c and place_search.c work on one part.
 * Time is counted in sections: one for each moment at which no further item
 * can be live without one of the present ones having died (a maximal clique).
 * Sizes and offsets are counted in units, the largest step that no offset of a
 * tight placement leaves.
 */
#ifndef SLUICE_PLACE_H
#define SLUICE_PLACE_H

#include "compiler.h"

enum { PLACE_FAILED_BITS = 16 };

typedef struct PlacePart {
	size_t n;
	int32_t sections;
	int32_t *lo, *hi;       /* item i lives in sections lo[i] .. hi[i]-1 */
	int64_t *size, *align;  /* units */
	int64_t *load;          /* (sections): sum of live sizes */
	uint32_t *trouble;      /* (sections): how often searches failed there */
	int64_t bound;          /* the largest of them */
	size_t cells;           /* sum of hi - lo */
	uint64_t *failed;       /* (1 << PLACE_FAILED_BITS): hashes of states
	                           that cannot be completed ... */
	int64_t failed_capacity;        /* ... within this height */
	int64_t *at;            /* the best offsets so far */
	int64_t height;         /* of these */
	uint32_t *item;         /* the caller's index of item i */
} PlacePart;

typedef struct PlaceLimit {
	double end;             /* now_seconds() at which to stop */
	int64_t nodes;          /* search nodes left */
	int64_t spent;          /* search nodes used */
	bool stopped;           /* time or nodes ran out */
} PlaceLimit;

/* place_greedy.c: tries orders and fits, keeps the lowest in part->at and
 * part->height; stops at the first whose height is <= `target` (units). */
void place_greedy(PlacePart *part, int64_t target);

typedef enum PlaceFound {
	PLACE_FOUND,            /* part->at, part->height are set */
	PLACE_NONE,             /* there is no placement of that height */
	PLACE_STOPPED,          /* not known: the budget or `limit` ran out */
} PlaceFound;

/* place_search.c: looks for a placement of height <= capacity (units).
 * `flavour` (any integer >= 0) picks the order in which branches are tried,
 * `nodes` bounds the effort.  Failures are counted in part->trouble, so that a
 * further search begins where the last one failed. */
PlaceFound place_search(PlacePart *part, int64_t capacity, int flavour,
	int64_t nodes, PlaceLimit *limit);

#endif
