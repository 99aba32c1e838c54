/* resize.c - pictures to other sizes, by separable filters: for each axis a
 * table of which samples make a new one, and how much of each.
 *
 * Two filters, since the two ways that a picture takes into a model use two:
 * Lanczos with three lobes in 8 bits, as Pillow's, for what the clip begins
 * with; a Gaussian blur and a bicubic interpolation for what CLIP sees.
 */
#include "compiler/media/media.h"

#include <math.h>
#include <string.h>

/* New sample o: the sum of weight[o * most + k] old[first[o] + k], k < n[o]. */
typedef struct Taps {
	int64_t most, *first, *n;
	double *weight;
} Taps;

static Taps
taps_alloc(Arena *a, int64_t count, int64_t most)
{
	return (Taps){
		.most = most,
		.first = arena_array(a, (size_t)count, sizeof(int64_t)),
		.n = arena_array(a, (size_t)count, sizeof(int64_t)),
		.weight = arena_array(a, (size_t)mul_sz(count, most),
			sizeof(double)),
	};
}

/* ---- Lanczos in 8 bits ---- */

enum { FRACTION = 22 };         /* bits of a weight behind the point */

static double
sinc(double x)
{
	x *= 3.14159265358979323846;
	return x == 0 ? 1 : sin(x) / x;
}

