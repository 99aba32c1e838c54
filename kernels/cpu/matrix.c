/* matrix.c - linear and conv: tiles of pixels times blocks of a packed matrix.
 *
 * A task is a group of tiles and a block of output channels.  For each chunk of
 * the matrix (a list of tap, column block in the order they are stored) it adds
 * to the sums of all tiles; behind the last chunk each tile is finished and
 * stored.  Sums stand in the thread's workspace, as do copies in f32 of weights
 * and pixels of other types:
 *	sums		PANEL x 64 f32, twice for a GEGLU
 *	weights		a chunk, unless they are f32
 *	pixels		TILE_CONVERTED x columns of a chunk, unless f32
 * The sum of an element runs over (column part, column block, tap, column), in
 * this order, and depends on nothing else.
 */
#include "kernels/cpu/matrix.h"
#include "kernels/cpu/loops.h"

#include "ir/base/base.h"

#include <string.h>

enum {
	SUMS_BYTES = PANEL * GEMM_EDGE * 4,
	WEIGHTS_BYTES = CHUNK * GEMM_EDGE * GEMM_EDGE * 4,
	PIXELS_BYTES = TILE_CONVERTED * CHUNK * GEMM_EDGE * 4,
	/* multiply-adds that are worth waking a thread for */
	THREAD_WORK = 1 << 19,
};

static bool
x_is_f32(const Operand *x)
{
	for (int i = 0; i < x->parts; i++)
		if (x->part[i].dtype != DT_F32)
			return false;
	return true;
}

int64_t
matrix_work_bytes(Op op, const Operand *args, const Attr *attr)
{
	int64_t bytes = SUMS_BYTES;
	if (op == OP_linear && attr->geglu)
		bytes += SUMS_BYTES;
	if (args[2].part[0].dtype != DT_F32)
		bytes += WEIGHTS_BYTES;
	if (!x_is_f32(&args[1]))
		bytes += PIXELS_BYTES;
	return bytes;
}

/* ---- a region's tiles and tasks ---- */

typedef struct Tiles {
	Region region;
	Box box;
	int64_t width, in_run;  /* pixels of a tile, tiles in a run */
	int64_t tiles, group;   /* all; in a group */
	int64_t groups, tasks;
} Tiles;

typedef struct Run {
	Matrix m;
	bool convert_x, convert_w;
	int threads;
	int64_t row_blocks;     /* of one row part */
	char *work;
	int64_t work_bytes;     /* of a thread */
} Run;

static int64_t
tile_width(const Run *run, int64_t n)
{
	int64_t most = run->convert_x ? TILE_CONVERTED : TILE_MAX;
	int64_t tiles = (n + most - 1) / most;
	return tiles == 1 ? n : min64(most, round_up((n + tiles - 1) / tiles, 6));
}

static void
plan_tiles(const Run *run, Tiles *t)
{
	region_box(&run->m, &t->region, &t->box);
	int64_t n = t->box.n[t->box.dims - 1];
	t->width = tile_width(run, n);
	t->in_run = (n + t->width - 1) / t->width;
	t->tiles = t->region.pixels / n * t->in_run;
	t->group = max64(PANEL / t->width, 1);
	/* enough tasks for all threads, if there are enough tiles */
	int64_t wanted = (4 * run->threads + run->row_blocks - 1)
		/ run->row_blocks;
	if (run->threads > 1)
		t->group = clamp64(t->tiles / wanted, 1, t->group);
	t->groups = (t->tiles + t->group - 1) / t->group;
	t->tasks = t->groups * run->row_blocks;
}

/* ---- a task ---- */

/* One tile: its pixels and where they are in the views. */
typedef struct Tile {
	int64_t n, at[V_COUNT];
} Tile;

static Tile
find_tile(const Tiles *t, int64_t i)
{
	const Box *b = &t->box;
	int run = b->dims - 1;
	int64_t in_run = i % t->in_run * t->width;
	Tile tile = {.n = min64(t->width, b->n[run] - in_run)};
	i /= t->in_run;
	for (int v = 0; v < V_COUNT; v++)
		tile.at[v] = b->base[v] + in_run * b->step[v][run];
	for (int d = run; d-- > 0; i /= b->n[d])
		for (int v = 0; v < V_COUNT; v++)
			tile.at[v] += i % b->n[d] * b->step[v][d];
	return tile;
}

/* Blocks of the matrix that are used together: all have `cols` columns. */
typedef struct Chunk {
	int n, part;
	int64_t cols;
	const float *a[GEMM_BATCH];     /* [cols][rows] */
	int64_t x[GEMM_BATCH];  /* offset of the input from the first tap's */
} Chunk;

typedef struct Task {
	const Run *run;
	const Tiles *tiles;
	int64_t row, rows;      /* output channels, in a row part */
	int half;               /* the row part */
	float *weights, *pixels;
} Task;

