/* plan_types.c - gate 2: a test for each of its rules.  Most break one thing of
 * the sample plan; ops that it lacks have small plans of their own, which must
 * be accepted before they are broken.
 */
#include "tests/lib/plan_sample.h"
#include "tests/lib/test.h"
#include "vm/plan/format.h"
#include "vm/gates/gates.h"

static void
refused(const Plan *p, const char *message)
{
	PlanError e = {""};
	CHECK(plan_format(p, &e), "gate 1 says '%s'", e.text);
	strcpy(e.text, "accepted");
	CHECK(!plan_verify(p, &e, NULL) && strstr(e.text, message),
		"'%s', not '%s'", e.text, message);
}

/* Breaks one thing of the sample; gate 2 must name it. */
#define BREAK(change, message) do { \
		Sample s; \
		Plan *p = sample_make(&s); \
		(void)p; \
		change; \
		refused(p, message); \
		sample_free(&s); \
	} while (0)

static PlanOperand *
operand(Plan *p, uint32_t insn, uint32_t i)
{
	return &p->operands[p->code[insn].first_operand + i];
}

/* The dim along an axis of an instruction's operand. */
static PlanDim *
dim(Plan *p, uint32_t insn, uint32_t i, int axis)
{
	return build_dim(p, operand(p, insn, i)->view[0], axis);
}

static Attr *
attr(Plan *p, uint32_t insn)
{
	return &p->attrs[p->code[insn].attr];
}

static void
test_sample(void)
{
	Sample good;
	PlanError e = {""};
	test("gate 2 accepts the sample");
	sample_make(&good);
	CHECK(plan_format(good.p, &e) && plan_verify(good.p, &e, NULL), "%s", e.text);
	sample_free(&good);
	test("messages name instruction, op and scope");
	BREAK(*operand(p, s.copy, 1) = NONE, "instruction 16 (copy, scope): ");
}

static void
test_row(void)
{
	test("gate 2: the op's row");
	BREAK(p->code[s.copy].noperands = 1, "has 1 operands, its op 2");
	BREAK(p->code[s.copy].noperands = 3, "has 3 operands, its op 2");
	BREAK(p->code[s.conv].noperands--, "has 6 operands, its op 7");
	BREAK(*operand(p, s.copy, 0) = NONE, "operand 0 is missing");
	BREAK(*operand(p, s.conv, 2) = NONE, "operand 2 is missing");
	BREAK(operand(p, s.attend, 2)->view[1] = operand(p, s.attend, 2)
		->view[0], "operand 2 is in two parts");
	BREAK(operand(p, s.copy, 0)->view[1] = operand(p, s.copy, 0)->view[0],
		"operand 0 is in two parts");
	test("gate 2: element types");
	BREAK(p->buffers[s.s].dtype = DT_F16; p->buffers[s.s].bytes = 64,
		"the result is f16, not f32");
	BREAK(p->buffers[s.e].dtype = DT_I32, "the result is i32");
	BREAK(*operand(p, s.stats, 1) = ONE(build_whole(&s.b, s.ids)),
		"operand 1 is i32");
	BREAK(p->buffers[s.n].dtype = DT_I32, "is i32");
	BREAK(p->buffers[s.z].dtype = p->outputs[0].dtype = DT_I32,
		"operand 1 is f32");
	BREAK(p->buffers[s.m].dtype = DT_BF16, "the result is bf16, not f32");
	BREAK(p->buffers[s.ids].dtype = p->inputs[1].dtype = DT_F16,
		"operand 1 is f16");
	test("gate 2: roles");
	BREAK(p->views[operand(p, s.copy, 0)->view[0]].buffer = s.x,
		"written to an input");
	BREAK(*operand(p, s.embed, 0) = ONE(build_whole(&s.b, s.table)),
		"written to an input, a weight, a table");
	BREAK(p->buffers[s.e].role = BUF_WORK; p->buffers[s.e].crosses = 0,
		"to an input, a weight, a table or a workspace");
	BREAK(*operand(p, s.sample, 2) = ONE(build_whole(&s.b, s.work)),
		"operand 2 is a workspace");
}

