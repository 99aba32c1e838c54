/* exec.c - runs a plan: walks the code with its counted loops, builds each
 * instruction's operands and calls its kernel.
 *
 * vm_bind walks the whole program once without computing: kernels generate
 * their code then, every size is known, and the work is added up for the
 * progress report.  From the end of vm_bind to the end of vm_run nothing is
 * allocated.  A weight whose `wait` follows its `load` is read at once, others
 * by a thread while kernels run (loader.h).
 */
#include "vm/vm.h"
#include "vm/loader.h"
#include "vm/operands.h"
#include "ir/base/philox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	EVENTS_MAX = 1 << 21,
	REPORTS_PER_SECOND = 5,
};

/* ---- walking the code ---- */

typedef struct Walk {
	uint32_t pc;            /* the instruction to be done */
	int64_t r[PLAN_REGS];
	uint32_t loop[PLAN_NESTING];    /* open loops, outermost first */
	int depth;
} Walk;

/* Goes past the instruction at pc.  A `next` whose loop is not over goes back
 * to the loop's first instruction. */
static void
walk_on(const Plan *p, Walk *w)
{
	const PlanInsn *insn = &p->code[w->pc];
	if (insn->op == CTL_loop) {
		w->loop[w->depth++] = w->pc;
		w->r[insn->a] = 0;
	} else if (insn->op == CTL_next) {
		uint32_t begin = w->loop[w->depth - 1];
		if (++w->r[insn->a] < (int64_t)p->code[begin].b) {
			w->pc = begin + 1;
			return;
		}
		w->r[insn->a] = 0;
		w->depth--;
	}
	w->pc++;
}

/* Whether the `next` at pc is about to leave its loop. */
static bool
walk_leaves(const Plan *p, const Walk *w)
{
	uint32_t begin = w->loop[w->depth - 1];
	return w->r[p->code[w->pc].a] + 1 == (int64_t)p->code[begin].b;
}

static bool
walk_over(const Plan *p, const Walk *w)
{
	return w->pc >= p->n_code || p->code[w->pc].op == CTL_halt;
}

/* ---- the machine ---- */

/* The instructions between which a buffer must keep its bytes. */
typedef struct Life {
	uint32_t first, last;
} Life;

/* What a per_step input is filled with. */
typedef struct StepInput {
	const PlanPort *port;
	const float *rows;      /* [steps, ...]; NULL: noise of the seed */
	uint64_t seed;
} StepInput;

struct Vm {
	const Plan *plan;
	VmOptions o;
	Arena host;             /* the Vm's own small tables */
	WeightSource *weights;
	Loader *loader;         /* NULL: no load runs beside kernels */
	char *map, *arena;      /* the reservation; byte 0 of the plan */
	size_t map_bytes;
	Ctx ctx;
	uint32_t main_loop;     /* the denoising loop, PLAN_NONE: none */
	int64_t insns;          /* in all, loops unrolled */
	double work;            /* in all, in predicted seconds */
	Life *life;             /* of each buffer, when poisoning */
	StepInput *step_input;  /* the per_step inputs */
	size_t n_step_input;
	VmTimes times;
	VmProgress progress;
	double start, next_report, work_done;
	char error[1024];
};

