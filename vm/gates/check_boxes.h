/* check_boxes.h - sets of bytes for the checker.
 *
 * A view touches a *strided* set: runs of bytes at base + sum of i[k] * s[k].
 * The bytes of one buffer get coordinates: a *frame* is a chain of strides 1 =
 * d[0] | d[1] | ..., and byte x has the digits (x / d[i]) mod r[i].  Whole
 * tensors, slices along any axis and parts along c are then boxes of digits,
 * and what has been written in a buffer is a short list of them.  What does not
 * fit the frame is cut into several boxes, so nothing is approximated.
 *
 * What takes longer than its arguments are long is paid from `cost`.  When that
 * is overspent the functions return early, and what they say means nothing.
 */
#ifndef SLUICE_CHECK_BOXES_H
#define SLUICE_CHECK_BOXES_H

#include "vm/gates/budget.h"

enum { DIGITS = 8 };

typedef struct Strided {
	int64_t base, run;      /* bytes; run > 0 */
	int nd;
	int64_t n[AXIS_MAX], s[AXIS_MAX];       /* s upwards; n > 1 */
} Strided;

typedef struct Frame {
	int k;                  /* digits */
	int64_t d[DIGITS], r[DIGITS];   /* r of the last: no limit */
} Frame;

typedef struct Box {
	int64_t lo[DIGITS], hi[DIGITS];
} Box;

typedef Vec(Box) BoxList;

/* Adds axis (n > 0 indices, stride s > 0 bytes) to a set, keeping the order.
 * strided_join() then makes one run of what lies without gaps. */
void strided_axis(Strided *a, int64_t n, int64_t s);
void strided_join(Strided *a);
/* The byte behind the last one. */
int64_t strided_end(const Strided *a);
/* Whether no byte is reached twice (sufficient: each stride at least the span
 * of those below). */
bool strided_distinct(const Strided *a);
/* Whether two sets share a byte. */
bool strided_meet(const Strided *a, const Strided *b, PlanCost *cost);

/* A frame from strides in bytes (any order, any number) for a buffer of
 * `bytes`. */
void frame_make(Frame *f, int64_t *stride, size_t n, int64_t bytes);
/* The part of a set that lies in 0 .. bytes, as boxes appended to `out`; false
 * when there would be more than `limit`. */
bool frame_boxes(const Frame *f, const Strided *a, int64_t bytes, size_t limit,
	BoxList *out, PlanCost *cost);
/* Lowest byte of a box, and the byte behind its highest. */
int64_t box_first(const Frame *f, const Box *b);
int64_t box_end(const Frame *f, const Box *b);

bool box_inside(const Frame *f, const Box *a, const Box *b);
void boxes_add(const Frame *f, BoxList *set, const Box *b, PlanCost *cost);
void boxes_remove(const Frame *f, BoxList *set, const Box *b, PlanCost *cost);
/* Whether the set covers the box; if not, *hole is a part it does not. */
bool boxes_cover(const Frame *f, const BoxList *set, const Box *b, Box *hole,
	PlanCost *cost);

#endif
