/* dot_groups.c - the program as it runs: loops over slices with their axis and
 * number of iterations, loops within loops as frames, and what runs whole
 * between them.
 *
 * A program has hundreds of loops: the boxes stand in columns, to be read down
 * and then to the right.  Their places are set here (layout=nop2), Graphviz
 * only draws them.
 */
#include "compiler/explain/dot.h"
#include "compiler/explain/fold.h"
#include "compiler/explain/timeline.h"

#include <math.h>
#include <string.h>

#define ROW 40.0                /* points from one box to the next */
#define COLUMN 290.0
#define INDENT 7.0              /* of what is within a frame */
#define SHAPE 1.6               /* of the sheet: width / height */

enum { NAME_LINE = 52, OPS_LINE = 48 };

/* A box, or the head of a frame around the rows up to `last`. */
typedef struct Row {
	const char *label, *colour;
	int depth;
	size_t last;            /* 0: a box */
} Row;

typedef struct Sheet {
	Arena *arena;
	const Plan *p;
	FILE *out;
	Vec(Row) rows;
	uint32_t boxes;         /* drawn so far */
	uint32_t group;         /* the next one */
} Sheet;

static const char *
axis_colour(int axis)
{
	static const char *const colours[AXIS_MAX] = {[AXIS_B] = "#f6d5d5",
		[AXIS_F] = "#cfe2f3", [AXIS_H] = "#d5ecd4", [AXIS_W] = "#fbe3b5"};
	return colours[axis] ? colours[axis] : "#d9d2ec";
}

/* "f: 8 slices of 2" */
static void
slices_text(const Plan *p, const PlanGroup *g, char *buf, size_t size)
{
	snprintf(buf, size, "%.20s: %lld slices of %lld",
		p->strings + p->head.axis_name[g->axis], (long long)g->count,
		(long long)g->slice);
}

/* Names of the ops in [first, last], each once, as many as fit in a line. */
static void
ops_text(const Plan *p, uint32_t first, uint32_t last, char *buf)
{
	bool seen[OP_COUNT] = {false};
	size_t n = 0;
	buf[0] = 0;
	for (uint32_t i = first; i <= last; i++) {
		uint16_t op = p->code[i].op;
		if (op >= CTL_BASE || seen[op])
			continue;
		seen[op] = true;
		const char *name = plan_op_name(op);
		if (n + strlen(name) + 6 > OPS_LINE) {
			snprintf(buf + n, OPS_LINE - n, " \342\200\246");
			return;
		}
		n += (size_t)snprintf(buf + n, OPS_LINE - n, "%s%s",
			n ? " " : "", name);
	}
}

static void
add_row(Sheet *s, int depth, const char *colour, const char *label)
{
	*vec_push(&s->rows) = (Row){arena_strdup(s->arena, label), colour,
		depth, 0};
}

static void
add_loop(Sheet *s, const PlanGroup *g, int depth)
{
	char label[600], slices[64], ops[OPS_LINE], bytes[32], time[32];
	DotFit fit;
	slices_text(s->p, g, slices, sizeof slices);
	ops_text(s->p, g->first, g->last, ops);
	snprintf(label, sizeof label, "%s; %s inside, %s\n%s\n%s",
		slices, format_bytes(bytes, group_inside(s->p, g)),
		format_seconds(time, g->predicted_seconds),
		dot_fit(s->p->strings + g->name, NAME_LINE, &fit), ops);
	add_row(s, depth, axis_colour(g->axis), label);
}

/* What runs whole between two loops. */
static void
add_whole(Sheet *s, uint32_t first, uint32_t last, int depth)
{
	uint32_t n = kernel_count(s->p, first, last), from = first, to = last;
	char label[600], ops[OPS_LINE], name[240];
	DotFit fit;
	if (!n)
		return;
	while (s->p->code[from].op >= CTL_BASE)
		from++;
	while (s->p->code[to].op >= CTL_BASE)
		to--;
	const char *a = insn_scope(s->p, from), *b = insn_scope(s->p, to);
	size_t la = fold_prefix(a, 2), lb = fold_prefix(b, 2);
	bool same = la == lb && !strncmp(a, b, la);
	ops_text(s->p, first, last, ops);
	snprintf(name, sizeof name, "%.*s%s%.*s", (int)min64((int64_t)la, 100),
		a, same || !la || !lb ? "" : " to ",
		same ? 0 : (int)min64((int64_t)lb, 100), b);
	snprintf(label, sizeof label, "whole: %u kernels\n%s\n%s", n,
		dot_fit(name, NAME_LINE, &fit), ops);
	add_row(s, depth, "#f4f4f4", label);
}

static void add_range(Sheet *s, uint32_t first, uint32_t last, int depth);

/* A loop with others in it: a frame. */
static void
add_frame(Sheet *s, const PlanGroup *g, int depth)
{
	char label[400], slices[64], bytes[32], time[32];
	DotFit fit;
	size_t head = s->rows.n;
	slices_text(s->p, g, slices, sizeof slices);
	snprintf(label, sizeof label, "%s; %s inside, %s\n%s", slices,
		format_bytes(bytes, group_inside(s->p, g)),
		format_seconds(time, g->predicted_seconds),
		dot_fit(s->p->strings + g->name, NAME_LINE, &fit));
	add_row(s, depth, axis_colour(g->axis), label);
	add_range(s, g->first + 1, g->last - 1, depth + 1);
	s->rows.at[head].last = s->rows.n - 1;
}

