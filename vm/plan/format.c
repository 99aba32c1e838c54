/* format.c - gate 1 for the records of a plan: every enum, index, name and
 * number is in its range, loops nest, and the sums in the header agree.
 *
 * After this gate every index in a plan may be followed and every number may
 * be added up without overflow.  The order of the checks matters: strings
 * first, so that messages can use them.
 */
#include "vm/plan/format.h"
#include "vm/plan/walk.h"

#include <math.h>
#include <string.h>

bool
plan_fail(PlanError *e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return false;
}

bool
plan_fail_at(const Plan *p, PlanError *e, uint32_t insn, const char *fmt, ...)
{
	const PlanInsn *in = &p->code[insn];
	const char *scope = p->strings + p->debugs[in->debug].scope;
	const char *name = plan_op_name(in->op);
	char text[320];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return plan_fail(e, "instruction %u (%s%s%.120s): %s", insn,
		name ? name : "?", *scope ? ", " : "", scope, text);
}

static bool
in_range(int64_t x, int64_t lo, int64_t hi)
{
	return lo <= x && x <= hi;
}

/* A time, a number of operations: not negative, not infinite. */
static bool
sane(double x)
{
	return isfinite(x) && x >= 0;
}

static bool
zero(const uint8_t *pad, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pad[i])
			return false;
	return true;
}

/* Any offset into the strings is a name: they end in a NUL. */
static bool
name_ok(const Plan *p, uint32_t name)
{
	return name < p->n_strings;
}

static bool
check_strings(const Plan *p, PlanError *e)
{
	if (!p->n_strings || p->strings[0] || p->strings[p->n_strings - 1])
		return plan_fail(e, "strings do not begin with the empty one "
			"or do not end in a NUL");
	return true;
}

static bool
check_header(const Plan *p, PlanError *e)
{
	const PlanHeader *h = &p->head;
	if (h->dtype >= DT_COUNT || h->dtype == DT_I32)
		return plan_fail(e, "header: %u is no element type", h->dtype);
	if (!name_ok(p, h->name) || !name_ok(p, h->target)
		|| !name_ok(p, h->profile))
		return plan_fail(e, "header: a name is outside the strings");
	for (int i = 0; i < AXIS_MAX; i++)
		if (!name_ok(p, h->axis_name[i]))
			return plan_fail(e, "header: the name of axis %d is "
				"outside the strings", i);
	if (!in_range(h->threads, 1, THREADS_MAX) || h->steps > STEPS_MAX)
		return plan_fail(e, "header: %u threads or %u steps are out "
			"of range", h->threads, h->steps);
	const int64_t bytes[] = {h->arena_bytes, h->pinned_bytes,
		h->host_bytes, h->load_bound, h->floor_bound,
		h->weights_bytes, h->weights_peak, h->unsliced_bytes};
	for (size_t i = 0; i < COUNT_OF(bytes); i++)
		if (!in_range(bytes[i], 0, BYTES_MAX))
			return plan_fail(e, "header: %lld is no number of bytes",
				(long long)bytes[i]);
	if (h->load_bound > h->arena_bytes || h->floor_bound > h->load_bound)
		return plan_fail(e, "header: the bounds exceed the arena");
	if (!sane(h->unsliced_seconds) || !sane(h->predicted_seconds)
		|| !sane(h->flops))
		return plan_fail(e, "header: a time or count is not finite");
	if (h->order_proven > 1 || h->placement_proven > 1 || h->pad_)
		return plan_fail(e, "header: a flag is neither 0 nor 1");
	return true;
}

