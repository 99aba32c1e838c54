/* generate.h - the parts of `sluice generate`: a run file and a model's folder
 * to what is compiled (generate.c), prompts and noise to the plan's inputs
 * (generate_inputs.c), a picture to them too (generate_picture.c), weights
 * (generate_weights.c), outputs to files (generate_outputs.c).
 */
#ifndef SLUICE_GENERATE_H
#define SLUICE_GENERATE_H

#include "compiler/compiler.h"
#include "compiler/generate/runfile.h"
#include "vm/vm.h"

enum { GENERATE_ERR = 8192 };   /* bytes behind every `err` here */

/* What is compiled, and from where. */
typedef struct Job {
	const RunFile *run;
	CompileOptions compile;
	const char **component; /* "unet=DIR,DIR": the run file's, and a motion
	                           adapter that lies in the folder */
	size_t n_component;
	int64_t steps;          /* calls of the model: of the run file, or rehash's */
	int64_t chunks;         /* pieces of the prompts, see job_chunks */
	const char *scheduler;  /* its class, for notes in pictures */
	const Json *scheduler_config;   /* with the run file's settings; NULL:
	                           there is none */
	const char *model_class;        /* of the UNet, "": it is not known */
	bool picture;           /* begins with a picture, not with a prompt */
	double fps;
} Job;

/* What a plan's inputs are filled with. */
typedef struct JobInputs {
	const int32_t **tokens; /* for each prompt, or NULL */
	float *image;           /* [h, w, c], 0..1 */
	float *clip_image;      /* [h, w, c] */
	TensorSet noise;
} JobInputs;

/* Chooses the pipeline by the class in model_index.json, reads the configs and
 * sets the parameters.  `table` (or NULL) takes the place of the scheduler and of
 * the run file's steps.  Returns EXIT_OK or an exit code. */
int job_make(Arena *a, const RunFile *run, int threads, const Sampler *table,
	bool quiet, Job *out, char *err);
/* job_make's part for the run file's rehash: a table, or another sampler, which is
 * said unless `quiet`. */
int job_rehash(Arena *a, Job *job, bool quiet, char *err);

/* Pieces that long prompts need, each of `length` tokens with its begin and end: 1
 * unless the run file says long_prompts.  EXIT_OK or why the tokenizer cannot be
 * read. */
int job_chunks(Arena *a, const Job *job, int64_t length, int64_t *chunks,
	char *err);
/* What the inputs of `p` are filled with, checked before anything runs: token
 * ids of the prompts, as the plan's input `tokens` wants them, the negative
 * prompt's first when there are two rows; the picture, as `image` and
 * `clip_image` want it; the noise file, if there is one.  A prompt that is too
 * long is cut, a picture of another shape is stretched, both with a warning
 * unless `quiet`. */
int job_inputs(Arena *a, const Job *job, const Plan *p, bool quiet,
	JobInputs *in, char *err);
/* Whether the picture is named and there: found out before the work. */
int job_picture_there(const Job *job, char *err);
/* job_inputs's part for the picture. */
int job_picture(Arena *a, const Job *job, const Plan *p, bool quiet,
	JobInputs *in, char *err);
/* Fills the inputs of a bound Vm for the video at which the run file stands:
 * tokens, the picture and what goes with it, guidance, noise by file or seed. */
int job_fill(Arena *a, const Job *job, const Plan *p, Vm *vm, JobInputs *in,
	char *err);
/* The weights of the plan's components; NULL with an exit code in *code. */
WeightSource *job_weights(Arena *a, const Job *job, const Plan *p, bool quiet,
	int *code, char *err);
/* A hash of the UNet's weights: names, shapes and the first bytes of each tensor.
 * Returns an exit code. */
int job_model_hash(Arena *a, const Job *job, const char **hash, char *err);
/* The plan's input of this name, or NULL. */
const PlanPort *job_port(const Plan *p, const char *name);

/* ---- generate_preview.c ---- */
typedef struct Preview {
	int64_t every;          /* steps between two; 0: there are none */
	int64_t shown;          /* how many times `every` steps were shown */
	bool broken;            /* one could not be made, which has been told */
} Preview;
/* Makes a preview when `step` steps are done and one is due: NAME.preview.gif
 * beside the first output, in place of the last one.  The plan must keep its
 * latents (CompileOptions.lang.keep_latents). */
void preview_step(Preview *pv, const Job *job, Vm *vm, int64_t step);

/* Without ffmpeg an MP4 or WebM becomes a Y4M file of its name: said before the work,
 * unless `quiet`. */
void outputs_settle(Arena *a, RunFile *r, bool quiet);
/* Whether every output could be written: found out before the work. */
int job_writable(const Job *job, char *err);
/* Writes all outputs of a finished run. */
int job_write(Arena *a, const Job *job, const Plan *p, Vm *vm, char *err);

#endif