static void
test_addresses(void)
{
	test("gate 2: registers of open loops only");
	BREAK(dim(p, s.copy, 1, AXIS_H)->lo.step[1] = 1,
		"depends on r1, whose loop is not open");
	BREAK(dim(p, s.copy, 0, AXIS_H)->hi.step[3] = 1, "depends on r3");
	BREAK(dim(p, s.sample, 0, AXIS_H)->origin.step[1] = 1,
		"depends on r1");
	test("gate 2: addresses do not overflow");
	BREAK(dim(p, s.copy, 1, AXIS_H)->stride = BYTES_MAX, "absurd");
	BREAK(dim(p, s.copy, 1, AXIS_W)->origin.base = -AFFINE_BASE_MAX;
		dim(p, s.copy, 1, AXIS_W)->stride = 1 << 20, "absurd");
	test("gate 2: channels lie side by side");
	BREAK(dim(p, s.apply, 1, AXIS_C)->stride = 2, "2 elements apart");
	BREAK(dim(p, s.conv, 0, AXIS_C)->stride = 0, "0 elements apart");
	BREAK(dim(p, s.copy, 1, AXIS_C)->stride = 2, "2 elements apart");
	test("gate 2: elements have places of their own");
	BREAK(dim(p, s.copy, 0, AXIS_H)->stride = 0, "share a place (axis 3)");
	BREAK(dim(p, s.copy, 0, AXIS_H)->stride = 8, "share a place");
	BREAK(dim(p, s.copy, 0, AXIS_W)->stride = 7, "share a place");
	BREAK(dim(p, s.stats, 1, AXIS_W)->stride = 0,
		"elements of operand 1 share a place (axis 4)");
	BREAK(dim(p, s.attend, 2, AXIS_TOKEN)->stride = 4, "share a place");
}

/* Cuts both parts of what the convolution reads. */
static void
cut_both(Sample *s, int axis, int64_t step, int64_t lo, int64_t hi)
{
	build_cut(&s->b, s->vn_conv, axis, 1, step, lo, hi);
	build_cut(&s->b, s->vx_conv, axis, 1, step, lo, hi);
}

static void
test_ranges(void)
{
	test("gate 2: same indices in operand and result");
	BREAK(dim(p, s.attend, 1, AXIS_H)->lo.base = 1, "different indices of "
		"axis 3");
	BREAK(dim(p, s.attend, 1, AXIS_H)->hi.base = 1, "different indices");
	BREAK(dim(p, s.attend, 1, AXIS_H)->lo.step[1] = 1, "different indices");
	BREAK(dim(p, s.copy, 1, AXIS_H)->extent = 3, "different indices");
	BREAK(dim(p, s.copy, 1, AXIS_C)->hi.base = 7, "different indices");
	test("gate 2: ends that are clamped alike are alike");
	Sample good;
	PlanError e = {""};
	sample_make(&good);
	dim(good.p, good.copy, 1, AXIS_H)->lo.base = -3;
	dim(good.p, good.copy, 1, AXIS_H)->hi.base = 9;
	CHECK(plan_verify(good.p, &e, NULL), "%s", e.text);
	sample_free(&good);
	test("gate 2: an axis that the result lacks");
	BREAK(dim(p, s.sample, 3, AXIS_STEP)->hi.base = 2,
		"operand 3 has not the whole of axis 0");
	BREAK(dim(p, s.sample, 3, AXIS_STEP)->lo.base = 1;
		dim(p, s.sample, 3, AXIS_STEP)->hi.base = 2, "axis 0");
	BREAK(dim(p, s.stats, 0, AXIS_H)->axis = AXIS_F,
		"more than one index of axis 3");
	BREAK(p->views[operand(p, s.copy, 0)->view[0]].first_dim++;
		p->views[operand(p, s.copy, 0)->view[0]].ndim--,
		"operand 1 has more than one index of axis 3");
	test("gate 2: whole axes");
	BREAK(dim(p, s.stats, 1, AXIS_W)->lo.base = 1,
		"operand 1 has not the whole of axis 4");
	BREAK(dim(p, s.stats, 1, AXIS_C)->hi.base = 7, "whole");
	BREAK(dim(p, s.combine, 1, AXIS_H)->hi.base = 3, "whole of axis 3");
	BREAK(dim(p, s.apply, 2, AXIS_C)->hi.base = 3, "whole of axis 15");
	BREAK(build_cut(&s.b, s.ve, AXIS_TOKEN, 1, 1, 0, 2), "whole of axis 14");
	BREAK(dim(p, s.apply, 3, AXIS_C)->lo.base = 1, "whole of axis 15");
	test("gate 2: windows cover what is read, in every iteration");
	BREAK(cut_both(&s, AXIS_H, 2, 0, 3), "r1=1");
	BREAK(cut_both(&s, AXIS_H, 2, -1, 2), "r1=0");
	BREAK(cut_both(&s, AXIS_H, 0, -1, 3), "r1=1");
	BREAK(cut_both(&s, AXIS_W, 0, 0, 3), "axis 4");
	sample_make(&good);
	test("gate 2: windows may be larger");
	cut_both(&good, AXIS_H, 0, 0, 4);
	CHECK(plan_verify(good.p, &e, NULL), "%s", e.text);
	sample_free(&good);
	test("gate 2: parts agree");
	BREAK(build_cut(&s.b, s.vx_conv, AXIS_H, 1, 2, -2, 4),
		"parts of operand 1 have different indices of axis 3");
}

