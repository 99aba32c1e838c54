/* dot_memory.c - the memory map as a picture: time to the right, addresses
 * upwards, one box for each buffer.
 *
 * Graphviz places nothing here: every box is pinned (layout=neato with fixed
 * positions), and `dot -Tsvg` draws it as it stands.
 */
#include "dot.h"

#include <string.h>

#define WIDTH 1200.0            /* points of the whole picture */
#define HEIGHT 620.0

typedef struct Canvas {
	const Plan *p;
	FILE *out;
	double x, y;            /* points for an instruction, for a byte */
	int64_t peak;
} Canvas;

static const struct { const char *name, *colour; } kinds[BUF_ROLE_COUNT] = {
	[BUF_VALUE] = {"activation", "#7fb3d8"},
	[BUF_WEIGHT] = {"weight", "#f2c07a"},
	[BUF_WORK] = {"workspace", "#c9b1dd"},
	[BUF_INPUT] = {"input", "#9ccf9c"},
	[BUF_OUTPUT] = {"output", "#5fae76"},
	[BUF_TABLE] = {"table", "#bbbbbb"},
};

/* A pinned box with its lower left corner at (x, y), in points. */
static void
rectangle(const Canvas *c, double x, double y, double w, double h,
	const char *attributes, const char *label)
{
	w = w < 0.5 ? 0.5 : w;
	h = h < 0.5 ? 0.5 : h;
	fprintf(c->out, "  \"%.1f_%.1f_%.1f\" [pos=\"%.2f,%.2f!\" width=%.4f "
		"height=%.4f %s label=", x, y, w, x + w / 2, y + h / 2, w / 72,
		h / 72, attributes);
	dot_string(c->out, label);
	fputs("];\n", c->out);
}

static void
text(const Canvas *c, double x, double y, int size, const char *label)
{
	char attributes[96];
	snprintf(attributes, sizeof attributes,
		"shape=plaintext style=\"\" fontsize=%d", size);
	rectangle(c, x, y, 6.0 * (double)strlen(label), size, attributes, label);
}

static void
draw_buffer(const Canvas *c, uint32_t i)
{
	const PlanBuffer *b = &c->p->buffers[i];
	double w = (double)(b->last - b->first + 1) * c->x;
	double h = (double)b->bytes * c->y;
	char attributes[160], tip[160], bytes[32];
	bool peak = b->offset + b->bytes == c->peak;
	/* a name where it fits, about five points a letter */
	const char *name = c->p->strings + b->name;
	size_t n = strlen(name), room = (size_t)(w / 5.2);
	bool labelled = h > 9 && room > 6;
	if (labelled && n > room)
		name += n - room;
	snprintf(tip, sizeof tip, "%.80s, %s", c->p->strings + b->name,
		format_bytes(bytes, b->bytes));
	snprintf(attributes, sizeof attributes, "fillcolor=\"%s\" color=\"%s\" "
		"penwidth=%s fontsize=8", kinds[b->role].colour,
		peak ? "#c00000" : "#ffffff", peak ? "1.5" : "0.2");
	fprintf(c->out, "  b%u [pos=\"%.2f,%.2f!\" width=%.4f height=%.4f %s "
		"tooltip=", i, (double)b->first * c->x + w / 2,
		(double)b->offset * c->y + (h < 0.5 ? 0.5 : h) / 2,
		(w < 0.5 ? 0.5 : w) / 72, (h < 0.5 ? 0.5 : h) / 72, attributes);
	dot_string(c->out, tip);
	fputs(" label=", c->out);
	dot_string(c->out, labelled ? name : "");
	fputs("];\n", c->out);
}

static void
draw_phases(const Canvas *c)
{
	for (uint32_t i = 0; i < c->p->n_phases; i++) {
		const PlanPhase *f = &c->p->phases[i];
		char label[96], bytes[32];
		double x = (double)f->first * c->x;
		snprintf(label, sizeof label, "%.30s  %s",
			c->p->strings + f->name,
			format_bytes(bytes, f->peak_bytes));
		rectangle(c, x, 0, 0.5, HEIGHT + 24,
			"fillcolor=\"#444444\" color=\"#444444\"", "");
		text(c, x + 4, HEIGHT + 10 + 13 * (double)(i % 3), 11, label);
	}
}

static void
draw_scale(const Canvas *c)
{
	for (int i = 0; i <= 4; i++) {
		char bytes[32];
		double y = HEIGHT * i / 4;
		text(c, -66, y - 5, 9, format_bytes(bytes,
			(int64_t)((double)c->peak * i / 4)));
		rectangle(c, -4, y, 4, 0.5, "fillcolor=\"#444444\"", "");
	}
}

static void
draw_legend(const Canvas *c)
{
	for (int i = 0; i < BUF_ROLE_COUNT; i++) {
		char attributes[64];
		double x = 110.0 * i;
		snprintf(attributes, sizeof attributes,
			"fillcolor=\"%s\" color=\"#888888\"", kinds[i].colour);
		rectangle(c, x, -34, 12, 12, attributes, "");
		text(c, x + 16, -34, 10, kinds[i].name);
	}
	text(c, 700, -34, 10, "red line: the peak; left to right: instructions");
}

void
dot_memory(const Plan *p, FILE *out)
{
	Canvas c = {p, out, WIDTH / (p->n_code + 1.0),
		HEIGHT / (double)max64(p->head.arena_bytes, 1),
		p->head.arena_bytes};
	fputs("graph ", out);
	dot_string(out, p->strings + p->head.name);
	fputs(" {\n  layout=neato;\n  splines=false;\n  outputorder=nodesfirst;\n"
		"  fontname=\"Helvetica\";\n  node [shape=box style=filled "
		"fixedsize=true margin=0 fontname=\"Helvetica\"];\n", out);
	for (uint32_t i = 0; i < p->n_buffers; i++)
		draw_buffer(&c, i);
	rectangle(&c, 0, HEIGHT, WIDTH, 1,
		"fillcolor=\"#c00000\" color=\"#c00000\"", "");
	draw_phases(&c);
	draw_scale(&c);
	draw_legend(&c);
	fputs("}\n", out);
}
