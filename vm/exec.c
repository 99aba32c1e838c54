/* exec.c - runs a plan: walks the code with its counted loops, builds each
 * instruction's operands and hands it to the device.
 *
 * From the end of vm_bind to the end of vm_run nothing is allocated.  A device
 * may be behind: what has been asked for is not done yet.  It is waited for at
 * the end of each denoising step, so the host is one step ahead at most; how
 * far the run is, the device's marks say.
 */
#include "vm/vm_private.h"
#include "kernels/box.h"

#include <stdlib.h>
#include <string.h>

enum { REPORTS_PER_SECOND = 5 };

static void
touch(Vm *vm, int64_t end)
{
	if (end > vm->times.measured_peak_bytes)
		vm->times.measured_peak_bytes = end;
}

static void
touch_buffer(Vm *vm, uint32_t buffer)
{
	const PlanBuffer *b = &vm->plan->buffers[buffer];
	touch(vm, b->offset + b->bytes);
}

static void
touch_operands(Vm *vm, const Operand *args)
{
	for (int i = 0; i < ARGS_MAX; i++)
		for (int k = 0; k < args[i].parts; k++) {
			const char *end = view_end(&args[i].part[k]);
			if (end)
				touch(vm, end - vm->base);
		}
}

static void
fill_tables(Vm *vm)
{
	const Plan *p = vm->plan;
	for (uint32_t i = 0; i < p->n_tables; i++) {
		const PlanTable *t = &p->tables[i];
		vm->on->write(vm->device, p->buffers[t->buffer].offset,
			p->blob + t->data, t->bytes);
		touch_buffer(vm, t->buffer);
	}
	for (uint32_t i = 0; i < p->n_inputs; i++)
		touch_buffer(vm, p->inputs[i].buffer);
}

/* ---- progress ---- */

static const char *
phase_name(const Plan *p, uint32_t pc)
{
	for (uint32_t i = 0; i < p->n_phases; i++)
		if (p->phases[i].first <= pc && pc <= p->phases[i].last)
			return p->strings + p->phases[i].name;
	return "";
}

/* Notes where the run is, for the moment at which the device gets there. */
static void
note_point(Vm *vm, const PlanWalk *w)
{
	VmProgress *g = &vm->progress;
	bool inside = w->depth && w->loop[0] == vm->main_loop;
	if (vm->points_begun - vm->points_reached == POINTS)
		return;
	g->insns = vm->insns;
	g->steps = vm->main_loop == PLAN_NONE ? 0 : vm->plan->head.steps;
	/* at a step's end it is done */
	g->step = inside ? w->r[0] + (w->depth == 1
		&& vm->plan->code[w->pc].op == CTL_next)
		: w->pc > vm->main_loop ? g->steps : 0;
	g->fraction = vm->work > 0 ? vm->work_done / vm->work
		: (double)g->insn / (double)max64(vm->insns, 1);
	if (g->fraction > 1)
		g->fraction = 1;
	g->phase = phase_name(vm->plan, w->pc);
	vm->point[vm->points_begun++ % POINTS] =
		(Point){vm->on->mark(vm->device), *g};
}

/* Tells the caller how far the device is; false: stop. */
static bool
report(Vm *vm, const PlanWalk *w, double now)
{
	if (!vm->o.progress)
		return true;
	note_point(vm, w);
	uint64_t mark = vm->on->reached(vm->device);
	while (vm->points_reached < vm->points_begun
		&& vm->point[vm->points_reached % POINTS].mark <= mark)
		vm->reached = vm->point[vm->points_reached++ % POINTS].progress;
	vm->reached.seconds = now - vm->start;
	vm->next_report = now + 1.0 / REPORTS_PER_SECOND;
	return vm->o.progress(vm->o.user, &vm->reached);
}

/* ---- one instruction ---- */

static const char *
what_helps(DType t)
{
	return t == DT_F16 ? ": f16 ends at 65504; dtype bf16 or f32 helps" : "";
}

static int
nonfinite_found(Vm *vm, const PlanWalk *w, int64_t element, DType dtype)
{
	char place[400];
	char step[40] = "";
	insn_place(vm->plan, w->pc, place, sizeof place);
	if (w->depth && w->loop[0] == vm->main_loop)
		snprintf(step, sizeof step, "step %lld: ", (long long)w->r[0] + 1);
	return vm_fail(vm, EXIT_NUMERICS, "%s%s made a NaN or infinity (element "
		"%lld, %s)%s", step, place, (long long)element,
		dtype_name(dtype), what_helps(dtype));
}