static bool
check_buffers(const Plan *p, PlanError *e)
{
	int64_t top = 0;
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		const PlanBuffer *b = &p->buffers[i];
		if (b->role >= BUF_ROLE_COUNT || b->dtype >= DT_COUNT
			|| b->crosses > 1 || b->pad_ || !name_ok(p, b->name))
			return plan_fail(e, "buffer %u: its role, type or name "
				"is out of range", i);
		if (!in_range(b->offset, 0, BYTES_MAX)
			|| !in_range(b->bytes, 1, BYTES_MAX))
			return plan_fail(e, "buffer %u: %lld bytes at %lld are "
				"out of range", i, (long long)b->bytes,
				(long long)b->offset);
		if (b->offset % PLAN_ALIGN)
			return plan_fail(e, "buffer %u: its offset %lld is no "
				"multiple of %d", i, (long long)b->offset,
				PLAN_ALIGN);
		if (b->first > b->last || b->last > p->n_code)
			return plan_fail(e, "buffer %u: it lives from %u to %u",
				i, b->first, b->last);
		top = max64(top, b->offset + b->bytes);
	}
	if (top != p->head.arena_bytes)
		return plan_fail(e, "header: the arena has %lld bytes, the "
			"buffers end at %lld", (long long)p->head.arena_bytes,
			(long long)top);
	return true;
}

static bool
affine_ok(const Affine *a)
{
	for (int i = 0; i < PLAN_REGS; i++)
		if (!in_range(a->step[i], -AFFINE_STEP_MAX, AFFINE_STEP_MAX))
			return false;
	return in_range(a->base, -AFFINE_BASE_MAX, AFFINE_BASE_MAX);
}

static bool
check_dims(const Plan *p, PlanError *e)
{
	for (uint32_t i = 0; i < p->n_dims; i++) {
		const PlanDim *d = &p->dims[i];
		if (d->axis >= AXIS_MAX || !zero(d->pad_, sizeof d->pad_))
			return plan_fail(e, "dim %u: %u is no axis", i, d->axis);
		if (!in_range(d->extent, 1, EXTENT_MAX))
			return plan_fail(e, "dim %u: extent %lld is out of range",
				i, (long long)d->extent);
		if (!in_range(d->stride, 0, BYTES_MAX))
			return plan_fail(e, "dim %u: stride %lld is out of range",
				i, (long long)d->stride);
		if (!affine_ok(&d->lo) || !affine_ok(&d->hi)
			|| !affine_ok(&d->origin))
			return plan_fail(e, "dim %u: its range is absurd", i);
	}
	return true;
}

static bool
check_views(const Plan *p, PlanError *e)
{
	for (uint32_t i = 0; i < p->n_views; i++) {
		const PlanView *v = &p->views[i];
		if (v->buffer >= p->n_buffers || !zero(v->pad_, sizeof v->pad_))
			return plan_fail(e, "view %u: there is no buffer %u", i,
				v->buffer);
		if (v->ndim > AXIS_MAX || v->first_dim > p->n_dims
			|| v->ndim > p->n_dims - v->first_dim)
			return plan_fail(e, "view %u: its dims are outside the "
				"list", i);
		if (!in_range(v->base, -BYTES_MAX, BYTES_MAX))
			return plan_fail(e, "view %u: base %lld is out of range",
				i, (long long)v->base);
		const PlanDim *d = p->dims + v->first_dim;
		bool by_step = false;
		for (uint32_t k = 0; k < v->ndim; k++) {
			by_step |= p->head.steps && dim_by_step(&d[k]);
			if (k && d[k].axis <= d[k - 1].axis)
				return plan_fail(e, "view %u: its axes are not "
					"in order", i);
		}
		if (v->by_step != by_step)
			return plan_fail(e, "view %u: it says that it does%s "
				"depend on the step", i, by_step ? " not" : "");
	}
	return true;
}

static bool
check_operands(const Plan *p, PlanError *e)
{
	for (uint32_t i = 0; i < p->n_operands; i++) {
		const uint32_t *v = p->operands[i].view;
		for (int k = 0; k < 2; k++)
			if (v[k] != PLAN_NONE && v[k] >= p->n_views)
				return plan_fail(e, "operand %u: there is no "
					"view %u", i, v[k]);
		if (v[0] == PLAN_NONE && v[1] != PLAN_NONE)
			return plan_fail(e, "operand %u: its first part is "
				"missing", i);
	}
	return true;
}