/* Fills `c` with blocks from number *next on (counted over column blocks, then
 * taps), at most as many as are to stay in the cache. */
static void
next_chunk(const Task *t, int64_t taps, int64_t *next, Chunk *c)
{
	const Matrix *m = &t->run->m;
	int64_t end = m->col_blocks * taps, used = 0;
	c->n = 0;
	for (; *next < end; ++*next) {
		PackCols p = pack_cols(&m->layout, *next / taps);
		if (c->n == 0) {
			c->cols = p.cols;
			c->part = p.part;
		}
		if (p.cols != c->cols || p.part != c->part
			|| c->n == (p.cols > THIN ? CHUNK : GEMM_BATCH))
			break;
		const View *x = m->view[V_X + p.part];
		int64_t tap = region_tap(m, &t->tiles->region, *next % taps, x,
			&c->x[c->n]);
		c->x[c->n] += p.first;
		int64_t place = pack_place(&m->layout,
			t->row + t->half * m->layout.rows[0], t->rows, tap, &p);
		int64_t size = t->rows * p.cols;
		if (t->run->convert_w) {
			convert(DT_F32, t->weights + used, m->w->dtype,
				m->w->data + place * 2, size);
			c->a[c->n] = t->weights + used;
			used += size;
		} else {
			c->a[c->n] = (const float *)(const void *)m->w->data
				+ place;
		}
		c->n++;
	}
}

/* The inputs of a tile for every block of a chunk, as f32 [block][n][cols]. */
static void
convert_pixels(const Task *t, const Tile *tile, const Chunk *c)
{
	const Box *b = &t->tiles->box;
	const View *x = t->run->m.view[V_X + c->part];
	int64_t size = dtype_bytes(x->dtype);
	int64_t step = b->step[V_X + c->part][b->dims - 1];
	float *to = t->pixels;
	for (int i = 0; i < c->n; i++)
		for (int64_t j = 0; j < tile->n; j++, to += c->cols)
			convert(DT_F32, to, x->dtype, x->data
				+ (tile->at[V_X + c->part] + j * step + c->x[i])
				* size, c->cols);
}

static void
add_chunk(const Task *t, const Tile *tile, const Chunk *c, bool add,
	float *sums)
{
	const float *b[GEMM_BATCH];
	const View *x = t->run->m.view[V_X + c->part];
	if (t->run->convert_x)
		convert_pixels(t, tile, c);
	for (int i = 0; i < c->n; i++)
		b[i] = t->run->convert_x ? t->pixels + i * tile->n * c->cols
			: (const float *)(const void *)x->data
			+ tile->at[V_X + c->part] + c->x[i];
	const Box *box = &t->tiles->box;
	Gemm g = {
		.m = (int)t->rows, .n = (int)tile->n, .k = (int)c->cols,
		.a_k = t->rows, .b_k = 1, .c_j = t->rows, .add = add,
		.b_j = t->run->convert_x ? c->cols
			: box->step[V_X + c->part][box->dims - 1],
	};
	gemm_run(&g, c->n, c->a, b, sums);
}

/* Finishes a tile whose sums are complete; `gate` as in matrix.h. */
static void
finish(const Task *t, const Finish *f, const Tile *tile, float *sums,
	float *gate)
{
	const Box *b = &t->tiles->box;
	int64_t step[V_COUNT];
	for (int v = 0; v < V_COUNT; v++)
		step[v] = b->step[v][b->dims - 1];
	finish_tile(&t->run->m, f, sums, gate, tile->n, tile->at, step);
}

/* The sums of tiles [first, end) for the task's row part, [tile][n][rows].  With
 * `f` a tile is finished as soon as it is complete: `sums` then are its sums, or
 * with a GEGLU those of its gate, `front` places behind the tile's others. */
static void
sum_tiles(const Task *t, int64_t first, int64_t end, float *sums,
	const Finish *f, int64_t front)
{
	int64_t taps = region_taps(&t->run->m, &t->tiles->region);
	int64_t blocks = taps * t->run->m.col_blocks, next = 0;
	if (blocks == 0)        /* a pixel that sees padding only */
		memset(sums, 0, SUMS_BYTES);
	do {
		Chunk c;
		bool add = next > 0;
		if (blocks)
			next_chunk(t, taps, &next, &c);
		float *s = sums;
		for (int64_t i = first; i < end; i++) {
			Tile tile = find_tile(t->tiles, i);
			if (blocks)
				add_chunk(t, &tile, &c, add, s);
			if (f && next == blocks)
				finish(t, f, &tile, s - front,
					front ? s : NULL);
			s += tile.n * t->rows;
		}
	} while (next < blocks);
}

