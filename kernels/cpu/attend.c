/* attend.c - softmax(scale q k) v for each head, without ever holding more than
 * a tile of scores.
 *
 * Axes that k has, but for `over`, are batch: for every index there is one
 * problem for each head.  All other axes of q are queries.  A task is up to
 * QUERIES queries of one problem.  It walks the keys in tiles of KEYS from key 0
 * on, whatever the queries: scores of a tile, running maximum, weights, their
 * sum, weighted sum of values (scaled down when the maximum grows).  So a
 * query's arithmetic depends on its own numbers and the keys, on nothing else.
 *
 * Queries lie side by side in a task: they are turned once and multiplied by
 * scale log2(e) on the way, so that weights are powers of two.  Scores come out
 * with the queries side by side, too, and so maxima and sums need no sums across
 * a vector.  Workspace of a thread, f32:
 *	queries	[d][QUERIES]
 *	scores	[KEYS][QUERIES]
 *	sums	[QUERIES][dv]	weighted values
 *	keys	[KEYS][d]	copies of what is not f32, or lies far apart
 *	values	[KEYS][dv]	likewise
 */
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/loops.h"
#include "kernels/cpu/vector.h"

#include "ir/base/base.h"

#include <math.h>
#include <string.h>

enum {
	QUERIES = 64,
	KEYS = 64,
	LANES = 16,             /* queries are padded to a multiple of it */
	STEP_MAX = 1 << 20,     /* keys and values farther apart are copied */
	THREAD_WORK = 1 << 18,  /* multiply-adds worth waking a thread for */
};

enum { V_Q, V_K, V_V, V_Y, V_COUNT };

/* Axes of one kind, slowest first; neighbours are joined where strides chain in
 * all views. */
typedef struct Dims {
	int dims;
	int64_t count;          /* product of n */
	int64_t n[AXIS_MAX], step[V_COUNT][AXIS_MAX];
} Dims;

typedef struct Attend {
	const View *view[V_COUNT];
	Dims batch, query, key;
	int64_t heads, d, dv;   /* channels of a head: q and k, v */
	float scale;            /* with log2(e) */
	/* causal: query i has index i / causal_inner % causal_n + causal_lo */
	bool causal;
	int64_t causal_inner, causal_n, causal_lo;
	bool copy_k, copy_v;
	int64_t k_step, v_step; /* between neighbours, copied or not */
	int64_t tiles;          /* tasks of a problem */
	int64_t block;          /* channels of v at a time */
	char *work;
	int64_t work_bytes;     /* of a thread */
} Attend;

static int64_t
head_channels(const Operand *o, const Attr *attr)
{
	return o->part[0].n[AXIS_C] / max64(attr->heads, 1);
}

/* Elements of the five parts of a workspace. */
static void
work_parts(int64_t d, int64_t dv, int64_t n[5])
{
	n[0] = round_up(d * QUERIES, 16);
	n[1] = KEYS * QUERIES;
	n[2] = round_up(QUERIES * dv, 16);
	n[3] = round_up(KEYS * d, 16);
	n[4] = round_up(KEYS * dv, 16);
}

int64_t
attend_work_bytes(const Operand *args, const Attr *attr)
{
	int64_t n[5], sum = 0;
	work_parts(head_channels(&args[1], attr), head_channels(&args[3], attr),
		n);
	for (int i = 0; i < 5; i++)
		sum += n[i];
	return 4 * sum;
}

/* ---- small arithmetic ---- */

/* 2^x for x <= 0, 0 below 2^-125; x = n + f with |f| <= 1/2, 2^f by a polynomial
 * fitted at Chebyshev points (relative error 2e-9).  NaN stays. */
static inline float
power_of_two(float x)
{
	const float round = 12582912.f;         /* 1.5 * 2^23 */
	float low = x < -125.f ? -125.f : x;
	float shifted = low + round;
	float f = low - (shifted - round);
	float p = 0.00015345811f;
	p = kernel_fma(p, f, 0.0013399931f);
	p = kernel_fma(p, f, 0.009618489f);
	p = kernel_fma(p, f, 0.055503286f);
	p = kernel_fma(p, f, 0.24022646f);
	p = kernel_fma(p, f, 0.6931472f);
	p = kernel_fma(p, f, 1.f);
	uint32_t bits;          /* n stands in the low bits of shifted */
	memcpy(&bits, &shifted, sizeof bits);
	bits = (bits + 127) << 23;
	float power;
	memcpy(&power, &bits, sizeof power);
	return x < -125.f ? 0.f : p * power;
}

