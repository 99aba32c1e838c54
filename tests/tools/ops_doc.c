/* ops_doc.c - prints docs/ops.md from ops.def (`make docs`). */
#include "../../ir/ops.h"

#include <stdio.h>

static const char *const rules[] = {
	[RULE_NONE] = "-", [RULE_EACH] = "same on every axis it has",
	[RULE_ROWS] = "same; c whole", [RULE_WEIGHT] = "free",
	[RULE_CONV] = "same; `over` window; c whole",
	[RULE_QUERY] = "same; c whole",
	[RULE_KEY] = "same; `over` free; c whole",
	[RULE_UNITS] = "same, also f and h of `over`; the rest of `over` and c whole",
	[RULE_OVER] = "same; `over` and c whole",
	[RULE_STATS] = "same; c whole", [RULE_RESIZE] = "same; `over` window",
	[RULE_JOIN] = "same; `axis` whole",
};

static void
print_op(Op op)
{
	const OpInfo *o = &op_info[op];
	printf("### %s\n\n%s.\n\n", o->name, o->doc);
	if (*o->attrs)
		printf("Attributes: %s\n\n", o->attrs);
	if (!op_nin(op))
		return;
	puts("| operand | axes | |\n|---|---|---|");
	for (int i = 0; i < op_nin(op); i++) {
		const OperandInfo *in = &o->in[i];
		printf("| %s | %s |%s%s%s |\n", in->name, rules[in->rule],
			in->optional ? " optional" : "",
			in->parts ? " two parts" : "",
			in->inplace ? " in place" : "");
	}
	puts("");
}

static void
print_kind(const char *title, unsigned mask, unsigned flags)
{
	printf("## %s\n\n", title);
	for (int op = 1; op < OP_COUNT; op++)
		if ((op_info[op].flags & mask) == flags)
			print_op((Op)op);
}

int
main(void)
{
	puts("# Operations\n\nMade from `ir/ops.def` by `make docs`; do not edit.\n\n"
		"Axes: how a slice of the result depends on the operand along each axis.\n"
		"*same*: index i needs index i. *window*: a bounded interval around it.\n"
		"*free*: the operand does not follow the result's axis. *whole*: all of it.\n"
		"A result may be cut along an axis that is whole for none of its operands,\n"
		"without changing one bit.\n");
	print_kind("Kernels", OPF_LEAF | OPF_VIEW | OPF_COPIES, 0);
	print_kind("Made of copies", OPF_COPIES, OPF_COPIES);
	print_kind("Views: no bytes move", OPF_VIEW, OPF_VIEW);
	print_kind("Leaves", OPF_LEAF, OPF_LEAF);
	return 0;
}