/* What each kind of attribute may be; sets of axes are looked at op by op. */
#define ATTR_AXES(x)   ((void)(x), true)
#define ATTR_ACT(x)    ((x) < ACT_COUNT)
#define ATTR_FLAG(x)   ((x) <= 1)
#define ATTR_AXIS(x)   ((x) < AXIS_MAX)
#define ATTR_COUNT(x)  ((x) >= 0)
#define ATTR_TRIPLE(x) ((x)[0] >= 0 && (x)[1] >= 0 && (x)[2] >= 0)
#define ATTR_INDEX(x)  in_range(x, -EXTENT_MAX, EXTENT_MAX)
#define ATTR_ROWS(x)   in_range(x, 0, BYTES_MAX)
#define ATTR_REAL(x)   (isfinite(x) != 0)
#define ATTR_SMALL(x)  sane(x)

static bool
check_attrs(const Plan *p, PlanError *e)
{
	for (uint32_t i = 0; i < p->n_attrs; i++) {
		const Attr *a = &p->attrs[i];
		bool ok = true;
#define ATTR(name, kind, doc) ok = ok && ATTR_##kind(a->name);
#define PAD(bytes) ok = ok && zero(a->pad_, bytes);
#include "ir/attrs.def"
		if (!ok)
			return plan_fail(e, "attributes %u: a value is out of "
				"range", i);
	}
	return true;
}

/* ---- code ---- */

/* Whether `op` is computed by a kernel. */
static bool
has_kernel(uint16_t op)
{
	return op > OP_NONE && op < OP_COUNT && !(op_info[op].flags
		& (OPF_LEAF | OPF_VIEW | OPF_COPIES));
}

static bool
check_insn(const Plan *p, uint32_t i, PlanError *e)
{
	const PlanInsn *in = &p->code[i];
	if (in->debug >= p->n_debugs)
		return plan_fail(e, "instruction %u: there is no debug entry %u",
			i, in->debug);
	if (in->op >= CTL_BASE ? in->op >= CTL_END : !has_kernel(in->op))
		return plan_fail(e, "instruction %u: there is no opcode %u", i,
			in->op);
	if (in->op < CTL_BASE) {
		if (in->attr >= p->n_attrs)
			return plan_fail_at(p, e, i, "there are no attributes %u",
				in->attr);
		if (in->first_operand > p->n_operands || in->noperands
			> p->n_operands - in->first_operand)
			return plan_fail_at(p, e, i, "its operands are outside "
				"the list");
		if (in->a || in->b)
			return plan_fail_at(p, e, i, "it has the fields of a "
				"control instruction");
	} else if (in->noperands || in->attr || in->first_operand
		|| in->provider) {
		return plan_fail_at(p, e, i, "it has operands or attributes");
	}
	if (in->pad_)
		return plan_fail_at(p, e, i, "its padding is not zero");
	if (!sane((double)in->seconds))
		return plan_fail_at(p, e, i, "its predicted time is %g s",
			(double)in->seconds);
	return true;
}

static bool
check_loop(const Plan *p, const PlanWalk *w, PlanError *e)
{
	const PlanInsn *in = &p->code[w->pc];
	if (in->a >= PLAN_REGS || w->depth >= PLAN_NESTING
		|| walk_count(p, w, (int)in->a))
		return plan_fail_at(p, e, w->pc, "register r%u does not exist "
			"or is in use", in->a);
	if (!in_range(in->b, 1, LOOP_MAX))
		return plan_fail_at(p, e, w->pc, "it runs %u times", in->b);
	return true;
}

/* `w` stands at the instruction; the loops in front of it nest. */
static bool
check_control(const Plan *p, const PlanWalk *w, PlanError *e)
{
	const PlanInsn *in = &p->code[w->pc];
	switch (in->op) {
	case CTL_loop:
		return check_loop(p, w, e);
	case CTL_next:
		if (!w->depth || p->code[w->loop[w->depth - 1]].a != in->a
			|| in->b)
			return plan_fail_at(p, e, w->pc, "it does not end the "
				"innermost loop");
		return true;
	case CTL_halt:
		if (w->pc + 1 != p->n_code || w->depth || in->a || in->b)
			return plan_fail_at(p, e, w->pc, "it is not the last "
				"instruction");
		return true;
	default:
		if (in->a >= p->n_weights || in->b)
			return plan_fail_at(p, e, w->pc, "there is no weight %u",
				in->a);
		return true;
	}
}

