/* webp.c - an animated WebP: frames by libwebp, put together by libwebpmux. */
#include "compiler/media/media.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <webp/encode.h>
#include <webp/mux.h>

enum {
	QUALITY = 90,           /* of 100 */
	KEY_FRAMES = 9,         /* a whole frame at least so often */
};

/* Milliseconds from the start to frame i. */
static int
time_of(const Video *v, int64_t i)
{
	return (int)fmin(rint((double)i * 1000 / v->fps), 1e9);
}

static bool
add_frame(WebPAnimEncoder *encoder, const Video *v, int64_t i,
	const WebPConfig *config)
{
	WebPPicture picture;
	if (!WebPPictureInit(&picture))
		return false;
	picture.width = (int)v->width;
	picture.height = (int)v->height;
	picture.use_argb = 1;
	bool ok = WebPPictureImportRGB(&picture,
		v->rgb + 3 * v->height * v->width * i, (int)(3 * v->width))
		&& WebPAnimEncoderAdd(encoder, &picture, time_of(v, i), config);
	WebPPictureFree(&picture);
	return ok;
}

/* A lack of memory has many names here. What else can fail, sizes being right,
 * is a frame that is too large for the format. */
static void
explain(const char *error, char why[100])
{
	static const char key[] = "WebPEncodingError: ";
	const char *code = strstr(error, key);
	int number = code ? atoi(code + sizeof key - 1) : 0;
	if (number != VP8_ENC_ERROR_PARTITION0_OVERFLOW
		&& number != VP8_ENC_ERROR_PARTITION_OVERFLOW
		&& number != VP8_ENC_ERROR_FILE_TOO_BIG)
		fatal(EXIT_MEMORY, "out of memory");
	snprintf(why, 100, "a frame is too large for WebP at this quality");
}

/* The animation, without notes; its bytes are to be cleared. */
static bool
encode(const Video *v, WebPData *out, char why[100])
{
	WebPAnimEncoderOptions options;
	WebPConfig config;
	WebPDataInit(out);
	if (!WebPAnimEncoderOptionsInit(&options)
		|| !WebPConfigPreset(&config, WEBP_PRESET_DEFAULT, QUALITY)) {
		snprintf(why, 100, "libwebp is of another version");
		return false;
	}
	options.kmax = KEY_FRAMES;
	options.kmin = KEY_FRAMES - 1;
	WebPAnimEncoder *encoder = WebPAnimEncoderNew((int)v->width,
		(int)v->height, &options);
	if (!encoder)
		fatal(EXIT_MEMORY, "out of memory");
	bool ok = true;
	for (int64_t i = 0; i < v->frames && ok; i++)
		ok = add_frame(encoder, v, i, &config);
	ok = ok && WebPAnimEncoderAdd(encoder, NULL, time_of(v, v->frames), NULL)
		&& WebPAnimEncoderAssemble(encoder, out);
	if (!ok)
		explain(WebPAnimEncoderGetError(encoder), why);
	WebPAnimEncoderDelete(encoder);
	return ok;
}

/* The file with the notes in it, in place of the one without. */
static void
add_notes(WebPData *file, const Video *v)
{
	Arena a = {0};
	const char *text = notes_xmp(&a, v);
	WebPData xmp = {(const uint8_t *)text, strlen(text)}, whole;
	WebPMux *mux = WebPMuxCreate(file, 0);
	if (!mux || WebPMuxSetChunk(mux, "XMP ", &xmp, 1) != WEBP_MUX_OK
		|| WebPMuxAssemble(mux, &whole) != WEBP_MUX_OK)
		fatal(EXIT_MEMORY, "out of memory");
	WebPMuxDelete(mux);
	WebPDataClear(file);
	*file = whole;
	arena_free(&a);
}

bool
webp_write(const char *path, const Video *v, char *err)
{
	OutFile o;
	WebPData file;
	char why[100];
	if (v->width > WEBP_MAX_DIMENSION || v->height > WEBP_MAX_DIMENSION) {
		snprintf(err, 256, "cannot write '%.120s': a WebP has at most %d "
			"rows and columns", path, WEBP_MAX_DIMENSION);
		return false;
	}
	if (!out_open(&o, path, err))
		return false;
	bool ok = encode(v, &file, why);
	if (ok && v->n_notes)
		add_notes(&file, v);
	if (ok)
		fwrite(file.bytes, 1, file.size, o.f);
	WebPDataClear(&file);
	if (ok)
		return out_commit(&o, err);     /* sees a failed write */
	snprintf(err, 256, "cannot write '%.120s': %s", path, why);
	out_abandon(&o);
	return false;
}
