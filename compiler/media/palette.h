/* palette.h - from true colour to 255 colours: which ones, and how pixels are
 * mixed from them.
 */
#ifndef SLUICE_PALETTE_H
#define SLUICE_PALETTE_H

#include "ir/base/base.h"

enum { PALETTE_MAX = 255 };     /* one of a GIF's 256 stays for "unchanged" */

typedef struct Palette {
	int n;
	bool exact;             /* every colour of the pictures is in it */
	uint8_t rgb[PALETTE_MAX][3];
	float lab[PALETTE_MAX][3];      /* the same in Oklab */
	uint8_t *near;          /* [64^3] index + 1 of the nearest colour to the
	                           cube's middle, 0: not asked yet */
} Palette;

/* Colours for `pixels` pixels [., 3]: the colours themselves when there are
 * few, else clusters in Oklab (median cut, then Lloyd's iterations). */
Palette *palette_make(Arena *a, const uint8_t *rgb, int64_t pixels);

/* Maps a picture [height, width, 3] to indices.  Ordered dithering with blue
 * noise: an index depends on the pixel's own colour and place and on nothing
 * else, so what stands still in a video does not flicker. */
void palette_map(Palette *p, const uint8_t *rgb, int64_t height, int64_t width,
	uint8_t *index);

#endif
