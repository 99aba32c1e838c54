/* palette.c - see palette.h.
 *
 * Colours are compared in Oklab (Ottosson 2020), where equal distances look
 * about equally different.  Mixing is done on sRGB values, which is what the
 * eye averages well enough at a pixel's size.
 */
#include "compiler/media/palette.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Oklab ---- */

static float
linear_light(int s)
{
	float x = (float)s / 255;
	return x <= 0.04045f ? x / 12.92f : powf((x + 0.055f) / 1.055f, 2.4f);
}

static void
to_lab(const float rgb[3], float lab[3])
{
	float r = rgb[0], g = rgb[1], b = rgb[2];
	float l = cbrtf(0.4122214708f * r + 0.5363325363f * g + 0.0514459929f * b);
	float m = cbrtf(0.2119034982f * r + 0.6806995451f * g + 0.1073969566f * b);
	float s = cbrtf(0.0883024619f * r + 0.2817188376f * g + 0.6299787005f * b);
	lab[0] = 0.2104542553f * l + 0.7936177850f * m - 0.0040720468f * s;
	lab[1] = 1.9779984951f * l - 2.4285922050f * m + 0.4505937099f * s;
	lab[2] = 0.0259040371f * l + 0.7827717662f * m - 0.8086757660f * s;
}

static int
to_srgb(float x)
{
	x = fminf(fmaxf(x, 0), 1);
	x = x <= 0.0031308f ? 12.92f * x : 1.055f * powf(x, 1 / 2.4f) - 0.055f;
	return (int)lrintf(255 * x);
}

static void
from_lab(const float lab[3], uint8_t rgb[3])
{
	float l = lab[0] + 0.3963377774f * lab[1] + 0.2158037573f * lab[2];
	float m = lab[0] - 0.1055613458f * lab[1] - 0.0638541728f * lab[2];
	float s = lab[0] - 0.0894841775f * lab[1] - 1.2914855480f * lab[2];
	l *= l * l;
	m *= m * m;
	s *= s * s;
	rgb[0] = (uint8_t)to_srgb(4.0767416621f * l - 3.3077115913f * m
		+ 0.2309699292f * s);
	rgb[1] = (uint8_t)to_srgb(-1.2684380046f * l + 2.6097574011f * m
		- 0.3413193965f * s);
	rgb[2] = (uint8_t)to_srgb(-0.0041960863f * l - 0.7034186147f * m
		+ 1.7076147010f * s);
}

static void
bytes_to_lab(const uint8_t rgb[3], float lab[3])
{
	float linear[] = {linear_light(rgb[0]), linear_light(rgb[1]),
		linear_light(rgb[2])};
	to_lab(linear, lab);
}

static float
distance(const float a[3], const float b[3])
{
	float x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
	return x * x + y * y + z * z;
}

/* ---- which colours ---- */

/* Pixels whose colours agree in the upper six bits, as one. */
typedef struct Bin {
	float lab[3];
	float count;
} Bin;

enum { CUBE = 64, CUBES = CUBE * CUBE * CUBE };

static size_t
cube_of(const uint8_t *rgb)
{
	return (size_t)(rgb[0] >> 2) << 12 | (size_t)(rgb[1] >> 2) << 6
		| (size_t)(rgb[2] >> 2);
}

/* The pictures' different colours, if they are no more than a palette holds. */
static bool
few_colours(Palette *p, const uint8_t *rgb, int64_t pixels)
{
	p->n = 0;
	for (int64_t i = 0; i < pixels; i++) {
		const uint8_t *c = rgb + 3 * i;
		int k = 0;
		if (i && !memcmp(c, c - 3, 3))
			continue;
		while (k < p->n && memcmp(p->rgb[k], c, 3))
			k++;
		if (k == PALETTE_MAX)
			return false;
		if (k == p->n)
			memcpy(p->rgb[p->n++], c, 3);
	}
	return true;
}

