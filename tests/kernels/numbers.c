/* numbers.c - conversions between the types, and packing: every level's. */
#include "tests/lib/tensors.h"

/* ---- conversions ---- */

static float
bits_to_float(uint32_t u)
{
	float x;
	memcpy(&x, &u, sizeof x);
	return x;
}

/* Every 16-bit number to f32 and back, one by one and eight at a time. */
static void
test_convert(DType t, const char *name)
{
	test(name);
	int bad = 0, moved = 0;
	for (uint32_t i = 0; i < 65536; i += 8) {
		uint16_t x[8], back[8], one;
		float wide[8], f;
		for (uint32_t j = 0; j < 8; j++)
			x[j] = (uint16_t)(i + j);
		convert(DT_F32, wide, t, x, 8);
		convert(t, back, DT_F32, wide, 8);
		for (int j = 0; j < 8; j++) {
			convert(DT_F32, &f, t, &x[j], 1);
			convert(t, &one, DT_F32, &wide[j], 1);
			bad += isnan(wide[j]) ? !isnan(f) : back[j] != x[j];
			moved += memcmp(&f, &wide[j], 4) != 0 || one != back[j];
		}
	}
	CHECK(bad == 0);
	CHECK(moved == 0);
	/* rounding: around every number, ties and their neighbours */
	for (uint32_t u = 0; u < 0x7f800000u; u += 0x800) {
		float x[8];
		uint16_t y[8], one;
		for (uint32_t j = 0; j < 8; j++)
			x[j] = bits_to_float((u + j - 3 + (u % 3 ? 0 : 0x7fff))
				| (u >> 11 & 1) << 31);
		convert(t, y, DT_F32, x, 8);
		for (int j = 0; j < 8; j++) {
			convert(t, &one, DT_F32, &x[j], 1);
			moved += one != y[j];
		}
	}
	CHECK(moved == 0);
}

static void
test_rounding(void)
{
	test("f32 to 16 bit rounds to nearest even");
	static const struct { DType t; float x; uint16_t y; } want[] = {
		{DT_F16, 1.0f, 0x3c00}, {DT_F16, 65504.f, 0x7bff},
		{DT_F16, 65519.99f, 0x7bff}, {DT_F16, 65520.f, 0x7c00},
		{DT_F16, -1e30f, 0xfc00}, {DT_F16, 0x1p-24f, 0x0001},
		{DT_F16, 0x1p-25f, 0x0000}, {DT_F16, 0x1.8p-25f, 0x0001},
		{DT_F16, 1.00048828125f, 0x3c00},       /* 1 + 2^-11: tie */
		{DT_F16, 1.00146484375f, 0x3c02},       /* 1 + 3 2^-11 */
		{DT_BF16, 1.00390625f, 0x3f80},         /* 1 + 2^-8: tie */
		{DT_BF16, 1.01171875f, 0x3f82},         /* 1 + 3 2^-8 */
		{DT_BF16, 3.4e38f, 0x7f80}, {DT_BF16, -0.0f, 0x8000},
	};
	for (size_t i = 0; i < COUNT_OF(want); i++) {
		uint16_t y;
		convert(want[i].t, &y, DT_F32, &want[i].x, 1);
		CHECK(y == want[i].y, "%zu: %04x", i, y);
	}
	uint16_t half = 0x3c01, other;
	convert(DT_BF16, &other, DT_F16, &half, 1);
	CHECK(other == 0x3f80);
}

/* ---- packing ---- */

/* Packing rows in any portions, from any type, is one permutation. */
static void
test_pack(void)
{
	test("a packed matrix holds every element once");
	static const MatrixLayout layouts[] = {
		{{64, 0}, {64, 0}, 1}, {{130, 0}, {70, 33}, 9},
		{{77, 77}, {50, 0}, 1}, {{3, 0}, {128, 0}, 27},
		{{65, 0}, {3, 1}, 49},
	};
	for (size_t i = 0; i < COUNT_OF(layouts); i++) {
		const MatrixLayout *m = &layouts[i];
		int64_t rows = m->rows[0] + m->rows[1];
		int64_t width = (m->cols[0] + m->cols[1]) * m->taps;
		int64_t n = rows * width, missing = 0;
		float *plain = malloc((size_t)n * 4);
		float *whole = malloc((size_t)n * 4);
		float *parts = malloc((size_t)n * 4);
		char *seen = calloc(1, (size_t)n);
		for (int64_t j = 0; j < n; j++)
			plain[j] = (float)j;
		pack_rows(m, DT_F32, whole, DT_F32, plain, 0, rows);
		for (int64_t r = 0; r < rows; r++)
			pack_rows(m, DT_F32, parts, DT_F32, plain + r * width,
				r, 1);
		for (int64_t j = 0; j < n; j++)
			seen[(int64_t)whole[j]]++;
		for (int64_t j = 0; j < n; j++)
			missing += seen[j] != 1;
		CHECK(missing == 0, "layout %zu", i);
		CHECK(!memcmp(whole, parts, (size_t)n * 4), "layout %zu", i);
		free(plain);
		free(whole);
		free(parts);
		free(seen);
	}
}

static void
run_level(void)
{
	test_convert(DT_F16, "f16 conversions");
	test_convert(DT_BF16, "bf16 conversions");
	test_rounding();
	test_pack();
}

int
main(void)
{
	each_level(run_level);
	return test_end();
}
