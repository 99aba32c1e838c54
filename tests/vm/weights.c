/* weights.c - matching a plan's weights to files and loading them: names and
 * shapes of older files, reports, types, packing, values that are not finite,
 * files cut short, and the generated weights of `bench`.
 */
#include "kernels/kernels.h"
#include "vm/weights/tensors.h"
#include "tests/lib/test.h"
#include "vm/vm.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ERR = 4096 };

static Arena arena;
static char folder[64], err[ERR];

static const char *
in_folder(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

/* ---- plans made by hand: only strings, buffers and weights ---- */

typedef struct Maker {
	Plan plan;
	Vec(char) strings;
	Vec(PlanBuffer) buffers;
	Vec(PlanWeight) weights;
} Maker;

static uint32_t
string(Maker *m, const char *s)
{
	uint32_t at = (uint32_t)m->strings.n;
	do
		*vec_push(&m->strings) = *s;
	while (*s++);
	return at;
}

/* A weight with the dims d0, d1, ... (0 ends them). */
static PlanWeight *
weight(Maker *m, const char *component, const char *name, DType dtype,
	int64_t d0, int64_t d1, int64_t d2, int64_t d3)
{
	int64_t dim[4] = {d0, d1, d2, d3}, n = 1;
	PlanWeight w = {
		.component = string(m, component),
		.name = string(m, name),
		.buffer = (uint32_t)m->buffers.n,
	};
	for (; w.rank < 4 && dim[w.rank]; w.rank++) {
		w.dim[w.rank] = dim[w.rank];
		n *= dim[w.rank];
	}
	*vec_push(&m->buffers) = (PlanBuffer){
		.bytes = n * dtype_bytes(dtype), .role = BUF_WEIGHT,
		.dtype = (uint8_t)dtype,
	};
	*vec_push(&m->weights) = w;
	return &m->weights.at[m->weights.n - 1];
}

static PlanWeight *
matrix(Maker *m, const char *component, const char *name, DType dtype,
	int64_t out, int64_t in, int64_t kh, int64_t kw)
{
	PlanWeight *w = weight(m, component, name, dtype, out, in, kh, kw);
	w->layout = LAYOUT_MATRIX;
	w->rows[0] = out;
	w->cols[0] = in;
	w->taps = (kh ? kh : 1) * (kw ? kw : 1);
	return w;
}

static const Plan *
made(Maker *m)
{
	m->plan.head.target = string(m, "cpu");
	m->plan.strings = m->strings.at;
	m->plan.n_strings = (uint32_t)m->strings.n;
	m->plan.buffers = m->buffers.at;
	m->plan.n_buffers = (uint32_t)m->buffers.n;
	m->plan.weights = m->weights.at;
	m->plan.n_weights = (uint32_t)m->weights.n;
	return &m->plan;
}

static void
unmake(Maker *m)
{
	vec_free(&m->strings);
	vec_free(&m->buffers);
	vec_free(&m->weights);
}

/* ---- helpers ---- */

/* x[i] = i / 8 - 2, exact in every type for small i. */
static float *
ramp(size_t n)
{
	float *x = arena_array(&arena, n, sizeof *x);
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(i % 64) / 8 - 2;
	return x;
}

static void *
converted(DType to, const float *x, int64_t n)
{
	void *y = arena_array(&arena, (size_t)n, 4);
	convert(to, y, DT_F32, x, n);
	return y;
}

static const char *
write_tensors(const char *name, const TensorOut *t, size_t n)
{
	const char *path = in_folder(name);
	char why[TENSORS_ERROR];
	CHECK(!tensors_write(path, t, n, why), "%s", why);
	return path;
}

static WeightSource *
open_at(const Plan *p, const char *path, int want)
{
	int code = -1;
	err[0] = 0;
	WeightSource *s = weights_open(&arena, p, path, NULL, 0, true, &code,
		err, ERR);
	CHECK(code == want, "%d: %s", code, err);
	CHECK((s != NULL) == (code == EXIT_OK));
	return s;
}

static int
lines(const char *s)
{
	int n = 1;
	for (; *s; s++)
		n += *s == '\n';
	return n;
}

/* ---- matching ---- */

static void
test_names(void)
{
	static float x[64];
	test("weights: names of older files");
	Maker m = {0};
	matrix(&m, "", "mid.attentions.0.to_q.weight", DT_F32, 4, 4, 0, 0);
	matrix(&m, "", "mid.attentions.0.to_k.weight", DT_F32, 4, 4, 0, 0);
	matrix(&m, "", "mid.attentions.0.to_v.weight", DT_F32, 4, 4, 0, 0);
	weight(&m, "", "mid.attentions.0.to_out.0.bias", DT_F32, 4, 0, 0, 0);
	weight(&m, "", "text_model.final_layer_norm.bias", DT_F32, 4, 0, 0, 0);
	weight(&m, "", "encoder.x", DT_F32, 4, 0, 0, 0);
	matrix(&m, "", "conv_in.weight", DT_F32, 4, 4, 1, 1);
	TensorOut t[] = {
		{"mid.attentions.0.query.weight", DT_F32, 4, {4, 4, 1, 1}, x},
		{"mid.attentions.0.key.weight", DT_F32, 2, {4, 4}, x},
		{"mid.attentions.0.value.weight", DT_F32, 2, {4, 4}, x},
		{"mid.attentions.0.proj_attn.bias", DT_F32, 1, {4}, x},
		{"final_layer_norm.bias", DT_F32, 1, {4}, x},
		{"text_model.encoder.x", DT_F32, 1, {4}, x},
		{"conv_in.weight", DT_F32, 2, {4, 4}, x},
		{"unused", DT_I32, 1, {4}, x},
	};
	const char *path = write_tensors("old.safetensors", t, COUNT_OF(t));
	weights_close(open_at(made(&m), path, EXIT_OK));
	unmake(&m);
}

static void
test_report(void)
{
	static float x[64];
	test("weights: missing and mis-shaped in one message");
	Maker m = {0};
	weight(&m, "", "conv_in.bias", DT_F32, 4, 0, 0, 0);
	matrix(&m, "", "conv_in.weight", DT_F32, 4, 9, 3, 3);
	weight(&m, "", "ids", DT_F32, 4, 0, 0, 0);
	weight(&m, "", "same", DT_F32, 4, 0, 0, 0);
	for (int i = 0; i < 10; i++)
		weight(&m, "", arena_printf(&arena, "down.0.motion.%d.bias",
			i), DT_F32, 4, 0, 0, 0);
	TensorOut t[] = {
		{"conv_in.bais", DT_F32, 1, {4}, x},
		{"conv_in.weight", DT_F32, 4, {4, 4, 1, 3}, x},
		{"ids", DT_I32, 1, {4}, x},
		{"same", DT_F32, 2, {4, 1}, x},
	};
	const char *path = write_tensors("few.safetensors", t, COUNT_OF(t));
	open_at(made(&m), path, EXIT_WEIGHTS);
	CHECK(strstr(err, "13 of 14 weights do not fit"), "%s", err);
	CHECK(strstr(err, "11 missing, 1 of another shape, 1 of another type"));
	CHECK(strstr(err, "missing: conv_in.bias [4]; the nearest name is "
		"conv_in.bais [4]"), "%s", err);
	CHECK(strstr(err, "conv_in.weight: the model wants [4,9,3,3], the file "
		"has [4,4,1,3]"), "%s", err);
	CHECK(strstr(err, "ids is I32"), "%s", err);
	CHECK(strstr(err, "down.0.motion.* (10 tensors"), "%s", err);
	CHECK(lines(err) == 5, "%s", err);

	test("weights: a long message is cut, at any size of the buffer");
	for (int i = 0; i < 100; i++)
		weight(&m, "", arena_printf(&arena, "part%d.bias", i), DT_F32,
			4, 0, 0, 0);
	open_at(made(&m), path, EXIT_WEIGHTS);
	CHECK(lines(err) <= 22, "%d", lines(err));
	CHECK(strstr(err, "more"), "%s", err);
	for (size_t size = 256; size < ERR; size += 97) {
		char *small = malloc(size);
		int code;
		CHECK(!weights_open(&arena, &m.plan, path, NULL, 0, true, &code,
			small, size));
		CHECK(strlen(small) < size && strstr(small, "missing"));
		free(small);
	}
	unmake(&m);
}

static void
test_components(void)
{
	static float x[64], y[4] = {5, 6, 7, 8};
	TensorOut t[] = {
		{"a", DT_F32, 1, {4}, x},
		{"b", DT_F32, 1, {4}, x},
	};
	mkdir(in_folder("hf"), 0700);
	mkdir(in_folder("hf/unet"), 0700);
	mkdir(in_folder("hf/vae"), 0700);
	mkdir(in_folder("extra"), 0700);
	write_tensors("hf/unet/diffusion_pytorch_model.safetensors", t, 2);
	write_tensors("hf/vae/diffusion_pytorch_model.safetensors", t, 1);
	t[0].data = y;
	const char *extra = write_tensors("extra/model.safetensors", t, 1);
	Maker m = {0};
	weight(&m, "unet", "a", DT_F32, 4, 0, 0, 0);
	weight(&m, "unet", "b", DT_F32, 4, 0, 0, 0);
	weight(&m, "vae", "a", DT_F32, 4, 0, 0, 0);
	const Plan *p = made(&m);
	int code;
	float got[4];

	test("weights: a folder for each component");
	WeightSource *s = open_at(p, in_folder("hf"), EXIT_OK);
	CHECK(s && !weights_load(s, NULL, p, 0, got, err) && got[0] == 0);
	weights_close(s);

	test("weights: --component replaces, later folders win");
	const char *item = arena_printf(&arena, "unet=%s,%s",
		in_folder("hf/unet"), extra);
	s = weights_open(&arena, p, in_folder("hf"), &item, 1, true, &code, err,
		ERR);
	CHECK(s && !code, "%s", err);
	CHECK(s && !weights_load(s, NULL, p, 0, got, err) && got[0] == 5);
	CHECK(s && !weights_load(s, NULL, p, 2, got, err) && got[0] == 0);
	weights_close(s);

	test("weights: bad components");
	static const char *const bad[][2] = {
		{"unet", "NAME=FOLDER"}, {"=x", "NAME=FOLDER"},
		{"unet=", "NAME=FOLDER"},
		{"unit=x", "no component 'unit'; it has: unet vae"},
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		CHECK(!weights_open(&arena, p, folder, &bad[i][0], 1, true,
			&code, err, ERR));
		CHECK(code == EXIT_USAGE && strstr(err, bad[i][1]), "%s", err);
	}
	open_at(p, NULL, EXIT_USAGE);
	open_at(p, in_folder("absent"), EXIT_IO);
	weight(&m, "../hf/vae", "a", DT_F32, 4, 0, 0, 0);
	open_at(made(&m), in_folder("hf"), EXIT_PLAN);
	unmake(&m);
}

/* ---- loading ---- */

/* Types of files and plans, plain and packed; values against a conversion and
 * packing of the whole at once. */
static void
load_case(DType from, DType to, const char *path, const PlanWeight *layout)
{
	Maker m = {0};
	int64_t out = layout->rows[0] + layout->rows[1];
	int64_t in = layout->cols[0] + layout->cols[1];
	PlanWeight *w = matrix(&m, "", "m", to, out, in, layout->taps, 0);
	memcpy(w->rows, layout->rows, sizeof w->rows);
	memcpy(w->cols, layout->cols, sizeof w->cols);
	w->taps = layout->taps;
	weight(&m, "", "m", to, out, in, layout->taps, 0);
	int64_t n = out * in * layout->taps, bytes = n * dtype_bytes(to);
	const float *x = ramp((size_t)n);
	TensorOut t = {"m", from, 3, {out, in, layout->taps},
		converted(from, x, n)};
	write_tensors("load.safetensors", &t, 1);
	const Plan *p = made(&m);
	WeightSource *s = open_at(p, path, EXIT_OK);
	char *got = malloc((size_t)bytes), *want = malloc((size_t)bytes);
	MatrixLayout l = {{layout->rows[0], layout->rows[1]},
		{layout->cols[0], layout->cols[1]}, layout->taps};
	pack_rows(&l, to, want, DT_F32, x, 0, out);
	CHECK(s && !weights_load(s, NULL, p, 0, got, err), "%s", err);
	CHECK(!memcmp(got, want, (size_t)bytes), "matrix %s to %s",
		dtype_name(from), dtype_name(to));
	convert(to, want, DT_F32, x, n);
	CHECK(s && !weights_load(s, NULL, p, 1, got, err), "%s", err);
	CHECK(!memcmp(got, want, (size_t)bytes), "plain %s to %s",
		dtype_name(from), dtype_name(to));
	free(got);
	free(want);
	weights_close(s);
	unmake(&m);
}

static void
test_types(void)
{
	/* GEGLU halves, an input in two parts, odd extents */
	static const PlanWeight layout = {
		.rows = {70, 70}, .cols = {33, 5}, .taps = 9,
	};
	const char *path = in_folder("load.safetensors");
	test("weights: every type to every type, plain and packed");
	for (int from = 0; from <= DT_BF16; from++)
		for (int to = 0; to <= DT_BF16; to++)
			load_case((DType)from, (DType)to, path, &layout);

	test("weights: a matrix larger than the staging block");
	static const PlanWeight large = {
		.rows = {1300, 0}, .cols = {1280, 0}, .taps = 3,
	};
	load_case(DT_F32, DT_F16, path, &large);
	load_case(DT_F16, DT_F16, path, &large);
}

/* A table of positions: the file's, its rounding included, or the sinusoid. */
static void
test_table(void)
{
	enum { ROWS = 5, COLS = 6 };
	test("weights: a table that the file may leave out");
	float x[ROWS * COLS], got[ROWS * COLS], want[ROWS * COLS];
	uint16_t half[ROWS * COLS];
	for (int r = 0; r < ROWS; r++)
		for (int c = 0; c < COLS; c++) {
			double a = r * exp(-log(1e4) * (c / 2) / (COLS / 2));
			x[r * COLS + c] = (float)(c % 2 ? cos(a) : sin(a));
		}
	convert(DT_F16, half, DT_F32, x, ROWS * COLS);
	convert(DT_F32, want, DT_F16, half, ROWS * COLS);
	TensorOut t[] = {
		{"other", DT_F32, 1, {4}, x},
		{"attn.pe", DT_F16, 3, {1, ROWS, COLS}, half},
	};
	for (size_t n = 1; n <= COUNT_OF(t); n++) {
		Maker m = {0};
		PlanWeight *w = weight(&m, "", "attn.pe", DT_F32, ROWS, COLS,
			0, 0);
		w->otherwise = OTHERWISE_SINUSOID;
		const char *path = write_tensors("table.safetensors", t, n);
		WeightSource *s = open_at(made(&m), path, EXIT_OK);
		CHECK(s && !weights_load(s, NULL, &m.plan, 0, got, err), "%s", err);
		for (int i = 0; i < ROWS * COLS; i++)
			CHECK(n == 1 ? fabsf(got[i] - x[i]) < 1e-6f
				: got[i] == want[i], "%d: %g", i, (double)got[i]);
		weights_close(s);
		unmake(&m);
	}
	test("weights: a table of another length is refused");
	Maker m = {0};
	weight(&m, "", "attn.pe", DT_F32, ROWS + 1, COLS, 0, 0)->otherwise =
		OTHERWISE_SINUSOID;
	open_at(made(&m), in_folder("table.safetensors"), EXIT_WEIGHTS);
	CHECK(strstr(err, "attn.pe: the model wants [6,6], the file has "
		"[1,5,6]"), "%s", err);
	unmake(&m);
}

static void
test_double(void)
{
	test("weights: f64 files");
	enum { N = 10 };
	char json[] = "{\"d\":{\"dtype\":\"F64\",\"shape\":[10],"
		"\"data_offsets\":[0,80]}}";
	const char *path = in_folder("double.safetensors");
	double x[N];
	uint64_t n = sizeof json - 1;
	for (int i = 0; i < N; i++)
		x[i] = i / 3.0;
	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(path, "wb");
		CHECK(f && fwrite(&n, 8, 1, f) && fwrite(json, n, 1, f)
			&& fwrite(x, sizeof x, 1, f) && !fclose(f));
		Maker m = {0};
		weight(&m, "", "d", DT_F32, N, 0, 0, 0);
		const Plan *p = made(&m);
		WeightSource *s = open_at(p, path, EXIT_OK);
		float y[N];
		int code = s ? weights_load(s, NULL, p, 0, y, err) : -1;
		CHECK(code == (i ? EXIT_NUMERICS : EXIT_OK), "%s", err);
		for (int k = 0; k < N && !i; k++)
			CHECK(y[k] == (float)x[k]);
		x[4] = 1e300;
		weights_close(s);
		unmake(&m);
	}
	CHECK(strstr(err, "element 4 is inf"), "%s", err);
}