static int
vm_fail(Vm *vm, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int
vm_fail(Vm *vm, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(vm->error, sizeof vm->error, fmt, ap);
	va_end(ap);
	return code;
}

/* "conv at down_blocks.0.resnets.0.conv1 (unet)" */
static const char *
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

/* The last loop over r0 that runs once for each step: those in front of it fill
 * tables for all steps. */
static uint32_t
find_main_loop(const Plan *p)
{
	uint32_t found = PLAN_NONE;
	for (uint32_t i = 0; p->head.steps && i < p->n_code; i++)
		if (p->code[i].op == CTL_loop && p->code[i].a == 0
			&& p->code[i].b == p->head.steps)
			found = i;
	return found;
}

Vm *
vm_open(const Plan *p, const VmOptions *o)
{
	Vm *vm = calloc(1, sizeof *vm);
	if (!vm)
		fatal(EXIT_MEMORY, "out of memory");
	vm->plan = p;
	vm->o = o ? *o : (VmOptions){0};
	vm->main_loop = find_main_loop(p);
	vm->step_input = arena_array(&vm->host, p->n_inputs + 1,
		sizeof *vm->step_input);
	for (uint32_t i = 0; i < p->n_inputs; i++)
		if (p->inputs[i].per_step)
			vm->step_input[vm->n_step_input++].port = &p->inputs[i];
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
	loader_stop(vm->loader);
	threads_stop(vm->ctx.team);
	if (vm->map)
		munmap(vm->map, vm->map_bytes);
	arena_free(&vm->host);
	free(vm);
}

/* ---- binding ---- */

/* The arena with an unreadable page on either side.  Huge pages: the kernels
 * walk it with long strides. */
static int
reserve_arena(Vm *vm)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), huge = (size_t)1 << 21;
	size_t bytes = (size_t)round_up(vm->plan->head.arena_bytes,
		(int64_t)page);
	char text[32];
	vm->map_bytes = bytes + 2 * page;
	vm->map = mmap(NULL, vm->map_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm->map == MAP_FAILED) {
		vm->map = NULL;
		return vm_fail(vm, EXIT_MEMORY, "cannot reserve %s for the plan: %s",
			format_bytes(text, vm->plan->head.arena_bytes),
			strerror(errno));
	}
	vm->arena = vm->map + page;
	mprotect(vm->map, page, PROT_NONE);
	mprotect(vm->arena + bytes, page, PROT_NONE);
	if (bytes >= huge)
		madvise(vm->arena, bytes, MADV_HUGEPAGE);
	if (vm->o.poison)
		memset(vm->arena, 0xff, bytes);
	return EXIT_OK;
}

static bool
empty_result(const Operand *args)
{
	return view_elements(&args[0].part[0]) == 0;
}

static int
kernel_failed(Vm *vm, uint32_t pc, KStatus status)
{
	char place[400];
	insn_place(vm->plan, pc, place, sizeof place);
	if (status == K_TOKEN_RANGE)
		return vm_fail(vm, EXIT_WEIGHTS, "%s: an id is outside the table "
			"of %lld rows", place,
			(long long)vm->plan->attrs[vm->plan->code[pc].attr].rows);
	return vm_fail(vm, EXIT_PLAN, "%s: the cpu has no kernel for these "
		"operands", place);
}

static int
call_kernel(Vm *vm, uint32_t pc, const Operand *args)
{
	const PlanInsn *insn = &vm->plan->code[pc];
	Kernel kernel = insn->op < OP_COUNT ? cpu_kernel((Op)insn->op) : NULL;
	KStatus status = kernel ? kernel(&vm->ctx, args,
		&vm->plan->attrs[insn->attr]) : K_UNSUPPORTED;
	return status == K_OK ? EXIT_OK : kernel_failed(vm, pc, status);
}

/* The first walk: nothing is computed.  Of the denoising loop and other loops
 * over r0 that run once a step the first two iterations stand for all. */
static int
prepare(Vm *vm)
{
	const Plan *p = vm->plan;
	Operand args[ARGS_MAX];
	vm->ctx.prepare = true;
	for (Walk w = {0}; !walk_over(p, &w); walk_on(p, &w)) {
		const PlanInsn *insn = &p->code[w.pc];
		int64_t times = 1;
		if (w.depth && p->head.steps > 2 && p->code[w.loop[0]].a == 0
			&& p->code[w.loop[0]].b == p->head.steps) {
			if (w.r[0] == 1)
				times = p->head.steps - 1;
			if (insn->op == CTL_next && w.depth == 1 && w.r[0] == 1)
				w.r[0] = p->head.steps - 1;
		}
		vm->insns += times;
		vm->work += (double)times * (double)insn->seconds;
		if (insn->op >= CTL_BASE)
			continue;
		operands_build(p, vm->arena, insn, w.r, args);
		if (empty_result(args))
			continue;
		int code = call_kernel(vm, w.pc, args);
		if (code != EXIT_OK)
			return code;
	}
	vm->ctx.prepare = false;
	return EXIT_OK;
}

/* All threads that kernels and packing will ever have, so that none is made
 * while the plan runs.  Workspaces are made for so many. */
static int
start_team(Vm *vm)
{
	int want = vm->o.threads > 0 ? vm->o.threads : threads_available();
	vm->ctx.team = threads_start((int)min64(want, vm->plan->head.threads),
		vm->error, sizeof vm->error);
	return vm->ctx.team ? EXIT_OK : EXIT_MEMORY;
}

/* ---- poison ---- */

/* Liveness for poisoning.  A buffer that is used in a loop but written before
 * it lives to the loop's end, one that is used behind a loop but written in it
 * lives from the loop's start: other iterations' bytes are in it. */
