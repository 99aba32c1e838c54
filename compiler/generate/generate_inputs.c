/* generate_inputs.c - prompts and noise to a plan's inputs. */
#include "compiler/generate/generate.h"
#include "vm/inputs.h"
#include "compiler/text/tokenizer.h"

#include <string.h>

static int __attribute__((format(printf, 3, 4)))
fail(char *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err, GENERATE_ERR, fmt, ap);
	va_end(ap);
	return code;
}

const PlanPort *
job_port(const Plan *p, const char *name)
{
	for (uint32_t i = 0; i < p->n_inputs; i++)
		if (!strcmp(p->strings + p->inputs[i].name, name))
			return &p->inputs[i];
	return NULL;
}

/* ---- tokens ---- */

static const char *
tokenizer_folder(Arena *a, const Job *job)
{
	static const char key[] = "tokenizer=";
	for (size_t i = 0; i < job->n_component; i++)
		if (!strncmp(job->component[i], key, sizeof key - 1))
			return job->component[i] + sizeof key - 1;
	return job->run->folder ? arena_printf(a, "%s/tokenizer",
		job->run->folder) : NULL;
}

/* Rows of the text encoder's table of tokens; INT32_MAX: it is not found. */
static int64_t
token_rows(const Plan *p)
{
	static const char suffix[] = "token_embedding.weight";
	size_t k = sizeof suffix - 1;
	for (uint32_t i = 0; i < p->n_weights; i++) {
		const char *name = p->strings + p->weights[i].name;
		size_t n = strlen(name);
		if (n >= k && !strcmp(name + n - k, suffix))
			return p->weights[i].dim[0];
	}
	return INT32_MAX;
}

/* A tokenizer may have tokens that the text encoder was not trained for. */
static int
check_ids(const Plan *p, const char *key, const int32_t *ids, size_t n,
	char *err)
{
	int64_t rows = token_rows(p);
	for (size_t i = 0; i < n; i++)
		if (ids[i] >= rows)
			return fail(err, EXIT_SOURCE, "%s: the tokenizer gives the "
				"id %d, the text encoder has rows for %lld: they do "
				"not belong together", key, ids[i],
				(long long)rows);
	return EXIT_OK;
}

/* A prompt's ids, begin and end included. */
static int
encode(Arena *a, const Tokenizer *t, const char *key, const char *prompt,
	const int32_t **ids, size_t *count, char *err)
{
	*ids = tokenizer_encode(t, a, prompt, strlen(prompt), count);
	return *ids ? EXIT_OK : fail(err, EXIT_SOURCE, "%s: this is not valid "
		"UTF-8", key);
}

/* Begin, a share of what is between a prompt's begin and end, end and padding, for
 * each piece of `length` tokens. */
static void
cut_to_pieces(Arena *a, const Tokenizer *t, const int32_t *ids, size_t count,
	int32_t *out, size_t pieces, size_t length)
{
	int32_t *piece = arena_array(a, length, sizeof *piece);
	for (size_t k = 0, at = 1; k < pieces; k++) {
		size_t left = count - 1 - at;
		size_t n = left < length - 2 ? left : length - 2;
		piece[0] = ids[0];
		memcpy(piece + 1, ids + at, n * sizeof *ids);
		piece[n + 1] = ids[count - 1];
		tokenizer_fit(t, piece, n + 2, out + k * length, length);
		at += n;
	}
}

static int
open_tokenizer(Arena *a, const Job *job, const Tokenizer **t, char *err)
{
	int code = EXIT_OK;
	const char *folder = tokenizer_folder(a, job);
	if (!folder)
		return fail(err, EXIT_SOURCE, "the run file names no tokenizer: "
			"model: {tokenizer: FOLDER, ...}");
	*t = tokenizer_open(a, folder, &code, err);
	return code;
}

/* At least as many pieces as one prompt needs. */
static int
count_pieces(Arena *a, const Tokenizer *t, const char *key, const char *prompt,
	size_t share, int64_t *chunks, char *err)
{
	const int32_t *ids;
	size_t n;
	int code = encode(a, t, key, prompt, &ids, &n, err);
	if (!code)
		*chunks = max64(*chunks, (int64_t)((n - 2 + share - 1) / share));
	return code;
}

