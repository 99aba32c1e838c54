/* check.c - gate 3: proves a plan's memory map by running the program over
 * boxes of bytes.
 *
 * One fact is kept: which buffer wrote each byte of the arena last.  A read of
 * a buffer is right if that buffer wrote every byte of it last; then nothing
 * was read before it was written, and nobody else's value lay on it.
 *
 * All loops are walked in full but one: of a long denoising loop the steps 0, 1
 * and the last.  The body writes the same bytes in every step, so the owners
 * after step 0 are those after every later step, and step 1 stands for all,
 * but for the views whose place depends on r0: those are walked for every step.
 * That is only right if nothing else writes near them, which is looked up in
 * the log of step 1; otherwise every step is walked in full.
 */
#include "vm/gates/check.h"

#include <stdlib.h>

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
share(const Place *a, const Place *b)
{
	return !a->empty && !b->empty && a->first < b->end && b->first < a->end
		&& strided_meet(&a->bytes, &b->bytes);
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
			if (!may && share(&v->result, in)) {
				check_where(c, at, sizeof at);
				if (!check_complain(c, C_OVERLAP, "%s: the result in '%.60s' "
					"shares bytes with operand '%s' in "
					"'%.60s'", at, check_name(c,
					v->result.buffer),
					op_info[insn->op].in[i].name,
					check_name(c, in->buffer)))
					return false;
			}
			if (v->has_work && share(&v->work, in)) {
				check_where(c, at, sizeof at);
				if (!check_complain(c, C_WORK, "%s: the workspace shares bytes "
					"with operand '%s' in '%.60s'", at,
					op_info[insn->op].in[i].name,
					check_name(c, in->buffer)))
					return false;
			}
		}
	if (v->has_work && share(&v->work, &v->result)) {
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
	if (c->sparse && !c->by_step[result])
		return true;
	if (v.has_work && !c->sparse && !check_clobber(c, &v.work))
		return false;
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
		*vec_push(&c->loading) = buffer;
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
	for (size_t i = c->loading.n; i--;)
		if (c->loading.at[i] == buffer)
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
		if (port->per_step && bytes > 0
			&& !check_read(c, port->buffer, &whole, false))
			return false;
	}
	return true;
}

/* ---- the walk ---- */

static bool
is_step_loop(const Check *c, uint32_t at)
{
	const PlanInsn *insn = &c->p->code[at];
	return insn->a == 0 && insn->b == c->p->head.steps && insn->b > 3;
}

/* Whether no write of the last step went near the bytes that views depending on
 * r0 use, but those views' own. */
static bool
steps_apart(const Check *c, uint32_t begin)
{
	const Plan *p = c->p;
	uint8_t *special = calloc(p->n_buffers + 1, 1);
	bool apart = special != NULL && !c->log_cut;
	for (uint32_t i = begin; apart && i < c->loop_end[begin]; i++) {
		const PlanInsn *insn = &p->code[i];
		for (uint32_t k = 0; insn->op < CTL_BASE && k < insn->noperands; k++)
			for (int part = 0; part < 2; part++) {
				uint32_t v = p->operands[insn->first_operand
					+ k].view[part];
				if (v != PLAN_NONE && c->by_step[v])
					special[p->views[v].buffer] = 1;
			}
	}
	for (uint32_t b = 0; apart && b < p->n_buffers; b++)
		for (size_t i = c->step_log; special[b] && i < c->log.n; i++) {
			const Write *w = &c->log.at[i];
			if ((w->view == PLAN_NONE || !c->by_step[w->view])
				&& check_meets(c, w, b))
				apart = false;
		}
	free(special);
	return apart;
}

/* At the `next` of a loop: on to the next iteration or out. */
static bool
do_next(Check *c, uint32_t reg)
{
	uint32_t begin = c->loop[c->depth - 1];
	int64_t count = c->p->code[begin].b;
	bool steps = c->depth == 1 && is_step_loop(c, begin);
	c->r[reg]++;
	if (steps && c->r[reg] == 2
		&& (c->log_cut || c->log.n - c->step_log > LONG_LOOP))
		c->sparse = steps_apart(c, begin);
	if (steps && c->r[reg] == count - 1)
		c->sparse = false;
	if (steps) {
		c->step_log = c->log.n;
		c->log_cut = false;
	}
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
	if (c->sparse && insn->op == CTL_loop && !c->loop_by_step[c->pc]) {
		c->pc = c->loop_end[c->pc] + 1;
		return true;
	}
	if (insn->op == CTL_next)
		return do_next(c, insn->a);
	bool ok = true;
	c->walked++;
	if (c->walked > WALK_MAX)
		ok = check_complain(c, C_COST, "more than %d instructions", WALK_MAX)
			&& false;
	else if (insn->op == CTL_loop) {
		c->loop[c->depth++] = c->pc;
		c->r[insn->a] = 0;
		if (c->depth == 1) {
			c->step_log = c->log.n;
			c->log_cut = false;
		}
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

static bool
by_step(const PlanDim *d)
{
	return d->lo.step[0] || d->hi.step[0] || d->origin.step[0];
}

static void
find_by_step(Check *c, Arena *a)
{
	const Plan *p = c->p;
	uint32_t open[PLAN_NESTING];
	int depth = 0;
	c->main_loop = p->head.denoise;         /* gate 1 has looked at it */
	c->by_step = arena_alloc(a, p->n_views);
	c->insn_by_step = arena_alloc(a, p->n_code);
	c->loop_by_step = arena_alloc(a, p->n_code);
	c->loop_end = arena_array(a, p->n_code, sizeof *c->loop_end);
	for (uint32_t i = 0; i < p->n_views; i++)
		for (uint32_t k = 0; k < p->views[i].ndim; k++)
			c->by_step[i] |= by_step(&p->dims[p->views[i].first_dim + k]);
	for (uint32_t i = 0; i < p->n_code; i++) {
		const PlanInsn *insn = &p->code[i];
		if (insn->op == CTL_loop)
			open[depth++] = i;
		if (insn->op == CTL_next)
			c->loop_end[open[--depth]] = i;
		for (uint32_t k = 0; insn->op < CTL_BASE && k < 2 * insn->noperands;
			k++) {
			uint32_t v = p->operands[insn->first_operand
				+ k / 2].view[k % 2];
			if (v != PLAN_NONE && c->by_step[v])
				c->insn_by_step[i] = 1;
		}
		for (int k = 0; k < depth; k++)
			c->loop_by_step[open[k]] |= c->insn_by_step[i];
	}
}

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

bool
plan_check(const Plan *p, PlanError *e, CheckStats *stats)
{
	double start = now_seconds();
	Arena a = {0};
	Check c = {.p = p, .e = e};
	e->text[0] = 0;
	c.owner = arena_array(&a, p->n_buffers + 1, sizeof *c.owner);
	if (check_numbers(&c)) {
		check_frames(&c);
		find_by_step(&c, &a);
		bool ok = fill_first(&c);
		while (ok && c.pc < p->n_code && p->code[c.pc].op != CTL_halt)
			ok = step(&c);
		if (ok)
			check_end(&c);
	}
	if (stats)
		*stats = (CheckStats){c.walked, c.peak, now_seconds() - start};
	for (uint32_t i = 0; i < p->n_buffers; i++)
		vec_free(&c.owner[i].owned);
	vec_free(&c.loading);
	vec_free(&c.log);
	vec_free(&c.boxes);
	vec_free(&c.foreign);
	arena_free(&a);
	return !c.failed;
}
