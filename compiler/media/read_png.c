/* read_png.c - PNG of every kind to RGB: palettes, grey, 1 to 16 bits,
 * interlaced.
 */
#include "compiler/media/read.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

typedef struct Cursor {
	const uint8_t *at;
	size_t left;
} Cursor;

/* libpng ends a function by longjmp on errors. */
static void
on_error(png_structp png, png_const_charp text)
{
	snprintf(png_get_error_ptr(png), READ_ERR, "%s", text);
	png_longjmp(png, 1);
}

static void
on_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text;
}

static png_voidp
take_memory(png_structp png, png_alloc_size_t bytes)
{
	void *p = malloc(bytes);
	(void)png;
	if (!p)
		fatal(EXIT_MEMORY, "out of memory");
	return p;
}

static void
give_memory(png_structp png, png_voidp p)
{
	(void)png;
	free(p);
}

static void
next_bytes(png_structp png, png_bytep to, size_t n)
{
	Cursor *c = png_get_io_ptr(png);
	if (n > c->left)
		png_error(png, "the file is cut off");
	memcpy(to, c->at, n);
	c->at += n;
	c->left -= n;
}

/* Everything to rows of 8-bit RGB. */
static void
set_rgb(png_structp png)
{
	png_set_expand(png);
	png_set_strip_16(png);
	png_set_strip_alpha(png);
	png_set_gray_to_rgb(png);
	png_set_interlace_handling(png);
}

static bool
decode(Reading *r, png_structp png, png_infop info)
{
	png_bytep exif = NULL;
	png_uint_32 exif_size = 0;
	png_read_info(png, info);
	int64_t width = png_get_image_width(png, info);
	int64_t height = png_get_image_height(png, info);
	if (!picture_begin(r, width, height))
		return false;
	set_rgb(png);
	png_read_update_info(png, info);
	if (png_get_rowbytes(png, info) != (size_t)(3 * width))
		png_error(png, "its pixels are of no known kind");
	png_bytepp row = arena_array(r->arena, (size_t)height, sizeof *row);
	for (int64_t y = 0; y < height; y++)
		row[y] = r->out.rgb + 3 * width * y;
	png_read_image(png, row);
	png_read_end(png, info);
	if (png_get_eXIf_1(png, info, &exif_size, &exif))
		r->orientation = exif_orientation(exif, exif_size);
	return true;
}

bool
read_png(Reading *r)
{
	Cursor cursor = {r->data, r->size};
	png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING,
		r->err, on_error, on_warning, NULL, take_memory, give_memory);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	if (!info)
		fatal(EXIT_MEMORY, "out of memory");
	if (setjmp(png_jmpbuf(png))) {
		png_destroy_read_struct(&png, &info, NULL);
		return false;
	}
	png_set_user_limits(png, PICTURE_SIDE, PICTURE_SIDE);
	png_set_chunk_malloc_max(png, 1 << 24);
	png_set_chunk_cache_max(png, 64);
	png_set_read_fn(png, &cursor, next_bytes);
	bool ok = decode(r, png, info);
	png_destroy_read_struct(&png, &info, NULL);
	return ok;
}
