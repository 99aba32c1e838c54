/* picture.c - pictures of every kind that is read, written here by the formats'
 * own libraries; those that must be refused; and both resizings, on a case of
 * diffusers and Pillow (tests/data/images).
 */
#include "compiler/media/media.h"
#include "tests/lib/test.h"
#include "vm/vm.h"

#include <jpeglib.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <unistd.h>
#include <webp/encode.h>
#include <webp/mux.h>

enum { H = 13, W = 21 };

static Arena arena;

typedef struct File {
	uint8_t *data;
	size_t size;
} File;

/* Smooth in both directions, no two corners alike. */
static void
paint(uint8_t rgb[H * W * 3])
{
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++) {
			uint8_t *c = rgb + 3 * (y * W + x);
			c[0] = (uint8_t)(40 + 180 * x / W);
			c[1] = (uint8_t)(220 - 150 * y / H);
			c[2] = (uint8_t)(100 + 60 * x / W - 40 * y / H);
		}
}

static int
parse(const File *f, Picture *p, char *err)
{
	*err = 0;
	return picture_parse(&arena, "a", f->data, f->size, p, err);
}

/* EXIF data that say how the camera was held, in either byte order. */
static File
exif_block(int orientation, bool little, bool marked)
{
	static const char be[] = "MM\0*\0\0\0\x08\0\x02\x01\x0f\0\x02\0\0\0\0\0\0"
		"\0\0\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
	static const char le[] = "II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\0\0\0\0\0\0"
		"\0\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0";
	size_t mark = marked ? 6 : 0;
	File f = {arena_alloc(&arena, sizeof be - 1 + mark),
		sizeof be - 1 + mark};
	if (marked)
		memcpy(f.data, "Exif\0\0", 6);
	memcpy(f.data + mark, little ? le : be, sizeof be - 1);
	f.data[mark + (little ? 30 : 31)] = (uint8_t)orientation;
	return f;
}

/* ---- writers ---- */

static void
append(png_structp png, png_bytep data, size_t n)
{
	File *f = png_get_io_ptr(png);
	f->data = realloc(f->data, f->size + n);
	memcpy(f->data + f->size, data, n);
	f->size += n;
}

static File
kept(File f)
{
	File k = {arena_alloc(&arena, f.size), f.size};
	memcpy(k.data, f.data, f.size);
	free(f.data);
	return k;
}

/* `rows` are as the file has them: packed bits, 16 bits with the upper byte
 * first, indices. */
static File
make_png(int type, int bits, bool interlaced, uint8_t *rows, size_t row_bytes,
	const File *exif)
{
	File f = {0};
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL,
		NULL, NULL);
	png_infop info = png_create_info_struct(png);
	png_bytep row[H];
	for (int y = 0; y < H; y++)
		row[y] = rows + row_bytes * (size_t)y;
	png_set_write_fn(png, &f, append, NULL);
	png_set_IHDR(png, info, W, H, bits, type, interlaced
		? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	if (type == PNG_COLOR_TYPE_PALETTE) {
		png_color colours[4] = {{9, 8, 7}, {250, 0, 1}, {3, 99, 5},
			{77, 88, 200}};
		png_byte see_through[2] = {0, 128};
		png_set_PLTE(png, info, colours, 4);
		png_set_tRNS(png, info, see_through, 2, NULL);
	}
	if (exif)
		png_set_eXIf_1(png, info, (png_uint_32)exif->size, exif->data);
	png_write_info(png, info);
	png_write_image(png, row);
	png_write_end(png, info);
	png_destroy_write_struct(&png, &info);
	return kept(f);
}

