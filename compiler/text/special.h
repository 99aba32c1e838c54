/* special.h - the tokens that are found in a text before it is cut into words:
 * begin, end, padding, unknown, and all that a tokenizer's folder adds to its
 * vocabulary.
 *
 * Four files say which they are.  `added_tokens_decoder` of
 * tokenizer_config.json is the whole list where it stands.  Where it does not,
 * special_tokens_map.json goes over the settings of tokenizer_config.json, and
 * added_tokens.json and then `added_tokens` of tokenizer.json are the list.  The
 * settings `bos_token`, `eos_token`, `unk_token`, `pad_token` and those that end
 * in `_token` name one token each, `additional_special_tokens` and
 * `extra_special_tokens` some.
 */
#ifndef SLUICE_SPECIAL_H
#define SLUICE_SPECIAL_H

#include "compiler/text/vocab.h"

#define BEGIN_TEXT "<|startoftext|>"    /* CLIP's, unless a file says another */
#define END_TEXT "<|endoftext|>"        /* it pads, and is the unknown, as well */

typedef struct SpecialToken {
	const char *text;       /* what is looked for */
	size_t size;
	int32_t id;
	bool normal;            /* looked for in the text's normal form, and is
	                           one; otherwise in the text as it is */
	bool whole;             /* only where no letter stands beside it */
	bool said;              /* a file says `normal`, or it follows from
	                           `special` */
	bool special;
	bool left, right;       /* takes the white space on that side, which
	                           separates words and is dropped anyway */
} SpecialToken;

typedef struct Specials {
	SpecialToken *token[2]; /* by text; [1]: those of the normal form */
	size_t n[2];
	int32_t begin, end, unknown, pad;
	bool split;             /* tokens marked special are words like others */
} Specials;

/* A token that was found: `size` bytes from `at` on. */
typedef struct Found {
	size_t at, size;
	int32_t id;
} Found;

/* Reads the four files of a folder; any may be missing.  False with the reason
 * in `err` (VOCAB_ERR) and EXIT_IO or EXIT_SOURCE in *code. */
bool specials_open(Arena *a, Specials *s, const Vocab *v, const char *folder,
	int *code, char *err);
/* The first token in [from, size) of the text, of two at one place the longer;
 * `normal`: the text is a normal form. */
bool specials_next(const Specials *s, bool normal, const char *text,
	size_t size, size_t from, Found *found);

#endif
