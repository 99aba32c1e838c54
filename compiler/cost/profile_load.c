/* profile_load.c - how long loading weights takes: a small file of tensors is
 * written, and read to packed places as a run reads it.
 *
 * The file has just been written, so it comes from the system's cache and not
 * from a disk: what is measured is reading, checking, converting and packing.
 */
#include "compiler/cost/profile.h"
#include "vm/weights/weights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMES = 8 };

/* A tensor of the file; taps 0: a vector. */
typedef struct LoadCase {
	const char *name;
	int64_t rows, cols, taps;
} LoadCase;

static const LoadCase cases[] = {
	{"conv", 640, 640, 9},
	{"linear", 1280, 1280, 1},
	{"small", 320, 320, 1},
	{"vector", 1280, 1, 0},
};
enum { CASES = COUNT_OF(cases) };

static int64_t
case_elements(const LoadCase *c)
{
	return c->rows * c->cols * max64(c->taps, 1);
}

/* A plan with these weights and nothing else, as much of it as loading looks
 * at. */
static Plan
make_plan(Arena *a, DType dtype)
{
	Plan p = {0};
	char *strings = arena_alloc(a, 256);
	p.strings = strings;
	p.n_strings = 1;
	p.head.target = p.n_strings;
	strcpy(strings + p.n_strings, target_cpu.name);
	p.n_strings += (uint32_t)strlen(target_cpu.name) + 1;
	p.n_weights = p.n_buffers = CASES;
	p.weights = arena_array(a, CASES, sizeof *p.weights);
	p.buffers = arena_array(a, CASES, sizeof *p.buffers);
	for (uint32_t i = 0; i < CASES; i++) {
		const LoadCase *c = &cases[i];
		size_t n = strlen(c->name) + 1;
		PlanWeight *w = &p.weights[i];
		memcpy(strings + p.n_strings, c->name, n);
		w->name = p.n_strings;
		w->buffer = i;
		p.n_strings += (uint32_t)n;
		w->layout = c->taps > 0 ? LAYOUT_MATRIX : LAYOUT_PLAIN;
		w->rank = (uint8_t)(c->taps == 0 ? 1 : c->taps == 1 ? 2 : 3);
		w->dim[0] = w->rows[0] = c->rows;
		w->dim[1] = w->cols[0] = c->cols;
		w->dim[2] = w->taps = max64(c->taps, 1);
		p.buffers[i] = (PlanBuffer){.role = BUF_WEIGHT,
			.dtype = (uint8_t)dtype,
			.bytes = case_elements(c) * dtype_bytes(dtype)};
	}
	return p;
}

static int
write_file(const Plan *p, DType dtype, const char *path, void *data, char *err)
{
	TensorOut t[CASES];
	for (uint32_t i = 0; i < CASES; i++) {
		const PlanWeight *w = &p->weights[i];
		t[i] = (TensorOut){.name = cases[i].name, .dtype = dtype,
			.rank = w->rank, .data = data};
		memcpy(t[i].dim, w->dim, sizeof w->dim);
	}
	return tensors_write(path, t, CASES, err);
}

static int
time_loads(Arena *a, const Plan *p, DType dtype, WeightSource *s, void *dst,
	Samples *out, char *err)
{
	int code = EXIT_OK;
	for (uint32_t i = 0; i < CASES && !code; i++) {
		Sample x = {.dtype = dtype, .seconds = 1e300,
			.what = arena_printf(a, "load %s", cases[i].name)};
		x.units[COST_load_call] = 1;
		x.units[COST_load_byte] = (double)p->buffers[i].bytes;
		for (int k = 0; k < TIMES && !code; k++) {
			double start = now_seconds();
			code = weights_load(s, NULL, p, i, dst, err);
			double seconds = now_seconds() - start;
			x.seconds = seconds < x.seconds ? seconds : x.seconds;
		}
		*vec_push(out) = x;
	}
	return code;
}

int
profile_loads(Arena *a, DType dtype, const char *folder, Samples *out,
	char *err)
{
	Plan p = make_plan(a, dtype);
	WeightSource *s = NULL;
	int64_t most = 0;
	for (int i = 0; i < CASES; i++)
		most = max64(most, p.buffers[i].bytes);
	char *temp = arena_printf(a, "%s/sluice-XXXXXX", folder);
	if (!mkdtemp(temp)) {
		snprintf(err, PROFILE_ERR, "cannot write to '%.200s': %s",
			folder, strerror(errno));
		return EXIT_IO;
	}
	char *path = arena_printf(a, "%s/weights.safetensors", temp);
	void *data = arena_alloc(a, (size_t)most);
	int code = write_file(&p, dtype, path, data, err);
	if (!code)
		s = weights_open(a, &p, path, NULL, 0, true, &code, err,
			PROFILE_ERR);
	/* open, it can be read without its name */
	unlink(path);
	rmdir(temp);
	if (!code)
		code = time_loads(a, &p, dtype, s, data, out, err);
	weights_close(s);
	return code;
}
