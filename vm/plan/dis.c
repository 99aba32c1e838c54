/* dis.c - prints a plan as text.
 *
 * First what the plan says about itself, then a line for each buffer, then the
 * code: phases and groups as headings, loops indented, operands as views
 * "name#buffer[h=0..4 of 64, c=320]" where an axis that is whole shows only its
 * extent.  The same plan gives the same text, so that plans can be compared
 * with diff.  Names come from files and are printed with care (print_clean).
 * The JSON form is in dis_json.c.
 */
#include "vm/plan/dis.h"
#include "vm/plan/walk.h"

#include <inttypes.h>
#include <string.h>

const char *
plan_op_name(uint16_t op)
{
	static const char *const control[] = {
#define CONTROL(name, doc) #name,
#include "vm/plan/control.def"
	};
	if (op >= CTL_BASE)
		return op < CTL_END ? control[op - CTL_BASE] : NULL;
	return op > OP_NONE && op < OP_COUNT ? op_info[op].name : NULL;
}

const char *
dis_role_name(BufferRole role)
{
	static const char *const names[BUF_ROLE_COUNT] = {
		[BUF_VALUE] = "value", [BUF_WEIGHT] = "weight",
		[BUF_WORK] = "work", [BUF_INPUT] = "input",
		[BUF_OUTPUT] = "output", [BUF_TABLE] = "table",
	};
	return names[role];
}

char *
dis_affine(char *buf, const Affine *a)
{
	size_t n = 0;
	buf[0] = 0;
	for (int i = 0; i < PLAN_REGS; i++) {
		int64_t k = a->step[i];
		if (!k)
			continue;
		const char *sign = k < 0 ? "-" : n ? "+" : "";
		uint64_t size = (uint64_t)(k < 0 ? -k : k);
		n += (size_t)(size == 1
			? snprintf(buf + n, 32, "%sr%d", sign, i)
			: snprintf(buf + n, 32, "%s%" PRIu64 "r%d", sign, size, i));
	}
	if (!n)
		snprintf(buf, 32, "%" PRId64, a->base);
	else if (a->base)
		snprintf(buf + n, 32, "%+" PRId64, a->base);
	return buf;
}

static bool
constant(const Affine *a, int64_t value)
{
	for (int i = 0; i < PLAN_REGS; i++)
		if (a->step[i])
			return false;
	return a->base == value;
}

static bool
same_steps(const Affine *a, const Affine *b)
{
	return !memcmp(a->step, b->step, sizeof a->step);
}

static void
print_axis(const Plan *p, int axis, FILE *out)
{
	const char *name = p->strings + p->head.axis_name[axis];
	if (*name)
		print_clean_line(out, name);
	else
		fprintf(out, "axis%d", axis);
}

/* The axes' names, with commas between them. */
static void
dis_axes(const Plan *p, AxisSet axes, FILE *out)
{
	const char *comma = "";
	for (int a = 0; a < AXIS_MAX; a++)
		if (axes >> a & 1) {
			fputs(comma, out);
			print_axis(p, a, out);
			comma = ",";
		}
}

/* h=64 the whole axis, h=r1 of 64 one index, h=4r1..4r1+4 of 64 a range. */
static void
print_dim(const Plan *p, const PlanDim *d, FILE *out)
{
	char lo[DIS_AFFINE], hi[DIS_AFFINE];
	print_axis(p, d->axis, out);
	dis_affine(lo, &d->lo);
	if (constant(&d->lo, 0) && constant(&d->hi, d->extent))
		fprintf(out, "=%" PRId64, d->extent);
	else if (same_steps(&d->lo, &d->hi) && d->hi.base == d->lo.base + 1)
		fprintf(out, "=%s of %" PRId64, lo, d->extent);
	else
		fprintf(out, "=%s..%s of %" PRId64, lo, dis_affine(hi, &d->hi),
			d->extent);
}

static void
print_view(const Plan *p, uint32_t view, FILE *out)
{
	const PlanView *v = &p->views[view];
	const char *comma = "";
	print_clean_line(out, p->strings + p->buffers[v->buffer].name);
	fprintf(out, "#%u%s", v->buffer, v->by_step ? "@step" : "");
	if (v->base)
		fprintf(out, "%+" PRId64, v->base);
	fputc('[', out);
	for (uint32_t i = 0; i < v->ndim; i++, comma = ", ") {
		fputs(comma, out);
		print_dim(p, &p->dims[v->first_dim + i], out);
	}
	fputc(']', out);
}

static void
print_operand(const Plan *p, const PlanOperand *o, FILE *out)
{
	if (o->view[0] == PLAN_NONE) {
		fputc('-', out);
		return;
	}
	print_view(p, o->view[0], out);
	if (o->view[1] != PLAN_NONE) {
		fputs(" ++ ", out);
		print_view(p, o->view[1], out);
	}
}

