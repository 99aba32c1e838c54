/* y4m.c - raw video. */
#include "compiler/media/media.h"

#include <math.h>

/* Weights of red and blue in luma.  Players take an untagged video for BT.709
 * when it is large, else for BT.601. */
typedef struct Matrix {
	double kr, kb;
	const char *name;       /* ffmpeg's */
} Matrix;

static Matrix
matrix_of(const Video *v)
{
	bool large = v->width >= 1280 || v->height > 576;
	return large ? (Matrix){0.2126, 0.0722, "bt709"}
		: (Matrix){0.299, 0.114, "smpte170m"};
}

/* One frame's three planes, studio range: Y 16..235, Cb and Cr 16..240. */
static void
to_planes(const Video *v, const uint8_t *rgb, uint8_t *planes)
{
	Matrix m = matrix_of(v);
	int64_t n = v->width * v->height;
	for (int64_t i = 0; i < n; i++) {
		double r = rgb[3 * i] / 255.0, g = rgb[3 * i + 1] / 255.0;
		double b = rgb[3 * i + 2] / 255.0;
		double y = m.kr * r + (1 - m.kr - m.kb) * g + m.kb * b;
		double cb = (b - y) / (2 * (1 - m.kb));
		double cr = (r - y) / (2 * (1 - m.kr));
		planes[i] = (uint8_t)lrint(16 + 219 * y);
		planes[n + i] = (uint8_t)lrint(128 + 224 * cb);
		planes[2 * n + i] = (uint8_t)lrint(128 + 224 * cr);
	}
}

const char *
y4m_matrix(const Video *v)
{
	return matrix_of(v).name;
}

bool
y4m_put(FILE *f, const Video *v)
{
	Arena a = {0};
	size_t bytes = (size_t)(3 * v->width * v->height);
	uint8_t *planes = arena_alloc(&a, bytes);
	bool ok = fprintf(f, "YUV4MPEG2 W%lld H%lld F%lld:1000 Ip A1:1 C444 "
		"XCOLORRANGE=LIMITED\n", (long long)v->width,
		(long long)v->height, llrint(v->fps * 1000)) > 0;
	for (int64_t i = 0; i < v->frames && ok; i++) {
		to_planes(v, v->rgb + (size_t)i * bytes, planes);
		ok = fputs("FRAME\n", f) >= 0
			&& fwrite(planes, 1, bytes, f) == bytes;
	}
	ok = ok && !fflush(f);
	arena_free(&a);
	return ok;
}

bool
y4m_write(const char *path, const Video *v, char *err)
{
	OutFile o;
	if (!out_open(&o, path, err))
		return false;
	y4m_put(o.f, v);     /* out_commit sees a failed write */
	return out_commit(&o, err);
}
