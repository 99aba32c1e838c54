/* inputs.c - tensors of a file to a plan's inputs: names, shapes and types are
 * compared before anything runs; values are converted on the way.
 */
#include "vm/inputs.h"
#include "kernels/kernels.h"
#include "vm/operands.h"
#include "ir/base/philox.h"

#include <string.h>

enum { CHUNK = 8192 };          /* elements converted at a time */

int64_t
port_elements(const PlanPort *port)
{
	int64_t n = 1;
	for (int a = 0; a < AXIS_MAX; a++)
		if (port->axes >> a & 1)
			n *= port->n[a];
	return n;
}

char *
port_shape(const Plan *p, const PlanPort *port, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "[");
	for (int a = 0; a < AXIS_MAX; a++)
		if (port->axes >> a & 1 && at < size)
			at += (size_t)snprintf(buf + at, size - at, "%s%s=%lld",
				at > 1 ? ", " : "",
				p->strings + p->head.axis_name[a],
				(long long)port->n[a]);
	if (at < size)
		snprintf(buf + at, size - at, "]");
	return buf;
}

void *
port_read(Arena *a, Vm *vm, const PlanPort *port)
{
	int64_t n = port_elements(port);
	void *data = arena_array(a, (size_t)n,
		(size_t)dtype_bytes((DType)port->dtype));
	return vm_read_output(vm, port, 0, data, n) == EXIT_OK ? data : NULL;
}

bool
port_tensor(const Plan *p, const PlanPort *port, const void *data,
	TensorOut *out)
{
	*out = (TensorOut){.name = p->strings + port->name,
		.dtype = (DType)port->dtype, .data = data};
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!(port->axes >> a & 1))
			continue;
		if (out->rank == (int)COUNT_OF(out->dim))
			return false;
		out->dim[out->rank++] = port->n[a];
	}
	return true;
}

static char *
tensor_shape(const Tensor *t, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "[");
	for (int i = 0; i < t->rank && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%lld",
			i ? ", " : "", (long long)t->dim[i]);
	if (at < size)
		snprintf(buf + at, size - at, "]");
	return buf;
}

/* Equal but for extents of one. */
static bool
same_shape(const Tensor *t, const PlanPort *port)
{
	int i = 0;
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!(port->axes >> a & 1) || port->n[a] == 1)
			continue;
		while (i < t->rank && t->dim[i] == 1)
			i++;
		if (i == t->rank || t->dim[i++] != port->n[a])
			return false;
	}
	while (i < t->rank && t->dim[i] == 1)
		i++;
	return i == t->rank;
}

/* ---- types of a file that an input can come from ---- */

typedef enum Source { FROM_FLOAT, FROM_I32, FROM_I64, FROM_NONE } Source;

static Source
source_of(const Tensor *t)
{
	if (t->dtype == DT_I32)
		return FROM_I32;
	if (t->dtype < DT_COUNT)
		return FROM_FLOAT;
	return t->dtype_text && !strcmp(t->dtype_text, "I64") ? FROM_I64
		: FROM_NONE;
}

/* Integers can be told as floats (a timestep), not the other way round. */
static bool
convertible(const Tensor *t, DType to)
{
	Source from = source_of(t);
	return from != FROM_NONE && (to != DT_I32 || from != FROM_FLOAT);
}

bool
input_is_random(const Plan *p, const PlanPort *port)
{
	const char *name = p->strings + port->name;
	size_t n = strlen(name);
	return port->dtype == DT_F32 && n >= 5 && !strcmp(name + n - 5, "noise")
		&& (n == 5 || name[n - 6] == '_' || name[n - 6] == '.');
}

/* ---- matching ---- */

typedef struct Complaint {
	char *text;
	size_t at, size;
} Complaint;

