/* dot_graph.c - the model's graph as it is written: blocks are clusters.
 *
 * A full UNet has thousands of values.  Values of one scope are folded into one
 * box, at the depth of scope that gives at most so many boxes as a page holds.
 */
#include "dot.h"

#include <stdlib.h>
#include <string.h>

enum { BOXES_MAX = 170, DEPTH_MAX = 8 };

void
dot_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++)
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else
			fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, out);
	fputc('"', out);
}

/* What a node of the model is drawn as. */
typedef struct Box {
	char *key;              /* component and folded scope */
	size_t cut;             /* length of the cluster's part of key */
	const char *type;       /* of the last value in it */
	uint32_t count, first;
	bool leaf;              /* an input, or an op outside any scope */
} Box;

typedef struct Folded {
	const Plan *p;
	Box *boxes;
	uint32_t n;
	uint32_t *box_of;       /* by node, UINT32_MAX: not drawn */
} Folded;

static bool
drawn(const Plan *p, uint32_t i)
{
	const char *name = p->strings + p->nodes[i].name;
	return i && strcmp(name, "weight") && strcmp(name, "table");
}

/* Two segments make a level: "down_blocks.0", "resnets.1". */
static size_t
scope_prefix(const char *scope, int depth)
{
	size_t i = 0;
	for (int dots = 0; scope[i]; i++)
		if (scope[i] == '.' && ++dots == 2 * depth)
			break;
	return i;
}

static char *
fold_key(const Plan *p, uint32_t i, int depth)
{
	const PlanNode *n = &p->nodes[i];
	const char *scope = p->strings + n->scope;
	const char *component = p->strings + n->component;
	size_t k = scope_prefix(scope, depth), c = strlen(component);
	char *key = calloc(k + c + 24, 1);
	if (!key)
		fatal(EXIT_MEMORY, "out of memory");
	if (!*scope && !*component)
		snprintf(key, k + c + 24, "#%u", i);
	else
		snprintf(key, k + c + 24, "%s%s%.*s", component,
			*component && k ? "." : "", (int)k, scope);
	return key;
}

static void
folded_free(Folded *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		free(f->boxes[i].key);
	free(f->boxes);
	free(f->box_of);
}

/* Boxes at one depth of scope, in program order. */
static Folded
fold(const Plan *p, int depth)
{
	Folded f = {p, calloc(p->n_nodes + 1, sizeof *f.boxes), 0,
		calloc(p->n_nodes + 1, sizeof *f.box_of)};
	if (!f.boxes || !f.box_of)
		fatal(EXIT_MEMORY, "out of memory");
	for (uint32_t i = 0; i < p->n_nodes; i++) {
		f.box_of[i] = UINT32_MAX;
		if (!drawn(p, i))
			continue;
		char *key = fold_key(p, i, depth);
		uint32_t b = 0;
		/* a scope is left for good: look at the last boxes only */
		b = f.n > 64 ? f.n - 64 : 0;
		while (b < f.n && strcmp(f.boxes[b].key, key))
			b++;
		if (b == f.n)
			f.boxes[f.n++] = (Box){.key = key, .first = i,
				.leaf = key[0] == '#'};
		else
			free(key);
		f.boxes[b].count++;
		f.boxes[b].type = p->strings + p->nodes[i].type;
		f.box_of[i] = b;
	}
	return f;
}

static Folded
fold_to_page(const Plan *p)
{
	for (int depth = DEPTH_MAX; depth > 1; depth--) {
		Folded f = fold(p, depth);
		if (f.n <= BOXES_MAX)
			return f;
		folded_free(&f);
	}
	return fold(p, 1);
}

/* The cluster of a box: its key without the last level. */
static size_t
cluster_length(const char *key)
{
	size_t dots = 0, n = strlen(key);
	for (size_t i = 0; i < n; i++)
		dots += key[i] == '.';
	for (size_t i = n, seen = 0; dots >= 2 && i-- > 0;)
		if (key[i] == '.' && ++seen == 2)
			return i;
	return 0;
}

