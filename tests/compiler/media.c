/* media.c - writes videos and reads them back: GIF by giflib, PNG by libpng,
 * WebP by libwebp, Y4M by hand, MP4 and WebM through a stand-in for ffmpeg; and disks that are full.
 */
#include "compiler/media/media.h"
#include "compiler/media/palette.h"
#include "tests/lib/test.h"

#include <gif_lib.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <webp/demux.h>

enum { F = 5, H = 37, W = 53 };

static Arena arena;
static char folder[] = "/tmp/sluice-media-XXXXXX";

static const char *
in_folder(const char *name)
{
	return arena_printf(&arena, "%s/%s", folder, name);
}

/* Smooth colours, over which a small square moves. */
static Video
smooth_video(void)
{
	static uint8_t rgb[F][H][W][3];
	for (int f = 0; f < F; f++)
		for (int y = 0; y < H; y++)
			for (int x = 0; x < W; x++) {
				bool square = abs(x - 5 - 9 * f) < 4 && abs(y - 18) < 4;
				uint8_t *c = rgb[f][y][x];
				c[0] = (uint8_t)(square ? 250 : 255 * x / W);
				c[1] = (uint8_t)(square ? 250 : 255 * y / H);
				c[2] = (uint8_t)(square ? 20 : 128 + 60 * x / W);
			}
	static const Note notes[] = {{"prompt", "h\xc3\xa9lice"}};
	return (Video){.rgb = &rgb[0][0][0][0], .frames = F, .height = H,
		.width = W, .fps = 12, .notes = notes, .n_notes = 1};
}

/* ---- GIF ---- */

/* Plays a GIF into rgb[frames][H][W][3]; returns the sum of its delays. */
static int
play(const char *path, uint8_t *rgb, int *frames)
{
	int code, delays = 0;
	GifFileType *gif = DGifOpenFileName(path, &code);
	*frames = 0;
	if (!gif || DGifSlurp(gif) != GIF_OK)
		return -1;
	*frames = gif->ImageCount;
	for (int i = 0; i < gif->ImageCount && i < F; i++) {
		uint8_t *now = rgb + i * H * W * 3;
		const SavedImage *image = &gif->SavedImages[i];
		GraphicsControlBlock control;
		if (i)
			memcpy(now, now - H * W * 3, H * W * 3);
		if (DGifSavedExtensionToGCB(gif, i, &control) != GIF_OK)
			return -1;
		delays += control.DelayTime;
		for (int k = 0; k < H * W; k++) {
			int c = image->RasterBits[k];
			if (c == control.TransparentColor)
				continue;
			const GifColorType *at = &gif->SColorMap->Colors[c];
			now[3 * k] = at->Red;
			now[3 * k + 1] = at->Green;
			now[3 * k + 2] = at->Blue;
		}
	}
	DGifCloseFile(gif, &code);
	return delays;
}

/* Mean squared error after averaging 3x3 pixels, as an eye does. */
static double
blurred_error(const uint8_t *a, const uint8_t *b, int frames)
{
	double sum = 0;
	int64_t n = 0;
	for (int f = 0; f < frames; f++)
		for (int y = 1; y + 1 < H; y++)
			for (int x = 1; x + 1 < W; x++)
				for (int c = 0; c < 3; c++) {
					double d = 0;
					for (int k = 0; k < 9; k++) {
						int i = ((f * H + y - 1 + k / 3) * W + x
							- 1 + k % 3) * 3 + c;
						d += (a[i] - b[i]) / 9.0;
					}
					sum += d * d;
					n++;
				}
	return sum / (double)n;
}

static bool
has_bytes(const char *path, const char *what, size_t n)
{
	size_t size;
	char *text = arena_read_file(&arena, path, 1 << 24, &size);
	return text && memmem(text, size, what, n);
}

