/* media.h - pictures and videos from and to files: PNG, JPEG and WebP in; GIF,
 * PNG frames, animated WebP, Y4M, MP4 and WebM out.
 *
 * Every writer leaves either the whole output or none: on failure it returns
 * false with the reason in `err` (256 bytes), and an older file is intact.
 */
#ifndef SLUICE_MEDIA_H
#define SLUICE_MEDIA_H

#include "ir/base/base.h"

typedef struct Video {
	const uint8_t *rgb;     /* [frames, height, width, 3] */
	int64_t frames, height, width;
	double fps;
	const Note *notes;      /* go along, in all formats but Y4M */
	size_t n_notes;
} Video;

/* `n` values in 0..1 (others are clamped) to bytes, from the arena. */
uint8_t *video_bytes(Arena *a, const float *x, int64_t n);

/* gif.c: looping; one palette for all frames, see palette.h. */
bool gif_write(const char *path, const Video *v, char *err);
/* png.c: FOLDER/0000.png and so on; the folder is made if it is missing. */
bool png_write(const char *folder, const Video *v, char *err);
/* webp.c: an animation that loops; one frame is a still picture. */
bool webp_write(const char *path, const Video *v, char *err);
/* y4m.c: raw video, 4:4:4. */
bool y4m_write(const char *path, const Video *v, char *err);
/* The same to an open stream; false with errno set when a write failed. */
bool y4m_put(FILE *f, const Video *v);
/* ffmpeg's name of the matrix that Y4M's colours are made with. */
const char *y4m_matrix(const Video *v);

/* ffmpeg.c: whether there is an ffmpeg, and files that it makes. */
typedef enum FfmpegFormat {
	FFMPEG_MP4, FFMPEG_WEBM
} FfmpegFormat;
bool ffmpeg_possible(void);
bool ffmpeg_write(const char *path, const Video *v, FfmpegFormat format,
	char *err);

/* notes.c: the notes as text, "key: value" a line, at most `limit` bytes; as an
 * XMP packet. */
const char *notes_text(Arena *a, const Video *v, size_t limit);
const char *notes_xmp(Arena *a, const Video *v);

/* ---- pictures in: read.c, resize.c ---- */
typedef struct Picture {
	uint8_t *rgb;           /* [height, width, 3] */
	int64_t height, width;
} Picture;

/* What a file may hold; more is refused before memory is taken for it. */
enum {
	PICTURE_SIDE = 65535,
	PICTURE_PIXELS = 100000000,
	PICTURE_BYTES = 1 << 28,        /* of the file */
};

/* Reads a PNG, JPEG or WebP file (by its bytes, not its name) as RGB, turned
 * upright by its EXIF data; alpha is left away.  Pixels are from the arena.
 * Returns EXIT_OK, EXIT_IO or, when this is no such picture, it is damaged, cut
 * off or too large, EXIT_WEIGHTS, with the reason in `err` (256 bytes). */
int picture_read(Arena *a, const char *path, Picture *out, char *err);
/* The same from memory: `name` is for messages. */
int picture_parse(Arena *a, const char *name, const uint8_t *data, size_t size,
	Picture *out, char *err);

/* The picture at another size, whatever its shape: Pillow's Lanczos filter, bit
 * for bit its 8-bit form, across before down. */
Picture picture_resize(Arena *a, const Picture *p, int64_t height,
	int64_t width);
/* The picture as CLIP wants it, [side, side, 3]: 0..1, blurred by a Gaussian as
 * wide as it shrinks, bicubic, less `mean`, over `deviation`.  How Stable Video
 * Diffusion's pipeline in diffusers prepares it. */
float *picture_clip(Arena *a, const Picture *p, int64_t side,
	const float mean[3], const float deviation[3]);

#endif
