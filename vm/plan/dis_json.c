/* dis_json.c - prints a plan as one JSON object; every section is a list, names
 * instead of offsets into strings, affine places as text ("4r1-1").
 *
 * All numbers are finite: the plan has passed gate 1.
 */
#include "vm/plan/dis.h"

#include <inttypes.h>

/* Begins a member or an element: a comma unless it is the first. */
typedef struct Writer {
	const Plan *p;
	FILE *out;
	bool first;
} Writer;

static void
item(Writer *w)
{
	fputs(w->first ? "" : ", ", w->out);
	w->first = false;
}

static void
key(Writer *w, const char *name)
{
	item(w);
	fprintf(w->out, "\"%s\": ", name);
}

static void
open_with(Writer *w, char bracket)
{
	fputc(bracket, w->out);
	w->first = true;
}

static void
close_with(Writer *w, char bracket)
{
	fputc(bracket, w->out);
	w->first = false;
}

static void
integer(Writer *w, const char *name, int64_t x)
{
	key(w, name);
	fprintf(w->out, "%" PRId64, x);
}

static void
real(Writer *w, const char *name, double x)
{
	key(w, name);
	fprintf(w->out, "%.17g", x);
}

static void
boolean(Writer *w, const char *name, bool x)
{
	key(w, name);
	fputs(x ? "true" : "false", w->out);
}

static void
text(Writer *w, const char *name, const char *s)
{
	key(w, name);
	print_json_string(w->out, s);
}

/* A member that is an offset into the strings. */
static void
string(Writer *w, const char *name, uint32_t offset)
{
	text(w, name, w->p->strings + offset);
}

/* An index, null when there is none. */
static void
index_or_null(Writer *w, const char *name, uint32_t x)
{
	if (x != PLAN_NONE) {
		integer(w, name, x);
	} else {
		key(w, name);
		fputs("null", w->out);
	}
}

static void
integers(Writer *w, const char *name, const int64_t *x, int n)
{
	key(w, name);
	open_with(w, '[');
	for (int i = 0; i < n; i++) {
		item(w);
		fprintf(w->out, "%" PRId64, x[i]);
	}
	close_with(w, ']');
}

/* The name of an axis, or "axisN" when the plan has none for it. */
static const char *
axis_name(const Plan *p, int axis, char *buf)
{
	const char *name = p->strings + p->head.axis_name[axis];
	snprintf(buf, 16, "axis%d", axis);
	return *name ? name : buf;
}

static void
axis_member(Writer *w, const char *name, int axis)
{
	char buf[16];
	text(w, name, axis_name(w->p, axis, buf));
}

static void
axes_member(Writer *w, const char *name, AxisSet axes)
{
	char buf[16];
	key(w, name);
	open_with(w, '[');
	for (int a = 0; a < AXIS_MAX; a++)
		if (axes >> a & 1) {
			item(w);
			print_json_string(w->out, axis_name(w->p, a, buf));
		}
	close_with(w, ']');
}

static void
affine(Writer *w, const char *name, const Affine *a)
{
	char buf[DIS_AFFINE];
	text(w, name, dis_affine(buf, a));
}

static void
write_header(Writer *w)
{
	const PlanHeader *h = &w->p->head;
	integer(w, "format", h->version);
	string(w, "name", h->name);
	string(w, "target", h->target);
	integer(w, "abi", h->abi);
	string(w, "profile", h->profile);
	text(w, "dtype", dtype_name((DType)h->dtype));
	integer(w, "threads", h->threads);
	integer(w, "steps", h->steps);
	index_or_null(w, "denoise", h->denoise);
	integer(w, "arena_bytes", h->arena_bytes);
	integer(w, "pinned_bytes", h->pinned_bytes);
	integer(w, "host_bytes", h->host_bytes);
	integer(w, "load_bound_bytes", h->load_bound);
	integer(w, "floor_bound_bytes", h->floor_bound);
	integer(w, "weights_bytes", h->weights_bytes);
	integer(w, "weights_peak_bytes", h->weights_peak);
	integer(w, "unsliced_bytes", h->unsliced_bytes);
	real(w, "unsliced_seconds", h->unsliced_seconds);
	real(w, "predicted_seconds", h->predicted_seconds);
	real(w, "flops", h->flops);
	boolean(w, "order_proven", h->order_proven);
	boolean(w, "placement_proven", h->placement_proven);
}

