/* loops.h - how the kernels walk over boxes of 16 axes.
 *
 * A Walk (kernels/box.h) visits a box of elements in rows.  Rows are cut into
 * blocks of at most ROW_MAX elements, the pieces that threads take; a block's
 * numbers pass through small buffers on the stack when they are not f32 already.
 * Private to kernels/cpu/.
 */
#ifndef SLUICE_LOOPS_H
#define SLUICE_LOOPS_H

#include "kernels/box.h"

enum {
	/* elements for which another thread is worth while: what takes less
	   than some twenty to fifty microseconds runs on one */
	THREAD_ELEMENTS = 16384,
	/* the least of them to be taken at once */
	GRAIN_ELEMENTS = 4096,
};

/* A block of elements: n of them, element i of view v is at
 * p[v] + i * step[v] * size. */
typedef struct Block {
	char *p[WALK_VIEWS];
	int64_t n;
	int64_t first;                  /* position of element 0 in its row */
	int64_t pos[AXIS_MAX];          /* walk's own bookkeeping */
} Block;

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

#endif