/* Whether the op can make something finite of NaN or infinity. */
static bool
may_hide(const PlanInsn *insn, const Attr *attr)
{
	switch ((Op)insn->op) {
	case OP_clamp:
	case OP_sigmoid:
	case OP_div:
	case OP_sample:
		return true;
	default:
		return attr->act == ACT_SIGMOID;
	}
}

/* What goes into such an op must be finite: it is not seen behind it.  Weights,
 * workspaces and tables (whose clip may be infinite) are left out. */
static int
check_operands(Vm *vm, const PlanWalk *w, const Operand *args,
	const Attr *attr)
{
	const PlanInsn *insn = &vm->plan->code[w->pc];
	char place[400];
	if (!vm->o.check_finite_step || !may_hide(insn, attr))
		return EXIT_OK;
	int values = attr->act == ACT_SIGMOID ? 1 : 2;
	for (int i = 1; i <= values; i++)
		for (int k = 0; k < args[i].parts; k++) {
			const View *v = &args[i].part[k];
			if (v->dtype == DT_I32 || view_elements(v) == 0
				|| vm->on->nonfinite(vm->device, v) < 0)
				continue;
			return vm_fail(vm, EXIT_NUMERICS, "%s reads a NaN or "
				"infinity (operand %d, %s)%s", insn_place(
				vm->plan, w->pc, place, sizeof place), i,
				dtype_name(v->dtype), what_helps(v->dtype));
		}
	return EXIT_OK;
}

/* A value that leaves a denoising step must be finite. */
static int
check_result(Vm *vm, const PlanWalk *w, const Operand *args)
{
	const Plan *p = vm->plan;
	const PlanInsn *insn = &p->code[w->pc];
	uint32_t view = p->operands[insn->first_operand].view[0];
	if (!vm->o.check_finite_step)
		return EXIT_OK;
	if (!vm->look && insn->op != OP_sample
		&& p->buffers[p->views[view].buffer].role != BUF_OUTPUT)
		return EXIT_OK;
	int64_t bad = vm->on->nonfinite(vm->device, &args[0].part[0]);
	return bad < 0 ? EXIT_OK : nonfinite_found(vm, w, bad,
		args[0].part[0].dtype);
}

static int
run_compute(Vm *vm, const PlanWalk *w)
{
	const Plan *p = vm->plan;
	const PlanInsn *insn = &p->code[w->pc];
	const Attr *attr = &p->attrs[insn->attr];
	Operand args[ARGS_MAX];
	operands_build(p, vm->base, insn, w->r, args);
	if (view_elements(&args[0].part[0]) == 0)
		return EXIT_OK;
	touch_operands(vm, args);
	int code = check_operands(vm, w, args, attr);
	if (code != EXIT_OK)
		return code;
	vm->on->launch(vm->device, (Op)insn->op, args, attr);
	vm->times.op_flops[insn->op] += operands_flops((Op)insn->op, args,
		attr);
	vm->times.op_calls[insn->op]++;
	return check_result(vm, w, args);
}

static void
run_load(Vm *vm, uint32_t pc)
{
	const Plan *p = vm->plan;
	uint32_t weight = p->code[pc].a;
	touch_buffer(vm, p->weights[weight].buffer);
	vm->on->load(vm->device, weight, plan_waits_at_once(p, pc));
}

/* Waits for the device; what went wrong meanwhile is told with the place where
 * the run is. */
static int
catch_up(Vm *vm, const PlanWalk *w)
{
	char place[400];
	int code = vm->on->sync(vm->device);
	if (code == EXIT_OK)
		return code;
	insn_place(vm->plan, w->pc, place, sizeof place);
	return vm_fail(vm, code, "%s %s: %s", vm->o.sync ? "at" : "at or before",
		place, device_error(vm->device));
}

static int
run_insn(Vm *vm, const PlanWalk *w, bool step_ends)
{
	const PlanInsn *insn = &vm->plan->code[w->pc];
	int code = EXIT_OK;
	if (insn->op < CTL_BASE) {
		code = run_compute(vm, w);
	} else if (insn->op == CTL_load) {
		run_load(vm, w->pc);
	} else if (insn->op == CTL_wait) {
		code = vm->on->wait(vm->device, insn->a);
		if (code != EXIT_OK)
			return vm_device_failed(vm, code);
	}
	if (code == EXIT_OK && (step_ends
		|| ((vm->o.sync || vm->o.profile || vm->o.trace)
			&& insn->op < CTL_BASE)))
		code = catch_up(vm, w);
	return code;
}

