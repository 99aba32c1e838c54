/* attend.c - attention against a naive softmax in double precision, and against
 * itself: slices, threads and levels must not change a bit.
 */
#include "tests/lib/tensors.h"

/* ---- attention ---- */

typedef struct AttendCase {
	const char *name, *q, *k, *v, *y;
	int wide;
	Attr attr;
} AttendCase;

#define T AXIS_BIT(AXIS_TOKEN)
static const AttendCase attends[] = {
	{"attend space", "f2 h9 w11 c80", "f2 h9 w11 c80", "f2 h9 w11 c80",
		"f2 h9 w11 c80", 0, {.over = HW, .heads = 2}},
	{"attend space, wide", "f2 h9 w11 c80", "f2 h9 w11 c80",
		"f2 h9 w11 c80", "f2 h9 w11 c80", 3, {.over = HW, .heads = 2}},
	{"attend time", "f8 h3 w5 c80", "f8 h3 w5 c80", "f8 h3 w5 c80",
		"f8 h3 w5 c80", 0, {.over = F, .heads = 2}},
	{"attend time 25", "f25 h3 w2 c128", "f25 h3 w2 c128",
		"f25 h3 w2 c128", "f25 h3 w2 c128", 1, {.over = F, .heads = 2}},
	{"attend text", "b2 f2 h3 w7 c80", "b2 t77 c80", "b2 t77 c80",
		"b2 f2 h3 w7 c80", 0, {.over = T, .heads = 2}},
	{"attend q lacks b", "f2 w7 c24", "b2 t9 c24", "b2 t9 c24",
		"b2 f2 w7 c24", 0, {.over = T, .heads = 3}},
	{"attend k lacks f", "f5 w7 c24", "w7 t9 c24", "w7 t9 c24",
		"f5 w7 c24", 2, {.over = T, .heads = 3}},
	{"attend causal", "b2 t77 c128", "b2 t77 c128", "b2 t77 c128",
		"b2 t77 c128", 0, {.over = T, .heads = 2, .causal = 1}},
	{"attend causal long", "t150 c12", "t150 c12", "t150 c12", "t150 c12",
		1, {.over = T, .heads = 2, .causal = 1}},
	{"attend causal, w behind f", "f9 w3 c12", "f9 c12", "f9 c12",
		"f9 w3 c12", 0, {.over = F, .heads = 2, .causal = 1}},
	{"attend one key", "w9 c24", "t1 c24", "t1 c24", "w9 c24", 0,
		{.over = T, .heads = 2}},
	{"attend d 1", "w9 c3", "t70 c3", "t70 c3", "w9 c3", 0,
		{.over = T, .heads = 3}},
	{"attend d 2", "w9 c6", "t70 c6", "t70 c6", "w9 c6", 0,
		{.over = T, .heads = 3}},
	{"attend d 4", "w9 c12", "t70 c12", "t70 c12", "w9 c12", 0,
		{.over = T, .heads = 3}},
	{"attend d 160", "w9 c320", "t70 c320", "t70 c320", "w9 c320", 0,
		{.over = T, .heads = 2}},
	{"attend d 512", "h7 w10 c512", "h7 w10 c512", "h7 w10 c512",
		"h7 w10 c512", 0, {.over = HW, .heads = 1}},
	{"attend v wider", "w9 c24", "t70 c24", "t70 c194", "w9 c194", 0,
		{.over = T, .heads = 2}},
	{"attend negative scale", "w9 c24", "t70 c24", "t70 c24", "w9 c24", 0,
		{.over = T, .heads = 2, .scale = -3}},
};

enum { KEYS_MAX = 1000 };

/* Place of key number `j` in the box of keys, elsewhere at index i, channel c. */
static int64_t
key_place(const AttendCase *c, const View *v, const int64_t *i,
	const int64_t *key, int64_t channel)
{
	int64_t at[AXIS_MAX];
	for (int a = 0; a < AXIS_MAX; a++)
		at[a] = c->attr.over >> a & 1 ? key[a] : i[a];
	at[AXIS_C] = channel;
	return place(v, at);
}

