/* compare.c - how far two safetensors tensors are apart.
 *
 *   compare GOT WANTED NAME[:NAME] [--limit E] [--psnr DB]
 *
 * NAME:NAME when they are called differently.  Prints the largest difference
 * over the largest wanted value, and the signal-to-noise ratio in dB with
 * values of 0..1 as the signal.  Exit code 1 when a limit is not met.
 */
#include "../../vm/vm.h"
#include "../../kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static Arena arena;

static const float *
load(const char *path, const char *name, int64_t *n)
{
	TensorSet set = {.arena = &arena};
	char err[8192];
	if (tensors_open(&set, path, err))
		fatal(EXIT_IO, "%s", err);
	const Tensor *t = tensors_find(&set, name);
	if (!t || t->dtype > DT_BF16)
		fatal(EXIT_WEIGHTS, "%s: no floating tensor '%s'", path, name);
	*n = t->bytes / dtype_bytes(t->dtype);
	void *raw = arena_alloc(&arena, (size_t)t->bytes);
	float *x = arena_array(&arena, (size_t)*n, sizeof *x);
	if (tensor_read(&set, t, 0, raw, t->bytes, err))
		fatal(EXIT_IO, "%s", err);
	convert(DT_F32, x, t->dtype, raw, *n);
	tensors_close(&set);
	return x;
}

int
main(int argc, char **argv)
{
	double limit = INFINITY, psnr_limit = -INFINITY;
	if (argc < 4)
		fatal(EXIT_USAGE, "usage: compare GOT WANTED NAME[:NAME] "
			"[--limit E] [--psnr DB]");
	for (int i = 4; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--limit"))
			limit = atof(argv[i + 1]);
		else if (!strcmp(argv[i], "--psnr"))
			psnr_limit = atof(argv[i + 1]);
		else
			fatal(EXIT_USAGE, "no option %s", argv[i]);
	}
	char *name = arena_strdup(&arena, argv[3]), *other = strchr(name, ':');
	if (other)
		*other++ = 0;
	int64_t n, m;
	const float *got = load(argv[1], name, &n);
	const float *want = load(argv[2], other ? other : name, &m);
	if (n != m)
		fatal(EXIT_WEIGHTS, "%s: %lld elements, not %lld", name,
			(long long)n, (long long)m);
	double top = 0, worst = 0, square = 0;
	for (int64_t i = 0; i < n; i++) {
		double d = fabs((double)got[i] - (double)want[i]);
		top = fmax(top, fabs((double)want[i]));
		worst = isnan(d) ? INFINITY : fmax(worst, d);
		square += d * d;
	}
	double relative = worst / top, psnr = -10 * log10(square / (double)n);
	printf("%s: relative error %.3g, PSNR %.1f dB\n", name, relative, psnr);
	arena_free(&arena);
	return !(relative <= limit && psnr >= psnr_limit);
}