/* One bad value at index `at` of a matrix. */
static void
refuse_value(DType from, DType to, float bad, int64_t at, const char *part)
{
	enum { OUT = 300, IN = 290 };
	Maker m = {0};
	matrix(&m, "", "m", to, OUT, IN, 0, 0);
	float *x = ramp(OUT * IN);
	x[at] = bad;
	TensorOut t = {"m", from, 2, {OUT, IN}, converted(from, x, OUT * IN)};
	const char *path = write_tensors("nan.safetensors", &t, 1);
	const Plan *p = made(&m);
	WeightSource *s = open_at(p, path, EXIT_OK);
	char *y = malloc(OUT * IN * 4);
	int code = s ? weights_load(s, NULL, p, 0, y, err) : -1;
	CHECK(code == (part ? EXIT_NUMERICS : EXIT_OK), "%s to %s: %g",
		dtype_name(from), dtype_name(to), (double)bad);
	const char *where = arena_printf(&arena, "tensor 'm': element %lld is ",
		(long long)at);
	CHECK(!part || (strstr(err, where) && strstr(err, part)), "%s", err);
	free(y);
	weights_close(s);
	unmake(&m);
}

static void
test_finite(void)
{
	test("weights: NaN and infinity are refused, anywhere");
	for (int from = 0; from <= DT_BF16; from++) {
		refuse_value((DType)from, DT_F32, NAN, 0, "nan");
		refuse_value((DType)from, DT_F16, INFINITY, 86999, "inf");
		refuse_value((DType)from, DT_BF16, -INFINITY, 12345, "-inf");
	}
	test("weights: what becomes infinite in f16 is refused");
	refuse_value(DT_F32, DT_F16, 65520, 77, "too large for f16");
	refuse_value(DT_F32, DT_F16, -65519, 77, NULL);
	refuse_value(DT_BF16, DT_F16, 65536, 77, "too large for f16");
	refuse_value(DT_BF16, DT_F16, 65280, 77, NULL);
	refuse_value(DT_F32, DT_BF16, 3.4e38f, 77, "too large for bf16");
	refuse_value(DT_F32, DT_BF16, 3.38e38f, 77, NULL);
	refuse_value(DT_F32, DT_F32, 3.4e38f, 77, NULL);
	refuse_value(DT_F16, DT_BF16, 65504, 77, NULL);
}

