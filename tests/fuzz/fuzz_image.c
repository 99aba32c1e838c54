/* fuzz_image.c - libFuzzer target: the readers of pictures.  What is read must
 * keep the limits, and small pictures must go through both resizings.
 */
#include "compiler/media/media.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_sizes(Arena *a, const Picture *p)
{
	static const float mean[3] = {0.5f, 0.5f, 0.5f};
	static const float deviation[3] = {0.25f, 0.25f, 0.25f};
	Picture q = picture_resize(a, p, 7, 5);
	const float *clip = picture_clip(a, p, 6, mean, deviation);
	for (int i = 0; i < 6 * 6 * 3; i++)
		if (!isfinite(clip[i]))
			abort();
	if (q.height != 7 || q.width != 5)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[256] = "";
	Arena a = {0};
	Picture p;
	int code = picture_parse(&a, "a", data, size, &p, err);
	if (code == EXIT_OK && (p.width < 1 || p.height < 1
		|| p.width > PICTURE_SIDE || p.height > PICTURE_SIDE
		|| p.width * p.height > PICTURE_PIXELS))
		abort();
	if (code != EXIT_OK && (code != EXIT_WEIGHTS || !err[0]))
		abort();
	if (code == EXIT_OK && p.width * p.height <= 1 << 16)
		check_sizes(&a, &p);
	arena_free(&a);
	return 0;
}
