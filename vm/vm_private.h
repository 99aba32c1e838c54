/* vm_private.h - between bind.c, which gets a plan ready, exec.c, which runs it,
 * and poison.c.
 */
#ifndef SLUICE_VM_PRIVATE_H
#define SLUICE_VM_PRIVATE_H

#include "vm/device/device.h"
#include "vm/operands.h"
#include "vm/plan/walk.h"
#include "vm/vm.h"

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
	bool look;              /* at each result, whether it is finite */
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
