/* weights_match.c - finds a tensor of the files for each weight of a plan.
 *
 * Names are those that diffusers and transformers write today; what older
 * releases wrote is tried when a name is absent.  Shapes agree when they do
 * after leaving out extents of one: a 1x1 convolution's matrix may be stored
 * as one of a linear layer.  All that does not fit is told in one message, so
 * that a wrong folder is seen at a glance.
 */
#include "vm/weights/weights_match.h"

#include <stdlib.h>
#include <string.h>

enum {
	REPORT_LINES = 20,      /* in a message */
	GROUP_MIN = 4,          /* missing tensors told in one line */
	NEAREST_MAX = 5000,     /* names that are compared for the nearest */
};

typedef enum Fit { FITS, MISSING, WRONG_SHAPE, WRONG_TYPE, FIT_COUNT } Fit;

/* All that matching works on. */
typedef struct Matching {
	Arena *arena;
	const Plan *plan;
	Component *component;
	size_t ncomponents;
	Match *match;
	uint8_t *fit;           /* Fit of each weight */
	bool **used;            /* of each component, by tensor */
	const char ***names;    /* of each component: all names, when needed */
} Matching;

static const char *
text(const Plan *p, uint32_t s)
{
	return p->strings + s;
}

size_t
component_of(const Plan *p, const PlanWeight *w, const Component *c,
	size_t ncomponents)
{
	size_t i = 0;
	while (i < ncomponents && strcmp(c[i].name, text(p, w->component)))
		i++;
	return i;
}

bool
weight_elements(const Plan *p, const PlanWeight *w, int64_t *elements)
{
	int64_t n = 1, m = 1, rows, cols, bytes;
	if (w->rank > COUNT_OF(w->dim) || w->buffer >= p->n_buffers)
		return false;
	for (int i = 0; i < w->rank; i++)
		if (w->dim[i] < 1 || !mul_ok(n, w->dim[i], &n))
			return false;
	const PlanBuffer *b = &p->buffers[w->buffer];
	if (b->dtype != DT_F32 && b->dtype != DT_F16 && b->dtype != DT_BF16)
		return false;
	if (!mul_ok(n, dtype_bytes((DType)b->dtype), &bytes)
		|| bytes > b->bytes)
		return false;
	*elements = n;
	if (!w->layout)
		return true;
	return w->rows[0] > 0 && w->rows[1] >= 0 && w->cols[0] > 0
		&& w->cols[1] >= 0 && w->taps > 0
		&& add_ok(w->rows[0], w->rows[1], &rows)
		&& add_ok(w->cols[0], w->cols[1], &cols)
		&& mul_ok(rows, cols, &m) && mul_ok(m, w->taps, &m) && m == n;
}

/* Whether the tensor is of a type that weights are read from. */
static bool
weight_type_ok(const Tensor *t)
{
	return t->dtype == DT_F32 || t->dtype == DT_F16 || t->dtype == DT_BF16
		|| !strcmp(t->dtype_text, "F64");
}

/* ---- names ---- */

/* `name` with `from` replaced by `to` into `buf`; false when it lacks `from`
 * or is too long. */
static bool
renamed(char *buf, size_t size, const char *name, const char *from,
	const char *to)
{
	const char *at = strstr(name, from);
	if (!at)
		return false;
	int n = snprintf(buf, size, "%.*s%s%s", (int)(at - name), name, to,
		at + strlen(from));
	return n >= 0 && (size_t)n < size;
}

/* The tensor of that name, or of the one that other releases gave it. */
static const Tensor *
find(const TensorSet *set, const char *name)
{
	/* diffusers before 0.18 named the attention of a VAE so; transformers
	 * 5 leaves out the prefix of a text encoder */
	static const char *const other[][2] = {
		{".to_q.", ".query."}, {".to_k.", ".key."},
		{".to_v.", ".value."}, {".to_out.0.", ".proj_attn."},
	};
	static const char prefix[] = "text_model.";
	char buf[1024];
	const Tensor *t = tensors_find(set, name);
	for (size_t i = 0; !t && i < COUNT_OF(other); i++)
		if (renamed(buf, sizeof buf, name, other[i][0], other[i][1]))
			t = tensors_find(set, buf);
	if (!t && !strncmp(name, prefix, strlen(prefix)))
		t = tensors_find(set, name + strlen(prefix));
	if (!t && snprintf(buf, sizeof buf, "%s%s", prefix, name)
		< (int)sizeof buf)
		t = tensors_find(set, buf);
	return t;
}

/* ---- shapes ---- */

static bool
same_shape(const int64_t *a, int na, const int64_t *b, int nb)
{
	int i = 0, j = 0;
	for (;;) {
		while (i < na && a[i] == 1)
			i++;
		while (j < nb && b[j] == 1)
			j++;
		if (i == na || j == nb)
			return i == na && j == nb;
		if (a[i++] != b[j++])
			return false;
	}
}

