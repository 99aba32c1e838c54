/* read_jpeg.c - JPEG to RGB: grey, colour, and the CMYK of print shops.
 *
 * A file that ends early or has codes that there are not is refused, where
 * libjpeg would warn and paint the rest grey.
 */
#include "compiler/media/read.h"

#include <setjmp.h>
#include <jpeglib.h>
#include <jerror.h>
#include <string.h>

enum {
	/* a progressive file may repeat scans that change nothing, each at
	   the cost of a whole picture */
	SCANS_MAX = 500,
	/* coefficients of a progressive picture of the largest size */
	MEMORY_MAX = 1 << 30,
};

typedef struct Decoder {
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf failed;
	Reading *reading;
} Decoder;

static void
on_error(j_common_ptr jpeg)
{
	Decoder *d = jpeg->client_data;
	char text[JMSG_LENGTH_MAX];
	if (jpeg->err->msg_code == JERR_OUT_OF_MEMORY)
		fatal(EXIT_MEMORY, "out of memory");
	jpeg->err->format_message(jpeg, text);
	snprintf(d->reading->err, READ_ERR, "%.127s", text);
	longjmp(d->failed, 1);
}

static void
on_message(j_common_ptr jpeg, int level)
{
	Decoder *d = jpeg->client_data;
	if (level >= 0)
		return;
	switch (jpeg->err->msg_code) {
	case JWRN_JPEG_EOF:
	case JWRN_HIT_MARKER:
		snprintf(d->reading->err, READ_ERR, "the file is cut off");
		longjmp(d->failed, 1);
	case JWRN_HUFF_BAD_CODE:
	case JWRN_ARITH_BAD_CODE:
	case JWRN_BOGUS_PROGRESSION:
		on_error(jpeg);
	default:                /* bytes too many between two parts, and such */
		break;
	}
}

static void
on_progress(j_common_ptr jpeg)
{
	Decoder *d = jpeg->client_data;
	if (d->jpeg.input_scan_number <= SCANS_MAX)
		return;
	snprintf(d->reading->err, READ_ERR, "it has more than %d scans",
		SCANS_MAX);
	longjmp(d->failed, 1);
}

static void
find_orientation(Reading *r, const struct jpeg_decompress_struct *jpeg)
{
	for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
		if (m->data_length > 6 && !memcmp(m->data, "Exif\0\0", 6)) {
			r->orientation = exif_orientation(m->data,
				m->data_length);
			return;
		}
}

/* a b / 255, rounded */
static int
part(int a, int b)
{
	return (a * b * 2 + 255) / 510;
}

/* Rows of CMYK to RGB.  Such files hold 255 less the ink, as Adobe's programs
 * write them: each colour is what its own ink and the black leave of white. */
static void
from_cmyk(const uint8_t *cmyk, uint8_t *rgb, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		int white = cmyk[4 * i + 3];
		for (int c = 0; c < 3; c++)
			rgb[3 * i + c] = (uint8_t)(white
				- part(255 - cmyk[4 * i + c], white));
	}
}

static bool
decode(Reading *r, j_decompress_ptr jpeg)
{
	jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
	jpeg_read_header(jpeg, TRUE);
	int64_t width = jpeg->image_width, height = jpeg->image_height;
	if (!picture_begin(r, width, height))
		return false;
	find_orientation(r, jpeg);
	bool cmyk = jpeg->num_components == 4;
	jpeg->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
	uint8_t *line = cmyk ? arena_array(r->arena, (size_t)width, 4) : NULL;
	jpeg_start_decompress(jpeg);
	for (int64_t y = 0; y < height; y++) {
		uint8_t *row = r->out.rgb + 3 * width * y;
		JSAMPROW to = cmyk ? line : row;
		jpeg_read_scanlines(jpeg, &to, 1);
		if (cmyk)
			from_cmyk(line, row, width);
	}
	jpeg_finish_decompress(jpeg);
	return true;
}

bool
read_jpeg(Reading *r)
{
	Decoder d = {.reading = r};
	d.jpeg.err = jpeg_std_error(&d.errors);
	d.errors.error_exit = on_error;
	d.errors.emit_message = on_message;
	d.jpeg.client_data = &d;
	if (setjmp(d.failed)) {
		jpeg_destroy_decompress(&d.jpeg);
		return false;
	}
	jpeg_create_decompress(&d.jpeg);
	d.jpeg.mem->max_memory_to_use = MEMORY_MAX;
	d.progress.progress_monitor = on_progress;
	d.jpeg.progress = &d.progress;
	jpeg_mem_src(&d.jpeg, r->data, r->size);
	bool ok = decode(r, &d.jpeg);
	jpeg_destroy_decompress(&d.jpeg);
	return ok;
}
