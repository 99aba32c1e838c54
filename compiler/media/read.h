/* read.h - the readers of pictures, one for each format; only read.c calls them.
 *
 * A reader gets a whole file in memory.  It tells the size by picture_begin()
 * before it decodes, so that a file that claims to be huge costs nothing, and
 * fills `out` with the first picture as it is stored, alpha left away and 16
 * bits cut to the upper 8 (as Pillow does both).  False: the reason is in `err`.
 * No memory: fatal(EXIT_MEMORY).
 */
#ifndef SLUICE_READ_H
#define SLUICE_READ_H

#include "compiler/media/media.h"

enum { READ_ERR = 128 };        /* bytes behind Reading.err */

typedef struct Reading {
	const uint8_t *data;
	size_t size;
	Arena *arena;           /* for the pixels */
	Picture out;
	int orientation;        /* EXIF's, 1 to 8; 1: as stored */
	char err[READ_ERR];
} Reading;

bool read_png(Reading *r);
bool read_jpeg(Reading *r);
bool read_webp(Reading *r);

/* read.c: checks the limits and takes memory for the pixels. */
bool picture_begin(Reading *r, int64_t width, int64_t height);
/* read_exif.c: the orientation that a block of EXIF data states ("Exif\0\0" in
 * front or not); 1 when it states none that there is. */
int exif_orientation(const uint8_t *data, size_t size);

#endif
