/* read.c - a picture's file to RGB: by its first bytes, whatever its name, and
 * turned the way that the camera was held.
 */
#include "compiler/media/read.h"

#include <errno.h>
#include <string.h>

/* Formats by the bytes that they begin with. */
static const struct {
	const char *name;
	size_t at, n;
	const char *bytes;
	bool (*read)(Reading *r);       /* NULL: known, and not read */
} formats[] = {
	{"PNG", 0, 8, "\x89PNG\r\n\x1a\n", read_png},
	{"JPEG", 0, 3, "\xff\xd8\xff", read_jpeg},
	{"WebP", 8, 4, "WEBP", read_webp},
	{"GIF", 0, 4, "GIF8", NULL},
	{"BMP", 0, 2, "BM", NULL},
	{"TIFF", 0, 4, "II*\0", NULL},
	{"TIFF", 0, 4, "MM\0*", NULL},
	{"HEIC or AVIF", 4, 4, "ftyp", NULL},
	{"JPEG XL", 0, 4, "\0\0\0\x0c", NULL},
	{"SVG", 0, 4, "<svg", NULL},
};

bool
picture_begin(Reading *r, int64_t width, int64_t height)
{
	if (width < 1 || height < 1) {
		snprintf(r->err, READ_ERR, "it has no pixels");
		return false;
	}
	if (width > PICTURE_SIDE || height > PICTURE_SIDE
		|| width * height > PICTURE_PIXELS) {
		snprintf(r->err, READ_ERR, "%lldx%lld pixels: at most %d million "
			"are read, a side of at most %d; make it smaller",
			(long long)width, (long long)height,
			PICTURE_PIXELS / 1000000, PICTURE_SIDE);
		return false;
	}
	r->out = (Picture){
		arena_array(r->arena, (size_t)(width * height), 3), height, width,
	};
	return true;
}

/* Turns the stored picture upright.  EXIF's numbers: from 5 on rows are columns;
 * of what is stored 3, 4, 6, 7 begin with the last row and 2, 3, 7, 8 with the
 * last column. */
static Picture
upright(Arena *a, const Picture *p, int orientation)
{
	bool turned = orientation >= 5;
	bool from_bottom = (0x0d8 >> orientation & 1) != 0;
	bool from_right = (0x18c >> orientation & 1) != 0;
	Picture out = {arena_array(a, (size_t)(p->width * p->height), 3),
		turned ? p->width : p->height, turned ? p->height : p->width};
	uint8_t *to = out.rgb;
	for (int64_t y = 0; y < out.height; y++)
		for (int64_t x = 0; x < out.width; x++) {
			int64_t row = turned ? x : y, column = turned ? y : x;
			if (from_bottom)
				row = p->height - 1 - row;
			if (from_right)
				column = p->width - 1 - column;
			memcpy(to, p->rgb + 3 * (row * p->width + column), 3);
			to += 3;
		}
	return out;
}

static int
refuse(char *err, const char *name, const char *why)
{
	snprintf(err, 256, "'%.80s' cannot be used as a picture: %.127s", name,
		why);
	return EXIT_WEIGHTS;
}

int
picture_parse(Arena *a, const char *name, const uint8_t *data, size_t size,
	Picture *out, char *err)
{
	Reading r = {.data = data, .size = size, .arena = a, .orientation = 1};
	size_t i = 0;
	while (i < COUNT_OF(formats) && (size < formats[i].at + formats[i].n
		|| memcmp(data + formats[i].at, formats[i].bytes, formats[i].n)))
		i++;
	if (i == COUNT_OF(formats))
		return refuse(err, name, size ? "neither PNG, JPEG nor WebP"
			: "it is empty");
	if (!formats[i].read) {
		snprintf(r.err, READ_ERR, "a %s; PNG, JPEG and WebP are read",
			formats[i].name);
		return refuse(err, name, r.err);
	}
	if (!formats[i].read(&r))
		return refuse(err, name, r.err);
	*out = r.orientation == 1 ? r.out : upright(a, &r.out, r.orientation);
	return EXIT_OK;
}

int
picture_read(Arena *a, const char *path, Picture *out, char *err)
{
	size_t size;
	Arena file = {0};
	const char *data = arena_read_file(&file, path, PICTURE_BYTES, &size);
	int code;
	if (!data && errno == EFBIG) {
		code = refuse(err, path, "it is larger than 256 MiB");
	} else if (!data) {
		snprintf(err, 256, "cannot read '%.120s': %s", path,
			strerror(errno));
		code = EXIT_IO;
	} else {
		code = picture_parse(a, path, (const uint8_t *)data, size, out,
			err);
	}
	arena_free(&file);
	return code;
}
