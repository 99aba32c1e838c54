/* loops.h - how the kernels walk over boxes of 16 axes.
 *
 * A Walk visits a box of elements in rows: axes of one index vanish, axes whose
 * strides chain in every view become one, the fastest of what is left is the
 * row.  Rows are cut into blocks of at most ROW_MAX elements, the pieces that
 * threads take; a block's numbers pass through small buffers on the stack when
 * they are not f32 already.  Private to kernels/cpu/.
 */
#ifndef SLUICE_LOOPS_H
#define SLUICE_LOOPS_H

#include "kernels/kernels.h"

enum {
	WALK_VIEWS = 6,
	ROW_MAX = 1024,         /* elements of a block */
	/* elements for which another thread is worth while: what takes less
	   than some twenty to fifty microseconds runs on one */
	THREAD_ELEMENTS = 16384,
	/* the least of them to be taken at once */
	GRAIN_ELEMENTS = 4096,
};

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

/* A block of elements: n of them, element i of view v is at
 * p[v] + i * step[v] * size. */
typedef struct Block {
	char *p[WALK_VIEWS];
	int64_t n;
	int64_t first;                  /* position of element 0 in its row */
	int64_t pos[AXIS_MAX];          /* walk's own bookkeeping */
} Block;

/* Prepares a walk over the box of extents `box`; view[v] is broadcast along
 * axes that it lacks.  With `whole_c` the row is the axis c and nothing else. */
void walk_init(Walk *w, const int64_t *box, int views,
	const View *const *view, bool whole_c);

/* Puts a block at the start of row `row`, and moves it to the next one (behind
 * the last comes the first).  They set p, not n. */
void walk_seek(const Walk *w, Block *b, int64_t row);
void walk_next(const Walk *w, Block *b);

/* Calls body(walk, block, arg) for every block, in the threads of the context.
 * No block depends on another, so neither order nor threads show. */
typedef void (*WalkBody)(const Walk *w, const Block *b, const void *arg);
void walk_run(const Ctx *ctx, const Walk *w, WalkBody body, const void *arg);

/* ---- threads ---- */

/* Threads for work on so many elements. */
int walk_threads(const Ctx *ctx, int64_t elements);
/* Pieces of so many elements each that are worth being taken at once. */
int64_t walk_grain(int64_t elements);

/* Calls body(arg, i) for tasks i < n, in at most so many threads. */
typedef void (*TaskBody)(const void *arg, int64_t i);
void tasks_run(const Ctx *ctx, int threads, int64_t n, TaskBody body,
	const void *arg);

/* ---- rows of numbers ---- */

/* n numbers as f32: `p` itself when that is what it holds, else `buf`. */
const float *row_load(float *buf, DType t, const char *p, int64_t step,
	int64_t n);
/* Where to put a row's result: `p` itself or `buf`; row_store finishes it. */
static inline float *
row_out(float *buf, DType t, char *p, int64_t step)
{
	return t == DT_F32 && step == 1 ? (float *)(void *)p : buf;
}
void row_store(DType t, char *p, int64_t step, const float *row, int64_t n);

/* ---- views ---- */

/* Elements of a box. */
int64_t box_elements(const int64_t *n);
/* The part of `v` that starts `first` indices along `axis`, n long. */
View view_part(const View *v, int axis, int64_t first, int64_t n);

#endif