static void
gif(void)
{
	static uint8_t got[F * H * W * 3];
	Video v = smooth_video();
	char err[256] = "";
	int frames;
	const char *path = in_folder("a.gif");
	test("a GIF plays as it was written, for ever, at its rate");
	CHECK(gif_write(path, &v, err), "%s", err);
	int delays = play(path, got, &frames);
	CHECK(frames == F);
	CHECK(delays == 42, "%d", delays);      /* 5 frames at 12 a second */
	CHECK(has_bytes(path, "NETSCAPE2.0\x03\x01\0\0", 15));
	double psnr = 10 * log10(255 * 255 / blurred_error(got, v.rgb, F));
	CHECK(psnr > 33, "%.1f dB", psnr);
	printf("# GIF of a smooth picture: %.1f dB after a 3x3 blur\n", psnr);

	test("what stands still does not flicker");
	int moved = 0;
	for (int i = 0; i < H * W * 3; i++)
		moved += v.rgb[i] == v.rgb[i + H * W * 3]
			&& got[i] != got[i + H * W * 3];
	CHECK(!moved, "%d values", moved);

	test("few colours are kept exactly");
	static uint8_t flat[F * H * W * 3];
	for (size_t i = 0; i < sizeof flat / 3; i++)
		memset(flat + 3 * i, (int)(i / 7 % 90), 3);
	v.rgb = flat;
	CHECK(gif_write(path, &v, err), "%s", err);
	play(path, got, &frames);
	CHECK(!memcmp(got, flat, sizeof flat));
}

/* ---- PNG ---- */

static void
png(void)
{
	Video v = smooth_video();
	char err[256] = "";
	const char *frames = in_folder("frames/");
	static uint8_t got[H * W * 3];
	test("PNG frames hold the pixels and the notes");
	CHECK(png_write(frames, &v, err), "%s", err);
	for (int i = 0; i < F; i++) {
		const char *path = arena_printf(&arena, "%s/%04d.png", frames, i);
		png_image image = {.version = PNG_IMAGE_VERSION};
		CHECK(png_image_begin_read_from_file(&image, path));
		image.format = PNG_FORMAT_RGB;
		CHECK(image.width == W && image.height == H);
		CHECK(png_image_finish_read(&image, NULL, got, 0, NULL));
		CHECK(!memcmp(got, v.rgb + i * H * W * 3, sizeof got));
		CHECK(has_bytes(path, "h\xc3\xa9lice", 7));
	}
	test("a folder that is there is written to; nothing else stays in it");
	CHECK(png_write(frames, &v, err), "%s", err);
	CHECK(unlink(in_folder("frames/0000.png")) == 0);
	for (int i = 1; i < F; i++)
		unlink(arena_printf(&arena, "%s/%04d.png", frames, i));
	CHECK(rmdir(frames) == 0);
	test("a folder that cannot be made");
	CHECK(!png_write("/dev/null/x", &v, err)
		&& strstr(err, "/dev/null/x"), "%s", err);
}

/* ---- WebP ---- */

/* Plays a WebP into rgb[frames][H][W][3]; returns when its last frame ends, in
 * milliseconds. */
static int
play_webp(const char *path, uint8_t *rgb, int *frames)
{
	size_t size;
	const char *text = arena_read_file(&arena, path, 1 << 24, &size);
	WebPData data = {(const uint8_t *)text, size};
	WebPAnimDecoder *decoder = text ? WebPAnimDecoderNew(&data, NULL) : NULL;
	uint8_t *rgba;
	int end = 0;
	for (*frames = 0; decoder && WebPAnimDecoderHasMoreFrames(decoder)
		&& *frames < F; ++*frames) {
		if (!WebPAnimDecoderGetNext(decoder, &rgba, &end))
			break;
		for (int i = 0; i < H * W; i++)
			memcpy(rgb + (*frames * H * W + i) * 3, rgba + 4 * i, 3);
	}
	if (decoder)
		WebPAnimDecoderDelete(decoder);
	return end;
}