static void
write_buffer(Writer *w, const PlanBuffer *b)
{
	string(w, "name", b->name);
	text(w, "role", dis_role_name((BufferRole)b->role));
	text(w, "dtype", dtype_name((DType)b->dtype));
	integer(w, "offset", b->offset);
	integer(w, "bytes", b->bytes);
	integer(w, "first", b->first);
	integer(w, "last", b->last);
	boolean(w, "crosses", b->crosses);
}

static void
write_port(Writer *w, const PlanPort *x)
{
	string(w, "name", x->name);
	integer(w, "buffer", x->buffer);
	text(w, "dtype", dtype_name((DType)x->dtype));
	axes_member(w, "axes", x->axes);
	int64_t n[AXIS_MAX];
	int rank = 0;
	for (int a = 0; a < AXIS_MAX; a++)
		if (x->axes >> a & 1)
			n[rank++] = x->n[a];
	integers(w, "extents", n, rank);
	boolean(w, "per_step", x->per_step);
}

static void
write_weight(Writer *w, const PlanWeight *x)
{
	string(w, "component", x->component);
	string(w, "name", x->name);
	integer(w, "buffer", x->buffer);
	integers(w, "shape", x->dim, x->rank);
	if (x->otherwise == OTHERWISE_SINUSOID)
		text(w, "otherwise", "sinusoid");
	integer(w, "layout", x->layout);
	if (x->layout) {
		integers(w, "rows", x->rows, 2);
		integers(w, "cols", x->cols, 2);
		integer(w, "taps", x->taps);
	}
}

static void
write_table(Writer *w, const PlanTable *t)
{
	string(w, "name", t->name);
	integer(w, "buffer", t->buffer);
	integer(w, "bytes", t->bytes);
}

static void
write_phase(Writer *w, const PlanPhase *x)
{
	string(w, "name", x->name);
	integer(w, "first", x->first);
	integer(w, "last", x->last);
	integer(w, "peak_bytes", x->peak_bytes);
	integer(w, "peak_insn", x->peak_insn);
	real(w, "predicted_seconds", x->predicted_seconds);
}

static void
write_group(Writer *w, const PlanGroup *g)
{
	string(w, "name", g->name);
	integer(w, "first", g->first);
	integer(w, "last", g->last);
	axis_member(w, "axis", g->axis);
	integer(w, "register", g->reg);
	integer(w, "slice", g->slice);
	integer(w, "count", g->count);
	integer(w, "peak_bytes", g->peak_bytes);
	real(w, "predicted_seconds", g->predicted_seconds);
}

static void
write_node(Writer *w, const PlanNode *n)
{
	string(w, "op", n->name);
	string(w, "type", n->type);
	string(w, "scope", n->scope);
	string(w, "component", n->component);
	integer(w, "stage", n->stage);
	index_or_null(w, "instruction", n->insn);
	key(w, "operands");
	open_with(w, '[');
	for (uint32_t i = 0; i < n->nedges; i++) {
		item(w);
		fprintf(w->out, "%u", w->p->edges[n->first_edge + i]);
	}
	close_with(w, ']');
}

/* ---- code ---- */

static void
write_view(Writer *w, uint32_t view)
{
	const PlanView *v = &w->p->views[view];
	item(w);
	open_with(w, '{');
	integer(w, "buffer", v->buffer);
	integer(w, "base", v->base);
	boolean(w, "by_step", v->by_step);
	key(w, "dims");
	open_with(w, '[');
	for (uint32_t i = 0; i < v->ndim; i++) {
		const PlanDim *d = &w->p->dims[v->first_dim + i];
		item(w);
		open_with(w, '{');
		axis_member(w, "axis", d->axis);
		integer(w, "extent", d->extent);
		integer(w, "stride", d->stride);
		affine(w, "lo", &d->lo);
		affine(w, "hi", &d->hi);
		affine(w, "origin", &d->origin);
		close_with(w, '}');
	}
	close_with(w, ']');
	close_with(w, '}');
}