static File
make_jpeg(J_COLOR_SPACE in, J_COLOR_SPACE stored, int components,
	bool progressive, const uint8_t *pixels, const File *exif)
{
	struct jpeg_compress_struct jpeg;
	struct jpeg_error_mgr errors;
	unsigned char *data = NULL;
	unsigned long size = 0;
	jpeg.err = jpeg_std_error(&errors);
	jpeg_create_compress(&jpeg);
	jpeg_mem_dest(&jpeg, &data, &size);
	jpeg.image_width = W;
	jpeg.image_height = H;
	jpeg.input_components = components;
	jpeg.in_color_space = in;
	jpeg_set_defaults(&jpeg);
	jpeg_set_colorspace(&jpeg, stored);
	jpeg_set_quality(&jpeg, 97, TRUE);
	if (progressive)
		jpeg_simple_progression(&jpeg);
	jpeg_start_compress(&jpeg, TRUE);
	if (exif)
		jpeg_write_marker(&jpeg, JPEG_APP0 + 1, exif->data,
			(unsigned)exif->size);
	for (int y = 0; y < H; y++) {
		JSAMPROW row = arena_alloc(&arena, (size_t)(W * components));
		memcpy(row, pixels + y * W * components,
			(size_t)(W * components));
		jpeg_write_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_compress(&jpeg);
	jpeg_destroy_compress(&jpeg);
	return kept((File){data, size});
}

static File
make_webp(const uint8_t *rgb, const File *exif)
{
	uint8_t *data = NULL;
	size_t size = WebPEncodeLosslessRGB(rgb, W, H, 3 * W, &data);
	WebPData picture = {data, size}, out = {NULL, 0};
	WebPMux *mux = WebPMuxCreate(&picture, 1);
	if (exif) {
		WebPData block = {exif->data, exif->size};
		WebPMuxSetChunk(mux, "EXIF", &block, 1);
	}
	WebPMuxAssemble(mux, &out);
	WebPMuxDelete(mux);
	WebPFree(data);
	File f = {arena_alloc(&arena, out.size), out.size};
	memcpy(f.data, out.bytes, out.size);
	WebPDataClear(&out);
	return f;
}

/* ---- what is read ---- */

/* The largest difference to `want`, of W x H pixels; 999: not read. */
static int
difference(const File *f, const uint8_t *want)
{
	Picture p;
	char err[256];
	int worst = 0;
	if (parse(f, &p, err) || p.width != W || p.height != H) {
		printf("# %s\n", err);
		return 999;
	}
	for (int i = 0; i < H * W * 3; i++)
		worst = (int)max64(worst, abs(p.rgb[i] - want[i]));
	return worst;
}

/* One grey sample of `bits` bits for each pixel: its stored row bytes, and the
 * value that it must become. */
static File
grey_png(int bits, uint8_t *want)
{
	static uint8_t rows[H * W * 2];
	size_t row_bytes = (size_t)((W * bits + 7) / 8);
	memset(rows, 0, sizeof rows);
	for (int i = 0; i < H * W; i++) {
		int x = i % W, y = i / W, top = (1 << (bits < 8 ? bits : 8)) - 1;
		int v = (x + 3 * y) * 37 % (top + 1);
		uint8_t *row = rows + (size_t)y * row_bytes;
		if (bits == 16) {
			row[2 * x] = (uint8_t)v;
			row[2 * x + 1] = 0xfe;
		} else {
			row[x * bits / 8] |= (uint8_t)(v << (8 - bits
				- x * bits % 8));
		}
		memset(want + 3 * i, v * 255 / top, 3);
	}
	return make_png(PNG_COLOR_TYPE_GRAY, bits, bits == 2, rows, row_bytes,
		NULL);
}

static void
png_kinds(const uint8_t *rgb)
{
	static uint8_t rows[H * W * 8], want[H * W * 3];
	test("PNG: RGB, interlaced or not, alpha left away, 16 bits");
	memcpy(rows, rgb, H * W * 3);
	File f = make_png(PNG_COLOR_TYPE_RGB, 8, false, rows, W * 3, NULL);
	CHECK(difference(&f, rgb) == 0);
	f = make_png(PNG_COLOR_TYPE_RGB, 8, true, rows, W * 3, NULL);
	CHECK(difference(&f, rgb) == 0);
	for (int i = 0; i < H * W; i++) {
		memcpy(rows + 4 * i, rgb + 3 * i, 3);
		rows[4 * i + 3] = (uint8_t)(i * 5);
	}
	f = make_png(PNG_COLOR_TYPE_RGBA, 8, false, rows, W * 4, NULL);
	CHECK(difference(&f, rgb) == 0);
	for (int i = 0; i < H * W * 3; i++) {
		rows[2 * i] = rgb[i];
		rows[2 * i + 1] = (uint8_t)(i * 31);
	}
	f = make_png(PNG_COLOR_TYPE_RGB, 16, true, rows, W * 6, NULL);
	CHECK(difference(&f, rgb) == 0);
	test("PNG: grey of 1, 2, 4, 8 and 16 bits, palettes");
	for (int bits = 1; bits <= 16; bits *= 2) {
		f = grey_png(bits, want);
		CHECK(difference(&f, want) == 0, "%d bits", bits);
	}
	static const uint8_t colours[4][3] = {{9, 8, 7}, {250, 0, 1},
		{3, 99, 5}, {77, 88, 200}};
	for (int i = 0; i < H * W; i++) {
		rows[i] = (uint8_t)(i % 4);
		memcpy(want + 3 * i, colours[i % 4], 3);
	}
	f = make_png(PNG_COLOR_TYPE_PALETTE, 8, false, rows, W, NULL);
	CHECK(difference(&f, want) == 0);
}

static void
jpeg_kinds(const uint8_t *rgb)
{
	static uint8_t grey[H * W], want[H * W * 3], cmyk[H * W * 4];
	test("JPEG: colour, progressive, grey");
	File f = make_jpeg(JCS_RGB, JCS_YCbCr, 3, false, rgb, NULL);
	CHECK(difference(&f, rgb) <= 6, "%d", difference(&f, rgb));
	f = make_jpeg(JCS_RGB, JCS_YCbCr, 3, true, rgb, NULL);
	CHECK(difference(&f, rgb) <= 6, "%d", difference(&f, rgb));
	for (int i = 0; i < H * W; i++) {
		grey[i] = rgb[3 * i];
		memset(want + 3 * i, rgb[3 * i], 3);
	}
	f = make_jpeg(JCS_GRAYSCALE, JCS_GRAYSCALE, 1, false, grey, NULL);
	CHECK(difference(&f, want) <= 3, "%d", difference(&f, want));
	test("JPEG: CMYK and YCCK, stored inverted");
	/* c, m, y of the colours over 200 of white; k leaves 200 */
	for (int i = 0; i < H * W; i++) {
		for (int c = 0; c < 3; c++) {
			cmyk[4 * i + c] = rgb[3 * i + c];
			want[3 * i + c] = (uint8_t)(rgb[3 * i + c] * 200 / 255);
		}
		cmyk[4 * i + 3] = 200;
	}
	f = make_jpeg(JCS_CMYK, JCS_CMYK, 4, false, cmyk, NULL);
	CHECK(difference(&f, want) <= 4, "%d", difference(&f, want));
	f = make_jpeg(JCS_CMYK, JCS_YCCK, 4, true, cmyk, NULL);
	CHECK(difference(&f, want) <= 6, "%d", difference(&f, want));
}

/* The first of two frames, which leaves a border free. */
static File
animation(const uint8_t *rgb)
{
	uint8_t *data = NULL;
	size_t size = WebPEncodeLosslessRGB(rgb, W - 2, H - 4, 3 * W, &data);
	WebPData out = {NULL, 0};
	WebPMux *mux = WebPMuxNew();
	WebPMuxFrameInfo frame = {.bitstream = {data, size}, .x_offset = 2,
		.y_offset = 4, .duration = 50, .id = WEBP_CHUNK_ANMF};
	WebPMuxPushFrame(mux, &frame, 1);
	WebPMuxPushFrame(mux, &frame, 1);
	WebPMuxAnimParams params = {.loop_count = 0};
	WebPMuxSetAnimationParams(mux, &params);
	WebPMuxSetCanvasSize(mux, W, H);
	WebPMuxAssemble(mux, &out);
	WebPMuxDelete(mux);
	WebPFree(data);
	File f = {arena_alloc(&arena, out.size), out.size};
	memcpy(f.data, out.bytes, out.size);
	WebPDataClear(&out);
	return f;
}

static void
webp_kinds(const uint8_t *rgb)
{
	static uint8_t want[H * W * 3];
	test("WebP: a picture, and the first frame of an animation");
	File f = make_webp(rgb, NULL);
	CHECK(difference(&f, rgb) == 0);
	f = animation(rgb);
	for (int y = 4; y < H; y++)
		memcpy(want + 3 * (y * W + 2), rgb + 3 * (y - 4) * W,
			3 * (W - 2));
	CHECK(difference(&f, want) == 0);
}

/* ---- how the camera was held ---- */

/* Where the pixel at the stored row and column is when upright. */
static void
upright_at(int orientation, int row, int column, int *y, int *x)
{
	const int to[9][2] = {{0, 0}, {row, column}, {row, W - 1 - column},
		{H - 1 - row, W - 1 - column}, {H - 1 - row, column},
		{column, row}, {column, H - 1 - row},
		{W - 1 - column, H - 1 - row}, {W - 1 - column, row}};
	*y = to[orientation][0];
	*x = to[orientation][1];
}

static int
upright_difference(const File *f, const uint8_t *rgb, int orientation)
{
	Picture p;
	char err[256];
	bool turned = orientation >= 5;
	int worst = 0, y, x;
	if (parse(f, &p, err) || p.height != (turned ? W : H)
		|| p.width != (turned ? H : W))
		return 999;
	for (int i = 0; i < H * W; i++) {
		upright_at(orientation, i / W, i % W, &y, &x);
		for (int c = 0; c < 3; c++)
			worst = (int)max64(worst, abs(rgb[3 * i + c]
				- p.rgb[3 * (y * p.width + x) + c]));
	}
	return worst;
}

static void
orientations(const uint8_t *rgb)
{
	static uint8_t rows[H * W * 3];
	test("EXIF's eight orientations, in all three formats");
	memcpy(rows, rgb, sizeof rows);
	for (int o = 1; o <= 8; o++) {
		File exif = exif_block(o, o & 1, false);
		File marked = exif_block(o, o & 2, true);
		File f = make_png(PNG_COLOR_TYPE_RGB, 8, false, rows, W * 3,
			&exif);
		CHECK(upright_difference(&f, rgb, o) == 0, "PNG, %d", o);
		f = make_webp(rgb, o & 1 ? &exif : &marked);
		CHECK(upright_difference(&f, rgb, o) == 0, "WebP, %d", o);
		f = make_jpeg(JCS_RGB, JCS_YCbCr, 3, false, rgb, &marked);
		CHECK(upright_difference(&f, rgb, o) <= 6, "JPEG, %d", o);
	}
	test("EXIF data that are wrong leave the picture as it is stored");
	for (int o = 0; o < 256; o += o == 0 ? 9 : 1) {
		File exif = exif_block(o, true, false);
		File f = make_webp(rgb, &exif);
		CHECK(upright_difference(&f, rgb, 1) == 0, "%d", o);
	}
	for (size_t n = 0; n < 38; n++) {
		File exif = exif_block(6, false, false);
		exif.size = n;
		File f = make_webp(rgb, n ? &exif : NULL);
		int o = n < 34 ? 1 : 6;
		CHECK(upright_difference(&f, rgb, o) == 0, "%zu bytes", n);
	}
}

/* ---- what is refused ---- */

static void
every_prefix(const char *what, const File *f)
{
	Picture p;
	char err[256];
	for (size_t n = 0; n < f->size; n++) {
		File part = {arena_alloc(&arena, n + 1), n};
		memcpy(part.data, f->data, n);
		int code = parse(&part, &p, err);
		CHECK(code == EXIT_WEIGHTS && strstr(err, "'a' cannot be used"),
			"%s, %zu of %zu bytes: %d %s", what, n, f->size, code,
			err);
	}
}

static void
cut_off(const uint8_t *rgb)
{
	static uint8_t rows[H * W * 3];
	memcpy(rows, rgb, sizeof rows);
	test("a file that is cut off anywhere is refused");
	File png = make_png(PNG_COLOR_TYPE_RGB, 8, false, rows, W * 3, NULL);
	File jpeg = make_jpeg(JCS_RGB, JCS_YCbCr, 3, false, rgb, NULL);
	File webp = make_webp(rgb, NULL);
	every_prefix("PNG", &png);
	every_prefix("JPEG", &jpeg);
	every_prefix("WebP", &webp);
	test("a flipped byte in a PNG's pixels is noticed");
	Picture p;
	char err[256];
	png.data[png.size / 2] ^= 4;
	CHECK(parse(&png, &p, err) == EXIT_WEIGHTS);
}

static void
too_large(const uint8_t *rgb)
{
	static uint8_t rows[H * W * 3];
	Picture p;
	char err[256];
	test("a huge picture is refused before memory is taken for it");
	memcpy(rows, rgb, sizeof rows);
	File png = make_png(PNG_COLOR_TYPE_RGB, 8, false, rows, W * 3, NULL);
	/* width, height and the checksum of such a header */
	memcpy(png.data + 16, "\0\0\xea\x60\0\0\x9c\x40", 8);
	memcpy(png.data + 29, "\x87\xa4\x02\x32", 4);
	size_t before = arena.bytes;
	CHECK(parse(&png, &p, err) == EXIT_WEIGHTS
		&& strstr(err, "60000x40000 pixels: at most 100 million"), "%s",
		err);
	File jpeg = make_jpeg(JCS_GRAYSCALE, JCS_GRAYSCALE, 1, false, rgb, NULL);
	for (size_t i = 0; i + 9 < jpeg.size; i++)
		if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == 0xc0)
			memcpy(jpeg.data + i + 5, "\xfd\xe8\xfd\xe8", 4);
	CHECK(parse(&jpeg, &p, err) == EXIT_WEIGHTS
		&& strstr(err, "65000x65000 pixels"), "%s", err);
	File webp = animation(rgb);
	memset(webp.data + 24, 0xff, 6);        /* 16777216 a side */
	CHECK(parse(&webp, &p, err) == EXIT_WEIGHTS, "%s", err);
	CHECK(arena.bytes - before < 1 << 20, "%zu bytes", arena.bytes - before);
}