/* Turns scores of n queries, side by side, and `keys` keys into weights: 2^(s -
 * max).  max and sum of each query are brought up to date; down[] is what its
 * earlier sums are to be multiplied with. */
static void
weigh(float *scores, int64_t n, int64_t keys, float *max, float *sum,
	float *down)
{
	float top[QUERIES];
	memcpy(top, max, (size_t)n * sizeof *top);
	for (int64_t j = 0; j < keys; j++) {
		const float *s = scores + j * QUERIES;
		for (int64_t i = 0; i < n; i++)
			top[i] = s[i] > top[i] ? s[i] : top[i];
	}
	for (int64_t i = 0; i < n; i++) {
		down[i] = power_of_two(max[i] - top[i]);
		sum[i] *= down[i];
		max[i] = top[i];
	}
	for (int64_t j = 0; j < keys; j++) {
		float *s = scores + j * QUERIES;
		for (int64_t i = 0; i < n; i++) {
			s[i] = power_of_two(s[i] - top[i]);
			sum[i] += s[i];
		}
	}
}

/* ---- axes ---- */

/* `views`: bits of the views that matter. */
static void
add_dim(const Attend *t, Dims *d, int axis, int64_t n, unsigned views)
{
	d->count *= n;
	if (n == 1)
		return;
	int last = d->dims - 1;
	bool chains = last >= 0;
	for (int v = 0; v < V_COUNT; v++)
		if (views >> v & 1 && chains)
			chains = d->step[v][last]
				== t->view[v]->stride[axis] * n;
	int at = chains ? last : d->dims++;
	d->n[at] = chains ? d->n[at] * n : n;
	for (int v = 0; v < V_COUNT; v++)
		d->step[v][at] = t->view[v]->stride[axis];
}

/* Offset in view v of the index number i. */
static int64_t
offset(const Dims *d, int v, int64_t i)
{
	int64_t at = 0;
	for (int a = d->dims; a-- > 0; i /= d->n[a])
		at += i % d->n[a] * d->step[v][a];
	return at;
}

/* The causal axis among the queries: the axes behind it make its index step. */
static void
find_causal(Attend *t, const Attr *attr)
{
	const View *y = t->view[V_Y];
	int axis = __builtin_ctz(attr->over);
	t->causal = true;
	t->causal_lo = y->lo[axis] - t->view[V_K]->lo[axis];
	t->causal_n = y->n[axis];
	t->causal_inner = 1;
	AxisSet batch = t->view[V_K]->axes & (AxisSet)~attr->over;
	for (int a = axis + 1; a < AXIS_C; a++)
		if (!(batch >> a & 1))
			t->causal_inner *= y->n[a];
}

static void
find_dims(Attend *t, const Attr *attr)
{
	AxisSet keys = t->view[V_K]->axes, over = attr->over;
	t->batch.count = t->query.count = t->key.count = 1;
	for (int a = 0; a < AXIS_C; a++) {
		if (over >> a & 1)
			add_dim(t, &t->key, a, t->view[V_K]->n[a],
				1 << V_K | 1 << V_V);
		if (keys >> a & 1 && !(over >> a & 1))
			add_dim(t, &t->batch, a, t->view[V_Y]->n[a], ~0u);
		else
			add_dim(t, &t->query, a, t->view[V_Y]->n[a],
				1 << V_Q | 1 << V_Y);
	}
}

/* Step of view v along d if there is one, else 0. */
static int64_t
one_step(const Dims *d, int v, int64_t channels)
{
	if (d->dims == 0)
		return channels;
	return d->dims == 1 && d->step[v][0] >= channels ? d->step[v][0] : 0;
}

/* ---- a task ---- */

/* A task's place and its workspace. */
typedef struct Task {
	int64_t head, first, n; /* queries [first, first + n) */
	int64_t at[V_COUNT];    /* of the problem in the views, head included */
	float *queries, *scores, *sums, *keys, *values;
	float max[QUERIES], sum[QUERIES];
} Task;

static const char *
element(const View *v, int64_t at)
{
	return v->data + at * dtype_bytes(v->dtype);
}

/* The task's queries as [d][QUERIES], times the scale; zeros behind them up to a
 * multiple of LANES. */