static bool
check_code(const Plan *p, PlanError *e)
{
	int64_t work = 0;
	for (PlanWalk w = {0}; w.pc < p->n_code; walk_past(p, &w)) {
		if (!check_insn(p, w.pc, e))
			return false;
		if (p->code[w.pc].op >= CTL_BASE && !check_control(p, &w, e))
			return false;
		work += min64(walk_runs(p, &w), (int64_t)WORK_MAX + 1);
		if (work > WORK_MAX)
			return plan_fail(e, "the program runs more than %d "
				"instructions", WORK_MAX);
	}
	if (!p->n_code || p->code[p->n_code - 1].op != CTL_halt)
		return plan_fail(e, "the program does not end in a halt");
	return true;
}

/* In a plan with steps r0 is the step: loops over it are outermost and run once
 * for each.  One of them is the denoising loop. */
static bool
check_steps(const Plan *p, PlanError *e)
{
	uint32_t at = p->head.denoise;
	bool found = at == PLAN_NONE;
	for (PlanWalk w = {0}; w.pc < p->n_code; walk_past(p, &w)) {
		const PlanInsn *in = &p->code[w.pc];
		bool over = p->head.steps && in->op == CTL_loop && in->a == 0;
		if (over && (w.depth || in->b != p->head.steps))
			return plan_fail_at(p, e, w.pc, "r0 counts the %u "
				"denoising steps", p->head.steps);
		found |= over && w.pc == at;
	}
	return found || plan_fail(e, "header: instruction %u does not begin the "
		"denoising loop", at);
}

/* Exactly the values, inputs and outputs that live around the denoising loop's
 * body cross its steps, but for inputs that are filled anew before each. */
static bool
check_crossing(const Plan *p, Arena *a, PlanError *e)
{
	uint32_t begin = p->head.denoise;
	uint32_t end = begin == PLAN_NONE ? 0 : plan_loop_ends(a, p)[begin];
	bool *filled = arena_array(a, p->n_buffers, sizeof *filled);
	for (uint32_t i = 0; i < p->n_inputs; i++)
		filled[p->inputs[i].buffer] = p->inputs[i].per_step;
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		const PlanBuffer *b = &p->buffers[i];
		bool kept = b->role == BUF_VALUE || b->role == BUF_INPUT
			|| b->role == BUF_OUTPUT;
		bool crosses = kept && begin != PLAN_NONE && !filled[i]
			&& b->first <= begin && b->last >= end;
		if (b->crosses != crosses)
			return plan_fail(e, "buffer %u: it says that it does%s "
				"cross the denoising steps", i,
				crosses ? " not" : "");
	}
	return true;
}

/* ---- what is outside the code ---- */

/* Product of extents, each 1 .. EXTENT_MAX; 0 when one is not or the product
 * is above BYTES_MAX. */
static int64_t
elements(const int64_t *n, size_t count)
{
	int64_t total = 1;
	for (size_t i = 0; i < count; i++)
		if (!in_range(n[i], 1, EXTENT_MAX) || !mul_ok(total, n[i], &total)
			|| total > BYTES_MAX)
			return 0;
	return total;
}

/* A packed matrix has the shape [rows, cols, taps...] of the file's. */
static bool
matrix_ok(const PlanWeight *w)
{
	if (w->rank < 2 || !in_range(w->rows[0], 1, w->dim[0])
		|| !in_range(w->cols[0], 1, w->dim[1]))
		return false;
	return w->rows[1] == w->dim[0] - w->rows[0]
		&& w->cols[1] == w->dim[1] - w->cols[0]
		&& w->taps == elements(w->dim + 2, (size_t)w->rank - 2);
}

