/* calibration.c - the file of inner products: a safetensors file with two tensors,
 *   gram    F64 [prompts, 2 steps + 1, 2 steps + 1]
 *   header  U8: JSON, {"sluice_calibration": 1, "model": hash of its weights,
 *           "model_class", "sampler": its table as text, "reference": that of the
 *           steps as the runs took them, "guidance", "frames", "width", "height",
 *           "seed", "prompts": [text]}
 * `prompts` are all that the file is for; `gram` has as many as are done.
 */
#include "compiler/rehash/rehash.h"
#include "vm/weights/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, HEADER_MAX = 8 << 20, DEPTH = 4 };

static int __attribute__((format(printf, 3, 4)))
fail(const Calibration *c, char *err, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(err, REHASH_ERR, "%.200s: ", c->path);
	va_start(ap, fmt);
	vsnprintf(err + n, REHASH_ERR - (size_t)n, fmt, ap);
	va_end(ap);
	return EXIT_WEIGHTS;
}

/* ---- the header ---- */

static bool
get_text(const Json *j, const char *key, const char **out)
{
	const Json *x = json_get(j, key);
	*out = x && x->kind == JSON_STRING ? x->text : NULL;
	return *out != NULL;
}

static bool
get_int(const Json *j, const char *key, int64_t *out)
{
	const Json *x = json_get(j, key);
	bool ok = x && x->kind == JSON_INT && x->integer >= 0;
	*out = ok ? x->integer : 0;
	return ok;
}

static const Sampler *
get_table(Arena *a, const Calibration *c, const Json *j, const char *key,
	char *err)
{
	const char *text;
	char why[SAMPLER_ERR];
	if (!get_text(j, key, &text)) {
		fail(c, err, "its header lacks '%s'", key);
		return NULL;
	}
	/* the reader cuts the text into words */
	const Sampler *m = sampler_table_parse(a, key, arena_strdup(a, text),
		strlen(text), why);
	if (!m)
		fail(c, err, "its header: %.250s", why);
	return m;
}

static bool
get_prompts(Arena *a, Calibration *c, const Json *j)
{
	const Json *list = json_get(j, "prompts");
	if (!list || list->kind != JSON_LIST || !list->n
		|| list->n > REHASH_PROMPTS_MAX)
		return false;
	c->wanted = (int64_t)list->n;
	c->prompt = arena_array(a, list->n, sizeof *c->prompt);
	for (size_t i = 0; i < list->n; i++) {
		if (list->item[i].kind != JSON_STRING)
			return false;
		c->prompt[i] = list->item[i].text;
	}
	return true;
}

static int
read_header(Arena *a, Calibration *c, const char *text, size_t size, char *err)
{
	JsonError e;
	int64_t version;
	const Json *j = json_parse(a, text, size, DEPTH, &e);
	if (!j)
		return fail(c, err, "its header is damaged: %s", e.text);
	if (!get_int(j, "sluice_calibration", &version))
		return fail(c, err, "this is no calibration");
	if (version != VERSION)
		return fail(c, err, "this is a calibration of version %lld; "
			"version %d is read", (long long)version, VERSION);
	const Json *guidance = json_get(j, "guidance");
	bool ok = get_text(j, "model", &c->model)
		&& get_text(j, "model_class", &c->model_class)
		&& get_int(j, "frames", &c->frames)
		&& get_int(j, "width", &c->width)
		&& get_int(j, "height", &c->height)
		&& get_int(j, "seed", &c->seed) && get_prompts(a, c, j)
		&& guidance && (guidance->kind == JSON_INT
		|| guidance->kind == JSON_FLOAT);
	if (!ok)
		return fail(c, err, "its header is not whole");
	c->guidance = guidance->number;
	c->sampler = get_table(a, c, j, "sampler", err);
	c->reference = c->sampler ? get_table(a, c, j, "reference", err) : NULL;
	if (!c->reference)
		return EXIT_WEIGHTS;
	if (c->reference->rows != c->sampler->rows
		|| c->sampler->rows > REHASH_STEPS_MAX)
		return fail(c, err, "its tables have %lld and %lld steps",
			(long long)c->sampler->rows,
			(long long)c->reference->rows);
	return EXIT_OK;
}

/* ---- the numbers ---- */

/* Finite, symmetric but for rounding, no longer than the lengths allow. */
static bool
are_products(const double *m, int64_t side)
{
	for (int64_t i = 0; i < side; i++)
		for (int64_t k = 0; k <= i; k++) {
			double x = m[i * side + k], y = m[k * side + i];
			double most = sqrt(m[i * side + i]) * sqrt(m[k * side + k]);
			if (!(most > 0) || !isfinite(most)
				|| !(fabs(x - y) <= 1e-9 * most)
				|| !(fabs(x) <= (1 + 1e-9) * most))
				return false;
		}
	return true;
}

