/* read_webp.c - WebP to RGB; of an animation its first frame. */
#include "compiler/media/read.h"

#include <webp/decode.h>
#include <webp/demux.h>

static bool
refuse(Reading *r, const char *why)
{
	snprintf(r->err, READ_ERR, "%s", why);
	return false;
}

/* One frame to its place on the canvas, which is zeroed: what an animation's
 * first frame leaves free is black. */
static bool
decode(Reading *r, const WebPIterator *frame)
{
	WebPDecoderConfig config;
	int64_t width = r->out.width, height = r->out.height;
	int64_t bottom = frame->y_offset + (int64_t)frame->height;
	if (!WebPInitDecoderConfig(&config))
		return refuse(r, "libwebp is of another version");
	if (frame->x_offset < 0 || frame->y_offset < 0 || bottom > height
		|| frame->x_offset + (int64_t)frame->width > width)
		return refuse(r, "a frame reaches over the edge");
	size_t skip = (size_t)(3 * (frame->y_offset * width + frame->x_offset));
	config.output.colorspace = MODE_RGB;
	config.output.is_external_memory = 1;
	config.output.u.RGBA = (WebPRGBABuffer){
		.rgba = r->out.rgb + skip, .stride = (int)(3 * width),
		.size = (size_t)(3 * width * height) - skip,
	};
	VP8StatusCode code = WebPDecode(frame->fragment.bytes,
		frame->fragment.size, &config);
	WebPFreeDecBuffer(&config.output);
	if (code == VP8_STATUS_OUT_OF_MEMORY)
		fatal(EXIT_MEMORY, "out of memory");
	if (code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED)
		return refuse(r, "the file is cut off");
	return code == VP8_STATUS_OK || refuse(r, "its data are damaged");
}

/* The parts of a complete file. */
static bool
take_apart(Reading *r, const WebPDemuxer *parts)
{
	WebPIterator frame;
	WebPChunkIterator exif;
	if (!picture_begin(r, WebPDemuxGetI(parts, WEBP_FF_CANVAS_WIDTH),
		WebPDemuxGetI(parts, WEBP_FF_CANVAS_HEIGHT)))
		return false;
	if (!WebPDemuxGetFrame(parts, 1, &frame))
		return refuse(r, "it has no picture");
	bool ok = decode(r, &frame);
	WebPDemuxReleaseIterator(&frame);
	if (WebPDemuxGetChunk(parts, "EXIF", 1, &exif)) {
		r->orientation = exif_orientation(exif.chunk.bytes,
			exif.chunk.size);
		WebPDemuxReleaseChunkIterator(&exif);
	}
	return ok;
}

bool
read_webp(Reading *r)
{
	WebPData data = {r->data, r->size};
	WebPDemuxState state;
	WebPDemuxer *parts = WebPDemuxPartial(&data, &state);
	bool ok = parts && state == WEBP_DEMUX_DONE;
	if (ok)
		ok = take_apart(r, parts);
	else if (state == WEBP_DEMUX_PARSE_ERROR)
		refuse(r, "its data are damaged");
	else
		refuse(r, "the file is cut off");
	WebPDemuxDelete(parts);
	return ok;
}
