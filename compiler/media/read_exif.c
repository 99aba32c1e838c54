/* read_exif.c - the one thing that matters of a photograph's EXIF data: how the
 * camera was held.  The block is a TIFF file: a byte order, the offset of its
 * first directory, and there 12 bytes for each entry (tag, type, count, value).
 */
#include "compiler/media/read.h"

#include <string.h>

enum { TAG_ORIENTATION = 0x112, TYPE_SHORT = 3, ENTRY_BYTES = 12 };

/* `n` bytes (2 or 4) at `at`. */
static uint32_t
number(const uint8_t *at, int n, bool little)
{
	uint32_t x = 0;
	for (int i = 0; i < n; i++)
		x = x << 8 | at[little ? n - 1 - i : i];
	return x;
}

int
exif_orientation(const uint8_t *data, size_t size)
{
	if (size >= 6 && !memcmp(data, "Exif\0\0", 6)) {
		data += 6;
		size -= 6;
	}
	bool little = size >= 8 && !memcmp(data, "II*\0", 4);
	if (!little && (size < 8 || memcmp(data, "MM\0*", 4)))
		return 1;
	size_t at = number(data + 4, 4, little);
	if (at > size || size - at < 2)
		return 1;
	size_t entries = number(data + at, 2, little);
	for (at += 2; entries && size - at >= ENTRY_BYTES; entries--) {
		const uint8_t *entry = data + at;
		uint32_t value = number(entry + 8, 2, little);
		if (number(entry, 2, little) == TAG_ORIENTATION
			&& number(entry + 2, 2, little) == TYPE_SHORT)
			return value >= 1 && value <= 8 ? (int)value : 1;
		at += ENTRY_BYTES;
	}
	return 1;
}