static double
lanczos3(double x)
{
	return fabs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

/* When a picture shrinks, the filter is as many times wider. */
static Taps
lanczos_taps(Arena *a, int64_t from, int64_t to)
{
	double step = (double)from / (double)to, scale = fmax(step, 1);
	double support = 3 * scale;
	Taps t = taps_alloc(a, to, 2 * (int64_t)ceil(support) + 1);
	for (int64_t o = 0; o < to; o++) {
		double centre = ((double)o + 0.5) * step, sum = 0;
		double *w = t.weight + o * t.most;
		t.first[o] = max64((int64_t)(centre - support + 0.5), 0);
		t.n[o] = min64((int64_t)(centre + support + 0.5), from)
			- t.first[o];
		for (int64_t k = 0; k < t.n[o]; k++) {
			w[k] = lanczos3(((double)(t.first[o] + k) - centre + 0.5)
				/ scale);
			sum += w[k];
		}
		for (int64_t k = 0; k < t.n[o]; k++)
			w[k] /= sum;
	}
	return t;
}

/* Filters along one axis of [outer, from, inner] bytes; weights and sums are
 * integers, rounded after this pass. */
static void
filter_bytes(Arena *a, const Taps *t, const uint8_t *in, int64_t outer,
	int64_t from, int64_t to, int64_t inner, uint8_t *out)
{
	int32_t *weight = arena_array(a, (size_t)(to * t->most), sizeof *weight);
	for (int64_t i = 0; i < to * t->most; i++)
		weight[i] = (int32_t)lround(t->weight[i] * (1 << FRACTION));
	int32_t *sum = arena_array(a, (size_t)inner, sizeof *sum);
	for (int64_t b = 0; b < outer; b++)
		for (int64_t o = 0; o < to; o++) {
			const uint8_t *x = in + (b * from + t->first[o]) * inner;
			for (int64_t c = 0; c < inner; c++)
				sum[c] = 1 << (FRACTION - 1);
			for (int64_t k = 0; k < t->n[o]; k++, x += inner)
				for (int64_t c = 0; c < inner; c++)
					sum[c] += weight[o * t->most + k] * x[c];
			for (int64_t c = 0; c < inner; c++)
				*out++ = (uint8_t)clamp64(sum[c] >> FRACTION, 0,
					255);
		}
}

Picture
picture_resize(Arena *a, const Picture *p, int64_t height, int64_t width)
{
	Picture out = {arena_array(a, (size_t)(height * width), 3), height,
		width};
	Arena work = {0};
	uint8_t *rows = arena_array(&work, (size_t)(p->height * width), 3);
	Taps across = lanczos_taps(&work, p->width, width);
	Taps down = lanczos_taps(&work, p->height, height);
	filter_bytes(&work, &across, p->rgb, p->height, p->width, width, 3, rows);
	filter_bytes(&work, &down, rows, 1, p->height, height, 3 * width,
		out.rgb);
	arena_free(&work);
	return out;
}

/* ---- as CLIP sees it ---- */

/* Index i of n samples that are mirrored at both ends, the last ones once. */
static int64_t
mirrored(int64_t i, int64_t n)
{
	int64_t period = max64(2 * (n - 1), 1);
	i = (i % period + period) % period;
	return i < n ? i : period - i;
}

/* Keys' cubic with a = -0.75 at distance x. */
static double
cubic(double x)
{
	const double a = -0.75;
	x = fabs(x);
	if (x <= 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* The Gaussian that keeps a picture that shrinks from flickering: its reach, and
 * its weights from -reach on, from the arena. */
static int64_t
gaussian(Arena *a, int64_t from, int64_t to, double **weight)
{
	double sigma = fmax(((double)from / (double)to - 1) / 2, 1e-3), sum = 0;
	int64_t reach = (int64_t)fmax(4 * sigma, 3) / 2;
	double *w = arena_array(a, (size_t)(2 * reach + 1), sizeof *w);
	for (int64_t k = -reach; k <= reach; k++)
		sum += w[k + reach] = exp(-(double)(k * k) / (2 * sigma * sigma));
	for (int64_t k = 0; k <= 2 * reach; k++)
		w[k] /= sum;
	*weight = w;
	return reach;
}

/* Blur and interpolation in one: the corners of old and new picture are the same
 * points; the blur mirrors at the edge, the cubic repeats the last sample. */
static Taps
clip_taps(Arena *a, int64_t from, int64_t to)
{
	double *blur;
	int64_t reach = gaussian(a, from, to, &blur);
	Taps t = taps_alloc(a, to, min64(from, 2 * reach + 4));
	double *row = arena_array(a, (size_t)from, sizeof *row);
	for (int64_t o = 0; o < to; o++) {
		double at = to > 1 ? (double)o * (double)(from - 1)
			/ (double)(to - 1) : 0;
		int64_t base = (int64_t)at;
		int64_t lo = max64(base - 1 - reach, 0);
		int64_t hi = min64(base + 2 + reach, from - 1);
		if (hi - lo + 1 > t.most)
			die("clip_taps", "%lld taps", (long long)(hi - lo + 1));
		memset(row + lo, 0, (size_t)(hi - lo + 1) * sizeof *row);
		for (int64_t k = base - 1; k <= base + 2; k++)
			for (int64_t j = -reach; j <= reach; j++) {
				int64_t i = clamp64(k, 0, from - 1);
				row[mirrored(i + j, from)] += blur[j + reach]
					* cubic(at - (double)k);
			}
		t.first[o] = lo;
		t.n[o] = hi - lo + 1;
		memcpy(t.weight + o * t.most, row + lo,
			(size_t)t.n[o] * sizeof *row);
	}
	return t;
}

float *
picture_clip(Arena *a, const Picture *p, int64_t side, const float mean[3],
	const float deviation[3])
{
	Arena work = {0};
	float *out = arena_array(a, (size_t)(side * side * 3), sizeof *out);
	double *rows = arena_array(&work, (size_t)(p->height * side * 3),
		sizeof *rows);
	Taps across = clip_taps(&work, p->width, side);
	Taps down = clip_taps(&work, p->height, side);
	for (int64_t i = 0; i < p->height * side; i++) {
		int64_t o = i % side;
		const uint8_t *x = p->rgb + 3 * (i / side * p->width
			+ across.first[o]);
		for (int64_t k = 0; k < 3 * across.n[o]; k++)
			rows[3 * i + k % 3] += x[k]
				* across.weight[o * across.most + k / 3];
	}
	for (int64_t o = 0; o < side; o++)
		for (int64_t i = 0; i < 3 * side; i++) {
			const double *x = rows + 3 * side * down.first[o] + i;
			double sum = 0;
			for (int64_t k = 0; k < down.n[o]; k++)
				sum += x[3 * side * k]
					* down.weight[o * down.most + k];
			out[3 * side * o + i] = (float)((sum / 255 - mean[i % 3])
				/ deviation[i % 3]);
		}
	arena_free(&work);
	return out;
}
