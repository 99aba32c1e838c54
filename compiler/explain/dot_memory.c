/* dot_memory.c - the memory map as a picture: time to the right, addresses
 * upwards, one box for each buffer.
 *
 * Graphviz places nothing here: every box has its position (layout=nop2), and
 * `dot -Tsvg` draws them as they stand, later ones over earlier ones.
 */
#include "compiler/explain/dot.h"
#include "compiler/explain/timeline.h"

#include <string.h>

#define WIDTH 1200.0            /* points of the map */
#define HEIGHT 560.0
#define GRID "#d0d0d0"
#define PEAK "#c00000"

enum { TICKS = 4, STRIP = 11, LETTER = 7 };

typedef struct Canvas {
	const Plan *p;
	const Timeline *t;
	FILE *out;
	double scale_x, scale_y;        /* points for a kernel, for a byte */
	uint32_t drawn;
} Canvas;

static double
x_of(const Canvas *c, uint32_t insn)
{
	return c->t->x[insn < c->p->n_code ? insn : c->p->n_code] * c->scale_x;
}

/* A box with its lower left corner at (x, y), all in points; the label follows.
 */
static void
begin_box(Canvas *c, double x, double y, double w, double h)
{
	fprintf(c->out, "  n%u [pos=\"%.2f,%.2f\" width=%.4f height=%.4f",
		c->drawn++, x + w / 2, y + h / 2, w / 72, h / 72);
}

static void
fill(Canvas *c, double x, double y, double w, double h, const char *colour)
{
	begin_box(c, x, y, w, h);
	fprintf(c->out, " fillcolor=\"%s\"];\n", colour);
}

/* Text that begins at x, or ends there. */
static void
text(Canvas *c, double x, double y, int size, bool ends, const char *label)
{
	double w = LETTER * (double)size / 10 * (double)strlen(label) + 8;
	begin_box(c, ends ? x - w : x, y, w, 1.5 * size);
	fprintf(c->out, " shape=plaintext style=\"\" fontsize=%d label=", size);
	dot_lines(c->out, label, ends ? 'r' : 'l');
	fputs("];\n", c->out);
}

static void
draw_buffer(Canvas *c, uint32_t i)
{
	const PlanBuffer *b = &c->p->buffers[i];
	const RoleStyle *style = &role_styles[b->role];
	const char *name = buffer_label(c->p, i);
	char tip[240], bytes[32];
	double x = x_of(c, b->first), y = (double)b->offset * c->scale_y;
	double w = x_of(c, b->last + 1) - x, h = (double)b->bytes * c->scale_y;
	bool peak = b->offset + b->bytes == c->p->head.arena_bytes;
	bool bordered = w > 3 && h > 3;
	w = w < 0.4 ? 0.4 : w;
	h = h < 0.3 ? 0.3 : h;
	snprintf(tip, sizeof tip, "%.160s: %s, %s", name, style->name,
		format_bytes(bytes, b->bytes));
	fprintf(c->out, "  b%u [pos=\"%.2f,%.2f\" width=%.4f height=%.4f "
		"fillcolor=\"%s\" color=\"%s\" penwidth=%s tooltip=", i,
		x + w / 2, y + h / 2, w / 72, h / 72, style->colour,
		peak ? PEAK : bordered ? "white" : style->colour,
		peak ? "1.2" : bordered ? "0.3" : "0");
	dot_string(c->out, tip);
	DotFit fit;
	const char *label = h > 9 && w > 40
		? dot_fit(name, (size_t)(w / 5), &fit) : "";
	if (*label) {
		fputs(" label=", c->out);
		dot_string(c->out, label);
	}
	fputs("];\n", c->out);
}

static void
draw_grid(Canvas *c)
{
	for (int i = 0; i <= TICKS; i++) {
		char bytes[32];
		double y = HEIGHT * i / TICKS;
		text(c, -8, y - 7, 10, true, format_bytes(bytes,
			c->p->head.arena_bytes / TICKS * i));
		fill(c, -5, y, WIDTH + 5, 0.5, GRID);
	}
}

