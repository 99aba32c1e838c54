/* media.h - a finished video to files: GIF, PNG frames, Y4M, MP4.
 *
 * Every writer leaves either the whole output or none: on failure it returns
 * false with the reason in `err` (256 bytes), and an older file is intact.
 */
#ifndef SLUICE_MEDIA_H
#define SLUICE_MEDIA_H

#include "ir/base/base.h"

/* A line of text that goes along with the pictures, where the format can. */
typedef struct Note {
	const char *key, *text;
} Note;

typedef struct Video {
	const uint8_t *rgb;     /* [frames, height, width, 3] */
	int64_t frames, height, width;
	double fps;
	const Note *notes;
	size_t n_notes;
} Video;

/* `n` values in 0..1 (others are clamped) to bytes, from the arena. */
uint8_t *video_bytes(Arena *a, const float *x, int64_t n);

/* gif.c: looping; one palette for all frames, see palette.h. */
bool gif_write(const char *path, const Video *v, char *err);
/* png.c: FOLDER/0000.png and so on; the folder is made if it is missing. */
bool png_write(const char *folder, const Video *v, char *err);
/* y4m.c: raw video, 4:4:4. */
bool y4m_write(const char *path, const Video *v, char *err);
/* y4m.c: the same through ffmpeg, and whether there is one. */
bool mp4_possible(void);
bool mp4_write(const char *path, const Video *v, char *err);

#endif