/* Windows of very many iterations are not walked to the end. */
static void
test_budget(void)
{
	test("gate 2: looking at windows ends");
	BREAK(p->n_groups = 0; p->code[s.loop].b = 1 << 24;
		build_cut(&s.b, s.vt, AXIS_H, 1, 0, 0, 4);
		build_cut(&s.b, s.vt_in, AXIS_H, 1, 0, 0, 4);
		build_cut(&s.b, s.vu, AXIS_H, 1, 0, 0, 4);
		cut_both(&s, AXIS_H, 0, 0, 4);
		build_dim(p, s.vn_conv, AXIS_H)->lo.step[1] = -1;
		build_dim(p, s.vx_conv, AXIS_H)->lo.step[1] = -1,
		"to check the program takes more than");
}

static void
test_target(void)
{
	test("gate 2: the target, its kernels, layouts and providers");
	BREAK(p->head.target = p->head.name, "compiled for 'test'");
	BREAK(p->head.abi++, "version 2 of the cpu kernels");
	BREAK(p->head.pinned_bytes = 1, "no page-locked space");
	BREAK(p->weights[0].layout = 2, "no layout 2");
	BREAK(p->code[s.copy].provider = 1, "no provider 1");
}

static void
test_products(void)
{
	test("gate 2: weights of products");
	BREAK(p->weights[0].taps = 3; p->weights[0].dim[3] = 1;
		p->head.weights_bytes -= 6 * 8 * 16 * 4, "packed for another");
	BREAK(p->weights[0].cols[0] = 4; p->weights[0].cols[1] = 12,
		"weight 'conv.weight' is packed for another shape");
	BREAK(p->weights[0].rows[0] = 4; p->weights[0].rows[1] = 4,
		"packed for another shape");
	BREAK(p->weights[0].layout = 0, "packed for another shape");
	BREAK(*operand(p, s.conv, 2) = ONE(build_whole(&s.b, s.n)),
		"its matrix is no weight");
	BREAK(p->views[operand(p, s.conv, 2)->view[0]].base = 1,
		"its matrix is no weight");
	BREAK(dim(p, s.conv, 2, AXIS_C)->extent = 1151, "must be 1152 numbers");
	BREAK(dim(p, s.conv, 2, AXIS_C)->axis = AXIS_W, "operand 2");
	BREAK(dim(p, s.conv, 3, AXIS_C)->extent = 7;
		dim(p, s.conv, 3, AXIS_C)->hi.base = 7,
		"operand 3 must be 8 numbers");
	BREAK(build_dim(p, s.vx_conv, AXIS_C)->lo.base = 1,
		"not the whole of its channels");
	BREAK(build_dim(p, s.vt, AXIS_C)->hi.base = 7,
		"the result has not the whole of its channels");
	test("gate 2: convolutions");
	BREAK(attr(p, s.conv)->over = 0, "over 0 axes");
	BREAK(attr(p, s.conv)->over = AXIS_BIT(AXIS_C), "channels or steps");
	BREAK(attr(p, s.conv)->over = AXIS_BIT(AXIS_STEP), "channels or steps");
	BREAK(attr(p, s.conv)->over = 0x1e, "over 4 axes");
	BREAK(attr(p, s.conv)->over = AXIS_BIT(AXIS_F) | AXIS_BIT(AXIS_H),
		"axis");
	BREAK(attr(p, s.conv)->kernel[0] = 0, "kernel or stride 0 is 0");
	BREAK(attr(p, s.conv)->stride[1] = 0, "kernel or stride 1 is 0");
	BREAK(attr(p, s.conv)->before[1] = 2,
		"4 indices of axis w, its operands give 5");
	BREAK(attr(p, s.conv)->kernel[0] = 7, "lacks indices of axis 3");
	BREAK(attr(p, s.conv)->kernel[1] = 7; attr(p, s.conv)->stride[1] = 2;
		dim(p, s.conv, 0, AXIS_W)->extent = 1;
		dim(p, s.conv, 0, AXIS_W)->hi.base = 1, "packed for another shape");
	BREAK(attr(p, s.conv)->geglu = 1, "no geglu");
	test("gate 2: workspaces");
	BREAK(*operand(p, s.conv, 6) = NONE, "its workspace has 0 bytes");
	BREAK(*operand(p, s.conv, 6) = ONE(build_whole(&s.b, s.m)),
		"no plain buffer");
	BREAK(dim(p, s.conv, 6, AXIS_C)->extent--, "bytes");
	BREAK(dim(p, s.conv, 6, AXIS_C)->lo.base = 1, "no plain buffer");
	BREAK(dim(p, s.conv, 6, AXIS_C)->origin.base = -1, "no plain buffer");
	BREAK(dim(p, s.attend, 4, AXIS_C)->axis = AXIS_W, "no plain buffer");
	BREAK(p->views[operand(p, s.attend, 4)->view[0]].base = 4,
		"no plain buffer");
	BREAK(p->head.threads = THREADS_MAX, "are needed");
}

