/* compare.c - how far two safetensors tensors are apart.
 *
 *   compare GOT WANTED NAME[:NAME] [--each] [--limit E] [--psnr DB]
 *
 * NAME:NAME when they are called differently.  Prints the largest difference
 * over the largest wanted value, and the signal-to-noise ratio in dB with
 * values of 0..1 as the signal.  --each: of each element of the first axis (a
 * step) for itself, and the worst of them.  Exit code 1 when a limit is not met.
 */
#include "vm/vm.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static Arena arena;

/* The tensor's n elements, and how many the first axis has (1 for a scalar). */
static const float *
load(const char *path, const char *name, int64_t *n, int64_t *rows)
{
	TensorSet set = {.arena = &arena};
	char err[8192];
	if (tensors_open(&set, path, err))
		fatal(EXIT_IO, "%s", err);
	const Tensor *t = tensors_find(&set, name);
	if (!t || t->dtype > DT_BF16)
		fatal(EXIT_WEIGHTS, "%s: no floating tensor '%s'", path, name);
	*n = t->bytes / dtype_bytes(t->dtype);
	*rows = t->rank ? t->dim[0] : 1;
	void *raw = arena_alloc(&arena, (size_t)t->bytes);
	float *x = arena_array(&arena, (size_t)*n, sizeof *x);
	if (tensor_read(&set, t, 0, raw, t->bytes, err))
		fatal(EXIT_IO, "%s", err);
	convert(DT_F32, x, t->dtype, raw, *n);
	tensors_close(&set);
	return x;
}

/* Largest difference over the largest wanted value; a NaN is infinitely far. */
static double
relative_error(const float *got, const float *want, int64_t n)
{
	double top = 0, worst = 0;
	for (int64_t i = 0; i < n; i++) {
		double d = fabs((double)got[i] - (double)want[i]);
		top = fmax(top, fabs((double)want[i]));
		worst = isnan(d) ? INFINITY : fmax(worst, d);
	}
	return worst / top;
}

static double
signal_to_noise(const float *got, const float *want, int64_t n)
{
	double square = 0;
	for (int64_t i = 0; i < n; i++) {
		double d = (double)got[i] - (double)want[i];
		square += d * d;
	}
	return -10 * log10(square / (double)n);
}

int
main(int argc, char **argv)
{
	double limit = INFINITY, psnr_limit = -INFINITY;
	bool each = false;
	if (argc < 4)
		fatal(EXIT_USAGE, "usage: compare GOT WANTED NAME[:NAME] "
			"[--each] [--limit E] [--psnr DB]");
	for (int i = 4; i < argc; i++) {
		if (!strcmp(argv[i], "--each"))
			each = true;
		else if (!strcmp(argv[i], "--limit") && i + 1 < argc)
			limit = atof(argv[++i]);
		else if (!strcmp(argv[i], "--psnr") && i + 1 < argc)
			psnr_limit = atof(argv[++i]);
		else
			fatal(EXIT_USAGE, "no option %s", argv[i]);
	}
	char *name = arena_strdup(&arena, argv[3]), *other = strchr(name, ':');
	if (other)
		*other++ = 0;
	int64_t n, m, rows, wanted_rows;
	const float *got = load(argv[1], name, &n, &rows);
	const float *want = load(argv[2], other ? other : name, &m,
		&wanted_rows);
	if (n != m || (each && rows != wanted_rows))
		fatal(EXIT_WEIGHTS, "%s: %lld elements, not %lld", name,
			(long long)n, (long long)m);
	double relative = 0, psnr = signal_to_noise(got, want, n);
	int64_t length = each ? n / rows : n;
	for (int64_t at = 0; at < n; at += length)
		relative = fmax(relative, relative_error(got + at, want + at,
			length));
	printf("%s: relative error %.3g, PSNR %.1f dB\n", name, relative, psnr);
	arena_free(&arena);
	return !(relative <= limit && psnr >= psnr_limit);
}
