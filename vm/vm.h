/* vm.h - the C API: open a plan, bind weights and inputs, run, read outputs.
 *
 * Ownership: a Vm owns its arena (one reservation, made by vm_bind, nothing
 * after it) and everything it opens; the caller owns the Plan, which must
 * outlive the Vm, and what it passes in.  Functions that can fail return an
 * exit code (EXIT_OK: done) and leave the reason in vm_error().
 */
#ifndef SLUICE_VM_H
#define SLUICE_VM_H

#include "plan.h"

/* ---- tensors files (safetensors.c) ---- */
typedef struct Tensor {
	const char *name;
	DType dtype;            /* DT_COUNT: a type that Sluice does not compute
	                           with (`dtype_text` says which) */
	const char *dtype_text;
	int rank;
	int64_t dim[8];
	int64_t offset, bytes;  /* in the file */
	int file;               /* index into the set's files */
} Tensor;

typedef struct TensorSet {
	Arena *arena;
	Vec(Tensor) tensors;
	Vec(int) fds;
	Vec(const char *) paths;
} TensorSet;

/* Opens safetensors data: a file, a *.index.json with its shards, or a folder
 * that holds either (also names with ".fp16.").  Adds to the set (begun as
 * {.arena = a}; its list is sorted by name; pointers into it do not survive);
 * a name that is there already is replaced (later folders win).  On failure
 * the set is as before.  Returns an exit code; `err` holds at least 512
 * bytes. */
int tensors_open(TensorSet *s, const char *path, char *err);
void tensors_close(TensorSet *s);
const Tensor *tensors_find(const TensorSet *s, const char *name);
/* Reads `bytes` bytes of the tensor from byte `from` on. */
int tensor_read(const TensorSet *s, const Tensor *t, int64_t from,
	void *dst, int64_t bytes, char *err);

typedef struct TensorOut {
	const char *name;
	DType dtype;
	int rank;
	int64_t dim[8];
	const void *data;       /* dense */
} TensorOut;
/* Writes a safetensors file whole or not at all. */
int tensors_write(const char *path, const TensorOut *t, size_t n, char *err);

/* ---- weights (weights.c) ----
 * Where a plan's weights come from. */
typedef struct WeightSource WeightSource;

/* No files: generated values, the same for every run of one seed, with a
 * spread that keeps activations near 1 (for `bench`). */
WeightSource *weights_generated(Arena *a, const Plan *p, uint64_t seed);
/* Matches the plan's weights against files.  `folder`: a file or folder for a
 * nameless component, or a Hugging Face folder with one folder for each
 * component; `component` (may be NULL) lists "unet=DIR,DIR" replacements.  Old
 * VAE names and text encoders with and without "text_model." are understood.
 * Missing and mis-shaped tensors are reported together, with the nearest name,
 * in one message; unused ones in one line on stderr unless `quiet`. */
WeightSource *weights_open(Arena *a, const Plan *p, const char *folder,
	const char *const *component, size_t ncomponent, bool quiet,
	int *code, char *err, size_t err_size);
/* Reads, converts and packs weight `w` to `dst` (plan's type and layout).
 * Uses the source's own staging block (staging_bytes), allocates nothing.
 * A NaN or infinity is refused.  Returns an exit code. */
int weights_load(WeightSource *s, const Plan *p, uint32_t w, void *dst,
	char *err);
int64_t weights_staging_bytes(const Plan *p);
void weights_close(WeightSource *s);

/* ---- random numbers (philox.c) ---- */
/* n normal deviates of stream `stream` of `seed`: Philox 4x32-10 counters and
 * Box-Muller, the same on every machine. */
void philox_normal(uint64_t seed, uint64_t stream, float *x, int64_t n);
/* Stream number for a name: its hash. */
uint64_t philox_stream(const char *name);
/* The generator itself: 10 rounds over one counter. */
void philox_block(const uint32_t counter[4], const uint32_t key[2],
	uint32_t out[4]);

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
	int threads;            /* 0: as many as the machine has */
	bool poison;            /* debug: fill freed bytes with NaN */
	bool check_finite_step; /* look for NaN in carried values each step */
	bool profile;           /* insn_seconds of VmTimes */
	bool trace;             /* events of VmTimes */
	/* Called between instructions (at most some times a second); false
	 * stops the run with EXIT_INTERRUPTED. */
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
/* Reserves the arena, matches the weights, prepares the kernels.  After this
 * nothing is allocated until vm_close. */
int vm_bind(Vm *vm, WeightSource *weights);
/* Memory of an input, to be filled before vm_run; NULL: no such input.  Valid
 * after vm_bind.  *port describes it. */
void *vm_input(Vm *vm, const char *name, const PlanPort **port);
int vm_run(Vm *vm);
/* Memory of an output after vm_run. */
const void *vm_output(Vm *vm, const char *name, const PlanPort **port);
const char *vm_error(const Vm *vm);
const VmTimes *vm_times(const Vm *vm);
void vm_close(Vm *vm);

#endif
