/* bind.c - a plan, a device and weights to something that can run.
 *
 * vm_bind walks the whole program once without computing: the device refuses
 * there what it cannot do, and the work is added up for the progress report.
 */
#include "vm/vm_private.h"
#include "kernels/box.h"

#include <stdlib.h>
#include <string.h>

enum { EVENTS_MAX = 1 << 21 };

int
vm_fail(Vm *vm, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(vm->error, sizeof vm->error, fmt, ap);
	va_end(ap);
	return code;
}

int
vm_device_failed(Vm *vm, int code)
{
	return vm_fail(vm, code, "%s", device_error(vm->device));
}

const char *
insn_place(const Plan *p, uint32_t pc, char *buf, size_t size)
{
	const PlanInsn *insn = &p->code[pc];
	const char *op = plan_op_name(insn->op), *scope = "", *component = "";
	if (insn->debug < p->n_debugs) {
		scope = p->strings + p->debugs[insn->debug].scope;
		component = p->strings + p->debugs[insn->debug].component;
	}
	snprintf(buf, size, "instruction %u, %s%s%s%s%s%s", pc, op ? op : "?",
		*scope ? " at " : "", scope, *component ? " (" : "", component,
		*component ? ")" : "");
	return buf;
}

Vm *
vm_open(const Plan *p, const VmOptions *o)
{
	Vm *vm = calloc(1, sizeof *vm);
	if (!vm)
		fatal(EXIT_MEMORY, "out of memory");
	vm->plan = p;
	vm->o = o ? *o : (VmOptions){0};
	vm->main_loop = p->head.denoise;
	step_inputs_find(vm);
	if (vm->o.profile)
		vm->times.insn_seconds = arena_array(&vm->host, p->n_code,
			sizeof(double));
	return vm;
}

const char *
vm_error(const Vm *vm)
{
	return vm->error;
}

const VmTimes *
vm_times(const Vm *vm)
{
	return &vm->times;
}

void
vm_close(Vm *vm)
{
	if (vm->device)
		vm->on->close(vm->device);
	arena_free(&vm->host);
	free(vm);
}

/* ---- numbers that pick rows of a table ---- */

static uint32_t
operand_buffer(const Plan *p, const PlanInsn *insn, uint32_t k)
{
	uint32_t view = p->operands[insn->first_operand + k].view[0];
	return view == PLAN_NONE ? PLAN_NONE : p->views[view].buffer;
}

/* The limit of an input whose numbers instruction `insn` uses as rows; a copy
 * hands them on to its own users. */
static int64_t
limit_in(const Plan *p, const PlanInsn *insn, uint32_t buffer,
	const int64_t *of_buffer)
{
	if (insn->op == OP_embed && operand_buffer(p, insn, 1) == buffer)
		return p->attrs[insn->attr].rows;
	if (insn->op == OP_copy && operand_buffer(p, insn, 1) == buffer)
		return of_buffer[operand_buffer(p, insn, 0)];
	return INT64_MAX;
}

/* Kernels cannot refuse a number, so inputs are looked at when they are
 * written.  Backwards, so that copies are met behind their users; whoever makes
 * row numbers in another way gets NaN from `embed`. */
static void
find_id_limits(Vm *vm)
{
	const Plan *p = vm->plan;
	int64_t *of_buffer = arena_array(&vm->host, p->n_buffers,
		sizeof *of_buffer);
	for (uint32_t i = 0; i < p->n_buffers; i++)
		of_buffer[i] = INT64_MAX;
	for (uint32_t i = p->n_code; i-- > 0;) {
		const PlanInsn *insn = &p->code[i];
		if (insn->op != OP_embed && insn->op != OP_copy)
			continue;
		uint32_t b = operand_buffer(p, insn, 1);
		if (b != PLAN_NONE)
			of_buffer[b] = min64(of_buffer[b],
				limit_in(p, insn, b, of_buffer));
	}
	vm->id_limit = arena_array(&vm->host, p->n_inputs,
		sizeof *vm->id_limit);
	for (uint32_t i = 0; i < p->n_inputs; i++)
		vm->id_limit[i] = of_buffer[p->inputs[i].buffer];
}

/* ---- binding ---- */

static int
prepare_insn(Vm *vm, const PlanWalk *w)
{
	const Plan *p = vm->plan;
	const PlanInsn *insn = &p->code[w->pc];
	Operand args[ARGS_MAX];
	char place[400];
	operands_build(p, vm->base, insn, w->r, args);
	if (view_elements(&args[0].part[0]) == 0)
		return EXIT_OK;
	int code = insn->op < OP_COUNT ? vm->on->prepare(vm->device,
		(Op)insn->op, args, &p->attrs[insn->attr]) : EXIT_PLAN;
	if (code == EXIT_OK)
		return EXIT_OK;
	insn_place(p, w->pc, place, sizeof place);
	return vm_fail(vm, code, "%s: %s", place, device_error(vm->device));
}

/* The first walk: nothing is computed.  Of the denoising loop and other loops
 * over r0 that run once a step the first two iterations stand for all. */
static int
prepare(Vm *vm)
{
	const Plan *p = vm->plan;
	for (PlanWalk w = {0}; !walk_over(p, &w); walk_on(p, &w)) {
		const PlanInsn *insn = &p->code[w.pc];
		int64_t times = 1;
		if (w.depth && p->head.steps > 2
			&& p->code[w.loop[0]].a == 0) {
			if (w.r[0] == 1)
				times = p->head.steps - 1;
			if (insn->op == CTL_next && w.depth == 1 && w.r[0] == 1)
				walk_last(p, &w);
		}
		vm->insns += times;
		vm->work += (double)times * (double)insn->seconds;
		if (insn->op >= CTL_BASE)
			continue;
		int code = prepare_insn(vm, &w);
		if (code != EXIT_OK)
			return code;
	}
	return EXIT_OK;
}