static void
no_pictures(void)
{
	static const struct { const char *bytes, *why; size_t n; } files[] = {
		{"", "it is empty", 0},
		{"prompt: a cat\n", "neither PNG, JPEG nor WebP", 14},
		{"GIF89a.......", "a GIF; PNG, JPEG and WebP are read", 13},
		{"\0\0\0\x1c" "ftypheic", "a HEIC or AVIF;", 12},
		{"RIFF\4\0\0\0WEBP", "the file is cut off", 12},
		{"\x89PNG\r\n\x1a\n", "the file is cut off", 8},
		{"\xff\xd8\xff", "'a' cannot be used as a picture", 3},
	};
	Picture p;
	char err[256];
	test("what is no picture is told");
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		int code = picture_parse(&arena, "a",
			(const uint8_t *)files[i].bytes, files[i].n, &p, err);
		CHECK(code == EXIT_WEIGHTS && strstr(err, files[i].why),
			"%zu: %d %s", i, code, err);
	}
	test("a file that cannot be read is told");
	CHECK(picture_read(&arena, "/nonexistent.png", &p, err) == EXIT_IO
		&& strstr(err, "No such file"), "%s", err);
	CHECK(picture_read(&arena, "/", &p, err) == EXIT_IO
		&& strstr(err, "directory"), "%s", err);
}

