/* check.c - gate 3: proves a plan's memory map by running the program over
 * boxes of bytes.
 *
 * One fact is kept: which buffer wrote each byte of the arena last.  A read of
 * a buffer is right if that buffer wrote every byte of it last; then nothing
 * was read before it was written, and nobody else's value lay on it.
 *
 * All loops are walked in full but the denoising loop, whose steps 0 and 1 may
 * stand for the others (check_steps.c).  What the walk does is paid from a budget
 * (budget.h).
 */
#include "vm/gates/check.h"

/* ---- instructions ---- */

/* Views of one instruction: the result, the operands' parts, the workspace. */
typedef struct Views {
	Place result, work, in[OPERANDS_MAX][2];
	int parts[OPERANDS_MAX], nin;
	bool has_work;
} Views;

static bool
take_operands(Check *c, const PlanInsn *insn, Views *v)
{
	const PlanOperand *o = &c->p->operands[insn->first_operand];
	v->nin = op_nin((Op)insn->op);
	for (int i = 0; i < v->nin; i++) {
		v->parts[i] = 0;
		for (int k = 0; k < 2 && o[1 + i].view[k] != PLAN_NONE; k++) {
			if (!check_view(c, o[1 + i].view[k], &v->in[i][k]))
				return false;
			v->parts[i] = k + 1;
		}
	}
	uint32_t work = op_info[insn->op].flags & OPF_WORK
		? o[1 + v->nin].view[0] : PLAN_NONE;
	v->has_work = work != PLAN_NONE;
	if (v->has_work && !check_view(c, work, &v->work))
		return false;
	v->has_work = v->has_work && !v->work.empty;
	return true;
}

static bool
share(Check *c, const Place *a, const Place *b)
{
	return !a->empty && !b->empty && a->first < b->end && b->first < a->end
		&& strided_meet(&a->bytes, &b->bytes, &c->cost);
}

static bool
check_overlaps(Check *c, const PlanInsn *insn, const Views *v)
{
	char at[256];
	for (int i = 0; i < v->nin; i++)
		for (int k = 0; k < v->parts[i]; k++) {
			const Place *in = &v->in[i][k];
			bool may = op_info[insn->op].in[i].inplace
				&& v->parts[i] == 1
				&& check_same(c, &v->result, in);
			if (!may && share(c, &v->result, in)) {
				check_where(c, at, sizeof at);
				if (!check_complain(c, C_OVERLAP, "%s: the result in '%.60s' "
					"shares bytes with operand '%s' in "
					"'%.60s'", at, check_name(c,
					v->result.buffer),
					op_info[insn->op].in[i].name,
					check_name(c, in->buffer)))
					return false;
			}
			if (v->has_work && share(c, &v->work, in)) {
				check_where(c, at, sizeof at);
				if (!check_complain(c, C_WORK, "%s: the workspace shares bytes "
					"with operand '%s' in '%.60s'", at,
					op_info[insn->op].in[i].name,
					check_name(c, in->buffer)))
					return false;
			}
		}
	if (v->has_work && share(c, &v->work, &v->result)) {
		check_where(c, at, sizeof at);
		return check_complain(c, C_WORK, "%s: the workspace shares bytes with the "
			"result in '%.60s'", at, check_name(c, v->result.buffer));
	}
	return true;
}

static bool
read_operand(Check *c, const Place *in)
{
	if (in->empty || (c->sparse && !c->by_step[in->view]))
		return true;
	const Owner *o = &c->owner[in->buffer];
	if (!c->by_step[in->view])
		steps_saw(c, in->first, in->end, false);
	if (c->p->buffers[in->buffer].role == BUF_WEIGHT && !o->ever) {
		char at[256];
		check_where(c, at, sizeof at);
		return check_complain(c, C_WEIGHT, "%s reads weight '%.100s', which is not "
			"loaded", at, check_name(c, in->buffer));
	}
	if (o->loading) {
		char at[256];
		check_where(c, at, sizeof at);
		return check_complain(c, C_WEIGHT, "%s reads weight '%.100s' before waiting "
			"for it", at, check_name(c, in->buffer));
	}
	return check_read(c, in->buffer, &in->bytes, false);
}