static void
add_range(Sheet *s, uint32_t first, uint32_t last, int depth)
{
	const Plan *p = s->p;
	uint32_t at = first;
	while (s->group < p->n_groups && p->groups[s->group].first >= first
		&& p->groups[s->group].last <= last) {
		const PlanGroup *g = &p->groups[s->group++];
		const PlanGroup *next = g + 1;
		if (g->first < at)      /* not in the order of the code */
			continue;
		if (g->first > at)
			add_whole(s, at, g->first - 1, depth);
		at = g->last + 1;
		if (s->group < p->n_groups && next->first > g->first
			&& next->last < g->last)
			add_frame(s, g, depth);
		else
			add_loop(s, g, depth);
	}
	if (at <= last)
		add_whole(s, at, last, depth);
}

static void
add_phase(Sheet *s, const PlanPhase *f)
{
	char label[160], bytes[32], time[32];
	size_t head = s->rows.n;
	snprintf(label, sizeof label, "%.60s\n%s at its highest, %s",
		s->p->strings + f->name, format_bytes(bytes, f->peak_bytes),
		format_seconds(time, f->predicted_seconds));
	add_row(s, 0, "#dcdcdc", label);
	add_range(s, f->first, f->last, 1);
	s->rows.at[head].last = s->rows.n - 1;
}

/* ---- on the sheet ---- */

static void
draw_box(Sheet *s, double x, double y, double w, double h, const char *colour,
	const char *label)
{
	fprintf(s->out, "  n%u [pos=\"%.1f,%.1f\" width=%.3f height=%.3f "
		"fillcolor=\"%s\" label=", s->boxes++, x + w / 2, y - h / 2,
		w / 72, h / 72, colour);
	dot_lines(s->out, label, 'l');
	fputs("];\n", s->out);
}

/* A frame is drawn in each column that it reaches into, its head in the
 * first. */
static void
draw_frame(Sheet *s, size_t head, size_t height)
{
	const Row *r = &s->rows.at[head];
	for (size_t from = head; from <= r->last;) {
		size_t column = from / height;
		size_t to = (column + 1) * height - 1;
		to = to < r->last ? to : r->last;
		double inset = INDENT * r->depth;
		draw_box(s, COLUMN * (double)column + inset,
			-ROW * (double)(from % height) + 2,
			COLUMN - 6 - 2 * inset, ROW * (double)(to - from + 1),
			r->colour, "");
		from = to + 1;
	}
}

/* Above the columns: what the colours are. */
static void
draw_legend(Sheet *s)
{
	bool used[AXIS_MAX] = {false};
	double x = 0;
	for (uint32_t i = 0; i < s->p->n_groups; i++)
		used[s->p->groups[i].axis] = true;
	for (int axis = 0; axis < AXIS_MAX; axis++) {
		char label[300];
		DotFit fit;
		if (!used[axis])
			continue;
		snprintf(label, sizeof label, "sliced along %s",
			dot_fit(s->p->strings + s->p->head.axis_name[axis], 12,
				&fit));
		draw_box(s, x, ROW, 150, ROW / 2, axis_colour(axis), label);
		x += 154;
	}
	draw_box(s, x, ROW, 150, ROW / 2, "#f4f4f4", "whole, no slices");
}

static void
draw_row(Sheet *s, size_t i, size_t height)
{
	const Row *r = &s->rows.at[i];
	double inset = INDENT * r->depth;
	double x = COLUMN * (double)(i / height) + inset;
	double y = -ROW * (double)(i % height);
	if (r->last)
		fputs("  node [penwidth=0];\n", s->out);
	draw_box(s, x + 0.4, y, COLUMN - 7 - 2 * inset, ROW - 4, r->colour,
		r->label);
	if (r->last)
		fputs("  node [penwidth=0.6];\n", s->out);
}

void
dot_groups(const Plan *p, FILE *out)
{
	Arena a = {0};
	Sheet s = {.arena = &a, .p = p, .out = out};
	for (uint32_t i = 0; i < p->n_phases; i++)
		add_phase(&s, &p->phases[i]);
	size_t height = (size_t)ceil(sqrt((double)s.rows.n * COLUMN
		/ (ROW * SHAPE)));
	fputs("graph ", out);
	dot_string(out, p->strings + p->head.name);
	fputs(" {\n  layout=nop2;\n  outputorder=nodesfirst;\n"
		"  node [shape=box style=filled fixedsize=true color=\"#888888\" "
		"penwidth=0.6 fontname=\"Helvetica\" fontsize=8 "
		"margin=\"0.06,0\"];\n", out);
	for (int depth = 0; depth <= PLAN_NESTING; depth++)
		for (size_t i = 0; i < s.rows.n; i++)
			if (s.rows.at[i].last && s.rows.at[i].depth == depth)
				draw_frame(&s, i, height);
	for (size_t i = 0; i < s.rows.n; i++)
		draw_row(&s, i, height);
	draw_legend(&s);
	fputs("}\n", out);
	vec_free(&s.rows);
	arena_free(&a);
}
