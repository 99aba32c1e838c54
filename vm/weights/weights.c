/* weights.c - where a plan's weights come from, and how they get to their
 * places: read block by block through a staging block of some MiB, checked for
 * NaN and infinity, converted to the plan's type and, for matrices, packed as
 * the kernels want them.  After weights_open nothing is allocated.
 */
#include "vm/weights/weights_match.h"
#include "vm/weights/tensors.h"
#include "kernels/sinusoid.h"
#include "kernels/target.h"
#include "ir/base/philox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	STAGING_BYTES = 8 << 20,
	ELEMENT_MAX = 8,        /* bytes of the widest type in a file, F64 */
	SIDE_BY_SIDE = 64,      /* elements that are looked at together */
	LANES = 16,             /* rows that pack_rows likes to have together */
	PART_ELEMENTS = 1 << 15,        /* worth a thread's while */
	COMPONENTS_MAX = 32,
};

struct WeightSource {
	const Target *target;   /* whose layout matrices are packed in */
	bool generated;
	uint64_t seed;
	Component *component;
	size_t ncomponents;
	Match *match;           /* of each weight */
	char *staging;
	int64_t staging_bytes;
};

/* What is copied at a time: a row of a matrix, an element of anything else.
 * `row` is the elements in one. */
typedef struct Unit {
	int64_t row, count;
} Unit;

static Unit
unit_of(const PlanWeight *w, int64_t elements)
{
	if (!w->layout)
		return (Unit){1, elements};
	int64_t rows = w->rows[0] + w->rows[1];
	return (Unit){elements / rows, rows};
}

int64_t
weights_staging_bytes(const Plan *p)
{
	int64_t bytes = 0;
	for (uint32_t i = 0; i < p->n_weights; i++) {
		const PlanWeight *w = &p->weights[i];
		int64_t n;
		if (!weight_elements(p, w, &n) || n > INT64_MAX / ELEMENT_MAX)
			continue;
		int64_t row = unit_of(w, n).row * ELEMENT_MAX;
		bytes = max64(bytes, max64(row,
			min64(n * ELEMENT_MAX, STAGING_BYTES)));
	}
	return round_up(bytes, 64);
}

/* ---- checking values ---- */

/* Bits of the smallest magnitude of an f32 that becomes infinite in type `to`
 * (rounded to nearest even). */
static uint32_t
overflow_bits(DType to)
{
	return to == DT_F16 ? 0x477ff000 : to == DT_BF16 ? 0x7f7f8000
							 : 0x7f800000;
}

/* The inner loops have a fixed length, so that the compiler makes vectors of
 * them. */
static bool
any_above32(const char *src, int64_t n, int32_t limit)
{
	const int32_t *x = (const int32_t *)(const void *)src;
	int32_t bad = 0;
	int64_t i = 0;
	for (; i + SIDE_BY_SIDE <= n; i += SIDE_BY_SIDE)
		for (int j = 0; j < SIDE_BY_SIDE; j++)
			bad |= (x[i + j] & 0x7fffffff) >= limit;
	for (; i < n; i++)
		bad |= (x[i] & 0x7fffffff) >= limit;
	return bad;
}

static bool
any_above16(const char *src, int64_t n, int16_t limit)
{
	const int16_t *x = (const int16_t *)(const void *)src;
	int16_t bad = 0;
	int64_t i = 0;
	for (; i + SIDE_BY_SIDE <= n; i += SIDE_BY_SIDE)
		for (int j = 0; j < SIDE_BY_SIDE; j++)
			bad |= (int16_t)((int16_t)(x[i + j] & 0x7fff) >= limit);
	for (; i < n; i++)
		bad |= (int16_t)((int16_t)(x[i] & 0x7fff) >= limit);
	return bad;
}

/* Whether n elements of type `from` stay finite in type `to`. */
static bool
all_finite(DType to, DType from, const char *src, int64_t n)
{
	uint32_t limit = overflow_bits(to);
	if (from == DT_F32)
		return !any_above32(src, n, (int32_t)limit);
	if (from == DT_BF16)
		return !any_above16(src, n, (int16_t)((limit + 0xffff) >> 16));
	return !any_above16(src, n, 0x7c00);
}

