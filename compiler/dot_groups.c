/* dot_groups.c - the loops over slices: each a cluster with its axis, slice and
 * number of iterations, and the instructions in it.
 */
#include "dot.h"

static void
open_cluster(const Plan *p, const PlanGroup *g, uint32_t id, FILE *out)
{
	char label[256], bytes[32];
	snprintf(label, sizeof label, "%.120s  %s: %lld x %lld  %s",
		p->strings + g->name,
		p->strings + p->head.axis_name[g->axis % AXIS_MAX],
		(long long)g->count, (long long)g->slice,
		format_bytes(bytes, g->peak_bytes));
	fprintf(out, "subgraph cluster_%u {\nlabel=", id);
	dot_string(out, label);
	fputs(";\n", out);
}

void
dot_groups(const Plan *p, FILE *out)
{
	uint32_t group = 0, previous = PLAN_NONE;
	fputs("digraph ", out);
	dot_string(out, p->strings + p->head.name);
	fputs(" {\nrankdir=TB;\nranksep=0.15;\nnode [shape=box style=filled "
		"fillcolor=\"#dbe9f6\" fontname=\"Helvetica\" fontsize=9 "
		"height=0.25];\nfontname=\"Helvetica\";\n", out);
	for (uint32_t i = 0; i < p->n_code; i++) {
		const PlanInsn *insn = &p->code[i];
		const PlanDebug *d = &p->debugs[insn->debug];
		if (insn->op == CTL_loop && insn->a)
			open_cluster(p, &p->groups[group], group, out), group++;
		else if (insn->op == CTL_next && insn->a)
			fputs("}\n", out);
		if (insn->op >= CTL_BASE)
			continue;
		char label[256];
		snprintf(label, sizeof label, "%s %.160s", plan_op_name(insn->op),
			p->strings + d->scope);
		fprintf(out, "i%u [label=", i);
		dot_string(out, label);
		fputs("];\n", out);
		if (previous != PLAN_NONE)
			fprintf(out, "i%u -> i%u [arrowsize=0.5];\n", previous, i);
		previous = i;
	}
	fputs("}\n", out);
}