static void
write_box(const Folded *f, uint32_t b, const char *indent, FILE *out)
{
	const Box *x = &f->boxes[b];
	const PlanNode *n = &f->p->nodes[x->first];
	const char *name = x->leaf ? f->p->strings + n->name
		: x->key + (x->cut ? x->cut + 1 : 0);
	char label[512];
	if (x->count > 1)
		snprintf(label, sizeof label, "%.160s | %.200s | %u ops", name,
			x->type, x->count);
	else
		snprintf(label, sizeof label, "%.160s | %.200s", name, x->type);
	fprintf(out, "%sn%u [label=", indent, b);
	dot_string(out, label);
	fprintf(out, "%s];\n", x->leaf ? " fillcolor=\"#e8e8e8\"" : "");
}

/* Clusters in the order of their first box. */
static void
write_clusters(Folded *f, FILE *out)
{
	for (uint32_t i = 0; i < f->n; i++)
		f->boxes[i].cut = f->boxes[i].leaf ? 0
			: cluster_length(f->boxes[i].key);
	bool *done = calloc(f->n + 1, sizeof *done);
	if (!done)
		fatal(EXIT_MEMORY, "out of memory");
	for (uint32_t i = 0; i < f->n; i++) {
		Box *x = &f->boxes[i];
		if (done[i])
			continue;
		if (!x->cut) {
			write_box(f, i, "  ", out);
			continue;
		}
		fprintf(out, "  subgraph cluster_%u {\n    label=", i);
		char name[256];
		snprintf(name, sizeof name, "%.*s", (int)x->cut, x->key);
		dot_string(out, name);
		fputs(";\n", out);
		for (uint32_t k = i; k < f->n; k++)
			if (f->boxes[k].cut == x->cut
				&& !strncmp(f->boxes[k].key, x->key, x->cut)) {
				write_box(f, k, "    ", out);
				done[k] = true;
			}
		fputs("  }\n", out);
	}
	free(done);
}

typedef struct Edge { uint32_t from, to; } Edge;

static int
by_ends(const void *a, const void *b)
{
	const Edge *x = a, *y = b;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

static void
write_edges(const Folded *f, FILE *out)
{
	const Plan *p = f->p;
	Edge *edges = calloc(p->n_edges + 1, sizeof *edges);
	size_t n = 0;
	if (!edges)
		fatal(EXIT_MEMORY, "out of memory");
	for (uint32_t i = 0; i < p->n_nodes; i++)
		for (uint32_t k = 0; k < p->nodes[i].nedges; k++) {
			uint32_t from = f->box_of[p->edges[
				p->nodes[i].first_edge + k]];
			uint32_t to = f->box_of[i];
			if (from != UINT32_MAX && to != UINT32_MAX && from != to)
				edges[n++] = (Edge){from, to};
		}
	qsort(edges, n, sizeof *edges, by_ends);
	for (size_t i = 0; i < n; i++)
		if (!i || by_ends(&edges[i], &edges[i - 1]))
			fprintf(out, "  n%u -> n%u%s;\n", edges[i].from,
				edges[i].to, edges[i].from > edges[i].to
				? " [constraint=false style=dashed]" : "");
	free(edges);
}

void
dot_graph(const Plan *p, FILE *out)
{
	Folded f = fold_to_page(p);
	fputs("digraph ", out);
	dot_string(out, p->strings + p->head.name);
	fputs(" {\n  rankdir=TB;\n  ranksep=0.25;\n  nodesep=0.2;\n"
		"  fontname=\"Helvetica\";\n"
		"  node [shape=record style=filled fillcolor=\"#dbe9f6\" "
		"fontname=\"Helvetica\" fontsize=10 height=0.3];\n"
		"  edge [arrowsize=0.6 color=\"#555555\"];\n", out);
	write_clusters(&f, out);
	write_edges(&f, out);
	fputs("}\n", out);
	folded_free(&f);
}
