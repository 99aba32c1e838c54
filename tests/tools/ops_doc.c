/* ops_doc.c - prints docs/ops.md from ops.def (`make docs`).  The classes are
 * those that ops_axis() gives the planner, so the page cannot differ from what
 * is done.
 */
#include "ir/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *const attributes[ATTRS] = {
#define ATTR(name_, kind_, doc_) doc_,
#include "ir/attrs.def"
};
static const char *const attribute_names[ATTRS] = {
#define ATTR(name_, kind_, doc_) #name_,
#include "ir/attrs.def"
};

/* Where more can be said of an op's attribute. */
static const struct { Op op; AttrName attr; const char *doc; } special[] = {
	{OP_merge, ATTR_axis, "the axis that they become"},
	{OP_index, ATTR_axis, "the axis to count along"},
	{OP_concat, ATTR_axis, "the axis to join along"},
	{OP_norm_combine, ATTR_rows, "elements in a unit"},
};

/* A kind of axes, and one to ask about; where `over` is f, h, w and `axis` is
 * h. */
typedef struct Column {
	const char *title;
	int axis;
} Column;

static const Column plain[] = {
	{"axes but c", AXIS_B}, {"c", AXIS_C},
};
static const Column over[] = {
	{"outside `over`", AXIS_B}, {"f, h in `over`", AXIS_F},
	{"others in `over`", AXIS_W}, {"c", AXIS_C},
};
static const Column joined[] = {
	{"other axes", AXIS_B}, {"`axis`", AXIS_H},
};

static const Column *
columns(Op op, size_t *n)
{
	if (op_info[op].in[0].rule == RULE_JOIN) {
		*n = COUNT(joined);
		return joined;
	}
	*n = op_uses(op, ATTR_over) ? COUNT(over) : COUNT(plain);
	return op_uses(op, ATTR_over) ? over : plain;
}

static AxisClass
class_of(Op op, int operand, const Column *c)
{
	Attr attr = {
		.over = AXIS_BIT(AXIS_F) | AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W),
		.axis = AXIS_H,
	};
	return ops_axis(op, &attr, operand, AXIS_BIT(c->axis), c->axis);
}

static void
print_signature(Op op)
{
	const OpInfo *o = &op_info[op];
	printf("`%s(", o->name);
	for (int i = 0; i < op_nin(op); i++)
		printf(o->in[i].optional ? "%s[%s]" : "%s%s", i ? ", " : "",
			o->in[i].name);
	printf(")`: %s.\n", o->doc);
}

static void
print_operands(Op op)
{
	static const char *const name[] = {
		[AX_SAME] = "same", [AX_FREE] = "free", [AX_WINDOW] = "window",
		[AX_WHOLE] = "whole",
	};
	const OpInfo *o = &op_info[op];
	size_t n;
	const Column *c = columns(op, &n);
	printf("\n| operand |");
	for (size_t k = 0; k < n; k++)
		printf(" %s |", c[k].title);
	printf(" |\n|---|");
	for (size_t k = 0; k < n; k++)
		printf("---|");
	puts("---|");
	for (int i = 0; i < op_nin(op); i++) {
		const OperandInfo *in = &o->in[i];
		printf("| %s |", in->name);
		for (size_t k = 0; k < n; k++)
			printf(" %s |", name[class_of(op, i, &c[k])]);
		const char *comma = " ";
		if (in->optional)
			printf("%soptional", comma), comma = ", ";
		if (in->parts)
			printf("%sin two parts", comma), comma = ", ";
		if (in->inplace)
			printf("%sin place", comma);
		puts(" |");
	}
}

static void
print_attributes(Op op)
{
	puts("\n| attribute | |\n|---|---|");
	for (AttrName i = 0; i < ATTRS; i++) {
		const char *doc = attributes[i];
		if (!op_uses(op, i))
			continue;
		for (size_t k = 0; k < COUNT(special); k++)
			if (special[k].op == op && special[k].attr == i)
				doc = special[k].doc;
		printf("| `%s` | %s", attribute_names[i], doc);
		if (i == ATTR_act)
			for (int a = 0; a < ACT_COUNT; a++)
				printf("%s%s", a ? ", " : "", act_name((Act)a));
		puts(" |");
	}
}