/* Adds what the instruction took to the tables. */
static void
account(Vm *vm, const PlanWalk *w, double start, double end)
{
	VmTimes *t = &vm->times;
	uint32_t pc = w->pc;
	uint16_t op = vm->plan->code[pc].op;
	bool weights = op == CTL_load || op == CTL_wait;
	if (op < OP_COUNT)
		t->op_seconds[op] += end - start;
	else if (weights)
		t->wait_seconds += end - start;
	if (weights && w->depth && w->loop[0] == vm->main_loop)
		t->loop_wait_seconds += end - start;
	if (t->insn_seconds)
		t->insn_seconds[pc] += end - start;
	if (t->events && t->n_events < t->events_max
		&& (op < OP_COUNT || weights))
		t->events[t->n_events++] = (VmEvent){pc,
			(float)(end - start), start - vm->start};
}

/* What is due behind an instruction that was done; false: stop. */
static bool
after_insn(Vm *vm, const PlanWalk *w, bool leaves, bool step_ends, double end)
{
	const PlanInsn *insn = &vm->plan->code[w->pc];
	if (vm->o.poison && (insn->op != CTL_next || leaves))
		poison_after(vm, w->pc);
	vm->progress.insn++;
	vm->work_done += (double)insn->seconds;
	return (!step_ends && end < vm->next_report) || report(vm, w, end);
}

static int
run_code(Vm *vm)
{
	const Plan *p = vm->plan;
	double loop_start = vm->start;
	PlanWalk w = {0};
	for (; !walk_over(p, &w); walk_on(p, &w)) {
		double start = now_seconds(), end;
		bool next = p->code[w.pc].op == CTL_next;
		bool step_ends = next && w.loop[w.depth - 1] == vm->main_loop;
		bool leaves = next && walk_leaves(p, &w);
		int code = run_insn(vm, &w, step_ends);
		if (code != EXIT_OK)
			return code;
		end = now_seconds();
		account(vm, &w, start, end);
		if (w.pc == vm->main_loop) {
			loop_start = end;
			step_inputs_fill(vm, 0);
		}
		if (step_ends && !leaves)
			step_inputs_fill(vm, w.r[p->code[w.pc].a] + 1);
		if (leaves && step_ends)
			vm->times.loop_seconds += end - loop_start;
		if (!after_insn(vm, &w, leaves, step_ends, end))
			return vm_fail(vm, EXIT_INTERRUPTED, "interrupted");
	}
	int code = vm->on->sync(vm->device);
	if (code != EXIT_OK)
		return vm_device_failed(vm, code);
	vm->work_done = vm->work;
	return report(vm, &w, now_seconds()) ? EXIT_OK
		: vm_fail(vm, EXIT_INTERRUPTED, "interrupted");
}

static int
check_outputs(Vm *vm)
{
	const Plan *p = vm->plan;
	for (uint32_t i = 0; i < p->n_outputs; i++) {
		const PlanPort *o = &p->outputs[i];
		View v = {.data = vm->base + p->buffers[o->buffer].offset,
			.dtype = (DType)o->dtype};
		for (int a = 0; a < AXIS_MAX; a++)
			v.n[a] = 1;
		for (int a = 0; a < AXIS_MAX; a++)
			if (o->axes >> a & 1)
				v.n[AXIS_C] *= o->n[a];
		v.stride[AXIS_C] = 1;
		int64_t bad = vm->on->nonfinite(vm->device, &v);
		if (bad >= 0)
			return vm_fail(vm, EXIT_NUMERICS, "output '%s' has a NaN or "
				"infinity (element %lld)", p->strings + o->name,
				(long long)bad);
	}
	return EXIT_OK;
}

void
vm_look(Vm *vm)
{
	vm->look = true;
}

int
vm_run(Vm *vm)
{
	VmTimes *t = &vm->times, clean = {.insn_seconds = t->insn_seconds,
		.events = t->events, .events_max = t->events_max};
	if (!vm->bound)
		return vm_fail(vm, EXIT_USAGE, "vm_run: nothing is bound");
	*t = clean;
	if (t->insn_seconds)
		memset(t->insn_seconds, 0,
			vm->plan->n_code * sizeof *t->insn_seconds);
	vm->progress = vm->reached = (VmProgress){0};
	vm->points_begun = vm->points_reached = 0;
	vm->work_done = 0;
	vm->start = vm->next_report = now_seconds();
	fill_tables(vm);
	int code = run_code(vm);
	if (code != EXIT_OK)
		vm->on->sync(vm->device);
	t->load_seconds = vm->on->load_seconds(vm->device);
	vm->on->reset(vm->device);
	t->seconds = now_seconds() - vm->start;
	if (code == EXIT_OK && vm->o.check_finite_step)
		code = check_outputs(vm);
	return code;
}
