/* tensors_read.c - reads the header of one safetensors file, which is not
 * trusted: whatever breaks a rule of the format, or is merely unusual, is
 * refused with the name of the tensor.  After that every tensor lies inside the
 * file, none overlaps another, and its bytes are those its shape and type want.
 */
#include "vm/weights/tensors.h"
#include "ir/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const TensorType tensor_types[] = {
	{"F32",  32, DT_F32}, {"F16",  16, DT_F16}, {"BF16", 16, DT_BF16},
	{"I32",  32, DT_I32}, {"F64",  64, DT_COUNT}, {"I64", 64, DT_COUNT},
	{"BOOL",  8, DT_COUNT}, {"U8",  8, DT_COUNT}, {"I8",  8, DT_COUNT},
	{"U16",  16, DT_COUNT}, {"I16", 16, DT_COUNT}, {"U32", 32, DT_COUNT},
	{"U64",  64, DT_COUNT}, {"C64", 64, DT_COUNT},
	{"F8_E4M3", 8, DT_COUNT}, {"F8_E5M2", 8, DT_COUNT},
	{"F8_E8M0", 8, DT_COUNT}, {"F6_E2M3", 6, DT_COUNT},
	{"F6_E3M2", 6, DT_COUNT}, {"F4", 4, DT_COUNT},
};
const int tensor_types_count = COUNT_OF(tensor_types);

/* What the checks of one tensor share. */
typedef struct Entry {
	const char *name;
	const Json *json;
	char *err;
} Entry;

/* Always false. */
static bool
refuse(const Entry *e, const char *what)
{
	snprintf(e->err, TENSORS_ERROR, "tensor '%.200s': %s", e->name, what);
	return false;
}

int64_t
tensors_header_bytes(const unsigned char *first, int64_t file_bytes, char *err)
{
	uint64_t n = 0;
	if (file_bytes < 8) {
		snprintf(err, TENSORS_ERROR, "shorter than 8 bytes");
		return -1;
	}
	for (int i = 7; i >= 0; i--)
		n = n << 8 | first[i];
	if (n > TENSORS_HEADER_MAX) {
		snprintf(err, TENSORS_ERROR, "not a safetensors file, or a "
			"header of %llu bytes (at most %d are read)",
			(unsigned long long)n, TENSORS_HEADER_MAX);
		return -1;
	}
	if (n > (uint64_t)(file_bytes - 8)) {
		snprintf(err, TENSORS_ERROR, "the header wants %llu bytes, "
			"the file ends after %lld", (unsigned long long)n,
			(long long)(file_bytes - 8));
		return -1;
	}
	return (int64_t)n;
}

/* ---- one tensor ---- */

static bool
check_name(const Entry *e)
{
	size_t n = strlen(e->name), clean = 0;
	if (n > TENSORS_NAME_MAX)
		return refuse(e, "the name is longer than 512 bytes");
	while (clean < n && (unsigned char)e->name[clean] >= 0x20
		&& e->name[clean] != 0x7f)
		clean++;
	if (clean == n)
		return true;
	snprintf(e->err, TENSORS_ERROR, "tensor '%.*s...': the name holds a "
		"control byte", (int)min64((int64_t)clean, 200), e->name);
	return false;
}

/* An integer >= 0, written with digits only. */
static bool
read_count(const Json *j, int64_t *value)
{
	if (j->kind != JSON_INT || !j->plain)
		return false;
	*value = j->integer;
	return true;
}

static const TensorType *
find_type(const Json *j)
{
	if (!j || j->kind != JSON_STRING)
		return NULL;
	for (int i = 0; i < tensor_types_count; i++)
		if (strlen(tensor_types[i].name) == j->length
			&& !memcmp(tensor_types[i].name, j->text, j->length))
			return &tensor_types[i];
	return NULL;
}

/* Sets rank, dims and bytes.  The product is checked factor by factor: a zero
 * does not excuse an overflow in front of it. */