static Bin *
make_bins(Arena *a, const uint8_t *rgb, int64_t pixels, size_t *count)
{
	double (*sum)[4] = arena_array(a, CUBES, sizeof *sum);
	float light[256];
	size_t n = 0;
	for (int i = 0; i < 256; i++)
		light[i] = linear_light(i);
	for (int64_t i = 0; i < pixels; i++) {
		const uint8_t *c = rgb + 3 * i;
		double *s = sum[cube_of(c)];
		n += !s[3];
		s[3]++;
		for (int k = 0; k < 3; k++)
			s[k] += (double)light[c[k]];
	}
	Bin *bins = arena_array(a, n, sizeof *bins);
	*count = n;
	for (size_t i = 0; i < CUBES; i++) {
		if (!sum[i][3])
			continue;
		Bin *b = &bins[--n];
		float mean[3];
		for (int k = 0; k < 3; k++)
			mean[k] = (float)(sum[i][k] / sum[i][3]);
		to_lab(mean, b->lab);
		b->count = (float)sum[i][3];
	}
	return bins;
}

/* A run of bins; `spread` is the weighted variance along its longest axis. */
typedef struct Box {
	size_t first, n;
	int axis;
	double spread;
	float mean[3];
} Box;

/* How much a bin counts: rare colours (a small bright thing) are worth more
 * than their share of pixels. */
static double
weight(const Bin *b)
{
	return sqrt((double)b->count);
}

static void
measure(Box *box, const Bin *bins)
{
	double sum[3] = {0}, square[3] = {0}, total = 0;
	for (size_t i = 0; i < box->n; i++) {
		const Bin *b = &bins[box->first + i];
		double w = weight(b);
		total += w;
		for (int k = 0; k < 3; k++) {
			double x = (double)b->lab[k];
			sum[k] += w * x;
			square[k] += w * x * x;
		}
	}
	box->axis = 0;
	box->spread = -1;
	for (int k = 0; k < 3; k++) {
		double spread = square[k] - sum[k] * sum[k] / total;
		box->mean[k] = (float)(sum[k] / total);
		if (spread > box->spread) {
			box->spread = spread;
			box->axis = k;
		}
	}
}

/* Moves the bins below the mean to the front; returns their number. */
static size_t
partition(const Box *box, Bin *bins)
{
	Bin *b = bins + box->first;
	size_t low = 0;
	for (size_t i = 0; i < box->n; i++) {
		if (b[i].lab[box->axis] >= box->mean[box->axis])
			continue;
		Bin t = b[low];
		b[low++] = b[i];
		b[i] = t;
	}
	return low;
}

/* Cuts the box that is spread most, at its mean, until there are enough. */
static void
median_cut(Palette *p, Bin *bins, size_t n)
{
	Box box[PALETTE_MAX];
	box[0] = (Box){.first = 0, .n = n};
	measure(&box[0], bins);
	p->n = 1;
	while (p->n < PALETTE_MAX) {
		int most = 0;
		for (int i = 1; i < p->n; i++)
			if (box[i].spread > box[most].spread)
				most = i;
		Box *b = &box[most];
		size_t low = b->n > 1 ? partition(b, bins) : 0;
		if (!low || low == b->n) {
			if (b->spread < 0)
				break;  /* none can be cut any more */
			b->spread = -1;
			continue;
		}
		box[p->n] = (Box){.first = b->first + low, .n = b->n - low};
		b->n = low;
		measure(b, bins);
		measure(&box[p->n++], bins);
	}
	for (int i = 0; i < p->n; i++)
		memcpy(p->lab[i], box[i].mean, sizeof box[i].mean);
}

static int
nearest(const Palette *p, const float lab[3])
{
	int best = 0;
	float least = INFINITY;
	for (int i = 0; i < p->n; i++) {
		float d = distance(p->lab[i], lab);
		if (d < least) {
			least = d;
			best = i;
		}
	}
	return best;
}

/* One of Lloyd's iterations: each colour to the mean of the bins nearest. */
static void
improve(Palette *p, const Bin *bins, size_t n)
{
	double sum[PALETTE_MAX][4] = {{0}};
	for (size_t i = 0; i < n; i++) {
		double w = weight(&bins[i]), *s = sum[nearest(p, bins[i].lab)];
		s[3] += w;
		for (int k = 0; k < 3; k++)
			s[k] += w * (double)bins[i].lab[k];
	}
	for (int i = 0; i < p->n; i++)
		for (int k = 0; k < 3 && sum[i][3] > 0; k++)
			p->lab[i][k] = (float)(sum[i][k] / sum[i][3]);
}