static void
webp(void)
{
	static uint8_t got[F * H * W * 3];
	Video v = smooth_video();
	char err[256] = "";
	int frames;
	const char *path = in_folder("a.webp");
	test("a WebP plays as it was written, at its rate");
	CHECK(webp_write(path, &v, err), "%s", err);
	int end = play_webp(path, got, &frames);
	CHECK(frames == F && end == 417, "%d frames, %d ms", frames, end);
	double psnr = 10 * log10(255 * 255 / blurred_error(got, v.rgb, F));
	CHECK(psnr > 35, "%.1f dB", psnr);
	printf("# WebP of a smooth picture: %.1f dB after a 3x3 blur\n", psnr);
	test("one frame is a still picture");
	Picture p;
	v.frames = 1;
	CHECK(webp_write(path, &v, err), "%s", err);
	CHECK(!picture_read(&arena, path, &p, err) && p.width == W
		&& p.height == H, "%s", err);
	test("a video too wide for WebP is refused");
	v.width = 20000;
	CHECK(!webp_write(path, &v, err) && strstr(err, "at most 16383"), "%s",
		err);
}

/* ---- what goes along ---- */

static void
notes(void)
{
	static const Note note[] = {{"prompt", "h\xc3\xa9lice <b> & \"x\"\ny"},
		{"seed", "7"}};
	Video v = smooth_video();
	char err[256] = "";
	const char *gif = in_folder("a.gif"), *webp = in_folder("a.webp");
	v.notes = note;
	v.n_notes = 2;
	test("notes go along in GIF and WebP");
	CHECK(gif_write(gif, &v, err), "%s", err);
	const char *text = "prompt: h\xc3\xa9lice <b> & \"x\"\ny\nseed: 7";
	CHECK(has_bytes(gif, text, strlen(text)));
	CHECK(webp_write(webp, &v, err), "%s", err);
	text = "sluice:prompt=\"h\xc3\xa9lice &#60;b&#62; &#38; "
		"&#34;x&#34;&#10;y\" sluice:seed=\"7\"";
	CHECK(has_bytes(webp, text, strlen(text)));
	test("long notes are cut between characters");
	char *lots = arena_alloc(&arena, 300001);
	for (int i = 0; i < 150000; i++)
		memcpy(lots + 2 * i, "\xc3\xa9", 2);
	const Note longer = {"prompt", lots};
	v.notes = &longer;
	v.n_notes = 1;
	const char *cut = notes_text(&arena, &v, 101);
	CHECK(strlen(cut) == 100 && !strncmp(cut, "prompt: \xc3", 9), "%zu",
		strlen(cut));
	CHECK(gif_write(gif, &v, err), "%s", err);
	CHECK(webp_write(webp, &v, err), "%s", err);
}

/* ---- Y4M, MP4 and WebM ---- */

static void
y4m(void)
{
	Video v = smooth_video();
	char err[256] = "";
	size_t size;
	const char *path = in_folder("a.y4m");
	test("Y4M: header, frames, grey is grey");
	static uint8_t grey[F * H * W * 3];
	memset(grey, 255, sizeof grey);
	v.rgb = grey;
	CHECK(y4m_write(path, &v, err), "%s", err);
	const char *text = arena_read_file(&arena, path, 1 << 24, &size);
	CHECK(text && !strncmp(text, "YUV4MPEG2 W53 H37 F12000:1000 ", 30));
	const char *data = text ? strchr(text, '\n') + 1 : NULL;
	CHECK(size == (size_t)(data - text) + F * (6 + 3 * H * W));
	CHECK(!memcmp(data, "FRAME\n", 6));
	CHECK((uint8_t)data[6] == 235 && (uint8_t)data[6 + H * W] == 128
		&& (uint8_t)data[6 + 2 * H * W] == 128);
}

/* A stand-in that copies its input to its last argument, or fails. */
static void
fake_ffmpeg(const char *script)
{
	FILE *f = fopen(in_folder("ffmpeg"), "w");
	fprintf(f, "#!/bin/sh\n%s\n", script);
	fclose(f);
	chmod(in_folder("ffmpeg"), 0755);
}