static bool
read_shape(const Entry *e, const Json *shape, int bits, Tensor *t)
{
	int64_t elements = 1, all_bits;
	if (!shape || shape->kind != JSON_LIST)
		return refuse(e, "`shape` is no list");
	if (shape->n > TENSORS_RANK_MAX)
		return refuse(e, "more than 8 dimensions");
	t->rank = (int)shape->n;
	for (int i = 0; i < t->rank; i++) {
		if (!read_count(&shape->item[i], &t->dim[i]))
			return refuse(e, "an extent is no plain integer >= 0");
		if (t->dim[i] > TENSORS_DIM_MAX)
			return refuse(e, "an extent above 2^31");
		if (!mul_ok(elements, t->dim[i], &elements))
			return refuse(e, "the product of the extents overflows");
	}
	if (!mul_ok(elements, bits, &all_bits))
		return refuse(e, "the size overflows");
	if (all_bits % 8)
		return refuse(e, "the last byte is not filled");
	if (all_bits / 8 > TENSORS_BYTES_MAX)
		return refuse(e, "larger than 2^46 bytes");
	t->bytes = all_bits / 8;
	return true;
}

/* Sets the offset, counted from the data's first byte. */
static bool
read_place(const Entry *e, const Json *place, int64_t data_bytes, Tensor *t)
{
	int64_t begin, end;
	if (!place || place->kind != JSON_LIST || place->n != 2)
		return refuse(e, "`data_offsets` is no list of two");
	if (!read_count(&place->item[0], &begin)
		|| !read_count(&place->item[1], &end))
		return refuse(e, "an offset is no plain integer >= 0");
	if (end < begin)
		return refuse(e, "ends in front of its begin");
	if (end > data_bytes)
		return refuse(e, "ends behind the end of the file");
	if (end - begin != t->bytes)
		return refuse(e, "the size is not that of its shape and dtype");
	t->offset = begin;
	return true;
}

static bool
read_tensor(const Entry *e, int64_t data_bytes, Tensor *t)
{
	const Json *j = e->json;
	if (!check_name(e))
		return false;
	if (j->kind != JSON_MAP)
		return refuse(e, "no map with dtype, shape, data_offsets");
	const TensorType *type = find_type(json_get(j, "dtype"));
	if (!type)
		return refuse(e, "unknown dtype");
	if (!read_shape(e, json_get(j, "shape"), type->bits, t)
		|| !read_place(e, json_get(j, "data_offsets"), data_bytes, t))
		return false;
	if (j->n != 3)
		return refuse(e, "a field other than dtype, shape, data_offsets");
	t->dtype = type->dtype;
	t->dtype_text = type->name;
	return true;
}

/* ---- the header ---- */

