/* tensors_write.c - writes a safetensors file, whole or not at all.
 *
 * The header is padded with spaces so that the data begins at a multiple of 8
 * bytes; tensors stand in the order they are given in.
 */
#include "vm/weights/tensors.h"

#include <stdlib.h>
#include <string.h>

/* By the format's name, or, when that is NULL, by the DType. */
static const TensorType *
type_of(DType dtype, const char *name)
{
	for (int i = 0; i < tensor_types_count; i++) {
		const TensorType *type = &tensor_types[i];
		if (name ? !strcmp(type->name, name)
			: type->dtype == dtype && dtype < DT_COUNT)
			return type;
	}
	die("tensors_write", "element type %s %d", name ? name : "", (int)dtype);
}

static int64_t
out_bytes(const TensorOut *t, const TensorType *type)
{
	int64_t bytes = type->bits / 8;
	for (int i = 0; i < t->rank; i++)
		bytes = mul_sz(bytes, t->dim[i]);
	return bytes;
}

/* "__metadata__":{...}, which maps strings to strings. */
static void
write_notes(FILE *f, const Note *note, size_t n)
{
	fputs("\"__metadata__\":{", f);
	for (size_t i = 0; i < n; i++) {
		fputs(i ? "," : "", f);
		print_json_string(f, note[i].key);
		fputc(':', f);
		print_json_string(f, note[i].text);
	}
	fputc('}', f);
}

static void
write_header(FILE *f, const TensorOut *t, const TensorType *const *as, size_t n,
	const Note *note, size_t n_note)
{
	int64_t at = 0;
	fputc('{', f);
	if (n_note)
		write_notes(f, note, n_note);
	for (size_t i = 0; i < n; i++) {
		int64_t end = add_sz(at, out_bytes(&t[i], as[i]));
		fputs(i || n_note ? "," : "", f);
		print_json_string(f, t[i].name);
		fprintf(f, ":{\"dtype\":\"%s\",\"shape\":[",
			as[i]->name);
		for (int d = 0; d < t[i].rank; d++)
			fprintf(f, "%s%lld", d ? "," : "",
				(long long)t[i].dim[d]);
		fprintf(f, "],\"data_offsets\":[%lld,%lld]}", (long long)at,
			(long long)end);
		at = end;
	}
	fputc('}', f);
}

/* The header with its padding; the caller frees it. */
static char *
make_header(const TensorOut *t, const TensorType *const *as, size_t n,
	const Note *note, size_t n_note, size_t *size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, size);
	if (!f)
		fatal(EXIT_MEMORY, "out of memory");
	write_header(f, t, as, n, note, n_note);
	fflush(f);
	for (size_t pad = *size % 8 ? 8 - *size % 8 : 0; pad; pad--)
		fputc(' ', f);
	if (ferror(f) || fclose(f) || !text)
		fatal(EXIT_MEMORY, "out of memory");
	return text;
}

static int
write_all(const char *path, const TensorOut *t, const TensorType *const *as,
	size_t n, const Note *note, size_t n_note, char *err)
{
	OutFile out;
	size_t size;
	if (!out_open(&out, path, err))
		return EXIT_IO;
	char *text = make_header(t, as, n, note, n_note, &size);
	unsigned char first[8];
	for (int i = 0; i < 8; i++)
		first[i] = (unsigned char)(size >> 8 * i);
	fwrite(first, 1, sizeof first, out.f);
	fwrite(text, 1, size, out.f);
	free(text);
	for (size_t i = 0; i < n; i++)
		fwrite(t[i].data, 1, (size_t)out_bytes(&t[i], as[i]), out.f);
	return out_commit(&out, err) ? EXIT_OK : EXIT_IO;
}

/* `type`: the format's names, NULL: those of the tensors' dtypes. */
static int
write_types(const char *path, const TensorOut *t, const char *const *type,
	size_t n, const Note *note, size_t n_note, char *err)
{
	Arena a = {0};
	const TensorType **as = arena_array(&a, n, sizeof *as);
	for (size_t i = 0; i < n; i++)
		as[i] = type_of(t[i].dtype, type ? type[i] : NULL);
	int code = write_all(path, t, as, n, note, n_note, err);
	arena_free(&a);
	return code;
}

int
tensors_write(const char *path, const TensorOut *t, size_t n, char *err)
{
	return write_types(path, t, NULL, n, NULL, 0, err);
}

int
tensors_write_noted(const char *path, const TensorOut *t, size_t n,
	const Note *note, size_t n_note, char *err)
{
	return write_types(path, t, NULL, n, note, n_note, err);
}

int
tensors_write_as(const char *path, const TensorOut *t, const char *const *type,
	size_t n, char *err)
{
	return write_types(path, t, type, n, NULL, 0, err);
}
