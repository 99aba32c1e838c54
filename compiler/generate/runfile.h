/* runfile.h - what `sluice generate` reads: a YAML file that says which model
 * makes which video.  examples/animatediff.yaml and examples/image_to_video.yaml
 * explain each key.
 */
#ifndef SLUICE_RUNFILE_H
#define SLUICE_RUNFILE_H

#include "ir/base/json.h"
#include "ir/ops.h"
#include "kernels/target.h"

enum { RUNFILE_ERR = 8192 };    /* bytes behind every `err` here */

typedef enum OutputKind {
	OUTPUT_GIF, OUTPUT_WEBP, OUTPUT_MP4, OUTPUT_WEBM, OUTPUT_Y4M, OUTPUT_PNG,
	OUTPUT_TENSORS
} OutputKind;

typedef struct OutputFile {
	OutputKind kind;
	const char *name;       /* may hold {seed} and {n} */
	const char *path;       /* of the video that is made, see runfile_take */
} OutputFile;

/* Everything lives in the arena; paths are relative to the current folder, no
 * longer to the run file. */
typedef struct RunFile {
	const char *path;
	const char *folder;     /* Hugging Face folder, or NULL */
	const char **component; /* "unet=DIR,DIR", replacing the folder's */
	size_t n_component;
	const char *pipeline;   /* .slu, or NULL: by model_index.json */
	const char **prompts;   /* at least one, perhaps "" */
	size_t n_prompts;
	int64_t *seeds;         /* at least one */
	size_t n_seeds;
	size_t take;            /* the video that is made, see runfile_take */
	const char *prompt, *negative_prompt;
	bool long_prompts;      /* in pieces; else cut */
	int64_t clip_skip;      /* last layers of the text encoder left out */
	const char *image;      /* the picture that a clip begins with, or NULL */
	double motion_bucket, noise_aug;
	int64_t frames;         /* 0: the pipeline's own number */
	int64_t steps;
	int64_t rehash_runs;    /* 0: as many as steps */
	const char *calibration;        /* for them, or NULL */
	int64_t width, height;  /* pixels; 0: the model's own size */
	double guidance;
	double min_guidance, max_guidance;      /* of the first and last frame */
	int64_t decode_chunk;   /* frames decoded together; 0: all */
	int64_t seed;           /* this and `prompt`: of the take */
	const char *noise;      /* safetensors, or NULL */
	const Json *scheduler;  /* settings over the folder's, or NULL */
	const Target *target;   /* NULL: the CPU */
	int device_index;       /* which of its kind, from 0 */
	DType dtype;
	int64_t memory;         /* bytes; 0: no limit */
	const char *profile;    /* device profile, or NULL: the built-in one */
	OutputFile *output;
	size_t n_output;
	double fps;             /* 0: the pipeline's own rate */
	bool keep_latents;
	uint64_t given;         /* bits: rows of the table of keys */
} RunFile;

/* Reads the file and then the overrides "key=value".  Returns EXIT_OK, or
 * EXIT_IO, EXIT_SOURCE, EXIT_USAGE with place, reason and source line of all mistakes
 * in `err`; the code is that of the first. */
int runfile_read(Arena *a, const char *path, const char *const *set,
	size_t n_set, RunFile *out, char *err);
/* ---- takes.c ----
 * A run makes a video for each prompt and each seed. */
size_t runfile_takes(const RunFile *r);
/* At the end of reading: what was not given, and whether all videos get names of
 * their own; EXIT_OK or EXIT_SOURCE. */
int runfile_begin_takes(Arena *a, RunFile *r, char *err);
/* Turns to the video `take`, counted from 0, seeds before prompts: sets `prompt`,
 * `seed` and the paths of outputs, in which {seed} and {n} (from 1) become
 * numbers.  A run file that was read stands at the first. */
void runfile_take(Arena *a, RunFile *r, size_t take);
/* A key that was given and has no meaning when the pipeline begins with a picture
 * (or, when not `picture`, with a prompt); NULL: there is none. */
const char *runfile_misplaced(const RunFile *r, bool picture);
/* The same from memory, for tests: `path` names it in messages. */
int runfile_parse(Arena *a, const char *path, const char *text, size_t size,
	const char *const *set, size_t n_set, RunFile *out, char *err);

#endif