static int
check_gram(const Calibration *c, char *err)
{
	int64_t side = 2 * c->sampler->rows + 1;
	for (int64_t g = 0; g < c->n; g++)
		if (!are_products(c->gram + g * side * side, side))
			return fail(c, err, "prompt %lld: its numbers are no inner "
				"products", (long long)g + 1);
	return EXIT_OK;
}

static int
read_gram(Arena *a, const TensorSet *set, Calibration *c, char *err)
{
	const Tensor *t = tensors_find(set, "gram");
	int64_t side = 2 * c->sampler->rows + 1;
	if (!t || strcmp(t->dtype_text, "F64") || t->rank != 3
		|| t->dim[0] > c->wanted || t->dim[1] != side || t->dim[2] != side)
		return fail(c, err, "'gram' is not F64 [prompts, %lld, %lld] for "
			"%lld prompts and %lld steps", (long long)side,
			(long long)side, (long long)c->wanted,
			(long long)c->sampler->rows);
	c->n = t->dim[0];
	c->gram = arena_array(a, (size_t)t->bytes + 1, 1);
	int code = tensor_read(set, t, 0, c->gram, t->bytes, err);
	return code ? code : check_gram(c, err);
}

static int
read_set(Arena *a, const TensorSet *set, Calibration *c, char *err)
{
	const Tensor *t = tensors_find(set, "header");
	if (!t || strcmp(t->dtype_text, "U8") || t->bytes > HEADER_MAX)
		return fail(c, err, "this is no calibration: it has no 'header'");
	char *text = arena_alloc(a, (size_t)t->bytes + 1);
	int code = tensor_read(set, t, 0, text, t->bytes, err);
	if (!code)
		code = read_header(a, c, text, (size_t)t->bytes, err);
	return code ? code : read_gram(a, set, c, err);
}

int
calibration_read(Arena *a, const char *path, Calibration *c, char *err)
{
	TensorSet set = {.arena = a};
	*c = (Calibration){.path = path};
	int code = tensors_open(&set, path, err);
	if (!code)
		code = read_set(a, &set, c, err);
	tensors_close(&set);
	return code;
}

/* ---- writing ---- */

static void
print_table(FILE *f, const char *key, const Sampler *m)
{
	char *text = NULL;
	size_t size;
	FILE *t = open_memstream(&text, &size);
	if (!t)
		fatal(EXIT_MEMORY, "out of memory");
	sampler_table_print(m, t);
	if (fclose(t))
		fatal(EXIT_MEMORY, "out of memory");
	fprintf(f, ", \"%s\": ", key);
	print_json_string(f, text);
	free(text);
}

static void
print_header(FILE *f, const Calibration *c)
{
	fprintf(f, "{\"sluice_calibration\": %d, \"model\": ", VERSION);
	print_json_string(f, c->model);
	fputs(", \"model_class\": ", f);
	print_json_string(f, c->model_class);
	fprintf(f, ", \"guidance\": %.17g, \"frames\": %lld, \"width\": %lld, "
		"\"height\": %lld, \"seed\": %lld", c->guidance,
		(long long)c->frames, (long long)c->width, (long long)c->height,
		(long long)c->seed);
	print_table(f, "sampler", c->sampler);
	print_table(f, "reference", c->reference);
	for (int64_t i = 0; i < c->wanted; i++) {
		fputs(i ? ", " : ", \"prompts\": [", f);
		print_json_string(f, c->prompt[i]);
	}
	fputs("]}", f);
}

int
calibration_write(const char *path, const Calibration *c, char *err)
{
	char *text = NULL;
	size_t size;
	int64_t side = 2 * c->sampler->rows + 1;
	FILE *f = open_memstream(&text, &size);
	if (!f)
		fatal(EXIT_MEMORY, "out of memory");
	print_header(f, c);
	/* so that the numbers behind it lie at a multiple of 8 */
	for (long pad = ftell(f); pad % 8; pad++)
		fputc(' ', f);
	if (fclose(f))
		fatal(EXIT_MEMORY, "out of memory");
	const TensorOut out[] = {
		{.name = "header", .rank = 1,
			.dim = {(int64_t)size}, .data = text},
		{.name = "gram", .rank = 3,
			.dim = {c->n, side, side}, .data = c->gram},
	};
	static const char *const types[] = {"U8", "F64"};
	int code = tensors_write_as(path, out, types, COUNT_OF(out), err);
	free(text);
	return code;
}

void
calibration_gram(const float *const *vector, int64_t n, int64_t size, double *out)
{
	for (int64_t i = 0; i < n; i++)
		for (int64_t k = 0; k <= i; k++) {
			double sum = 0;
			for (int64_t j = 0; j < size; j++)
				sum += (double)vector[i][j] * (double)vector[k][j];
			out[i * n + k] = out[k * n + i] = sum;
		}
}
