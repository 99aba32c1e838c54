/* tensors.h - the safetensors format between the files that read and write it:
 * tensors_read.c (one file's header), safetensors.c (files, shards, folders,
 * lookup) and tensors_write.c.  The public side is in weights.h.
 *
 * A file is: N, 8 bytes, little endian; N bytes of JSON, padded with spaces;
 * the data.  The JSON maps each tensor's name to {"dtype", "shape",
 * "data_offsets": [begin, end]}, offsets counted from the data's first byte.
 */
#ifndef SLUICE_TENSORS_H
#define SLUICE_TENSORS_H

#include "vm/weights/weights.h"

enum {
	TENSORS_HEADER_MAX = 16 << 20,  /* bytes of JSON */
	TENSORS_NAME_MAX = 512,
	TENSORS_RANK_MAX = 8,
	TENSORS_SHARDS_MAX = 512,
	TENSORS_ERROR = 512,            /* bytes of an `err` */
};
#define TENSORS_DIM_MAX ((int64_t)1 << 31)
#define TENSORS_BYTES_MAX ((int64_t)1 << 46)

/* An element type of the format. */
typedef struct TensorType {
	const char *name;
	int bits;
	DType dtype;            /* DT_COUNT: Sluice does not compute with it */
} TensorType;

extern const TensorType tensor_types[];
extern const int tensor_types_count;

typedef Vec(Tensor) TensorList;

/* Checks the first 8 bytes of a file of `file_bytes` bytes.  Returns the bytes
 * of its header, or -1 with the rule that is broken in `err`. */
int64_t tensors_header_bytes(const unsigned char *first, int64_t file_bytes,
	char *err);
/* Reads a header of `size` bytes in front of `data_bytes` bytes of data and
 * appends its tensors, with `offset` counted from the file's first byte and
 * names copied to the arena.  False with the rule that is broken in `err`; the
 * list may then hold some of them. */
bool tensors_parse(Arena *a, const char *text, size_t size,
	int64_t data_bytes, int file, TensorList *out, char *err);
/* The same for an open file; `path` goes into the message.  Returns an exit
 * code. */
int tensors_read_file(Arena *a, int fd, const char *path, int file,
	TensorList *out, char *err);
/* Reads exactly `bytes` bytes at `offset`; an exit code. */
int tensors_pread(int fd, const char *path, void *dst, int64_t bytes,
	int64_t offset, char *err);

#endif
