/* fuzz_safetensors.c - libFuzzer target: the header of a tensors file.
 *
 *   clang -g -O1 -std=c11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
 *       -o fuzz tests/fuzz/fuzz_safetensors.c vm/weights/tensors_read.c ir/base/json.c \
 *       ir/base/base.c ir/ops.c
 *   ./fuzz tests/fuzz/corpus_safetensors
 *
 * The input is a whole file.  Since the data's bytes do not matter, the first
 * two bytes of the input stand in front of the file and say how many data bytes
 * it is to have instead (0xffff: those that are there).  What is accepted must
 * hold together: every tensor inside the data, none over another, bytes = shape
 * times type, all data covered.
 */
#include "vm/weights/tensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t
type_bits(const Tensor *t)
{
	for (int i = 0; i < tensor_types_count; i++)
		if (!strcmp(tensor_types[i].name, t->dtype_text)
			&& tensor_types[i].dtype == t->dtype)
			return tensor_types[i].bits;
	abort();
}

static int
compare(const void *x, const void *y)
{
	const Tensor *a = x, *b = y;
	return a->offset != b->offset ? (a->offset < b->offset ? -1 : 1)
		: (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static void
check_list(TensorList *l, int64_t begin, int64_t end)
{
	if (l->n)
		qsort(l->at, l->n, sizeof *l->at, compare);
	for (size_t i = 0; i < l->n; i++) {
		const Tensor *t = &l->at[i];
		__int128 bits = type_bits(t);
		for (int d = 0; d < t->rank; d++) {
			if (t->dim[d] < 0 || t->dim[d] > TENSORS_DIM_MAX)
				abort();
			bits *= t->dim[d];
		}
		if (t->rank > TENSORS_RANK_MAX || t->offset != begin
			|| bits != (__int128)t->bytes * 8
			|| strlen(t->name) > TENSORS_NAME_MAX)
			abort();
		begin += t->bytes;
	}
	if (begin != end)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[TENSORS_ERROR] = "";
	if (size < 2)
		return 0;
	int64_t claimed = data[0] | data[1] << 8;
	data += 2;
	size -= 2;
	/* the length, as of a file that really is so long */
	int64_t n = tensors_header_bytes(size >= 8 ? data
		: (const uint8_t *)"\0\0\0\0\0\0\0", (int64_t)size, err);
	if (n < 0 && size >= 8)
		n = (int64_t)size - 8;  /* let the parser see it all the same */
	if (n < 0)
		return 0;
	int64_t data_bytes = claimed == 0xffff ? (int64_t)size - 8 - n : claimed;
	TensorList l = {0};
	Arena arena = {0};
	if (tensors_parse(&arena, (const char *)data + 8, (size_t)n, data_bytes,
		0, &l, err))
		check_list(&l, 8 + n, 8 + n + data_bytes);
	else if (!err[0])
		abort();
	vec_free(&l);
	arena_free(&arena);
	return 0;
}