static bool
do_compute(Check *c, const PlanInsn *insn)
{
	Views v;
	uint32_t result = c->p->operands[insn->first_operand].view[0];
	if (!check_view(c, result, &v.result))
		return false;
	if (v.result.empty)             /* skipped when it runs, too */
		return true;
	if (!take_operands(c, insn, &v))
		return false;
	if (v.result.repeats || !strided_distinct(&v.result.bytes)) {
		char at[256];
		check_where(c, at, sizeof at);
		if (!check_complain(c, C_SELF, "%s: elements of the result in '%.60s' share "
			"bytes", at, check_name(c, v.result.buffer)))
			return false;
	}
	if (!check_overlaps(c, insn, &v))
		return false;
	for (int i = 0; i < v.nin; i++)
		for (int k = 0; k < v.parts[i]; k++)
			if (!read_operand(c, &v.in[i][k]))
				return false;
	if (v.has_work && (!c->sparse || c->by_step[v.work.view])
		&& !check_clobber(c, &v.work))
		return false;
	if (c->sparse && !c->by_step[result])
		return true;
	return check_write(c, v.result.buffer, result, &v.result.bytes);
}

static bool
do_load(Check *c, const PlanInsn *insn)
{
	uint32_t buffer = c->p->weights[insn->a].buffer;
	const PlanBuffer *b = &c->p->buffers[buffer];
	Strided whole = {.base = b->offset, .run = b->bytes};
	bool again = c->owner[buffer].loading;
	c->owner[buffer].loading = false;       /* a load may follow itself */
	bool ok = check_write(c, buffer, PLAN_NONE, &whole);
	c->owner[buffer].loading = true;
	if (!again)
		*vec_push(&c->loading) = (Loading){b->offset,
			b->offset + b->bytes, buffer};
	return ok;
}

static bool
do_wait(Check *c, const PlanInsn *insn)
{
	uint32_t buffer = c->p->weights[insn->a].buffer;
	if (!c->owner[buffer].ever) {
		char at[256];
		check_where(c, at, sizeof at);
		return check_complain(c, C_WEIGHT, "%s waits for weight '%.100s', which is "
			"not being loaded", at, check_name(c, buffer));
	}
	c->owner[buffer].loading = false;
	for (size_t i = c->loading.n; i-- && spend(&c->cost, 1);)
		if (c->loading.at[i].buffer == buffer)
			c->loading.at[i] = c->loading.at[--c->loading.n];
	return true;
}

/* Bytes of a port; -1 when they do not fit its buffer. */
static int64_t
port_bytes(const Plan *p, const PlanPort *port)
{
	const PlanBuffer *b = &p->buffers[port->buffer];
	int64_t bytes = dtype_bytes((DType)port->dtype);
	for (int a = 0; a < AXIS_MAX; a++)
		if (port->axes >> a & 1 && !mul_ok(bytes, port->n[a], &bytes))
			return -1;
	return bytes <= b->bytes ? bytes : -1;
}

/* Before each denoising step the machine fills the inputs that are marked so:
 * their bytes must be theirs then, and not another value's. */
static bool
fill_step(Check *c)
{
	for (uint32_t i = 0; i < c->p->n_inputs && !c->sparse; i++) {
		const PlanPort *port = &c->p->inputs[i];
		int64_t bytes = port_bytes(c->p, port);
		Strided whole = {.base = c->p->buffers[port->buffer].offset,
			.run = bytes};
		if (!spend(&c->cost, 1))
			return check_cost(c) && false;
		if (!port->per_step || bytes <= 0)
			continue;
		steps_saw(c, whole.base, whole.base + bytes, false);
		if (!check_read(c, port->buffer, &whole, false))
			return false;
	}
	return true;
}

/* ---- the walk ---- */

/* At the `next` of a loop: on to the next iteration or out. */
static bool
do_next(Check *c, uint32_t reg)
{
	uint32_t begin = c->loop[c->depth - 1];
	int64_t count = c->p->code[begin].b;
	c->r[reg]++;
	if (c->depth == 1)
		steps_next(c, begin);
	if (c->r[reg] < count) {
		c->pc = begin + 1;
		return begin != c->main_loop || fill_step(c);
	}
	c->r[reg] = 0;
	c->depth--;
	c->pc++;
	return true;
}