static int
open_device(Vm *vm, WeightSource *weights)
{
	const Plan *p = vm->plan;
	int want = vm->o.threads > 0 ? vm->o.threads : threads_available();
	DeviceConfig c = {.index = vm->o.device_index,
		.threads = (int)min64(want, p->head.threads)};
	const char *target = p->strings + p->head.target;
	vm->on = vm->o.device ? vm->o.device : device_find(target);
	if (!vm->on)
		return vm_fail(vm, EXIT_DEVICE, "the plan is for '%.40s': this "
			"program has no such device", target);
	int code = vm->on->open(&vm->host, &c, &vm->device);
	if (code == EXIT_OK)
		code = vm->on->bind(vm->device, p, weights, &vm->base);
	return code == EXIT_OK ? code : vm_device_failed(vm, code);
}

int
vm_bind(Vm *vm, WeightSource *weights)
{
	if (vm->bound || vm->device)
		return vm_fail(vm, EXIT_USAGE, "vm_bind: it is bound already");
	if (vm->plan->n_weights && !weights)
		return vm_fail(vm, EXIT_WEIGHTS, "the plan needs weights");
	int code = open_device(vm, weights);
	if (code == EXIT_OK)
		code = prepare(vm);
	if (code != EXIT_OK)
		return code;
	code = vm->on->ready(vm->device);
	if (code != EXIT_OK)
		return vm_device_failed(vm, code);
	find_id_limits(vm);
	if (vm->o.poison) {
		poison_prepare(vm);
		vm->on->fill(vm->device, 0, vm->plan->head.arena_bytes, 0xff);
	}
	if (vm->o.trace) {
		vm->times.events_max = min64(vm->insns, EVENTS_MAX);
		vm->times.events = arena_array(&vm->host,
			(size_t)vm->times.events_max, sizeof(VmEvent));
	}
	vm->bound = true;
	return EXIT_OK;
}

/* ---- inputs and outputs ---- */

static const PlanPort *
find_port(const Plan *p, const PlanPort *ports, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(p->strings + ports[i].name, name))
			return &ports[i];
	return NULL;
}

const PlanPort *
vm_input(const Vm *vm, const char *name)
{
	return find_port(vm->plan, vm->plan->inputs, vm->plan->n_inputs, name);
}

const PlanPort *
vm_output(const Vm *vm, const char *name)
{
	return find_port(vm->plan, vm->plan->outputs, vm->plan->n_outputs,
		name);
}

/* Whether [first, first + n) are elements of the port. */
static bool
inside_port(const Vm *vm, const PlanPort *port, int64_t first, int64_t n)
{
	int64_t all = 1;
	for (int a = 0; a < AXIS_MAX; a++)
		if (port->axes >> a & 1)
			all *= port->n[a];
	return vm->bound && first >= 0 && n >= 0 && first <= all
		&& n <= all - first;
}

/* The first of n numbers that is no row below `limit`; n: none. */
static int64_t
bad_id(DType t, const void *data, int64_t n, int64_t limit)
{
	for (int64_t i = 0; i < n; i++) {
		int32_t id;
		float x;
		if (t == DT_I32) {
			memcpy(&id, (const char *)data + i * 4, 4);
			if (id < 0 || id >= limit)
				return i;
			continue;
		}
		convert(DT_F32, &x, t,
			(const char *)data + i * dtype_bytes(t), 1);
		if (!(x >= 0) || x >= (float)limit
			|| (float)(int64_t)x != x)
			return i;
	}
	return n;
}

int
vm_write_input(Vm *vm, const PlanPort *port, int64_t first, const void *data,
	int64_t n)
{
	const Plan *p = vm->plan;
	DType t = (DType)port->dtype;
	const char *name = p->strings + port->name;
	int64_t limit = vm->bound ? vm->id_limit[port - p->inputs] : 0, bad = n;
	if (!inside_port(vm, port, first, n))
		return vm_fail(vm, EXIT_USAGE, "input '%s' does not have these "
			"elements, or nothing is bound", name);
	if (limit < INT64_MAX)
		bad = bad_id(t, data, n, limit);
	if (bad < n)
		return vm_fail(vm, EXIT_WEIGHTS, "input '%s': element %lld: an "
			"id is outside the table of %lld rows", name,
			(long long)(first + bad), (long long)limit);
	vm->on->write(vm->device, p->buffers[port->buffer].offset
		+ first * dtype_bytes(t), data, n * dtype_bytes(t));
	return EXIT_OK;
}

int
vm_read_output(Vm *vm, const PlanPort *port, int64_t first, void *data,
	int64_t n)
{
	const Plan *p = vm->plan;
	int64_t size = dtype_bytes((DType)port->dtype);
	if (!inside_port(vm, port, first, n))
		return vm_fail(vm, EXIT_USAGE, "output '%s' does not have these "
			"elements, or nothing is bound",
			p->strings + port->name);
	int code = vm->on->read(vm->device, data,
		p->buffers[port->buffer].offset + first * size, n * size);
	return code == EXIT_OK ? code : vm_device_failed(vm, code);
}
