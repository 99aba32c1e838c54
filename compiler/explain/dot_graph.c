/* dot_graph.c - the model's graph as it is written: blocks are clusters, a
 * UNet is a U.
 *
 * What is read nearly everywhere (the time embedding, the text) has no edges:
 * its readers name it.
 */
#include "compiler/explain/dot.h"
#include "compiler/explain/fold.h"

#include <string.h>

typedef struct Drawing {
	const Plan *p;
	Folded f;
	bool *done;             /* by box */
	uint32_t clusters;
	FILE *out;
} Drawing;

/* ---- names ---- */

/* What follows the first `cut` bytes of a box's scope. */
static void
box_name(const Drawing *d, const Box *b, size_t cut, char *name, size_t size)
{
	const char *op = d->p->strings + d->p->nodes[b->last].name;
	cut += cut && cut < b->length;  /* the dot */
	if (cut < b->length)
		snprintf(name, size, "%.*s", (int)(b->length - cut),
			b->scope + cut);
	else if (b->count > 1 && !b->scope[0])
		snprintf(name, size, "%s ...", op);
	else
		snprintf(name, size, "%s", op);
}

/* "f16[h=64, c=320]": without the type that all have. */
static const char *
short_type(const Drawing *d, const Box *b)
{
	const char *type = d->p->strings + d->p->nodes[b->last].type;
	const char *usual = dtype_name((DType)d->p->head.dtype);
	size_t n = strlen(usual);
	return !strncmp(type, usual, n) && type[n] == '[' ? type + n : type;
}

/* A line for each hub that a box reads: by its box's name if it is all that
 * comes out of there, else by its op's. */
static size_t
add_hubs(const Drawing *d, uint32_t box, char *label, size_t n, size_t size)
{
	for (uint32_t i = 0; i < d->f.n_edges && n < size; i++) {
		const BoxEdge *e = &d->f.edges[i];
		const Box *from = &d->f.boxes[e->from];
		char name[80];
		if (e->to != box || !e->hub)
			continue;
		if (e->hub == from->last)
			box_name(d, from, 0, name, sizeof name);
		else
			snprintf(name, sizeof name, "%s",
				d->p->strings + d->p->nodes[e->hub].name);
		n += (size_t)snprintf(label + n, size - n, "\n<- %s", name);
	}
	return n;
}

static const char *
box_colour(const Box *b)
{
	return b->input ? "#d5ecd4" : b->output ? "#a9d6b2" : b->hub ? "#fbe3b5"
		: b->attends ? "#d9d2ec" : b->convolves ? "#cfe2f3" : "#ececec";
}

static void
draw_box(Drawing *d, uint32_t box, size_t cut, int indent)
{
	const Box *b = &d->f.boxes[box];
	char name[160], label[600];
	size_t n;
	box_name(d, b, cut, name, sizeof name);
	n = (size_t)snprintf(label, sizeof label, "%s\n%.120s", name,
		short_type(d, b));
	if (b->count > 1)
		n += (size_t)snprintf(label + n, sizeof label - n, "  %u ops",
			b->count);
	if (b->output)
		n += (size_t)snprintf(label + n, sizeof label - n,
			"\n-> output %.80s", d->p->strings
			+ d->p->outputs[b->output - 1].name);
	add_hubs(d, box, label, n, sizeof label);
	fprintf(d->out, "%*sn%u [fillcolor=\"%s\" %slabel=", indent, "", box,
		box_colour(b), b->output ? "penwidth=2 " : "");
	dot_lines(d->out, label, 'l');
	fputs("];\n", d->out);
	d->done[box] = true;
}

/* ---- clusters ---- */

static bool
inside(const Box *b, const Box *like, size_t n)
{
	return !strcmp(b->component, like->component) && b->length >= n
		&& !strncmp(b->scope, like->scope, n)
		&& (b->length == n || b->scope[n] == '.' || !n);
}

/* Boxes within the first n bytes of a box's scope. */
static uint32_t
count_inside(const Drawing *d, const Box *like, size_t n)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < d->f.n; i++)
		count += !d->done[i] && inside(&d->f.boxes[i], like, n);
	return count;
}

static void
open_cluster(Drawing *d, int indent, const char *name, const char *colour)
{
	fprintf(d->out, "%*ssubgraph cluster_%u {\n%*sbgcolor=\"%s\";\n"
		"%*slabel=", indent, "", d->clusters++, indent + 2, "", colour,
		indent + 2, "");
	dot_string(d->out, name);
	fputs(";\n", d->out);
}

/* The boxes that share the first n bytes (`level` levels) of a box's scope:
 * those that have one more level in common become a cluster. */