static void
print_op(Op op)
{
	const OpInfo *o = &op_info[op];
	printf("### %s\n\n", o->name);
	print_signature(op);
	if (o->flags & OPF_F32)
		puts("The result is f32 whatever the operands are.");
	if (o->flags & OPF_EACH)
		puts("Operands that are all f32 give f32.");
	if (o->flags & OPF_WORK)
		puts("Needs workspace.");
	if (op_nin(op) && !(o->flags & (OPF_LEAF | OPF_VIEW)))
		print_operands(op);
	if (o->attrs)
		print_attributes(op);
	puts("");
}

/* Along which kind of axes a result may be cut: one that is whole for none. */
static void
print_cuts(Op op)
{
	size_t n, cuts = 0;
	const Column *c = columns(op, &n);
	const char *text[COUNT(over)];
	int window = 0;
	for (size_t k = 0; k < n; k++) {
		int whole = 0;
		for (int i = 0; i < op_nin(op); i++) {
			AxisClass class = class_of(op, i, &c[k]);
			whole |= class == AX_WHOLE;
			window |= class == AX_WINDOW;
		}
		if (!whole)
			text[cuts++] = c[k].title;
	}
	if (cuts == n)
		printf("every axis");
	else if (cuts == n - 1 && c[n - 1].axis == AXIS_C)
		printf("every axis but c");
	else
		for (size_t k = 0; k < cuts; k++)
			printf("%s%s", k ? "; " : "", text[k]);
	printf("%s", window ? ", with a halo in `over`" : "");
}

static void
print_overview(void)
{
	puts("| kernel | what | may be sliced along |\n|---|---|---|");
	for (int op = 1; op < OP_COUNT; op++) {
		const OpInfo *o = &op_info[op];
		if (o->flags & (OPF_LEAF | OPF_VIEW | OPF_COPIES))
			continue;
		printf("| [%s](#%s) | %s | ", o->name, o->name, o->doc);
		print_cuts((Op)op);
		puts(" |");
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
	puts("# Operations\n\n"
		"Made from `ir/ops.def` by `make docs`; do not edit. To add an op: "
		"a row there, its\nshape rule `shape_NAME` in `ir/shape.c`, its "
		"kernel `cpu_NAME` in `kernels/cpu/`,\nand inputs for it in "
		"`tests/lib/cases.h`.\n\n"
		"How a slice of the result depends on an operand, along one "
		"axis:\n\n"
		"| class | meaning |\n|---|---|\n"
		"| same | index i needs index i |\n"
		"| window | index i needs a bounded interval of indices: a slice "
		"needs a halo |\n"
		"| free | the operand does not follow the result along this axis: "
		"weights, keys along the axis of the queries |\n"
		"| whole | every index needs all of it |\n\n"
		"An operand that lacks an axis is free along it. A result may be "
		"cut along an axis\nthat is whole for none of its operands, "
		"without changing one bit of it;\n`tests/kernels/cut.c` tries this for "
		"every op, operand and axis.\n\n"
		"*in two parts*: the operand may be two values side by side along "
		"c, a concatenation\nthat is never made. *in place*: the result "
		"may be written over the operand, when both\nhave the same "
		"elements and element size. c is the channel, always the last "
		"axis.\n");
	print_overview();
	print_kind("Kernels", OPF_LEAF | OPF_VIEW | OPF_COPIES, 0);
	print_kind("Made of copies", OPF_COPIES, OPF_COPIES);
	print_kind("Views: no bytes move", OPF_VIEW, OPF_VIEW);
	print_kind("Leaves: values that no instruction makes", OPF_LEAF, OPF_LEAF);
	return 0;
}