static void
turn_queries(const Attend *t, Task *k)
{
	const View *v = t->view[V_Q];
	for (int64_t j = 0; j < round_up(k->n, LANES); j++) {
		int64_t at = j < k->n ? k->at[V_Q]
			+ offset(&t->query, V_Q, k->first + j) : 0;
		for (int64_t i = 0; i < t->d; i += QUERIES) {
			float buf[QUERIES] = {0};
			int64_t part = min64(t->d - i, QUERIES);
			if (j < k->n)
				convert(DT_F32, buf, v->dtype,
					element(v, at + i), part);
			for (int64_t c = 0; c < part; c++)
				k->queries[(i + c) * QUERIES + j]
					= buf[c] * t->scale;
		}
	}
}

/* Rows of view v, number [first, first + n) along d, as f32 [n][channels]. */
static void
copy_rows(const View *view, const Dims *d, int v, int64_t at, int64_t first,
	int64_t n, int64_t channels, float *to)
{
	for (int64_t i = 0; i < n; i++)
		convert(DT_F32, to + i * channels, view->dtype,
			element(view, at + offset(d, v, first + i)), channels);
}

/* Keys, or values, [first, first + n): where they are, or a copy in `to`. */
static const float *
rows_at(const Attend *t, const Task *k, int v, int64_t first, int64_t n,
	float *to)
{
	bool copy = v == V_K ? t->copy_k : t->copy_v;
	if (!copy)
		return (const float *)(const void *)element(t->view[v],
			k->at[v]) + first * (v == V_K ? t->k_step : t->v_step);
	copy_rows(t->view[v], &t->key, v, k->at[v], first, n,
		v == V_K ? t->d : t->dv, to);
	return to;
}

/* Scores that the causal mask hides become -infinity. */
static void
mask(const Attend *t, const Task *k, int64_t first, int64_t n)
{
	for (int64_t i = 0; i < k->n; i++) {
		int64_t q = (k->first + i) / t->causal_inner % t->causal_n
			+ t->causal_lo;
		for (int64_t j = clamp64(q + 1 - first, 0, n); j < n; j++)
			k->scores[j * QUERIES + i] = -INFINITY;
	}
}

/* Scores of the task's queries and keys [first, first + n). */
static void
make_scores(const Attend *t, Task *k, int64_t first, int64_t n)
{
	const float *queries = k->queries;
	const float *keys = rows_at(t, k, V_K, first, n, k->keys);
	Gemm g = {
		.m = (int)round_up(k->n, LANES), .n = (int)n, .k = (int)t->d,
		.a_k = QUERIES, .b_j = t->k_step, .b_k = 1, .c_j = QUERIES,
	};
	gemm_run(&g, 1, &queries, &keys, k->scores);
	if (t->causal)
		mask(t, k, first, n);
}

/* sums = sums * down + weights * values [first, first + n). */
static void
add_values(const Attend *t, Task *k, int64_t first, int64_t n,
	const float *down)
{
	const float *values = rows_at(t, k, V_V, first, n, k->values);
	const float *weights = k->scores;
	for (int64_t i = 0; i < k->n && first; i++)
		for (int64_t c = 0; c < t->dv && down[i] != 1; c++)
			k->sums[i * t->dv + c] *= down[i];
	for (int64_t c = 0; c < t->dv; c += t->block) {
		const float *a = values + c;
		Gemm g = {
			.m = (int)min64(t->dv - c, t->block), .n = (int)k->n,
			.k = (int)n, .a_k = t->v_step, .b_j = 1,
			.b_k = QUERIES, .c_j = t->dv, .add = first > 0,
		};
		gemm_run(&g, 1, &a, &weights, k->sums + c);
	}
}

static void
store(const Attend *t, Task *k)
{
	const View *y = t->view[V_Y];
	for (int64_t i = 0; i < k->n; i++) {
		float *s = k->sums + i * t->dv;
		float factor = 1 / k->sum[i];
		for (int64_t c = 0; c < t->dv; c++)
			s[c] *= factor;
		int64_t at = k->at[V_Y] + offset(&t->query, V_Y, k->first + i);
		convert(y->dtype, y->data + at * dtype_bytes(y->dtype), DT_F32,
			s, t->dv);
	}
}

