/* tokenizer.h - a prompt to token ids, as CLIP's text encoders were trained:
 * byte-level pair encoding with a marked end of word.
 */
#ifndef SLUICE_TOKENIZER_H
#define SLUICE_TOKENIZER_H

#include "ir/base/base.h"

typedef struct Tokenizer Tokenizer;

/* Reads a folder as transformers does: vocabulary and merges of tokenizer.json, or
 * of vocab.json and merges.txt where it is missing, and the special tokens of all
 * files (special.h).  Everything lives in the arena.  NULL with the reason in `err`
 * (512 bytes) and EXIT_IO or EXIT_SOURCE in *code. */
const Tokenizer *tokenizer_open(Arena *a, const char *folder, int *code,
	char *err);

/* The ids of `size` bytes of UTF-8, begin and end tokens included, however many
 * they are; NULL when the text is not valid UTF-8. */
const int32_t *tokenizer_encode(const Tokenizer *t, Arena *a, const char *text,
	size_t size, size_t *count);

/* `count` ids cut to `length` (the first ones, then the end token) or padded to
 * it.  Returns whether they were cut.  length >= 2. */
bool tokenizer_fit(const Tokenizer *t, const int32_t *ids, size_t count,
	int32_t *out, size_t length);

#endif