/* Index of the first element that does not stay finite. */
static int64_t
first_bad(DType to, DType from, const char *src, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (!all_finite(to, from, src + i * dtype_bytes(from), 1))
			return i;
	return n;
}

/* ---- one weight ---- */

/* A weight on its way: `count` units from `first` on lie in the staging block
 * as elements of type `from`. */
typedef struct Load {
	const Target *target;
	const PlanWeight *w;
	Unit unit;
	DType from, to;
	char *dst, *staging;
	int64_t first, count;
	bool generated;
	bool sinusoid;          /* generated: a table of positions */
	uint64_t key;
	float centre, spread;   /* generated values: centre +- spread */
	int64_t part;           /* units that a thread takes at once */
	bool *bad;              /* set when a value is not finite */
} Load;

/* A hash of (key, index): the finalizer of splitmix64. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Elements [first, first + n) of a generated weight, uniform.  One hash makes
 * two of them. */
static void
generate(const Load *l, float *x, int64_t first, int64_t n)
{
	int64_t row = l->w->dim[1];
	for (int64_t i = 0; l->sinusoid && i < n; i++)
		x[i] = sinusoid_at(true, true, (float)((first + i) / row),
			(first + i) % row, row);
	if (l->sinusoid)
		return;
	for (int64_t i = -(first & 1); i < n; i += 2) {
		uint64_t pair = (uint64_t)(first + i) / 2;
		uint64_t word = mix(l->key + pair * 0x9e3779b97f4a7c15);
		float scale = l->spread * 0x1p-31f;
		if (i >= 0)
			x[i] = l->centre + scale * (float)(int32_t)(word >> 32);
		if (i + 1 < n)
			x[i + 1] = l->centre + scale * (float)(int32_t)word;
	}
}

/* Units [from, to) of the block to their places; false when one of their
 * values is not finite. */
static bool
store(const Load *l, int64_t from, int64_t to)
{
	int64_t n = (to - from) * l->unit.row, row = l->first + from;
	char *src = l->staging + from * l->unit.row * dtype_bytes(l->from);
	if (l->generated)
		generate(l, (float *)(void *)src, row * l->unit.row, n);
	else if (!all_finite(l->to, l->from, src, n))
		return false;
	if (l->w->layout) {
		MatrixLayout m = {
			.rows = {l->w->rows[0], l->w->rows[1]},
			.cols = {l->w->cols[0], l->w->cols[1]},
			.taps = l->w->taps,
		};
		l->target->pack_rows(&m, l->to, l->dst, l->from, src, row, to - from);
	} else {
		convert(l->to, l->dst + row * dtype_bytes(l->to), l->from, src,
			n);
	}
	return true;
}

static void
store_parts(const void *arg, Share *s)
{
	const Load *l = arg;
	while (share_next(s))
		if (!store(l, s->first * l->part, min64(s->end * l->part,
				l->count)))
			__atomic_store_n(l->bad, true, __ATOMIC_RELAXED);
}

/* The whole block, in parts by the threads of the team. */
static bool
store_block(Load *l, Threads *team)
{
	bool bad = false;
	l->bad = &bad;
	l->part = round_up(max64(1, PART_ELEMENTS / l->unit.row), LANES);
	threads_run(team, THREADS_MAX, (l->count + l->part - 1) / l->part, 1,
		store_parts, l);
	return !bad;
}

/* Units that fit the staging block at `bytes` each. */
static int64_t
units_at_once(const WeightSource *s, int64_t bytes)
{
	int64_t n = s->staging_bytes / bytes;
	if (n < 1)
		die("weights_load", "a row of %lld bytes", (long long)bytes);
	return n > LANES ? n / LANES * LANES : n;
}

/* f64 to f32 in place. */
static void
narrow(char *data, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		double x;
		memcpy(&x, data + i * 8, sizeof x);
		float y = (float)x;
		memcpy(data + i * 4, &y, sizeof y);
	}
}