static void
find_life(const Plan *p, const PlanBuffer *b, Life *life)
{
	uint32_t open[PLAN_NESTING];
	int depth = 0;
	*life = (Life){b->first, b->last};
	/* first > last: written late in a loop, read early in its next
	 * iteration */
	if (b->role == BUF_OUTPUT || b->first > b->last || b->last >= p->n_code)
		life->last = PLAN_NONE;
	if (b->role == BUF_INPUT || b->role == BUF_TABLE || b->first > b->last)
		life->first = 0;
	for (uint32_t i = 0; i < p->n_code; i++) {
		if (p->code[i].op == CTL_loop)
			open[depth++] = i;
		if (p->code[i].op != CTL_next)
			continue;
		uint32_t begin = open[--depth];
		bool first = begin <= life->first && life->first <= i;
		bool last = begin <= life->last && life->last <= i;
		if (first && !last)
			life->first = begin;
		if (last && !first)
			life->last = i;
	}
}

static void
find_lives(Vm *vm)
{
	const Plan *p = vm->plan;
	vm->life = arena_array(&vm->host, p->n_buffers, sizeof *vm->life);
	for (uint32_t i = 0; i < p->n_buffers; i++)
		find_life(p, &p->buffers[i], &vm->life[i]);
}

/* Fills the bytes of `dead` that no buffer alive after instruction `at` has. */
static void
poison_buffer(Vm *vm, uint32_t dead, uint32_t at)
{
	const Plan *p = vm->plan;
	int64_t from = p->buffers[dead].offset;
	int64_t end = from + p->buffers[dead].bytes;
	while (from < end) {
		int64_t until = end, skip = from;
		for (uint32_t i = 0; i < p->n_buffers; i++) {
			const PlanBuffer *b = &p->buffers[i];
			if (vm->life[i].first > at || vm->life[i].last <= at)
				continue;
			if (b->offset <= from && from < b->offset + b->bytes)
				skip = max64(skip, b->offset + b->bytes);
			else if (b->offset > from)
				until = min64(until, b->offset);
		}
		if (skip == from)
			memset(vm->arena + from, 0xff, (size_t)(until - from));
		from = skip > from ? skip : until;
	}
}

static void
poison_after(Vm *vm, uint32_t at)
{
	for (uint32_t i = 0; i < vm->plan->n_buffers; i++)
		if (vm->life[i].last == at)
			poison_buffer(vm, i, at);
}

/* Whether the load at pc is waited for at once. */
static bool
waits_at_once(const Plan *p, uint32_t pc)
{
	return pc + 1 < p->n_code && p->code[pc + 1].op == CTL_wait
		&& p->code[pc + 1].a == p->code[pc].a;
}

static int
start_loader(Vm *vm)
{
	const Plan *p = vm->plan;
	bool beside = false;
	for (uint32_t i = 0; i < p->n_code; i++)
		beside |= p->code[i].op == CTL_load && !waits_at_once(p, i);
	if (!beside)
		return EXIT_OK;
	vm->loader = loader_start(&vm->host, p, vm->weights, vm->arena);
	return vm->loader ? EXIT_OK : vm_fail(vm, EXIT_MEMORY,
		"cannot start the thread that reads weights");
}

int
vm_bind(Vm *vm, WeightSource *weights)
{
	if (vm->plan->n_weights && !weights)
		return vm_fail(vm, EXIT_WEIGHTS, "the plan needs weights");
	vm->weights = weights;
	int code = reserve_arena(vm);
	if (code != EXIT_OK)
		return code;
	cpu_init();
	code = start_team(vm);
	if (code == EXIT_OK)
		code = prepare(vm);
	if (code == EXIT_OK)
		code = start_loader(vm);
	if (code != EXIT_OK)
		return code;
	if (vm->o.poison)
		find_lives(vm);
	if (vm->o.trace) {
		vm->times.events_max = min64(vm->insns, EVENTS_MAX);
		vm->times.events = arena_array(&vm->host,
			(size_t)vm->times.events_max, sizeof(VmEvent));
	}
	return EXIT_OK;
}

static void *
find_port(const Vm *vm, const PlanPort *ports, uint32_t n, const char *name,
	const PlanPort **port)
{
	const Plan *p = vm->plan;
	for (uint32_t i = 0; i < n; i++) {
		if (strcmp(p->strings + ports[i].name, name))
			continue;
		if (port)
			*port = &ports[i];
		return vm->arena + p->buffers[ports[i].buffer].offset;
	}
	return NULL;
}

void *
vm_input(Vm *vm, const char *name, const PlanPort **port)
{
	return find_port(vm, vm->plan->inputs, vm->plan->n_inputs, name, port);
}