static bool
check_weights(const Plan *p, PlanError *e)
{
	int64_t sum = 0;
	for (uint32_t i = 0; i < p->n_weights; i++) {
		const PlanWeight *w = &p->weights[i];
		if (!name_ok(p, w->component) || !name_ok(p, w->name)
			|| w->pad_ || w->otherwise >= OTHERWISE_COUNT)
			return plan_fail(e, "weight %u: a field is out of range",
				i);
		if (w->buffer >= p->n_buffers
			|| p->buffers[w->buffer].role != BUF_WEIGHT)
			return plan_fail(e, "weight %u: buffer %u is none of a "
				"weight", i, w->buffer);
		const PlanBuffer *b = &p->buffers[w->buffer];
		int64_t n = w->rank <= COUNT_OF(w->dim)
			? elements(w->dim, w->rank) : 0;
		if (!n || b->dtype == DT_I32
			|| n > b->bytes / dtype_bytes(b->dtype))
			return plan_fail(e, "weight %u: its shape does not fit "
				"into its buffer", i);
		if (w->otherwise && (w->layout || w->rank != 2))
			return plan_fail(e, "weight %u: only a table of rows has "
				"values of its own", i);
		if (w->layout && !matrix_ok(w))
			return plan_fail(e, "weight %u: its packing contradicts "
				"its shape", i);
		sum += n * dtype_bytes(b->dtype);
		if (sum > BYTES_MAX)
			return plan_fail(e, "the weights are too large");
	}
	if (sum != p->head.weights_bytes)
		return plan_fail(e, "header: weights have %lld bytes, their "
			"shapes say %lld", (long long)p->head.weights_bytes,
			(long long)sum);
	return true;
}

static bool
check_ports(const Plan *p, const PlanPort *ports, uint32_t n, BufferRole role,
	const char *kind, PlanError *e)
{
	for (uint32_t i = 0; i < n; i++) {
		const PlanPort *x = &ports[i];
		if (!name_ok(p, x->name) || x->dtype >= DT_COUNT
			|| !zero(x->pad2_, sizeof x->pad2_))
			return plan_fail(e, "%s %u: a field is out of range",
				kind, i);
		if (x->per_step && (x->per_step > 1 || role != BUF_INPUT
			|| x->dtype != DT_F32
			|| p->head.denoise == PLAN_NONE))
			return plan_fail(e, "%s %u: this cannot be filled before "
				"each step", kind, i);
		if (x->buffer >= p->n_buffers
			|| p->buffers[x->buffer].role != role
			|| p->buffers[x->buffer].dtype != x->dtype)
			return plan_fail(e, "%s %u: buffer %u has another role "
				"or type", kind, i, x->buffer);
		int64_t extent[AXIS_MAX];
		size_t rank = 0;
		for (int a = 0; a < AXIS_MAX; a++)
			if (x->axes >> a & 1)
				extent[rank++] = x->n[a];
			else if (x->n[a])
				return plan_fail(e, "%s %u: it has an extent "
					"along an axis that it lacks", kind, i);
		int64_t count = elements(extent, rank);
		if (!count || count > p->buffers[x->buffer].bytes
			/ dtype_bytes(x->dtype))
			return plan_fail(e, "%s %u: its shape does not fit into "
				"its buffer", kind, i);
	}
	return true;
}

static bool
check_tables(const Plan *p, PlanError *e)
{
	for (uint32_t i = 0; i < p->n_tables; i++) {
		const PlanTable *t = &p->tables[i];
		if (!name_ok(p, t->name) || t->buffer >= p->n_buffers
			|| p->buffers[t->buffer].role != BUF_TABLE
			|| p->buffers[t->buffer].dtype != DT_F32)
			return plan_fail(e, "table %u: its name or buffer is "
				"out of range", i);
		if (!in_range(t->bytes, 1, p->buffers[t->buffer].bytes)
			|| t->bytes % 4)
			return plan_fail(e, "table %u: it does not fit into its "
				"buffer", i);
		if (t->data < 0 || t->bytes > p->n_blob
			|| t->data > p->n_blob - t->bytes)
			return plan_fail(e, "table %u: its data is outside the "
				"blob", i);
	}
	return true;
}

/* Weights, inputs and tables fill a buffer each; two that fill one would
 * overwrite each other.  An output may have two names. */
