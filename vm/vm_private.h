/* vm_private.h - between bind.c, which gets a plan ready, exec.c, which runs it,
 * and poison.c.
 */
#ifndef SLUICE_VM_PRIVATE_H
#define SLUICE_VM_PRIVATE_H

#include "vm/device/device.h"
#include "vm/operands.h"
#include "vm/vm.h"

/* ---- walking the code ---- */

typedef struct PlanWalk {
	uint32_t pc;            /* the instruction to be done */
	int64_t r[PLAN_REGS];
	uint32_t loop[PLAN_NESTING];    /* open loops, outermost first */
	int depth;
} PlanWalk;

/* Goes past the instruction at pc.  A `next` whose loop is not over goes back
 * to the loop's first instruction. */
static inline void
walk_on(const Plan *p, PlanWalk *w)
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
static inline bool
walk_leaves(const Plan *p, const PlanWalk *w)
{
	uint32_t begin = w->loop[w->depth - 1];
	return w->r[p->code[w->pc].a] + 1 == (int64_t)p->code[begin].b;
}

static inline bool
walk_over(const Plan *p, const PlanWalk *w)
{
	return w->pc >= p->n_code || p->code[w->pc].op == CTL_halt;
}

/* The last loop over r0 that runs once for each step: those in front of it fill
 * tables for all steps. */
static inline uint32_t
find_main_loop(const Plan *p)
{
	uint32_t found = PLAN_NONE;
	for (uint32_t i = 0; p->head.steps && i < p->n_code; i++)
		if (p->code[i].op == CTL_loop && p->code[i].a == 0
			&& p->code[i].b == p->head.steps)
			found = i;
	return found;
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

/* How far the run is at a mark of the device. */
typedef struct Point {
	uint64_t mark;
	VmProgress progress;
} Point;

enum { POINTS = 64 };

struct Vm {
	const Plan *plan;
	VmOptions o;
	Arena host;             /* the Vm's own small tables */
	Device *device;
	const DeviceTable *on;  /* its functions */
	char *base;             /* the device's address of the plan's byte 0 */
	bool bound;
	uint32_t main_loop;     /* the denoising loop, PLAN_NONE: none */
	int64_t insns;          /* in all, loops unrolled */
	double work;            /* in all, in predicted seconds */
	int64_t *id_limit;      /* by input: its numbers must be below that,
	                           INT64_MAX: they are no rows of a table */
	StepInput *step_input;  /* the per_step inputs */
	size_t n_step_input;
	Life *life;             /* of each buffer, when poisoning */
	VmTimes times;
	Point point[POINTS];    /* a ring: what the device has not reached */
	uint64_t points_begun, points_reached;
	VmProgress progress;    /* what was asked for */
	VmProgress reached;     /* what the device has done */
	double start, next_report, work_done;
	char error[1024];
};

int vm_fail(Vm *vm, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The device's reason becomes the Vm's. */
int vm_device_failed(Vm *vm, int code);
/* "instruction 7, conv at down_blocks.0.resnets.0.conv1 (unet)" */
const char *insn_place(const Plan *p, uint32_t pc, char *buf, size_t size);

/* Fills the per_step inputs for a denoising step. (step_input.c) */
void step_inputs_fill(Vm *vm, int64_t step);
void step_inputs_find(Vm *vm);

/* ---- poison.c: filling freed bytes with NaN ---- */
/* When each buffer dies, found once. */
void poison_prepare(Vm *vm);
/* Fills what dies with instruction `at`. */
void poison_after(Vm *vm, uint32_t at);

#endif