static void
run_task(const Run *run, const Tiles *tiles, int64_t task, char *work)
{
	const Matrix *m = &run->m;
	int64_t group = task / run->row_blocks, block = task % run->row_blocks;
	int64_t first = group * tiles->group;
	int64_t end = min64(first + tiles->group, tiles->tiles);
	Task t = {.run = run, .tiles = tiles, .row = block * GEMM_EDGE};
	t.rows = min64(m->layout.rows[0] - t.row, GEMM_EDGE);
	float *sums = (float *)(void *)work;
	int64_t gate = m->geglu ? PANEL * GEMM_EDGE : 0;
	t.weights = sums + gate + PANEL * GEMM_EDGE;
	t.pixels = t.weights + (run->convert_w ? WEIGHTS_BYTES / 4 : 0);
	Finish f;
	finish_begin(m, &f, t.row, t.rows);
	if (m->geglu) {
		sum_tiles(&t, first, end, sums, NULL, 0);
		t.half = 1;
	}
	sum_tiles(&t, first, end, sums + gate, &f, gate);
}

/* ---- all tasks ---- */

/* A region on the way through all of them; tasks are numbered over all. */
typedef struct Place {
	Tiles tiles;
	int64_t before;         /* tasks of the regions in front */
} Place;

static bool
place_first(const Run *run, Place *p)
{
	p->before = 0;
	if (!region_first(&run->m, &p->tiles.region))
		return false;
	plan_tiles(run, &p->tiles);
	return true;
}

static bool
place_next(const Run *run, Place *p)
{
	p->before += p->tiles.tasks;
	if (!region_next(&run->m, &p->tiles.region))
		return false;
	plan_tiles(run, &p->tiles);
	return true;
}

static int64_t
count_tasks(const Run *run)
{
	Place p;
	for (bool more = place_first(run, &p); more;)
		more = place_next(run, &p);
	return p.before;
}

static void
run_tasks(const void *arg, Share *s)
{
	const Run *run = arg;
	char *work = run->work + s->id * run->work_bytes;
	Place p;
	place_first(run, &p);
	while (share_next(s)) {
		if (s->first < p.before)
			place_first(run, &p);
		for (int64_t i = s->first; i < s->end; i++) {
			while (i >= p.before + p.tiles.tasks)
				place_next(run, &p);
			run_task(run, &p.tiles, i - p.before, work);
		}
	}
}

static bool
supported(const Operand *args, int nin)
{
	for (int i = 0; i <= nin; i++)
		for (int p = 0; p < args[i].parts; p++)
			if (args[i].part[p].dtype > DT_BF16)
				return false;
	return true;
}

static const View *
view_of(const Operand *o, int part)
{
	return part < o->parts ? &o->part[part] : NULL;
}

/* Threads that the work is worth. */
static int
useful_threads(const Ctx *ctx, const Matrix *m)
{
	double work = (double)(m->layout.cols[0] + m->layout.cols[1])
		* (double)m->layout.taps * (double)m->layout.rows[0];
	for (int a = 0; a < AXIS_C; a++)
		work *= (double)m->view[V_Y]->n[a];
	double most = work / THREAD_WORK;
	int all = threads_count(ctx->team);
	return most < 2 ? 1 : most < all ? (int)most : all;
}

KStatus
matrix_run(const Ctx *ctx, Op op, const Operand *args, const Attr *attr)
{
	int nin = op_nin(op);
	Run run = {.m = {
		.args = args, .attr = attr,
		.over = op == OP_conv ? attr->over : 0,
		.layout = matrix_layout(op, args, attr),
		.view = {view_of(&args[1], 0), view_of(&args[1], 1),
			view_of(&args[0], 0), view_of(&args[4], 0),
			view_of(&args[5], 0)},
		.w = view_of(&args[2], 0), .bias = view_of(&args[3], 0),
		.geglu = op == OP_linear && attr->geglu, .act = attr->act,
	}};
	Matrix *m = &run.m;
	const View *row = m->view[V_ROW];
	if (!supported(args, nin) || __builtin_popcount(m->over) > MATRIX_AXES
		|| (m->geglu && row && row->axes >> AXIS_C & 1
			&& row->n[AXIS_C] != 2 * m->layout.rows[0]))
		return K_UNSUPPORTED;
	for (int a = 0; a < AXIS_C; a++)
		if (m->over >> a & 1)
			m->axis[m->axes++] = a;
	m->col_blocks = pack_col_blocks(&m->layout);
	run.row_blocks = (m->layout.rows[0] + GEMM_EDGE - 1) / GEMM_EDGE;
	run.convert_x = !x_is_f32(&args[1]);
	run.convert_w = m->w->dtype != DT_F32;
	run.threads = useful_threads(ctx, m);
	if (ctx->prepare)
		return K_OK;
	run.work = args[1 + nin].part[0].data;
	run.work_bytes = matrix_work_bytes(op, args, attr);
	threads_run(ctx->team, run.threads, count_tasks(&run), 1, run_tasks,
		&run);
	return K_OK;
}
