/* box.h - what can be said about a View without knowing its op, and the small
 * form that kernels of every target are launched with.
 *
 * A Walk visits a box of elements in rows: axes of one index vanish, axes whose
 * strides chain in every view become one, the fastest of what is left is the
 * row.
 */
#ifndef SLUICE_BOX_H
#define SLUICE_BOX_H

#include "kernels/kernels.h"

enum {
	WALK_VIEWS = 6,
	ROW_MAX = 1024,         /* elements of a block */
};

/* Number of elements of a box. */
int64_t view_elements(const View *v);
/* The byte behind the last one that the box touches; NULL for an empty box. */
const char *view_end(const View *v);
/* Index (in walking order, axes upwards) of the first NaN or infinity in a box
 * of floating type, -1 when all are finite. */
int64_t view_nonfinite(const View *v);
/* The same from extents. */
int64_t box_elements(const int64_t *n);
/* The part of `v` that starts `first` indices along `axis`, n long. */
View view_part(const View *v, int axis, int64_t first, int64_t n);

typedef struct Walk {
	int views, dims;
	DType dtype[WALK_VIEWS];
	char *data[WALK_VIEWS];
	int64_t step[WALK_VIEWS];       /* of the row, in elements */
	int64_t row;                    /* elements of a row */
	int64_t block;                  /* the most of them in a block */
	/* the other axes, fastest first; strides in bytes */
	int64_t n[AXIS_MAX], stride[WALK_VIEWS][AXIS_MAX];
	int64_t rows;                   /* product of n */
} Walk;

/* Prepares a walk over the box of extents `box`; view[v] is broadcast along
 * axes that it lacks.  With `whole_c` the row is the axis c and nothing else. */
void walk_init(Walk *w, const int64_t *box, int views,
	const View *const *view, bool whole_c);

#endif