const void *
vm_output(Vm *vm, const char *name, const PlanPort **port)
{
	return find_port(vm, vm->plan->outputs, vm->plan->n_outputs, name, port);
}

void
vm_step_input(Vm *vm, const char *name, const float *rows, uint64_t seed)
{
	for (size_t i = 0; i < vm->n_step_input; i++)
		if (!strcmp(vm->plan->strings + vm->step_input[i].port->name,
				name)) {
			vm->step_input[i].rows = rows;
			vm->step_input[i].seed = seed;
		}
}

/* Fills the per_step inputs for a denoising step. */
static void
fill_step(Vm *vm, int64_t step)
{
	for (size_t i = 0; i < vm->n_step_input; i++) {
		const StepInput *s = &vm->step_input[i];
		const char *name = vm->plan->strings + s->port->name;
		char *dst = vm->arena
			+ vm->plan->buffers[s->port->buffer].offset;
		int64_t n = 1;
		for (int a = 0; a < AXIS_MAX; a++)
			if (s->port->axes >> a & 1)
				n *= s->port->n[a];
		if (s->rows)
			memcpy(dst, s->rows + step * n, (size_t)n * sizeof *s->rows);
		else
			philox_normal(s->seed, philox_stream(name)
				+ (uint64_t)step, (float *)(void *)dst, n);
	}
}

/* ---- running ---- */

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
				touch(vm, end - vm->arena);
		}
}

static void
fill_tables(Vm *vm)
{
	const Plan *p = vm->plan;
	for (uint32_t i = 0; i < p->n_tables; i++) {
		const PlanTable *t = &p->tables[i];
		memcpy(vm->arena + p->buffers[t->buffer].offset,
			p->blob + t->data, (size_t)t->bytes);
		touch_buffer(vm, t->buffer);
	}
	for (uint32_t i = 0; i < p->n_inputs; i++)
		touch_buffer(vm, p->inputs[i].buffer);
}

static const char *
phase_name(const Plan *p, uint32_t pc)
{
	for (uint32_t i = 0; i < p->n_phases; i++)
		if (p->phases[i].first <= pc && pc <= p->phases[i].last)
			return p->strings + p->phases[i].name;
	return "";
}

/* Tells the caller how far the run is; false: stop. */
static bool
report(Vm *vm, const Walk *w, double now)
{
	VmProgress *g = &vm->progress;
	bool inside = w->depth && w->loop[0] == vm->main_loop;
	if (!vm->o.progress)
		return true;
	g->insns = vm->insns;
	g->steps = vm->main_loop == PLAN_NONE ? 0 : vm->plan->head.steps;
	g->step = inside ? w->r[0] : w->pc > vm->main_loop ? g->steps : 0;
	g->seconds = now - vm->start;
	g->fraction = vm->work > 0 ? vm->work_done / vm->work
		: (double)g->insn / (double)max64(vm->insns, 1);
	if (g->fraction > 1)
		g->fraction = 1;
	g->phase = phase_name(vm->plan, w->pc);
	vm->next_report = now + 1.0 / REPORTS_PER_SECOND;
	return vm->o.progress(vm->o.user, g);
}

/* A value that leaves a denoising step must be finite. */
static int
check_result(Vm *vm, const Walk *w, const Operand *args)
{
	const Plan *p = vm->plan;
	const PlanInsn *insn = &p->code[w->pc];
	uint32_t view = p->operands[insn->first_operand].view[0];
	char place[400];
	if (!vm->o.check_finite_step)
		return EXIT_OK;
	if (insn->op != OP_sample
		&& p->buffers[p->views[view].buffer].role != BUF_OUTPUT)
		return EXIT_OK;
	int64_t bad = view_nonfinite(&args[0].part[0]);
	if (bad < 0)
		return EXIT_OK;
	insn_place(p, w->pc, place, sizeof place);
	if (w->depth && w->loop[0] == vm->main_loop)
		return vm_fail(vm, EXIT_NUMERICS, "step %lld: %s made a NaN or "
			"infinity (element %lld)", (long long)w->r[0] + 1, place,
			(long long)bad);
	return vm_fail(vm, EXIT_NUMERICS, "%s made a NaN or infinity "
		"(element %lld)", place, (long long)bad);
}