/* Weights of all keys for the query at i; *total is their sum. */
static void
naive_weights(const AttendCase *c, const Tensor *x, const int64_t *i,
	int64_t head, double *w, double *total)
{
	const View *q = &x[1].v, *k = &x[2].v;
	int64_t d = q->n[AXIS_C] / c->attr.heads, n = 0;
	int64_t qi[AXIS_MAX], box[AXIS_MAX], j[AXIS_MAX] = {0};
	memcpy(qi, i, sizeof qi);
	for (int a = 0; a < AXIS_MAX; a++)
		box[a] = c->attr.over >> a & 1 ? k->n[a] : 1;
	double top = -INFINITY;
	do {
		double s = 0;
		for (int64_t e = head * d; e < (head + 1) * d; e++) {
			qi[AXIS_C] = e;
			s += get(q, place(q, qi))
				* get(k, key_place(c, k, i, j, e));
		}
		s *= c->attr.scale;
		for (int a = 0; a < AXIS_C && c->attr.causal; a++)
			if (c->attr.over >> a & 1 && j[a] > i[a])
				s = -INFINITY;
		top = fmax(top, s);
		w[n++] = s;
	} while (step_index(box, j));
	*total = 0;
	for (int64_t a = 0; a < n; a++)
		*total += w[a] = exp(w[a] - top);
}

/* One element; the channels of a head come one behind the other. */
static double
naive_attend(const AttendCase *c, const Tensor *x, const int64_t *i)
{
	static double w[KEYS_MAX], total;
	const View *v = &x[3].v;
	int64_t dv = v->n[AXIS_C] / c->attr.heads, n = 0;
	if (i[AXIS_C] % dv == 0)
		naive_weights(c, x, i, i[AXIS_C] / dv, w, &total);
	int64_t box[AXIS_MAX], j[AXIS_MAX] = {0};
	for (int a = 0; a < AXIS_MAX; a++)
		box[a] = c->attr.over >> a & 1 ? v->n[a] : 1;
	double sum = 0;
	do
		sum += w[n++] * get(v, key_place(c, v, i, j, i[AXIS_C]));
	while (step_index(box, j));
	return sum / total;
}

static void
attend_slices(const AttendCase *c, const Attr *attr, const Tensor *x)
{
	static const int64_t sizes[] = {1, 3, 64};
	for (int axis = 0; axis < AXIS_C; axis++)
		for (size_t s = 0; s < COUNT_OF(sizes); s++) {
			int64_t n = x[0].v.n[axis];
			if (!(x[0].v.axes >> axis & 1) || sizes[s] > n)
				continue;
			Tensor y = clone(&x[0]);
			for (int64_t lo = 0; lo < n; lo += sizes[s]) {
				int64_t m = min64(sizes[s], n - lo);
				Operand args[5] = {operand(&y), operand(&x[1]),
					operand(&x[2]), operand(&x[3])};
				bool over = attr->over >> axis & 1;
				narrow(&args[0].part[0], axis, lo, m);
				narrow(&args[1].part[0], axis, lo, m);
				for (int i = 2; i < 4 && !over; i++)
					narrow(&args[i].part[0], axis, lo, m);
				run_op(OP_attend, args, attr, 1);
			}
			CHECK(same_bytes(&y, &x[0]), "axis %d in slices of %d",
				axis, (int)sizes[s]);
			drop(&y);
		}
	Tensor y = clone(&x[0]);
	Operand args[5] = {operand(&y), operand(&x[1]), operand(&x[2]),
		operand(&x[3])};
	memset(y.v.data, 0, (size_t)dtype_bytes(y.v.dtype));
	run_op(OP_attend, args, attr, 5);
	CHECK(same_bytes(&y, &x[0]), "%s: 5 threads", c->name);
	drop(&y);
}

static void
test_attend(void)
{
	for (size_t i = 0; i < COUNT_OF(attends); i++) {
		AttendCase c = attends[i];
		char name[100];
		snprintf(name, sizeof name, "%s (%s)", c.name, cpu_level());
		test(name);
		for (size_t t = 0; t < 5; t++) {
			DType ty = types[t].y;
			Tensor x[4] = {tensor(ty, c.y, c.wide),
				tensor(types[t].x, c.q, c.wide),
				tensor(types[t].w, c.k, c.wide),
				tensor(types[t].w, c.v, c.wide)};
			/* differences large enough to tell weights apart */
			if (c.attr.scale == 0)
				c.attr.scale = 12 / sqrt((double)(x[1].v.n[AXIS_C]
					/ c.attr.heads));
			Operand args[5];
			for (int j = 0; j < 4; j++)
				args[j] = operand(&x[j]);
			run_op(OP_attend, args, &c.attr, 1);
			double worst = 0;
			int64_t at[AXIS_MAX] = {0};
			do {
				double e = fabs(naive_attend(&c, x, at)
					- get(&x[0].v, place(&x[0].v, at)));
				worst = e <= worst ? worst : e;
			} while (step_index(x[0].v.n, at));
			CHECK(worst <= tolerance(ty) * 0.5, "error %g", worst);
			attend_slices(&c, &c.attr, x);
			for (int j = 0; j < 4; j++)
				drop(&x[j]);
		}
	}
}

int
main(void)
{
	each_level(test_attend);
	return test_end();
}