int
job_chunks(Arena *a, const Job *job, int64_t length, int64_t *chunks, char *err)
{
	enum { CHUNKS_MAX = 32 };
	const RunFile *r = job->run;
	const Tokenizer *t;
	size_t share = (size_t)length - 2;
	*chunks = 1;
	if (!r->long_prompts || length < 3)
		return EXIT_OK;
	int code = open_tokenizer(a, job, &t, err);
	if (!code)
		code = count_pieces(a, t, "negative_prompt", r->negative_prompt,
			share, chunks, err);
	for (size_t k = 0; k < r->n_prompts && !code; k++)
		code = count_pieces(a, t, "prompt", r->prompts[k], share, chunks,
			err);
	if (!code && *chunks > CHUNKS_MAX)
		return fail(err, EXIT_SOURCE, "the prompts need %lld pieces of "
			"%lld tokens, at most %d are taken", (long long)*chunks,
			(long long)length, CHUNKS_MAX);
	return code;
}

/* One row of the input `tokens`. */
static int
fill_row(Arena *a, const Job *job, const Plan *p, const Tokenizer *t,
	const char *key, const char *prompt, bool quiet, int32_t *out,
	size_t length, char *err)
{
	const int32_t *ids;
	size_t count;
	int code = encode(a, t, key, prompt, &ids, &count, err);
	if (code)
		return code;
	if (job->chunks > 1)
		cut_to_pieces(a, t, ids, count, out, (size_t)job->chunks,
			length / (size_t)job->chunks);
	else if (tokenizer_fit(t, ids, count, out, length) && !quiet)
		warn("the %s has %zu tokens, the text encoder takes %zu: the "
			"rest is cut (or long_prompts: true)", key, count,
			length);
	return check_ids(p, key, out, length, err);
}

/* The token ids of prompt k, behind those of the negative prompt. */
static int
fill_rows(Arena *a, const Job *job, const Plan *p, const Tokenizer *t, size_t k,
	bool quiet, int64_t rows, int64_t length, int32_t *ids, char *err)
{
	const RunFile *r = job->run;
	const char *name = r->n_prompts == 1 ? "prompt"
		: arena_printf(a, "prompt %zu", k + 1);
	int code = rows == 1 ? EXIT_OK : fill_row(a, job, p, t,
		"negative_prompt", r->negative_prompt, quiet || k, ids,
		(size_t)length, err);
	return code ? code : fill_row(a, job, p, t, name, r->prompts[k], quiet,
		ids + (rows - 1) * length, (size_t)length, err);
}

static int
read_tokens(Arena *a, const Job *job, const Plan *p, bool quiet,
	JobInputs *in, char *err)
{
	const RunFile *r = job->run;
	const PlanPort *port = job_port(p, "tokens");
	if (!port)
		return EXIT_OK;         /* a pipeline without text */
	int64_t rows = port->axes & AXIS_BIT(AXIS_B) ? port->n[AXIS_B] : 1;
	int64_t length = port->n[AXIS_TOKEN];
	if (port->dtype != DT_I32 || rows > 2 || length < 2
		|| length % job->chunks || port_elements(port) != rows * length)
		return fail(err, EXIT_SOURCE, "the pipeline's input 'tokens' is "
			"not i32[b, token] with one or two rows");
	const Tokenizer *t;
	int code = open_tokenizer(a, job, &t, err);
	in->tokens = arena_array(a, r->n_prompts, sizeof *in->tokens);
	for (size_t k = 0; k < r->n_prompts && !code; k++) {
		int32_t *ids = arena_array(a, (size_t)(rows * length),
			sizeof *ids);
		code = fill_rows(a, job, p, t, k, quiet, rows, length, ids, err);
		in->tokens[k] = ids;
	}
	return code;
}

/* ---- the rest ---- */

/* The plan as it looks without the inputs that are filled here. */
static Plan
other_inputs(Arena *a, const Plan *p)
{
	static const char *const filled[] = {
		"tokens", "guidance", "image", "clip_image", "time_ids",
	};
	Plan q = *p;
	q.inputs = arena_array(a, p->n_inputs, sizeof *q.inputs);
	q.n_inputs = 0;
	for (uint32_t i = 0; i < p->n_inputs; i++) {
		const char *name = p->strings + p->inputs[i].name;
		size_t k = 0;
		while (k < COUNT_OF(filled) && strcmp(name, filled[k]))
			k++;
		if (k == COUNT_OF(filled))
			q.inputs[q.n_inputs++] = p->inputs[i];
	}
	return q;
}