static void
test_attend(void)
{
	test("gate 2: attention");
	BREAK(attr(p, s.attend)->over = 0, "over 0 axes");
	BREAK(attr(p, s.attend)->over |= AXIS_BIT(AXIS_C), "over channels");
	BREAK(attr(p, s.attend)->causal = 1; attr(p, s.attend)->over
		|= AXIS_BIT(AXIS_H), "over 2 axes");
	BREAK(attr(p, s.attend)->causal = 1, "as many queries as keys");
	BREAK(attr(p, s.attend)->over |= AXIS_BIT(AXIS_F), "has no axis f");
	BREAK(attr(p, s.attend)->heads = 0, "into 0 heads");
	BREAK(attr(p, s.attend)->heads = 3, "8 channels do not divide into 3");
	BREAK(*operand(p, s.attend, 2) = ONE(build_whole(&s.b, s.m)),
		"k and v differ along axis 14");
	BREAK(*operand(p, s.attend, 2) = *operand(p, s.attend, 3)
		= ONE(build_whole(&s.b, s.m)), "has no axis token");
	BREAK(*operand(p, s.attend, 3) = ONE(build_whole(&s.b, s.gamma)),
		"k and v differ along axis 14");
	BREAK(uint32_t v = build_whole(&s.b, s.e);
		build_dim(p, v, AXIS_C)->extent = 4;
		build_dim(p, v, AXIS_C)->hi.base = 4;
		*operand(p, s.attend, 2) = ONE(v), "q has 8 channels, k has 4");
	BREAK(uint32_t v = build_whole(&s.b, s.e);
		build_dim(p, v, AXIS_C)->extent = 4;
		build_dim(p, v, AXIS_C)->hi.base = 4;
		*operand(p, s.attend, 3) = ONE(v), "the result has 8 indices of axis c, its operands give 4");
	BREAK(dim(p, s.attend, 0, AXIS_W)->axis = AXIS_TOKEN;
		dim(p, s.attend, 1, AXIS_W)->extent = 1;
		dim(p, s.attend, 1, AXIS_W)->hi.base = 1, "q lacks axis 14");
}

