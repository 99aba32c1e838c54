/* dump.c - what each pass has decided, as text on stderr (--dump): the graph, or
 * what the pass has added to it.
 */
#include "compiler/program.h"

/* Loops around a node whose innermost one is `loop`. */
static int
depth_in(const Program *p, int loop)
{
	int depth = 0;
	for (; loop != LOOP_NONE; loop = p->loops.at[loop].parent)
		depth++;
	return depth;
}

static void
dump_loops_at(const Program *p, uint32_t position)
{
	for (size_t i = 0; i < p->loops.n; i++) {
		const Loop *l = &p->loops.at[i];
		if (l->first == position)
			fprintf(stderr, "%*sloop over %s: %lld slices of %lld\n",
				4 + 2 * depth_in(p, l->parent), "",
				p->graph->axis_name[l->axis],
				(long long)l->count, (long long)l->slice);
	}
}

/* step r + base */
static void
dump_index(int64_t step, int64_t base)
{
	if (step != 1)
		fprintf(stderr, "%lld", (long long)step);
	fputc('r', stderr);
	if (base)
		fprintf(stderr, "%+lld", (long long)base);
}

/* Indices that iteration r computes, along the axes that loops slice. */
static void
dump_slices(const Program *p, const NodePlan *np)
{
	for (int a = 0; a < AXIS_MAX; a++) {
		const Slice *s = &np->slice[a];
		if (!s->step)
			continue;
		fprintf(stderr, "  %s=", p->graph->axis_name[a]);
		dump_index(s->step, s->lo);
		fputs("..", stderr);
		dump_index(s->step, s->hi);
	}
}

/* The nodes that become instructions, in their order, inside their loops over
 * slices. */
static void
dump_order(const Program *p)
{
	for (uint32_t i = 0; i < p->order.n; i++) {
		const NodePlan *np = &p->plan[p->order.at[i]];
		dump_loops_at(p, i);
		fprintf(stderr, "%4u%*s", i, 2 * depth_in(p, np->loop), "");
		ir_print_node(p->graph, p->order.at[i], stderr);
		if (np->loop != LOOP_NONE)
			dump_slices(p, np);
		fputc('\n', stderr);
	}
}

static void
dump_code(const Program *p)
{
	for (CodeWalk w = {0}; w.at < p->code.n; code_past(p, &w)) {
		const CodeItem *s = &p->code.at[w.at];
		int depth = 1 + w.depth - (s->kind == CODE_NEXT);
		fprintf(stderr, "%4u%*s", w.at, 2 * depth, "");
		if (s->kind == CODE_NODE)
			fprintf(stderr, "%s %%%u\n",
				op_info[p->graph->nodes.at[s->id].op].name, s->id);
		else if (s->kind == CODE_LOAD)
			fprintf(stderr, "load %%%u\n", s->id);
		else if (s->kind == CODE_WAIT)
			fprintf(stderr, "wait %%%u\n", s->id);
		else if (s->kind == CODE_NEXT)
			fputs("next\n", stderr);
		else
			fprintf(stderr, "loop %lld\n", (long long)s->count);
	}
}

/* The storages with their lifetimes in the code and, once placed, their places. */
static void
dump_storages(const Program *p, bool placed)
{
	static const char *const role[] = {"value", "weight", "work", "input",
		"output", "table"};
	for (size_t i = 0; i < p->storages.n; i++) {
		const Storage *s = &p->storages.at[i];
		fprintf(stderr, "  %-6s %12lld bytes  code %u..%u", role[s->role],
			(long long)s->bytes, s->first, s->last);
		if (placed)
			fprintf(stderr, "  @%lld", (long long)s->offset);
		fprintf(stderr, "  %s%s\n", s->name,
			s->same_as == UINT32_MAX ? "" : "  (in place)");
	}
}

void
dump_pass(const Program *p, char letter, const char *name)
{
	fprintf(stderr, "> after %s\n", name);
	switch (letter) {
	case 'O':
	case 'R':
		dump_order(p);
		break;
	case 'S':
	case 'W':
		dump_code(p);
		break;
	case 'L':
	case 'P':
		dump_storages(p, letter == 'P');
		break;
	case 'B':
		plan_print(p->out, stderr);
		break;
	default:
		ir_print(p->graph, stderr);
	}
}