/* Opens the noise file and checks it against the plan. */
static int
read_noise(Arena *a, const Job *job, const Plan *p, TensorSet *set, char *err)
{
	const char *path = job->run->noise;
	char why[GENERATE_ERR - 512];
	Plan q = other_inputs(a, p);
	*set = (TensorSet){.arena = a};
	int code = path ? tensors_open(set, path, err) : EXIT_OK;
	if (code)
		return code;
	code = inputs_match(&q, set, why, sizeof why);
	if (!code && path && !tensors_find(set, "noise"))
		return fail(err, EXIT_WEIGHTS, "'%.300s' has no tensor 'noise'",
			path);
	return code ? fail(err, code, "%.300s%s%s", path ? path : "",
		path ? ": " : "", why) : EXIT_OK;
}

int
job_inputs(Arena *a, const Job *job, const Plan *p, bool quiet, JobInputs *in,
	char *err)
{
	*in = (JobInputs){0};
	int code = read_tokens(a, job, p, quiet, in, err);
	if (!code)
		code = job_picture(a, job, p, quiet, in, err);
	return code ? code : read_noise(a, job, p, &in->noise, err);
}

/* The weight of frame i of n: one for all frames with a prompt, a ramp with a
 * picture. */
static double
guidance_at(const Job *job, int64_t i, int64_t n)
{
	const RunFile *r = job->run;
	if (!job->picture)
		return r->guidance;
	double way = n > 1 ? (double)i / (double)(n - 1) : 0;
	return r->min_guidance + way * (r->max_guidance - r->min_guidance);
}

/* n elements of an input of f32 or i32; nothing where there is no such input, or
 * nothing to put there. */
static int
fill_input(Vm *vm, const char *name, const void *from, char *err)
{
	const PlanPort *port = vm_input(vm, name);
	int code = port && from ? vm_write_input(vm, port, 0, from,
		port_elements(port)) : EXIT_OK;
	return code ? fail(err, code, "%s", vm_error(vm)) : code;
}

/* Numbers that come from the run file. */
static int
fill_settings(Arena *a, const Job *job, Vm *vm, char *err)
{
	const RunFile *r = job->run;
	const PlanPort *guidance = vm_input(vm, "guidance");
	const PlanPort *ids = vm_input(vm, "time_ids");
	const float numbers[3] = {(float)(job->fps - 1),
		(float)r->motion_bucket, (float)r->noise_aug};
	if (guidance && guidance->dtype != DT_F32)
		return fail(err, EXIT_SOURCE, "the pipeline's input 'guidance' "
			"is not f32");
	if (ids && (ids->dtype != DT_F32 || port_elements(ids) != 3))
		return fail(err, EXIT_SOURCE, "the pipeline's input 'time_ids' "
			"is not f32 of three numbers");
	int64_t n = guidance ? port_elements(guidance) : 0;
	float *weight = arena_array(a, (size_t)n, sizeof *weight);
	for (int64_t i = 0; i < n; i++)
		weight[i] = (float)guidance_at(job, i, n);
	int code = fill_input(vm, "guidance", weight, err);
	return code ? code : fill_input(vm, "time_ids", numbers, err);
}

int
job_fill(Arena *a, const Job *job, const Plan *p, Vm *vm, JobInputs *in,
	char *err)
{
	Plan q = other_inputs(a, p);
	const RunFile *r = job->run;
	int code = fill_input(vm, "tokens", in->tokens
		? in->tokens[r->take / r->n_seeds] : NULL, err);
	if (!code)
		code = fill_input(vm, "image", in->image, err);
	if (!code)
		code = fill_input(vm, "clip_image", in->clip_image, err);
	if (!code)
		code = fill_settings(a, job, vm, err);
	return code ? code : inputs_fill(&q, vm, &in->noise,
		(uint64_t)job->run->seed, err, GENERATE_ERR);
}