static int
refuse_value(const Load *l, const Match *m, char *err)
{
	int64_t n = l->count * l->unit.row;
	int64_t i = first_bad(l->to, l->from, l->staging, n);
	float x = 0;
	if (i < n)
		convert(DT_F32, &x, l->from,
			l->staging + i * dtype_bytes(l->from), 1);
	snprintf(err, TENSORS_ERROR, "'%.180s': tensor '%.180s': element %lld "
		"is %g%s%s", m->set->paths.at[m->tensor->file],
		m->tensor->name, (long long)(l->first * l->unit.row + i),
		(double)x, isfinite(x) ? ", too large for " : "",
		isfinite(x) ? dtype_name(l->to) : "");
	return EXIT_NUMERICS;
}

static int
load_file(WeightSource *s, Threads *team, Load *l, const Match *m, char *err)
{
	const Tensor *t = m->tensor;
	bool wide = t->dtype == DT_COUNT;
	int64_t bytes = wide ? 8 : dtype_bytes(t->dtype);
	int64_t row_bytes = l->unit.row * bytes;
	int64_t step = units_at_once(s, row_bytes);
	l->from = wide ? DT_F32 : t->dtype;
	for (; l->first < l->unit.count; l->first += l->count) {
		l->count = min64(step, l->unit.count - l->first);
		int code = tensor_read(m->set, t, l->first * row_bytes,
			l->staging, l->count * row_bytes, err);
		if (code)
			return code;
		if (wide)
			narrow(l->staging, l->count * l->unit.row);
		if (!store_block(l, team))
			return refuse_value(l, m, err);
	}
	return EXIT_OK;
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcmp(s + n - m, end);
}

/* Matrices get deviation 1 / sqrt(inputs), so that each layer keeps the spread
 * of its input; the gamma of a norm is about 1, a bias small. */
static int
load_generated(WeightSource *s, Threads *team, const Plan *p, Load *l,
	int64_t elements)
{
	const PlanWeight *w = l->w;
	const char *name = p->strings + w->name;
	int64_t step = units_at_once(s, l->unit.row * 4);
	l->generated = true;
	l->sinusoid = w->otherwise == OTHERWISE_SINUSOID;
	l->from = DT_F32;
	l->key = mix(philox_stream(p->strings + w->component) + s->seed)
		+ philox_stream(name);
	if (w->rank >= 2) {
		l->spread = (float)sqrt(3.0 * (double)w->dim[0]
			/ (double)elements);
	} else {
		bool gamma = w->rank == 1 && ends_with(name, ".weight");
		l->centre = gamma ? 1 : 0;
		l->spread = 0.05f;
	}
	for (; l->first < l->unit.count; l->first += l->count) {
		l->count = min64(step, l->unit.count - l->first);
		store_block(l, team);
	}
	return EXIT_OK;
}

int
weights_load(WeightSource *s, Threads *team, const Plan *p, uint32_t w,
	void *dst, char *err)
{
	const PlanWeight *weight = &p->weights[w];
	int64_t elements;
	if (!weight_elements(p, weight, &elements)) {
		snprintf(err, TENSORS_ERROR, "weight '%.200s': shape, layout "
			"and buffer do not agree", p->strings + weight->name);
		return EXIT_PLAN;
	}
	Load l = {
		.target = s->target, .w = weight, .dst = dst, .staging = s->staging,
		.unit = unit_of(weight, elements),
		.to = (DType)p->buffers[weight->buffer].dtype,
	};
	if (s->generated || !s->match[w].tensor)
		return load_generated(s, team, p, &l, elements);
	return load_file(s, team, &l, &s->match[w], err);
}

/* ---- opening ---- */

static WeightSource *
source_new(Arena *a, const Plan *p)
{
	WeightSource *s = arena_alloc(a, sizeof *s);
	s->target = target_find(p->strings + p->head.target);
	if (!s->target)
		die("source_new", "the plan has not passed the gates");
	s->staging_bytes = weights_staging_bytes(p);
	s->staging = arena_alloc(a, (size_t)s->staging_bytes);
	return s;
}

WeightSource *
weights_generated(Arena *a, const Plan *p, uint64_t seed)
{
	WeightSource *s = source_new(a, p);
	s->generated = true;
	s->seed = seed;
	return s;
}