static void
test_cut_short(void)
{
	test("weights: a file cut short after it was opened");
	Maker m = {0};
	matrix(&m, "", "m", DT_F32, 64, 64, 0, 0);
	TensorOut t = {"m", DT_F32, 2, {64, 64}, ramp(64 * 64)};
	const char *path = write_tensors("cut.safetensors", &t, 1);
	const Plan *p = made(&m);
	WeightSource *s = open_at(p, path, EXIT_OK);
	static float y[64 * 64];
	CHECK(!truncate(path, 9000));
	CHECK(s && weights_load(s, NULL, p, 0, y, err) == EXIT_IO);
	CHECK(strstr(err, "cut.safetensors") && strstr(err, "early"), "%s",
		err);
	weights_close(s);

	test("weights: a plan whose layout is not that of the shape");
	m.weights.at[0].cols[0] = 63;
	t.name = "m";
	s = open_at(p, write_tensors("cut.safetensors", &t, 1), EXIT_OK);
	CHECK(s && weights_load(s, NULL, p, 0, y, err) == EXIT_PLAN);
	weights_close(s);
	m.weights.at[0].cols[0] = 64;
	m.buffers.at[0].bytes--;
	s = open_at(p, path, EXIT_OK);
	CHECK(s && weights_load(s, NULL, p, 0, y, err) == EXIT_PLAN);
	weights_close(s);
	unmake(&m);
}