static void
test_norms_embed(void)
{
	test("gate 2: embed");
	BREAK(attr(p, s.embed)->rows = 0, "its table has 0 rows");
	BREAK(attr(p, s.embed)->rows = 6, "must be 48 numbers");
	BREAK(attr(p, s.embed)->rows = INT64_C(1) << 45, "numbers along c");
	BREAK(dim(p, s.embed, 1, AXIS_TOKEN)->axis = AXIS_C;
		dim(p, s.embed, 0, AXIS_C)->extent = 3;
		dim(p, s.embed, 0, AXIS_C)->hi.base = 3, "must be 15 numbers");
	BREAK(p->weights[3].layout = 1; p->weights[3].rows[0] = 5;
		p->weights[3].cols[0] = 8; p->weights[3].taps = 1,
		"a packed matrix");
	BREAK(dim(p, s.embed, 0, AXIS_C)->lo.base = 1, "result has not");
	test("gate 2: norm_stats");
	BREAK(attr(p, s.stats)->groups = 0, "divide into 0 groups");
	BREAK(attr(p, s.stats)->groups = 3, "divide into 3 groups");
	BREAK(attr(p, s.stats)->over |= AXIS_BIT(AXIS_F), "has no axis f");
	BREAK(attr(p, s.stats)->over |= AXIS_BIT(AXIS_C), "channels");
	BREAK(dim(p, s.stats, 0, AXIS_H)->axis = AXIS_W, "axis");
	BREAK(dim(p, s.stats, 0, AXIS_C)->lo.base = 1, "whole of its channels");
	test("gate 2: norm_combine");
	BREAK(attr(p, s.combine)->groups = 4, "statistics of 4 groups");
	BREAK(attr(p, s.combine)->rows = 0, "no elements");
	BREAK(attr(p, s.combine)->over |= AXIS_BIT(AXIS_STEP), "steps");
	BREAK(attr(p, s.combine)->over = 0, "more than one index of axis 3");
	BREAK(*operand(p, s.combine, 0) = ONE(build_whole(&s.b, s.s));
		*operand(p, s.combine, 1) = ONE(build_whole(&s.b, s.s)),
		"an axis that is summed");
	test("gate 2: norm_apply");
	BREAK(attr(p, s.apply)->groups = 4, "statistics of 4 groups");
	BREAK(uint32_t v = build_whole(&s.b, s.s);
		build_dim(p, v, AXIS_H)->hi.base = 2;
		*operand(p, s.apply, 2) = ONE(v), "different indices");
	BREAK(dim(p, s.apply, 1, AXIS_C)->extent = 4;
		dim(p, s.apply, 1, AXIS_C)->hi.base = 4, "axis c is 4 on the left and 8");
	BREAK(*operand(p, s.apply, 3) = ONE(build_whole(&s.b, s.e)),
		"operand 3");
	BREAK(*operand(p, s.apply, 4) = ONE(build_whole(&s.b, s.w)),
		"operand 4 must be 8 numbers");
	BREAK(dim(p, s.apply, 0, AXIS_C)->lo.base = 1, "whole");
	test("gate 2: sample");
	BREAK(dim(p, s.sample, 3, AXIS_C)->extent = 4;
		dim(p, s.sample, 3, AXIS_C)->hi.base = 4,
		"operand 3 must be 9 numbers");
	BREAK(dim(p, s.sample, 3, AXIS_STEP)->axis = AXIS_B, "operand 3");
	BREAK(p->buffers[s.gamma].dtype = DT_F16; p->buffers[s.gamma].bytes
		= 32; p->head.weights_bytes -= 16;
		*operand(p, s.sample, 3) = ONE(build_whole(&s.b, s.gamma)),
		"operand 3 is f16, not f32");
}

/* ---- ops that the sample lacks ---- */

/* A plan of one instruction: y and up to two operands. */
typedef struct Small {
	Build b;
	Plan *p;
	uint32_t y, in[2];      /* views */
	Attr *attr;
} Small;

static void
small_make(Small *s, Op op, Attr a, BuildDims y, int n, const BuildDims *in)
{
	PlanOperand o[OPERANDS_MAX + 2] = {0};
	build_begin(&s->b);
	int nin = op_nin(op), count = 1 + nin + !!(op_info[op].flags & OPF_WORK);
	for (int i = 0; i < count; i++)
		o[i] = NONE;
	s->y = build_whole(&s->b, build_output(&s->b, "y", DT_F32, y));
	o[0] = ONE(s->y);
	for (int i = 0; i < n; i++) {
		s->in[i] = build_whole(&s->b, build_input(&s->b,
			i ? "b" : "a", DT_F32, in[i]));
		o[1 + i] = ONE(s->in[i]);
	}
	build_op_list(&s->b, op, &a, count, o);
	s->attr = &s->b.p.attrs[0];
	s->p = build_end(&s->b);
}