/* ---- resizing ---- */

/* A tensor of tests/data/images/NAME/out.safetensors, as f32. */
static float *
recorded(const char *path, const char *name, int64_t *n)
{
	TensorSet set = {.arena = &arena};
	char err[512];
	if (tensors_open(&set, path, err))
		fatal(EXIT_IO, "%s", err);
	const Tensor *t = tensors_find(&set, name);
	float *x = arena_alloc(&arena, (size_t)t->bytes);
	if (tensor_read(&set, t, 0, x, t->bytes, err))
		fatal(EXIT_IO, "%s", err);
	*n = t->bytes / 4;
	tensors_close(&set);
	return x;
}

static void
golden(void)
{
	static const float mean[3] = {0.48145466f, 0.4578275f, 0.40821073f};
	static const float deviation[3] = {0.26862954f, 0.26130258f,
		0.27577711f};
	const char *out = "tests/data/images/landscape/out.safetensors";
	Picture p;
	char err[256];
	int64_t n;
	double worst = 0;
	test("a picture as CLIP sees it, beside diffusers'");
	CHECK(!picture_read(&arena, "tests/data/images/landscape/image.png", &p,
		err), "%s", err);
	const float *rows = recorded(out, "clip_image_rows8", &n);
	const float *clip = picture_clip(&arena, &p, 224, mean, deviation);
	CHECK(n == 28 * 224 * 3);
	for (int64_t i = 0; i < n; i++)
		worst = fmax(worst, fabs((double)(rows[i] - clip[i
			+ i / 672 * 672 * 7])));
	CHECK(worst < 3e-5, "%g", worst);
	printf("# CLIP's picture: largest difference %.1e\n", worst);
	test("the picture at the video's size, within 2 levels of Pillow's");
	const float *vae = recorded(out, "vae_image", &n);
	Picture small = picture_resize(&arena, &p, 32, 48);
	CHECK(n == 32 * 48 * 3);
	worst = 0;
	for (int64_t i = 0; i < n; i++)
		worst = fmax(worst, fabs((vae[i] + 1) * 127.5 - small.rgb[i]));
	CHECK(worst < 2.01, "%g", worst);
	printf("# at the video's size: largest difference %.2f levels\n", worst);
}

