/* vm.h - the C API: open a plan, bind weights and inputs, run, read outputs.
 *
 * Ownership: a Vm owns its arena (one reservation, made by vm_bind, nothing
 * after it) and everything it opens; the caller owns the Plan, which must
 * outlive the Vm, and what it passes in.  Functions that can fail return an
 * exit code (EXIT_OK: done) and leave the reason in vm_error().
 */
#ifndef SLUICE_VM_H
#define SLUICE_VM_H

#include "vm/weights/weights.h"

/* ---- running (exec.c) ---- */
typedef struct Vm Vm;

typedef struct VmProgress {
	int64_t insn, insns;    /* done and in all, loops unrolled */
	int64_t step, steps;    /* denoising */
	double seconds;         /* since the start */
	double fraction;        /* of the work, by predicted time */
	const char *phase;
} VmProgress;

typedef struct VmOptions {
	int threads;            /* at most so many, and no more than the plan
	                           has workspaces for; 0: as many as there are
	                           processors */
	const struct DeviceTable *device;       /* NULL: the one of the plan's
	                           target */
	int device_index;       /* which of its kind, from 0 */
	bool sync;              /* debug: wait for the device after each
	                           instruction, so that an error has its place */
	bool poison;            /* debug: fill freed bytes with NaN */
	bool check_finite_step; /* look for NaN in carried values each step */
	bool profile;           /* insn_seconds of VmTimes */
	bool trace;             /* events of VmTimes */
	/* Called between instructions (some times a second, and after each
	 * denoising step); false stops the run with EXIT_INTERRUPTED. */
	bool (*progress)(void *user, const VmProgress *p);
	void *user;
} VmOptions;

/* One execution of an instruction. */
typedef struct VmEvent {
	uint32_t insn;
	float seconds;
	double start;           /* since the start of the run */
} VmEvent;

typedef struct VmTimes {
	double seconds, loop_seconds;
	double load_seconds;    /* reading, converting and packing weights */
	double wait_seconds;    /* in which kernels waited for them */
	double loop_wait_seconds;       /* the part of the denoising loop */
	double op_seconds[OP_COUNT], op_flops[OP_COUNT];
	int64_t op_calls[OP_COUNT];
	double *insn_seconds;   /* by instruction, when profiling */
	int64_t measured_peak_bytes;    /* highest byte of the arena touched */
	VmEvent *events;        /* when tracing; at most events_max are kept */
	int64_t n_events, events_max;
} VmTimes;

Vm *vm_open(const Plan *p, const VmOptions *o);
/* Opens the device, reserves the arena, prepares the kernels; once only.  After
 * this nothing is allocated until vm_close. */
int vm_bind(Vm *vm, WeightSource *weights);
/* The input or output of that name, dense, axes in order; NULL: there is none.
 * It belongs to the plan. */
const PlanPort *vm_input(const Vm *vm, const char *name);
const PlanPort *vm_output(const Vm *vm, const char *name);
/* Elements [first, first + n) of an input of the bound Vm, in the port's type.
 * All inputs are to be written before each vm_run.  EXIT_WEIGHTS: a number that
 * the program takes for a row of a table is outside of it. */
int vm_write_input(Vm *vm, const PlanPort *port, int64_t first,
	const void *data, int64_t n);
/* An input that is filled anew before each denoising step (per_step): from
 * `rows`, f32 [steps, ...], which must last until the run has ended; or, when
 * that is NULL, with normal deviates of (seed, name, step).  So it is in any
 * case, with seed 0, unless this is called. */
void vm_step_input(Vm *vm, const char *name, const float *rows, uint64_t seed);
int vm_run(Vm *vm);
/* After a run that ended with EXIT_NUMERICS: further ones (inputs are to be
 * written again) look at each result, and so name the first instruction that made
 * a NaN or infinity.  Wants check_finite_step. */
void vm_look(Vm *vm);
/* Elements [first, first + n) of an output after vm_run; from `progress`, what was
 * written of it so far. */
int vm_read_output(Vm *vm, const PlanPort *port, int64_t first, void *data,
	int64_t n);
const char *vm_error(const Vm *vm);
const VmTimes *vm_times(const Vm *vm);
void vm_close(Vm *vm);

#endif
