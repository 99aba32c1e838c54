/* vocab.h - the two tables of a pair encoding: text -> id, and pair of ids ->
 * the rank and the result of their merge.  Open addressing over arrays that are
 * sized once, since a vocabulary never grows.
 */
#ifndef SLUICE_VOCAB_H
#define SLUICE_VOCAB_H

#include "ir/base/json.h"

enum { VOCAB_ERR = 512 };       /* bytes behind every `err` here */

typedef struct Word {
	const char *text;       /* NULL: the slot is free */
	size_t size;
	int32_t id;
} Word;

typedef struct Merge {
	int32_t left, right;    /* ids; left < 0: the slot is free */
	int32_t rank, result;
} Merge;

typedef struct Vocab {
	Word *words;
	size_t word_mask;       /* slots - 1 */
	Merge *merges;
	size_t merge_mask;
	int32_t count, last;    /* texts; the largest id */
	const Json *file;       /* tokenizer.json, NULL when there is none */
} Vocab;

/* Id of `size` bytes of text, -1 when the vocabulary lacks it. */
int32_t vocab_find(const Vocab *v, const char *text, size_t size);
/* The merge of two ids, NULL when there is none. */
const Merge *vocab_merge(const Vocab *v, int32_t left, int32_t right);

/* Reads a JSON file of a tokenizer's folder; NULL with the reason in `err` and
 * EXIT_IO or EXIT_SOURCE in *code. */
const Json *vocab_json(Arena *a, const char *path, int *code, char *err);
/* Fills the tables from a folder (see tokenizer_open). */
bool vocab_open(Arena *a, Vocab *v, const char *folder, int *code, char *err);

#endif