/* Makes it, which must pass; then the change, which must not. */
#define SMALL(op, a, y, n, in, change, message) do { \
		Small s; \
		PlanError e_ = {""}; \
		small_make(&s, op, a, y, n, in); \
		CHECK(plan_format(s.p, &e_) && plan_verify(s.p, &e_, NULL), "%s", \
			e_.text); \
		change; \
		refused(s.p, message); \
		build_free(&s.b); \
	} while (0)

static void
set_extent(Small *s, uint32_t view, int axis, int64_t n)
{
	PlanDim *d = build_dim(s->p, view, axis);
	d->extent = d->hi.base = n;
}

static void
test_small_ops(void)
{
	BuildDims hc = DIMS({AXIS_H, 3}, {AXIS_C, 4});
	BuildDims hc2 = DIMS({AXIS_H, 3}, {AXIS_C, 8}), h = DIMS({AXIS_H, 3});
	BuildDims h6c = DIMS({AXIS_H, 6}, {AXIS_C, 4});
	Attr none = {0}, clamp = {.lo = -1, .hi = 1};
	Attr over_h = {.over = AXIS_BIT(AXIS_H)}, along_h = {.axis = AXIS_H};
	test("gate 2: elementwise");
	SMALL(OP_add, none, hc, 2, ((BuildDims[]){hc, h}),
		set_extent(&s, s.in[1], AXIS_H, 2), "different indices");
	SMALL(OP_add, none, hc, 1, &hc,
		build_dim(s.p, s.in[0], AXIS_C)->stride = 3, "apart");
	SMALL(OP_silu, none, hc, 1, &hc,
		s.p->buffers[1].dtype = s.p->inputs[0].dtype = DT_I32, "i32");
	SMALL(OP_clamp, clamp, hc, 1, &hc, s.attr->lo = 2, "2 is above 1");
	test("gate 2: a number may be repeated along c");
	Small good;
	PlanError e = {""};
	small_make(&good, OP_add, none, hc, 2, (BuildDims[]){hc, hc});
	build_dim(good.p, good.in[1], AXIS_C)->stride = 0;
	CHECK(plan_verify(good.p, &e, NULL), "%s", e.text);
	build_free(&good.b);
	test("gate 2: geglu");
	SMALL(OP_geglu, none, hc, 1, &hc2,
		set_extent(&s, s.in[0], AXIS_C, 7), "7 is odd");
	SMALL(OP_geglu, none, hc, 1, &hc2, (set_extent(&s, s.y, AXIS_C, 3),
		set_extent(&s, s.in[0], AXIS_C, 6),
		build_dim(s.p, s.y, AXIS_C)->lo.base = 1), "whole");
	test("gate 2: resize");
	SMALL(OP_resize, over_h, h6c, 1, &hc,
		build_dim(s.p, s.in[0], AXIS_H)->hi.base = 2, "axis 3");
	SMALL(OP_resize, over_h, h6c, 1, &hc,
		s.attr->over |= AXIS_BIT(AXIS_W), "has no axis w");
	SMALL(OP_resize, over_h, h6c, 1, &hc,
		s.attr->over |= AXIS_BIT(AXIS_C), "channels");
	test("gate 2: index");
	SMALL(OP_index, along_h, h, 0, NULL, s.attr->axis = AXIS_W,
		"lacks axis 4");
	SMALL(OP_index, along_h, h, 0, NULL,
		s.p->buffers[0].dtype = s.p->outputs[0].dtype = DT_F16,
		"not f32");
	test("gate 2: sinusoid");
	SMALL(OP_sinusoid, none, hc, 1, &h,
		build_dim(s.p, s.y, AXIS_C)->lo.base = 1, "whole");
	SMALL(OP_sinusoid, none, hc, 1, &h, (build_dim(s.p, s.in[0], AXIS_H)
		->axis = AXIS_C, set_extent(&s, s.in[0], AXIS_C, 4)),
		"has an axis c already");
	test("gate 2: fill");
	SMALL(OP_fill, none, hc, 0, NULL,
		build_dim(s.p, s.y, AXIS_H)->stride = 1, "share a place");
}

