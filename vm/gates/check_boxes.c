/* check_boxes.c - see check_boxes.h. */
#include "vm/gates/check_boxes.h"

#include <stdlib.h>
#include <string.h>

enum {
	MEET_STEPS = 8,         /* of strided_meet(), without what it calls */
	CONVERT_STEPS = 16,     /* of convert_inside() and frame_boxes(), likewise */
};

/* Appends a box; false when the bytes for it are not there.  Most sets hold one
 * box, so they begin with room for one. */
static bool
push_box(BoxList *set, const Box *b, PlanCost *cost)
{
	if (set->n == set->cap) {
		size_t more = set->cap ? set->cap : 1;
		if (!spend_bytes(cost, (int64_t)(more * sizeof *b)))
			return false;
		set->cap += more;
		set->at = realloc(set->at, set->cap * sizeof *b);
		if (!set->at)
			fatal(EXIT_MEMORY, "out of memory");
	}
	set->at[set->n++] = *b;
	return true;
}

/* ---- strided sets ---- */

void
strided_axis(Strided *a, int64_t n, int64_t s)
{
	int i = a->nd;
	if (n == 1)
		return;
	for (; i > 0 && a->s[i - 1] > s; i--) {
		a->s[i] = a->s[i - 1];
		a->n[i] = a->n[i - 1];
	}
	a->s[i] = s;
	a->n[i] = n;
	a->nd++;
}

void
strided_join(Strided *a)
{
	int out = 0;
	for (int i = 0; i < a->nd; i++) {
		if (!out && a->s[i] == a->run) {
			a->run *= a->n[i];
		} else if (out && a->s[i] == a->n[out - 1] * a->s[out - 1]) {
			a->n[out - 1] *= a->n[i];
		} else {
			a->s[out] = a->s[i];
			a->n[out++] = a->n[i];
		}
	}
	a->nd = out;
}

int64_t
strided_end(const Strided *a)
{
	int64_t end = a->base + a->run;
	for (int i = 0; i < a->nd; i++)
		end += (a->n[i] - 1) * a->s[i];
	return end;
}

bool
strided_distinct(const Strided *a)
{
	int64_t span = a->run;
	for (int i = 0; i < a->nd; i++) {
		if (a->s[i] < span)
			return false;
		span += (a->n[i] - 1) * a->s[i];
	}
	return true;
}

bool
strided_meet(const Strided *a, const Strided *b, PlanCost *cost)
{
	int64_t a_end = strided_end(a), b_end = strided_end(b);
	if (a_end <= b->base || b_end <= a->base)
		return false;
	if (!spend(cost, MEET_STEPS) || (!a->nd && !b->nd))
		return true;
	/* go through the outer axis with the longer stride */
	if (!a->nd || (b->nd && b->s[b->nd - 1] > a->s[a->nd - 1])) {
		const Strided *swap = a;
		a = b;
		b = swap;
		b_end = a_end;
	}
	Strided inner = *a;
	int64_t n = a->n[--inner.nd], s = a->s[inner.nd];
	int64_t span = strided_end(&inner) - inner.base;
	/* copies that can reach [b->base, b_end) */
	int64_t from = b->base - span - a->base;
	from = from < 0 ? 0 : from / s + 1;
	int64_t to = min64(n, (b_end - 1 - a->base) / s + 1);
	for (int64_t i = from; i < to; i++) {
		inner.base = a->base + i * s;
		if (strided_meet(&inner, b, cost))
			return true;
	}
	return false;
}


/* ---- frames ---- */