/* ---- generated weights ---- */

static void
test_generated(void)
{
	enum { OUT = 320, IN = 100, TAPS = 9, N = OUT * IN * TAPS };
	Maker m = {0};
	matrix(&m, "", "conv.weight", DT_F32, OUT, IN, 3, 3);
	weight(&m, "", "norm.weight", DT_F32, OUT, 0, 0, 0);
	weight(&m, "", "norm.bias", DT_F32, OUT, 0, 0, 0);
	matrix(&m, "", "conv2.weight", DT_F32, OUT, IN, 3, 3);
	const Plan *p = made(&m);
	float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
	double sum = 0, squares = 0, most = 0;

	test("weights: generated values and their spread");
	WeightSource *s = weights_generated(&arena, p, 7);
	CHECK(!weights_load(s, NULL, p, 0, x, err));
	for (int i = 0; i < N; i++) {
		sum += (double)x[i];
		squares += (double)x[i] * (double)x[i];
	}
	CHECK(fabs(squares / N * IN * TAPS - 1) < 0.01, "%g", squares / N);
	CHECK(fabs(sum / N) < 1e-3 / sqrt(IN * TAPS) * 10, "%g", sum / N);
	CHECK(!weights_load(s, NULL, p, 1, y, err));
	for (int i = 0; i < OUT; i++)
		most = fmax(most, fabs((double)y[i] - 1));
	CHECK(most > 0.01 && most < 0.1, "%g", most);
	CHECK(!weights_load(s, NULL, p, 2, y, err));
	CHECK(fabs((double)y[0]) < 0.1);

	test("weights: generated values depend on seed and name alone");
	CHECK(!weights_load(s, NULL, p, 3, y, err) && memcmp(x, y, N * sizeof *x));
	weights_close(s);
	s = weights_generated(&arena, p, 7);
	CHECK(!weights_load(s, NULL, p, 0, y, err) && !memcmp(x, y, N * sizeof *x));
	weights_close(s);
	s = weights_generated(&arena, p, 8);
	CHECK(!weights_load(s, NULL, p, 0, y, err) && memcmp(x, y, N * sizeof *x));
	weights_close(s);
	free(x);
	free(y);
	unmake(&m);
}

static void
test_staging(void)
{
	test("weights: the staging block is bounded");
	Maker m = {0};
	weight(&m, "", "small", DT_F32, 10, 0, 0, 0);
	CHECK(weights_staging_bytes(made(&m)) == 128);
	matrix(&m, "", "big", DT_F16, 2560, 2560, 3, 3);
	CHECK(weights_staging_bytes(made(&m)) == 8 << 20);
	matrix(&m, "", "wide", DT_F16, 2, 2 << 20, 0, 0);
	CHECK(weights_staging_bytes(made(&m)) == 16 << 20);
	unmake(&m);
}

int
main(void)
{
	snprintf(folder, sizeof folder, "/tmp/sluice-test-XXXXXX");
	if (!mkdtemp(folder))
		fatal(EXIT_IO, "cannot make a temporary folder");
	test_names();
	test_report();
	test_components();
	test_types();
	test_table();
	test_double();
	test_finite();
	test_cut_short();
	test_generated();
	test_staging();
	if (system(arena_printf(&arena, "rm -rf %s", folder)))
		warn("cannot remove %s", folder);
	arena_free(&arena);
	return test_end();
}
