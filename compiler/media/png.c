/* png.c - the frames of a video as PNG files in a folder.  They get their names
 * when all are written, so that a full disk leaves nothing.
 */
#include "compiler/media/media.h"

#include <png.h>
#include <stdlib.h>
#include <unistd.h>

/* libpng ends a function by longjmp on errors; the file's name is here. */
static void
on_error(png_structp png, png_const_charp text)
{
	char *err = png_get_error_ptr(png);
	snprintf(err, 256, "%s", text);
	png_longjmp(png, 1);
}

static void
on_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text;
}

/* libpng has other names for it, as "too many text chunks". */
static void *
get_memory(png_structp png, png_alloc_size_t bytes)
{
	void *p = malloc(bytes);
	(void)png;
	if (!p)
		fatal(EXIT_MEMORY, "out of memory");
	return p;
}

static void
put_memory(png_structp png, void *p)
{
	(void)png;
	free(p);
}

/* Notes in Latin-1 would lose most scripts: iTXt holds UTF-8. */
static void
put_notes(png_structp png, png_infop info, const Video *v, Arena *a)
{
	png_text *text = arena_array(a, v->n_notes, sizeof *text);
	for (size_t i = 0; i < v->n_notes; i++) {
		text[i].compression = PNG_ITXT_COMPRESSION_NONE;
		text[i].key = arena_strdup(a, v->notes[i].key);
		text[i].text = arena_strdup(a, v->notes[i].text);
	}
	if (v->n_notes)
		png_set_text(png, info, text, (int)v->n_notes);
}

static bool
put_picture(FILE *f, const Video *v, const uint8_t *rgb, Arena *a, char *err)
{
	png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, err,
		on_error, on_warning, NULL, get_memory, put_memory);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	if (!info)
		fatal(EXIT_MEMORY, "out of memory");
	if (setjmp(png_jmpbuf(png))) {
		png_destroy_write_struct(&png, &info);
		return false;
	}
	png_init_io(png, f);
	png_set_IHDR(png, info, (png_uint_32)v->width, (png_uint_32)v->height, 8,
		PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	put_notes(png, info, v, a);
	png_write_info(png, info);
	for (int64_t row = 0; row < v->height; row++)
		png_write_row(png, rgb + 3 * v->width * row);
	png_write_end(png, NULL);
	png_destroy_write_struct(&png, &info);
	return true;
}

/* Frame i under its temporary name. */
static bool
write_one(OutFile *o, const char *path, const Video *v, int64_t i, char *err)
{
	Arena a = {0};
	char why[256];
	if (!out_open(o, path, err))
		return false;
	bool ok = put_picture(o->f, v, v->rgb + 3 * v->width * v->height * i, &a,
		why);
	arena_free(&a);
	if (ok || ferror(o->f))
		return out_finish(o, err);
	snprintf(err, 256, "cannot write '%.120s': %.100s", path, why);
	out_abandon(o);
	return false;
}

static const char *
frame_path(Arena *a, const char *folder, int64_t i)
{
	return arena_printf(a, "%s/%04lld.png", folder, (long long)i);
}

/* All frames, then their names: a full disk leaves none of them. */
static bool
write_frames(Arena *a, const char *folder, const Video *v, char *err)
{
	OutFile *out = arena_array(a, (size_t)v->frames, sizeof *out);
	int64_t n = 0, done = 0;
	while (n < v->frames
		&& write_one(&out[n], frame_path(a, folder, n), v, n, err))
		n++;
	bool ok = n == v->frames;
	while (ok && done < n)
		ok = out_commit(&out[done++], err);
	while (n > done)
		out_abandon(&out[--n]);
	return ok;
}

bool
png_write(const char *folder, const Video *v, char *err)
{
	Arena a = {0};
	OutFile o;
	bool ok = out_folder(&o, folder, err);
	if (ok && write_frames(&a, folder, v, err))
		ok = out_commit(&o, err);
	else if (ok) {
		out_abandon(&o);
		ok = false;
	}
	if (ok && !access(frame_path(&a, folder, v->frames), F_OK))
		warn("%s holds older frames, from %04lld.png on", folder,
			(long long)v->frames);
	arena_free(&a);
	return ok;
}