static bool
check_owners(const Plan *p, Arena *a, PlanError *e)
{
	uint8_t *owned = arena_alloc(a, p->n_buffers);
	uint32_t twice = PLAN_NONE;
#define X(list) \
	for (uint32_t i = 0; i < p->n_##list; i++) \
		if (owned[p->list[i].buffer]++) \
			twice = p->list[i].buffer;
	X(weights)
	X(inputs)
	X(tables)
#undef X
	return twice == PLAN_NONE || plan_fail(e, "buffer %u belongs to two "
		"weights, inputs or tables", twice);
}

static bool
check_debugs(const Plan *p, PlanError *e)
{
	for (uint32_t i = 0; i < p->n_debugs; i++) {
		const PlanDebug *d = &p->debugs[i];
		if (!name_ok(p, d->file) || !name_ok(p, d->scope)
			|| !name_ok(p, d->component)
			|| d->phase >= p->n_phases
			|| (d->group != PLAN_NONE && d->group >= p->n_groups))
			return plan_fail(e, "debug entry %u: an index is out of "
				"range", i);
	}
	return true;
}

static bool
check_phases(const Plan *p, PlanError *e)
{
	for (uint32_t i = 0; i < p->n_phases; i++) {
		const PlanPhase *x = &p->phases[i];
		uint32_t after = i ? p->phases[i - 1].last + 1 : 0;
		if (!name_ok(p, x->name) || x->first < after
			|| x->first > x->last || x->last >= p->n_code
			|| x->peak_insn < x->first || x->peak_insn > x->last)
			return plan_fail(e, "phase %u: its instructions are out "
				"of range", i);
		if (!in_range(x->peak_bytes, 0, p->head.arena_bytes)
			|| !sane(x->predicted_seconds))
			return plan_fail(e, "phase %u: its peak or time is out "
				"of range", i);
	}
	return true;
}

static bool
check_groups(const Plan *p, Arena *arena, PlanError *e)
{
	const uint32_t *end = plan_loop_ends(arena, p);
	for (uint32_t i = 0; i < p->n_groups; i++) {
		const PlanGroup *g = &p->groups[i];
		if (!name_ok(p, g->name) || g->axis >= AXIS_MAX
			|| !zero(g->pad_, sizeof g->pad_)
			|| g->first >= p->n_code)
			return plan_fail(e, "group %u: a field is out of range",
				i);
		const PlanInsn *in = &p->code[g->first];
		if (in->op != CTL_loop || in->a != g->reg || in->b != g->count
			|| end[g->first] != g->last)
			return plan_fail(e, "group %u: instruction %u does not "
				"begin its loop", i, g->first);
		if (!in_range(g->slice, 1, EXTENT_MAX)
			|| !in_range(g->peak_bytes, 0, BYTES_MAX)
			|| !sane(g->predicted_seconds))
			return plan_fail(e, "group %u: its slice, peak or time "
				"is out of range", i);
	}
	return true;
}

static bool
check_graph(const Plan *p, PlanError *e)
{
	for (uint32_t i = 0; i < p->n_nodes; i++) {
		const PlanNode *n = &p->nodes[i];
		if (!name_ok(p, n->name) || !name_ok(p, n->type)
			|| !name_ok(p, n->scope) || !name_ok(p, n->component)
			|| n->stage >= STAGES || n->first_edge > p->n_edges
			|| n->nedges > p->n_edges - n->first_edge
			|| (n->insn != PLAN_NONE && n->insn >= p->n_code))
			return plan_fail(e, "node %u: a field is out of range",
				i);
	}
	for (uint32_t i = 0; i < p->n_edges; i++)
		if (p->edges[i] >= p->n_nodes)
			return plan_fail(e, "edge %u: there is no node %u", i,
				p->edges[i]);
	return true;
}

bool
plan_format(const Plan *p, PlanError *e)
{
	if (!(check_strings(p, e) && check_header(p, e) && check_buffers(p, e)
		&& check_dims(p, e) && check_views(p, e) && check_operands(p, e)
		&& check_attrs(p, e) && check_debugs(p, e) && check_code(p, e)
		&& check_steps(p, e)
		&& check_weights(p, e)
		&& check_ports(p, p->inputs, p->n_inputs, BUF_INPUT, "input", e)
		&& check_ports(p, p->outputs, p->n_outputs, BUF_OUTPUT,
			"output", e)
		&& check_tables(p, e) && check_phases(p, e)
		&& check_graph(p, e)))
		return false;
	Arena a = {0};
	bool ok = check_crossing(p, &a, e) && check_owners(p, &a, e)
		&& check_groups(p, &a, e);
	arena_free(&a);
	return ok;
}