static void
draw_inside(Drawing *d, const Box *like, size_t n, int level, size_t cut)
{
	int indent = 4 + 2 * level;
	for (uint32_t i = 0; i < d->f.n; i++) {
		const Box *b = &d->f.boxes[i];
		if (d->done[i] || !inside(b, like, n))
			continue;
		size_t next = fold_prefix(b->scope, level + 1);
		next = next < b->length ? next : b->length;
		if (next <= n || level >= LEVELS_MAX
			|| count_inside(d, b, next) == 1) {
			draw_box(d, i, cut, indent);
			continue;
		}
		/* a level with one more inside only is no cluster of its own */
		if (count_inside(d, b, next) == count_inside(d, b, n) && n) {
			draw_inside(d, b, next, level + 1, cut);
			continue;
		}
		char name[200];
		size_t from = cut ? cut + 1 : 0;
		snprintf(name, sizeof name, "%.*s", (int)(next - from),
			b->scope + from);
		open_cluster(d, indent, name, level % 2 ? "#f4f4f4" : "white");
		draw_inside(d, b, next, level + 1, next);
		fprintf(d->out, "%*s}\n", indent, "");
	}
}

static void
draw_components(Drawing *d)
{
	for (uint32_t i = 0; i < d->f.n; i++) {
		const Box *b = &d->f.boxes[i];
		if (d->done[i])
			continue;
		if (!*b->component && !b->length) {
			draw_box(d, i, 0, 2);
			continue;
		}
		if (*b->component)
			open_cluster(d, 2, b->component, "#fafafa");
		draw_inside(d, b, 0, 0, 0);
		if (*b->component)
			fputs("  }\n", d->out);
	}
}

/* ---- edges ---- */

static void
draw_edges(const Drawing *d)
{
	for (uint32_t i = 0; i < d->f.n_edges; i++) {
		const BoxEdge *e = &d->f.edges[i];
		const Box *from = &d->f.boxes[e->from], *to = &d->f.boxes[e->to];
		if (e->hub)
			continue;
		if (e->from > e->to)
			fprintf(d->out, "  n%u -> n%u [constraint=false "
				"style=dashed color=\"#a03030\"];\n", e->from,
				e->to);
		else if (e->constant && to->rises)
			fprintf(d->out, "  n%u -> n%u [constraint=false "
				"style=dotted];\n", e->from, e->to);
		else if (e->skip)
			fprintf(d->out, "  n%u -> n%u [constraint=false "
				"color=\"#3a7d44\"];\n", e->from, e->to);
		else if (to->rises && !strcmp(from->component, to->component))
			fprintf(d->out, "  n%u -> n%u [dir=back];\n", e->to,
				e->from);
		else
			fprintf(d->out, "  n%u -> n%u;\n", e->from, e->to);
	}
}

/* ---- legend ---- */

static void
draw_legend(const Drawing *d)
{
	static const Box kinds[] = {{.input = true}, {.output = 1},
		{.hub = true}, {.attends = true}, {.convolves = true}, {0}};
	static const char *const names[] = {"input", "output",
		"read nearly everywhere: readers name it, no edges",
		"attention", "convolution", "other operations"};
	fputs("  legend [shape=plain style=\"\" label=<<table border=\"0\" "
		"cellborder=\"0\" cellspacing=\"1\" cellpadding=\"2\">",
		d->out);
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		fprintf(d->out, "<tr><td bgcolor=\"%s\">    </td><td "
			"align=\"left\">%s</td></tr>", box_colour(&kinds[i]),
			names[i]);
	fputs("<tr><td><font color=\"#3a7d44\">&#8594;</font></td><td "
		"align=\"left\">skip connection</td></tr><tr><td><font "
		"color=\"#a03030\">&#8674;</font></td><td align=\"left\">"
		"carried to the next step</td></tr></table>>];\n", d->out);
}

void
dot_graph(const Plan *p, FILE *out)
{
	Arena a = {0};
	Drawing d = {.p = p, .f = fold_graph(&a, p), .out = out};
	d.done = arena_array(&a, d.f.n + 1u, sizeof *d.done);
	fputs("digraph ", out);
	dot_string(out, p->strings + p->head.name);
	fputs(" {\n  rankdir=TB;\n  ranksep=0.22;\n  nodesep=0.25;\n"
		"  fontname=\"Helvetica\";\n  fontsize=12;\n  color=\"#888888\";\n"
		"  labeljust=l;\n  node [shape=box style=\"filled,rounded\" "
		"color=\"#777777\" fontname=\"Helvetica\" fontsize=9 "
		"height=0.2 margin=\"0.08,0.03\"];\n"
		"  edge [arrowsize=0.5 color=\"#555555\"];\n", out);
	draw_components(&d);
	draw_edges(&d);
	draw_legend(&d);
	fputs("}\n", out);
	arena_free(&a);
}
