/* place.h - the placement engine: offsets for items that live for a while.
 * (`sluice place` is its own front end.)
 */
#ifndef SLUICE_PLACE_H
#define SLUICE_PLACE_H

#include "ir/base/base.h"

/* Offsets for items that live over [first, last) of any integer time, such
 * that no two items that live at the same time share a byte. */
typedef struct PlaceItem {
	int64_t first, last;    /* half-open; first < last */
	int64_t bytes;          /* > 0 */
	int64_t align;          /* of the offset, >= 1 */
	int64_t offset;         /* result */
} PlaceItem;

typedef struct PlaceOptions {
	int64_t capacity;       /* stop at the first height <= this; 0: lowest */
	double deadline;        /* seconds of search; 0: greedy orders only.
	                           Infinite: until proven */
	int64_t nodes;          /* budget of search nodes, for results that do
	                           not depend on time; 0: none */
} PlaceOptions;

typedef struct PlaceResult {
	int64_t height;         /* largest offset + bytes */
	int64_t load_bound;     /* largest sum of live bytes */
	bool proven;            /* no placement is lower */
	double seconds;
	int64_t nodes;
} PlaceResult;

/* Always fills valid offsets and the result. */
void place(PlaceItem *items, size_t n, const PlaceOptions *o,
	PlaceResult *result);

#endif