/* "[320,4,3,3]"; `buf` holds at least 200 bytes. */
static const char *
print_shape(char *buf, const int64_t *dim, int rank)
{
	int n = snprintf(buf, 200, "[");
	for (int i = 0; i < rank; i++)
		n += snprintf(buf + n, 24, "%s%lld", i ? "," : "",
			(long long)dim[i]);
	snprintf(buf + n, 2, "]");
	return buf;
}

static Fit
match_weight(Matching *m, uint32_t i)
{
	const PlanWeight *w = &m->plan->weights[i];
	size_t c = component_of(m->plan, w, m->component, m->ncomponents);
	const TensorSet *set = &m->component[c].set;
	const Tensor *t = find(set, text(m->plan, w->name));
	if (!t)
		return w->otherwise ? FITS : MISSING;
	m->match[i] = (Match){set, t};
	m->used[c][t - set->tensors.at] = true;
	if (!same_shape(t->dim, t->rank, w->dim, w->rank))
		return WRONG_SHAPE;
	return weight_type_ok(t) ? FITS : WRONG_TYPE;
}

/* ---- the message ---- */

typedef struct Report {
	Matching *m;
	char *text;
	size_t size, n;
	int lines, left_out;
} Report;

static void __attribute__((format(printf, 2, 3)))
add(Report *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(r->text + r->n, r->size - r->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		r->n = r->n + (size_t)n < r->size ? r->n + (size_t)n
						  : r->size - 1;
}

/* Begins a line for a weight; false when there is no room left. */
static bool
begin_line(Report *r)
{
	/* a line takes at most some 600 bytes; leave 64 for the last */
	if (r->lines >= REPORT_LINES || r->size - r->n < 664) {
		r->left_out++;
		return false;
	}
	r->lines++;
	return true;
}

/* The weight's name with its component: "unet/conv_in.weight". */
static void
add_name(Report *r, const PlanWeight *w, int length)
{
	const Plan *p = r->m->plan;
	const char *component = text(p, w->component);
	add(r, "%.40s%s%.*s", component, *component ? "/" : "",
		length < 150 ? length : 150, text(p, w->name));
}

/* Length of the first three parts of a dotted name, which missing tensors are
 * grouped by; 0 when it has fewer. */
static int
group_length(const char *name)
{
	int dots = 0;
	for (int i = 0; name[i]; i++)
		if (name[i] == '.' && ++dots == 3)
			return i + 1;
	return 0;
}

/* Missing weights from `first` on of the same component and group; marks them
 * in `told`. */
static int
count_group(const Matching *m, uint32_t first, bool *told)
{
	const Plan *p = m->plan;
	const PlanWeight *w = &p->weights[first];
	const char *name = text(p, w->name);
	size_t length = (size_t)group_length(name);
	int n = 0;
	for (uint32_t i = first; length && i < p->n_weights; i++) {
		const PlanWeight *v = &p->weights[i];
		if (m->fit[i] != MISSING || told[i]
			|| strncmp(name, text(p, v->name), length)
			|| strcmp(text(p, v->component), text(p, w->component)))
			continue;
		n++;
	}
	if (n < GROUP_MIN)
		return 0;
	for (uint32_t i = first; i < p->n_weights; i++)
		if (m->fit[i] == MISSING
			&& !strncmp(name, text(p, p->weights[i].name), length)
			&& !strcmp(text(p, p->weights[i].component),
				text(p, w->component)))
			told[i] = true;
	return n;
}

/* The tensor whose name is most like the weight's. */
static const Tensor *
nearest(Matching *m, const PlanWeight *w)
{
	size_t c = component_of(m->plan, w, m->component, m->ncomponents);
	const TensorSet *set = &m->component[c].set;
	size_t n = set->tensors.n;
	if (n > NEAREST_MAX)
		return NULL;
	if (!m->names[c]) {
		m->names[c] = arena_array(m->arena, n, sizeof **m->names);
		for (size_t i = 0; i < n; i++)
			m->names[c][i] = set->tensors.at[i].name;
	}
	const char *name = nearest_name(text(m->plan, w->name), m->names[c], n);
	return name ? tensors_find(set, name) : NULL;
}

static void
report_missing(Report *r)
{
	Matching *m = r->m;
	const Plan *p = m->plan;
	char shape[200];
	bool *told = arena_array(m->arena, p->n_weights, sizeof *told);
	for (uint32_t i = 0; i < p->n_weights; i++) {
		const PlanWeight *w = &p->weights[i];
		if (m->fit[i] != MISSING || told[i])
			continue;
		if (!begin_line(r))
			continue;
		int group = count_group(m, i, told);
		add(r, "\n  missing: ");
		if (group) {
			add_name(r, w, group_length(text(p, w->name)));
			add(r, "* (%d tensors, such as %.150s)", group,
				text(p, w->name));
			continue;
		}
		add_name(r, w, INT32_MAX);
		add(r, " %s", print_shape(shape, w->dim, w->rank));
		const Tensor *t = nearest(m, w);
		if (t)
			add(r, "; the nearest name is %.150s %s", t->name,
				print_shape(shape, t->dim, t->rank));
	}
}

static void
report_wrong(Report *r, Fit fit)
{
	const Plan *p = r->m->plan;
	char wanted[200], found[200];
	for (uint32_t i = 0; i < p->n_weights; i++) {
		const PlanWeight *w = &p->weights[i];
		const Tensor *t = r->m->match[i].tensor;
		if (r->m->fit[i] != fit || !begin_line(r))
			continue;
		add(r, fit == WRONG_SHAPE ? "\n  shape: " : "\n  type: ");
		add_name(r, w, INT32_MAX);
		if (fit == WRONG_SHAPE)
			add(r, ": the model wants %s, the file has %s",
				print_shape(wanted, w->dim, w->rank),
				print_shape(found, t->dim, t->rank));
		else
			add(r, " is %s; wanted is F32, F16, BF16 or F64",
				t->dtype_text);
	}
}

static void
report(Matching *m, const int *count, char *err, size_t err_size)
{
	Report r = {.m = m, .text = err, .size = err_size};
	add(&r, "%d of %d weights do not fit", count[MISSING]
		+ count[WRONG_SHAPE] + count[WRONG_TYPE],
		(int)m->plan->n_weights);
	for (size_t i = 0; i < m->ncomponents && i < 6; i++)
		add(&r, "%s '%.100s'", i ? "," : "", m->component[i].path);
	add(&r, ": %d missing, %d of another shape, %d of another type",
		count[MISSING], count[WRONG_SHAPE], count[WRONG_TYPE]);
	report_missing(&r);
	report_wrong(&r, WRONG_SHAPE);
	report_wrong(&r, WRONG_TYPE);
	if (r.left_out)
		add(&r, "\n  and %d more", r.left_out);
}

/* The half of an autoencoder that a tensor belongs to: 0 encoder, 1 decoder, -1
 * neither. */
static int
half_of(const char *name)
{
	static const char *const prefix[2][2] = {
		{"encoder.", "quant_conv."}, {"decoder.", "post_quant_conv."},
	};
	for (int i = 0; i < 4; i++)
		if (!strncmp(name, prefix[i / 2][i % 2],
			strlen(prefix[i / 2][i % 2])))
			return i / 2;
	return -1;
}

/* Whether healthy files have such a tensor though no program reads it: indices
 * that are counted, and an autoencoder's half when a program needs the other. */
static bool
is_usual(const char *name, const bool *used_half)
{
	static const char ids[] = "position_ids";
	size_t n = strlen(name), k = strlen(ids);
	int half = half_of(name);
	return (n >= k && !strcmp(name + n - k, ids))
		|| (half >= 0 && !used_half[half] && used_half[!half]);
}

/* Number of a component's tensors that nothing uses and that are no usual ones;
 * *example is one of them. */
static size_t
count_unused(const Matching *m, size_t c, const char **example)
{
	const TensorSet *set = &m->component[c].set;
	bool used_half[2] = {false, false};
	size_t unused = 0;
	for (size_t i = 0; i < set->tensors.n; i++) {
		int half = half_of(set->tensors.at[i].name);
		if (half >= 0 && m->used[c][i])
			used_half[half] = true;
	}
	for (size_t i = 0; i < set->tensors.n; i++) {
		const char *name = set->tensors.at[i].name;
		if (m->used[c][i] || is_usual(name, used_half))
			continue;
		if (!unused++)
			*example = name;
	}
	return unused;
}

/* One line about the tensors that nothing uses. */
static void
note_unused(const Matching *m)
{
	char line[2048];
	Report r = {.text = line, .size = sizeof line};
	for (size_t c = 0; c < m->ncomponents && c < 6; c++) {
		const TensorSet *set = &m->component[c].set;
		const char *example = NULL;
		size_t unused = count_unused(m, c, &example);
		if (unused)
			add(&r, "%s %zu of %zu in '%.100s' (such as %.100s)",
				r.n ? "," : "", unused, set->tensors.n,
				m->component[c].path, example);
	}
	if (!r.n)
		return;
	fputs("sluice: unused tensors:", stderr);
	print_clean(stderr, line);
	fputc('\n', stderr);
}

int
weights_match(Arena *a, const Plan *p, Component *c, size_t ncomponents,
	Match *match, bool quiet, char *err, size_t err_size)
{
	int count[FIT_COUNT] = {0};
	Matching m = {
		.arena = a, .plan = p, .component = c,
		.ncomponents = ncomponents, .match = match,
		.fit = arena_array(a, p->n_weights, 1),
		.used = arena_array(a, ncomponents, sizeof *m.used),
		.names = arena_array(a, ncomponents, sizeof *m.names),
	};
	for (size_t i = 0; i < ncomponents; i++)
		m.used[i] = arena_array(a, c[i].set.tensors.n, sizeof(bool));
	for (uint32_t i = 0; i < p->n_weights; i++) {
		Fit fit = match_weight(&m, i);
		m.fit[i] = (uint8_t)fit;
		count[fit]++;
	}
	if (count[FITS] != (int)p->n_weights) {
		report(&m, count, err, err_size);
		return EXIT_WEIGHTS;
	}
	if (!quiet)
		note_unused(&m);
	return EXIT_OK;
}