/* A list of parts; empty: left out. */
static void
write_operand(Writer *w, const PlanOperand *o)
{
	open_with(w, '[');
	for (int k = 0; k < 2; k++)
		if (o->view[k] != PLAN_NONE)
			write_view(w, o->view[k]);
	close_with(w, ']');
}

static void
write_triple(Writer *w, const char *name, const int32_t *x)
{
	int64_t wide[3] = {x[0], x[1], x[2]};
	if (x[0] || x[1] || x[2])
		integers(w, name, wide, 3);
}

static void
write_attr(Writer *w, Op op, const Attr *a)
{
	key(w, "attributes");
	open_with(w, '{');
#define WRITE_AXES(name) if (a->name) axes_member(w, #name, a->name);
#define WRITE_ACT(name) if (a->name) text(w, #name, act_name((Act)a->name));
#define WRITE_AXIS(name) if (op_uses(op, ATTR_##name)) \
		axis_member(w, #name, a->name);
#define WRITE_TRIPLE(name) write_triple(w, #name, a->name);
#define OTHER(write, name) if (a->name != 0) write(w, #name, a->name);
#define WRITE_FLAG(name)  OTHER(boolean, name)
#define WRITE_COUNT(name) OTHER(integer, name)
#define WRITE_INDEX(name) OTHER(integer, name)
#define WRITE_ROWS(name)  OTHER(integer, name)
#define WRITE_REAL(name)  OTHER(real, name)
#define WRITE_SMALL(name) OTHER(real, name)
#define ATTR(name, kind, doc) WRITE_##kind(name)
#include "ir/attrs.def"
	close_with(w, '}');
}

static void
write_operands(Writer *w, const PlanInsn *in)
{
	const PlanOperand *o = w->p->operands + in->first_operand;
	int nin = op_nin((Op)in->op);
	if (in->noperands) {
		key(w, "result");
		write_operand(w, o);
	}
	key(w, "operands");
	open_with(w, '[');
	for (int i = 1; i < in->noperands && i <= nin; i++) {
		item(w);
		write_operand(w, o + i);
	}
	close_with(w, ']');
	if (in->noperands > nin + 1) {
		key(w, "workspace");
		write_operand(w, o + nin + 1);
	}
}

static void
write_insn(Writer *w, const PlanInsn *in)
{
	const PlanDebug *d = &w->p->debugs[in->debug];
	text(w, "op", plan_op_name(in->op));
	if (in->op == CTL_loop || in->op == CTL_next)
		integer(w, "register", in->a);
	if (in->op == CTL_loop)
		integer(w, "count", in->b);
	if (in->op == CTL_load || in->op == CTL_wait)
		integer(w, "weight", in->a);
	if (in->op < CTL_BASE) {
		write_operands(w, in);
		write_attr(w, (Op)in->op, &w->p->attrs[in->attr]);
		integer(w, "provider", in->provider);
	}
	real(w, "predicted_seconds", (double)in->seconds);
	string(w, "scope", d->scope);
	string(w, "component", d->component);
	string(w, "file", d->file);
	integer(w, "line", d->line);
	integer(w, "phase", d->phase);
	index_or_null(w, "group", d->group);
}

void
plan_print_json(const Plan *p, FILE *out)
{
	Writer writer = {p, out, true}, *w = &writer;
	open_with(w, '{');
	write_header(w);
#define LIST(name, write) \
	key(w, #name); \
	open_with(w, '['); \
	for (uint32_t i = 0; i < p->n_##name; i++) { \
		item(w); \
		fputc('\n', out); \
		open_with(w, '{'); \
		write(w, &p->name[i]); \
		close_with(w, '}'); \
	} \
	close_with(w, ']');
	LIST(buffers, write_buffer)
	LIST(inputs, write_port)
	LIST(outputs, write_port)
	LIST(weights, write_weight)
	LIST(tables, write_table)
	LIST(phases, write_phase)
	LIST(groups, write_group)
	LIST(code, write_insn)
	LIST(nodes, write_node)
#undef LIST
	close_with(w, '}');
	fputc('\n', out);
}