static void complain(Complaint *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void
complain(Complaint *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (c->at && c->at + 1 < c->size)
		c->text[c->at++] = '\n';
	int n = vsnprintf(c->text + c->at, c->size - c->at, fmt, ap);
	va_end(ap);
	c->at = (size_t)min64((int64_t)(c->at + (size_t)n),
		(int64_t)c->size - 1);
}

static void
complain_missing(Complaint *c, const Plan *p, const PlanPort *port,
	const TensorSet *set)
{
	Arena a = {0};
	char shape[256];
	const char **names = arena_array(&a, set->tensors.n + 1, sizeof *names);
	for (size_t i = 0; i < set->tensors.n; i++)
		names[i] = set->tensors.at[i].name;
	const char *name = p->strings + port->name;
	const char *near = nearest_name(name, names, set->tensors.n);
	complain(c, "input '%s' %s is missing%s%s%s", name,
		port_shape(p, port, shape, sizeof shape),
		near ? "; the file has '" : "", near ? near : "", near ? "'" : "");
	arena_free(&a);
}

/* The port as a file has it: with a row for each step where each takes one. */
static PlanPort
whole_port(const Plan *p, const PlanPort *port)
{
	PlanPort whole = *port;
	if (port->per_step) {
		whole.axes |= AXIS_BIT(AXIS_STEP);
		whole.n[AXIS_STEP] = p->head.steps;
	}
	return whole;
}

int
inputs_match(const Plan *p, const TensorSet *set, char *err, size_t size)
{
	Complaint c = {err, 0, size};
	char want[256], have[256];
	err[0] = 0;
	for (uint32_t i = 0; i < p->n_inputs; i++) {
		const PlanPort whole = whole_port(p, &p->inputs[i]);
		const PlanPort *port = &whole;
		const char *name = p->strings + port->name;
		const Tensor *t = tensors_find(set, name);
		if (!t && !input_is_random(p, port))
			complain_missing(&c, p, port, set);
		if (!t)
			continue;
		if (!same_shape(t, port))
			complain(&c, "input '%s' is %s in the file, the plan wants %s",
				name, tensor_shape(t, have, sizeof have),
				port_shape(p, port, want, sizeof want));
		if (!convertible(t, (DType)port->dtype))
			complain(&c, "input '%s' is %s in the file, the plan wants %s",
				name, t->dtype < DT_COUNT ? dtype_name(t->dtype)
				: t->dtype_text, dtype_name((DType)port->dtype));
	}
	return c.at ? EXIT_WEIGHTS : EXIT_OK;
}

/* ---- filling ---- */

/* n elements of type `from` in `raw` to `dst` of type `to`; false: an integer
 * outside i32. */
static bool
convert_chunk(Source from, const Tensor *t, const void *raw, DType to,
	char *dst, int64_t n)
{
	static float floats[CHUNK];
	if (from == FROM_FLOAT) {
		convert(to, dst, t->dtype, raw, n);
		return true;
	}
	for (int64_t i = 0; i < n; i++) {
		int32_t narrow;
		int64_t wide;
		if (from == FROM_I32) {
			memcpy(&narrow, (const char *)raw + i * 4, 4);
			wide = narrow;
		} else {
			memcpy(&wide, (const char *)raw + i * 8, 8);
		}
		narrow = (int32_t)wide;
		if (to == DT_I32 && narrow != wide)
			return false;
		if (to == DT_I32)
			memcpy(dst + i * 4, &narrow, 4);
		floats[i] = (float)wide;
	}
	if (to != DT_I32)
		convert(to, dst, DT_F32, floats, n);
	return true;
}

static int
write_chunk(Vm *vm, const PlanPort *port, int64_t first, const void *data,
	int64_t n, char *err, size_t size)
{
	int code = vm_write_input(vm, port, first, data, n);
	if (code != EXIT_OK)
		snprintf(err, size, "%s", vm_error(vm));
	return code;
}

/* The elements go to the input, or to `rows` where that is not NULL. */
static int
fill_from_file(Vm *vm, const PlanPort *port, float *rows, const TensorSet *set,
	const Tensor *t, char *err, size_t size)
{
	static int64_t raw[CHUNK];
	static float cooked[CHUNK];
	DType to = (DType)port->dtype;
	Source from = source_of(t);
	int64_t total = port_elements(port);
	int64_t width = from == FROM_I64 ? 8 : dtype_bytes(t->dtype);
	for (int64_t i = 0; i < total; i += CHUNK) {
		int64_t n = min64(CHUNK, total - i);
		char *at = (char *)cooked;
		int code = tensor_read(set, t, i * width, raw, n * width, err);
		if (code != EXIT_OK)
			return code;
		if (!convert_chunk(from, t, raw, to, at, n)) {
			snprintf(err, size, "input '%s' has an integer outside "
				"32 bits", t->name);
			return EXIT_WEIGHTS;
		}
		View v = {.data = at, .dtype = to, .axes = AXIS_BIT(AXIS_C)};
		for (int a = 0; a < AXIS_MAX; a++)
			v.n[a] = 1;
		v.n[AXIS_C] = n;
		v.stride[AXIS_C] = 1;
		int64_t bad = view_nonfinite(&v);
		if (bad >= 0) {
			snprintf(err, size, "input '%s' has a NaN or infinity "
				"(element %lld)", t->name, (long long)(i + bad));
			return EXIT_NUMERICS;
		}
		if (rows)
			memcpy(rows + i, cooked, (size_t)n * sizeof *rows);
		else
			code = write_chunk(vm, port, i, cooked, n, err, size);
		if (code != EXIT_OK)
			return code;
	}
	return EXIT_OK;
}

/* An input with a row for each step. */
static int
fill_steps(Vm *vm, const Plan *p, const PlanPort *port, const TensorSet *set,
	const Tensor *t, char *err, size_t size)
{
	const PlanPort whole = whole_port(p, port);
	float *rows = arena_array(set->arena, (size_t)port_elements(&whole),
		sizeof *rows);
	int code = fill_from_file(vm, &whole, rows, set, t, err, size);
	if (code == EXIT_OK)
		vm_step_input(vm, p->strings + port->name, rows, 0);
	return code;
}

static int
fill_random(Vm *vm, const PlanPort *port, uint64_t seed, uint64_t stream,
	char *err, size_t size)
{
	static float normal[CHUNK];
	int64_t total = port_elements(port);
	for (int64_t i = 0; i < total; i += CHUNK) {
		int64_t n = min64(CHUNK, total - i);
		philox_normal_from(seed, stream, i, normal, n);
		int code = write_chunk(vm, port, i, normal, n, err, size);
		if (code != EXIT_OK)
			return code;
	}
	return EXIT_OK;
}

int
inputs_fill(const Plan *p, Vm *vm, const TensorSet *set, uint64_t seed,
	char *err, size_t size)
{
	for (uint32_t i = 0; i < p->n_inputs; i++) {
		const char *name = p->strings + p->inputs[i].name;
		const PlanPort *port = vm_input(vm, name);
		const Tensor *t = tensors_find(set, name);
		int code;
		if (!t)
			code = fill_random(vm, port, seed, philox_stream(name),
				err, size);
		else if (port->per_step)
			code = fill_steps(vm, p, port, set, t, err, size);
		else
			code = fill_from_file(vm, port, NULL, set, t, err, size);
		if (!t)
			vm_step_input(vm, name, NULL, seed);
		if (code != EXIT_OK)
			return code;
	}
	return EXIT_OK;
}