/* A copy joins two parts; layer_norm has weights. */
static void
test_copy_layer_norm(void)
{
	Build b;
	Attr none = {0};
	PlanError e = {""};
	const int64_t eight[] = {8};
	build_begin(&b);
	uint32_t y = build_whole(&b, build_output(&b, "y", DT_F16,
		DIMS({AXIS_H, 3}, {AXIS_C, 8})));
	uint32_t n = build_whole(&b, build_output(&b, "n", DT_F32,
		DIMS({AXIS_H, 3}, {AXIS_C, 8})));
	uint32_t x = build_whole(&b, build_input(&b, "x", DT_F32,
		DIMS({AXIS_H, 3}, {AXIS_C, 6})));
	uint32_t z = build_whole(&b, build_input(&b, "z", DT_F32,
		DIMS({AXIS_C, 2})));
	uint32_t gamma = build_whole(&b, build_weight(&b, "g", DT_F32, 1,
		eight, NULL));
	build_op(&b, OP_copy, &none, ONE(y), TWO(x, z));
	build_op(&b, OP_layer_norm, &none, ONE(n), ONE(y), ONE(gamma),
		ONE(gamma));
	Plan *p = build_end(&b);
	test("gate 2: a copy of two parts, one repeated");
	CHECK(plan_format(p, &e) && plan_verify(p, &e, NULL), "%s", e.text);
	test("gate 2: copy");
	PlanDim *c = build_dim(p, z, AXIS_C);
	c->lo.base = 1;
	refused(p, "not the whole of its channels");
	c->lo.base = 0;
	c->extent = c->hi.base = 1;
	refused(p, "its operands give 7");
	c->extent = c->hi.base = 2;
	test("gate 2: layer_norm");
	c = build_dim(p, gamma, AXIS_C);
	c->extent = c->hi.base = 7;
	refused(p, "must be 8 numbers");
	c->extent = c->hi.base = 8;
	c = build_dim(p, n, AXIS_C);
	c->extent = c->hi.base = 7;
	refused(p, "must be 7 numbers");
	build_free(&b);
}

/* linear with GEGLU: rows of the matrix are twice the result's channels. */
static void
test_linear(void)
{
	Build b;
	Attr geglu = {.geglu = 1};
	PlanError e = {""};
	const int64_t matrix[] = {8, 4}, vector[] = {8};
	const MatrixLayout m = {.rows = {4, 4}, .cols = {4, 0}, .taps = 1};
	build_begin(&b);
	uint32_t y = build_whole(&b, build_output(&b, "y", DT_F32,
		DIMS({AXIS_H, 3}, {AXIS_C, 4})));
	uint32_t x = build_whole(&b, build_input(&b, "x", DT_F32,
		DIMS({AXIS_H, 3}, {AXIS_C, 4})));
	uint32_t w = build_whole(&b, build_weight(&b, "w", DT_F16, 2, matrix,
		&m));
	uint32_t bias = build_whole(&b, build_weight(&b, "b", DT_F32, 1,
		vector, NULL));
	uint32_t work = build_whole(&b, build_buffer(&b, BUF_WORK, "work",
		DT_F32, DIMS({AXIS_C, 1 << 20})));
	uint32_t at = build_op(&b, OP_linear, &geglu, ONE(y), ONE(x), ONE(w),
		ONE(bias), NONE, NONE, ONE(work));
	Plan *p = build_end(&b);
	test("gate 2: linear with geglu");
	CHECK(plan_format(p, &e) && plan_verify(p, &e, NULL), "%s", e.text);
	test("gate 2: linear");
	p->attrs[0].act = ACT_SILU;
	refused(p, "geglu goes with no activation");
	p->attrs[0].act = 0;
	*operand(p, at, 4) = ONE(y);
	refused(p, "and no row");
	*operand(p, at, 4) = NONE;
	p->attrs[0].geglu = 0;
	refused(p, "packed for another shape");
	p->attrs[0].geglu = 1;
	*operand(p, at, 5) = ONE(x);
	CHECK(plan_verify(p, &e, NULL), "%s", e.text);
	build_dim(p, x, AXIS_H)->hi.base = 2;
	refused(p, "different indices");
	build_free(&b);
}

int
main(void)
{
	test_sample();
	test_row();
	test_addresses();
	test_ranges();
	test_budget();
	test_target();
	test_products();
	test_attend();
	test_norms_embed();
	test_small_ops();
	test_copy_layer_norm();
	test_linear();
	return test_end();
}
