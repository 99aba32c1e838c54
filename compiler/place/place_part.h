/* place_part.h - private to the placement engine.
 *
 * place.c brings the items to small integers and splits them into parts that
 * do not touch in time; the other files work on one part.
 * Time is counted in sections: one for each moment at which no further item
 * can be live without one of the present ones having died (a maximal clique).
 * Sizes and offsets are counted in units, the largest step that no offset of a
 * tight placement leaves.
 */
#ifndef SLUICE_PLACE_PART_H
#define SLUICE_PLACE_PART_H

#include "compiler/place/place.h"

enum { PLACE_FAILED_BITS = 16 };
/* Parts with more cells than this are not searched as a whole: a node would
 * take milliseconds. */
#define PLACE_HUGE ((size_t)1 << 24)

typedef struct PlacePart {
	size_t n;
	int32_t sections;
	int32_t *lo, *hi;       /* item i lives in sections lo[i] .. hi[i]-1 */
	int64_t *size, *align;  /* units */
	int64_t *life;          /* sections that item i lives in; in a core
	                           those of the whole part */
	int64_t *load;          /* (sections): sum of live sizes */
	size_t *live;           /* (sections): count of live items */
	uint32_t *trouble;      /* (sections): how often it was too full */
	int64_t bound;          /* the largest of them */
	size_t cells;           /* sum of hi - lo */
	uint64_t *failed;       /* (1 << PLACE_FAILED_BITS): hashes of states
	                           that cannot be completed ... (NULL until the
	                           first search) */
	int64_t failed_capacity;        /* ... within this height */
	int64_t *at;            /* the best offsets so far */
	int64_t height;         /* of these */
	uint32_t *item;         /* the caller's index of item i */
	int first;              /* greedy order and flavour to begin with */
	int orders;             /* greedy orders tried */
	bool is_core;           /* place_core.c made it */
} PlacePart;

typedef struct PlaceLimit {
	double end;             /* now_seconds() at which to stop */
	bool timed;             /* the answer may depend on the time: greedy
	                           passes are given up at the end, too */
	int64_t nodes;          /* search nodes left: items placed on trial */
	int64_t spent;          /* search nodes used */
	bool stopped;           /* time or nodes ran out */
} PlaceLimit;

/* ---- place.c ---- */
/* The arrays of a part of up to n items and `sections` sections, zeroed. */
void place_part_alloc(Arena *a, PlacePart *part, size_t n, int32_t sections);
/* load, live, bound and cells from the items. */
void place_part_measure(PlacePart *part);
/* The whole ladder for one part: sets part->at and part->height.  Returns the
 * lowest height not excluded (units).  Arrays come from the arena. */
int64_t place_part(Arena *a, PlacePart *part, int64_t target,
	PlaceLimit *limit);
/* Counts nodes as spent; false when the limit has come. */
bool place_spend(PlaceLimit *limit, int64_t nodes);
/* A limit for a piece of the work ... */
PlaceLimit place_share(const PlaceLimit *limit, int64_t nodes, double seconds);
/* ... and what is left of the limit after it. */
void place_join(PlaceLimit *limit, const PlaceLimit *share);

/* ---- place_bundle.c ---- */
typedef struct PlaceBundles {
	PlacePart part;         /* one item for each lifetime */
	uint32_t *of;           /* the bundle of item i ... */
	int64_t *above;         /* ... and its offset in that */
} PlaceBundles;

/* Bundles the items of equal lifetimes; false when there is nothing to bundle
 * or alignments are in the way.  Arrays come from the arena. */
bool place_bundle(Arena *a, const PlacePart *part, PlaceBundles *b);
/* The part takes the offsets and the height of its bundles. */
void place_unbundle(PlacePart *part, const PlaceBundles *b);

/* ---- place_climb.c ----
 * Looks for a placement of height <= `target` (units), or the lowest one that
 * the limit allows: sets part->at and part->height, which hold a placement
 * already.  Returns the lowest height not excluded. */
int64_t place_climb(PlacePart *part, PlaceBundles *bundles, int64_t target,
	PlaceLimit *limit);

/* ---- place_sweep.c ---- */
/* Any placement, of any number of items, in little time: sets part->at and
 * part->height. */
void place_sweep(PlacePart *part);

/* ---- place_greedy.c ---- */
/* Tries orders and fits, keeps the lowest in part->at and part->height; stops
 * at the first whose height is <= `target` (units), or when that took long. */
void place_greedy(PlacePart *part, int64_t target, const PlaceLimit *limit);
/* Tries those again that place_greedy() did not come to ... */
void place_greedy_rest(PlacePart *part, int64_t target, PlaceLimit *limit);
/* ... and all of them around the items of a core, which stay at its offsets. */
void place_around(PlacePart *part, const PlacePart *core, int64_t target,
	PlaceLimit *limit);

/* ---- place_core.c ---- */
/* One round of searching cores, each twice as long as in the round before.
 * Returns the lowest height not excluded. */
int64_t place_cores(PlacePart *part, int64_t target, int round,
	PlaceLimit *limit);

typedef enum PlaceFound {
	PLACE_FOUND,            /* part->at, part->height are set */
	PLACE_NONE,             /* there is no placement of that height */
	PLACE_STOPPED,          /* not known: the budget or `limit` ran out */
} PlaceFound;

/* ---- place_search.c ---- */
/* Looks for a placement of height <= capacity (units).
 * `flavour` (any integer >= 0) picks the order in which branches are tried,
 * `nodes` bounds the effort.  Failures are counted in part->trouble, so that a
 * further search begins where the last one failed. */
PlaceFound place_search(PlacePart *part, int64_t capacity, int flavour,
	int64_t nodes, PlaceLimit *limit);

#endif