/* Keys of tiles that all queries of the task may see a part of. */
static int64_t
visible_keys(const Attend *t, const Task *k)
{
	int64_t last = 0;
	if (!t->causal)
		return t->key.count;
	for (int64_t i = 0; i < k->n; i++)
		last = max64(last, (k->first + i) / t->causal_inner
			% t->causal_n);
	return min64(last + t->causal_lo + 1, t->key.count);
}

static void
begin_task(const Attend *t, int64_t task, float *work, Task *k)
{
	int64_t parts[5], problem = task / t->tiles;
	work_parts(t->d, t->dv, parts);
	k->queries = work;
	k->scores = k->queries + parts[0];
	k->sums = k->scores + parts[1];
	k->keys = k->sums + parts[2];
	k->values = k->keys + parts[3];
	k->head = problem % t->heads;
	k->first = task % t->tiles * QUERIES;
	k->n = min64(t->query.count - k->first, QUERIES);
	for (int v = 0; v < V_COUNT; v++)
		k->at[v] = offset(&t->batch, v, problem / t->heads)
			+ k->head * (v == V_V || v == V_Y ? t->dv : t->d);
	for (int64_t i = 0; i < round_up(k->n, LANES); i++) {
		k->max[i] = -INFINITY;
		k->sum[i] = 0;
	}
	turn_queries(t, k);
}

static void
run_task(const Attend *t, int64_t task, float *work)
{
	Task k;
	begin_task(t, task, work, &k);
	int64_t end = visible_keys(t, &k);
	for (int64_t first = 0; first < end; first += KEYS) {
		int64_t n = min64(t->key.count - first, KEYS);
		float down[QUERIES];
		make_scores(t, &k, first, n);
		weigh(k.scores, round_up(k.n, LANES), n, k.max, k.sum, down);
		add_values(t, &k, first, n, down);
	}
	store(t, &k);
}

/* ---- the op ---- */

static KStatus
plan(Attend *t, const Operand *args, const Attr *attr)
{
	for (int i = 0; i < 4; i++)
		if (args[i].parts != 1 || args[i].part[0].dtype > DT_BF16)
			return K_UNSUPPORTED;
	t->view[V_Y] = &args[0].part[0];
	t->view[V_Q] = &args[1].part[0];
	t->view[V_K] = &args[2].part[0];
	t->view[V_V] = &args[3].part[0];
	t->heads = max64(attr->heads, 1);
	t->d = head_channels(&args[1], attr);
	t->dv = head_channels(&args[3], attr);
	t->scale = (float)(attr->scale * 1.4426950408889634);
	find_dims(t, attr);
	if (attr->causal)
		find_causal(t, attr);
	t->k_step = one_step(&t->key, V_K, t->d);
	t->v_step = one_step(&t->key, V_V, t->dv);
	t->copy_k = t->k_step == 0 || t->k_step > STEP_MAX
		|| t->view[V_K]->dtype != DT_F32;
	t->copy_v = t->v_step == 0 || t->v_step > STEP_MAX
		|| t->view[V_V]->dtype != DT_F32;
	if (t->copy_k)
		t->k_step = t->d;
	if (t->copy_v)
		t->v_step = t->dv;
	int64_t blocks = (t->dv + GEMM_EDGE - 1) / GEMM_EDGE;
	t->block = round_up((t->dv + blocks - 1) / blocks, 16);
	t->tiles = (t->query.count + QUERIES - 1) / QUERIES;
	return K_OK;
}

static void
run_tasks(const void *arg, Share *s)
{
	const Attend *t = arg;
	void *work = t->work + s->id * t->work_bytes;
	while (share_next(s))
		for (int64_t i = s->first; i < s->end; i++)
			run_task(t, i, work);
}

KStatus
cpu_attend(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	Attend t = {0};
	KStatus status = plan(&t, args, attr);
	int64_t problems = t.batch.count * t.heads;
	if (status != K_OK || problems * t.query.count * t.dv == 0)
		return status;
	if (ctx->prepare)
		return K_OK;
	t.work = args[1 + op_nin(OP_attend)].part[0].data;
	t.work_bytes = attend_work_bytes(args, attr);
	double most = (double)problems * (double)t.query.count
		* (double)t.key.count * (double)(t.d + t.dv) / THREAD_WORK;
	threads_run(ctx->team, most < THREADS_MAX ? (int)most : THREADS_MAX,
		problems * t.tiles, 1, run_tasks, &t);
	return K_OK;
}
