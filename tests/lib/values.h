/* values.h - random numbers, values and their memory: with gaps, in any order of
 * axes, poisoned around the numbers.  Part of cases.h.
 */
#ifndef SLUICE_VALUES_H
#define SLUICE_VALUES_H

#include "ir/base/base.h"
#include "kernels/kernels.h"
#include "tests/lib/test.h"

#include <math.h>
#include <stdlib.h>

/* ---- random numbers ---- */

static uint64_t rng_state = 1;

static inline uint64_t
rng_next(void)                  /* splitmix64 */
{
	uint64_t z = rng_state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline int64_t
rng_int(int64_t lo, int64_t hi) /* both included */
{
	return lo + (int64_t)(rng_next() % (uint64_t)(hi - lo + 1));
}

static inline bool
rng_chance(int percent)
{
	return rng_int(1, 100) <= percent;
}

static inline double
rng_real(double lo, double hi)
{
	return lo + (hi - lo) * (double)(rng_next() >> 11) * 0x1p-53;
}

/* ---- values and their memory ---- */

typedef struct Value {
	bool on;
	AxisSet axes;
	int64_t n[AXIS_MAX];    /* 1 for axes it lacks */
	DType dtype;
	int64_t seam;           /* > 0: two parts, so many channels in the first */
	bool vector;            /* a weight: dense along c */
	bool matrix;            /* to be packed */
	bool integers;
	double lo, hi;          /* range of the numbers */
} Value;

typedef struct Case {
	Op op;
	Attr attr;
	DType type;             /* the compilation's */
	bool big;               /* long rows, work for several threads */
	bool tiny;              /* every extent 1; rank 0 where it can be */
	bool even;              /* channels by eights, as in real models */
	Value out, in[OPERANDS_MAX];
} Case;

typedef struct Store {
	Operand o;
	char *buf[2];
	int64_t bytes[2];
} Store;

enum { POISON = 0xA5 };

/* Index tuples of a box in walking order; false behind the last. */
static inline bool
index_next(const int64_t *n, int64_t *i)
{
	for (int a = AXIS_MAX - 1; a >= 0; a--) {
		if (++i[a] < n[a])
			return true;
		i[a] = 0;
	}
	return false;
}

static inline char *
view_at(const View *v, const int64_t *i)
{
	int64_t at = 0;
	for (int a = 0; a < AXIS_MAX; a++)
		at += (v->axes >> a & 1 ? i[a] : 0) * v->stride[a];
	return v->data + at * dtype_bytes(v->dtype);
}

static inline int64_t
box_count(const int64_t *n)
{
	int64_t e = 1;
	for (int a = 0; a < AXIS_MAX; a++)
		e *= n[a];
	return e;
}

static inline double
number_get(DType t, const char *p)
{
	float x;
	if (t == DT_I32) {
		int32_t i;
		memcpy(&i, p, 4);
		return i;
	}
	convert(DT_F32, &x, t, p, 1);
	return (double)x;
}

static inline void
number_put(DType t, char *p, double x)
{
	int32_t i = (int32_t)x;
	float f = (float)x;
	if (t == DT_I32)
		memcpy(p, &i, 4);
	else
		convert(t, p, DT_F32, &f, 1);
}

/* Memory for a box; `loose`: with gaps and in any order of axes (c stays the
 * fastest). */
static inline void
store_view(Store *s, int part, DType t, AxisSet axes, const int64_t *n,
	bool loose)
{
	int order[AXIS_MAX];
	View *v = &s->o.part[part];
	int64_t stride = 1, at = 0;
	memset(v, 0, sizeof *v);
	v->dtype = t;
	v->axes = axes;
	for (int i = 0; i < AXIS_MAX; i++)
		order[i] = AXIS_MAX - 1 - i;
	for (int i = 1; loose && i < AXIS_MAX; i++) {
		int k = (int)rng_int(1, i), tmp = order[i];
		order[i] = order[k];
		order[k] = tmp;
	}
	for (int i = 0; i < AXIS_MAX; i++) {
		int a = order[i];
		v->n[a] = v->full[a] = n[a];
		if (!(axes >> a & 1))
			continue;
		/* channels by eights lie in buffers of channels by eights */
		int64_t unit = a == AXIS_C && n[a] % 8 == 0 ? 8 : 1;
		int64_t front = loose && rng_chance(30) ? rng_int(0, 2) : 0;
		int64_t back = loose && rng_chance(30) ? rng_int(0, 2) : 0;
		front *= unit;
		back *= unit;
		if (loose && unit == 8 && rng_chance(10)) {
			front = 3;      /* the strides say nothing of it */
			back = 5;
		}
		v->stride[a] = stride;
		at += front * stride;
		stride *= n[a] + front + back;
	}
	s->bytes[part] = stride * dtype_bytes(t);
	s->buf[part] = aligned_alloc(64, (size_t)round_up(
		max64(s->bytes[part], 1), 64));
	memset(s->buf[part], POISON, (size_t)s->bytes[part]);
	v->data = s->buf[part] + at * dtype_bytes(t);
	s->o.parts = part + 1;
}

static inline Store
store_new(const Value *v, bool loose)
{
	Store s = {0};
	int64_t n[AXIS_MAX];
	memcpy(n, v->n, sizeof n);
	if (!v->on)
		return s;
	n[AXIS_C] = v->seam ? v->seam : v->n[AXIS_C];
	store_view(&s, 0, v->dtype, v->axes, n, loose && !v->vector);
	n[AXIS_C] = v->n[AXIS_C] - v->seam;
	if (v->seam)
		store_view(&s, 1, v->dtype, v->axes, n, loose);
	return s;
}

static inline void
store_fill(Store *s, const Value *v)
{
	for (int p = 0; p < s->o.parts; p++) {
		int64_t i[AXIS_MAX] = {0};
		const View *x = &s->o.part[p];
		do {
			double r = v->integers
				? (double)rng_int((int64_t)v->lo, (int64_t)v->hi)
				: rng_real(v->lo, v->hi);
			number_put(x->dtype, view_at(x, i), r);
		} while (index_next(x->n, i));
	}
}

static inline void
store_free(Store *s)
{
	free(s->buf[0]);
	free(s->buf[1]);
	memset(s, 0, sizeof *s);
}

/* Whether the bytes of a result's memory outside its box are untouched. */
static inline bool
store_poisoned(const Store *s)
{
	const View *v = &s->o.part[0];
	int64_t i[AXIS_MAX] = {0}, size = dtype_bytes(v->dtype), left = 0;
	char *copy = malloc((size_t)max64(s->bytes[0], 1));
	memcpy(copy, s->buf[0], (size_t)s->bytes[0]);
	do {
		char *at = copy + (view_at(v, i) - s->buf[0]);
		memset(at, POISON, (size_t)size);
	} while (index_next(v->n, i));
	while (left < s->bytes[0] && (unsigned char)copy[left] == POISON)
		left++;
	free(copy);
	return left == s->bytes[0];
}

#endif