static int
compare_strides(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

void
frame_make(Frame *f, int64_t *stride, size_t n, int64_t bytes)
{
	if (n)
		qsort(stride, n, sizeof *stride, compare_strides);
	*f = (Frame){.k = 1, .d = {1}};
	for (size_t i = 0; i < n && f->k < DIGITS; i++) {
		int64_t last = f->d[f->k - 1];
		if (stride[i] > last && stride[i] < bytes && stride[i] % last == 0)
			f->d[f->k++] = stride[i];
	}
	for (int i = 0; i + 1 < f->k; i++)
		f->r[i] = f->d[i + 1] / f->d[i];
	f->r[f->k - 1] = INT64_MAX / 2;
}

static bool
convert_inside(const Frame *f, const Strided *a, size_t limit, BoxList *out,
	PlanCost *cost);

/* What an axis (`source`, -1: the run) covers when it goes over the edge of a
 * digit: up to the edge, whole rounds, and the rest.  `at`: the digit; `count`:
 * how many of its steps there are. */
static bool
convert_over_edge(const Frame *f, const Strided *a, int i, int source, int64_t at,
	int64_t count, size_t limit, BoxList *out, PlanCost *cost)
{
	int64_t unit = f->d[i] / (source < 0 ? 1 : a->s[source]);
	Strided part = *a;
	while (count) {
		int64_t n = at ? min64(count, f->r[i] - at)
			: count >= f->r[i] ? count / f->r[i] * f->r[i] : count;
		if (source < 0)
			part.run = n * unit;
		else
			part.n[source] = n * unit;
		if (!convert_inside(f, &part, limit, out, cost))
			return false;
		part.base += n * f->d[i];
		count -= n;
		at = 0;
	}
	return true;
}

/* A box for each index of an axis that does not fit the frame. */
static bool
convert_singly(const Frame *f, const Strided *a, int odd, size_t limit,
	BoxList *out, PlanCost *cost)
{
	Strided one = *a;
	size_t behind = (size_t)(a->nd - odd - 1);
	memmove(one.n + odd, one.n + odd + 1, behind * sizeof *one.n);
	memmove(one.s + odd, one.s + odd + 1, behind * sizeof *one.s);
	one.nd--;
	for (int64_t i = 0; i < a->n[odd]; i++) {
		one.base = a->base + i * a->s[odd];
		if (!convert_inside(f, &one, limit, out, cost))
			return false;
	}
	return true;
}

/* `a` lies inside the buffer.  Digit by digit upwards; the run is the axis of
 * stride 1. */
static bool
convert_inside(const Frame *f, const Strided *a, size_t limit, BoxList *out,
	PlanCost *cost)
{
	if (!spend(cost, CONVERT_STEPS))
		return false;
	int64_t digit[DIGITS], rest = a->base;
	for (int i = f->k; i--;) {
		digit[i] = rest / f->d[i];
		rest -= digit[i] * f->d[i];
	}
	Box box;
	int64_t carry = a->run;
	int source = -1, next = 0;      /* the axis that `carry` comes from */
	for (int i = 0; i < f->k; i++) {
		if (next < a->nd && a->s[next] < f->d[i] + (i == 0))
			break;          /* a stride that is not in the frame */
		if (i && next < a->nd && a->s[next] == f->d[i]) {
			if (carry > 1)
				break;  /* an axis that runs into another */
			source = next;
			carry = a->n[next++];
		}
		box.lo[i] = digit[i];
		box.hi[i] = digit[i] + carry;
		if (box.hi[i] <= f->r[i]) {
			carry = 1;
		} else if (!digit[i] && carry % f->r[i] == 0) {
			box.hi[i] = f->r[i];
			carry /= f->r[i];
		} else {
			return convert_over_edge(f, a, i, source, digit[i], carry,
				limit, out, cost);
		}
	}
	if (next < a->nd || carry > 1)
		return convert_singly(f, a, next < a->nd ? next : a->nd - 1, limit,
			out, cost);
	return out->n < limit && push_box(out, &box, cost);
}

bool
frame_boxes(const Frame *f, const Strided *a, int64_t bytes, size_t limit,
	BoxList *out, PlanCost *cost)
{
	int64_t end = strided_end(a);
	if (!spend(cost, CONVERT_STEPS))
		return false;
	if (end <= 0 || a->base >= bytes)
		return true;
	if (a->base >= 0 && end <= bytes)
		return convert_inside(f, a, limit, out, cost);
	Strided part = *a;
	if (!a->nd) {
		part.base = max64(a->base, 0);
		part.run = min64(end, bytes) - part.base;
		return convert_inside(f, &part, limit, out, cost);
	}
	/* halve the outer axis until a part is inside, outside or one run */
	int outer = a->nd - 1;
	int64_t half = a->n[outer] / 2;
	for (int i = 0; i < 2; i++) {
		part = *a;
		part.base = a->base + (i ? half * a->s[outer] : 0);
		part.n[outer] = i ? a->n[outer] - half : half;
		if (part.n[outer] == 1)
			part.nd--;
		if (!frame_boxes(f, &part, bytes, limit, out, cost))
			return false;
	}
	return true;
}

int64_t
box_first(const Frame *f, const Box *b)
{
	int64_t x = 0;
	for (int i = 0; i < f->k; i++)
		x += b->lo[i] * f->d[i];
	return x;
}

int64_t
box_end(const Frame *f, const Box *b)
{
	int64_t x = 1;
	for (int i = 0; i < f->k; i++)
		x += (b->hi[i] - 1) * f->d[i];
	return x;
}

/* ---- boxes ---- */

bool
box_inside(const Frame *f, const Box *a, const Box *b)
{
	for (int i = 0; i < f->k; i++)
		if (a->lo[i] < b->lo[i] || a->hi[i] > b->hi[i])
			return false;
	return true;
}

static bool
box_meets(const Frame *f, const Box *a, const Box *b)
{
	for (int i = 0; i < f->k; i++)
		if (a->hi[i] <= b->lo[i] || b->hi[i] <= a->lo[i])
			return false;
	return true;
}

/* If the union of two boxes is a box, grows `a` to it. */
static bool
box_join(const Frame *f, Box *a, const Box *b)
{
	int differs = -1;
	for (int i = 0; i < f->k; i++) {
		if (a->lo[i] == b->lo[i] && a->hi[i] == b->hi[i])
			continue;
		if (differs >= 0 || a->hi[i] < b->lo[i] || b->hi[i] < a->lo[i])
			return false;
		differs = i;
	}
	if (differs >= 0) {
		a->lo[differs] = min64(a->lo[differs], b->lo[differs]);
		a->hi[differs] = max64(a->hi[differs], b->hi[differs]);
	}
	return true;
}

void
boxes_add(const Frame *f, BoxList *set, const Box *b, PlanCost *cost)
{
	Box grown = *b;
	if (!spend(cost, 1 + 2 * (int64_t)set->n))
		return;
	for (size_t i = 0; i < set->n; i++)
		if (box_inside(f, b, &set->at[i]))
			return;
	for (size_t i = set->n; i--;) {
		bool inside = box_inside(f, &set->at[i], &grown);
		if (!inside && !box_join(f, &grown, &set->at[i]))
			continue;
		set->at[i] = set->at[--set->n];
		if (inside)
			continue;
		i = set->n;             /* it grew: try all again */
		if (!spend(cost, 1 + (int64_t)i))
			return;
	}
	(void)push_box(set, &grown, cost);
}

/* Appends what is left of `a` without `b` (they meet). */
static void
box_without(const Frame *f, Box a, const Box *b, BoxList *out, PlanCost *cost)
{
	for (int i = f->k; i--;) {
		if (a.lo[i] < b->lo[i]) {
			Box part = a;
			part.hi[i] = a.lo[i] = b->lo[i];
			(void)push_box(out, &part, cost);
		}
		if (a.hi[i] > b->hi[i]) {
			Box part = a;
			part.lo[i] = a.hi[i] = b->hi[i];
			(void)push_box(out, &part, cost);
		}
	}
}

void
boxes_remove(const Frame *f, BoxList *set, const Box *b, PlanCost *cost)
{
	if (!spend(cost, 1 + (int64_t)set->n))
		return;
	for (size_t i = set->n; i--;) {
		if (!box_meets(f, &set->at[i], b))
			continue;
		Box old = set->at[i];
		set->at[i] = set->at[--set->n];
		/* the pieces go behind: they do not meet b */
		box_without(f, old, b, set, cost);
	}
}

bool
boxes_cover(const Frame *f, const BoxList *set, const Box *b, Box *hole,
	PlanCost *cost)
{
	if (!spend(cost, 1 + (int64_t)set->n))
		return true;
	for (size_t i = set->n; i--;)
		if (box_inside(f, b, &set->at[i]))
			return true;
	BoxList left = {0};
	int64_t bytes = cost->bytes;
	(void)push_box(&left, b, cost);
	for (size_t i = 0; i < set->n && left.n && !overspent(cost); i++)
		boxes_remove(f, &left, &set->at[i], cost);
	bool covered = !left.n || overspent(cost);
	if (!covered)
		*hole = left.at[0];
	if (!overspent(cost))
		cost->bytes = bytes;    /* they are free again */
	vec_free(&left);
	return covered;
}