static int
run_compute(Vm *vm, const Walk *w)
{
	const Plan *p = vm->plan;
	const PlanInsn *insn = &p->code[w->pc];
	Operand args[ARGS_MAX];
	operands_build(p, vm->arena, insn, w->r, args);
	if (empty_result(args))
		return EXIT_OK;
	touch_operands(vm, args);
	int code = call_kernel(vm, w->pc, args);
	if (code != EXIT_OK)
		return code;
	vm->times.op_flops[insn->op] += operands_flops((Op)insn->op, args,
		&p->attrs[insn->attr]);
	vm->times.op_calls[insn->op]++;
	return check_result(vm, w, args);
}

static int
run_load(Vm *vm, uint32_t pc)
{
	const Plan *p = vm->plan;
	uint32_t weight = p->code[pc].a;
	const PlanBuffer *b = &p->buffers[p->weights[weight].buffer];
	touch(vm, b->offset + b->bytes);
	if (vm->loader && !(waits_at_once(p, pc) && loader_idle(vm->loader))) {
		loader_begin(vm->loader, weight);
		return EXIT_OK;
	}
	double start = now_seconds();
	int code = weights_load(vm->weights, vm->ctx.team, p, weight,
		vm->arena + b->offset, vm->error);
	vm->times.load_seconds += now_seconds() - start;
	return code;
}

static int
run_wait(Vm *vm, uint32_t weight)
{
	return vm->loader ? loader_wait(vm->loader, weight, vm->error)
		: EXIT_OK;
}

/* Adds what the instruction took to the tables. */
static void
account(Vm *vm, const Walk *w, double start, double end)
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

static int
run_code(Vm *vm)
{
	const Plan *p = vm->plan;
	double loop_start = vm->start;
	Walk w = {0};
	for (; !walk_over(p, &w); walk_on(p, &w)) {
		const PlanInsn *insn = &p->code[w.pc];
		double start = now_seconds(), end;
		int code = EXIT_OK;
		bool leaves = insn->op == CTL_next && walk_leaves(p, &w);
		if (insn->op < CTL_BASE)
			code = run_compute(vm, &w);
		else if (insn->op == CTL_load)
			code = run_load(vm, w.pc);
		else if (insn->op == CTL_wait)
			code = run_wait(vm, insn->a);
		if (code != EXIT_OK)
			return code;
		end = now_seconds();
		account(vm, &w, start, end);
		if (w.pc == vm->main_loop) {
			loop_start = end;
			fill_step(vm, 0);
		}
		if (insn->op == CTL_next && !leaves
			&& w.loop[w.depth - 1] == vm->main_loop)
			fill_step(vm, w.r[insn->a] + 1);
		if (leaves && w.loop[w.depth - 1] == vm->main_loop)
			vm->times.loop_seconds += end - loop_start;
		if (vm->o.poison && (insn->op != CTL_next || leaves))
			poison_after(vm, w.pc);
		vm->progress.insn++;
		vm->work_done += (double)insn->seconds;
		if (end >= vm->next_report && !report(vm, &w, end))
			return vm_fail(vm, EXIT_INTERRUPTED, "interrupted");
	}
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
		const PlanBuffer *b = &p->buffers[o->buffer];
		View v = {.data = vm->arena + b->offset,
			.dtype = (DType)o->dtype};
		for (int a = 0; a < AXIS_MAX; a++)
			v.n[a] = 1;
		for (int a = 0; a < AXIS_MAX; a++)
			if (o->axes >> a & 1)
				v.n[AXIS_C] *= o->n[a];
		v.stride[AXIS_C] = 1;
		int64_t bad = view_nonfinite(&v);
		if (bad >= 0)
			return vm_fail(vm, EXIT_NUMERICS, "output '%s' has a NaN or "
				"infinity (element %lld)", p->strings + o->name,
				(long long)bad);
	}
	return EXIT_OK;
}

int
vm_run(Vm *vm)
{
	VmTimes *t = &vm->times, clean = {.insn_seconds = t->insn_seconds,
		.events = t->events, .events_max = t->events_max};
	*t = clean;
	if (t->insn_seconds)
		memset(t->insn_seconds, 0,
			vm->plan->n_code * sizeof *t->insn_seconds);
	vm->progress = (VmProgress){0};
	vm->work_done = 0;
	vm->start = vm->next_report = now_seconds();
	fill_tables(vm);
	int code = run_code(vm);
	if (vm->loader) {
		t->load_seconds += loader_seconds(vm->loader);
		loader_reset(vm->loader);
	}
	t->seconds = now_seconds() - vm->start;
	if (code == EXIT_OK && vm->o.check_finite_step)
		code = check_outputs(vm);
	return code;
}
