/* place_lanes.h - private to the placement engine: the placed items by offset.
 *
 * Lanes list placed items in the order of their offsets.  Two rows of windows,
 * of which one is moved by half a window, cover the sections: an item of at
 * most half a window lies inside a window of one of the rows, and needs to look
 * only at what was placed there and at the few items that span many windows.
 */
#ifndef SLUICE_PLACE_LANES_H
#define SLUICE_PLACE_LANES_H

#include "compiler/place/place_part.h"

enum { PLACE_WINDOWS = 64 };

typedef struct Placed {
	int64_t at, top;        /* offsets: [at, top) */
	int32_t lo, hi;         /* sections */
	uint32_t i;
} Placed;

typedef Vec(Placed) Lane;

typedef struct Lanes {
	const PlacePart *part;
	int32_t width;          /* sections of a window */
	int64_t looks;          /* at placed items, so far */
	Lane all, wide, row[2][PLACE_WINDOWS + 2];
} Lanes;

/* Lanes without items. */
void lanes_open(Lanes *l, const PlacePart *part);
void lanes_clear(Lanes *l);
void lanes_close(Lanes *l);
/* Item i is at offset `at` from now on. */
void lanes_put(Lanes *l, uint32_t i, int64_t at);
/* The lowest gap that holds item i, or the smallest (`best_fit`): its offset
 * there. */
int64_t lanes_gap(Lanes *l, uint32_t i, bool best_fit);

#endif
