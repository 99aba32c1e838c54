/* weights.h - tensors files, and the weights of a plan in them. */
#ifndef SLUICE_WEIGHTS_H
#define SLUICE_WEIGHTS_H

#include "vm/plan/plan.h"
#include "ir/base/threads.h"

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
/* The same with notes, as the file's __metadata__. */
int tensors_write_noted(const char *path, const TensorOut *t, size_t n,
	const Note *note, size_t n_note, char *err);
/* tensors_write with the format's own name of each type ("F64"), in place of
 * dtype. */
int tensors_write_as(const char *path, const TensorOut *t,
	const char *const *type, size_t n, char *err);

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
 * Uses the source's own staging block (staging_bytes), allocates nothing; the
 * team (NULL: the caller alone) converts and packs.  A NaN or infinity is
 * refused.  Returns an exit code. */
int weights_load(WeightSource *s, Threads *team, const Plan *p, uint32_t w,
	void *dst, char *err);
int64_t weights_staging_bytes(const Plan *p);
void weights_close(WeightSource *s);

#endif
