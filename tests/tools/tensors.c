/* tensors.c - writes a safetensors file for a shell test: each argument
 * NAME:TYPE:SHAPE=VALUE is a tensor with that value everywhere, such as
 * conv.bias:f32:8=0.5, tokens:i32:2x77=0, guidance:f32:=7.5.
 *
 *   tensors OUT NAME:TYPE:SHAPE=VALUE ...
 */
#include "kernels/kernels.h"
#include "vm/vm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static void
misspelt(const char *s)
{
	fatal(EXIT_USAGE, "'%s': write NAME:TYPE:SHAPE=VALUE", s);
}

static void *
filled(Arena *a, DType dtype, int64_t n, double value)
{
	char *data = arena_array(a, (size_t)n, (size_t)dtype_bytes(dtype));
	int32_t whole = isfinite(value) ? (int32_t)value : 0;
	float x = (float)value;
	for (int64_t i = 0; i < n; i++) {
		char *at = data + i * dtype_bytes(dtype);
		if (dtype == DT_I32)
			memcpy(at, &whole, sizeof whole);
		else
			convert(dtype, at, DT_F32, &x, 1);
	}
	return data;
}

static TensorOut
read_argument(Arena *a, const char *s)
{
	char *name = arena_strdup(a, s);
	char *type = strchr(name, ':'), *shape = type ? strchr(type + 1, ':')
		: NULL, *value = shape ? strchr(shape, '=') : NULL, *end;
	TensorOut t = {.name = name};
	int64_t n = 1;
	if (!value)
		misspelt(s);
	*type++ = *shape++ = *value++ = 0;
	t.dtype = dtype_find(type);
	if (t.dtype == DT_COUNT)
		misspelt(s);
	for (; *shape; shape = end + (*end == 'x')) {
		if (t.rank == (int)COUNT_OF(t.dim))
			misspelt(s);
		t.dim[t.rank] = strtoll(shape, &end, 10);
		if (end == shape || !mul_ok(n, t.dim[t.rank++], &n))
			misspelt(s);
	}
	t.data = filled(a, t.dtype, n, strtod(value, NULL));
	return t;
}

int
main(int argc, char **argv)
{
	Arena a = {0};
	char err[512];
	if (argc < 2)
		fatal(EXIT_USAGE, "tensors OUT NAME:TYPE:SHAPE=VALUE ...");
	size_t n = (size_t)argc - 2;
	TensorOut *t = arena_array(&a, n, sizeof *t);
	for (size_t i = 0; i < n; i++)
		t[i] = read_argument(&a, argv[i + 2]);
	int code = tensors_write(argv[1], t, n, err);
	if (code != EXIT_OK)
		fatal(code, "%s", err);
	arena_free(&a);
	return EXIT_OK;
}