static int
compare_places(const void *x, const void *y)
{
	const Tensor *a = x, *b = y;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

/* The tensors fill the data from its first to its last byte, one behind the
 * other.  Sorts them by place. */
static bool
check_places(Tensor *t, size_t n, int64_t data_bytes, char *err)
{
	int64_t at = 0;
	if (n)
		qsort(t, n, sizeof *t, compare_places);
	for (size_t i = 0; i < n; i++) {
		Entry e = {.name = t[i].name, .err = err};
		if (t[i].offset < at)
			return refuse(&e, "overlaps another tensor");
		if (t[i].offset > at)
			return refuse(&e, "a hole in front of its data");
		at += t[i].bytes;
	}
	if (at != data_bytes) {
		snprintf(err, TENSORS_ERROR,
			"%lld bytes behind the last tensor",
			(long long)(data_bytes - at));
		return false;
	}
	return true;
}

static bool
check_metadata(const Json *j, char *err)
{
	bool ok = j->kind == JSON_MAP;
	for (size_t i = 0; ok && i < j->n; i++)
		ok = j->item[i].kind == JSON_STRING;
	if (!ok)
		snprintf(err, TENSORS_ERROR,
			"__metadata__ does not map strings to strings");
	return ok;
}

static bool
parse_entries(Arena *a, Arena *temp, const char *text, size_t size,
	int64_t data_bytes, int file, TensorList *out, char *err)
{
	JsonError error;
	const Json *j = json_parse(temp, text, size, 4, &error);
	size_t first = out->n;
	if (!j) {
		snprintf(err, TENSORS_ERROR, "header, byte %zu: %s",
			error.offset, error.text);
		return false;
	}
	for (size_t i = 0; i < j->n; i++) {
		Tensor t = {.file = file};
		Entry e = {.name = j->key[i], .json = &j->item[i], .err = err};
		if (!strcmp(e.name, "__metadata__")) {
			if (!check_metadata(e.json, err))
				return false;
			continue;
		}
		if (!read_tensor(&e, data_bytes, &t))
			return false;
		t.name = arena_strdup(a, e.name);
		*vec_push(out) = t;
	}
	Tensor *new = out->n > first ? out->at + first : NULL;
	if (!check_places(new, out->n - first, data_bytes, err))
		return false;
	for (size_t i = first; i < out->n; i++)
		out->at[i].offset += 8 + (int64_t)size;
	return true;
}

bool
tensors_parse(Arena *a, const char *text, size_t size, int64_t data_bytes,
	int file, TensorList *out, char *err)
{
	size_t end = size;
	while (end && text[end - 1] == ' ')
		end--;
	if (!size || text[0] != '{') {
		snprintf(err, TENSORS_ERROR, "the header is no JSON map");
		return false;
	}
	if (text[end - 1] != '}') {
		snprintf(err, TENSORS_ERROR,
			"the header does not end with '}' and spaces");
		return false;
	}
	Arena temp = {0};
	bool ok = parse_entries(a, &temp, text, size, data_bytes, file, out,
		err);
	arena_free(&temp);
	return ok;
}

/* ---- a file ---- */

int
tensors_pread(int fd, const char *path, void *dst, int64_t bytes,
	int64_t offset, char *err)
{
	char *p = dst;
	while (bytes > 0) {
		ssize_t n = pread(fd, p, (size_t)bytes, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			snprintf(err, TENSORS_ERROR, "'%.300s': %s", path,
				n ? strerror(errno) : "the file ends early; "
				"was it changed while in use?");
			return EXIT_IO;
		}
		p += n;
		bytes -= n;
		offset += n;
	}
	return EXIT_OK;
}

/* A file that is no safetensors may be one that people take for it. */
static void
explain_file(int fd, int64_t bytes, char *why, size_t size)
{
	char first[256], none[TENSORS_ERROR];
	int64_t n = min64(bytes, (int64_t)sizeof first);
	if (!bytes)
		snprintf(why, size, "the file is empty: the download is not "
			"complete");
	else if (tensors_pread(fd, "", first, n, 0, none) == EXIT_OK)
		download_mistake(first, (size_t)n, "weights", why, size);
}

static int
read_header(Arena *a, Arena *temp, int fd, const char *path, int file,
	TensorList *out, char *err)
{
	unsigned char first[8] = {0};
	char why[TENSORS_ERROR];
	struct stat st;
	if (fstat(fd, &st)) {
		snprintf(err, TENSORS_ERROR, "'%.300s': %s", path,
			strerror(errno));
		return EXIT_IO;
	}
	int code = EXIT_OK;
	int64_t bytes = -1;
	if (!S_ISREG(st.st_mode))
		snprintf(why, sizeof why, "not a regular file");
	else if (st.st_size >= 8)
		code = tensors_pread(fd, path, first, 8, 0, err);
	if (code)
		return code;
	if (S_ISREG(st.st_mode))
		bytes = tensors_header_bytes(first, st.st_size, why);
	if (bytes >= 0) {
		char *text = arena_alloc(temp, (size_t)bytes + 1);
		code = tensors_pread(fd, path, text, bytes, 8, err);
		if (code)
			return code;
		if (tensors_parse(a, text, (size_t)bytes,
			st.st_size - 8 - bytes, file, out, why))
			return EXIT_OK;
	} else if (S_ISREG(st.st_mode))
		explain_file(fd, st.st_size, why, sizeof why);
	snprintf(err, TENSORS_ERROR, "'%.200s': %.290s", path, why);
	return EXIT_WEIGHTS;
}

int
tensors_read_file(Arena *a, int fd, const char *path, int file,
	TensorList *out, char *err)
{
	Arena temp = {0};
	int code = read_header(a, &temp, fd, path, file, out, err);
	arena_free(&temp);
	return code;
}
