/* embed.c - rows of a table, picked by number.  Numbers are data: each is
 * compared with the table before it is read.  A kernel cannot refuse one, so
 * what is outside of the table gives NaN.
 */
#include "kernels/cpu/loops.h"

#include <math.h>

/* The row that the element at `p` asks for, or -1. */
static int64_t
embed_id(DType t, const char *p, int64_t rows)
{
	if (t == DT_I32) {
		int32_t id = *(const int32_t *)(const void *)p;
		return id >= 0 && id < rows ? id : -1;
	}
	float buf[1];
	float x = *row_load(buf, t, p, 1, 1);
	if (!(x >= 0.f && x < (float)rows))     /* a NaN neither */
		return -1;
	int64_t id = (int64_t)x;
	return (float)id == x && id < rows ? id : -1;
}

typedef struct Embed {
	const View *y, *table;
	int64_t rows;
} Embed;

/* A row is the axis c of the result.  views: result, x */
static void
embed_block(const Walk *w, const Block *b, const void *arg)
{
	const Embed *e = arg;
	float buf[ROW_MAX];
	int64_t id = embed_id(w->dtype[1], b->p[1], e->rows);
	if (id < 0) {
		for (int64_t i = 0; i < b->n; i++)
			buf[i] = NAN;
		row_store(w->dtype[0], b->p[0], w->step[0], buf, b->n);
		return;
	}
	int64_t at = id * e->y->full[AXIS_C] + e->y->lo[AXIS_C] + b->first;
	const char *from = e->table->data + at * dtype_bytes(e->table->dtype);
	const float *row = row_load(buf, e->table->dtype, from, 1, b->n);
	row_store(w->dtype[0], b->p[0], w->step[0], row, b->n);
}

/* x [..] numbers, table [rows][n] -> [.., c = n] */
KStatus
cpu_embed(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	Embed e = {&args[0].part[0], &args[2].part[0], attr->rows};
	const View *v[2] = {e.y, &args[1].part[0]};
	Walk w;
	if (ctx->prepare)
		return K_OK;
	walk_init(&w, e.y->n, 2, v, true);
	walk_run(ctx, &w, embed_block, &e);
	return K_OK;
}
