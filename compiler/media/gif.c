/* gif.c - a looping GIF: one palette for all frames, pixels that did not change
 * left out (they compress to nothing), delays that keep the mean rate.
 */
#include "compiler/media/media.h"
#include "compiler/media/palette.h"

#include <gif_lib.h>
#include <math.h>
#include <string.h>

enum {
	UNCHANGED = PALETTE_MAX,        /* index of the transparent colour */
	NOTES_MAX = 64 << 10,
};

uint8_t *
video_bytes(Arena *a, const float *x, int64_t n)
{
	uint8_t *out = arena_array(a, (size_t)n, 1);
	for (int64_t i = 0; i < n; i++)
		out[i] = (uint8_t)lrintf(255 * fminf(fmaxf(x[i], 0), 1));
	return out;
}

static int
write_bytes(GifFileType *gif, const GifByteType *data, int n)
{
	return (int)fwrite(data, 1, (size_t)n, gif->UserData);
}

/* The extension that makes browsers repeat the film for ever. */
static bool
put_loop(GifFileType *gif)
{
	static const unsigned char times[] = {1, 0, 0};
	return EGifPutExtensionLeader(gif, APPLICATION_EXT_FUNC_CODE) == GIF_OK
		&& EGifPutExtensionBlock(gif, 11, "NETSCAPE2.0") == GIF_OK
		&& EGifPutExtensionBlock(gif, sizeof times, times) == GIF_OK
		&& EGifPutExtensionTrailer(gif) == GIF_OK;
}

static bool
put_notes(GifFileType *gif, const Video *v, Arena *a)
{
	return !v->n_notes || EGifPutComment(gif, notes_text(a, v, NOTES_MAX))
		== GIF_OK;
}

/* Hundredths of a second that frame i is shown; viewers do not honour less
 * than two. */
static int
delay(const Video *v, int64_t i)
{
	double unit = 100 / v->fps;
	double begin = rint((double)i * unit), end = rint((double)(i + 1) * unit);
	return (int)fmin(fmax(end - begin, 2), 65535);
}

static bool
put_frame(GifFileType *gif, const Video *v, int64_t i, uint8_t *index,
	const uint8_t *before)
{
	GraphicsControlBlock control = {
		.DisposalMode = DISPOSE_DO_NOT,
		.DelayTime = delay(v, i),
		.TransparentColor = i ? UNCHANGED : NO_TRANSPARENT_COLOR,
	};
	GifByteType packed[4];
	int width = (int)v->width, height = (int)v->height;
	EGifGCBToExtension(&control, packed);
	if (EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, sizeof packed, packed)
		!= GIF_OK
		|| EGifPutImageDesc(gif, 0, 0, width, height, false, NULL)
		!= GIF_OK)
		return false;
	for (int64_t k = 0; i && k < v->width * v->height; k++)
		if (index[k] == before[k])
			index[k] = UNCHANGED;
	for (int row = 0; row < height; row++)
		if (EGifPutLine(gif, index + (size_t)row * (size_t)width, width)
			!= GIF_OK)
			return false;
	return true;
}

static bool
put_all(GifFileType *gif, const Video *v, Arena *a)
{
	int64_t pixels = v->height * v->width;
	uint8_t *index = arena_alloc(a, (size_t)pixels);
	uint8_t *before = arena_alloc(a, (size_t)pixels);
	Palette *p = palette_make(a, v->rgb, pixels * v->frames);
	GifColorType colours[256] = {{0, 0, 0}};
	for (int i = 0; i < p->n; i++)
		colours[i] = (GifColorType){p->rgb[i][0], p->rgb[i][1],
			p->rgb[i][2]};
	ColorMapObject *map = GifMakeMapObject(256, colours);
	if (!map)
		fatal(EXIT_MEMORY, "out of memory");
	EGifSetGifVersion(gif, true);
	bool ok = EGifPutScreenDesc(gif, (int)v->width, (int)v->height, 8, 0, map)
		== GIF_OK && (v->frames == 1 || put_loop(gif))
		&& put_notes(gif, v, a);
	for (int64_t i = 0; i < v->frames && ok; i++) {
		uint8_t *shown = arena_alloc(a, (size_t)pixels);
		palette_map(p, v->rgb + 3 * pixels * i, v->height, v->width,
			shown);
		memcpy(index, shown, (size_t)pixels);
		ok = put_frame(gif, v, i, index, before);
		memcpy(before, shown, (size_t)pixels);
	}
	GifFreeMapObject(map);
	return ok;
}

bool
gif_write(const char *path, const Video *v, char *err)
{
	OutFile o;
	Arena a = {0};
	int code = 0;
	if (v->width > 65535 || v->height > 65535) {
		snprintf(err, 256, "cannot write '%.120s': a GIF has at most "
			"65535 rows and columns", path);
		return false;
	}
	if (!out_open(&o, path, err))
		return false;
	GifFileType *gif = EGifOpen(o.f, write_bytes, &code);
	bool ok = gif && put_all(gif, v, &a);
	if (gif && !ok)
		code = gif->Error;
	ok = gif && EGifCloseFile(gif, ok ? &code : NULL) == GIF_OK && ok;
	arena_free(&a);
	if (ok || ferror(o.f))
		return out_commit(&o, err);
	if (code == E_GIF_ERR_NOT_ENOUGH_MEM)
		fatal(EXIT_MEMORY, "out of memory");
	const char *why = GifErrorString(code);
	snprintf(err, 256, "cannot write '%.120s': %s", path,
		why ? why : "the GIF writer failed");
	out_abandon(&o);
	return false;
}
