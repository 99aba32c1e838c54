/* print.c - a graph as text, one line a node: what every dump shows. */
#include "ir/ir.h"

static void
print_axes(const Graph *g, AxisSet set, FILE *out)
{
	const char *comma = "";
	for (int a = 0; a < AXIS_MAX; a++)
		if (set >> a & 1) {
			fprintf(out, "%s%s", comma, g->axis_name[a]);
			comma = ",";
		}
}

static void
print_conv(const Attr *t, FILE *out)
{
	int n = __builtin_popcount(t->over);
	for (int i = 0; i < n; i++)
		fprintf(out, "%s%d", i ? "x" : " k=", t->kernel[i]);
	for (int i = 0; i < n; i++)
		if (t->stride[i] != 1) {
			fprintf(out, " stride=%d", t->stride[i]);
			break;
		}
	for (int i = 0; i < n; i++)
		fprintf(out, "%s%d:%d", i ? "," : " pad=", t->before[i],
			t->after[i]);
}

/* The attributes that the op's row names. */
static void
print_attr(const Graph *g, const Node *n, FILE *out)
{
	const Attr *t = &n->attr;
	Op op = n->op;
	if (op_uses(op, ATTR_over)) {
		fputs(" over=", out);
		print_axes(g, t->over, out);
	}
	if (op_uses(op, ATTR_kernel))
		print_conv(t, out);
	if (op_uses(op, ATTR_axis))
		fprintf(out, " axis=%s", g->axis_name[t->axis]);
	if (op_uses(op, ATTR_begin))
		fprintf(out, t->end < 0 ? " at=%lld" : " at=%lld..%lld",
			(long long)t->begin, (long long)t->end);
	if (op_uses(op, ATTR_groups))
		fprintf(out, " groups=%d", t->groups);
	if (op_uses(op, ATTR_heads))
		fprintf(out, " heads=%d", t->heads);
	if (op_uses(op, ATTR_rows))
		fprintf(out, " rows=%lld", (long long)t->rows);
	if (op_uses(op, ATTR_eps))
		fprintf(out, " eps=%g", t->eps);
	if (op_uses(op, ATTR_scale))
		fprintf(out, " scale=%g", t->scale);
	if (op_uses(op, ATTR_scalar) && (n->nin < 2 || !n->in[1]))
		fprintf(out, " scalar=%g", t->scalar);
	if (op_uses(op, ATTR_lo))
		fprintf(out, " lo=%g hi=%g", t->lo, t->hi);
	if (t->act)
		fprintf(out, " act=%s", act_name((Act)t->act));
#define PRINT_AXES(name)
#define PRINT_ACT(name)
#define PRINT_FLAG(name) fputs(t->name ? " " #name : "", out);
#define PRINT_AXIS(name)
#define PRINT_COUNT(name)
#define PRINT_TRIPLE(name)
#define PRINT_INDEX(name)
#define PRINT_ROWS(name)
#define PRINT_REAL(name)
#define PRINT_SMALL(name)
#define ATTR(name, kind, doc) PRINT_##kind(name)
#include "ir/attrs.def"
}

static void
print_ref(const Graph *g, const Node *n, FILE *out)
{
	if (n->op == OP_input)
		fprintf(out, " '%s'%s", g->inputs.at[n->ref].name,
			g->inputs.at[n->ref].per_step ? " per_step" : "");
	else if (n->op == OP_table)
		fprintf(out, " '%s'", g->tables.at[n->ref].name);
	else if (n->op == OP_weight)
		fprintf(out, " %s", g->weights.at[n->ref].name);
	else if (n->op == OP_rehash)
		fprintf(out, " '%s'", g->strings.at[n->ref]);
}

void
ir_print_node(const Graph *g, uint32_t id, FILE *out)
{
	const Node *n = &g->nodes.at[id];
	const Site *s = &g->sites.at[n->site];
	char type[256];
	fprintf(out, "  %%%u = %s", id, op_info[n->op].name);
	print_ref(g, n, out);
	for (int k = 0; k < n->nin; k++)
		if (n->in[k])
			fprintf(out, "%s%%%u", k ? ", " : " ", n->in[k]);
		else
			fputs(", -", out);
	print_attr(g, n, out);
	fprintf(out, " : %s", type_print(g, &n->type, type));
	if (*s->scope)
		fprintf(out, "  @%s%s%s", s->component, *s->component ? ":" : "",
			s->scope);
}

void
ir_print(const Graph *g, FILE *out)
{
	static const char *const stage[] = {"before", "steps", "loop", "after"};
	int last = -1;
	fprintf(out, "graph %s %s steps=%lld\n", g->name, dtype_name(g->dtype),
		(long long)g->steps);
	for (uint32_t i = 1; i < g->nodes.n; i++) {
		const Node *n = &g->nodes.at[i];
		if (n->stage != last)
			fprintf(out, "%s:\n", stage[n->stage]);
		last = n->stage;
		ir_print_node(g, i, out);
		fputc('\n', out);
	}
	for (size_t i = 0; i < g->outputs.n; i++)
		fprintf(out, "output %s = %%%u%s\n", g->outputs.at[i].name,
			g->outputs.at[i].node,
			g->outputs.at[i].per_step ? " each step" : "");
}