static void
mp4(void)
{
	Video v = smooth_video();
	char err[256] = "";
	const char *path = in_folder("a 'b\";.mp4");
	char *before = arena_strdup(&arena, getenv("PATH"));
	setenv("PATH", arena_printf(&arena, "%s:%s", folder, before), 1);
	test("MP4 goes through ffmpeg, whatever the file's name");
	fake_ffmpeg("for last; do :; done\ncat > \"${last#file:}\"");
	CHECK(ffmpeg_write(path, &v, FFMPEG_MP4, err), "%s", err);
	CHECK(has_bytes(path, "YUV4MPEG2", 9));
	unlink(path);
	test("WebM too, with the notes as an argument of their own");
	fake_ffmpeg("for last; do :; done\nprintf '%s\\n' \"$@\" "
		"> \"${last#file:}\"\ncat > /dev/null");
	CHECK(ffmpeg_write(path, &v, FFMPEG_WEBM, err), "%s", err);
	const char *said = "\n-metadata\ncomment=prompt: h\xc3\xa9lice\n-f\nwebm\n";
	CHECK(has_bytes(path, "\n-c:v\nlibvpx-vp9\n", 17)
		&& has_bytes(path, said, strlen(said)));
	unlink(path);
	test("ffmpeg that fails leaves no file");
	fake_ffmpeg("exit 3");
	CHECK(!ffmpeg_write(path, &v, FFMPEG_MP4, err) && strstr(err, "exit code 3"), "%s", err);
	CHECK(access(path, F_OK));
	fake_ffmpeg("kill -9 $$");
	CHECK(!ffmpeg_write(path, &v, FFMPEG_MP4, err) && strstr(err, "signal 9"), "%s", err);
	unlink(in_folder("ffmpeg"));
	test("without ffmpeg there is none");
	setenv("PATH", folder, 1);
	CHECK(!ffmpeg_possible());
	CHECK(!ffmpeg_write(path, &v, FFMPEG_MP4, err) && strstr(err, "cannot start ffmpeg"),
		"%s", err);
	CHECK(access(path, F_OK));
	fake_ffmpeg("exit 0");
	CHECK(ffmpeg_possible());
	/* whether the frames still went into the pipe is a matter of luck */
	CHECK(!ffmpeg_write(path, &v, FFMPEG_MP4, err) && (strstr(err, "wrote nothing")
		|| strstr(err, "before the last frame")), "%s", err);
	unlink(in_folder("ffmpeg"));
	setenv("PATH", before, 1);
}

static void
failures(void)
{
	Video v = smooth_video();
	char err[256] = "";
	test("a full disk is told");
	CHECK(!gif_write("/dev/full", &v, err) && strstr(err, "No space"), "%s",
		err);
	CHECK(!y4m_write("/dev/full", &v, err) && strstr(err, "No space"), "%s",
		err);
	CHECK(!webp_write("/dev/full", &v, err) && strstr(err, "No space"),
		"%s", err);
	test("a folder that is missing is told");
	CHECK(!gif_write(in_folder("no/a.gif"), &v, err)
		&& strstr(err, "No such file"), "%s", err);
	test("values outside 0..1 and NaN become bytes");
	const float x[] = {-1, 0, 0.5f, 1, 7, NAN};
	const uint8_t *b = video_bytes(&arena, x, 6);
	CHECK(b[0] == 0 && b[1] == 0 && b[2] == 128 && b[3] == 255
		&& b[4] == 255 && b[5] == 0, "%d", b[2]);
}

int
main(void)
{
	if (!mkdtemp(folder))
		fatal(EXIT_IO, "cannot make %s", folder);
	gif();
	png();
	webp();
	notes();
	y4m();
	mp4();
	failures();
	unlink(in_folder("a.gif"));
	unlink(in_folder("a.webp"));
	unlink(in_folder("a.y4m"));
	test("no temporary files stay");
	CHECK(rmdir(folder) == 0);
	arena_free(&arena);
	return test_end();
}