static bool
step(Check *c)
{
	const PlanInsn *insn = &c->p->code[c->pc];
	if (!spend(&c->cost, INSN_STEPS))
		return check_cost(c) && false;
	if (c->sparse && insn->op == CTL_loop && !c->loop_by_step[c->pc]) {
		c->pc = c->loop_end[c->pc] + 1;
		return true;
	}
	if (insn->op == CTL_next)
		return do_next(c, insn->a);
	bool ok = true;
	c->walked++;
	if (insn->op == CTL_loop) {
		if (!c->depth)
			steps_begin(c);
		c->loop[c->depth++] = c->pc;
		c->r[insn->a] = 0;
		if (c->pc == c->main_loop)
			ok = fill_step(c);
	} else if (c->sparse && !c->insn_by_step[c->pc]) {
		c->walked--;
	} else if (insn->op == CTL_load) {
		ok = do_load(c, insn);
	} else if (insn->op == CTL_wait) {
		ok = do_wait(c, insn);
	} else if (insn->op < CTL_BASE) {
		ok = do_compute(c, insn);
	}
	c->pc++;
	return ok;
}

/* ---- the whole ---- */

/* What is written before the program starts: inputs and tables. */
static bool
fill_first(Check *c)
{
	const Plan *p = c->p;
	c->pc = PLAN_NONE;
	for (uint32_t i = 0; i < p->n_inputs + p->n_tables; i++) {
		bool input = i < p->n_inputs;
		uint32_t buffer = input ? p->inputs[i].buffer
			: p->tables[i - p->n_inputs].buffer;
		int64_t bytes = input ? port_bytes(p, &p->inputs[i])
			: p->tables[i - p->n_inputs].bytes;
		if (bytes < 0 || bytes > p->buffers[buffer].bytes)
			return check_complain(c, C_VIEW, "what fills buffer '%.100s' at the "
				"start is longer", check_name(c, buffer)) && false;
		Strided whole = {.base = p->buffers[buffer].offset, .run = bytes};
		if (bytes && !check_write(c, buffer, PLAN_NONE, &whole))
			return false;
	}
	c->pc = 0;
	return true;
}

static bool
check_end(Check *c)
{
	const Plan *p = c->p;
	c->pc = p->n_code;
	for (uint32_t i = 0; i < p->n_outputs; i++) {
		uint32_t buffer = p->outputs[i].buffer;
		int64_t bytes = port_bytes(p, &p->outputs[i]);
		if (bytes < 0)
			return check_complain(c, C_VIEW, "output '%.100s' is longer than its "
				"buffer", p->strings + p->outputs[i].name)
				&& false;
		Strided whole = {.base = p->buffers[buffer].offset, .run = bytes};
		if (bytes && !check_read(c, buffer, &whole, true))
			return false;
	}
	if (c->peak != p->head.arena_bytes)
		return check_complain(c, C_PEAK, "the plan declares %lld bytes, the highest "
			"byte touched is %lld", (long long)p->head.arena_bytes,
			(long long)c->peak);
	return true;
}

/* A record for each buffer; false: too many. */
static bool
take_owners(Check *c, Arena *a)
{
	int64_t n = (int64_t)c->p->n_buffers + 1;
	if (!spend_bytes(&c->cost, n * (int64_t)sizeof *c->owner))
		return check_cost(c) && false;
	c->owner = arena_array(a, (size_t)n, sizeof *c->owner);
	return true;
}

bool
plan_check(const Plan *p, PlanError *e, CheckStats *stats)
{
	double start = now_seconds();
	Arena a = {0};
	Check c = {.p = p, .e = e, .cost = stats ? stats->cost : (PlanCost){0}};
	e->text[0] = 0;
	if (take_owners(&c, &a) && check_numbers(&c) && near_find(&c, &a)
		&& check_frames(&c) && steps_find(&c, &a)) {
		bool ok = fill_first(&c);
		while (ok && c.pc < p->n_code && p->code[c.pc].op != CTL_halt)
			ok = step(&c);
		ok = ok && check_end(&c);
		if (overspent(&c.cost) && !c.failed)
			check_cost(&c);
	}
	if (stats)
		*stats = (CheckStats){c.cost, c.walked, c.peak,
			now_seconds() - start};
	for (uint32_t i = 0; c.owner && i < p->n_buffers; i++)
		vec_free(&c.owner[i].owned);
	vec_free(&c.steps.used);
	vec_free(&c.steps.written);
	vec_free(&c.loading);
	vec_free(&c.log);
	vec_free(&c.boxes);
	vec_free(&c.foreign);
	arena_free(&a);
	return !c.failed;
}