/* Lists the components that the plan's weights name.  A component is looked
 * for in the folder of its name, and a plan is not trusted: only plain names
 * will do. */
static int
list_components(WeightSource *s, Arena *a, const Plan *p, char *err)
{
	s->component = arena_array(a, COMPONENTS_MAX, sizeof *s->component);
	for (uint32_t i = 0; i < p->n_weights; i++) {
		const PlanWeight *w = &p->weights[i];
		const char *name = p->strings + w->component;
		if (component_of(p, w, s->component, s->ncomponents)
			< s->ncomponents)
			continue;
		if (name[0] == '.' || strchr(name, '/')
			|| s->ncomponents == COMPONENTS_MAX) {
			snprintf(err, TENSORS_ERROR, "component '%.200s': %s",
				name, s->ncomponents == COMPONENTS_MAX
				? "one too many" : "no plain name");
			return EXIT_PLAN;
		}
		s->component[s->ncomponents++] = (Component){
			.name = name, .set.arena = a,
		};
	}
	return EXIT_OK;
}

/* Adds the folders of one item "unet=DIR,DIR". */
static int
open_item(WeightSource *s, Arena *a, const char *item, char *err)
{
	const char *equals = strchr(item, '=');
	size_t c = 0, n = equals ? (size_t)(equals - item) : 0;
	if (!n || !equals[1]) {
		snprintf(err, TENSORS_ERROR, "--component wants NAME=FOLDER"
			"[,FOLDER...], not '%.200s'", item);
		return EXIT_USAGE;
	}
	char *name = arena_strndup(a, item, n);
	while (c < s->ncomponents && strcmp(s->component[c].name, name))
		c++;
	if (c == s->ncomponents) {
		snprintf(err, TENSORS_ERROR, "--component: the plan has no "
			"component '%.60s'; it has:", name);
		for (c = 0; c < s->ncomponents; c++)
			snprintf(err + strlen(err), TENSORS_ERROR - strlen(err),
				" %.60s", s->component[c].name);
		return EXIT_USAGE;
	}
	Component *component = &s->component[c];
	component->path = arena_strdup(a, equals + 1);
	char *rest = arena_strdup(a, equals + 1), *path;
	while ((path = strsep(&rest, ","))) {
		int code = tensors_open(&component->set, path, err);
		if (code)
			return code;
	}
	return EXIT_OK;
}

static int
open_all(WeightSource *s, Arena *a, const char *folder,
	const char *const *component, size_t ncomponent, char *err)
{
	int code = EXIT_OK;
	for (size_t i = 0; i < ncomponent && !code; i++)
		code = open_item(s, a, component[i], err);
	for (size_t i = 0; i < s->ncomponents && !code; i++) {
		Component *c = &s->component[i];
		if (c->path)
			continue;
		if (!folder) {
			snprintf(err, TENSORS_ERROR, "no folder is given for "
				"the weights%s%.60s", *c->name ? " of " : "",
				c->name);
			return EXIT_USAGE;
		}
		c->path = *c->name ? arena_printf(a, "%s/%s", folder, c->name)
				   : folder;
		code = tensors_open(&c->set, c->path, err);
	}
	return code;
}

WeightSource *
weights_open(Arena *a, const Plan *p, const char *folder,
	const char *const *component, size_t ncomponent, bool quiet,
	int *code, char *err, size_t err_size)
{
	char why[TENSORS_ERROR];
	WeightSource *s = source_new(a, p);
	s->match = arena_array(a, p->n_weights, sizeof *s->match);
	*code = list_components(s, a, p, why);
	if (!*code)
		*code = open_all(s, a, folder, component, ncomponent, why);
	if (*code)
		snprintf(err, err_size, "%s", why);
	else
		*code = weights_match(a, p, s->component, s->ncomponents,
			s->match, quiet, err, err_size);
	if (!*code)
		return s;
	weights_close(s);
	return NULL;
}

void
weights_close(WeightSource *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->ncomponents; i++)
		tensors_close(&s->component[i].set);
	s->ncomponents = 0;
}