Palette *
palette_make(Arena *a, const uint8_t *rgb, int64_t pixels)
{
	enum { ITERATIONS = 6 };
	Palette *p = arena_alloc(a, sizeof *p);
	p->near = arena_alloc(a, CUBES);
	p->exact = few_colours(p, rgb, pixels);
	if (!p->exact) {
		size_t n;
		Bin *bins = make_bins(a, rgb, pixels, &n);
		median_cut(p, bins, n);
		for (int i = 0; i < ITERATIONS; i++)
			improve(p, bins, n);
		for (int i = 0; i < p->n; i++)
			from_lab(p->lab[i], p->rgb[i]);
	}
	/* compare with what is shown: colours rounded to bytes */
	for (int i = 0; i < p->n; i++)
		bytes_to_lab(p->rgb[i], p->lab[i]);
	return p;
}

/* ---- mixing ---- */

enum {
	NOISE = 32,             /* the blue noise repeats after so many pixels */
	MIX = 16,               /* colours that a pixel's is mixed from */
	REACH = 24,             /* how far from the pixel's own they are looked
	                           for: more would leave single bright dots
	                           where a colour lies outside the palette */
};

/* Ranks 0 .. NOISE^2 - 1 on a torus such that the places below any rank are
 * spread evenly: each next one is put where a Gaussian of those before is
 * least (the void and cluster method, without its first sorting phase). */
static void
blue_noise(uint16_t rank[NOISE * NOISE])
{
	enum { N = NOISE * NOISE };
	static const double sigma = 1.9;
	double energy[N];
	bool used[N] = {false};
	for (int i = 0; i < N; i++)     /* ties broken in no visible order */
		energy[i] = 1e-9 * ((i * 7919) % N);
	for (int r = 0; r < N; r++) {
		int best = -1;
		for (int i = 0; i < N; i++)
			if (!used[i] && (best < 0 || energy[i] < energy[best]))
				best = i;
		used[best] = true;
		rank[best] = (uint16_t)r;
		for (int i = 0; i < N; i++) {
			int x = abs(i % NOISE - best % NOISE);
			int y = abs(i / NOISE - best / NOISE);
			x = x < NOISE - x ? x : NOISE - x;
			y = y < NOISE - y ? y : NOISE - y;
			energy[i] += exp(-(x * x + y * y) / (2 * sigma * sigma));
		}
	}
}

static int
near_bytes(Palette *p, const uint8_t rgb[3])
{
	uint8_t *memo = &p->near[cube_of(rgb)];
	if (!*memo) {
		uint8_t middle[3];
		float lab[3];
		for (int k = 0; k < 3; k++)
			middle[k] = (uint8_t)((rgb[k] & ~3) + 2);
		bytes_to_lab(middle, lab);
		*memo = (uint8_t)(nearest(p, lab) + 1);
	}
	return *memo - 1;
}

/* MIX palette colours whose mean is near to the pixel's, darkest first: each
 * next one makes up for the error of those before (Knoll's pattern dithering). */
static void
mix(Palette *p, const uint8_t rgb[3], uint8_t out[MIX])
{
	int error[3] = {0};
	for (int i = 0; i < MIX; i++) {
		uint8_t goal[3];
		for (int k = 0; k < 3; k++)
			goal[k] = (uint8_t)clamp64(rgb[k]
				+ clamp64(error[k], -REACH, REACH), 0, 255);
		int c = near_bytes(p, goal), at = i;
		for (int k = 0; k < 3; k++)
			error[k] += rgb[k] - p->rgb[c][k];
		while (at && p->lab[out[at - 1]][0] > p->lab[c][0]) {
			out[at] = out[at - 1];
			at--;
		}
		out[at] = (uint8_t)c;
	}
}

static uint8_t
exact_index(const Palette *p, const uint8_t rgb[3])
{
	int k = 0;
	while (memcmp(p->rgb[k], rgb, 3))
		k++;
	return (uint8_t)k;
}

void
palette_map(Palette *p, const uint8_t *rgb, int64_t height, int64_t width,
	uint8_t *index)
{
	static uint16_t rank[NOISE * NOISE];
	uint8_t colours[MIX] = {0};
	if (!rank[0] && !rank[1])
		blue_noise(rank);
	for (int64_t i = 0; i < height * width; i++) {
		const uint8_t *c = rgb + 3 * i;
		bool same = i && !memcmp(c, c - 3, 3);
		if (p->exact) {
			index[i] = same ? index[i - 1] : exact_index(p, c);
			continue;
		}
		if (!same)
			mix(p, c, colours);
		int64_t at = i / width % NOISE * NOISE + i % width % NOISE;
		index[i] = colours[rank[at] * MIX / (NOISE * NOISE)];
	}
}