static void
print_triple(const char *name, const int32_t *x, int n, FILE *out)
{
	fprintf(out, " %s=", name);
	for (int i = 0; i < n; i++)
		fprintf(out, i ? ",%d" : "%d", x[i]);
}

static bool
any(const int32_t *x)
{
	return x[0] || x[1] || x[2];
}

/* The attributes that are not zero. */
static void
print_attr(const Plan *p, const PlanInsn *in, FILE *out)
{
	const Attr *a = &p->attrs[in->attr];
	int n = __builtin_popcount(a->over);
	n = n > 3 ? 3 : n;
#define PRINT_AXES(name) if (a->name) { \
		fputs(" " #name "=", out); dis_axes(p, a->name, out); }
#define PRINT_ACT(name) if (a->name) \
		fprintf(out, " " #name "=%s", act_name((Act)a->name));
#define PRINT_FLAG(name) if (a->name) fputs(" " #name, out);
#define PRINT_AXIS(name) if (op_uses((Op)in->op, ATTR_##name)) { \
		fputs(" " #name "=", out); print_axis(p, a->name, out); }
#define PRINT_TRIPLE(name) if (any(a->name)) \
		print_triple(#name, a->name, n, out);
#define NUMBER(name, format) if (a->name != 0) \
		fprintf(out, " " #name "=" format, a->name);
#define PRINT_COUNT(name) NUMBER(name, "%d")
#define PRINT_INDEX(name) NUMBER(name, "%" PRId64)
#define PRINT_ROWS(name)  NUMBER(name, "%" PRId64)
#define PRINT_REAL(name)  NUMBER(name, "%.9g")
#define PRINT_SMALL(name) NUMBER(name, "%.9g")
#define ATTR(name, kind, doc) PRINT_##kind(name)
#include "ir/attrs.def"
}

static void
print_weight_name(const Plan *p, uint32_t w, FILE *out)
{
	const char *component = p->strings + p->weights[w].component;
	print_clean_line(out, component);
	fputs(*component ? "." : "", out);
	print_clean_line(out, p->strings + p->weights[w].name);
}

void
plan_print_insn(const Plan *p, uint32_t insn, FILE *out)
{
	const PlanInsn *in = &p->code[insn];
	const char *name = plan_op_name(in->op);
	fprintf(out, "%s%*s", name, in->op == CTL_halt ? 0
		: (int)(13 - strlen(name)), "");
	if (in->op == CTL_loop)
		fprintf(out, "r%u, %u", in->a, in->b);
	else if (in->op == CTL_next)
		fprintf(out, "r%u", in->a);
	else if (in->op == CTL_load || in->op == CTL_wait)
		print_weight_name(p, in->a, out);
	if (in->op >= CTL_BASE)
		return;
	const PlanOperand *o = p->operands + in->first_operand;
	int nin = op_nin((Op)in->op);
	for (int i = 1; i < in->noperands; i++) {
		fputs(i == 1 ? "" : i > nin ? " using " : ", ", out);
		print_operand(p, &o[i], out);
	}
	fputs(in->noperands > 1 ? " -> " : "-> ", out);
	if (in->noperands)
		print_operand(p, &o[0], out);
	print_attr(p, in, out);
	if (in->provider)
		fprintf(out, " provider=%u", in->provider);
}

/* ---- the parts of the listing ---- */

static void
print_bytes(const char *label, int64_t bytes, FILE *out)
{
	char text[32];
	fprintf(out, "%-16s %" PRId64 " (%s)\n", label, bytes,
		format_bytes(text, bytes));
}

static void
print_header(const Plan *p, FILE *out)
{
	const PlanHeader *h = &p->head;
	fputs("plan ", out);
	print_clean_line(out, p->strings + h->name);
	fprintf(out, "  format %u  target ", h->version);
	print_clean_line(out, p->strings + h->target);
	fprintf(out, "  abi %u  type %s  threads %u  steps %u\n", h->abi,
		dtype_name((DType)h->dtype), h->threads, h->steps);
	if (h->denoise != PLAN_NONE)
		fprintf(out, "%-16s %u\n", "denoising loop", h->denoise);
	print_bytes("arena", h->arena_bytes, out);
	print_bytes("pinned", h->pinned_bytes, out);
	print_bytes("load bound", h->load_bound, out);
	print_bytes("floor bound", h->floor_bound, out);
	print_bytes("unsliced", h->unsliced_bytes, out);
	print_bytes("host", h->host_bytes, out);
	print_bytes("weights", h->weights_bytes, out);
	print_bytes("weights peak", h->weights_peak, out);
	fprintf(out, "%-16s %.4g s, unsliced %.4g s, %.4g flop, profile ",
		"predicted", h->predicted_seconds, h->unsliced_seconds,
		h->flops);
	print_clean_line(out, p->strings + h->profile);
	fprintf(out, "\n%-16s order %s, placement %s\n", "proven",
		h->order_proven ? "yes" : "no",
		h->placement_proven ? "yes" : "no");
}

static void
print_buffers(const Plan *p, FILE *out)
{
	fprintf(out, "\nbuffers %u\n%6s %14s %14s  %-6s %-4s %13s  %-7s name\n",
		p->n_buffers, "#", "offset", "bytes", "role", "type", "life",
		"crosses");
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		const PlanBuffer *b = &p->buffers[i];
		fprintf(out, "%6u %14" PRId64 " %14" PRId64 "  %-6s %-4s "
			"%6u-%-6u  %-7s ", i, b->offset, b->bytes,
			dis_role_name((BufferRole)b->role),
			dtype_name((DType)b->dtype), b->first, b->last,
			b->crosses ? "steps" : "-");
		print_clean_line(out, p->strings + b->name);
		fputc('\n', out);
	}
}

static void
print_ports(const Plan *p, const char *kind, const PlanPort *x, uint32_t n,
	FILE *out)
{
	for (uint32_t i = 0; i < n; i++, x++) {
		const char *comma = "";
		fprintf(out, "%s ", kind);
		print_clean_line(out, p->strings + x->name);
		fprintf(out, "#%u: %s[", x->buffer, dtype_name((DType)x->dtype));
		for (int a = 0; a < AXIS_MAX; a++)
			if (x->axes >> a & 1) {
				fputs(comma, out);
				print_axis(p, a, out);
				fprintf(out, "=%" PRId64, x->n[a]);
				comma = ", ";
			}
		fputs(x->per_step ? "] for each step\n" : "]\n", out);
	}
}

static void
print_weights(const Plan *p, FILE *out)
{
	for (uint32_t i = 0; i < p->n_weights; i++) {
		const PlanWeight *w = &p->weights[i];
		fputs("weight ", out);
		print_weight_name(p, i, out);
		fprintf(out, "#%u: [", w->buffer);
		for (int k = 0; k < w->rank; k++)
			fprintf(out, "%s%" PRId64, k ? ", " : "", w->dim[k]);
		fputc(']', out);
		if (w->otherwise == OTHERWISE_SINUSOID)
			fputs(" or sinusoid", out);
		if (w->layout)
			fprintf(out, " layout %u rows %" PRId64 "+%" PRId64
				" cols %" PRId64 "+%" PRId64 " taps %" PRId64,
				w->layout, w->rows[0], w->rows[1], w->cols[0], w->cols[1],
				w->taps);
		fputc('\n', out);
	}
}

static void
print_phase(const Plan *p, const PlanPhase *x, FILE *out)
{
	char text[32];
	fputs("\nphase ", out);
	print_clean_line(out, p->strings + x->name);
	fprintf(out, "  %u-%u  peak %s at %u\n", x->first, x->last,
		format_bytes(text, x->peak_bytes), x->peak_insn);
}

static void
print_group(const Plan *p, uint32_t i, FILE *out)
{
	const PlanGroup *g = &p->groups[i];
	char text[32];
	fprintf(out, "group %u  ", i);
	print_axis(p, g->axis, out);
	fprintf(out, ":%" PRId64 "x%" PRId64 "  ", g->count, g->slice);
	print_clean_line(out, p->strings + g->name);
	fprintf(out, "  peak %s\n", format_bytes(text, g->peak_bytes));
}

/* A group's heading stands before its loop; groups may be in any order. */
static void
print_code(const Plan *p, FILE *out)
{
	uint32_t phase = 0;
	Arena a = {0};
	uint32_t *group = arena_array(&a, p->n_code, sizeof *group);
	for (uint32_t g = p->n_groups; g--;)
		group[p->groups[g].first] = g + 1;
	for (PlanWalk w = {0}; w.pc < p->n_code; walk_past(p, &w)) {
		uint32_t i = w.pc;
		const PlanInsn *in = &p->code[i];
		while (phase < p->n_phases && p->phases[phase].first == i)
			print_phase(p, &p->phases[phase++], out);
		if (group[i])
			print_group(p, group[i] - 1, out);
		fprintf(out, "  %04u  %*s", i, 2 * walk_indent(p, &w), "");
		plan_print_insn(p, i, out);
		const char *scope = p->strings + p->debugs[in->debug].scope;
		if (in->op < CTL_BASE && *scope) {
			fputs("  ; ", out);
			print_clean_line(out, scope);
		}
		fputc('\n', out);
	}
	arena_free(&a);
}

void
plan_print(const Plan *p, FILE *out)
{
	print_header(p, out);
	print_ports(p, "input", p->inputs, p->n_inputs, out);
	print_ports(p, "output", p->outputs, p->n_outputs, out);
	for (uint32_t i = 0; i < p->n_tables; i++) {
		fputs("table ", out);
		print_clean_line(out, p->strings + p->tables[i].name);
		fprintf(out, "#%u: %" PRId64 " bytes\n", p->tables[i].buffer,
			p->tables[i].bytes);
	}
	print_weights(p, out);
	print_buffers(p, out);
	print_code(p, out);
}