static void
sizes(const uint8_t *rgb)
{
	static uint8_t pixels[H * W * 3];
	static const int side[][2] = {{1, 1}, {1, 90}, {64, 1}, {H, W}, {57, 3}};
	const float mean[3] = {0.5f, 0.25f, 0}, deviation[3] = {1, 2, 4};
	Picture p = {pixels, H, W};
	test("the same size is the same picture");
	memcpy(pixels, rgb, sizeof pixels);
	Picture q = picture_resize(&arena, &p, H, W);
	CHECK(!memcmp(q.rgb, rgb, sizeof pixels));
	test("one colour stays one colour, at any size, also from one pixel");
	memset(pixels, 51, sizeof pixels);
	for (size_t i = 0; i < 2 * COUNT_OF(side); i++) {
		const int *s = side[i / 2];
		if (i % 2)
			p = (Picture){pixels, 1, 1};
		q = picture_resize(&arena, &p, s[0], s[1]);
		for (int k = 0; k < 3 * s[0] * s[1]; k++)
			CHECK(q.rgb[k] == 51);
		const float *x = picture_clip(&arena, &p, s[1], mean, deviation);
		for (int k = 0; k < 3 * s[1] * s[1]; k++)
			CHECK(fabsf(x[k] - (0.2f - mean[k % 3])
				/ deviation[k % 3]) < 1e-6f);
		p = (Picture){pixels, H, W};
	}
}

int
main(void)
{
	static uint8_t rgb[H * W * 3];
	paint(rgb);
	png_kinds(rgb);
	jpeg_kinds(rgb);
	webp_kinds(rgb);
	orientations(rgb);
	cut_off(rgb);
	too_large(rgb);
	no_pictures();
	golden();
	sizes(rgb);
	test_close();
	arena_free(&arena);
	return test_end();
}
