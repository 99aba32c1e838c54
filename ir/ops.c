/* ops.c - the tables that expand from ops.def, and the meaning of its operand
 * rules.
 */
#include "ir/ops.h"

#include <string.h>

/* IN(x, ROWS, REQ PARTS): marks stand side by side, so each brings its comma */
#define REQ
#define OPT , .optional = true
#define PARTS , .parts = true
#define INPLACE , .inplace = true
#define IN(name_, rule_, marks) {.name = #name_, .rule = RULE_##rule_ marks},
#define IN_NONE {0}
#define UNWRAP(...) __VA_ARGS__
#define AT(name_) | ATTR_BIT(ATTR_##name_)
#define COUNT_IN(name_, rule_, marks) +1

const OpInfo op_info[OP_COUNT] = {
	[OP_NONE] = {.name = "none"},
#define OP(name_, attr_, flags_, operands_, doc_) \
	[OP_##name_] = {.name = #name_, .attrs = 0 UNWRAP attr_, \
		.flags = flags_, \
		.in = {UNWRAP operands_}, .doc = doc_},
#include "ir/ops.def"
};

_Static_assert(ATTRS <= 8 * sizeof(AttrSet), "attributes fit into a set");

bool
op_uses(Op op, AttrName a)
{
	return op_info[op].attrs & ATTR_BIT(a);
}

int
op_nin(Op op)
{
	int n = 0;
	while (n < OPERANDS_MAX && op_info[op].in[n].name)
		n++;
	return n;
}

Op
op_find(const char *name)
{
	for (int i = 1; i < OP_COUNT; i++)
		if (!strcmp(op_info[i].name, name))
			return (Op)i;
	return OP_NONE;
}

static const struct { const char *name; int64_t bytes; } dtypes[] = {
#define X(id, name_, bytes_) {name_, bytes_},
	DTYPES(X)
#undef X
};

const char *
dtype_name(DType t)
{
	return t < DT_COUNT ? dtypes[t].name : "?";
}

int64_t
dtype_bytes(DType t)
{
	return dtypes[t].bytes;
}

DType
dtype_find(const char *name)
{
	for (int i = 0; i < DT_COUNT; i++)
		if (!strcmp(dtypes[i].name, name))
			return (DType)i;
	return DT_COUNT;
}

const char *
act_name(Act a)
{
	static const char *const names[] = {
#define X(id, name_) name_,
		ACTS(X)
#undef X
	};
	return a < ACT_COUNT ? names[a] : "?";
}

int
over_index(AxisSet over, int axis)
{
	return __builtin_popcount(over & (AXIS_BIT(axis) - 1u));
}

/* Classes for an operand that has the axis. */
static AxisClass
rule_class(OperandRule rule, const Attr *attr, int axis)
{
	bool over = attr->over >> axis & 1, c = axis == AXIS_C;
	switch (rule) {
	case RULE_NONE:
	case RULE_WEIGHT: return AX_FREE;
	case RULE_EACH:   return AX_SAME;
	case RULE_STATS:
	case RULE_QUERY:
	case RULE_ROWS:   return c ? AX_WHOLE : AX_SAME;
	case RULE_CONV:   return c ? AX_WHOLE : over ? AX_WINDOW : AX_SAME;
	case RULE_KEY:    return over ? AX_FREE : c ? AX_WHOLE : AX_SAME;
	case RULE_OVER:   return c || over ? AX_WHOLE : AX_SAME;
	case RULE_UNITS:
		if (axis == AXIS_F || axis == AXIS_H)
			return AX_SAME;
		return c || over ? AX_WHOLE : AX_SAME;
	case RULE_RESIZE: return over ? AX_WINDOW : AX_SAME;
	case RULE_JOIN:   return axis == attr->axis ? AX_WHOLE : AX_SAME;
	}
	return AX_WHOLE;
}

AxisClass
ops_axis(Op op, const Attr *attr, int operand, AxisSet has, int axis)
{
	if (!(has >> axis & 1))
		return AX_FREE;
	return rule_class(op_info[op].in[operand].rule, attr, axis);
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

void
ops_window(Op op, const Attr *attr, int axis, int64_t in, int64_t out,
	int64_t *lo, int64_t *hi)
{
	if (op == OP_conv) {
		int i = over_index(attr->over, axis);
		*lo = *lo * attr->stride[i] - attr->before[i];
		*hi = (*hi - 1) * attr->stride[i] - attr->before[i]
			+ attr->kernel[i];
	} else {                        /* resize, nearest */
		/* floor(i in / out) is i / 2 for out = 2 in and 2 in - 1 */
		bool twice = out == 2 * in || out == 2 * in - 1;
		int64_t a = twice ? 1 : in, b = twice ? 2 : out;
		*lo = floor_div(*lo * a, b);
		*hi = floor_div((*hi - 1) * a, b) + 1;
	}
}

uint64_t
ops_hash(void)
{
	/* FNV-1a over the text of the table */
	static const char text[] =
#define ATTR(name_, kind_, doc_) #name_ " " #kind_ "\n"
#include "ir/attrs.def"
#define OP(name_, attr_, flags_, operands_, doc_) \
		#name_ "|" #attr_ "|" #flags_ "|" #operands_ "\n"
#include "ir/ops.def"
		;
	uint64_t h = 14695981039346656037u ^ sizeof(Attr);
	for (size_t i = 0; i + 1 < sizeof text; i++)
		h = (h ^ (unsigned char)text[i]) * 1099511628211u;
	return h;
}
