/* loops.c - see loops.h. */
#include "kernels/cpu/loops.h"

#include "ir/base/base.h"

#include <string.h>

int
walk_threads(const Ctx *ctx, int64_t elements)
{
	int64_t t = elements / THREAD_ELEMENTS + 1;
	return (int)min64(t, threads_count(ctx->team));
}

int64_t
walk_grain(int64_t elements)
{
	return max64(1, GRAIN_ELEMENTS / max64(1, elements));
}

void
walk_seek(const Walk *w, Block *b, int64_t row)
{
	for (int v = 0; v < w->views; v++)
		b->p[v] = w->data[v];
	for (int d = 0; d < w->dims; d++) {
		b->pos[d] = row % w->n[d];
		row /= w->n[d];
		for (int v = 0; v < w->views; v++)
			b->p[v] += b->pos[d] * w->stride[v][d];
	}
}

void
walk_next(const Walk *w, Block *b)
{
	for (int d = 0; d < w->dims; d++) {
		for (int v = 0; v < w->views; v++)
			b->p[v] += w->stride[v][d];
		if (++b->pos[d] < w->n[d])
			return;
		for (int v = 0; v < w->views; v++)
			b->p[v] -= w->stride[v][d] * w->n[d];
		b->pos[d] = 0;
	}
}

/* ---- threads ---- */

typedef struct Tasks {
	TaskBody body;
	const void *arg;
} Tasks;

static void
run_tasks(const void *arg, Share *s)
{
	const Tasks *t = arg;
	while (share_next(s))
		for (int64_t i = s->first; i < s->end; i++)
			t->body(t->arg, i);
}

void
tasks_run(const Ctx *ctx, int threads, int64_t n, TaskBody body,
	const void *arg)
{
	threads_run(ctx->team, threads, n, 1, run_tasks, &(Tasks){body, arg});
}

typedef struct Blocks {
	const Walk *w;
	WalkBody body;
	const void *arg;
	int64_t blocks;         /* of a row */
} Blocks;

/* Blocks [from, to), counted over all rows. */
static void
run_stretch(const Blocks *s, int64_t from, int64_t to)
{
	const Walk *w = s->w;
	int64_t blocks = s->blocks;
	Block row, b;
	walk_seek(w, &row, from / blocks);
	for (int64_t i = from, k = from % blocks; i < to; i++) {
		b.first = k * w->block;
		b.n = min64(w->row - b.first, w->block);
		for (int v = 0; v < w->views; v++)
			b.p[v] = row.p[v] + b.first * w->step[v]
				* dtype_bytes(w->dtype[v]);
		s->body(w, &b, s->arg);
		if (++k == blocks) {
			walk_next(w, &row);
			k = 0;
		}
	}
}

static void
run_blocks(const void *arg, Share *s)
{
	while (share_next(s))
		run_stretch(arg, s->first, s->end);
}

void
walk_run(const Ctx *ctx, const Walk *w, WalkBody body, const void *arg)
{
	int64_t blocks = (w->row + w->block - 1) / w->block;
	int64_t total = w->rows * blocks;
	int threads = walk_threads(ctx, w->rows * w->row);
	threads_run(ctx->team, threads, total,
		walk_grain(min64(w->row, w->block)), run_blocks,
		&(Blocks){w, body, arg, blocks});
}

const float *
row_load(float *buf, DType t, const char *p, int64_t step, int64_t n)
{
	if (step == 1 && t == DT_F32)
		return (const float *)(const void *)p;
	if (step == 1 && t != DT_I32) {
		convert(DT_F32, buf, t, p, n);
		return buf;
	}
	if (t == DT_I32) {
		const int32_t *x = (const int32_t *)(const void *)p;
		for (int64_t i = 0; i < n; i++)
			buf[i] = (float)x[i * step];
	} else if (t == DT_F32) {
		const float *x = (const float *)(const void *)p;
		for (int64_t i = 0; i < n; i++)
			buf[i] = x[i * step];
	} else {
		const uint16_t *x = (const uint16_t *)(const void *)p;
		uint16_t half[ROW_MAX];
		for (int64_t i = 0; i < n; i++)
			half[i] = x[i * step];
		convert(DT_F32, buf, t, half, n);
	}
	return buf;
}

void
row_store(DType t, char *p, int64_t step, const float *row, int64_t n)
{
	if (step == 1) {
		if ((const void *)row != (const void *)p)
			convert(t, p, DT_F32, row, n);
		return;
	}
	if (t == DT_F32) {
		float *y = (float *)(void *)p;
		for (int64_t i = 0; i < n; i++)
			y[i * step] = row[i];
	} else {
		uint16_t *y = (uint16_t *)(void *)p;
		uint16_t half[ROW_MAX];
		convert(t, half, DT_F32, row, n);
		for (int64_t i = 0; i < n; i++)
			y[i * step] = half[i];
	}
}