static void
draw_phases(Canvas *c)
{
	for (uint32_t i = 0; i < c->p->n_phases; i++) {
		const PlanPhase *f = &c->p->phases[i];
		char label[120], bytes[32], steps[32] = "";
		double x = x_of(c, f->first);
		const char *name = c->p->strings + f->name;
		uint32_t denoise = c->p->head.denoise;
		if (f->first <= denoise && denoise <= f->last)
			snprintf(steps, sizeof steps, ", %u steps",
				c->p->head.steps);
		snprintf(label, sizeof label, "%.60s%s: %s", name, steps,
			format_bytes(bytes, f->peak_bytes));
		fill(c, x, 0, 0.8, HEIGHT + 20, "#404040");
		text(c, x + 2, HEIGHT + 4, 11, false, label);
	}
}

static void
draw_peak(Canvas *c)
{
	const Plan *p = c->p;
	char label[240], bytes[32];
	double x = (x_of(c, c->t->peak) + x_of(c, c->t->peak + 1)) / 2;
	fill(c, 0, HEIGHT, WIDTH, 0.8, PEAK);
	fill(c, x, 0, 0.8, HEIGHT + 36, PEAK);
	snprintf(label, sizeof label, "peak %s; most in use at %s %.160s",
		format_bytes(bytes, p->head.arena_bytes),
		plan_op_name(p->code[c->t->peak].op),
		insn_scope(p, c->t->peak));
	text(c, x > WIDTH / 2 ? x - 2 : x + 2, HEIGHT + 20, 11,
		x > WIDTH / 2, label);
}

/* Below the map, a bar for each loop over slices, inner ones lower. */
static int
draw_groups(Canvas *c)
{
	const Plan *p = c->p;
	int deepest = 0;
	for (uint32_t i = 0; i < p->n_groups; i++) {
		const PlanGroup *g = &p->groups[i];
		char label[64];
		int depth = group_depth(p, i);
		double x = x_of(c, g->first), w = x_of(c, g->last + 1) - x;
		snprintf(label, sizeof label, "%.20s %lld x %lld",
			p->strings + p->head.axis_name[g->axis],
			(long long)g->count, (long long)g->slice);
		begin_box(c, x, -STRIP * (depth + 1.6), w, STRIP - 1);
		fputs(" fillcolor=\"#e4d7c3\" color=\"#8a6d3b\" "
			"penwidth=0.3 label=", c->out);
		dot_string(c->out, w > LETTER * (double)strlen(label)
			? label : "");
		fputs("];\n", c->out);
		deepest = depth + 1 > deepest ? depth + 1 : deepest;
	}
	if (deepest)
		text(c, -8, -STRIP * 1.8, 10, true, "slices");
	return deepest;
}

static void
draw_legend(Canvas *c, double y)
{
	for (int i = 0; i < BUF_ROLE_COUNT; i++) {
		fill(c, 104.0 * i, y, 12, 12, role_styles[i].colour);
		text(c, 104.0 * i + 15, y - 2, 10, false, role_styles[i].name);
	}
	text(c, WIDTH, y - 2, 10, true, "red: the peak and the buffers that "
		"reach it; time in instructions, to the right");
}

void
dot_memory(const Plan *p, FILE *out)
{
	Arena a = {0};
	Timeline t = timeline_of(&a, p);
	Canvas c = {p, &t, out, WIDTH / t.x[p->n_code],
		HEIGHT / (double)max64(p->head.arena_bytes, 1), 0};
	fputs("graph ", out);
	dot_string(out, p->strings + p->head.name);
	fputs(" {\n  layout=nop2;\n  outputorder=nodesfirst;\n"
		"  node [shape=box style=filled fixedsize=true margin=0 "
		"penwidth=0 fontname=\"Helvetica\" fontsize=8 label=\"\"];\n",
		out);
	draw_grid(&c);
	for (uint32_t i = 0; i < p->n_buffers; i++)
		draw_buffer(&c, i);
	draw_phases(&c);
	draw_peak(&c);
	draw_legend(&c, -24 - STRIP * draw_groups(&c));
	fputs("}\n", out);
	arena_free(&a);
}
